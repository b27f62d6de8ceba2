"""The prices of a put to Firehose by region: this file alone has any. As known on 2026-11-22.

Of us-east-2 they are the rates of AWS's price list, as others reproduce them, and AWS's calculator to the cent with
them. Of us-east-1 three tables of others give the same. Of Tokyo the first tier alone is known. AWS's own page,
https://aws.amazon.com/firehose/pricing/, could not be read: look there before a decision hangs on it, and give `--price`.

A GB is 2^30 bytes, a TB 1,024 of them. Every record counts with its size rounded up to 5,120 bytes. Requests cost nothing,
delivery to S3 neither. Not in here: format conversion, dynamic partitioning, delivery into a VPC, the destination's own price.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

__all__ = [
    'FALLBACK_REGION',
    'GIB',
    'MONTH_SECONDS',
    'PRICES',
    'PRICE_PAGE',
    'Tier',
    'dollars',
    'flat',
    'priced_as',
    'tiers_of',
]

GIB = 2**30
MONTH_SECONDS = 30 * 24 * 60 * 60


class Tier(NamedTuple):
    """A part of a month's bytes that has one price.

    Attributes:
        up_to_gib: where it ends, counted from the month's first byte.
        dollars: for each GB.
    """

    up_to_gib: float
    dollars: float


_US_EAST = (Tier(500 * 1024, 0.029), Tier(2_000 * 1024, 0.025), Tier(inf, 0.020))

PRICES: dict[str, Sequence[Tier]] = {
    'us-east-1': _US_EAST,
    'us-east-2': _US_EAST,
    # Beyond 500 TB a month it is less, how much is not known.
    'ap-northeast-1': (Tier(inf, 0.036),),
}


FALLBACK_REGION = 'us-east-1'
PRICE_PAGE = 'https://aws.amazon.com/firehose/pricing/'


def priced_as(region: str) -> str:
    """Return the region whose prices are taken for a region: itself, or where none are known, `FALLBACK_REGION`."""
    return region if region in PRICES else FALLBACK_REGION


def tiers_of(region: str) -> Sequence[Tier]:
    """Return the tiers of a region, in their order; where none are known, those of `FALLBACK_REGION`."""
    return PRICES[priced_as(region)]


def flat(price: float) -> Sequence[Tier]:
    """Return the tiers where each GB costs the same."""
    return (Tier(inf, price),)


def dollars(billed_bytes: float, tiers: Sequence[Tier]) -> float:
    """Return what a month costs.

    Args:
        billed_bytes: of the whole month and all instances, each record rounded up to 5,120 bytes.
        tiers: the region's.
    """
    gib, total, begin = billed_bytes / GIB, 0.0, 0.0
    for end, price in tiers:
        total += max(0.0, min(gib, end) - begin) * price
        begin = end
    return total
