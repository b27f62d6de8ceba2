"""The exit and the forks of the process: all state that its handlers share."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import inf
from typing import Any, Protocol, TypeVar

from firefighter._process.fork_gate import ForkGate
from firefighter._process.lock import have_handlers_collected_without_lock, other_threads_are_gone
from firefighter._process.waiting import monotonic

__all__ = [
    'close_later',
    'deadline_after',
    'ending',
    'exit_reports',
    'exiting',
    'finish_before',
    'in_another_threads_exit',
    'interrupted',
    'members_of',
    'most_shutdown_seconds',
    'not_forking',
    'note_waited_before_exit',
    'prepare_threads_end',
    'register_busy',
    'register_handler',
    'registered_handlers',
    'release_request_thread',
    'reserve_request_thread',
    'start_over_after_fork',
    'threads_must_end',
    'unregister_busy',
]


# Twenty handlers with a backlog each are not eighty threads. Eight requests beside the one that each handler makes are
# 8 MiB in each 100 ms that AWS takes to answer: more than the quota of any one stream.
MAX_REQUEST_THREADS = 8

_LAMBDA_RUNTIME = 'snapshot_restore_py'
"""The part of Lambda's runtime that knows of snapshots."""


T = TypeVar('T')


class Handler(Protocol):
    """A handler: it is closed when the process ends, and begins anew in a forked child, and in a clone of a snapshot."""

    def flush(self) -> object:
        """Deliver what is pending."""

    def close(self) -> None:
        """Deliver what is pending, and end."""

    def _start_over_after_fork(self) -> None:
        """Begin anew in the child."""

    def _start_over_after_restore(self) -> None:
        """Begin anew in the clone."""


# A program that a signal handler has told to exit does so within this time, clean-up included.
_SOON_SECONDS = 60.0


class Lifecycle(Protocol):
    """A handler's lifecycle. It may outlive the handler, while it has events to deliver or a directory to let go of."""

    def start_flush(self) -> None:
        """Start to deliver what is pending, without waiting."""

    def finish(self, *, waits: bool = True) -> None:
        """Deliver what is pending, let go of everything, and report what is left."""

    def close(self, deadline: float) -> None:
        """Do the same; wait for that until the deadline, by the monotonic clock."""

    @property
    def shutdown_timeout_seconds(self) -> float:
        """How long a close waits."""

    @property
    def is_interrupted(self) -> bool:
        """Whether the calling thread has interrupted something that delivery needs, so that it must not wait."""

    def abandon(self) -> None:
        """Let go, in a forked child, of everything that the parent goes on using."""


class _Process:
    """The state. A forked child begins with a new one."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.busy: set[Lifecycle] = set()
        # Of collected handlers for which no thread could be started: the next handler that is made, or the exit, closes them.
        self.to_close: deque[Lifecycle] = deque()
        self.exit_began_at: float | None = None
        # The thread that calls our exit function, and whether that is done.
        self.exit_thread: int | None = None
        self.exit_is_done = False
        # When a signal handler has asked for the exit, and how long it had waited for delivery.
        self.waited_before_exit = (-inf, 0.0)
        # In a subinterpreter alone, when its exit is over.
        self.threads_must_end = False
        # By name, what runs functions of ours at the end of a child that ends by `os._exit`.
        self.registered_with: set[str] = set()
        self.fork_gate = ForkGate()
        self.request_threads = deque([None] * MAX_REQUEST_THREADS, MAX_REQUEST_THREADS)


_process = _Process()
_handlers: weakref.WeakSet[Handler] = weakref.WeakSet()
_finished_at_exit = False
_ends_threads: list[object] = []


def register_handler(handler: Handler) -> None:
    """Have a handler closed at exit, and begun anew in forked children."""
    global _finished_at_exit  # noqa: PLW0603
    if not _finished_at_exit:
        # logging.shutdown does not know every handler: dictConfig forgets those that it closes, even when a logger goes on using
        # them. Not before there is a handler: functions that the program has registered until then run after this one. Two threads
        # may both register it, which does no harm.
        _register_exit_function()
        _register_for_snapshots()
        _finished_at_exit = True
    _handlers.add(handler)
    _register_with_libraries()
    for _ in range(len(_process.to_close)):
        with suppress(IndexError):  # another thread was faster
            _process.to_close.popleft().finish(waits=False)


def _register_exit_function() -> None:
    from firefighter._process.subinterpreters import (  # noqa: PLC0415  # no program needs it that makes no handler
        call_before_threads_end,
        in_subinterpreter,
    )

    if in_subinterpreter():
        if call_before_threads_end(_finish_subinterpreter):
            return
        _process.threads_must_end = True  # it is about to end: nobody would wait for a thread
    atexit.register(_finish_all)


def _register_for_snapshots() -> None:
    """Register with Lambda's runtime, where it may take a snapshot of this process."""
    if os.environ.get('AWS_LAMBDA_INITIALIZATION_TYPE') == 'snap-start' or _LAMBDA_RUNTIME in sys.modules:
        with not_forking():
            from firefighter._process.lambda_snapshots import register_for_snapshots  # noqa: PLC0415

            register_for_snapshots(_LAMBDA_RUNTIME)


def registered_handlers() -> list[Handler]:
    """Return the handlers of this process."""
    return members_of(_handlers)


def members_of(living: weakref.WeakSet[T]) -> list[T]:
    """Return what is in a set at this moment, whatever other threads add to it."""
    while True:
        with suppress(RuntimeError):  # another thread has added one meanwhile
            return list(living)


@contextmanager
def not_forking() -> Iterator[None]:
    """Hold forks off until the block ends.

    For anything that a child must not find half done, since it has no copy of the thread that does it: a module that is
    being imported (the child would wait for its lock for ever), a file that is locked and not yet noted.
    """
    gate = _process.fork_gate
    # Inside the try, since an exception thrown into the thread may come before, in or after `enter`.
    try:
        gate.enter()
        yield
    finally:
        gate.leave()


def prepare_threads_end() -> None:
    """Load libgcc_s now, which ends threads at the exit of the interpreter.

    Before Python 3.14 a daemon thread that wakes up during the exit ends by pthread_exit. glibc loads libgcc_s for that, and
    aborts the program where it cannot, because no descriptor or no memory is left.
    """
    if sys.platform != 'linux' or sys.version_info >= (3, 14) or _ends_threads:
        return
    _ends_threads.append(None)
    with suppress(Exception), not_forking():  # other C libraries do not have it
        import ctypes  # noqa: PLC0415  # only the delivery thread comes here

        _ends_threads[0] = ctypes.CDLL('libgcc_s.so.1')


def register_busy(lifecycle: Lifecycle) -> None:
    """Have the exit of the process finish a lifecycle that has something to deliver, until `unregister_busy`."""
    _process.busy.add(lifecycle)
    _register_with_libraries()


def _register_with_libraries() -> None:
    """Have libraries that end children by `os._exit` call our exit function there, since no exit function of Python runs.

    A library is asked where the program has imported it, and never imported here.
    """
    for name, attribute, register in _LIBRARIES:
        module = sys.modules.get(name)
        # `hasattr`: another thread may still be importing it.
        if name not in _process.registered_with and module is not None and hasattr(module, attribute):
            _process.registered_with.add(name)
            register(module)


def _register_with_multiprocessing(util: Any) -> None:
    """Register with multiprocessing, and so with billiard, Celery's copy of it, which has the same finalizers."""

    def register_finalizer(_: object) -> None:
        # A finalizer can only be registered in the child, once it runs. (`parent_process` knows nothing of billiard's.)
        process = sys.modules['multiprocessing.process'].current_process()
        if process._parent_pid is not None:  # noqa: SLF001
            # A priority below zero: after the child has waited for its own children, and after finalizers that log.
            util.Finalize(None, _finish_all, exitpriority=-1)

    register_finalizer(None)
    # All finalizers are cleared when the child is set up. A child may log before that (in a hook, or while it imports the main
    # module), so register again afterwards.
    util.register_after_fork(_process, register_finalizer)


def _register_with_celery(signals: Any) -> None:
    """Register with Celery, whose pool ends its children without running billiard's finalizers. This signal is the last they do."""
    signals.worker_process_shutdown.connect(_finish_celery_child, weak=False, dispatch_uid=__name__)


def _finish_celery_child(**_: object) -> None:
    _finish_all()


# For each: the module, an attribute that it has when it is imported, and what registers with it.
_LIBRARIES: tuple[tuple[str, str, Callable[[Any], None]], ...] = (
    ('multiprocessing.util', 'Finalize', _register_with_multiprocessing),
    ('celery.signals', 'worker_process_shutdown', _register_with_celery),
)


def unregister_busy(lifecycle: Lifecycle) -> None:
    """Note that a lifecycle has nothing left to deliver or to let go of."""
    _process.busy.discard(lifecycle)


def close_later(lifecycle: Lifecycle) -> None:
    """Have a lifecycle closed by whoever comes next: for the collector, at any moment, and for who must not wait."""
    _process.to_close.append(lifecycle)


def reserve_request_thread() -> bool:
    """Reserve a request thread beyond a handler's first; return whether the process may have one more."""
    # Without a lock, since a signal handler that flushes may interrupt this and come here too.
    try:
        _process.request_threads.pop()
    except IndexError:
        return False
    return True


def release_request_thread() -> None:
    """Give the place of a request thread back, after it has ended."""
    # The deque never grows beyond its first size. A child that was forked in such a thread begins with a full one.
    _process.request_threads.append(None)


def exiting() -> bool:
    """Return whether the interpreter has begun to exit."""
    return _process.exit_began_at is not None


def in_another_threads_exit() -> bool:
    """Return whether the interpreter exits in another thread. The calling one may end at any moment, in the middle of a line."""
    return exiting() and _process.exit_thread not in {None, threading.get_ident()}


def exit_reports() -> bool:
    """Return whether the exit, in another thread, is still to report what is left."""
    return in_another_threads_exit() and not _process.exit_is_done


def threads_must_end() -> bool:
    """Return whether threads of ours must end, and no others be started.

    The subinterpreter that they are in waits for them; or the interpreter takes its modules apart, and a thread that is started then
    never comes: `Thread.start` waits for it for ever.
    """
    return _process.threads_must_end or other_threads_are_gone()


def deadline_after(timeout_seconds: float) -> float:
    """Return the time, by the monotonic clock, at which a flush or close gives up that begins now.

    While the process exits, all of them count from the beginning of the exit. So ten handlers do not wait ten times, nor do ten
    events that other exit functions log.
    """
    began_at = _process.exit_began_at
    return (monotonic() if began_at is None else began_at) + timeout_seconds


def _finish_all() -> None:
    """Finish everything within one time-out. A user who interrupts it (Ctrl-C, a second SIGTERM) does not want to wait."""
    if _process.exit_began_at is None:
        now = monotonic()
        asked_at, waited_seconds = _process.waited_before_exit
        # Long ago, it was another exit, which the program has prevented.
        _process.exit_began_at = now - waited_seconds if now - asked_at < _SOON_SECONDS else now
    _process.exit_thread, _process.exit_is_done = threading.get_ident(), False
    for _ in range(3):
        try:
            _finish_each()
        except BaseException:
            # No time is left, but what is undelivered is still counted and reported.
            _process.exit_began_at = -inf
        else:
            break
    _process.exit_is_done = True
    with suppress(Exception):  # gevent, say, has put another kind of lock there
        have_handlers_collected_without_lock()


def _finish_subinterpreter() -> None:
    """Finish everything, then have all threads end: as long as there are any, a subinterpreter cannot end."""
    _finish_all()
    _process.threads_must_end = True
    for lifecycle in _process.busy.copy():
        lifecycle.start_flush()  # wakes the thread that delivers


def _finish_each() -> None:
    # Start all before waiting for any: a handler whose endpoint is down must not use up the time of the others.
    for lifecycle in _process.busy.copy():
        lifecycle.start_flush()
    for handler in registered_handlers():
        with suppress(Exception):  # a subclass may raise; the others must be closed all the same
            handler.flush()
            handler.close()
    for lifecycle in _process.busy.copy():
        lifecycle.finish()


def interrupted() -> bool:
    """Return whether the calling thread, in a signal handler, has interrupted something that delivery needs.

    Nothing can be delivered then before the signal handler has returned.
    """
    return any(lifecycle.is_interrupted for lifecycle in _process.busy.copy())


def most_shutdown_seconds() -> float:
    """Return the longest `shutdown_timeout_seconds` of the handlers that have something to deliver."""
    return max((lifecycle.shutdown_timeout_seconds for lifecycle in _process.busy.copy()), default=0.0)


def finish_before(began_at: float) -> None:
    """Deliver what is pending, as at exit, though the process may go on. What is logged afterwards opens a handler again.

    Args:
        began_at: when the waiting began, by the monotonic clock: each handler's `shutdown_timeout_seconds` counts from there, or from
            the beginning of the exit.

    Raises:
        BaseException: what has interrupted the waiting. What is undelivered is reported all the same.
    """
    start_over_after_fork()
    if _process.exit_began_at is not None:
        began_at = min(began_at, _process.exit_began_at)
    interruption = None
    for _ in range(3):
        try:
            for lifecycle in _process.busy.copy():
                lifecycle.start_flush()
            for lifecycle in _process.busy.copy():
                lifecycle.close(began_at + lifecycle.shutdown_timeout_seconds)
            break
        except BaseException as error:
            # No time is left, but what is undelivered is still counted and reported.
            interruption, began_at = error, -inf
    if interruption is not None:
        raise interruption


def note_waited_before_exit(waited_seconds: float) -> None:
    """Note that a signal handler has waited so long for delivery, and now has the process exit: the exit has that much less time."""
    _process.waited_before_exit = (monotonic(), waited_seconds)


@contextmanager
def ending(began_at: float) -> Iterator[None]:
    """Note that the process ends, by a signal, before the block does. Where it does not, the block takes the note back."""
    process = _process
    before = process.exit_began_at
    try:
        if before is None:
            process.exit_began_at = began_at
        yield
    finally:
        process.exit_began_at = before


def _before_fork() -> None:
    _process.fork_gate.before_fork()


def _after_fork_in_parent() -> None:
    _process.fork_gate.after_fork_in_parent()


def _after_fork_in_child() -> None:
    start_over_after_fork()
    for handler in registered_handlers():
        handler._start_over_after_fork()  # noqa: SLF001  # ours, and not for users


def start_over_after_fork() -> None:
    """Begin with a new state, if this is a forked child that still has its parent's.

    A destructor or another hook may log before our hook runs, and a fork made in C runs no hooks of Python.
    """
    global _process  # noqa: PLW0603  # replaced by one store, so that a call that logs meanwhile sees the old or the new one
    before, fresh = _process, _Process()
    # Compare and store without a call in between, so that no destructor can come between.
    if _process.pid != fresh.pid:
        _process = fresh
    if before.pid != fresh.pid:
        # Also those whose handler is gone: otherwise this child would hold their locks for as long as it lives.
        for lifecycle in before.busy.copy():
            lifecycle.abandon()


# Once, whichever thread makes the first handler, and whatever interrupts it.
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
# boto3 imports this module, which cannot be imported once the main thread has ended. A program may make its first handler after that,
# or end while its delivery thread still imports boto3. So this part, which takes 2 ms, comes first.
with suppress(RuntimeError, OSError, ImportError), not_forking():  # for example, no descriptor is free
    import concurrent.futures.thread  # noqa: F401
