"""Aggregates: many events in one Firehose record, cut for the bill. Sliced from the segments, without work for each event.

Firehose bills each record rounded up to 5,120 bytes. So a record ends at the last event that keeps it within a multiple of
that, and what is left over waits for company. Only when it has waited long enough, or somebody waits for it, all goes.

A record lies in one segment. A segment that is full can grow no more, so its rest goes as it is: half a billing unit on
average, of segments that grow to 4 MiB.
"""

from __future__ import annotations

import mmap
import sys
from dataclasses import dataclass

from firefighter._delivery.limits import BILLED_BYTES, MAX_RECORD_BYTES
from firefighter._escaping import restore
from firefighter._spool.events import SpooledEvent
from firefighter._spool.segment import Segment

__all__ = ['Aggregation', 'cut', 'halves']


def cut(
    lines: bytes | mmap.mmap, start: int, stop: int, *, max_bytes: int, max_events: int, everything: bool
) -> int:
    """Return where the next record ends.

    Where more follows, in these lines or in time, the next event would not fit in the units that are billed for it, or not
    in `max_bytes`: what it wastes of them is less than that event's size.

    Args:
        lines: whole lines, each an event.
        start: where the record begins.
        stop: the end of the lines.
        max_bytes: the most bytes in it.
        max_events: the most events in it.
        everything: whether what waits is to go, whatever is billed for it.

    Returns:
        An offset behind a newline; `start` when not even the first event fits.
    """
    room = min(stop - start, max_bytes)
    if everything and room == stop - start:
        end = stop
    else:
        # Where that is less than a unit, nothing better can be had.
        end = _last_line(lines, start, start + (room // BILLED_BYTES * BILLED_BYTES or room))
    if end == start:
        # One event alone is larger than the units that could be filled, and takes with it what its own last unit holds.
        first = lines.find(b'\n', start, start + room) + 1
        if not first:
            return start
        units = -(-(first - start) // BILLED_BYTES)
        end = _last_line(lines, start, start + min(room, units * BILLED_BYTES))
    most = _behind(lines, start, end, max_events)
    if most < end:
        return cut(lines, start, most, max_bytes=max_bytes, max_events=sys.maxsize, everything=False)
    return end


def _last_line(lines: bytes | mmap.mmap, start: int, stop: int) -> int:
    """Return the end of the last whole line; `start` without any."""
    return max(start, lines.rfind(b'\n', start, stop) + 1)


def _behind(lines: bytes | mmap.mmap, start: int, stop: int, events: int) -> int:
    """Return the end of so many lines; `stop` where there are no more."""
    if events >= stop - start:  # each has a byte at least: nothing has to be looked for
        return stop
    end = start
    for _ in range(events):
        end = lines.find(b'\n', end, stop) + 1
        if not end:
            return stop
    return end


@dataclass(frozen=True)
class Aggregation:
    """How events become Firehose records.

    Attributes:
        max_events: the most in one record; None: as many as its bytes allow.
    """

    max_events: int | None = None

    @property
    def most_events(self) -> int:
        """The most events in one record, as a number."""
        return self.max_events or sys.maxsize

    def records_of(self, events: int) -> int:
        """Return how many records so many events need at least."""
        return -(-events // self.most_events)

    def events_of(self, records: int) -> int:
        """Return how many events need so many records at least."""
        return (records - 1) * self.most_events + 1

    def read(
        self,
        segment: Segment,
        max_records: int,
        max_bytes: int,
        into: list[SpooledEvent],
        *,
        everything: bool,
    ) -> tuple[int, int]:
        """Read on in a segment, up to its next hole, like `read_on`; return how many records, and bytes of it, that were."""
        records: list[SpooledEvent] = []
        begin = start = segment.read_offset
        stop = segment.read_limit
        mapping, read_events = segment.mapping, segment.read_events
        while start < stop and len(records) < max_records:
            left = max_bytes - (start - begin)
            # Behind other records, what fills no unit waits for company, or for more room in the next request.
            unit = min(BILLED_BYTES, stop - start) if everything else BILLED_BYTES
            if (into or records) and min(left, stop - start) < unit:
                break
            end = cut(
                mapping,
                start,
                stop,
                max_bytes=min(left, MAX_RECORD_BYTES),
                max_events=self.most_events,
                everything=everything,
            )
            if end == start:
                # Escaped, an event may be longer than a record; restored it never is.
                end = mapping.find(b'\n', start, min(stop, start + left)) + 1
                if not end:
                    break
            record = _record(segment, start, end)
            records.append(record)
            read_events += record.events
            start = end
        count = len(records)
        # No call among these: an exception thrown into this thread finds all of them read, and in the list, or none.
        into += records
        segment.read_offset = start
        segment.read_events = read_events
        return count, start - begin


def halves(record: SpooledEvent) -> list[SpooledEvent]:
    """Return the two halves of an aggregate; a single event alone."""
    _, segment, start, end, events = record
    if events == 1:
        return [record]
    lines, middle = segment.mapping, (start + end) // 2
    parting = lines.find(b'\n', middle, end) + 1
    if parting == end:
        parting = lines.rfind(b'\n', start, middle) + 1
    return [_record(segment, start, parting), _record(segment, parting, end)]


def _record(segment: Segment, start: int, end: int) -> SpooledEvent:
    lines = segment.mapping[start:end]
    return SpooledEvent(restore(lines), segment, start, end, lines.count(b'\n'))
