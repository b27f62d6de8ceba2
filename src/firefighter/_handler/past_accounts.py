"""What the handlers of this process have counted by the end of each of their lives, by stream.

Metrics are read now and then. A handler that was made and forgotten in between has counted all the same.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import fields
from os import getpid
from typing import Any

from firefighter._process.lock import make_lock, run_if_free
from firefighter.stats import Stats

__all__ = ['counted_by_stream', 'note_counted', 'subtract']


class _Past:
    """The state. A forked child begins with a new one."""

    def __init__(self) -> None:
        self.pid = getpid()
        # Not yet added up, since somebody else was adding: the collector may come here too, which must not wait for a lock.
        self.noted: deque[tuple[str, Stats]] = deque()
        self.by_stream: dict[str, Stats] = {}
        self.lock = make_lock()

    def add_up(self) -> None:
        """Add up what is noted, unless somebody does, maybe this thread in the frame that a signal handler has interrupted."""
        if not self.lock._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001  # no public way to ask
            run_if_free(self.lock, self._add_up)

    def _add_up(self) -> None:
        while True:
            try:
                stream, counted = self.noted.popleft()
            except IndexError:
                return
            before = self.by_stream.get(stream)
            self.by_stream[stream] = counted if before is None else _combine(operator.add, before, counted)


_past = _Past()


def note_counted(stream: str, counted: Stats) -> None:
    """Note what a handler has counted, of which nothing was noted before."""
    past = _past_here()
    past.noted.append((stream, counted))
    past.add_up()


def counted_by_stream() -> Mapping[str, Stats]:
    """Return all that was noted. Only what counts up is meaningful in it."""
    past = _past_here()
    past.add_up()
    return past.by_stream.copy()


def subtract(minuend: Stats, subtrahend: Stats) -> Stats:
    """Return what one account has counted beyond the other."""
    return _combine(operator.sub, minuend, subtrahend)


def _past_here() -> _Past:
    global _past  # noqa: PLW0603  # by one store
    if _past.pid != getpid():
        _past = _Past()
    return _past


def _combine(operation: Callable[[Any, Any], Any], first: Stats, second: Stats) -> Stats:
    """Return an account of the results for each number; texts are the first one's."""

    def combine(one: Any, other: Any) -> Any:
        if isinstance(one, Mapping):
            return {key: operation(one.get(key, 0), other.get(key, 0)) for key in {**one, **other}}
        return operation(one, other) if isinstance(one, (int, float)) else one

    return Stats(
        **{
            each.name: combine(getattr(first, each.name), getattr(second, each.name))
            for each in fields(Stats)
        }
    )
