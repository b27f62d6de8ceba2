"""Whether a request may start, what goes in it, and what its answer means for the next. One thread at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from firefighter._delivery.batches import Batch, Batches
from firefighter._delivery.dead_letters import DeadLetters
from firefighter._delivery.diagnostics import Diagnostics
from firefighter._delivery.due import Waiting
from firefighter._delivery.limits import (
    FULL_REQUEST_BYTES,
    MAX_REQUEST_BYTES,
    MIN_REQUEST_GAP_SECONDS,
)
from firefighter._delivery.outcomes import Answer, Outcome
from firefighter._delivery.pace.pacer import Pacer
from firefighter._delivery.pace.retry import Retries
from firefighter._delivery.requests import Requests
from firefighter._delivery.source import SpoolSource

__all__ = ['THREAD_START_SECONDS', 'Dispatch', 'Traffic']

# A thread comes within a thousandth of this. One that does not was killed before it began, or never ran.
THREAD_START_SECONDS = 1.0


@dataclass
class Traffic:
    """What went over the wire, for all senders of a handler. Written by one thread at a time.

    Attributes:
        requests: made.
        records: in them.
        sent_bytes: of these.
        retried: records that were in a request before.
        uncertain: events that are sent again, though nobody knows whether they had arrived.
        last_error: what went wrong last, in words.
    """

    requests: int = 0
    records: int = 0
    sent_bytes: int = 0
    retried: int = 0
    uncertain: int = 0
    last_error: str | None = None


class Dispatch:
    """Has requests made for the events of one source.

    Args:
        source: where events come from and are settled.
        requests: makes them.
        stream: the delivery stream's name.
        max_in_flight: how many requests may be under way at once.
        traffic: where to count.
        dead_letters: where events go that Firehose will never take.
        diagnostics: where to say what is wrong.
        clock: gives the time in seconds; must not jump.
        jitter: gives a number in [0, 1).

    Attributes:
        flushes_served: how many FLUSHes of the source have had a request started.
        flushes_tried: how many have had one answered.
        last_start: when the last request was started.
        oldest_at: the time since which the oldest event has been waiting that is not settled, or any time before
            that; inf when there is none that delivery has seen.
    """

    def __init__(
        self,
        source: SpoolSource,
        requests: Requests,
        stream: str,
        *,
        max_in_flight: int,
        traffic: Traffic,
        dead_letters: DeadLetters,
        diagnostics: Diagnostics,
        clock: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        self._source = source
        self._requests = requests
        self._stream = stream
        self._max_in_flight = max_in_flight
        self._traffic = traffic
        self._dead_letters = dead_letters
        self._diagnostics = diagnostics
        self._clock = clock
        self.batches = Batches(source, self._bury)
        self._retries = Retries(jitter)
        self._pacer = Pacer(jitter)
        self.flushes_served = 0
        self.flushes_tried = 0
        self.last_start = -inf
        # When the source was last seen empty, and since when it is not.
        self._empty_at = clock()
        self._waiting_since: float | None = None
        # What was left in the source when the last batch was composed, and when that was.
        self._left_events = 0
        self._left_at = self._empty_at
        self.oldest_at = inf

    def abandon(self) -> None:
        """Send nothing any more, in a forked child: what was taken is the parent's, even where a hook has forked."""
        self.batches = Batches(self._source, self._bury)

    # Whether.

    @property
    def may_start(self) -> bool:
        """Whether one more request may be under way.

        While requests fail, one alone finds out whether that has passed; and so do the parts of one that was refused.
        """
        in_flight = len(self.batches.in_flight)
        if not in_flight:
            return True
        return in_flight < self._max_in_flight and not self._retries.failing and not self.batches.bisecting

    @property
    def failing(self) -> bool:
        """Whether the newest answer was that not everything is accepted."""
        return self._retries.failing

    def found_misconfigured(self, flushes: int) -> bool:
        """Return whether a request since the given flush found that someone has to mend the configuration."""
        tried = self.flushes_tried >= flushes and not self.batches.bisecting
        return self._retries.misconfigured and tried

    def limit_pauses_until(self, until: float) -> None:
        """Make no long pauses after failures until then: somebody waits."""
        self._retries.limit_pauses_until(until)

    def seconds_until_allowed(self) -> float:
        """Return how long failures and the stream's quota keep the next request back. A new FLUSH is one more try."""
        if self._source.flushes != self.flushes_served:
            return 0.0
        now = self._clock()
        return max(self._retries.seconds_left(now), self._pacer.seconds_until_allowed(now))

    def waiting(self) -> Waiting:
        """Return what waits in the source and makes a batch due, and since when."""
        _, records, size_bytes = self._source.waiting()
        quiet_events, quiet_bytes = self._source.quiet
        since = self._empty_at if self._waiting_since is None else self._waiting_since
        if quiet_events and records <= quiet_events:
            since += MIN_REQUEST_GAP_SECONDS  # also where `send_interval` is nothing
        return Waiting(max(records - quiet_events, min(records, 1)), max(0, size_bytes - quiet_bytes), since)

    def may_start_another(self, full_bytes: int) -> bool:
        """Return whether a request may start beside those under way: a full one waits, or somebody does.

        A small one would rather wait for company, and go when the answer is there.
        """
        if self._source.flushes != self.flushes_served:
            return True
        _, records, size_bytes = self._source.waiting()
        again, again_bytes = self.batches.returned
        most_records, most_bytes = self._request_limits()
        return records + again >= most_records or size_bytes + again_bytes >= min(full_bytes, most_bytes)

    def note_whether_empty(self) -> None:
        """Take note of when the source is empty."""
        now = self._clock()
        if not self._source.waiting().events:
            self._empty_at = now
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = self._empty_at
        self._update_oldest_at()

    def note_arrival(self) -> None:
        """Take note that an event has come: until now there was none."""
        if self._waiting_since is None:
            self._empty_at = self._clock()

    # Requests.

    def compose(self, *, everything: bool = True) -> Batch | None:
        """Return the next batch, which counts as under way; None when there is nothing to send.

        Args:
            everything: whether all that waits is to go; otherwise the end of it may wait for company.
        """
        now = self._clock()
        batch = self.batches.compose(*self._request_limits(), self.waiting().since, everything=everything)
        self.flushes_served = self._source.flushes
        if batch is None:
            return None
        batch.started_at = self.last_start = now
        batch.flushes = self.flushes_served
        self._note_left(now, batch.fresh_events)
        self._update_oldest_at()
        self._pacer.started(now, len(batch.events), batch.size_bytes)
        traffic = self._traffic
        traffic.requests += 1
        traffic.records += len(batch.events)
        traffic.sent_bytes += batch.size_bytes
        traffic.retried += batch.retried
        return batch

    def start_requests(self) -> None:
        """Have the request of each batch made that is not under way yet, also where an exception came between."""
        now = self._clock()
        for batch in self.batches.in_flight:
            if batch.handed_over_at is None:
                self._requests.start(batch)
                batch.handed_over_at = now
            elif not batch.makers and now - batch.handed_over_at > THREAD_START_SECONDS:
                self._requests.make_here(batch)

    @property
    def any_without_maker(self) -> bool:
        """Whether somebody has still to come to make a request."""
        return any(not batch.makers for batch in self.batches.in_flight)

    def settle(self) -> bool:
        """Settle what has been answered; return whether anything was."""
        answered = [(batch, batch.answer) for batch in self.batches.in_flight if batch.answer]
        for batch, answer in answered:
            self._settle(batch, answer)
            self._update_oldest_at()
        self.batches.judge()
        return bool(answered)

    def _request_limits(self) -> tuple[int, int]:
        """Return how many records, and bytes of data, the next request may have."""
        records, size_bytes = self._pacer.request_limits(self._clock())
        return records, min(size_bytes, FULL_REQUEST_BYTES if self._max_in_flight > 1 else MAX_REQUEST_BYTES)

    def _note_left(self, now: float, fresh_events: int) -> None:
        """Take note of since when that is waiting which was not taken."""
        left = self._source.waiting().events
        if not left:
            self._waiting_since = None
            self._empty_at = now
        elif fresh_events >= self._left_events and not self._source.marked:
            # All that was left the last time has gone now: the rest has come since.
            self._waiting_since = self._left_at
        self._left_events, self._left_at = left, now

    def _settle(self, batch: Batch, answer: Answer) -> None:
        self._note_in_pacer(batch, answer)
        self._count_uncertain(batch, answer)
        refuses_all = self.batches.settle(batch, answer)
        self.flushes_tried = max(self.flushes_tried, batch.flushes)
        if answer.cause is None:
            self._retries.note_success(started_at=batch.started_at)
        else:
            self._note_failure(batch, answer, refuses_all=refuses_all)
            self._report_failure(batch, answer)

    def _note_in_pacer(self, batch: Batch, answer: Answer) -> None:
        """Tell the pacer of what the stream has taken, and what not; other failures say nothing of its quota."""
        taken, taken_bytes, throttled, throttled_bytes = len(batch.events), batch.size_bytes, 0, 0
        if answer.cause is not None:
            taken, taken_bytes = _sum_of(Outcome.ACCEPTED, batch, answer)
            throttled, throttled_bytes = _sum_of(Outcome.THROTTLED, batch, answer)
        self._pacer.answered(
            self._clock(),
            taken + throttled,
            taken_bytes + throttled_bytes,
            throttled_records=throttled,
            throttled_bytes=throttled_bytes,
        )

    def _count_uncertain(self, batch: Batch, answer: Answer) -> None:
        """Count what may arrive twice, before it is sent again."""
        if answer.uncertain and batch.sorted_out is None:
            self._traffic.uncertain += sum(
                record.events
                for record, outcome in zip(batch.events, answer.outcomes, strict=True)
                if outcome is not Outcome.ACCEPTED
            )

    def _note_failure(self, batch: Batch, answer: Answer, *, refuses_all: bool) -> None:
        now, started_at, outcomes = self._clock(), batch.started_at, set(answer.outcomes)
        if outcomes == {Outcome.REFUSED}:
            self._retries.note_refusal(now, started_at=started_at, refuses_all=refuses_all)
        elif Outcome.ACCEPTED in outcomes and not outcomes & {Outcome.RETRY, Outcome.MISCONFIGURED}:
            self._retries.note_success(started_at=started_at)  # what exceeds the quota is the pacer's affair
        else:
            self._retries.note_failure(
                now,
                started_at=started_at,
                progress=Outcome.ACCEPTED in outcomes,
                misconfigured=Outcome.MISCONFIGURED in outcomes,
            )

    def _report_failure(self, batch: Batch, answer: Answer) -> None:
        failed = len(batch.events) - answer.outcomes.count(Outcome.ACCEPTED)
        self._traffic.last_error = answer.error
        fate = 'kept, and sent again'
        if Outcome.REFUSED in answer.outcomes:
            fate += ' in parts, to find the one that is invalid'
        self._diagnostics.say(
            answer.cause or 'unknown',
            f'stream {self._stream!r}: {failed:,} of {len(batch.events):,} records not accepted, {fate}: {answer.error}',
        )

    def _bury(self, event: bytes, reason: str) -> None:
        self._dead_letters.put(event, reason)
        self._diagnostics.say(
            'dead letter',
            f'stream {self._stream!r}: Firehose refuses a record that it was offered alone, which is dropped: {reason}',
        )

    def _update_oldest_at(self) -> None:
        waiting_since = self._waiting_since
        if waiting_since is None:
            waiting_since = self._empty_at if self._source.waiting().events else inf
        self.oldest_at = min(self.batches.since, waiting_since)


def _sum_of(outcome: Outcome, batch: Batch, answer: Answer) -> tuple[int, int]:
    """Return how many of a batch's events have that outcome, and their size."""
    sizes = [
        len(event.data) for event, own in zip(batch.events, answer.outcomes, strict=True) if own is outcome
    ]
    return len(sizes), sum(sizes)
