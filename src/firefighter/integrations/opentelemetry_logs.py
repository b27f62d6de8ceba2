"""OpenTelemetry's log records through a handler's delivery: what `firefighter.integrations.opentelemetry.FirehoseLogRecordExporter` is.

    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(FirehoseLogRecordExporter(handler)))

Each record becomes one line of OTLP/JSON, as with `JSONFormatter(layout='otlp')`, and is appended to the handler's spool by the steps of
`FirehoseHandler.emit`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

try:
    from opentelemetry.sdk._logs import export as sdk
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{error}: pip install 'firefighter[opentelemetry]'", name=error.name) from None

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

from firefighter._delivery.limits import MAX_RECORD_BYTES
from firefighter._delivery.logged_by_delivery import (
    is_caused_by_delivery,
    is_of_a_library,
    on_thread_of_ours,
)
from firefighter._delivery.tracing import opentelemetry_values
from firefighter._event.encoder import orjson
from firefighter._event.ids import with_place
from firefighter._event.json_values import encode_event, free_name
from firefighter._event.otlp_document import any_value, encode_document
from firefighter._event.redaction import COUNT
from firefighter._handler.constants import OPEN
from firefighter.logging import FirehoseHandler

__all__ = ['FirehoseLogRecordExporter']

# By their names before and since 1.39.
if TYPE_CHECKING:
    from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
else:
    LogRecordExporter = getattr(sdk, 'LogRecordExporter', None) or sdk.LogExporter
    LogRecordExportResult = getattr(sdk, 'LogRecordExportResult', None) or sdk.LogExportResult

# The trace of what is logged while a request of ours is made, which a queue or a batch may hand over in another thread.
_OUR_REQUESTS = SpanContext(trace_id=0x6669_7265_6669_6768_7465_7200_0000_0001, span_id=1, is_remote=False)

_SEVERITIES_OF_A_LEVEL = 4
_MOST_SEVERE = 24


class FirehoseLogRecordExporter(LogRecordExporter):
    """Hands OpenTelemetry's log records to a handler, which delivers them as it delivers its own events.

    It only appends to the handler's spool, and takes some microseconds. So `SimpleLogRecordProcessor` fits: with `spool_dir` a
    record is safe when the call that logs it returns. With `BatchLogRecordProcessor` a record is in its queue first.

    Of the handler's options those for delivery count, `event_ids` and `oversize` among them; its level, by the record's severity; and its
    filters, which get a record with the scope's name, the severity and the body. Of its formatter `redact` counts, also for attributes. What else
    shapes events does not: resource, scope and attributes are the SDK's.

    Args:
        handler: where the records go. It need not be on a logger of `logging`. If it is, and OpenTelemetry's own handler is there, too,
            then what is logged there arrives twice.

    Raises:
        TypeError: it is not a `FirehoseHandler`, or a subclass with a `handle` or `emit` of its own, which would not be called.
    """

    def __init__(self, handler: FirehoseHandler) -> None:
        if not isinstance(handler, FirehoseHandler):
            raise TypeError(
                f"FirehoseLogRecordExporter needs a FirehoseHandler, as in FirehoseLogRecordExporter(FirehoseHandler('bar')), not {handler!r}"
            )
        if not handler._takes_lines:  # noqa: SLF001  # as all below
            raise TypeError(
                f'FirehoseLogRecordExporter calls neither `emit` nor `handle`, of which {type(handler).__name__} has its own'
            )
        self._handler = handler
        self._is_shut_down = False
        opentelemetry_values.update(set_span_in_context(NonRecordingSpan(_OUR_REQUESTS), Context()))

    def export(self, batch: Sequence[Any]) -> LogRecordExportResult:
        """Queue records for delivery. Raises no Exception, and waits only if the handler's `overflow` is "block".

        Args:
            batch: of the SDK: `ReadableLogRecord`, or `LogData` before 1.39.

        Returns:
            SUCCESS if each record is in the spool, or is not to be there: it is below the handler's level, a filter refuses it, or delivery itself has caused
            it. FAILURE if one is dropped instead, which is counted (`stats().dropped`), or after `shutdown`. If other threads log at the
            same time, FAILURE may be for an event of theirs.
        """
        if self._is_shut_down:
            return LogRecordExportResult.FAILURE
        before = self._count_refused()
        for data in batch:
            try:
                self._append(data)
            except BaseException as error:
                self._handler._give_up(error)  # noqa: SLF001
                if not isinstance(error, Exception):  # Ctrl-C: the caller gets it
                    raise
        pipeline, refused = self._count_refused()
        # In a forked child the counts begin anew.
        gone = refused > (before[1] if before[0] is pipeline else 0)
        return LogRecordExportResult.FAILURE if gone else LogRecordExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what is pending, and wait for it; return whether all of it is sent.

        Args:
            timeout_millis: how long, in milliseconds.
        """
        return self._handler.flush(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Close the handler, and take no more records. The handler opens again if it is used by others."""
        if not self._is_shut_down:
            self._is_shut_down = True
            self._handler.close()

    # Inside.

    def _count_refused(self) -> tuple[object, int]:
        """Return this process's pipeline, and how many events never came into its spool."""
        pipeline = self._handler._pipeline  # noqa: SLF001
        tally = pipeline.tally
        return pipeline, tally.failed + sum([*tally.rejected.values()])

    def _append(self, data: Any) -> None:
        told, scope = data.log_record, data.instrumentation_scope
        record = _record_of(told, scope)
        handler = self._handler
        if not self._is_wanted(told, record):
            return
        pipeline = handler._pipeline  # noqa: SLF001
        if not pipeline.open_mark[0]:
            opened = handler._open(record, threading.Thread)  # noqa: SLF001
            if opened is None:
                return
            pipeline = opened
        line: bytes | None = self._fit(
            pipeline,
            _encode(
                told,
                scope,
                getattr(data, 'resource', None) or told.resource,
                handler._json_formatter.redact_line,  # noqa: SLF001
            ),
        )
        if line is None:
            return
        append: Callable[[bytes], None] = pipeline.append
        if on_thread_of_ours():
            append = pipeline.source.append_quietly
        if not pipeline.open_mark[0]:  # a value's `__str__` has closed it
            handler._open(record, threading.Thread)  # noqa: SLF001
            append = pipeline.append_for_now(append)
        append(line)
        if pipeline.open_mark[0] != OPEN:
            pipeline.deliver_before_return(quiet=append == pipeline.source.append_quietly)

    def _is_wanted(self, told: Any, record: logging.LogRecord) -> bool:
        handler = self._handler
        if _severity(told) and record.levelno < handler.level:
            return False
        if is_caused_by_delivery(record) or (
            told.trace_id == _OUR_REQUESTS.trace_id and is_of_a_library(record)
        ):
            handler._pipeline_here().count_suppressed()  # noqa: SLF001
            return False
        return not handler.filters or handler._ask_filters(record) is not None  # noqa: SLF001

    def _fit(self, pipeline: Any, line: bytes) -> bytes | None:
        handler = self._handler
        if handler._options.event_ids:  # noqa: SLF001
            line = with_place(line)
        if len(line) <= handler.MAX_RECORD_SIZE and len(line) <= MAX_RECORD_BYTES:
            return line
        fitting: bytes | None = pipeline.fit_or_drop(line, handler.MAX_RECORD_SIZE)
        return fitting


def _severity(told: Any) -> int:
    """Return the number of a severity, which may be a bare one; 0 for none."""
    number = getattr(told.severity_number, 'value', told.severity_number)
    return number if type(number) is int and 0 < number <= _MOST_SEVERE else 0


def _record_of(told: Any, scope: Any) -> logging.LogRecord:
    """Return a record of the standard library for one of OpenTelemetry's, for who asks for one: logged here, and now."""
    level = max((_severity(told) + _SEVERITIES_OF_A_LEVEL - 1) // _SEVERITIES_OF_A_LEVEL * 10 - 10, 0)
    attributes = told.attributes or {}
    # By their names since 1.33 of the conventions, and before.
    path = attributes.get('code.file.path') or attributes.get('code.filepath')
    line = attributes.get('code.line.number') or attributes.get('code.lineno') or 0
    name = scope.name if scope else ''
    # OpenTelemetry's own loggers do not say where they were called: for a LimitFilter that is one place for each scope.
    return logging.LogRecord(name, level, path or name, line, told.body, None, None)


def _encode(told: Any, scope: Any, resource: Any, redact: Callable[[bytes], bytes]) -> bytes:
    """Return the line of a record. Any value is made plain as in other events, by which bytes are their text."""
    # Each is a line by itself, since an event has a bound for its values, and what comes after too many is a text.
    body, hidden_in_body = _plain(redact, told.body)
    of_record, hidden_in_record = _plain(redact, _dict_of(told.attributes))
    others, hidden_in_others = _plain(
        redact,
        [
            _text(told.severity_text),
            _text(getattr(told, 'event_name', None)),
            *(_text(getattr(scope, name, None)) for name in ('name', 'version')),
            *(_text(getattr(urls_of, 'schema_url', None)) for urls_of in (resource, scope)),
            _dict_of(resource.attributes),
            _dict_of(getattr(scope, 'attributes', None)),
        ],
    )
    severity, event_name, name, version, resource_url, scope_url, of_resource, of_scope = others
    hidden = hidden_in_body + hidden_in_record + hidden_in_others
    if hidden:
        of_record[free_name(COUNT, of_record)] = hidden
    fields = {
        'timeUnixNano': _text(_within(told.timestamp, 64)),
        'observedTimeUnixNano': _text(_within(told.observed_timestamp, 64)),
        'severityNumber': _severity(told),
        'severityText': severity,
        'eventName': event_name,
        'body': any_value(body),
        'droppedAttributesCount': getattr(told.attributes, 'dropped', 0),
        'traceId': _hexadecimal(told.trace_id, 128),
        'spanId': _hexadecimal(told.span_id, 64),
        'flags': _within(told.trace_flags, 32),
    }
    named = {'name': name, 'version': version}
    return encode_document(
        {name: value for name, value in fields.items() if value},
        of_record,
        scope={name: value for name, value in named.items() if value},
        scope_attributes=of_scope,
        resource=of_resource,
        schema_urls=(resource_url, scope_url),
    )


def _dict_of(attributes: Mapping[str, object] | None) -> dict[str, object]:
    return dict(attributes or {})


def _plain(redact: Callable[[bytes], bytes], value: object) -> tuple[Any, int]:
    """Return a value as JSON has it, with what is listed hidden, and how many values that were."""
    # Under a name that `redact` cannot list.
    plain = orjson.loads(redact(encode_event({'': value})))
    return plain[''], plain.get(COUNT, 0)


# A program may set anything, and a reader refuses what the definitions do not have.


def _text(value: object) -> str | None:
    return None if value is None else value if type(value) is str else str(value)


def _within(number: Any, bits: int) -> int | None:
    """Return a number above 0 of so many bits; None for anything else."""
    try:
        return int(number) if 0 < number < 1 << bits else None
    except TypeError:
        return None


def _hexadecimal(number: Any, bits: int) -> str | None:
    known = _within(number, bits)
    return None if known is None else f'{known:0{bits // 4}x}'
