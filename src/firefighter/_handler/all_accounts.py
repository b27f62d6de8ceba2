"""The accounts of all pipelines that this process has, and what those have counted that it had, by stream.

For metrics, which are read now and then: a handler that was made and forgotten in between has counted all the same, and one that was
forgotten with events pending goes on delivering them.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Mapping
from dataclasses import fields
from os import getpid
from typing import Any, Protocol

from firefighter._process.exit_and_forks import members_of
from firefighter._process.lock import make_lock, run_if_free
from firefighter.stats import Stats

__all__ = ['counted_by_stream', 'living_accounts', 'note_end', 'register_account']


class Account(Protocol):
    """A pipeline, as far as it counts."""

    pid: int
    stream: str

    def stats(self) -> Stats:
        """Return what it has counted."""


class _Past:
    """What was counted by pipelines that are gone. A forked child begins with a new one."""

    def __init__(self) -> None:
        self.pid = getpid()
        # Not added up yet, since somebody else was adding: the collector comes here too, and must not wait for a lock.
        self.ends: deque[tuple[str, Stats]] = deque()
        self.by_stream: dict[str, Stats] = {}
        self.lock = make_lock()

    def add_up(self) -> None:
        """Add up what is there, unless somebody does, maybe this thread in the frame that was interrupted."""
        if not self.lock._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001  # no public way to ask
            run_if_free(self.lock, self._add_up)

    def _add_up(self) -> None:
        while self.ends:
            stream, stats = self.ends[0]
            before = self.by_stream.get(stream)
            total = stats if before is None else _sum(before, stats)
            # No call between these: an exception in a signal handler comes before both or after both.
            self.by_stream[stream] = total
            del self.ends[0]


_past = _Past()
_living: weakref.WeakSet[Account] = weakref.WeakSet()


def register_account(account: Account) -> None:
    """Have an account read as long as it lives."""
    _living.add(account)


def note_end(stream: str, stats: Stats) -> None:
    """Note what an account has counted that is about to go. The collector calls this, in any thread at any moment."""
    past = _past_here()
    past.ends.append((stream, stats))
    past.add_up()


def living_accounts() -> list[Account]:
    """Return the accounts of this process."""
    return [account for account in members_of(_living) if account.pid == getpid()]


def counted_by_stream() -> Mapping[str, Stats]:
    """Return what those have counted that are gone. Only what counts up is meaningful in it."""
    past = _past_here()
    past.add_up()
    return past.by_stream.copy()


def _past_here() -> _Past:
    global _past  # noqa: PLW0603  # replaced by one store
    if _past.pid != getpid():
        fresh = _Past()
        # Compare and store without a call in between, so that no other thread can come between.
        if _past.pid != fresh.pid:
            _past = fresh
    return _past


def _sum(one: Stats, other: Stats) -> Stats:
    """Return an account of the sums of all numbers; texts are the first one's."""

    def add(first: Any, second: Any) -> Any:
        if isinstance(first, Mapping):
            return {key: first.get(key, 0) + second.get(key, 0) for key in {**first, **second}}
        return first + second if isinstance(first, (int, float)) else first

    return Stats(
        **{each.name: add(getattr(one, each.name), getattr(other, each.name)) for each in fields(Stats)}
    )
