"""Where a handler's spool is kept: in a directory whenever that can be used, else in memory; and what is reported about it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from firefighter._delivery.diagnostics import Diagnostics
from firefighter._delivery.dispatch import Traffic
from firefighter._delivery.sender import Sender
from firefighter._process.clock import monotonic
from firefighter._spool.disk.errors import BackInFiles, OthersEvents, SpoolUnusable
from firefighter._spool.segment import Origin
from firefighter._spool.spool import Spool
from firefighter._spool.taken_events import Spooled, stretches

if TYPE_CHECKING:
    from firefighter._spool.disk.spool_directory import SpoolDirectory

__all__ = ['SpoolPlace']


class SpoolPlace:
    """The place of one spool.

    Args:
        stream: the delivery stream's name.
        spool: the spool.
        disk: its directory; None: it is in memory.
        disk_as_of_now: called when it is first opened: returns it, or another one where the events would go elsewhere now.
        traffic: where to note the last error.
        diagnostics: where to report it.

    Attributes:
        sender: delivers the spool.
        adopts: returns whether events of dead processes are to be adopted now.
    """

    sender: Sender
    adopts: Callable[[], bool]

    def __init__(
        self,
        stream: str,
        spool: Spool,
        disk: SpoolDirectory | None,
        disk_as_of_now: Callable[[SpoolDirectory], SpoolDirectory],
        traffic: Traffic,
        diagnostics: Diagnostics,
    ) -> None:
        self._stream = stream
        self._spool = spool
        self._disk = disk
        self._disk_as_of_now = disk_as_of_now
        self._was_opened = False
        self._traffic = traffic
        self._diagnostics = diagnostics

    @property
    def path(self) -> Path | None:
        """The directory that keeps the events; None where memory does."""
        return self._disk.path if self._disk else None

    @property
    def store(self) -> Origin | None:
        """The maker of the segments in that directory; other segments may be in memory."""
        return self._disk.store if self._disk else None

    @property
    def backing(self) -> str:
        """Where the next event will be kept: "disk" or "memory"."""
        return 'disk' if self._disk and self._disk.next_event_in_file(self._spool) else 'memory'

    @property
    def quarantined_bytes(self) -> int:
        """The number of torn bytes of dead producers that were set aside."""
        return self._disk.quarantine.size_bytes if self._disk else 0

    @property
    def newer_producers(self) -> int:
        """The number of dead producers left alone, since a later version has written their segments."""
        return self._disk.newer_producers if self._disk else 0

    def keep_dead_letter(self, event: bytes, reason: str) -> None:
        """Write an event that Firehose refuses into the file of dead letters, if there is a directory."""
        if self._disk is not None:
            self._disk.dead_letters.put(event, reason)

    def examine(self) -> str | None:
        """Make the directory and remove it again; return why it cannot be used, or None where it can."""
        if self._disk is None:
            return None
        try:
            self._disk.examine(self._spool)
        except SpoolUnusable as error:
            self._traffic.last_error = f'spool_dir cannot be used: {error.reason}'
            return error.reason
        return None

    def open(self) -> None:
        """Make the directory, if there is to be one and it can be made. Done already: nothing."""
        if self._disk is not None:
            if not self._was_opened:
                self._disk = self._disk_as_of_now(self._disk)
                self._was_opened = True
            self._disk.look_at_once()  # adopted events may have been given back meanwhile
            self._say(self._disk.try_to_open(self._spool))

    def tidy(self) -> None:
        """Check locks, dead producers and the bound of the directory, where it is time for that."""
        if self._disk is None:
            return
        wanted = self._disk.look_is_wanted
        self._say(self._disk.tidy(self._spool, monotonic(), adopts=self.adopts()))
        if wanted:
            self.sender.progress.notify()  # a flush waits for this look

    def adopt_now(self) -> None:
        """Adopt the events of dead processes, now."""
        if self._disk is not None:
            self._disk.look_at_once()
            self._say(self._disk.tidy(self._spool, monotonic(), adopts=True))

    def adopt_soon(self) -> None:
        """Have the thread that delivers look for dead processes, unless it has just done so."""
        if self._disk is not None:
            self._disk.look_soon(monotonic())

    @property
    def has_adopted(self) -> bool:
        """Whether adopted events are pending, or may be with the next look, which comes at once."""
        disk = self._disk
        return self._spool.has_adopted or (
            disk is not None and (disk.expects_more or disk.look_is_wanted) and self.adopts()
        )

    def release_adopted(self) -> bool:
        """Give back adopted events, but for those in requests under way; return whether none is left."""
        if self._disk is None:
            return True
        in_flight = {segment for segment, _, _, _ in stretches(self.sender.in_flight)}
        origins = {segment.origin for segment in in_flight}

        def goes(event: Spooled) -> bool:
            segment, _, _, _ = stretches([event])[0]
            return self._spool.has_adopted_segment(segment) and segment.origin not in origins

        self.sender.release(goes)
        return self._disk.release_adopted(self._spool, in_flight)

    def close(self) -> None:
        """Let go of the directory; all its events are settled."""
        if self._disk is not None:
            self._disk.close(self._spool)

    def seconds_until_adoption(self) -> float:
        """Return how long until the next look for dead processes."""
        if self._disk is None or not self.adopts():
            return inf
        return max(0.0, self._disk.next_look_at - monotonic())

    def abandon(self) -> None:
        """Close the descriptors that a forked child has inherited."""
        if self._disk is not None:
            self._disk.abandon()

    def _say(self, news: str | None) -> None:
        if news is None:
            return
        if not isinstance(news, (BackInFiles, OthersEvents)):
            self._traffic.last_error = news
        # A key of its own for each kind, so that no other line of the last minute suppresses where events are kept.
        self._diagnostics.say(f'spool {type(news).__name__}', f'stream {self._stream!r}: {news}')
