"""Holds forks off while threads are at what a child must not meet half done.

Those threads do not wait for each other: one may hold what another needs, as dictConfig holds logging's lock while it makes
a handler, and another handler's delivery thread, which imports boto3, needs that lock. No wait here is for ever: a thread that forks,
or that waits for one to have forked, may hold what the other waits for.
"""

from __future__ import annotations

import threading

from firefighter._logging_lock import holds_logging_lock

__all__ = ['ForkGate']

# Importing boto3 and making a client takes 0.3 s, on a slow machine some times that.
_WAIT_SECONDS = 5.0


class ForkGate:
    """Knows who is at such things, and who is about to fork."""

    def __init__(self) -> None:
        # Re-entrant: a signal handler that forks may come into any of this.
        self._changed = threading.Condition(threading.RLock())
        # Threads, each as often as it has entered.
        self._inside: list[int] = []
        self._forking: list[int] = []

    def enter(self) -> None:
        """Keep forks away from now on; one that has begun comes first."""
        with self._changed:
            # While a thread holds logging's lock no fork gets past the hook of logging, which runs after ours.
            if not holds_logging_lock():
                self._await_no_other_in(self._forking)
            self._inside.append(threading.get_ident())

    def leave(self) -> None:
        """Let forks come again, as far as this thread is concerned."""
        self._take_out_of(self._inside)

    @property
    def held_here(self) -> bool:
        """Whether the calling thread keeps forks away."""
        return threading.get_ident() in self._inside

    def before_fork(self) -> None:
        """Wait until no other thread is inside, and let none in."""
        with self._changed:
            self._await_no_other_in(self._inside)
            self._forking.append(threading.get_ident())

    def after_fork_in_parent(self) -> None:
        """Let the others in again."""
        self._take_out_of(self._forking)

    def _await_no_other_in(self, threads: list[int]) -> None:
        me = threading.get_ident()
        self._changed.wait_for(lambda: all(thread == me for thread in threads), _WAIT_SECONDS)

    def _take_out_of(self, threads: list[int]) -> None:
        with self._changed:
            threads.remove(threading.get_ident())
            self._changed.notify_all()
