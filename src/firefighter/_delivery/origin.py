"""Where a record comes from: what delivery itself causes must feed nothing, all else that is logged is an event.

botocore and urllib3 log some sixty DEBUG records in one request. Each would make the next request necessary. They are told by
their origin, not by the thread that hands them to us: a record of those libraries' loggers, or of a warning that they
raised, which was made while its own thread made a request of ours. So it is told also when it comes late, by a
QueueListener or a MemoryHandler; and a finalizer, a signal handler or a hook that logs on a thread of ours loses nothing.

The common case costs one look into a set: `record.thread in threads_of_ours`.
"""

from __future__ import annotations

import enum
import logging
import re
import threading
from collections import deque
from collections.abc import Callable
from functools import wraps
from math import inf
from os import getpid
from time import time
from typing import ParamSpec, TypeVar

__all__ = [
    'Origin',
    'after_fork',
    'as_own_output',
    'as_request_of_ours',
    'as_thread_of_ours',
    'enter_in_list_of_threads',
    'is_caused_by_delivery',
    'on_thread_of_ours',
    'origin_of',
    'threads_of_ours',
]

_P = ParamSpec('_P')
_T = TypeVar('_T')

# What the transport stands on, by the names of their loggers.
_LIBRARIES = ('botocore', 'boto3', 'urllib3', 's3transfer')
_CAPTURED_WARNINGS = 'py.warnings'
# A captured warning begins with the file that raised it.
_WARNED_BY_A_LIBRARY = re.compile(rf'[^\n]*[/\\](?:{"|".join(_LIBRARIES)})[/\\][^\n]*?:\d+: ')
# A record that comes later than so many requests of its thread is an event. A queue before us is never so long.
_REQUESTS_REMEMBERED = 64
# Threads that ended are forgotten beyond so many: the system gives their idents to others.
_THREADS_REMEMBERED = 64
# Two readings of the clock may be rounded differently: a float of today's time has steps of 0.24 us. A millisecond would
# reach into the life of the next thread with the same number.
_ROUNDING_SECONDS = 1e-6


class Origin(enum.Enum):
    """What has caused a record."""

    PROGRAM = 'program'
    OUR_THREAD = 'our thread'
    """An event, logged on a thread of ours: by a hook, a finalizer, a library that is patched. It makes no batch due, so that
    nothing feeds itself faster than `send_interval`."""
    DELIVERY = 'delivery'
    """What delivery causes. No event."""


class _Here(threading.local):
    writes_own_output = False


_here = _Here()

threads_of_ours: set[int | None] = {None}
"""The idents of all threads that have made a request, or are ours now. None: `logging.logThreads` is off."""

# The process whose threads they are.
_belong_to = [getpid()]
# How often each is entered just now.
_alive: dict[int, int] = {}
# Of each thread, when its newest requests began and ended, by the clock that logging uses for records.
_requests: dict[int, deque[list[float]]] = {}


def as_thread_of_ours(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Take the calling thread for ours while the function runs."""

    @wraps(function)
    def ours(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        me = threading.get_ident()
        try:
            _alive[me] = _alive.get(me, 0) + 1
            threads_of_ours.add(me)
            return function(*args, **kwargs)
        finally:
            _leave(me)

    return ours


def as_request_of_ours(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Have what the transport's libraries log in this thread while the function runs be caused by delivery."""

    @wraps(function)
    @as_thread_of_ours
    def request(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        times = [time(), inf]
        try:
            _requests.setdefault(threading.get_ident(), deque(maxlen=_REQUESTS_REMEMBERED)).append(times)
            return function(*args, **kwargs)
        finally:
            times[1] = time()

    return request


def as_own_output(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Have whatever comes back to this thread's logging while the function runs be caused by delivery.

    For what is written to stderr: a program may have put a logger in its place.
    """

    @wraps(function)
    @as_thread_of_ours
    def speak(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        before = _here.writes_own_output
        try:
            _here.writes_own_output = True
            return function(*args, **kwargs)
        finally:
            _here.writes_own_output = before

    return speak


def on_thread_of_ours() -> bool:
    """Return whether the calling thread delivers: whoever waited there for delivery would wait for itself."""
    return threading.get_ident() in _alive


def origin_of(record: logging.LogRecord) -> Origin:
    """Return what has caused a record whose thread is in `threads_of_ours`."""
    if record.process not in {None, getpid()}:
        return Origin.PROGRAM  # of another process, by a queue
    me = threading.get_ident()
    maker = record.thread or me
    if maker == me and _here.writes_own_output:
        return Origin.DELIVERY
    if _made_a_request(maker, record.created) and _is_of_a_library(record):
        return Origin.DELIVERY
    return Origin.OUR_THREAD if maker in _alive else Origin.PROGRAM


def is_caused_by_delivery(record: logging.LogRecord) -> bool:
    """Return whether delivery has caused a record; one that was made of anything (JSON from a socket, say) has none of ours."""
    try:
        return record.thread in threads_of_ours and origin_of(record) is Origin.DELIVERY
    except (AttributeError, TypeError):
        return False


def enter_in_list_of_threads() -> None:
    """Have a thread that is about to end be in the list that it is taken from as it ends.

    A greenlet of gevent's or eventlet's is inherited by a forked child, where that list has the forking thread alone.
    """
    threading.current_thread()


def after_fork() -> None:
    """Begin anew in a forked child, once: its one thread is the program's, even where a hook of ours has forked."""
    if _belong_to[0] == getpid():
        return
    _belong_to[0] = getpid()
    _alive.clear()
    _requests.clear()
    threads_of_ours.intersection_update({None})
    _here.writes_own_output = False


def _made_a_request(thread: int, at: float) -> bool:
    times = tuple(_requests.get(thread, ()))
    return any(began - _ROUNDING_SECONDS <= at <= ended + _ROUNDING_SECONDS for began, ended in times)


def _is_of_a_library(record: logging.LogRecord) -> bool:
    name = record.name
    if name == _CAPTURED_WARNINGS:
        return _WARNED_BY_A_LIBRARY.match(record.getMessage()) is not None
    return str(name).partition('.')[0] in _LIBRARIES


def _leave(ident: int) -> None:
    entered = _alive.get(ident, 0) - 1
    if entered > 0:
        _alive[ident] = entered
        return
    _alive.pop(ident, None)
    for other in [*_requests][:-_THREADS_REMEMBERED]:
        if other not in _alive:
            _requests.pop(other, None)
            threads_of_ours.discard(other)
    if ident not in _requests:
        threads_of_ours.discard(ident)
