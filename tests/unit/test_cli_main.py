"""Does the command say what it is, and what was meant?"""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import firefighter
from firefighter.cli.main import main


def test_the_versions_that_matter_are_printed(capsys, monkeypatch):
    """For a report of a bug: ours first, then what delivery rests on, with what is not installed."""
    version = importlib.metadata.version

    def without_zstandard(name):
        if name == 'zstandard':
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, 'version', without_zstandard)
    with pytest.raises(SystemExit) as ended:
        main(['--version'])
    lines = capsys.readouterr().out.splitlines()
    assert ended.value.code in {None, 0}
    assert lines[0] == f'firefighter {firefighter.__version__}'
    assert lines[1].startswith(f'{platform.python_implementation()} {platform.python_version()}, ')
    assert f'botocore {version("botocore")}' in lines
    assert 'zstandard is not installed' in lines


@pytest.mark.parametrize(
    ('typed', 'said'),
    [
        ('lcal', "there is no command 'lcal'; did you mean 'local'?"),
        ('Doctor', "there is no command 'Doctor'; did you mean 'doctor'?"),
        ('xyz', "invalid choice: 'xyz'"),
    ],
)
def test_a_command_that_does_not_exist_is_answered_with_the_nearest(typed, said, capsys):
    """Where there is one; else with all."""
    with pytest.raises(SystemExit) as ended:
        main([typed])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    'words',
    [
        ['cost', 'log', '--events-per-second', '100'],
        ['doctor', 'bar', '--region', 'eu-west-1', '--endpoint-url', 'http://127.0.0.1:9'],
        ['local', '--port', '0'],
    ],
    ids=lambda words: words[0],
)
def test_of_a_full_output_each_command_says_so_in_one_line(words, tmp_path, monkeypatch):
    """Never a traceback, nor the name of something else."""
    if not Path('/dev/full').exists():
        pytest.skip('this system has no device that is always full')
    for name in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'):
        monkeypatch.setenv(name, 'x')
    (tmp_path / 'log').write_text('Ahoy\n' * 10)
    with Path('/dev/full').open('wb') as full:
        done = subprocess.run(
            [sys.executable, '-m', 'firefighter', *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=50,
            cwd=tmp_path,
        )
    assert (done.returncode, done.stderr) == (
        2,
        f'firefighter {words[0]}: output: No space left on device\n',
    )
