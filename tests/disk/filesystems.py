"""Small file systems of any kind, and what can go wrong with them: really, by the kernel.

Each is made on a loop device (tmpfs in memory) and mounted in a mount namespace of this process's own, which its children
share: when the process has ended, by whatever means, nothing is left behind but the image file in a temporary folder.

This needs root. What a machine lacks `missing` says.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

_MIB = 1 << 20
# The smallest that mkfs.xfs makes is 300 MiB; the image is sparse.
_SIZE_BYTES = {'xfs': 320 * _MIB, 'ext2': 64 * _MIB, 'ext3': 64 * _MIB, 'ext4': 64 * _MIB, 'tmpfs': 32 * _MIB}

# _IOR('X', 125, __u32): EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN.
_SHUTDOWN = 0x8004587D
# What it does before everything fails: write everything; write the journal; nothing, as a power cut.
FLUSH_EVERYTHING, FLUSH_JOURNAL, FLUSH_NOTHING = range(3)

_CLONE_NEWNS = 0x00020000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_BOOT_ID = '/proc/sys/kernel/random/boot_id'


@dataclass(frozen=True)
class Kind:
    """A kind of file system, and how it is mounted."""

    name: str
    options: str = ''

    def __str__(self) -> str:
        return f'{self.name} {self.options}'.strip()


def missing(kind: Kind | None = None, *, tools: Sequence[str] = ()) -> str | None:
    """Return what this machine lacks for a kind of file system, in words; None when nothing."""
    if sys.platform != 'linux':
        return 'real file systems are tried on Linux'
    if os.geteuid() != 0:
        return 'real file systems need root'
    if not _can_mount():
        return 'this root may mount nothing'
    wanted = list(tools)
    if kind is not None and kind.name != 'tmpfs':
        wanted.append(f'mkfs.{kind.name}')
        if not Path('/dev/loop-control').exists():
            return 'there are no loop devices'
        if kind.name not in Path('/proc/filesystems').read_text().split() and not shutil.which('modprobe'):
            return f'the kernel has no {kind.name}'
    lacking = [tool for tool in wanted if shutil.which(tool) is None]
    return f'there is no {", ".join(lacking)}' if lacking else None


def enter_own_namespace() -> None:
    """Have what this process mounts from now on, and its children, seen by them alone."""
    if _entered:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    # The second: whatever is mounted here would else be mounted for everybody.
    for call in (
        lambda: libc.unshare(_CLONE_NEWNS),
        lambda: libc.mount(None, b'/', None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None),
    ):
        if call() != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    _entered.append(True)


_entered: list[bool] = []


@cache
def _can_mount() -> bool:
    """Return whether this root may: in a container it often may not. Tried in another process."""
    try:
        done = subprocess.run(['unshare', '--mount', 'true'], check=False, capture_output=True)
    except FileNotFoundError:
        return False
    return done.returncode == 0


class SmallFileSystem:
    """A file system that is there while the `with` block lasts.

    Args:
        kind: of which kind, and how it is mounted.
        inodes: how many there are, at most; None: as many as it likes.

    Attributes:
        path: where it is mounted.
    """

    def __init__(self, kind: Kind, *, inodes: int | None = None) -> None:
        self.kind = kind
        self._inodes = inodes

    def __enter__(self) -> Self:
        enter_own_namespace()
        self._folder = Path(tempfile.mkdtemp(prefix='small-file-system-'))
        self.path = self._folder / 'mounted'
        self.path.mkdir()
        self._image = self._folder / 'image'
        if self.kind.name != 'tmpfs':
            with self._image.open('wb') as image:
                image.truncate(_SIZE_BYTES[self.kind.name])
            few = ['-N', str(self._inodes)] if self._inodes and self.kind.name.startswith('ext') else []
            _run(f'mkfs.{self.kind.name}', '-q', *few, self._image)
        try:
            self.mount()
        except BaseException:
            shutil.rmtree(self._folder)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(subprocess.CalledProcessError):  # it may be unmounted
            _run('umount', '--lazy', self.path)
        shutil.rmtree(self._folder)

    def mount(self) -> None:
        """Mount it: at the beginning, and again."""
        options = [option for option in (self.kind.options,) if option]
        if self.kind.name == 'tmpfs':
            options.append(f'size={_SIZE_BYTES["tmpfs"]}')
            options += [f'nr_inodes={self._inodes}'] if self._inodes else []
            _run('mount', '-t', 'tmpfs', '-o', ','.join(options), 'tmpfs', self.path)
        else:
            _run('mount', '-t', self.kind.name, '-o', ','.join(['loop', *options]), self._image, self.path)

    def unmount(self) -> None:
        """Unmount it; nobody may have anything open there."""
        _run('umount', self.path)

    def cut(self, how: int = FLUSH_NOTHING) -> None:
        """Let every access to the disk fail from now on, as when a volume is lost; mounted again it is as the disk was.

        What is dirty cannot be written back then; but the system tries it, now, and so makes each page read-only until its
        next store.
        """
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack('I', how))
            ctypes.CDLL(None).syncfs(descriptor)
        finally:
            os.close(descriptor)

    def mount_again(self) -> None:
        """Unmount it, and mount what the disk has."""
        self.unmount()
        self.mount()

    def sync(self) -> None:
        """Write back what is dirty."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            ctypes.CDLL(None).syncfs(descriptor)
        finally:
            os.close(descriptor)

    def make_read_only(self) -> None:
        """As an ext4 does by itself when it meets an error; of others, when an administrator does it."""
        how = 'remount,abort' if self.kind.name.startswith('ext') else 'remount,ro'
        _run('mount', '-o', how, self.path)

    def fill(self) -> None:
        """Leave no byte to anybody."""
        _until_it_is_full(lambda number: _write(self.path / f'filler-{number}', 64 * _MIB))

    def use_up_inodes(self) -> None:
        """Leave no inode to anybody; `inodes` should be few."""
        folder = self.path / 'many'
        folder.mkdir()
        _until_it_is_full(lambda number: (folder / str(number)).touch())

    def punch_holes(self, *paths: Path) -> None:
        """Give the first page of files back to the file system, as where they were copied without their zeros."""
        for path in paths:
            _run('fallocate', '--punch-hole', '--length', '4096', path)

    def forbid_changes(self, *paths: Path) -> None:
        """`chattr +i`."""
        _run('chattr', '+i', *paths)

    def allow_changes(self, *paths: Path) -> None:
        """`chattr -i`."""
        _run('chattr', '-i', *paths)


@contextmanager
def another_boot() -> Iterator[None]:
    """Have all processes of this namespace that start meanwhile believe that the machine has been booted since."""
    with tempfile.NamedTemporaryFile('w') as file:
        file.write('01234567-89ab-cdef-0123-456789abcdef\n')
        file.flush()
        _run('mount', '--bind', file.name, _BOOT_ID)
        try:
            yield
        finally:
            _run('umount', _BOOT_ID)


def with_failing_calls(command: Sequence[str], *faults: str) -> list[str]:
    """Return a command during which system calls fail: it needs strace.

    Args:
        command: what to run; threads and children of it are struck too.
        faults: as for `strace --inject`: "rename:error=ENOSPC:when=3".
    """
    injections = [f'--inject={fault}' for fault in faults]
    traced = ','.join(fault.partition(':')[0] for fault in faults)
    return ['strace', '-f', '-qq', '-o', '/dev/null', f'--trace={traced}', *injections, *command]


def _until_it_is_full(make_another) -> None:
    number = 0
    try:
        while True:
            make_another(number)
            number += 1
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise


def _write(path: Path, size_bytes: int) -> None:
    with path.open('wb', buffering=0) as file:
        for piece in (_MIB, 4096, 1):
            with suppress(OSError):
                while file.tell() < size_bytes:
                    file.write(b'x' * piece)
        if file.tell() < size_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _run(*command: str | os.PathLike[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
