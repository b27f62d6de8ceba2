"""Does `firefighter spool` show and clear up what is there, for people, for jq, and for scripts?"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from firefighter.cli.main import main
from firefighter.cli.spool import EXPECTED
from spool_files import WrittenProducer, deny, line

RUN = [
    sys.executable,
    '-W',
    'error',
    '-c',
    'import sys; from firefighter.cli.main import main; sys.exit(main())',
    'spool',
]
OTHER_BOOT = bytes(range(1, 17))


@pytest.fixture(autouse=True)
def _buffered(monkeypatch):
    """A program in a pipe buffers what it writes, unless it takes care."""
    monkeypatch.delenv('PYTHONUNBUFFERED', raising=False)


@pytest.fixture
def spool_dir(tmp_path):
    return (tmp_path / 'spool').resolve()


@pytest.fixture
def alive(spool_dir):
    """A producer at work: one event settled, two waiting."""
    spool_dir.mkdir()
    producer = WrittenProducer(spool_dir, 'bar')
    producer.segment(line('settled'), line('a'), line('b')).settle(len(line('settled')))
    yield producer
    producer.die()


@pytest.fixture
def dead(spool_dir, alive):
    """A producer that died, and the machine after it: its second line is torn."""
    producer = WrittenProducer(spool_dir, 'foo')
    producer.segment(line('c'), line('d'), line('e'), boot=OTHER_BOOT).damage(len(line('c')) + 3, b'\0')
    producer.die()
    return producer


@pytest.fixture
def newer(spool_dir, alive):
    """A dead producer of a version that does not exist yet."""
    producer = WrittenProducer(spool_dir, 'later')
    producer.segment(line('f'), version=2)
    producer.die()
    return producer


@pytest.fixture
def rows(capsys):
    """Run a command and return its status and its lines of JSON, by producer."""

    def rows(*words):
        status = main(['spool', *map(str, words), '--json'])
        found = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
        return status, {row['producer']: row for row in found}

    return rows


def test_ls_shows_who_has_what_to_deliver(rows, spool_dir, alive, dead, newer):
    """Alive or dead; events and bytes that wait; when the oldest was logged; what is torn or newer."""
    status, found = rows('ls', spool_dir)
    assert status == 0
    assert found.keys() == {alive.id, dead.id, newer.id}
    row = found[alive.id]
    assert (row['stream'], row['state'], row['events'], row['torn_bytes']) == ('bar', 'alive', 2, 0)
    assert row['bytes'] == len(line('a') + line('b'))
    assert row['oldest'] == '2026-01-01T12:00:00.000000Z'
    assert row['destination'] == {'stream': 'bar', 'region': 'eu-west-1'}
    row = found[dead.id]
    assert (row['stream'], row['state'], row['events'], row['bytes']) == (
        'foo',
        'dead',
        2,
        2 * len(line('c')),
    )
    assert row['torn_bytes'] == len(line('d')) - 1
    row = found[newer.id]
    assert (row['stream'], row['events'], row['newer_segments']) == (None, 0, 1)


def test_ls_takes_the_oldest_of_all_segments(rows, spool_dir, alive):
    """And adds up what they have."""
    alive.segment(line('x', '2026-01-01T13:00:00.000000Z'), first=3)
    _, found = rows('ls', spool_dir)
    row = found[alive.id]
    assert (row['events'], row['oldest']) == (3, '2026-01-01T12:00:00.000000Z')


def test_ls_is_a_table_for_people(capsys, spool_dir, alive, dead):
    """One line for each producer, under titles."""
    assert main(['spool', 'ls', str(spool_dir)]) == 0
    titles, *lines = capsys.readouterr().out.splitlines()
    assert titles.split() == [
        'STREAM', 'PRODUCER', 'STATE', 'EVENTS', 'BYTES', 'TORN', 'OLDEST', 'PID', 'PROGRAM',
    ]  # fmt: skip
    assert {text.split()[1] for text in lines} == {alive.id, dead.id}


def test_cat_writes_the_events_that_wait_as_they_are_in_the_files(capfdbinary, spool_dir, alive, dead, newer):
    """Lines of JSON on standard output; what is left out is named on the other one."""
    assert main(['spool', 'cat', str(spool_dir)]) == 1
    out, err = capfdbinary.readouterr()
    assert sorted(out.splitlines(keepends=True)) == [line(text) for text in 'abce']
    assert b'belong to no whole event' in err
    assert b'of version 2' in err


def test_on_a_terminal_cat_writes_nothing_that_commands_it(spool_dir, dead):
    """An event may hold what a client has sent. Into a pipe it goes as it is."""
    odd = '{"message":"a\x1b[2Jb\x9bc\x7fd\u202ee\u00e9"}'
    dead.segment(odd.encode() + b'\n', first=9)
    words = [sys.executable, '-m', 'firefighter', 'spool', 'cat', str(spool_dir)]
    piped = subprocess.run(words, capture_output=True, check=False).stdout
    assert odd.encode() in piped
    screen, terminal = os.openpty()
    done = subprocess.run(words, stdout=terminal, check=False, stderr=subprocess.DEVNULL)
    os.close(terminal)
    shown = os.read(screen, 100_000).decode()
    os.close(screen)
    assert done.returncode in {0, 1}
    assert r'{"message":"a\x1b[2Jb\x9bc\x7fd\u202eeé"}' in shown


def test_cat_changes_nothing(spool_dir, alive, dead, capfdbinary):
    """Neither heads, nor locks, nor files."""
    before = {path: path.read_bytes() for path in spool_dir.rglob('*') if path.is_file()}
    main(['spool', 'cat', str(spool_dir)])
    assert {path: path.read_bytes() for path in spool_dir.rglob('*') if path.is_file()} == before
    assert alive.directory.is_held()


@pytest.fixture
def following(spool_dir, alive):
    """Start `cat -f`; however the test ends, it ends too."""
    with subprocess.Popen(
        [*RUN, 'cat', '-f', spool_dir], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        yield command
        command.kill()


def test_cat_follows_a_live_producer_until_it_is_interrupted(following, alive):
    """What is committed comes out at once, for the next program in the pipe."""
    assert following.stdout.readline() == line('a')
    assert following.stdout.readline() == line('b')
    alive.segment(line('new'), first=3)
    assert following.stdout.readline() == line('new')
    following.send_signal(signal.SIGINT)
    assert following.communicate(timeout=20) == (b'', b'')
    assert following.returncode == 130


@pytest.mark.parametrize('action', ['verify', 'purge'])
def test_what_answers_by_its_status_is_no_success_when_nobody_reads_what_it_says(spool_dir, dead, action):
    """`firefighter spool verify DIR | true`."""
    with subprocess.Popen(
        [*RUN, action, spool_dir], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        command.stdout.close()
        command.stderr.read()
    assert command.returncode == 1


@pytest.mark.parametrize('action', ['ls', 'cat', 'verify', 'purge', 'replay'])
def test_an_empty_directory_is_not_the_working_directory(capsys, spool_dir, alive, monkeypatch, action):
    """`firefighter spool purge --yes "$SPOOL"`, where it is not set."""
    monkeypatch.chdir(spool_dir)
    with pytest.raises(SystemExit, match='2'):
        main(['spool', action, ''])
    assert 'empty; name it' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('option', 'value'),
    [
        ('--patience', 'nan'),
        ('--patience', '-1'),
        ('--patience', '0'),
        ('--max-aggregated-events', '0'),
        ('--patience', 'long'),
    ],
)
def test_a_number_that_makes_no_sense_is_refused_in_words(capsys, spool_dir, option, value):
    """Not by the name of a function."""
    with pytest.raises(SystemExit, match='2'):
        main(['spool', 'replay', str(spool_dir), f'{option}={value}'])
    assert f'argument {option}: {value!r} is no ' in capsys.readouterr().err


def test_cat_ends_quietly_when_its_reader_has_seen_enough(spool_dir, alive):
    """`firefighter spool cat DIR | head -1`."""
    for first in range(3, 60):
        alive.segment(*[line('x' * 50) for _ in range(30)], first=first)
    with subprocess.Popen(
        [*RUN, 'cat', spool_dir], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        command.stdout.readline()
        command.stdout.close()
        assert command.stderr.read() == b''
    assert command.returncode == 0


def test_verify_says_of_each_segment_how_it_is(rows, spool_dir, alive, dead, newer):
    """What is torn makes the exit status 1."""
    status, found = rows('verify', spool_dir)
    assert status == 1
    assert found[alive.id]['state'] == 'good'
    assert found[dead.id]['state'] == 'torn'
    assert found[dead.id]['torn_bytes'] == len(line('d')) - 1
    assert 'version 2' in found[newer.id]['state']


def test_verify_finds_nothing_wrong_with_what_can_all_be_delivered(rows, spool_dir, alive, newer):
    """An older boot and a newer version are no damage."""
    producer = WrittenProducer(spool_dir, 'foo')
    producer.segment(line('c'), boot=OTHER_BOOT)
    producer.die()
    status, found = rows('verify', spool_dir)
    assert status == 0
    assert found[producer.id]['state'] == 'good, as far as can be seen'


def test_verify_fails_for_what_is_no_segment_or_cannot_be_read(capsys, spool_dir, alive):
    """Each is named."""
    nonsense, link = alive.path / f'{8:016x}.spool', alive.path / f'{9:016x}.spool'
    nonsense.write_bytes(bytes(8192))
    assert main(['spool', 'verify', str(spool_dir)]) == 1
    assert 'never finished' in capsys.readouterr().out
    nonsense.unlink()
    assert main(['spool', 'verify', str(spool_dir)]) == 0
    link.symlink_to(spool_dir)
    assert main(['spool', 'verify', str(spool_dir)]) == 1
    assert link.name in capsys.readouterr().err


def test_of_a_live_producer_nothing_is_called_torn(rows, spool_dir, alive):
    """It alone knows; perhaps its last store has not arrived here."""
    alive.segment(line('x'), first=3).damage(2, b'\0')
    assert main(['spool', 'verify', str(spool_dir)]) == 0


@pytest.fixture
def answer(monkeypatch):
    """Type an answer."""

    def answer(text):
        monkeypatch.setattr(sys, 'stdin', io.StringIO(text))

    return answer


@pytest.mark.parametrize('text', ['', '\n', 'no\n', 'y\n'])
def test_purge_asks_and_takes_anything_but_yes_for_no(capsys, answer, spool_dir, dead, text):
    """It says what would be lost, and then that nothing was: a script that answers `y` must not go on."""
    answer(text)
    assert main(['spool', 'purge', str(spool_dir)]) == 1
    out = capsys.readouterr().out
    assert '2 undelivered events' in out
    assert str(dead.path) in out
    assert dead.path.exists()


def test_purge_deletes_what_dead_producers_left(capsys, answer, spool_dir, alive, dead):
    """Not what is alive."""
    answer('yes\n')
    assert main(['spool', 'purge', str(spool_dir)]) == 0
    assert not dead.path.exists()
    assert alive.path.exists()


def test_purge_leaves_a_newer_version_unless_it_is_named(capsys, spool_dir, dead, newer):
    """With --yes too; it says so."""
    assert main(['spool', 'purge', '--yes', str(spool_dir)]) == 1
    assert newer.path.exists()
    assert not dead.path.exists()
    assert newer.id in capsys.readouterr().err
    assert main(['spool', 'purge', '--yes', str(spool_dir), newer.id]) == 0
    assert not newer.path.exists()


def test_purge_refuses_what_is_alive_or_unknown_though_it_is_named(capsys, spool_dir, alive, dead):
    """It touches nothing else, and does the rest of what it was told."""
    assert main(['spool', 'purge', '--yes', str(spool_dir), alive.id]) == 1
    assert main(['spool', 'purge', '--yes', str(spool_dir), 'f' * 32]) == 1
    assert alive.directory.is_held()
    assert dead.path.exists()
    assert main(['spool', 'purge', '--yes', str(spool_dir), 'f' * 32, dead.id]) == 1
    assert not dead.path.exists()
    err = capsys.readouterr().err
    assert 'in use' in err
    assert 'no such producer' in err


def test_purge_with_nothing_to_delete_asks_nothing(capsys, spool_dir, alive):
    """There is no question that a script would hang at."""
    assert main(['spool', 'purge', str(spool_dir)]) == 0


@pytest.mark.parametrize('action', ['ls', 'cat', 'verify', 'purge', 'replay'])
def test_what_may_not_be_looked_into_is_said_and_no_success(capsys, monkeypatch, spool_dir, action):
    """As another user: nobody knows whether all is delivered."""
    (spool_dir / '1').mkdir(parents=True)
    deny(monkeypatch, '1')
    assert main(['spool', action, str(spool_dir)]) == 1
    assert f'{spool_dir / "1"}: Permission denied' in capsys.readouterr().err


@pytest.mark.parametrize('action', ['ls', 'cat', 'verify', 'purge'])
def test_a_directory_that_is_not_there_is_an_error(capsys, tmp_path, action):
    """A typing error is no empty spool."""
    assert main(['spool', action, str(tmp_path / 'missing')]) == 2
    assert f'missing: No such file or directory; {EXPECTED}' in capsys.readouterr().err


@pytest.mark.parametrize('action', ['ls', 'cat', 'verify', 'purge', 'replay'])
def test_what_is_no_spool_directory_is_said_with_what_was_expected(capsys, tmp_path, action):
    """A file, or a folder with other things in it: the events wait somewhere else."""
    (tmp_path / 'photos' / '2026' / '11').mkdir(parents=True)
    (tmp_path / 'photos' / 'file').touch()
    for directory in (tmp_path / 'photos', tmp_path / 'photos' / 'file'):
        assert main(['spool', action, str(directory)]) == 2
        printed = capsys.readouterr()
        assert printed.out == ''
        assert printed.err.startswith(f'firefighter spool: {directory}: ')
        assert printed.err.endswith(f'; {EXPECTED}\n')
        assert printed.err.count('\n') == 1


@pytest.mark.parametrize('action', ['ls', 'cat', 'verify', 'purge', 'replay'])
def test_one_directory_too_high_is_answered_with_the_spool_directories_in_it(
    capsys, tmp_path, spool_dir, dead, action
):
    """What is in them is not shown, as if it were one: whoever purges names it."""
    shutil.copytree(spool_dir, tmp_path / 'too', symlinks=True)
    (tmp_path / 'photos' / '2026').mkdir(parents=True)
    assert main(['spool', action, str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ''
    both = f'give {spool_dir} or {tmp_path / "too"}'
    assert printed.err == f'firefighter spool: {tmp_path}: no handler has had a spool here; {both}\n'


@pytest.mark.parametrize('action', ['ls', 'cat', 'verify', 'purge', 'replay'])
def test_a_directory_named_like_a_producers_makes_no_spool_directory(capsys, tmp_path, action):
    """As /var/log has one, the machine's journal."""
    (tmp_path / 'journal' / ('5f' * 16)).mkdir(parents=True)
    (tmp_path / 'journal' / ('5f' * 16) / 'system.journal').touch()
    for directory in (tmp_path, tmp_path / 'journal'):
        assert main(['spool', action, str(directory)]) == 2
        assert capsys.readouterr().err.endswith(f'no handler has had a spool here; {EXPECTED}\n')


@pytest.mark.parametrize('action', ['ls', 'cat', 'verify', 'purge', 'replay'])
def test_an_empty_directory_may_be_a_spool_directory_of_tomorrow(capsys, tmp_path, action):
    """No failure, as in a script before the program's first start; but a typing error can be seen."""
    assert main(['spool', action, str(tmp_path)]) == 0
    assert capsys.readouterr().err == (
        f'firefighter spool: {tmp_path}: it is empty, and no handler has had a spool here; {EXPECTED}\n'
    )


@pytest.mark.parametrize('action', ['ls', 'cat', 'verify', 'purge', 'replay'])
def test_a_spool_directory_from_which_all_is_delivered_is_one(capsys, spool_dir, dead, alive, action):
    """Nothing is complained of: at whatever level, and where only root's preparation is there."""
    main(['spool', 'purge', '--yes', str(dead.path)])
    alive.die()
    main(['spool', 'purge', '--yes', str(alive.path)])
    capsys.readouterr()
    for directory in (spool_dir, alive.path.parents[1], alive.path.parent):
        assert main(['spool', action, str(directory)]) == 0
        assert capsys.readouterr().err == ''
    prepared = spool_dir / 'shared'
    (prepared / str(os.getuid())).mkdir(parents=True)
    assert main(['spool', action, str(prepared)]) == 0
    assert capsys.readouterr().err == ''


def test_following_waits_for_a_spool_that_is_not_there_yet(spool_dir):
    """But says so first."""
    (spool_dir / 'other').mkdir(parents=True)
    with subprocess.Popen([*RUN, 'cat', '-f', spool_dir], stderr=subprocess.PIPE, text=True) as command:
        try:
            assert 'no handler has had a spool here' in command.stderr.readline()
            command.send_signal(signal.SIGINT)
            assert command.stderr.read() == ''
        finally:
            command.kill()
    assert command.returncode == 130


CLOSED = ['sh', '-c', 'exec "$@" >&- <&-', 'sh']


@pytest.mark.parametrize(
    'words',
    [
        ['ls'],
        ['ls', '--json'],
        ['cat'],
        ['verify'],
        ['verify', '--json'],
        ['purge', '--yes'],
        ['replay', '--yes'],
    ],
)
def test_a_closed_stdout_is_like_a_full_disk(spool_dir, alive, words):
    """`firefighter spool ls DIR >&-`: nobody has seen the result, and no file of the spool gets the number of stdout."""
    before = {path: path.read_bytes() for path in spool_dir.rglob('*') if path.is_file()}
    done = subprocess.run([*CLOSED, *RUN, *words, spool_dir], stderr=subprocess.PIPE, check=False, timeout=50)
    assert (done.returncode, done.stderr) == (1, b'firefighter spool: output: Bad file descriptor\n')
    assert {path: path.read_bytes() for path in spool_dir.rglob('*') if path.is_file()} == before


def test_without_stdin_nobody_has_answered(spool_dir, dead):
    """It says what to give instead, and deletes nothing."""
    command = ['sh', '-c', 'exec "$@" <&-', 'sh', *RUN, 'purge', spool_dir]
    done = subprocess.run(command, capture_output=True, check=False, timeout=50)
    assert done.returncode == 1
    assert (
        done.stderr
        == b'firefighter spool: nobody is there to answer: where it runs without a terminal, give --yes\n'
    )
    assert dead.path.exists()


@pytest.mark.parametrize(
    'words', [['ls'], ['ls', '--json'], ['verify', '--json'], ['purge'], ['replay', '--yes']]
)
def test_a_reader_that_has_seen_enough_costs_no_traceback(spool_dir, alive, words):
    """`firefighter spool ls DIR | head -1`."""
    with subprocess.Popen(
        [*RUN, *words, spool_dir], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        command.stdout.close()
        assert command.stderr.read() == b''
    assert command.returncode == int(words[0] != 'ls')
