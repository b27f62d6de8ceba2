"""Does what the commands print fit a terminal of 80 columns, no word, number or id of it broken?"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from firefighter.cli.main import COMMANDS
from firefighter.local import LocalFirehose
from programs import ENOUGH_SECONDS, program

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not hasattr(os, 'openpty'), reason='Windows has other terminals'),
]

WIDTH = 80


@pytest.fixture
def on_terminal(monkeypatch):
    """Run the real command on a terminal of that width; return its lines."""
    monkeypatch.setenv('COLUMNS', str(WIDTH))
    monkeypatch.setenv('TERM', 'dumb')

    def run(*words):
        screen, terminal = os.openpty()
        command = [sys.executable, '-m', 'firefighter', *words]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal) as process:
            os.close(terminal)
            shown = b''
            try:
                while some := os.read(screen, 65536):
                    shown += some
            except OSError:  # so Linux says that nobody writes any more
                pass
            process.wait(ENOUGH_SECONDS)
        os.close(screen)
        return shown.decode().splitlines()

    return run


SPOOL_ACTIONS = ('ls', 'cat', 'replay', 'verify', 'purge')


@pytest.mark.parametrize(
    'words',
    [(), *((name,) for name in COMMANDS), *(('spool', action) for action in SPOOL_ACTIONS)],
    ids=' '.join,
)
def test_the_help_of_each_command_fits_and_shows_an_example(on_terminal, words):
    """Each of its words as it is in a window of any width."""
    shown = on_terminal(*words, '--help')
    assert max(map(len, shown)) <= WIDTH
    assert re.search(r'(?m)^ +(firefighter|curl) |^For example: ', '\n'.join(shown))


def test_the_help_breaks_no_word(on_terminal, monkeypatch):
    """What a narrow window shows has the words of a wide one."""
    words = []
    for columns in ('40', '50', '60', '500'):
        monkeypatch.setenv('COLUMNS', columns)
        words.append(sorted(' '.join(on_terminal('cost', '--help')).split()))
    assert words == [words[-1]] * 4


def test_cost_fits(on_terminal, tmp_path):
    """Nine columns of figures and units: the ways to send stand side by side."""
    log = tmp_path / 'app.log'
    log.write_text('order received and shipped to the customer\n' * 1000)
    shown = on_terminal('cost', str(log))
    assert max(map(len, shown)) <= WIDTH
    rows = [line for line in shown if line.startswith(('WAY ', 'RECORDS ', 'OF THE QUOTA '))]
    assert [len(re.split(r' {2,}', row)) for row in rows] == [len(re.split(r' {2,}', rows[0]))] * 3
    assert re.search(r' \d{3},\d{3},\d{3} ', rows[1])


def test_doctor_fits(on_terminal, tmp_path):
    """What it found and what to write; a command to paste goes on in the next line."""
    with LocalFirehose(tmp_path / 'firehose', streams=['bar']) as endpoint:
        shown = on_terminal('doctor', 'bar', '--region', 'eu-west-1', '--endpoint-url', endpoint.url)
    assert max(map(len, shown)) <= WIDTH
    text = '\n'.join(shown)
    (call,) = re.findall(r'(?s)(FirehoseHandler\([^)]*aggregate[^)]*\))', text)
    assert eval(call, {'FirehoseHandler': dict})['aggregate'] is True
    (command,) = re.findall(r'(?s)(aws firehose .*?)\n\n', text)
    words = subprocess.run(
        ['sh', '-c', f'aws() {{ printf "%s\\n" "$@"; }}\n{command}'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert words.stdout.splitlines()[-1] == endpoint.url


def test_spool_ls_fits(on_terminal, tmp_path):
    """With ids of 32 digits, and the name of a program."""
    lines = """
        for _ in range(1234):
            logger.error('Ahoy')
        sys.stdout.write(handler.stats().backing)
        sys.stdout.flush()
        os._exit(0)
    """
    for _ in range(3):
        command = program(
            lines, spool_dir=str(tmp_path), endpoint_url='http://127.0.0.1:9', region_name='eu-west-1'
        )
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == 'disk'
    shown = on_terminal('spool', 'ls', str(tmp_path))
    assert max(map(len, shown)) <= WIDTH
    text = '\n'.join(shown)
    assert len(re.findall(r'\b[0-9a-f]{32}\b', text)) == len(re.findall(r'\b1,234\b', text)) == 3
    assert max(map(len, on_terminal('spool', 'verify', str(tmp_path)))) <= WIDTH
