"""Does each command say what to install where a package of an extra is missing?"""

from __future__ import annotations

import subprocess
import sys

import pytest

from firefighter._delivery.compression import INSTALL_ZSTD
from firefighter.cli.main import COMMANDS, OPTIONAL_PACKAGES

MODULES = {'opentelemetry-api': 'opentelemetry', 'prometheus-client': 'prometheus_client'}


@pytest.fixture
def run(tmp_path):
    """Run a command in a process that has no package but those that are always there."""
    hidden = [MODULES.get(package, package) for package in OPTIONAL_PACKAGES] + ['compression.zstd']
    program = (
        f'import sys; sys.modules.update(dict.fromkeys({hidden!r})); '
        'from firefighter.cli.main import main; sys.exit(main())'
    )

    def run(*words):
        return subprocess.run(
            [sys.executable, '-c', program, *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=50,
        )

    (tmp_path / 'log').write_text('Ahoy\n')
    (tmp_path / 'log.zst').write_bytes(b'\x28\xb5\x2f\xfd' + bytes(20))
    (tmp_path / 'spool').mkdir()
    (tmp_path / 'spool' / 'destination.json').touch()  # of a stream whose events have been delivered
    return run


@pytest.mark.parametrize('command', COMMANDS)
def test_each_command_explains_itself(run, command):
    """Whoever wants to know what to install may want to know what for."""
    done = run(command, '--help')
    assert (done.returncode, done.stderr) == (0, '')


@pytest.mark.parametrize(
    ('words', 'install'),
    [
        ('audit log.zst', INSTALL_ZSTD),
        ('completion bash', "pip install 'firefighter[completion]'"),
        ('cost log.zst', INSTALL_ZSTD),
        ('cost log --plot bill.svg', "pip install 'firefighter[plot]'"),
        ('demo', "pip install 'firefighter[demo]'"),
        ('local --port 0', "pip install 'firefighter[local]'"),
        ('spool replay --compression zstd spool', INSTALL_ZSTD),
    ],
)
def test_what_is_missing_is_answered_with_what_to_install(run, words, install):
    """In one line that can be copied, with status 2; and no traceback."""
    done = run(*words.split())
    assert done.returncode == 2
    assert install in done.stderr
    assert done.stderr.startswith(f'firefighter {words.split()[0]}: ')
    assert done.stderr.count('\n') == 1


@pytest.mark.parametrize(
    'words', ['cost log --events-per-second 1', 'spool ls spool', 'spool replay spool --compression gzip']
)
def test_what_needs_no_extra_works(run, words):
    """Slower, as far as an extra is for speed."""
    assert run(*words.split()).returncode == 0
