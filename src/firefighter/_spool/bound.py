"""The bound for all producers of one user and destination in a spool directory."""

from __future__ import annotations

from pathlib import Path

from firefighter._spool.destination import Destination
from firefighter._spool.survey import used_bytes
from firefighter._spool.unusable import SpoolUnusable

__all__ = ['DirectoryBound']


class DirectoryBound:
    """Says whether there is room for another segment.

    It counts what it grants, and looks at the directory itself only when delivery has the time to: the appending thread
    must not walk through directories. So several producers that grow at once may pass the bound by what they make
    between two looks.

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
        self._used_bytes = 0

    def look(self) -> None:
        """Count anew what is there."""
        try:
            self._used_bytes = used_bytes(self._spool_dir, self._destination)
        except SpoolUnusable:
            return  # what cannot be counted is not what hinders us

    def grant(self, size_bytes: int) -> bool:
        """Return whether a file of so many bytes may be made, and count it."""
        if self._used_bytes + size_bytes > self._max_bytes:
            return False
        self._used_bytes += size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        """Take note that a file of so many bytes is gone."""
        self._used_bytes = max(0, self._used_bytes - size_bytes)

    @property
    def excess_bytes(self) -> int:
        """By how much too much there is, if what is reserved is to be free, or zero."""
        return max(0, self._used_bytes + self._reserved_bytes - self._max_bytes)
