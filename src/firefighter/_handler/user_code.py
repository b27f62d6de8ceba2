"""Keeps the user's own code that is called for a record, and logs one itself each time, from going on for ever."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

__all__ = ['NESTED_TOO_DEEP', 'call_for_record']

# Two, so that a signal handler or a destructor that interrupts a formatter and logs has its record formatted too. With two
# handlers whose formatters log, each call is 7 events for each of them then; without a bound it never ended.
_MOST_NESTED = 2

NESTED_TOO_DEEP = object()
"""Instead of an answer: the question is a consequence of itself."""


class _Inside(threading.local):
    questions = 0


_inside = _Inside()


def call_for_record(question: Callable[[logging.LogRecord], object], record: logging.LogRecord) -> object:
    """Return what a filter or formatter of the user's says of a record; NESTED_TOO_DEEP, unasked, inside others of its kind."""
    questions = _inside.questions
    if questions >= _MOST_NESTED:
        return NESTED_TOO_DEEP
    try:
        _inside.questions = questions + 1
        return question(record)
    finally:
        _inside.questions = questions
