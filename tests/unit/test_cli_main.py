"""Does the command say what it is, and what was meant?"""

from __future__ import annotations

import importlib.metadata
import platform

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
