"""What a program waits for before its first event is on its way: imports, the handler, the first call; and until it is delivered.

Each turn is a new process, which has imported nothing but `logging` and `time`; the endpoint is a process of its own. In
milliseconds of wall time.

    python -m benchmarks.start [--rounds N] [--disk DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from benchmarks.contestant import Places, machine
from benchmarks.peers.sinks import Sink
from benchmarks.registry import ANCESTOR, Row
from benchmarks.turns import ROOT, Spread

from firefighter.local import LocalFirehoseProcess

STEPS = ('import', 'handler', 'first call', 'first delivery')

_PROGRAM = """
import json, logging, sys, time
clock = time.perf_counter
begin = clock()
{imports}
imported = clock()
handler = {handler}
logger = logging.getLogger('shop')
logger.addHandler(handler)
made = clock()
logger.warning('order %d shipped', 7)
called = clock()
{deliver}
delivered = clock()
print(json.dumps([1e3 * (imported - begin), 1e3 * (made - imported), 1e3 * (called - made), 1e3 * (delivered - called)]))
"""

_IMPORT = 'from firefighter.logging import FirehoseHandler'
_PROGRAMS: Mapping[str, tuple[str, str, str]] = {
    'logging, a file': ('', "logging.FileHandler(sys.argv[1] + '/file.log')", 'handler.flush()'),
    'firefighter, memory': (_IMPORT, "FirehoseHandler('bench')", 'assert handler.flush(10)'),
    'firefighter, disk': (
        _IMPORT,
        "FirehoseHandler('bench', spool_dir=sys.argv[1])",
        'assert handler.flush(10)',
    ),
    'firefighter 0.1.1': (_IMPORT, "FirehoseHandler('bench')", 'handler.flush()'),
    'watchtower': (
        'import watchtower',
        "watchtower.CloudWatchLogHandler('bench', 'bench')",
        'handler.flush()',
    ),
    'boto3, a client alone': ('import boto3', "boto3.client('firehose') and logging.NullHandler()", ''),
}
_NEEDS = {'firefighter 0.1.1': Row('', ancestor=True), 'watchtower': Row('', needs='watchtower')}


def turn(name: str, endpoints: Mapping[str, str], folder: str) -> list[float]:
    """Return the milliseconds of each step, in a new process."""
    imports, handler, deliver = _PROGRAMS[name]
    program = _PROGRAM.format(imports=imports, handler=handler, deliver=deliver)
    environment = {
        'AWS_ACCESS_KEY_ID': 'x',
        'AWS_SECRET_ACCESS_KEY': 'x',
        'AWS_DEFAULT_REGION': 'eu-north-1',
        **({'PYTHONPATH': str(ANCESTOR)} if name == 'firefighter 0.1.1' else {}),
        **endpoints,
    }
    done = subprocess.run(
        [sys.executable, '-c', program, folder],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return cast('list[float]', json.loads(done.stdout))


def measure(rounds: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Let them take turns; return the figures of each."""
    names = [name for name in _PROGRAMS if name not in _NEEDS or not _NEEDS[name].missing]
    results: dict[str, list[list[float]]] = {name: [] for name in names}
    sink = Sink('cloudwatch')
    with (
        tempfile.TemporaryDirectory(dir=folder) as objects,
        LocalFirehoseProcess(objects, streams=['bench']) as endpoint,
    ):
        endpoints = {
            'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url,
            'AWS_ENDPOINT_URL_CLOUDWATCH_LOGS': f'http://127.0.0.1:{sink.port}',
        }
        for round_ in range(-1, rounds):
            for name in names:
                taken = turn(name, endpoints, str(folder))
                if round_ >= 0:  # the first reads the files from the disk
                    results[name].append(taken)
    sink.end()
    return {
        name: {
            f'{step}, ms': Spread.of(column)
            for step, column in zip(STEPS, zip(*turns, strict=True), strict=True)
        }
        for name, turns in results.items()
    }


def table(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    yield f'| ms | {" | ".join(STEPS)} |'
    yield '|---|' + '---|' * len(STEPS)
    for name, row in rows.items():
        yield f'| {name} | {" | ".join(format(row[f"{step}, ms"], ".1f") for step in STEPS)} |'


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--rounds', type=int, default=7)
    Places.add_options(parser)
    arguments = parser.parse_args()
    places = Places(None, arguments.disk)
    try:
        print(f'{machine()}\n')
        print(*table(measure(arguments.rounds, places.disk)), sep='\n')
    finally:
        places.remove()


if __name__ == '__main__':
    main()
