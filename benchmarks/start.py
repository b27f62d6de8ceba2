"""What a program pays before its first event is on its way: imports, the handler, the first call; and until it is delivered.

Each turn is a new process, which has imported nothing but `json`, `logging` and `time`; the endpoint is a process of its own. What
is imported beside boto3 is measured in processes that have imported nothing but `time`, in pairs. All of it with compiled modules, as
installed packages are, and in milliseconds of CPU time, of all threads, since a start computes and waits for little; imports also in
wall time.

    python -m benchmarks.start [--rounds N] [--imports N] [--disk DIR]
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
from benchmarks.turns import ROOT, Spread, ratios

from firefighter.local import LocalFirehoseProcess

STEPS = ('import', 'handler', 'first call', 'first delivery')
ALL = 'all'

_PROGRAM = """
import json, logging, sys, time
clock = time.process_time
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
_IMPORT_ALONE = """
import time
begin, computed = time.perf_counter(), time.process_time()
{imports}
print([1e3 * (time.process_time() - computed), 1e3 * (time.perf_counter() - begin)])
"""
OUR_IMPORT = 'import firefighter.logging'
_BOTO3_IMPORT = 'import boto3'
# What an event needs beside boto3, whatever we do: the price below which no handler of JSON can be.
_IMPORTS = {
    OUR_IMPORT: _IMPORT,
    'import logging, orjson': 'import logging, orjson',
    'import logging': 'import logging',
    _BOTO3_IMPORT: _BOTO3_IMPORT,
}
_NEEDS = {'firefighter 0.1.1': Row('', ancestor=True), 'watchtower': Row('', needs='watchtower')}


def _run(program: str, folder: str, caches: str, variables: Mapping[str, str]) -> str:
    """Run a program in a new process, with compiled modules, whatever this process is told of them; return its output."""
    environment = os.environ | {'PYTHONPYCACHEPREFIX': caches, **variables}
    environment.pop('PYTHONDONTWRITEBYTECODE', None)
    return subprocess.run(
        [sys.executable, '-c', program, folder],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def turn(name: str, endpoints: Mapping[str, str], folder: str, caches: str) -> list[float]:
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
    return cast('list[float]', json.loads(_run(program, folder, caches, environment)))


def measure(rounds: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Let them take turns; return the figures of each."""
    names = [name for name in _PROGRAMS if name not in _NEEDS or not _NEEDS[name].missing]
    results: dict[str, list[list[float]]] = {name: [] for name in names}
    sink = Sink('cloudwatch')
    with (
        tempfile.TemporaryDirectory(dir=folder) as objects,
        tempfile.TemporaryDirectory(dir=folder) as caches,
        LocalFirehoseProcess(objects, streams=['bench']) as endpoint,
    ):
        endpoints = {
            'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url,
            'AWS_ENDPOINT_URL_CLOUDWATCH_LOGS': f'http://127.0.0.1:{sink.port}',
        }
        for round_ in range(-1, rounds):
            for name in names:
                taken = turn(name, endpoints, str(folder), caches)
                if round_ >= 0:  # the first compiles, and reads the files from the disk
                    results[name].append(taken)
    sink.end()
    return {
        name: {
            f'{step}, ms': Spread.of(column)
            for step, column in zip((*STEPS, ALL), (*zip(*turns, strict=True), map(sum, turns)), strict=True)
        }
        for name, turns in results.items()
    }


def measure_imports(rounds: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Let imports take turns, each in a new process; return their milliseconds, and each beside boto3's of the same round."""
    taken: dict[str, list[list[float]]] = {name: [] for name in _IMPORTS}
    with tempfile.TemporaryDirectory(dir=folder) as caches:
        for round_ in range(-1, rounds):
            for name, imports in _IMPORTS.items():
                output = _run(_IMPORT_ALONE.format(imports=imports), str(folder), caches, {})
                if round_ >= 0:  # as above
                    taken[name].append(json.loads(output))
    columns = {name: list(zip(*figures, strict=True)) for name, figures in taken.items()}
    return {
        name: {
            'CPU ms': Spread.of(cpu),
            'x boto3': ratios(cpu, columns[_BOTO3_IMPORT][0]),
            'wall ms': Spread.of(wall),
            'wall x boto3': ratios(wall, columns[_BOTO3_IMPORT][1]),
        }
        for name, (cpu, wall) in columns.items()
    }


def table(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    steps = (*STEPS, ALL)
    yield f'| ms | {" | ".join(steps)} |'
    yield '|---|' + '---|' * len(steps)
    for name, row in rows.items():
        yield f'| {name} | {" | ".join(format(row[f"{step}, ms"], ".1f") for step in steps)} |'


def table_of_imports(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    yield '| a new process | CPU ms | x boto3 | wall ms | x boto3 |'
    yield '|---|---|---|---|---|'
    for name, row in rows.items():
        yield (
            f'| {name} | {row["CPU ms"]:.1f} | {row["x boto3"]:.2f} | {row["wall ms"]:.1f} '
            f'| {row["wall x boto3"]:.2f} |'
        )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--imports', type=int, default=15, help='rounds of imports alone')
    Places.add_options(parser)
    arguments = parser.parse_args()
    places = Places(None, arguments.disk)
    try:
        print(f'{machine()}\n')
        print(*table_of_imports(measure_imports(arguments.imports, places.disk)), '', sep='\n')
        print(*table(measure(arguments.rounds, places.disk)), sep='\n')
    finally:
        places.remove()


if __name__ == '__main__':
    main()
