"""Does a real shell complete the words of the command, by the script that the command prints?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from firefighter.cli.main import COMMANDS, main

pytest.importorskip('shtab', reason="pip install 'firefighter[completion]'")

# What bash does when TAB is pressed: it calls the function that `complete` has named for the command, with the words so far.
BASH = """
source ./script
read -r _ _ _ _ function _ <<< "$(complete -p firefighter)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMPREPLY=()
"$function" firefighter "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = 'source ./script; complete -C (string join " " $argv)'


@pytest.fixture
def script(tmp_path, capsys, monkeypatch):
    """Write the script of a shell into the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'spools').mkdir()
    (tmp_path / 'spool.txt').touch()

    def write(shell):
        assert main(['completion', shell]) == 0
        (tmp_path / 'script').write_text(capsys.readouterr().out)

    return write


def run(shell, *words):
    """Run a shell without anybody's configuration."""
    surroundings = os.environ | {'HOME': '.', 'XDG_CONFIG_HOME': '.'}
    return subprocess.run(
        [shell, *words], capture_output=True, text=True, check=False, env=surroundings, timeout=50
    )


CASES = [
    ('', {*COMMANDS}),
    ('do', {'doctor'}),
    ('--v', {'--version'}),
    ('doctor --re', {'--region'}),
    ('spool ', {'ls', 'cat', 'replay', 'verify', 'purge'}),
    ('spool ls --', {'--help', '--json'}),
    ('spool replay --compression ', {'gzip', 'zstd'}),
    ('completion ', {'bash', 'zsh', 'fish'}),
    ('spool ls spo', {'spools'}),
    ('audit spo', {'spools'}),
    ('local spo', {'spools'}),
    ('demo --folder spo', {'spools'}),
    ('cost spo', {'spools', 'spool.txt'}),
    ('cost --plot spo', {'spools', 'spool.txt'}),
]


@pytest.mark.skipif(not shutil.which('bash'), reason='there is no bash here')
@pytest.mark.parametrize(('typed', 'expected'), CASES, ids=[typed for typed, _ in CASES])
def test_bash_completes(script, typed, expected):
    """Commands, their options and what these take, files and directories."""
    script('bash')
    done = run('bash', '--norc', '-c', BASH, 'bash', 'firefighter', *typed.split(' '))
    assert done.stderr == ''
    assert {*done.stdout.split()} == expected


@pytest.mark.skipif(not shutil.which('fish'), reason='there is no fish here')
@pytest.mark.parametrize(('typed', 'expected'), CASES, ids=[typed for typed, _ in CASES])
def test_fish_completes(script, typed, expected):
    """The same; fish shows what each is beside it."""
    script('fish')
    done = run('fish', '--no-config', '-c', FISH, f'firefighter {typed}')
    assert done.stderr == ''
    assert {line.split('\t')[0].rstrip('/') for line in done.stdout.splitlines()} == expected


@pytest.mark.skipif(not shutil.which('zsh'), reason='there is no zsh here')
def test_zsh_takes_the_script(script):
    """As a function that compinit finds for the command."""
    script('zsh')
    shutil.copy('script', '_firefighter')
    code = 'fpath=($PWD $fpath); autoload -U compinit && compinit -u -D; autoload +X _firefighter; print $_comps[firefighter]'
    done = run('zsh', '-f', '-c', code)
    assert (done.stdout, done.stderr) == ('_firefighter\n', '')


def test_no_option_of_the_handler_needs_it():
    """Whoever does not complete pays nothing: neither the command nor the handler imports shtab."""
    code = 'import sys, firefighter.logging, firefighter.cli.main as m; m.build_parser(m.COMMANDS); print("shtab" in sys.modules)'
    assert subprocess.check_output([sys.executable, '-c', code], text=True) == 'False\n'


def test_another_shell_is_refused_with_those_there_are(capsys):
    """It is an invalid argument."""
    with pytest.raises(SystemExit) as ended:
        main(['completion', 'tcsh'])
    assert ended.value.code == 2
    assert "'bash'" in capsys.readouterr().err
