"""Events as delivery holds them: lines read from a segment, and where they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from firefighter._escaping import restore
from firefighter._spool.segment import Segment

__all__ = ['Read', 'SpooledEvent', 'Stretch', 'read_on', 'stretches']


class SpooledEvent(NamedTuple):
    """What is on its way to Firehose as one record, and where its lines lie: one event, or an aggregate of several."""

    data: bytes
    segment: Segment
    start: int
    end: int
    events: int


Stretch = tuple[Segment, int, int, int]
"""Events without a gap between them: their segment, start, end, and how many there are."""

Read = Callable[[Segment, int, int, list[SpooledEvent]], tuple[int, int]]
"""What reads on in a segment, as `read_on` does."""


def read_on(segment: Segment, max_events: int, max_bytes: int, into: list[SpooledEvent]) -> tuple[int, int]:
    """Read on in a segment, up to its next hole; return how many events, and bytes, were put behind those in the list."""
    events: list[SpooledEvent] = []
    begin = start = segment.read_offset
    stop = segment.read_limit
    last_end = start + max_bytes
    mapping = segment.mapping
    # It goes on while the application waits for the interpreter: names looked up once, and a tuple made by C (a
    # NamedTuple's own constructor is a Python function) save a third of it (`python -m benchmarks.delivery`).
    find, note, new = mapping.find, events.append, tuple.__new__
    while start < stop and len(events) < max_events:
        end = find(b'\n', start, stop) + 1
        if end > last_end:
            break
        line = mapping[start:end]
        if b'\x1a' in line:
            line = restore(line)
        note(new(SpooledEvent, (line, segment, start, end, 1)))
        start = end
    count = len(events)
    # No call among these: an exception thrown into this thread finds all of them read, and in the list, or none.
    into += events
    segment.read_offset = start
    segment.read_events += count
    return count, start - begin


def stretches(events: Sequence[SpooledEvent]) -> list[Stretch]:
    """Return where events lie."""
    found: list[Stretch] = []
    segment, start, end, count = None, 0, 0, 0
    for _, its_segment, its_start, its_end, its_count in events:
        if its_start != end or its_segment is not segment:
            if segment is not None:
                found.append((segment, start, end, count))
            segment, start, count = its_segment, its_start, 0
        end = its_end
        count += its_count
    if segment is not None:
        found.append((segment, start, end, count))
    return found
