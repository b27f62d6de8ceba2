"""`firefighter cost`: what a log costs at Amazon Data Firehose, and what it would cost sent another way."""

from __future__ import annotations

import argparse
import errno
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, TypeVar

from firefighter._audit.decoding import DamagedError, NeedsZstdError
from firefighter._cost.bill import Bill, Fleet, bills
from firefighter._cost.plot import NoPlotError, check, draw, sweep
from firefighter._cost.prices import PRICE_PAGE, flat, priced_as, tiers_of
from firefighter._cost.quotas import quota_of
from firefighter._cost.reading import Entry, entries
from firefighter._cost.report import heading, rows, titles, verdict
from firefighter._cost.ways import WAYS
from firefighter._cost.workload import Workload, collect, workload
from firefighter._delivery.compression import INSTALL_ZSTD
from firefighter.cli.arguments import nonempty
from firefighter.cli.output import complain, discard_output
from firefighter.cli.progress import progress
from firefighter.cli.tables import print_table, print_text, printable

EPILOG = """\
FILE is a log, plain, gzip or zstd; "-" is standard input. A line that is a JSON object is taken as an event as it is. Any
other line is taken as the message of an event, as the handler would write it.

  firefighter cost app.log                               for each GB of such events (of a short log: for a month)
  firefighter cost app.log --events-per-second 100       for a month of one process that logs at this rate
  zcat old/*.gz | firefighter cost - --events-per-second 100 --instances 40
  firefighter cost app.log --entry-begins '^[0-9]{4}-'   tracebacks: lines that do not match belong to the one before
  firefighter cost app.log --plot bill.svg               the bill against the rate

The command runs the handler's own code in simulated time, without sending anything, and counts the records. Each record
is billed with its size rounded up to 5,120 bytes. A short log is repeated. Of a long one the first 64 MiB are used, where
an event counts for 64 bytes at least: the line "Played:" then says "the beginning of the log".
DELAY is the median time from the logging call to the request, without the way to AWS. Not included: what Firehose bills
for format conversion, dynamic partitioning and VPC, and what the destination costs.

The exit status is 0 when all is printed, and 2 when the log cannot be read, or for invalid arguments.
"""

_Number = TypeVar('_Number', int, float)

# What is shorter is a sample. Sent at once it would be a request or two, with a last record that is not full: this says nothing of a
# log. Of so much, compressed to an eighth, that record is at most a 25th of the bill.
SHORT_LOG_BYTES = 1024 * 1024
SAMPLE_EVENTS_PER_SECOND = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument(
        'files',
        type=nonempty,
        nargs='*',
        default=['-'],
        metavar='FILE',
        help='a log; default: standard input',
    )
    parser.add_argument(
        '--events-per-second',
        type=_positive,
        metavar='N',
        help=f'the rate of one instance (default: {SAMPLE_EVENTS_PER_SECOND} for a log below {SHORT_LOG_BYTES >> 20} MiB, '
        'else as fast as possible)',
    )
    parser.add_argument(
        '--instances',
        type=_count,
        default=1,
        metavar='N',
        help='the number of processes that log at this rate (default: 1)',
    )
    parser.add_argument(
        '--region', type=_region, default='us-east-1', help="the stream's region (default: us-east-1)"
    )
    parser.add_argument(
        '--price', type=_positive, metavar='DOLLARS', help="the price of a GB, instead of the region's"
    )
    parser.add_argument(
        '--send-interval',
        type=_seconds,
        default=60.0,
        metavar='SECONDS',
        help="the handler's send_interval (default: 60)",
    )
    parser.add_argument(
        '--entry-begins',
        type=_pattern,
        metavar='REGEX',
        help='matches the first line of each event; default: each line is an event',
    )
    parser.add_argument('--json', action='store_true', help='print a line of JSON for each way to send')
    parser.add_argument(
        '--plot', type=Path, metavar='FILE', help='draw the bill against the rate: .png or .svg'
    )


def run(arguments: argparse.Namespace) -> int:
    """Play, print, and return the exit status: 2 when that could not be done."""
    try:
        return _cost(arguments)
    except BrokenPipeError:
        # Whoever reads has seen enough.
        discard_output()
        return 0
    except (NoPlotError, _UsageError, DamagedError, NeedsZstdError, OSError) as error:
        complain('cost', _reason(error))
        return 2
    except KeyboardInterrupt:
        return 130  # as shells count it


class _UsageError(Exception):
    """What was asked for cannot be computed."""


def _cost(arguments: argparse.Namespace) -> int:
    if arguments.instances > 1 and arguments.events_per_second is None:
        raise _UsageError('--instances needs --events-per-second: so many processes that log at this rate')
    fleet = Fleet(
        arguments.instances,
        arguments.send_interval,
        tiers_of(arguments.region) if arguments.price is None else flat(arguments.price),
        quota_of(arguments.region),
    )
    if arguments.plot:
        check(arguments.plot)
    log, whole = _read(arguments)
    notes = _assumed(arguments, log)
    played = workload(log, arguments.events_per_second, fleet.send_interval)
    found = bills(played, fleet)
    if arguments.json:
        _print_json(found, played, arguments)
    else:
        for line in (*notes, heading(played, fleet, whole=whole)):
            print_text(line)
        print()
        print_table(titles(played), rows(found))
        print()
        print_text(verdict(found))
        for way in WAYS:
            if not way.is_usable:
                print_text(f'{way.name} is left out, since its package is missing: {INSTALL_ZSTD}')
    if arguments.plot:
        _plot(log, fleet, arguments)
    return 0


def _assumed(arguments: argparse.Namespace, log: Sequence[Entry]) -> list[str]:
    """Set what was not said and has to be known, and return what that is, for people."""
    notes = []
    if arguments.events_per_second is None and sum(map(len, log)) < SHORT_LOG_BYTES:
        arguments.events_per_second = SAMPLE_EVENTS_PER_SECOND
        notes.append(
            f'Assumed: {SAMPLE_EVENTS_PER_SECOND} events a second, since the log is short. Say how many with --events-per-second.'
        )
    if arguments.price is None and priced_as(arguments.region) != arguments.region:
        notes.append(
            f'Assumed: the price of {priced_as(arguments.region)}, since none is known for {arguments.region}. Say how many dollars a GB costs '
            f'there with --price ({PRICE_PAGE}).'
        )
    return notes


def _read(arguments: argparse.Namespace) -> tuple[list[Entry], bool]:
    """Return the entries of the log, and whether these are all."""
    if '-' in arguments.files and sys.stdin.isatty():
        raise _UsageError('name a FILE, or pipe a log in')
    begins = None if arguments.entry_begins is None else _Beginning(arguments.entry_begins)
    log, whole = collect(_entries(arguments.files, begins))
    if not log:
        raise _UsageError(f'{", ".join(arguments.files)}: no events')
    if begins is not None and not begins.found:
        raise _UsageError(
            '--entry-begins matches no line, so all would be one entry: correct it, or leave it out'
        )
    return log, whole


class _Beginning:
    """Tells a line that begins an entry by a pattern, and whether there has been one."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self._pattern = pattern
        self.found = False

    def __call__(self, line: bytes) -> bool:
        begins = self._pattern.search(line) is not None
        self.found = self.found or begins
        return begins


def _entries(names: Sequence[str], begins_entry: _Beginning | None) -> Iterator[Entry]:
    for name in names:
        with _opened(name) as file:
            try:
                yield from entries([file], begins_entry)
            except DamagedError as error:
                raise DamagedError(f'{name}: cannot be read: {error}') from error


def _opened(name: str) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdin.buffer) if name == '-' else Path(name).open('rb')


def _plot(log: Sequence[Entry], fleet: Fleet, arguments: argparse.Namespace) -> None:
    with progress('playing') as bar:
        found = sweep(log, fleet, bar.update)
    instances = 'one instance' if fleet.instances == 1 else f'{fleet.instances:,} instances'
    where = arguments.region if arguments.price is None else f'at ${arguments.price:g} a GB'
    draw(found, arguments.plot, f'Firehose, {where}, {instances}, send_interval={fleet.send_interval:g}')
    if not arguments.json:
        print_text(printable(f'Drawn: {arguments.plot}'))


def _print_json(found: Sequence[Bill], played: Workload, arguments: argparse.Namespace) -> None:
    """Print a line for each way: what was asked, what was played, what it comes to."""
    asked = {
        name: getattr(arguments, name)
        for name in ('events_per_second', 'instances', 'region', 'price', 'send_interval')
    }
    # The price may be assumed: of another region, since none is known of this one.
    asked['price_region'] = priced_as(arguments.region) if arguments.price is None else None
    per = '2^30 bytes of events' if played.events_per_second is None else '30 days of all instances'
    for bill in found:
        values = {name: value for name, value in vars(bill).items() if name not in {'way', 'played'}}
        row = {'way': bill.way.name, 'keywords': dict(bill.way.keywords), **asked}
        print(json.dumps(row | {'played': asdict(bill.played), 'per': per, **values}))


def _number(text: str, kind: Callable[[str], _Number]) -> _Number:
    try:
        return kind(text)
    except ValueError:
        whole = 'a whole number' if kind is int else 'a number'
        raise argparse.ArgumentTypeError(f'must be {whole}, not {text}') from None


def _positive(text: str) -> float:
    number = _number(text, float)
    if not 0 < number < float('inf'):
        raise argparse.ArgumentTypeError(f'must be a number above 0, not {text}')
    return number


def _seconds(text: str) -> float:
    number = _number(text, float)
    if not 0 <= number < float('inf'):
        raise argparse.ArgumentTypeError(f'must be 0 or more, not {text}')
    return number


def _count(text: str) -> int:
    number = _number(text, int)
    if number < 1:
        raise argparse.ArgumentTypeError(f'must be 1 or more, not {text}')
    return number


def _region(text: str) -> str:
    # Nobody has a list of all regions, but all are of this form.
    if not re.fullmatch(r'[a-z]+(-[a-z]+)+-[0-9]+', text):
        raise argparse.ArgumentTypeError(f'must be a region, such as eu-west-1, not {text!r}')
    return text


def _pattern(text: str) -> re.Pattern[bytes]:
    try:
        return re.compile(text.encode())
    except re.error as error:
        raise argparse.ArgumentTypeError(f'is no regular expression: {error}') from None


def _reason(error: Exception) -> str:
    if isinstance(error, NeedsZstdError):
        return f'some of it is zstd: {INSTALL_ZSTD}'
    if isinstance(error, OSError):
        # What is read lacks no room.
        place = 'output' if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} else 'the log'
        return f'{error.filename or place}: {error.strerror}'
    return str(error)
