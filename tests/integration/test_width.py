"""Does what the commands print fit a terminal of 80 columns, no word, number or id of it broken?"""

from __future__ import annotations

import json
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


def test_spool_ls_explains_its_titles(on_terminal):
    """Those that do not speak for themselves."""
    shown = ' '.join(' '.join(on_terminal('spool', 'ls', '--help')).split())
    assert 'TORN bytes that belong to no whole event' in shown


@pytest.mark.parametrize(
    'words',
    [
        ['spool', 'replay', '--max-aggregated-events', 'many', 'd'],
        ['spool', 'replay', '--max-aggregated-events', '5', 'd'],
        ['spool', 'lst'],
        ['local', '--stream', 'a stream of many words'],
        ['doctor', 'a stream of many words', '--region', 'eu-west-1'],
        ['cost', '--instances', '4'],
        ['audit', '.'],
        ['demo', '--folder', '.', '--rate', 'fast and furious'],
        ['nothing like any command that there is'],
    ],
    ids=' '.join,
)
def test_what_is_wrong_fits(on_terminal, words, tmp_path, monkeypatch):
    """Of argparse and of the commands."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'd').mkdir()
    (tmp_path / 'app.log').write_text('Ahoy\n')
    shown = on_terminal(*words)
    assert max(map(len, shown)) <= WIDTH
    assert re.search(r'firefighter[a-z ]*: .{20}', '\n'.join(shown))


def test_a_path_in_a_message_is_never_broken(on_terminal, tmp_path):
    """Whoever copies it gets all of it."""
    folder = tmp_path / ('deep-' * 20)
    folder.mkdir()
    (folder / 'photo').touch()
    shown = on_terminal('spool', 'ls', str(folder))
    assert f'  {folder}:' in shown
    assert all(len(line) <= WIDTH for line in shown if str(folder) not in line)


def test_spool_replay_fits(on_terminal, tmp_path):
    """What it has delivered, why not, and what it asks."""
    spool_dir = str(tmp_path / 'spool')
    with LocalFirehose(tmp_path / 'firehose', streams=['bar']) as endpoint:
        lines = """
            logger.error('Ahoy')
            os._exit(0)
        """
        for url in ('http://127.0.0.1:9', endpoint.url):
            command = program(lines, spool_dir=spool_dir, endpoint_url=url, region_name='eu-west-1')
            subprocess.run(command, check=True)
        shown = on_terminal('spool', 'replay', '--patience', '1', spool_dir)
        shown += on_terminal('spool', 'replay', '--region', 'us-east-1', spool_dir)
    text = ' '.join(shown)
    assert 'bar: 1 events delivered' in text
    assert '1 left: EndpointConnectionError' in text
    assert 'logged for another destination' in text
    assert [line for line in shown if len(line) > WIDTH and str(tmp_path) not in line] == []


def test_audit_fits(on_terminal, tmp_path):
    """Its sentences below the table."""
    lines = [{'message': 'a', 'producer': '5f' * 16, 'sequence': number} for number in (1_000_000, 1_000_001)]
    (tmp_path / 'log').write_text('\n'.join(map(json.dumps, lines)) + '\n{}\nno JSON\n')
    shown = on_terminal('audit', str(tmp_path))
    assert max(map(len, shown)) <= WIDTH
    assert '--partial' in ' '.join(shown)


def test_demo_fits(on_terminal, tmp_path, monkeypatch):
    """All that it says, but for commands to copy."""
    monkeypatch.chdir(tmp_path)
    shown = on_terminal('demo', '--folder', 'out', '--seconds', '1', '--workers', '2', '--rate', '100')
    assert 'instead of' in ' '.join(shown)
    commands = re.compile(r'(All the files|Audit them|Look at one event|How a process logs): ')
    assert [line for line in shown if len(line) > WIDTH and not commands.match(line)] == []


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
