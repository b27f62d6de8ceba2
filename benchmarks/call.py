"""What a logging call costs: `logger.info` with arguments and extras, beside all that a user would pick instead.

Every contestant has a process of its own; they take turns, so that a drift of the machine's speed hits all of them, and a
ratio is the median of the rounds' ratios. "CPU" is the time that the calling thread itself computed (page faults and
system calls included), which other processes on the machine cannot prolong; "wall" is what went by, waiting included, both
from a loop without a clock in it. The ratio to NullHandler is to one in the same process, just before. The
percentiles are wall time, from another pass, which looks at the clock before and after each call; and of two more from eight
threads at once, which do nothing else, or pause after each call. "Delivering" and "listening" say that another thread takes the events away meanwhile, as it does for all
peers from elsewhere; for our other rows it waits until the round is over.

    python -m benchmarks.call [--rounds N] [--calls N] [--only NAME ...] [--tmpfs DIR] [--disk DIR]
"""

from __future__ import annotations

import argparse
import gc
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.contestant import Places, Program, machine
from benchmarks.registry import CALLS, FLOOR, LISTENING, QUEUE, present
from benchmarks.turns import Side, Spread, ratios, serve

THREADS = 8
TOGETHER, PACED = f'{THREADS} threads', f'{THREADS} threads that pause'
PAUSE_SECONDS = 0.0002
"""Of `PACED`, after each call: some tens of thousands a second together, more than delivery takes of one stream."""
PERCENTILES = {'p50': 0.5, 'p99': 0.99, 'p99.9': 0.999, 'worst': 1.0}
COMPARED = {QUEUE: ['CPU'], LISTENING: ['p99.9', f'{TOGETHER}, p99.9', f'{PACED}, p99.9']}
"""Which figures are told as ratios to a peer, by the peer."""

Rounds = Sequence[Mapping[str, float]]


def mean_of_calls(contestant: Program, calls: int) -> tuple[float, float]:
    """Return the microseconds of one call, by the thread's CPU time and by the wall clock."""
    cpu, wall = time.thread_time(), time.perf_counter()
    contestant.calls(calls)
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    return 1e6 * cpu / calls, 1e6 * wall / calls


def each_call(contestant: Program, calls: int, pause_seconds: float | None = None) -> list[float]:
    """Return the microseconds of every call; the pauses after each are not in them."""
    clock, call = time.perf_counter, contestant.call
    taken = [0.0] * calls
    for number in range(calls):
        begin = clock()
        call(number)
        taken[number] = 1e6 * (clock() - begin)
        if pause_seconds is not None:
            time.sleep(pause_seconds)
    return taken


def each_call_of_threads(contestant: Program, calls: int, pause_seconds: float | None = None) -> list[float]:
    """Return the microseconds of every call, made by eight threads at once."""
    together = threading.Barrier(THREADS)
    taken: list[float] = []

    def some() -> None:
        together.wait()
        taken.extend(each_call(contestant, calls // THREADS, pause_seconds))

    threads = [threading.Thread(target=some) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def percentiles(taken: list[float], title: str = '') -> dict[str, float]:
    """Return the columns that the distribution has in the table."""
    taken.sort()
    return {
        title + name: taken[min(int(len(taken) * share), len(taken) - 1)]
        for name, share in PERCENTILES.items()
    }


class Measuring:
    """One contestant, in its process."""

    def __init__(self, name: str, places: Places) -> None:
        self.program = CALLS[name].make(places)
        self._floor = CALLS[FLOOR].make(places)

    def one_round(self, calls: int) -> Mapping[str, float]:
        """Measure once, all ways."""
        gc.collect()
        floor, _ = mean_of_calls(self._floor, calls)
        cpu, wall = mean_of_calls(self.program, calls)
        self.program.after_round()
        gc.collect()
        alone = percentiles(each_call(self.program, calls))
        self.program.after_round()
        figures = {'floor': floor, 'CPU': cpu, 'wall': wall, **alone}
        for title, pause_seconds in ((TOGETHER, None), (PACED, PAUSE_SECONDS)):
            gc.collect()
            taken = each_call_of_threads(self.program, calls, pause_seconds)
            figures |= percentiles(taken, f'{title}, ')
            self.program.after_round()
        return figures


def measure(names: Sequence[str], rounds: int, calls: int, where: Sequence[str]) -> dict[str, Rounds]:
    """Let the contestants take turns; return what each round has measured of each."""
    sides = {
        name: Side('benchmarks.call', '--measure', name, *where, before=CALLS[name].path) for name in names
    }
    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for round_ in range(-1, rounds):
        for name, side in sides.items():
            measured = side.ask(calls=calls)
            if round_ >= 0:  # the first is for warming up
                results[name].append(measured)
    for side in sides.values():
        side.end()
    return dict(results)


def column(rounds: Rounds, name: str) -> list[float]:
    """Return one figure of every round."""
    return [one[name] for one in rounds]


def summary(results: Mapping[str, Rounds]) -> dict[str, dict[str, Any]]:
    """Return the figures of each contestant; a ratio is missing where its peer is."""
    rows = {}
    for name, own in results.items():
        row = {
            f'{figure}, us': max(column(own, figure)) if 'worst' in figure else Spread.of(column(own, figure))
            for figure in own[0]
            if figure != 'floor'
        }
        row['x NullHandler'] = ratios(column(own, 'CPU'), column(own, 'floor'))
        for peer, figures in COMPARED.items():
            if peer in results:
                row |= {
                    f'{figure} x {peer}': ratios(column(own, figure), column(results[peer], figure))
                    for figure in figures
                }
        rows[name] = row
    return rows


def table(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table of one thread, in Markdown."""
    yield (
        '| one thread | CPU us | x NullHandler | x QueueHandler | wall us | p50 | p99 | p99.9 | worst '
        f'| p99.9 x {LISTENING} |'
    )
    yield '|---|---|---|---|---|---|---|---|---|---|'
    for name, row in rows.items():
        yield (
            f'| {name} | {row["CPU, us"].median:.2f} | {row["x NullHandler"]:.2f} '
            f'| {_ratio(row, f"CPU x {QUEUE}")} | {row["wall, us"].median:.2f} '
            f'| {row["p50, us"].median:.2f} | {row["p99, us"].median:.0f} | {row["p99.9, us"].median:.0f} '
            f'| {row["worst, us"]:,.0f} | {_ratio(row, f"p99.9 x {LISTENING}")} |'
        )
    quiet = rows.get(FLOOR)
    if quiet is not None:
        yield f'\nHow quiet the machine was: NullHandler took {quiet["wall, us"]:.2f} us wall.'


def table_of_threads(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of the tables of eight threads, in Markdown."""
    for title in (TOGETHER, PACED):
        yield f'| {title} | p50 | p99 | p99.9 | worst | p99.9 x {LISTENING} |'
        yield '|---|---|---|---|---|---|'
        for name, row in rows.items():
            p50, p99, thousandth = (row[f'{title}, {name}, us'].median for name in ('p50', 'p99', 'p99.9'))
            yield (
                f'| {name} | {p50:.2f} | {p99:,.0f} | {thousandth:,.0f} | {row[f"{title}, worst, us"]:,.0f} '
                f'| {_ratio(row, f"{title}, p99.9 x {LISTENING}")} |'
            )
        if title == TOGETHER:
            yield ''


def _ratio(row: Mapping[str, Any], name: str) -> str:
    found = row.get(name)
    return '' if found is None else format(found, '.2f')


def main() -> None:
    """Measure all and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--calls', type=int, default=10_000, help='in a round, for each contestant and pass')
    parser.add_argument('--only', nargs='+', default=list(CALLS), metavar='NAME', help='of the rows')
    parser.add_argument('--measure', help=argparse.SUPPRESS)
    Places.add_options(parser)
    arguments = parser.parse_args()
    places = Places(arguments.tmpfs, arguments.disk)
    try:
        if arguments.measure is not None:
            measuring = Measuring(arguments.measure, places)
            serve(measuring.one_round)
            measuring.program.close()
            return
        names = [name for name in present(CALLS, places) if name in arguments.only]
        results = measure(names, arguments.rounds, arguments.calls, Places.options(arguments))
        rows = summary(results)
        print(f'{machine()}\n{arguments.rounds} rounds of {arguments.calls:,} calls, medians\n')
        print(*table(rows), '', *table_of_threads(rows), sep='\n')
    finally:
        places.remove()


if __name__ == '__main__':
    main()
