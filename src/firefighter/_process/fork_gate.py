"""Hold forks off while a thread does something that a forked child must not find half done.

A child has no copy of that thread. So it would wait for ever for a module that is being imported, say.

The threads inside do not wait for each other, since one may hold what another needs: dictConfig holds logging's lock while it makes
a handler, and the delivery thread of another handler needs that lock while it imports boto3. No wait here is for ever, since a
thread that forks may hold what the threads inside need.

There is no lock. A thread that enters or forks first enters itself into a list, then looks for others. Of two threads that do
so at once, at least one sees the other. A lock could be left taken by an exception that is thrown into its owner (Ctrl-C), which
would end all delivery; an entry that is left in a list delays a fork by some seconds. (`threading.Condition` has such a lock:
an exception may come between the return of its `__enter__`, which is a Python function, and the block.)
"""

from __future__ import annotations

import threading
from contextlib import suppress

from firefighter._process.lock import holds_logging_lock
from firefighter._process.waiting import Broadcast, monotonic

__all__ = ['ForkGate']

# Importing boto3 and making a client takes 0.3 s; a slow machine needs several times that.
_WAIT_SECONDS = 5.0


class ForkGate:
    """Knows which threads are inside, and which are about to fork."""

    def __init__(self) -> None:
        # The idents of threads. A thread that has entered twice is in it twice.
        self._inside: list[int] = []
        self._forking: list[int] = []
        self._changed = Broadcast()

    def enter(self) -> None:
        """Hold forks off from now on. A fork that has begun is waited for first."""
        me, deadline = threading.get_ident(), monotonic() + _WAIT_SECONDS
        # No wait where a fork may be waiting for this thread already. Nor under logging's lock: a fork cannot get past
        # logging's own hook meanwhile, which runs after ours.
        waits = not self.held_here and not holds_logging_lock()
        while True:
            self._inside.append(me)
            if not waits or not self._others(self._forking):
                return
            self.leave()
            waits = self._await_no_other(self._forking, deadline)

    def leave(self) -> None:
        """Hold forks off no longer. Harmless where an exception has come before the thread had entered."""
        self._take_out_of(self._inside)

    @property
    def held_here(self) -> bool:
        """Whether the calling thread holds forks off."""
        return threading.get_ident() in self._inside

    def before_fork(self) -> None:
        """Wait until no other thread is inside, and let no other in."""
        deadline = monotonic() + _WAIT_SECONDS
        # While this thread waits, others may still enter: they may hold what those inside need. Under logging's lock it does not
        # wait, since those inside may need that lock.
        waits = not holds_logging_lock() and self._await_no_other(self._inside, deadline)
        self._forking.append(threading.get_ident())
        if waits:
            self._await_no_other(self._inside, deadline)  # for a thread that has entered in between

    def after_fork_in_parent(self) -> None:
        """Let the others in again."""
        self._take_out_of(self._forking)

    def _others(self, threads: list[int]) -> bool:
        me = threading.get_ident()
        return any(thread != me for thread in threads.copy())

    def _await_no_other(self, threads: list[int], deadline: float) -> bool:
        """Wait until the list has no thread but the calling one; return False where the deadline comes first."""
        while True:
            wakeup = self._changed.join()
            try:
                if not self._others(threads):
                    return True
                if not wakeup.wait(deadline - monotonic()):
                    return False
            finally:
                self._changed.leave(wakeup)

    def _take_out_of(self, threads: list[int]) -> None:
        with suppress(ValueError):
            threads.remove(threading.get_ident())
        self._changed.notify()
