"""The benchmarks run, with counts too small to say anything."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.guard import BASELINE, ROWS, dearer

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ('module', 'options', 'rows'),
    [
        ('call', ['--rounds=1', '--calls=200'], ['NullHandler', 'firefighter, disk, delivering']),
        ('delivery', ['--rounds=1', '--requests=1'], ['take', 'put, with botocore', 'acknowledge']),
        ('ways', ['--rounds=1'], ['one per record', 'gzip, standard library', 'zstd']),
        ('throttling', ['--seconds=2', '--no-picture'], ['bytes, 1 producer', 'requests, 16 producers']),
        (
            'interpreter_lock',
            ['--turns=1', '--seconds=0.01'],
            ['no requests', 'boto3, 4 x 1000 KiB, 4 at once'],
        ),
        ('tail', ['--turns=1', '--seconds=0.1'], ['no logging', 'FileHandler, JSON', 'disk']),
    ],
)
def test_benchmark_runs(module: str, options: list[str], rows: list[str], tmp_path: Path) -> None:
    """Each prints its table, and leaves nothing behind."""
    places = [f'--disk={tmp_path}', f'--tmpfs={tmp_path}'] if module in {'call', 'tail'} else []
    done = subprocess.run(
        [sys.executable, '-m', f'benchmarks.{module}', *options, *places],
        cwd=ROOT,
        env=os.environ | {'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    for row in rows:
        assert f'| {row} |' in done.stdout
    assert not list(tmp_path.iterdir())


def test_the_guard_names_what_became_more_than_five_percent_dearer() -> None:
    """Neither what is at the limit nor what became cheaper is named."""
    before = {'memory': 0.5, 'disk': 0.5, 'memory, event ids': 0.7}
    now = {'memory': 0.526, 'disk': 0.525, 'memory, event ids': 0.6}
    assert dearer(now, before) == ['memory']


def test_the_guard_names_what_the_baseline_lacks() -> None:
    """A new row is not let through for want of a figure."""
    assert dearer({'memory': 0.5, 'new': 0.5}, {'memory': 0.5}) == ['new']


@pytest.mark.parametrize('version', ['3.10', '3.11', '3.12', '3.13'])
def test_each_supported_python_has_a_baseline_for_every_row(version: str) -> None:
    """Otherwise the guard would be left out there."""
    figures = json.loads(BASELINE.read_text(encoding='utf-8'))[version]
    assert all(figures[row] > 0 for row in ROWS)
