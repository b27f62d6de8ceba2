"""Batches: composed of what waits, and settled by what Firehose answers. Knows no thread, no clock and no network.

    source --take--> batch --answer--> accepted: acknowledged
                       ^               not accepted: goes first in the next batch, with what has queued meanwhile
                       |               refused: its two halves, each a batch of its own
                       '---------------'

**Refused.** For one invalid record Firehose refuses the whole request. So a batch that is refused is halved, its halves
are sent by themselves, and so on until records stand alone. But a stream that takes nothing from us at all (one that a
Kinesis stream feeds, for example) refuses with the same codes. So a record is given up only when it was refused alone, and
Firehose has accepted another one since its batch was refused. Until then it is a suspect: it stays pending. Suspects are sent
again with what has queued meanwhile or after it, never before it: where a request may have one record only, each would
else keep back those that could tell it from the others.

An aggregate that was refused alone is halved in the same way, down to its events.

Breadth first: both halves are tried before a quarter is. One culprit among 500 records costs 17 requests, and the second of
them shows that the stream takes the others.

**Every step may be done twice.** Where all that was taken stands is one immutable `_Taken`; each step makes the next one and
stores it at once. What an exception ends (Ctrl-C, no memory) has happened as a whole or not at all, and is done again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from firefighter._delivery.limits import MAX_REQUEST_BYTES
from firefighter._delivery.outcomes import Answer, Outcome
from firefighter._delivery.source import SpoolSource
from firefighter._spool.spool import Spooled
from firefighter.stats import DropReason

__all__ = ['Batch', 'Batches']

REFUSED = DropReason.REFUSED.value


@dataclass(eq=False)
class Batch:
    """What goes in one request.

    Attributes:
        events: in their order.
        size_bytes: of their data, before base64.
        fresh_events: how many events were not taken before.
        retried: how many of them, the first, are sent again.
        since: the time since which the oldest of them has been waiting, or any time before that.
        alone: whether all that is in it was refused before: it is a part of a batch that was, or nothing else is there.
        flushes: how many FLUSHes the source had seen when it was composed.
        started_at: when its request began.
        handed_over_at: when it was handed to who makes the request; None: not yet.
        answer: what came of its request, as soon as that is over.
        makers: who would make the request; the first of them does.
        sorted_out: once there is an answer, the events that are not dealt with yet: accepted, refused, to be sent again.
    """

    events: list[Spooled] = field(default_factory=list)
    size_bytes: int = 0
    fresh_events: int = 0
    retried: int = 0
    since: float = inf
    alone: bool = False
    flushes: int = 0
    started_at: float = 0.0
    handed_over_at: float | None = None
    answer: Answer | None = None
    sorted_out: tuple[list[Spooled], list[Spooled], list[Spooled]] | None = None
    makers: list[object] = field(default_factory=list)


@dataclass(frozen=True)
class _Suspect:
    """An event that was refused alone; the list is empty once it is dropped."""

    event: list[Spooled]
    since: float
    reason: str


@dataclass(frozen=True)
class _Taken:
    """Where all events stand that were taken and are not settled.

    Attributes:
        fresh: a list that the source fills; empty but for what an exception has left on the way to a batch.
        in_flight: batches whose requests are under way.
        returned: to be sent again, oldest refusal first.
        returned_since: since when the oldest of them has been waiting.
        parts: refused as a whole: to be sent by themselves.
        suspects: refused alone.
        refused: refused alone while the stream took nothing: to be sent again.
        refused_since: since when the oldest of them has been waiting.
        accepted_since_refusal: whether anything was accepted since the last whole batch was refused.
    """

    fresh: list[Spooled] = field(default_factory=list)
    in_flight: tuple[Batch, ...] = ()
    returned: tuple[Spooled, ...] = ()
    returned_since: float = inf
    parts: tuple[Batch, ...] = ()
    suspects: tuple[_Suspect, ...] = ()
    refused: tuple[Spooled, ...] = ()
    refused_since: float = inf
    accepted_since_refusal: bool = False


class Batches:
    """All events of one source that were taken and are not settled.

    Args:
        source: where events come from and are settled.
        bury: called with the text of an event that Firehose will never take, and the reason in words, before it is
            dropped.
    """

    def __init__(self, source: SpoolSource, bury: Callable[[bytes, str], None]) -> None:
        self._source = source
        self._bury = bury
        self._taken = _Taken()

    @property
    def in_flight(self) -> tuple[Batch, ...]:
        """The batches whose requests are under way."""
        return self._taken.in_flight

    @property
    def has_returned(self) -> bool:
        """Whether something waits to be sent again."""
        return bool(self._taken.returned or self._taken.parts or self._taken.refused)

    @property
    def bisecting(self) -> bool:
        """Whether an invalid record is being looked for: its parts go one after the other."""
        return bool(self._taken.parts) or any(batch.alone for batch in self.in_flight)

    @property
    def empty(self) -> bool:
        """Whether nothing is taken and not settled."""
        taken = self._taken
        return not (
            taken.fresh or taken.in_flight or taken.returned or taken.parts or taken.suspects or taken.refused
        )

    @property
    def since(self) -> float:
        """The time since which the oldest of all that was taken has been waiting; inf without any."""
        taken = self._taken
        batches = [batch.since for batch in (*taken.in_flight, *taken.parts)]
        suspects = [suspect.since for suspect in taken.suspects]
        return min([taken.returned_since, taken.refused_since, *batches, *suspects])

    @property
    def returned(self) -> tuple[int, int]:
        """How many events wait to be sent again, and the bytes of them."""
        returned = (*self._taken.returned, *self._taken.refused)
        return len(returned), _size(returned)

    def compose(
        self, max_records: int, max_bytes: int, since: float, *, everything: bool = True
    ) -> Batch | None:
        """Take the next batch; return None when nothing can be taken.

        Args:
            max_records: the most records in it.
            max_bytes: the most bytes of data in it; a single event may have more.
            since: the time since which what is in the source has been waiting.
            everything: whether all that waits is to go; otherwise the end of it may wait for company.
        """
        taken = self._taken
        if taken.parts:
            self._taken = replace(taken, parts=taken.parts[1:], in_flight=(*taken.in_flight, taken.parts[0]))
            return taken.parts[0]
        again, again_bytes = _fitting(taken.returned, max_records, max_bytes)
        returned = taken.returned[again:]
        max_records, max_bytes = max_records - again, max_bytes - again_bytes
        most_fresh = max(min(1, max_records), max_records - len(taken.refused))
        if not returned:
            self._take(most_fresh, max_bytes, everything=everything, alone=not again)
        # As many as there is room for: an exception may have left some that were taken for another batch.
        count, size_bytes = _fitting(taken.fresh, most_fresh, max_bytes, alone=not again)
        fresh, left = taken.fresh[:count], taken.fresh[count:]
        max_records, max_bytes = max_records - count, max_bytes - size_bytes
        refused, refused_bytes = _fitting(taken.refused, max_records, max_bytes, alone=not (again or fresh))
        if not (again or fresh or refused):
            return None
        batch = Batch(
            [*taken.returned[:again], *taken.refused[:refused], *fresh],
            again_bytes + size_bytes + refused_bytes,
            fresh_events=sum(record.events for record in fresh),
            retried=again + refused,
            since=min(
                taken.returned_since if again else inf,
                taken.refused_since if refused else inf,
                since if fresh else inf,
            ),
            alone=not (again or fresh),
        )
        self._taken = replace(
            taken,
            fresh=left,
            in_flight=(*taken.in_flight, batch),
            returned=returned,
            returned_since=taken.returned_since if returned else inf,
            refused=taken.refused[refused:],
            refused_since=taken.refused_since if taken.refused[refused:] else inf,
        )
        return batch

    def settle(self, batch: Batch, answer: Answer) -> bool:
        """Take the answer to a batch's request. A batch whose settling was interrupted is settled again.

        Returns:
            Whether the stream refuses all that it is offered.
        """
        if batch not in self.in_flight:
            return False  # a child that was forked during the request: it is the parent's
        if batch.sorted_out is None:
            pairs = list(zip(batch.events, answer.outcomes, strict=True))
            batch.sorted_out = (
                [event for event, outcome in pairs if outcome is Outcome.ACCEPTED],
                [event for event, outcome in pairs if outcome is Outcome.REFUSED],
                [event for event, outcome in pairs if outcome in _KEPT],
            )
        accepted, refused, kept = batch.sorted_out
        any_accepted = Outcome.ACCEPTED in answer.outcomes
        if accepted:
            self._source.acknowledge(accepted)
        parts, suspects = self._doubt(refused, batch.since, answer.error or REFUSED)
        taken = self._taken
        self._taken = replace(
            taken,
            in_flight=_without(taken.in_flight, batch),
            returned=(*taken.returned, *kept),
            returned_since=min(taken.returned_since, batch.since) if kept else taken.returned_since,
            parts=taken.parts + parts,
            suspects=taken.suspects + suspects,
            accepted_since_refusal=any_accepted
            or (taken.accepted_since_refusal and not (refused and not batch.alone)),
        )
        return self.judge()

    def judge(self) -> bool:
        """Give the suspects up if the stream takes others; return whether it takes nothing at all."""
        while self._taken.accepted_since_refusal and self._taken.suspects:
            suspect = self._taken.suspects[0]
            if suspect.event:
                self._bury(self._source.text_of(suspect.event[0]), suspect.reason)
                self._source.drop(suspect.event, REFUSED)
            self._taken = replace(self._taken, suspects=self._taken.suspects[1:])
        taken = self._taken
        if not taken.suspects or self.bisecting:
            return False
        # Nobody can tell a culprit from the others: all are tried again together.
        self._taken = replace(
            taken,
            refused=(*taken.refused, *(event for suspect in taken.suspects for event in suspect.event)),
            refused_since=min([taken.refused_since, *(suspect.since for suspect in taken.suspects)]),
            suspects=(),
        )
        return True

    def release(self, is_released: Callable[[Spooled], bool]) -> None:
        """Forget those events that are not on their way: somebody else will deliver them."""

        def wanted(events: Sequence[Spooled]) -> list[Spooled]:
            return [event for event in events if not is_released(event)]

        taken = self._taken
        parts = [(part, wanted(part.events)) for part in taken.parts]
        returned, refused = (*wanted(taken.returned),), (*wanted(taken.refused),)
        self._taken = replace(
            taken,
            fresh=wanted(taken.fresh),
            returned=returned,
            returned_since=taken.returned_since if returned else inf,
            parts=tuple(replace(part, events=left, size_bytes=_size(left)) for part, left in parts if left),
            suspects=tuple(suspect for suspect in taken.suspects if wanted(suspect.event)),
            refused=refused,
            refused_since=taken.refused_since if refused else inf,
        )

    def give_up(self) -> None:
        """END has come, and not everything could be delivered: let the source say what becomes of the rest."""
        taken = self._taken
        events = [
            *taken.fresh,
            *taken.returned,
            *(event for part in taken.parts for event in part.events),
            *(event for suspect in taken.suspects for event in suspect.event),
            *taken.refused,
        ]
        # One step: what the source drops leaves this list, also where an exception comes next.
        self._taken = _Taken(fresh=events)
        self._source.give_up(events)
        self._taken = _Taken()

    def _take(self, max_records: int, max_bytes: int, *, everything: bool, alone: bool) -> None:
        """Have the source put into `fresh` what there is room for; alone, one goes in any case."""
        fresh = self._taken.fresh
        if fresh:
            return
        self._source.take(max_records, max_bytes, fresh, everything=everything)
        while alone and not fresh and max_bytes < MAX_REQUEST_BYTES:
            # Little more than is to: in the spool, escaped, it may be longer than a request.
            max_bytes = min(2 * max_bytes, MAX_REQUEST_BYTES)
            self._source.take(1, max_bytes, fresh)

    def _doubt(
        self, refused: list[Spooled], since: float, reason: str
    ) -> tuple[tuple[Batch, ...], tuple[_Suspect, ...]]:
        """Return the parts of what was refused that are to be tried by themselves, or the one suspect that it is."""
        if not refused:
            return (), ()
        pieces = refused if len(refused) > 1 else self._source.split(refused[0])
        if len(pieces) == 1:
            return (), (_Suspect(refused[:], since, reason),)
        middle = len(pieces) // 2
        halves = (pieces[:middle], pieces[middle:])
        return (
            tuple(Batch(half, _size(half), retried=len(half), since=since, alone=True) for half in halves),
            (),
        )


_KEPT = (Outcome.RETRY, Outcome.THROTTLED, Outcome.MISCONFIGURED)


def _without(batches: Sequence[Batch], batch: Batch) -> tuple[Batch, ...]:
    return tuple(other for other in batches if other is not batch)


def _size(events: Sequence[Spooled]) -> int:
    return sum(len(event.data) for event in events)


def _fitting(
    events: Sequence[Spooled], max_records: int, max_bytes: int, *, alone: bool = True
) -> tuple[int, int]:
    """Return how many of the first events go into one batch, and their bytes; alone, at least one."""
    count = total_bytes = 0
    for event in events[:max_records]:
        size_bytes = len(event.data)
        if total_bytes + size_bytes > max_bytes and (count or not alone):
            break
        total_bytes += size_bytes
        count += 1
    return count, total_bytes
