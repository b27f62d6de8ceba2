"""When is a batch due, and what stops it: the five reasons, the gap of a second, the alarm."""

from __future__ import annotations

from math import inf

import pytest

from firefighter._delivery.due import Rules, Waiting, alarm_thresholds, seconds_until_due
from firefighter._delivery.limits import FULL_REQUEST_BYTES, MAX_RECORDS

RULES = Rules(max_batch_bytes=5120, max_batch_events=500, send_interval_seconds=60.0, min_gap_seconds=1.0)
LONG_AGO = -inf


def due(
    events: int, size_bytes: int, *, waited: float = 0.0, since_last_start: float = inf, marked: bool = False
) -> float:
    """Return how long until such a batch is due, under the documented rules."""
    now = 1000.0
    return seconds_until_due(
        Waiting(events, size_bytes, now - waited),
        RULES,
        now=now,
        last_start=now - since_last_start,
        marked=marked,
    )


def test_nothing_is_never_due() -> None:
    """An empty request is none, whatever is asked for."""
    assert due(0, 0) == inf
    assert due(0, 0, waited=100, marked=True) == inf


def test_a_mark_makes_it_due() -> None:
    """END or FLUSH is queued: now, without regard to the gap."""
    assert due(1, 10, marked=True, since_last_start=0) == 0.0


def test_more_than_the_size_makes_it_due() -> None:
    """5,120 bytes are not more than 5,120."""
    assert due(6, 5120) == 60.0
    assert due(6, 5121) == 0.0


def test_the_count_makes_it_due() -> None:
    """500 events are enough, 499 are not."""
    assert due(499, 5000) == 60.0
    assert due(500, 5000) == 0.0


def test_the_interval_makes_it_due() -> None:
    """What has waited so long goes."""
    assert due(1, 10, waited=59.5) == pytest.approx(0.5)
    assert due(1, 10, waited=60) == 0.0
    assert due(1, 10, waited=1e6) == 0.0


def test_by_size_it_starts_at_most_once_a_second() -> None:
    """Half a second after the last request it waits for the other half."""
    assert due(6, 6000, since_last_start=0.5) == pytest.approx(0.5)
    assert due(6, 6000, since_last_start=1.0) == 0.0


def test_by_count_it_starts_at_most_once_a_second() -> None:
    """The same with a count below the service's, set by a subclass."""
    rules = Rules(5120, 10, 60.0, 1.0)
    assert seconds_until_due(
        Waiting(10, 100, 1000.0), rules, now=1000.0, last_start=999.75, marked=False
    ) == pytest.approx(0.75)


def test_the_interval_does_not_wait_for_the_gap() -> None:
    """The rule is for what is due by size or count."""
    assert due(1, 10, waited=60, since_last_start=0.1) == 0.0


def test_a_full_request_does_not_wait_for_the_gap() -> None:
    """500 records, or 1 MiB."""
    assert due(500, 5000, since_last_start=0.0) == 0.0
    assert due(20, 1024 * 1024, since_last_start=0.0) == 0.0
    assert due(20, 1024 * 1024 - 1, since_last_start=0.0) == 1.0


def test_the_gap_never_delays_beyond_the_interval() -> None:
    """With an interval shorter than the gap, the interval decides."""
    rules = Rules(5120, 500, 0.25, 1.0)
    waiting = Waiting(6, 6000, 1000.0)
    assert seconds_until_due(waiting, rules, now=1000.0, last_start=1000.0, marked=False) == 0.25


def test_a_waiting_time_is_never_negative() -> None:
    """However late the sender comes."""
    assert due(1, 10, waited=1e9, since_last_start=1e9) == 0.0
    assert due(600, 10**7, waited=1e9, since_last_start=1e9) == 0.0


def test_the_alarm_is_at_the_first_event_when_nothing_waits() -> None:
    """From then on the interval runs."""
    assert alarm_thresholds(Waiting(0, 0, 0.0), RULES, now=1000.0, last_start=LONG_AGO) == (0, 1)


def test_the_alarm_is_at_the_documented_limits() -> None:
    """More than MAX_BATCH_SIZE, or MAX_BATCH_COUNT."""
    assert alarm_thresholds(Waiting(1, 10, 0.0), RULES, now=1000.0, last_start=LONG_AGO) == (5120, 500)


def test_within_the_gap_the_alarm_is_at_a_full_request() -> None:
    """Nothing less may start one."""
    alarm = alarm_thresholds(Waiting(1, 10, 0.0), RULES, now=1000.0, last_start=999.5)
    assert alarm == (FULL_REQUEST_BYTES - 1, MAX_RECORDS)
