"""Waiting: the clock of all deadlines, and wake-ups from anywhere (other threads, signal handlers, destructors).

What freezes time for a test (freezegun) does not freeze our clock: a flush would never end. freezegun puts its own functions in the
place of those of `time`, there and in every module that has imported one by name. So this is another function, which has the real one
where nobody looks.

`threading.Event` and `Condition` hold a lock while they notify. A signal handler or a destructor that interrupts them there and
notifies again waits for that lock for ever. Here the notifying side takes no lock. It releases one, which is a single call
into C.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

__all__ = ['Broadcast', 'Wakeup', 'monotonic']

# The other one is its own where time was frozen before this is imported.
_REAL = getattr(sys.modules.get('freezegun.api'), 'real_monotonic', time.monotonic)


def monotonic(*, _real: Callable[[], float] = _REAL) -> float:
    """Return the time in seconds, of a clock that does not jump."""
    return _real()


# Not by this name either.
del _REAL


class Wakeup:
    """Wakes the one thread that waits. Setting it twice before the wait wakes once."""

    def __init__(self) -> None:
        self._asleep = threading.Lock()
        self._asleep.acquire()

    def set(self) -> None:
        """End the present wait, or the next one."""
        # If it is set already, the lock is free and this raises. Asking first would not help: the answer may be out of date.
        with suppress(RuntimeError):
            self._asleep.release()

    def wait(self, timeout_seconds: float | None) -> bool:
        """Wait until it is set, at most so long (None: for ever); return whether it was."""
        if timeout_seconds is None:
            return self._asleep.acquire()
        return self._asleep.acquire(timeout=min(max(0.0, timeout_seconds), threading.TIMEOUT_MAX))


class Broadcast:
    """Wakes all threads that wait.

    A waiting thread first joins, then checks whether it has to wait, then waits. So it does not miss a notification that comes
    between the check and the wait.
    """

    def __init__(self) -> None:
        self._waiting: deque[Wakeup] = deque()

    def join(self) -> Wakeup:
        """Return a wake-up for the calling thread to wait on."""
        wakeup = Wakeup()
        self._waiting.append(wakeup)
        return wakeup

    def leave(self, wakeup: Wakeup) -> None:
        """Take back a join, so that abandoned waits do not pile up."""
        with suppress(ValueError):  # it was notified meanwhile
            self._waiting.remove(wakeup)

    def notify(self) -> None:
        """Wake every thread that has joined."""
        while True:
            try:
                wakeup = self._waiting.popleft()
            except IndexError:
                return
            wakeup.set()
