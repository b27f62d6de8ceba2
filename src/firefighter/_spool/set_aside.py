"""Events that wait at the spool's lock, because they could not be appended at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from math import inf
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from firefighter._process.lock import HasLock
from firefighter._process.lock import locked as with_lock_held

__all__ = ['NO_EVENT', 'Waiting', 'locked', 'store_all']

P = ParamSpec('P')
R = TypeVar('R')


class HasQueue(HasLock, Protocol):
    """An object with a lock, and events that wait for it."""

    _aside: list[Waiting]

    def append_set_aside(self) -> None:
        """Append what waits, unless the calling thread holds the lock."""


Owner = TypeVar('Owner', bound=HasQueue)


def locked(method: Callable[Concatenate[Owner, P], R]) -> Callable[Concatenate[Owner, P], R]:
    """Run a method with the spool's lock held; append after it what a destructor or a signal handler has logged meanwhile."""
    held = with_lock_held(method)

    @wraps(method)
    def with_lock(self: Owner, /, *args: P.args, **kwargs: P.kwargs) -> R:
        newest = self._aside[-1:]
        try:
            return held(self, *args, **kwargs)
        finally:
            # Not events that wait for room: each attempt to append one wakes the thread that makes room.
            if self._aside[-1:] != newest:
                self.append_set_aside()

    return with_lock


class Waiting:
    """An event that waits to be appended or, where it has a reason, to be counted as dropped.

    Attributes:
        line: the event; empty where there is nothing to append.
        size_bytes: its size.
        deadline: until when it waits for room, where it is to, by the monotonic clock.
        reason: why it is dropped; empty where it is not.
        settled: whether it is appended or counted. It may still be in the queue then.
    """

    __slots__ = ('deadline', 'line', 'reason', 'settled', 'size_bytes')

    def __init__(self, line: bytes, size_bytes: int, deadline: float, reason: str = '') -> None:
        self.line = line
        self.size_bytes = size_bytes
        self.deadline = deadline
        self.reason = reason
        self.settled = False


NO_EVENT = Waiting(b'', 0, -inf)
"""Stands for the event of a caller that has none."""
NO_EVENT.settled = True


def store_all(stores: Callable[[], None]) -> None:
    """Make several stores of which no exception, whenever it comes, may leave only some.

    Args:
        stores: makes them. It computes nothing and takes nothing from what it changes, so that doing it again is doing it once.
    """
    try:
        stores()
    except BaseException:
        stores()
        raise
