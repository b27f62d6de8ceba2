"""`firefighter spool`: look into a spool directory, and clear it up."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from firefighter._spool.disk.inspection import Producer, find_producers, find_spool_dirs, holds_spools
from firefighter._spool.disk.recovery import boot_id
from firefighter._spool.disk.removal import remove_dead, why_irremovable
from firefighter._spool.disk.tail import Follower
from firefighter.cli.arguments import nonempty
from firefighter.cli.output import discard_output
from firefighter.cli.spool_replay import add_replay_arguments, replay
from firefighter.cli.spool_rows import state_of, summary
from firefighter.cli.spool_talk import Complaints, complain, escape_what_cannot_be_encoded, typed_yes
from firefighter.cli.tables import age, print_table, printable, printable_lines

EPILOG = """\
DIR is a `spool_dir`, or any directory below one: a user's, a destination's, a producer's.

  firefighter spool ls DIR                    list the producers, and how much each has to deliver
  firefighter spool cat DIR | jq .message     print the waiting events, a line each, as they are in the files
  firefighter spool cat -f DIR                the same, and then new events as they are logged, until Ctrl-C
  firefighter spool replay DIR                deliver the events of dead producers now; exit status 1 when some are left
  firefighter spool verify DIR                check each segment; exit status 1 when something is torn
  firefighter spool purge DIR                 delete the undelivered events of dead producers; 1 when some are left

A producer is one handler in one process. It is alive while its lock is held, by itself or by the process that has
adopted it. With --json, `ls` and `verify` print a line of JSON for each row. The format: docs/spool-format.md.

The exit status is 0 when all is done, 1 when something could not be done or read, or as above, and 2 for invalid arguments, also for a
DIR without a spool.
"""

# Between two looks of `cat -f`: soon enough for a person, and too seldom to be noticed by the machine.
FOLLOW_INTERVAL_SECONDS = 0.25

EXPECTED = 'give the spool_dir that a handler has, or a directory below it'

# What the titles of the tables stand for.
_COLUMNS = {
    'ls': """\
  STREAM    where the events go
  STATE     alive while the process is, or another one that delivers its events; else dead
  EVENTS    so many wait to be delivered, with so many BYTES
  TORN      bytes that belong to no whole event, as a loss of power leaves them; not delivered, but kept in a file `quarantine`
  OLDEST    how long ago the first event that waits was logged
  PID       the process that has logged, and its PROGRAM

""",
    'verify': """\
  STATE     good, being written, torn, or why it cannot be read
  EVENTS    so many wait to be delivered
  TORN      bytes that belong to no whole event, as a loss of power leaves them

""",
}

# So many of the directories that may have been meant are named.
_MOST_NAMED = 3

# Of a name in a table. A line of JSON has all of it.
_MOST_CHARACTERS = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    parsers = {}
    for name, (_, purpose) in ACTIONS.items():
        parsers[name] = actions.add_parser(
            name,
            help=purpose,
            description=purpose[0].upper() + purpose[1:] + '.',
            epilog=f'{_COLUMNS.get(name, "")}For example: firefighter spool {name} /var/spool/shop',
        )
        parsers[name].add_argument(
            'directory', type=_directory, metavar='DIR', help='a spool_dir, or a directory below one'
        )
    for name in ('ls', 'verify'):
        parsers[name].add_argument('--json', action='store_true', help='a line of JSON for each row')
    parsers['cat'].add_argument(
        '-f', '--follow', action='store_true', help='then go on with new events as they are logged'
    )
    add_replay_arguments(parsers['replay'])
    parsers['purge'].add_argument('--yes', action='store_true', help='do not ask')
    parsers['purge'].add_argument(
        'producers',
        nargs='*',
        metavar='PRODUCER',
        help='ids of producers; default: all dead ones that have no segment of a newer version',
    )


def _directory(text: str) -> Path:
    return Path(nonempty(text))


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked, and return the exit status: 1 when that could not be done, or something is wrong with the spool."""
    action, _ = ACTIONS[arguments.action]
    escape_what_cannot_be_encoded()
    try:
        status = 2 if _is_no_spool(arguments) else action(arguments)
        sys.stdout.flush()  # now, when it can still be said that it does not go
    except BrokenPipeError:
        # Whoever reads has seen enough; but of these the status counts, and nobody knows it now.
        discard_output()
        return int(arguments.action in {'verify', 'replay', 'purge'})
    except OSError as error:
        complain(f'{error.filename or "output"}: {error.strerror}')
        if not error.filename:
            discard_output()
        return 1
    except KeyboardInterrupt:
        return 130  # as shells count it
    return status


def _is_no_spool(arguments: argparse.Namespace) -> bool:
    """Say so where DIR cannot be right, and return whether to stop there: not at what may yet become a spool directory."""
    directory: Path = arguments.directory
    try:
        if holds_spools(directory):
            return False
    except (FileNotFoundError, NotADirectoryError) as error:
        complain(f'{directory}: {error.strerror}; {EXPECTED}')
        return True
    if any(directory.iterdir()):
        below = ' or '.join(map(str, find_spool_dirs(directory)[:_MOST_NAMED]))
        complain(f'{directory}: no handler has had a spool here; {f"give {below}" if below else EXPECTED}')
        return not getattr(arguments, 'follow', False)
    complain(f'{directory}: it is empty, and no handler has had a spool here; {EXPECTED}')
    return False


def list_producers(arguments: argparse.Namespace) -> int:
    """Print a row for each producer; return 1 when something could not be read."""
    say = Complaints()
    rows = [summary(producer, say) for producer in find_producers(arguments.directory, boot_id(), say)]
    if arguments.json:
        _print_json(rows)
        return int(say.any)
    now = datetime.now(timezone.utc)
    titles = ('STREAM', 'PRODUCER', 'STATE', 'EVENTS', 'BYTES', 'TORN', 'OLDEST', 'PID', 'PROGRAM')
    keys = ('stream', 'producer', 'state', 'events', 'bytes', 'torn_bytes', 'oldest', 'pid', 'program')
    print_table(
        titles,
        [
            # A pid is a name: it has no thousands.
            [
                age(row[key], now) if key == 'oldest' else _cell(str(row[key]) if key == 'pid' else row[key])
                for key in keys
            ]
            for row in rows
        ],
    )
    return int(say.any)


def print_events(arguments: argparse.Namespace) -> int:
    """Write the events that wait, and with `--follow` those that come; return 1 when something could not be read."""
    say = Complaints()
    is_terminal = sys.stdout.isatty()
    with closing(Follower(arguments.directory, boot_id(), say)) as follower:
        while True:
            for lines in follower.poll():
                sys.stdout.buffer.write(printable_lines(lines) if is_terminal else lines)
            sys.stdout.buffer.flush()
            if not arguments.follow:
                return int(say.any)
            time.sleep(FOLLOW_INTERVAL_SECONDS)


def verify(arguments: argparse.Namespace) -> int:
    """Print a row for each segment, and return 1 when something is torn or cannot be read."""
    troubles: list[str] = []
    rows = [
        state_of(producer, segment)
        for producer in find_producers(arguments.directory, boot_id(), troubles.append)
        for segment in producer.segments(troubles.append)
    ]
    if arguments.json:
        _print_json(rows)
    else:
        keys = ('producer', 'segment', 'state', 'events', 'torn_bytes')
        print_table(
            ('PRODUCER', 'SEGMENT', 'STATE', 'EVENTS', 'TORN'),
            [[_cell(row[key]) for key in keys] for row in rows],
        )
    for trouble in troubles:
        complain(trouble)
    return int(bool(troubles) or any(row['torn_bytes'] or row['refused'] for row in rows))


def purge(arguments: argparse.Namespace) -> int:
    """Delete dead producers' directories after asking; return 1 when one that was asked for is still there, or may be."""
    strangers: list[Path] = []
    unread = Complaints()
    found = find_producers(arguments.directory, boot_id(), unread, strangers.append)
    named = set(arguments.producers)
    unknown = named - {producer.id for producer in found}
    for name in sorted(unknown - {path.name for path in strangers}):
        complain(f'{name}: no such producer in {arguments.directory}')
    for path in strangers:
        complain(f'{path}: no producer of ours: it has neither a lock file nor a segment; left as it is')
    asked_for = [producer for producer in found if (producer.id in named if named else not producer.alive)]
    refusals = [
        (producer, why_irremovable(producer, newer_too=producer.id in named)) for producer in asked_for
    ]
    for _, refusal in refusals:
        if refusal:
            complain(refusal)
    chosen = [producer for producer, refusal in refusals if not refusal]
    deleted = 0
    if not chosen:
        print('There is nothing to delete.')
    elif arguments.yes or _agreed(chosen):
        for producer in chosen:
            left = remove_dead(producer, newer_too=producer.id in named)
            deleted += not left
            for trouble in left:
                complain(trouble)
        print(f'{deleted:,} of {len(chosen):,} producers deleted.')
    else:
        print('The answer is not yes: nothing was deleted.')
    return int(unread.any or bool(unknown) or deleted < len(asked_for))


def _agreed(producers: Sequence[Producer]) -> bool:
    """Ask; no answer is no."""
    events = sum(summary(producer, complain)['events'] for producer in producers)
    print(f'Delete these producers ({len(producers):,}), with {events:,} undelivered events?')
    print(*(f'  {printable(str(producer.path))}' for producer in producers), sep='\n')
    return typed_yes('Type yes to delete them: ')


def _cell(value: object) -> str | int:
    if isinstance(value, int):
        return value
    text = '-' if value is None else str(value)
    return text if len(text) <= _MOST_CHARACTERS else f'{text[:_MOST_CHARACTERS]}...'


def _print_json(rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        print(json.dumps(row))


# name -> what does it, and what that is.
ACTIONS = {
    'ls': (list_producers, 'list the producers, alive and dead'),
    'cat': (print_events, 'print the waiting events'),
    'replay': (replay, 'deliver the events of dead producers now'),
    'verify': (verify, 'check each segment'),
    'purge': (purge, 'delete the undelivered events of dead producers'),
}
