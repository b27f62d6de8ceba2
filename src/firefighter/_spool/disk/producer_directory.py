"""A producer's directory, and the two locks that show who holds it.

A producer is one handler in one process. Its id is random, because every container has a process 1. In its directory are

    alive          locked by the producer as long as it lives, then by who adopts what it has left
    reader         locked by whoever delivers its events
    producer.json  who it is
    *.spool        its segments
    .tmp-*         a segment that is being made, or could not get its name

**Locks.** The system releases them when their process dies. They are `flock`'s, on a whole open file: `lockf`'s would be lost as
soon as the same process opened and closed the file anywhere. A forked child shares the parent's open file: what it unlocks is
unlocked for the parent too, and what it keeps open stays locked when the parent is dead. So a child closes without unlocking.

A file may be removed between opening and locking it. Then the lock is on a file that no other process can find. So a lock counts
only while the path leads to the locked file.
"""

from __future__ import annotations

import errno
import os
import sys
from functools import cache
from types import ModuleType

from firefighter._process.descriptor import Descriptor, close
from firefighter._spool.disk.errors import SpoolUnusable, translate_errors
from firefighter._spool.disk.private_directory import PrivateDirectory
from firefighter._spool.disk.untrusted_directory import UntrustedDirectory

__all__ = [
    'ABOUT',
    'ALIVE',
    'ID_BYTES',
    'READER',
    'Lock',
    'ProducerDirectory',
    'is_lock_held',
    'lock_directory',
    'producer_id_of',
    'remove_directory',
    'take_lock',
    'take_locks',
]

ALIVE = 'alive'
READER = 'reader'
ABOUT = 'producer.json'

ID_BYTES = 16

# The errors of a file system without locks.
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


class ProducerDirectory:
    """A producer's directory, with both of its locks.

    The locks end with the process, with the object, or by one of the last four methods.

    Args:
        producer_id: 16 random bytes.
        directory: the directory.
        alive: the producer's lock.
        reader: the lock of whoever delivers.

    Attributes:
        id: the producer's id.
        path: where the directory is; for messages.
    """

    def __init__(self, producer_id: bytes, directory: PrivateDirectory, alive: Lock, reader: Lock) -> None:
        self.id = producer_id
        self.path = directory.path
        self._directory = directory
        self._alive = alive
        self._reader = reader

    @property
    def fd(self) -> int:
        """The directory's descriptor."""
        return self._directory.fd

    def is_held(self) -> bool:
        """Return whether it is still ours: locks, descriptors, and the path leads to it."""
        # All three are asked, also when one is lost: asking forgets descriptors that somebody else has closed.
        return all([self._directory.in_place(), self._alive.still_ours(), self._reader.still_ours()])

    def has_file(self, name: str, inode: int) -> bool:
        """Return whether the file of that name in it is this one, or that cannot be found out."""
        try:
            return os.stat(name, dir_fd=self._directory.fd, follow_symlinks=False).st_ino == inode
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def open_file(self, name: str, flags: int) -> int:
        """Open a regular file of ours in it, without following a link; return the descriptor.

        Args:
            name: the file's name.
            flags: as for `os.open`. With O_CREAT the file is made with the mode 0600.

        Raises:
            SpoolUnusable: with the system's `errno`, or without where something else has that name.
        """
        return self._ours().file(name, flags)

    def names(self) -> list[str]:
        """Return the names of what is in it, in no order."""
        return self._ours().names()

    def move(self, name: str, into: ProducerDirectory, new_name: str) -> None:
        """Move a file into another producer's directory, or give it another name in this one.

        Raises:
            SpoolUnusable: it cannot be moved; or both locks were lost, so that another process may have adopted it.
        """
        if not (self._alive.is_held or self._reader.is_held):
            raise SpoolUnusable(f'{self.path}: something has closed its locks', errno.EBADF)
        self._ours().move(name, into._ours(), new_name)  # one of us

    def restore_mode(self) -> None:
        """Give the directory its mode 0700 back."""
        self._ours().make_private()

    def unlink(self, name: str) -> None:
        """Remove a file."""
        self._ours().unlink(name)

    def _ours(self) -> PrivateDirectory:
        """Return the directory, unless its descriptor was closed: then the number may be another directory's."""
        if not self._directory.descriptor.ours():
            raise SpoolUnusable(f'{self.path}: something has closed its descriptor', errno.EBADF)
        return self._directory

    def in_place(self) -> bool:
        """Return whether the descriptor is still ours, and the path leads to the directory."""
        return self._directory.in_place()

    def remove(self) -> bool:
        """Remove the directory and release it, unless anything is in it but what every producer has.

        Returns:
            Whether it is gone. If not, it stays as it was, and held.
        """
        # Nor with a segment that is being made: where it could not get its name, there are events in it.
        if set(self.names()) - {ALIVE, READER, ABOUT}:
            return False
        remove_directory(self._directory)
        self.release()
        return True

    def remove_or_release(self) -> bool:
        """Remove it as `remove` does, or else release it as it is; return whether it is gone."""
        try:
            gone = self.remove()
        except SpoolUnusable:
            gone = False
        if not gone:
            self.release()
        return gone

    def release(self) -> None:
        """Unlock and close it: from now on another process can adopt what is in it."""
        self._reader.release()
        self._alive.release()
        self._directory.descriptor.close()

    def abandon(self) -> None:
        """Close the descriptors without unlocking, in a forked child: it stays the parent's."""
        self._reader.abandon()
        self._alive.abandon()
        self._directory.descriptor.close()


def producer_id_of(name: str) -> bytes | None:
    """Return the producer's id that a directory is named for; None when it is another name."""
    try:
        producer_id = bytes.fromhex(name)
    except ValueError:
        return None
    return producer_id if producer_id.hex() == name and len(producer_id) == ID_BYTES else None


def take_locks(directory: PrivateDirectory) -> tuple[Lock, Lock] | None:
    """Take both locks of a producer, without waiting; return them, or None when somebody else has one."""
    alive = take_lock(directory, ALIVE)
    if alive is None:
        return None
    reader = None
    try:
        reader = take_lock(directory, READER)
    finally:
        if reader is None:
            alive.release()
    return (alive, reader) if reader else None


def remove_directory(directory: PrivateDirectory) -> None:
    """Remove a directory whose locks are held and that has no events, locks last.

    Raises:
        SpoolUnusable: there is something in it that cannot be removed.
    """
    for name in sorted(directory.names(), key=lambda name: (name == ALIVE, name == READER)):
        directory.unlink(name)
    try:
        # Its own name, looked up in its parent: no descriptor of that has to be kept for this.
        os.rmdir(f'../{directory.path.name}', dir_fd=directory.fd)
    except OSError as error:
        # Since the last file has gone, another process may have looked for an orphan here, and made a lock. It finds no
        # events, and does the rest, or has done it.
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}:
            with translate_errors(directory.path):
                raise


def take_lock(directory: PrivateDirectory, name: str) -> Lock | None:
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


def has_lock(directory: PrivateDirectory, name: str) -> bool:
    """Return whether somebody has a lock of ours; it is taken for an instant, shared, to find out."""
    try:
        descriptor = directory.file(name, os.O_RDONLY)
    except SpoolUnusable:  # it is not there
        return False
    try:
        return _is_locked(descriptor)
    finally:
        close(descriptor)


def is_lock_held(directory: UntrustedDirectory, name: str) -> bool:
    """Return whether somebody has the lock; it is taken for an instant, shared, to find out.

    Raises:
        OSError: something else is in its place. (Nobody has what is not there.)
    """
    try:
        with directory.open_file(name) as file:
            return _is_locked(file.fileno())
    except FileNotFoundError:
        return False


@cache
def _fcntl() -> ModuleType:
    # Kept: at the very end of the process nothing can be imported.
    import fcntl  # noqa: PLC0415 - Windows has none

    return fcntl


def _is_locked(fd: int) -> bool:
    if sys.platform == 'win32':
        return False  # nothing writes a spool to disk there
    fcntl = _fcntl()
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _lock(fd: int, directory: PrivateDirectory, name: str) -> bool:
    """Lock the file, unless somebody else has; return whether that was so."""
    path = directory.path / name
    if sys.platform == 'win32':
        raise SpoolUnusable(f'{path}: no file locks on Windows')
    try:
        fcntl = _fcntl()
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
        with translate_errors(path):
            raise
    return True
