"""Reads OTLP/JSON by OpenTelemetry's own protobuf definitions."""

from __future__ import annotations

import base64
import json

import pytest

json_format = pytest.importorskip('google.protobuf.json_format')
logs_pb2 = pytest.importorskip('opentelemetry.proto.logs.v1.logs_pb2')


def parsed(line, *, ignore=False):
    """Return the `LogsData` of a line, or raise: json_format refuses what is not in the definitions, unless told to ignore it.

    OTLP/JSON has ids in hexadecimal, which is its exception to the JSON of protobuf, where bytes are in base64.
    """
    assert line.endswith(b'\n'), line[-20:]
    assert line.count(b'\n') == 1
    document = json.loads(line, object_pairs_hook=unique)
    for record in each_record(document):
        for name, digits in (('traceId', 32), ('spanId', 16)):
            if name in record:
                assert len(record[name]) == digits
                record[name] = base64.urlsafe_b64encode(bytes.fromhex(record[name])).decode()
        for name in ('timeUnixNano', 'observedTimeUnixNano'):
            assert type(record.get(name, '')) is str
        assert type(record.get('severityNumber', 0)) is int
    data = json_format.Parse(json.dumps(document), logs_pb2.LogsData(), ignore_unknown_fields=ignore)
    # Whoever gets it as protobuf reads the same, and its parser takes messages within each other.
    assert logs_pb2.LogsData.FromString(data.SerializeToString()) == data
    return data


def each_record(document):
    return [
        record
        for resource in document.get('resourceLogs', ())
        for scope in resource['scopeLogs']
        for record in scope['logRecords']
    ]


def unique(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len({*names}), names
    return dict(pairs)


def only(data):
    """Return the resource, the scope and the record of a document that has one of each."""
    (resource,) = data.resource_logs
    (scope,) = resource.scope_logs
    (record,) = scope.log_records
    return resource, scope, record


def plain(value):
    """Return an AnyValue as Python's."""
    kind = value.WhichOneof('value')
    if kind is None:
        return None
    if kind == 'array_value':
        return [plain(inner) for inner in value.array_value.values]
    if kind == 'kvlist_value':
        return attributes(value.kvlist_value.values)
    return getattr(value, kind)


def attributes(pairs):
    """Return attributes as a dict; no name is there twice."""
    names = [pair.key for pair in pairs]
    assert len(names) == len({*names}), names
    return {pair.key: plain(pair.value) for pair in pairs}
