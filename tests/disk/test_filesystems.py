"""Do the faults that the tests of this folder are made of really strike?"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from disk.cuts import EXT4, XFS
from disk.filesystems import FLUSH_EVERYTHING, FLUSH_NOTHING, Kind, another_boot, missing, with_failing_calls
from firefighter._spool.disk.filesystem import store_may_fail, why_unmappable

TMPFS = Kind('tmpfs')
ALL = [EXT4, XFS, TMPFS]


def error_of(action):
    with pytest.raises(OSError) as raised:
        action()
    return raised.value.errno


@pytest.mark.parametrize('kind', [EXT4, XFS], ids=str)
def test_after_a_cut_everything_fails_and_mounted_again_there_is_what_was_written_back(
    kind, make_file_system
):
    """What was dirty is lost, as when the power is."""
    disk = make_file_system(kind)
    (disk.path / 'written').write_bytes(b'whole')
    disk.sync()
    (disk.path / 'dirty').write_bytes(b'whole')
    disk.cut(FLUSH_NOTHING)
    assert error_of((disk.path / 'new').touch) in {errno.EIO, errno.EROFS}
    disk.mount_again()
    assert (disk.path / 'written').read_bytes() == b'whole'
    assert not (disk.path / 'dirty').exists()


@pytest.mark.parametrize('kind', [EXT4, XFS], ids=str)
def test_a_cut_can_come_behind_everything_that_was_written(kind, make_file_system):
    """As when a volume is detached in order."""
    disk = make_file_system(kind)
    (disk.path / 'dirty').write_bytes(b'whole')
    disk.cut(FLUSH_EVERYTHING)
    disk.mount_again()
    assert (disk.path / 'dirty').read_bytes() == b'whole'


@pytest.mark.parametrize('kind', ALL, ids=str)
def test_a_full_disk_has_no_byte_left(kind, make_file_system):
    """Not even for what fits into what a file system keeps back for root."""
    disk = make_file_system(kind)
    (disk.path / 'file').touch()
    disk.fill()
    assert error_of(lambda: (disk.path / 'file').write_bytes(bytes(8192))) == errno.ENOSPC


@pytest.mark.parametrize('kind', [EXT4, TMPFS], ids=str)
def test_when_the_inodes_are_used_up_no_file_can_be_made(kind, make_file_system):
    """Though there is room."""
    disk = make_file_system(kind, inodes=64)
    disk.use_up_inodes()
    assert error_of((disk.path / 'new').touch) == errno.ENOSPC


@pytest.mark.parametrize('kind', [EXT4, TMPFS], ids=str)
def test_a_disk_can_become_read_only(kind, make_file_system):
    """While files are open on it, which tmpfs refuses where they are open to be written."""
    disk = make_file_system(kind)
    disk.make_read_only()
    assert error_of((disk.path / 'new').touch) in {errno.EROFS, errno.EIO}


def test_changes_of_a_file_can_be_forbidden(make_file_system):
    """Not even root may."""
    disk = make_file_system(EXT4, tools=('chattr',))
    path = disk.path / 'file'
    path.touch()
    disk.forbid_changes(path)
    assert error_of(lambda: path.write_bytes(b'x')) == errno.EPERM
    disk.allow_changes(path)
    path.write_bytes(b'x')


RENAME_TWICE = """
import os
for number in range(2):
    open('from', 'w').close()
    try:
        os.rename('from', 'to')
        print(0)
    except OSError as error:
        print(error.errno)
"""


def test_the_second_call_of_a_kind_can_fail(tmp_path):
    """By strace, in any program."""
    lacking = missing(tools=('strace',))
    if lacking is not None:
        pytest.skip(lacking)
    command = with_failing_calls([sys.executable, '-c', RENAME_TWICE], 'rename:error=ENOSPC:when=2')
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ['0', str(errno.ENOSPC)]


def test_the_machine_can_seem_to_have_been_booted_since(make_file_system):
    """For those who read the boot's id."""
    make_file_system(TMPFS)
    path = Path('/proc/sys/kernel/random/boot_id')
    before = path.read_text()
    with another_boot():
        assert path.read_text() != before
    assert path.read_text() == before


@pytest.mark.parametrize(
    ('kind', 'may_fail'),
    [(EXT4, False), (TMPFS, False), (XFS, True)]
    + [(Kind('ext4', option), True) for option in ('nodelalloc', 'data=journal')],
    ids=str,
)
def test_what_the_kernel_says_of_a_file_system_is_understood(kind, may_fail, make_file_system):
    """The table of the library, by the mounts of the machine."""
    disk = make_file_system(kind)
    assert why_unmappable(disk.path) is None
    assert store_may_fail(disk.path) is may_fail
    assert os.path.ismount(disk.path)
