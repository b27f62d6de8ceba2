"""What the Pacer keeps to, whatever the service answers."""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from firefighter._delivery.limits import MAX_RECORD_BYTES, MAX_RECORDS, MAX_REQUEST_BYTES
from firefighter._delivery.pace.pacer import Pacer

pytestmark = pytest.mark.once

UNLIMITED = (MAX_RECORDS, MAX_REQUEST_BYTES)


class Step(NamedTuple):
    """A request, started after a pause, and how much of it was refused."""

    pause_seconds: float
    records: int
    event_bytes: int
    refused_share: float


steps = st.lists(
    st.builds(
        Step,
        pause_seconds=st.one_of(st.just(0.0), st.floats(0, 5), st.floats(0, 1000)),
        records=st.integers(1, MAX_RECORDS),
        event_bytes=st.integers(1, MAX_RECORD_BYTES),
        refused_share=st.sampled_from([0.0, 0.0, 0.1, 0.5, 1.0]),
    ),
    max_size=60,
)


def answer(pacer, now, records, refused, event_bytes=200):
    pacer.answered(
        now,
        records,
        records * event_bytes,
        throttled_records=refused,
        throttled_bytes=refused * event_bytes,
    )


def after(history, jitter=0.5):
    """Return a Pacer that has seen these requests, one at a time and no sooner than it allowed, and the time."""
    pacer, now = Pacer(lambda: jitter), 0.0
    for step in history:
        now += max(step.pause_seconds, pacer.seconds_until_allowed(now))
        records = min(step.records, pacer.request_limits(now)[0])
        pacer.started(now, records, records * step.event_bytes)
        now += 0.05
        answer(pacer, now, records, round(records * step.refused_share), step.event_bytes)
    return pacer, now


def go_on(pacer, now, *, requests, refused):
    """Make so many more requests of 100 events; return the time."""
    for _ in range(requests):
        now += pacer.seconds_until_allowed(now)
        pacer.started(now, 100, 20_000)
        answer(pacer, now, 100, refused)
    return now


def throttled(*, refused_share=0.5, requests=60):
    """Return a Pacer of which ten requests a second, of 100 events each, were accepted and then throttled; and the time."""
    return after([Step(0.05, 100, 200, share) for share in [0.0] * 30 + [refused_share] * requests])


def three_quarters_refused_whole(requests=800, event_bytes=200):
    """Return a Pacer of which three of four requests were refused as a whole, and the time."""
    shares = [0.0] * 30 + [1.0, 1.0, 1.0, 0.0] * (requests // 4)
    return after([Step(0.05, 500, event_bytes, share) for share in shares])


@given(steps)
def test_a_wait_is_never_negative_and_never_long(history):
    """However much is refused: a request starts half a minute after the one before, give or take its chance part."""
    pacer, now = after(history)
    assert 0.0 <= pacer.seconds_until_allowed(now) <= 31.0


@given(steps)
def test_there_is_always_room_for_a_record(history):
    """And never for more than the service takes."""
    pacer, now = after(history)
    records, size_bytes = pacer.request_limits(now)
    assert 1 <= records <= MAX_RECORDS
    assert 1 <= size_bytes <= MAX_REQUEST_BYTES


def test_there_is_room_for_a_record_at_the_lowest_limits():
    """A quarter of a second's share of one record a second is none, and one is sent."""
    pacer, now = three_quarters_refused_whole()
    pacer._limits = (*pacer._limits[:2], 10.0)
    assert pacer._limits[0] * 0.25 < 1
    assert pacer.request_limits(now)[0] == 1


@given(steps)
def test_without_throttling_there_is_no_limit(history):
    """A stream that takes all is never held back."""
    pacer, now = after([step._replace(refused_share=0.0) for step in history])
    assert pacer.seconds_until_allowed(now) == 0.0
    assert pacer.request_limits(now) == UNLIMITED


@given(steps, st.floats(0.0, 0.999))
def test_requests_carry_no_more_than_the_limits_allow(history, jitter):
    """In 20 seconds as much as in 20 seconds, the credit of half a second, and one request."""
    pacer, now = after(history, jitter)
    assume(pacer.request_limits(now + 20.0) != UNLIMITED)
    limits, end, records, sizes = pacer._limits, now + 20.0, 0, 0
    while (now := now + max(0.001, pacer.seconds_until_allowed(now))) < end:
        most_records, most_bytes = pacer.request_limits(now)
        carried = max(1, min(most_records, most_bytes // 200))
        pacer.started(now, carried, 200 * carried)
        records += carried
        sizes += 200 * carried
    assert records <= 20.5 * limits[0] + MAX_RECORDS
    assert sizes <= 20.5 * limits[1] + max(MAX_RECORDS * 200, limits[1])


@given(steps)
def test_the_limits_are_used_up(history):
    """What starts late by chance loses nothing: in a minute at least 99 % of what the limits allow."""
    pacer, now = after(history)
    assume(pacer.request_limits(now + 100.0) != UNLIMITED)
    limits, begin, used = pacer._limits, now, 0.0
    while now < begin + 60.0:
        now += max(0.01, pacer.seconds_until_allowed(now))
        records, size_bytes = pacer.request_limits(now)
        records = max(1, min(records, size_bytes // 200))
        pacer.started(now, records, 200 * records)
        used += max(records / limits[0], 200 * records / limits[1], 1 / limits[2])
    assert used >= 0.99 * (now - begin) - 31.0


@given(steps, st.integers(1, 100), st.integers(0, 100))
def test_the_more_is_refused_the_lower_the_limits(history, records, refused):
    """Never the other way round."""
    refused = min(refused, records)
    limits = []
    for count in (refused, records):
        pacer, now = after(history)
        pacer.started(now, records, records * 200)
        answer(pacer, now, records, count)
        limits.append(pacer._limits)
    if None not in limits:
        assert all(more <= less for less, more in zip(*limits, strict=True))


@given(steps, st.integers(1, MAX_RECORDS))
def test_a_fault_that_is_no_throttling_teaches_nothing(history, records):
    """A request that timed out says neither that the stream takes more nor less."""
    pacer, now = after(history)
    before = pacer._limits
    pacer.started(now, records, records * 200)
    answer(pacer, now, 0, 0)
    assert pacer._limits == before


def test_throttling_limits_to_what_was_accepted():
    """1,000 events a second were tried, a quarter of them accepted."""
    pacer, _ = throttled(refused_share=0.75, requests=42)
    records, size_bytes, _ = pacer._limits
    assert records == pytest.approx(250, rel=0.1)
    assert size_bytes == pytest.approx(200 * records)


def test_an_exception_before_the_conclusion_of_the_lesson_leaves_limits_that_are_numbers(monkeypatch):
    """Ctrl-C may end a delivery anywhere: what is allowed stays finite, and delivery goes on."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Pacer, '_apply_estimate', interrupted)
        pacer, now = after([Step(0.05, 100, 200, share) for share in [0.0] * 30 + [0.5] * 30])
        with pytest.raises(KeyboardInterrupt):
            go_on(pacer, now, requests=60, refused=50)
    now = go_on(pacer, now, requests=5, refused=0)
    assert max(pacer.request_limits(now)) <= MAX_REQUEST_BYTES
    assert max(pacer._limits) < 2**30


def test_one_hiccup_leaves_no_limit():
    """A single "Slow down." is not a quota: the estimate sees no more refusals, and does not hold."""
    pacer, _ = after([Step(0.1, 100, 200, share) for share in [0.0] * 10 + [1.0] + [0.0] * 60])
    assert pacer._limits is None


def test_throttling_that_passes_leaves_no_limit():
    """Some answers of a burst that was somebody else's; in the second half of the estimate nothing is refused."""
    pacer, now = after([Step(0.0, 500, 200, share) for share in [0.5, 0.0, 1.0]])
    assert pacer._limits is not None
    begin, left = now, 7_600
    while left:
        now += max(0.01, pacer.seconds_until_allowed(now))
        records = min(left, pacer.request_limits(now)[0])
        pacer.started(now, records, records * 200)
        answer(pacer, now, records, 0)
        left -= records
    assert pacer._limits is None
    assert now - begin < 6.0


@given(st.floats(0.05, 0.95), st.integers(40, 400))
def test_the_longer_it_was_throttled_the_longer_until_the_old_speed_is_back(refused_share, requests):
    """As long as it lasted, a minute at most, and the way up: an episode of ten seconds is forgotten after a minute."""
    pacer, now = throttled(refused_share=refused_share, requests=requests)
    lasted = now - 1.5
    calm_at = now
    while pacer._limits is not None and pacer._limits[0] < 1_000:
        now += max(0.01, pacer.seconds_until_allowed(now))
        records = pacer.request_limits(now)[0]
        pacer.started(now, records, records * 200)
        answer(pacer, now, records, 0)
    assert now - calm_at <= min(60.0, 4.0 + lasted) + 50.0


def test_what_quickened_growth_found_in_vain_is_taken_back():
    """Half of the way, counted in doublings: who was lucky for a while shall not have more than the others for long."""
    pacer, now = throttled(refused_share=0.75, requests=42)
    before = pacer._limits[0]
    while pacer._limits[0] < 4 * before:
        now += max(0.01, pacer.seconds_until_allowed(now))
        records = pacer.request_limits(now)[0]
        pacer.started(now, records, records * 200)
        answer(pacer, now, records, 0)
    pacer.started(now, 100, 20_000)
    answer(pacer, now, 100, 1)
    assert pacer._limits[0] == pytest.approx(2 * before, rel=0.1)


def test_what_was_on_its_way_is_not_heard_in_the_lesson():
    """Eight at once that are refused are one sign of throttling: they were started before there was a limit."""
    pacer, now = after([Step(0.05, 100, 20, 0.0)])
    for _ in range(8):
        pacer.started(now, 100, 20_000)
    for _ in range(8):
        answer(pacer, now, 100, 100)
    assert pacer._limits is not None
    for _ in range(60):
        now += max(0.1, pacer.seconds_until_allowed(now))
        pacer.started(now, 100, 20_000)
        answer(pacer, now, 100, 0)
    assert pacer._limits is None


def test_what_is_partly_accepted_says_nothing_against_requests():
    """A quota of requests refuses them whole."""
    pacer, _ = throttled(refused_share=0.5, requests=100)
    assert pacer._limits[2] >= 10.0
    pacer, _ = three_quarters_refused_whole()
    assert pacer._limits[2] < 1.0


def test_where_requests_are_scarce_each_carries_all_that_may_be_sent():
    """One in five seconds takes what the others allow in five seconds."""
    pacer, now = throttled()
    pacer._limits = (60.0, 50_000.0, 0.2)
    assert pacer.request_limits(now) == (300, 250_000)


def test_what_the_lesson_left_over_is_found_soon():
    """The estimates of the others throttle it, too, and it may take too little: a tenth more after 20 seconds."""
    pacer, now = throttled(refused_share=0.75, requests=42)
    before, end = pacer._limits[0], now + 20.0
    while now < end:
        now += max(0.01, pacer.seconds_until_allowed(now))
        records = pacer.request_limits(now)[0]
        pacer.started(now, records, records * 200)
        answer(pacer, now, records, 0)
    assert pacer._limits[0] > 1.1 * before


def test_limits_grow_while_they_are_used_and_nothing_is_refused():
    """The way to a quota that has been raised: within three minutes to the double."""
    pacer, now = throttled()
    before, end = pacer._limits[0], now + 180.0
    while now < end:
        now += max(0.01, pacer.seconds_until_allowed(now))
        records = pacer.request_limits(now)[0]
        pacer.started(now, records, records * 200)
        answer(pacer, now, records, 0)
    assert pacer._limits[0] > 2 * before


def test_limits_that_are_not_used_do_not_grow():
    """Nobody knows whether the stream would take more."""
    pacer, now = throttled()
    before = pacer._limits[0]
    for second in range(60):
        pacer.started(now + second, 1, 200)
        answer(pacer, now + second, 1, 0)
    assert before <= pacer._limits[0] <= 1.05 * before


def test_limits_are_forgotten_when_throttling_stays_away():
    """After five minutes."""
    pacer, now = throttled()
    assert pacer.request_limits(now + 299.0) != UNLIMITED
    assert pacer.request_limits(now + 301.0) == UNLIMITED
    assert pacer.seconds_until_allowed(now + 301.0) == 0.0


def test_a_stream_that_takes_nothing_teaches_nothing():
    """Hours of it are an outage, which the backoff is for; when it is over, what has queued is to be sent."""
    pacer, _ = throttled(refused_share=1.0, requests=2000)
    assert pacer._limits is None or pacer._limits[0] >= 500


def test_when_a_stream_is_back_all_that_has_queued_may_be_sent():
    """Whether it was down from the start, or while it was thought to be throttled."""
    pacer, now = after([Step(0.1, 500, 200, 1.0)] * 10)
    assert pacer.request_limits(now) == UNLIMITED
    pacer, _ = after([Step(0.1, 500, 200, share) for share in [0.0] + [1.0] * 3 + [0.0] * 60])
    assert pacer._limits is None


def test_an_outage_leaves_most_of_what_was_learnt():
    """Or all would be slow for minutes when it is over."""
    pacer, now = throttled(refused_share=0.75, requests=42)
    before = pacer._limits[0]
    for second in range(250):
        pacer.started(now + second, 10, 2000)
        answer(pacer, now + second, 10, 10)
    assert pacer._limits[0] > 0.3 * before


def test_after_the_lowest_limits_the_way_up_is_not_endless():
    """There is something to grow from: in three minutes to the usual."""
    pacer, now = three_quarters_refused_whole(3000)
    end = now + 180.0
    while now < end:
        now += max(0.01, pacer.seconds_until_allowed(now))
        records = max(1, min(pacer.request_limits(now)[0], pacer.request_limits(now)[1] // 200))
        pacer.started(now, records, records * 200)
        answer(pacer, now, records, 0)
    assert pacer._limits[0] > 100


def test_those_who_are_throttled_together_go_on_at_different_times():
    """Or all would come again in the same moment, and be refused."""
    chance = random.Random(7)
    waits = []
    for _ in range(16):
        pacer = Pacer(chance.random)
        pacer.started(0.0, 500, 100_000)
        answer(pacer, 0.1, 500, 400)
        waits.append(pacer.seconds_until_allowed(0.1))
    assert max(waits) - min(waits) > 0.5
    assert len(set(waits)) == len(waits)


@pytest.mark.parametrize('event_bytes', [20, 200, 20_000, MAX_RECORD_BYTES])
def test_a_small_quota_is_met_by_small_requests(event_bytes):
    """A request is never so large that the quota would never take it, and takes the record that is larger."""
    pacer, now = three_quarters_refused_whole(event_bytes=event_bytes)
    records, size_bytes = pacer.request_limits(now)
    assert records <= 10
    assert size_bytes < 10_000
