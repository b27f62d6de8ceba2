"""The worst calls, under pressure, for spools in memory, on tmpfs and on a disk, beside a plain FileHandler on that disk.

What a logging call costs at the median, p99, p99.9 and at worst, and how long a thread that never logs is held up.

Three situations: "idle"; "disk": another process writes to the same disk as fast as it can, with an fsync for every 64
MiB; "disk and computing": that, and one Python thread of this process computes without pause. Every setting has a
process of its own; they take turns, and the table shows the median over the turns, but for the worst call and the worst
gap, which are the worst of all turns.

The program logs 2,000 events a second, which is a busy service; delivery runs beside it. The thread that never logs sleeps
for 1 ms and looks at how much later it came back, so the gap holds what the system's own scheduling takes: the
row "no logging" is the measure for that.

    python -m benchmarks.tail [--quick] [--seconds N] [--turns N] [--tmpfs DIR] [--disk DIR]
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.contestant import Contestant, Places, log, machine, quiet_logger
from benchmarks.contestants import file_handler, firehose
from benchmarks.peers.standard import null

EVENTS_A_SECOND = 2_000
EVENTS_AT_ONCE = 20
SITUATIONS = ('idle', 'disk', 'disk and computing')
WRITE_BYTES = 64 * 2**20


class Result(NamedTuple):
    """Of one turn, in microseconds; the last is of the thread that never logs."""

    median: float
    hundredth: float
    thousandth: float
    worst: float
    gap: float


def settings(places: Places) -> dict[str, Path | None]:
    """Return the rows of the table, and where each has its files."""
    rows: dict[str, Path | None] = {'no logging': None, 'FileHandler, JSON': places.disk, 'memory': None}
    if places.tmpfs is not None:
        rows['tmpfs'] = places.tmpfs
    return rows | {'disk': places.disk}


def contestant_of(name: str, place: Path | None) -> Contestant:
    """Return the handler of one row."""
    if name == 'no logging':
        return null()
    if name == 'FileHandler, JSON' and place is not None:
        return file_handler(place)
    return firehose(place, delivering=True)


class Bystander(threading.Thread):
    """The thread that never logs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.worst_seconds = 0.0
        self.ended = threading.Event()

    def run(self) -> None:
        """Sleep, and note how late it wakes."""
        nap = 0.001
        while not self.ended.is_set():
            begin = time.perf_counter()
            time.sleep(nap)
            self.worst_seconds = max(self.worst_seconds, time.perf_counter() - begin - nap)


def compute(ended: threading.Event) -> None:
    """Hold the interpreter lock as much as a thread can."""
    number = 0
    while not ended.is_set():
        for _ in range(10_000):
            number = (number * 31 + 7) % 1_000_003


def turn(name: str, place: Path | None, *, computing: bool, seconds: float) -> Result:
    """Log for so long; return what it took."""
    contestant = contestant_of(name, place)
    logger = quiet_logger(contestant.handler)
    taken = calls_at_a_rate(logger, 0.2)  # the first event opens the handler and imports what that needs
    bystander = Bystander()
    bystander.start()
    if computing:
        threading.Thread(target=compute, args=(bystander.ended,), daemon=True).start()
    taken = sorted(calls_at_a_rate(logger, seconds))
    bystander.ended.set()
    bystander.join()
    contestant.close()
    at = [taken[min(len(taken) - 1, int(len(taken) * share))] for share in (0.5, 0.99, 0.999, 1)]
    return Result(*(1e6 * value for value in (*at, bystander.worst_seconds)))


def calls_at_a_rate(logger: logging.Logger, seconds: float) -> list[float]:
    """Log some events at once, then sleep, as requests come in; return the seconds of every call."""
    clock = time.perf_counter
    taken = []
    start = clock()
    pause = EVENTS_AT_ONCE / EVENTS_A_SECOND
    due = start
    while due < start + seconds:
        for number in range(EVENTS_AT_ONCE):
            begin = clock()
            log(logger, number)
            taken.append(clock() - begin)
        due = max(due + pause, clock())
        time.sleep(max(0.0, due - clock()))
    return taken


def write_without_end(folder: str) -> None:
    """Write to the disk as fast as it goes."""
    block = os.urandom(2**20)
    with tempfile.TemporaryFile(dir=folder) as file:
        while True:
            file.seek(0)
            for _ in range(WRITE_BYTES // len(block)):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def situation(name: str, folder: Path) -> Iterator[None]:
    """Bring about what happens beside the program."""
    if name == 'idle':
        yield
        return
    writer = multiprocessing.get_context('spawn').Process(
        target=write_without_end, args=(str(folder),), daemon=True
    )
    writer.start()
    time.sleep(1)  # until it has begun
    try:
        yield
    finally:
        writer.kill()
        writer.join()


def turn_in_a_process(name: str, place: Path | None, *, computing: bool, seconds: float) -> Result:
    """Make a turn in a new process."""
    given = json.dumps([name, place and str(place), computing, seconds])
    done = subprocess.run(
        [sys.executable, '-m', 'benchmarks.tail', '--turn', given],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Result(*json.loads(done.stdout))


def main() -> None:
    """Measure all and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--seconds', type=float, default=3, help='of each turn')
    parser.add_argument('--turns', type=int, default=3)
    parser.add_argument('--quick', action='store_true', help='one turn of a second')
    parser.add_argument('--turn', help=argparse.SUPPRESS)
    Places.add_options(parser)
    arguments = parser.parse_args()
    if arguments.turn is not None:
        name, place, computing, seconds = json.loads(arguments.turn)
        print(json.dumps(turn(name, place and Path(place), computing=computing, seconds=seconds)))
        return
    turns, seconds = (1, 1) if arguments.quick else (arguments.turns, arguments.seconds)
    places = Places(arguments.tmpfs, arguments.disk)
    try:
        print(f'{machine()}\n{turns} turns of {seconds:g} s, {EVENTS_A_SECOND:,} events a second; us')
        for name in SITUATIONS:
            results: dict[str, list[Result]] = {row: [] for row in settings(places)}
            with situation(name, places.disk):
                for _ in range(turns):
                    for row, place in settings(places).items():
                        computing = name.endswith('computing')
                        results[row].append(
                            turn_in_a_process(row, place, computing=computing, seconds=seconds)
                        )
            report(name, results)
    finally:
        places.remove()


def report(name: str, results: dict[str, list[Result]]) -> None:
    """Print one table, in Markdown."""
    print(
        f'\n### {name}\n\n| | median | p99 | p99.9 | worst | worst gap of another thread |\n|---|---|---|---|---|---|'
    )
    for row, turns in results.items():
        columns = list(zip(*turns, strict=True))
        middles = [statistics.median(column) for column in columns[:3]]
        worst = [max(column) for column in columns[3:]]
        cells = [f'{value:,.0f}' for value in (*middles, *worst)]
        print(f'| {row} | {" | ".join(cells)} |')


if __name__ == '__main__':
    main()
