"""A producer's directory: what is in it, and who holds it.

A producer is one process and one destination. Its id is random: every container has a process 1. In its directory are

    alive          locked by the producer as long as it lives, then by who adopts what it has left
    reader         locked by whoever delivers its events
    producer.json  who it is, for people
    *.spool        its segments
    .tmp-*         a segment that is being made, or could not get its name
"""

from __future__ import annotations

import errno
import os

from firefighter._spool.disk.locks import Lock, take
from firefighter._spool.disk.private import PrivateDirectory
from firefighter._spool.disk.unusable import SpoolUnusable, explained

__all__ = ['ABOUT', 'ALIVE', 'ID_BYTES', 'ProducerDirectory', 'discard', 'id_of', 'take_both']

ALIVE = 'alive'
READER = 'reader'
ABOUT = 'producer.json'

ID_BYTES = 16


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

    def held(self) -> bool:
        """Return whether it is still ours: locks, descriptors, and the path leads to it."""
        # Each is asked, whatever the others say: that forgets the numbers that were closed under us.
        return all([self._directory.in_place(), self._alive.still_ours(), self._reader.still_ours()])

    def has(self, name: str) -> bool:
        """Return whether there is a file of that name in it, or cannot be told."""
        try:
            os.stat(name, dir_fd=self._directory.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError:
            return True
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

    def listing(self) -> list[str]:
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

    def close_to_others(self) -> None:
        """Give the directory its mode 0700 back."""
        self._ours().take_possession()

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
        if set(self.listing()) - {ALIVE, READER, ABOUT}:
            return False
        discard(self._directory)
        self.release()
        return True

    def remove_or_release(self) -> bool:
        """Remove it as above; where that does not go, let go of it as it is. Return whether it is gone."""
        try:
            gone = self.remove()
        except SpoolUnusable:
            gone = False
        if not gone:
            self.release()
        return gone

    def release(self) -> None:
        """Let go of it: from now on another process can adopt what is in it."""
        self._reader.release()
        self._alive.release()
        self._directory.descriptor.close()

    def abandon(self) -> None:
        """Close the descriptors without unlocking, in a forked child: it stays the parent's."""
        self._reader.abandon()
        self._alive.abandon()
        self._directory.descriptor.close()


def id_of(name: str) -> bytes | None:
    """Return the producer's id that a directory is named for; None when it is another name."""
    try:
        producer_id = bytes.fromhex(name)
    except ValueError:
        return None
    return producer_id if producer_id.hex() == name and len(producer_id) == ID_BYTES else None


def take_both(directory: PrivateDirectory) -> tuple[Lock, Lock] | None:
    """Take both locks of a producer, without waiting; return them, or None when somebody else has one."""
    alive = take(directory, ALIVE)
    if alive is None:
        return None
    reader = None
    try:
        reader = take(directory, READER)
    finally:
        if reader is None:
            alive.release()
    return (alive, reader) if reader else None


def discard(directory: PrivateDirectory) -> None:
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
            with explained(directory.path):
                raise
