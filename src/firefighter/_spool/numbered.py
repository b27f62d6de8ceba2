"""The spool that gives each event an id, and tells of those that were dropped.

**Numbers.** An event's number is put in while the lock is held, with the copy: so the order of the numbers is that of the
lines. The line comes with a place at its end, of which the id takes as much as it needs; what is left beyond the tail is
NUL, as everything there. How long the id is depends on the digits of the number, which is looked up and not
counted: between the copy and the last store there must be no call. A number is used up by the store behind the one
that commits.

**What is dropped** has used up its number, too. It is `_news` until a marker tells of it, which is appended before the next
event: into the new segment when room was made by dropping the oldest; with the first room when there was none; by
delivery when no event comes. A marker that is dropped itself is news again, with all that it has told.

A number is not used up, and no marker left, by what a signal handler or destructor logs while its own thread is inside the
spool, and is dropped at once (as oversize, say): the frame below may be about to use it. It is only counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import time

from firefighter._event_ids import PLACE, id_format
from firefighter._spool.appending import OverflowPolicy
from firefighter._spool.events import Spooled
from firefighter._spool.lines import text_of
from firefighter._spool.markers import (
    Ranges,
    added,
    dropped_event,
    dropped_range,
    joined,
    marker,
    most_bytes,
    told_in,
    with_neighbours,
)
from firefighter._spool.segment import COMMITTED, ONE_EVENT, TAIL_MASK, Segment
from firefighter._spool.spool import Spool
from firefighter._spool.stock import Store

__all__ = ['NumberedSpool']

_PLACE_BYTES = len(PLACE)


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
        self._id = id_format(producer_id)
        self._uncounted = uncounted
        self._next_number = 0
        # The first number with more digits, and the bytes of an id below it.
        self._digits = 10, len(self._id % 0)
        self._news: Ranges = ()

    def append(self, line: bytes) -> None:
        """Queue an event, which gets an id where the line ends with a place for one."""
        if line[-1]:
            super().append(line)
            return
        size = len(line)
        lock = self._lock
        if lock._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001  # no public way to ask
            self._aside.append(line)
            return
        if self._aside:
            self.append_set_aside(may_wait=True)
        with lock:
            mapping, words, limit, _ = self._live
            committed = words[COMMITTED]
            tail = committed & TAIL_MASK
            place = tail + size - _PLACE_BYTES
            number = self._next_number
            more_digits, id_bytes = self._digits
            end = place + id_bytes
            fits = tail + size <= limit and number < more_digits and not self._news
            if fits:
                mapping[tail : tail + size] = line
                mapping[place:end] = self._id % number
                words[COMMITTED] = committed = committed + end - tail + ONE_EVENT
                self._next_number = number + 1
        if not fits:
            self._append_rolling_over(line)
        elif end > self._alarm_tail or committed >= self._alarm_committed:
            self._raise_alarm()
        if self._aside:
            self.append_set_aside(may_wait=True)

    def reject(self, reason: str, size_bytes: int) -> None:
        """Count an event that was accepted from the program and will not be queued; it uses up a number."""
        if reason in self._uncounted or self.interrupted:
            with self._lock:
                super()._reject(reason, size_bytes, [])
        else:
            super().reject(reason, size_bytes)

    def tell(self) -> None:
        """Append a marker for what was dropped since the last one, if there is room without dropping more."""
        if self._news and not self.interrupted:
            with self._lock:
                self._make_room(0, may_drop=False)

    def drop(self, events: list[Spooled], reason: str) -> None:
        """Count events that were taken as dropped, and let go of them."""
        dropped = [told for event in events for told in dropped_event(text_of(event), reason)]
        with self._lock:
            self._news = joined((*self._news, *dropped))
        super().drop(events, reason)

    def abandon(self) -> None:
        """Let go of everything in a forked child: it stays the parent's."""
        self._news = ()
        super().abandon()

    # Inside.

    def _commit(self, line: bytes, waiting: list[bytes]) -> bool:
        has_place = not line[-1]
        while self._make_room(len(line)):
            live = self._live
            mapping, words, limit, _ = live
            number = self._next_number
            whole = line[:-_PLACE_BYTES] + self._id % number if has_place else line
            size = len(whole)
            committed = words[COMMITTED]
            end = (committed & TAIL_MASK) + size
            # The second is not so in a child that a signal handler has forked here.
            if end <= limit and self._live is live:
                # No call among these, as in `Spool._commit`.
                mapping[end - size : end] = whole
                words[COMMITTED] = committed + size + ONE_EVENT
                self._next_number = number + has_place
                del waiting[:1]
                self._count_digits()
                return True
        return False

    def _reject(self, reason: str, size_bytes: int, waiting: list[bytes]) -> None:
        number = self._next_number
        news = added(self._news, self._producer, number, reason)
        tally = self._tally
        # No call among these: counted, told and used up, or none of it.
        tally.rejected[reason] += 1
        tally.dropped_bytes[reason] += size_bytes
        self._next_number = number + 1
        self._news = news
        del waiting[:1]

    def _make_room(self, size: int, *, may_drop: bool = True) -> bool:
        """See to it that there is room for a line, and that what was dropped before it has been told."""
        while super()._make_room(size + most_bytes(self._news), may_drop=may_drop):
            if not self._news or self._tell(size):
                return True
        return False

    def _tell(self, size: int) -> bool:
        """Append a marker where it leaves room for a line; return whether it did."""
        live = self._live
        mapping, words, limit, segments = live
        newest = segments[-1]
        told = tuple(dropped for segment in segments for dropped in segment.told)
        news = with_neighbours(self._news, told)
        number = self._next_number
        whole = marker(news, self._producer, time())[:-_PLACE_BYTES] + self._id % number
        marker_bytes = len(whole)
        told = joined((*newest.told, *news))
        committed = words[COMMITTED]
        end = (committed & TAIL_MASK) + marker_bytes
        if end + size <= limit and self._live is live:
            # No call among these: told or not.
            mapping[end - marker_bytes : end] = whole
            words[COMMITTED] = committed + marker_bytes + ONE_EVENT
            self._next_number = number + 1
            self._tally.markers += 1
            newest.told = told
            self._news = ()
            self._count_digits()
            return True
        return False

    def _note_dropping(self, segment: Segment) -> None:
        told = segment.told if segment in self._segments else told_in(segment)
        dropped = dropped_range(segment, 'overflow')
        with self._lock:
            self._news = joined((*self._news, *dropped, *told))

    def _count_digits(self) -> None:
        more_digits, id_bytes = self._digits
        while self._next_number >= more_digits:
            more_digits, id_bytes = more_digits * 10, id_bytes + 1
        self._digits = more_digits, id_bytes
