"""Which file systems a spool may be mapped on.

The promise of a spool is that a store into it never fails once its room is allocated. Copy-on-write file systems allocate
anew when a page is written, and kill the program (SIGBUS) when there is no room left: measured on btrfs, at the first
page. File systems over a network, and those that another process serves (FUSE, 9p), may do so or stall at any store. So only
those are mapped that are known to keep the promise.
"""

from __future__ import annotations

import os
import re
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

__all__ = ['device_of', 'file_system', 'unmappable']

# Those of Linux, then those of macOS. An overlay is as good as the file system that its upper layer is on; in a
# container that is out of sight, and then nearly always ext4 or xfs.
_MAPPABLE = {'tmpfs', 'ext2', 'ext3', 'ext4', 'xfs', 'overlay', 'apfs', 'hfs'}

_COPY_ON_WRITE = {'btrfs', 'zfs', 'bcachefs'}

# What `statfs` of Linux says (linux/magic.h; zfs and bcachefs have theirs in their own sources), in the name that the list
# of mounts has for it. Of ext2, ext3 and ext4 it says the same.
_MAGIC = {
    0x01021994: 'tmpfs',
    0xEF53: 'ext4',
    0x58465342: 'xfs',
    0x794C7630: 'overlay',
    0x9123683E: 'btrfs',
    0x2FC12FC1: 'zfs',
    0xCA451A4E: 'bcachefs',
    0x6969: 'nfs',
    0xFF534D42: 'cifs',
    0x65735546: 'fuse',
    0x01021997: '9p',
}

# The size of `struct statfs` of macOS (sys/mount.h, with 64-bit inodes); Linux's is smaller.
_STATFS_BYTES = 2168
# Where that of macOS has the name of the file system.
_MACOS_TYPE_NAME = slice(72, 88)


class _Mount(NamedTuple):
    device: str
    point: str
    kind: str
    options: list[str]


def unmappable(path: str | os.PathLike[str]) -> str | None:
    """Return why a spool may not be mapped at a path, or None when it may.

    Args:
        path: a directory, which need not exist yet.

    Raises:
        OSError: there can be no such path.
    """
    if sys.platform == 'win32':
        return 'Windows: a spool on disk needs Linux or macOS; leave spool_dir out'
    if not Path(path).is_absolute():
        return f'{os.fspath(path)}: there is no working directory that it could be in; give an absolute path'
    place = Path(os.path.realpath(path))
    while not place.exists() and place != place.parent:
        place = place.parent
    kind = _macos_file_system(place) if sys.platform == 'darwin' else _linux_file_system(place)
    if kind in _MAPPABLE:
        return None
    if kind is None:
        what = 'its file system cannot be told'
    elif kind in _COPY_ON_WRITE:
        what = f'it is on {kind}, which copies on write: with no room left, a store would kill the program'
    else:
        what = f'it is on {kind}, which is not known to keep what it has allocated'
    return f'{os.fspath(path)}: {what}; choose a spool_dir on tmpfs, ext4 or xfs'


def file_system(mountinfo: str, path: str, device_of: Callable[[str], str | None]) -> str | None:
    """Return the type of the file system that a path is on; of an overlay's upper layer, where that can be seen.

    Args:
        mountinfo: the text of /proc/self/mountinfo (its format is in proc(5)).
        path: absolute, without links.
        device_of: gives `major:minor` of the device that a path is on, None when there is no such path.
    """
    mount = _mount_of(mountinfo, path, device_of(path))
    if mount is None or mount.kind != 'overlay':
        return mount and mount.kind
    for option in mount.options:
        name, _, upper = option.partition('=')
        device = device_of(_unescape(upper)) if name == 'upperdir' and upper.startswith('/') else None
        if device is not None:
            below = _mount_of(mountinfo, _unescape(upper), device)
            return below and below.kind
    return mount.kind


def device_of(path: str) -> str | None:
    """Return `major:minor` of the device that a path is on, None when there is no such path."""
    if sys.platform == 'win32':
        return None
    try:
        device = Path(path).stat().st_dev
    except OSError:
        return None
    return f'{os.major(device)}:{os.minor(device)}'


def _mount_of(mountinfo: str, path: str, device: str | None) -> _Mount | None:
    holding = [
        (mount.device == device, len(mount.point), index, mount)
        for index, mount in enumerate(map(_parse, filter(None, mountinfo.split('\n'))))
        if mount.point in {'/', path} or path.startswith(mount.point + '/')
    ]
    # A mount may be hidden by a later one, at the same point or above it: the device tells. Of several with the same
    # device, and where none has it (the subvolumes of btrfs have devices of their own), the nearest and newest.
    same, _, _, mount = max(holding, default=(False, 0, 0, None))
    if mount is None or (not same and mount.kind in _MAPPABLE):
        return None
    return mount


def _parse(line: str) -> _Mount:
    # 36 35 98:0 /root /mount\040point rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    before, _, after = line.partition(' - ')
    left, right = before.split(' '), after.split(' ')
    return _Mount(left[2], _unescape(left[4]), right[0], right[-1].split(','))


def _unescape(text: str) -> str:
    return re.sub(r'\\([0-7]{3})', lambda match: chr(int(match[1], 8)), text)


def _linux_file_system(path: Path) -> str | None:
    # In a chroot the list lacks the mount that its root is on, or there is no list.
    listed = _list_of_mounts('self')
    return file_system(listed, str(path), device_of) or _linux_statfs(path) or _kind_of_device(listed, path)


def _kind_of_device(mountinfo: str, path: Path) -> str | None:
    """Return the type of the file system on the device that a path is on, wherever that is mounted.

    The first process may see the mount that a chroot's own list lacks. This is for where the system cannot be asked: a bare chroot
    often has a Python without ctypes, since that needs a library that nothing else needs.
    """
    device = device_of(str(path))
    lines = (mountinfo + _list_of_mounts('1')).split('\n')
    return next((mount.kind for mount in map(_parse, filter(None, lines)) if mount.device == device), None)


def _list_of_mounts(process: str) -> str:
    try:
        return os.fsdecode(Path(f'/proc/{process}/mountinfo').read_bytes())
    except OSError:
        return ''


def _linux_statfs(path: Path) -> str | None:
    status = _statfs(path)
    # The first word, a long, is the type.
    return _MAGIC.get(int.from_bytes(status[: struct.calcsize('l')], sys.byteorder)) if status else None


def _macos_file_system(path: Path) -> str | None:
    status = _statfs(path)
    return status[_MACOS_TYPE_NAME].split(b'\0')[0].decode('ascii', 'replace') if status else None


def _statfs(path: Path) -> bytes | None:
    """Return what the system says of a path's file system, as its structure; None where it says nothing."""
    try:
        import ctypes  # noqa: PLC0415 - rarely needed: no module of Python's tells the type, and some builds lack this one
    except ImportError:
        return None
    libc = ctypes.CDLL(None)
    # On macOS with Intel the plain name is that of the old structure.
    statfs = getattr(libc, 'statfs$INODE64', None) or libc.statfs
    status = ctypes.create_string_buffer(_STATFS_BYTES)
    return status.raw if statfs(os.fsencode(path), status) == 0 else None
