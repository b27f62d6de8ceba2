"""Locks that the system lets go of when their process dies.

They are `flock`'s, on a whole open file: `lockf`'s would be lost as soon as the same process opened and closed the file
anywhere. A forked child shares the parent's open file: what it unlocks is unlocked for the parent too, and what it
keeps open stays locked when the parent is dead. So a child closes without unlocking.

A file may be removed between opening and locking it: then the lock is on a file that no other process can find any more.
So a lock counts only when the path leads to the locked file.
"""

from __future__ import annotations

import errno
import os
import sys

from firefighter._process.descriptor import Descriptor
from firefighter._spool.disk.private import PrivateDirectory
from firefighter._spool.disk.unusable import SpoolUnusable, explained

__all__ = ['Lock', 'lock_directory', 'take']

# What a file system that has no locks says.
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}


class Lock:
    """A lock that was taken.

    Args:
        directory: where its file is.
        name: the file's name.
        descriptor: the file's.
    """

    def __init__(self, directory: PrivateDirectory, name: str, descriptor: Descriptor) -> None:
        self._directory = directory
        self._name = name
        self._descriptor = descriptor

    @property
    def is_held(self) -> bool:
        """Whether it is locked still, wherever its file is now."""
        return self._descriptor.ours()

    def still_ours(self) -> bool:
        """Return whether the descriptor is still ours, and the path still leads to the file."""
        return self._descriptor.ours() and self._descriptor.is_at(self._name, self._directory.fd)

    def release(self) -> None:
        """Unlock it, also for children that were forked meanwhile, and close it."""
        self._descriptor.close(unlock=True)

    def abandon(self) -> None:
        """Close it without unlocking, in a forked child: the parent keeps its lock."""
        self._descriptor.close()


def take(directory: PrivateDirectory, name: str) -> Lock | None:
    """Take a lock, without waiting for it.

    Args:
        directory: where its file is.
        name: the file's name; it is made when it is missing.

    Returns:
        The lock, or None when somebody else has it, or has just removed its file.

    Raises:
        SpoolUnusable: there are no locks on this file system, or something else is in the file's place.
    """
    descriptor = Descriptor(directory.file(name, os.O_RDWR | os.O_CREAT))
    try:
        if _lock(descriptor.fd, directory, name) and descriptor.is_at(name, directory.fd):
            return Lock(directory, name, descriptor)
    except BaseException:
        descriptor.close()
        raise
    descriptor.close()
    return None


def lock_directory(directory: PrivateDirectory) -> bool:
    """Lock a directory itself, without waiting, until its descriptor is closed; return whether nobody else has."""
    return _lock(directory.fd, directory, '.')


def _lock(fd: int, directory: PrivateDirectory, name: str) -> bool:
    """Lock the file, unless somebody else has; return whether that was so."""
    path = directory.path / name
    if sys.platform == 'win32':
        raise SpoolUnusable(f'{path}: no file locks on Windows')
    try:
        import fcntl  # noqa: PLC0415 - Windows has none
    except ImportError as error:  # also where no descriptor is free
        raise SpoolUnusable(
            f'{path}: no file locks, since fcntl cannot be imported ({error}); leave spool_dir out'
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise SpoolUnusable(
                f'{path}: the file system there has no locks ({error.strerror}); choose a spool_dir on another',
                error.errno,
            ) from error
        with explained(path):
            raise
    return True
