"""Which records a destination takes. Each judge looks at one record's bytes and says what is wrong with it, if anything.

Firehose accepts any bytes from its producers. What the destination will not have is found out at delivery, and goes
under the error prefix; the producer is told nothing. So many lines packed into one record are safe for one kind of
destination and lost for another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import orjson

from firefighter.local.protocol import RecordError, is_too_deep

Judge = Callable[[bytes], 'RecordError | None']

# orjson cannot stop in the middle of a text; this one can.
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r'[ \t\r\n]*')
_EXTRA_DATA = re.compile(rb'}\s*{')


def anything(record: bytes) -> RecordError | None:  # noqa: ARG001 - a Judge
    """S3, Redshift, Splunk's raw endpoint and HTTP endpoints take any bytes."""
    return None


def opensearch(record: bytes) -> RecordError | None:
    """OpenSearch and Elasticsearch take one JSON object on one line, without a field `_id`.

    Source: https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html
    """
    document = _parsed(record)
    if not isinstance(document, dict) or b'\n' in record.strip():
        reason = (
            'found extra data after parsing: START_OBJECT'
            if _EXTRA_DATA.search(record)
            else 'not one JSON object'
        )
        return RecordError('400', f'Malformed content, {reason}')
    if '_id' in document:
        return RecordError('400', 'Field [_id] is a metadata field and cannot be added inside a document.')
    return None


def snowflake(record: bytes) -> RecordError | None:
    """Snowflake takes a single JSON object, and no array.

    Source: https://docs.aws.amazon.com/firehose/latest/dev/troubleshooting-snowflake.html
    """
    if isinstance(_parsed(record), dict):
        return None
    return RecordError('Snowflake.InvalidInput', 'Only a single JSON object is supported as record payload.')


def iceberg(record: bytes) -> RecordError | None:
    """Iceberg tables take one JSON object.

    Source: https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-considerations.html
    """
    if isinstance(_parsed(record), dict):
        return None
    return RecordError('Iceberg.InvalidInput', 'You can send only one JSON object in one Firehose record.')


def splunk_event(record: bytes) -> RecordError | None:
    """Splunk's event endpoint takes envelopes with a member `event`, one or several behind each other."""
    envelopes = list(json_values(record))
    if envelopes and all(isinstance(envelope, dict) and 'event' in envelope for envelope in envelopes):
        return None
    return RecordError('Splunk.InvalidDataFormat', 'The data is not formatted correctly.')


def convertible(record: bytes) -> RecordError | None:
    """Conversion to Parquet or ORC takes JSON objects, one or several behind each other, and no array.

    Source: https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html
    """
    documents = list(json_values(record))
    if documents and all(isinstance(document, dict) for document in documents):
        return None
    return RecordError('DataFormatConversion.ParseError', 'Encountered malformed JSON.')


def json_values(record: bytes) -> list[object]:
    """Return the JSON values that stand behind each other in a record; none if it is anything else, or too deep to be written again."""
    values: list[object] = []
    try:
        text = record.decode()
        position = _skip_space(text, 0)
        while position < len(text):
            value, position = _DECODER.raw_decode(text, position)
            position = _skip_space(text, position)
            values.append(value)
    except (ValueError, RecursionError):
        return []
    return [] if any(map(is_too_deep, values)) else values


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match is not None else position


def _parsed(record: bytes) -> object:
    try:
        return orjson.loads(record)
    except orjson.JSONDecodeError:
        return None
