"""Twenty handlers on twenty streams in one process: its threads, its memory, and how long its exit takes.

The process logs to each, delivers, and logs to each again; then it ends, with these events pending. Memory is the resident
size above that of the interpreter with boto3 loaded. The exit is from the last line of the program to the end of the
process. The endpoint, a process of its own, answers at once, or 50 ms late.

    python -m benchmarks.twenty [--rounds N] [--disk DIR]

Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import boto3
from benchmarks.contestant import Places, machine, quiet_logger
from benchmarks.registry import ANCESTOR
from benchmarks.turns import ROOT, Spread
from benchmarks.whole_way import ANCESTOR_NAME, LATENCIES, MIB, log_events, memory

STREAMS = [f'stream-{number}' for number in range(20)]
EVENTS = 1_000
PENDING = 100
OURS = 'firefighter'


class Twenty(NamedTuple):
    """What one process has shown."""

    threads: int
    threads_at_rest: int
    bytes: int
    exit_seconds: float
    delivered: int


def be_measured(name: str) -> None:
    """Log; print threads, memory and the time at the end."""
    boto3.client('firehose')
    loaded = memory('VmRSS')
    if name == OURS:
        from firefighter.logging import FirehoseHandler  # noqa: PLC0415  # not in the ancestor's process

        handlers: list[Any] = [FirehoseHandler(stream) for stream in STREAMS]
    else:
        from benchmarks.peers.ancestor import handler_with  # noqa: PLC0415  # needs the ancestor

        handlers = [handler_with(boto3.client('firehose'), stream) for stream in STREAMS]
    loggers = [quiet_logger(handler) for handler in handlers]
    for logger in loggers:
        log_events(logger, EVENTS)
    threads = threading.active_count() - 1
    for handler in handlers:
        handler.flush()
    for logger in loggers:
        log_events(logger, PENDING)
    rest = threading.active_count() - 1
    print(json.dumps([threads, rest, memory('VmRSS') - loaded, time.time()]), flush=True)


def run(name: str, latency_seconds: float, folder: str) -> Twenty:
    """Measure one process, with an endpoint for it alone."""
    from firefighter.local import LocalFirehoseProcess  # noqa: PLC0415  # not in the ancestor's process

    faults = [f'slow:seconds={latency_seconds}'] if latency_seconds else []
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix='.firefighter-') as objects,
        LocalFirehoseProcess(objects, streams=STREAMS, faults=faults) as endpoint,
    ):
        paths = [*([str(ANCESTOR)] if name == ANCESTOR_NAME else []), str(ROOT)]
        done = subprocess.run(
            [sys.executable, '-m', 'benchmarks.twenty', '--measure', name],
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
        ended = time.time()
        endpoint.flush()
        delivered = sum(endpoint.account(stream).delivered_records for stream in STREAMS)
    threads, rest, size, last_line = json.loads(done.stdout)
    return Twenty(threads, rest, size, ended - last_line, delivered)


def measure(rounds: int, folder: str) -> dict[str, dict[str, Any]]:
    """Return the figures of each, with each latency."""
    names = [OURS, *([ANCESTOR_NAME] if ANCESTOR.is_dir() else [])]
    runs: dict[str, list[Twenty]] = {}
    for latency in LATENCIES:
        for _ in range(rounds):
            for name in names:
                title = f'{name}, answers after {1e3 * latency:g} ms'
                runs.setdefault(title, []).append(run(name, latency, folder))
    return {name: summary(own) for name, own in runs.items()}


def summary(runs: Sequence[Twenty]) -> dict[str, Any]:
    """Return the figures of some runs alike."""
    return {
        'threads': Spread.of(one.threads for one in runs),
        'threads, after flush': Spread.of(one.threads_at_rest for one in runs),
        'memory, MiB': Spread.of(one.bytes / MIB for one in runs),
        'exit, s': Spread.of(one.exit_seconds for one in runs),
        'lost': max(len(STREAMS) * (EVENTS + PENDING) - one.delivered for one in runs),
    }


def table(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    yield '| | threads | after flush | memory, MiB | exit, s | events lost |'
    yield '|---|---|---|---|---|---|'
    for name, row in rows.items():
        yield (
            f'| {name} | {row["threads"]:.0f} | {row["threads, after flush"]:.0f} | {row["memory, MiB"]:.1f} '
            f'| {row["exit, s"]:.2f} | {row["lost"]} |'
        )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--measure', choices=[OURS, ANCESTOR_NAME], help=argparse.SUPPRESS)
    Places.add_options(parser)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        be_measured(arguments.measure)
        return
    print(f'{machine()}\n')
    print(*table(measure(arguments.rounds, arguments.disk)), sep='\n')


if __name__ == '__main__':
    main()
