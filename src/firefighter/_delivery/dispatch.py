"""Decides whether a request may start and what goes in it, and settles its answer. Used by one thread at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from firefighter._delivery.batches import Batch, Batches
from firefighter._delivery.diagnostics import Diagnostics
from firefighter._delivery.due import Waiting
from firefighter._delivery.hooks import DeadLetters
from firefighter._delivery.limits import (
    FULL_REQUEST_BYTES,
    MAX_RECORDS,
    MAX_REQUEST_BYTES,
    MIN_REQUEST_GAP_SECONDS,
)
from firefighter._delivery.outcomes import Answer, Outcome
from firefighter._delivery.pace import Pacer, RequestSize, Retries
from firefighter._delivery.requests import Requests
from firefighter._delivery.spool_source import SpoolSource

__all__ = ['THREAD_START_SECONDS', 'Dispatch', 'Traffic']

# For a thread to begin with a request. A thousandth of it is usual; a thread that takes longer was killed, or never ran.
THREAD_START_SECONDS = 1.0


@dataclass
class Traffic:
    """Counts what went over the wire, for all senders of a handler. Written by one thread at a time.

    Attributes:
        requests: made.
        records: in them.
        sent_bytes: of these.
        retried: records that had been in a request before.
        uncertain: events that are sent again though they may have arrived.
        last_error: the newest error, in words.
    """

    requests: int = 0
    records: int = 0
    sent_bytes: int = 0
    retried: int = 0
    uncertain: int = 0
    last_error: str | None = None


class Dispatch:
    """Starts requests for the events of one source, and settles their answers.

    Args:
        source: where events are taken and settled.
        requests: makes them.
        stream: the delivery stream's name.
        max_in_flight: how many requests may be under way at once.
        traffic: where to count.
        dead_letters: keeps events that Firehose refuses as invalid.
        diagnostics: writes errors to stderr.
        clock: returns the time in seconds; must not jump.
        jitter: returns a number in [0, 1).

    Attributes:
        flushes_served: the FLUSHes of the source for which a request was started.
        flushes_tried: the FLUSHes for which a request was answered.
        last_start: when the last request was started.
        oldest_at: when the oldest event that is not settled was queued, or any time before that; inf while delivery has
            seen none.
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
        self.batches = Batches(source, self._keep_dead_letter)
        self._retries = Retries(jitter)
        self._pacer = Pacer(jitter, source.fullness)
        self._request_size = RequestSize()
        self.flushes_served = 0
        self.flushes_tried = 0
        self.last_start = -inf
        # When the source was last seen empty; and since when it has not been, None while it is.
        self._empty_at = clock()
        self._waiting_since: float | None = None
        # How many events the last batch left in the source, and when it was composed.
        self._left_events = 0
        self._left_at = self._empty_at
        self.oldest_at = inf

    def abandon(self) -> None:
        """Forget what was taken, in a forked child: it is the parent's. That holds even where one of our hooks has forked."""
        self.batches = Batches(self._source, self._keep_dead_letter)

    # May a request start?

    @property
    def may_start(self) -> bool:
        """Whether one more request may be in flight.

        Only one at a time while requests fail, since it is enough to find out whether the failure has passed; while an invalid
        record is looked for; and while only small requests get through, since those beside it would share the line.
        """
        in_flight = len(self.batches.in_flight)
        if not in_flight:
            return True
        alone = self._retries.failing or self.batches.bisecting or self._request_size.most_bytes < inf
        return in_flight < self._max_in_flight and not alone

    @property
    def failing(self) -> bool:
        """Whether something was not accepted in the newest answer."""
        return self._retries.failing

    def found_misconfigured(self, flushes: int) -> bool:
        """Return whether a request since the given FLUSH has found a misconfiguration, which somebody has to mend."""
        tried = self.flushes_tried >= flushes and not self.batches.bisecting
        return self._retries.misconfigured and tried

    def limit_pauses_until(self, until: float) -> None:
        """Pause for a second at most after failures, until then: somebody waits for delivery."""
        self._retries.limit_pauses_until(until)

    def seconds_until_allowed(self) -> float:
        """Return how long the next request is kept back by failures and by the stream's quota. A new FLUSH permits one at once."""
        if self._source.flushes != self.flushes_served:
            return 0.0
        now = self._clock()
        return max(self._retries.seconds_left(now), self._pacer.seconds_until_allowed(now))

    def waiting(self) -> Waiting:
        """Return what waits in the source, and since when; without the events that make no batch due."""
        _, records, size_bytes = self._source.waiting()
        quiet_events, quiet_bytes = self._source.quiet
        since = self._empty_at if self._waiting_since is None else self._waiting_since
        if quiet_events and records <= quiet_events:
            since += MIN_REQUEST_GAP_SECONDS  # events of our own threads wait for a while even if `send_interval` is 0
        return Waiting(max(records - quiet_events, min(records, 1)), max(0, size_bytes - quiet_bytes), since)

    def may_start_another(self, full_bytes: int) -> bool:
        """Return whether a request may start beside those in flight: where a full one waits, or somebody has flushed.

        A smaller one waits until an answer is there, and grows meanwhile.
        """
        if self._source.flushes != self.flushes_served:
            return True
        _, records, size_bytes = self._source.waiting()
        taken, taken_bytes = self.batches.to_send
        most_bytes = min(full_bytes, self._max_request_bytes)
        return records + taken >= MAX_RECORDS or size_bytes + taken_bytes >= most_bytes

    def note_whether_empty(self) -> None:
        """Note whether the source is empty now, and when it last was."""
        now = self._clock()
        if not self._source.waiting().events:
            self._empty_at = now
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = self._empty_at
        self._update_oldest_at()

    def note_arrival(self) -> None:
        """Note that the first event has just come, after a wait in an empty source."""
        if self._waiting_since is None:
            self._empty_at = self._clock()

    # Requests.

    def compose(self, *, everything: bool = True) -> Batch | None:
        """Compose the next batch, and count it as in flight; return None when there is nothing to send.

        Args:
            everything: take all events that wait; otherwise the newest may wait for more to fill their record.
        """
        now = self._clock()
        batch = self.batches.compose(
            MAX_RECORDS,
            self._max_request_bytes,
            self.waiting().since,
            everything=everything,
            most_bytes=self._request_size.most_bytes,
        )
        self.flushes_served = self._source.flushes
        if batch is None:
            return None
        batch.started_at = self.last_start = now
        batch.flushes = self.flushes_served
        self._note_left(now, batch.fresh_events)
        self._update_oldest_at()
        self._pacer.started(now, batch.size_bytes)
        traffic = self._traffic
        traffic.requests += 1
        traffic.records += len(batch.records)
        traffic.sent_bytes += batch.size_bytes
        traffic.retried += batch.retried
        return batch

    def start_requests(self) -> None:
        """Hand over each batch in flight that was not handed over yet; make its request here where no thread comes for it."""
        now = self._clock()
        for batch in self.batches.in_flight:
            if batch.handed_over_at is None:
                self._requests.start(batch)
                batch.handed_over_at = now
            elif not batch.makers and now - batch.handed_over_at > THREAD_START_SECONDS:
                self._requests.make_here(batch)

    @property
    def any_without_maker(self) -> bool:
        """Whether a batch was handed over, and no thread has begun with it."""
        return any(not batch.makers for batch in self.batches.in_flight)

    def settle(self) -> bool:
        """Settle the batches that were answered; return whether there were any."""
        answered = [(batch, batch.answer) for batch in self.batches.in_flight if batch.answer]
        for batch, answer in answered:
            self._settle(batch, answer)
            self._update_oldest_at()
        self.batches.conclude_refusals()
        return bool(answered)

    @property
    def _max_request_bytes(self) -> int:
        """The most bytes of data for the next request."""
        full_bytes = FULL_REQUEST_BYTES if self._max_in_flight > 1 else MAX_REQUEST_BYTES
        return int(min(full_bytes, self._pacer.max_request_bytes, self._request_size.most_bytes))

    def _note_left(self, now: float, fresh_events: int) -> None:
        """Note how much the batch has left in the source, and since when that waits."""
        left = self._source.waiting().events
        if not left:
            self._waiting_since = None
            self._empty_at = now
        elif fresh_events >= self._left_events and not self._source.marked:
            # Everything that the batch before has left is in this one. So the rest was queued after that.
            self._waiting_since = self._left_at
        self._left_events, self._left_at = left, now

    def _settle(self, batch: Batch, answer: Answer) -> None:
        self._note_in_pacer(batch, answer)
        self._count_copies(batch, answer)
        self._note_size(batch, answer)
        # First: a call that waits for the try returns as soon as the batch is settled.
        self._traffic.last_error = answer.error or self._traffic.last_error
        refuses_all = self.batches.settle(batch, answer)
        self.flushes_tried = max(self.flushes_tried, batch.flushes)
        if answer.cause is None:
            self._retries.note_success(started_at=batch.started_at)
        else:
            self._note_failure(batch, answer, refuses_all=refuses_all)
            self._report_failure(batch, answer)

    def _note_in_pacer(self, batch: Batch, answer: Answer) -> None:
        """Report to the pacer what was accepted and what was throttled; other failures do not depend on the quota."""
        accepted_bytes, throttled_bytes = batch.size_bytes, 0
        if answer.cause is not None:
            accepted_bytes = _bytes_of(Outcome.ACCEPTED, batch, answer)
            throttled_bytes = _bytes_of(Outcome.THROTTLED, batch, answer)
        self._pacer.answered(self._clock(), accepted_bytes=accepted_bytes, throttled_bytes=throttled_bytes)

    def _count_copies(self, batch: Batch, answer: Answer) -> None:
        """Count what may arrive twice. Only once, where settling was interrupted and is done again."""
        if batch.sorted_out is not None:
            return
        traffic = self._traffic
        if answer.sent_twice:
            traffic.requests += 1
            traffic.records += len(batch.records)
            traffic.sent_bytes += batch.size_bytes
            traffic.retried += len(batch.records)
            traffic.uncertain += sum(record.events for record in batch.records)
        if answer.uncertain:
            traffic.uncertain += sum(
                record.events
                for record, outcome in zip(batch.records, answer.outcomes, strict=True)
                if outcome is not Outcome.ACCEPTED
            )

    def _note_size(self, batch: Batch, answer: Answer) -> None:
        if batch.sorted_out is None:
            if answer.size_matters:
                self._request_size.note_failure(self._clock(), batch.size_bytes)
            elif Outcome.ACCEPTED in answer.outcomes:
                self._request_size.note_success(self._clock(), batch.size_bytes)

    def _note_failure(self, batch: Batch, answer: Answer, *, refuses_all: bool) -> None:
        now, started_at, outcomes = self._clock(), batch.started_at, set(answer.outcomes)
        if outcomes == {Outcome.REFUSED}:
            self._retries.note_refusal(now, started_at=started_at, refuses_all=refuses_all)
        elif Outcome.ACCEPTED in outcomes and not outcomes & {Outcome.RETRY, Outcome.MISCONFIGURED}:
            # The rest was throttled or refused: the pacer sees to the first, `Batches` to the second.
            self._retries.note_success(started_at=started_at)
        else:
            self._retries.note_failure(
                now,
                started_at=started_at,
                progress=Outcome.ACCEPTED in outcomes,
                misconfigured=Outcome.MISCONFIGURED in outcomes,
                throttled=outcomes == {Outcome.THROTTLED},
            )

    def _report_failure(self, batch: Batch, answer: Answer) -> None:
        failed = len(batch.records) - answer.outcomes.count(Outcome.ACCEPTED)
        fate = 'kept, and tried again'
        if answer.size_matters:
            fate += ' in smaller requests'
        elif Outcome.REFUSED in answer.outcomes:
            fate += ' in parts, to find the one that is invalid'
        self._diagnostics.say(
            answer.cause or 'unknown',
            f'stream {self._stream!r}: {failed:,} of {len(batch.records):,} records not accepted, {fate}: {answer.error}',
        )

    def _keep_dead_letter(self, event: bytes, reason: str) -> None:
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


def _bytes_of(outcome: Outcome, batch: Batch, answer: Answer) -> int:
    """Return the size of a batch's records with that outcome."""
    return sum(
        len(record.data) for record, own in zip(batch.records, answer.outcomes, strict=True) if own is outcome
    )
