"""Allocate the spool's segments: within the bound, ready before they are needed, and used again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from firefighter._spool.layout import HEADER_BYTES
from firefighter._spool.segment import Segment

__all__ = ['MIN_SPOOL_BYTES', 'SegmentAllocator', 'SegmentStore']

PAGE_BYTES = 4096
# The smallest bound that leaves room for four segments of four pages each.
MIN_SPOOL_BYTES = 64 * 1024
FIRST_SEGMENT_BYTES = 256 * 1024
LARGEST_SEGMENT_BYTES = 4 * 1024 * 1024


class SegmentStore(Protocol):
    """Makes segments, of memory or of files."""

    def make(self, size_bytes: int) -> Segment:
        """Return an empty segment; raise OSError when there may be none of that size."""

    def prepare(self, segment: Segment) -> None:
        """Touch its pages now, outside the application's threads, because the first writes would be slow."""

    def begin(self, segment: Segment, first_sequence: int) -> None:
        """Make an empty segment the one that is written to."""

    def recycle(self, segment: Segment) -> bool:
        """Empty a settled segment for another use; return whether it can be used again."""

    def discard(self, segment: Segment) -> None:
        """Let go of a segment and what is in it."""

    def sweep(self, kept: Sequence[Segment]) -> None:
        """Discard all segments but these: those that an exception in the appending thread has left."""


class SegmentAllocator:
    """Hands out empty segments, so that all of them together stay within a bound.

    Sizes start at 256 KiB and double, while there is a backlog, up to 4 MiB; a small bound makes them smaller. All
    methods but `make_reserved` are called with the spool's lock held.

    No event is dropped for the sake of a spare segment: when append needs the room of one that is just being made or
    emptied, that one is given up. Its memory goes back as soon as the thread that makes it has noticed. Only for that moment may the
    bound be exceeded, by one segment.

    Args:
        store: makes the segments.
        max_bytes: the bound, in bytes; at least MIN_SPOOL_BYTES.
    """

    def __init__(self, store: SegmentStore, max_bytes: int) -> None:
        self._store = store
        self._max_bytes = max_bytes
        # At most a quarter of the bound, so that drop_oldest has something to choose from.
        self._largest_bytes = min(LARGEST_SEGMENT_BYTES, max_bytes // 4 // PAGE_BYTES * PAGE_BYTES)
        self._smallest_bytes = min(FIRST_SEGMENT_BYTES, self._largest_bytes)
        self._next_bytes = self._smallest_bytes
        self._spare: Segment | None = None
        # The bytes of the segment that is being made or emptied, outside the lock.
        self._reserved_bytes = 0

    @property
    def max_bytes(self) -> int:
        """The bound, in bytes."""
        return self._max_bytes

    @property
    def has_spare(self) -> bool:
        """Whether the next segment is ready."""
        return self._spare is not None

    def allocated_bytes(self, live: Iterable[Segment]) -> int:
        """Return the bytes of the spool's live segments and of the spare one, headers included."""
        spare_bytes = self._reserved_bytes + (self._spare.size_bytes if self._spare else 0)
        return spare_bytes + sum([segment.size_bytes for segment in live])

    def with_spare(self, live: Sequence[Segment]) -> Sequence[Segment]:
        """Return the spool's live segments and the spare one."""
        return live if self._spare is None else (*live, self._spare)

    def could_ever_hold(self, size: int) -> bool:
        """Return whether the bound leaves room for a line of so many bytes."""
        return _pages(size) <= self._max_bytes

    def would_fit(self, size: int, live: Iterable[Segment]) -> bool:
        """Return whether a segment for a line of so many bytes fits beside these and no spare one."""
        live_bytes = sum([segment.size_bytes for segment in live])
        return max(self._smallest_bytes, _pages(size)) <= self._max_bytes - live_bytes

    def has_room(self, live: Iterable[Segment]) -> bool:
        """Return whether there could be one more segment beside these, or is."""
        return self._spare is not None or self._reserved_bytes > 0 or self.would_fit(1, live)

    def use_larger_segments(self) -> None:
        """Take note of a backlog: larger segments from now on."""
        self._next_bytes = min(self._next_bytes * 2, self._largest_bytes)

    def allocate(self, size: int, live: Iterable[Segment]) -> Segment | None:
        """Return an empty segment for a line of so many bytes: the spare, or a new one as large as the bound permits."""
        spare = self._spare
        if spare is not None:
            self._spare = None
            if HEADER_BYTES + size <= spare.size_bytes:
                return spare
            spare.origin.discard(spare)
        room = self._max_bytes - self.allocated_bytes(live)
        wanted, least = max(self._next_bytes, _pages(size)), max(self._smallest_bytes, _pages(size))
        if least > room:
            room += self._reserved_bytes
            if least > room:
                return None
            self._reserved_bytes = 0
        if wanted > room:
            wanted = least
        while True:
            try:
                return self._store.make(wanted)
            except (OSError, MemoryError):
                if wanted <= least:
                    return None  # no memory: as if the bound were reached
                # There may be room for a small one, and later ones begin small again.
                self._next_bytes, wanted = self._smallest_bytes, least

    def discard_spare(self) -> None:
        """Give the spare segment up."""
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.origin.discard(spare)

    def reserve_spare(self, live: Iterable[Segment]) -> int:
        """Set the bytes for a spare segment aside; return how many, 0 when none is wanted or fits."""
        if self._spare is not None or self._reserved_bytes:
            return 0
        if self.allocated_bytes(live) + self._next_bytes > self._max_bytes:
            return 0
        self._reserved_bytes = self._next_bytes
        return self._reserved_bytes

    def make_reserved(self, size_bytes: int) -> Segment | None:
        """Make the segment for which bytes were set aside. Without the lock."""
        try:
            spare = self._store.make(size_bytes)
            self._store.prepare(spare)
        except (OSError, MemoryError):
            self._next_bytes = self._smallest_bytes
            return None  # append will find out, and let the overflow policy speak
        return spare

    def reserve_for_reuse(self, segment: Segment, live: Iterable[Segment]) -> bool:
        """Set a settled segment's bytes aside while it is emptied; return whether it is of use as the spare.

        Not where it does not fit beside the live ones: the header that has taken its place needs a page of its own.
        """
        if self._spare is not None or self._reserved_bytes:
            return False
        if self.allocated_bytes(live) + segment.size_bytes > self._max_bytes:
            return False
        if not self._next_bytes <= segment.size_bytes <= self._largest_bytes:
            return False
        self._reserved_bytes = segment.size_bytes
        return True

    def end_reservation(self, spare: Segment | None) -> None:
        """End a reservation with the segment that came of it, if any."""
        if self._reserved_bytes:
            self._reserved_bytes = 0
            self._spare = spare
        elif spare is not None:  # append has needed its room meanwhile
            spare.origin.discard(spare)


def _pages(size: int) -> int:
    """Return the size of the smallest segment that can hold a line of so many bytes."""
    return -(-(HEADER_BYTES + size) // PAGE_BYTES) * PAGE_BYTES
