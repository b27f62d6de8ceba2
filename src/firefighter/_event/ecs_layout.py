"""`JSONFormatter(layout='ecs')`: an event by the names and types of Elastic's Common Schema, as `ecs-logging` writes them.

| key of the event | becomes |
|---|---|
| `timestamp` | `@timestamp`; one that is no time with a zone (a dict message may bring one) stays, and `@timestamp` is now |
| `level`, `logger` | `log.level`, in lower case, and `log.logger` |
| `message` | `message`; the JSON of what is no text |
| `trace_id`, `span_id` of `context=['opentelemetry']`, or `otelTraceID` and its like | `trace.id`, `span.id` |
| `exception` | `error.type`, `error.message`, `error.stack_trace` |
| `stack` | `error.stack_trace` where there is no exception |
| `source` | `log.origin.file.name`, `log.origin.file.line`, `log.origin.function` |
| `thread`, `pid`, `process`, `host` | `process.thread.name`, `process.pid`, `process.name`, `host.name` |
| of `fields`: `service`, `version`, `env` or `environment` | `service.name`, `service.version`, `service.environment` |
| any other | itself, unless it has a name that is an object in this schema (`error`, `user`, `source`...) or is taken, and is none: then it goes under `labels` |

Names with dots stay names with dots: Elasticsearch and OpenSearch read them as paths. The specification:
https://github.com/elastic/ecs-logging/blob/main/spec/spec.json; the names that are objects: https://www.elastic.co/guide/en/ecs/current/ecs-field-reference.html.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from firefighter._event.encoder import orjson
from firefighter._event.layout_parts import take_trace, text_of
from firefighter._event.timestamp import nanoseconds_of, timestamp

__all__ = ['make', 'truncate']

# That of the loggers in other languages; all names here are in it.
_VERSION = '1.6.0'

_CONSTANTS = {
    'service': 'service.name',
    'version': 'service.version',
    'env': 'service.environment',
    'environment': 'service.environment',
}
_INCLUDED = {
    'host': 'host.name',
    'pid': 'process.pid',
    'process': 'process.name',
    'thread': 'process.thread.name',
}
_PARTS = {
    'exception': {'type': 'error.type', 'message': 'error.message', 'traceback': 'error.stack_trace'},
    'source': {'file': 'log.origin.file.name', 'line': 'log.origin.file.line', 'function': 'log.origin.function'},
}  # fmt: skip
_TIMESTAMP_LENGTH = len(timestamp(0))
# Of the years 1 to 9999 in UTC, which another zone may leave.
_FIRST_SECOND, _END_OF_SECONDS = -62_135_596_800, 253_402_300_800
_NUMBERS = frozenset({'process.pid', 'log.origin.file.line'})

_OBJECTS = frozenset(
    {
        'agent', 'client', 'cloud', 'container', 'data_stream', 'destination', 'device', 'dll', 'dns',
        'ecs', 'email', 'error', 'event', 'faas', 'file', 'gen_ai', 'group', 'host', 'http', 'labels',
        'log', 'network', 'observer', 'orchestrator', 'organization', 'package', 'process', 'registry',
        'related', 'rule', 'server', 'service', 'source', 'span', 'threat', 'tls', 'trace', 'transaction',
        'url', 'user', 'user_agent', 'volume', 'vulnerability',
    }
)  # fmt: skip
# The specification's `sanitization` of keys of `labels`.
_FORBIDDEN_IN_LABELS = re.compile(r'[.*\\]')

# What stays whole when a line is cut: what each event needs, and what would not be of its type if it were shorter. A program can put longer
# ones there than any that is. The first two are first in the line.
_WHOLE = ('@timestamp', 'log.level', 'ecs.version', 'trace.id', 'span.id')
_MOST_WHOLE_BYTES = 100


def make(constants: Collection[str], include: Collection[str]) -> Callable[[bytes], bytes]:
    """Return the function that lays out the line of an event.

    Args:
        constants: the names in the formatter's `fields`.
        include: the formatter's.
    """
    names = {name: new for name, new in _CONSTANTS.items() if name in constants}
    names |= {name: new for name, new in _INCLUDED.items() if name in include}
    kinds = {name: (new, int if new in _NUMBERS else str) for name, new in names.items()}
    own = {'exception'}.union({'source'}.intersection(include))
    return partial(_lay_out, kinds, {name: _PARTS[name] for name in own})


def _lay_out(
    names: Mapping[str, tuple[str, type]], parts: Mapping[str, Mapping[str, str]], line: bytes
) -> bytes:
    event: dict[str, Any] = orjson.loads(line)
    laid: dict[str, object] = {'@timestamp': _take_timestamp(event)}
    laid['log.level'] = text_of(event.pop('level', '')).lower()
    if 'message' in event:
        laid['message'] = text_of(event.pop('message'))
    laid['ecs.version'] = _VERSION
    if 'logger' in event:
        laid['log.logger'] = text_of(event.pop('logger'))
    trace = take_trace(event)
    if trace.trace_id:
        laid['trace.id'] = trace.trace_id
        if trace.span_id:
            laid['span.id'] = trace.span_id
        if trace.sampled is not None:
            event['trace_sampled'] = trace.sampled
    # Before those whose name may be the same by chance.
    _take_known(laid, event, names, parts)
    for name, value in event.items():
        if name in laid or (name in _OBJECTS and type(value) is not dict):
            laid[_label(laid, name)] = value
        else:
            laid[name] = value
    return orjson.dumps(laid, None, orjson.OPT_APPEND_NEWLINE)


def _take_timestamp(event: dict[str, Any]) -> str:
    given = event.get('timestamp')
    nanoseconds = nanoseconds_of(given)
    if nanoseconds is None or not _FIRST_SECOND <= nanoseconds // 10**9 < _END_OF_SECONDS:
        return timestamp(time.time())
    del event['timestamp']
    text = str(given)
    is_ours = len(text) == _TIMESTAMP_LENGTH and text[10] == 'T' and text[-1] == 'Z'
    return text if is_ours else timestamp(nanoseconds // 1000 / 1e6)


def _take_known(
    laid: dict[str, object],
    event: dict[str, Any],
    names: Mapping[str, tuple[str, type]],
    parts: Mapping[str, Mapping[str, str]],
) -> None:
    """Take out of an event what has a name of its own here, unless it is of another type: a dict message has replaced it."""
    for name, (new, kind) in names.items():
        if type(event.get(name)) is kind and new not in laid:
            laid[new] = event.pop(name)
    for name in parts:
        split = _split(event.get(name), parts[name])
        if split and split.keys().isdisjoint(laid):
            laid.update(split)
            del event[name]
    if 'stack' in event and 'error.stack_trace' not in laid:
        laid['error.stack_trace'] = text_of(event.pop('stack'))


def _split(value: object, names: Mapping[str, str]) -> dict[str, object]:
    """Return the parts of a value by their names here; nothing where it is of another shape."""
    if type(value) is not dict or not names.keys() >= value.keys():
        return {}
    split: dict[str, object] = {}
    for name, part in value.items():
        new = names[name]
        if type(part) is (int if new in _NUMBERS else str):
            split[new] = part
        elif part is not None:
            return {}
    return split


def _label(laid: dict[str, object], name: str) -> str:
    label = 'labels.' + _FORBIDDEN_IN_LABELS.sub('_', name)
    while label in laid:
        label += '_'
    return label


def truncate(line: bytes, limit: int, truncate_plain: Callable[[bytes, int], bytes]) -> bytes:
    """Return the line cut to a number of bytes; its time and its ids stay whole.

    Args:
        line: of an event.
        limit: the most bytes of the result, unless that leaves no room for the smallest mark.
        truncate_plain: cuts the line of a JSON object, and adds its size under `truncated`.

    Raises:
        Exception: it is of another shape.
    """
    event: dict[str, Any] = orjson.loads(line)
    whole = {
        name: event.pop(name)
        for name in _WHOLE
        if name in event and len(orjson.dumps(event[name])) <= _MOST_WHOLE_BYTES
    }
    if 'log.level' in event:  # one that is too long may be left out
        whole['log.level'] = ''
    plain = orjson.dumps(event, None, orjson.OPT_APPEND_NEWLINE)
    # Two braces less and a comma more; and the size that is told may have more digits.
    room = limit - len(orjson.dumps(whole)) + 1 - (len(str(len(line))) - len(str(len(plain))))
    cut = orjson.loads(truncate_plain(plain, room))
    if len(plain) > room:
        cut[next(reversed(cut))]['original_bytes'] = len(line)
    first = {name: whole.pop(name) for name in _WHOLE[:2] if name in whole}
    return orjson.dumps(first | cut | whole, None, orjson.OPT_APPEND_NEWLINE)
