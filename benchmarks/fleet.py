"""Many producers on one stream that throttles, in simulated time, made of the pieces that deliver in earnest.

Of the handler these are the rules for when a batch is due, the retries and the Pacer; of the local endpoint its quota. A stream may
also refuse what has nothing to do with our rate. A producer's events are all of one size, so they are only counted.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from firefighter._delivery.due import Rules, Waiting, seconds_until_due
from firefighter._delivery.limits import MAX_RECORDS, MAX_REQUEST_BYTES, MIN_REQUEST_GAP_SECONDS
from firefighter._delivery.pace import Pacer, Retries
from firefighter.local.quota import Buckets

UNLIMITED = 1e12

_RULES = Rules(
    max_batch_bytes=5120,
    max_batch_events=MAX_RECORDS,
    send_interval_seconds=60.0,
    min_gap_seconds=MIN_REQUEST_GAP_SECONDS,
)
_MAX_IN_FLIGHT = 4
# From here to AWS and back.
_LATENCY_SECONDS = (0.02, 0.1)
# How often a producer with nothing due looks again, as an alarm of its spool would make it.
_LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class Demand:
    """What one producer logs.

    Attributes:
        events_per_second: evenly.
        event_bytes: the size of each.
        from_seconds: when it begins.
        spool_bytes: what is not accepted yet, at most; an event that finds no room is dropped.
    """

    events_per_second: float
    event_bytes: int = 200
    from_seconds: float = 0.0
    spool_bytes: float = 16 * 2**20


@dataclass(frozen=True)
class Quota:
    """What a stream takes in a second, from a time on."""

    size_bytes: float = UNLIMITED
    records: float = UNLIMITED
    requests: float = UNLIMITED
    from_seconds: float = 0.0


@dataclass(frozen=True)
class Refusals:
    """What a stream refuses for reasons of its own, from a time on.

    Attributes:
        of_requests: the share of the requests of which something is refused, chosen at random.
        least, most: the share of such a request's records that is refused is between these, at random; 1.0 is the whole request.
        from_seconds: when that begins.
        until_seconds: when it ends.
    """

    of_requests: float
    least: float = 0.0
    most: float = 1.0
    from_seconds: float = 0.0
    until_seconds: float = inf


@dataclass(frozen=True)
class Put:
    """One request, and how many of its records were accepted."""

    at_seconds: float
    producer: int
    records: int
    accepted: int
    event_bytes: int


class Answer(NamedTuple):
    """What a producer learns of one request."""

    started_at: float
    records: int
    accepted: int


@dataclass(frozen=True)
class Account:
    """What came of the requests of some time.

    Attributes:
        accepted_bytes: a second.
        accepted_records: a second.
        accepted_requests: a second, those of which nothing was accepted left out.
        refused_share: of the records sent.
        fairness: Jain's index of the producers' accepted bytes: 1 if all have the same, 1/n if one has all.
    """

    accepted_bytes: float
    accepted_records: float
    accepted_requests: float
    refused_share: float
    fairness: float


class Producer:
    """One process's delivery.

    Args:
        demand: what it logs.
        paced: with a Pacer, or by backoff alone.
        jitter: gives a number in [0, 1).

    Attributes:
        event_bytes: the size of its events.
        in_flight: its requests under way.
        dropped: events for which its spool had no room.
    """

    def __init__(self, demand: Demand, jitter: Callable[[], float], *, paced: bool) -> None:
        self.event_bytes = demand.event_bytes
        self.in_flight = 0
        self.dropped = 0.0
        self._demand = demand
        self._room = demand.spool_bytes / demand.event_bytes
        self._pacer = Pacer(jitter, self.fullness) if paced else None
        self._retries = Retries(jitter)
        self._logged_until = demand.from_seconds
        self._waiting = 0.0
        self._unsettled = 0
        self._under_way = 0
        self._flushing = False
        self._last_start = -inf
        self._empty_at = 0.0

    def log(self, now: float) -> None:
        """Queue what has been logged until now; what the spool has no room for is dropped."""
        self._waiting += (now - self._logged_until) * self._demand.events_per_second
        self._logged_until = now
        too_many = max(0.0, min(self._waiting, self._pending() - self._room))
        self._waiting -= too_many
        self.dropped += too_many

    def flush(self) -> None:
        """Send all events at once from now on, with short pauses after failures: somebody waits."""
        self._flushing = True
        self._retries.limit_pauses_until(inf)

    def fullness(self) -> float:
        """Return how full the spool is, from 0.0 to 1.0."""
        return min(1.0, self._pending() / self._room)

    def _pending(self) -> float:
        return self._waiting + self._unsettled + self._under_way

    def seconds_until_start(self, now: float) -> float:
        """Return how long until the next request, if nothing more comes."""
        if self.in_flight >= (1 if self._retries.failing else _MAX_IN_FLIGHT):
            return inf
        allowed = self._retries.seconds_left(now)
        if self._pacer is not None:
            allowed = max(allowed, self._pacer.seconds_until_allowed(now))
        if self._unsettled:
            return max(0.0, allowed)
        events = int(self._waiting)
        waiting = Waiting(events, events * self.event_bytes, self._empty_at)
        due = seconds_until_due(waiting, _RULES, now=now, last_start=self._last_start, marked=self._flushing)
        return max(0.0, allowed, due)

    def start(self, now: float) -> int:
        """Start a request; return how many records it carries: those to be sent again first."""
        size_bytes = MAX_REQUEST_BYTES if self._pacer is None else self._pacer.max_request_bytes
        room = max(1, min(MAX_RECORDS, size_bytes // self.event_bytes))
        again = min(room, self._unsettled)
        new = min(room - again, int(self._waiting))
        self._unsettled -= again
        self._waiting -= new
        self._under_way += again + new
        self._last_start = now
        self.in_flight += 1
        if self._waiting < 1.0:
            self._empty_at = now
        if self._pacer is not None:
            self._pacer.started(now, (again + new) * self.event_bytes)
        return again + new

    def settle(self, now: float, answer: Answer) -> None:
        """Take note of an answer."""
        refused = answer.records - answer.accepted
        self.in_flight -= 1
        self._under_way -= answer.records
        self._unsettled += refused
        if self._pacer is not None:
            self._pacer.answered(
                now,
                accepted_bytes=answer.accepted * self.event_bytes,
                throttled_bytes=refused * self.event_bytes,
            )
        if not refused or (answer.accepted and self._pacer is not None):
            self._retries.note_success(started_at=answer.started_at)
        else:
            self._retries.note_failure(
                now,
                started_at=answer.started_at,
                progress=answer.accepted > 0,
                misconfigured=False,
                throttled=not answer.accepted,
            )


class Fleet:
    """Producers, and the stream that they share.

    Args:
        demands: of each producer.
        quotas: of the stream, by the time from which they hold.
        refusals: of the stream, beside those for the quota.
        flush_at_seconds: when somebody waits for the delivery of all events, in every producer.
        latency_seconds: how long an answer takes, at least and at most.
        seed: of all that is left to chance.
        paced: with a Pacer for each producer, or by backoff alone.
    """

    def __init__(
        self,
        demands: Sequence[Demand],
        *quotas: Quota,
        seed: int,
        refusals: Sequence[Refusals] = (),
        flush_at_seconds: float = inf,
        latency_seconds: tuple[float, float] = _LATENCY_SECONDS,
        paced: bool = True,
    ) -> None:
        self._chance = random.Random(seed)
        self._demands = demands
        self._producers = [Producer(demand, self._chance.random, paced=paced) for demand in demands]
        self._quotas = list(quotas)
        self._refusals = refusals
        self._flush_at_seconds = flush_at_seconds
        self._latency_seconds = latency_seconds
        self._buckets = Buckets(UNLIMITED, UNLIMITED, UNLIMITED)
        # When, a number to tell equals apart, which producer, and the answer; without one it only looks.
        self._agenda: list[tuple[float, int, int, Answer | None]] = []
        self._entries = 0
        self._looking = [False] * len(demands)
        self.puts: list[Put] = []

    def run(self, seconds: float) -> Fleet:
        """Let so much time pass from the start; return the fleet itself."""
        for number, demand in enumerate(self._demands):
            self._look_at(number, demand.from_seconds + self._chance.random())
        while self._agenda[0][0] < seconds:
            now, _, number, answer = heapq.heappop(self._agenda)
            if self._quotas and now >= self._quotas[0].from_seconds:
                quota = self._quotas.pop(0)
                self._buckets = Buckets(quota.size_bytes, quota.records, quota.requests)
            producer = self._producers[number]
            producer.log(now)
            if now >= self._flush_at_seconds:
                producer.flush()
            if answer is None:
                self._looking[number] = False
            else:
                producer.settle(now, answer)
            while (wait := producer.seconds_until_start(now)) == 0.0:
                self._put(now, number, producer)
            if wait != inf or producer.in_flight == 0:
                self._look_at(number, now + max(1e-6, min(wait, _LOOK_SECONDS)))
        return self

    @property
    def dropped(self) -> float:
        """Events for which there was no room in a spool."""
        return sum(producer.dropped for producer in self._producers)

    def account(self, begin_seconds: float, end_seconds: float) -> Account:
        """Return what came of the requests that were started in that time."""
        puts = [put for put in self.puts if begin_seconds <= put.at_seconds < end_seconds]
        seconds = end_seconds - begin_seconds
        sent = sum(put.records for put in puts)
        accepted = sum(put.accepted for put in puts)
        shares = [0] * len(self._producers)
        for put in puts:
            shares[put.producer] += put.accepted * put.event_bytes
        squares = sum(share * share for share in shares)
        return Account(
            sum(shares) / seconds,
            accepted / seconds,
            sum(put.accepted > 0 for put in puts) / seconds,
            1 - accepted / sent if sent else 0.0,
            sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0,
        )

    def _put(self, now: float, number: int, producer: Producer) -> None:
        records = producer.start(now)
        offered = records - self._refused_anyway(now, records)
        accepted = sum(self._buckets.admit([producer.event_bytes] * offered, now))
        self.puts.append(Put(now, number, records, accepted, producer.event_bytes))
        self._note(now + self._chance.uniform(*self._latency_seconds), number, Answer(now, records, accepted))

    def _refused_anyway(self, now: float, records: int) -> int:
        """Return how many records of a request are refused for other reasons than the quota."""
        refused = 0
        for each in self._refusals:
            lasts = each.from_seconds <= now < each.until_seconds
            if lasts and self._chance.random() < each.of_requests:
                refused = max(
                    refused,
                    int(records * self._chance.uniform(each.least, each.most) + self._chance.random()),
                )
        return refused

    def _look_at(self, number: int, at_seconds: float) -> None:
        if not self._looking[number]:
            self._looking[number] = True
            self._note(at_seconds, number, None)

    def _note(self, at_seconds: float, number: int, answer: Answer | None) -> None:
        self._entries += 1
        heapq.heappush(self._agenda, (at_seconds, self._entries, number, answer))
