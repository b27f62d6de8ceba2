"""The bound for all producers of one user and destination in a spool directory.

It is kept by whoever grows: before a file is made, what is there is counted. Not where the file takes the place of one of its own
that was removed: who gives up a segment to make another one must not have its place taken by others, and give up the next one.
Nor for a little (4 MiB at most, a sixteenth of the bound): most producers never need more. Several that count at the same moment may
each make a file. So there may be more than the bound by one segment of the largest size for each process, and no more.

Counting must be cheap, since the appending thread may have to wait for it when it rolls over. A directory whose time of change is
the same has the same files in it, so of most producers nothing but that time is asked. Now and then delivery counts all, since a file
may have got its size long after its name.

What is too much is given up once: one process at a time counts and drops what it has adopted, with the folder of the destination
locked meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import inf
from pathlib import Path
from time import monotonic

from firefighter._process.exit_and_forks import not_forking
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.directory import destination_folder
from firefighter._spool.disk.locks import lock_directory
from firefighter._spool.disk.survey import Census
from firefighter._spool.disk.unusable import SpoolUnusable
from firefighter._spool.stock import LARGEST_SEGMENT_BYTES

__all__ = ['DirectoryBound']

# So long nothing is counted again for a file that there was no room for: every event asks for one then.
_REFUSAL_SECONDS = 0.1

_COUNT_ALL_SECONDS = 30.0


class DirectoryBound:
    """Says whether there is room for another segment.

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
        self._census = Census(spool_dir, destination)
        self._count_all_at = -inf
        # What was refused last, and until when it stays so.
        self._refused_bytes: float = inf
        self._refused_until = -inf
        self._uncounted_bytes = min(LARGEST_SEGMENT_BYTES, max_bytes // 16)
        # The first one in any case: what others have left must not silence us.
        self._own_bytes = max_bytes

    def grant(self, size_bytes: int) -> bool:
        """Return whether a file of so many bytes may be made."""
        if size_bytes <= self._own_bytes:
            self._own_bytes = max(0, min(self._own_bytes, self._uncounted_bytes) - size_bytes)
            return True
        now = monotonic()
        if now < self._refused_until and size_bytes >= self._refused_bytes:
            return False
        try:
            granted = self._census.count() + size_bytes <= self._max_bytes
        except SpoolUnusable:
            return True  # what cannot be counted is not what hinders us
        if not granted:
            self._refused_bytes, self._refused_until = size_bytes, now + _REFUSAL_SECONDS
        return granted

    def give_back(self, size_bytes: int) -> None:
        """Take note that a file of so many bytes is gone."""
        self._own_bytes = max(size_bytes, min(self._own_bytes + size_bytes, self._uncounted_bytes))
        self._refused_until = -inf

    def enforce(self, drop_oldest: Callable[[], int]) -> bool:
        """Have dropped what is too much, if what is reserved is to be free.

        Args:
            drop_oldest: removes the oldest file that can be spared; returns its bytes, 0 when there is none.

        Returns:
            False: another process is just doing it. What is too much then is not known.
        """
        now = monotonic()
        if now >= self._count_all_at:
            self._count_all_at = now + _COUNT_ALL_SECONDS
            self._census.forget()
        with suppress(SpoolUnusable):
            return self._excess_bytes() <= 0 or self._drop(drop_oldest)
        return True

    def _drop(self, drop_oldest: Callable[[], int]) -> bool:
        with (
            not_forking(),  # a lock that a child inherits would stay locked
            destination_folder(self._spool_dir, self._destination) as folder,
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
        return self._census.count() + self._reserved_bytes - self._max_bytes
