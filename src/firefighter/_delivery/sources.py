"""Where the sender takes events from: the handler's spool, or a plain queue as the documented interface has it."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from firefighter._delivery.aggregation import Aggregation, halves
from firefighter._delivery.limits import (
    MAX_RECORD_BYTES,
    MAX_RECORDS,
    MAX_REQUEST_BYTES,
    MAX_WINDOW_BYTES,
)
from firefighter._spool.segment import Segment
from firefighter._spool.spool import Account, Spool, SpooledEvent
from firefighter._wakeup import Wakeup
from firefighter.stats import DropReason

__all__ = ['QueueLedger', 'QueueSource', 'QueuedEvent', 'Source', 'SpoolSource']


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
    """

    ended: bool

    @property
    def marked(self) -> bool:
        """Whether something that was queued before a FLUSH or an END has not been taken yet."""

    @property
    def flushes(self) -> int:
        """How many marks there have been: a new one asks for a try at once."""

    def waiting(self) -> tuple[int, int]:
        """Return how many Firehose records at least, and how many bytes, can be taken."""

    def take(self, max_records: int, max_bytes: int, into: list[Event], *, everything: bool = True) -> None:
        """Put the oldest into a list, behind what is there, and keep them until they are acknowledged or dropped.

        Unless it is to be everything, the end of them may wait for company.
        """

    def split(self, record: Event) -> list[Event]:
        """Return the two halves of an aggregate, or a single event alone."""

    def acknowledge(self, events: list[Event]) -> None:
        """Count as delivered; the list is empty afterwards."""

    def drop(self, events: list[Event], reason: str) -> None:
        """Count as dropped; the list is empty afterwards."""

    def exhausted(self, *, all_settled: bool) -> bool:
        """Return whether nothing of its own is left to be delivered, given whether all that was taken is settled."""

    def give_up(self, unsettled: list[Event]) -> list[Event]:
        """END has come, and not everything could be delivered; return what stays to be settled another time."""

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

    def flush(self) -> int:
        """Queue a FLUSH; return the sequence number behind the last event that it concerns."""
        self.spool.append_set_aside()
        self.spool.tell()
        through = self.spool.appended
        self._flush_through = through
        self.flushes += 1
        self._wakeup.set()
        return through

    def end(self) -> None:
        """Queue an END."""
        self.ended = True
        self.flush()

    @property
    def marked(self) -> bool:
        """Whether something that was queued before a mark has not been taken yet; what is adopted is late already."""
        return self.spool.taken_through < self._flush_through or self.spool.has_adopted_waiting

    def waiting(self) -> tuple[int, int]:
        """Return how many Firehose records at least, and how many bytes, are committed and not taken."""
        events, size_bytes = self.spool.waiting()
        return (self._aggregation.records_of(events) if self._aggregation else events), size_bytes

    def take(
        self, max_records: int, max_bytes: int, into: list[SpooledEvent], *, everything: bool = True
    ) -> None:
        """Take events, but never so far past the head that a crash could repeat more than the window."""
        max_bytes = min(max_bytes, MAX_WINDOW_BYTES - self.spool.window_bytes)
        aggregation = self._aggregation
        if aggregation is None:
            self.spool.take(max_records, max_bytes, into)
            return
        growing = None if everything else self.spool.newest

        def read(
            segment: Segment, max_records: int, max_bytes: int, into: list[SpooledEvent]
        ) -> tuple[int, int]:
            return aggregation.read(segment, max_records, max_bytes, into, everything=segment is not growing)

        self.spool.take(max_records, max_bytes, into, read)

    def split(self, record: SpooledEvent) -> list[SpooledEvent]:
        """Return the two halves of an aggregate, or a single event alone."""
        return halves(record)

    def acknowledge(self, events: list[SpooledEvent]) -> None:
        """Let go of delivered events."""
        self.spool.acknowledge(events)

    def drop(self, events: list[SpooledEvent], reason: str) -> None:
        """Let go of events that will not be delivered."""
        self.spool.drop(events, reason)

    def exhausted(self, *, all_settled: bool) -> bool:  # noqa: ARG002
        """Return whether every event of this process is settled: what is adopted has a home, and may wait there."""
        # There may not have been room for it until now, and nobody will flush it.
        self.spool.tell()
        self._flush_through = self.spool.appended
        return self.spool.settled_through >= self.spool.appended

    def give_up(self, unsettled: list[SpooledEvent]) -> list[SpooledEvent]:
        """Keep everything: a handler that is used again goes on with it."""
        return unsettled

    def tidy(self) -> None:
        """Retire settled segments, keep a spare one ready, and see to the spool's place."""
        self.spool.tidy()
        self.spool.tell()
        self._housekeeping()

    def wait(self, timeout_seconds: float, *, more_bytes_than: int, events: int) -> bool:
        """Wait until the spool's alarm, or a mark."""
        if self._aggregation:
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


class QueuedEvent(NamedTuple):
    """An event from a plain queue, or an aggregate of several."""

    data: bytes
    parts: tuple[bytes, ...] = ()

    @property
    def events(self) -> int:
        """How many events these are."""
        return len(self.parts) or 1


class QueueLedger:
    """The account of events that came by plain queues."""

    def __init__(self) -> None:
        # Re-entrant: a signal handler that asks for the account may interrupt another who does.
        self._lock = threading.RLock()
        self._accepted = 0
        self._delivered = 0
        self._dropped: dict[str, int] = {}
        self._dropped_bytes: dict[str, int] = {}

    def accepted(self, events: int) -> None:
        """Count events taken over from a queue."""
        with self._lock:
            self._accepted += events

    def delivered(self, events: int) -> None:
        """Count delivered events."""
        with self._lock:
            self._delivered += events

    def dropped(self, reason: str, events: int, size_bytes: int) -> None:
        """Count events given up."""
        with self._lock:
            self._dropped[reason] = self._dropped.get(reason, 0) + events
            self._dropped_bytes[reason] = self._dropped_bytes.get(reason, 0) + size_bytes

    def account(self) -> Account:
        """Return what became of the events up to this moment."""
        with self._lock:
            pending = self._accepted - self._delivered - sum(self._dropped.values())
            return Account(
                self._accepted, self._delivered, dict(self._dropped), dict(self._dropped_bytes), pending
            )


class QueueSource:
    """A plain `queue.Queue` of bytes and control marks.

    `task_done` is called for an event when it is settled, for a mark when everything before it has been taken and
    tried: so `queue.join()` waits for the delivery.

    Args:
        batch_queue: the queue.
        end: its mark for the end.
        flush: its mark for submitting now.
        prepare: makes an event of an item: ends it with a newline, applies the policy for oversize ones; None when
            that policy, or the item's type, leaves nothing.
        ledger: where to count.
        aggregation: how events become Firehose records; None: each is one.
    """

    def __init__(
        self,
        batch_queue: queue.Queue[Any],
        *,
        end: object,
        flush: object,
        prepare: Callable[[object], tuple[bytes | None, DropReason]],
        ledger: QueueLedger,
        aggregation: Aggregation | None = None,
    ) -> None:
        self._aggregation = aggregation
        self.flushes = 0
        self.ended = False
        self._queue = batch_queue
        self._end = end
        self._flush = flush
        self._prepare = prepare
        self._ledger = ledger
        self._events: deque[QueuedEvent] = deque()
        self._size_bytes = 0
        self._marks = 0
        self._never = Wakeup()

    @property
    def marked(self) -> bool:
        """Whether something that was queued before a mark has not been taken yet."""
        return self._marks > 0

    def waiting(self) -> tuple[int, int]:
        """Return how many events, and bytes, have been got from the queue and not been taken."""
        return len(self._events), self._size_bytes

    def take(
        self,
        max_records: int,
        max_bytes: int,
        into: list[QueuedEvent],
        *,
        everything: bool = True,  # noqa: ARG002
    ) -> None:
        """Take the oldest events, all that fit: the documented numbers hold for a plain queue to the event."""
        while self._events and max_records > 0 and len(self._events[0].data) <= max_bytes:
            record = self._next(max_bytes)
            max_records -= 1
            max_bytes -= len(record.data)
            self._size_bytes -= len(record.data)
            into.append(record)

    def split(self, record: QueuedEvent) -> list[QueuedEvent]:
        """Return the two halves of an aggregate, or a single event alone."""
        middle = len(record.parts) // 2
        return [_joined(record.parts[:middle]), _joined(record.parts[middle:])] if middle else [record]

    def acknowledge(self, events: list[QueuedEvent]) -> None:
        """Count as delivered, and as done in the queue."""
        delivered = sum(event.events for event in events)
        self._ledger.delivered(delivered)
        self._done(delivered)
        events.clear()

    def drop(self, events: list[QueuedEvent], reason: str) -> None:
        """Count as dropped, and as done in the queue."""
        dropped = sum(event.events for event in events)
        self._ledger.dropped(reason, dropped, sum(len(event.data) for event in events))
        self._done(dropped)
        events.clear()

    def exhausted(self, *, all_settled: bool) -> bool:
        """Return whether nothing is left."""
        return all_settled and not self._events

    def give_up(self, unsettled: list[QueuedEvent]) -> list[QueuedEvent]:
        """Drop everything: nobody else will send what has been got from the queue."""
        self.drop([*unsettled, *self._events], DropReason.UNDELIVERED.value)
        self._events.clear()
        self._size_bytes = 0
        self.tidy()
        return []

    def tidy(self) -> None:
        """Call marks done whose events have all been taken."""
        if self._marks and not self._events:
            self._done(self._marks)
            self._marks = 0

    def wait(self, timeout_seconds: float, *, more_bytes_than: int, events: int) -> bool:  # noqa: ARG002
        """Wait for one item: the documented numbers hold for a plain queue to the event."""
        if self.ended or self._has_enough():
            return self._never.wait(timeout_seconds)
        try:
            item = self._queue.get(timeout=min(timeout_seconds, threading.TIMEOUT_MAX))
        except queue.Empty:
            return False
        if self._is(item, self._end) or self._is(item, self._flush):
            self.ended |= self._is(item, self._end)
            self._marks += 1
            self.flushes += 1
        else:
            self._accept(item)
        return True

    def wake(self) -> None:
        """Do nothing: only items of the queue end a wait, and one thread makes all requests."""

    def _next(self, max_bytes: int) -> QueuedEvent:
        """Take the next Firehose record out, whose first event fits."""
        event = self._events.popleft()
        if self._aggregation is None:
            return event
        parts, left = [event.data], min(max_bytes, MAX_RECORD_BYTES) - len(event.data)
        while (
            self._events and len(parts) < self._aggregation.most_events and len(self._events[0].data) <= left
        ):
            parts.append(self._events.popleft().data)
            left -= len(parts[-1])
        return _joined(parts)

    @staticmethod
    def _is(item: object, mark: object) -> bool:
        """Compare like with like: Python can be told (-bb) to raise when bytes are compared with text."""
        return type(item) is type(mark) and item == mark

    def _has_enough(self) -> bool:
        """Bound what is held here while nothing gets through; the rest stays in the user's queue."""
        return len(self._events) >= MAX_RECORDS or self._size_bytes >= MAX_REQUEST_BYTES

    def _accept(self, item: object) -> None:
        self._ledger.accepted(1)
        data, reason = self._prepare(item)
        if data is None:
            self._ledger.dropped(reason.value, 1, 0)
            self._done(1)
            return
        self._events.append(QueuedEvent(data))
        self._size_bytes += len(data)

    def _done(self, items: int) -> None:
        for _ in range(items):
            self._queue.task_done()


def _joined(parts: Sequence[bytes]) -> QueuedEvent:
    return QueuedEvent(b''.join(parts), tuple(parts))
