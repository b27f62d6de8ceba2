"""Calls the user's filters and formatters, and ends the recursion where these log records themselves."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

__all__ = ['NESTED_TOO_DEEP', 'call_for_record', 'report_held_back']

# Two, so that the record of a signal handler or a destructor that interrupts a formatter is formatted, too. With two handlers
# whose formatters log, one call makes 7 events for each of them; without a bound it would never end.
_MOST_NESTED = 2

NESTED_TOO_DEEP = object()
"""Returned instead of a result: the call comes from within two others."""


class _Inside(threading.local):
    calls = 0


_inside = _Inside()


def call_for_record(function: Callable[[logging.LogRecord], object], record: logging.LogRecord) -> object:
    """Call a filter or formatter of the user's for a record; return its result, or NESTED_TOO_DEEP without calling it."""
    calls = _inside.calls
    if calls >= _MOST_NESTED:
        return NESTED_TOO_DEEP
    try:
        _inside.calls = calls + 1
        return function(record)
    finally:
        _inside.calls = calls


def report_held_back(handler: logging.Handler) -> None:
    """Have each LimitFilter of a handler that is being closed log how many events it has held back."""
    for each in handler.filters[:]:
        if hasattr(each, 'report_held_back'):
            with suppress(Exception):  # another handler, which the report goes to as well
                each.report_held_back()
