"""Do many producers on one stream settle at its quota, and share it? In simulated time, with the pieces that deliver."""

from __future__ import annotations

import pytest
from benchmarks.fleet import Account, Demand, Fleet, Quota, Refusals
from benchmarks.throttling import (
    EPISODES,
    REFUSALS,
    alike,
    seconds_until_as_before,
    seconds_until_delivered,
    single,
)

from depth import AT_FULL_DEPTH, depth

pytestmark = pytest.mark.once

MIB = 2**20
HUNDRED = pytest.param(100, marks=AT_FULL_DEPTH)
TOLERATED = 0.65
"""The most that is refused of what is sent. While more is logged than the stream takes, the spools are full, and 62 % are tolerated."""


def fleet(producers: int, bytes_per_second: float, event_bytes: int = 200) -> list[Demand]:
    """Return producers that log so many bytes a second together."""
    return [Demand(bytes_per_second / producers / event_bytes, event_bytes)] * producers


def settled(demands, *quotas, seed=1, begin_seconds=30.0, seconds=90.0) -> Account:
    """Return what came of the requests after the given time."""
    return Fleet(demands, *quotas, seed=seed).run(seconds).account(begin_seconds, seconds)


@pytest.mark.parametrize('seed', range(depth(1, 5)))
def test_16_producers_settle_at_the_quota(seed):
    """A quarter of what they demand: 97 % of it and more are used, and they share it."""
    account = settled(alike(16, 4 * MIB), Quota(MIB), seed=seed, seconds=240.0)
    assert account.accepted_bytes >= 0.97 * MIB
    assert account.refused_share < TOLERATED
    assert account.fairness >= 0.9


def test_backoff_alone_does_not():
    """What the Pacer is for: most of what is sent would be refused, again and again."""
    demands = fleet(16, 4 * MIB)
    account = Fleet(demands, Quota(MIB), seed=1, paced=False).run(60.0).account(30.0, 60.0)
    assert account.refused_share > 0.8


@pytest.mark.parametrize('producers', [1, 4, HUNDRED])
def test_any_number_of_producers_settles(producers):
    """One that has the stream for itself, and a hundred."""
    account = settled(fleet(producers, 4 * MIB), Quota(MIB))
    assert account.accepted_bytes >= 0.97 * MIB
    assert account.refused_share < TOLERATED
    assert account.fairness >= 0.85


@pytest.mark.parametrize('producers', [1, 16, HUNDRED])
def test_a_quota_of_records_is_met(producers):
    """Small events come to the limit of records long before that of bytes."""
    account = settled(fleet(producers, 80_000 * 40, event_bytes=40), Quota(records=20_000))
    assert account.accepted_records >= 0.97 * 20_000
    assert account.refused_share < TOLERATED
    assert account.fairness >= 0.8


@pytest.mark.parametrize('producers', [4, 16])
def test_a_quota_of_requests_is_met(producers):
    """Full requests of 500, of which the service takes two a second for each producer, and not eight as they demand.

    Smaller requests would only be more of them: so the pauses after requests that are refused as a whole see to it.
    """
    account = settled(fleet(producers, producers * 8 * 500 * 200), Quota(requests=2.0 * producers))
    assert account.accepted_requests >= 0.97 * 2.0 * producers
    assert account.refused_share < 0.85
    assert account.fairness >= 0.8


def test_a_quota_too_small_for_a_full_request_is_met():
    """A request of 500 would never pass as a whole, where the stream takes 100 in a second."""
    account = settled([Demand(100)] * 4, Quota(records=100))
    assert account.accepted_records >= 0.97 * 100
    assert account.refused_share < TOLERATED
    assert account.fairness >= 0.85


def test_a_quota_that_is_raised_is_found():
    """Firehose raises quotas of streams that are throttled."""
    doubled = Quota(2 * MIB, from_seconds=60.0)
    account = settled(fleet(16, 8 * MIB), Quota(MIB), doubled, begin_seconds=150.0, seconds=210.0)
    assert account.accepted_bytes >= 0.97 * 2 * MIB
    assert account.refused_share < TOLERATED
    assert account.fairness >= 0.85


def test_a_quota_that_is_halved_is_kept():
    """Others have come to the stream: what was right is too much now."""
    halved = Quota(MIB / 2, from_seconds=60.0)
    account = settled(fleet(16, 4 * MIB), Quota(MIB), halved, begin_seconds=90.0, seconds=150.0)
    assert account.accepted_bytes >= 0.97 * MIB / 2
    assert account.refused_share < TOLERATED
    assert account.fairness >= 0.85


@pytest.mark.parametrize('producers', [1, 4, 16, HUNDRED])
@pytest.mark.parametrize('seed', range(depth(1, 2)))
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
    assert account.accepted_bytes >= 0.97 * MIB
    assert account.refused_share < TOLERATED
    assert account.fairness >= 0.85


def test_producers_that_demand_more_do_not_get_it_all():
    """One of four asks for four times as much as another."""
    demands = [Demand(MIB / 4 / 200 * (1 + number % 4)) for number in range(16)]
    account = settled(demands, Quota(MIB), begin_seconds=60.0, seconds=150.0)
    assert account.accepted_bytes >= 0.97 * MIB
    assert account.refused_share < TOLERATED
    assert account.fairness >= 0.8


def test_a_demand_within_the_quota_is_not_held_back():
    """All of it arrives, and nothing is refused."""
    account = settled(fleet(16, 0.8 * MIB), Quota(MIB))
    assert account.accepted_bytes >= 0.75 * MIB
    assert account.refused_share == 0.0


@pytest.mark.parametrize('seed', range(depth(1, 3)))
def test_a_demand_just_below_the_quota_is_hardly_refused_anything(seed):
    """94 % of it: all that is logged is delivered, and at most 1 % refused."""
    account = settled(alike(16, 0.94 * MIB), Quota(MIB), seed=seed, seconds=240.0)
    assert account.accepted_bytes >= 0.99 * 0.94 * MIB
    assert account.refused_share <= 0.01


@pytest.mark.parametrize('seed', range(depth(1, 3)))
def test_a_demand_just_above_the_quota_is_refused_little(seed):
    """107 % of it: the quota is used, at most 15 % are refused, and all have the same."""
    account = settled(alike(16, 1.07 * MIB), Quota(MIB), seed=seed, seconds=240.0)
    assert account.accepted_bytes >= 0.97 * MIB
    assert account.refused_share <= 0.15
    assert account.fairness >= 0.95


@pytest.mark.parametrize('times_quota', [1.07, 4.0])
@pytest.mark.parametrize('seed', range(depth(1, 2)))
def test_twenty_that_start_unevenly_are_alike_within_two_minutes(times_quota, seed):
    """Five have the stream to themselves for a minute; fifteen come then. All log the same."""
    early, late = alike(20, times_quota * MIB), alike(20, times_quota * MIB, from_seconds=60.0)
    account = settled([*early[:5], *late[5:]], Quota(MIB), seed=seed, begin_seconds=120.0, seconds=180.0)
    assert account.fairness >= 0.95


@pytest.mark.parametrize(('refusals', 'least'), list(zip(REFUSALS, (0.97, 0.97, 0.85), strict=True)))
@pytest.mark.parametrize('seed', range(depth(1, 5)))
def test_refusals_that_do_not_depend_on_the_rate_do_not_starve_it(refusals, least, seed):
    """Some "Slow down." come for other reasons. Half a minute of them, and nearly all that was logged is delivered."""
    fleet = Fleet([single()], seed=seed, refusals=[refusals], latency_seconds=(0.02, 0.02)).run(30.0)
    assert fleet.account(0.0, 30.0).accepted_records >= least * single().events_per_second
    assert fleet.dropped == 0.0


@pytest.mark.parametrize('refusals', REFUSALS[:2])
@pytest.mark.parametrize('seed', range(depth(1, 2)))
def test_for_ten_minutes_nothing_is_dropped(refusals, seed):
    """More is tolerated as the spool of two minutes fills, so it never overflows."""
    fleet = Fleet([single()], seed=seed, refusals=[refusals], latency_seconds=(0.02, 0.02)).run(600.0)
    assert fleet.dropped == 0.0


@pytest.mark.parametrize('times_quota', [1.5, 8.0])
@pytest.mark.parametrize('seed', range(depth(1, 3)))
def test_a_quota_that_is_raised_is_used_within_ten_seconds(times_quota, seed):
    """To the double, after a minute: 90 % of it, or of what is logged."""
    quotas = Quota(MIB), Quota(2 * MIB, from_seconds=60.0)
    account = settled(alike(16, times_quota * MIB), *quotas, seed=seed, begin_seconds=68.0, seconds=72.0)
    assert account.accepted_bytes >= 0.9 * min(2.0, times_quota) * MIB


@pytest.mark.parametrize('producers', [1, 16, HUNDRED])
@pytest.mark.parametrize(('left_share', 'lasted_seconds'), EPISODES)
def test_ten_seconds_after_an_episode_all_that_is_logged_passes(producers, left_share, lasted_seconds):
    """However long it was, and however much was refused."""
    assert seconds_until_as_before(producers, left_share, lasted_seconds, 60.0) <= 10.0


@pytest.mark.parametrize('seed', range(depth(1, 3)))
@pytest.mark.parametrize(
    'refusals',
    [
        [Refusals(1.0, 1.0, 1.0, until_seconds=300.0)],
        [Refusals(1.0, 0.5, 0.5, until_seconds=240.0), Refusals(1.0, 1.0, 1.0, 240.0, 300.0)],
    ],
    ids=['throttled as a whole', 'throttled in part before'],
)
def test_a_flush_after_an_outage_goes_at_the_full_rate_at_once(refusals, seed):
    """Two minutes of events, 50 times as fast as they were logged: as four requests at once go, of 20 ms each."""
    assert seconds_until_delivered(refusals, 300.0, seed=seed) <= 5.0
