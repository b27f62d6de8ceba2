"""`firefighter audit`: read delivered files, and report whether any event is missing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from heapq import nlargest
from pathlib import Path

from firefighter._audit.accounts import Accounts, ProducerAccount, Totals
from firefighter._audit.bucket import Bucket, read_ahead
from firefighter._audit.decoding import DamagedError, NeedsZstdError, lines
from firefighter._audit.places import Folder, Place, StoredObject, UnreadableError
from firefighter._delivery.compression import INSTALL_ZSTD
from firefighter.cli.arguments import nonempty
from firefighter.cli.output import complain, discard_output
from firefighter.cli.progress import Progress, progress
from firefighter.cli.tables import print_table, print_text, printable

EPILOG = """\
For example:

  firefighter audit s3://logs/orders/2026/11/                    what has arrived in November
  firefighter audit --partial s3://logs/orders/2026/11/30/08/    in one hour of it

WHERE is a folder, or s3://BUCKET/PREFIX. All files in it and in its subfolders are read: plain, gzip and zstd. ZIP,
Snappy, Parquet and ORC cannot be read, nor what expands more than a log does; each is named on stderr.

The events must have ids: make the handlers with event_ids=True. For each producer, which is one handler in one process,
the command prints how many events are there, how many are missing and explained by a marker (the handler has dropped
them), how many are missing without explanation, and how many are there more than once.

The end of a producer cannot be audited: events missing after the last one that has arrived leave no gap. Check
handler.stats() for that, or audit again later.

The exit status is 0 when nothing is missing without explanation, 1 when something is or an object cannot be read, and 2
when there is nothing to audit (no event with an id), when the output cannot be written, or for invalid arguments.
"""

# So many producers are listed for people, those with the most unexplained first.
LISTED = 20
# So many gaps are shown of each.
SHOWN_GAPS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument('where', type=nonempty, metavar='WHERE', help='a folder, or s3://BUCKET/PREFIX')
    parser.add_argument(
        '--partial',
        action='store_true',
        help='audit a slice (say one hour): do not report events before the first one of a producer as missing',
    )
    parser.add_argument(
        '--json',
        action='store_true',
        help='a line of JSON for each producer, and one with the totals; docs/delivery-guarantees.md has the fields',
    )
    parser.add_argument('--region', help="the bucket's region")
    parser.add_argument('--endpoint-url', help='the endpoint of S3, if it is not AWS')
    parser.add_argument('--profile', help='the profile with the credentials')


def run(arguments: argparse.Namespace) -> int:
    """Audit, print, and return the exit status."""
    try:
        return _audit(arguments)
    except NeedsZstdError:
        return _fail(f'some of it is zstd: {INSTALL_ZSTD}')
    except UnreadableError as error:
        return _fail(str(error))
    except BrokenPipeError:
        # Whoever reads has seen enough.
        discard_output()
        return 0
    except OSError as error:
        return _fail(f'{error.filename or "output"}: {error.strerror}')
    except KeyboardInterrupt:
        return 130  # as shells count it


def _audit(arguments: argparse.Namespace) -> int:
    accounts = Accounts(partial=arguments.partial)
    objects, troubles = _read(_place(arguments), accounts)
    if not objects:
        return _fail(f'{arguments.where}: nothing is there')
    totals = accounts.totals()
    for trouble in troubles:
        complain('audit', trouble)
    if not totals.producers:
        return _fail(
            f'{arguments.where}: there was nothing to audit: {_why_nothing(totals, objects, len(troubles))}'
        )
    if arguments.json:
        _print_json(accounts, {'objects': objects, 'unreadable': len(troubles), **asdict(totals)})
    else:
        _print_for_people(accounts, totals, objects, len(troubles))
    return int(bool(totals.unexplained or troubles))


def _place(arguments: argparse.Namespace) -> Place:
    """Return the place that was named.

    Raises:
        UnreadableError: there is no such folder, or no client for S3.
    """
    where: str = arguments.where
    if where.startswith('s3://'):
        bucket, _, prefix = where.removeprefix('s3://').partition('/')
        if not bucket:
            raise UnreadableError(f'{where}: name the bucket, as in s3://BUCKET/PREFIX')
        return Bucket(
            bucket,
            prefix,
            profile_name=arguments.profile,
            region_name=arguments.region,
            endpoint_url=arguments.endpoint_url,
        )
    path = Path(where)
    if not path.exists():
        raise UnreadableError(f'{where}: no such folder')
    return Folder(path)


def _read(place: Place, accounts: Accounts) -> tuple[int, list[str]]:
    """Take every line of every object; return how many objects there are, and what was wrong with some."""
    objects, troubles = 0, []
    with progress('auditing', in_bytes=True) as bar:
        shown = _shown(place, bar)
        for stored in read_ahead(shown) if isinstance(place, Bucket) else shown:
            objects += 1
            try:
                for line in filter(None, lines(stored.chunks(), stored.name)):
                    accounts.take(line)
            except DamagedError as error:
                troubles.append(f'{stored.name}: cannot be read: {error}')
            except UnreadableError as error:
                troubles.append(str(error))
    return objects, troubles


def _shown(place: Place, bar: Progress) -> Iterator[StoredObject]:
    """Yield the objects, and show how many of their bytes are done."""
    total = sum(stored.size_bytes for stored in place.objects()) if bar.is_shown else 0
    done = 0
    for stored in place.objects():
        yield stored
        done += stored.size_bytes
        bar.update(done, total)


def _why_nothing(totals: Totals, objects: int, unreadable: int) -> str:
    if unreadable == objects:
        return 'nothing in it can be read'
    if not totals.without_id and not totals.not_json:
        return 'nothing but empty files'
    found = [f'{totals.without_id:,} events without an id'] * bool(totals.without_id)
    found += [f'{totals.not_json:,} lines that are no JSON'] * bool(totals.not_json)
    return f'{", ".join(found)}; was it logged with event_ids=True?'


def _print_json(accounts: Accounts, totals: dict[str, object]) -> None:
    for account in accounts:
        print(json.dumps(asdict(account)))
    print(json.dumps({'producer': None, **totals}))


def _print_for_people(accounts: Accounts, totals: Totals, objects: int, unreadable: int) -> None:
    noted = nlargest(
        LISTED,
        accounts,
        key=lambda account: (account.unexplained, sum(account.explained.values()), account.events),
    )
    print_table(
        ('PRODUCER', 'EVENTS', 'DUPLICATES', 'EXPLAINED', 'UNEXPLAINED', 'WHERE'),
        [
            (
                account.producer,
                account.events,
                account.duplicates,
                sum(account.explained.values()),
                account.unexplained,
                _gaps(account),
            )
            for account in noted
        ],
    )
    if totals.producers > len(noted):
        print(f'and {totals.producers - len(noted):,} producers more')
    print()
    reasons = ', '.join(
        f'{printable(reason)} {events:,}' for reason, events in sorted(totals.explained.items())
    )
    explained = sum(totals.explained.values())
    print_text(
        f'{totals.events:,} events of {totals.producers:,} producers in {objects:,} objects, {totals.markers:,} of them markers'
    )
    if unreadable:
        print_text(f'{unreadable:,} of the objects could not be read, or not to their end')
    print_text(f'{totals.duplicates:,} duplicates')
    print_text(f'{explained:,} missing and explained' + (f': {reasons}' if reasons else ''))
    print_text(f'{totals.unexplained:,} missing and not explained')
    if totals.without_id:
        print_text(f'{totals.without_id:,} events without an id, of which nothing can be said')
    if totals.not_json:
        print_text(f'{totals.not_json:,} lines that are no JSON: torn, or of another formatter')
    if totals.before_first:
        print_text(
            f'{totals.before_first:,} of the missing come before the first event of their producer: with --partial '
            'they are not missed'
        )


def _gaps(account: ProducerAccount) -> str:
    shown = [f'{first}' if first == last else f'{first}-{last}' for first, last in account.gaps[:SHOWN_GAPS]]
    return ', '.join(shown + ['...'] * (len(account.gaps) > SHOWN_GAPS))


def _fail(trouble: str) -> int:
    complain('audit', trouble)
    return 2
