"""Where a handler's spool is kept that has a `spool_dir`: in a directory whenever that can be used, else in memory.

It reports what becomes of the directory, too. `Place` is the one without a `spool_dir`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from firefighter._delivery.diagnostics import Diagnostics
from firefighter._delivery.dispatch import Traffic
from firefighter._delivery.sender import Sender
from firefighter._handler.place import Place
from firefighter._process.exit_and_forks import not_forking
from firefighter._process.waiting import monotonic
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.errors import BackInFiles, OthersEvents, SpoolUnusable
from firefighter._spool.disk.spool_directory import SpoolDirectory
from firefighter._spool.segment import Origin
from firefighter._spool.spool import Spool
from firefighter._spool.taken_events import Spooled, stretches

if TYPE_CHECKING:
    from firefighter._spool.disk.finding_file import FindingFile

__all__ = ['DiskPlace']


class DiskPlace(Place):
    """The place of one spool.

    Args:
        stream: the delivery stream's name.
        spool: the spool.
        spool_dir: where its directory is made.
        destination: returns where the events go, as it looks now.
        max_bytes: the bound of the spool.
        max_directory_bytes: the bound of all spools in `spool_dir` of this user and destination.
        producer_id: of the handler, with `event_ids`.
        traffic: where to note the last error.
        diagnostics: where to report it.
    """

    def __init__(
        self,
        stream: str,
        spool: Spool,
        spool_dir: Path,
        destination: Callable[[], Destination],
        max_bytes: int,
        max_directory_bytes: int,
        producer_id: bytes | None,
        traffic: Traffic,
        diagnostics: Diagnostics,
    ) -> None:
        self._stream = stream
        self._spool = spool
        self._spool_dir = spool_dir
        self._destination = destination
        self._make_directory: Callable[[], SpoolDirectory] = lambda: SpoolDirectory(
            spool_dir, destination(), max_bytes, max_directory_bytes, producer_id
        )
        self._directory = self._make_directory()
        self._was_used = False
        self._traffic = traffic
        self._diagnostics = diagnostics

    def connect(self, sender: Sender, adopts: Callable[[], bool]) -> None:
        self._sender = sender
        self._adopts = adopts

    @property
    def path(self) -> Path | None:
        return self._directory.path

    @property
    def store(self) -> Origin | None:
        return self._directory.store

    @property
    def backing(self) -> str:
        return 'disk' if self._directory.next_event_in_file(self._spool) else 'memory'

    @property
    def quarantined_bytes(self) -> int:
        return self._directory.quarantine.size_bytes

    @property
    def newer_producers(self) -> int:
        return self._directory.newer_producers

    def keep_dead_letter(self, event: bytes, reason: str) -> None:
        self._directory.dead_letters.put(event, reason)

    def shared_finding(self) -> FindingFile | None:
        with not_forking():  # only `aggregate='auto'` needs it
            from firefighter._spool.disk.finding_file import FindingFile  # noqa: PLC0415
        return FindingFile(self._spool_dir, lambda: self._directory.destination)

    def examine(self) -> str | None:
        try:
            self._directory.examine(self._spool)
        except SpoolUnusable as error:
            self._traffic.last_error = f'spool_dir cannot be used: {error.reason}'
            return error.reason
        return None

    def _follow_the_client(self) -> None:
        """At the first use, take the directory for where the client will send: the program may have set its environment meanwhile."""
        if not self._was_used:
            if self._directory.destination != self._destination():
                self._directory = self._make_directory()
            self._was_used = True

    def open(self) -> None:
        self._follow_the_client()
        self._directory.look_at_once()  # adopted events may have been given back meanwhile
        self._say(self._directory.try_to_open(self._spool))

    def tidy(self) -> None:
        wanted = self._directory.look_is_wanted
        self._say(self._directory.tidy(self._spool, monotonic(), adopts=self._adopts()))
        if wanted:
            self._sender.progress.notify()  # a flush waits for this look

    def adopt_now(self) -> None:
        self._follow_the_client()
        self._directory.look_at_once()
        self._say(self._directory.tidy(self._spool, monotonic(), adopts=True))

    def adopt_soon(self) -> None:
        self._directory.look_soon(monotonic())

    @property
    def has_adopted(self) -> bool:
        directory = self._directory
        return self._spool.has_adopted or (
            (directory.expects_more or directory.look_is_wanted) and self._adopts()
        )

    def release_adopted(self) -> bool:
        in_flight = {segment for segment, _, _, _ in stretches(self._sender.in_flight)}
        origins = {segment.origin for segment in in_flight}

        def goes(event: Spooled) -> bool:
            segment, _, _, _ = stretches([event])[0]
            return self._spool.has_adopted_segment(segment) and segment.origin not in origins

        self._sender.release(goes)
        return self._directory.release_adopted(self._spool, in_flight)

    def close(self) -> None:
        self._directory.close(self._spool)

    def seconds_until_adoption(self) -> float:
        return max(0.0, self._directory.next_look_at - monotonic()) if self._adopts() else inf

    def abandon(self) -> None:
        self._directory.abandon()

    def _say(self, news: str | None) -> None:
        if news is None:
            return
        if not isinstance(news, (BackInFiles, OthersEvents)):
            self._traffic.last_error = news
        # A key of its own for each kind, so that no other line of the last minute suppresses where events are kept.
        self._diagnostics.say(f'spool {type(news).__name__}', f'stream {self._stream!r}: {news}')
