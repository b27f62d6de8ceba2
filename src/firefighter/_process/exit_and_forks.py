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

from firefighter._process.fork_gate import ForkGate

__all__ = [
    'deadline',
    'exiting',
    'forget',
    'hold',
    'let_go',
    'not_forking',
    'prepare_threads_end',
    'put_hooks_in_place',
    'register',
    'registered',
    'release_request_thread',
    'reserve_request_thread',
    'start_over_after_fork',
]


# Twenty handlers with a backlog each are not eighty threads. Eight requests beside the one that each handler makes are
# 8 MiB in each 100 ms that AWS takes to answer: more than the quota of any one stream.
MAX_REQUEST_THREADS = 8


class Handler(Protocol):
    """What is told of forks, and closed when the process ends."""

    def flush(self) -> bool:
        """Deliver what is pending."""

    def close(self) -> None:
        """Deliver what is pending, and end."""

    def _start_over_after_fork(self) -> None:
        """Begin anew in the child."""


class Life(Protocol):
    """What has something to deliver, or to let go of; its handler may be gone already."""

    def ask_to_flush(self) -> None:
        """Have what is pending delivered, without waiting."""

    def finish(self, *, waits: bool = True) -> None:
        """Deliver what is pending, let go of everything, and say what is left."""

    def abandon(self) -> None:
        """Let go, in a forked child, of what the parent goes on using."""


class _Process:
    """What a forked child begins with anew."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lives: set[Life] = set()
        # Of handlers that were collected, and that no thread looks after.
        self.forgotten: deque[Life] = deque()
        self.exit_began_at: float | None = None
        self.knows_multiprocessing = False
        self.fork_gate = ForkGate()
        self.request_threads = deque([None] * MAX_REQUEST_THREADS, MAX_REQUEST_THREADS)


_process = _Process()
_handlers: weakref.WeakSet[Handler] = weakref.WeakSet()
_hooks_in_place = False
_ends_threads: list[object] = []


def register(handler: Handler) -> None:
    """Have a handler closed at exit and told of forks."""
    put_hooks_in_place()
    _handlers.add(handler)
    for _ in range(len(_process.forgotten)):
        with suppress(IndexError):  # another thread has come to it
            _process.forgotten.popleft().finish(waits=False)


def put_hooks_in_place() -> None:
    """Have the exit and the forks of the process tell this module, from now on; the first call does it."""
    global _hooks_in_place  # noqa: PLW0603
    if _hooks_in_place:
        return
    _hooks_in_place = True
    # boto3 imports this module, which cannot be imported any more once the main thread has ended. A short script
    # ends while its delivery thread still imports boto3, so this part (2 ms) comes first.
    with suppress(RuntimeError, OSError, ImportError):  # no descriptor is free, say
        import concurrent.futures.thread  # noqa: F401, PLC0415
    # logging.shutdown does not know every handler: dictConfig forgets those that it closes, also when a logger
    # goes on using them.
    atexit.register(_finish_all)
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
            return list(_handlers)


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


def prepare_threads_end() -> None:
    """Load what ends a thread at the exit of the interpreter, while there is a descriptor for it.

    Before Python 3.14 a daemon thread that wakes up then ends by pthread_exit. glibc loads libgcc_s for that, and aborts the program
    where it cannot, for want of a descriptor or of memory.
    """
    if sys.platform != 'linux' or sys.version_info >= (3, 14) or _ends_threads:
        return
    _ends_threads.append(None)
    with suppress(Exception), not_forking():  # another C library has none
        import ctypes  # noqa: PLC0415  # in the delivery thread, which alone comes here

        _ends_threads[0] = ctypes.CDLL('libgcc_s.so.1')


def hold(life: Life) -> None:
    """Hold what has something to deliver, so that the exit of the process finds it, until `let_go`.

    A child that multiprocessing has forked ends by `os._exit`: no exit function runs there, but multiprocessing's own
    finalizers do. They can only be registered in the child, once it runs.
    """
    _process.lives.add(life)
    util = sys.modules.get('multiprocessing.util')
    # Not while another thread still imports it.
    if util is not None and hasattr(util, 'Finalize') and not _process.knows_multiprocessing:
        _process.knows_multiprocessing = True
        _register_finalizer(_process)
        # A child that logs before multiprocessing has made it its own (in a hook, while it imports the main module) forgets
        # its finalizers after that.
        util.register_after_fork(_process, _register_finalizer)


def _register_finalizer(_: object) -> None:
    if sys.modules['multiprocessing.process'].parent_process() is not None:
        # Below zero: after the child has waited for children of its own, and after what logs at its end.
        sys.modules['multiprocessing.util'].Finalize(None, _finish_all, exitpriority=-1)


def let_go(life: Life) -> None:
    """Take note that there is nothing left to deliver, nor to let go of."""
    _process.lives.discard(life)


def forget(life: Life) -> None:
    """Have a life end whose handler was collected; called by the collector, at any moment in any thread."""
    _process.forgotten.append(life)


def reserve_request_thread() -> bool:
    """Take note of a thread beyond a handler's first; return whether the process may have one more."""
    # No lock: a signal handler that flushes may interrupt it, and come here too.
    try:
        _process.request_threads.pop()
    except IndexError:
        return False
    return True


def release_request_thread() -> None:
    """Take note that such a thread has ended."""
    # Never more than at the beginning: a child that was forked in such a thread has its own count.
    _process.request_threads.append(None)


def exiting() -> bool:
    """Return whether the interpreter has begun to exit."""
    return _process.exit_began_at is not None


def deadline(timeout_seconds: float) -> float:
    """Return the time, by the monotonic clock, at which a flush or close that begins now has to give up.

    While the process exits, all of them count from its beginning: ten handlers do not wait ten times, nor do ten events
    that are logged by other exit functions.
    """
    began_at = _process.exit_began_at
    return (monotonic() if began_at is None else began_at) + timeout_seconds


def _finish_all() -> None:
    """Finish everything within one budget. Whoever interrupts it (Ctrl-C, a second SIGTERM) wants to wait no longer."""
    if _process.exit_began_at is None:
        _process.exit_began_at = monotonic()
    for _ in range(3):
        try:
            _finish_each()
        except BaseException:
            # What is left is still counted and said; that needs no time.
            _process.exit_began_at = -inf
        else:
            return


def _finish_each() -> None:
    # All are told before any is waited for: one whose endpoint is down must not use up the time of the others.
    for life in _process.lives.copy():
        life.ask_to_flush()
    for handler in registered():
        with suppress(Exception):  # a subclass's own; the others must be closed all the same
            handler.flush()
            handler.close()
    for life in _process.lives.copy():
        life.finish()


def _before_fork() -> None:
    _process.fork_gate.before_fork()


def _after_fork_in_parent() -> None:
    _process.fork_gate.after_fork_in_parent()


def _after_fork_in_child() -> None:
    start_over_after_fork()
    for handler in registered():
        handler._start_over_after_fork()  # noqa: SLF001  # ours, and not for users


def start_over_after_fork() -> None:
    """Begin anew, where this is a forked child that has not.

    A destructor or another hook may log before our hook comes, and the fork may be one in C, of which Python's hooks do not know.
    """
    global _process  # noqa: PLW0603  # by one store: what logs meanwhile is in the one or in the other
    before, fresh = _process, _Process()
    # No call between these, so that nothing can come between.
    if _process.pid != fresh.pid:
        _process = fresh
    if before.pid != fresh.pid:
        # Also those whose handler is gone: their locks would be ours for as long as we live.
        for life in before.lives.copy():
            life.abandon()
