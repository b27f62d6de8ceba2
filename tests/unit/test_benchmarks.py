"""The benchmarks run, with counts too small to say anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ('module', 'options', 'rows'),
    [
        ('call', ['--rounds=1', '--calls=200'], ['NullHandler', 'firefighter, disk, delivering']),
        ('delivery', ['--rounds=1', '--requests=1'], ['take', 'put, with botocore', 'acknowledge']),
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
