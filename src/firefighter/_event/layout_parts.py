"""What the layouts read out of an event: its trace, and texts where a value may be anything."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from firefighter._event.encoder import orjson

__all__ = ['Trace', 'take_trace', 'text_of']

# By `context=['opentelemetry']`, and by OpenTelemetry's instrumentation of logging.
_TRACE_NAMES = (('trace_id', 'span_id', 'trace_sampled'), ('otelTraceID', 'otelSpanID', 'otelTraceSampled'))
_is_trace_id = re.compile('[0-9a-f]{32}').fullmatch
_is_span_id = re.compile('[0-9a-f]{16}').fullmatch
_NO_SPAN = '0'


class Trace(NamedTuple):
    """The trace that an event belongs to.

    Attributes:
        trace_id: 32 hexadecimal digits; None: it belongs to none.
        span_id: 16 hexadecimal digits, or None.
        sampled: whether the trace is; None: nothing says it.
    """

    trace_id: str | None
    span_id: str | None
    sampled: bool | None


_NO_TRACE = Trace(None, None, None)


def take_trace(event: dict[str, Any]) -> Trace:
    """Take the trace out of an event. What has one of its names, and is no such id, stays."""
    if 'trace_id' not in event and 'otelTraceID' not in event:
        return _NO_TRACE
    for trace_name, span_name, sampled_name in _TRACE_NAMES:
        trace_id, span_id = event.get(trace_name), event.get(span_name)
        if type(trace_id) is str and _is_trace_id(trace_id) and trace_id.strip('0'):
            del event[trace_name]
            sampled = event.pop(sampled_name) if type(event.get(sampled_name)) is bool else None
            if type(span_id) is str and _is_span_id(span_id) and span_id.strip('0'):
                del event[span_name]
            else:
                span_id = None
            return Trace(trace_id, span_id, sampled)
        if trace_name == 'otelTraceID' and trace_id == _NO_SPAN:
            for name in (trace_name, span_name, sampled_name):
                event.pop(name, None)
    return _NO_TRACE


def text_of(value: object) -> str:
    """Return a text as it is, and the JSON of any other value."""
    return value if type(value) is str else orjson.dumps(value).decode()
