"""Does the command say what it is, and what was meant?"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import firefighter
from firefighter.cli.main import OPTIONAL_PACKAGES, PACKAGES, main


def test_the_versions_that_matter_are_printed(capsys, monkeypatch):
    """For a report of a bug: ours first, then what delivery rests on, a line each, and what is not installed."""
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
    assert re.fullmatch(r'not installed: (.+, )?zstandard', lines[-1])


@pytest.mark.skipif(sys.version_info < (3, 11), reason='tomllib')
def test_the_version_of_each_package_of_an_extra_is_printed():
    """Also of one that is added to pyproject.toml."""
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / 'pyproject.toml').read_text('utf-8'))['project']
    extras = project['optional-dependencies'].values()
    needed = {re.split('[>;]', line)[0] for lines in (project['dependencies'], *extras) for line in lines}
    assert needed <= {*PACKAGES, *OPTIONAL_PACKAGES}


def test_versions_are_printed_without_their_packages():
    """None is imported for it."""
    program = """
        import sys
        from firefighter.cli.main import main
        try:
            main(['--version'])
        finally:
            print({'boto3', 'botocore', 'aiohttp', 'rich', 'structlog'} & {*sys.modules}, file=sys.stderr)
    """
    command = [sys.executable, '-c', textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 'boto3 ' in done.stdout
    assert done.stderr == 'set()\n'


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        ('lcal', "firefighter: error: there is no command 'lcal'; did you mean 'local'?"),
        ('Doctor', "firefighter: error: there is no command 'Doctor'; did you mean 'doctor'?"),
        ('xyz', "invalid choice: 'xyz'"),
        (
            'local --strem bar',
            "firefighter local: error: there is no option '--strem'; did you mean '--stream'?",
        ),
        ('local --strem=bar', "there is no option '--strem'; did you mean '--stream'?"),
        ('spool pruge d', "firefighter spool: error: there is no action 'pruge'; did you mean 'purge'?"),
        (
            'spool ls --jsn d',
            "firefighter spool ls: error: there is no option '--jsn'; did you mean '--json'?",
        ),
        ('cost --compression', "firefighter cost: error: there is no option '--compression'\n"),
        ('doctor --stream bar --stream bar', "there is no option '--stream'; write STREAM alone"),
        ('spool replay --compression gz d', "invalid choice: 'gz'"),
        ('doctor bar foo', "firefighter doctor: error: too many words: 'foo'"),
        ('--verison', "firefighter: error: there is no option '--verison'; did you mean '--version'?"),
    ],
)
def test_what_does_not_exist_is_answered_with_the_nearest(words, said, capsys):
    """Where there is one; by the command that it was given to."""
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_what_follows_two_hyphens_is_no_option(tmp_path, monkeypatch, capsys):
    """A file may be called so."""
    monkeypatch.chdir(tmp_path)
    Path('--strem').write_text('Ahoy\n')
    assert main(['cost', '--events-per-second', '1', '--', '--strem']) == 0
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('words', [['audit'], ['cost'], ['local'], ['demo', '--folder']], ids=' '.join)
def test_an_empty_name_is_not_the_working_directory(words, capsys):
    """An unset variable gives it."""
    with pytest.raises(SystemExit) as ended:
        main([*words, ''])
    assert ended.value.code == 2
    assert 'empty; name it, `.` for the working directory' in capsys.readouterr().err


@pytest.mark.parametrize(
    'words',
    [['--help'], ['--version'], ['audit', '--help'], ['cost', 'log', '--events-per-second', '1']],
    ids=' '.join,
)
@pytest.mark.parametrize(
    ('redirection', 'said'),
    [('>/dev/full', 'No space left on device'), ('>&-', 'Bad file descriptor')],
    ids=['full', 'closed'],
)
def test_what_nobody_can_read_is_no_success(words, redirection, said, tmp_path):
    """One line, and no traceback of Python's at exit."""
    if not Path('/dev/full').exists():
        pytest.skip('this system has no device that is always full')
    (tmp_path / 'log').write_text('Ahoy\n')
    command = f'exec {shlex.join([sys.executable, "-m", "firefighter", *words])} {redirection}'
    done = subprocess.run(
        ['/bin/sh', '-c', command], stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (2, f'firefighter {words[0]}: output: {said}\n')


@pytest.mark.parametrize(
    'words',
    [
        ['cost', 'log', '--events-per-second', '1'],
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


@pytest.mark.parametrize(
    'words',
    [
        ['audit', 'missing'],
        ['audit', '--wrong'],
        ['cost', 'missing'],
        ['cost', 'log', '--price', 'x'],
        ['spool', 'ls', '/etc'],
        ['doctor', 'bar', '--wrong'],
        ['wrong'],
    ],
    ids=' '.join,
)
@pytest.mark.parametrize('stderr', ['full', 'closed', 'unread'])
def test_where_nobody_takes_what_is_wrong_the_exit_status_says_it(words, stderr):
    """Status 1 of an audit means that events are missing, and 0 that none is."""
    if not Path('/dev/full').exists():
        pytest.skip('this system has no device that is always full')
    redirection = {'full': '2>/dev/full', 'closed': '2>&-', 'unread': ''}[stderr]
    reader, writer = os.pipe()
    os.close(reader)
    command = f'exec {shlex.join([sys.executable, "-m", "firefighter", *words])} {redirection}'
    done = subprocess.run(
        ['/bin/sh', '-c', command], stdout=subprocess.PIPE, stderr=writer, check=False, timeout=50
    )
    os.close(writer)
    assert (done.returncode, done.stdout) == (2, b'')
