"""How does a quota refill, and whom does it let pass?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from firefighter.local.quota import Buckets


def test_a_second_s_worth_passes_at_once_and_then_what_time_brings():
    """A burst of one second is let through; the rest comes back at the rate."""
    buckets = Buckets(bytes_per_second=1000, records_per_second=10, requests_per_second=100)
    assert buckets.admit([1] * 12, now=0) == [True] * 10 + [False] * 2
    assert buckets.admit([1] * 2, now=0.1) == [True, False]
    assert buckets.admit([1] * 12, now=60) == [True] * 10 + [False] * 2


def test_requests_beyond_their_rate_are_refused_whole():
    """However few their records."""
    buckets = Buckets(bytes_per_second=1000, records_per_second=1000, requests_per_second=2)
    assert [buckets.admit([1, 1], now=0) for _ in range(3)] == [[True, True], [True, True], [False, False]]


def test_a_record_larger_than_a_second_s_worth_passes_and_is_paid_for_afterwards():
    """Or it never would."""
    buckets = Buckets(bytes_per_second=100, records_per_second=1000, requests_per_second=1000)
    assert buckets.admit([1000], now=0) == [True]
    assert buckets.admit([1], now=8) == [False]
    assert buckets.admit([1], now=9.5) == [True]


@given(
    st.lists(st.tuples(st.floats(0, 2), st.lists(st.integers(0, 50), max_size=20)), max_size=30),
    st.integers(1, 100),
)
def test_no_more_passes_than_the_rate_and_one_burst_allow(puts, rate):
    """Over any time, give or take one record's bytes."""
    buckets = Buckets(bytes_per_second=rate, records_per_second=rate, requests_per_second=rate)
    now, records, size_bytes = 0.0, 0, 0
    for pause, sizes in puts:
        now += pause
        admitted = buckets.admit(sizes, now)
        records += sum(admitted)
        size_bytes += sum(size for size, ok in zip(sizes, admitted, strict=True) if ok)
    assert records <= rate * (now + 1) + 1e-6
    assert size_bytes <= rate * (now + 1) + 50 + 1e-6
