"""What the service takes in one put, and how it refuses the rest.

A put is checked here by hand and not by walking the service model, since it is the hot path: 500 records in less
than a millisecond. A contract test holds these numbers against botocore's model.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from firefighter.local.protocol import ServiceError, invalid_argument, problem, validation_error

try:
    # Ten times as fast, which is a third of the cost of a full request: part of the extra `local`.
    from pybase64 import b64decode
except ModuleNotFoundError:
    b64decode = base64.b64decode  # type: ignore[assignment]  # has more parameters, none of which is used

# From botocore's service model of firehose 2015-08-04, and https://docs.aws.amazon.com/firehose/latest/dev/limits.html
MAX_RECORD_BYTES = 1_024_000
MAX_BATCH_RECORDS = 500
MAX_NAME_LENGTH = 64
NAME_PATTERN = r'[a-zA-Z0-9_.-]+'
# Not in the model. AWS counts the data before base64, without any overhead.
MAX_BATCH_BYTES = 4 * 1024 * 1024
# Firehose bills each record rounded up to a multiple of this.
BILLING_UNIT_BYTES = 5120
# Our own: no valid request comes near it. 4 MiB are 5.6 MB in base64, and 500 records have 10 kB of overhead.
MAX_BODY_BYTES = 16 * 1024 * 1024

_NAME = re.compile(NAME_PATTERN)


def parse_put_record(payload: dict[str, Any]) -> tuple[str, list[bytes]]:
    """Return the stream's name and the one record of a PutRecord.

    Raises:
        ServiceError: the request is refused, in AWS's words.
    """
    problems = _name_problems(payload)
    entry = payload.get('Record')
    if entry is None:
        problems.append(problem(None, 'record', 'Member must not be null'))
        raise validation_error(problems)
    return _checked(payload, problems, [_decoded(entry)], 'record.data')


def parse_put_record_batch(payload: dict[str, Any]) -> tuple[str, list[bytes]]:
    """Return the stream's name and the records of a PutRecordBatch.

    Raises:
        ServiceError: the request is refused, in AWS's words.
    """
    problems = _name_problems(payload)
    entries = payload.get('Records')
    if entries is None:
        problems.append(problem(None, 'records', 'Member must not be null'))
        raise validation_error(problems)
    if not isinstance(entries, list):
        raise _unexpected_type()
    if not entries:
        constraint = 'Member must have length greater than or equal to 1'
        problems.append(problem([], 'records', constraint))
    if len(entries) > MAX_BATCH_RECORDS:
        constraint = f'Member must have length less than or equal to {MAX_BATCH_RECORDS}'
        problems.append(problem(f'[{len(entries)} records]', 'records', constraint))
    data = [_decoded(entry) for entry in entries]
    name, records = _checked(payload, problems, data, 'records.{}.member.data')
    if sum(map(len, records)) > MAX_BATCH_BYTES:
        raise invalid_argument('Records size exceeds 4 MB limit')
    return name, records


def billed_bytes(size_bytes: int) -> int:
    """Return what Firehose bills for a record of a size, in bytes: at least one unit, and whole units only."""
    return max(1, -(-size_bytes // BILLING_UNIT_BYTES)) * BILLING_UNIT_BYTES


def _name_problems(payload: dict[str, Any]) -> list[str]:
    name = payload.get('DeliveryStreamName')
    path = 'deliveryStreamName'
    if name is None:
        return [problem(None, path, 'Member must not be null')]
    if not isinstance(name, str):
        raise _unexpected_type()
    problems = []
    if len(name) > MAX_NAME_LENGTH:
        constraint = f'Member must have length less than or equal to {MAX_NAME_LENGTH}'
        problems.append(problem(name, path, constraint))
    if not _NAME.fullmatch(name):
        constraint = f'Member must satisfy regular expression pattern: {NAME_PATTERN}'
        problems.append(problem(name, path, constraint))
    if not name:
        problems.append(problem(name, path, 'Member must have length greater than or equal to 1'))
    return problems


def _checked(
    payload: dict[str, Any], problems: list[str], records: list[bytes | None], path: str
) -> tuple[str, list[bytes]]:
    for number, record in enumerate(records, 1):
        if record is None:
            problems.append(problem(None, path.format(number), 'Member must not be null'))
        elif len(record) > MAX_RECORD_BYTES:
            # A Java buffer, as the real message shows it.
            value = f'java.nio.HeapByteBuffer[pos=0 lim={len(record)} cap={len(record)}]'
            constraint = f'Member must have length less than or equal to {MAX_RECORD_BYTES}'
            problems.append(problem(value, path.format(number), constraint))
    if problems:
        raise validation_error(problems)
    return payload['DeliveryStreamName'], [record for record in records if record is not None]


def _decoded(entry: object) -> bytes | None:
    if not isinstance(entry, dict):
        raise _unexpected_type()
    text = entry.get('Data')
    if text is None:
        return None
    if not isinstance(text, str):
        raise _unexpected_type()
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise ServiceError('SerializationException', 'A blob is not valid base64') from None


def _unexpected_type() -> ServiceError:
    return ServiceError('SerializationException', 'A value has another type than the service model gives it')
