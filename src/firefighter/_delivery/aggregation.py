"""Aggregates: many events in one Firehose record, cut for the bill. Sliced from the segments, without work for each event.

Firehose bills each record rounded up to 5,120 bytes. So a record ends at the last event that keeps it within a multiple of
that, and what is left over waits for company. Only when it has waited long enough, or somebody waits for it, all goes.
"""

from __future__ import annotations

import sys

from firefighter._delivery.limits import BILLED_BYTES, MAX_RECORD_BYTES
from firefighter._spool.events import Aggregate, merged
from firefighter._spool.spooled_lines import SpooledLines, lines_of

__all__ = ['Aggregation', 'cut']


def cut(
    lines: SpooledLines, start: int, stop: int, *, max_bytes: int, max_events: int, everything: bool
) -> int:
    """Return where the next record ends.

    Where more follows, in these lines or in time, the next event would not fit in the units that are billed for it, or not
    in `max_bytes`: what it wastes of them is less than that event's size.

    Args:
        lines: whole lines, each an event.
        start: where the record begins.
        stop: where the lines end that may be in it.
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
        end = lines.end_within(start, start + (room // BILLED_BYTES * BILLED_BYTES or room))
    if end == start:
        # One event alone is larger than the units that could be filled, and takes with it what its own last unit holds.
        first = lines.end_of_line(start, start + room) - start
        if not first:
            return start
        units = -(-first // BILLED_BYTES)
        end = lines.end_within(start, start + min(room, units * BILLED_BYTES))
    most = lines.end_of_lines(start, end, max_events)
    if most < end:
        return cut(lines, start, most, max_bytes=max_bytes, max_events=sys.maxsize, everything=False)
    return end


class Aggregation:
    """How events become Firehose records.

    Args:
        max_events: the most in one record; None: as many as its bytes allow.

    Attributes:
        most_events: the same, as a number.
        truncated: events that were cut because nothing else made a record of them.
    """

    def __init__(self, max_events: int | None = None) -> None:
        self.most_events = max_events or sys.maxsize
        self.truncated = 0

    def records_of(self, events: int) -> int:
        """Return how many records so many events need at least."""
        return -(-events // self.most_events)

    def events_of(self, records: int) -> int:
        """Return how many events need so many records at least."""
        return (records - 1) * self.most_events + 1

    def sent_bytes(self, spooled_bytes: int) -> int:
        """Return what so many bytes of the spool will be when they are sent."""
        return spooled_bytes

    def spooled_bytes(self, sent_bytes: int) -> int:
        """Return of how many bytes of the spool so many are made."""
        return sent_bytes

    def view_bytes(self, sent_bytes: int) -> int:
        """Return how many bytes of the spool to look at for a request of that size."""
        return sent_bytes

    def records(
        self, lines: SpooledLines, *, max_records: int, max_bytes: int, everything: bool, first: bool
    ) -> list[Aggregate]:
        """Return the next records, of the first of the lines.

        Args:
            lines: what waits.
            max_records: how many at most.
            max_bytes: of all of them, at most.
            everything: whether what waits is to go, whatever is billed for it.
            first: whether nothing else goes in the same request; then something is to go.
        """
        records: list[Aggregate] = []
        start, stop = 0, lines.size_bytes
        everything = everything and not lines.cut_short
        while start < stop and len(records) < max_records:
            left = max_bytes - start
            if (records or not first) and self._waits(
                lines, start, stop - start, left, everything=everything
            ):
                break
            end = cut(
                lines,
                start,
                stop,
                max_bytes=min(left, MAX_RECORD_BYTES),
                max_events=self.most_events,
                everything=everything,
            )
            if end == start:
                # Escaped, an event may be longer than a record; restored it never is.
                end = lines.end_of_line(start, start + left)
                if end == start:
                    break
            records.append(self._record(lines, start, end))
            start = end
        return records

    def halves(self, record: Aggregate) -> list[Aggregate]:
        """Return the two halves of a record; one of a single event alone."""
        lines = lines_of(record)
        stop = lines.size_bytes
        parting = lines.end_within(0, stop // 2) or lines.end_of_line(0, stop)
        if parting == stop:
            return [record]
        return [self._record(lines, 0, parting), self._record(lines, parting, stop)]

    def pack(self, events: bytes) -> bytes:
        """Return the data of a record with these events, whose size is at most a record's."""
        return events

    def _waits(
        self, lines: SpooledLines, start: int, sent_bytes: int, room: int, *, everything: bool
    ) -> bool:
        """Return whether what is left is to wait, behind other records, for company or for more room in the next request.

        Args:
            lines: what was taken from.
            start: where the rest begins.
            sent_bytes: what it will be when it is sent.
            room: how many bytes the request has left.
            everything: whether what waits is to go.
        """
        unit = min(BILLED_BYTES, sent_bytes) if everything else BILLED_BYTES
        # It fills no unit. What is more than a record may have will not either, whatever comes.
        alone = (
            sent_bytes < unit
            and lines.end_of_lines(start, lines.size_bytes, self.most_events) == lines.size_bytes
        )
        return room < unit or alone

    def _record(self, lines: SpooledLines, start: int, end: int) -> Aggregate:
        pieces = list(lines.read(start, end))
        # To join one piece alone copies nothing.
        return Aggregate(b''.join(data for data, _ in pieces), tuple(merged(where for _, where in pieces)))
