"""Where a stream's records go: a batch in, named objects out. Nothing here touches the disk.

S3 and Redshift are delivered to as they are. In place of a search engine, a table or somebody's server there is a
folder beside the buckets, with a name that no bucket can have, such as `_opensearch`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from firefighter.local.bucket import Bucket, StoredObject
from firefighter.local.buffering import Batch
from firefighter.local.judges import Judge, anything, json_values
from firefighter.local.protocol import RecordError

# Makes an object's body of the records in it.
Compose = Callable[[Sequence[bytes]], bytes]


def concatenated(records: Sequence[bytes]) -> bytes:
    """Write the records' bytes one behind the other, with nothing between them."""
    return b''.join(records)


@dataclass(frozen=True)
class Destination:
    """What becomes of a batch.

    Attributes:
        delivered: where the records go that the destination takes.
        failed: where the others go.
        judge: tells the two apart.
        compose: makes one body of the records that are delivered.
        error_type: what AWS calls the failure in keys, such as `splunk-failed`.
    """

    delivered: Bucket
    failed: Bucket
    judge: Judge = anything
    compose: Compose = concatenated
    error_type: str = 'processing-failed'

    def longest_keys(self, stream_name: str, version: str) -> list[tuple[str, str]]:
        """Return buckets with keys as long as they get in them."""
        delivered = self.delivered.longest_keys(stream_name, version)
        failed = self.failed.longest_keys(stream_name, version, self.error_type)
        return [(self.delivered.name, key) for key in delivered] + [(self.failed.name, key) for key in failed]

    def objects(self, batch: Batch, stream_name: str, version: str) -> list[StoredObject]:
        """Return the objects that a batch becomes: one of what is delivered, one of what failed, as needed."""
        errors = [self.judge(record) for record in batch.records]
        delivered = [record for record, error in zip(batch.records, errors, strict=True) if error is None]
        failed = [
            (record, error) for record, error in zip(batch.records, errors, strict=True) if error is not None
        ]
        names = {'stream_name': stream_name, 'version': version}
        opened = batch.opened.unix_seconds
        stored = []
        if delivered:
            stored.append(
                self.delivered.pack(
                    self.compose(delivered), **names, opened_unix_seconds=opened, records=len(delivered)
                )
            )
        if failed:
            body = b''.join(failure(record, error, opened) for record, error in failed)
            stored.append(
                self.failed.pack(
                    body, **names, opened_unix_seconds=opened, records=len(failed), error_type=self.error_type
                )
            )
        return stored


def with_newlines(records: Sequence[bytes]) -> bytes:
    r"""Append a newline to each record, whether it has one or not, as AppendDelimiterToRecord does."""
    return b''.join(record + b'\n' for record in records)


def documents(records: Sequence[bytes]) -> bytes:
    """Write one JSON document a line."""
    return b''.join(record.strip() + b'\n' for record in records)


def converted(records: Sequence[bytes]) -> bytes:
    """Write each JSON value of each record as a line: what Parquet or ORC would hold."""
    values = [value for record in records for value in json_values(record)]
    return b''.join(json.dumps(value).encode() + b'\n' for value in values)


def http_request(records: Sequence[bytes]) -> bytes:
    """Write the body that Firehose posts to an HTTP endpoint, as a line; each record is a blob of its own.

    Source: https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html
    """
    return (
        orjson.dumps({'records': [{'data': base64.b64encode(record).decode()} for record in records]}) + b'\n'
    )


def failure(record: bytes, error: RecordError, arrived_unix_seconds: float) -> bytes:
    """Return the line that stands under the error prefix for a record that was not delivered.

    Args:
        record: its bytes, which become `rawData`.
        error: what the destination had against it.
        arrived_unix_seconds: the arrival of the oldest record of its batch.
    """
    milliseconds = int(arrived_unix_seconds * 1000)
    line = {
        'attemptsMade': 1,
        'arrivalTimestamp': milliseconds,
        'errorCode': error.code,
        'errorMessage': error.message,
        'attemptEndingTimestamp': milliseconds,
        'rawData': base64.b64encode(record).decode(),
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
