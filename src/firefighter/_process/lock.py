"""Hold a lock so that no exception leaves it taken, whenever the exception comes.

A signal handler may raise at almost any moment of the thread that it interrupts. `with lock:` does not survive that on CPython
3.14: the interpreter looks for signals between the call that takes the lock and the block, and then the lock stays taken for
ever. On every version it is safe to take the lock inside the `try` that releases it.

The lock is an RLock of `_thread`, so that taking it is a single call into C. (gevent and eventlet replace `threading.RLock` by a
class in Python, which can be interrupted half taken.) A signal handler or a destructor that interrupts the owner may take the lock
again; only the outermost frame releases it.

At the end of the process no lock waits for a thread that the interpreter has ended: see `outliving_threads`.

Beside it, what concerns logging's locks: its own, which dictConfig holds while it configures logging and a fork waits for (who holds it, and
how the exit does without it), and those of its handlers.
"""

from __future__ import annotations

import _thread
import logging
import sys
import weakref
from collections.abc import Callable, Collection
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast

__all__ = [
    'HasLock',
    'have_handlers_collected_without_lock',
    'holds_lock_of_handler',
    'holds_logging_lock',
    'locked',
    'make_lock',
    'other_threads_are_gone',
    'outliving_threads',
    'run_if_free',
    'run_locked',
]

# logging holds its lock for microseconds; a program that loads a configuration under it takes longer.
_LOGGING_SECONDS = 1.0

P = ParamSpec('P')
R = TypeVar('R')


class HasLock(Protocol):
    """An object with methods that are `locked`."""

    _lock: _thread.RLock


Owner = TypeVar('Owner', bound=HasLock)


def make_lock() -> _thread.RLock:
    """Return a lock for `locked`."""
    return _thread.RLock()


def run_locked(lock: _thread.RLock, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call the function with the lock held, and return what it returns.

    Where this thread holds the lock already, the function is just called: an outer frame releases the lock. Otherwise this is the
    outermost frame. So after any exception the lock must be released if this thread holds it, and releasing it is the way to find
    out whether it does. The interpreter looks for no signal between the exception and that call, so a second signal finds the
    lock free.
    """
    if lock._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001  # no public way to ask
        return function(*args, **kwargs)
    try:
        lock.acquire()
        result = function(*args, **kwargs)
        lock.release()
    except BaseException:
        try:  # noqa: SIM105  # a call of `suppress` would let a signal in
            lock.release()
        except RuntimeError:  # not taken yet, or released already
            pass
        raise
    return result


def other_threads_are_gone() -> bool:
    """Return whether the interpreter takes its modules apart: then no thread runs but the calling one, which a destructor has called."""
    return sys.is_finalizing()


def outliving_threads(lock: _thread.RLock) -> _thread.RLock:
    """Return the lock in a form for the end of the process: when other threads are gone, it waits for none of them.

    Daemon threads end wherever they are when the interpreter takes its modules apart, and some do with a lock held. A destructor that
    logs then, in the one thread that is left, would wait for ever. It is a call of Python, so only the end of the process gets it.
    """
    outlives: object = lock  # to a type checker it is no lock of ours, which only looks like one
    return lock if isinstance(outlives, _OutlivingThreads) else cast('_thread.RLock', _OutlivingThreads(lock))


class _OutlivingThreads:
    def __init__(self, lock: _thread.RLock) -> None:
        self._lock = lock

    def acquire(self, *, blocking: bool = True) -> bool:
        if not (blocking and other_threads_are_gone()):
            return self._lock.acquire(blocking)
        if not self._lock.acquire(blocking=False):
            self._lock = make_lock()
            self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()

    def _is_owned(self) -> bool:
        return self._lock._is_owned()  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001  # no public way to ask


def run_if_free(lock: _thread.RLock, function: Callable[[], object]) -> bool:
    """Call the function with the lock held, unless another thread holds the lock now; return whether it was called."""
    try:
        free = lock.acquire(blocking=False)
        if free:
            function()
            lock.release()
    except BaseException:
        try:  # noqa: SIM105  # as above
            lock.release()
        except RuntimeError:
            pass
        raise
    return free


def locked(method: Callable[Concatenate[Owner, P], R]) -> Callable[Concatenate[Owner, P], R]:
    """Make a method that runs with the `_lock` of its object held."""

    @wraps(method)
    def with_lock(self: Owner, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return run_locked(self._lock, method, self, *args, **kwargs)

    return with_lock


def holds_logging_lock() -> bool:
    """Return whether the calling thread holds it, as dictConfig does while it closes and makes handlers."""
    # It has no public name, and the same private one in all versions that we support.
    lock = getattr(logging, '_lock', None)
    return lock is not None and lock._is_owned()  # noqa: SLF001


def holds_lock_of_handler(but: Callable[[], Collection[object]] = tuple) -> bool:
    """Return whether the calling thread holds the lock of a handler, other than those that `but` returns: that handler has called us."""
    for reference in tuple(getattr(logging, '_handlerList', ())):
        handler = reference()
        is_owned = getattr(getattr(handler, 'lock', None), '_is_owned', None)
        if is_owned is not None and is_owned() and handler not in but():
            return True
    return False


def have_handlers_collected_without_lock() -> None:
    """Have no handler of this process wait for logging's lock any more when it is collected. For the exit.

    logging takes its lock to strike a collected handler off its list. When the interpreter ends, daemon threads stop wherever they are.
    One that makes loggers (ours does, as long as it imports boto3) may stop with the lock held, and the interpreter, which
    collects the handlers after that, would wait for ever.
    """
    lock, handlers = getattr(logging, '_lock', None), getattr(logging, '_handlerList', None)
    if lock is None or handlers is None or not lock.acquire(timeout=_LOGGING_SECONDS):
        return
    try:
        living = [handler for reference in handlers if (handler := reference()) is not None]
        handlers[:] = map(weakref.ref, living)
    finally:
        lock.release()
