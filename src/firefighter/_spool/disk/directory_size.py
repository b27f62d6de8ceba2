"""How many bytes the producers of one user and destination have in a spool directory, and how many they may have.

Whoever makes a file counts first what is there. There are two exceptions. A file that takes the place of one of the producer's
own needs no count: who gives up a segment to make another one must not lose its place to others, and give up the next one. Nor
does a little (4 MiB at most, a sixteenth of the bound): most producers never need more. Several producers that count at the same
moment may each make a file. So the bound may be exceeded by one segment of the largest size for each process, and no more.

Only segments count. Whoever is refused a file keeps its events in memory (`errors.py`).

Counting must be cheap, because the appending thread may have to wait for it when it rolls over. A directory whose time of change
is the same has the same files in it, so of most producers only that time is asked. Now and then delivery counts all of them anew,
because a file may get its size long after its name.

What is over the bound is dropped once: one process at a time counts and drops what it has adopted, with the destination's folder
locked meanwhile.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from math import inf
from pathlib import Path
from time import time_ns

from firefighter._process.exit_and_forks import not_forking
from firefighter._process.waiting import monotonic
from firefighter._spool.allocator import LARGEST_SEGMENT_BYTES
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import destination_folder, destination_folders, our_users
from firefighter._spool.disk.errors import SpoolUnusable, translate_errors
from firefighter._spool.disk.private_directory import PrivateDirectory
from firefighter._spool.disk.producer_directory import lock_directory
from firefighter._spool.disk.segment_file import is_segment_name

__all__ = ['DirectoryBound', 'UsedBytesCounter', 'used_bytes']

_COUNT_ALL_SECONDS = 30.0


class DirectoryBound:
    """Decides whether there is room for another segment.

    Args:
        spool_dir: below which all producers are.
        destination: whose producers are bounded.
        max_bytes: the bound, in bytes.
        reserved_bytes: how much of it orphans may not take from the living.
    """

    def __init__(
        self, spool_dir: Path, destination: Destination, max_bytes: int, reserved_bytes: int = 0
    ) -> None:
        self._spool_dir = spool_dir
        self._destination = destination
        self._max_bytes = max_bytes
        self._reserved_bytes = reserved_bytes
        self._counter = UsedBytesCounter(spool_dir, destination)
        self._count_all_at = -inf
        # What had the most bytes when a file was refused; None where the last one was not.
        self._largest: Path | None = None
        self._uncounted_bytes = min(LARGEST_SEGMENT_BYTES, max_bytes // 16)
        # The first file is always granted: what others have left must not keep us from logging.
        self._own_bytes = max_bytes

    def grant(self, size_bytes: int) -> None:
        """Note that a file of so many bytes is made.

        Raises:
            SpoolUnusable: there is no room for it; with what takes the most.
        """
        if size_bytes <= self._own_bytes:
            self._own_bytes = max(0, min(self._own_bytes, self._uncounted_bytes) - size_bytes)
            return
        try:
            granted = self._counter.count() + size_bytes <= self._max_bytes
        except SpoolUnusable:
            return  # what cannot be counted is not what hinders us
        if granted:
            self._largest = None
            return
        # The same one at each look, so that the same is not reported again, whose share ever changes.
        self._largest = self._largest or self._counter.largest
        raise SpoolUnusable(
            f'{self._spool_dir}: max_directory_bytes is reached, and {self._largest} takes the most of it; if its process is dead, '
            'deliver or delete what it has left (firefighter spool replay, purge), or else raise max_directory_bytes',
            errno.EDQUOT,
        )

    def give_back(self, size_bytes: int) -> None:
        """Note that a file of so many bytes is removed."""
        self._own_bytes = max(size_bytes, min(self._own_bytes + size_bytes, self._uncounted_bytes))

    def enforce(self, drop_oldest: Callable[[], int]) -> bool:
        """Drop adopted segments until the reserved bytes are free.

        Args:
            drop_oldest: removes the oldest file that can be spared; returns its bytes, 0 when there is none.

        Returns:
            False where another process is just doing it: how much is left to drop is not known then.
        """
        now = monotonic()
        if now >= self._count_all_at:
            self._count_all_at = now + _COUNT_ALL_SECONDS
            self._counter.forget_counts()
        with suppress(SpoolUnusable):
            return self._excess_bytes() <= 0 or self._drop(drop_oldest)
        return True

    def _drop(self, drop_oldest: Callable[[], int]) -> bool:
        with (
            not_forking(),  # a lock that a child inherits would stay locked
            # Of all our processes, so the same one, which those that have found something have made.
            destination_folder(self._spool_dir, self._destination, make=True) as folder,
        ):
            if not lock_directory(folder):
                return False
            try:
                excess_bytes = self._excess_bytes()
                while excess_bytes > 0 and (dropped_bytes := drop_oldest()):
                    excess_bytes -= dropped_bytes
            finally:
                folder.descriptor.close(unlock=True)
        return True

    def _excess_bytes(self) -> int:
        return self._counter.count() + self._reserved_bytes - self._max_bytes


# What `st_blocks` counts in, whatever the file system's own blocks are.
_BLOCK_BYTES = 512

# The longest step is 10 ms: file systems take the time from the last tick of the kernel.
_CLOCK_STEP_NS = 1_000_000_000


def used_bytes(spool_dir: Path, destination: Destination) -> int:
    """Return the bytes of all segments of all our producers of a destination, dead or alive.

    Segments are allocated whole, so these are bytes of the disk.

    Raises:
        SpoolUnusable: the folder of the destination cannot be read. (Without one it is 0.)
    """
    return UsedBytesCounter(spool_dir, destination).count()


class UsedBytesCounter:
    """Counts `used_bytes` again and again, looking only into directories that have changed.

    Without generators, also as context managers: the appending thread counts too, and CPython 3.12 and 3.13 crash where there is
    no memory for one.
    """

    def __init__(self, spool_dir: Path, destination: Destination) -> None:
        self._spool_dir = spool_dir
        self._destination = destination
        # Of each producer's directory, by its path: when it was changed last, and the bytes in it. Never changed, but replaced.
        self._known: dict[Path, tuple[int, int]] = {}
        self._users: list[str] | None = None

    def forget_counts(self) -> None:
        """Look into every directory the next time."""
        self._known = {}
        self._users = None

    @property
    def largest(self) -> Path | None:
        """The producer's directory in which the last count has found the most."""
        return max(self._known, key=lambda path: self._known[path][1], default=None)

    def count(self) -> int:
        """Return the bytes; raises as `used_bytes`."""
        known: dict[Path, tuple[int, int]] = {}
        try:
            if self._users is None:
                self._users = our_users(self._spool_dir, self._destination)
            folders = destination_folders(self._spool_dir, self._destination, self._users)
        except SpoolUnusable as error:
            if error.errno == errno.ENOENT:
                return 0
            raise
        try:
            for folder in folders:
                self._count_in(folder, known)
        finally:
            for folder in folders:
                folder.descriptor.close()
        self._known = known
        return sum([size_bytes for _, size_bytes in known.values()])

    def _count_in(self, folder: PrivateDirectory, known: dict[Path, tuple[int, int]]) -> None:
        for name in folder.names():
            try:
                status = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
            except OSError:  # it has gone meanwhile
                continue
            before = self._known.get(folder.path / name)
            if before is None or before[0] != status.st_mtime_ns:
                before = _bytes_in(folder, name, status)
            known[folder.path / name] = before


def _bytes_in(folder: PrivateDirectory, name: str, status: os.stat_result) -> tuple[int, int]:
    """Return when a directory was changed last, and the bytes of the segments in it; of another file, zero."""
    if not stat.S_ISDIR(status.st_mode):
        return 0, 0
    # The clock of a file system goes in steps: within one, a directory may be changed again and show the same time.
    certain = abs(time_ns() - status.st_mtime_ns) > _CLOCK_STEP_NS
    return status.st_mtime_ns if certain else -1, _size(folder, name)


def _size(folder: PrivateDirectory, name: str) -> int:
    """Return the bytes of the segments in a directory; 0 when it is not a directory, or has gone meanwhile."""
    total = 0
    with suppress(SpoolUnusable), folder.directory(name) as directory:
        for file in filter(is_segment_name, directory.names()):
            with suppress(FileNotFoundError), translate_errors(directory.path):
                status = os.stat(file, dir_fd=directory.fd, follow_symlinks=False)
                total += min(status.st_size, _taken_bytes(status))
    return total


def _taken_bytes(status: os.stat_result) -> int:
    if sys.platform == 'win32':
        return status.st_size  # nothing writes a spool to disk there
    return status.st_blocks * _BLOCK_BYTES
