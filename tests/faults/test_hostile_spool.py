"""`firefighter spool` on a directory that others may write to, or that a broken disk has left: real files, real processes."""

from __future__ import annotations

import json
import os
import pty
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import lock_dead_producers
from firefighter.cli.main import main
from firefighter.local import LocalFirehose
from spool_files import WrittenProducer, line

# Of processes and file systems, not of a Python.
pytestmark = pytest.mark.once

DEADLINE_SECONDS = 60
JOURNAL = 'a' * 32
SOMEBODY = 12345

# Everything is imported before the user changes: whose the interpreter's own files are does not matter here.
PROGRAM = """
import contextlib, encodings.unicode_escape, fcntl, hashlib, io, os, resource, sys
import firefighter.cli.audit
from firefighter.cli.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    main(['spool', 'ls', os.devnull])
uid, most_bytes = int(sys.argv.pop(1)), int(sys.argv.pop(1))
if uid != os.geteuid():
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
if most_bytes:
    resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
sys.exit(main())
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason='only root can act for several users')


def command(action, *words, uid=None, most_bytes=0):
    uid = os.geteuid() if uid is None else uid
    actions = [action] if action == 'audit' else ['spool', action]
    return [sys.executable, '-c', PROGRAM, str(uid), str(most_bytes), *actions, *map(str, words)]


def run(*words, answer='', uid=None, most_bytes=0, **options):
    done = subprocess.run(
        command(*words, uid=uid, most_bytes=most_bytes),
        input=answer.encode(),
        capture_output=True,
        timeout=DEADLINE_SECONDS,
        check=False,
        **options,
    )
    assert b'Traceback' not in done.stderr, done.stderr.decode(errors='replace')
    return done


@pytest.fixture
def place():
    """A directory that any user can get to, as a volume's is."""
    path = Path(tempfile.mkdtemp(prefix='firefighter-')).resolve()
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def spool_dir(place):
    path = place / 'spool'
    path.mkdir()
    return path


@pytest.fixture
def make_dead(spool_dir):
    """Make a producer that has died with ten events."""

    def make(stream='bar', where=spool_dir):
        producer = WrittenProducer(where, stream)
        producer.segment(*[line(f'{number}') for number in range(10)])
        producer.die()
        return producer

    return make


def give(path, uid):
    """Make all of it another user's."""
    for entry in (path, *path.rglob('*')):
        os.chown(entry, uid, uid, follow_symlinks=False)


# What purge may delete.


@pytest.mark.parametrize('content', ['system.journal', 'alive'])
def test_a_directory_that_is_only_named_like_a_producer_is_never_deleted(spool_dir, make_dead, content):
    """A machine's journal; it is said, with --yes and by name too."""
    dead = make_dead()
    journal = spool_dir / JOURNAL
    journal.mkdir(mode=0o750)
    (journal / content).write_bytes(b'somebody else needs this')
    done = run('purge', '--yes', spool_dir)
    assert not dead.path.exists()
    assert f'{journal}: no producer of ours'.encode() in done.stderr
    assert run('purge', '--yes', spool_dir, JOURNAL).returncode == 1
    assert (journal / content).read_bytes() == b'somebody else needs this'
    assert stat.S_IMODE(journal.stat().st_mode) == 0o750


def test_what_others_have_put_into_a_producer_stays_and_is_named(spool_dir, make_dead):
    """And then the directory does, and the exit status says so."""
    dead = make_dead()
    (dead.path / 'notes.txt').write_text('mine')
    done = run('purge', '--yes', spool_dir)
    assert done.returncode == 1
    assert f'{dead.path / "notes.txt"}: '.encode() in done.stderr
    assert (dead.path / 'notes.txt').read_text() == 'mine'
    assert not list(dead.path.glob('*.spool'))


def asked(*words, uid=None):
    """Start a purge, and return it when its question is there."""
    process = subprocess.Popen(
        command('purge', *words, uid=uid),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    question = b''
    while b'Type yes' not in question:
        piece = os.read(process.stdout.fileno(), 65536)
        assert piece, process.communicate()
        question += piece
    return process


def answered(process):
    out, err = process.communicate(b'yes\n', timeout=DEADLINE_SECONDS)
    assert b'Traceback' not in err, err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.mark.parametrize('kind', ['link', 'directory'])
@pytest.mark.parametrize('level', [0, 1, 2])
def test_what_takes_the_place_of_a_directory_while_the_question_is_read_is_not_deleted(
    place, spool_dir, make_dead, level, kind
):
    """Of the producer's own, or of any above it; a producer of ours too: it is not the one that was asked about."""
    dead = make_dead()
    victim_dir = place / 'victim'
    victim_dir.mkdir()
    victim = make_dead(where=victim_dir)
    victim.path.rename(victim.path.with_name(dead.id))
    process = asked(spool_dir)
    ways = [[path, *path.parents] for path in (dead.path, victim.path.with_name(dead.id))]
    there, victims = ways[0][level], ways[1][level]
    there.rename(place / 'aside')
    if kind == 'link':
        there.symlink_to(victims)
    else:
        victims.rename(there)
    done = answered(process)
    assert (done.returncode, b'0 of 1 producers deleted' in done.stdout) == (1, True), done.stderr
    assert len(list((victims if kind == 'link' else there).rglob('*.spool'))) == 1
    assert len(list((place / 'aside').rglob('*.spool'))) == 1


@as_root
@pytest.mark.parametrize('fake', [True, False])
def test_the_owner_of_the_directory_cannot_have_root_delete_something_else(place, spool_dir, make_dead, fake):
    """He swaps what is root's in it for a link to what is root's elsewhere; or shows something of his own first."""
    victim_dir = place / 'victim'
    victim_dir.mkdir()
    victim, dead = make_dead(where=victim_dir), make_dead()
    dead.path.rename(dead.path.with_name(victim.id))
    os.chown(spool_dir, SOMEBODY, SOMEBODY)
    if fake:
        give(spool_dir, SOMEBODY)
        done = run('purge', '--yes', spool_dir)
        assert b'belongs to uid 12345' in done.stderr
    else:
        process = asked(spool_dir)
        attack = f'mv {spool_dir}/0 {spool_dir}/aside && ln -s {victim_dir}/0 {spool_dir}/0'
        subprocess.run(['/bin/sh', '-c', attack], user=SOMEBODY, group=SOMEBODY, check=True)
        done = answered(process)
        assert b'something else has its place' in done.stderr
    assert done.returncode == 1
    assert len(list(victim_dir.rglob('*.spool'))) == 1


@as_root
def test_root_is_told_whose_the_dead_of_others_are(spool_dir, make_dead):
    """Each user purges his own: nothing is touched."""
    dead = make_dead()
    give(spool_dir, SOMEBODY)
    done = run('purge', '--yes', spool_dir)
    assert done.returncode == 1
    assert b'belongs to uid 12345' in done.stderr
    assert sorted(path.name for path in dead.path.iterdir()) == [
        f'{0:016x}.spool',
        'alive',
        'producer.json',
        'reader',
    ]
    done = run('purge', '--yes', spool_dir, uid=SOMEBODY)
    assert (done.returncode, done.stdout) == (0, b'1 of 1 producers deleted.\n')


def test_one_that_is_taken_over_while_the_question_is_read_is_left(spool_dir, make_dead):
    """Its events are being delivered."""
    dead = make_dead()
    process = asked(spool_dir)
    (adopted,) = lock_dead_producers(spool_dir, Destination('bar', region='eu-west-1'))
    done = answered(process)
    assert done.returncode == 1
    assert b'in use' in done.stderr
    assert list(dead.path.glob('*.spool'))
    adopted.release()


@pytest.mark.parametrize(
    'answer', ['y\n', 'no\n', '\n', '', '\udcff\n'.encode('utf-8', 'surrogateescape').decode('latin-1')]
)
def test_an_answer_that_is_not_yes_deletes_nothing_and_that_is_said(spool_dir, make_dead, answer):
    """Whoever types `y`, or scripts it, must not believe that it is done."""
    dead = make_dead()
    done = run('purge', spool_dir, answer=answer)
    assert done.returncode == 1
    assert b'The answer is not yes: nothing was deleted.' in done.stdout
    assert list(dead.path.glob('*.spool'))


def test_what_was_done_is_said(spool_dir, make_dead):
    """Also where there was nothing to do."""
    make_dead()
    make_dead('foo')
    done = run('purge', spool_dir, answer='yes\n')
    assert done.returncode == 0
    assert b'2 of 2 producers deleted.' in done.stdout
    done = run('purge', spool_dir)
    assert (done.returncode, done.stdout) == (0, b'There is nothing to delete.\n')


@pytest.mark.parametrize('named', ['itself', 'dot', 'link'])
def test_one_producer_is_deleted_where_its_own_directory_is_named(place, make_dead, named):
    """By its path, from within, and by a link, which is whose it is who types it."""
    dead, other = make_dead(), make_dead()
    (place / 'link').symlink_to(dead.path)
    directory = {'itself': dead.path, 'dot': '.', 'link': place / 'link'}[named]
    done = run('purge', '--yes', directory, cwd=dead.path)
    assert (done.returncode, done.stdout) == (0, b'1 of 1 producers deleted.\n'), done.stderr
    assert not dead.path.exists()
    assert other.path.exists()


def test_a_link_to_a_spool_directory_is_followed_where_it_was_typed(place, spool_dir, make_dead):
    """And nowhere below."""
    dead = make_dead()
    (place / 'link').symlink_to(spool_dir)
    assert dead.id.encode() in run('ls', place / 'link').stdout
    (spool_dir / 'loop').symlink_to(spool_dir)
    assert run('ls', place / 'link').stdout.count(dead.id.encode()) == 1


# Names.

HOSTILE = b'\x1b[2J\x1b]0;owned\x07\r\n\xff\xe2\x80\xae' + b'x' * 150


@pytest.fixture
def hostile(spool_dir, make_dead):
    """A dead producer in a directory with a name that does things to a terminal, and other names like it."""
    dead = make_dead()
    named = spool_dir / os.fsdecode(HOSTILE)
    dead.path.parents[1].rename(named)
    producer = named / dead.path.parent.name / dead.id
    (named / ('f' * 32)).mkdir()
    os.mkfifo(producer / os.fsdecode(HOSTILE + b'.spool'))
    about = {'program': HOSTILE.decode('latin-1') * 100, 'pid': '\x1b[2J', 'host': None}
    (producer / 'producer.json').write_text(json.dumps(about))
    return producer


def is_harmless(output):
    text = output.decode()
    assert all(character.isprintable() for character in text.replace('\n', '')), text


@pytest.mark.parametrize('encoding', ['utf-8', 'ascii:strict'])
@pytest.mark.parametrize('action', ['ls', 'verify', 'replay', 'purge', 'cat'])
def test_names_do_nothing_to_a_terminal(hostile, spool_dir, action, encoding):
    """In tables, in the question, in what is complained of; and none ends in a traceback, in whatever encoding."""
    environment = os.environ | {'PYTHONIOENCODING': encoding}
    done = run(action, spool_dir, env=environment)
    is_harmless(done.stdout)
    is_harmless(done.stderr)
    if action == 'purge':
        assert b'\\x1b[2J' in done.stdout
        assert len(done.stdout.splitlines()) == 4, (
            'the question, the directory, the prompt, and what was done'
        )


def test_names_do_nothing_to_a_terminal_that_is_one(hostile, spool_dir):
    """The question on a pseudo-terminal, and its answer."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command('purge', spool_dir), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    out = b''
    while b'Type yes to delete them: ' not in out:
        out += os.read(ours, 65536)
    os.write(ours, b'yes\n')
    with suppress(OSError):  # what a pseudo-terminal says when its other end is closed
        while piece := os.read(ours, 65536):
            out += piece
    os.close(ours)
    assert process.wait(DEADLINE_SECONDS) == 1
    is_harmless(out.replace(b'\r\n', b'\n'))
    assert b'0 of 1 producers deleted.' in out
    assert list(hostile.iterdir())


# What there may be instead of files, and of sizes.


@pytest.mark.parametrize('action', ['ls', 'cat', 'verify', 'purge'])
def test_files_of_impossible_sizes_cost_only_themselves(spool_dir, make_dead, action):
    """A corrupt inode's 400 GiB, holes below 4 GiB, a `producer.json` of gigabytes: in bounded memory, the rest is shown."""
    dead, broken, other = make_dead(), make_dead('broken'), make_dead('foo')
    for number, size in enumerate((400 << 30, (1 << 32) - 1, 1 << 31), 16):
        path = broken.path / f'{number:016x}.spool'
        path.write_bytes((broken.path / f'{0:016x}.spool').read_bytes())
        os.truncate(path, size)
    claims = WrittenProducer(spool_dir, 'claims')
    claims.die()
    os.truncate(claims.segment(line('x'), size_bytes=(1 << 32) - 4096).path, (1 << 32) - 4096)
    for name in ('producer.json', '../destination.json'):
        os.truncate(broken.path / name, 8 << 30)
    words = ['--json'] if action in {'ls', 'verify'} else ['--yes'] if action == 'purge' else []
    done = run(action, *words, spool_dir, most_bytes=1 << 30)
    if action == 'ls':
        rows = [json.loads(text) for text in done.stdout.splitlines()]
        assert sorted((row['producer'], row['events']) for row in rows) == sorted(
            [(dead.id, 10), (broken.id, 10), (other.id, 10), (claims.id, 0)]
        )
    elif action == 'cat':
        assert len(done.stdout.splitlines()) == 30
        assert done.stderr.count(b'bytes are no segment') == 4
    elif action == 'verify':
        rows = [json.loads(text) for text in done.stdout.splitlines()]
        assert [row['state'] for row in rows].count('good') == 3
        assert (len(rows), done.returncode) == (3, 1)
        assert done.stderr.count(b'bytes are no segment') == 4
    else:
        assert done.stdout == b'4 of 4 producers deleted.\n'
        assert not list(spool_dir.rglob('*.spool'))


def pipe(path):
    os.mkfifo(path)


def socket(path):
    os.mknod(path, stat.S_IFSOCK | 0o600)


def zero(path):
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))


def link(path):
    path.symlink_to('/dev/zero')


def loop(path):
    path.symlink_to(path.name)


def directory(path):
    path.mkdir()


KINDS = [pipe, socket, pytest.param(zero, marks=as_root), link, loop, directory]
NAMES = [
    'alive',
    'reader',
    'producer.json',
    '../destination.json',
    '../quarantine',
    f'{0:016x}.spool',
    f'{1:016x}.spool',
]


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('kind', KINDS)
def test_what_is_in_the_place_of_a_file_hides_nothing_else(spool_dir, make_dead, kind, name, capsys):
    """No hang, no traceback; the other producer is shown and deleted, and what is strange stays."""
    strange, good = make_dead('strange'), make_dead()
    path = strange.path / name
    path.unlink(missing_ok=True)
    kind(path)
    for action in ('ls', 'verify'):
        main(['spool', action, '--json', str(spool_dir)])
        rows = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
        assert [row['events'] for row in rows if row['producer'] == good.id] == [10]
    status = main(['spool', 'cat', str(spool_dir)])
    out, err = capsys.readouterr()
    assert status == int(bool(err))
    assert len(out.splitlines()) in {10, 20}
    main(['spool', 'purge', '--yes', str(spool_dir)])
    assert not good.path.exists()
    if strange.path.exists():
        assert not stat.S_ISREG(path.lstat().st_mode)


@pytest.mark.parametrize('action', ['ls', 'cat', 'verify', 'purge'])
def test_what_may_not_be_read_hides_nothing_else(place, spool_dir, make_dead, action):
    """A directory that has lost its mode, and a file that has; each is named."""
    shut, half, good = make_dead('shut'), make_dead('half'), make_dead()
    (half.path / f'{0:016x}.spool').chmod(0)
    shut.path.chmod(0)
    uid = os.geteuid()
    if uid == 0:
        give(spool_dir, SOMEBODY)
        uid = SOMEBODY
    words = ['--yes'] if action == 'purge' else []
    done = run(action, *words, spool_dir, uid=uid)
    assert shut.id.encode() in done.stderr
    shut.path.chmod(0o700)
    if action == 'purge':
        assert not good.path.exists()
        assert not half.path.exists()
    elif action == 'cat':
        assert len(done.stdout.splitlines()) == 10
    else:
        assert good.id.encode() in done.stdout
    if action in {'cat', 'verify'}:
        assert f'{half.id}/{0:016x}.spool: Permission denied'.encode() in done.stderr


def test_ten_thousand_entries_are_no_trouble(spool_dir, make_dead):
    """Beside a producer, and in it."""
    good = make_dead()
    for number in range(5_000):
        (good.path / f'{number}.txt').touch()
        (good.path.parent / f'{number:032x}').mkdir()
    (row,) = [json.loads(text) for text in run('ls', '--json', spool_dir).stdout.splitlines()]
    assert row['events'] == 10
    done = run('purge', '--yes', spool_dir)
    assert done.returncode == 1
    assert done.stderr.count(b'no producer of ours') == 5_000
    assert len(list(good.path.iterdir())) == 5_003


@pytest.mark.parametrize('action', ['ls', 'cat', 'verify', 'replay', 'purge', 'audit'])
@pytest.mark.parametrize('what', ['file', 'pipe', 'loop', 'long', 'shut/inside'])
def test_a_directory_that_is_none_is_said(place, action, what):
    """In one line, whatever it is."""
    path = place / what
    if what == 'file':
        path.touch()
        if action == 'audit':
            pytest.skip('which reads one file too')
    elif what == 'pipe':
        os.mkfifo(path)
    elif what == 'loop':
        loop(path)
    elif what == 'long':
        path = place / ('x' * 300)
    else:
        path.parent.mkdir()
        path.parent.chmod(0)
    done = run(action, path, uid=SOMEBODY if os.geteuid() == 0 else None)
    if what == 'shut/inside':
        path.parent.chmod(0o700)
    # What cannot be looked at may be a spool; what is no directory is none.
    assert done.returncode == (2 if action == 'audit' or what in {'file', 'pipe'} else 1)
    assert done.stdout == b''
    assert len(done.stderr.splitlines()) == 1


def test_output_that_has_no_room_is_said(spool_dir, make_dead):
    """Not by the interpreter, when it is too late for the exit status."""
    make_dead()
    for action in ('ls', 'cat', 'verify'):
        with Path('/dev/full').open('wb') as full:
            done = subprocess.run(
                command(action, spool_dir),
                stdout=full,
                stderr=subprocess.PIPE,
                timeout=DEADLINE_SECONDS,
                check=False,
            )
        assert (done.returncode, done.stderr) == (1, b'firefighter spool: output: No space left on device\n')


# What `ls` shows, `replay` finds.


@pytest.fixture
def endpoint(place):
    with LocalFirehose(place / 'out', streams=['bar']) as endpoint:
        yield endpoint


def replay(spool_dir, endpoint, **options):
    return run('replay', spool_dir, '--endpoint-url', endpoint.url, '--yes', '--patience', '40', **options)


def waiting(spool_dir):
    return sum(json.loads(text)['events'] for text in run('ls', '--json', spool_dir).stdout.splitlines())


@pytest.mark.parametrize('content', [b'', b'{', b'{"stream": "other"}', None])
def test_what_has_no_destination_beside_it_is_found_by_its_segments(spool_dir, make_dead, endpoint, content):
    """A power cut leaves `destination.json` empty."""
    dead = make_dead()
    path = dead.path.parent / 'destination.json'
    path.unlink() if content is None else path.write_bytes(content)
    assert waiting(spool_dir) == 10
    done = replay(spool_dir, endpoint)
    assert (done.returncode, b'bar: 10 events delivered' in done.stdout) == (0, True), done.stderr
    assert waiting(spool_dir) == 0


@pytest.mark.parametrize('level', [1, 2])
def test_what_is_shown_of_a_directory_below_is_delivered_from_there(spool_dir, make_dead, endpoint, level):
    """DIR is a `spool_dir`, or any directory below one."""
    dead = make_dead()
    directory = dead.path.parents[level - 1]
    assert waiting(directory) == 10
    assert replay(directory, endpoint).returncode == 0
    assert waiting(directory) == 0


def test_one_producer_alone_is_refused(spool_dir, make_dead, endpoint):
    """What is delivered is a destination: others' events would go with it."""
    dead = make_dead()
    done = replay(dead.path, endpoint)
    assert done.returncode == 2
    assert b'name the directory above' in done.stderr


def in_another_folder(dead):
    dead.path.parent.rename(dead.path.parent.with_name('by-hand'))


def below_no_uid(dead):
    dead.path.parents[1].rename(dead.path.parents[1].with_name('by-hand'))


def newer(dead):
    dead.segment(line('x'), first=99, version=2)


def with_a_pipe_for_a_lock(dead):
    (dead.path / 'reader').unlink()
    os.mkfifo(dead.path / 'reader')


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        (with_a_pipe_for_a_lock, b'/reader: no regular file'),
        (in_another_folder, b'as the name of its folder has it'),
        (below_no_uid, b'below %d/' % os.geteuid()),
        (newer, b'newer firefighter'),
    ],
)
def test_what_is_left_is_said_with_the_reason(spool_dir, make_dead, endpoint, change, reason):
    """And the exit status is 1 while `ls` still shows events."""
    dead = make_dead()
    change(dead)
    left = waiting(spool_dir)
    assert left
    done = replay(spool_dir, endpoint)
    assert done.returncode == 1
    assert f'{left} events left: '.encode() in done.stderr
    assert reason in done.stderr
    assert b'No dead producer' not in done.stdout
    assert waiting(spool_dir) == left


@as_root
def test_what_others_have_left_is_theirs_to_replay(spool_dir, make_dead, endpoint):
    """Root is told whose it is."""
    make_dead()
    give(spool_dir, SOMEBODY)
    done = replay(spool_dir, endpoint)
    assert done.returncode == 1
    assert b'10 events left: it belongs to uid 12345' in done.stderr


def test_what_is_refused_by_the_answer_is_left(spool_dir, make_dead):
    """It was asked for, and is not done."""
    make_dead()
    done = run('replay', spool_dir, '--endpoint-url', 'http://127.0.0.1:9', answer='y\n')
    assert done.returncode == 1
    assert b'10 events left: the answer is not yes' in done.stderr


def test_strays_in_many_dead_directories_are_no_reason_to_say_that_all_is_done(
    spool_dir, make_dead, endpoint
):
    """Whatever keeps events from delivery: the exit status is 0 only when none is left."""
    for _ in range(16):
        stray = WrittenProducer(spool_dir, 'bar')
        stray.die()
        (stray.path / 'notes.txt').touch()
    make_dead()
    done = replay(spool_dir, endpoint)
    left = waiting(spool_dir)
    assert done.returncode == (1 if left else 0)
    assert (f'{left} events left'.encode() in done.stderr) == bool(left)
