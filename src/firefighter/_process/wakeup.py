"""Wake threads that wait, from anywhere: other threads, signal handlers, destructors.

`threading.Event` and `Condition` hold a lock while they notify. A signal handler or a destructor that interrupts them there and
notifies again waits for that lock for ever. Here the notifying side takes no lock. It releases one, which is a single call
into C.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress

__all__ = ['Broadcast', 'Wakeup']


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
