"""Feeds a spool from a `queue.Queue` of the program's, for `batch_sender`, and calls `task_done` when events are settled.

The spool is in memory, one for each call of `batch_sender`. So delivery is the same as for the handler's own spool. This
module adds what the documented interface promises:

* MAX_BATCH_SIZE and MAX_BATCH_COUNT hold to the byte and the event. So no item is got after the one that makes a batch due.
* `task_done` is called for an event when it is delivered or dropped; for a mark when everything before it has been
  taken and tried. So `queue.join()` waits for the delivery.
* While nothing gets through, the program's queue fills, not our memory: what waits in the spool is bounded.
* An exception (Ctrl-C) may end it anywhere; the next call for the same queue goes on. An item is lost only where it comes between
  the queue's own `get` and the store of its result.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from firefighter._delivery.aggregation import Aggregation
from firefighter._delivery.limits import MAX_RECORDS, MAX_REQUEST_BYTES
from firefighter._delivery.spool_source import Queued, SpoolSource
from firefighter._event.escaping import escape
from firefighter._process.waiting import Wakeup
from firefighter._spool.spool import Spool, Spooled
from firefighter.stats import DropReason

__all__ = ['QueueSource']


_NOTHING = object()


@dataclass(eq=False)
class _Item:
    """An item that was got from the queue.

    Attributes:
        moved_before: how many events were moved into the spool before.
        content: an event, a mark, or what is neither; _NOTHING until it is there.
    """

    moved_before: int
    content: object = _NOTHING


class QueueSource(SpoolSource):
    """The spool of a plain queue, which moves the queue's items into it.

    Args:
        batch_queue: the queue.
        end: its mark for the end.
        flush: its mark for submitting now.
        prepare: makes an event of an item: adds a newline, applies the `oversize` policy. Returns None and a reason when that
            policy, or the item's type, leaves no event.
        aggregation: makes Firehose records of several events; None: each event is one.
    """

    def __init__(
        self,
        batch_queue: queue.Queue[Any],
        *,
        end: object,
        flush: object,
        prepare: Callable[[object], tuple[bytes | None, DropReason]],
        aggregation: Aggregation | None = None,
    ) -> None:
        # Nothing may be dropped for lack of room, so this spool has no bound. `wait` bounds what is got.
        super().__init__(Spool(sys.maxsize, 'drop_newest'), Wakeup(), aggregation=aggregation)
        self._queue = batch_queue
        self._end = end
        self._flush = flush
        self._prepare = prepare
        # The item that was got last, until it is in the spool.
        self._got: _Item | None = None
        self._moved_events = 0
        # For each event with bytes that the spool escapes: its sequence number, and how many bytes that adds.
        self._escaped: deque[tuple[int, int]] = deque()
        self._marks: list[_Item] = []
        self._done_events = 0

    def waiting(self) -> Queued:
        """Return how much is not taken, counted as it was queued: in events and bytes, however they will be sent."""
        events, size_bytes = self.spool.waiting()
        taken_through = self.spool.taken_through
        while self._escaped and self._escaped[0][0] < taken_through:
            self._escaped.popleft()
        return Queued(events, events, size_bytes - sum(added for _, added in self._escaped))

    def take(
        self,
        max_records: int,
        max_bytes: int,
        into: list[Spooled],
        *,
        everything: bool = True,  # noqa: ARG002
    ) -> None:
        """Take the oldest events. None of them waits for more: by the documented numbers a due batch has all of them."""
        super().take(max_records, max_bytes, into)

    def acknowledge(self, events: list[Spooled]) -> None:
        """Count as delivered, and as done in the queue."""
        super().acknowledge(events)
        self._call_task_done()

    def drop(self, events: list[Spooled], reason: str) -> None:
        """Count as dropped, and as done in the queue."""
        super().drop(events, reason)
        self._call_task_done()

    def give_up(self, unsettled: list[Spooled]) -> None:
        """Drop everything: what was got from the queue is nowhere else."""
        self.spool.take(sys.maxsize, sys.maxsize, unsettled)
        self.drop(unsettled, DropReason.UNDELIVERED.value)
        self.tidy()

    def tidy(self) -> None:
        """Let go of settled segments, and call `task_done` for marks before which everything has been taken."""
        super().tidy()
        self._call_task_done()
        # Not while `_got` is set: that may be a mark which is in the list already, and would be added again.
        while self._marks and self._got is None and not self.marked:
            self._marks.pop()
            self._queue.task_done()

    def wait(self, timeout_seconds: float, *, more_bytes_than: int, events: int) -> bool:
        """Move items from the queue into the spool, up to the first that makes a batch due; where there is none, wait for one.

        Args:
            timeout_seconds: how long.
            more_bytes_than: more bytes than this make a batch due.
            events: so many events make a batch due.

        Returns:
            Whether there was an item.
        """
        if not self._holds_item and (self.ended or self._is_due(MAX_REQUEST_BYTES, MAX_RECORDS)):
            # The end, or a whole request waits: the rest stays in the program's queue.
            self._wakeup.wait(timeout_seconds)
            return False
        flushes = self.flushes
        if not self._move_next(0.0):
            return self._move_next(timeout_seconds)  # the numbers may have changed meanwhile, so only one
        while (
            flushes == self.flushes
            and not self._is_due(min(more_bytes_than, MAX_REQUEST_BYTES), min(events, MAX_RECORDS))
            and self._move_next(0.0)
        ):
            pass
        return True

    @property
    def settled(self) -> bool:
        """Whether everything that was got is delivered or dropped."""
        return super().settled and not self._holds_item

    @property
    def _holds_item(self) -> bool:
        """Whether an item was got that is not in the spool yet: an exception came between."""
        return self._got is not None and self._got.content is not _NOTHING

    def _is_due(self, more_bytes_than: int, events: int) -> bool:
        waiting = self.waiting()
        return waiting.size_bytes > more_bytes_than or waiting.events >= events

    def _move_next(self, timeout_seconds: float) -> bool:
        """Move the next item into the spool; return False where none comes in time.

        May be done twice for an item, since an exception (Ctrl-C) may have ended it. Then the account shows whether the event is
        in the spool.
        """
        again = self._got is not None
        item = self._got = self._got or _Item(self._moved_events)
        if item.content is _NOTHING:
            try:
                # Stored at once, since an exception between the two would lose the item.
                item.content = self._queue.get(
                    timeout_seconds > 0.0, min(timeout_seconds, threading.TIMEOUT_MAX)
                )
            except queue.Empty:
                self._got = None
                return False
        is_end = self._is(item.content, self._end)
        if is_end or self._is(item.content, self._flush):
            self.ended |= is_end
            self.flush()
            if item not in self._marks:
                self._marks.append(item)
        else:
            if not (again and self.spool.account().accepted > item.moved_before):
                self._append(item.content)
            self._moved_events = item.moved_before + 1
        self._got = None
        return True

    def _append(self, item: object) -> None:
        event, reason = self._prepare(item)
        if event is None:
            self.spool.reject(reason.value, 0)
            self._call_task_done()
            return
        line = escape(event)
        sequence = self.spool.appended
        self.spool.append(line)
        if len(line) > len(event) and self.spool.appended > sequence:
            self._escaped.append((sequence, len(line) - len(event)))

    def _call_task_done(self) -> None:
        """Call `task_done` once for each event that was settled since the last time."""
        account = self.spool.account()
        while self._done_events < account.accepted - account.pending:
            # Counted before the call. Where an exception comes between, `task_done` is not called for that event: called once too
            # often it would raise a ValueError, and `join` would return early.
            self._done_events += 1
            self._queue.task_done()

    @staticmethod
    def _is(item: object, mark: object) -> bool:
        """Compare like with like: Python can be told (-bb) to raise when bytes are compared with text."""
        return type(item) is type(mark) and item == mark
