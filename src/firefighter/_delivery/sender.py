"""The delivery loop: takes due events from a source, sends them, and settles each by its outcome.

One request at a time. What Firehose did not accept of it goes first in the next request, together with what has queued
meanwhile; so while one request is on its way, or waits for its retry, the next one grows (group commit).

Whoever holds the turn delivers: the delivery thread in `run`; a closing or flushing thread in `drain` when there is no
delivery thread; an emitting thread in `send_now` when the handler has no queue.
"""

from __future__ import annotations

import enum
import random
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Generic

from firefighter._delivery.batching import Rules, Waiting, alarm_after, seconds_until_due
from firefighter._delivery.diagnostics import Diagnostics
from firefighter._delivery.drops import DropReports
from firefighter._delivery.guard import delivering
from firefighter._delivery.limits import MAX_RECORDS, MAX_REQUEST_BYTES
from firefighter._delivery.retry import FAILURE, MISCONFIGURATION
from firefighter._delivery.sources import Event, Source
from firefighter._delivery.transport import Answer, Outcome, Transport
from firefighter._wakeup import Broadcast, Wakeup

__all__ = ['Sender', 'Traffic']

# Where the loop itself fails (a bug, or no memory), it goes on after this pause.
_PAUSE_AFTER_BUG_SECONDS = 1.0

_KEPT = (Outcome.RETRY, Outcome.MISCONFIGURED)


class _State(enum.Enum):
    IDLE = 'idle'
    STARTING = 'starting'
    RUNNING = 'running'


@dataclass
class Traffic:
    """What went over the wire, for all senders of a handler. Written by one thread at a time."""

    requests: int = 0
    records: int = 0
    sent_bytes: int = 0
    retried: int = 0
    uncertain: int = 0
    last_error: str | None = None


class Sender(Generic[Event]):
    """Delivers the events of one source to one stream.

    Args:
        source: where events come from and are settled.
        transport: the way to Firehose.
        stream: the delivery stream's name.
        rules: gives the rules that hold now; asked before each decision.
        linger_seconds: how long to go on after END for what cannot be delivered at once.
        traffic: where to count.
        drops: what tells the user of dropped events.
        diagnostics: where to say what is wrong.
        clock: gives the time in seconds; must not jump.
        jitter: gives a number in [0, 1).
    """

    def __init__(
        self,
        source: Source[Event],
        transport: Transport,
        stream: str,
        *,
        rules: Callable[[], Rules],
        linger_seconds: float,
        traffic: Traffic,
        drops: DropReports,
        diagnostics: Diagnostics,
        clock: Callable[[], float] = monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._source = source
        self._transport = transport
        self._stream = stream
        self._rules = rules
        self._linger_seconds = linger_seconds
        self._traffic = traffic
        self._drops = drops
        self._diagnostics = diagnostics
        self._clock = clock
        self._jitter = jitter
        self._turn = threading.RLock()
        self.progress = Broadcast()
        # What was taken and is not settled: on its way, or waiting for its retry.
        self._unsettled: list[Event] = []
        self._retry_at = -inf
        self._failures = 0
        self._flushes_served = 0
        self._last_start = -inf
        # When the source was last seen empty, and since when it is not.
        self._empty_at = clock()
        self._waiting_since: float | None = None
        self._ends_at = inf
        self._misconfigured = False
        # Ending and resuming exclude each other by this lock.
        self._life = threading.RLock()
        self._state = _State.IDLE

    @property
    def running(self) -> bool:
        """Whether a thread is in `run`, or on its way there."""
        return self._state is not _State.IDLE

    def expect_thread(self, *, coming: bool) -> None:
        """Take note that a thread is about to enter `run`, or that it could not be started."""
        with self._life:
            if self._state is not _State.RUNNING:
                self._state = _State.STARTING if coming else _State.IDLE

    def abandon(self) -> None:
        """Send nothing any more, in a forked child: what was taken is the parent's, even where `on_drop` has forked."""
        self._unsettled = []
        self._state = _State.IDLE

    def run(self) -> None:
        """Deliver until END has been queued and what could be delivered is delivered."""
        with self._life:
            if self._state is _State.RUNNING:
                return
            self._state = _State.RUNNING
        try:
            with delivering():
                while not self._ended():
                    self._cycle()
                self._unsettled = self._source.give_up(self._unsettled)
                self._drops.report(now_or_never=True)
        finally:
            self._state = _State.IDLE
            self.progress.notify()

    def resume(self) -> bool:
        """Take an END back; return whether a thread is in `run` and stays there."""
        with self._life:
            self._source.ended = False
            self._ends_at = inf
            return self.running

    def found_misconfigured(self, flushes: int) -> bool:
        """Return whether a request since the given flush found that someone has to mend the configuration."""
        return self._misconfigured and self._flushes_served >= flushes

    def drain(self, done: Callable[[], bool], deadline: float) -> None:
        """Deliver in the calling thread until `done()`, the deadline, or a try that found a misconfiguration."""
        with delivering():
            tried = False
            while not done() and self._clock() < deadline and not (tried and self._misconfigured):
                if not self._take_turn(deadline - self._clock()):
                    return
                try:
                    wait = 0.0 if not tried else self._seconds_until_due()
                    if wait == 0.0:
                        self._send()
                        tried = True
                finally:
                    self._turn.release()
                if wait > 0.0 and not done():
                    self._source.wait(
                        min(wait, deadline - self._clock()), more_bytes_than=sys.maxsize, events=sys.maxsize
                    )

    def send_now(self, timeout_seconds: float) -> None:
        """Make one attempt for what waits, in the calling thread; what fails stays for the next one."""
        deadline = self._clock() + timeout_seconds
        if not self._take_turn(timeout_seconds):
            return
        try:
            with delivering():
                while self._send() and self._source.waiting()[0] and self._clock() < deadline:
                    pass
        finally:
            self._turn.release()

    def _take_turn(self, timeout_seconds: float) -> bool:
        """Become the one who delivers; False after the time-out, or when this thread was interrupted delivering."""
        if self._turn._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001  # no public way to ask
            return False
        return self._turn.acquire(timeout=max(0.0, min(timeout_seconds, threading.TIMEOUT_MAX)))

    def _cycle(self) -> None:
        try:
            self._drops.report()
            with self._turn:
                self._source.tidy()
                self._look()
                wait = self._seconds_until_due()
                if wait == 0.0:
                    self._send()
                    return
            self._wait(wait)
        except Exception as error:  # the thread must not die: logging would be off for good
            self._traffic.last_error = f'{type(error).__name__}: {error}'
            self._diagnostics.say('bug', f'delivery stumbled and goes on: {type(error).__name__}: {error}')
            self.progress.notify()
            Wakeup().wait(_PAUSE_AFTER_BUG_SECONDS)

    def _ended(self) -> bool:
        with self._life:
            if self._source.ended and self._finished():
                self._state = _State.IDLE
        return self._state is _State.IDLE

    def _finished(self) -> bool:
        if self._ends_at == inf:
            self._ends_at = self._clock() + self._linger_seconds
        if self._source.exhausted(self._unsettled):
            self._source.tidy()
            return True
        tried = self._flushes_served == self._source.flushes
        return tried and (self._misconfigured or self._clock() >= self._ends_at)

    def _look(self) -> None:
        now = self._clock()
        if not self._source.waiting()[0]:
            self._empty_at = now
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = self._empty_at

    def _waiting(self) -> Waiting:
        events, size_bytes = self._source.waiting()
        since = self._empty_at if self._waiting_since is None else self._waiting_since
        return Waiting(events, size_bytes, since)

    def _seconds_until_due(self) -> float:
        now = self._clock()
        if self._unsettled:
            if self._source.flushes != self._flushes_served:
                return 0.0
            return max(0.0, self._retry_at - now)
        return seconds_until_due(
            self._waiting(), self._rules(), now=now, last_start=self._last_start, marked=self._source.marked
        )

    def _wait(self, seconds: float) -> None:
        """Wait so long, or until the source has what makes a batch due sooner."""
        rules = self._rules()
        now = self._clock()
        more_bytes_than = events = sys.maxsize
        if not self._unsettled:
            waiting = self._waiting()
            more_bytes_than, events = alarm_after(waiting, rules, now=now, last_start=self._last_start)
            gap_left = self._last_start + rules.min_gap_seconds - now
            if waiting.events and gap_left > 0.0:
                seconds = min(seconds, gap_left)
        # Not for ever: an alarm that an exception in the appending thread swallowed costs one interval, no more.
        seconds = min(seconds, max(rules.send_interval_seconds, 1.0), self._drops.seconds_until_report())
        if self._source.ended:
            seconds = min(seconds, max(0.0, self._ends_at - now))
        woken = self._source.wait(seconds, more_bytes_than=more_bytes_than, events=events)
        if woken and self._waiting_since is None:
            self._empty_at = self._clock()

    def _send(self) -> bool:
        """Make one request of what is unsettled and what waits; return whether all of it was accepted."""
        source = self._source
        retried = len(self._unsettled)
        room_bytes = MAX_REQUEST_BYTES - sum(len(event.data) for event in self._unsettled)
        self._flushes_served = source.flushes
        self._last_start = self._clock()
        # Noted at once: an exception thrown into this thread (KeyboardInterrupt) must not lose what was taken.
        self._unsettled += source.take(MAX_RECORDS - retried, room_bytes)
        if not source.waiting()[0]:
            self._waiting_since = None
            self._empty_at = self._last_start
        events = self._unsettled
        if not events:
            return True
        data = [event.data for event in events]
        traffic = self._traffic
        traffic.requests += 1
        traffic.records += len(data)
        traffic.sent_bytes += sum(map(len, data))
        traffic.retried += retried
        answer = self._transport.put(self._stream, data)
        self._settle(events, answer)
        self.progress.notify()
        return not self._unsettled

    def _settle(self, events: Sequence[Event], answer: Answer) -> None:
        accepted: Sequence[Event] = events
        refused: Sequence[Event] = ()
        remaining: list[Event] = []
        if answer.cause is not None:
            pairs = list(zip(events, answer.outcomes, strict=True))
            accepted = [event for event, outcome in pairs if outcome is Outcome.ACCEPTED]
            refused = [event for event, outcome in pairs if outcome is Outcome.REFUSED]
            remaining = [event for event, outcome in pairs if outcome in _KEPT]
        self._unsettled = remaining
        self._source.acknowledge(accepted)
        if refused:
            self._source.drop(refused, 'refused')
        self._note(answer, accepted=bool(accepted))

    def _note(self, answer: Answer, *, accepted: bool) -> None:
        self._misconfigured = Outcome.MISCONFIGURED in answer.outcomes
        if answer.error is not None:
            self._traffic.last_error = answer.error
            failed = sum(outcome is not Outcome.ACCEPTED for outcome in answer.outcomes)
            fate = 'dropped' if Outcome.REFUSED in answer.outcomes else 'kept, and sent again'
            self._diagnostics.say(
                answer.cause or 'unknown',
                f'stream {self._stream!r}: {failed:,} records were not accepted and are {fate}: {answer.error}',
            )
        if not self._unsettled:
            self._failures = 0
            return
        if answer.uncertain:
            self._traffic.uncertain += len(self._unsettled)
        self._failures = 1 if accepted else self._failures + 1
        backoff = MISCONFIGURATION if self._misconfigured else FAILURE
        self._retry_at = self._clock() + backoff.seconds(self._failures, self._jitter)
