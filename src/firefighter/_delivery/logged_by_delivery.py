"""Finds out whether delivery itself has caused a log record. Such a record is not an event; every other one is.

botocore and urllib3 log some sixty DEBUG records in one request. As events, they would cause the next request, and so on.
A record is caused by delivery if it is of those libraries' loggers, or of a warning that they raised, and was made while its thread
made a request of ours. The thread that hands it to us does not matter: a QueueListener or a MemoryHandler may do that
later, even in a forked child. So nothing is lost that a finalizer, a signal handler or a hook logs on a thread of ours.

Where logging notes no threads (`logging.logThreads` off) nobody can tell whose record a queue hands over. It counts as an event,
but makes no batch due if any thread made a request of ours at that time.

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
    'is_of_a_library',
    'on_thread_of_ours',
    'origin_of',
    'threads_of_ours',
]

_P = ParamSpec('_P')
_T = TypeVar('_T')

# The libraries below the transport, and those that trace it, by the names of their loggers.
_LIBRARIES = (
    'botocore',
    'boto3',
    'urllib3',
    's3transfer',
    'aws_xray_sdk',
    'ddtrace',
    'opentelemetry',
    'sentry_sdk',
)
_CAPTURED_WARNINGS = 'py.warnings'
# A captured warning begins with the file that raised it.
_WARNED_BY_A_LIBRARY = re.compile(rf'[^\n]*[/\\](?:{"|".join(_LIBRARIES)})[/\\][^\n]*?:\d+: ')
# Of each thread. A record that comes later than so many requests of its thread counts as an event: a queue before us would hold
# thirty times as many records by then. 0.1 MiB.
_REQUESTS_REMEMBERED = 1000
# Ended threads that are remembered. The system gives their idents to others.
_THREADS_REMEMBERED = 64
# Two readings of the clock may be rounded differently: a float of today's time has steps of 0.24 us. A tolerance of a millisecond
# would reach into the life of the next thread with the same ident.
_ROUNDING_SECONDS = 1e-6


class Origin(enum.Enum):
    """The cause of a record."""

    PROGRAM = 'program'
    OUR_THREAD = 'our thread'
    """An event that was logged on a thread of ours: by a hook, a finalizer, a patched library; or may have been. It makes no batch
    due, so that such events cause a request once in a `send_interval` at most."""
    DELIVERY = 'delivery'
    """Caused by delivery. Not an event."""


class _Here(threading.local):
    writes_own_output = False


_here = _Here()

threads_of_ours: set[int | None] = {None}
"""The idents of all threads that are ours now or have made a request. None stands for records without a thread (`logging.logThreads` off)."""

# The process that these threads are in.
_belong_to = [getpid()]
# The threads that are in a function of ours now.
_alive: set[int] = set()
# For each thread of each process, when its newest requests began and ended, by the clock that logging uses for records.
_requests: dict[tuple[int, int], deque[list[float]]] = {}


def as_thread_of_ours(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Count the calling thread among ours while the function runs.

    A signal handler may raise at any moment. It must not leave a thread of the program's among ours: there nothing waits for
    delivery. So the outermost frame alone takes it out, and that is the first call after the function: the interpreter looks for
    no signal before it.
    """

    @wraps(function)
    def ours(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        me = threading.get_ident()
        if me in _alive:
            return function(*args, **kwargs)
        try:
            _alive.add(me)
            threads_of_ours.add(me)
            return function(*args, **kwargs)
        finally:
            _alive.discard(me)
            _forget_ended_threads(me)

    return ours


def as_request_of_ours(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Have records of the transport's libraries count as caused by delivery, in this thread while the function runs."""

    @wraps(function)
    @as_thread_of_ours
    def request(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        requests = _requests.setdefault((getpid(), threading.get_ident()), deque(maxlen=_REQUESTS_REMEMBERED))
        if requests and requests[-1][1] == inf:
            # A signal handler has interrupted a request, and logged to another handler, which delivers here.
            return function(*args, **kwargs)
        times = [time(), inf]
        try:
            requests.append(times)
            return function(*args, **kwargs)
        finally:
            times[1] = times[0]  # it has ended, even if a signal comes in the next line
            times[1] = time()

    return request


def as_own_output(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Have all records count as caused by delivery, in this thread while the function runs.

    For lines that we write to stderr, in whose place a program may have put a logger.
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
    """Return whether the calling thread is one of ours. There nothing may wait for delivery, which would wait for itself."""
    return threading.get_ident() in _alive


def origin_of(record: logging.LogRecord) -> Origin:
    """Return the origin of a record whose thread is in `threads_of_ours`."""
    me = threading.get_ident()
    maker = record.thread or me
    of_this_process = record.process in {None, getpid()}
    if of_this_process and maker == me and _here.writes_own_output:
        return Origin.DELIVERY
    if _made_a_request((record.process or getpid(), maker), record.created) and is_of_a_library(record):
        return Origin.DELIVERY
    if not of_this_process:
        return Origin.PROGRAM  # it comes through a queue
    if maker in _alive or (record.thread is None and _may_be_caused_by_delivery(record)):
        return Origin.OUR_THREAD
    return Origin.PROGRAM


def is_caused_by_delivery(record: logging.LogRecord) -> bool:
    """Return whether delivery has caused a record. One without the usual attributes (made of JSON from a socket, say) it has not."""
    try:
        return record.thread in threads_of_ours and origin_of(record) is Origin.DELIVERY
    except (AttributeError, TypeError):
        return False


def enter_in_list_of_threads() -> None:
    """Put a thread that is about to end into `threading`'s list, from which it is removed as it ends.

    A forked child inherits greenlets of gevent and eventlet, but only the forking thread is in its list: without this the end of the others
    would raise.
    """
    threading.current_thread()


def after_fork() -> None:
    """Forget all threads in a forked child, once: its only thread is the program's, even where one of our hooks has forked.

    A queue before us may still hold records of the parent's requests, so these are remembered.
    """
    if _belong_to[0] == getpid():
        return
    _belong_to[0] = getpid()
    _alive.clear()
    now = time()
    for times in _requests.values():
        for request in times:
            request[1] = min(request[1], now)
    _here.writes_own_output = False


def _made_a_request(maker: tuple[int, int], at: float) -> bool:
    """Return whether a thread of a process made a request of ours at a time. Its requests follow one another.

    The newest are looked at first: most records come at once. And what is logged after all of them, as by a thread of the program's that
    has got the ident, costs one look.
    """
    requests = _requests.get(maker)
    if not requests or at > requests[-1][1] + _ROUNDING_SECONDS:
        return False
    for began, ended in reversed(tuple(requests)):
        if at > ended + _ROUNDING_SECONDS:
            return False
        if at >= began - _ROUNDING_SECONDS:
            return True
    return False


def _may_be_caused_by_delivery(record: logging.LogRecord) -> bool:
    """Return whether any thread made a request of ours when the record was made, by whatever thread that was."""
    return is_of_a_library(record) and any(
        _made_a_request(maker, record.created) for maker in tuple(_requests)
    )


def is_of_a_library(record: logging.LogRecord) -> bool:
    """Return whether a library that makes our requests has made the record, or a warning of one was captured."""
    name = record.name
    if name == _CAPTURED_WARNINGS:
        return _WARNED_BY_A_LIBRARY.match(record.getMessage()) is not None
    return str(name).partition('.')[0] in _LIBRARIES


def _forget_ended_threads(ident: int) -> None:
    """Forget the thread that has just left, unless it has made a request, and the oldest of those that have."""
    idents = {ident}
    for maker in [*_requests][:-_THREADS_REMEMBERED]:
        if maker[1] not in _alive:
            _requests.pop(maker, None)
            idents.add(maker[1])
    threads_of_ours.difference_update(idents - {maker[1] for maker in tuple(_requests)})
    threads_of_ours.update(idents & _alive)  # one of them was given to another thread of ours just now
