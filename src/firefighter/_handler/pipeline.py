"""The parts of one handler in one process, put together: spool, source, sender, lifecycle, and their account.

A handler has one pipeline. A forked child replaces it by one of its own, so nothing in it is shared with the parent, and no lock in
it can be held by a thread that the child does not have.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from firefighter._delivery.diagnostics import Diagnostics, count_of, name_error
from firefighter._delivery.dispatch import Traffic
from firefighter._delivery.hooks import DeadLetters, DropReports
from firefighter._delivery.limits import MAX_RECORD_BYTES
from firefighter._delivery.sender import Sender
from firefighter._delivery.spool_source import SpoolSource
from firefighter._delivery.transport import BotoTransport
from firefighter._event.escaping import escape
from firefighter._event.ids import PRODUCER_BYTES
from firefighter._event.oversize import Oversize
from firefighter._handler.all_accounts import note_end, register_account
from firefighter._handler.constants import DOCUMENTED_RECORD_SIZE
from firefighter._handler.lifecycle import Lifecycle, State
from firefighter._handler.options import Options
from firefighter._handler.place import Place
from firefighter._handler.undelivered import Undelivered
from firefighter._handler.user_code import NESTED_TOO_DEEP, call_for_record
from firefighter._process.exit_and_forks import not_forking
from firefighter._process.lock import locked, make_lock, other_threads_are_gone
from firefighter._process.waiting import Wakeup
from firefighter._spool.spool import Account, Spool
from firefighter.stats import DropReason, Stats

if TYPE_CHECKING:
    import queue

    from firefighter._delivery.auto_aggregation import AutoAggregation
    from firefighter._delivery.clients import ClientFactory
    from firefighter._delivery.due import Rules
    from firefighter._delivery.plain_queue import QueueSource
    from firefighter._delivery.stream_check import StreamCheck
    from firefighter._event.formatter import JSONFormatter
    from firefighter._handler.queue_deliveries import QueueDeliveries

__all__ = ['Pipeline']


class Pipeline:
    """Everything of a handler that belongs to one process.

    Args:
        stream: the delivery stream's name.
        options: the handler's options.
        client: gives the Firehose client.
        rules: returns the rules for batches that hold now.
        deliver: calls `lifecycle.run` of the given pipeline, in a thread of ours.
        is_forgotten: returns whether the handler was collected, or is just being collected.
        diagnostics: where to report trouble.

    Attributes:
        stream: as given.
        lifecycle: opens, delivers and closes it.
        open_mark: the lifecycle's, for the hot path.
        append: the spool's, for the same.
        tally: the spool's: where there is no stack for a call, what failed is counted there.
    """

    def __init__(
        self,
        stream: str,
        options: Options,
        client: ClientFactory,
        rules: Callable[[], Rules],
        deliver: Callable[[Pipeline], None],
        is_forgotten: Callable[[], bool],
        diagnostics: Diagnostics,
    ) -> None:
        self.stream = stream
        self._options = options
        self._client = client
        self._diagnostics = diagnostics
        self._suppressed = 0
        self._said_overflown = 0
        self._undelivered = Undelivered(stream, options.undelivered, diagnostics)
        self._lock = make_lock()
        wakeup = Wakeup()
        bounds = (options.memory_bytes, options.overflow, options.block_timeout_seconds, wakeup.set)
        self._producer_id: bytes | None = None
        if options.event_ids:
            with not_forking():
                from firefighter._event.numbered_formatter import NumberedOversize  # noqa: PLC0415
                from firefighter._spool.numbered_spool import NumberedSpool  # noqa: PLC0415
            self._producer_id = os.urandom(PRODUCER_BYTES)
            unheard = (DropReason.NO_STREAM.value, DropReason.DISABLED.value)
            self.spool: Spool = NumberedSpool(self._producer_id, *bounds, uncounted=unheard)
            make_oversize: type[Oversize] = NumberedOversize
        else:
            self.spool = Spool(*bounds)
            make_oversize = Oversize
        self._oversize = make_oversize(
            options.oversize, documented_limit=DOCUMENTED_RECORD_SIZE, hard_limit=MAX_RECORD_BYTES
        )
        self.append = self.spool.append
        self.tally = self.spool.tally
        self._queue_deliveries: QueueDeliveries | None = None
        self._traffic = Traffic()
        self.place = self._make_place()
        self._drops = DropReports(
            options.on_drop,
            self._dropped,
            self._say_dropped,
            lambda error: diagnostics.say_hook_failed('on_drop', error),
        )
        self._dead_letters = DeadLetters(options.on_dead_letter, self.place.keep_dead_letter, diagnostics)
        self.transport = BotoTransport(
            client, limit_timeouts=client.limit_timeouts, owns_client=client.owns_client
        )
        self._aggregation = options.make_aggregation()
        self._auto_aggregation: AutoAggregation | None = None
        tidy = self._tidy_and_step if options.aggregates_as_found else self.place.tidy
        self.source = SpoolSource(self.spool, wakeup, tidy, self._aggregation)
        self.sender = self._make_sender(
            self.source,
            stream,
            rules,
            max_in_flight=options.max_in_flight,
            once_idle=self._make_stream_check(),
            max_wait_seconds=self._max_wait_seconds,
        )
        self.lifecycle = Lifecycle(
            stream,
            self.source,
            self.sender,
            self.place,
            self.transport,
            lambda: deliver(self),
            is_forgotten,
            self._report_end,
            options.shutdown_timeout_seconds,
            options.sync_timeout_seconds,
            diagnostics,
        )
        self.source.deliver = self.lifecycle.run
        self.spool.may_wait = self.lifecycle.may_wait_for_room
        self.place.connect(self.sender, lambda: self.lifecycle.adopts)
        if options.aggregates_as_found:
            self._auto_aggregation = self._make_auto_aggregation()
        self.pid = self.lifecycle.pid
        self.open_mark = self.lifecycle.open_mark
        register_account(self)

    def __del__(self) -> None:
        """Have metrics remember what was counted. It is called in every case, also for a cycle of garbage, and once."""
        try:
            if self.pid == os.getpid():
                note_end(self.stream, self.stats())
        except Exception:  # it was not made to the end, or the interpreter ends and takes modules apart
            pass

    def deliver_queue(
        self,
        batch_queue: queue.Queue[Any],
        stream: str,
        rules: Callable[[], Rules],
        **of_the_source: Any,
    ) -> None:
        """Deliver what comes by a plain queue to a stream, in the calling thread, until END; count and report it here."""
        with not_forking():
            from firefighter._delivery.plain_queue import QueueSource  # noqa: PLC0415

        def make() -> tuple[QueueSource, Sender]:
            source = QueueSource(batch_queue, aggregation=self._options.make_aggregation(), **of_the_source)
            return source, self._make_sender(source, stream, rules)

        self._all_queue_deliveries().deliver(
            (id(batch_queue), stream), make, self._options.shutdown_timeout_seconds
        )

    @locked
    def _all_queue_deliveries(self) -> QueueDeliveries:
        if self._queue_deliveries is None:
            with not_forking():
                from firefighter._handler.queue_deliveries import QueueDeliveries  # noqa: PLC0415
            self._queue_deliveries = QueueDeliveries()
        return self._queue_deliveries

    # Inside.

    def _make_sender(
        self,
        source: SpoolSource,
        stream: str,
        rules: Callable[[], Rules],
        *,
        max_in_flight: int = 1,
        once_idle: Callable[[], None] | None = None,
        max_wait_seconds: Callable[[], float] = lambda: inf,
    ) -> Sender:
        """Return a sender that takes from this source, and counts and reports here."""
        return Sender(
            source,
            self.transport,
            stream,
            rules=rules,
            traffic=self._traffic,
            drops=self._drops,
            dead_letters=self._dead_letters,
            diagnostics=self._diagnostics,
            max_in_flight=max_in_flight,
            once_idle=once_idle,
            max_wait_seconds=max_wait_seconds,
        )

    def _report_end(self, all_delivered: bool) -> None:  # called by the lifecycle
        overflown = self.spool.account().dropped.get(DropReason.OVERFLOW.value, 0)
        if overflown > self._said_overflown:
            self._said_overflown = overflown
            # The total, however soon after a part of it was said.
            self._diagnostics.write(f'{self._overflow_line(overflown)}\n')
        if not all_delivered:
            self._undelivered.report(self.spool, self.spool.pending, self.place.path, self.place.store)

    def _make_place(self) -> Place:
        options, stream = self._options, self.stream
        if options.spool_dir is None:
            return Place()
        with not_forking():  # 7 ms, which a spool in memory does not need
            from firefighter._handler.disk_place import DiskPlace  # noqa: PLC0415
        return DiskPlace(
            stream,
            self.spool,
            options.spool_dir,
            lambda: self._client.destination(stream),
            options.disk_bytes,
            options.max_directory_bytes,
            self._producer_id,
            self._traffic,
            self._diagnostics,
        )

    def _make_stream_check(self) -> StreamCheck | None:
        options = self._options
        if not options.aggregates or options.aggregates_as_found:
            return None  # one event in a record is safe anywhere, and what was found out fits
        with not_forking():  # 3 ms, which only these handlers need
            from firefighter._delivery.stream_check import StreamCheck  # noqa: PLC0415
        return StreamCheck(
            lambda: self.transport.describe(self.stream),
            self._warn_of_the_stream,
            aggregate=options.aggregates,
            max_aggregated_events=options.max_aggregated_events,
            compression=options.compression,
        )

    def _make_auto_aggregation(self) -> AutoAggregation:
        with not_forking():  # as above
            from firefighter._handler.auto_aggregation import make_auto_aggregation  # noqa: PLC0415
        return make_auto_aggregation(
            self.stream,
            self.source,
            self.sender,
            self.lifecycle,
            self.place,
            self.transport,
            partial(self._diagnostics.say, 'aggregate'),
            self._options.max_aggregated_events,
        )

    def _tidy_and_step(self) -> None:
        self.place.tidy()
        if self._auto_aggregation is not None:
            self._auto_aggregation.step()

    def _max_wait_seconds(self) -> float:
        seconds = self.lifecycle.max_wait_seconds()
        if self._auto_aggregation is None:
            return seconds
        return min(seconds, self._auto_aggregation.seconds_until_step())

    def _warn_of_the_stream(self, trouble: str) -> None:
        self._traffic.last_error = trouble
        self._diagnostics.say(
            'stream check',
            f'stream {self.stream!r}: {trouble} (firefighter doctor {self.stream} says more)',
        )

    # The emitting thread.

    def deliver_before_return(self, *, quiet: bool) -> None:
        """Deliver what was just logged before its call returns, or at all where the handler was closed meanwhile."""
        try:
            self.lifecycle.deliver_before_return(quiet=quiet)
        except Exception as error:  # whatever it is, the application must not see it; the event stays pending
            self.note_trouble(error)
            if other_threads_are_gone():  # nothing can be imported any more, and nobody comes after that
                self._report_end(all_delivered=False)

    def append_for_now(self, append: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """Return what queues an event now: `append`, unless the place is being opened or closed, and the event has to wait for that."""
        if self.spool.changes_place:
            return self.spool.set_aside
        if self.lifecycle.state is State.CLOSED and self.lifecycle.at_transition:
            return self.spool.keep_aside  # a destructor logs where this thread is about to open it
        return append

    def fit(self, event: bytes, limit: int) -> bytes | None:
        """Apply the `oversize` policy."""
        return self._oversize.fit(event, limit)

    def fit_or_drop(self, event: bytes, limit: int) -> bytes | None:
        """Apply the `oversize` policy, and count the event when that leaves nothing."""
        fitting = self._oversize.fit(event, limit)
        if fitting is None:
            self.spool.reject(DropReason.OVERSIZE.value, len(event))
        return fitting

    def foreign_line(
        self,
        record: logging.LogRecord,
        format: Callable[[logging.LogRecord], object],  # noqa: A002  # logging's name
        instead: JSONFormatter,
        limit: int,
    ) -> bytes | None:
        """Return the line of a formatter of the user's, which may hold anything; of ours, when that one fails."""
        try:
            formatted = call_for_record(format, record)
        except Exception as error:
            self.note_format_error(
                'the formatter failed, so the event is sent as JSONFormatter writes it', error
            )
            formatted = NESTED_TOO_DEEP
        if formatted is NESTED_TOO_DEEP:
            return self.fit_or_drop(instead.encode(record), limit)
        fitting = self.fit_or_drop(_as_event(formatted), limit)
        return None if fitting is None else escape(fitting)

    def event_of(
        self, item: object, *, limit: int, nowhere: DropReason | None
    ) -> tuple[bytes | None, DropReason]:
        """Return the event of a plain queue's item, or None and why there is none."""
        if nowhere:
            return None, nowhere
        try:
            if not isinstance(item, (bytes, bytearray, memoryview, str)):
                raise TypeError(f'a batch queue holds bytes, END and FLUSH, not {type(item).__name__}')  # noqa: TRY301
            return self.fit(
                _as_event(item if isinstance(item, str) else bytes(item)), limit
            ), DropReason.OVERSIZE
        except Exception as error:  # a memoryview that was released, for example
            self.note_format_error('an item of a batch queue was dropped', error)
            return None, DropReason.FAILED

    def give_up(self, error: BaseException) -> None:
        """Count an event that could not be encoded; report it, unless the caller sees the error."""
        self.spool.reject(DropReason.FAILED.value, 0)
        if not isinstance(error, Exception):
            return
        with suppress(Exception):  # it is counted, even where no stack is left to report it
            self._complain('failed', 'an event was dropped', error)

    def note_trouble(self, error: Exception) -> None:
        """Report a failure that will be tried again."""
        self._complain('bug', 'delivery stumbled', error)

    def note_format_error(self, what: str, error: Exception) -> None:
        """Report that a formatter has failed, or that a batch queue holds something else than events, and what was done."""
        self._complain('format', what, error)

    @locked
    def count_suppressed(self) -> None:
        """Count a log record that delivery itself has caused, and that is not an event."""
        self._suppressed += 1

    def _complain(self, cause: str, what: str, error: BaseException) -> None:
        self._diagnostics.say(cause, f'stream {self.stream!r}: {what}: {name_error(error)}')

    # Accounts.

    def stats(self) -> Stats:
        """Return what has become of the events up to this moment."""
        spooled, queued = self.spool.account(), Account(0, 0, {}, {}, 0)
        if self._queue_deliveries is not None:
            queued = self._queue_deliveries.total()
        return Stats(
            accepted=spooled.accepted + queued.accepted,
            delivered=spooled.delivered + queued.delivered,
            dropped=_by_reason(spooled.dropped, queued.dropped),
            dropped_bytes=_by_reason(spooled.dropped_bytes, queued.dropped_bytes),
            pending=spooled.pending + queued.pending,
            adopted=spooled.adopted,
            markers=spooled.markers,
            quarantined_bytes=self.place.quarantined_bytes,
            newer_producers=self.place.newer_producers,
            aggregates=self.source.aggregates,
            backing=self.place.backing,
            spool_bytes=self.spool.allocated_bytes,
            oversize=self._oversize.events,
            truncated=self._oversize.truncated + (self._aggregation.truncated if self._aggregation else 0),
            suppressed=self._suppressed,
            dead_letters=self._dead_letters.events,
            queue_age_seconds=self.sender.oldest_seconds if spooled.pending else 0.0,
            hook_errors=self._drops.errors + self._dead_letters.errors,
            **vars(self._traffic),
        )

    def _say_dropped(self, reason: str, events: int) -> None:
        if reason == DropReason.UNDELIVERED.value:
            self._diagnostics.say(
                'undelivered',
                f'stream {self.stream!r}: {count_of(events)} dropped so far, since batch_sender had END and could not '
                'deliver them in time (shutdown_timeout_seconds; one try where the stream or the credentials are wrong)',
            )
        # All other reasons have a line of their own, or are intended by the program.
        if reason == DropReason.OVERFLOW.value and self._diagnostics.say(
            'overflow', self._overflow_line(events)
        ):
            self._said_overflown = events

    def _overflow_line(self, events: int) -> str:
        if self._options.spool_dir is None:
            advice = 'raise max_spool_bytes, or have calls wait with overflow="block", or set spool_dir'
        else:
            advice = 'raise max_spool_bytes, or max_directory_bytes where that is reached, or have calls wait with overflow="block"'
        return (
            f'stream {self.stream!r}: {count_of(events)} dropped so far, since the spool was full; {advice}'
        )

    def _dropped(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        stats = self.stats()
        return (
            {reason.value: events for reason, events in stats.dropped.items()},
            {reason.value: size for reason, size in stats.dropped_bytes.items()},
        )


def _as_event(formatted: object) -> bytes:
    """Return what a formatter put out as one event, ended by a newline."""
    if not isinstance(formatted, bytes):
        formatted = str(formatted).encode('utf-8', 'backslashreplace')
    return formatted if formatted.endswith(b'\n') else formatted + b'\n'


def _by_reason(*counts: Mapping[str, int]) -> dict[DropReason, int]:
    return {
        reason: total
        for reason in DropReason
        if (total := sum(count.get(reason.value, 0) for count in counts))
    }
