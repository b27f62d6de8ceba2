"""What a formatter adds to its events from context variables (`JSONFormatter(context=...)`).

A source is read at each event, in the thread and the task that log it. Nothing of an event is replaced by what is found there: a name
that is taken is kept under `extra`. That is for the careful way to do, so here a taken name is an exception, which leads there.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Collection, Iterable
from contextvars import ContextVar
from importlib import import_module
from operator import attrgetter
from typing import Any, NamedTuple

from firefighter._event.bound_fields import BoundFields, bound
from firefighter._event.encoder import orjson
from firefighter._event.json_values import (
    PLAIN,
    encode_event,
    encode_value,
    free_name,
    key_text,
    text,
    type_name,
)

__all__ = ['Context']

# Bound once: an attribute of a module, or a method that is an attribute, is looked up more slowly.
_dumps = orjson.dumps
_get_bound = bound.get

_BOUND = 'firefighter'

_Fields = Collection[tuple[str, object]]


class _Source(NamedTuple):
    """Something that has fields for the current event.

    Args:
        name: for messages.
        read: called with the event; returns its fields, none where there is nothing just now. It may take out of the event what
            they stand for.
    """

    name: str
    read: Callable[[dict[Any, object]], _Fields]


class Context:
    """Encodes events with what their context adds.

    `dumps`, `dumps_usual` and `encode_event` take the place of the encoder's functions, so that a formatter without a context pays for no
    question. What they raise leads the formatter to the careful way, which asks for `read`.

    Args:
        listed: what `JSONFormatter(context=...)` lists.
        usual_names: the names of an event that has a text as its message, and no extras.
        kept_names: names that nothing may have at the top of an event.

    Raises:
        TypeError: something listed is neither a `ContextVar` nor a string.
        ValueError: something listed cannot be found.
    """

    def __init__(
        self, listed: Iterable[object], usual_names: Iterable[str], kept_names: frozenset[str]
    ) -> None:
        listed = [*listed]
        self._reads_bound = _BOUND in listed
        self._sources = tuple(_source_of(one) for one in listed if one != _BOUND)
        self.dumps_usual = self.dumps if self._sources else self._dumps_usual
        self._taken_names = kept_names.union(usual_names)
        self._kept_names = kept_names

    def dumps(self, event: dict[Any, object], default: None, options: int) -> bytes:
        """Return the line of an event that has plain values only; the event stays as it is.

        Raises:
            Exception: a name is taken, or the encoder refuses a value.
        """
        if self._sources:
            added = self._read_quickly(event)
            event = {**event, **added}
        known = _get_bound() if self._reads_bound else None
        if known is None:
            return _dumps(event, default, options)
        if known.free_in is not self:
            self._check_usual_names(known)
        # This costs 60 ns.
        if not known.names.isdisjoint(event):
            raise KeyError('a name is taken')
        event[known.first] = known.encoded
        try:
            return _dumps(event, default, options)
        except Exception:
            del event[known.first]
            raise

    def _dumps_usual(self, event: dict[Any, object], default: None, options: int) -> bytes:
        """Do the same for an event that has the usual names only, with what is bound: the names are compared once."""
        known = _get_bound()
        if known is None:
            return _dumps(event, default, options)
        if known.free_in is not self:
            self._check_usual_names(known)
        event[known.first] = known.encoded
        try:
            return _dumps(event, default, options)
        except Exception:
            del event[known.first]
            raise

    def _check_usual_names(self, known: BoundFields) -> None:
        if not known.names.isdisjoint(self._taken_names):
            raise KeyError('a name is taken')
        known.free_in = self

    def encode_event(self, event: dict[Any, object]) -> bytes:
        """Return the line of an event with any values, which is used up.

        Raises:
            KeyError: a name is taken.
        """
        for name, value in self.read(event):
            if name in event:
                raise KeyError('a name is taken')
            event[name] = value
        return encode_event(event)

    def read(self, event: dict[Any, object]) -> list[tuple[str, object]]:
        """Return the fields to add to an event, without those that it has already; take out of it what they stand for."""
        found: list[tuple[str, object]] = []
        for name, read in self._sources:
            try:
                found += read(event)
            except Exception as error:  # of a library, or no stack left
                found.append(('context_error', f'{name}: {type_name(type(error))}: {text(error)}'))
        known = _get_bound() if self._reads_bound else None
        if known is not None:
            found += known.fields.items()
        new: list[tuple[str, object]] = []
        kept: dict[str, object] = {}
        seen = event.copy()
        for name, value in found:
            if name in seen and _is_same(seen[name], value):
                continue
            seen.setdefault(name, value)
            if name in self._kept_names:
                kept[free_name(name, kept)] = value
            else:
                new.append((name, value))
        return [*new, ('extra', kept)] if kept else new

    def _read_quickly(self, event: dict[Any, object]) -> dict[str, object]:
        """Return what the sources add to an event, as the encoder takes it; raise an Exception where `read` has more to do."""
        added: dict[str, object] = {}
        for _, read in self._sources:
            for name, value in read(event):
                if name in event or name in added or name in self._kept_names:
                    if name in event and _is_same(event[name], value):
                        continue
                    raise KeyError('a name is taken')
                added[name] = value if type(value) in PLAIN else encode_value(value)
        return added


def _is_same(one: object, other: object) -> bool:
    """Return whether two values are the same, without asking an object of the program's."""
    return one is other or (type(one) is type(other) and type(one) in PLAIN and one == other)


def _source_of(listed: object) -> _Source:
    if isinstance(listed, ContextVar):
        return _variable(listed)
    if not isinstance(listed, str):
        raise TypeError(
            f"context must list ContextVars and strings, such as 'package.module:variable'; {listed!r} is {type(listed).__name__}"
        )
    make = _KNOWN.get(listed)
    if make is None and ':' not in listed:
        names = (_BOUND, *_KNOWN)
        close = difflib.get_close_matches(listed, names, n=1)
        hint = f'did you mean {close[0]!r}?' if close else f'it knows {", ".join(map(repr, names))}.'
        raise ValueError(
            f"context cannot name {listed!r}; {hint} A variable of yours is 'package.module:variable'"
        )
    try:
        return _variable(_import(listed)) if make is None else make()
    except Exception as error:
        raise ValueError(
            f'context cannot find {listed!r}: {type_name(type(error))}: {text(error)}'
        ) from error


def _import(path: str) -> ContextVar[Any]:
    module, _, name = path.partition(':')
    variable = attrgetter(name)(import_module(module))
    if not isinstance(variable, ContextVar):
        raise TypeError(f'it is no ContextVar but {type(variable).__name__}')
    return variable


def _variable(variable: ContextVar[Any], name: str | None = None) -> _Source:
    name = key_text(variable.name) if name is None else name
    get = variable.get

    def read(_: dict[Any, object]) -> _Fields:
        try:
            value = get()
        except LookupError:  # It is not set. An argument would take the place of its own default.
            return ()
        return () if value is None else ((name, value),)

    return _Source(name, read)


def _asgi_correlation_id() -> _Source:
    return _variable(_import('asgi_correlation_id.context:correlation_id'), 'correlation_id')


def _django_guid() -> _Source:
    # By the name that its own filter gives it.
    return _variable(_import('django_guid.context:guid'), 'correlation_id')


def _structlog() -> _Source:
    from structlog.contextvars import get_contextvars  # noqa: PLC0415  # whoever lists it has it

    return _Source('structlog', lambda _: get_contextvars().items())


def _opentelemetry() -> _Source:
    from opentelemetry.trace import get_current_span  # noqa: PLC0415  # whoever lists it has it

    def read(event: dict[Any, object]) -> _Fields:
        span = get_current_span().get_span_context()
        # What its instrumentor has put on the record is the same, or says that there is no span. But of a record that comes
        # through a queue it is all that is known.
        if span.is_valid or event.get('otelTraceID') == '0':
            for name in ('otelTraceID', 'otelSpanID', 'otelTraceSampled'):
                event.pop(name, None)
        if not span.is_valid:
            return ()
        return (
            ('trace_id', f'{span.trace_id:032x}'),
            ('span_id', f'{span.span_id:016x}'),
            ('trace_sampled', span.trace_flags.sampled),
        )

    return _Source('opentelemetry', read)


def _lambda() -> _Source:
    def read(_: dict[Any, object]) -> _Fields:
        # Where the runtime keeps it for its own log lines; a program is only given it as an argument.
        runtime = sys.modules.get('awslambdaric.bootstrap')
        request_id = getattr(runtime, '_GLOBAL_AWS_REQUEST_ID', None)
        parts = os.environ.get('_X_AMZN_TRACE_ID', '').split(';')
        roots = [part.removeprefix('Root=') for part in parts if part.startswith('Root=')]
        return [
            *([('aws_request_id', request_id)] if request_id else ()),
            *(('xray_trace_id', root) for root in roots[:1]),
        ]

    return _Source('lambda', read)


_KNOWN: dict[str, Callable[[], _Source]] = {
    'structlog': _structlog,
    'asgi-correlation-id': _asgi_correlation_id,
    'django-guid': _django_guid,
    'opentelemetry': _opentelemetry,
    'lambda': _lambda,
}
