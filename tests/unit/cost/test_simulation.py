"""What does the handler's delivery make of a log, and what would be billed for it?"""

from __future__ import annotations

import random
import threading
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depth import depth
from firefighter._cost.simulation import play
from firefighter._cost.ways import ONE_PER_RECORD, WAYS, Way
from firefighter._cost.workload import workload
from firefighter._delivery.limits import BILLED_BYTES

pytestmark = pytest.mark.once

AGGREGATED = Way('aggregated', {'aggregate': True})


@lru_cache
def log(events: int = 20_000) -> list[str]:
    """Return messages whose events have 80 to 400 bytes, and do not compress well."""
    sizes = random.Random(7)
    return [sizes.randbytes(150).hex()[: sizes.randint(1, 300)] for _ in range(events)]


@pytest.mark.parametrize('way', WAYS, ids=lambda way: way.name)
@pytest.mark.parametrize('rate', [None, 0.1, 10.0, 1_000.0])
def test_every_event_is_delivered_and_billed(way, rate):
    """Whatever the way and the rate: a figure of a part would be a wrong one."""
    played = workload(log(3_000), rate, most_bytes=2_000_000)
    found = play(played, way)
    assert found.events == len(played.arrivals)
    assert found.billed_bytes % BILLED_BYTES == 0
    assert found.sent_bytes <= found.billed_bytes <= found.sent_bytes + BILLED_BYTES * found.records


def test_one_per_record_is_billed_a_unit_for_each_event():
    """Smaller events cost the same."""
    found = play(workload(log(1_000)), ONE_PER_RECORD)
    assert (found.records, found.billed_bytes) == (1_000, 1_000 * BILLED_BYTES)
    assert found.sent_bytes == found.event_bytes


@pytest.mark.parametrize(('rate', 'most'), [(10.0, 1.1), (100.0, 1.05), (1_000.0, 1.02), (None, 1.005)])
def test_little_more_is_billed_than_is_sent_at_any_rate(rate, most):
    """Events of 80 to 400 bytes, `send_interval` 60; at full rate 60,000 of them."""
    found = play(workload(log(60_000), rate, most_bytes=16_000_000), AGGREGATED)
    assert found.billed_bytes <= most * found.sent_bytes


def test_no_event_waits_longer_than_the_interval():
    """At a rate at which nothing else makes a batch due; and the median is about half of it."""
    found = play(workload(log(), 1.0, 20.0), AGGREGATED, send_interval=20.0)
    assert found.max_delay_seconds == pytest.approx(20.0)
    assert 5.0 < found.median_delay_seconds < 15.0


def test_what_is_left_at_the_end_waits_for_nobody():
    """At 1,000 a second a batch goes each second. The last events would wait a minute, only since no more come."""
    assert play(workload(log(), 1_000.0, most_bytes=3_000_000), AGGREGATED).max_delay_seconds < 5.0


def test_as_fast_as_possible_there_is_no_delay_to_speak_of():
    """Time stands still."""
    found = play(workload(log(1_000)), AGGREGATED)
    assert (found.median_delay_seconds, found.max_delay_seconds) == (None, None)


def test_a_longer_interval_is_never_dearer():
    """More company for each event: at 1 a second, what a minute saves over a second."""
    patient, hasty = (play(workload(log(), 1.0), AGGREGATED, interval) for interval in (60.0, 1.0))
    assert patient.billed_bytes * 3 < hasty.billed_bytes


@pytest.mark.parametrize('way', WAYS, ids=lambda way: way.name)
def test_events_that_fill_requests_are_all_delivered_without_a_thread(way, monkeypatch):
    """A backlog, of what compresses less than what came before, would call workers: figures are to be the same each time."""
    monkeypatch.setattr(threading.Thread, 'start', lambda _: pytest.fail('a thread was started'))
    chance = random.Random(1)
    log = ['x' * 1_000_000] * 12 + [chance.randbytes(400_000).hex() for _ in range(6)]
    played = workload(log, 1_000.0, most_bytes=17_000_000)
    found = [play(played, way) for _ in range(2)]
    assert found[0] == found[1]
    assert found[0].events == len(played.arrivals) == 18


@settings(deadline=None, max_examples=depth(10, 40))
@given(
    sizes=st.lists(st.integers(0, 30_000), min_size=1, max_size=60),
    rate=st.one_of(st.none(), st.floats(0.01, 1e5)),
    interval=st.sampled_from([0.0, 0.5, 60.0]),
    way=st.sampled_from(WAYS),
)
def test_any_log_at_any_rate_comes_to_an_end(sizes, rate, interval, way):
    """With all of it delivered, also where the interval is 0, and no request without a record."""
    played = workload(['x' * size for size in sizes], rate, interval, most_bytes=1_000_000)
    found = play(played, way, interval)
    assert found.events == len(played.arrivals)
    assert 1 <= found.requests <= found.records <= found.events
