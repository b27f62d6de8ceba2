"""Directories that anybody may have filled: walked by descriptors, and only looked at.

The one directory that was named is opened by its path. From there each step is made by the descriptor of the directory before, and
never through a link: whoever may write there cannot lead us elsewhere, neither before a step nor between two. Only regular files
are opened, none is waited for, and nothing is made or changed, whoever owns it. (Directories that are ours alone, and are written to,
are in `firefighter._spool.disk.private_directory`.)
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

from firefighter._process.descriptor import Descriptor

__all__ = ['Inode', 'UntrustedDirectory', 'inode_of', 'open_untrusted']

# Windows has none of these; nothing is walked there.
_NO_LINK: int = getattr(os, 'O_NOFOLLOW', 0)
_DIRECTORY: int = getattr(os, 'O_DIRECTORY', 0)
# A pipe may be in the way, or a terminal: it is not waited for, and does not become our controlling terminal.
_NO_WAIT: int = getattr(os, 'O_NONBLOCK', 0) | getattr(os, 'O_NOCTTY', 0)


class Inode(NamedTuple):
    """Which file it is, whatever it is called."""

    device: int
    number: int


class UntrustedDirectory:
    """An open directory. It is closed when a `with` block ends, or when nobody refers to it any more.

    Every method raises OSError, with the whole path.

    Args:
        descriptor: the directory's.
        path: where it was found; for messages only.
    """

    def __init__(self, descriptor: Descriptor, path: Path) -> None:
        self.descriptor = descriptor
        self.path = path

    def __enter__(self) -> UntrustedDirectory:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.descriptor.close()

    @property
    def fd(self) -> int:
        """Its descriptor."""
        return self.descriptor.fd

    @property
    def inode(self) -> Inode:
        """Which directory it is."""
        return inode_of(self.descriptor.status)

    @property
    def uid(self) -> int:
        """Whose it was when it was opened."""
        return self.descriptor.status.st_uid

    def names(self) -> list[str]:
        """Return the names of what is in it, in order."""
        with _name_in_errors(self.path):
            return sorted(os.listdir(self.fd))  # noqa: PTH208 - pathlib knows no descriptors

    def directory_names(self) -> list[str]:
        """Return the names of the directories in it, in order; links are left out."""
        with _name_in_errors(self.path), os.scandir(self.fd) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))

    def status(self, name: str) -> os.stat_result:
        """Return the status of the file of that name; of a link itself."""
        with _name_in_errors(self.path / name):
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)

    def directory(self, name: str) -> UntrustedDirectory:
        """Open a directory in it, or with '..' the one that it is in."""
        path = self.path.parent if name == '..' else self.path / name
        with _name_in_errors(path):
            fd = os.open(name, os.O_RDONLY | _DIRECTORY | _NO_LINK | _NO_WAIT, dir_fd=self.fd)
        return UntrustedDirectory(Descriptor(fd), path)

    def walk(self, names: Sequence[str]) -> UntrustedDirectory:
        """Open the directory at the end of these steps; without any, this one once more."""
        directory = self.directory_again()
        for name in names:
            with directory:
                directory = directory.directory(name)
        return directory

    def directory_again(self) -> UntrustedDirectory:
        """Open it by a descriptor of its own."""
        with _name_in_errors(self.path):
            return UntrustedDirectory(Descriptor(os.dup(self.fd)), self.path)

    def open_file(self, name: str) -> BinaryIO:
        """Open a regular file in it to read, without a buffer; nothing else is opened."""
        path = self.path / name
        with _name_in_errors(path):
            # Before opening it: of a device, opening is an act. And after: it may be another by then.
            _check_regular(self.status(name))
            fd = os.open(name, os.O_RDONLY | _NO_LINK | _NO_WAIT, dir_fd=self.fd)
            try:
                _check_regular(os.fstat(fd))
                return os.fdopen(fd, 'rb', buffering=0)
            except BaseException:
                os.close(fd)
                raise

    def read(self, name: str, most_bytes: int) -> bytes:
        """Return what is in a file of at most so many bytes; of a larger one nothing is read."""
        with self.open_file(name) as file, _name_in_errors(self.path / name):
            # Not by its size, which may be wrong, or another by now.
            data = file.read(most_bytes + 1)
            if len(data) > most_bytes:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            return data


def inode_of(status: os.stat_result) -> Inode:
    """Return which file a status is of."""
    return Inode(status.st_dev, status.st_ino)


def open_untrusted(path: Path) -> UntrustedDirectory:
    """Open the directory that somebody has named; links on the way to it are theirs.

    Raises:
        OSError: there is no such directory, or it may not be read.
    """
    if sys.platform == 'win32':
        raise OSError(errno.ENOTSUP, 'a spool on disk needs Linux or macOS', str(path))
    fd = os.open(path, os.O_RDONLY | _DIRECTORY | _NO_WAIT)
    # Without links, so that its name is the one that it has in its parent.
    return UntrustedDirectory(Descriptor(fd), Path(os.path.realpath(path)))


@contextmanager
def _name_in_errors(path: Path) -> Iterator[None]:
    """Have errors name the whole path: relative to a descriptor they know the last name at most."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def _check_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, 'no regular file')
