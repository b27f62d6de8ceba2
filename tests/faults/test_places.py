"""A disk that is ill for a while: new events go to memory and back to files, as often as it takes, and none is lost or doubled.

On the real thing where that can be had: mounts in a namespace of our own, the limits of the process. Where not, `os.open` is
replaced by one that says what such a disk says.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache

import pytest

if sys.platform == 'win32':
    pytest.skip('there is no spool on disk on Windows', allow_module_level=True)

ENOUGH_SECONDS = 50

PREAMBLE = """
import errno, gc, os, resource, shutil, subprocess, sys
from pathlib import Path
from firefighter._spool.destination import Destination
from firefighter._spool.disk import LOOK_INTERVAL_SECONDS, Disk
from firefighter._spool.spool import Spool

BAR = Destination('bar')
place = Path(sys.argv[1])
spool_dir = place / 'spool'
MAX_BYTES = 8 << 20
numbers = iter(range(10**9))
appended, said, now = [], [], 0.0

def mount(*arguments):
    subprocess.run(['mount', *map(str, arguments)], check=True)

def append(count):
    for _ in range(count):
        line = (b'%d ' % next(numbers)).ljust(999, b'x') + b'\\n'
        appended.append(line)
        spool.append(line)

def tidy(*, look=False):
    global now
    now += LOOK_INTERVAL_SECONDS * look
    news = disk.tidy(spool, now)
    if news is not None:
        assert news not in said, 'the same again is no news'
        said.append(news)

def deliver(count=10**6):
    events = spool.take(count, 8 << 20)
    delivered.extend(event.data for event in events)
    spool.acknowledge(events)

def is_ill_and_well_again_and_again(ill, well, reason):
    "Three times, with events waiting all the time; `block` is to wait for nothing."
    for round in range(3):
        append(300)
        tidy()
        assert disk.keeps(spool)
        ill()
        append(700)  # beyond what the segment in use has room for
        tidy()
        assert not disk.keeps(spool), round
        assert reason in said[0] and 'kept in memory' in said[0], said
        append(20)
        tidy(look=True)
        tidy(look=True)
        assert len(said) <= 2, said  # adoption may have met it too
        well()
        tidy()
        append(10)
        assert not disk.keeps(spool)  # files are tried again when it is time to look, not with each event
        tidy(look=True)
        assert 'again, after' in said[-1], said
        assert disk.keeps(spool)
        append(10)
        tidy()
        assert 'again, after' in said[-1], said
        said.clear()
        account = spool.account()
        assert account.dropped == {}, account
        assert account.accepted == account.pending + account.delivered == len(appended)
        deliver(500)
    deliver()
    assert delivered == appended, (len(delivered), len(appended))
    disk.close(spool)
    assert not disk.is_open
    assert [str(path) for path in spool_dir.glob('*/*/*') if path.is_dir()] == []

delivered = []
spool, disk = Spool(MAX_BYTES, 'block', 3600), Disk(spool_dir, BAR, MAX_BYTES, 1 << 30)
"""


@cache
def namespace() -> tuple[str, ...]:
    """Return the command that makes a namespace in which we may mount; empty where there is none."""
    for command in (('unshare', '-m'), ('unshare', '-mr')):
        attempt = [*command, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']
        if (
            shutil.which('unshare')
            and not subprocess.run(attempt, capture_output=True, check=False).returncode
        ):
            return command
    return ()


@pytest.fixture
def run(tmp_path):
    """Run a script in a process of its own, with a directory as its argument."""

    def run_script(script: str, *, mounts: bool = False) -> None:
        if mounts and not namespace():
            pytest.skip('this machine lets us make no namespace (unshare -m)')
        place = tmp_path / 'place'
        place.mkdir()
        done = subprocess.run(
            [*(namespace() if mounts else ()), sys.executable, '-c', PREAMBLE + script, str(place)],
            capture_output=True,
            text=True,
            timeout=ENOUGH_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    return run_script


def test_another_program_fills_the_disk(run):
    """And makes room again."""
    run(
        """
mount('-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', place)
disk.open(spool)
ballast = place / 'ballast'

def ill():
    with open(ballast, 'wb', buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC

is_ill_and_well_again_and_again(ill, ballast.unlink, 'No space left on device')
""",
        mounts=True,
    )


def test_another_program_uses_up_the_inodes(run):
    """There are bytes enough."""
    run(
        """
mount('-t', 'tmpfs', '-o', 'size=64m,nr_inodes=60', 'tmpfs', place)
disk.open(spool)
others = place / 'others'
others.mkdir()

def ill():
    try:
        for number in range(1000):
            (others / str(number)).touch()
    except OSError as error:
        assert error.errno == errno.ENOSPC

def well():
    for path in others.iterdir():
        path.unlink()

is_ill_and_well_again_and_again(ill, well, 'No space left on device')
""",
        mounts=True,
    )


def test_the_program_uses_up_its_descriptors(run):
    """EMFILE, which is nobody's disk."""
    run("""
disk.open(spool)
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
before = os.listdir('/proc/self/fd')

def ill():
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))

def well():
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))

is_ill_and_well_again_and_again(ill, well, 'raise the limit of open files')
""")


def test_the_program_may_write_no_file_of_that_size(run):
    """RLIMIT_FSIZE, which a shell sets with `ulimit -f`: EFBIG, and a signal that Python ignores."""
    run("""
disk.open(spool)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

def ill():
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))

def well():
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

is_ill_and_well_again_and_again(ill, well, 'File too large')
""")


@pytest.mark.parametrize('name', ['EIO', 'EROFS', 'EDQUOT', 'EACCES', 'ENOMEM', 'ESTALE'])
def test_nothing_can_be_made_on_the_disk(name, run):
    """What it says is said, and nothing depends on which number it is."""
    run(f"""
disk.open(spool)
really_open = os.open

def refuse(path, flags, *arguments, **options):
    if flags & os.O_CREAT:
        raise OSError(errno.{name}, os.strerror(errno.{name}))
    return really_open(path, flags, *arguments, **options)

def ill():
    os.open = refuse

def well():
    os.open = really_open

is_ill_and_well_again_and_again(ill, well, os.strerror(errno.{name}))
""")


def test_the_bound_of_the_directory_is_no_illness(run):
    """There `overflow` decides, as ever: else there would be no bound."""
    run("""
spool, disk = Spool(MAX_BYTES, 'drop_newest'), Disk(spool_dir, BAR, MAX_BYTES, 1 << 20)
disk.open(spool)
append(2000)
tidy(look=True)
assert disk.keeps(spool)
assert spool.account().dropped['overflow'] > 0
assert len(said) == 1 and 'max_directory_bytes is reached' in said[0], said
""")
