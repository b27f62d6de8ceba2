"""What a way to send costs: of a month at a rate, or of each GB that is logged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firefighter._cost.prices import GIB, MONTH_SECONDS, Tier, dollars
from firefighter._cost.quotas import Quota
from firefighter._cost.simulation import Played, play
from firefighter._cost.ways import Way, usable_ways
from firefighter._cost.workload import Workload

__all__ = ['Bill', 'Fleet', 'bills']


@dataclass(frozen=True)
class Fleet:
    """Who logs, and where to.

    Attributes:
        instances: processes that log alike.
        send_interval: of their handlers, in seconds.
        tiers: the prices of the stream's region.
        quota: what the stream takes.
    """

    instances: int
    send_interval: float
    tiers: Sequence[Tier]
    quota: Quota


@dataclass(frozen=True)
class Bill:
    """What a way to send comes to. All amounts are of a month and all instances; without a rate, of 2^30 bytes of events.

    Attributes:
        way: how it is sent.
        played: the part of it that was played.
        records: Firehose records.
        requests: to send them.
        billed_bytes: of them, each rounded up to 5,120 bytes.
        times_logged: billed bytes by bytes of events.
        dollars: what they cost.
        quota_share: what it uses of the stream's quota, where 1.0 is all; None without a rate.
        quota_limit: which of the quota's limits that is: records, requests or bytes.
    """

    way: Way
    played: Played
    records: float
    requests: float
    billed_bytes: float
    times_logged: float
    dollars: float
    quota_share: float | None
    quota_limit: str | None


def bills(workload: Workload, fleet: Fleet, ways: Sequence[Way] | None = None) -> list[Bill]:
    """Return what each way comes to.

    Args:
        workload: what one instance logs.
        fleet: who logs, and where to.
        ways: to send; None: all for which what they need is installed.
    """
    ways = usable_ways() if ways is None else ways
    return [_bill(way, play(workload, way, fleet.send_interval), workload, fleet) for way in ways]


def _bill(way: Way, played: Played, workload: Workload, fleet: Fleet) -> Bill:
    rate = workload.events_per_second
    if rate is None:
        times = GIB / played.event_bytes
        share, limit = None, None
    else:
        a_second = rate * fleet.instances / played.events
        times = a_second * MONTH_SECONDS
        share, limit = fleet.quota.share_used(
            Quota(played.records * a_second, played.requests * a_second, played.sent_bytes * a_second)
        )
    billed_bytes = played.billed_bytes * times
    return Bill(
        way,
        played,
        played.records * times,
        played.requests * times,
        billed_bytes,
        played.billed_bytes / played.event_bytes,
        dollars(billed_bytes, fleet.tiers),
        share,
        limit,
    )
