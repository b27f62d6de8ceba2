"""File systems that are full, cannot be written to, or are not ours: in a namespace in which we may mount them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache

import pytest

DEADLINE_SECONDS = 30

# What every script below begins with. It has the test's own directory as its only argument.
PREAMBLE = """
import os, stat, subprocess, sys
from pathlib import Path
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import create_producer
from firefighter._spool.disk.filesystem import why_unmappable
from firefighter._spool.disk.destination_folder import lock_dead_producers
from firefighter._spool.disk.inspection import find_producers
from firefighter._spool.disk.directory_size import used_bytes
from firefighter._spool.disk.errors import SpoolUnusable

BAR = Destination('bar')
place = Path(sys.argv[1])

def mount(*arguments):
    subprocess.run(['mount', *map(str, arguments)], check=True)

def refusal(attempt=lambda: create_producer(place, BAR)):
    descriptors = os.listdir('/dev/fd')
    try:
        attempt()
    except SpoolUnusable as error:
        assert len(os.listdir('/dev/fd')) == len(descriptors), 'a descriptor was left open'
        return str(error)
    raise AssertionError('it was not refused')
"""


@cache
def namespaces_work() -> bool:
    unshare = shutil.which('unshare')
    if unshare is None or shutil.which('mount') is None:
        return False
    attempt = subprocess.run(
        [unshare, '-mr', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], capture_output=True, check=False
    )
    return attempt.returncode == 0


@pytest.fixture
def as_root_of_a_namespace(tmp_path):
    """Run a script in mount and user namespaces of its own."""
    if not namespaces_work():
        pytest.skip('this machine lets us make no namespace (unshare -mr)')
    (tmp_path / 'place').mkdir()

    def run(script: str) -> None:
        done = subprocess.run(
            ['unshare', '-mr', sys.executable, '-c', PREAMBLE + script, str(tmp_path / 'place')],
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    return run


def test_a_read_only_root_is_refused_and_a_tmpfs_on_it_is_used(as_root_of_a_namespace):
    """As containers are often run."""
    as_root_of_a_namespace("""
mount('-t', 'tmpfs', 'tmpfs', place)
mount('-o', 'remount,bind,ro', '/')
reason = refusal(lambda: create_producer(place.with_name('spool'), BAR))
assert 'Read-only file system; choose a spool_dir that can be written to' in reason, reason
assert why_unmappable(place) is None
producer = create_producer(place, BAR)
assert producer.is_held()
producer.release()
mount('-o', 'remount,bind,ro', place)
assert 'Read-only' in refusal(), 'what is there already changes nothing'
assert [producer.alive for producer in find_producers(place, None, print)] == [False], 'looking is always possible'
assert lock_dead_producers(place, BAR) == []
""")


def test_a_full_tmpfs_is_refused_and_nothing_half_made_stays(as_root_of_a_namespace):
    """And it is used as soon as there is room."""
    as_root_of_a_namespace("""
mount('-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', place)
ballast = place / 'ballast'
ballast.write_bytes(bytes(16 * 1024))
reason = refusal()
assert 'No space left on device; make room there' in reason, reason
assert 'producer.json' in reason, reason
assert used_bytes(place, BAR) == 0
ballast.unlink()
producer = create_producer(place, BAR)
assert producer.is_held()
""")


def test_a_disk_without_inodes_is_refused(as_root_of_a_namespace):
    """However far we get, nothing half made stays."""
    as_root_of_a_namespace("""
for inodes in range(1, 8):
    mount('-t', 'tmpfs', '-o', f'nr_inodes={inodes}', 'tmpfs', place)
    reason = refusal()
    assert 'No space left on device' in reason, reason
    assert list(place.glob('*/*/*')) == [], inodes
mount('-t', 'tmpfs', '-o', 'nr_inodes=9', 'tmpfs', place)
create_producer(place, BAR).release()
""")


def test_a_directory_that_anybody_may_write_to_is_used(as_root_of_a_namespace):
    """An emptyDir of Kubernetes, also with fsGroup, and /tmp."""
    as_root_of_a_namespace("""
for mode in ('0777', '2777', '1777'):
    mount('-t', 'tmpfs', '-o', f'mode={mode}', 'tmpfs', place)
    producer = create_producer(place, BAR)
    assert stat.S_IMODE(place.stat().st_mode) == int(mode, 8)
    modes = [stat.S_IMODE(path.stat().st_mode) & 0o777 for path in (producer.path, *producer.path.parents[:2])]
    assert modes == [0o700] * 3, modes
    producer.release()
""")


def test_a_mount_of_somebody_elses_where_ours_should_be_is_refused(as_root_of_a_namespace, tmp_path):
    """What the namespace has no name for belongs to nobody, at any rate not to us."""
    (tmp_path / 'foreign').mkdir()
    if os.geteuid() == 0:
        os.chown(tmp_path / 'foreign', 12345, 12345)
    as_root_of_a_namespace("""
foreign = next(path for path in (place.with_name('foreign'), Path('/usr')) if path.stat().st_uid != os.geteuid())
(place / str(os.geteuid())).mkdir(mode=0o700)
mount('--rbind', foreign, place / str(os.geteuid()))
reason = refusal()
assert 'belongs to uid' in reason and 'choose another spool_dir' in reason, reason
""")


def test_mounts_are_recognised(as_root_of_a_namespace):
    """Over each other, with blanks in their names, and as the upper layer of an overlay."""
    as_root_of_a_namespace("""
blank = place / 'with blank'
blank.mkdir()
mount('-t', 'tmpfs', 'tmpfs', blank)
assert why_unmappable(blank / 'spool') is None
mount('-t', 'proc', 'proc', blank) if os.getpid() == 1 else mount('--rbind', '/proc', blank)
assert 'it is on proc' in why_unmappable(blank / 'self'), why_unmappable(blank / 'self')
mount('-t', 'tmpfs', 'tmpfs', place)
for name in ('lower', 'upper', 'work', 'merged'):
    (place / name).mkdir()
try:
    mount('-t', 'overlay', '-o', f'lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work', 'overlay',
          place / 'merged')
except subprocess.CalledProcessError:
    sys.exit()  # kernels before 5.11 let only the real root do that
assert why_unmappable(place / 'merged') is None
create_producer(place / 'merged', BAR).release()
""")


def test_a_chroot_whose_root_is_no_mount_point_is_recognised(as_root_of_a_namespace):
    """The list of mounts has no line for "/" there."""
    as_root_of_a_namespace("""
import ctypes, hashlib  # which are not to be had in there
mount('-t', 'tmpfs', 'tmpfs', place)
root = place / 'root'
(root / 'proc').mkdir(parents=True)
mount('--rbind', '/proc', root / 'proc')
os.chroot(root)
os.chdir('/')
mounts = [line.split()[4] for line in Path('/proc/self/mountinfo').read_text().splitlines()]
assert '/proc' in mounts and '/' not in mounts, mounts
assert why_unmappable('/spool') is None, why_unmappable('/spool')
assert 'it is on proc' in why_unmappable('/proc/self')
create_producer(Path('/spool'), BAR).release()
""")
