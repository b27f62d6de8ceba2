"""Directories that are ours alone, and the files in them.

The spool directory may be writable by others (/tmp, a volume of Kubernetes), who may put anything in the place of what we would
make. So every directory below it is made and opened relative to the descriptor of the one above, never through a
link, and is used only when it belongs to our effective uid. Once a directory has passed, nobody else can
put anything into it, except root.

A directory of ours that is open to others gets its mode 0700 back: Kubernetes opens everything in a volume to the group of
`fsGroup` each time that it mounts it.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from firefighter._process.descriptor import Descriptor, close, write_all
from firefighter._spool.disk.errors import SpoolUnusable, translate_errors

__all__ = ['PrivateDirectory', 'open_shared', 'our_uid']

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600

# Windows has none of these; nothing here is reached there.
_NO_LINK: int = getattr(os, 'O_NOFOLLOW', 0)
_DIRECTORY: int = getattr(os, 'O_DIRECTORY', 0)
# Opening a pipe that lies in the way must not wait for its other end.
_NO_WAIT: int = getattr(os, 'O_NONBLOCK', 0)


class PrivateDirectory:
    """An open directory.

    Args:
        descriptor: the directory's.
        path: where it is, for messages, and to see whether it still is there.
    """

    def __init__(self, descriptor: Descriptor, path: Path) -> None:
        self.descriptor = descriptor
        self.path = path

    @property
    def fd(self) -> int:
        """The directory's descriptor."""
        return self.descriptor.fd

    def __enter__(self) -> PrivateDirectory:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.descriptor.close()

    def directory(self, name: str, *, make: bool = False) -> PrivateDirectory:
        """Open a directory in this one; with `make`, make it first when there is nothing of that name."""
        path = self.path / name
        if make:
            with translate_errors(path):
                _make(name, self.fd)
        directory = PrivateDirectory(Descriptor(self._open(name, os.O_RDONLY | _DIRECTORY)), path)
        try:
            directory.make_private()
        except BaseException:
            directory.descriptor.close()
            raise
        return directory

    def make_private(self) -> None:
        """Refuse a directory that is not ours; give one that is its mode."""
        _check_owner(self.descriptor.status, self.path)
        with translate_errors(self.path):
            _give_mode(self.fd, os.fstat(self.fd), DIRECTORY_MODE)

    def file(self, name: str, flags: int) -> int:
        """Open a regular file of ours in this directory, 0600 when `flags` have it made; return its descriptor."""
        path = self.path / name
        fd = self._open(name, flags)
        try:
            with translate_errors(path):
                status = os.fstat(fd)
            _check_owner(status, path)
            _check_regular(status, path)
            if flags & os.O_CREAT:
                with translate_errors(path):
                    _give_mode(fd, status, FILE_MODE)
        except BaseException:
            close(fd)
            raise
        return fd

    def _open(self, name: str, flags: int) -> int:
        """Open what is called so, without following a link. Where that cannot be done, and it is not ours, that is the reason."""
        path = self.path / name
        with translate_errors(path):
            try:
                return os.open(name, flags | _NO_LINK | _NO_WAIT, FILE_MODE, dir_fd=self.fd)
            except OSError:
                with suppress(OSError):
                    _check_owner(os.stat(name, dir_fd=self.fd, follow_symlinks=False), path)
                raise

    def names(self) -> list[str]:
        """Return the names of what is in it, in no order."""
        with translate_errors(self.path):
            # Through a descriptor of its own: one that threads and forked children share has one position for all.
            fd = _open_directory('.', self.fd)
            try:
                return os.listdir(fd)  # noqa: PTH208 - pathlib knows no descriptors
            finally:
                close(fd)

    def write(self, name: str, data: bytes, *, synced: bool = False) -> None:
        """Make a file with these bytes; with `synced`, have them on the disk before it returns."""
        fd = self.file(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            with translate_errors(self.path / name):
                write_all(fd, data)
                if synced:
                    os.fsync(fd)
        finally:
            close(fd)

    def read(self, name: str, most_bytes: int) -> bytes:
        """Return what is in a file, or the beginning of that."""
        fd = self.file(name, os.O_RDONLY)
        try:
            with translate_errors(self.path / name):
                return os.read(fd, most_bytes)
        finally:
            close(fd)

    def rename(self, old: str, new: str) -> None:
        """Give what is called `old` the name `new`, in place of what is called so."""
        self.move(old, self, new)

    def move(self, name: str, into: PrivateDirectory, new_name: str) -> None:
        """Move what is called `name` into another directory, or this one, in place of what is called `new_name` there."""
        with translate_errors(self.path / name):
            os.rename(name, new_name, src_dir_fd=self.fd, dst_dir_fd=into.fd)

    def unlink(self, name: str) -> None:
        """Remove a file."""
        with translate_errors(self.path / name):
            os.unlink(name, dir_fd=self.fd)

    def in_place(self) -> bool:
        """Return whether the descriptor is still ours, and the path still leads to the directory."""
        return self.descriptor.ours() and self.descriptor.is_at(self.path)


def our_uid() -> int:
    """Return the uid that our files belong to."""
    if sys.platform == 'win32':
        raise SpoolUnusable('Windows: a spool on disk needs Linux or macOS; leave spool_dir out')
    return os.geteuid()


def open_shared(path: Path, *, make: bool) -> PrivateDirectory:
    """Open a spool directory, whoever owns it, made when it is missing."""
    with translate_errors(path):
        if make:
            _make(path, None)
        return PrivateDirectory(Descriptor(_open_directory(path, None)), path)


def _make(name: str | Path, parent: int | None) -> None:
    with suppress(FileExistsError):  # opening it finds out what it is
        os.mkdir(name, DIRECTORY_MODE, dir_fd=parent)
        # A umask may have taken even our own right to open it. Where links can only be followed, it stays as it was made.
        with suppress(OSError, NotImplementedError, ValueError):
            made = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISDIR(made.st_mode) and made.st_mode & DIRECTORY_MODE != DIRECTORY_MODE:
                os.chmod(name, DIRECTORY_MODE, dir_fd=parent, follow_symlinks=False)


def _give_mode(fd: int, status: os.stat_result, mode: int) -> None:
    """Set the mode of what is open, where a umask has cut it or somebody changed it; a sticky bit and the like stay."""
    if sys.platform != 'win32' and status.st_mode & 0o777 != mode:
        os.fchmod(fd, mode)


def _open_directory(name: str | Path, parent: int | None) -> int:
    return os.open(name, os.O_RDONLY | _DIRECTORY | _NO_LINK, dir_fd=parent)


def _check_owner(status: os.stat_result, path: Path) -> None:
    if status.st_uid != our_uid():
        raise SpoolUnusable(
            f'{path}: belongs to {_user(status.st_uid)}, not to {our_uid()}; '
            'remove it, or choose another spool_dir (where others may write to one, root can make this in it beforehand)',
            errno.EPERM,
        )


def _user(uid: int) -> str:
    """Return a user's uid, and the name if it has one."""
    if sys.platform != 'win32':
        with suppress(ImportError, KeyError, OSError):  # a bare chroot may have no list of users
            import pwd  # noqa: PLC0415 - Windows has none

            return f'uid {uid} ({pwd.getpwuid(uid).pw_name})'
    return f'uid {uid}'


def _check_regular(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SpoolUnusable(f'{path}: no regular file; remove it, or choose another spool_dir', errno.EEXIST)
