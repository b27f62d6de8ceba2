"""Which file systems a spool may be kept on, and how its files are allocated, mapped and written there.

**Stored into**, through a mapping: where a store never fails once its room is allocated.

    tmpfs       its pages are allocated by fallocate and never written back: mm/shmem.c has no page_mkwrite
    ext4        with delayed allocation, its default: a page whose block is allocated is made writable without the journal
                (fs/ext4/inode.c, ext4_page_mkwrite). Tried: no death in 1,000 cuts. Two are left. `chattr +i` on the file in
                use: "don't allow any modifications to an immutable file", Linux 5.3, the same function; 6 deaths of 6. And
                a device that fails for good while pages of the file are evicted from memory
    apfs, hfs   those of macOS; nothing is known against them

**Copied into**, by the kernel, from private memory (`copied_segment.py`): where a page is made writable again by a step that can
fail each time after it was written back, which is SIGBUS for a store.

    xfs         fs/xfs/xfs_iomap.c, xfs_buffered_write_iomap_begin: EIO once the file system has shut down, and ENOSPC where
                the file shares blocks with a copy (cp --reflink) and the disk is full. Tried: 62 deaths in 63 cuts, and 6
                of 12 behind such a copy
    ext4 with nodelalloc or data=journal, ext3, ext2
                fs/ext4/inode.c, ext4_page_mkwrite: begins a transaction, which fails once the journal is aborted. Tried: 4
                deaths in 12 cuts with nodelalloc, 12 of 12 with data=journal, none of 12 on ext3, which is the same code
    overlay     whatever its upper layer is, where that is out of sight, as in a container

**Not used at all.** Copy-on-write file systems allocate anew for each page that is written, so there is no room to count on:
SIGBUS on btrfs at the first page, tried. File systems over a network, and those that another process serves (FUSE, 9p), may
fail or stall at any store, and their locks may not hold. Nor any other that is not listed here.

**A mapping keeps no descriptor.** Until Python 3.13 an `mmap` object keeps a duplicate of the descriptor, and closes it at its end by
its number. A program that turns into a daemon closes all descriptors. Then that number may be a socket of the program's own when the
mapping goes, and would be closed under it. So there the file is mapped over anonymous memory, of which Python keeps no descriptor.
"""

from __future__ import annotations

import errno
import mmap
import os
import re
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # it imports ctypes, which is rarely needed
    from firefighter._spool.copied_segment import CopiedWords

__all__ = [
    'allocate',
    'allocate_holes',
    'copied_words',
    'device_of',
    'file_system',
    'map_shared',
    'prepare_to_map',
    'store_may_fail',
    'trouble_with_copies',
    'why_unmappable',
]

_STORED_INTO = {'tmpfs', 'ext4', 'apfs', 'hfs'}
_COPIED_INTO = {'xfs', 'ext4 with nodelalloc', 'ext4 with data=journal', 'ext3', 'ext2', 'overlay'}
_MAPPABLE = _STORED_INTO | _COPIED_INTO
# Those which make another file system of ext4.
_TELLING_OPTIONS = ('nodelalloc', 'data=journal')

_COPY_ON_WRITE = {'btrfs', 'zfs', 'bcachefs'}

# The types that `statfs` of Linux returns (linux/magic.h; zfs and bcachefs have theirs in their own sources), in the name that the list
# of mounts has for it. They are the same for ext2, ext3 and ext4.
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

# Of Linux, macOS and the BSDs alike; Python does not name it.
_MAP_FIXED = 0x10

_NOT_HERE = 'a spool on disk needs Linux or macOS'


class _Mount(NamedTuple):
    device: str
    point: str
    kind: str
    options: list[str]


def why_unmappable(path: str | os.PathLike[str]) -> str | None:
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
    kind = _file_system_at(path)
    if kind in _MAPPABLE:
        return None
    if kind is None:
        what = 'its file system cannot be told'
    elif kind in _COPY_ON_WRITE:
        what = f'it is on {kind}, which copies on write: with no room left, a store would kill the program'
    else:
        what = f'it is on {kind}, which is not known to keep what it has allocated'
    return f'{os.fspath(path)}: {what}; choose a spool_dir on tmpfs, ext4 or xfs'


def store_may_fail(path: str | os.PathLike[str]) -> bool:
    """Return whether a store into a file that is mapped there may fail, and kill the program, though its room is allocated.

    Args:
        path: a directory for which `why_unmappable` has no reason.
    """
    return _file_system_at(path) not in _STORED_INTO


def _file_system_at(path: str | os.PathLike[str]) -> str | None:
    place = Path(os.path.realpath(path))
    while not place.exists() and place != place.parent:
        place = place.parent
    return _macos_file_system(place) if sys.platform == 'darwin' else _linux_file_system(place)


def file_system(mountinfo: str, path: str, device_of: Callable[[str], str | None]) -> str | None:
    """Return the type of the file system that a path is on; of an overlay's upper layer, where that can be seen.

    For ext4 with an option that makes it another one in our eyes: "ext4 with " and the option.

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
    kind, options = right[0], right[-1].split(',')
    for option in _TELLING_OPTIONS:
        if kind == 'ext4' and option in options:
            kind = f'ext4 with {option}'
    return _Mount(left[2], _unescape(left[4]), kind, options)


def _unescape(text: str) -> str:
    return re.sub(r'\\([0-7]{3})', lambda match: chr(int(match[1], 8)), text)


def _linux_file_system(path: Path) -> str | None:
    # In a chroot the list lacks the mount that its root is on, or there is no list.
    listed = _list_of_mounts('self')
    kind = file_system(listed, str(path), device_of) or _linux_statfs(path) or _kind_of_device(listed, path)
    return _ext4_as_it_is(path) if kind == 'ext4' else kind


def _ext4_as_it_is(path: Path) -> str:
    """Return what ext4 is with the options in force: the list of mounts leaves out those that are the superblock's own default."""
    try:
        device = Path(f'/sys/dev/block/{device_of(str(path))}').readlink().name
        options = Path(f'/proc/fs/ext4/{device}/options').read_text(encoding='utf-8').split()
    except (OSError, ValueError):
        return 'ext4'
    return next((f'ext4 with {option}' for option in _TELLING_OPTIONS if option in options), 'ext4')


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
    """Return the structure that `statfs` fills in for a path; None where there is no such call, or it fails."""
    ctypes = _ctypes()
    if ctypes is None:
        return None
    libc = ctypes.CDLL(None)
    # On macOS with Intel the plain name is that of the old structure.
    statfs = getattr(libc, 'statfs$INODE64', None) or libc.statfs
    status = ctypes.create_string_buffer(_STATFS_BYTES)
    return status.raw if statfs(os.fsencode(path), status) == 0 else None


def prepare_to_map() -> None:
    """Import now what `map_shared` needs, where forks can be held off.

    It is called in any thread: a child that another one forks while it imports would wait for that import for ever.
    """
    if sys.version_info < (3, 13):
        _ctypes()


def map_shared(descriptor: int, size_bytes: int) -> mmap.mmap:
    """Map the first bytes of a file, to read and to write; the descriptor can be closed.

    Raises:
        OSError: it cannot be mapped.
    """
    if sys.platform == 'win32':
        raise OSError(_NOT_HERE)
    if sys.version_info >= (3, 13):
        try:
            return mmap.mmap(descriptor, size_bytes, trackfd=False)
        except ValueError as error:  # somebody has just made it shorter
            raise OSError(errno.EINVAL, str(error)) from error
    ctypes = _ctypes()
    # `off_t` of 32-bit systems differs between C libraries.
    if ctypes is None or ctypes.sizeof(ctypes.c_void_p) != ctypes.sizeof(ctypes.c_int64):
        return mmap.mmap(descriptor, size_bytes)
    return _map_without_descriptor(ctypes, descriptor, size_bytes)


def _ctypes() -> ModuleType | None:
    with suppress(ImportError):
        return _imported_ctypes()
    return None


@cache
def _imported_ctypes() -> ModuleType:
    # Kept: at the very end of the process nothing can be imported.
    import ctypes  # noqa: PLC0415 - rarely needed: only Pythons before 3.13 map by it, and some builds lack it

    return ctypes


def _map_without_descriptor(ctypes: ModuleType, descriptor: int, size_bytes: int) -> mmap.mmap:
    if sys.platform == 'win32':
        raise OSError(_NOT_HERE)
    # Where this fails, nothing has happened. Over other memory a failure leaves a gap (Linux, `vms_abort_munmap_vmas` in mm/vma.c):
    # another thread may get memory there, and lose it when the object that is still thought to be there is let go of.
    anywhere = _map_at(ctypes, None, descriptor, size_bytes, 0)
    try:
        memory = mmap.mmap(-1, size_bytes, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
        try:
            address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
            _map_at(ctypes, address, descriptor, size_bytes, _MAP_FIXED)
        except OSError:  # the disk has failed in between
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(memory))  # so it is never let go of
            raise
    finally:
        unmap = ctypes.CDLL(None).munmap
        unmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
        unmap(anywhere, size_bytes)
    return memory


def _map_at(ctypes: ModuleType, address: int | None, descriptor: int, size_bytes: int, flags: int) -> int:
    """Map a file, at any address or at this one; return where."""
    if sys.platform == 'win32':
        raise OSError(_NOT_HERE)
    function = ctypes.CDLL(None, use_errno=True).mmap
    function.restype = ctypes.c_void_p
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_int64)
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    mapped: int = function(address, size_bytes, protection, mmap.MAP_SHARED | flags, descriptor, 0)
    if mapped == ctypes.c_void_p(-1).value:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return mapped


def allocate(descriptor: int, size_bytes: int) -> None:
    """Allocate the whole of a new file, so that a full disk is an error now.

    Raises:
        OSError: there is no room.
    """
    if hasattr(os, 'posix_fallocate'):
        os.posix_fallocate(descriptor, 0, size_bytes)
        return
    if sys.platform == 'win32':
        raise OSError(_NOT_HERE)
    # macOS has no such call: writing the zeros takes the room just as surely.
    zeros = bytes(min(size_bytes, 1 << 20))
    left = size_bytes
    while left:
        left -= os.write(descriptor, zeros[:left])


def allocate_holes(descriptor: int, size_bytes: int) -> None:
    """Allocate what a file has no room for on the disk, which reads as zeros; everything in it stays. macOS does not do it.

    Raises:
        OSError: there is no room.
    """
    if hasattr(os, 'posix_fallocate'):
        os.posix_fallocate(descriptor, 0, size_bytes)


def trouble_with_copies() -> str | None:
    """Return why events cannot be copied from memory into files here, None when they can.

    The module that this needs is imported now, where forks can be held off.
    """
    try:
        from firefighter._spool import copied_segment  # noqa: PLC0415 - it needs ctypes, which some builds lack
    except ImportError:
        return 'this Python has no ctypes'
    return copied_segment.trouble_with_copies()


def copied_words(memory: mmap.mmap, mapping: mmap.mmap) -> CopiedWords:
    """Return the words of a segment in private memory whose commits are copied into a mapped file."""
    from firefighter._spool import copied_segment  # noqa: PLC0415 - as above, and imported there already

    return copied_segment.copied_words(memory, mapping)
