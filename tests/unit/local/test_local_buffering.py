"""When does a buffer become an object?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefighter.local.buffering import Buffer, BufferingHints
from firefighter.local.protocol import Moment


def test_the_interval_counts_from_the_first_record_of_the_buffer():
    """A later record does not put it off, and an empty buffer is never due."""
    buffer = Buffer(BufferingHints(size_bytes=100, interval_seconds=60))
    assert buffer.due_at() is None
    buffer.add([b'x'], Moment(1000, 0))
    buffer.add([b'x'], Moment(1030, 0))
    assert buffer.due_at() == 1060


def test_the_record_that_reaches_the_size_is_in_the_object_that_it_fills():
    """The hint is a size to reach, not one to stay below."""
    buffer = Buffer(BufferingHints(size_bytes=4, interval_seconds=60))
    (batch,) = buffer.add([b'abc', b'def', b'g'], Moment(1, 2))
    assert batch.records == [b'abc', b'def']
    assert batch.opened == Moment(1, 2)
    assert buffer.waiting_records == 1


@pytest.mark.parametrize(
    'wrong', [{'size_bytes': -1}, {'interval_seconds': -1}, {'interval_seconds': float('nan')}]
)
def test_hints_that_make_no_sense_are_refused(wrong):
    """At once, and not when the first record waits for ever."""
    with pytest.raises(ValueError, match='neither may be negative'):
        BufferingHints(**wrong)


@given(st.lists(st.lists(st.binary(max_size=8), max_size=8)), st.integers(1, 20))
def test_everything_comes_out_once_and_in_order(puts, size_bytes):
    """Whatever arrives in whatever portions; and every batch but the last has reached the size."""
    buffer = Buffer(BufferingHints(size_bytes=size_bytes, interval_seconds=60))
    full = [batch for records in puts for batch in buffer.add(records, Moment(0, 0))]
    assert all(sum(map(len, batch.records)) >= size_bytes for batch in full)
    assert buffer.waiting_bytes < size_bytes
    batches = full + buffer.take()
    assert [record for batch in batches for record in batch.records] == [
        r for records in puts for r in records
    ]
    assert buffer.take() == []
