"""A queue before the handler that loses nothing of a record: `QueueHandler`, in place of the standard library's."""

from __future__ import annotations

import copy
import logging
import logging.handlers
from typing import Any

from firefighter._event.careful_encoding import (
    STANDARD_ATTRIBUTES,
    exception_fields,
    is_of_structlog,
    take_exception,
)
from firefighter._event.encoder import orjson
from firefighter._event.json_values import encode_value, text

__all__ = ['QueueHandler']

_FORMATTER = logging.Formatter()


class QueueHandler(logging.handlers.QueueHandler):
    """Put records into a queue so that the handlers of its listener log what they would have logged without it.

    The standard library's makes text of the message and of the exception, so that the record can be pickled and nothing in it
    changes: a dict message becomes its `repr`, with the traceback in it. This one takes the values instead: what the event would
    hold of a dict message, of its arguments and of what came as `extra`. Of an exception it keeps type, message and traceback.
    Other handlers of the listener format such a record as usual.

    It takes the arguments of `logging.handlers.QueueHandler`, and goes wherever that one does (`class` in dictConfig, with its
    `listener`). A formatter that is set on it is not used, but for its `formatException`.
    """

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return a copy of the record that can be pickled and refers to nothing that the program may change.

        The message is a dict or a string. `args` are merged into it, unless they do not fit. `exc_info` is None, and its text is
        in `exc_text`.
        """
        prepared = copy.copy(record)
        attributes = vars(prepared)
        exc_info: Any = record.exc_info
        message: Any = record.msg
        if issubclass(type(message), dict):
            message = dict(dict.items(message))
            if is_of_structlog(attributes):
                exc_info = take_exception(message) or exc_info
            prepared.msg, prepared.args = _copied(message), _copied_args(record.args)
        else:
            try:
                prepared.msg, prepared.args = text(record.getMessage()), None
            except (
                Exception
            ):  # The arguments do not fit. Who formats the record finds that out again, and reports it.
                prepared.msg, prepared.args = text(record.msg), _copied_args(record.args)
        for name in attributes.keys() - STANDARD_ATTRIBUTES:
            attributes[name] = _copied(attributes[name])
        fields = exception_fields(exc_info, (self.formatter or _FORMATTER).formatException)
        prepared.exc_info = None
        if fields is not None:
            prepared.exc_text = str(fields['traceback'])
            attributes.setdefault('exception', fields)
        return prepared


def _copied_args(args: Any) -> Any:
    return tuple(map(_copied, args)) if issubclass(type(args), tuple) else _copied(args)


def _copied(value: object) -> Any:
    """Return what the event would hold of a value."""
    return orjson.loads(orjson.dumps(encode_value(value)))
