"""The delivery loop: waits until a batch is due, has it sent, and calls for help when there is a backlog.

What Firehose did not accept goes first in the next request, together with what has queued meanwhile; so while one request
is on its way, or waits for its retry, the next one grows (group commit). Only where a whole request's worth waits beside
one that is under way, a worker makes another at the same time.

Who delivers: the delivery thread in `run`, and its workers; a closing or flushing thread in `drain` when there is no
delivery thread; an emitting thread in `send_now` when the handler has no queue.
"""

from __future__ import annotations

import enum
import random
import sys
import threading
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Generic

from firefighter._delivery.batching import Rules, alarm_after, all_goes, seconds_until_due
from firefighter._delivery.dead_letters import DeadLetters
from firefighter._delivery.diagnostics import Diagnostics
from firefighter._delivery.dispatch import Dispatch, Traffic
from firefighter._delivery.drops import DropReports
from firefighter._delivery.guard import delivering
from firefighter._delivery.sources import Event, Source
from firefighter._delivery.transport import Transport
from firefighter._delivery.workers import Workers
from firefighter._wakeup import Broadcast, Wakeup

__all__ = ['Sender', 'Traffic']

# Where the loop itself fails (a bug, or no memory), it goes on after this pause.
_PAUSE_AFTER_BUG_SECONDS = 1.0
# With this long until the next request is due there is time for a question; AWS answers one in some tenth of it.
_LEISURE_SECONDS = 0.5


class _State(enum.Enum):
    IDLE = 'idle'
    STARTING = 'starting'
    RUNNING = 'running'


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
        dead_letters: where events go that Firehose will never take.
        diagnostics: where to say what is wrong.
        max_in_flight: how many requests may be under way at once.
        at_leisure: called once by the delivery thread, when something has been accepted and nothing is due.
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
        dead_letters: DeadLetters,
        diagnostics: Diagnostics,
        max_in_flight: int = 1,
        at_leisure: Callable[[], None] | None = None,
        clock: Callable[[], float] = monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._source = source
        self._rules = rules
        self._linger_seconds = linger_seconds
        self._traffic = traffic
        self._drops = drops
        self._dead_letters = dead_letters
        self._diagnostics = diagnostics
        self._at_leisure = at_leisure
        self._any_accepted = False
        self._clock = clock
        self._dispatch = Dispatch(
            source,
            transport,
            stream,
            max_in_flight=max_in_flight,
            traffic=traffic,
            dead_letters=dead_letters,
            diagnostics=diagnostics,
            clock=clock,
            jitter=jitter,
        )
        self._workers = Workers(self._help, max_in_flight - 1, f'firefighter-{stream}-request')
        # Held over a whole attempt by a thread that delivers by itself: the next one finds its own events sent along.
        self._attempt = threading.RLock()
        self._ends_at = inf
        # Ending and resuming exclude each other by this lock.
        self._life = threading.RLock()
        self._state = _State.IDLE
        self._thread: threading.Thread | None = None

    @property
    def progress(self) -> Broadcast:
        """Notified after each request, and at the end."""
        return self._dispatch.progress

    @property
    def running(self) -> bool:
        """Whether a thread is in `run`, or on its way there; one that was killed may not have said so."""
        thread = self._thread
        return self._state is not _State.IDLE and (thread is None or thread.is_alive())

    @property
    def oldest_seconds(self) -> float:
        """How long, at most, the oldest event has been waiting that is not settled; 0.0 when there is none."""
        return max(0.0, self._clock() - self._dispatch.oldest_at)

    @property
    def _in_run(self) -> bool:
        return self._state is _State.RUNNING and self.running

    def expect_thread(self, make_thread: Callable[..., threading.Thread]) -> None:
        """Take note that a thread is about to enter `run`.

        Args:
            make_thread: makes the threads that are to help it.
        """
        with self._life:
            self._workers.make_thread = make_thread
            if not self._in_run:
                self._thread = None
                self._state = _State.STARTING

    def note_thread(self, thread: threading.Thread) -> None:
        """Take note of the thread that was started."""
        with self._life:
            if self._state is _State.STARTING:
                self._thread = thread

    def expect_no_thread(self) -> None:
        """Take note that the thread could not be started."""
        with self._life:
            if not self._in_run:
                self._state = _State.IDLE

    def abandon(self) -> None:
        """Send nothing any more, in a forked child: what was taken is the parent's, even where a hook has forked."""
        self._dispatch.abandon()
        self._state = _State.IDLE

    @delivering
    def run(self) -> None:
        """Deliver until END has been queued and what could be delivered is delivered."""
        with self._life:
            if self._in_run:
                return
            self._thread = threading.current_thread()
            self._state = _State.RUNNING
        self._workers.engage()
        try:
            while not self._ended():
                self._cycle()
            with self._dispatch.turn:
                self._dispatch.batches.hand_back()
            self.report(now_or_never=True)
        finally:
            self._state = _State.IDLE
            self._workers.dismiss()
            self.progress.notify()

    def resume(self) -> bool:
        """Take an END back; return whether a thread is in `run` and stays there."""
        with self._life:
            self._source.ended = False
            self._ends_at = inf
            return self.running

    def hurry(self, until: float) -> None:
        """Make no long pauses after failures until then, by the clock: somebody waits for delivery."""
        self._dispatch.hurry(until)

    def found_misconfigured(self, flushes: int) -> bool:
        """Return whether a request since the given flush found that someone has to mend the configuration."""
        return self._dispatch.found_misconfigured(flushes)

    @delivering
    def report(self, *, now_or_never: bool = False) -> None:
        """Tell the user's hooks what was dropped since the last time, outside every lock."""
        self._dead_letters.report()
        self._drops.report(now_or_never=now_or_never)

    def call_for_help(self) -> None:
        """Have a worker look for work where there is some: it calls the next one."""
        with self._dispatch.turn:
            wanted = self.running and self._full_waits()
        if wanted:
            self._workers.call()

    @delivering
    def drain(self, done: Callable[[], bool], deadline: float) -> None:
        """Deliver in the calling thread until `done()`, the deadline, or a try that found a misconfiguration."""
        tried = False
        while not done() and self._clock() < deadline and not (tried and self._dispatch.misconfigured):
            try:
                if not self._begin_attempt(deadline - self._clock()):
                    return
                wait = self._attempt_when_due(at_once=not tried)
            finally:
                self._end_attempt()
            tried = True
            if wait > 0.0 and not done():
                wait = min(wait, deadline - self._clock())
                self._source.wait(wait, more_bytes_than=sys.maxsize, events=sys.maxsize)

    @delivering
    def send_now(self, timeout_seconds: float) -> None:
        """Make one attempt for what waits, in the calling thread; what fails stays for the next one."""
        deadline = self._clock() + timeout_seconds
        try:
            if not self._begin_attempt(timeout_seconds):
                return
            while True:
                with self._dispatch.turn:
                    batch = self._dispatch.compose()
                if batch is None:
                    return
                accepted = self._dispatch.request(batch)
                # Of a request that was refused the rest can still be delivered.
                if not (accepted or self._dispatch.batches.narrowing) or self._clock() >= deadline:
                    return
        finally:
            self._end_attempt()

    def _begin_attempt(self, timeout_seconds: float) -> bool:
        """Become the one who delivers; False after the time-out, or when this thread was interrupted in its turn."""
        if self._dispatch.turn._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001  # no public way to ask
            return False
        return self._attempt.acquire(timeout=max(0.0, min(timeout_seconds, threading.TIMEOUT_MAX)))

    def _end_attempt(self) -> None:
        # As often as it was begun: an exception thrown into this thread may have come before it could be ended.
        while self._attempt._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001  # as above
            self._attempt.release()

    def _attempt_when_due(self, *, at_once: bool) -> float:
        """Make a request if it is time for one; return how long to wait for the next."""
        with self._dispatch.turn:
            wait = 0.0 if at_once else self._seconds_until_due()
            batch = self._dispatch.compose() if wait == 0.0 else None
        if batch is None:
            return wait or inf  # nothing to send: whatever comes will wake us
        self._dispatch.request(batch)
        return 0.0

    # The delivery thread, and its workers.

    def _cycle(self) -> None:
        try:
            self.report()
            dispatch = self._dispatch
            batch = None
            with dispatch.turn:
                self._source.tidy()
                dispatch.look()
                wait = self._seconds_until_due()
                if wait == 0.0:
                    batch = dispatch.compose(everything=self._all_goes())
            if batch is not None:
                self.call_for_help()
                self._any_accepted |= dispatch.request(batch)
            elif not self._use_leisure(wait):
                self._wait(wait or inf)
        except Exception as error:  # the thread must not die: logging would be off for good
            self._stumbled(error)
            Wakeup().wait(_PAUSE_AFTER_BUG_SECONDS)

    def _use_leisure(self, seconds: float) -> bool:
        """Do what may be done once, when all goes well and nothing is due for so long; return whether it was done."""
        do = self._at_leisure
        at_leisure = self._any_accepted and seconds >= _LEISURE_SECONDS and self._dispatch.batches.empty
        if do is None or not at_leisure:
            return False
        self._at_leisure = None
        do()
        return True

    def _help(self) -> bool:
        """Make one more request, in a worker, if there is a full one to make; return whether there was."""
        try:
            with self._dispatch.turn:
                full = self._full_waits()
                batch = self._dispatch.compose(everything=self._all_goes()) if full else None
            if batch is None:
                return False
            self.call_for_help()
            self._dispatch.request(batch)
            self._source.wake()
        except Exception as error:  # as in `_cycle`, which makes the pause
            self._stumbled(error)
            return False
        return True

    def _full_waits(self) -> bool:
        return self._dispatch.full_waits(self._rules().full_bytes)

    def _stumbled(self, error: Exception) -> None:
        self._traffic.last_error = f'{type(error).__name__}: {error}'
        self._diagnostics.say('bug', f'delivery stumbled and goes on: {type(error).__name__}: {error}')
        self.progress.notify()

    def _ended(self) -> bool:
        with self._life:
            if self._source.ended and self._finished():
                self._state = _State.IDLE
        return self._state is _State.IDLE

    def _finished(self) -> bool:
        if self._ends_at == inf:
            self._ends_at = self._clock() + self._linger_seconds
        dispatch = self._dispatch
        if dispatch.batches.on_way:
            return self._clock() >= self._ends_at
        if self._source.exhausted(all_settled=dispatch.batches.empty):
            with dispatch.turn:
                self._source.tidy()
            return True
        tried = dispatch.flushes_served == self._source.flushes
        return tried and (dispatch.misconfigured or self._clock() >= self._ends_at)

    def _seconds_until_due(self) -> float:
        dispatch = self._dispatch
        if not dispatch.may_start:
            return inf  # until a request under way has its answer
        due = 0.0
        if not dispatch.batches.has_returned:
            due = seconds_until_due(
                dispatch.waiting(),
                self._rules(),
                now=self._clock(),
                last_start=dispatch.last_start,
                marked=self._source.marked,
            )
        return max(due, dispatch.seconds_until_allowed())

    def _all_goes(self) -> bool:
        waiting = self._dispatch.waiting()
        return all_goes(waiting, self._rules(), now=self._clock(), marked=self._source.marked)

    def _wait(self, seconds: float) -> None:
        """Wait so long, or until the source has what makes a batch due sooner."""
        rules = self._rules()
        now = self._clock()
        with self._dispatch.turn:
            seconds, more_bytes_than, events = self._alarm(seconds, rules, now)
        # Not for ever: an alarm that an exception in the appending thread swallowed costs one interval, no more.
        seconds = min(seconds, max(rules.send_interval_seconds, 1.0), self._drops.seconds_until_report())
        if self._source.ended:
            seconds = min(seconds, max(0.0, self._ends_at - now))
        if self._source.wait(seconds, more_bytes_than=more_bytes_than, events=events):
            self._dispatch.woken()

    def _alarm(self, seconds: float, rules: Rules, now: float) -> tuple[float, int, int]:
        """Return how long to wait, and for what to come: more than so many bytes, or so many events."""
        dispatch = self._dispatch
        never = seconds, sys.maxsize, sys.maxsize
        if not dispatch.may_start or dispatch.batches.has_returned:
            return never
        held_back = dispatch.seconds_until_allowed()
        if held_back > 0.0:
            return min(seconds, held_back), sys.maxsize, sys.maxsize
        waiting = dispatch.waiting()
        if seconds == inf and waiting.records:
            return never  # it is due, and the window is full
        gap_left = dispatch.last_start + rules.min_gap_seconds - now
        if waiting.records and gap_left > 0.0:
            seconds = min(seconds, gap_left)
        return (seconds, *alarm_after(waiting, rules, now=now, last_start=dispatch.last_start))
