"""What loguru logs, as events like those of the standard library: `logger.add(sink(handler))`."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from firefighter._event.careful_encoding import STANDARD_ATTRIBUTES, exception_fields

if TYPE_CHECKING:
    from loguru import Message, Record

__all__ = ['make_sink', 'sink']

# A traceback, also one of an exception group, begins on a line of its own in what loguru's format makes.
_find_traceback = re.compile(
    r'^[ +|]*(?:Exception Group )?Traceback \(most recent call last\):$', re.MULTILINE
).search


def sink(handler: logging.Handler) -> Callable[[Message], None]:
    """Return what to hand to loguru's `logger.add`, in place of the handler itself.

    The event has the message as it was logged, what was bound to the logger as its keys, and one exception. Given the handler
    itself, loguru hands on only the line that its `format` makes, with the time, the level and the traceback in it.

    With `enqueue=True` loguru keeps an exception's type and message, but its traceback only in that line, so the event has it from
    there, as loguru writes it: with the values of variables, unless `logger.add` has `diagnose=False`.

    Args:
        handler: a `FirehoseHandler`; or any other handler.

    Raises:
        TypeError: it is not a handler.
    """
    if not isinstance(handler, logging.Handler):
        raise TypeError(f'sink needs a handler, as in sink(FirehoseHandler({handler!r}))')
    # Unlike a function in here, it can be pickled, as `spawn` does with a logger that is handed to a child.
    return partial(_log, handler)


make_sink = sink
"""The name that it had first."""


def _log(handler: logging.Handler, message: Message) -> None:
    record = _record_of(message)
    if record.levelno >= handler.level:
        handler.handle(record)


def _record_of(message: Message) -> logging.LogRecord:
    """Return the log record of what loguru tells, which may come from another thread or process (`enqueue=True`)."""
    told: Record = message.record
    error = told['exception']
    exc_info = None if error is None else (error.type, error.value, error.traceback)
    created = told['time'].timestamp()
    attributes = {
        'name': told['name'] or '',
        'msg': told['message'],
        'levelno': told['level'].no,
        'levelname': told['level'].name,
        'pathname': told['file'].path,
        'filename': told['file'].name,
        'module': told['module'],
        'lineno': told['line'],
        'funcName': told['function'],
        'created': created,
        'msecs': created % 1 * 1000,
        'relativeCreated': told['elapsed'].total_seconds() * 1000,
        'thread': told['thread'].id,
        'threadName': told['thread'].name,
        'process': told['process'].id,
        'processName': told['process'].name,
        'exc_info': exc_info,
    }
    traceback = _text_of_traceback(message) if error is not None and error.traceback is None else None
    if traceback is not None:
        # As our QueueHandler keeps it.
        exception = exception_fields(exc_info, lambda _: traceback)
        attributes |= {'exc_info': None, 'exc_text': traceback, 'exception': exception}
    extra = dict(told['extra'])
    # What has the name of an attribute is kept under `extra`, as the formatter keeps what finds its name taken.
    taken = {name: extra.pop(name) for name in (STANDARD_ATTRIBUTES | attributes.keys()).intersection(extra)}
    if taken:
        extra['extra'] = taken | ({'extra': extra['extra']} if 'extra' in extra else {})
    return logging.makeLogRecord(attributes | extra)


def _text_of_traceback(message: Message) -> str | None:
    """Return the traceback that stands behind the message in loguru's line, None where there is none."""
    line, text = str(message), message.record['message']
    found = _find_traceback(line, max(line.find(text), 0) + len(text))
    return None if found is None else line[found.start() :].rstrip('\n')
