"""Requests: each is made in a thread that has nothing else to do, so that delivery never waits for the network.

A request waits for its answer for 20 to 100 ms most of the time, and for as long as its time-outs allow where nobody answers. The
delivery thread composes batches, hands them over, and settles the answers; those who make requests know of nothing but
the batch. Threads are started when they are needed, and end when they have been idle for a while.

Where no thread can be had, or none is wanted, the caller makes the request itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from firefighter._delivery.batches import Batch
from firefighter._delivery.origin import as_request_of_ours, as_thread_of_ours, enter_in_list_of_threads
from firefighter._delivery.outcomes import Answer, Outcome
from firefighter._delivery.transport import Transport
from firefighter._process.exit_and_forks import release_request_thread, reserve_request_thread
from firefighter._process.lock import locked, make_lock
from firefighter._process.wakeup import Wakeup

__all__ = ['MakeThread', 'Requests']

MakeThread = Callable[..., threading.Thread]

# A new thread costs 0.1 ms, an idle one 8 MiB of address space: the pauses of a steady load are shorter than this.
IDLE_SECONDS = 5.0


class Requests:
    """Makes the requests for batches.

    Args:
        transport: the way to Firehose.
        stream: the delivery stream's name.
        most: how many may be under way at once.
        answered: called after each, in the thread that has made it.

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
        # Of each thread, whether it has one of the places that the process has beyond a handler's first.
        self._threads: dict[object, bool] = {}
        self._ending = False

    @property
    def threads(self) -> int:
        """How many threads there are."""
        return len(self._threads)

    def start(self, batch: Batch) -> None:
        """See to it that the batch's request is made, and that it gets an `answer`. May be called again for the same batch."""
        if self.make_thread is None:
            self._make(batch)
            return
        self._waiting.append(batch)
        if not self._provide_thread(self.make_thread):
            self._waiting.clear()
            self._make(batch)

    def end_idle_threads(self) -> None:
        """Have idle threads end, and the others when they have done what they are at."""
        self._ending = True
        self._wake_all()

    @locked
    def _wake_all(self) -> None:
        while self._idle:
            self._idle.popleft().set()

    def make_here(self, batch: Batch) -> None:
        """Make a batch's request in the calling thread, unless somebody else does."""
        self._make(batch)
        with suppress(ValueError):  # another has come to it, too
            self._waiting.remove(batch)

    def run_in_thread(self, function: Callable[[], None]) -> None:
        """Run something that asks the network, where nobody waits for it; not at all where no thread can be had."""
        if self.make_thread is None:
            function()
            return
        with suppress(Exception):
            self._start_thread(self.make_thread, as_thread_of_ours(function), ())

    def _start_thread(
        self, make_thread: MakeThread, target: Callable[..., None], arguments: tuple[object, ...]
    ) -> None:
        thread = make_thread(target=target, args=arguments)
        thread.daemon = True
        thread.name = f'firefighter-{self._stream}-request'
        thread.start()

    def _provide_thread(self, make_thread: MakeThread) -> bool:
        """Have one more thread look for work, or leave it to those at work; return False when there is none at all."""
        self._ending = False
        me = object()
        if self._is_wanted(me):
            try:
                self._start_thread(make_thread, self._run, (me,))
            except Exception:  # no thread to be had
                self._leave(me)
        return bool(self._threads)

    @locked
    def _is_wanted(self, thread: object) -> bool:
        """Return whether a thread is to be started, which counts at once: not where an idle one could be called."""
        if self._idle:
            self._idle.popleft().set()
            return False
        # The first is each handler's own. Beyond that a process has a few, however many handlers it has.
        beyond = bool(self._threads)
        if len(self._threads) >= self._most or (beyond and not reserve_request_thread()):
            return False
        self._threads[thread] = beyond
        return True

    @as_thread_of_ours
    def _run(self, me: object) -> None:
        left = False
        try:
            while self._work() or not (left := self._wait_or_leave(me)):
                pass
        finally:
            enter_in_list_of_threads()
            if not left:  # killed
                self._leave(me)
                self._hand_over_again()

    def _work(self) -> bool:
        """Make a request, if one waits; return whether there was one."""
        try:
            batch = self._waiting[0]
        except IndexError:
            return False
        self.make_here(batch)
        return True

    @as_request_of_ours
    def _make(self, batch: Batch) -> None:
        """Make a batch's request, unless somebody else does."""
        me = object()
        answer: Answer | None = None
        try:
            batch.makers.append(me)
            if batch.makers[0] is me:
                answer = self._transport.put(self._stream, [event.data for event in batch.events])
        finally:
            if batch.makers and batch.makers[0] is me:
                # Of what an exception has ended (Ctrl-C, a thread that is killed) nobody knows whether it arrived.
                batch.answer = answer or Answer.all_alike(
                    Outcome.RETRY,
                    len(batch.events),
                    'Interrupted',
                    'the request was interrupted',
                    uncertain=True,
                )
                self._answered()

    def _hand_over_again(self) -> None:
        """Have what nobody has begun with handed over again."""
        for batch in tuple(self._waiting):
            batch.handed_over_at = None
        self._waiting.clear()
        self._answered()

    def _wait_or_leave(self, me: object) -> bool:
        """Wait for a call, not for ever; return whether this thread is to end: then it counts no more."""
        wakeup = Wakeup()
        if self._become_idle(wakeup):
            wakeup.wait(IDLE_SECONDS)
        return self._end_idling(me, wakeup)

    @locked
    def _become_idle(self, wakeup: Wakeup) -> bool:
        """Be idle, unless there is something to do, or will never be again; return whether it is so."""
        if self._ending or self._waiting:
            return False
        self._idle.append(wakeup)
        return True

    @locked
    def _end_idling(self, me: object, wakeup: Wakeup) -> bool:
        """Be idle no more; leave, and return True, where nothing is to be done and nobody has called."""
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
