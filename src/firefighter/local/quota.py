"""A stream's quota, as token buckets for bytes, records and requests.

Firehose's own limits are 5 MiB/s, 500,000 records/s and 2,000 requests/s in its three large regions, and 1 MiB/s,
100,000 records/s and 1,000 requests/s elsewhere (https://docs.aws.amazon.com/firehose/latest/dev/limits.html).
How much of a burst it lets pass is not documented; here it is what one second allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Bucket:
    """One resource: `rate` of it in a second, and at most that much saved up.

    What is taken may exceed what is there, and then has to be waited for: so a record larger than a second's worth
    passes too, once.
    """

    rate: float
    level: float
    filled_at: float | None = None

    def fill(self, now: float) -> None:
        """Add what the time since the last call has brought.

        Args:
            now: in seconds, on the monotonic clock.
        """
        if self.filled_at is not None:
            self.level = min(self.rate, self.level + (now - self.filled_at) * self.rate)
        self.filled_at = now


class Buckets:
    """The quota of one stream.

    Args:
        bytes_per_second: of data, before base64.
        records_per_second: of both kinds of put together.
        requests_per_second: of both kinds of put together.
    """

    def __init__(
        self, bytes_per_second: float, records_per_second: float, requests_per_second: float
    ) -> None:
        self._bytes = Bucket(bytes_per_second, bytes_per_second)
        self._records = Bucket(records_per_second, records_per_second)
        self._requests = Bucket(requests_per_second, requests_per_second)

    def admit(self, sizes: Sequence[int], now: float) -> list[bool]:
        """Decide for each record of one put, in order.

        Args:
            sizes: of the records, in bytes.
            now: in seconds, on the monotonic clock.
        """
        for bucket in (self._bytes, self._records, self._requests):
            bucket.fill(now)
        if self._requests.level < 1:
            return [False] * len(sizes)
        self._requests.level -= 1
        return [self._admit_one(size) for size in sizes]

    def _admit_one(self, size_bytes: int) -> bool:
        if self._records.level < 1 or self._bytes.level <= 0:
            return False
        self._records.level -= 1
        self._bytes.level -= size_bytes
        return True
