"""How are records cut? Nothing lost, order kept, limits kept, and no more wasted than the next event would have filled."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firefighter._delivery.aggregation import Aggregation, cut
from firefighter._delivery.compression import Compression, gzip_by_zlib
from firefighter._delivery.limits import BILLED_BYTES, MAX_RECORD_BYTES, MAX_REQUEST_BYTES
from firefighter._delivery.spool_source import SpoolSource
from firefighter._event.escaping import escape
from firefighter._process.waiting import Wakeup
from firefighter._spool.spool import Spool
from firefighter._spool.taken_events import SpooledLines

pytestmark = pytest.mark.once

# Of an event without its newline: usual ones, and those about one, two and four billing units.
SIZES = st.one_of(st.integers(0, 900), st.integers(5_110, 5_130), st.integers(10_200, 20_500))
CUTS = st.lists(st.floats(0, 1), max_size=5)
EVENTS = st.lists(SIZES, min_size=1, max_size=120).map(lambda sizes: [b'x' * size + b'\n' for size in sizes])
MOST = st.one_of(st.just(sys.maxsize), st.integers(1, 40))


class Memory(NamedTuple):
    """What is looked for of a segment."""

    mapping: bytes


def pieces(events: list[bytes], cuts: Sequence[float] = ()) -> SpooledLines:
    """Return events as lines that lie in several segments, parted at such shares of their number."""
    ends = sorted({0, len(events), *(int(cut * len(events)) for cut in cuts)})
    stored = [b'?\n' + b''.join(events[begin:end]) + b'?' for begin, end in pairwise(ends)]
    return SpooledLines([(Memory(text), 2, len(text) - 1) for text in stored])  # type: ignore[misc]


def billed(size_bytes: int) -> int:
    return -(-size_bytes // BILLED_BYTES) * BILLED_BYTES


@given(EVENTS, CUTS, MOST, st.sampled_from([20_600, 51_200, MAX_RECORD_BYTES]), st.booleans())
@example([b'x' * 5_499 + b'\n', b'y' * 499 + b'\n'], [], sys.maxsize, MAX_RECORD_BYTES, False)
@example([b'x' * 20_480 + b'\n', b'y' * 119 + b'\n'], [], sys.maxsize, 20_600, False)
def test_a_record_wastes_less_than_the_next_event_would_have_filled(events, cuts, most, limit, everything):
    """The law of the bill. Only what ends the waiting for company may waste more, and what has too few bytes to choose."""
    lines, parted = b''.join(events), pieces(events, cuts)
    start, records = 0, []
    while start < len(lines):
        end = cut(parted, start, len(lines), max_bytes=limit, max_events=most, everything=everything)
        record = lines[start:end]
        assert record.endswith(b'\n')
        assert len(record) <= limit
        assert record.count(b'\n') <= most
        following = lines.find(b'\n', end) + 1 - end
        last, full = end == len(lines), record.count(b'\n') == most
        if not last and not full and start + BILLED_BYTES <= len(lines):
            assert min(billed(len(record)), limit) - len(record) < following
        records.append(record)
        start = end
    assert b''.join(records) == lines


@given(EVENTS)
def test_what_is_due_for_its_size_ends_within_a_billing_unit(events):
    """Of small events none is wasted on: what is over a multiple of 5,120 bytes is left to wait."""
    lines = b''.join(event for event in events if len(event) < 1_000) * 20
    if len(lines) >= BILLED_BYTES:
        parted = pieces([lines])
        end = cut(parted, 0, len(lines), max_bytes=MAX_RECORD_BYTES, max_events=sys.maxsize, everything=False)
        units = min(len(lines), MAX_RECORD_BYTES) // BILLED_BYTES
        assert billed(end) == units * BILLED_BYTES


def test_what_is_due_for_its_age_goes_whole() -> None:
    """Whatever is billed for it."""
    lines = pieces([b'x\n'] * 3_000, [0.5])
    assert cut(lines, 0, 6_000, max_bytes=10_000, max_events=sys.maxsize, everything=True) == 6_000
    assert cut(lines, 0, 6_000, max_bytes=10_000, max_events=sys.maxsize, everything=False) == BILLED_BYTES


@given(
    st.lists(st.text('x\n\0\x1a', max_size=40).map(str.encode), min_size=1, max_size=60),
    st.integers(1, 200),
    st.one_of(st.none(), st.integers(1, 50)),
    st.data(),
)
def test_every_event_leaves_the_spool_once_and_in_order(texts, times, max_events, data):
    """Over many segments, with escaped events among them, whether all goes or not, and whatever fits in a request."""
    spool = Spool(16 * 1024 * 1024)
    source = SpoolSource(spool, Wakeup(), aggregation=Aggregation(max_events))
    for _ in range(times):
        for text in texts:
            spool.append(escape(text))
    events = times * len(texts)
    sent, delivered = [], 0
    while spool.account().pending:
        everything = data.draw(st.booleans())
        most_bytes = data.draw(st.sampled_from([6_000, 20_480, MAX_REQUEST_BYTES]))
        most_records = data.draw(st.integers(1, 500))
        taken: list = []
        source.take(most_records, most_bytes, taken, everything=everything)
        assert 0 < len(taken) <= most_records
        assert sum(len(record.data) for record in taken) <= most_bytes
        assert all(record.events <= (max_events or events) for record in taken)
        sent += [record.data for record in taken]
        delivered += sum(record.events for record in taken)
        source.acknowledge(taken)
    assert b''.join(sent) == b''.join(text.removesuffix(b'\n') + b'\n' for text in texts) * times
    assert delivered == events == spool.account().delivered
    assert spool.settled_through == events


@given(EVENTS)
def test_an_aggregate_falls_apart_into_its_events(events):
    """Halved again and again, as one that Firehose refuses is."""
    spool = Spool(16 * 1024 * 1024)
    for event in events:
        spool.append(event)
    source = SpoolSource(spool, Wakeup(), aggregation=Aggregation())
    whole: list = []
    source.take(500, MAX_REQUEST_BYTES, whole)
    parts: list = []
    while whole:
        record = whole.pop(0)
        halves = source.split(record)
        if len(halves) == 1:
            parts += halves
        else:
            assert sum(half.events for half in halves) == record.events
            whole[:0] = halves
    assert [part.data for part in parts] == events


@given(EVENTS, CUTS, st.data())
def test_lines_are_found_the_same_wherever_segments_part_them(events, cuts, data):
    """One text in several pieces answers as one in one piece."""
    text, parted = b''.join(events), pieces(events, cuts)
    ends = [0]
    for event in events:
        ends.append(ends[-1] + len(event))
    start = data.draw(st.sampled_from(ends[:-1]))
    stop = data.draw(st.integers(start, len(text)))
    count = data.draw(st.integers(1, len(events) + 1))
    ends_within = [end for end in ends if start < end <= stop]
    assert parted.end_within(start, stop) == max(ends_within, default=start)
    assert parted.end_of_line(start, stop) == min(ends_within, default=start)
    last = max(ends_within, default=start)
    assert parted.end_of_lines(start, last, count) == ([start, *ends_within, *[last] * count])[count]
    read = list(parted.read(start, last, data.draw(st.sampled_from([100, 6_000, 2**20]))))
    assert b''.join(lines for lines, _ in read) == text[start:last]
    assert sum(where[3] for _, where in read) == len(ends_within)
    assert all(segment.mapping[begin:end] == lines for lines, (segment, begin, end, _) in read)


def test_a_record_goes_on_in_the_next_segment() -> None:
    """Where a segment ends, no billing unit is given away."""
    spool = Spool(16 * 1024 * 1024)
    for number in range(20_000):
        spool.append(b'%099d\n' % number)
    assert len(spool._segments) > 2
    taken: list = []
    SpoolSource(spool, Wakeup(), aggregation=Aggregation()).take(500, 3 * 2**20, taken, everything=False)
    assert max(len(record.stretches) for record in taken) > 1
    assert {-len(record.data) % BILLED_BYTES < 100 for record in taken} == {True}
    spool.acknowledge(taken)
    assert spool.settled_through == 20_000 - spool.waiting()[0]


@pytest.mark.parametrize('kind', [Aggregation, lambda most: Compression(gzip_by_zlib(), most)])
@pytest.mark.parametrize('most', [1, 7])
def test_as_many_events_as_a_record_may_have_do_not_wait_for_company(kind, most):
    """Nothing that comes would be in the same record. One record a request they were, 3,000 events in 2,500 requests."""
    spool = Spool(16 * 1024 * 1024)
    for _ in range(400 * most):
        spool.append(b'x\n')
    taken: list = []
    SpoolSource(spool, Wakeup(), aggregation=kind(most)).take(500, MAX_REQUEST_BYTES, taken, everything=False)
    assert len(taken) >= 399
    assert {record.events for record in taken} == {most}
