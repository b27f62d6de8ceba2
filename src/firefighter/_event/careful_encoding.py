"""Build the event of an unusual record step by step, with every step guarded.

Unusual is what `JSONFormatter.encode` has no quick way for: exceptions and stacks, subclasses of LogRecord,
messages that are neither a string nor a dict, broken arguments, names that collide, values that the encoder
refuses. Nothing of the record is lost and nothing in it is changed: what finds its name taken is kept in the
event under `extra`.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from firefighter._event.encoder import orjson
from firefighter._event.json_values import encode_event, free_name, text, type_name, unprintable
from firefighter._event.timestamp import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

#: Attributes that records of this Python have by themselves.
OWN_ATTRIBUTES = tuple(vars(logging.LogRecord('', 0, '', 0, '', None, None)))

#: What others leave on a record: the formatters of other handlers (logging refuses these two as `extra`), and uvicorn, whose
#: `color_message` is the message with escape sequences.
LEFT_BEHIND = frozenset({'message', 'asctime', 'color_message'})

#: All others came as `extra`.
STANDARD_ATTRIBUTES = LEFT_BEHIND.union(OWN_ATTRIBUTES)

# What `structlog.stdlib.ProcessorFormatter.wrap_for_formatter` adds to a record whose message is structlog's dict.
_STRUCTLOG_LOGGER, _STRUCTLOG_METHOD = '_logger', '_name'

# What `sys.exc_info()` returns, and `logger.exception()` records, where no exception is handled.
_NO_EXCEPTION = (None, None, None)

#: What is left to say when nothing works, not even a function call: at the recursion limit, out of memory.
LAST_LINE = b'{"message":"<unprintable event>"}\n'


class Plan(NamedTuple):
    """What a formatter's options say about the event."""

    constants: Mapping[str, object]  # of `fields` and of `include`
    origins: tuple[
        tuple[str, Callable[[Any], object]], ...
    ]  # of `include`: name, and how to get it from a record
    protect_fields: bool
    format_exception: Callable[[Any], str]
    format_stack: Callable[[str], str]
    read_context: Callable[
        [dict[Any, object]], Iterable[tuple[str, object]]
    ]  # what else to add to an event, which has all but its exception
    redact: Callable[[bytes], bytes] | None  # hides in a line what is not to be seen; None: nothing


class _Event:
    """An event in the making: what is there is never lost."""

    def __init__(self, **first: object) -> None:
        self.fields: dict[Any, object] = first
        self._displaced: dict[Any, object] = {}

    def displace(self, name: Any, value: object) -> None:
        """Keep what cannot have its own name in the event."""
        self._displaced[free_name(name, self._displaced)] = value

    def add(self, name: Any, value: object) -> None:
        """Add a field that must leave alone what is there."""
        if name in self.fields:
            self.displace(name, value)
        else:
            self.fields[name] = value

    def claim(self, name: str, value: object) -> None:
        """Add a field of the event's own, which nothing may replace."""
        if name in self.fields:
            self.displace(name, self.fields.pop(name))
        self.fields[name] = value

    def finished(self) -> dict[Any, object]:
        if self._displaced:
            self.claim('extra', self._displaced)
        return self.fields


def encode_carefully(record: logging.LogRecord, plan: Plan) -> bytes:
    """Return the record's line, whatever the record holds."""
    line = encode_event(_build(record, plan))
    return line if plan.redact is None else plan.redact(line)


def encode_last(record: logging.LogRecord, error: Exception, plan: Plan) -> bytes:
    """Return the shortest line that still says something, for a record whose event could not be built."""
    event = {
        'timestamp': timestamp(time.time()),
        'level': text(_read(record, 'levelname')),
        'logger': text(_read(record, 'name')),
        'message': text(_read(record, 'msg')),
        'format_error': type_name(type(error)),
    }
    line = orjson.dumps(event, None, orjson.OPT_APPEND_NEWLINE)
    return line if plan.redact is None else plan.redact(line)


def _build(record: logging.LogRecord, plan: Plan) -> dict[Any, object]:
    event = _Event(
        timestamp=None, level=_read(record, 'levelname'), logger=_read(record, 'name'), message=None
    )
    _add_timestamp(event, _read(record, 'created'))
    event.fields.update(plan.constants)
    for name, origin in plan.origins:
        event.fields[name] = _guarded(origin, record)
    attributes, exc_info = _attributes(record), _read(record, 'exc_info')
    if is_of_structlog(attributes) and issubclass(type(_read(record, 'msg')), dict):
        del attributes[_STRUCTLOG_LOGGER], attributes[_STRUCTLOG_METHOD]
        named = _add_structlog(event, _read(record, 'msg'), plan)
        exc_info = named if _is_true(named) else exc_info
    else:
        _add_message(event, record, plan)
    for name, value in attributes.items():
        if name not in STANDARD_ATTRIBUTES:
            event.add(name, value)
    for name, value in plan.read_context(event.fields):
        event.add(name, value)
    _add_exception(event, exc_info, _read(record, 'exc_text'), plan)
    stack = _read(record, 'stack_info')
    if _is_true(stack):
        event.claim('stack', _guarded(plan.format_stack, stack))
    return event.finished()


def _add_timestamp(event: _Event, created: Any) -> None:
    try:
        event.fields['timestamp'] = timestamp(created)
    except Exception:  # No time at all, or none that a calendar has: now is near enough.
        event.fields['timestamp'] = timestamp(time.time())
        event.displace('created', created)


def _add_message(event: _Event, record: logging.LogRecord, plan: Plan) -> None:
    message, args = _read(record, 'msg'), _read(record, 'args')
    if issubclass(type(message), dict):
        own = {'data': message} if plan.protect_fields else dict(dict.items(message))
        event.fields.update(own)
        if 'message' not in own:
            del event.fields['message']
        if _is_true(args):
            event.add('args', args)
        return
    try:
        event.fields['message'] = text(record.getMessage())
    except Exception as error:  # Arguments that do not fit, a `__str__` that raises.
        event.fields['message'] = text(message)
        if _is_true(args):
            event.fields['args'] = args
        event.fields['format_error'] = f'{type_name(type(error))}: {text(error)}'


def is_of_structlog(names: Container[Any]) -> bool:
    """Return whether a record with these attributes has structlog's dict as its message."""
    return _STRUCTLOG_LOGGER in names and _STRUCTLOG_METHOD in names


def _add_structlog(event: _Event, message: Any, plan: Plan) -> object:
    """Add what structlog has put together, by the names that it has everywhere else; return the exception that it names."""
    fields = dict(dict.items(message))
    exc_info = take_exception(fields)
    # Of the same level as the record, but in lower case.
    if text(fields.get('level')).upper() == event.fields['level']:
        del fields['level']
    if 'event' in fields:
        event.fields['message'] = text(fields.pop('event'))
        if 'message' in fields:
            event.displace('message', fields.pop('message'))
    else:
        del event.fields['message']
    if type(fields.get('exception')) is str:
        fields['exception'] = {'traceback': fields['exception']}
    event.fields.update({'data': fields} if plan.protect_fields else fields)
    return exc_info


def take_exception(fields: dict[Any, object]) -> object:
    """Take the exception out of what structlog has put together, and return it; something false where there is none.

    `True` leaves it to who formats the record, where the exception is handled. After a queue there is none any more.
    """
    exc_info = fields.pop('exc_info', None)
    return sys.exc_info()[1] if exc_info is True else exc_info


def _add_exception(event: _Event, exc_info: Any, exc_text: object, plan: Plan) -> None:
    if type(exc_info) is tuple and exc_info == _NO_EXCEPTION:
        return
    fields = exception_fields(exc_info, plan.format_exception)
    if fields is None and _is_true(exc_info):
        event.displace('exc_info', exc_info)
    elif fields is None and _is_true(exc_text):
        # The traceback has been made text by another handler, to cross a queue or a socket.
        fields = {'traceback': exc_text}
    if fields is None:
        return
    known = event.fields.get('exception')
    if type(known) is dict and known.get('traceback') == fields['traceback']:
        # structlog has rendered the same exception, or our QueueHandler has kept more than its text.
        event.fields['exception'] = max(known, fields, key=len)
    else:
        event.claim('exception', fields)


def exception_fields(exc_info: Any, format_exception: Callable[[Any], str]) -> dict[str, object] | None:
    """Return an exception as the event has it: `type`, `message` and `traceback`; None where `exc_info` is not one."""
    if issubclass(type(exc_info), BaseException):
        exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
    if type(exc_info) is not tuple or len(exc_info) != len(_NO_EXCEPTION) or exc_info == _NO_EXCEPTION:
        return None
    kind, error, _ = exc_info
    return {
        'type': type_name(kind if issubclass(type(kind), type) else type(error)),
        'message': '' if error is None else text(error),
        'traceback': _guarded(format_exception, exc_info),
    }


def _read(record: logging.LogRecord, name: str) -> Any:
    try:
        return getattr(record, name)
    except Exception:  # A filter has deleted it, or it is a property that raises.
        return None


def _attributes(record: logging.LogRecord) -> dict[Any, object]:
    try:
        return dict(dict.items(record.__dict__))
    except Exception:  # Not a real record, but something that stands in for one.
        return {}


def _guarded(function: Callable[[Any], object], argument: Any) -> object:
    try:
        return function(argument)
    except Exception as error:
        return unprintable(argument, error)


def _is_true(value: object) -> bool:
    try:
        return bool(value)
    except Exception:  # Not nothing, at any rate.
        return True
