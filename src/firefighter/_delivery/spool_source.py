"""The spool as delivery sees it: what waits there, in which records it is taken, and the marks that were queued.

`plain_queue.py` has the variant for a `queue.Queue` of the program's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from firefighter._delivery.limits import MAX_WINDOW_BYTES
from firefighter._process.waiting import Wakeup
from firefighter._spool.spool import Spool, Spooled
from firefighter._spool.taken_events import Aggregate, SpooledLines, original_lines

if TYPE_CHECKING:
    from firefighter._delivery.aggregation import Aggregation

__all__ = ['Queued', 'SpoolSource']


class Queued(NamedTuple):
    """The amount that can be taken.

    Attributes:
        events: how many events.
        records: how many Firehose records they need at least.
        size_bytes: the size of these records, as they will be sent.
    """

    events: int
    records: int
    size_bytes: int


class SpoolSource:
    """A spool, and the marks that were queued.

    Args:
        spool: the spool.
        wakeup: ends the wait of the delivering thread.
        housekeeping: called between two requests.
        aggregation: makes Firehose records of several events; None: each event is one.

    Attributes:
        aggregation: as given. Where it is found out later, another one may be put here between two batches.
        aggregates: whether records are made by it. It stays, and halves the records that it has made, where this is switched off.
        flushes: how many FLUSHes and ENDs were queued: a new one asks for a try at once.
        ended: whether END was queued.
        quiet: events, and their bytes, among those that can be taken, that make no batch due: they were logged on threads of ours.
        deliver: delivers it in the calling thread; where it is a handler's own spool.
    """

    deliver: Callable[[], None]

    def __init__(
        self,
        spool: Spool,
        wakeup: Wakeup,
        housekeeping: Callable[[], None] = lambda: None,
        aggregation: Aggregation | None = None,
    ) -> None:
        self.spool = spool
        self.aggregation = aggregation
        self.aggregates = aggregation is not None
        self._housekeeping = housekeeping
        self.flushes = 0
        self.ended = False
        self._flush_through = 0
        self._wakeup = wakeup
        self.quiet = 0, 0

    def append_quietly(self, line: bytes) -> None:
        """Queue an event that makes no batch due."""
        events, size_bytes = self.quiet
        self.quiet = events + 1, size_bytes + self.sent_bytes(len(line))
        self.spool.append(line)

    def flush(self) -> int:
        """Queue a FLUSH; return the sequence number after the last event before it."""
        self.spool.append_set_aside()
        self.spool.append_marker()
        through = self.spool.appended
        self._flush_through = through
        self.flushes += 1
        self._wakeup.set()
        return through

    def end(self) -> None:
        """Queue an END."""
        self.ended = True
        self.flush()

    def mark_all(self) -> bool:
        """Have everything go at once that was queued by now, as a FLUSH would; return whether anything was queued since the last one."""
        self.spool.append_set_aside()
        # Until now there may have been no room for the markers of dropped events.
        self.spool.append_marker()
        before, self._flush_through = self._flush_through, self.spool.appended
        return self._flush_through > before

    @property
    def settled(self) -> bool:
        """Whether every event of this process is delivered or dropped."""
        return self.spool.settled_through >= self.spool.appended

    @property
    def marked(self) -> bool:
        """Whether something that was queued before a mark has not been taken yet. What was adopted counts as well: it is late already."""
        return self.spool.taken_through < self._flush_through or self.spool.has_adopted_waiting

    @property
    def _aggregation_in_use(self) -> Aggregation | None:
        return self.aggregation if self.aggregates else None

    def waiting(self) -> Queued:
        """Return how much is committed and not taken."""
        events, size_bytes = self.spool.waiting()
        if aggregation := self._aggregation_in_use:
            return Queued(events, aggregation.records_of(events), self.sent_bytes(size_bytes))
        return Queued(events, events, size_bytes)

    def sent_bytes(self, spooled_bytes: int) -> int:
        """Return how many bytes will be sent for so many bytes of the spool."""
        return self.aggregation.sent_bytes(spooled_bytes) if self.aggregation else spooled_bytes

    def fullness(self) -> float:
        """Return how full the spool is, from 0.0 to 1.0."""
        return self.spool.fullness

    def take(self, max_records: int, max_bytes: int, into: list[Spooled], *, everything: bool = True) -> None:
        """Take the oldest events, as Firehose records.

        Never further past the head than the window: after a crash everything from the head on may be sent again.

        Args:
            max_records: the most records.
            max_bytes: the most bytes of data in them.
            into: the list that they are added to. They stay in the spool until they are acknowledged or dropped.
            everything: take all that wait; otherwise the newest may wait for more to fill their record.
        """
        self.quiet = 0, 0
        room = MAX_WINDOW_BYTES - self.spool.window_bytes
        aggregation = self._aggregation_in_use
        if aggregation is None:
            self.spool.take(max_records, min(max_bytes, room), into)
            return
        view_bytes = min(aggregation.view_bytes(max_bytes), room)
        if view_bytes <= 0:
            return
        first = not into

        def records(lines: SpooledLines) -> list[Aggregate]:
            return aggregation.records(
                lines, max_records=max_records, max_bytes=max_bytes, everything=everything, first=first
            )

        self.spool.take_aggregates(view_bytes, into, records)

    def text_of(self, record: Spooled) -> bytes:
        """Return the events of a record as they were logged."""
        return original_lines(record)

    def split(self, record: Spooled) -> list[Spooled]:
        """Return the two halves of an aggregate; a list of one for a single event."""
        return (
            [*self.aggregation.halves(record)]
            if self.aggregation and isinstance(record, Aggregate)
            else [record]
        )

    def acknowledge(self, events: list[Spooled]) -> None:
        """Count records as delivered; the list is empty afterwards."""
        self.spool.acknowledge(events)

    def drop(self, events: list[Spooled], reason: str) -> None:
        """Count records as dropped; the list is empty afterwards."""
        self.spool.drop(events, reason)

    def give_up(self, unsettled: list[Spooled]) -> None:
        """Do nothing: the events stay in the spool, where a handler that is used again finds them."""

    def tidy(self) -> None:
        """Retire settled segments, keep a spare one ready, and do the housekeeping."""
        self.spool.tidy()
        self.spool.append_marker()
        self._housekeeping()

    def wait(self, timeout_seconds: float, *, more_bytes_than: int, events: int) -> bool:
        """Wait until enough events are there, a mark comes, or `wake` is called; return whether one of them came in time.

        Args:
            timeout_seconds: how long.
            more_bytes_than: wait for more bytes than this, as they will be sent.
            events: wait for so many events.
        """
        quiet_events, quiet_bytes = self.quiet
        more_bytes_than += quiet_bytes
        events += quiet_events
        if aggregation := self._aggregation_in_use:
            more_bytes_than = aggregation.spooled_bytes(more_bytes_than)
            events = aggregation.events_of(events)
        if not self.spool.arm(more_bytes_than=more_bytes_than, events=events):
            return True
        try:
            return self._wakeup.wait(timeout_seconds)
        finally:
            self.spool.disarm()

    def wake(self) -> None:
        """End the present wait, or the next one."""
        self._wakeup.set()
