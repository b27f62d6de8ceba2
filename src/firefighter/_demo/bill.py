"""What Firehose would charge."""

from __future__ import annotations

# The price of a put to Firehose in us-east-1, for each of the first 500 TB a month, whose GB is 2^30 bytes: from the
# AWS price list of November 2026. https://aws.amazon.com/firehose/pricing/
DOLLARS_PER_GIB = 0.029
GIB = 2**30
MONTH_SECONDS = 30 * 24 * 60 * 60


def monthly_dollars(billed_bytes: int, seconds: float) -> float:
    """Return what a month would cost that went on like this.

    Args:
        billed_bytes: with each record rounded up to 5,120 bytes.
        seconds: in how many seconds they were logged.
    """
    return billed_bytes / seconds * MONTH_SECONDS / GIB * DOLLARS_PER_GIB
