"""Batches: composed of what waits, and settled by what Firehose answers. Knows no thread, no clock and no network.

    source --take--> batch --answer--> accepted: acknowledged
                       ^               not accepted: goes first in the next batch, with what has queued meanwhile
                       |               refused: its two halves, each a batch of its own
                       '---------------'

**Refused.** For one invalid record Firehose refuses the whole request. So a batch that is refused is halved, its halves
are sent by themselves, and so on until records stand alone. But a stream that takes nothing from us at all (one that a
Kinesis stream feeds, for example) refuses with the same codes. So a record is given up only when it was refused alone, and
Firehose has accepted another one since its batch was refused. Until then it is a suspect: it stays pending.

An aggregate that was refused alone is halved in the same way, down to its events.

Breadth first: both halves are tried before a quarter is. One culprit among 500 records costs 17 requests, and the second of
them shows that the stream takes the others.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Generic

from firefighter._delivery.limits import MAX_REQUEST_BYTES
from firefighter._delivery.outcomes import Answer, Outcome
from firefighter._delivery.sources import Event, HasData, Source
from firefighter.stats import DropReason

__all__ = ['Batch', 'Batches']

REFUSED = DropReason.REFUSED.value


@dataclass(eq=False)
class Batch(Generic[Event]):
    """What goes in one request.

    Attributes:
        events: in their order.
        size_bytes: of their data, before base64.
        fresh_events: how many events were not taken before.
        retried: how many of them, the first, are sent again.
        since: the time since which the oldest of them has been waiting, or any time before that.
        alone: whether it is a part of a batch that was refused.
        flushes: how many FLUSHes the source had seen when it was composed.
        started_at: when its request began.
        requester: the thread that makes the request.
        sorted_out: once there is an answer, the events that are not dealt with yet: accepted, refused, to be sent again.
    """

    events: list[Event] = field(default_factory=list)
    size_bytes: int = 0
    fresh_events: int = 0
    retried: int = 0
    since: float = inf
    alone: bool = False
    flushes: int = 0
    started_at: float = 0.0
    requester: threading.Thread | None = None
    sorted_out: tuple[list[Event], list[Event], list[Event]] | None = None


@dataclass(frozen=True)
class _Suspect(Generic[Event]):
    """An event that was refused alone; the list is empty once it is given up."""

    event: list[Event]
    since: float
    reason: str


class Batches(Generic[Event]):
    """All events of one source that were taken and are not settled.

    Args:
        source: where events come from and are settled.
        bury: called with the text of an event that Firehose will never take, and the reason in words, before it is
            dropped.

    Attributes:
        on_way: the batches whose requests are under way.
    """

    def __init__(self, source: Source[Event], bury: Callable[[bytes, str], None]) -> None:
        self._source = source
        self._bury = bury
        self.on_way: list[Batch[Event]] = []
        # To be sent again, oldest refusal first, and since when the oldest of them has been waiting.
        self._returned: list[Event] = []
        self._returned_since = inf
        # Refused as a whole: to be sent by themselves.
        self._parts: deque[Batch[Event]] = deque()
        self._suspects: list[_Suspect[Event]] = []
        self._accepted_since_refusal = False

    @property
    def has_returned(self) -> bool:
        """Whether something waits to be sent again."""
        return bool(self._returned or self._parts)

    @property
    def narrowing(self) -> bool:
        """Whether an invalid record is being looked for: its parts go one after the other."""
        return bool(self._parts) or any(batch.alone for batch in self.on_way)

    @property
    def empty(self) -> bool:
        """Whether nothing is taken and not settled."""
        return not (self.on_way or self._returned or self._parts or self._suspects)

    @property
    def since(self) -> float:
        """The time since which the oldest of all that was taken has been waiting; inf without any."""
        batches = [batch.since for batch in (*self.on_way, *self._parts)]
        return min([self._returned_since, *batches, *(suspect.since for suspect in self._suspects)])

    @property
    def returned(self) -> tuple[int, int]:
        """How many events wait to be sent again, and the bytes of them."""
        return len(self._returned), _size(self._returned)

    def compose(
        self, max_records: int, max_bytes: int, since: float, *, everything: bool = True
    ) -> Batch[Event] | None:
        """Take the next batch; return None when nothing can be taken.

        Args:
            max_records: the most records in it.
            max_bytes: the most bytes of data in it; a single event may have more.
            since: the time since which what is in the source has been waiting.
            everything: whether all that waits is to go; otherwise the end of it may wait for company.
        """
        if self._parts:
            # No call among these, as everywhere here where events change hands: an exception thrown into this thread
            # (KeyboardInterrupt) must find each in one place.
            self.on_way += [self._parts[0]]
            del self._parts[0]
            return self.on_way[-1]
        again, again_bytes = _fitting(self._returned, max_records, max_bytes)
        batch: Batch[Event] = Batch(size_bytes=again_bytes, retried=again)
        self.on_way.append(batch)
        batch.events += self._returned[:again]
        del self._returned[:again]
        batch.since = self._returned_since if again else inf
        if not self._returned:
            self._returned_since = inf
            self._take(batch, max_records - again, max_bytes - again_bytes, since, everything=everything)
        if not batch.events:
            self.on_way.remove(batch)
            return None
        return batch

    def settle(self, batch: Batch[Event], answer: Answer) -> bool:
        """Take the answer to a batch's request.

        Returns:
            Whether the stream refuses all that it is offered.
        """
        if batch not in self.on_way:
            return False  # a child that was forked during the request: it is the parent's
        if answer.cause is None:
            batch.sorted_out = batch.events[:], [], []
        else:
            pairs = list(zip(batch.events, answer.outcomes, strict=True))
            batch.sorted_out = (
                [event for event, outcome in pairs if outcome is Outcome.ACCEPTED],
                [event for event, outcome in pairs if outcome is Outcome.REFUSED],
                [event for event, outcome in pairs if outcome in _KEPT],
            )
        return self._deal_with(batch, Outcome.ACCEPTED in answer.outcomes, answer.error or REFUSED)

    def take_back(self, batch: Batch[Event]) -> None:
        """Take a batch back whose request ended without an answer or an error that is one."""
        if batch in self.on_way:
            self._returned_since = min(self._returned_since, batch.since)
            self._returned += batch.events
            del batch.events[:]
            self.on_way.remove(batch)

    def reclaim(self, batch: Batch[Event]) -> None:
        """Go on with a batch whose thread was killed or interrupted before it had dealt with it."""
        if batch.sorted_out is None:
            self.take_back(batch)
        else:
            self._deal_with(batch, self._accepted_since_refusal, REFUSED)

    def hand_back(self) -> None:
        """END has come, and not everything could be delivered: let the source say what becomes of the rest."""
        events = [event for part in self._parts for event in part.events]
        events += [event for suspect in self._suspects for event in suspect.event]
        self._parts.clear()
        self._suspects.clear()
        self._returned = self._source.give_up(self._returned + events)

    def _take(
        self, batch: Batch[Event], max_records: int, max_bytes: int, since: float, *, everything: bool
    ) -> None:
        before = len(batch.events)
        self._source.take(max_records, max_bytes, batch.events, everything=everything)
        while not batch.events and max_bytes < MAX_REQUEST_BYTES:
            # One always goes, alone, and little more than is to: in the spool, escaped, it may be longer than a request.
            max_bytes = min(2 * max_bytes, MAX_REQUEST_BYTES)
            self._source.take(1, max_bytes, batch.events)
        fresh = batch.events[before:]
        batch.fresh_events = sum(record.events for record in fresh)
        batch.size_bytes += _size(fresh)
        if fresh:
            batch.since = min(batch.since, since)

    def _deal_with(self, batch: Batch[Event], any_accepted: bool, reason: str) -> bool:
        """Do what the outcomes of a batch ask for. May be done again where an exception has ended it."""
        accepted, refused, kept = batch.sorted_out or ([], [], [])
        if any_accepted or (refused and not batch.alone):
            self._accepted_since_refusal = any_accepted
        if accepted:
            self._source.acknowledge(accepted)
        if kept:
            self._returned_since = min(self._returned_since, batch.since)
            self._returned += kept
            del kept[:]
        if refused:
            self._doubt(refused, batch.since, reason)
        if batch in self.on_way:
            self.on_way.remove(batch)
        return self._judge()

    def _doubt(self, refused: list[Event], since: float, reason: str) -> None:
        """Find out which of the refused events is invalid."""
        pieces = refused if len(refused) > 1 else self._source.split(refused[0])
        if len(pieces) == 1:
            suspects = [_Suspect(refused[:], since, reason)]
            self._suspects += suspects
            del refused[:]
            return
        middle = len(pieces) // 2
        halves = [
            Batch(half, _size(half), retried=len(half), since=since, alone=True)
            for half in (pieces[:middle], pieces[middle:])
        ]
        self._parts += halves
        del refused[:]

    def _judge(self) -> bool:
        """Give the suspects up if the stream takes others; return whether it takes nothing at all."""
        if self._accepted_since_refusal:
            while self._suspects:
                suspect = self._suspects[0]
                if suspect.event:
                    self._bury(self._source.text_of(suspect.event[0]), suspect.reason)
                    self._source.drop(suspect.event, REFUSED)
                del self._suspects[0]
        elif self._suspects and not self._parts:
            # Nobody can tell a culprit from the others: all are innocent, and tried again together.
            since = min(suspect.since for suspect in self._suspects)
            events = [event for suspect in self._suspects for event in suspect.event]
            self._returned_since = min(self._returned_since, since)
            self._returned += events
            self._suspects = []
            return True
        return False


_KEPT = (Outcome.RETRY, Outcome.THROTTLED, Outcome.MISCONFIGURED)


def _size(events: Sequence[HasData]) -> int:
    return sum(len(event.data) for event in events)


def _fitting(events: Sequence[HasData], max_records: int, max_bytes: int) -> tuple[int, int]:
    """Return how many of the first events go into one batch, at least one, and their bytes."""
    count = total_bytes = 0
    for event in events[:max_records]:
        size_bytes = len(event.data)
        if count and total_bytes + size_bytes > max_bytes:
            break
        total_bytes += size_bytes
        count += 1
    return count, total_bytes
