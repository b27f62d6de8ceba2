"""Cuts a file system under processes that log, and compares what is whole on it afterwards with what arrives.

A round: processes log numbered events and report each number when its logging call has returned. At a moment that the dice
choose, the file system is cut: everything fails from then on, and the disk has what had been written back. The processes
go on, and must not die of it. Then they are killed; the file system is mounted again, as after a power cut (another boot),
and its files are read here, by nothing of the library: these events are whole on disk. A new process of the same destination
delivers what it finds.

Nothing torn may arrive, and every event that was whole on disk must have arrived.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

from crash.harness import DOWN, STREAM, Process, Stage
from disk.filesystems import (
    FLUSH_EVERYTHING,
    FLUSH_JOURNAL,
    FLUSH_NOTHING,
    Kind,
    SmallFileSystem,
    another_boot,
    enter_own_namespace,
)

XFS, EXT4 = Kind('xfs'), Kind('ext4')
KINDS = (EXT4, XFS, Kind('ext4', 'nodelalloc'), Kind('ext4', 'data=journal'))

# From some that share a page to some that take several.
SIZES = (0, 40, 200, 2_000, 9_000)
MOST_REPORTS = 4_000
# So many more calls each process makes after the cut, on a disk that is gone.
REPORTS_AFTER_THE_CUT = 500
_HEADER_BYTES = 4096
_WHOLE = re.compile(rb'\{[^\0\n]*\}')


@dataclass(frozen=True)
class Cut:
    """What is particular about a round."""

    processes: int = 1
    down: bool = True
    """Whether Firehose is unavailable until the heir comes: then everything is still on the disk."""
    reboots: bool = True
    """Whether the file system is mounted again in another boot, or was only detached and attached again."""


CUTS = (Cut(), Cut(down=False), Cut(processes=3), Cut(reboots=False))

Event = tuple[str, int]


@dataclass
class Result:
    """What came of a round."""

    kind: str
    reported: int
    """Events whose logging call had returned before the cut."""
    killed_by_it: int
    """Processes that died of the cut."""
    whole: int
    """Events found whole in the files."""
    lost: int
    """Of those, what did not arrive."""
    torn: int
    """Arrived, and not as any process had logged it."""
    quarantined_bytes: int


class Harness(Stage):
    """The same with a small file system, which is cut.

    Args:
        folder: a new one for everything that is not on the file system.
        kind: of the file system.
        seed: of the dice.
    """

    def __init__(self, folder: Path, kind: Kind, seed: int) -> None:
        super().__init__(folder, f'{kind} {seed}')
        self._kind = kind

    def set_up(self, stack: ExitStack) -> None:
        """Make the file system first: processes that are started later see it."""
        enter_own_namespace()
        self._disk = stack.enter_context(SmallFileSystem(self._kind))
        super().set_up(stack)

    def round(self, cut: Cut) -> Result:
        """Let processes log, cut the disk, let an heir deliver what is left, and compare."""
        self._rounds += 1
        spool_dir = self._disk.path / f'spool-{self._rounds}'
        spool_dir.mkdir()
        # Else the folder itself is what a cut loses, and there is nothing to see.
        self._disk.sync()
        handler = {
            'delivery_stream_name': STREAM,
            'endpoint_url': self._endpoint.url,
            'spool_dir': str(spool_dir),
        }
        if cut.down:
            self._endpoint.inject(**DOWN)
        with ExitStack() as stack:
            reported, killed_by_it = self._log(cut, handler, stack)
            self._disk.mount_again()
            whole = set(numbers(whole_lines(spool_dir)))
            self._endpoint.clear_faults()
            with another_boot() if cut.reboots else nullcontext():
                report = self._inherit(handler, stack)
        if not report['complete'] or report['pending']:
            raise AssertionError(f'the heir says {report}')
        arrived, torn = self._arrived()
        return Result(
            kind=str(self._kind),
            reported=reported,
            killed_by_it=killed_by_it,
            whole=len(whole),
            lost=len(whole - arrived),
            torn=torn,
            quarantined_bytes=report['quarantined'],
        )

    def _log(self, cut: Cut, handler: dict[str, object], stack: ExitStack) -> tuple[int, int]:
        """Return how many events were reported before the cut, and how many processes died of it."""
        started = []
        for index in range(cut.processes):
            name = f'{self._rounds}.{index}'
            settings = {
                'start': 'producer',
                'handler': handler,
                'threads': 1,
                'sizes': SIZES,
                'name': name,
            }
            process = Process(self._nursery, settings)
            stack.callback(process.kill)
            started.append(process)
        read_until(started, self._moment())
        if self._dice.random() < 2 / 3:
            self._disk.sync()
            read_until(started, self._moment())
        self._disk.cut(self._dice.choice([FLUSH_EVERYTHING, FLUSH_JOURNAL, FLUSH_NOTHING]))
        reported = sum(process.output.count(b'\n') for process in started)
        read_until(started, REPORTS_AFTER_THE_CUT, more=True)
        for process in started:
            process.kill_without_waiting()
        statuses = []
        for process in started:
            process.read_to_the_end()
            process.alive = False
            statuses.append(self._nursery.ask({'reap': process.pid}))
        deaths = [status for status in statuses if status != signal.SIGKILL]
        if deaths:
            said = (self._folder / 'complaints').read_text('utf-8', 'replace')
            sys.stderr.write(f'round {self._rounds}, {cut}: ended with status {deaths}\n{said[-5000:]}\n')
        return reported, len(deaths)

    def _moment(self) -> int:
        """Return a number of events; small ones are as likely as large ones."""
        return int(MOST_REPORTS ** self._dice.random())

    def _inherit(self, handler: dict[str, object], stack: ExitStack) -> dict[str, int]:
        heir = Process(self._nursery, {'start': 'heir', 'handler': handler, 'ticks': False})
        stack.callback(heir.kill)
        heir.read_to_the_end()
        heir.reap()
        return json.loads(heir.output)

    def _arrived(self) -> tuple[set[Event], int]:
        """Return the events at the endpoint, and how many of them nobody has logged so; and empty it."""
        self._endpoint.flush()
        arrived, torn = set(), 0
        for path in sorted((self._folder / 'delivered').rglob('*')):
            if path.is_file():
                for line in path.read_bytes().splitlines():
                    event = logged(line)
                    if event is None:
                        torn += 1
                    else:
                        arrived.add(event)
                path.unlink()
        return arrived, torn


def read_until(processes: Iterable[Process], lines: int, *, more: bool = False) -> None:
    """Read what processes report until each has written so many lines, or more of them; or has ended."""
    for process in processes:
        wanted = lines + (process.output.count(b'\n') if more else 0)
        while process.output.count(b'\n') < wanted and process.read():
            pass


def logged(line: bytes) -> Event | None:
    """Return which event a line is; None when no process has logged it so."""
    try:
        event = json.loads(line)
        return (event['by'], event['n']) if event['pad'] == 'x' * SIZES[event['n'] % len(SIZES)] else None
    except (ValueError, KeyError, TypeError):
        return None


def numbers(lines: Iterable[bytes]) -> Iterator[Event]:
    """Return which event each line is."""
    for line in lines:
        event = logged(line)
        if event is not None:
            yield event


def whole_lines(spool_dir: Path) -> Iterator[bytes]:
    """Return the whole lines in the segments of a directory: they begin where lines do, and nothing of them is missing.

    That they were settled before makes no difference: then they have arrived already.
    """
    for path in sorted(spool_dir.rglob('*.spool')):
        data = path.read_bytes()
        # Behind the header or a newline; the last of the pieces has no newline.
        for piece in data[_HEADER_BYTES:].split(b'\n')[:-1]:
            if _WHOLE.fullmatch(piece):
                yield piece
