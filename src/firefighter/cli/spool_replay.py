"""`firefighter spool replay`: deliver now what dead producers have left."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from firefighter._delivery.aggregation import Aggregation
from firefighter._delivery.aws_configuration import read_configuration
from firefighter._delivery.clients import ClientFactory, ClientOptions
from firefighter._delivery.compression import COMPRESSIONS, make_aggregation
from firefighter._delivery.diagnostics import Diagnostics
from firefighter._delivery.due import Rules
from firefighter._delivery.hooks import DeadLetters, DropReports
from firefighter._delivery.outcomes import Answer
from firefighter._delivery.sender import Sender, Traffic
from firefighter._delivery.spool_source import SpoolSource
from firefighter._delivery.transport import BotoTransport, Transport
from firefighter._process.waiting import Wakeup, monotonic
from firefighter._spool.allocator import MIN_SPOOL_BYTES
from firefighter._spool.disk.adoption import Adoption
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import is_user_name
from firefighter._spool.disk.inspection import Producer, find_producers
from firefighter._spool.disk.private_directory import our_uid
from firefighter._spool.disk.producer_directory import READER, is_lock_held
from firefighter._spool.disk.quarantine_and_dead_letters import QUARANTINE, dead_letters_of, quarantine_of
from firefighter._spool.disk.recovery import boot_id
from firefighter._spool.spool import Spool
from firefighter.cli.progress import Progress, progress
from firefighter.cli.spool_rows import summary
from firefighter.cli.spool_talk import Complaints, complain, typed_yes
from firefighter.cli.tables import print_text, printable

__all__ = ['add_replay_arguments', 'replay']

PATIENCE_SECONDS = 60.0

# Of a part of a destination: neither the handler nor its environment named one, so boto3 took its own default.
_NOT_SET = 'not set'
_WHERE_TO_SET = '--region, --profile and --endpoint-url here, or AWS_... in the environment.'


def add_replay_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `replay`."""
    parser.add_argument('--region', help='use this region instead of the one that the events were logged for')
    parser.add_argument(
        '--endpoint-url', help='use this endpoint instead of the one that they were logged for'
    )
    parser.add_argument('--profile', help='use this profile instead of the one that they were logged for')
    parser.add_argument(
        '--aggregate',
        action='store_true',
        help="put many events into one Firehose record, like the handler's aggregate=True",
    )
    parser.add_argument(
        '--max-aggregated-events',
        type=_at_least_one,
        metavar='N',
        help='the largest number of events in one record, with --aggregate or --compression',
    )
    parser.add_argument(
        '--compression',
        choices=COMPRESSIONS,
        help='like the handler that logged them: compressed and uncompressed records must not be mixed in an object',
    )
    parser.add_argument('--yes', action='store_true', help='do not ask when the destination differs')
    parser.add_argument(
        '--patience',
        type=_seconds,
        default=PATIENCE_SECONDS,
        metavar='SECONDS',
        help='how long to try without any success (default: %(default)g)',
    )


def replay(arguments: argparse.Namespace) -> int:
    """Deliver the events of all dead producers, destination by destination; return 1 when some are left, or may be."""
    if arguments.max_aggregated_events and not (arguments.aggregate or arguments.compression):
        return _useless('--max-aggregated-events says nothing without --aggregate or --compression')
    try:
        _aggregation(arguments)
    except ValueError as error:
        return _useless(str(error))
    unread = Complaints()
    dead = _dead(arguments.directory, unread)
    if any(not producer.steps for producer in dead):
        return _useless(
            f'{arguments.directory}: one producer; what is delivered is a destination: name the directory above'
        )
    if not dead:
        where = printable(str(arguments.directory)) + (', as far as it can be read' if unread.any else '')
        print_text(f'No dead producer has left anything in {where}.')
    places: dict[_Place, list[Producer]] = {}
    why: dict[Path, str] = {}
    for producer in dead:
        place = _place_of(producer)
        if isinstance(place, str):
            why[producer.path] = place
        else:
            places.setdefault(place, []).append(producer)
    # Kept until we have looked again: what they have taken over and not delivered is theirs till then.
    deliveries = []
    for place in sorted(places, key=str):
        delivery, trouble = _replay(place, arguments)
        deliveries.append(delivery)
        why.update((producer.path, trouble) for producer in places[place] if trouble)
    left = [
        _say_what_is_left(producer, why.get(producer.path)) for producer in _dead(arguments.directory, unread)
    ]
    return int(
        unread.any or any(left) or any(delivery is not None and delivery.pending for delivery in deliveries)
    )


class _Place(NamedTuple):
    """Where a handler of some destination keeps its spool."""

    spool_dir: Path
    destination: Destination


def _dead(directory: Path, trouble: Callable[[str], None]) -> list[Producer]:
    return [producer for producer in find_producers(directory, boot_id(), trouble) if not producer.alive]


def _place_of(producer: Producer) -> _Place | str:
    """Return where a handler would have to be opened that takes over what a producer has left; or why none does, in words."""
    destination = producer.destination()
    if destination is None:
        return 'neither destination.json nor a segment says where its events go, as the name of its folder has it'
    user, spool_dir = producer.path.parents[1:3]
    if producer.uid != our_uid():
        return f'it belongs to uid {producer.uid}, not to {our_uid()}: replay it as that user'
    if not is_user_name(user.name):
        return f'it is not where a spool_dir has what is ours: below {our_uid()}/, or another uid that we had before'
    return _Place(spool_dir, destination)


def _say_what_is_left(producer: Producer, why: str | None) -> bool:
    """Say what a dead producer still has to deliver, and why; return whether there is anything."""
    troubles: list[str] = []
    row = summary(producer, troubles.append)
    if row['newer_segments']:
        why = 'it was written by a newer firefighter, which can deliver it'
    for trouble in troubles:
        complain(trouble)
    if row['events'] or row['newer_segments']:
        complain(f'{producer.path}: {row["events"]:,} events left: {why or _why_not_taken(producer)}')
    return bool(row['events'] or row['newer_segments'] or troubles)


def _why_not_taken(producer: Producer) -> str:
    """Return why nobody could take over a dead producer just now, in words."""
    try:
        with producer.open() as directory:
            if is_lock_held(directory, READER):
                return 'somebody else is about to deliver them'
    except OSError as error:
        return f'{error.filename}: {error.strerror}'
    return 'it could not be taken over'


def _replay(place: _Place, arguments: argparse.Namespace) -> tuple[_Delivery | None, str | None]:
    """Deliver what was logged for one destination; return what has delivered, and what went wrong."""
    spool_dir, destination = place
    # Not by name where the environment says the same: keys in it come before its own profile, but not before one that is named.
    own_profile = read_configuration(None).profile
    profile_name = destination.profile if destination.profile != own_profile else None
    client = ClientFactory(
        None,
        ClientOptions(
            profile_name=arguments.profile or profile_name,
            region_name=arguments.region or destination.region,
            endpoint_url=arguments.endpoint_url or destination.endpoint_url,
        ),
    )
    now = client.destination(destination.stream)
    if now != destination and not arguments.yes and not _agreed(destination, now):
        return None, 'the answer is not yes'
    delivery = _Delivery(spool_dir, destination, BotoTransport(client), _aggregation(arguments))
    delivered, left, error = delivery.run(arguments.patience)
    outcome = f'{destination.stream}: {delivered:,} events delivered'
    if left:
        outcome += f', {left:,} left' + (f': {error}' if error else '')
    if delivery.torn_bytes:
        outcome += f', {delivery.torn_bytes:,} torn bytes, which are no events, put into the file {QUARANTINE!r} beside them'
    print_text(printable(outcome))
    return delivery, error or delivery.trouble


def _aggregation(arguments: argparse.Namespace) -> Aggregation | None:
    return make_aggregation(
        aggregate=arguments.aggregate,
        max_events=arguments.max_aggregated_events,
        compression=arguments.compression,
    )


def _at_least_one(text: str) -> int:
    with suppress(ValueError):
        if int(text) >= 1:
            return int(text)
    raise argparse.ArgumentTypeError(f'{text!r} is no whole number from 1 on')


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if float(text) > 0:
            return float(text)
    raise argparse.ArgumentTypeError(f'{text!r} is no number of seconds above 0')


def _useless(complaint: str) -> int:
    """Say what is wrong with the arguments; return the status for that, argparse's."""
    complain(complaint)
    return 2


class _Delivery:
    """Adopts and delivers, in this thread, until nothing is left or nothing works any more."""

    def __init__(
        self,
        spool_dir: Path,
        destination: Destination,
        transport: Transport,
        aggregation: Aggregation | None,
    ) -> None:
        self._spool = Spool(MIN_SPOOL_BYTES)
        self._quarantine = quarantine_of(spool_dir, destination)
        self._adoption = Adoption(spool_dir, destination, self._quarantine)
        self._traffic = Traffic()
        self._shown = _Shown(transport)
        diagnostics = Diagnostics()
        dead_letters = DeadLetters(None, dead_letters_of(spool_dir, destination).put, diagnostics)
        self._source = SpoolSource(self._spool, Wakeup(), aggregation=aggregation)
        self._sender = Sender(
            self._source,
            self._shown,
            destination.stream,
            rules=lambda: Rules(0, 1, 0.0, 0.0),
            traffic=self._traffic,
            drops=DropReports(None, lambda: ({}, {})),
            dead_letters=dead_letters,
            diagnostics=diagnostics,
        )

    def run(self, patience_seconds: float) -> tuple[int, int, str | None]:
        """Return the events delivered, those left, and the last error."""
        with progress('delivering') as bar:
            while self._more():
                before = self._spool.account()
                self._shown.show = lambda: self._show(bar)
                self._deliver(monotonic() + patience_seconds)
                if self._spool.account().delivered == before.delivered:
                    break
        return self._spool.account().delivered, self.pending, self._traffic.last_error

    @property
    def pending(self) -> int:
        """The events that were taken over and not delivered."""
        return self._spool.account().pending

    @property
    def torn_bytes(self) -> int:
        """The bytes that were taken over and are no events."""
        return self._quarantine.size_bytes

    @property
    def trouble(self) -> str | None:
        """What went wrong when dead producers were taken over, in words."""
        return self._adoption.trouble

    def _deliver(self, deadline: float) -> None:
        """Deliver what is adopted, until the deadline, or until somebody has to mend the configuration."""
        source, sender = self._source, self._sender
        source.flush()
        flushes = source.flushes
        sender.run(
            lambda: (
                not self._spool.has_adopted or monotonic() >= deadline or sender.found_misconfigured(flushes)
            )
        )

    def _more(self) -> bool:
        """Return whether there is something to deliver, adopting the next dead producers when there is not."""
        if not self._spool.has_adopted:
            self._adoption.adopt_dead_producers(self._spool.adopt)
        return self._spool.has_adopted

    def _show(self, bar: Progress) -> None:
        account = self._spool.account()
        bar.update(account.delivered, account.adopted)


class _Shown:
    """A transport that shows the progress before each request."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.show: Callable[[], None] = lambda: None

    def put(self, stream: str, records: Sequence[bytes]) -> Answer:
        self.show()
        return self._transport.put(stream, records)


def _agreed(logged_for: Destination, now: Destination) -> bool:
    """Ask; no answer is no."""
    print_text(
        f'Events for stream {logged_for.stream!r} were logged for another destination than this command has now:'
    )
    for name, value in asdict(logged_for).items():
        other = getattr(now, name)
        if value != other:
            print_text(
                printable(f'  {name}: {value or _NOT_SET} when they were logged, {other or _NOT_SET} now')
            )
    print_text(
        'To deliver them where they were logged for, answer no, and set the same again: ' + _WHERE_TO_SET
    )
    return typed_yes('Type yes to send them to this destination instead: ')
