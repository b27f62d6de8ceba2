"""The spool's far side: how delivery takes events out of it, and settles them.

**Claims.** Delivery claims a segment by beginning to read it. `drop_oldest` takes the oldest segment that is not claimed.
So no event is both dropped and sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from firefighter._spool.appending import AppendSide, Live, live_of, segment_without_room
from firefighter._spool.layout import COMMITTED, HEADER_BYTES, ONE_EVENT, TAIL_MASK
from firefighter._spool.segment import Origin, Segment
from firefighter._spool.set_aside import locked
from firefighter._spool.taken_events import (
    Aggregate,
    Piece,
    Read,
    Spooled,
    SpooledLines,
    Stretch,
    read_on,
    stretches,
    unsettled_lines,
)

__all__ = ['TakeSide']


class TakeSide(AppendSide):
    """A bounded queue of events in segments, as delivery sees it. One thread at a time may do anything that is defined here."""

    # Segments of dead producers, with events that were pending in them.
    _adopted: tuple[Segment, ...] = ()
    # Stretches that the caller has already, and that have still to be noted as read.
    _to_note: tuple[Stretch, ...] = ()
    # Stretches whose events are counted as settled already. The heads have still to move over them.
    _to_settle: tuple[Stretch, ...] = ()

    def waiting(self) -> tuple[int, int]:
        """Return how many events, and how many bytes, are committed and not taken yet."""
        segments = self._all_segments
        events = sum(segment.events - segment.read_events for segment in segments)
        return events, sum(segment.unread_bytes for segment in segments)

    @property
    def window_bytes(self) -> int:
        """Bytes between the head and the end of what was taken."""
        return sum(segment.read_offset - segment.head for segment in self._all_segments)

    @property
    def fullness(self) -> float:
        """The part of the bound that our own events take which are not settled, from 0.0 to 1.0."""
        unsettled_bytes = sum(segment.tail - segment.head for segment in self._segments)
        return min(1.0, unsettled_bytes / self._allocator.max_bytes)

    @property
    def taken_through(self) -> int:
        """The sequence number before which every event has been taken or dropped."""
        for segment in self._segments:
            if segment.unread_bytes:
                return segment.first_sequence + segment.read_events
        return self.appended

    @property
    def settled_through(self) -> int:
        """The sequence number before which every event is delivered or dropped."""
        for segment in self._segments:
            if segment.head != segment.tail:
                return segment.first_sequence + segment.head_events
        return self.appended

    def arm(self, *, more_bytes_than: int, events: int) -> bool:
        """Ask for `wake` as soon as more bytes than that, or so many events, wait to be taken.

        Returns:
            False, and no alarm is set, when that is so already.
        """
        live = self._live
        newest = live[3][-1]
        waiting_events, waiting_bytes = self.waiting()
        sealed_events = waiting_events - (newest.events - newest.read_events)
        sealed_bytes = waiting_bytes - newest.unread_bytes
        alarm_tail = max(0, newest.read_offset + more_bytes_than - sealed_bytes)
        alarm_committed = max(0, newest.read_events + events - sealed_events) * ONE_EVENT
        return self._arm(live, alarm_tail, alarm_committed)

    def take(
        self,
        max_events: int,
        max_bytes: int,
        into: list[Spooled] | None = None,
        read: Read = read_on,
    ) -> list[Spooled]:
        """Take the oldest events not taken yet, at most so many, of at most so many bytes together.

        They stay in the spool until they are acknowledged or dropped.

        Args:
            max_events: how many.
            max_bytes: of their lines.
            into: the list that they are added to. An event is in it as soon as it counts as taken, so that an exception in
                this thread loses none.
            read: what reads them.

        Returns:
            That list, or a new one.
        """
        self._note_read()
        taken = [] if into is None else into
        for segment in self._all_segments:
            while segment.unread_bytes and self._claim(segment):
                if segment.read_offset == segment.hole_start:
                    segment.skip_hole()
                    continue
                events, size_bytes = read(segment, max_events, max_bytes, taken)
                if not events:
                    return taken
                max_events -= events
                max_bytes -= size_bytes
        return taken

    def take_aggregates(
        self, max_bytes: int, into: list[Spooled], aggregate: Callable[[SpooledLines], Sequence[Aggregate]]
    ) -> None:
        """Take the oldest events not taken yet, several together.

        Args:
            max_bytes: of their lines, at most.
            into: where to put them, as for `take`.
            aggregate: makes aggregates of as many of the lines, from the first on, as it wants.
        """
        self._note_read()
        records = aggregate(self._unread(max_bytes))
        where = tuple(stretches(records))
        # No call between these two, so that nothing can come between.
        self._to_note += where
        into += records
        self._note_read()

    def acknowledge(self, events: list[Spooled]) -> None:
        """Count events as delivered, and release them.

        The list is empty afterwards. An exception thrown into this thread on the way (KeyboardInterrupt) leaves it either
        full, and nothing done, or empty, and the rest is done by the next call or `tidy`.
        """
        where = tuple(stretches(events))
        delivered = sum(count for _, _, _, count in where)
        self._count_delivered(events, where, delivered)
        self.tidy()

    def drop(self, events: list[Spooled], reason: str) -> None:
        """Count events that were taken as dropped, and release them; the list is as for `acknowledge`."""
        where = tuple(stretches(events))
        dropped = sum(count for _, _, _, count in where)
        size_bytes = sum(end - start for _, start, end, _ in where)
        self._count_dropped(events, where, reason, dropped, size_bytes)
        self.tidy()

    def tidy(self) -> None:
        """Discard the segments that are settled, and make the next one when the one in use is half full."""
        if self._aside:
            self.append_set_aside()
        self._note_read()
        self._move_heads()
        self._seal_settled_newest()
        segments = self._segments
        settled = [segment for segment in segments[:-1] if segment.head == segment.tail]
        if settled:
            self._retire(settled)
        self._discard_settled_adopted()
        self._replace_failed(segments[-1])
        self._sweep()
        newest = segments[-1]
        # A header alone is not a segment in use: the handler has just begun, or is closed.
        if newest.size_bytes > HEADER_BYTES and newest.tail * 2 > newest.size_bytes:
            self._make_spare()

    @locked
    def unsettled(self, since: int, kept_by: Origin | None = None) -> tuple[list[bytes], int]:
        """Return copies of the events that are neither delivered nor dropped; also beside the thread that delivers.

        Events that are being counted as delivered meanwhile may be among them. Appending waits for the copy.

        Args:
            since: a sequence number; only of the events from there on.
            kept_by: a store; not of the events in its segments.

        Returns:
            The events, as they would be sent, and the sequence number of the next one that is appended.
        """
        # Under the lock no segment is given away, and used for other events.
        lines = [
            line
            for segment in self._segments
            if since < segment.first_sequence + segment.events and segment.origin is not kept_by
            for line in unsettled_lines(segment, self._to_settle, since)
        ]
        return lines, self.appended

    # Under the lock.

    @locked
    def _arm(self, live: Live, alarm_tail: int, alarm_committed: int) -> bool:
        committed = live[1][COMMITTED]
        if self._live is not live or committed & TAIL_MASK > alarm_tail or committed >= alarm_committed:
            return False
        self._alarm_tail = alarm_tail
        self._alarm_committed = alarm_committed
        return True

    @locked
    def _count_delivered(self, events: list[Spooled], where: tuple[Stretch, ...], delivered: int) -> None:
        # No call among these, so that nothing can come between.
        self._tally.delivered += delivered
        self._to_settle += where
        del events[:]

    @locked
    def _count_dropped(
        self, events: list[Spooled], where: tuple[Stretch, ...], reason: str, dropped: int, size_bytes: int
    ) -> None:
        # As above.
        self._tally.dropped[reason] += dropped
        self._tally.dropped_bytes[reason] += size_bytes
        self._to_settle += where
        del events[:]

    @locked
    def _sweep(self) -> None:
        self._store.sweep(self._allocator.with_spare(self._segments))

    @locked
    def _try_to_claim(self, segment: Segment) -> None:
        segment.claimed = segment in self._segments

    @locked
    def _seal_settled_newest(self) -> None:
        """Seal the newest segment where it is settled and leaves no room for another one: nothing else would ever end it."""
        newest = self._segments[-1]
        used_up = HEADER_BYTES < newest.tail == newest.head
        if used_up and not self._allocator.has_room(self._segments):
            self._live = live_of((*self._segments, segment_without_room(self.appended)))

    @locked
    def _seal_failed(self, newest: Segment) -> None:
        if self._allocator.has_spare and self._segments[-1] is newest:
            self._live = live_of((*self._segments, segment_without_room(self.appended)))

    @locked
    def _remove_settled(self, settled: Sequence[Segment], spare: Segment) -> bool:
        """Take segments out; return whether that one is useful as the spare, and its bytes are set aside."""
        remaining = tuple(segment for segment in self._segments if segment not in settled)
        # If drop_oldest has taken it out meanwhile, its bytes are used already.
        useful = (
            spare in self._segments
            and spare.origin is self._store  # not one from before `use_store`
            and self._allocator.reserve_for_reuse(spare, remaining)
        )
        self._live = live_of(remaining)
        return useful

    @locked
    def _reserve_spare(self) -> int:
        return self._allocator.reserve_spare(self._segments)

    @locked
    def _end_reservation(self, spare: Segment | None) -> None:
        self._allocator.end_reservation(spare)

    # Inside.

    @property
    def _all_segments(self) -> tuple[Segment, ...]:
        """Our own segments, then those of dead producers: the order of delivery."""
        return (*self._segments, *self._adopted)

    def _claim(self, segment: Segment) -> bool:
        if not segment.claimed:
            self._try_to_claim(segment)
        return segment.claimed

    def _unread(self, max_bytes: int) -> SpooledLines:
        """Claim what is not read yet, the oldest so many bytes of it, and return its whole lines.

        They are all of one producer: the segments of a dead producer are released together, and an aggregate must not be
        released in part.
        """
        pieces: list[Piece] = []
        size_bytes = 0
        producer: object = None
        adopted = self._adopted
        for segment in (*self._segments, *adopted):
            its_producer = segment.origin if segment in adopted else self
            if size_bytes >= max_bytes or (pieces and its_producer is not producer):
                break
            producer = its_producer
            if segment.unread_bytes and self._claim(segment):
                if segment.read_offset == segment.hole_start:
                    segment.skip_hole()
                pieces += ((segment, start, stop) for start, stop in segment.unread())
                size_bytes = sum(stop - start for _, start, stop in pieces)
        return SpooledLines(pieces, max_bytes)

    def _note_read(self) -> None:
        while self._to_note:
            segment, start, end, events = self._to_note[0]
            segment.note_read(start, end, events)
            self._to_note = self._to_note[1:]

    def _move_heads(self) -> None:
        while self._to_settle:
            segment, start, end, events = self._to_settle[0]
            segment.settle(start, end, events)
            self._to_settle = self._to_settle[1:]

    def _discard_settled_adopted(self) -> None:
        for segment in self._adopted:
            if segment.head == segment.tail:
                self._adopted = tuple(other for other in self._adopted if other is not segment)
                segment.origin.discard(segment)

    def _retire(self, settled: Sequence[Segment]) -> None:
        """Take sealed segments without unsettled events out; the largest that is useful becomes the spare."""
        spare = max(settled, key=lambda segment: segment.size_bytes)
        useful = self._remove_settled(settled, spare)
        for segment in settled:
            if segment is not spare or not useful:
                segment.origin.discard(segment)
        if useful:
            kept = None
            try:
                kept = spare if self._store.recycle(spare) else None
            finally:
                self._end_reservation(kept)
        self._room.notify()

    def _replace_failed(self, newest: Segment) -> None:
        """Go on in another segment, if one can be made, where the file of the newest one cannot be written any more.

        Until then that one is as good as memory.
        """
        if newest.copied is not None and newest.copied.failed:
            self._make_spare()
            self._seal_failed(newest)

    def _make_spare(self) -> None:
        size_bytes = self._reserve_spare()
        if not size_bytes:
            return
        made = None
        try:
            made = self._allocator.make_reserved(size_bytes)
        finally:
            self._end_reservation(made)
