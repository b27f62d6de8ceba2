"""A LogRecord becomes one line of JSON.

`JSONFormatter.encode` is what an application pays for each logging call, so it has two ways. The quick one is
for the record as nearly all are: a string or a dict as message, and no exception. It is one dict and one call
of the encoder; each trick in it has its figure beside it (from `python -m benchmarks.formatter`). Whatever is
unusual, and whatever raises, goes the careful way (`firefighter._event.careful_encoding`), where each step is guarded by
itself. No lock is held anywhere, so that a `__str__`, a destructor or a signal handler may log in the middle
of it.
"""

from __future__ import annotations

import difflib
import logging
import math
import re
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from math import floor
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

from firefighter._event.careful_encoding import (
    LAST_LINE,
    LEFT_BEHIND,
    OWN_ATTRIBUTES,
    STANDARD_ATTRIBUTES,
    Plan,
    encode_carefully,
    encode_last,
    is_of_structlog,
)
from firefighter._event.distinct_keys import separate_keys
from firefighter._event.encoder import orjson
from firefighter._event.json_values import LINE_OPTIONS, PLAIN, encode_event, encode_value, key_text
from firefighter._event.timestamp import THREE_DIGITS, THREE_DIGITS_Z, second_of
from firefighter._process.exit_and_forks import not_forking

if TYPE_CHECKING:
    from firefighter._event.layouts import LayoutName
    from firefighter._event.redaction import Redaction

# Bound once: a global is looked up faster than an attribute of a module.
_dumps = orjson.dumps
_LogRecord = logging.LogRecord

_Dumps = Callable[[Any, None, int], bytes]

_OWN_COUNT = len(OWN_ATTRIBUTES)
_LAST_OWN = OWN_ATTRIBUTES[-1]

_source = attrgetter('pathname', 'lineno', 'funcName')

_ORIGINS: dict[str, Callable[[Any], object]] = {
    'pid': attrgetter('process'),
    'process': attrgetter('processName'),
    'thread': attrgetter('threadName'),
    'source': lambda record: dict(zip(('file', 'line', 'function'), _source(record), strict=True)),
}
_INCLUDABLE = ('host', *_ORIGINS)

_RESERVED = frozenset(
    {
        'timestamp',
        'level',
        'logger',
        'message',
        'args',
        'format_error',
        'extra',
        'exception',
        'stack',
    }
)


class JSONFormatter(logging.Formatter):
    r"""Format a record as one line of JSON.

    The event has these keys, in this order:

    | key | value |
    |---|---|
    | `timestamp` | UTC, ISO 8601, six digits of microseconds, `Z` |
    | `level`, `logger` | the name of the level, the name of the logger |
    | `message` | the message with its arguments; if it is neither a string nor a dict, its `str` |
    | `fields`, then `include` | the keys that these two options add |
    | the keys of a dict message | they replace the keys above, which are only defaults |
    | the attributes passed as `extra` | they replace nothing; the last one passed comes first |
    | what `context` adds | it replaces nothing |
    | `exception` | if the record has one: `type` (with its module, except for built-ins), `message`, `traceback` |
    | `stack` | if the record has `stack_info` |
    | `redacted` | how many values `redact` has hidden in it, if any |

    If you log a dict without a `message` key, the event has none. Its `level` or `timestamp` overrides the
    record's, unless `protect_fields=True`. Apart from that, no value that a program passes is lost, and
    nothing can make the event get lost:

    * A key or attribute whose name is taken is kept under `extra`: `{"extra": {"level": ...}}`. One that is
      itself called `extra` stays in place. If something else has to be kept under `extra`, it moves inside:
      `{"extra": {"extra": ..., ...}}`. What `context` would add a second time, with the same value, is left out.
    * Left out is only what others leave on a record: `message` and `asctime` of other formatters, which logging
      itself refuses as `extra`, uvicorn's `color_message`, and what `leave_out` names.
    * A dict of structlog (`structlog.stdlib.ProcessorFormatter.wrap_for_formatter`) becomes an event as others are:
      its `event` is the `message`, its `level` that of the record, and its `exc_info` the `exception`. What
      else is in it are keys of a dict message.
    * `exception` and `stack` of the record cannot be replaced. Your own values of these names are then kept
      under `extra`.
    * If the arguments do not fit the message, the message stays as written, the arguments are kept under
      `args`, and `format_error` gives the reason. Arguments to a dict message are kept under `args` as well,
      without an error.
    * If a record has the text of a traceback but no traceback (it came through a queue or a socket), the
      event has `{"exception": {"traceback": ...}}`. An `exc_info` that is not an exception is kept under
      `extra`.
    * A `created` that is not a time is kept under `extra`. `timestamp` is then the time of formatting.
    * Values without a JSON equivalent are replaced one by one. NaN and infinities become null, integers
      beyond 64 bits with a sign (from 2^63 on) a string of their digits (hexadecimal above 640), bytes their text, sets lists, mappings objects, other objects
      their `str`. Aware times are written with their offset or `Z`; naive ones without. The full table is in
      `firefighter._event.json_values`.
    * An event holds at most 100,000 values, 16 Mi characters of texts in containers, and containers within 100 others. Beyond
      that a text says what is missing: `"<the first 100000 of 150000>"`, `"...<the first 24 of 3000 characters>"`, `"<list within 100
      others>"`. What is referred to twice counts twice.
    * Values of numpy and pandas are what they stand for: numbers, lists, null for NaT and NA, times with their
      nanoseconds (but a Series, DataFrame, Index or Period is its `str`). Of an array of more than 1,000 values there are the first ones and then a text with its
      length: `[0, 1, ..., "<the first 1000 of 2000>"]`.
    * Dataclasses, objects of attrs and models of pydantic are objects with the fields that their `repr` shows:
      none with `repr=False`, and a `SecretStr` as asterisks. Where you have written a `__str__` or `__repr__`
      for such a class, its objects are that text, which may be there to hide something.

    The record and the caller's objects are never changed, and `encode` and `format` raise no Exception. A
    subclass may replace `formatException` and `formatStack`.

    Args:
        fields: constants for each event, like `{'service': 'api'}`. They are encoded here, once: changing the
            mapping later has no effect. The event's own names cannot be
            used: those in the table, the names in `include`, `args`, `format_error`, `extra`, and with
            `protect_fields` also `data`; `redacted` only with `redact`.
        include: where the event comes from: any of `'host'`, `'pid'`, `'process'` (its name), `'thread'` (its
            name) and `'source'` (file, line and function).
        protect_fields: put a dict message as a whole under `data`. For programs that log what clients send:
            otherwise a client could choose the event's level, logger and timestamp.
        leave_out: names of attributes that are not written, such as those that a framework adds to each record.
        ignore_case: take keys that differ in case alone for one name, which is taken for the second: `userid` is kept
            under `extra` where there is a `userId`, and in an object within the event it becomes `userid_1`. For
            destinations that are queried by Athena or Glue, where two such keys in one line make each query of the
            whole file fail. It costs some 2 us for each event.
        context: what to add from context variables, in this order; what is None or not set adds nothing. A `ContextVar` is added under
            its name, and so is `'package.module:variable'`, which is imported here. `'firefighter'`: what `firefighter.context.bind`
            has bound; it comes last. `'structlog'`: what `structlog.contextvars` has bound. `'asgi-correlation-id'` and
            `'django-guid'`: theirs, as `correlation_id`. `'opentelemetry'`: `trace_id`, `span_id` and `trace_sampled` of the current
            span; where there is one, `otelTraceID`, `otelSpanID` and `otelTraceSampled` are left out. `'lambda'`: `aws_request_id`, and
            `xray_trace_id` if there is one. Where a library fails, `context_error` says so.
        redact: what to hide, wherever it comes from. The name of a key, in any case, with `*` for any characters: a text under that key
            becomes `"<redacted>"`, anything else null, at any depth. And patterns, compiled or as `'re:...'`: what they find in a text becomes
            `<redacted>`. How many values that were is the event's last key, `redacted`; the program's own key of that name is kept
            under `extra`. The rules are in `firefighter._event.redaction`.
        layout: write the event in another shape: `'otlp'`, OpenTelemetry's, one `{"resourceLogs": [...]}` a line, or `'ecs'`, with the
            names of Elastic's Common Schema. What becomes of each key is in `firefighter._event.otlp_layout` and `ecs_layout`.
            All other options do what they do before that.

    Raises:
        TypeError: `fields` is not a mapping with strings as keys; `include`, `leave_out`, `context` or `redact` is one string; `context` or
            `redact` lists something else than the above.
        ValueError: `include` names something else than the above; `fields` uses one of the event's own
            names; what `context` names cannot be found or imported; `redact` lists what is no regular expression, or would hide
            everything; `layout` is something else.
    """

    #: Names that nothing else may have at the top of an event.
    _kept_names: frozenset[str] = frozenset()

    def __init__(
        self,
        *positional: NoReturn,
        fields: Mapping[str, object] | None = None,
        include: Iterable[str] = (),
        protect_fields: bool = False,
        leave_out: Iterable[str] = (),
        ignore_case: bool = False,
        context: Iterable[ContextVar[Any] | str] = (),
        redact: Iterable[str | re.Pattern[str]] = (),
        layout: LayoutName | None = None,
        **unknown: NoReturn,
    ) -> None:
        if positional or unknown:
            _raise_unknown(positional, unknown)
        super().__init__()
        self._ignore_case = ignore_case
        self._include = _checked_include(include)
        self._context = _checked_names('context', context)
        self._redact = _checked_names('redact', redact)
        # A record's own attributes are not written anyway, but what is written is read from them.
        self._leave_out = frozenset(_checked_names('leave_out', leave_out)).difference(OWN_ATTRIBUTES)
        self._protect_fields = protect_fields
        self._layout = layout
        self._fields = _checked_fields(fields, self._include, protect_fields=protect_fields)
        self._prepare()

    def _prepare(self) -> None:
        """Compute what each event needs from the options, which alone are copied and pickled."""
        constants: dict[str, object] = {
            name: value if type(value) in PLAIN else encode_value(value)
            for name, value in self._fields.items()
        }
        if 'host' in self._include:
            constants['host'] = _host_name()
        self._origins = tuple((name, _ORIGINS[name]) for name in self._include if name in _ORIGINS)
        # A copy of it costs the same with constants as without: for two, 140 ns less than putting them in.
        self._template = dict.fromkeys(('timestamp', 'level', 'logger', 'message')) | constants
        self._template.update(dict.fromkeys(name for name, _ in self._origins))
        self._dumps: _Dumps = _dumps
        self._dumps_usual: _Dumps = _dumps
        self._encode_event: Callable[[dict[Any, object]], bytes] = encode_event
        read_context: Callable[[dict[Any, object]], Iterable[tuple[str, object]]] = _nothing_of
        if self._context:
            from firefighter._event.context import Context  # noqa: PLC0415  # only this option needs it

            added = Context(self._context, self._template, self._kept_names)
            self._dumps, self._dumps_usual = added.dumps, added.dumps_usual
            self._encode_event, read_context = added.encode_event, added.read
        redaction = self._redaction() if self._redact else None
        self._plan = Plan(
            constants,
            self._origins,
            self._protect_fields,
            self.formatException,
            self.formatStack,
            read_context,
            None if redaction is None else redaction.redact,
        )
        _leave_room(self._template)
        if self._layout is not None:
            from firefighter._event.layouts import make_layout  # noqa: PLC0415  # as above

            self._lay_out = make_layout(self._layout, self._fields, self._include, self.redact_line)
        if self._leave_out or self._ignore_case or self._layout:
            # Of the instance, so that nobody else pays for the question.
            self.encode = self._encode_by_more_options  # type: ignore[method-assign]
        # One tuple, so that it is read and replaced in one step by any number of threads.
        self._second = (math.nan, '')

    def _redaction(self) -> Redaction:
        """Have the encoder's functions hide what `redact` lists."""
        from firefighter._event.redaction import COUNT, Redaction  # noqa: PLC0415  # only this option needs it

        for name in self._fields:
            if name.lower() == COUNT:
                raise ValueError(taken_name(name))
        record = logging.LogRecord('', 0, '', 0, '', None, None, '')
        usual = self._template | {name: origin(record) for name, origin in self._origins}
        redaction = Redaction(self._redact, usual, self._context)
        self._dumps, self._dumps_usual = redaction.over_dumps(self._dumps, self._dumps_usual)
        self._encode_event = redaction.over_encode_event(self._encode_event)
        return redaction

    def __getstate__(self) -> dict[str, object]:
        derived = (
            *('_origins', '_plan', '_template', '_second', 'encode'),
            *('_dumps', '_dumps_usual', '_encode_event', '_lay_out'),
        )
        return {name: value for name, value in self.__dict__.items() if name not in derived}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._prepare()

    def with_options_of(self, other: JSONFormatter) -> JSONFormatter:
        """Return a formatter of this kind that has the other's options as well. Of `fields` with one name, the other's counts.

        Raises:
            ValueError: `fields` of one uses a name in `include` of the other.
        """
        return type(self)(
            fields=self._fields | other._fields,
            include=dict.fromkeys((*self._include, *other._include)),
            protect_fields=self._protect_fields or other._protect_fields,
            leave_out=self._leave_out | other._leave_out,
            ignore_case=self._ignore_case or other._ignore_case,
            context=dict.fromkeys((*self._context, *other._context)),
            redact=dict.fromkeys((*self._redact, *other._redact)),
            layout=other._layout or self._layout,
        )

    def redact_line(self, line: bytes) -> bytes:
        """Return the line of any JSON object with what `redact` lists hidden."""
        return line if self._plan.redact is None else self._plan.redact(line)

    def with_redaction_of(self, other: JSONFormatter) -> JSONFormatter:
        """Return a formatter of this kind that hides what the other hides as well."""
        return self.with_options_of(JSONFormatter(redact=other._redact)) if other._redact else self

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line without its newline."""
        return self.encode(record)[:-1].decode()

    def _encode_by_more_options(self, record: logging.LogRecord) -> bytes:
        line = JSONFormatter.encode(self, _without(record, self._leave_out))
        try:
            line = separate_keys(line, _RESERVED) if self._ignore_case else line
            return self._lay_out(line) if self._layout else line
        except Exception:  # No stack left, no memory.
            return line

    # One function with many branches: each call of another one would cost 40 ns of some 1,000.
    def encode(self, record: logging.LogRecord) -> bytes:  # noqa: C901, PLR0911, PLR0912, PLR0915
        r"""Return the record's line: UTF-8, one newline, at its end; no NUL and no 0x1A."""
        try:
            # A subclass may have a getMessage of its own, and attributes in another order.
            if type(record) is not _LogRecord or record.exc_info or record.exc_text or record.stack_info:
                return encode_carefully(record, self._plan)
            created = record.created
            start, beginning = self._second
            offset = (created - start) * 1e6
            if not 0.0 <= offset < 999_999.5:  # noqa: PLR2004 - microseconds of a second, before rounding
                self._second = start, beginning = second_of(created)
                offset = (created - start) * 1e6
            # `int` would cost twice as much. 1,000,000 has no entry in the table: that goes the careful way.
            micros = floor(offset + 0.5)
            event = self._template.copy()
            event['timestamp'] = f'{beginning}{THREE_DIGITS[micros // 1000]}{THREE_DIGITS_Z[micros % 1000]}'
            event['level'] = level = record.levelname
            event['logger'] = logger = record.name
            dumps = self._dumps_usual
            # Whether orjson may have the values as they are. For each of them this costs 20 ns.
            plain = type(level) is type(logger) is str
            if self._origins:
                for name, origin in self._origins:
                    event[name] = value = origin(record)
                    # `source` is a dict, which nobody else has.
                    if type(value) not in PLAIN and not (
                        type(value) is dict and PLAIN.issuperset(map(type, value.values()))
                    ):
                        plain = False
            message, args = record.msg, record.args
            if type(message) is str:
                event['message'] = message % args if args else message
            elif type(message) is dict and not args:
                # One look alone, of 12 ns, for all others.
                if '_logger' in record.__dict__ and is_of_structlog(record.__dict__):
                    return encode_carefully(record, self._plan)
                if self._protect_fields:
                    del event['message']
                    event['data'] = message
                    plain = False
                else:
                    dumps = self._dumps
                    # Another thread may be changing it.
                    message = message.copy()
                    event.update(message)
                    if 'message' not in message:
                        del event['message']
                    for value in message.values():
                        if type(value) not in PLAIN:
                            plain = False
                            break
            else:
                return encode_carefully(record, self._plan)
            attributes = record.__dict__
            extras = len(attributes) - _OWN_COUNT
            if not extras:
                # A record that has lost as many attributes as it has gained (a filter has deleted some) ends in one of those gained.
                for name in attributes.__reversed__():
                    if name != _LAST_OWN:
                        return encode_carefully(record, self._plan)
                    break
            else:
                # They come behind the record's own attributes. From the end, the walk costs nothing for
                # these: three extras take 320 ns, skipping forwards 420 ns, testing all names 720 ns.
                dumps = self._dumps
                size = len(event) + extras
                # `reversed` finds out first what it was given: 50 ns more.
                for name in attributes.__reversed__():
                    if name not in STANDARD_ATTRIBUTES:
                        event[name] = value = attributes[name]
                        if type(value) not in PLAIN:
                            plain = False
                    elif name in LEFT_BEHIND:
                        size -= 1
                    else:
                        break
                # A name was taken, or the record's own attributes are not all where they should be.
                if len(event) != size:
                    return encode_carefully(record, self._plan)
            if plain:
                try:
                    return dumps(event, None, LINE_OPTIONS)
                except Exception:
                    pass  # One of the values was refused; the event is good.
            return self._encode_event(event)
        except Exception:  # Whatever it was: the careful way finds it again, step by step.
            pass
        try:
            return encode_carefully(record, self._plan)
        except Exception as error:
            failure = error
        try:
            return encode_last(record, failure, self._plan)
        except Exception:
            return LAST_LINE


def _nothing_of(_: object) -> tuple[()]:
    return ()


def _without(record: logging.LogRecord, names: frozenset[str]) -> logging.LogRecord:
    """Return the record, or a copy of it where it has attributes of these names."""
    try:
        if names.isdisjoint(record.__dict__):
            return record
        shorter: logging.LogRecord = object.__new__(type(record))
        shorter.__dict__.update({name: value for name, value in record.__dict__.items() if name not in names})
    except Exception:  # Not a real record, but something that stands in for one.
        return record
    return shorter


def _leave_room(template: dict[str, object]) -> None:
    """Make a dict larger than its names need: then a copy takes some extras before it has to grow, which costs 35 ns.

    Names that have come and gone leave their places behind, and CPython copies those too while they are a third at most.
    """
    passing = [f'passing {number}' for number in range(len(template) // 2)]
    template.update(dict.fromkeys(passing))
    for name in passing:
        del template[name]


def taken_name(name: str) -> str:
    """Return what to say of a field whose name the event itself uses."""
    return f"fields cannot use {name!r}, the event's own name: write another one, such as 'own_{name}'"


def _raise_unknown(positional: tuple[object, ...], unknown: Mapping[str, object]) -> NoReturn:
    known = ('fields', 'include', 'protect_fields', 'leave_out', 'ignore_case', 'context', 'redact', 'layout')
    if positional:
        raise TypeError(
            f'JSONFormatter takes no format; it has the options {", ".join(known)}. In dictConfig write '
            "'()': firefighter.formatting.JSONFormatter in the place of `class` and `format`"
        )
    name = next(iter(unknown))
    close = difflib.get_close_matches(name, known, n=1)
    hint = f'did you mean {close[0]}?' if close else f'there are {", ".join(known)}'
    raise TypeError(f'JSONFormatter has no option {name}; {hint}')


def _checked_include(include: Iterable[str]) -> tuple[str, ...]:
    names: tuple[str, ...] = _checked_names('include', include)
    for name in names:
        if name not in _INCLUDABLE:
            raise ValueError(f'include cannot name {name!r}; it may name {", ".join(map(repr, _INCLUDABLE))}')
    return names


def _checked_names(option: str, names: Iterable[Any]) -> tuple[Any, ...]:
    if isinstance(names, (str, bytes)):
        listed = [names] if option == 'redact' else re.findall(r'[\w.:-]+', str(names))
        raise TypeError(f'{option} must be a list or tuple of names, like {listed}, not one string')
    try:
        return tuple(names)
    except TypeError:
        raise TypeError(f'{option} must be a list or tuple of names, not {names!r}') from None


def _checked_fields(
    fields: Mapping[str, object] | None, include: tuple[str, ...], *, protect_fields: bool
) -> Any:
    """Return the fields as plain JSON values, which can be copied and pickled whatever they were."""
    if fields is None:
        return {}
    if not isinstance(fields, Mapping):
        raise TypeError(f"fields must be a mapping, like {{'service': 'api'}}, not {type(fields).__name__}")
    reserved = _RESERVED.union(include, ('data',) if protect_fields else ())
    encoded = {}
    for name in fields:
        if not isinstance(name, str):
            raise TypeError(f'the names of fields must be strings; {name!r} is {type(name).__name__}')
        if name in reserved:
            raise ValueError(taken_name(name))
        encoded[key_text(name)] = encode_value(fields[name])
    return orjson.loads(orjson.dumps(encoded))


def _host_name() -> str:
    with not_forking():  # delivery needs it as well, in a child
        import socket  # noqa: PLC0415 - takes 3 ms to import, and only this option needs it
    try:
        return socket.gethostname()
    except OSError:
        return 'localhost'
