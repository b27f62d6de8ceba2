"""What the call costs while the endpoint is down and the spool is full, against normal.

"Normal" is a spool with room, whose events are taken between the rounds. "Outage" refuses every connection, and was
logged to until the bound of the spool gave way to the oldest events; delivery goes on trying meanwhile. CPU time of
the calling thread and percentiles as in `benchmarks.call`, in turns, in one process.

    python -m benchmarks.outage [--rounds N] [--calls N] [--tmpfs DIR] [--disk DIR]
"""

from __future__ import annotations

import argparse
import gc
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import boto3.session
from benchmarks.call import column, each_call, mean_of_calls, percentiles
from benchmarks.contestant import Contestant, Places, Program, machine, program
from benchmarks.contestants import firehose
from benchmarks.turns import Side, Spread, ratios, serve

from firefighter.logging import FirehoseHandler
from firefighter.stats import DropReason

SPOOL_BYTES = 16 * 2**20
FILL_CALLS = 10_000


def outage(spool_dir: Path | None = None) -> Program:
    """Return the calls into a full spool, before an endpoint that is down."""
    handler = FirehoseHandler(
        'bench',
        boto3_session=boto3.session.Session('x', 'x', region_name='eu-north-1'),
        endpoint_url=f'http://127.0.0.1:{_closed_port()}',
        max_spool_bytes=SPOOL_BYTES,
        spool_dir=spool_dir and spool_dir / 'outage',
        shutdown_timeout_seconds=0.1,
    )
    made = program(Contestant(handler, close=handler.close))
    while not handler.stats().dropped.get(DropReason.OVERFLOW):
        made.calls(FILL_CALLS)
    if handler.stats().delivered:
        sys.exit('the endpoint is not down')
    return made


def _closed_port() -> int:
    """Return a port at which nobody listens."""
    with closing(socket.socket()) as listener:
        listener.bind(('127.0.0.1', 0))
        port: int = listener.getsockname()[1]
        return port


def make(places: Places) -> dict[str, Program]:
    """Return the rows."""
    return {
        'memory, normal': program(firehose()),
        'memory, outage': outage(),
        'disk, normal': program(firehose(places.disk)),
        'disk, outage': outage(places.disk),
    }


def measure(rounds: int, calls: int, where: Sequence[str]) -> dict[str, list[dict[str, float]]]:
    """Return what each round has measured of each row."""
    # In a process of their own, whose handlers complain.
    side = Side('benchmarks.outage', '--measure', *where, quiet=True)
    results: dict[str, list[dict[str, float]]] = side.ask(rounds=rounds, calls=calls)
    side.end()
    return results


def take_turns(programs: Mapping[str, Program], rounds: int, calls: int) -> dict[str, list[dict[str, float]]]:
    """Let them take turns, in this process."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
    for round_ in range(-1, rounds):
        for name, one in programs.items():
            gc.collect()
            cpu, wall = mean_of_calls(one, calls)
            one.after_round()
            taken = percentiles(each_call(one, calls))
            one.after_round()
            if round_ >= 0:  # the first is for warming up
                results[name].append({'CPU': cpu, 'wall': wall, **taken})
    return results


def summary(results: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, dict[str, Any]]:
    """Return the figures of each row."""
    rows = {}
    for name, own in results.items():
        normal = results[f'{name.partition(",")[0]}, normal']
        rows[name] = {
            **{f'{figure}, us': Spread.of(column(own, figure)) for figure in own[0]},
            'CPU x normal': ratios(column(own, 'CPU'), column(normal, 'CPU')),
            'p99.9 x normal': ratios(column(own, 'p99.9'), column(normal, 'p99.9')),
        }
    return rows


def table(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    yield '| | CPU us | x normal | p50 | p99 | p99.9 | x normal |'
    yield '|---|---|---|---|---|---|---|'
    for name, row in rows.items():
        yield (
            f'| {name} | {row["CPU, us"].median:.2f} | {row["CPU x normal"]:.2f} | {row["p50, us"].median:.2f} '
            f'| {row["p99, us"].median:.0f} | {row["p99.9, us"].median:.0f} | {row["p99.9 x normal"]:.2f} |'
        )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--calls', type=int, default=10_000, help='in a round, for each row and pass')
    parser.add_argument('--measure', action='store_true', help=argparse.SUPPRESS)
    Places.add_options(parser)
    arguments = parser.parse_args()
    if not arguments.measure:
        print(f'{machine()}\n')
        measured = measure(arguments.rounds, arguments.calls, Places.options(arguments))
        print(*table(summary(measured)), sep='\n')
        return
    places = Places(arguments.tmpfs, arguments.disk)
    try:
        programs = make(places)
        serve(partial(take_turns, programs))
        for one in programs.values():
            one.close()
    finally:
        places.remove()


if __name__ == '__main__':
    main()
