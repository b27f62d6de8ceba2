"""A file descriptor that knows which file it was opened for.

A program that turns into a daemon closes all descriptors, and the next file that anything opens gets the same number. So a
number is used or closed only after a look at the file that it stands for. A number that stands for another file is forgotten.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress

__all__ = ['Descriptor', 'close', 'close_troubles', 'write_all']


class _CloseTroubles:
    """Counts the errors of closing files, in this process.

    A disk may report the error of an earlier write there (EIO, or EDQUOT on network file systems). The descriptor is closed all
    the same, so an exception would help nobody.

    Attributes:
        count: how many there were.
        last: the last one, in words.
    """

    def __init__(self) -> None:
        self.count = 0
        self.last = ''

    def note(self, error: OSError) -> None:
        """Take note of an error."""
        self.count += 1
        self.last = error.strerror or type(error).__name__


close_troubles = _CloseTroubles()


def close(fd: int) -> None:
    """Close a descriptor. An error is counted, and reported by delivery; it is never raised."""
    try:
        os.close(fd)
    except OSError as error:
        if error.errno != errno.EBADF:  # EBADF: the program has closed all descriptors, to turn into a daemon
            close_troubles.note(error)


def write_all(fd: int, data: bytes) -> None:
    """Write all of the data. By the system's own call, since a file object cannot be made at the very end of the process."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


class Descriptor:
    """An open file or directory. It closes itself when nobody refers to it any more.

    Args:
        fd: the number. From now on it is this object's to close.

    Attributes:
        fd: the number; -1 once it is closed, or stands for another file.
        status: what `os.fstat` returned when the file was opened.
    """

    __slots__ = ('fd', 'status')

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.status = os.fstat(fd)

    def __del__(self) -> None:
        # Without unlocking: in a forked child the lock is the parent's.
        try:  # noqa: SIM105 - when the interpreter ends, imported modules may be gone already
            self.close()
        except Exception:
            pass

    def ours(self) -> bool:
        """Return whether the number still stands for that file."""
        try:
            ours = os.path.samestat(os.fstat(self.fd), self.status)
        except OSError:
            ours = False
        if not ours:
            self.fd = -1
        return ours

    def is_at(self, path: str | os.PathLike[str], parent: int | None = None) -> bool:
        """Return whether the path (relative to the directory `parent`) leads to that file."""
        try:
            return os.path.samestat(os.stat(path, dir_fd=parent, follow_symlinks=False), self.status)
        except OSError:
            return False

    def close(self, *, unlock: bool = False) -> None:
        """Close it, if it is still ours; when another thread does the same, one of them closes it.

        Args:
            unlock: whether to unlock it first, also for forked children that have it open.
        """
        if not self.ours():
            return
        # One statement without a call, so that only one of two threads gets the number, and no exception comes in between.
        fd, self.fd = self.fd, -1
        if fd < 0:
            return
        try:
            if unlock:
                _unlock(fd)
        finally:
            close(fd)


def _unlock(fd: int) -> None:
    if sys.platform != 'win32':
        with suppress(
            OSError, ImportError
        ):  # closing it does the same, unless a child has it; some Pythons have no locks
            import fcntl  # noqa: PLC0415 - Windows has none

            fcntl.flock(fd, fcntl.LOCK_UN)
