"""OTLP/JSON: one log record as one line, as OpenTelemetry's file exporter writes it.

The format: https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md (JSON Protobuf Encoding) and
https://github.com/open-telemetry/opentelemetry-specification/blob/main/specification/protocol/file-exporter.md. Keys in lowerCamelCase, ids
in hexadecimal, 64-bit integers as text, enumerations as numbers. A reader ignores keys that it does not know.

Who reads such a line refuses all of a request for one that it cannot decode (the collector's `awsfirehose` receiver). So each line must be good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from firefighter._event.encoder import orjson
from firefighter._event.json_values import free_name

__all__ = ['any_value', 'encode_document', 'encode_text', 'truncate']

MAX_DEPTH = 20
"""Containers within others that stay structured; one in more is its JSON text. Each takes three messages, and most readers of Protobuf refuse
more than 100 within each other."""

_MOST_TIME_BYTES = 100

_MIN_INTEGER, _END_OF_INTEGERS = -(1 << 63), 1 << 63


def any_value(value: object, depth: int = MAX_DEPTH) -> dict[str, object]:  # noqa: PLR0911  # one for each kind
    """Return a JSON value as an AnyValue."""
    kind = type(value)
    if kind is str:
        return {'stringValue': value}
    if kind is bool:
        return {'boolValue': value}
    if kind is int:
        fits = _MIN_INTEGER <= value < _END_OF_INTEGERS  # type: ignore[operator]
        return {'intValue' if fits else 'stringValue': str(value)}
    if kind is float:
        return {'doubleValue': value}
    if value is None:
        return {}
    if not depth:
        return {'stringValue': orjson.dumps(value).decode()}
    if isinstance(value, dict):
        return {'kvlistValue': {'values': _key_values(value, depth - 1)}}
    return {'arrayValue': {'values': [any_value(inner, depth - 1) for inner in value]}}  # type: ignore[attr-defined]


def _key_values(values: Mapping[str, object], depth: int = MAX_DEPTH) -> list[dict[str, object]]:
    # Most values are texts.
    return [
        {'key': name, 'value': {'stringValue': value} if type(value) is str else any_value(value, depth)}
        for name, value in values.items()
    ]


def encode_document(
    record: dict[str, object],
    attributes: Mapping[str, object],
    *,
    scope: dict[str, object] | None = None,
    scope_attributes: Mapping[str, object] | None = None,
    resource: Mapping[str, object] | None = None,
    schema_urls: tuple[str | None, str | None] = (None, None),
) -> bytes:
    """Return the line of one log record.

    Args:
        record: its fields, but for the attributes; used up.
        attributes: the record's, as JSON values.
        scope: the `name` and `version` of what has logged it; used up.
        scope_attributes: the scope's, as JSON values.
        resource: the attributes of the resource, as JSON values.
        schema_urls: of the resource's attributes, and of the record's.
    """
    if attributes:
        record['attributes'] = _key_values(attributes)
    scope_logs: dict[str, object] = {}
    if scope:
        scope_logs['scope'] = scope
        if scope_attributes:
            scope['attributes'] = _key_values(scope_attributes)
    scope_logs['logRecords'] = [record]
    resource_logs: dict[str, object] = {}
    if resource:
        resource_logs['resource'] = {'attributes': _key_values(resource)}
    resource_logs['scopeLogs'] = [scope_logs]
    for place, url in zip((resource_logs, scope_logs), schema_urls, strict=True):
        if url:
            place['schemaUrl'] = url
    return orjson.dumps({'resourceLogs': [resource_logs]}, None, orjson.OPT_APPEND_NEWLINE)


def encode_text(text: str) -> bytes:
    """Return the line of a record with a text alone: for what cannot be laid out. It takes no stack."""
    return (
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":%b}}]}]}]}\n'
        % orjson.dumps(text)
    )


# What of a document may be cut, by the names that it has in a plain event, which is cut in the place of the document.
_SEVERITY, _SCOPE, _BODY, _EVENT_NAME = 'severity', 'scope', 'body', 'event'
# An attribute takes so many bytes more than a key and a value of a plain event do. There its name begins with as many characters, so that
# leaving it out is worth the same.
_MORE_BYTES = len('{"key":,"value":{"stringValue":}}') - len(':')
_RESOURCE, _SCOPE_ATTRIBUTE, _ATTRIBUTE = ('r' * _MORE_BYTES, 'i' * _MORE_BYTES, 'a' * _MORE_BYTES)


def truncate(line: bytes, limit: int, truncate_plain: Callable[[bytes, int], bytes]) -> bytes | None:
    """Return the line of a document cut to a number of bytes; None where it has other than one record.

    Texts in the body and in attributes give as they do in any other event; what is then left out is counted as `droppedAttributesCount`. The
    record gets an attribute `truncated` with its size.

    Args:
        line: of a document.
        limit: the most bytes of the result, unless that leaves no room for the smallest mark.
        truncate_plain: cuts the line of a JSON object, and adds its size under `truncated`.

    Raises:
        Exception: it is no document.
    """
    cut, is_whole = _truncate(line, limit, truncate_plain, containers=True)
    if not is_whole:
        # What surrounds each value of a list took the room. Its JSON text has nothing around them.
        cut, _ = _truncate(line, limit, truncate_plain, containers=False)
    return cut


def _truncate(
    line: bytes, limit: int, truncate_plain: Callable[[bytes, int], bytes], *, containers: bool
) -> tuple[bytes, bool]:
    """Return the line cut as above, and whether something of each part is left; without `containers` each of these is its JSON text."""
    document = orjson.loads(line)
    (resource_logs,) = document['resourceLogs']
    (scope_logs,) = resource_logs['scopeLogs']
    (record,) = scope_logs['logRecords']
    parts = _take_parts(resource_logs, scope_logs, record)
    if not containers:
        for name, value in parts.items():
            if isinstance(value, (dict, list)):
                parts[name] = orjson.dumps(value).decode()
    plain = orjson.dumps(parts, None, orjson.OPT_APPEND_NEWLINE)
    dropped_before = record.pop('droppedAttributesCount', 0)
    size = len(line) if containers else len(_rebuild(document, parts, {}, dropped_before))
    room = limit - (size - len(plain))
    while True:
        kept = orjson.loads(truncate_plain(plain, room))
        mark = kept.pop('truncated', {})
        dropped = dropped_before + mark.pop('dropped_fields', 0)
        mark['original_bytes'] = len(line)
        cut = _rebuild(document, kept, mark, dropped)
        if len(cut) <= limit:
            return cut, len(kept) == len(parts)
        if not kept:
            break
        room -= len(cut) - limit
    # A foreign one may have anything in the places of these.
    timed = {name: record[name] for name in ('timeUnixNano', 'severityNumber') if name in record}
    return encode_document(timed if len(str(timed)) <= _MOST_TIME_BYTES else {}, {'truncated': mark}), False


def _take_parts(resource_logs: Any, scope_logs: Any, record: Any) -> dict[str, object]:
    """Take out of a document what may be cut. What is first stays longest."""
    scope = scope_logs.get('scope', {})
    parts: dict[str, object] = {}
    for place, name, part in (
        (record, 'severityText', _SEVERITY),
        (scope, 'name', _SCOPE),
        (record, 'eventName', _EVENT_NAME),
    ):
        if name in place:
            parts[part] = place.pop(name)
    if 'body' in record:
        parts[_BODY] = _plain_value(record.pop('body'))
    for place, part in (
        (resource_logs.get('resource', {}), _RESOURCE),
        (scope, _SCOPE_ATTRIBUTE),
        (record, _ATTRIBUTE),
    ):
        for attribute in place.pop('attributes', ()):
            parts[part + attribute['key']] = _plain_value(attribute.get('value', {}))
    return parts


def _plain_value(value: dict[str, Any]) -> object:
    for kind, inner in value.items():
        if kind == 'intValue':
            return int(inner)
        if kind == 'arrayValue':
            return [_plain_value(each) for each in inner.get('values', ())]
        if kind == 'kvlistValue':
            return {each['key']: _plain_value(each.get('value', {})) for each in inner.get('values', ())}
        return inner
    return None


def _rebuild(document: Any, kept: dict[str, Any], mark: dict[str, object], dropped: int) -> bytes:
    """Return the line of a document with what is left of its parts."""
    (resource_logs,) = document['resourceLogs']
    (scope_logs,) = resource_logs['scopeLogs']
    (record,) = scope_logs['logRecords']
    attributes: dict[str, dict[str, object]] = {_RESOURCE: {}, _SCOPE_ATTRIBUTE: {}, _ATTRIBUTE: {}}
    texts: dict[str, Any] = {}
    for name, value in kept.items():
        if name[:_MORE_BYTES] in attributes:
            attributes[name[:_MORE_BYTES]][name[_MORE_BYTES:]] = value
        else:
            texts[name] = value
    fields = {
        'severityText': texts.get(_SEVERITY),
        'eventName': texts.get(_EVENT_NAME),
        'body': any_value(texts[_BODY]) if _BODY in texts else None,
        'attributes': _key_values(
            {**attributes[_ATTRIBUTE], free_name('truncated', attributes[_ATTRIBUTE]): mark}
        ),
        'droppedAttributesCount': dropped,
    }
    scope = scope_logs.get('scope', {}) | {
        'name': texts.get(_SCOPE),
        'attributes': _key_values(attributes[_SCOPE_ATTRIBUTE]),
    }
    resource = resource_logs.get('resource', {}) | {'attributes': _key_values(attributes[_RESOURCE])}
    cut = {
        **resource_logs,
        'resource': _present(resource),
        'scopeLogs': [
            {**scope_logs, 'scope': _present(scope), 'logRecords': [_present({**record, **fields})]}
        ],
    }
    return orjson.dumps({**document, 'resourceLogs': [_present(cut)]}, None, orjson.OPT_APPEND_NEWLINE)


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, [], {}, 0)}
