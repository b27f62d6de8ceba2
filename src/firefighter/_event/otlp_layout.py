"""`JSONFormatter(layout='otlp')`: an event as OpenTelemetry has it, one OTLP/JSON document a line (`firefighter._event.otlp_document`).

| key of the event | becomes |
|---|---|
| `timestamp` | `timeUnixNano`; one that is no time with a zone (a dict message may bring one) stays an attribute, and `observedTimeUnixNano` is now |
| `level` | `severityText`, and `severityNumber` by OpenTelemetry's data model for logs (CRITICAL is FATAL) |
| `logger` | the name of the scope |
| `message` | the body |
| `fields`, `host` | attributes of the resource: `service` is `service.name`, `env` and `environment` are `deployment.environment.name`, `version` is `service.version`, `host` is `host.name`; others keep their name |
| `trace_id`, `span_id`, `trace_sampled` of `context=['opentelemetry']`, or `otelTraceID` and its like | `traceId`, `spanId`, `flags` |
| `exception` | `exception.type`, `exception.message`, `exception.stacktrace` |
| `source` | `code.file.path`, `code.line.number`, `code.function.name` |
| `thread`, `pid`, `stack` | `thread.name`, `process.pid`, `code.stacktrace` |
| any other | an attribute of its name, with its type |

The environment's `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, as they are when the formatter is made, are attributes of the resource where `fields` have none of that name. Where an event has
a key of the new name already, both keep their own. The names are those of OpenTelemetry's semantic conventions
(https://opentelemetry.io/docs/specs/semconv/general/attributes/ and .../exceptions/exceptions-logs/).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection
from functools import partial
from time import time_ns
from typing import Any
from urllib.parse import unquote

from firefighter._event.encoder import orjson
from firefighter._event.json_values import key_text
from firefighter._event.layout_parts import take_trace, text_of
from firefighter._event.otlp_document import any_value, encode_document, encode_text, truncate
from firefighter._event.timestamp import nanoseconds_of

__all__ = ['make', 'truncate']

_END_OF_TIME = 1 << 64

_RESOURCE_NAMES = {
    'service': 'service.name',
    'env': 'deployment.environment.name',
    'environment': 'deployment.environment.name',
    'version': 'service.version',
}
_PARTS = {
    'exception': {
        'type': 'exception.type',
        'message': 'exception.message',
        'traceback': 'exception.stacktrace',
    },
    'source': {'file': 'code.file.path', 'line': 'code.line.number', 'function': 'code.function.name'},
}
_NAMES = {'stack': 'code.stacktrace', 'thread': 'thread.name', 'pid': 'process.pid'}
_ALWAYS = ('exception', 'stack')

# https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
_SEVERITIES = {
    'TRACE': 1,
    'DEBUG': 5,
    'INFO': 9,
    'NOTICE': 10,
    'WARN': 13,
    'WARNING': 13,
    'ERR': 17,
    'ERROR': 17,
    'CRITICAL': 21,
    'FATAL': 21,
}
_LOWEST_OF_LOGGING = 10
_MOST_SEVERE = 24


def make(
    constants: Collection[str], include: Collection[str], redact: Callable[[bytes], bytes]
) -> Callable[[bytes], bytes]:
    """Return the function that lays out the line of an event; it raises nothing.

    Args:
        constants: the names in the formatter's `fields`.
        include: the formatter's.
        redact: hides in a line what is not to be seen.
    """
    names = {name: _RESOURCE_NAMES.get(name, name) for name in constants}
    if 'host' in include:
        names['host'] = 'host.name'
    # Of two with one new name the second keeps its own.
    taken = {new: name for name, new in reversed(names.items())}
    resource_names = {
        name: name if new in constants or taken[new] != name else new for name, new in names.items()
    }
    own = frozenset((*_ALWAYS, *include))
    # Under a name that `redact` cannot list.
    environment = orjson.loads(redact(orjson.dumps({'': _environment()}, None, orjson.OPT_APPEND_NEWLINE)))
    return partial(_lay_out, environment[''], resource_names, own)


def _lay_out(
    environment: dict[str, str | None], resource_names: dict[str, str], own: frozenset[str], line: bytes
) -> bytes:
    try:
        event = orjson.loads(line)
        record: dict[str, object] = {}
        _add_time(record, event)
        _add_severity(record, event)
        scope: dict[str, object] = {'name': text_of(event.pop('logger'))} if 'logger' in event else {}
        if 'message' in event:
            record['body'] = any_value(event.pop('message'))
        trace = take_trace(event)
        if trace.trace_id:
            record['traceId'] = trace.trace_id
            if trace.span_id:
                record['spanId'] = trace.span_id
            if trace.sampled:
                record['flags'] = 1
        resource: dict[str, object] = dict(environment)
        for name, new in resource_names.items():
            if name in event:
                resource[new] = event.pop(name)
        return encode_document(record, _attributes(event, own), scope=scope, resource=resource)
    except Exception:  # no stack left, no memory
        return encode_text(line[:-1].decode())


def _add_time(record: dict[str, object], event: dict[str, Any]) -> None:
    nanoseconds = nanoseconds_of(event.get('timestamp'))
    if nanoseconds is None or not 0 <= nanoseconds < _END_OF_TIME:
        record['observedTimeUnixNano'] = str(time_ns())
    else:
        record['timeUnixNano'] = str(nanoseconds)
        del event['timestamp']


def _add_severity(record: dict[str, object], event: dict[str, Any]) -> None:
    if 'level' in event:
        level = text_of(event.pop('level'))
        number = severity_of(level)
        if number:
            record['severityNumber'] = number
        record['severityText'] = level


def severity_of(level: str) -> int:
    """Return OpenTelemetry's number for the name of a level; 0 for one that nobody knows."""
    if level.upper() in _SEVERITIES:
        return _SEVERITIES[level.upper()]
    number = logging.getLevelName(level)
    if type(number) is not int:
        # What it returns for an unknown number.
        digits = level.removeprefix('Level ')
        number = int(digits) if digits.isdecimal() and len(digits) < len('1000') else 0
    if number < _LOWEST_OF_LOGGING:
        return min(max(number, 0), 4)
    # Ten of logging's are four here: 10 is DEBUG (5), 11 DEBUG2, 13 to 19 DEBUG4, as OpenTelemetry's own SDK has it.
    return min(number // 10 * 4 + 1 + min(number % 10, 3), _MOST_SEVERE)


def _attributes(event: dict[str, Any], own: frozenset[str]) -> dict[str, object]:
    if own.isdisjoint(event):
        return event
    attributes: dict[str, object] = {}
    for name, value in event.items():
        parts = _PARTS.get(name, {}) if name in own else {}
        if parts and type(value) is dict and value and parts.keys() >= value.keys():
            split = {parts[part]: inner for part, inner in value.items()}
            if split.keys().isdisjoint(event):
                attributes.update(split)
                continue
        target = _NAMES.get(name, name) if name in own else name
        attributes[name if target in event else target] = value
    return attributes


def _environment() -> dict[str, str]:
    """Return the attributes that OpenTelemetry's own SDKs take from the environment.

    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration
    """
    pairs = [pair.partition('=') for pair in os.environ.get('OTEL_RESOURCE_ATTRIBUTES', '').split(',')]
    attributes = {name.strip(): unquote(value.strip()) for name, equals, value in pairs if equals}
    service = os.environ.get('OTEL_SERVICE_NAME')
    if service:
        attributes['service.name'] = service
    # What is no UTF-8 in the environment are lone surrogates here.
    return {key_text(name): key_text(value) for name, value in attributes.items() if name}
