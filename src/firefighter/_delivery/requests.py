"""Makes requests in threads of their own, so that delivery never waits for the network.

A request waits 20 to 100 ms for its answer most of the time; where nobody answers, for as long as its time-outs allow. The
delivery thread composes batches, hands them over, and settles the answers. A request thread knows nothing but the batch.
Threads are started when they are needed, and end when they have been idle for a while.

Where no thread can be started, or none is wanted, the caller makes the request itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from firefighter._delivery.batches import Batch
from firefighter._delivery.logged_by_delivery import (
    as_request_of_ours,
    as_thread_of_ours,
    enter_in_list_of_threads,
)
from firefighter._delivery.outcomes import Answer, Outcome
from firefighter._delivery.transport import Transport
from firefighter._process.exit_and_forks import release_request_thread, reserve_request_thread
from firefighter._process.lock import locked, make_lock
from firefighter._process.subinterpreters import start_thread
from firefighter._process.waiting import Wakeup

__all__ = ['MakeThread', 'Requests']

MakeThread = Callable[..., threading.Thread]

# A new thread costs 0.1 ms, an idle one 8 MiB of address space: the pauses of a steady load are shorter than this.
IDLE_SECONDS = 5.0


class Requests:
    """Makes the requests for batches.

    Args:
        transport: the way to Firehose.
        stream: the delivery stream's name.
        most: the most requests under way at once.
        answered: called after each request, in the thread that has made it.

    Attributes:
        make_thread: makes the threads. None: the caller of `start` makes each request.
    """

    def __init__(
        self, transport: Transport, stream: str, most: int, answered: Callable[[], None] = lambda: None
    ) -> None:
        self._transport = transport
        self._stream = stream
        self._most = most
        self._answered = answered
        self.make_thread: MakeThread | None = None
        self._lock = make_lock()
        self._waiting: deque[Batch] = deque()
        self._idle: deque[Wakeup] = deque()
        # For each thread, whether it is one of the few that a process has beyond the first of each handler.
        self._threads: dict[object, bool] = {}
        self._ending = False

    @property
    def threads(self) -> int:
        """The number of threads."""
        return len(self._threads)

    def start(self, batch: Batch) -> None:
        """Have the batch's request made, which stores its `answer` there. Calling it twice makes one request."""
        if self.make_thread is None:
            self._make(batch)
            return
        self._waiting.append(batch)
        if not self._provide_thread(self.make_thread):
            self._waiting.clear()
            self._make(batch)

    def end_idle_threads(self) -> None:
        """End the idle threads now, and the others after their request."""
        self._ending = True
        self._wake_all()

    @locked
    def _wake_all(self) -> None:
        while self._idle:
            self._idle.popleft().set()

    def make_here(self, batch: Batch) -> None:
        """Make a batch's request in the calling thread, unless another thread does."""
        self._make(batch)
        with suppress(ValueError):  # another thread came to it as well, and has removed it
            self._waiting.remove(batch)

    def run_in_thread(self, function: Callable[[], None]) -> None:
        """Run a function that asks the network in a thread of its own; not at all where none can be started.

        Where the caller makes the requests, it runs in the calling thread.
        """
        if self.make_thread is None:
            function()
            return
        with suppress(Exception):
            self._start_thread(self.make_thread, as_thread_of_ours(function), ())

    def _start_thread(
        self, make_thread: MakeThread, target: Callable[..., None], arguments: tuple[object, ...]
    ) -> None:
        start_thread(make_thread, target, arguments, f'firefighter-{self._stream}-request')

    def _provide_thread(self, make_thread: MakeThread) -> bool:
        """See to it that a thread comes for what waits: wake an idle one, start one, or leave it to a busy one.

        Returns:
            False when there is no thread at all.
        """
        self._ending = False
        me = object()
        if self._wake_or_count(me):
            try:
                self._start_thread(make_thread, self._run, (me,))
            except Exception:  # no thread can be started
                self._leave(me)
        return bool(self._threads)

    @locked
    def _wake_or_count(self, thread: object) -> bool:
        """Wake an idle thread, or count one more; return whether one was counted and has to be started."""
        if self._idle:
            self._idle.popleft().set()
            return False
        # Each handler may have one. Beyond these a process has a few, however many handlers it has.
        beyond = bool(self._threads)
        if len(self._threads) >= self._most or (beyond and not reserve_request_thread()):
            return False
        self._threads[thread] = beyond
        return True

    @as_thread_of_ours
    def _run(self, me: object) -> None:
        left = False
        try:
            while self._make_next() or not (left := self._wait_or_leave(me)):
                pass
        finally:
            enter_in_list_of_threads()
            if not left:  # killed
                self._leave(me)
                self._hand_over_again()

    def _make_next(self) -> bool:
        """Make the request of the first batch that waits; return whether there was one."""
        try:
            batch = self._waiting[0]
        except IndexError:
            return False
        self.make_here(batch)
        return True

    @as_request_of_ours
    def _make(self, batch: Batch) -> None:
        """Make a batch's request, unless another thread came first."""
        me = object()
        # Where an exception ends the request (Ctrl-C, a thread that is killed), it may have arrived or not. Made beforehand: with
        # no call before an answer is stored, a second exception cannot come between.
        answer = Answer.all_alike(
            Outcome.RETRY, len(batch.records), 'Interrupted', 'the request was interrupted', uncertain=True
        )
        try:
            batch.makers.append(me)
            if batch.makers[0] is me:
                answer = self._transport.put(self._stream, [record.data for record in batch.records])
        finally:
            if batch.makers and batch.makers[0] is me:
                batch.answer = answer
                self._answered()

    def _hand_over_again(self) -> None:
        """Have delivery hand over again what waits: this thread was killed, and no other may be there."""
        for batch in tuple(self._waiting):
            batch.handed_over_at = None
        self._waiting.clear()
        self._answered()

    def _wait_or_leave(self, me: object) -> bool:
        """Wait for work for a while; return whether this thread has to end. Then it is not counted any more."""
        wakeup = Wakeup()
        if self._become_idle(wakeup):
            wakeup.wait(IDLE_SECONDS)
        return self._end_idling(me, wakeup)

    @locked
    def _become_idle(self, wakeup: Wakeup) -> bool:
        """Count as idle, unless something waits or the threads are to end; return whether it counts as idle now."""
        if self._ending or self._waiting:
            return False
        self._idle.append(wakeup)
        return True

    @locked
    def _end_idling(self, me: object, wakeup: Wakeup) -> bool:
        """Count as busy again; or, where there is no work and nobody has called, leave and return True."""
        called = wakeup not in self._idle
        if not called:
            self._idle.remove(wakeup)
        if self._waiting or (called and not self._ending):
            return False
        self._leave(me)
        return True

    @locked
    def _leave(self, thread: object) -> None:
        if self._threads.pop(thread, False):
            release_request_thread()
