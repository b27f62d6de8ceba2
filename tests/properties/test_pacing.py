"""What the Pacer keeps to, whatever the service answers."""

from __future__ import annotations

import random
from math import inf, isfinite
from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from firefighter._delivery.limits import MAX_RECORD_BYTES, MAX_RECORDS, MAX_REQUEST_BYTES
from firefighter._delivery.pace import Pacer

pytestmark = pytest.mark.once


class Step(NamedTuple):
    """A request, started after a pause, how much of it was refused, and how full the spool was."""

    pause_seconds: float
    records: int
    record_bytes: int
    refused_share: float
    fullness: float = 0.0


class Spool:
    """Is as full as it is told."""

    def __init__(self) -> None:
        self.fullness = 0.0

    def __call__(self) -> float:
        return self.fullness


steps = st.lists(
    st.builds(
        Step,
        pause_seconds=st.one_of(st.just(0.0), st.floats(0, 5), st.floats(0, 1000)),
        records=st.integers(1, MAX_RECORDS),
        record_bytes=st.integers(1, MAX_RECORD_BYTES),
        refused_share=st.sampled_from([0.0, 0.0, 0.1, 0.5, 0.9, 1.0]),
        fullness=st.floats(0, 1),
    ),
    max_size=60,
)


def answer(pacer, now, size_bytes, refused_bytes):
    pacer.answered(now, accepted_bytes=size_bytes - refused_bytes, throttled_bytes=refused_bytes)


def after(history, jitter=0.5):
    """Return a Pacer that has seen these requests, one at a time and no sooner than it allowed, and the time."""
    spool = Spool()
    pacer, now = Pacer(lambda: jitter, spool), 0.0
    for step in history:
        spool.fullness = step.fullness
        now += max(step.pause_seconds, pacer.seconds_until_allowed(now))
        records = max(1, min(step.records, pacer.max_request_bytes // step.record_bytes))
        pacer.started(now, records * step.record_bytes)
        now += 0.05
        refused = round(records * step.refused_share)
        answer(pacer, now, records * step.record_bytes, refused * step.record_bytes)
    return pacer, now


def use_up(pacer, now, seconds, *, refused_share=0.0, record_bytes=200):
    """Send all that is allowed for so many seconds; return the time."""
    end = now + seconds
    while now < end:
        now += max(0.01, pacer.seconds_until_allowed(now))
        records = max(1, pacer.max_request_bytes // record_bytes)
        pacer.started(now, records * record_bytes)
        answer(pacer, now, records * record_bytes, int(records * refused_share) * record_bytes)
    return now


def throttled(seconds=60.0, refused_share=0.5):
    """Return a Pacer of a stream that takes 200,000 bytes a second, and then refuses a share of all for so long; and the time."""
    pacer, now = after([Step(0.05, 100, 200, 0.0)] * 100)
    return pacer, use_up(pacer, now, seconds, refused_share=refused_share)


@given(steps)
def test_a_wait_is_never_negative_and_never_long(history):
    """However much is refused: a request starts half a minute after the one before, give or take its chance part."""
    pacer, now = after(history)
    assert 0.0 <= pacer.seconds_until_allowed(now) <= 31.0


@given(steps, st.integers(1, 100))
def test_requests_that_start_before_their_time_leave_no_debt(history, requests):
    """A flush permits one at once; a program that flushes after each event makes hundreds, while the stream is throttled."""
    pacer, now = after(history)
    for _ in range(requests):
        pacer.started(now, 1_000_000)
        answer(pacer, now, 1_000_000, 900_000)
        now += 0.05
    assert pacer.seconds_until_allowed(now) <= 31.0


@given(steps)
def test_there_is_always_room_for_a_record(history):
    """And never for more than the service takes."""
    pacer, _ = after(history)
    assert 1 <= pacer.max_request_bytes <= MAX_REQUEST_BYTES
    assert pacer._limit > 0.0


@given(steps)
def test_without_throttling_there_is_no_limit(history):
    """A stream that takes all is never held back."""
    pacer, now = after([step._replace(refused_share=0.0) for step in history])
    assert pacer.seconds_until_allowed(now) == 0.0
    assert pacer.max_request_bytes == MAX_REQUEST_BYTES


@given(steps, st.floats(0.0, 0.999))
def test_requests_carry_no_more_than_the_limit_allows(history, jitter):
    """In 20 seconds as much as in 20 seconds, what may start late, and one request."""
    pacer, now = after(history, jitter)
    assume(isfinite(pacer._limit))
    end, sent = now + 20.0, 0
    while (now := now + max(0.001, pacer.seconds_until_allowed(now))) < end:
        size_bytes = max(200, pacer.max_request_bytes)
        pacer.started(now, size_bytes)
        sent += size_bytes
    assert sent <= 20.25 * pacer._limit + max(200, pacer._limit)


@pytest.mark.parametrize('jitter', [0.0, 0.5, 0.999])
def test_the_limit_is_used_up(jitter):
    """What starts late by chance loses nothing: in a minute at least 99 % of what the limit allows."""
    pacer, now = after([], jitter)
    pacer._limit, sent = 100_000.0, 0
    while now < 60.0:
        pacer.started(now, pacer.max_request_bytes)
        sent += pacer.max_request_bytes
        now += max(0.01, pacer.seconds_until_allowed(now))
    assert sent >= 0.99 * 60 * pacer._limit


def test_a_large_record_waits_for_half_a_minute_at_most():
    """At 100 bytes a second it would keep the limit busy for three hours."""
    pacer, now = after([])
    pacer._limit = 100.0
    pacer.started(now, MAX_RECORD_BYTES)
    assert 29.0 < pacer.seconds_until_allowed(now) <= 31.0


@given(steps, st.integers(2, 10**6), st.integers(0, 10**6))
def test_the_more_is_refused_the_lower_the_limit(history, size_bytes, refused_bytes):
    """Never the other way round, as long as something is accepted."""
    refused_bytes = min(refused_bytes, size_bytes - 1)
    limits = []
    for count in (refused_bytes, size_bytes - 1):
        pacer, now = after(history)
        pacer.started(now, size_bytes)
        answer(pacer, now, size_bytes, count)
        limits.append(pacer._limit)
    assert limits[1] <= limits[0]


@given(steps, st.integers(2, 10**6), st.floats(0.0, 1.0))
def test_the_fuller_the_spool_the_higher_the_limit(history, size_bytes, refused_share):
    """More refusals are tolerable when events are at stake."""
    limits = []
    for fullness in (0.0, 1.0):
        pacer, now = after(history)
        pacer._fullness.fullness = fullness
        pacer.started(now, size_bytes)
        answer(pacer, now, size_bytes, min(size_bytes - 1, int(size_bytes * refused_share)))
        limits.append(pacer._limit)
    assert limits[0] <= limits[1]


@given(steps, st.integers(0, 10**6))
def test_a_request_of_which_nothing_was_accepted_teaches_nothing(history, throttled_bytes):
    """A time-out says neither that the stream takes more nor less; and a stream that refuses all may be down."""
    pacer, now = after(history)
    before = pacer._limit
    pacer.started(now, 20_000)
    pacer.answered(now, accepted_bytes=0, throttled_bytes=throttled_bytes)
    assert pacer._limit == before


@pytest.mark.parametrize(('fullness', 'tolerated'), [(0.0, 0.02), (0.5, 0.32), (1.0, 0.62)])
def test_a_share_of_refusals_is_tolerated(fullness, tolerated):
    """2 %, and 60 % of how full the spool is: a limit rises where less is refused, and falls where more is."""
    for share, rises in ((tolerated - 0.01, True), (tolerated + 0.01, False)):
        pacer, now = throttled()
        pacer._fullness.fullness = fullness
        before = pacer._limit = 100_000.0
        pacer.started(now, 20_000)
        answer(pacer, now, 20_000, round(20_000 * share))
        assert (pacer._limit > before) is rises


def test_refusals_for_half_a_minute_hold_nothing_back():
    """Half of all is refused in each request, and all is sent twice: that is still within the limit after 20 seconds."""
    pacer, now = after([Step(0.25, 500, 200, 0.0)] * 20)
    for _ in range(20 * 4):
        now += 0.25
        assert pacer.seconds_until_allowed(now) == 0.0
        pacer.started(now, 200_000)
        answer(pacer, now, 200_000, 100_000)
    assert isfinite(pacer._limit)
    assert pacer._limit > 4 * 200_000


def test_one_small_request_after_a_pause_sets_no_low_limit():
    """Aggregated, a program sends once a second, and at times a request of two records. Half of one is refused."""
    pacer, now = after([Step(1.0, 80, 5_000, 0.0)] * 20)
    now += 1.0
    pacer.started(now, 10_000)
    answer(pacer, now, 10_000, 5_000)
    assert pacer._limit > 20 * 400_000


def test_one_who_floods_a_stream_is_slow_within_seconds():
    """Nine tenths are refused, however fast: within 15 seconds down to what was accepted at first, and on."""
    pacer, now = after([Step(0.05, 100, 200, 0.0)] * 100)
    use_up(pacer, now, 15.0, refused_share=0.9)
    assert pacer._limit < 100_000


def test_the_longer_it_is_calm_the_faster_the_limit_rises():
    """To a thousand times within ten seconds: there the old speed is back, whatever it was."""
    pacer, now = throttled(seconds=120)
    limit = pacer._limit
    now = use_up(pacer, now, 2.0)
    assert limit < pacer._limit < 2 * limit
    use_up(pacer, now, 8.0)
    assert pacer._limit > 1000 * limit


def test_a_limit_that_is_not_used_rises_slowly():
    """Nobody knows whether the stream would take more: as much as ten times what is sent."""
    pacer, now = throttled(seconds=20)
    before = pacer._limit = 100_000.0
    for second in range(10):
        pacer.started(now + second, 200)
        answer(pacer, now + second, 200, 0)
    assert before <= pacer._limit < 1.1 * before


def test_throttling_that_was_long_ago_holds_nothing_back():
    """The first answer after five calm minutes lifts the limit to beyond what was ever sent."""
    pacer, now = throttled()
    now += 300.0
    pacer.started(now, 200)
    answer(pacer, now, 200, 0)
    assert pacer._limit > 200_000


def test_an_outage_leaves_the_limit_as_it_was():
    """Or all would be slow for minutes when it is over."""
    pacer, now = throttled()
    before = pacer._limit
    for second in range(250):
        pacer.started(now + second, 2000)
        answer(pacer, now + second, 2000, 2000)
    assert pacer._limit == before


def test_when_a_stream_is_back_all_that_has_queued_may_be_sent():
    """It was down from the start, or after it had taken everything."""
    for history in ([1.0] * 10, [0.0] + [1.0] * 50):
        pacer, now = after([Step(0.1, 500, 200, share) for share in history])
        assert pacer._limit == inf
        assert pacer.seconds_until_allowed(now) == 0.0


def test_what_was_under_way_together_takes_no_more_than_half_each():
    """Eight are answered at once, and refused but for a little: together that is more than the limit."""
    pacer, now = after([Step(0.05, 100, 20, 0.0)])
    pacer._limit = 80_000.0
    for _ in range(8):
        pacer.started(now, 20_000)
    for _ in range(8):
        before = pacer._limit
        answer(pacer, now, 20_000, 19_800)
        assert pacer._limit >= before / 2
    assert pacer._limit > 0.0


def test_those_who_are_throttled_together_go_on_at_different_times():
    """Or all would come again in the same moment, and be refused."""
    chance = random.Random(7)
    waits = set()
    for _ in range(16):
        pacer, now = throttled()
        pacer._jitter = chance.random
        pacer.started(now, pacer.max_request_bytes)
        waits.add(pacer.seconds_until_allowed(now))
    assert len(waits) == 16
    assert max(waits) - min(waits) > 0.1


@pytest.mark.parametrize('record_bytes', [20, 200, 20_000, MAX_RECORD_BYTES])
def test_a_small_quota_is_met_by_small_requests(record_bytes):
    """Where more than is tolerated is refused for long, down to requests of a record or two, which no quota refuses in part."""
    pacer, now = after([Step(0.25, 10, record_bytes, 0.0)] * 20)
    use_up(pacer, now, 300.0, refused_share=0.75, record_bytes=record_bytes)
    assert pacer.max_request_bytes < 3 * record_bytes
