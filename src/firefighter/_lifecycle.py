"""The process around the handlers: its exit, and its forks. The only state that handlers share."""

from __future__ import annotations

import atexit
import os
import weakref
from time import monotonic
from typing import Protocol

__all__ = ['deadline', 'exiting', 'register']


class Forkable(Protocol):
    """What must not be shared with a forked child."""

    def start_over_after_fork(self) -> None:
        """Begin anew in the child."""


class _Process:
    def __init__(self) -> None:
        self.handlers: weakref.WeakSet[Forkable] = weakref.WeakSet()
        self.exit_began_at: float | None = None
        self.hooks_in_place = False


_process = _Process()


def register(handler: Forkable) -> None:
    """Have a handler told of forks, and its deadlines bounded when the process exits."""
    _process.handlers.add(handler)
    if _process.hooks_in_place:
        return
    _process.hooks_in_place = True
    # Exit functions run last in, first out: before logging.shutdown, which logging registered at its import.
    atexit.register(_begin_exit)
    if hasattr(os, 'register_at_fork'):
        os.register_at_fork(after_in_child=_after_fork_in_child)


def exiting() -> bool:
    """Return whether the interpreter has begun to exit."""
    return _process.exit_began_at is not None


def deadline(timeout_seconds: float) -> float:
    """Return the time, by the monotonic clock, at which a flush or close that begins now has to give up.

    While the process exits, all of them count from its beginning: ten handlers do not wait ten times.
    """
    began_at = _process.exit_began_at
    return (monotonic() if began_at is None else began_at) + timeout_seconds


def _begin_exit() -> None:
    _process.exit_began_at = monotonic()


def _after_fork_in_child() -> None:
    _process.exit_began_at = None
    for handler in list(_process.handlers):
        handler.start_over_after_fork()
