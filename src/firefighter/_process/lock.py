"""Holding a lock so that no exception, whenever it comes, leaves it taken.

A signal handler may raise at almost any moment of the thread that it interrupts. `with lock:` is not proof against that
on CPython 3.14: there the interpreter looks for signals between the call that takes the lock and the block, and the lock stays
taken for ever. What holds on every version is to take the lock inside the `try` that gives it back.

The lock is an RLock of `_thread`, whose calls are single calls into C. (gevent and eventlet replace
`threading.RLock` by one in Python, which can be interrupted half taken.) The thread that holds it may come again, in a signal handler or a destructor
that has interrupted it; the frame below then keeps the lock.
"""

from __future__ import annotations

import _thread
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

__all__ = ['HasLock', 'locked', 'make_lock', 'run_if_free', 'run_locked']

P = ParamSpec('P')
R = TypeVar('R')


class HasLock(Protocol):
    """What has a method that is `locked`."""

    _lock: _thread.RLock


Owner = TypeVar('Owner', bound=HasLock)


def make_lock() -> _thread.RLock:
    """Return a lock for `locked`."""
    return _thread.RLock()


def run_locked(lock: _thread.RLock, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call the function with the lock held, and return what it returns.

    Where this thread holds the lock already, the function is just called: the frame below gives the lock back. Otherwise we are the
    outermost frame that wants it. So whatever is raised, and wherever, the lock has to be given back if it is this thread's; and to
    find out, giving it back is tried. Between that call and the exception that comes before it, the interpreter looks for
    no signal: a second one finds the lock free.
    """
    if lock._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001  # no public way to ask
        return function(*args, **kwargs)
    try:
        lock.acquire()
        result = function(*args, **kwargs)
        lock.release()
    except BaseException:
        try:  # noqa: SIM105  # before a call of `suppress` there could be a signal
            lock.release()
        except RuntimeError:  # it was not taken yet, or is given back already
            pass
        raise
    return result


def run_if_free(lock: _thread.RLock, function: Callable[[], object]) -> bool:
    """Call the function with the lock held, unless another thread holds it just now; return whether it was called."""
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
    """Have a method run with the `_lock` of its object held."""

    @wraps(method)
    def with_lock(self: Owner, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return run_locked(self._lock, method, self, *args, **kwargs)

    return with_lock
