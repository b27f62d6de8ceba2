"""What CreateDeliveryStream and UpdateDestination ask for, as a destination, its hints and its description.

What the endpoint does not have is refused, never ignored, if it would change what arrives: processing by Lambda,
dynamic partitioning, backup of all records, Snappy. Encryption, logging to CloudWatch and VPCs are described and have
no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from firefighter.local.bucket import DEFAULT_BUCKET, Bucket
from firefighter.local.buffering import MIB, BufferingHints
from firefighter.local.description import describe
from firefighter.local.destinations import (
    Compose,
    Destination,
    concatenated,
    converted,
    documents,
    http_request,
    with_newlines,
)
from firefighter.local.judges import (
    Judge,
    anything,
    convertible,
    iceberg,
    opensearch,
    snowflake,
    splunk_event,
)
from firefighter.local.protocol import invalid_argument
from firefighter.local.validation import check_shape

Configuration = Mapping[str, Any]

SUFFIX = 'DestinationConfiguration'
UPDATE_SUFFIX = 'DestinationUpdate'
# UpdateDestination's names for what CreateDeliveryStream has.
_OF_UPDATES = {'S3Update': 'S3Configuration', 'S3BackupUpdate': 'S3BackupConfiguration'}
# No stream changes from one of these to another kind, nor back.
_UNCHANGEABLE = frozenset({'Elasticsearch', 'Amazonopensearchservice', 'AmazonOpenSearchServerless'})
DEFAULT_DESTINATION: Mapping[str, Configuration] = {
    'ExtendedS3DestinationConfiguration': {
        'RoleARN': 'arn:aws:iam::123456789012:role/firehose',
        'BucketARN': f'arn:aws:s3:::{DEFAULT_BUCKET}',
    }
}

_BACKUP_OF_ALL = frozenset({'Enabled', 'AllDocuments', 'AllEvents', 'AllData'})
# Streams with one of these take puts from CloudWatch Logs only.
_NO_PUTS = frozenset({'Decompression', 'CloudWatchLogProcessing'})


@dataclass(frozen=True)
class Kind:
    """A kind of destination that is not S3.

    Attributes:
        folder: what stands in for it, beside the buckets.
        error_type: what AWS calls its failures.
        judge: which records it takes.
        compose: how they are written.
    """

    folder: str
    error_type: str
    judge: Judge
    compose: Compose


_OPENSEARCH = Kind('_opensearch', 'AmazonOpenSearchService-failed', opensearch, documents)
KINDS: Mapping[str, Kind] = {
    'Elasticsearch': replace(_OPENSEARCH, error_type='elasticsearch-failed'),
    'Amazonopensearchservice': _OPENSEARCH,
    'AmazonOpenSearchServerless': _OPENSEARCH,
    'Splunk': Kind('_splunk', 'splunk-failed', anything, concatenated),
    'Snowflake': Kind('_snowflake', 'snowflake-failed', snowflake, documents),
    'Iceberg': Kind('_iceberg', 'iceberg-failed', iceberg, documents),
    'HttpEndpoint': Kind('_http', 'http-endpoint-failed', anything, http_request),
}


@dataclass(frozen=True)
class Settings:
    """A stream's settings.

    Attributes:
        destination: makes objects of batches.
        hints: when a batch is due.
        name: the destination's kind, such as `ExtendedS3`.
        asked: its configuration, as CreateDeliveryStream has it.
        takes_puts: false for a stream that decompresses what CloudWatch Logs sends.
        description: the one member of `Destinations` in DescribeDeliveryStream.
    """

    destination: Destination
    hints: BufferingHints
    name: str
    asked: Configuration
    takes_puts: bool
    description: Configuration


def settings(parameters: Configuration, default_hints: BufferingHints) -> Settings:
    """Return the settings that CreateDeliveryStream asks for.

    Args:
        parameters: its parameters, already valid by the service model.
        default_hints: for a destination without hints of its own.

    Raises:
        ServiceError: AWS would refuse them, or the endpoint does not have what they ask for.
    """
    given = _without_nulls(parameters)
    found = {key: value for key, value in given.items() if key.endswith(SUFFIX)}
    if len(found) > 1:
        raise _not_one_destination()
    ((key, asked),) = (found or DEFAULT_DESTINATION).items()
    name = key.removesuffix(SUFFIX)
    processors = _processors(asked)
    unsupported = processors - _NO_PUTS - {'AppendDelimiterToRecord'}
    if unsupported:
        raise _not_here(f'the processor {", ".join(sorted(unsupported))}')
    if asked.get('S3BackupMode') in _BACKUP_OF_ALL:
        raise _not_here(f'S3BackupMode {asked["S3BackupMode"]}')
    hints = _hints(
        asked.get('BufferingHints') or asked.get('S3Configuration', {}).get('BufferingHints'), default_hints
    )
    return Settings(
        destination=_destination(name, asked, processors),
        hints=hints,
        name=name,
        asked=asked,
        takes_puts=not processors & _NO_PUTS,
        description=describe(name, asked, hints),
    )


def updated_settings(current: Settings, parameters: Configuration, default_hints: BufferingHints) -> Settings:
    """Return the settings that UpdateDestination asks for.

    A destination of the same kind keeps what is not given. One of another kind has nothing but what is given.

    Args:
        current: what the stream has.
        parameters: the call's, already valid by the service model.
        default_hints: for a destination without hints of its own.

    Raises:
        ServiceError: as for `settings`.
    """
    given = _without_nulls(parameters)
    found = {key: value for key, value in given.items() if key.endswith(UPDATE_SUFFIX)}
    if len(found) != 1:
        raise _not_one_destination()
    ((key, update),) = found.items()
    name = key.removesuffix(UPDATE_SUFFIX)
    asked: Configuration = {_OF_UPDATES.get(member, member): value for member, value in update.items()}
    if name == current.name or {name, current.name} == {'S3', 'ExtendedS3'}:
        asked = _merged(current.asked, asked)
        # The two are one kind, and the second one has all that the first one has.
        name = current.name if name == 'S3' else name
    elif _UNCHANGEABLE & {name, current.name}:
        raise invalid_argument(
            f'Changing the destination type from {current.name} to {name} is not supported'
        )
    key = name + SUFFIX
    check_shape(key, asked, key[0].lower() + key[1:])
    return settings({key: asked}, default_hints)


def _merged(current: Configuration, asked: Configuration) -> Configuration:
    merged = {**current, **asked}
    for member in _OF_UPDATES.values():
        if member in current and member in asked:
            merged[member] = {**current[member], **asked[member]}
    return merged


def _destination(name: str, asked: Configuration, processors: frozenset[str]) -> Destination:
    if name in {'S3', 'ExtendedS3', 'Redshift'}:
        destination = _s3(asked['S3Configuration'] if name == 'Redshift' else asked)
    else:
        kind = KINDS[name]
        failed = Bucket.from_configuration(asked['S3Configuration'])
        if failed.prefixes.failed is None:
            # Nothing else goes into the bucket, and so failures have its prefix.
            failed = replace(failed, prefixes=replace(failed.prefixes, failed=failed.prefixes.delivered))
        judge = splunk_event if asked.get('HECEndpointType') == 'Event' else kind.judge
        destination = Destination(Bucket(kind.folder), failed, judge, kind.compose, kind.error_type)
    if 'AppendDelimiterToRecord' in processors and destination.compose is concatenated:
        destination = replace(destination, compose=with_newlines)
    return destination


def _s3(asked: Configuration) -> Destination:
    bucket = Bucket.from_configuration(asked)
    # Failed records are written as they are read by people: without compression or an extension.
    failed = replace(bucket, compression='UNCOMPRESSED', extension='')
    if _is_enabled(asked.get('DynamicPartitioningConfiguration'), default=False):
        raise _not_here('dynamic partitioning')
    if not _is_enabled(asked.get('DataFormatConversionConfiguration'), default=True):
        return Destination(bucket, failed)
    # Not Parquet or ORC, but what they would hold: one document a line.
    return Destination(bucket, failed, convertible, converted, 'format-conversion-failed')


def _is_enabled(asked: Configuration | None, *, default: bool) -> bool:
    return asked is not None and bool(asked.get('Enabled', default))


def _processors(asked: Configuration) -> frozenset[str]:
    processing = asked.get('ProcessingConfiguration')
    if processing is None or not _is_enabled(processing, default=False):
        return frozenset()
    return frozenset(processor['Type'] for processor in processing.get('Processors', ()))


def _hints(asked: Configuration | None, default: BufferingHints) -> BufferingHints:
    if not asked:
        return default
    if {'SizeInMBs', 'IntervalInSeconds'} - asked.keys():
        raise invalid_argument('BufferingHints needs both SizeInMBs and IntervalInSeconds, or neither')
    return BufferingHints(asked['SizeInMBs'] * MIB, asked['IntervalInSeconds'])


def _without_nulls(value: Any) -> Any:
    # A member that is null counts as absent.
    if isinstance(value, dict):
        return {key: _without_nulls(member) for key, member in value.items() if member is not None}
    return [_without_nulls(member) for member in value] if isinstance(value, list) else value


def _not_one_destination() -> Exception:
    return invalid_argument('Exactly one destination configuration is supported for a Firehose')


def _not_here(what: str) -> Exception:
    return invalid_argument(f'The local endpoint does not have {what}')
