"""Which failures count, and how long do they keep the next request back?"""

from __future__ import annotations

import pytest

from firefighter._delivery.pace import (
    FAILURE,
    FREE_REFUSALS,
    LIMITED_PAUSE_SECONDS,
    MISCONFIGURATION,
    Retries,
)


@pytest.fixture
def retries() -> Retries:
    """Always the whole range of the pause."""
    return Retries(lambda: 1.0)


def fail(retries, now, started_at, *, misconfigured=False):
    retries.note_failure(now, started_at=started_at, progress=False, misconfigured=misconfigured)


def test_requests_that_fail_side_by_side_are_one_failure(retries):
    """Four under way when the service goes down: the pause is that of one."""
    for request in range(4):
        fail(retries, 10 + request / 8, started_at=9)
    assert retries.allowed_at == 10 + FAILURE.base_seconds


def test_a_failure_of_the_next_attempt_doubles_the_pause(retries):
    """It was started after the failure before was known."""
    fail(retries, 10, started_at=9)
    fail(retries, 12, started_at=11)
    assert retries.allowed_at == 12 + 2 * FAILURE.base_seconds


def test_an_old_success_does_not_end_a_newer_trouble(retries):
    """It was started before the service went down; its answer only comes later."""
    fail(retries, 10, started_at=9)
    retries.note_success(started_at=8)
    assert retries.failing
    retries.note_success(started_at=11)
    assert not retries.failing
    assert retries.allowed_at < 0


def test_a_misconfiguration_has_its_own_pause_and_ends_with_a_success(retries):
    """Someone has acted."""
    fail(retries, 10, started_at=9, misconfigured=True)
    assert retries.misconfigured
    assert retries.allowed_at == 10 + MISCONFIGURATION.base_seconds
    retries.note_success(started_at=16)
    assert not retries.misconfigured


def test_requests_that_are_throttled_in_a_row_by_chance_are_no_outage(retries):
    """Seven in a row, 20 ms each. No pause is longer than a quarter of the time since something was accepted, or than the first."""
    retries.note_success(started_at=0)
    now = 0.02
    for _ in range(7):
        retries.note_failure(now, started_at=now - 0.02, progress=False, misconfigured=False, throttled=True)
        assert retries.allowed_at - now == pytest.approx(max(FAILURE.base_seconds, now / 4))
        now = retries.allowed_at + 0.02
    assert now < 3.0


def test_a_stream_that_throttles_everything_for_long_is_down(retries):
    """The pauses grow to the usual ones, and a quarter of an hour is tried every half a minute."""
    retries.note_success(started_at=0)
    now, tries = 1.0, 0
    while now < 900:
        retries.note_failure(now, started_at=now - 0.02, progress=False, misconfigured=False, throttled=True)
        now = retries.allowed_at + 0.02
        tries += 1
    assert retries.allowed_at - retries._noted_at == FAILURE.cap_seconds
    assert tries < 60


def test_some_refusals_are_free_and_a_row_of_them_is_a_misconfiguration(retries):
    """Until something is accepted."""
    for now in range(FREE_REFUSALS):
        retries.note_refusal(now, started_at=now, refuses_all=False)
    assert not retries.failing
    retries.note_success(started_at=FREE_REFUSALS)
    for now in range(100, 101 + FREE_REFUSALS):
        assert not retries.failing
        retries.note_refusal(now, started_at=now, refuses_all=False)
    assert retries.misconfigured


def test_when_all_was_refused_alone_no_more_refusals_are_free(retries):
    """Nobody can tell a culprit any more."""
    retries.note_refusal(10, started_at=9, refuses_all=True)
    assert retries.misconfigured


def test_while_somebody_waits_no_pause_is_long(retries):
    """A flush of ten seconds after an outage of an hour tries ten times, not once."""
    for now in range(10):
        fail(retries, now, started_at=now)
    assert retries.seconds_left(9) == FAILURE.cap_seconds
    retries.limit_pauses_until(15)
    assert retries.seconds_left(9) == LIMITED_PAUSE_SECONDS
    assert retries.seconds_left(9.5) == LIMITED_PAUSE_SECONDS - 0.5
    assert retries.seconds_left(16) == 9 + FAILURE.cap_seconds - 16


def test_nobody_hurries_what_someone_has_to_mend(retries):
    """A flush returns after one try then."""
    fail(retries, 10, started_at=9, misconfigured=True)
    retries.limit_pauses_until(1000)
    assert retries.seconds_left(10) == MISCONFIGURATION.base_seconds
