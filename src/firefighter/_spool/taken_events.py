"""Events, and aggregates of them, that delivery has read from segments, with their places there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from firefighter._event.escaping import restore
from firefighter._spool.segment import Segment

__all__ = ['Aggregate', 'Read', 'Spooled', 'SpooledEvent', 'Stretch', 'merged', 'read_on', 'stretches']

Stretch = tuple[Segment, int, int, int]
"""Events without a gap between them: their segment, start, end, and how many there are."""


class SpooledEvent(NamedTuple):
    """An event that is a Firehose record by itself. After its data, it is the stretch of its bytes."""

    data: bytes
    segment: Segment
    start: int
    end: int
    events: int = 1


class Aggregate(NamedTuple):
    """Events that are one Firehose record together, in one segment or in several that follow each other."""

    data: bytes
    stretches: tuple[Stretch, ...]

    @property
    def events(self) -> int:
        """How many events these are."""
        return sum(count for _, _, _, count in self.stretches)


Spooled = SpooledEvent | Aggregate
"""One record on its way to Firehose."""

Read = Callable[[Segment, int, int, list[Spooled]], tuple[int, int]]
"""A function that reads on in a segment, as `read_on` does."""


def read_on(segment: Segment, max_events: int, max_bytes: int, into: list[Spooled]) -> tuple[int, int]:
    """Read on in a segment, up to its next hole; return how many events, and bytes, were added to the list."""
    events: list[SpooledEvent] = []
    begin = start = segment.read_offset
    stop = segment.hole_start if segment.hole_start > begin else segment.tail
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


def stretches(records: Sequence[Spooled]) -> list[Stretch]:
    """Return where records lie."""
    found: list[Stretch] = []
    for record in records:
        if isinstance(record, Aggregate):
            found += record.stretches
        else:
            found.append(record[1:])
    return merged(found)


def merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return stretches with those made one that follow each other without a gap."""
    found: list[Stretch] = []
    segment, start, end, count = None, 0, 0, 0
    for its_segment, its_start, its_end, its_count in stretches:
        if its_start != end or its_segment is not segment:
            if segment is not None:
                found.append((segment, start, end, count))
            segment, start, count = its_segment, its_start, 0
        end = its_end
        count += its_count
    if segment is not None:
        found.append((segment, start, end, count))
    return found
