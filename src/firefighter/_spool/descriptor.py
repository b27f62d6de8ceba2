"""A file descriptor that knows which file it was opened for.

Programs that turn into daemons close every descriptor, and the next file that anything opens gets the number. So a number
is never used to decide, nor closed, before the file behind it has been looked at.
"""

from __future__ import annotations

import os

__all__ = ['Descriptor']


class Descriptor:
    """An open file or directory.

    Args:
        fd: the number. From now on it is this object's to close.

    Attributes:
        fd: the number; -1 once it is closed.
        status: what `os.fstat` said of the file when it was opened.
    """

    __slots__ = ('fd', 'status')

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.status = os.fstat(fd)

    def ours(self) -> bool:
        """Return whether the number still stands for that file."""
        try:
            return os.path.samestat(os.fstat(self.fd), self.status)
        except OSError:
            return False

    def is_at(self, path: str | os.PathLike[str], parent: int | None = None) -> bool:
        """Return whether the path (relative to the directory `parent`) leads to that file."""
        try:
            return os.path.samestat(os.stat(path, dir_fd=parent, follow_symlinks=False), self.status)
        except OSError:
            return False

    def close(self) -> None:
        """Close it, if it is still ours."""
        if self.ours():
            os.close(self.fd)
        self.fd = -1
