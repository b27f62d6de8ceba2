"""The spool: a producer's sequence of segments, appended to by the application and read by delivery.

    append (any thread)  ->  [ settled | read, on its way | committed ]  ->  take, acknowledge, drop (one thread)
                                    head          read_offset       tail

The application's side is in `appending.py`, delivery's in `taking.py`. Here is what a directory on disk changes: by which store
segments are made, and which segments are adopted from dead producers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from firefighter._process.lock import make_lock, outliving_threads
from firefighter._spool.allocator import MIN_SPOOL_BYTES, SegmentAllocator, SegmentStore
from firefighter._spool.appending import OverflowPolicy, live_of, segment_without_room
from firefighter._spool.layout import HEADER_BYTES
from firefighter._spool.segment import MemoryStore, Origin, Segment
from firefighter._spool.set_aside import locked
from firefighter._spool.spool_account import Account
from firefighter._spool.taken_events import Spooled
from firefighter._spool.taking import TakeSide

__all__ = ['MIN_SPOOL_BYTES', 'Account', 'OverflowPolicy', 'Spool', 'Spooled']


class Spool(TakeSide):
    """A bounded queue of events in segments: what is appended, and what is adopted from dead producers.

    One thread at a time may adopt, release and change the store.
    """

    # Adopted segments.

    @property
    def has_adopted_waiting(self) -> bool:
        """Whether events of dead producers have not been taken yet."""
        return any(segment.unread_bytes for segment in self._adopted)

    @property
    def has_adopted(self) -> bool:
        """Whether events of dead producers are not settled yet."""
        return bool(self._adopted)

    def has_adopted_segment(self, segment: Segment) -> bool:
        """Return whether a segment is a dead producer's, and not settled."""
        return segment in self._adopted

    @locked
    def adopt(self, segment: Segment) -> None:
        """Take over the events of a dead producer's segment: delivered after our own, beyond the bound."""
        self._adopted = (*self._adopted, segment)
        self._tally.adopted += segment.events

    def release_adopted(self, origin: Origin) -> None:
        """Take the segments of a dead producer out again. The next adopter delivers what is not settled, from the heads on.

        None of their events may be on its way.

        Args:
            origin: what these segments have in common.
        """
        self._note_read()
        self._move_heads()
        self._discard_settled_adopted()
        released = [segment for segment in self._adopted if segment.origin is origin]
        for segment in released:
            segment.erase_settled()
        self._remove_released(released)

    def drop_oldest_adopted(self) -> int:
        """Drop the oldest adopted segment that delivery has not begun with; return its bytes, 0 when there is none."""
        for segment in self._adopted:
            if segment.read_offset != segment.head or segment.head == segment.tail:
                continue
            remaining = tuple(other for other in self._adopted if other is not segment)
            dropped, size_bytes = segment.events - segment.head_events, segment.tail - segment.head
            self._note_adopted_drop(segment)
            self._drop_adopted(remaining, dropped, size_bytes)
            segment.origin.discard(segment)
            return segment.size_bytes
        return 0

    # Its own segments, and their store.

    def uses_store(self, store: SegmentStore) -> bool:
        """Return whether segments are made by that store."""
        return self._store is store

    @locked
    def use_store(self, store: SegmentStore, max_bytes: int) -> None:
        """Have segments made by another store from now on; the spare one of the old is given up."""
        self._allocator.discard_spare()
        self._store = store
        self._allocator = SegmentAllocator(store, max_bytes)

    def use_first_store(self) -> None:
        """Have segments made by the store that the spool began with, within its bound."""
        self.use_store(*self._first_store)

    @locked
    def seal(self) -> None:
        """End the segment that is written to: the next append rolls over to a new one."""
        self._allocator.discard_spare()
        self._live = live_of((*self._segments, segment_without_room(self.appended)))

    @locked
    def seal_segment_of_other_store(self, store: SegmentStore) -> None:
        """End the segment that is written to, where another store has made it."""
        newest = self._segments[-1]
        if newest.origin is not store and newest.size_bytes > HEADER_BYTES:
            self._live = live_of((*self._segments, segment_without_room(self.appended)))

    @property
    def newest_origin(self) -> Origin | None:
        """The store of the segment that is written to; None where the next event begins a new one."""
        newest = self._segments[-1]
        return newest.origin if newest.size_bytes > HEADER_BYTES else None

    @property
    def pending(self) -> int:
        """The events of this process that are neither delivered nor dropped; what is adopted is not among them."""
        return self._count_pending()

    @locked
    def pending_in(self, store: Origin) -> int:
        """Return how many of our own events lie in segments of a store, neither delivered nor dropped."""
        return sum(segment.unsettled_events for segment in self._segments if segment.origin is store)

    @property
    def own_segments(self) -> Sequence[Segment]:
        """The segments of this process, settled ones among them; what is adopted is not."""
        return self._segments

    @locked
    def for_each_own_segment(self, move: Callable[[Segment], None]) -> None:
        """Call a function with each of our own segments. No segment is dropped meanwhile."""
        for segment in self._segments:
            move(segment)

    def has_segments_of(self, store: SegmentStore) -> bool:
        """Return whether events are, or come to be, in segments that a store has made."""
        return any(segment.origin is store for segment in self._segments)

    def outlive_threads(self) -> None:
        """Wait for no thread that the interpreter has ended. For the end of the process."""
        self._lock = outliving_threads(self._lock)

    def abandon(self) -> None:
        """Forget everything in a forked child: it stays the parent's.

        An append that was interrupted by the fork (in a signal handler, or a `__str__`) goes on in the child too, into
        nothing: the parent's memory, where it is a file, is the child's as well, and the parent appends that event.
        """
        if not self.interrupted:
            self._lock = make_lock()
        self._store = MemoryStore()
        self._allocator = SegmentAllocator(self._store, MIN_SPOOL_BYTES)
        self._aside.clear()
        self._adopted = ()
        self._to_note = ()
        self._to_settle = ()
        self._live = live_of((segment_without_room(0),))
        self.disarm()

    # Under the lock.

    @locked
    def _remove_released(self, released: Sequence[Segment]) -> None:
        remaining = tuple(segment for segment in self._adopted if segment not in released)
        unsettled = sum(segment.unsettled_events for segment in released)
        # No call between these, so that nothing can come between.
        self._tally.adopted -= unsettled
        self._adopted = remaining

    @locked
    def _drop_adopted(self, remaining: tuple[Segment, ...], dropped: int, size_bytes: int) -> None:
        # As above.
        self._tally.dropped['overflow'] += dropped
        self._tally.dropped_bytes['overflow'] += size_bytes
        self._adopted = remaining

    @locked
    def _count_pending(self) -> int:
        return self.account().pending - sum(segment.unsettled_events for segment in self._adopted)
