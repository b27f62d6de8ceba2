"""Is the bill what Amazon would charge?"""

import pytest

from firefighter._demo.bill import monthly_dollars


def test_a_gib_a_month_costs_what_the_price_list_says():
    """$0.029 for 2^30 bytes."""
    assert monthly_dollars(2**30, 30 * 24 * 60 * 60) == pytest.approx(0.029)


def test_a_billion_small_events_a_month_cost_138_dollars():
    """The figure that others have computed for a billion events of 200 bytes, each a record of its own."""
    events_in_a_second = 10**9 / (30 * 24 * 60 * 60)

    assert monthly_dollars(round(events_in_a_second * 1000 * 5120), 1000) == pytest.approx(138.28, abs=0.01)
