"""What DescribeDeliveryStream says of a stream, as far as it decides how events may travel."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ['DIRECT_PUT', 'UNCOMPRESSED', 'Kind', 'Stream', 'read']

DIRECT_PUT = 'DirectPut'
UNCOMPRESSED = 'UNCOMPRESSED'
_SUFFIX = 'DestinationDescription'
# Streams with one of these take puts from CloudWatch Logs only (botocore's model, InvalidSourceException).
_NO_PUTS = frozenset({'Decompression', 'CloudWatchLogProcessing'})


class Kind(enum.Enum):
    """A kind of destination, by its name in the API, in the order in which they are looked for.

    The two of S3 come last: Firehose shows an S3 destination under its older name too.
    """

    REDSHIFT = 'Redshift'
    ELASTICSEARCH = 'Elasticsearch'
    OPENSEARCH = 'Amazonopensearchservice'
    OPENSEARCH_SERVERLESS = 'AmazonOpenSearchServerless'
    SPLUNK = 'Splunk'
    HTTP = 'HttpEndpoint'
    SNOWFLAKE = 'Snowflake'
    ICEBERG = 'Iceberg'
    EXTENDED_S3 = 'ExtendedS3'
    S3 = 'S3'
    UNKNOWN = ''
    """None of those above: of a version of Firehose to come, or none at all."""

    @property
    def title(self) -> str:
        """Its name for people."""
        return _TITLES.get(self, self.value)

    @property
    def is_s3(self) -> bool:
        """Whether the records' bytes become files in S3, and that is all."""
        return self in {Kind.EXTENDED_S3, Kind.S3}


_TITLES = {
    Kind.OPENSEARCH: 'OpenSearch',
    Kind.OPENSEARCH_SERVERLESS: 'OpenSearch Serverless',
    Kind.HTTP: 'HTTP endpoint',
    Kind.EXTENDED_S3: 'S3',
    Kind.UNKNOWN: 'a destination that is not known here',
}


@dataclass(frozen=True)
class Stream:
    """A stream, as far as it decides how events may travel.

    Attributes:
        source: who may write to it; only a "DirectPut" stream takes puts from a program.
        kind: of its destination.
        destination: what is said of that, for what only one kind has.
        processors: what is done to the records on the way, with its parameters; what is switched off is left out.
    """

    source: str
    kind: Kind
    destination: Mapping[str, Any]
    processors: Mapping[str, Mapping[str, str]]

    @property
    def takes_puts(self) -> bool:
        """Whether a program may put records into it."""
        return self.source == DIRECT_PUT and not _NO_PUTS & self.processors.keys()

    @property
    def converts(self) -> bool:
        """Whether it makes Parquet or ORC of the records. AWS: "Enabled ... Defaults to true"."""
        return _is_on(self.destination.get('DataFormatConversionConfiguration'), default=True)

    @property
    def partitions(self) -> bool:
        """Whether it looks into each record to choose its place in S3."""
        return _is_on(self.destination.get('DynamicPartitioningConfiguration'), default=False)

    @property
    def compression(self) -> str:
        """How Firehose itself compresses the files."""
        return str(self.destination.get('CompressionFormat') or UNCOMPRESSED)

    @property
    def file_extension(self) -> str:
        """What the files' names end in, or an empty text."""
        return str(self.destination.get('FileExtension') or '')


def read(description: Mapping[str, Any]) -> Stream:
    """Return what a `DeliveryStreamDescription` says, in botocore's shapes.

    What it lacks, or is of another shape, counts as absent: a service to come may say anything.
    """
    first = next(_mappings(description.get('Destinations')), {})
    kind = next((kind for kind in Kind if kind.value + _SUFFIX in first), Kind.UNKNOWN)
    destination = _mapping(first.get(kind.value + _SUFFIX))
    return Stream(
        source=str(description.get('DeliveryStreamType', '')),
        kind=kind,
        destination=destination,
        processors=_processors(_mapping(destination.get('ProcessingConfiguration'))),
    )


def _processors(processing: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    if not _is_on(processing, default=False):
        return {}
    return {
        str(processor.get('Type')): {
            str(parameter.get('ParameterName')): str(parameter.get('ParameterValue'))
            for parameter in _mappings(processor.get('Parameters'))
        }
        for processor in _mappings(processing.get('Processors'))
    }


def _is_on(configuration: object, *, default: bool) -> bool:
    return isinstance(configuration, Mapping) and bool(configuration.get('Enabled', default))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    return map(_mapping, value if isinstance(value, list) else ())
