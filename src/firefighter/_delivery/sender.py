"""The delivery loop: waits until a batch is due, has it sent, and settles what was answered.

What Firehose did not accept goes first in the next request, together with what has queued meanwhile. So while one request
is under way, or waits for its retry, the next one grows (group commit). A second request starts beside one that is under way
only where a full one waits, or somebody has flushed.

One thread at a time runs the loop, and it alone touches what was taken and is not settled. Requests are made in other threads
where there can be any (`requests.py`). Each step may be done twice, so an exception may come at any moment.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import inf
from random import SystemRandom

from firefighter._delivery.diagnostics import Diagnostics, name_error
from firefighter._delivery.dispatch import THREAD_START_SECONDS, Dispatch, Traffic
from firefighter._delivery.due import Rules, alarm_thresholds, seconds_until_due, takes_everything
from firefighter._delivery.hooks import DeadLetters, DropReports
from firefighter._delivery.limits import MAX_RECORDS
from firefighter._delivery.logged_by_delivery import as_thread_of_ours
from firefighter._delivery.requests import Requests
from firefighter._delivery.spool_source import SpoolSource
from firefighter._delivery.transport import Transport
from firefighter._process.lock import locked, make_lock
from firefighter._process.waiting import Broadcast, Wakeup, monotonic
from firefighter._spool.spool import Spooled

__all__ = ['Sender', 'Traffic']

# Not the module's functions: a program that seeds them expects the same numbers, whether we deliver or not. And children that are
# forked from one process do not pause for the same time.
_dice = SystemRandom()

# After an error of the loop itself (a bug, or no memory). Then it goes on.
_PAUSE_AFTER_BUG_SECONDS = 1.0
# `once_idle` is called when nothing is due for so long. It asks AWS one question, which takes some tenth of it.
_IDLE_SECONDS = 0.5


class Sender:
    """Delivers the events of one source to one stream.

    Args:
        source: where events are taken and settled.
        transport: the way to Firehose.
        stream: the delivery stream's name.
        rules: returns the rules that hold now; called before each decision.
        traffic: where to count.
        drops: reports dropped events to the user.
        dead_letters: keeps events that Firehose refuses as invalid.
        diagnostics: writes errors to stderr.
        max_in_flight: the most requests under way at once.
        once_idle: called once, when something was accepted and nothing is due.
        max_wait_seconds: returns how long the loop may wait at most.
        clock: returns the time in seconds; must not jump.
        jitter: returns a number in [0, 1).

    Attributes:
        progress: notified after each answer.
        requests: makes the requests.
    """

    def __init__(
        self,
        source: SpoolSource,
        transport: Transport,
        stream: str,
        *,
        rules: Callable[[], Rules],
        traffic: Traffic,
        drops: DropReports,
        dead_letters: DeadLetters,
        diagnostics: Diagnostics,
        max_in_flight: int = 1,
        once_idle: Callable[[], None] | None = None,
        max_wait_seconds: Callable[[], float] = lambda: inf,
        clock: Callable[[], float] = monotonic,
        jitter: Callable[[], float] = _dice.random,
    ) -> None:
        # A subclass may call `super().batch_sender` in several threads: then they take turns.
        self._lock = make_lock()
        self._source = source
        self._rules = rules
        self._traffic = traffic
        self._drops = drops
        self._dead_letters = dead_letters
        self._diagnostics = diagnostics
        self._once_idle = once_idle
        self._max_wait_seconds = max_wait_seconds
        # When `run_until_end` gives up, by the clock.
        self._ends_at = inf
        self._any_accepted = False
        self._clock = clock
        self.progress = Broadcast()
        self.requests = Requests(transport, stream, max_in_flight, source.wake)
        self._dispatch = Dispatch(
            source,
            self.requests,
            stream,
            max_in_flight=max_in_flight,
            traffic=traffic,
            dead_letters=dead_letters,
            diagnostics=diagnostics,
            clock=clock,
            jitter=jitter,
        )

    @property
    def oldest_seconds(self) -> float:
        """How long, at most, the oldest event that is not settled has been waiting; 0.0 when there is none."""
        return max(0.0, self._clock() - self._dispatch.oldest_at)

    @property
    def in_flight(self) -> list[Spooled]:
        """The records in requests under way."""
        return [record for batch in self._dispatch.batches.in_flight for record in batch.records]

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in flight and nothing can be sent now: all is delivered, or a failure keeps the rest back."""
        kept_back = not self._dispatch.batches.in_flight and self._seconds_until_due() > 0.0
        return kept_back and (self._dispatch.failing or self._source.settled)

    @property
    def overdue(self) -> bool:
        """Whether the oldest event has been waiting for `send_interval`, or a full request waits."""
        self._dispatch.note_whether_empty()
        return takes_everything(
            self._dispatch.waiting(), self._rules(), now=self._clock(), marked=False
        ) or self._dispatch.may_start_another(self._rules().full_bytes)

    def release(self, is_released: Callable[[Spooled], bool]) -> None:
        """Let go of adopted records that another process will deliver. What is in flight stays."""
        self._dispatch.batches.release(is_released)

    def abandon(self) -> None:
        """Forget what was taken, in a forked child: it is the parent's. That holds even where one of our hooks has forked."""
        self._dispatch.abandon()

    def limit_pauses_until(self, until: float) -> None:
        """Pause for a second at most after failures, until then by the clock: somebody waits for delivery."""
        self._dispatch.limit_pauses_until(until)

    def has_tried_since(self, flushes: int) -> bool:
        """Return whether a request was answered since the given FLUSH, and no invalid record is being looked for."""
        return self._dispatch.flushes_tried >= flushes and not self._dispatch.batches.bisecting

    def found_misconfigured(self, flushes: int) -> bool:
        """Return whether a request since the given FLUSH has found a misconfiguration, which somebody has to mend."""
        return self._dispatch.found_misconfigured(flushes)

    def run(self, ended: Callable[[], bool]) -> None:
        """Deliver until `ended()`, which is called before each step."""
        while not ended():
            self.cycle()

    def run_until_end(self, linger_seconds: float) -> None:
        """Deliver until END was queued and everything is settled. So long after END, give the rest up.

        With a misconfiguration one try after END is enough.
        """
        self._ends_at = inf
        dispatch, source = self._dispatch, self._source

        def ended() -> bool:
            if not source.ended:
                return False
            self._ends_at = min(self._ends_at, self._clock() + linger_seconds)
            if dispatch.batches.empty and source.settled:
                source.tidy()
                return True
            tried = dispatch.flushes_served == source.flushes and not dispatch.batches.in_flight
            return tried and (dispatch.found_misconfigured(source.flushes) or self._clock() >= self._ends_at)

        self.run(ended)
        dispatch.batches.give_up()
        self.report(at_once=True)

    def report(self, *, at_once: bool = False) -> None:
        """Report to the user's hooks what was dropped since the last time."""
        self._dead_letters.report()
        self._drops.report(at_once=at_once)

    @as_thread_of_ours
    @locked
    def cycle(self) -> None:
        """Do one step, or wait until there is something to do."""
        try:
            self._step()
        except Exception as error:  # the thread must not die: logging would be off for good
            self._traffic.last_error = name_error(error)
            self._diagnostics.say('bug', f'delivery stumbled and goes on: {self._traffic.last_error}')
            Wakeup().wait(_PAUSE_AFTER_BUG_SECONDS)

    # One step.

    def _step(self) -> None:
        dispatch = self._dispatch
        self.report()
        settled = self._exchange()
        self._source.tidy()
        dispatch.note_whether_empty()
        if settled:
            return  # whoever runs the loop may have waited for just that
        seconds = self._seconds_until_due()
        blocked = False
        if seconds == 0.0:
            if dispatch.compose(everything=self._takes_everything()):
                self._exchange()
                return
            # There was nothing to take, or the window is full. A mark or an answer ends the wait.
            seconds, blocked = inf, True
        if not self._run_once_idle(seconds):
            self._wait(seconds, blocked=blocked)

    def _exchange(self) -> bool:
        """Start requests, and settle the answered ones; return whether there were any."""
        self._dispatch.start_requests()
        settled = self._dispatch.settle()
        if settled:
            self._any_accepted = self._any_accepted or not self._dispatch.failing
            self.progress.notify()
        return settled

    def _run_once_idle(self, seconds: float) -> bool:
        """Call `once_idle` if it is time for it; return whether it was called."""
        do = self._once_idle
        is_time = self._any_accepted and seconds >= _IDLE_SECONDS and self._dispatch.batches.empty
        if do is None or not is_time:
            return False
        self._once_idle = None
        self.requests.run_in_thread(do)
        return True

    def _seconds_until_due(self) -> float:
        dispatch = self._dispatch
        if not dispatch.may_start:
            return inf  # until a request under way has its answer
        rules, allowed = self._rules(), dispatch.seconds_until_allowed()
        if dispatch.batches.in_flight and not (
            allowed == 0.0 and dispatch.may_start_another(rules.full_bytes)
        ):
            return inf
        due = 0.0
        if not dispatch.batches.any_to_send:
            due = seconds_until_due(
                dispatch.waiting(),
                rules,
                now=self._clock(),
                last_start=dispatch.last_start,
                marked=self._source.marked,
            )
        return max(due, allowed)

    def _takes_everything(self) -> bool:
        waiting = self._dispatch.waiting()
        return takes_everything(waiting, self._rules(), now=self._clock(), marked=self._source.marked)

    def _wait(self, seconds: float, *, blocked: bool) -> None:
        """Wait so long, or until a batch is due by what has come."""
        rules = self._rules()
        seconds, more_bytes_than, events = self._alarm(seconds, rules, blocked=blocked)
        # Never longer than an interval: an exception in the appending thread may have swallowed the alarm.
        seconds = min(
            seconds,
            max(rules.send_interval_seconds, 1.0),
            self._drops.seconds_until_report(),
            self._max_wait_seconds(),
            max(0.0, self._ends_at - self._clock()),
            2 * THREAD_START_SECONDS if self._dispatch.any_without_maker else inf,
        )
        if self._source.wait(seconds, more_bytes_than=more_bytes_than, events=events):
            self._dispatch.note_arrival()

    def _alarm(self, seconds: float, rules: Rules, *, blocked: bool) -> tuple[float, int, int]:
        """Return how long to wait, and the bytes and events that end the wait before that: more than so many, or so many."""
        dispatch = self._dispatch
        never = seconds, sys.maxsize // 2, sys.maxsize // 2
        if blocked or not dispatch.may_start or dispatch.batches.any_to_send:
            return never
        now, held_back = self._clock(), dispatch.seconds_until_allowed()
        if held_back > 0.0:
            return min(seconds, held_back), *never[1:]
        if dispatch.batches.in_flight:
            return seconds, rules.full_bytes - 1, MAX_RECORDS
        waiting = dispatch.waiting()
        gap_left = dispatch.last_start + rules.min_gap_seconds - now
        if waiting.records and gap_left > 0.0:
            seconds = min(seconds, gap_left)
        return (seconds, *alarm_thresholds(waiting, rules, now=now, last_start=dispatch.last_start))
