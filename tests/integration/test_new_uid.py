"""A program whose uid is another one after a restart: systemd's DynamicUser, `runAsUser` of Kubernetes. Real users, as root alone can act for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

if sys.platform == 'win32' or os.geteuid() != 0:
    pytest.skip('only root can act for several users', allow_module_level=True)

TESTS = Path(__file__).parents[1]
ENOUGH_SECONDS = 45
BEFORE, AFTER = 23456, 34567
NO_FORK_WARNING = ('-W', 'ignore:This process:DeprecationWarning')

# Everything is imported, by what all of it is needed for, before the user changes: whose the interpreter's own files are does not
# matter here.
PREAMBLE = """
import contextlib, io, json, logging, os, signal, sys, tempfile, encodings.unicode_escape
from pathlib import Path
from doubles import AcceptingClient, DownClient
from firefighter.cli.main import main
from firefighter.logging import FirehoseHandler

uid, spool_dir = int(sys.argv[1]), Path(sys.argv[2])
logger = logging.Logger('foo')

def make(client, **options):
    made = FirehoseHandler('bar', boto3_client=client, **{'spool_dir': spool_dir, 'shutdown_timeout_seconds': 20, **options})
    logger.addHandler(made)
    return made

with tempfile.TemporaryDirectory() as directory:
    handler = make(AcceptingClient(), spool_dir=Path(directory))
    logger.info('', extra={'odd': object()})
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
        for action in 'ls', 'cat', 'replay', 'purge':
            main(['spool', action, directory])
    handler.close()
    logger.removeHandler(handler)
os.setgroups([])
os.setgid(uid)
os.setuid(uid)
"""


@pytest.fixture
def spool_dir():
    """A directory that everybody may write to, as a volume's is."""
    with tempfile.TemporaryDirectory(prefix='firefighter-') as path:
        Path(path).chmod(0o777)
        yield Path(path).resolve()


@pytest.fixture
def run(spool_dir):
    """Run code as a user; return what it printed and what it said."""

    def run_as(uid, code, status=0):
        ended = subprocess.run(
            [
                sys.executable,
                *NO_FORK_WARNING,
                '-c',
                PREAMBLE + textwrap.dedent(code),
                str(uid),
                str(spool_dir),
            ],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(TESTS), *sys.path])},
            capture_output=True,
            text=True,
            timeout=ENOUGH_SECONDS,
            check=False,
        )
        assert ended.returncode == status, ended.stderr
        return ended.stdout, ended.stderr

    return run_as


@pytest.fixture
def left(run, spool_dir):
    """Three events that a program has left, under the uid that it had then; return the directory below that."""
    run(
        BEFORE,
        """
        make(DownClient())
        for number in range(3):
            logger.info(str(number))
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        status=-signal.SIGKILL,
    )
    return spool_dir / str(BEFORE)


def give(directory, uid):
    """Give it all to another user, as systemd does with a StateDirectory whose owner is wrong."""
    for path in [directory, *directory.rglob('*')]:
        os.chown(path, uid, uid)


def tree(directory):
    """Return what is there, and when it was changed last."""
    return {
        str(path): (status.st_uid, status.st_mode, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
        for path in [directory, *directory.rglob('*')]
        for status in [path.lstat()]
    }


DELIVER = """
client = AcceptingClient()
handler = make(client)
logger.info('new')
assert handler.flush()
stats = handler.stats()
assert stats.accepted + stats.adopted == stats.delivered + stats.pending + sum(stats.dropped.values()), stats
print(json.dumps([stats.adopted, stats.last_error, sorted(json.loads(event)['message'] for event in client.events)]))
other = make(client)
logger.info('newer')
assert other.flush()
if not (child := os.fork()):
    logger.info('of a child')
    assert handler.flush()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def test_what_belongs_to_the_new_uid_is_delivered_below_whatever_number_it_lies(run, left):
    """The files are ours now; only the name of a directory is that of before."""
    give(left, AFTER)
    printed, said = run(AFTER, DELIVER)
    assert said == ''
    assert json.loads(printed) == [3, None, ['0', '1', '2', 'new']]
    assert not [*left.rglob('*.spool')]


def test_what_belongs_to_another_uid_is_left_alone_and_one_line_says_so(run, left, spool_dir):
    """Once in a process, however many handlers and children it has; nothing there is read or changed, and it is no error."""
    before = tree(left)
    printed, said = run(AFTER, DELIVER)
    assert json.loads(printed) == [0, None, ['new']]
    (line,) = said.splitlines()
    assert f'{left}: of other users' in line
    assert f'give it to uid {AFTER} (chown -R)' in line
    assert tree(left) == before
    assert (spool_dir / str(AFTER)).stat().st_uid == AFTER


def test_the_command_treats_what_is_ours_alike(run, left):
    """It lists, prints, replays and deletes what lies below another number."""
    give(left, AFTER)
    printed, _ = run(
        AFTER, "main(['spool', 'ls', str(spool_dir), '--json']); main(['spool', 'cat', str(spool_dir)])"
    )
    row, *events = map(json.loads, printed.splitlines())
    assert (row['state'], row['events']) == ('dead', 3)
    assert [event['message'] for event in events] == ['0', '1', '2']
    printed, _ = run(
        AFTER,
        """
        from firefighter.cli import spool_replay
        client = AcceptingClient()
        spool_replay.ClientFactory = type('Factory', (), {
            '__init__': lambda *_: None,
            '__call__': lambda _: client,
            'destination': lambda _, stream: destination,
        })
        from firefighter._spool.disk.inspection import find_producers
        destination = find_producers(spool_dir, None, print)[0].destination()
        status = main(['spool', 'replay', str(spool_dir)])
        print(json.dumps([status, [json.loads(event)['message'] for event in client.events]]))
        """,
    )
    assert json.loads(printed.splitlines()[-1]) == [0, ['0', '1', '2']]


def test_what_is_purged_lies_below_whatever_number(run, left):
    """By its owner too."""
    give(left, AFTER)
    printed, _ = run(AFTER, "print(main(['spool', 'purge', '--yes', str(spool_dir)]))")
    assert printed.splitlines()[-1] == '0'
    assert not [*left.rglob('*.spool')]


def test_a_directory_that_is_called_by_a_number_and_is_no_users_stays_as_it_is(run, left, spool_dir):
    """A year, say; or a link, or a directory of somebody else with a folder that is named like ours."""
    give(left, AFTER)
    year = spool_dir / '2024'
    (year / 'reports').mkdir(parents=True)
    year.chmod(0o755)
    give(year, AFTER)
    folder = next(path for path in left.iterdir())
    (spool_dir / '1').symlink_to(left)
    (spool_dir / '2').mkdir()
    (spool_dir / '2' / folder.name).symlink_to(folder)
    (spool_dir / '3' / folder.name).mkdir(parents=True)
    os.chown(spool_dir / '3' / folder.name, AFTER, AFTER)
    before = {name: tree(spool_dir / name) for name in ('2024', '2', '3')}
    printed, _ = run(AFTER, DELIVER)
    assert json.loads(printed) == [3, None, ['0', '1', '2', 'new']]
    assert {name: tree(spool_dir / name) for name in before} == before
