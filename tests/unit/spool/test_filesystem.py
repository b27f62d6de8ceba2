"""Where a spool may be mapped: read from the kernel's list of mounts."""

from __future__ import annotations

import builtins
import os
import re
import struct
import sys
from pathlib import Path

import pytest

from firefighter._spool.disk import filesystem
from firefighter._spool.disk.filesystem import device_of, file_system, store_may_fail, why_unmappable
from programs import end_of

MOUNTS = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
30 27 0:40 / /srv rw - tmpfs tmpfs rw
31 27 0:41 / /with\040space rw master:1 propagate_from:2 - xfs /dev/vdb rw
32 27 0:42 / /home rw - btrfs /dev/vdc rw,subvol=/home
33 27 0:43 / /mnt/share rw - nfs4 server:/share rw
34 27 0:44 / /mnt rw - fuse.sshfs host:/ rw
35 27 0:45 / /twice rw - ext4 /dev/vdd rw
36 35 0:46 / /twice rw - 9p share rw
37 27 0:47 / /merged rw - overlay overlay rw,lowerdir=/lower,upperdir=/srv/up\040per,workdir=/srv/work
38 27 0:48 / /merged-on-btrfs rw - overlay overlay rw,lowerdir=/lower,upperdir=/home/upper,workdir=/home/work
39 27 0:49 / /container rw - overlay overlay rw,lowerdir=/l,upperdir=/var/lib/docker/overlay2/1/diff,workdir=/w
40 27 0:50 /a /over rw - nfs server:/a rw
41 40 0:51 /b /over rw - zfs b rw
42 27 0:52 / /at-once rw,relatime - ext4 /dev/vde rw,nodelalloc
43 27 0:53 / /journalled rw,relatime - ext4 /dev/vdf rw,nodelalloc,data=journal
44 27 0:54 / /third rw,relatime - ext3 /dev/vdg rw,nodelalloc
"""

DEVICES = {
    '/': '254:0',
    '/srv/spool': '0:40',
    '/srv/up per': '0:40',
    '/srvx': '254:0',
    '/with space/spool': '0:41',
    # A subvolume has a device of its own, which the list does not show.
    '/home/spool': '0:99',
    '/home/upper': '0:99',
    '/mnt/share/spool': '0:44',
    '/twice/spool': '0:46',
    '/merged/spool': '0:47',
    '/merged-on-btrfs/spool': '0:48',
    '/container/spool': '0:49',
    '/srv/hidden': '0:77',
    '/at-once': '0:52',
    '/journalled': '0:53',
    '/third': '0:54',
}


@pytest.mark.parametrize(
    ('path', 'kind'),
    [
        ('/', 'ext4'),
        ('/srv/spool', 'tmpfs'),
        ('/srvx', 'ext4'),
        ('/with space/spool', 'xfs'),
        ('/home/spool', 'btrfs'),
        ('/homework', None),
        ('/over/spool', 'zfs'),
        ('/mnt/share/spool', 'fuse.sshfs'),
        ('/twice/spool', '9p'),
        ('/merged/spool', 'tmpfs'),
        ('/merged-on-btrfs/spool', 'btrfs'),
        ('/container/spool', 'overlay'),
        ('/srv/hidden', None),
        ('/at-once', 'ext4 with nodelalloc'),
        ('/journalled', 'ext4 with nodelalloc'),
        ('/third', 'ext3'),
    ],
)
def test_the_mount_is_found_that_a_path_is_really_on(path, kind):
    """Names with blanks, mounts over mounts, subvolumes, overlays; and no answer where the list contradicts the device."""
    assert file_system(MOUNTS, path, DEVICES.get) == kind


def test_without_any_mount_there_is_no_answer():
    """In a chroot the list may be empty."""
    assert file_system('', '/spool', lambda path: '254:0') is None


@pytest.mark.parametrize(
    ('kind', 'usable'),
    [(kind, True) for kind in ('tmpfs', 'ext2', 'ext3', 'ext4', 'xfs', 'overlay', 'apfs', 'hfs')]
    + [
        (kind, False)
        for kind in (
            'btrfs',
            'zfs',
            'bcachefs',
            'nfs',
            'nfs4',
            'cifs',
            'fuse',
            'fuse.s3fs',
            '9p',
            'new',
            None,
        )
    ],
)
def test_only_file_systems_that_keep_their_promise_are_mapped(kind, usable, monkeypatch, tmp_path):
    """Copy-on-write, networks, FUSE and whatever is unknown are refused, with the reason and a way out."""
    monkeypatch.setattr(sys, 'platform', 'linux')
    monkeypatch.setattr('firefighter._spool.disk.filesystem._linux_file_system', lambda path: kind)
    reason = why_unmappable(tmp_path)
    if usable:
        assert reason is None
    else:
        assert str(tmp_path) in reason
        assert (kind or 'cannot be told') in reason
        assert 'choose' in reason


@pytest.mark.parametrize(
    ('kind', 'may_fail'),
    [(kind, False) for kind in ('tmpfs', 'ext4', 'apfs', 'hfs')]
    + [(kind, True) for kind in ('xfs', 'overlay', 'ext3', 'ext2')]
    + [(kind, True) for kind in ('ext4 with nodelalloc', 'ext4 with data=journal')],
)
def test_only_into_file_systems_that_take_every_store_is_stored(kind, may_fail, monkeypatch, tmp_path):
    """Into the others the kernel copies, which is an error where a store would kill the program."""
    monkeypatch.setattr(sys, 'platform', 'linux')
    monkeypatch.setattr('firefighter._spool.disk.filesystem._linux_file_system', lambda path: kind)
    assert why_unmappable(tmp_path) is None
    assert store_may_fail(tmp_path / 'not' / 'there' / 'yet') is may_fail


@pytest.mark.skipif(sys.platform != 'linux', reason='reads the mounts of Linux')
def test_proc_is_refused_and_a_directory_that_is_not_there_yet_is_judged_by_its_parent():
    """On the machine itself."""
    assert 'proc' in why_unmappable('/proc/self')
    assert 'sysfs' in why_unmappable('/sys/not/there')
    assert device_of('/sys/not/there') is None


@pytest.fixture
def list_of_mounts(monkeypatch):
    """Let Linux list these mounts; None: the list cannot be read."""

    def let_it_be(mountinfo):
        def read(path):
            if mountinfo is None:
                raise PermissionError(13, 'Permission denied')
            return mountinfo

        monkeypatch.setattr(sys, 'platform', 'linux')
        monkeypatch.setattr('pathlib.Path.read_bytes', read)

    return let_it_be


@pytest.mark.parametrize(
    'mountinfo',
    [None, b'', b'22 27 0:21 / /proc rw,relatime - proc proc rw\n'],
    ids=['unreadable', 'empty', 'chroot'],
)
@pytest.mark.parametrize(
    ('magic', 'reason'),
    [
        (0x01021994, None),
        (0xEF53, None),
        (0x58465342, None),
        (0x794C7630, None),
        (0x9123683E, 'it is on btrfs, which copies on write'),
        (0x2FC12FC1, 'it is on zfs, which copies on write'),
        (0xCA451A4E, 'it is on bcachefs, which copies on write'),
        (0x6969, 'it is on nfs'),
        (0x65735546, 'it is on fuse'),
        (0x12345678, 'cannot be told'),
    ],
)
def test_what_is_not_in_the_list_of_mounts_the_system_is_asked_for(
    mountinfo, magic, reason, list_of_mounts, monkeypatch, tmp_path
):
    """In a chroot whose root is no mount point the list has no line for it; and there may be no /proc."""
    list_of_mounts(mountinfo)
    status = magic.to_bytes(struct.calcsize('l'), sys.byteorder) + bytes(100)
    monkeypatch.setattr('firefighter._spool.disk.filesystem._statfs', lambda path: status)
    said = why_unmappable(tmp_path)
    assert (reason in said) if reason else said is None


def test_where_the_system_cannot_be_asked_either_nothing_is_mapped(list_of_mounts, monkeypatch, tmp_path):
    """Some builds of Python have no ctypes."""
    list_of_mounts(None)
    genuine = builtins.__import__

    def without_ctypes(name, *args, **kwargs):
        if name == 'ctypes':
            raise ImportError(name)
        return genuine(name, *args, **kwargs)

    filesystem._imported_ctypes.cache_clear()
    monkeypatch.setattr(builtins, '__import__', without_ctypes)
    assert 'cannot be told' in why_unmappable(tmp_path)


@pytest.mark.skipif(sys.platform != 'linux', reason='asks Linux')
def test_the_system_says_the_same_as_the_list_of_mounts(list_of_mounts, tmp_path):
    """On the machine itself."""
    listed = why_unmappable(tmp_path)
    list_of_mounts(None)
    assert why_unmappable(tmp_path) == listed


def test_windows_has_no_spool_on_disk(monkeypatch, tmp_path):
    """The handler falls back to memory there, and says so."""
    monkeypatch.setattr(sys, 'platform', 'win32')
    assert 'Windows' in why_unmappable(tmp_path)


def test_on_macos_the_name_is_taken_from_statfs(monkeypatch, tmp_path):
    """At the offset that sys/mount.h gives it."""

    class Library:
        def __init__(self, name):
            pass

        def statfs(self, path, status):
            status[72:77] = b'apfs\0'
            return 0

    monkeypatch.setattr(sys, 'platform', 'darwin')
    monkeypatch.setattr('ctypes.CDLL', Library)
    assert why_unmappable(tmp_path) is None
    monkeypatch.setattr(Library, 'statfs', lambda self, path, status: -1)
    assert 'cannot be told' in why_unmappable(tmp_path)


# A file whose `mmap` fails when the kernel has already made room for it, as that of a disk that fails.
UNMAPPABLE = Path('/sys/kernel/mm/transparent_hugepage/enabled')
AT_ONCE = ''
IN_BETWEEN = """
def make_memory(*arguments, **options):
    os.dup2(unmappable, descriptor)
    return make(*arguments, **options)

make, mmap.mmap = mmap.mmap, make_memory
descriptor = os.memfd_create('x')
os.ftruncate(descriptor, SIZE)
"""


@pytest.mark.skipif(
    not os.access(UNMAPPABLE, os.W_OK), reason='there is no file that cannot be mapped, or it needs root'
)
@pytest.mark.parametrize('when', [AT_ONCE, IN_BETWEEN], ids=['at once', 'in between'])
def test_what_cannot_be_mapped_takes_no_memory_of_others_with_it(when):
    """Another thread may get the memory where it would have been. The program was killed by SIGSEGV, once in a thousand cuts."""
    program = f"""
import gc, mmap, os
from firefighter._spool.disk.filesystem import map_shared

SIZE = 1 << 22
descriptor = unmappable = os.open({str(UNMAPPABLE)!r}, os.O_RDWR)
make = mmap.mmap
{when}
try:
    map_shared(descriptor, SIZE)
except OSError as error:
    print(error)
    others = [make(-1, SIZE) for _ in range(3)]
gc.collect()
for other in others:
    other[:] = b'x' * SIZE
"""
    ended = end_of([sys.executable, '-c', program], {})
    assert (ended.returncode, ended.stderr) == (0, '')
    # From 3.13 on Python asks for the size before.
    assert re.search('No such device|length is greater than file size', ended.stdout), ended.stdout
