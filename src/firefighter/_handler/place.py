"""Where a handler's spool is kept: in a directory whenever that can be used, else in memory; and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from firefighter._delivery.diagnostics import Diagnostics
from firefighter._delivery.dispatch import Traffic
from firefighter._delivery.sender import Sender
from firefighter._spool.disk.unusable import BackInFiles, SpoolUnusable
from firefighter._spool.events import Spooled, stretches
from firefighter._spool.segment import Origin
from firefighter._spool.spool import Spool

if TYPE_CHECKING:
    from firefighter._spool.disk.spool_directory import Disk

__all__ = ['SpoolPlace']


class SpoolPlace:
    """The place of one spool.

    Args:
        stream: the delivery stream's name.
        spool: the spool.
        disk: what it has on disk; None: it is in memory.
        traffic: where to note what went wrong.
        diagnostics: where to say it.

    Attributes:
        sender: delivers the spool.
        adopts: says whether what dead processes have left is to be adopted now.
    """

    sender: Sender[Spooled]
    adopts: Callable[[], bool]

    def __init__(
        self, stream: str, spool: Spool, disk: Disk | None, traffic: Traffic, diagnostics: Diagnostics
    ) -> None:
        self._stream = stream
        self._spool = spool
        self._disk = disk
        self._traffic = traffic
        self._diagnostics = diagnostics

    @property
    def path(self) -> Path | None:
        """The directory that keeps the events; None where memory does."""
        return self._disk.path if self._disk else None

    @property
    def store(self) -> Origin | None:
        """What has made the segments in that directory; others may be in memory."""
        return self._disk.store if self._disk else None

    @property
    def backing(self) -> str:
        """What the next event is kept in, or would be: "disk" or "memory"."""
        return 'disk' if self._disk and self._disk.keeps(self._spool) else 'memory'

    @property
    def quarantined_bytes(self) -> int:
        """Torn bytes of dead producers that were put aside."""
        return self._disk.quarantine.size_bytes if self._disk else 0

    @property
    def newer_producers(self) -> int:
        """Dead producers left alone, since a later version has written their segments."""
        return self._disk.newer_producers if self._disk else 0

    def keep_dead_letter(self, event: bytes, reason: str) -> None:
        """Keep an event that Firehose refuses; in memory nothing is kept."""
        if self._disk is not None:
            self._disk.dead_letters.put(event, reason)

    def examine(self) -> str | None:
        """Make the directory, and let go of it again; return why it cannot be used, if it cannot."""
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
            self._disk.look_at_once()  # what was adopted before may have been given back meanwhile
            self._say(self._disk.try_to_open(self._spool))

    def tidy(self) -> None:
        """Look after locks, dead producers and the bound of the directory, where it is time for it."""
        if self._disk is None:
            return
        self._say(self._disk.tidy(self._spool, monotonic(), adopts=self.adopts()))

    def look_for_the_dead(self) -> None:
        """Adopt what dead processes have left, now."""
        if self._disk is not None:
            self._disk.look_at_once()
            self._say(self._disk.tidy(self._spool, monotonic(), adopts=True))

    def look_soon(self) -> None:
        """Have who delivers look for the dead with the next step, unless that was a moment ago."""
        if self._disk is not None:
            self._disk.look_soon(monotonic())

    @property
    def has_dead(self) -> bool:
        """Whether something of the dead is adopted, or will be as soon as that is delivered."""
        return self._spool.has_adopted or (
            self._disk is not None and self._disk.expects_more and self.adopts()
        )

    def release_adopted(self) -> bool:
        """Give back what was adopted and is not under way; return whether nothing adopted is left."""
        if self._disk is None:
            return True
        in_flight = {segment for segment, _, _, _ in stretches(self.sender.on_way)}
        origins = {segment.origin for segment in in_flight}

        def goes(event: Spooled) -> bool:
            segment, _, _, _ = stretches([event])[0]
            return self._spool.has_adopted_segment(segment) and segment.origin not in origins

        self.sender.forget(goes)
        return self._disk.release_adopted(self._spool, in_flight)

    def close(self) -> None:
        """Let go of the directory, whose events are settled."""
        if self._disk is not None:
            self._disk.close(self._spool)

    def seconds_until_look(self) -> float:
        """Return how long until the dead are to be looked for again."""
        if self._disk is None or not self.adopts():
            return inf
        return max(0.0, self._disk.next_look_at - monotonic())

    def abandon(self) -> None:
        """Close what a forked child has inherited."""
        if self._disk is not None:
            self._disk.abandon()

    def _say(self, news: str | None) -> None:
        if news is None:
            return
        if not isinstance(news, BackInFiles):
            self._traffic.last_error = news
        # Where events are kept is never left out since something else was said within the minute.
        self._diagnostics.say(f'spool {type(news).__name__}', f'stream {self._stream!r}: {news}')
