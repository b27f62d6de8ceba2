"""What one request to Firehose may hold, and what we allow ourselves.

The service's limits are AWS's quotas for Direct PUT, https://docs.aws.amazon.com/firehose/latest/dev/limits.html, and the
model in botocore (firehose/2015-08-04/service-2.json); they cannot be raised.
"""

from __future__ import annotations

__all__ = [
    'BILLED_BYTES',
    'FULL_REQUEST_BYTES',
    'MAX_RECORDS',
    'MAX_RECORD_BYTES',
    'MAX_REQUEST_BYTES',
    'MAX_WINDOW_BYTES',
    'MIN_REQUEST_GAP_SECONDS',
]

BILLED_BYTES = 5 * 1024
"""Each record is billed as a multiple of this, rounded up ("5 KB (5120 bytes)", the same page of quotas)."""

MAX_RECORDS = 500
"""Records in one PutRecordBatch (model: `PutRecordBatchRequestEntryList`, max 500)."""

MAX_RECORD_BYTES = 1_024_000
"""Bytes of data in one Firehose record, before base64 (model: `Data`, max 1024000)."""

MAX_REQUEST_BYTES = 4 * 1024 * 1024 - 16 * 1024
"""Bytes of data in one request, before base64. AWS says 4 MiB without its exact edge: 16 KiB stay free."""

FULL_REQUEST_BYTES = 1024 * 1024
"""A request of so many bytes, or of MAX_RECORDS records, is full: it starts without regard to the gap below."""

MIN_REQUEST_GAP_SECONDS = 1.0
"""Between the starts of two requests that are due by size or count. 1,600 processes would otherwise make 7,000
requests a second, against a quota of 1,000 to 2,000 a stream."""

MAX_WINDOW_BYTES = 8 * 1024 * 1024
"""From the head of the spool to the end of the newest request: the most that a crash can repeat."""
