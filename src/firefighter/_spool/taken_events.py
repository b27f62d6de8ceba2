"""What delivery takes from segments: single events, and aggregates of them, with their places there.

Aggregates are cut from `SpooledLines`: whole lines in one segment or in several, seen as one text.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from firefighter._event.escaping import restore
from firefighter._spool.layout import HEADER_BYTES
from firefighter._spool.segment import Segment

__all__ = [
    'Aggregate',
    'Piece',
    'Read',
    'Spooled',
    'SpooledEvent',
    'SpooledLines',
    'Stretch',
    'lines_of',
    'merged',
    'original_lines',
    'read_on',
    'stretches',
    'unsettled_lines',
]

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


Piece = tuple[Segment, int, int]
"""Whole lines in a segment: where they begin and where they end."""


class SpooledLines:
    """Pieces of segments, one after the other. Every offset is one in the whole text, as it is in the spool.

    Nothing is copied before it is read.

    Args:
        pieces: whole lines each, in their order; none is empty.
        most_bytes: of them; what comes after the last whole line within that is left out.

    Attributes:
        size_bytes: of all of it.
        cut_short: whether something was left out.
    """

    def __init__(self, pieces: Sequence[Piece], most_bytes: int = sys.maxsize) -> None:
        self._pieces = pieces
        # Where each piece begins, and the end of the last.
        self._begins = [0, *accumulate(stop - start for _, start, stop in pieces)]
        self.size_bytes = self._begins[-1]
        self.size_bytes = self.end_within(0, most_bytes)
        self.cut_short = self.size_bytes < self._begins[-1]

    def end_within(self, start: int, stop: int) -> int:
        """Return the end of the last line that ends by `stop`; `start`, where a line begins, without any."""
        if stop >= self.size_bytes:
            return self.size_bytes
        index = self._index(stop)
        segment, offset, _ = self._pieces[index]
        begin = self._begins[index]
        # Every piece begins with a line, so without a newline in it what ends by then ends before it.
        found = segment.mapping.rfind(b'\n', offset, offset + stop - begin) + 1
        return max(start, begin + found - offset if found else begin)

    def end_of_line(self, start: int, stop: int) -> int:
        """Return the end of the line that begins at `start`; `start` where it does not end by `stop`."""
        segment, offset, end = self._from(start)
        found = segment.mapping.find(b'\n', offset, min(end, offset + stop - start)) + 1
        return start + found - offset if found else start

    def end_of_lines(self, start: int, stop: int, events: int) -> int:
        """Return the end of so many lines; `stop`, where a line ends, where there are no more before it."""
        if events >= stop - start:  # each has a byte at least: nothing has to be looked for
            return stop
        for _ in range(events):
            start = self.end_of_line(start, stop)
            if start == stop:
                break
        return start

    def read(self, start: int, stop: int, most_bytes: int = sys.maxsize) -> Iterator[tuple[bytes, Stretch]]:
        """Give the lines between two ends of lines, restored, in pieces.

        Args:
            start: where a line begins.
            stop: where a line ends.
            most_bytes: in a piece, where the lines in it are not longer: so long a copy holds the interpreter lock.

        Yields:
            The lines of a piece, and where they lie.
        """
        while start < stop:
            segment, offset, end = self._from(start)
            end = min(end, offset + stop - start)
            if end - offset > most_bytes:
                end = self.end_within(start, start + most_bytes) - start + offset
                if end == offset:
                    end = self.end_of_line(start, stop) - start + offset
            lines = segment.mapping[offset:end]
            yield restore(lines), (segment, offset, end, lines.count(b'\n'))
            start += end - offset

    def _index(self, offset: int) -> int:
        return bisect_right(self._begins, offset) - 1

    def _from(self, offset: int) -> Piece:
        """Return the rest of a piece, from an offset on."""
        index = self._index(offset)
        segment, start, stop = self._pieces[index]
        return segment, start + offset - self._begins[index], stop


def lines_of(record: Aggregate) -> SpooledLines:
    """Return the lines that an aggregate was made of."""
    return SpooledLines([(segment, start, end) for segment, start, end, _ in record.stretches])


def original_lines(record: Spooled) -> bytes:
    """Return the events of a record as they were logged, whatever has become of them on their way."""
    if isinstance(record, Aggregate):
        lines = lines_of(record)
        return b''.join(data for data, _ in lines.read(0, lines.size_bytes))
    return record.data


def unsettled_lines(segment: Segment, to_settle: Iterable[Stretch], since: int) -> Iterator[bytes]:
    """Give the events in a segment of our own that are neither delivered nor dropped, restored.

    Args:
        segment: the segment.
        to_settle: what is settled as well, but not noted in the segment yet.
        since: a sequence number; only the events from there on.
    """
    settled = [
        *((start, end) for its_segment, start, end, _ in to_settle if its_segment is segment),
        *segment.settled,
    ]
    sequence, start, tail = segment.first_sequence, HEADER_BYTES, segment.tail
    while start < tail:
        end = segment.mapping.find(b'\n', start, tail) + 1
        if sequence >= since and not any(begin <= start < stop for begin, stop in settled):
            yield restore(segment.mapping[start:end])
        start = end
        sequence += 1
