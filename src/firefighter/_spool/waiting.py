"""What waits for its turn at the spool's lock, since it could not be appended at once."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

__all__ = ['NOBODY', 'Waiting', 'wholly']


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


NOBODY = Waiting(b'', 0, -inf)
"""Stands for the event of a caller that has none."""
NOBODY.settled = True


def wholly(store: Callable[[], None]) -> None:
    """Make several stores of which no exception, whenever it comes, may leave only some.

    Args:
        store: makes them. It computes nothing and takes nothing from what it changes, so that doing it again is doing it once.
    """
    try:
        store()
    except BaseException:
        store()
        raise
