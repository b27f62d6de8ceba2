"""Does every event leave exactly once, whatever Firehose accepts, refuses and throttles? Against a model of the service."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefighter._delivery.aggregation import Aggregation
from firefighter._delivery.batches import Batch, Batches
from firefighter._delivery.compression import COMPRESSIONS, Compression, compressor_of
from firefighter._delivery.outcomes import Answer, Outcome
from firefighter._delivery.spool_source import SpoolSource
from firefighter._process.waiting import Wakeup
from firefighter._spool.spool import Spool

pytestmark = pytest.mark.once

ACCEPTED, RETRY, THROTTLED, REFUSED, MISCONFIGURED = Outcome
AGGREGATIONS = st.one_of(st.none(), st.builds(Aggregation, st.one_of(st.none(), st.integers(1, 50))))
ANY_WAY = st.one_of(
    AGGREGATIONS, st.builds(lambda name: Compression(compressor_of(name)), st.sampled_from(COMPRESSIONS))
)
KEPT = [RETRY, THROTTLED, MISCONFIGURED]


class Stage:
    """A spool with numbered events, and the batches over it."""

    def __init__(self, events: int, aggregation: Aggregation | None = None) -> None:
        self.spool = Spool(4 * 1024 * 1024)
        for number in range(events):
            self.spool.append(b'%d\n' % number)
        self.dead_letters: list[tuple[bytes, str]] = []
        self.batches = Batches(
            SpoolSource(self.spool, Wakeup(), aggregation=aggregation),
            lambda event, reason: self.dead_letters.append((event, reason)),
        )

    def compose(self, max_records: int = 500) -> Batch | None:
        return self.batches.compose(max_records, 1024 * 1024, 0.0)

    @property
    def dead_letter_numbers(self) -> list[int]:
        return sorted(int(event) for event, _ in self.dead_letters)


def numbers(batch: Batch) -> list[int]:
    return [int(line) for record in batch.records for line in record.data.splitlines()]


def alike(outcome: Outcome, batch: Batch) -> Answer:
    return Answer.all_alike(outcome, len(batch.records), 'Cause', 'Cause: said so')


@given(st.data(), st.integers(1, 60), st.integers(1, 4), AGGREGATIONS)
def test_each_event_is_accepted_exactly_once_whatever_order_answers_come_in(
    data, events, most_in_flight, aggregation
):
    """Any part of any request may fail, several under way at once, and be answered in any order."""
    stage = Stage(events, aggregation)
    accepted: list[int] = []
    for _ in range(1000):
        if len(stage.batches.in_flight) < most_in_flight and data.draw(st.booleans()):
            stage.compose(data.draw(st.integers(1, 20)))
        if not stage.batches.in_flight:
            if stage.compose() is None:
                break
            continue
        batch = data.draw(st.sampled_from(stage.batches.in_flight))
        outcomes = data.draw(
            st.lists(
                st.sampled_from([ACCEPTED, *KEPT]), min_size=len(batch.records), max_size=len(batch.records)
            )
            if data.draw(st.booleans())
            else st.just([ACCEPTED] * len(batch.records))
        )
        failed = any(outcome is not ACCEPTED for outcome in outcomes)
        accepted += [
            int(line)
            for event, outcome in zip(batch.records, outcomes, strict=True)
            if outcome is ACCEPTED
            for line in event.data.splitlines()
        ]
        stage.batches.settle(batch, Answer(outcomes, *(('Cause', 'Cause') if failed else ())))
        account = stage.spool.account()
        assert account.accepted == account.delivered + account.pending == events
    if stage.batches.empty:
        assert sorted(accepted) == list(range(events))
        assert stage.spool.settled_through == events
    assert not stage.dead_letters


@given(st.integers(2, 500), st.data(), AGGREGATIONS)
def test_exactly_the_invalid_events_are_given_up(events, data, aggregation):
    """Firehose refuses any request with one of them in it; as long as it takes the others, only they are dropped."""
    invalid = data.draw(st.sets(st.integers(0, events - 1), max_size=min(events - 1, 6)))
    stage = Stage(events, aggregation)
    accepted: list[int] = []
    requests = 0
    while (batch := stage.compose()) is not None:
        requests += 1
        if invalid.intersection(numbers(batch)):
            stage.batches.settle(batch, alike(REFUSED, batch))
        else:
            accepted += numbers(batch)
            stage.batches.settle(batch, Answer([ACCEPTED] * len(batch.records)))
    assert sorted(accepted) == sorted(set(range(events)) - invalid)
    assert stage.dead_letter_numbers == sorted(invalid)
    assert stage.spool.account().dropped == ({'refused': len(invalid)} if invalid else {})
    # Each culprit makes both halves of at most nine batches necessary; an aggregate is halved by its bytes, not by its events.
    assert requests <= 1 + 2 * (9 if aggregation is None else 13) * len(invalid)


@given(st.integers(1, 60), st.data(), st.integers(1, 5), AGGREGATIONS)
def test_where_a_throttled_stream_is_sent_few_records_at_once_invalid_ones_keep_back_no_other(
    events, data, most, aggregation
):
    """Each is refused alone, and nothing else was accepted until then: the others must have their turn."""
    invalid = data.draw(st.sets(st.integers(0, events - 1)))
    stage = Stage(events + 1, aggregation)  # the last is valid
    accepted: list[int] = []
    for _ in range(40 * (events + 1)):
        batch = stage.compose(most)
        if batch is None:
            break
        if invalid.intersection(numbers(batch)):
            stage.batches.settle(batch, alike(REFUSED, batch))
        else:
            accepted += numbers(batch)
            stage.batches.settle(batch, Answer([ACCEPTED] * len(batch.records)))
    assert stage.batches.empty
    assert sorted(accepted) == sorted(set(range(events + 1)) - invalid)
    assert stage.dead_letter_numbers == sorted(invalid)


@given(st.integers(1, 100), st.integers(1, 400))
def test_a_stream_that_refuses_everything_loses_nothing(events, requests):
    """A stream that a Kinesis stream feeds says InvalidArgumentException to every put."""
    stage = Stage(events)
    refuses_all = []
    for _ in range(requests):
        batch = stage.compose()
        refuses_all.append(stage.batches.settle(batch, alike(REFUSED, batch)))
    account = stage.spool.account()
    assert (account.pending, account.dropped, stage.dead_letters) == (events, {}, [])
    assert any(refuses_all) == (requests >= 2 * events - 1), 'once all of them were refused alone'


@given(st.integers(1, 60), st.integers(0, 200), st.integers(1, 5), AGGREGATIONS)
def test_a_stream_that_refuses_everything_until_it_is_mended_loses_nothing(
    events, refusals, most, aggregation
):
    """Also when that happens while an invalid record is looked for: some events were refused alone already, others are accepted then."""
    stage = Stage(events, aggregation)
    accepted: list[int] = []
    for number in itertools.count():
        batch = stage.compose(most if number % 2 else 500)
        if batch is None:
            break
        if number < refusals:
            stage.batches.settle(batch, alike(REFUSED, batch))
        else:
            accepted += numbers(batch)
            stage.batches.settle(batch, Answer([ACCEPTED] * len(batch.records)))
    assert sorted(accepted) == list(range(events))
    assert stage.dead_letters == []


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 30))
def test_what_came_back_goes_first_and_in_batches_of_the_size_that_is_allowed(back, fresh, most):
    """What was refused for the quota does not come again in one piece that is larger than the quota."""
    stage = Stage(back)
    batch = stage.compose()
    stage.batches.settle(batch, alike(THROTTLED, batch))
    for number in range(back, back + fresh):
        stage.spool.append(b'%d\n' % number)
    sent: list[int] = []
    while (batch := stage.compose(most)) is not None:
        assert len(batch.records) <= most
        sent += numbers(batch)
    assert sent == list(range(back + fresh))
    assert sum(batch.retried for batch in stage.batches.in_flight) == back


@given(st.integers(1, 20_000), st.integers(1, 3_000), ANY_WAY)
def test_a_request_that_must_be_larger_than_is_allowed_is_little_larger(
    allowed_bytes, event_bytes, aggregation
):
    """Where the pace leaves less than an event, that event goes; not a record of 1,000 KiB with all that waits."""
    stage = Stage(0, aggregation)
    dice = random.Random(allowed_bytes)
    for _ in range(300):
        stage.spool.append(dice.randbytes(event_bytes).hex().encode() + b'\n')
    while (batch := stage.batches.compose(500, allowed_bytes, 0.0)) is not None:
        assert batch.size_bytes <= max(allowed_bytes, 2 * (2 * event_bytes + 30))
        stage.batches.settle(batch, alike(ACCEPTED, batch))
    assert stage.spool.account().pending == 0
