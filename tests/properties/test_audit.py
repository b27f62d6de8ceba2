"""Does an audit count what a set would count?"""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefighter._audit.accounts import Accounts
from firefighter._audit.numbers import Numbers, covers, gaps, outside, put

pytestmark = pytest.mark.once

PRODUCERS = ['a' * 32, 'b' * 32]
REASONS = ['overflow', 'refused']
# Around the ends of blocks, and enough to fill one.
numbers = st.one_of(
    st.integers(0, 20), st.integers(4090, 4100), st.integers(12_280, 12_300), st.integers(0, 1 << 53)
)
ranges = st.tuples(numbers, st.integers(0, 5_000)).map(lambda pair: (pair[0], pair[0] + pair[1]))


def in_ranges(found):
    return {number for first, last in found for number in range(first, last + 1)}


@given(st.lists(st.one_of(numbers.map(lambda number: (number, number)), ranges), max_size=12))
def test_numbers_are_a_set(added):
    """Each is new once; they come out in order, as ranges that do not overlap."""
    seen, model = Numbers(), set()
    for first, last in added:
        for number in range(first, last + 1):
            assert seen.add(number) == (number not in model)
            model.add(number)
    found = list(seen.ranges())
    assert seen.count == len(model)
    assert in_ranges(found) == model
    assert all(before[1] < after[0] for before, after in pairwise(found))


@given(st.lists(ranges, max_size=12), ranges, numbers)
def test_a_cover_is_a_set_of_ranges(added, looked_at, number):
    """Overlapping, touching, or inside each other."""
    cover: list[int] = []
    for first, last in added:
        put(cover, first, last)
    model = in_ranges(added)
    assert cover == sorted(set(cover))
    assert covers(cover, number) == (number in model)
    assert in_ranges(outside(cover, *looked_at)) == in_ranges([looked_at]) - model


@given(st.lists(ranges, max_size=8), ranges)
def test_gaps_are_what_is_not_there(present, looked_at):
    """From the first number to the last, and nothing beyond."""
    found = list(gaps(sorted(present), *looked_at))
    assert in_ranges(found) == in_ranges([looked_at]) - in_ranges(present)


small = st.integers(0, 30)
dropped = st.tuples(st.sampled_from(PRODUCERS), small, st.integers(0, 9), st.sampled_from(REASONS))
events = st.tuples(st.sampled_from(PRODUCERS), small, st.none() | st.lists(dropped, max_size=3))


def line(producer, number, told):
    event = {'message': 'm', 'producer': producer, 'sequence': number}
    if told is not None:
        event['firefighter_dropped'] = [
            {'first': first, 'last': first + more, 'reason': reason}
            | ({} if whose == producer else {'producer': whose})
            for whose, first, more, reason in told
        ]
    return json.dumps(event).encode()


@given(st.lists(events, max_size=30), st.booleans())
def test_every_number_is_there_explained_or_unexplained(logged, partial):
    """Against sets, for markers that tell of themselves, of others, of what is there all the same, and twice."""
    # An id stands for one event: a copy has the same bytes.
    first_of_its_id = {}
    for producer, number, told in logged:
        first_of_its_id.setdefault((producer, number), (producer, number, told))
    logged = [first_of_its_id[producer, number] for producer, number, _ in logged]
    accounts = Accounts(partial=partial)
    for event in logged:
        accounts.take(line(*event))

    copies = Counter((producer, number) for producer, number, _ in logged)
    told = [entry for event in first_of_its_id.values() for entry in event[2] or ()]
    for account in accounts:
        seen = {number for producer, number in copies if producer == account.producer}
        why = {}
        for whose, first, more, reason in told:
            if whose == account.producer:
                for number in range(first, first + more + 1):
                    why.setdefault(number, set()).add(reason)
        lowest = min(seen, default=max([*why, -1]) + 1)
        missing = set(range(lowest if partial else 0, max([*seen, *why, -1]) + 1)) - seen
        assert account.events == len(seen)
        assert account.duplicates == sum(
            count - 1 for (producer, _), count in copies.items() if producer == account.producer
        )
        assert sum(account.explained.values()) == len(missing & set(why))
        assert all(
            events <= sum(reason in why.get(number, ()) for number in missing)
            for reason, events in account.explained.items()
        )
        assert in_ranges(account.gaps) == missing - set(why)
        assert account.unexplained == len(missing - set(why))
        assert account.before_first == sum(number < lowest for number in missing - set(why))

    totals = accounts.totals()
    assert totals.producers == len({p for p, _ in copies} | {whose for whose, *_ in told})
    assert totals.events + totals.duplicates == len(logged)
    assert totals.markers == sum(bool(event[2]) for event in first_of_its_id.values())
