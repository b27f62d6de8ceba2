"""Is a month's bill what Amazon would charge?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefighter._cost.prices import FALLBACK_REGION, GIB, dollars, flat, tiers_of

TIB = 1024 * GIB
amounts = st.integers(0, 10_000 * TIB)


@pytest.mark.parametrize(
    ('billed_bytes', 'expected'),
    [
        (0, 0.0),
        (GIB, 0.029),
        (500 * TIB, 512_000 * 0.029),
        (500 * TIB + GIB, 512_000 * 0.029 + 0.025),
        (2_000 * TIB, 512_000 * 0.029 + 1_536_000 * 0.025),
        (2_000 * TIB + GIB, 512_000 * 0.029 + 1_536_000 * 0.025 + 0.020),
    ],
)
def test_each_gb_has_the_price_of_its_tier(billed_bytes, expected):
    """500 TB at $0.029, the next 1.5 PB at $0.025, beyond at $0.020; 1 TB is 1,024 GB."""
    assert dollars(billed_bytes, tiers_of('us-east-1')) == pytest.approx(expected)


def test_a_billion_small_events_a_month_cost_138_dollars():
    """The figure that others have computed for a billion events of 200 bytes, each a record of its own."""
    assert dollars(10**9 * 5120, tiers_of('us-east-1')) == pytest.approx(138.28, abs=0.01)


def test_tokyo_is_dearer():
    """$0.036."""
    assert dollars(100 * GIB, tiers_of('ap-northeast-1')) == pytest.approx(3.6)


def test_a_region_without_a_known_price_has_that_of_another():
    """Of the one that most prices are known of; the command says so."""
    assert tiers_of('eu-west-1') == tiers_of(FALLBACK_REGION)


def test_a_price_of_ones_own_holds_for_each_gb():
    """As a contract with AWS may say."""
    assert dollars(10**6 * GIB, flat(0.01)) == pytest.approx(10_000)


@given(less=amounts, more=amounts, region=st.sampled_from(['us-east-1', 'us-east-2', 'ap-northeast-1']))
def test_more_never_costs_less_and_a_byte_more_never_jumps(less, more, region):
    """What tiers promise: each byte costs between the lowest and the highest price."""
    tiers = tiers_of(region)
    less, more = sorted((less, more))
    added = dollars(more, tiers) - dollars(less, tiers)
    prices = [tier.dollars for tier in tiers]
    gib = (more - less) / GIB
    assert min(prices) * gib - 1e-6 <= added <= max(prices) * gib + 1e-6
