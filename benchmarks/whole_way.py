"""The whole way: so many events from the first call to the last acknowledgement, to an endpoint in another process.

Every run has a process of its own, which imports boto3 before anything is measured, and logs as fast as it can; when the
spool is full, the call waits (`overflow='block'`), so that nothing is dropped. "CPU" is of the whole process, "delivery" what
of it was not the calling thread's. "Memory" is the highest resident size above that of the interpreter with
boto3 loaded. The endpoint answers at once, or 50 ms late.

    python -m benchmarks.whole_way [--events N] [--rounds N] [--only NAME ...] [--disk DIR]

Linux only: it reads /proc. The ancestor gets a tenth of the events, and with 50 ms a two-hundredth.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import boto3.session
from benchmarks.contestant import Places, machine, quiet_logger
from benchmarks.registry import ANCESTOR
from benchmarks.turns import ROOT, Spread, ratios

MILLION = 1_000_000
MIB = 2**20
ANCESTOR_NAME = 'firefighter 0.1.1'
ONE_PER_RECORD = 'one per record'
OURS: Mapping[str, Mapping[str, Any]] = {
    ONE_PER_RECORD: {},
    'aggregated': {'aggregate': True},
    'gzip': {'compression': 'gzip'},
}
LATENCIES = (0.0, 0.05)
# Waiting for room, and for the end. Longer than any run lasts.
PATIENCE_SECONDS = 3_600


class Way(NamedTuple):
    """What one run has shown."""

    events: int
    seconds: float
    cpu_seconds: float
    calling_seconds: float
    peak_bytes: int

    @property
    def microseconds(self) -> float:
        """CPU time of the process for each event."""
        return 1e6 * self.cpu_seconds / self.events

    @property
    def delivery_microseconds(self) -> float:
        """CPU time of its other threads for each event."""
        return 1e6 * (self.cpu_seconds - self.calling_seconds) / self.events


def memory(line: str) -> int:
    """Return bytes from the kernel's account of this process: VmRSS is now, VmHWM the highest so far."""
    status = Path('/proc/self/status').read_text(encoding='ascii').splitlines()
    return next(int(one.split()[1]) * 1024 for one in status if one.startswith(f'{line}:'))


def our_handler(options: Mapping[str, Any]) -> logging.Handler:
    """Return our handler. The endpoint and the credentials are in the environment."""
    from firefighter.logging import FirehoseHandler  # noqa: PLC0415  # not in the ancestor's process

    return FirehoseHandler('bench', overflow='block', block_timeout_seconds=PATIENCE_SECONDS, **options)


def their_handler() -> logging.Handler:
    """Return the ancestor's handler."""
    from benchmarks.peers.ancestor import handler_with  # noqa: PLC0415  # needs the ancestor

    return handler_with(boto3.session.Session().client('firehose'))


def make_the_way(name: str, events: int, *, warm: bool) -> Way:
    """Log, deliver, measure; in this process."""
    boto3.session.Session().client('firehose')
    loaded = memory('VmRSS')
    ours = name != ANCESTOR_NAME
    handler: Any = our_handler(OURS[name]) if ours else their_handler()
    logger = quiet_logger(handler)
    deliver = (lambda: handler.flush(PATIENCE_SECONDS)) if ours else handler.flush
    if warm:
        log_events(logger, 1)
        deliver()
    wall, cpu, calling = time.perf_counter(), time.process_time(), time.thread_time()
    log_events(logger, events)
    calling = time.thread_time() - calling
    deliver()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if ours and handler.stats().delivered != events + warm:
        sys.exit(f'not everything was delivered: {handler.stats()}')
    return Way(events, wall, cpu, calling, memory('VmHWM') - loaded)


def log_events(logger: logging.Logger, events: int) -> None:
    """Log events of 200 to 250 bytes."""
    for number in range(events):
        logger.info(
            'order %07d shipped to %s',
            number,
            'Oslo',
            extra={'user': 42, 'path': '/orders/checkout/confirm', 'took_ms': 3.2, 'request': 'f3a9c1d27b60'},
        )


def run(name: str, events: int, latency_seconds: float, folder: str, *, warm: bool = False) -> Way:
    """Make one run in a process of its own, with an endpoint for it alone."""
    # Behind the choice of the process: it imports firefighter.
    from firefighter.local import LocalFirehoseProcess  # noqa: PLC0415

    faults = [f'slow:seconds={latency_seconds}'] if latency_seconds else []
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix='.firefighter-') as objects,
        LocalFirehoseProcess(objects, streams=['bench'], faults=faults) as endpoint,
    ):
        paths = [*([str(ANCESTOR)] if name == ANCESTOR_NAME else []), str(ROOT)]
        done = subprocess.run(
            [sys.executable, '-m', 'benchmarks.whole_way', '--run', json.dumps([name, events, warm])],
            cwd=ROOT,
            env=os.environ
            | {
                'PYTHONPATH': os.pathsep.join(paths),
                'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url,
                'AWS_ACCESS_KEY_ID': 'x',
                'AWS_SECRET_ACCESS_KEY': 'x',
                'AWS_DEFAULT_REGION': 'eu-north-1',
            },
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return Way(*json.loads(done.stdout))


def measure(chosen: Sequence[str], events: int, rounds: int, folder: str) -> dict[str, dict[str, list[Way]]]:
    """Return, for each latency, the runs of each."""
    ways: dict[str, dict[str, list[Way]]] = {}
    for latency in LATENCIES:
        at_this_latency: dict[str, list[Way]] = {name: [] for name in chosen}
        ways[f'{1e3 * latency:g} ms'] = at_this_latency
        for _ in range(rounds):
            for name in chosen:
                # It waits for every answer, so with 50 ms a million would take it 40 minutes.
                share = 1 if name != ANCESTOR_NAME else 200 if latency else 10
                at_this_latency[name].append(run(name, max(1, events // share), latency, folder))
    return ways


def summary(ways: Mapping[str, Mapping[str, Sequence[Way]]]) -> dict[str, dict[str, Any]]:
    """Return the figures of each latency and name."""
    return {
        latency: {name: figures(runs, rows.get(ANCESTOR_NAME)) for name, runs in rows.items()}
        for latency, rows in ways.items()
    }


def figures(runs: Sequence[Way], ancestor: Sequence[Way] | None) -> dict[str, Any]:
    """Return the figures of some runs alike."""
    cpu = [one.microseconds for one in runs]
    row = {
        'events': runs[0].events,
        'events/s': Spread.of(one.events / one.seconds for one in runs),
        'CPU, us': Spread.of(cpu),
        'delivery CPU, us': Spread.of(one.delivery_microseconds for one in runs),
        'peak, MiB': Spread.of(one.peak_bytes / MIB for one in runs),
    }
    if ancestor is not None:
        row['CPU x ancestor'] = ratios(cpu, [one.microseconds for one in ancestor])
    return row


def table(results: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    yield '| answers after | | events | events/s | CPU us an event | of it delivery | x ancestor | memory, MiB |'
    yield '|---|---|---|---|---|---|---|---|'
    for latency, rows in results.items():
        for name, row in rows.items():
            ratio = row.get('CPU x ancestor')
            yield (
                f'| {latency} | {name} | {row["events"]:,} | {row["events/s"]:,.0f} | {row["CPU, us"]:.2f} '
                f'| {row["delivery CPU, us"]:.2f} | {"" if ratio is None else format(ratio, ".2f")} '
                f'| {row["peak, MiB"]:.0f} |'
            )


def names() -> list[str]:
    """Return who can go the way here."""
    if ANCESTOR.is_dir():
        return [*OURS, ANCESTOR_NAME]
    print(f'left out: {ANCESTOR_NAME} (not installed)', file=sys.stderr)
    return list(OURS)


def main() -> None:
    """Measure all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--events', type=int, default=MILLION)
    parser.add_argument('--rounds', type=int, default=1)
    parser.add_argument('--only', nargs='+', default=[*OURS, ANCESTOR_NAME], metavar='NAME')
    parser.add_argument('--run', help=argparse.SUPPRESS)
    Places.add_options(parser)
    arguments = parser.parse_args()
    if arguments.run is not None:
        name, events, warm = json.loads(arguments.run)
        print(json.dumps(make_the_way(name, events, warm=warm)))
        return
    print(f'{machine()}\n')
    chosen = [name for name in names() if name in arguments.only]
    measured = measure(chosen, arguments.events, arguments.rounds, arguments.disk)
    print(*table(summary(measured)), sep='\n')


if __name__ == '__main__':
    main()
