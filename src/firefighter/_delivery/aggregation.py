"""Makes aggregates: Firehose records of many events, cut for the bill. They are slices of the segments, without work for each event.

Firehose bills each record rounded up to 5,120 bytes. So a record ends at the last event that keeps it within a multiple of
that, and the rest waits for more events. It goes as well when it has waited for `send_interval`, or somebody has flushed.
"""

from __future__ import annotations

import sys

from firefighter._delivery.limits import BILLED_BYTES, MAX_RECORD_BYTES
from firefighter._spool.taken_events import Aggregate, SpooledLines, lines_of, merged

__all__ = ['Aggregation', 'cut']


def cut(
    lines: SpooledLines, start: int, stop: int, *, max_bytes: int, max_events: int, everything: bool
) -> int:
    """Return where the next record ends.

    Where everything is to go and fits, that is `stop`. Otherwise it is the end of the last event that fits in whole billed units and in
    `max_bytes`. So what stays empty of the last unit is less than the size of the next event.

    Args:
        lines: whole lines, each an event.
        start: where the record begins.
        stop: the end of the lines that may be in it.
        max_bytes: the most bytes in it.
        max_events: the most events in it.
        everything: take all of them where they fit, whatever is billed for it.

    Returns:
        An offset after a newline; `start` when not even the first event fits.
    """
    room = min(stop - start, max_bytes)
    if everything and room == stop - start:
        end = stop
    else:
        # Where there is less room than a unit, all of the room.
        end = lines.end_within(start, start + (room // BILLED_BYTES * BILLED_BYTES or room))
    if end == start:
        # The first event is larger than that. It needs more units, and takes with it the events that fit in the last of them.
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
    """Makes Firehose records of events.

    Args:
        max_events: the most events in one record; None: as many as its bytes allow.

    Attributes:
        most_events: the same, as a number.
        truncated: how many events were cut because they did not fit in a record otherwise.
    """

    def __init__(self, max_events: int | None = None) -> None:
        self.most_events = max_events or sys.maxsize
        self.truncated = 0

    def records_of(self, events: int) -> int:
        """Return the least number of records for so many events."""
        return -(-events // self.most_events)

    def events_of(self, records: int) -> int:
        """Return the least number of events for which so many records are needed."""
        return (records - 1) * self.most_events + 1

    def sent_bytes(self, spooled_bytes: int) -> int:
        """Return how many bytes will be sent for so many bytes of the spool."""
        return spooled_bytes

    def spooled_bytes(self, sent_bytes: int) -> int:
        """Return how many bytes of the spool become so many sent ones."""
        return sent_bytes

    def view_bytes(self, sent_bytes: int) -> int:
        """Return how many bytes of the spool to read for a request of so many bytes."""
        return sent_bytes

    def records(
        self, lines: SpooledLines, *, max_records: int, max_bytes: int, everything: bool, first: bool
    ) -> list[Aggregate]:
        """Return records of the first of the lines.

        Args:
            lines: the events that wait.
            max_records: the most records.
            max_bytes: the most bytes in all of them.
            everything: take all lines, whatever is billed for it; otherwise the last may wait for more to fill a unit.
            first: whether nothing else goes in the same request. Then at least one record is made.
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
                # An event may be longer than a record while it is escaped. Restored it never is.
                end = lines.end_of_line(start, start + left)
                if end == start:
                    break
            records.append(self._record(lines, start, end))
            start = end
        return records

    def halves(self, record: Aggregate) -> list[Aggregate]:
        """Return the two halves of a record; a list of one for a single event."""
        lines = lines_of(record)
        stop = lines.size_bytes
        parting = lines.end_within(0, stop // 2) or lines.end_of_line(0, stop)
        if parting == stop:
            return [record]
        return [self._record(lines, 0, parting), self._record(lines, parting, stop)]

    def _waits(
        self, lines: SpooledLines, start: int, sent_bytes: int, room: int, *, everything: bool
    ) -> bool:
        """Return whether the rest waits for the next request, to fill a unit or to have more room there.

        Args:
            lines: the lines that records are made of.
            start: where the rest begins.
            sent_bytes: how many bytes will be sent for it.
            room: how many bytes are left in the request.
            everything: as for `records`.
        """
        unit = min(BILLED_BYTES, sent_bytes) if everything else BILLED_BYTES
        # It fills no unit, and may with more events. Where it has more events than a record may have, it never will.
        alone = (
            sent_bytes < unit
            and lines.end_of_lines(start, lines.size_bytes, self.most_events) == lines.size_bytes
        )
        return room < unit or alone

    def _record(self, lines: SpooledLines, start: int, end: int) -> Aggregate:
        pieces = list(lines.read(start, end))
        # Joining a single piece copies nothing.
        return Aggregate(b''.join(data for data, _ in pieces), tuple(merged(where for _, where in pieces)))
