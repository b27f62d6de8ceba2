"""Do many producers on one stream settle at its quota, and share it? In simulated time, with the pieces that deliver."""

from __future__ import annotations

import pytest
from benchmarks.fleet import Account, Demand, Fleet, Quota

pytestmark = pytest.mark.once

MIB = 2**20


def fleet(producers: int, bytes_per_second: float, event_bytes: int = 200) -> list[Demand]:
    """Return producers that log so many bytes a second together."""
    return [Demand(bytes_per_second / producers / event_bytes, event_bytes)] * producers


def settled(demands, *quotas, seed=1, begin_seconds=30.0, seconds=90.0) -> Account:
    """Return what came of the requests after the given time."""
    return Fleet(demands, *quotas, seed=seed).run(seconds).account(begin_seconds, seconds)


@pytest.mark.parametrize('seed', range(5))
def test_16_producers_settle_at_the_quota(seed):
    """A quarter of what they demand: 90 % of it and more are used, under 5 % of the records are refused."""
    account = settled(fleet(16, 4 * MIB), Quota(MIB), seed=seed)
    assert account.accepted_bytes >= 0.9 * MIB
    assert account.refused_share < 0.05
    assert account.fairness >= 0.9


def test_backoff_alone_does_not():
    """What the Pacer is for: most of what is sent would be refused, again and again."""
    demands = fleet(16, 4 * MIB)
    account = Fleet(demands, Quota(MIB), seed=1, paced=False).run(60.0).account(30.0, 60.0)
    assert account.refused_share > 0.8


@pytest.mark.parametrize('producers', [1, 4, 100])
def test_any_number_of_producers_settles(producers):
    """One that has the stream for itself, and a hundred."""
    account = settled(fleet(producers, 4 * MIB), Quota(MIB))
    assert account.accepted_bytes >= 0.9 * MIB
    assert account.refused_share < 0.05
    assert account.fairness >= 0.85


@pytest.mark.parametrize('producers', [1, 16, 100])
def test_a_quota_of_records_is_met(producers):
    """Small events come to the limit of records long before that of bytes."""
    account = settled(fleet(producers, 80_000 * 40, event_bytes=40), Quota(records=20_000))
    assert account.accepted_records >= 0.9 * 20_000
    assert account.refused_share < 0.05
    assert account.fairness >= 0.8


@pytest.mark.parametrize('producers', [4, 16])
def test_a_quota_of_requests_is_met(producers):
    """Full requests of 500, of which the service takes two a second for each producer, and not four as they demand."""
    account = settled(fleet(producers, producers * 8 * 500 * 200), Quota(requests=2.0 * producers))
    assert account.accepted_requests >= 0.9 * 2.0 * producers
    assert account.refused_share < 0.05
    assert account.fairness >= 0.8


def test_a_quota_too_small_for_a_full_request_is_met():
    """A request of 500 would never pass as a whole, where the stream takes 100 in a second."""
    account = settled([Demand(100)] * 4, Quota(records=100))
    assert account.accepted_records >= 0.9 * 100
    assert account.refused_share < 0.05
    assert account.fairness >= 0.85


def test_a_quota_that_is_raised_is_found():
    """Firehose raises quotas of streams that are throttled."""
    doubled = Quota(2 * MIB, from_seconds=60.0)
    account = settled(fleet(16, 8 * MIB), Quota(MIB), doubled, begin_seconds=150.0, seconds=210.0)
    assert account.accepted_bytes >= 0.9 * 2 * MIB
    assert account.refused_share < 0.05
    assert account.fairness >= 0.85


def test_a_quota_that_is_halved_is_kept():
    """Others have come to the stream: what was right is too much now."""
    halved = Quota(MIB / 2, from_seconds=60.0)
    account = settled(fleet(16, 4 * MIB), Quota(MIB), halved, begin_seconds=90.0, seconds=150.0)
    assert account.accepted_bytes >= 0.9 * MIB / 2
    assert account.refused_share < 0.05
    assert account.fairness >= 0.85


@pytest.mark.parametrize('producers', [1, 4, 16, 100])
@pytest.mark.parametrize('seed', range(2))
def test_after_a_short_episode_no_producer_crawls(producers, seed):
    """For ten seconds the stream takes a fifth of what they log. 40 seconds later all of it passes, and what has queued."""
    quotas = Quota(2 * MIB), Quota(0.2 * MIB, from_seconds=20.0), Quota(2 * MIB, from_seconds=30.0)
    account = settled(fleet(producers, MIB), *quotas, seed=seed, begin_seconds=70.0, seconds=90.0)
    assert account.accepted_bytes >= 0.95 * MIB
    assert account.refused_share < 0.02
    assert account.fairness >= 0.75


def test_producers_that_come_later_get_their_share():
    """Eight have settled; eight more come, as a deployment that scales out."""
    demand = MIB / 4 / 200
    demands = [Demand(demand)] * 8 + [Demand(demand, from_seconds=60.0)] * 8
    account = settled(demands, Quota(MIB), begin_seconds=90.0, seconds=150.0)
    assert account.accepted_bytes >= 0.9 * MIB
    assert account.refused_share < 0.05
    assert account.fairness >= 0.85


def test_producers_that_demand_more_do_not_get_it_all():
    """One of four asks for four times as much as another."""
    demands = [Demand(MIB / 4 / 200 * (1 + number % 4)) for number in range(16)]
    account = settled(demands, Quota(MIB), begin_seconds=60.0, seconds=150.0)
    assert account.accepted_bytes >= 0.9 * MIB
    assert account.refused_share < 0.05
    assert account.fairness >= 0.8


def test_a_demand_within_the_quota_is_not_held_back():
    """All of it arrives, and nothing is refused."""
    account = settled(fleet(16, 0.8 * MIB), Quota(MIB))
    assert account.accepted_bytes >= 0.75 * MIB
    assert account.refused_share == 0.0
