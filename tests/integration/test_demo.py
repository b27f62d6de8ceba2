"""The demo itself: does a person who types one command see every event arrive, and hear of it when one does not?"""

import contextlib
import os
import pathlib
import re
import select
import shlex
import signal
import subprocess
import sys

import orjson
import pytest

from depth import AT_FULL_DEPTH
from firefighter._demo import performance
from firefighter.cli.main import main

COMMAND = [
    sys.executable,
    '-c',
    'import sys; from firefighter.cli.main import main; sys.exit(main())',
    'demo',
]
ONE_SECOND = ['--seconds', '1', '--workers', '2', '--rate', '200']
# Long enough to be interrupted.
UNTIL_INTERRUPTED = ['--seconds', '50', '--workers', '2', '--rate', '50']

linux = pytest.mark.skipif(sys.platform != 'linux', reason='finds the processes in /proc')


def demo(folder, *options):
    """Return the finished process of a demo that delivers into `folder/out`."""
    return subprocess.run(
        [*COMMAND, '--folder', 'out', *options], cwd=folder, capture_output=True, text=True, check=False
    )


def row(output, name):
    """Return the figure in a row of one of the tables."""
    found = re.search(rf'^ {name} +\$?([\d,]+) ', output, re.MULTILINE)
    assert found, f'no {name!r} in:\n{output}'
    return int(found[1].replace(',', ''))


def events_in(folder):
    return [
        orjson.loads(line)
        for path in (folder / 'out' / 'logs').rglob('demo-1-*')
        for line in path.read_bytes().splitlines()
    ]


@pytest.fixture
def kill_when(monkeypatch):
    """Have the worker killed as soon as a condition holds of the numbers that it has left; it stands still meanwhile.

    By its own measure the demo kills it when it may be worth it, which on a slow machine may be when all has been delivered.
    """

    def patch(condition):
        look = performance.left_behind

        def look_at_one_that_stands_still(spool_dir, pid):
            try:
                os.kill(pid, signal.SIGSTOP)
            except ProcessLookupError:
                return look(spool_dir, pid)
            left = look(spool_dir, pid)
            if condition(left):
                return left
            os.kill(pid, signal.SIGCONT)
            return ()

        monkeypatch.setattr(performance, 'left_behind', look_at_one_that_stands_still)
        monkeypatch.setattr(performance, 'WORTH_A_KILL', 1)
        monkeypatch.setattr(performance, 'PATIENT_LOOKS', 1000)

    return patch


def test_the_demo_accounts_for_every_event(tmp_path):
    """The table says what is in the files, and the exit status that nothing is missing."""
    finished = demo(tmp_path, *ONE_SECOND)

    assert (finished.returncode, finished.stderr) == (0, ''), finished.stdout
    events = events_in(tmp_path)
    once = {(event['worker'], event['number']) for event in events}
    assert row(finished.stdout, 'accepted') == row(finished.stdout, 'delivered') == len(once)
    assert row(finished.stdout, 'duplicated') == len(events) - len(once)
    assert row(finished.stdout, 'records') == len(events)
    assert row(finished.stdout, 'missing') == 0
    assert row(finished.stdout, 'bytes billed') >= 5120 * len(events)
    assert row(finished.stdout, 'bytes billed') % 5120 == 0
    assert 'Nothing is missing' in finished.stdout
    assert re.search(r'times less\. Write FirehoseHandler\(.*\n$', finished.stdout)
    # A pipe gets no progress.
    assert '\x1b' not in finished.stdout

    # Everything that a program logs is among them. The third comes late, and may see no customer any more.
    assert {1, 2} <= {event['worker'] for event in events} <= {1, 2, 3}
    assert {event['logger'] for event in events} == {'shop', 'aiohttp.access'}
    assert any(event.get('customer', {}) == {'name': '山田太郎', 'new': False} for event in events)
    assert any('PaymentError' in event.get('exception', {}).get('traceback', '') for event in events)
    sizes = [len(orjson.dumps(event)) for event in events]
    assert sum(size > 1024 for size in sizes) > sum(size > 5120 for size in sizes) > 0


def test_the_kill_of_a_worker_loses_nothing(tmp_path, kill_when, capsys):
    """What it had left is in the files, sent by another, and its spool is gone."""
    kill_when(len)
    status = main(['demo', '--folder', str(tmp_path / 'out'), *ONE_SECOND])

    output, errors = capsys.readouterr()
    assert (status, errors) == (0, ''), output
    told = re.search(
        r'Worker 2 is killed while it logs.*\n +([\d,]+) events? not delivered yet.*\n.*Worker 3 takes its place',
        output,
    )
    assert told, output
    assert int(told[1]) == row(output, 'adopted') > 0
    assert f'Nothing was lost by the kill: the {told[1]} event' in output
    numbers = {event['number'] for event in events_in(tmp_path) if event['worker'] == 2}
    assert numbers == set(range(1, len(numbers) + 1))
    assert not list((tmp_path / 'out' / 'spool').rglob('*.spool'))


def test_a_demo_of_one_worker_goes_on_with_the_next(tmp_path):
    """Its customers wait meanwhile."""
    finished = demo(tmp_path, '--seconds', '1', '--workers', '1', '--rate', '100')

    assert (finished.returncode, finished.stderr) == (0, ''), finished.stdout
    assert 'Worker 1 is killed' in finished.stdout
    assert 'Nothing was lost by the kill' in finished.stdout


@AT_FULL_DEPTH
def test_the_loss_of_a_killed_workers_spool_is_noticed(tmp_path, kill_when, monkeypatch, capsys):
    """Whoever removes it has removed events: the account knows of each of them."""
    kill_when(lambda left: len(left) >= 20)  # more than may be on their way
    look = performance.left_behind

    def look_and_rob(spool_dir, pid):
        left = look(spool_dir, pid)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            for about in spool_dir.rglob('producer.json'):
                if orjson.loads(about.read_bytes())['pid'] == pid:
                    for segment in about.parent.glob('*.spool'):
                        segment.unlink()
        return left

    monkeypatch.setattr(performance, 'left_behind', look_and_rob)

    status = main(['demo', '--folder', str(tmp_path / 'out'), *ONE_SECOND])

    output = capsys.readouterr().out
    assert status == 1
    assert row(output, 'missing') > 0
    assert re.search(r'worker 2, which was killed: [\d,]+ events? in no file: numbers ', output)
    assert re.search(r'worker 2, which was killed: it left [\d,]+ events? .* the others adopted 0\n', output)


@AT_FULL_DEPTH
def test_what_was_on_its_way_at_the_kill_may_arrive_twice(tmp_path, kill_when, monkeypatch, capsys):
    """Firehose had stored it and not answered yet. That is said, and is no failure."""
    slow_endpoint = performance.Child(
        'the local endpoint',
        'firefighter.cli.main:main',
        *(
            'local',
            str(tmp_path / 'out'),
            '--port',
            '0',
            '--stream',
            'demo',
            '--fault',
            'slow:seconds=2',
        ),
        complain=print,
    )
    monkeypatch.setattr(performance, '_endpoint', lambda scenario, screen: slow_endpoint)
    # Each request is stored long before its answer comes.
    kill_when(
        lambda left: any(event['worker'] == 2 and event['number'] in left for event in events_in(tmp_path))
    )

    status = main(
        ['demo', '--folder', str(tmp_path / 'out'), '--seconds', '3', '--workers', '2', '--rate', '200']
    )

    output = capsys.readouterr().out
    assert status == 0
    assert 0 < row(output, 'duplicated') <= row(output, 'adopted')
    assert re.search(r'^[\d,]+ events? of them arrived twice: on their way at the kill', output, re.MULTILINE)


def test_without_a_spool_on_disk_nobody_is_killed(tmp_path, monkeypatch, capsys):
    """A file system that cannot keep one: the demo says so, and shows the rest."""
    (tmp_path / 'in the way').touch()
    configuration = performance.logging_configuration

    def hindered(worker, endpoint_url, spool_dir):
        return configuration(worker, endpoint_url, str(tmp_path / 'in the way'))

    monkeypatch.setattr(performance, 'logging_configuration', hindered)

    status = main(['demo', '--folder', str(tmp_path / 'out'), *ONE_SECOND])

    output = capsys.readouterr().out
    assert status == 0
    assert output.count('No worker is killed this time') == output.count('spool_dir cannot be used') == 1
    assert 'in the way' in output
    assert 'Nothing is missing' in output
    assert 'is killed while' not in output
    assert 'adopted' not in output


def test_the_command_that_the_demo_names_shows_an_event(tmp_path):
    """A newcomer copies it from the screen."""
    finished = demo(tmp_path, *ONE_SECOND)

    (command,) = re.findall(r'^Look at one event: +(.*)$', finished.stdout, re.MULTILINE)
    shown = subprocess.run(shlex.split(command), cwd=tmp_path, capture_output=True, check=True)
    assert {'timestamp', 'worker', 'number'} <= orjson.loads(shown.stdout).keys()


def test_the_audit_that_the_demo_names_finds_every_event_and_no_gap(tmp_path):
    """The files alone show that nothing is missing."""
    finished = demo(tmp_path, *ONE_SECOND)

    (command,) = re.findall(r'^Audit them: +(.*)$', finished.stdout, re.MULTILINE)
    audited = subprocess.run(shlex.split(command), cwd=tmp_path, capture_output=True, text=True, check=True)
    # Two workers, and perhaps the one that has taken the place of the killed one.
    found = re.search(r'([\d,]+) events of ([23]) producers in ', audited.stdout)
    assert found[1] == f'{row(finished.stdout, "accepted"):,}'
    assert '0 missing and not explained' in audited.stdout
    assert f'{found[2]} processes numbered their events, and no number is missing.' in finished.stdout


@AT_FULL_DEPTH
def test_a_lost_file_is_noticed(tmp_path, monkeypatch, capsys):
    """One object of S3 gone: the demo ends with 1 and names the events."""
    read_delivered = performance.read_delivered

    def lose_one_and_read(folder):
        # The first one: behind the last number that is there, nothing is missed.
        files = (path for path in folder.rglob('*') if path.is_file())
        min(files, key=lambda path: path.stat().st_mtime_ns).unlink()
        return read_delivered(folder)

    monkeypatch.setattr(performance, 'read_delivered', lose_one_and_read)

    status = main(['demo', '--folder', str(tmp_path / 'out'), *ONE_SECOND])

    output = capsys.readouterr().out
    assert status == 1
    assert row(output, 'missing') > 0
    assert 'NOT as it should be' in output
    assert re.search(r'worker [12].*: [\d,]+ events? in no file: numbers ', output)


@AT_FULL_DEPTH
def test_events_that_the_handlers_drop_are_noticed(tmp_path, monkeypatch, capsys):
    """A loss that a handler counts is a loss all the same, and has its reason beside it."""
    configuration = performance.logging_configuration

    def dropping(worker, endpoint_url, spool_dir):
        plain = configuration(worker, endpoint_url, spool_dir)
        plain['handlers']['firehose'] |= {'oversize': 'drop'}
        return plain

    monkeypatch.setattr(performance, 'logging_configuration', dropping)

    status = main(['demo', '--folder', str(tmp_path / 'out'), *ONE_SECOND])

    output = capsys.readouterr().out
    assert status == 1
    # What the killed worker had dropped, nobody is left to count.
    assert row(output, 'missing') >= row(output, 'dropped') > 0
    assert row(output, 'accepted') == row(output, 'delivered') + row(output, 'missing')
    assert '(oversize)' in output


@contextlib.contextmanager
def running_demo(folder):
    """A demo under traffic, and the descriptors and pids of its children; killed if it is still there at the end."""
    command = [*COMMAND, '--folder', 'out', *UNTIL_INTERRUPTED]
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        stack.callback(process.kill)
        # It says so when all of its processes are ready.
        assert any(line.startswith('  files') for line in process.stdout)
        children = {}
        for pid in map(
            int, pathlib.Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
        ):
            children[pid] = os.pidfd_open(pid)
            stack.callback(os.close, children[pid])
        assert len(children) == 3
        yield process, children


def wait_until_gone(children):
    """Fail unless all of these processes end within half a minute."""
    for pid, descriptor in children.items():
        gone, _, _ = select.select([descriptor], [], [], 30)
        assert gone, f'process {pid} is still there'


def one_that_runs(children, entry_point):
    return next(
        pid for pid in children if entry_point in pathlib.Path(f'/proc/{pid}/cmdline').read_text().split('\0')
    )


@linux
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process(tmp_path, number):
    """Ctrl-C, and what a supervisor sends: one line, and everything has ended before the demo has."""
    with running_demo(tmp_path) as (process, children):
        process.send_signal(number)
        _, errors = process.communicate()

        assert process.returncode == 130
        assert errors == 'firefighter demo: interrupted; everything that it started has been ended\n'
        for descriptor in children.values():
            assert select.select([descriptor], [], [], 0)[0]


@linux
def test_a_killed_demo_leaves_no_process(tmp_path):
    """SIGKILL and a closed terminal run no code of the demo's."""
    with running_demo(tmp_path) as (process, children):
        process.kill()

        wait_until_gone(children)


@AT_FULL_DEPTH
@linux
@pytest.mark.parametrize(
    ('entry_point', 'name'),
    [
        ('firefighter.cli.main:main', 'the local endpoint'),
        ('firefighter._demo.service:main', 'worker [12]'),
    ],
)
def test_the_early_death_of_a_process_ends_the_demo(tmp_path, entry_point, name):
    """It says whose, ends with 1, and takes the others with it."""
    with running_demo(tmp_path) as (process, children):
        os.kill(one_that_runs(children, entry_point), signal.SIGKILL)
        _, errors = process.communicate()

        assert process.returncode == 1
        assert re.fullmatch(
            f'firefighter demo: {name} was killed by SIGKILL in the middle of the demo\n', errors
        )
        wait_until_gone(children)


@AT_FULL_DEPTH
def test_a_reader_that_has_seen_enough_ends_the_demo(tmp_path):
    """`| head`: one line on stderr, no traceback, no process left."""
    with subprocess.Popen(
        [*COMMAND, '--folder', 'out', *ONE_SECOND],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.readline()
        process.stdout.close()

        assert process.stderr.read() == 'firefighter demo: [Errno 32] Broken pipe\n'
    assert process.returncode == 1


def test_an_endpoint_that_cannot_start_is_reported(tmp_path, monkeypatch, capsys):
    """The child's own words, and that it was the child."""
    monkeypatch.setattr(performance, 'STREAM', 'no such name!')

    status = main(['demo', '--folder', str(tmp_path / 'out'), *ONE_SECOND])

    output = capsys.readouterr()
    assert status == 1
    assert 'the local endpoint: firefighter local: ' in output.out
    assert output.err == 'firefighter demo: the local endpoint ended with status 2\n'


@pytest.mark.parametrize('library', ['aiohttp', 'rich'])
def test_without_the_extra_it_says_what_to_install(tmp_path, library):
    """One line that can be copied, no traceback, and nothing made."""
    program = f"""
import sys
sys.modules[{library!r}] = None
from firefighter.cli.main import main
sys.exit(main(['demo']))
"""
    finished = subprocess.run(
        [sys.executable, '-c', program], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert finished.returncode == 2
    assert finished.stderr == (f"firefighter demo: needs {library}: pip install 'firefighter[demo]'\n")
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_refused(tmp_path, capsys):
    """Events of an earlier run would make the account wrong."""
    (tmp_path / 'earlier').touch()

    assert main(['demo', '--folder', str(tmp_path)]) == 2
    assert (
        capsys.readouterr().err == f'firefighter demo: cannot deliver into {tmp_path}: Directory not empty\n'
    )


def test_a_place_that_is_no_folder_is_refused(tmp_path, capsys):
    """In one line, whatever it is that is in the way."""
    (tmp_path / 'file').touch()

    assert main(['demo', '--folder', str(tmp_path / 'file')]) == 2
    assert capsys.readouterr().err.startswith(f'firefighter demo: cannot deliver into {tmp_path / "file"}: ')


@pytest.mark.parametrize(
    'words', [['--workers', '0'], ['--seconds', '-1'], ['--rate', 'inf'], ['--rate', 'nan']]
)
def test_numbers_that_make_no_demo_are_refused(words, capsys):
    """Before anything starts."""
    with pytest.raises(SystemExit) as error:
        main(['demo', *words])

    assert error.value.code == 2
    assert words[0] in capsys.readouterr().err
