"""The spool that gives each event an id, and tells of those that were dropped.

**Numbers.** An event's number is put in while the lock is held, before the copy: so the order of the numbers is that of the
lines. The line comes with a place at its end, which gives way to the id. A number is used up by the store behind the one that
commits. All that is in `append`; here is what a number and a drop have to do with each other.

**What is dropped** has used up its number, too. It is `_news` until a marker tells of it, which is appended before the next
event: into the new segment when room was made by dropping the oldest; with the first room when there was none; by
delivery when no event comes. A marker that is dropped itself is news again, with all that it has told.

What append itself fails at is only counted: it uses up no number, and no marker tells of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import inf
from time import time

from firefighter._event.ids import Dropped, id_format
from firefighter._spool.appending import OverflowPolicy
from firefighter._spool.events import Spooled
from firefighter._spool.lines import text_of
from firefighter._spool.markers import (
    added,
    dropped_event,
    dropped_range,
    joined,
    marker,
    most_bytes,
    told_in,
    with_neighbours,
)
from firefighter._spool.segment import Segment
from firefighter._spool.spool import Spool
from firefighter._spool.stock import Store
from firefighter._spool.waiting import Waiting, locked

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
        store: Store | None = None,
        *,
        uncounted: Sequence[str] = (),
    ) -> None:
        super().__init__(max_bytes, overflow, block_timeout_seconds, wake, store)
        self._producer = producer_id.hex()
        self._numbering = id_format(producer_id)
        self._next_number = 0
        self._news = ()
        self._uncounted = uncounted
        self._asked_to_tell = False

    def tell(self) -> None:
        """Append a marker for what was dropped since the last one, if there is room without dropping more."""
        if self._news and not self.interrupted:
            self._asked_to_tell = True
            self.append(None)

    def drop(self, events: list[Spooled], reason: str) -> None:
        """Count events that were taken as dropped, and let go of them."""
        self._add_news([told for event in events for told in dropped_event(text_of(event), reason)])
        super().drop(events, reason)

    def abandon(self) -> None:
        """Let go of everything in a forked child: it stays the parent's."""
        self._news = ()
        super().abandon()

    # Inside.

    @locked
    def _add_news(self, dropped: Iterable[Dropped]) -> None:
        self._news = joined((*self._news, *dropped))

    def _next_turn(self) -> Waiting | None:
        turn = super()._next_turn()
        if not self._news:
            return turn
        if turn is None:
            asked, self._asked_to_tell = self._asked_to_tell and not self._aside, False
            if not asked or not self._make_room(0, may_drop=False):
                return None
        return self._marker()

    def _marker(self) -> Marker:
        """Return what tells the news; there is room for it."""
        segments = self._segments
        newest = segments[-1]
        news = with_neighbours(self._news, [dropped for segment in segments for dropped in segment.told])
        turn = Marker(marker(news, self._producer, time()), self._tally.markers + 1)
        # Before it is so: where it does not come to be, the same is told twice.
        newest.told = joined((*newest.told, *news))
        return turn

    def _note_appended(self, turn: Waiting) -> None:
        if isinstance(turn, Marker):
            self._tally.markers = turn.markers
            self._news = ()
        else:
            super()._note_appended(turn)

    def _rejection(self, waiting: Waiting, reason: str) -> Callable[[], None]:
        count = super()._rejection(waiting, reason)
        if reason in self._uncounted:
            return count
        number = self._next_number
        news = added(self._news, self._producer, number, reason)
        return partial(self._store_numbered, number + 1, news, count)

    def _make_room(self, size: int, *, may_drop: bool = True) -> bool:
        """See to it that there is room for a line, and before it for what there is to tell."""
        while True:
            news = self._news
            if not super()._make_room(size + most_bytes(news), may_drop=may_drop):
                return False
            if self._news is news:
                return True

    def _dropping(self, segment: Segment) -> Callable[[], None]:
        drop = super()._dropping(segment)
        news = joined((*self._news, *dropped_range(segment, 'overflow'), *segment.told))
        return partial(self._store_numbered, self._next_number, news, drop)

    def _store_numbered(self, following: int, news: tuple[Dropped, ...], store: Callable[[], None]) -> None:
        self._next_number = following
        self._news = news
        store()

    def _note_dropping(self, segment: Segment) -> None:
        self._add_news((*dropped_range(segment, 'overflow'), *told_in(segment)))
