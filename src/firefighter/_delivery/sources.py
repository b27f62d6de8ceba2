"""Where the sender takes events from, and the handler's own spool as such a source; `plain_queue` is the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from firefighter._delivery.aggregation import Aggregation
from firefighter._delivery.limits import MAX_WINDOW_BYTES
from firefighter._process.wakeup import Wakeup
from firefighter._spool.events import Aggregate
from firefighter._spool.spool import Spool, Spooled
from firefighter._spool.spooled_lines import SpooledLines, original_lines

__all__ = ['Queued', 'Source', 'SpoolSource']


class Queued(NamedTuple):
    """What can be taken.

    Attributes:
        events: how many.
        records: how many Firehose records they need at least.
        size_bytes: of these, as they will be sent.
    """

    events: int
    records: int
    size_bytes: int


class HasData(Protocol):
    """An event as the sender sees it."""

    @property
    def data(self) -> bytes:
        """The bytes to send, its newline included."""

    @property
    def events(self) -> int:
        """How many events these are; more than one in an aggregate."""


Event = TypeVar('Event', bound=HasData)


class Source(Protocol[Event]):
    """A queue of events, and the control marks that have been put into it.

    Attributes:
        ended: whether END has been queued.
        quiet: of what can be taken, events and bytes that make no batch due: what is logged on threads of ours.
    """

    ended: bool
    quiet: tuple[int, int]

    @property
    def settled(self) -> bool:
        """Whether nothing of its own is left to be delivered, beside what was taken."""

    @property
    def marked(self) -> bool:
        """Whether something that was queued before a FLUSH or an END has not been taken yet."""

    @property
    def flushes(self) -> int:
        """How many marks there have been: a new one asks for a try at once."""

    def waiting(self) -> Queued:
        """Return what can be taken."""

    def take(self, max_records: int, max_bytes: int, into: list[Event], *, everything: bool = True) -> None:
        """Put the oldest into a list, behind what is there, and keep them until they are acknowledged or dropped.

        Unless it is to be everything, the end of them may wait for company.
        """

    def text_of(self, record: Event) -> bytes:
        """Return the events of a record as they were logged."""

    def split(self, record: Event) -> list[Event]:
        """Return the two halves of an aggregate, or a single event alone."""

    def acknowledge(self, events: list[Event]) -> None:
        """Count as delivered; the list is empty afterwards."""

    def drop(self, events: list[Event], reason: str) -> None:
        """Count as dropped; the list is empty afterwards."""

    def give_up(self, unsettled: list[Event]) -> None:
        """Drop everything: END has come, and not all could be delivered."""

    def tidy(self) -> None:
        """Do what has to be done between two requests."""

    def wait(self, timeout_seconds: float, *, more_bytes_than: int, events: int) -> bool:
        """Wait for that much to be there, a mark or a wake; return whether something has come before the time-out."""

    def wake(self) -> None:
        """End the present wait, or the next one."""


class SpoolSource:
    """The handler's own spool.

    Args:
        spool: the spool.
        wakeup: ends the wait of whoever delivers.
        housekeeping: what else is to be done between two requests.
        aggregation: how events become Firehose records; None: each is one.
    """

    def __init__(
        self,
        spool: Spool,
        wakeup: Wakeup,
        housekeeping: Callable[[], None] = lambda: None,
        aggregation: Aggregation | None = None,
    ) -> None:
        self.spool = spool
        self._aggregation = aggregation
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
        """Queue a FLUSH; return the sequence number behind the last event that it concerns."""
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
        """Let nothing that has come by now wait for company, as nobody will flush it; return whether anything had come."""
        self.spool.append_set_aside()
        # There may not have been room for it until now.
        self.spool.append_marker()
        before, self._flush_through = self._flush_through, self.spool.appended
        return self._flush_through > before

    @property
    def settled(self) -> bool:
        """Whether every event of this process is delivered or dropped."""
        return self.spool.settled_through >= self.spool.appended

    @property
    def marked(self) -> bool:
        """Whether something that was queued before a mark has not been taken yet; what is adopted is late already."""
        return self.spool.taken_through < self._flush_through or self.spool.has_adopted_waiting

    def waiting(self) -> Queued:
        """Return what is committed and not taken."""
        events, size_bytes = self.spool.waiting()
        if self._aggregation:
            return Queued(events, self._aggregation.records_of(events), self.sent_bytes(size_bytes))
        return Queued(events, events, size_bytes)

    def sent_bytes(self, spooled_bytes: int) -> int:
        """Return what so many bytes of the spool will be when they are sent."""
        return self._aggregation.sent_bytes(spooled_bytes) if self._aggregation else spooled_bytes

    def take(self, max_records: int, max_bytes: int, into: list[Spooled], *, everything: bool = True) -> None:
        """Take events, but never so far past the head that a crash could repeat more than the window."""
        self.quiet = 0, 0
        room = MAX_WINDOW_BYTES - self.spool.window_bytes
        aggregation = self._aggregation
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
        """Return the two halves of an aggregate, or a single event alone."""
        return (
            [*self._aggregation.halves(record)]
            if self._aggregation and isinstance(record, Aggregate)
            else [record]
        )

    def acknowledge(self, events: list[Spooled]) -> None:
        """Let go of delivered events."""
        self.spool.acknowledge(events)

    def drop(self, events: list[Spooled], reason: str) -> None:
        """Let go of events that will not be delivered."""
        self.spool.drop(events, reason)

    def give_up(self, unsettled: list[Spooled]) -> None:
        """Keep everything: a handler that is used again goes on with it."""

    def tidy(self) -> None:
        """Retire settled segments, keep a spare one ready, and see to the spool's place."""
        self.spool.tidy()
        self.spool.append_marker()
        self._housekeeping()

    def wait(self, timeout_seconds: float, *, more_bytes_than: int, events: int) -> bool:
        """Wait until the spool's alarm, or a mark."""
        quiet_events, quiet_bytes = self.quiet
        more_bytes_than += quiet_bytes
        events += quiet_events
        if self._aggregation:
            more_bytes_than = self._aggregation.spooled_bytes(more_bytes_than)
            events = self._aggregation.events_of(events)
        if not self.spool.arm(more_bytes_than=more_bytes_than, events=events):
            return True
        try:
            return self._wakeup.wait(timeout_seconds)
        finally:
            self.spool.disarm()

    def wake(self) -> None:
        """End the present wait, or the next one."""
        self._wakeup.set()
