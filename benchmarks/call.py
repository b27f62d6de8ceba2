"""What a logging call costs: `logger.info` with arguments and extras, against what the standard library offers.

Every round measures each handler once, in turn, so that a drift of the machine's speed hits all of them; a ratio is
the median of the rounds' ratios. "CPU" is the time that the calling thread itself computed (page faults and system calls
included), which other processes on the machine cannot prolong; "wall" is what went by, waiting included, both
from a loop without a clock in it. The percentiles are wall time too, from another pass, which looks at the clock
before and after each call. "Delivering" and "listening" say that another thread takes the events away meanwhile; for
our other rows it waits until the round is over.

    python -m benchmarks.call [--rounds N] [--calls N] [--tmpfs DIR] [--disk DIR]
"""

from __future__ import annotations

import argparse
import gc
import logging
import statistics
import time
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import NamedTuple

from benchmarks.contestants import Contestant, Places, all_contestants, log, machine, quiet_logger

PEER, LISTENING = 'QueueHandler', 'QueueHandler, listening'
THOUSANDTH = 0.999


class Round(NamedTuple):
    """What one round has measured of one handler, in microseconds."""

    cpu: float
    wall: float
    median: float
    thousandth: float


def mean_of_calls(logger: logging.Logger, calls: int) -> tuple[float, float]:
    """Return the microseconds of one call, by the thread's CPU time and by the wall clock."""
    cpu, wall = time.thread_time(), time.perf_counter()
    # Not `log` from the module beside: the call of a function would be measured with it.
    for number in range(calls):
        logger.info(
            'order %d shipped to %s', number, 'Oslo', extra={'user': 42, 'path': '/orders', 'took_ms': 3.2}
        )
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    return 1e6 * cpu / calls, 1e6 * wall / calls


def each_call(logger: logging.Logger, calls: int) -> list[float]:
    """Return the microseconds of every call, sorted."""
    clock = time.perf_counter
    taken = [0.0] * calls
    for number in range(calls):
        begin = clock()
        log(logger, number)
        taken[number] = 1e6 * (clock() - begin)
    return sorted(taken)


def measure(contestant: Contestant, logger: logging.Logger, calls: int) -> Round:
    """Measure one handler once, both ways."""
    gc.collect()
    cpu, wall = mean_of_calls(logger, calls)
    contestant.after_round()
    gc.collect()
    taken = each_call(logger, calls)
    contestant.after_round()
    return Round(cpu, wall, taken[calls // 2], taken[int(calls * THOUSANDTH)])


def ratio(own: Sequence[Round], other: Sequence[Round], pick: Callable[[Round], float]) -> float:
    """Return the median of the ratios, round by round."""
    return statistics.median(pick(mine) / pick(its) for mine, its in zip(own, other, strict=True))


def middle(rounds: Sequence[Round], pick: Callable[[Round], float]) -> float:
    """Return the median of one column."""
    return statistics.median(map(pick, rounds))


def report(results: dict[str, list[Round]]) -> None:
    """Print the table, in Markdown."""
    cpu, wall, median, thousandth = map(attrgetter, Round._fields)
    print('| | CPU us | x NullHandler | x QueueHandler | wall us | p50 | p99.9 | x QueueHandler, listening |')
    print('|---|---|---|---|---|---|---|---|')
    floor = next(iter(results.values()))
    for name, own in results.items():
        print(
            f'| {name} | {middle(own, cpu):.2f} | {ratio(own, floor, cpu):.2f} | {ratio(own, results[PEER], cpu):.2f} '
            f'| {middle(own, wall):.2f} | {middle(own, median):.2f} | {middle(own, thousandth):.0f} '
            f'| {ratio(own, results[LISTENING], thousandth):.2f} |'
        )
    spread = sorted(map(wall, floor))
    print(f'\nHow quiet the machine was: NullHandler took {spread[0]:.2f} to {spread[-1]:.2f} us wall.')


def main() -> None:
    """Measure all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--calls', type=int, default=10_000, help='in a round, for each handler and pass')
    Places.add_options(parser)
    arguments = parser.parse_args()
    places = Places(arguments.tmpfs, arguments.disk)
    try:
        contestants = {name: make() for name, make in all_contestants(places).items()}
        loggers = {name: quiet_logger(contestant.handler) for name, contestant in contestants.items()}
        results: dict[str, list[Round]] = {name: [] for name in contestants}
        for round_ in range(-1, arguments.rounds):
            for name, contestant in contestants.items():
                measured = measure(contestant, loggers[name], arguments.calls)
                if round_ >= 0:  # the first is for warming up
                    results[name].append(measured)
        print(f'{machine()}\n{arguments.rounds} rounds of {arguments.calls:,} calls, medians\n')
        report(results)
        for contestant in contestants.values():
            contestant.close()
    finally:
        places.remove()


if __name__ == '__main__':
    main()
