"""A stream's destination in a few words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from firefighter._advice.stream import UNCOMPRESSED, Kind, Stream
from firefighter._delivery.diagnostics import without_user

__all__ = ['describe_destination']


def describe_destination(stream: Stream) -> str:
    """Return what kind it is, where, and what is done to the records on the way."""
    words = [stream.kind.title]
    place = _PLACES.get(stream.kind)
    if place is not None:
        words.append(place(stream.destination))
    if stream.partitions:
        words.append('dynamic partitioning')
    if stream.converts:
        words.append('conversion to Parquet or ORC')
    if stream.compression != UNCOMPRESSED:
        words.append(f"Firehose's own {stream.compression}")
    words += stream.processors
    return ', '.join(filter(None, words))


def _s3(destination: Mapping[str, Any]) -> str:
    bucket = str(destination.get('BucketARN', '')).rpartition(':')[2]
    return f's3://{bucket}/{destination.get("Prefix") or ""}'


def _table_of_redshift(destination: Mapping[str, Any]) -> str:
    command = destination.get('CopyCommand') or {}
    return f'table {command.get("DataTableName", "")}'


def _http(destination: Mapping[str, Any]) -> str:
    endpoint = destination.get('EndpointConfiguration') or {}
    return ' at '.join(filter(None, (endpoint.get('Name'), _place(endpoint.get('Url')))))


def _snowflake(destination: Mapping[str, Any]) -> str:
    return 'table ' + '.'.join(str(destination.get(part, '')) for part in ('Database', 'Schema', 'Table'))


def _iceberg(destination: Mapping[str, Any]) -> str:
    tables = destination.get('DestinationTableConfigurationList') or ()
    names = [
        f'{table.get("DestinationDatabaseName")}.{table.get("DestinationTableName")}' for table in tables
    ]
    return ('table ' if len(names) == 1 else 'tables ') * bool(names) + ' '.join(names)


def _index(destination: Mapping[str, Any]) -> str:
    return f'index {destination.get("IndexName", "")}'


def _splunk(destination: Mapping[str, Any]) -> str:
    return f'{destination.get("HECEndpointType", "")} at {_place(destination.get("HECEndpoint"))}'


def _place(url: object) -> str:
    """Return a URL without what may be a secret: user name, password, and the query, where receivers have keys."""
    return re.split(r'[?#]', without_user(str(url or '')), maxsplit=1)[0]


_PLACES: Mapping[Kind, Callable[[Mapping[str, Any]], str]] = {
    Kind.EXTENDED_S3: _s3,
    Kind.S3: _s3,
    Kind.REDSHIFT: _table_of_redshift,
    Kind.ELASTICSEARCH: _index,
    Kind.OPENSEARCH: _index,
    Kind.OPENSEARCH_SERVERLESS: _index,
    Kind.SPLUNK: _splunk,
    Kind.HTTP: _http,
    Kind.SNOWFLAKE: _snowflake,
    Kind.ICEBERG: _iceberg,
}
