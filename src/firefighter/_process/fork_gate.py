"""Holds forks off while threads are at what a child must not meet half done.

Those threads do not wait for each other: one may hold what another needs, as dictConfig holds logging's lock while it makes
a handler, and another handler's delivery thread, which imports boto3, needs that lock. No wait here is for ever: a thread that forks,
or that waits for one to have forked, may hold what the other waits for.

There is no lock. Whoever enters or forks sets its own mark first and looks for the others' then, so of two at once one sees the
other. A lock that an exception thrown into the thread (Ctrl-C) leaves taken would end all delivery; a mark that it leaves
costs a fork some seconds. `threading.Condition` is such a lock: it is entered by a Python function, between whose return and the
block an exception may come.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from time import monotonic

from firefighter._process.logging_lock import holds_logging_lock
from firefighter._process.wakeup import Broadcast

__all__ = ['ForkGate']

# Importing boto3 and making a client takes 0.3 s, on a slow machine some times that.
_WAIT_SECONDS = 5.0


class ForkGate:
    """Knows who is at such things, and who is about to fork."""

    def __init__(self) -> None:
        # Threads, each as often as it has entered.
        self._inside: list[int] = []
        self._forking: list[int] = []
        self._changed = Broadcast()

    def enter(self) -> None:
        """Keep forks away from now on; one that has begun comes first."""
        me, deadline = threading.get_ident(), monotonic() + _WAIT_SECONDS
        # A fork may be waiting for what this thread is at already. And while a thread holds logging's lock no fork gets past
        # the hook of logging, which runs after ours.
        waits = not self.held_here and not holds_logging_lock()
        while True:
            self._inside.append(me)
            if not waits or not self._others(self._forking):
                return
            self.leave()
            waits = self._await_no_other(self._forking, deadline)

    def leave(self) -> None:
        """Let forks come again, as far as this thread is concerned; also when it had not come to enter."""
        self._take_out_of(self._inside)

    @property
    def held_here(self) -> bool:
        """Whether the calling thread keeps forks away."""
        return threading.get_ident() in self._inside

    def before_fork(self) -> None:
        """Wait until no other thread is inside, and let none in."""
        deadline = monotonic() + _WAIT_SECONDS
        # Others may enter meanwhile: they may hold what those inside need.
        # Not under logging's lock, which those inside may need: then it would be waited for them to the end.
        waits = not holds_logging_lock() and self._await_no_other(self._inside, deadline)
        self._forking.append(threading.get_ident())
        if waits:
            self._await_no_other(self._inside, deadline)  # who has come in between

    def after_fork_in_parent(self) -> None:
        """Let the others in again."""
        self._take_out_of(self._forking)

    def _others(self, threads: list[int]) -> bool:
        me = threading.get_ident()
        return any(thread != me for thread in threads.copy())

    def _await_no_other(self, threads: list[int], deadline: float) -> bool:
        """Wait until no thread but the calling one is in the list, until the deadline; return whether that is so."""
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
