"""Marks what runs inside delivery, so that nothing logged there becomes an event.

botocore and urllib3 log some sixty DEBUG records in one request. Each would make the next request necessary. The mark
is on the thread, and for all handlers of the process: two handlers that deliver each other's records would go on
for ever just as well.

Nor does the user's own code go on for ever that is called for a record, and logs one itself each time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

__all__ = ['TOO_DEEP', 'ask', 'delivering', 'inside_delivery', 'reset']

# Two, so that a signal handler or a destructor that interrupts a formatter and logs has its record formatted too. With two
# handlers whose formatters log, each call is 7 events for each of them then; without a bound it never ended.
_MOST_NESTED = 2

TOO_DEEP = object()
"""Instead of an answer: the question is a consequence of itself."""


_P = ParamSpec('_P')
_T = TypeVar('_T')


class _Inside(threading.local):
    delivery = False
    questions = 0


inside_delivery = _Inside()


def reset() -> None:
    """Clear the mark of the calling thread: a child forked inside delivery is not inside its own."""
    inside_delivery.delivery = False


def delivering(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Mark the calling thread as delivering while the function runs.

    No context manager: an exception thrown into the thread (KeyboardInterrupt) may end the entering or the leaving of one
    half done, and a thread whose mark stays logs nothing any more. Here no call comes between the mark and its `try`.
    """

    @wraps(function)
    def marked(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        before = inside_delivery.delivery
        try:
            inside_delivery.delivery = True
            return function(*args, **kwargs)
        finally:
            inside_delivery.delivery = before

    return marked


def ask(question: Callable[[logging.LogRecord], object], record: logging.LogRecord) -> object:
    """Return what a filter or formatter of the user's says of a record; TOO_DEEP, unasked, inside others of its kind."""
    questions = inside_delivery.questions
    if questions >= _MOST_NESTED:
        return TOO_DEEP
    try:
        inside_delivery.questions = questions + 1
        return question(record)
    finally:
        inside_delivery.questions = questions
