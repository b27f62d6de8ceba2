"""What is played, and when is it logged?"""

from __future__ import annotations

import itertools

import pytest

from firefighter._cost.workload import collect, workload

LOG = [f'message {number}' for number in range(2_000)]


def test_at_full_rate_the_log_is_played_once():
    """In its order."""
    played = workload(LOG)
    assert [event.split(b'"')[-2].decode() for _, event in played.arrivals] == LOG
    assert played.repeats == 1.0
    assert played.event_bytes == sum(len(event) for _, event in played.arrivals)


@pytest.mark.parametrize(('rate', 'interval'), [(10.0, 60.0), (100.0, 5.0), (0.01, 60.0), (5.0, 0.0)])
def test_at_a_rate_it_is_played_long_enough_for_a_stable_result(rate, interval):
    """30 times `send_interval` and 500 events at least, the log over and over if need be."""
    played = workload(LOG, rate, interval)
    events = len(played.arrivals)
    assert events >= 500
    assert events / rate >= 30 * interval
    assert played.repeats == events / len(LOG)


def test_events_come_at_the_rate_and_never_go_back():
    """Each within its turn, not regularly: the digits of real timestamps are not regular either."""
    times = [at for at, _ in workload(LOG, 10.0).arrivals]
    assert all(number / 10 <= at < (number + 1) / 10 for number, at in enumerate(times))
    gaps = {round(after - before, 3) for before, after in itertools.pairwise(times)}
    assert len(gaps) > 100


def test_what_is_played_is_bounded():
    """A high rate plays seconds, not gigabytes."""
    played = workload(LOG, 100_000.0, most_bytes=50_000)
    assert 49_000 < played.event_bytes <= 50_000


def test_tiny_events_count_for_more_than_they_have():
    """Each is an object in memory besides: of three bytes each, 64 MiB of them would fill gigabytes."""
    assert len(workload([b'{}\n'] * 2_000, most_bytes=64_000).arrivals) == 1_000
    log, whole = collect(itertools.repeat('yy'), 64_000)
    assert (len(log), whole) == (1_000, False)


def test_one_event_is_played_however_large():
    """Otherwise there would be nothing to bill."""
    assert len(workload(['x' * 10_000], most_bytes=100).arrivals) == 1


def test_the_same_is_played_each_time():
    """Figures in the docs can be made again."""
    assert workload(LOG, 10.0) == workload(LOG, 10.0)


def test_of_a_long_log_the_beginning_is_kept():
    """And it is known that there is more."""
    assert collect(iter(LOG), 640) == (LOG[:10], False)
    assert collect(iter(LOG)) == (LOG, True)
