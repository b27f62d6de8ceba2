"""What a destination takes: how many events in a record, and whether records may be compressed. With the reasons.

Each rule is one function, and stands on AWS's documentation of the destination or of the processor:
https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html (S3, Redshift, OpenSearch, Splunk),
.../httpdeliveryrequestresponse.html, .../troubleshooting-snowflake.html, .../apache-iceberg-considerations.html,
.../record-format-conversion.html, .../data-transformation.html,
.../dynamic-partitioning-multirecord-deaggergation.html (their spelling), and botocore's model of the service. Who is behind an HTTP
endpoint, and what that takes, is in `receivers.py`. Of Splunk's envelopes: https://dev.splunk.com, SP-CAAAE6P.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf

from firefighter._advice.reasons import Bound, Reason
from firefighter._advice.receivers import receiver_of
from firefighter._advice.stream import UNCOMPRESSED, Kind, Stream

__all__ = ['MAX_DEAGGREGATED_EVENTS', 'Fit', 'fit']

MAX_DEAGGREGATED_EVENTS = 500
"""Events in one record that Firehose takes apart (AWS, of PutRecordBatch: with more "the request succeeds but the
record de-aggregation doesn't work as expected")."""

_DEAGGREGATION = 'RecordDeAggregation'
_DELIMITER = 'AppendDelimiterToRecord'
_LAMBDA = 'Lambda'
_METADATA = 'MetadataExtraction'
_KNOWN_PROCESSORS = frozenset(
    {_DEAGGREGATION, _DELIMITER, _LAMBDA, _METADATA, 'Decompression', 'CloudWatchLogProcessing'}
)


@dataclass(frozen=True)
class Fit:
    """What a destination takes.

    Attributes:
        events: how many in a record.
        obstacles: why records must not be compressed; without any they may be.
    """

    events: Bound
    obstacles: tuple[Reason, ...]


_ONE_DOCUMENT = 'takes one JSON document in a record; one with several fails as malformed'
_EVENTS: Mapping[Kind, Bound] = {
    Kind.EXTENDED_S3: Bound(
        None, Reason('records are written one after the other, and each event ends in a newline')
    ),
    Kind.REDSHIFT: Bound(None, Reason('COPY reads the files line by line, wherever records began')),
    **{
        kind: Bound(1, Reason(f'{kind.title} {_ONE_DOCUMENT}'))
        for kind in (Kind.ELASTICSEARCH, Kind.OPENSEARCH, Kind.OPENSEARCH_SERVERLESS)
    },
    Kind.HTTP: Bound(
        1,
        Reason('the server may or may not split records', 'If yours does, aggregate=True fits too', certain=False),
    ),
    Kind.SNOWFLAKE: Bound(1, Reason('Snowflake takes one JSON object in a record; others go to the error prefix')),
    Kind.ICEBERG: Bound(1, Reason('Iceberg takes one JSON object in a record; others go to the error prefix')),
    Kind.UNKNOWN: Bound(
        1,
        Reason(
            'this version of firefighter does not know the destination; one event in a record is safe anywhere',
            certain=False,
        ),
    ),
}  # fmt: skip
_SPLUNK_RAW = Bound(
    None,
    Reason(
        'Splunk gets the bytes of the records, and splits them at newlines if its source type is set up so'
    ),
)
_SPLUNK_EVENT = Bound(
    1,
    Reason(
        'each event has to be a Splunk envelope; Splunk takes several in a row, but whether they arrive so by Firehose is not said',
        certain=False,
    ),
)
_COMPRESSED_BYTES = 'would get compressed bytes'


def fit(stream: Stream) -> Fit:
    """Return what a stream's destination takes, with what is done to the records on the way there."""
    # Of several alike one that is certain, and among these what is on the way: it says more than that S3 takes anything.
    bounds = reversed([*_bounds(stream)])
    tightest = min(bounds, key=lambda bound: (bound.most_events or inf, not bound.reason.certain))
    return Fit(tightest, tuple(_obstacles(stream)))


def _bounds(stream: Stream) -> Iterator[Bound]:
    yield _destination_bound(stream)
    if stream.converts:
        yield Bound(None, Reason('conversion to Parquet or ORC takes several JSON objects in a record'))
    processors = stream.processors
    if _DEAGGREGATION in processors:
        yield _deaggregation(processors[_DEAGGREGATION])
    else:
        if _DELIMITER in processors and stream.kind.is_s3 and not stream.converts:
            yield Bound(
                None,
                Reason(
                    'each event ends in a newline; AppendDelimiterToRecord leaves an empty line behind a record'
                ),
            )
        if stream.partitions or _METADATA in processors:
            yield Bound(
                1,
                Reason(
                    'dynamic partitioning treats each record as one JSON object',
                    f'With multi record deaggregation on the stream, {MAX_DEAGGREGATED_EVENTS} events in a record fit',
                ),
            )
        if _LAMBDA in processors:
            yield Bound(
                1,
                Reason(
                    'the Lambda function gets whole records, and its code may or may not accept several lines',
                    'If it does, aggregate=True fits too',
                    certain=False,
                ),
            )
    for name in _others(processors):
        yield Bound(1, _unknown(name))


def _destination_bound(stream: Stream) -> Bound:
    if stream.kind is Kind.SPLUNK:
        return _SPLUNK_RAW if stream.destination.get('HECEndpointType') == 'Raw' else _SPLUNK_EVENT
    if stream.kind is Kind.HTTP and (receiver := receiver_of(stream.destination)):
        return receiver.events
    return _EVENTS[Kind.EXTENDED_S3 if stream.kind.is_s3 else stream.kind]


def _deaggregation(parameters: Mapping[str, str]) -> Bound:
    if parameters.get('SubRecordType') == 'DELIMITED' and not _is_newline(parameters.get('Delimiter', '')):
        return Bound(
            1, Reason('the stream splits records at a delimiter other than the newline that ends each event')
        )  # fmt: skip
    return Bound(
        MAX_DEAGGREGATED_EVENTS,
        Reason(f'the stream splits records again, of at most {MAX_DEAGGREGATED_EVENTS} events'),
    )


def _others(processors: Iterable[str]) -> list[str]:
    return [name for name in processors if name not in _KNOWN_PROCESSORS]


def _unknown(processor: str) -> Reason:
    return Reason(f'this version of firefighter does not know the processor {processor}', certain=False)


def _is_newline(delimiter: str) -> bool:
    """Return whether a delimiter of de-aggregation, which is in base64, is one newline."""
    try:
        return base64.b64decode(delimiter, validate=True) == b'\n'
    except binascii.Error:
        return False


def _obstacles(stream: Stream) -> Iterator[Reason]:
    if stream.kind is Kind.HTTP and (receiver := receiver_of(stream.destination)):
        yield receiver.compressed
    elif not stream.kind.is_s3:
        yield _OBSTACLES.get(
            stream.kind, Reason(f'{stream.kind.title} reads the records, and {_COMPRESSED_BYTES}')
        )
    if stream.compression != UNCOMPRESSED:
        yield Reason(
            f'Firehose itself compresses the files ({stream.compression}): they would be compressed twice',
            'To pay for fewer bytes, set CompressionFormat=UNCOMPRESSED and FileExtension=.json.gz on the stream, and '
            "compress with compression='gzip'",
        )
    if stream.converts:
        yield Reason(f'conversion to Parquet or ORC reads JSON, and {_COMPRESSED_BYTES}')
    if stream.partitions or _METADATA in stream.processors:
        yield Reason(f'dynamic partitioning reads JSON, and {_COMPRESSED_BYTES}')
    for name in stream.processors:
        if name in _PROCESSOR_OBSTACLES:
            yield _PROCESSOR_OBSTACLES[name]
    for name in _others(stream.processors):
        yield _unknown(name)


_OBSTACLES: Mapping[Kind, Reason] = {
    Kind.REDSHIFT: Reason(
        'COPY reads plain lines by default, and whether it reads files of several gzip members is not known',
        'To compress the files in S3, let Firehose do it (CompressionFormat=GZIP, and GZIP among the COPY options)',
        certain=False,
    ),
    Kind.HTTP: Reason('the server may or may not decompress records', certain=False),
}
_PROCESSOR_OBSTACLES: Mapping[str, Reason] = {
    _DELIMITER: Reason(
        'AppendDelimiterToRecord writes a newline between the compressed records, and most readers stop or fail there',
        'To compress, remove it from the stream: each event ends in a newline already',
    ),
    _LAMBDA: Reason(f'the Lambda function {_COMPRESSED_BYTES}', certain=False),
    _DEAGGREGATION: Reason(f'multi record deaggregation reads the events, and {_COMPRESSED_BYTES}'),
}
