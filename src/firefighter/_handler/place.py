"""Where a handler's spool is kept. In memory there is nothing to open, to look for or to give back; `DiskPlace` has all of that."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firefighter._delivery.hooks import Keep
    from firefighter._delivery.sender import Sender
    from firefighter._spool.disk.finding_file import FindingFile
    from firefighter._spool.segment import Origin

__all__ = ['Place']


class Place:
    """The place of a spool without a `spool_dir`, which is memory. Its methods never raise an Exception, but for `keep_dead_letter`."""

    keep_dead_letter: Keep | None = None
    """Writes an event that Firehose refuses into the file of dead letters, if there is one."""

    def connect(self, sender: Sender, adopts: Callable[[], bool]) -> None:
        """Note who delivers the spool, and what returns whether events of dead processes are to be adopted now."""

    @property
    def path(self) -> Path | None:
        """The directory that keeps the events; None where memory does."""
        return None

    @property
    def store(self) -> Origin | None:
        """The maker of the segments in that directory; other segments may be in memory."""
        return None

    @property
    def backing(self) -> str:
        """Where the next event will be kept: "disk" or "memory"."""
        return 'memory'

    @property
    def quarantined_bytes(self) -> int:
        """The number of torn bytes of dead producers that were set aside."""
        return 0

    @property
    def newer_producers(self) -> int:
        """The number of dead producers left alone, since a later version has written their segments."""
        return 0

    def shared_finding(self) -> FindingFile | None:
        """Return what this process shares with others of what is found out about the stream; None where it shares nothing."""
        return None

    def examine(self) -> str | None:
        """Make the directory and remove it again; return why it cannot be used, or None where it can."""
        return None

    def open(self) -> None:
        """Make the directory, if it can be made. Done already: nothing."""

    def tidy(self) -> None:
        """Check locks, dead producers and the bound of the directory, where it is time for that."""

    def adopt_now(self) -> None:
        """Adopt the events of dead processes, now."""

    def adopt_soon(self) -> None:
        """Have the thread that delivers look for dead processes, unless it has just done so."""

    @property
    def has_adopted(self) -> bool:
        """Whether adopted events are pending, or may be with the next look, which comes at once."""
        return False

    def release_adopted(self) -> bool:
        """Give back adopted events, but for those in requests under way; return whether none is left."""
        return True

    def close(self) -> None:
        """Let go of the directory; all its events are settled."""

    def seconds_until_adoption(self) -> float:
        """Return how long until the next look for dead processes."""
        return inf

    def abandon(self) -> None:
        """Close the descriptors that a forked child has inherited."""
