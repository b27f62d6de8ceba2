"""The spool that gives each event an id, and reports those that were dropped.

**Numbers.** An event's number is put in while the lock is held, before the copy: so the order of the numbers is that of the
lines. The line comes with a place at its end, which gives way to the id. A number is used up by the store after the one that
commits. All of that is in `append`. Here are the numbers of dropped events.

**A dropped event** has used up its number, too. It is in `_unreported_drops` until a marker reports it. The marker is appended before
the next event: into the new segment when room was made by dropping the oldest; with the first room when there was none; by delivery
when no event comes. When a marker itself is dropped, all that it has reported is unreported again.

An event that append failed at is only counted: it uses up no number, and no marker reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import inf
from time import time

from firefighter._event.ids import Dropped, id_format
from firefighter._spool.allocator import SegmentStore
from firefighter._spool.appending import OverflowPolicy
from firefighter._spool.markers import (
    add_drop,
    drops_of_event,
    drops_of_segment,
    drops_reported_in,
    encode_marker,
    extend_over_reported,
    merge_ranges,
    most_marker_bytes,
)
from firefighter._spool.segment import Segment
from firefighter._spool.set_aside import Waiting, locked
from firefighter._spool.spool import Spool
from firefighter._spool.taken_events import Spooled, original_lines

__all__ = ['NumberedSpool']


class Marker(Waiting):
    """A marker that is about to be appended.

    Attributes:
        markers: how many there are when it is.
    """

    __slots__ = ('markers',)

    def __init__(self, line: bytes, markers: int) -> None:
        super().__init__(line, len(line), inf)
        self.markers = markers


class NumberedSpool(Spool):
    """A spool whose lines get an id where they have a place for it; others are as in any spool.

    Args:
        producer_id: who it is.
        uncounted: reasons of drops that come before the events are anybody's, and use up no number.
    """

    def __init__(
        self,
        producer_id: bytes,
        max_bytes: int,
        overflow: OverflowPolicy = 'drop_oldest',
        block_timeout_seconds: float = 1.0,
        wake: Callable[[], None] = lambda: None,
        store: SegmentStore | None = None,
        *,
        uncounted: Sequence[str] = (),
    ) -> None:
        super().__init__(max_bytes, overflow, block_timeout_seconds, wake, store)
        self._producer = producer_id.hex()
        self._numbering = id_format(producer_id)
        self._next_number = 0
        self._unreported_drops = ()
        self._uncounted = uncounted
        self._marker_is_wanted = False

    def append_marker(self) -> None:
        """Append a marker for what was dropped since the last one, if there is room without dropping more."""
        if self._unreported_drops and not self.interrupted:
            self._marker_is_wanted = True
            self.append(None)

    def drop(self, events: list[Spooled], reason: str) -> None:
        """Count events that were taken as dropped, and release them."""
        self._add_unreported(
            [drop for event in events for drop in drops_of_event(original_lines(event), reason)]
        )
        super().drop(events, reason)

    def abandon(self) -> None:
        """Let go of everything in a forked child: it stays the parent's."""
        self._unreported_drops = ()
        super().abandon()

    # Inside.

    @locked
    def _add_unreported(self, dropped: Iterable[Dropped]) -> None:
        self._unreported_drops = merge_ranges((*self._unreported_drops, *dropped))

    def _next_waiting(self) -> Waiting | None:
        waiting = super()._next_waiting()
        if not self._unreported_drops:
            return waiting
        if waiting is None:
            asked, self._marker_is_wanted = self._marker_is_wanted and not self._aside, False
            if not asked or not self._make_room(0, may_drop=False):
                return None
        return self._make_marker()

    def _make_marker(self) -> Marker:
        """Return the marker that reports the unreported drops; there is room for it."""
        segments = self._segments
        newest = segments[-1]
        unreported = extend_over_reported(
            self._unreported_drops, [dropped for segment in segments for dropped in segment.reported_drops]
        )
        waiting = Marker(encode_marker(unreported, self._producer, time()), self._tally.markers + 1)
        # Noted before it is appended: if an exception prevents that, the same is reported twice, and never not at all.
        newest.reported_drops = merge_ranges((*newest.reported_drops, *unreported))
        return waiting

    def _note_appended(self, waiting: Waiting) -> None:
        if isinstance(waiting, Marker):
            self._tally.markers = waiting.markers
            self._unreported_drops = ()
        else:
            super()._note_appended(waiting)

    def _prepare_rejection(self, waiting: Waiting, reason: str) -> Callable[[], None]:
        count = super()._prepare_rejection(waiting, reason)
        if reason in self._uncounted:
            return count
        number = self._next_number
        unreported = add_drop(self._unreported_drops, self._producer, number, reason)
        return partial(self._store_numbered, number + 1, unreported, count)

    def _make_room(self, size: int, *, may_drop: bool = True) -> bool:
        """See to it that there is room for a line, and before it for the marker that is due."""
        while True:
            unreported = self._unreported_drops
            if not super()._make_room(size + most_marker_bytes(unreported), may_drop=may_drop):
                return False
            if self._unreported_drops is unreported:
                return True

    def _prepare_drop(self, segment: Segment) -> Callable[[], None]:
        drop = super()._prepare_drop(segment)
        unreported = merge_ranges(
            (*self._unreported_drops, *drops_of_segment(segment, 'overflow'), *segment.reported_drops)
        )
        return partial(self._store_numbered, self._next_number, unreported, drop)

    def _store_numbered(
        self, following: int, unreported: tuple[Dropped, ...], store: Callable[[], None]
    ) -> None:
        self._next_number = following
        self._unreported_drops = unreported
        store()

    def _note_adopted_drop(self, segment: Segment) -> None:
        self._add_unreported((*drops_of_segment(segment, 'overflow'), *drops_reported_in(segment)))
