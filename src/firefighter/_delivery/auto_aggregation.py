"""`aggregate='auto'`: asks what the stream's destination takes, and aggregates where that is sure to be right.

AWS allows five DescribeDeliveryStream requests a second, to all programs of an account together. Who asks for more is refused, and so are
the doctor and whoever works at the console. So

* nothing is asked before Firehose has accepted something, nor for a program that logs nothing;
* each question waits for a random time of up to five minutes first, also the one that renews a finding. A thousand processes that start at
  once, or begin to log at once, ask 3.3 times a second;
* after a failure that time is drawn from twenty minutes, then from an hour;
* with a `spool_dir` its processes share what one of them has found, a denied permission too.

**A finding is in force for an hour** from when it was asked for, by the clock of the process and by that of the machine. It is renewed after
three quarters of that. So a record that is composed an hour after the destination was changed is right again. Without a finding in force
each event is one record, which is right anywhere.

A thread of its own makes the request, and stores what came of it in one attribute. All else is done by the thread that delivers, in `step`, between
two batches. So nobody waits for the answer, and a batch is composed by one rule from beginning to end. A thread that hangs in its request keeps
others from being started, and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from math import inf
from random import SystemRandom
from typing import Protocol

from firefighter._advice.finding import Finding, most_sure_events
from firefighter._delivery.aggregation import Aggregation
from firefighter._delivery.diagnostics import name_error
from firefighter._delivery.logged_by_delivery import as_thread_of_ours, enter_in_list_of_threads
from firefighter._delivery.outcomes import Outcome, from_exception
from firefighter._delivery.spool_source import SpoolSource
from firefighter._process.waiting import monotonic

__all__ = ['AutoAggregation', 'most_delay_seconds']

IN_FORCE_SECONDS = 3600.0
"""How long a finding holds."""
RENEWED_BEFORE_SECONDS = 900.0
"""How long before its end it is renewed. So there are ten minutes for a second try."""
SPREAD_SECONDS = 300.0
"""Over which the questions of processes are spread that wish to ask at the same time."""
LATE_SECONDS = 10.0
"""A question that is so late was kept back by something that many processes may have in common: it is spread anew."""
LOOK_SECONDS = 30.0
"""Between two looks into the shared file, while no finding is in force."""

_GROWTH = 4.0
# As in the sender.
_dice = SystemRandom()


def most_delay_seconds(failures: int) -> float:
    """Return the longest time before a question, after so many failures in a row. It is drawn from 0 to that."""
    return min(SPREAD_SECONDS * _GROWTH ** min(failures, 10), IN_FORCE_SECONDS)


class SharedFinding(Protocol):
    """What other processes have found out."""

    def read(self) -> Finding | None:
        """Return the newest that was written."""

    def write(self, finding: Finding) -> None:
        """Have others find it."""


class AutoAggregation:
    """Switches a source between one event and many in a record.

    Args:
        stream: the delivery stream's name.
        source: what it switches; one event in a record until something is found.
        describe: makes a DescribeDeliveryStream request; may raise.
        may_ask: returns whether a question may be asked now.
        start_thread: starts a thread that calls a function; may raise.
        shared: what processes of the same `spool_dir` share.
        say: writes a line for people.
        max_events: the most events in one record, whatever is found; None: as many as are found.
        clock: returns the time in seconds; must not jump.
        wall_clock: returns the seconds since the epoch, the same in all processes.
        jitter: returns a number in [0, 1).
    """

    def __init__(
        self,
        stream: str,
        source: SpoolSource,
        *,
        describe: Callable[[], object],
        may_ask: Callable[[], bool],
        start_thread: Callable[[Callable[[], None]], None],
        shared: SharedFinding | None,
        say: Callable[[str], object],
        max_events: int | None,
        clock: Callable[[], float] = monotonic,
        wall_clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = _dice.random,
    ) -> None:
        self._stream = stream
        self._source = source
        self._describe = describe
        self._may_ask = may_ask
        self._start_thread = start_thread
        self._shared = shared
        self._say = say
        self._max_events = max_events
        self._clock = clock
        self._wall_clock = wall_clock
        self._jitter = jitter
        # What is in force, and until when by `clock`.
        self._finding: Finding | None = None
        self._until = -inf
        # When the next question is to be asked; None while none is wanted.
        self._ask_at: float | None = None
        self._look_at = -inf
        self._failures = 0
        self._said = False
        # Whether a thread asks, and then what it has found, or why nothing.
        self._asking = False
        self._result: Finding | BaseException | None = None

    def step(self) -> None:
        """Apply what was found, and ask where it is time for that. Call it between two batches, in the thread that delivers.

        Never raises an Exception: delivery does not depend on it.
        """
        try:
            self._step(self._clock())
        except Exception as error:  # no memory, or a bug: what is right anywhere goes on
            self._source.aggregates = False
            self._ask_at = None  # else `seconds_until_step` would say at once, again and again
            self._say_once(f'stumbled, so each event is one record: {name_error(error)}')

    def seconds_until_step(self) -> float:
        """Return how long the thread that delivers may wait at most before it calls `step` again."""
        now = self._clock()
        if self._ask_at is None or not self._wants_to_ask(now) or not self._may_ask():
            return inf
        return max(0.0, self._ask_at - now)

    def _step(self, now: float) -> None:
        if self._result is not None:
            self._settle_question(self._result, now)
        if self._finding is None or self._seconds_in_force(self._finding, now) <= 0.0:
            self._finding = None
            self._source.aggregates = False
        if not self._wants_to_ask(now):
            return
        late_seconds = -inf if self._ask_at is None else now - self._ask_at
        if self._look(now, at_once=late_seconds >= 0.0) or not self._may_ask():
            return
        if 0.0 <= late_seconds <= LATE_SECONDS:
            self._ask(now)
        elif late_seconds > 0.0 or (self._ask_at is None and not self._source.settled):
            self._ask_at = now + most_delay_seconds(self._failures) * self._jitter()

    def _wants_to_ask(self, now: float) -> bool:
        is_new = self._finding is not None and now < self._until - RENEWED_BEFORE_SECONDS
        return not (is_new or self._asking)

    def _seconds_in_force(self, finding: Finding, now: float) -> float:
        """Return how long a finding is in force, by both clocks."""
        age_seconds = self._wall_clock() - finding.asked_at
        # A finding of the future was made by another clock.
        left_seconds = IN_FORCE_SECONDS - age_seconds if age_seconds >= 0.0 else 0.0
        return min(left_seconds, self._until - now) if finding is self._finding else left_seconds

    def _look(self, now: float, *, at_once: bool) -> bool:
        """Look for what another process has found, now and then; return whether there was something new, which is in force now."""
        if self._shared is None or not (at_once or (self._finding is None and now >= self._look_at)):
            return False
        self._look_at = now + LOOK_SECONDS
        found = self._shared.read()
        if found is None or (self._finding is not None and found.asked_at <= self._finding.asked_at):
            return False
        return self._put_in_force(found, now)

    def _put_in_force(self, finding: Finding, now: float) -> bool:
        left_seconds = self._seconds_in_force(finding, now)
        if left_seconds <= 0.0:
            return False
        bounds = [bound for bound in (finding.most_events, self._max_events) if bound is not None]
        most_events = min(bounds, default=None)
        # The source first: after an exception in between, the next step goes by the finding before.
        if most_events != 1:
            self._source.aggregation = Aggregation(most_events)
        self._source.aggregates = most_events != 1
        self._finding, self._until = finding, now + left_seconds
        self._ask_at, self._failures = None, 0
        return True

    # The question.

    def _ask(self, now: float) -> None:
        try:
            self._asking, self._ask_at = True, None
            self._start_thread(self._run)
        except Exception as error:  # no thread can be started
            self._settle_question(error, now)

    @as_thread_of_ours
    def _run(self) -> None:
        """Ask, in a thread of its own. Whatever ends it, the thread that delivers learns of it."""
        result: Finding | BaseException = InterruptedError('the request was interrupted')
        try:
            result = self._find()
        # No permission, throttled, or a client of the user's that cannot ask or returns anything.
        except Exception as error:
            result = error
        finally:
            self._result = result
            self._source.wake()
            enter_in_list_of_threads()

    def _find(self) -> Finding:
        # Before the request is made: afterwards the destination may be another one.
        asked_at = self._wall_clock()
        description = self._describe()
        if not isinstance(description, Mapping):
            raise TypeError('the answer is no description')
        return Finding(asked_at, most_sure_events(description))

    def _settle_question(self, result: Finding | BaseException, now: float) -> None:
        if isinstance(result, Finding):
            self._note_finding(result, now)
            self._said = False
        else:
            self._note_failure(result, now)
        self._result, self._asking = None, False

    def _note_finding(self, finding: Finding, now: float) -> None:
        if self._put_in_force(finding, now) and self._shared is not None:
            self._shared.write(finding)

    def _note_failure(self, error: BaseException, now: float) -> None:
        answer = from_exception(error, 1, sent=True) if isinstance(error, Exception) else None
        cause = answer.cause or '' if answer else ''
        if 'AccessDenied' in cause:
            # For an hour as good as a destination that takes one: who shares the permission need not ask.
            self._note_finding(Finding(self._wall_clock(), 1), now)
            self._say_once(
                f'may not ask what the stream takes, so each event is one record: {name_error(error)}. Allow '
                'firehose:DescribeDeliveryStream, or write aggregate=True or aggregate=False'
            )
            return
        self._failures += 1
        self._ask_at = None
        if answer is None or answer.outcomes != [Outcome.THROTTLED]:
            self._say_once(
                f'could not ask what the stream takes, and asks again; without an answer each event is one record: {name_error(error)}'
            )

    def _say_once(self, text: str) -> None:
        if not self._said:
            self._said = True
            self._say(f"stream {self._stream!r}: aggregate='auto' {text}")
