"""What loguru logs, as events like those of the standard library: `logger.add(make_sink(handler))`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from firefighter._event.careful_encoding import STANDARD_ATTRIBUTES

if TYPE_CHECKING:
    from loguru import Message, Record

__all__ = ['make_sink']


def make_sink(handler: logging.Handler) -> Callable[[Message], None]:
    """Return what to hand to loguru's `logger.add`, in place of the handler itself.

    The event has the message as it was logged, what was bound to the logger as its keys, and one exception. Given the handler
    itself, loguru hands on only the line that its `format` makes, with the time, the level and the traceback in it.

    Args:
        handler: a `FirehoseHandler`; or any other handler.

    Raises:
        TypeError: it is not a handler.
    """
    if not isinstance(handler, logging.Handler):
        raise TypeError(f'make_sink needs a handler, as in make_sink(FirehoseHandler({handler!r}))')

    def log(message: Message) -> None:
        record = _record_of(message.record)
        if record.levelno >= handler.level:
            handler.handle(record)

    return log


def _record_of(told: Record) -> logging.LogRecord:
    """Return the log record of what loguru tells, which may come from another thread or process (`enqueue=True`)."""
    error = told['exception']
    exc_info = None if error is None else (error.type, error.value, error.traceback)
    created = told['time'].timestamp()
    extra = dict(told['extra'])
    # What has the name of an attribute is kept under `extra`, as the formatter keeps what finds its name taken.
    taken = {name: extra.pop(name) for name in STANDARD_ATTRIBUTES.intersection(extra)}
    if taken:
        extra['extra'] = taken | ({'extra': extra['extra']} if 'extra' in extra else {})
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
    return logging.makeLogRecord(attributes | extra)
