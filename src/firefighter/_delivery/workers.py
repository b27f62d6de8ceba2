"""Request workers: threads beside the delivery thread that make requests too while there is a backlog.

A request waits for its answer for 20 to 100 ms most of the time. One after the other, 1 MiB each, that would be 10 to 50
MiB/s at best, and with 500 small records a fraction of that. So a backlog calls workers: they are started when they are
needed, and end when they have been idle for a while. A process has a few of them, however many handlers it has.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from firefighter._delivery.guard import delivering
from firefighter._lifecycle import release_worker, reserve_worker
from firefighter._wakeup import Broadcast, Wakeup

__all__ = ['MakeThread', 'Workers']

MakeThread = Callable[..., threading.Thread]

# A new thread costs 0.1 ms, an idle one 8 MiB of address space: the pauses of a steady load are shorter than this.
IDLE_SECONDS = 5.0


class Workers:
    """Threads that help as long as there is something to do.

    Args:
        work: makes one request; returns whether there was one to make. Must not raise.
        most: how many threads at most; beside that, the process has its own bound.
        name: of the threads.
    """

    def __init__(self, work: Callable[[], bool], most: int, name: str) -> None:
        self._work = work
        self._most = most
        self._name = name
        # Re-entrant: a signal handler that flushes may interrupt a flush of its own thread in here.
        self._lock = threading.RLock()
        self._alive = 0
        self._idle: deque[Wakeup] = deque()
        self._dismissed = False
        self._gone = Broadcast()
        self.make_thread: MakeThread = threading.Thread

    @property
    def alive(self) -> int:
        """How many threads there are."""
        return self._alive

    def call(self) -> None:
        """Have one more thread help, if that is possible."""
        with self._lock:
            if self._idle:
                self._idle.popleft().set()
                return
            if self._dismissed or self._alive >= self._most or not reserve_worker():
                return
            self._alive += 1
        try:
            thread = self.make_thread(target=self._run, args=())
            thread.daemon = True
            thread.name = self._name
            thread.start()
        except BaseException as error:
            self._leave()
            if not isinstance(error, Exception):
                raise
            # No thread to be had: the delivery thread makes one request after the other, as without a backlog.

    def engage(self) -> None:
        """Let threads be started from now on."""
        self._dismissed = False

    def dismiss(self) -> None:
        """Have the idle threads end, and the others when they have done what they are at."""
        with self._lock:
            self._dismissed = True
            while self._idle:
                self._idle.popleft().set()

    def wait_until_gone(self, timeout_seconds: float) -> None:
        """Wait until no thread is left, at most so long for each."""
        while True:
            wakeup = self._gone.join()
            try:
                if not self._alive or not wakeup.wait(timeout_seconds):
                    return
            finally:
                self._gone.leave(wakeup)

    @delivering
    def _run(self) -> None:
        try:
            while True:
                while self._work():
                    pass
                if not self._called_again():
                    return
        finally:
            self._leave()

    def _called_again(self) -> bool:
        """Wait for a call, not for ever; return whether one came."""
        wakeup = Wakeup()
        with self._lock:
            if self._dismissed:
                return False
            self._idle.append(wakeup)
        wakeup.wait(IDLE_SECONDS)
        with self._lock:
            if wakeup in self._idle:
                self._idle.remove(wakeup)
                return False
            return not self._dismissed

    def _leave(self) -> None:
        with self._lock:
            self._alive -= 1
        release_worker()
        self._gone.notify()
