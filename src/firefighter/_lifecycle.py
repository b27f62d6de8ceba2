"""The process around the handlers: its exit, and its forks. The only state that handlers share."""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf
from time import monotonic
from typing import Protocol

from firefighter._fork_gate import ForkGate

__all__ = [
    'deadline',
    'exiting',
    'keep',
    'let_go',
    'not_forking',
    'register',
    'registered',
    'release_worker',
    'reserve_worker',
]


# Twenty handlers with a backlog each are not sixty threads. Eight requests beside those that the delivery threads make are
# 8 MiB in each 100 ms that AWS takes to answer: more than the quota of any one stream.
MAX_WORKERS = 8


class Handler(Protocol):
    """What has an end with the process, and must not be shared with a forked child."""

    def _begin_close(self) -> None:
        """Have what is pending delivered, without waiting."""

    def close(self) -> None:
        """Deliver what is pending, and end."""

    def _start_over_after_fork(self) -> None:
        """Begin anew in the child."""


class _Process:
    def __init__(self) -> None:
        self.handlers: weakref.WeakSet[Handler] = weakref.WeakSet()
        # Those with events that may still have to be delivered: dictConfig forgets a handler that it replaces, and
        # so may the program.
        self.busy: set[Handler] = set()
        self.exit_began_at: float | None = None
        self.hooks_in_place = False
        self.finalizer_in = 0
        self.fork_gate = ForkGate()
        self.workers = deque([None] * MAX_WORKERS, MAX_WORKERS)


_process = _Process()


def register(handler: Handler) -> None:
    """Have a handler closed at exit and told of forks."""
    _process.handlers.add(handler)
    if _process.hooks_in_place:
        return
    _process.hooks_in_place = True
    # boto3 imports this module, which cannot be imported any more once the main thread has ended. A short script
    # ends while its delivery thread still imports boto3, so this part (2 ms) comes first.
    with suppress(RuntimeError):
        import concurrent.futures.thread  # noqa: F401, PLC0415
    # logging.shutdown does not know every handler: dictConfig forgets those that it closes, also when a logger
    # goes on using them.
    atexit.register(_close_all)
    if hasattr(os, 'register_at_fork'):
        os.register_at_fork(
            before=_before_fork,
            after_in_parent=_after_fork_in_parent,
            after_in_child=_after_fork_in_child,
        )


def registered() -> list[Handler]:
    """Return the handlers that there are."""
    while True:
        with suppress(RuntimeError):  # another thread has made one meanwhile
            return list(_process.handlers)


@contextmanager
def not_forking() -> Iterator[None]:
    """Have forks wait until the block ends.

    For what a child must not meet half done, since its owner is a thread that the child does not have: a module that is
    being imported (the child would wait for its lock for ever), a file that is locked and not noted yet.
    """
    gate = _process.fork_gate
    # An exception thrown into the thread may come before, in or behind `enter`, too.
    try:
        gate.enter()
        yield
    finally:
        gate.leave()


def let_go(handler: Handler) -> None:
    """Take note that a handler has nothing left to deliver."""
    _process.busy.discard(handler)


def keep(handler: Handler) -> None:
    """Take note that a handler of this process has events to deliver, and hold it until they are.

    A child that multiprocessing has forked ends by `os._exit`: no exit function runs there, but multiprocessing's own
    finalizers do. They can only be registered in the child, once it runs.
    """
    _process.busy.add(handler)
    process, util = (sys.modules.get(f'multiprocessing.{name}') for name in ('process', 'util'))
    if process is None or util is None or process.parent_process() is None:
        return
    if _process.finalizer_in != os.getpid():
        _process.finalizer_in = os.getpid()
        # Below zero: after the child has waited for children of its own, and after what logs at its end.
        util.Finalize(None, _close_all, exitpriority=-1)


def reserve_worker() -> bool:
    """Take note of a thread that is to help to deliver; return whether the process may have one more."""
    # No lock: a signal handler that flushes may interrupt it, and come here too.
    try:
        _process.workers.pop()
    except IndexError:
        return False
    return True


def release_worker() -> None:
    """Take note that such a thread has ended."""
    # Never more than at the beginning: a child that was forked in such a thread has its own count.
    _process.workers.append(None)


def exiting() -> bool:
    """Return whether the interpreter has begun to exit."""
    return _process.exit_began_at is not None


def deadline(timeout_seconds: float) -> float:
    """Return the time, by the monotonic clock, at which a flush or close that begins now has to give up.

    While the process exits, all of them count from its beginning: ten handlers do not wait ten times.
    """
    began_at = _process.exit_began_at
    return (monotonic() if began_at is None else began_at) + timeout_seconds


def _close_all() -> None:
    if _process.exit_began_at is None:
        _process.exit_began_at = monotonic()
    handlers = list(_process.handlers)
    # All are told before any is waited for: one whose endpoint is down must not use up the time of the others.
    for handler in handlers:
        with suppress(Exception):  # a subclass's own; the others must be closed all the same
            handler._begin_close()  # noqa: SLF001  # ours, and not for users
    for handler in handlers:
        try:
            handler.close()
        except KeyboardInterrupt:
            # Whoever presses Ctrl-C again does not want to wait; what is left is still counted and said.
            _process.exit_began_at = -inf
            with suppress(Exception):
                handler.close()
        except Exception:
            pass  # as above


def _before_fork() -> None:
    _process.fork_gate.before_fork()


def _after_fork_in_parent() -> None:
    _process.fork_gate.after_fork_in_parent()


def _after_fork_in_child() -> None:
    _process.fork_gate = ForkGate()
    _process.workers = deque([None] * MAX_WORKERS, MAX_WORKERS)
    _process.exit_began_at = None
    _process.busy.clear()
    for handler in list(_process.handlers):
        handler._start_over_after_fork()  # noqa: SLF001  # as above
