"""What a stream takes by default: AWS's quotas for direct puts, and how much of them somebody uses.

https://docs.aws.amazon.com/firehose/latest/dev/limits.html, as read on 2026-11-22. All producers of a stream share them. AWS
raises them on request, and by itself where a stream is throttled for a while.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ['Quota', 'quota_of']

MIB = 2**20


class Quota(NamedTuple):
    """What a stream takes in a second, or what somebody sends."""

    records: float
    requests: float
    size_bytes: float

    def share_used(self, sent: Quota) -> tuple[float, str]:
        """Return how much of it is used, where 1.0 is all, and the limit that is met first: its name."""
        shares = {
            'records': sent.records / self.records,
            'requests': sent.requests / self.requests,
            'bytes': sent.size_bytes / self.size_bytes,
        }
        tightest = max(shares, key=shares.__getitem__)
        return shares[tightest], tightest


_LARGE = Quota(500_000, 2_000, 5 * MIB)
_SMALL = Quota(100_000, 1_000, 1 * MIB)
_LARGE_REGIONS = frozenset({'us-east-1', 'us-west-2', 'eu-west-1'})


def quota_of(region: str) -> Quota:
    """Return the default quota of a stream in that region."""
    return _LARGE if region in _LARGE_REGIONS else _SMALL
