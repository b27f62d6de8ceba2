"""A plain `queue.Queue` as a source, as the documented interface has it, and the account of what comes by one."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from firefighter._delivery.aggregation import Aggregation
from firefighter._delivery.limits import MAX_RECORD_BYTES, MAX_RECORDS, MAX_REQUEST_BYTES
from firefighter._delivery.sources import Queued
from firefighter._process.lock import locked, make_lock
from firefighter._process.wakeup import Wakeup
from firefighter._spool.spool import Account
from firefighter.stats import DropReason

__all__ = ['QueueLedger', 'QueueSource', 'QueuedEvent']


class QueuedEvent(NamedTuple):
    """An event from a plain queue, or an aggregate of several: what is sent, and the events as they were queued."""

    data: bytes
    parts: tuple[bytes, ...]

    @property
    def events(self) -> int:
        """How many events these are."""
        return len(self.parts)

    @property
    def size_bytes(self) -> int:
        """The size of the events as they were queued."""
        return sum(map(len, self.parts))


class QueueLedger:
    """The account of events that came by plain queues."""

    def __init__(self) -> None:
        self._lock = make_lock()
        self._accepted = 0
        self._delivered = 0
        self._dropped: dict[str, int] = {}
        self._dropped_bytes: dict[str, int] = {}

    @locked
    def accepted(self, events: int) -> None:
        """Count events taken over from a queue."""
        self._accepted += events

    @locked
    def delivered(self, events: int) -> None:
        """Count delivered events."""
        self._delivered += events

    @locked
    def dropped(self, reason: str, events: int, size_bytes: int) -> None:
        """Count events given up."""
        self._dropped[reason] = self._dropped.get(reason, 0) + events
        self._dropped_bytes[reason] = self._dropped_bytes.get(reason, 0) + size_bytes

    @locked
    def account(self) -> Account:
        """Return what became of the events up to this moment."""
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
        self.quiet = 0, 0
        self._queue = batch_queue
        self._end = end
        self._flush = flush
        self._prepare = prepare
        self._ledger = ledger
        self._events: deque[bytes] = deque()
        self._size_bytes = 0
        self._marks = 0
        self._never = Wakeup()

    @property
    def marked(self) -> bool:
        """Whether something that was queued before a mark has not been taken yet."""
        return self._marks > 0

    def waiting(self) -> Queued:
        """Return what has been got from the queue and not been taken, to the event and the byte, as the documented rules have it."""
        return Queued(len(self._events), len(self._events), self._size_bytes)

    def take(
        self,
        max_records: int,
        max_bytes: int,
        into: list[QueuedEvent],
        *,
        everything: bool = True,  # noqa: ARG002
    ) -> None:
        """Take the oldest events, all that fit: the documented numbers hold for a plain queue to the event."""
        while self._events and max_records > 0 and len(self._events[0]) <= max_bytes:
            record = self._next(max_bytes)
            if len(record.data) > max_bytes:  # an event alone that cannot be compressed grows
                break
            max_records -= 1
            max_bytes -= len(record.data)
            for _ in record.parts:
                self._size_bytes -= len(self._events.popleft())
            into.append(record)

    def text_of(self, record: QueuedEvent) -> bytes:
        """Return the events of a record as they were queued."""
        return b''.join(record.parts)

    def split(self, record: QueuedEvent) -> list[QueuedEvent]:
        """Return the two halves of an aggregate, or a single event alone."""
        middle = len(record.parts) // 2
        return (
            [self._record(record.parts[:middle]), self._record(record.parts[middle:])] if middle else [record]
        )

    def acknowledge(self, events: list[QueuedEvent]) -> None:
        """Count as delivered, and as done in the queue."""
        delivered = sum(event.events for event in events)
        self._ledger.delivered(delivered)
        self._done(delivered)
        events.clear()

    def drop(self, events: list[QueuedEvent], reason: str) -> None:
        """Count as dropped, and as done in the queue."""
        dropped = sum(event.events for event in events)
        self._ledger.dropped(reason, dropped, sum(event.size_bytes for event in events))
        self._done(dropped)
        events.clear()

    @property
    def settled(self) -> bool:
        """Whether nothing that was got from the queue waits to be taken."""
        return not self._events

    def give_up(self, unsettled: list[QueuedEvent]) -> None:
        """Drop everything: nobody else will send what has been got from the queue."""
        self.drop(
            [*unsettled, *(QueuedEvent(event, (event,)) for event in self._events)],
            DropReason.UNDELIVERED.value,
        )
        self._events.clear()
        self._size_bytes = 0
        self.tidy()

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
        """Return the next Firehose record, whose first event fits; its events are still in line."""
        most = self._aggregation.most_events if self._aggregation else 1
        left = max_bytes = min(max_bytes, MAX_RECORD_BYTES)
        parts = []
        for event in islice(self._events, most):
            left -= len(event)
            if left < 0:
                break
            parts.append(event)
        record = self._record(parts)
        while len(record.data) > max_bytes and len(parts) > 1:  # what cannot be compressed grows
            parts = parts[: len(parts) // 2]
            record = self._record(parts)
        return record

    def _record(self, parts: Sequence[bytes]) -> QueuedEvent:
        data = b''.join(parts)
        return QueuedEvent(self._aggregation.pack(data) if self._aggregation else data, tuple(parts))

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
        self._events.append(data)
        self._size_bytes += len(data)

    def _done(self, items: int) -> None:
        for _ in range(items):
            self._queue.task_done()
