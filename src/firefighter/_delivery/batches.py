"""Batches: composed of what waits, and settled by what Firehose answers. Knows no thread, no clock and no network.

    source --take--> batch --answer--> accepted: acknowledged
                       ^               not accepted: goes first in the next batch, with what has queued meanwhile
                       |               refused: its two halves, each a batch of its own
                       '---------------'

**Finding the invalid record.** For one invalid record Firehose refuses the whole request. So a batch that is refused is halved,
its halves are sent by themselves, and so on until records stand alone. An aggregate that was refused alone is halved in the
same way, down to its events.

Both halves are tried before a quarter is. So one invalid record among 500 costs 17 requests, and the second of them shows
that the stream takes the others.

**When an event is dropped.** A stream that takes nothing from us at all (one that a Kinesis stream feeds, for example) refuses with
the same codes. So an event is dropped only when it was refused alone *after* Firehose had accepted another one of its batch, or
one that came later. If another one is accepted only after the refusal, the stream may have been mended in between: then the event is
sent alone once more. Where nothing is accepted, the refusals are inconclusive: those events are sent again, after what has
queued meanwhile, never before it. The reason: where a request may have one record only, they would keep back the
events whose acceptance decides about them.

**Every step may be done twice.** Where all that was taken stands is one immutable `_Taken`; each step makes the next one and
stores it at once. A step that an exception interrupts (Ctrl-C, no memory) has happened as a whole or not at all, and is
done again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from firefighter._delivery.limits import MAX_REQUEST_BYTES
from firefighter._delivery.outcomes import Answer, Outcome
from firefighter._delivery.spool_source import SpoolSource
from firefighter._spool.spool import Spooled
from firefighter.stats import DropReason

__all__ = ['Batch', 'Batches']

REFUSED = DropReason.REFUSED.value


@dataclass(eq=False)
class Batch:
    """The records of one request, and how far that is.

    Attributes:
        records: in their order.
        size_bytes: the size of their data, before base64.
        fresh_events: how many events were taken for this batch, and never sent before.
        retried: how many records, the first ones, were sent before.
        since: when the oldest event in it was queued, or any time before that.
        only_refused: whether every record in it was refused before.
        flushes: how many FLUSHes the source had seen when the batch was composed.
        started_at: when its request was started.
        handed_over_at: when it was handed to `Requests`; None: not yet.
        answer: the answer to its request; None: not yet.
        makers: the threads that came to make the request; the first one makes it.
        sorted_out: the accepted, the refused and the failed records of the answer that are not settled yet; None before that.
    """

    records: list[Spooled] = field(default_factory=list)
    size_bytes: int = 0
    fresh_events: int = 0
    retried: int = 0
    since: float = inf
    only_refused: bool = False
    flushes: int = 0
    started_at: float = 0.0
    handed_over_at: float | None = None
    answer: Answer | None = None
    sorted_out: tuple[list[Spooled], list[Spooled], list[Spooled]] | None = None
    makers: list[object] = field(default_factory=list)


@dataclass(frozen=True)
class _Refusal:
    """A record that was refused alone.

    Attributes:
        record: in a list that is empty once it is dropped.
        since: when it was queued, or any time before that.
        reason: the error, in words.
        is_conclusive: whether the stream had accepted another record since the batch was refused, or in the same answer.
    """

    record: list[Spooled]
    since: float
    reason: str
    is_conclusive: bool


@dataclass(frozen=True)
class _Taken:
    """All records that were taken and are not settled. Each is in one of these places.

    Attributes:
        fresh: taken for the next batch. The source fills this list; it is empty between two steps, unless an exception came
            between.
        in_flight: in batches whose requests are under way.
        returned: not accepted, to be sent again, the oldest first.
        returned_since: when the oldest of them was queued.
        halves: in halves of batches that were refused, each to be sent by itself.
        refused_alone: refused alone; dropped as soon as another record is accepted.
        inconclusive: refused alone while nothing was accepted: to be sent again.
        inconclusive_since: when the oldest of them was queued.
        accepted_since_refusal: whether any record was accepted since a batch was last refused; halves do not count as one.
    """

    fresh: list[Spooled] = field(default_factory=list)
    in_flight: tuple[Batch, ...] = ()
    returned: tuple[Spooled, ...] = ()
    returned_since: float = inf
    halves: tuple[Batch, ...] = ()
    refused_alone: tuple[_Refusal, ...] = ()
    inconclusive: tuple[Spooled, ...] = ()
    inconclusive_since: float = inf
    accepted_since_refusal: bool = False


class Batches:
    """All events of one source that were taken and are not settled.

    Args:
        source: where events are taken and settled.
        keep_dead_letter: called before an event is dropped as invalid, with its text and the reason in words.
    """

    def __init__(self, source: SpoolSource, keep_dead_letter: Callable[[bytes, str], None]) -> None:
        self._source = source
        self._keep_dead_letter = keep_dead_letter
        self._taken = _Taken()

    @property
    def in_flight(self) -> tuple[Batch, ...]:
        """The batches whose requests are under way."""
        return self._taken.in_flight

    @property
    def any_to_send(self) -> bool:
        """Whether any record that was taken waits for a request: to be sent again, or because an exception ended its composing."""
        taken = self._taken
        return bool(taken.fresh or taken.returned or taken.halves or taken.inconclusive)

    @property
    def bisecting(self) -> bool:
        """Whether an invalid record is being looked for. Meanwhile one request is made at a time."""
        return bool(self._taken.halves) or any(batch.only_refused for batch in self.in_flight)

    @property
    def empty(self) -> bool:
        """Whether everything that was taken is settled."""
        taken = self._taken
        return not (
            taken.fresh
            or taken.in_flight
            or taken.returned
            or taken.halves
            or taken.refused_alone
            or taken.inconclusive
        )

    @property
    def since(self) -> float:
        """When the oldest event that is taken and not settled was queued, or any time before that; inf without any."""
        taken = self._taken
        batches = [batch.since for batch in (*taken.in_flight, *taken.halves)]
        refusals = [refusal.since for refusal in taken.refused_alone]
        return min([taken.returned_since, taken.inconclusive_since, *batches, *refusals])

    @property
    def to_send(self) -> tuple[int, int]:
        """How many records that were taken wait for a request, and their bytes; without halves, which are sent by themselves."""
        taken = self._taken
        records = (*taken.fresh, *taken.returned, *taken.inconclusive)
        return len(records), _size(records)

    def compose(
        self,
        max_records: int,
        max_bytes: int,
        since: float,
        *,
        everything: bool = True,
        most_bytes: float = inf,
    ) -> Batch | None:
        """Compose the next batch and count it as in flight; return None when there is nothing to send.

        First what was returned, then what was inconclusive, then what is new. But what is new has its room first, see above.

        Args:
            max_records: the most records in it.
            max_bytes: the most bytes of data in it; a single record may have more.
            since: when the oldest event in the source was queued.
            everything: take all events that wait; otherwise the newest may wait for more to fill their record.
            most_bytes: what gets through to Firehose. What is larger is halved; a single event that is larger goes after all
                others, by itself, so that it keeps none of them back.
        """
        self._make_fit(most_bytes)
        taken = self._taken
        if taken.halves:
            self._taken = replace(
                taken, halves=taken.halves[1:], in_flight=(*taken.in_flight, taken.halves[0])
            )
            return taken.halves[0]
        returned = taken.returned
        is_too_large = bool(returned) and len(returned[0].data) > most_bytes
        waits = is_too_large and bool(taken.fresh or taken.inconclusive or self._source.waiting().events)
        again, again_bytes = (0, 0) if waits else _fitting(returned, max_records, max_bytes)
        returned = returned[again:]
        max_records, max_bytes = max_records - again, max_bytes - again_bytes
        most_fresh = max(min(1, max_records), max_records - len(taken.inconclusive))
        if not returned or waits:
            self._take(most_fresh, max_bytes, everything=everything, at_least_one=not again)
        # Only those that fit: an exception may have left some that were taken for a larger batch.
        count, size_bytes = _fitting(taken.fresh, most_fresh, max_bytes, at_least_one=not again)
        fresh, left = taken.fresh[:count], taken.fresh[count:]
        max_records, max_bytes = max_records - count, max_bytes - size_bytes
        refused, refused_bytes = _fitting(
            taken.inconclusive, max_records, max_bytes, at_least_one=not (again or fresh)
        )
        if not (again or fresh or refused):
            return None
        batch = Batch(
            [*taken.returned[:again], *taken.inconclusive[:refused], *fresh],
            again_bytes + size_bytes + refused_bytes,
            fresh_events=sum(record.events for record in fresh),
            retried=again + refused,
            since=min(
                taken.returned_since if again else inf,
                taken.inconclusive_since if refused else inf,
                since if fresh else inf,
            ),
            only_refused=not (again or fresh),
        )
        self._taken = replace(
            taken,
            fresh=left,
            in_flight=(*taken.in_flight, batch),
            returned=returned,
            returned_since=taken.returned_since if returned else inf,
            inconclusive=taken.inconclusive[refused:],
            inconclusive_since=taken.inconclusive_since if taken.inconclusive[refused:] else inf,
        )
        return batch

    def settle(self, batch: Batch, answer: Answer) -> bool:
        """Settle a batch by the answer to its request. Call it again where an exception interrupted it.

        Returns:
            Whether the stream refuses everything, down to single records.
        """
        if batch not in self.in_flight:
            return False  # this is a child that was forked during the request: the batch is the parent's
        if batch.sorted_out is None:
            pairs = list(zip(batch.records, answer.outcomes, strict=True))
            batch.sorted_out = (
                [record for record, outcome in pairs if outcome is Outcome.ACCEPTED],
                [record for record, outcome in pairs if outcome is Outcome.REFUSED],
                [record for record, outcome in pairs if outcome in _KEPT],
            )
        accepted, refused, kept = batch.sorted_out
        any_accepted = Outcome.ACCEPTED in answer.outcomes
        if accepted:
            self._source.acknowledge(accepted)
        taken = self._taken
        is_conclusive = any_accepted or (batch.only_refused and taken.accepted_since_refusal)
        halves, refused_alone = self._split_refused(
            refused, batch.since, answer.error or REFUSED, is_conclusive=is_conclusive
        )
        self._taken = replace(
            taken,
            in_flight=_without(taken.in_flight, batch),
            returned=(*taken.returned, *kept),
            returned_since=min(taken.returned_since, batch.since) if kept else taken.returned_since,
            halves=taken.halves + halves,
            refused_alone=taken.refused_alone + refused_alone,
            accepted_since_refusal=any_accepted
            or (taken.accepted_since_refusal and not (refused and not batch.only_refused)),
        )
        return self.conclude_refusals()

    def conclude_refusals(self) -> bool:
        """Drop records whose refusal is conclusive, and have the others sent again.

        Returns:
            Whether the stream refuses everything, down to single records.
        """
        while self._taken.accepted_since_refusal and self._taken.refused_alone:
            taken = self._taken
            refusal, halves = taken.refused_alone[0], taken.halves
            if not refusal.is_conclusive:
                halves = (*halves, _batch_of_refused(refusal.record[:], refusal.since))
            elif refusal.record:
                self._keep_dead_letter(self._source.text_of(refusal.record[0]), refusal.reason)
                self._source.drop(refusal.record, REFUSED)
            self._taken = replace(taken, refused_alone=taken.refused_alone[1:], halves=halves)
        taken = self._taken
        if not taken.refused_alone or self.bisecting:
            return False
        # Nothing was accepted, so the refusals say nothing about these records. All are tried again together.
        self._taken = replace(
            taken,
            inconclusive=(
                *taken.inconclusive,
                *(record for refusal in taken.refused_alone for record in refusal.record),
            ),
            inconclusive_since=min(
                [taken.inconclusive_since, *(refusal.since for refusal in taken.refused_alone)]
            ),
            refused_alone=(),
        )
        return True

    def release(self, is_released: Callable[[Spooled], bool]) -> None:
        """Let go of adopted records that another process will deliver. What is in flight stays.

        Args:
            is_released: returns whether a record is one of these.
        """

        def kept(events: Sequence[Spooled]) -> list[Spooled]:
            return [event for event in events if not is_released(event)]

        taken = self._taken
        halves = [(half, kept(half.records)) for half in taken.halves]
        returned, inconclusive = (*kept(taken.returned),), (*kept(taken.inconclusive),)
        self._taken = replace(
            taken,
            fresh=kept(taken.fresh),
            returned=returned,
            returned_since=taken.returned_since if returned else inf,
            halves=tuple(
                replace(half, records=left, size_bytes=_size(left)) for half, left in halves if left
            ),
            refused_alone=tuple(refusal for refusal in taken.refused_alone if kept(refusal.record)),
            inconclusive=inconclusive,
            inconclusive_since=taken.inconclusive_since if inconclusive else inf,
        )

    def give_up(self) -> None:
        """Give up what is not settled, after END. The source decides whether it is dropped or kept for later."""
        taken = self._taken
        events = [
            *taken.fresh,
            *taken.returned,
            *(record for half in taken.halves for record in half.records),
            *(record for refusal in taken.refused_alone for record in refusal.record),
            *taken.inconclusive,
        ]
        # All in the one list that the source empties when it drops them: after an exception none is dropped twice.
        self._taken = _Taken(fresh=events)
        self._source.give_up(events)
        self._taken = _Taken()

    def _make_fit(self, most_bytes: float) -> None:
        """Halve what is to be sent again until it is not larger than that, and put single events that are to the end."""
        if most_bytes == inf:
            return
        while self._taken.halves and self._taken.halves[0].size_bytes > most_bytes:
            half, *others = self._taken.halves
            halves, _ = self._split_refused(half.records, half.since, REFUSED, is_conclusive=False)
            if not halves:
                break
            self._taken = replace(self._taken, halves=(*halves, *others))
        small: list[Spooled] = []
        large: list[Spooled] = []
        waiting = [*reversed(self._taken.returned)]
        while waiting:
            record = waiting.pop()
            pieces = self._source.split(record) if len(record.data) > most_bytes else [record]
            if len(pieces) > 1:
                waiting += reversed(pieces)
            else:
                (large if len(record.data) > most_bytes else small).append(record)
        self._taken = replace(self._taken, returned=(*small, *large))

    def _take(self, max_records: int, max_bytes: int, *, everything: bool, at_least_one: bool) -> None:
        """Have the source put into `fresh` what fits, unless an exception has left something there."""
        fresh = self._taken.fresh
        if fresh:
            return
        self._source.take(max_records, max_bytes, fresh, everything=everything)
        while at_least_one and not fresh and max_bytes < MAX_REQUEST_BYTES:
            # Nothing fits, but one has to go. Twice the bytes are enough at some time: an event may be longer in the spool, where
            # it is escaped, than it will be in the request.
            max_bytes = min(2 * max_bytes, MAX_REQUEST_BYTES)
            self._source.take(1, max_bytes, fresh)

    def _split_refused(
        self, refused: list[Spooled], since: float, reason: str, *, is_conclusive: bool
    ) -> tuple[tuple[Batch, ...], tuple[_Refusal, ...]]:
        """Return two halves of what was refused, to be tried by themselves; or the refusal of a single event."""
        if not refused:
            return (), ()
        pieces = refused if len(refused) > 1 else self._source.split(refused[0])
        if len(pieces) == 1:
            return (), (_Refusal(refused[:], since, reason, is_conclusive),)
        middle = len(pieces) // 2
        return (_batch_of_refused(pieces[:middle], since), _batch_of_refused(pieces[middle:], since)), ()


_KEPT = (Outcome.RETRY, Outcome.THROTTLED, Outcome.MISCONFIGURED)


def _batch_of_refused(records: list[Spooled], since: float) -> Batch:
    return Batch(records, _size(records), retried=len(records), since=since, only_refused=True)


def _without(batches: Sequence[Batch], batch: Batch) -> tuple[Batch, ...]:
    return tuple(other for other in batches if other is not batch)


def _size(events: Sequence[Spooled]) -> int:
    return sum(len(event.data) for event in events)


def _fitting(
    events: Sequence[Spooled], max_records: int, max_bytes: int, *, at_least_one: bool = True
) -> tuple[int, int]:
    """Return how many of the first records fit into a batch, and their bytes."""
    count = total_bytes = 0
    for event in events[:max_records]:
        size_bytes = len(event.data)
        if total_bytes + size_bytes > max_bytes and (count or not at_least_one):
            break
        total_bytes += size_bytes
        count += 1
    return count, total_bytes
