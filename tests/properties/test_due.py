"""When a batch is due, and how long to back off: laws that hold for all arguments."""

from __future__ import annotations

from math import inf

from hypothesis import assume, given
from hypothesis import strategies as st

from firefighter._delivery.due import Rules, Waiting, alarm_thresholds, seconds_until_due
from firefighter._delivery.limits import FULL_REQUEST_BYTES, MAX_RECORDS
from firefighter._delivery.pace import FAILURE, MISCONFIGURATION, Backoff

times = st.floats(0, 1e6)
rules_strategy = st.builds(
    Rules,
    max_batch_bytes=st.integers(0, 2**40),
    max_batch_events=st.integers(0, 2**40),
    send_interval_seconds=st.floats(0, 1e5),
    min_gap_seconds=st.sampled_from([0.0, 1.0]),
    full_bytes=st.integers(1, FULL_REQUEST_BYTES),
)
waiting_strategy = st.builds(
    Waiting, records=st.integers(0, 2000), size_bytes=st.integers(0, 4 * FULL_REQUEST_BYTES), since=times
)
DEFAULT = Rules(5120, 500, 60.0, 1.0)


def due(waiting, rules=DEFAULT, *, now=100.0, last_start=0.0, marked=False):
    return seconds_until_due(waiting, rules, now=now, last_start=last_start, marked=marked)


@given(rules_strategy, times, times, st.booleans())
def test_nothing_waiting_is_never_due(rules, now, last_start, marked):
    """An idle handler makes no request, marks or not."""
    assert due(Waiting(0, 0, now), rules, now=now, last_start=last_start, marked=marked) == inf


@given(waiting_strategy, rules_strategy, times, times)
def test_an_event_never_waits_beyond_the_send_interval(waiting, rules, now, last_start):
    """`send_interval`: the most seconds that an event waits for company."""
    assume(waiting.records and waiting.since <= now)
    left = due(waiting, rules, now=now, last_start=last_start)
    assert left <= max(0.0, waiting.since + rules.send_interval_seconds - now)


@given(waiting_strategy, rules_strategy, times, times)
def test_a_mark_is_served_at_once(waiting, rules, now, last_start):
    """END and FLUSH submit what is queued."""
    assume(waiting.records)
    assert due(waiting, rules, now=now, last_start=last_start, marked=True) == 0.0


@given(waiting_strategy, rules_strategy, times, times)
def test_a_full_request_starts_at_once(waiting, rules, now, last_start):
    """However short ago the last one was."""
    assume(waiting.records >= MAX_RECORDS or (waiting.records and waiting.size_bytes >= rules.full_bytes))
    assert due(waiting, rules, now=now, last_start=last_start) == 0.0


@given(waiting_strategy, rules_strategy, times, times)
def test_what_is_due_by_size_or_count_keeps_the_gap(waiting, rules, now, last_start):
    """1,600 processes make at most 1,600 requests a second."""
    full = waiting.records >= MAX_RECORDS or waiting.size_bytes >= rules.full_bytes
    old = waiting.since + rules.send_interval_seconds <= now
    if due(waiting, rules, now=now, last_start=last_start) == 0.0 and not full and not old:
        assert last_start + rules.min_gap_seconds - now <= 0


@given(waiting_strategy, rules_strategy, times, times, st.integers(1, 3000), st.integers(0, 2**23))
def test_nothing_becomes_due_without_the_alarm(waiting, rules, now, last_start, more_events, more_bytes):
    """What the sender arms covers all that can make the batch due sooner, so that it may sleep."""
    more_bytes += more_events  # an event has a byte at least: its newline
    more_bytes_than, events = alarm_thresholds(waiting, rules, now=now, last_start=last_start)
    later = Waiting(waiting.records + more_events, waiting.size_bytes + more_bytes, waiting.since)
    silent = later.size_bytes <= more_bytes_than and later.records < events
    if silent and waiting.records:
        # At the end of the gap the sender looks again by itself.
        gap_left = last_start + rules.min_gap_seconds - now
        sooner = due(later, rules, now=now, last_start=last_start)
        before = due(waiting, rules, now=now, last_start=last_start)
        assert sooner >= (min(before, gap_left) if gap_left > 0 else before)
    assert not silent or waiting.records, 'the first event always raises the alarm'


def test_the_documented_numbers_make_a_batch_due():
    """More than 5,120 bytes, or 500 events, or 60 seconds."""
    assert due(Waiting(1, 5120, 100.0)) == 60.0
    assert due(Waiting(1, 5121, 100.0)) == 0.0
    assert due(Waiting(499, 499, 100.0)) == 60.0
    assert due(Waiting(500, 500, 100.0)) == 0.0
    assert due(Waiting(1, 1, 40.0)) == 0.0
    assert due(Waiting(1, 5121, 100.0), last_start=99.75) == 0.75


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True), st.sampled_from([FAILURE, MISCONFIGURATION]))
def test_the_backoff_is_between_nothing_and_its_cap(failures, random, backoff):
    """Full jitter: from zero, so that those who were throttled together do not come back together."""
    seconds = backoff.seconds(failures, lambda: random)
    assert 0.0 <= seconds <= backoff.cap_seconds
    assert seconds <= backoff.base_seconds * 2.0 ** min(failures - 1, 30)


def test_the_backoff_doubles():
    """The upper end of its range, up to the cap."""
    backoff = Backoff(base_seconds=0.25, cap_seconds=30.0)
    ends = [backoff.seconds(failures, lambda: 1.0) for failures in range(1, 10)]
    assert ends == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
