"""Fail when a logging call has become dearer: count its instructions, and compare with what was counted before.

Instructions do not depend on how busy the machine is, so two counts of the same code differ by some tenths of a percent
where two timings differ by tens of percents. A process runs under valgrind and makes the same number of calls
to each handler in turn; between two turns it calls `getppid`, at which callgrind writes down what it has counted so far,
so that start-up and imports are in no turn. No thread delivers meanwhile. What system calls do is not counted.

The figure is what our handler adds to a call, in calls to a NullHandler counted in the same process: another build of
Python changes both. The baseline in the repository has it for each version of Python.

    python -m benchmarks.guard [--renew]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.contestant import AcceptingClient, log, quiet_logger
from benchmarks.peers.standard import null

from firefighter.logging import FirehoseHandler

BASELINE = Path(__file__).with_name('baseline.json')
ROOT = Path(__file__).parents[1]
TOLERANCE = 1.05
CALLS = 1_000
WARM_UP_CALLS = 500  # until the interpreter has specialised what it runs
FLOOR = 'NullHandler'
ROWS = ('memory', 'disk', 'memory, event ids')

Figures = Mapping[str, float]


class NoThread:
    """Stands in for the delivery thread, and does nothing."""

    def __init__(self, target: Callable[..., object], args: tuple[object, ...]) -> None:
        """Take what a thread takes."""

    def start(self) -> None:
        """Do not start."""


def handler_without_delivery(spool_dir: str | None = None, *, event_ids: bool = False) -> FirehoseHandler:
    """Return our handler, opened, with nobody to take its events."""
    handler = FirehoseHandler(
        'bench',
        boto3_client=AcceptingClient(open_gate=False),
        spool_dir=spool_dir,
        max_spool_bytes=64 * 2**20,
        event_ids=event_ids,
    )
    record = quiet_logger(handler).makeRecord('guard', 20, __file__, 1, 'the first', (), None)
    handler.emit(record, NoThread)  # type: ignore[arg-type]  # not a whole Thread
    return handler


def be_counted(spool_dir: str) -> None:
    """Make the calls, with a mark between two turns. Called under valgrind."""
    handlers = [
        null().handler,
        handler_without_delivery(),
        handler_without_delivery(spool_dir),
        handler_without_delivery(event_ids=True),
    ]
    loggers = [quiet_logger(handler) for handler in handlers]
    for logger in loggers:
        for number in range(WARM_UP_CALLS):
            log(logger, number)
    gc.collect()
    gc.disable()
    os.getppid()
    for logger in loggers:
        for number in range(CALLS):
            log(logger, number)
        os.getppid()
    os._exit(0)  # nothing of it is to be delivered


def count() -> tuple[dict[str, float], float]:
    """Return what each handler adds to a call, in calls to a NullHandler; and the instructions of one of those."""
    shared_memory = Path('/dev/shm')
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory(dir=shared_memory if shared_memory.is_dir() else None) as spool_dir,
    ):
        subprocess.run(
            [
                *('valgrind', '--quiet', '--tool=callgrind', '--dump-before=getppid'),
                f'--callgrind-out-file={folder}/counts',
                *(sys.executable, '-m', 'benchmarks.guard', '--counted', spool_dir),
            ],
            cwd=ROOT,
            env=os.environ | {'PYTHONHASHSEED': '0', 'PYTHONPATH': f'{ROOT}:{ROOT}/src'},
            check=True,
        )
        # The first has what came before the first mark, the last what came after the last.
        floor, *ours = [total(Path(folder, f'counts.{turn}')) for turn in range(2, 3 + len(ROWS))]
    return {row: (own - floor) / floor for row, own in zip(ROWS, ours, strict=True)}, floor / CALLS


def total(counts: Path) -> int:
    """Return the instructions that a file of callgrind's has counted."""
    lines = counts.read_text(encoding='utf-8').splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith('totals:'))


def dearer(measured: Figures, baseline: Figures) -> list[str]:
    """Return the rows that cost more than the tolerance allows, or that the baseline lacks."""
    return [row for row, own in measured.items() if own > TOLERANCE * baseline.get(row, 0)]


def main() -> int:
    """Compare, or write the baseline."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--renew', action='store_true', help='write what is counted now into the baseline')
    parser.add_argument('--counted', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.counted is not None:
        be_counted(arguments.counted)
    version = f'{sys.version_info.major}.{sys.version_info.minor}'
    known = json.loads(BASELINE.read_text(encoding='utf-8'))
    if shutil.which('valgrind') is None:
        print('the guard of the call is left out: there is no valgrind here')
        return 0
    if version not in known and not arguments.renew:
        print(f'the guard of the call is left out: no baseline for Python {version} (make baseline)')
        return 0
    measured, floor = count()
    if arguments.renew:
        figures = {row: round(own, 4) for row, own in measured.items()}
        known[version] = {'python': build(), 'instructions of a NullHandler call': round(floor), **figures}
        BASELINE.write_text(json.dumps(known, indent=2, sort_keys=True) + '\n', encoding='utf-8')
    return report(measured, known[version])


def report(measured: Figures, baseline: Mapping[str, float]) -> int:
    """Print the table; return the exit status."""
    print(f'{build()}; what the handler adds to a call, in calls to a NullHandler\n')
    print('| | baseline | now | ratio |\n|---|---|---|---|')
    for row, own in measured.items():
        before = baseline.get(row, 0)
        print(f'| {row} | {before:.3f} | {own:.3f} | {own / before if before else float("inf"):.3f} |')
    worse = dearer(measured, baseline)
    if worse:
        print(
            f'\nThe call has become dearer by more than {TOLERANCE - 1:.0%}: {"; ".join(worse)}. '
            'If that is worth it, renew the baseline (make baseline) in the same commit, and say why. '
            f'The baseline was counted on {baseline["python"]}.'
        )
    return bool(worse)


def build() -> str:
    """Name the build of Python: it decides the figures, by itself."""
    return f'{platform.python_implementation()} {platform.python_version()}, {platform.python_compiler()}'


if __name__ == '__main__':
    sys.exit(main())
