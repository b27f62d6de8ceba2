"""A segment: one mapping of a fixed size, with a header page and then events as plain lines.

Format. The header page has 4,096 bytes, seen as 512 aligned words of 8 bytes in the machine's order:

    word 8    committed: `events << 32 | tail`. The tail is the offset after the last whole event.
    word 16   head: the offset up to which all events are settled (delivered or dropped).

The two are on cache lines of their own (64 bytes), since one belongs to the application's threads and the other to
delivery. The rest of the page, in a file, is in `disk/segment_file.py`. After the header, `[4096, tail)` holds whole lines, each ended by a newline; beyond the tail all is zero.

Committing is one aligned 8-byte store. Tail and count share that store, so that no interruption between two stores
(a kill, a signal handler that raises) can leave them at odds: the account of the spool is derived from this word.
The words are accessed only through one `memoryview.cast('Q')` made with the segment: `struct.pack_into` zeroes its
target before it writes, which a kill in between makes permanent.

`MemoryStore` makes segments of private anonymous memory: gone with the process, never seen by a forked child.
"""

from __future__ import annotations

import mmap
import os
import stat
import sys
from bisect import insort
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from firefighter._event.ids import Dropped
from firefighter._process.descriptor import close
from firefighter._spool.layout import COMMITTED, HEAD, HEADER_BYTES, ONE_EVENT, TAIL_MASK

if TYPE_CHECKING:
    from firefighter._spool.copied_segment import CopiedWords

__all__ = [
    'MemoryStore',
    'Origin',
    'Segment',
    'fill_with_zeros',
    'private_memory',
]


class Origin(Protocol):
    """The store or the dead producer that a segment came from."""

    def discard(self, segment: Segment) -> None:
        """Remove the segment and what is in it; a second time does nothing."""


class Segment:
    """A mapping, the words of its header, and the reader's marks.

    Attributes:
        mapping: the memory, header page included; all zero after the tail.
        words: the header page as 8-byte words.
        copied: the same words, where what is committed through them is copied into a file; None where there is no such file.
        size_bytes: the size of the mapping.
        first_sequence: the number of events that the spool had committed before this segment's first one.
        claimed: whether delivery has begun to read it; then it is not dropped any more.
        read_offset: how far delivery has read.
        read_events: the events before `read_offset`.
        head_events: the events before the head.
        hole_start: where torn bytes begin that are to be skipped, in a dead producer's segment; -1 without any.
        origin: the store that it came from, and that it goes back to.
        name: the name of its file; empty for memory.
        inode: the number of its file; 0 where that does not matter.
        reported_drops: the dropped events that the markers in it report, as far as this process has appended them.

    Nothing closes a segment: its memory goes back when the last thread that looks at it has let go of it.
    """

    __slots__ = (
        '_erases',
        '_holes',
        '_settled',
        'claimed',
        'copied',
        'first_sequence',
        'head_events',
        'hole_start',
        'inode',
        'mapping',
        'name',
        'origin',
        'read_events',
        'read_offset',
        'reported_drops',
        'size_bytes',
        'words',
    )

    def __init__(
        self, mapping: mmap.mmap, origin: Origin, name: str = '', copied: CopiedWords | None = None
    ) -> None:
        self.mapping = mapping
        self.origin = origin
        self.name = name
        self.inode = 0
        self.copied = copied
        self.words = memoryview(mapping)[:HEADER_BYTES].cast('Q')
        self.size_bytes = len(mapping)
        self._reset(0, HEADER_BYTES)

    def _reset(self, first_sequence: int, head: int) -> None:
        self.first_sequence = first_sequence
        self.claimed = False
        self.read_offset = head
        self.read_events = 0
        self.head_events = 0
        # Ranges settled beyond the head, in order: (start, end, events).
        self._settled: list[tuple[int, int, int]] = []
        self._holes: list[tuple[int, int]] = []
        self.hole_start = -1
        self._erases = False
        self.reported_drops: tuple[Dropped, ...] = ()

    def start_over(self, first_sequence: int) -> None:
        """Make an empty segment of it. Everything after the header must be zero."""
        self._reset(first_sequence, HEADER_BYTES)
        self.words[HEAD] = HEADER_BYTES
        self.words[COMMITTED] = HEADER_BYTES

    @property
    def events(self) -> int:
        """The number of events committed."""
        return self.words[COMMITTED] >> 32

    @property
    def tail(self) -> int:
        """The offset after the last committed event."""
        return self.words[COMMITTED] & TAIL_MASK

    @property
    def head(self) -> int:
        """The offset before which every event is settled."""
        return self.words[HEAD]

    @property
    def unread_bytes(self) -> int:
        """Bytes committed that delivery has not read."""
        return self.tail - self.read_offset

    @property
    def unsettled_events(self) -> int:
        """The events committed that are neither delivered nor dropped."""
        return self.events - self.head_events - sum(events for _, _, events in self._settled)

    @property
    def droppable(self) -> bool:
        """Whether dropping it loses nothing that delivery has begun with."""
        return not self.claimed or self.head == self.tail

    def resume(
        self, head: int, tail: int, events: int, holes: Sequence[tuple[int, int]], *, exact: bool
    ) -> None:
        """Take a dead producer's segment over where its delivery ended.

        Args:
            head: where to begin.
            tail: the end of what can be delivered.
            events: the lines in between.
            holes: stretches without whole lines in between, in order; they count as settled.
            exact: whether the next adopter would trust the head. Where not (it is from before a reboot), settled events are
                overwritten with zeros, but for the last newline. So our own death repeats only events that were under way.
        """
        self._reset(0, head)
        self.claimed = True
        self._erases = not exact
        self._holes = list(holes)
        self.hole_start = self._holes[0][0] if holes else -1
        self.words[HEAD] = head
        self.words[COMMITTED] = events * ONE_EVENT + tail
        if self.copied is not None:
            self.copied.resume(tail)
        self._settled = [(start, end, 0) for start, end in holes]

    def unread(self) -> list[tuple[int, int]]:
        """Return the ranges of lines that delivery has not read: those between the torn bytes."""
        found, start = [], self.read_offset
        for hole_start, hole_end in self._holes:
            found.append((start, hole_start))
            start = hole_end
        found.append((start, self.tail))
        return [(start, stop) for start, stop in found if start < stop]

    @property
    def settled(self) -> list[tuple[int, int]]:
        """The ranges of events that are settled."""
        beyond = self._settled.copy()  # before the head, which delivery may move over them meanwhile
        return [(HEADER_BYTES, self.head), *((start, end) for start, end, _ in beyond)]

    def erase_settled(self) -> None:
        """Overwrite settled events with zeros where the head does not show them as settled: after events that are not.

        The next one to take the segment over finds zeros in it, trusts the head no more, and searches for lines.
        """
        if self._settled:
            self._erases = True
            for start, end in self.settled:
                self._erase(start, end)

    def note_read(self, start: int, end: int, events: int) -> None:
        """Take note that delivery has read the lines in `[start, end)`, of those that are not read the first."""
        if start < self.read_offset:  # noted a second time, since an exception came between
            return
        while 0 <= self.hole_start < end:
            self.skip_hole()
        # No call between these two, as below.
        self.read_offset = end
        self.read_events += events

    def skip_hole(self) -> None:
        """Go on reading after the torn bytes at `hole_start`."""
        self.read_offset = self._holes.pop(0)[1]
        self.hole_start = self._holes[0][0] if self._holes else -1

    def settle(self, start: int, end: int, events: int) -> None:
        """Take note that the events in `[start, end)` need no more work, and move the head as far as it goes."""
        insort(self._settled, (start, end, events))
        while self._settled:
            start, end, events = self._settled[0]
            if start < self.words[HEAD]:  # noted a second time, since an exception came between
                del self._settled[0]
                continue
            if start != self.words[HEAD]:
                break
            if self._erases:
                self._erase(start, end)
            # No call between these three: an exception thrown into this thread cannot part them.
            self.words[HEAD] = end
            self.head_events += events
            del self._settled[0]
        if self.copied is not None:
            self.copied.copy(HEAD * 8, HEAD * 8 + 8)

    def _erase(self, start: int, end: int) -> None:
        # But for the newline: after zeros alone, recovery could not know that a line begins here.
        if start < end:
            self.mapping[start : end - 1] = bytes(end - 1 - start)
            if self.copied is not None:
                self.copied.copy(start, end - 1)


# Zeroing goes in pieces of 1 MiB: where it cannot be done outside the interpreter lock, a piece holds that for
# about 0.1 ms.
_ZERO_PIECE_BYTES = 1 << 20


class MemoryStore:
    """Makes segments of memory, and uses them again."""

    def make(self, size_bytes: int) -> Segment:
        """Return an empty segment.

        Raises:
            OSError: the machine is out of memory.
        """
        return Segment(private_memory(size_bytes), self)

    def prepare(self, segment: Segment) -> None:
        """Touch every page now, so that the application's thread pays for no page fault later."""
        fill_with_zeros(segment.mapping, HEADER_BYTES, segment.size_bytes)

    def begin(self, segment: Segment, first_sequence: int) -> None:
        """Make an empty segment the one that is written to."""
        segment.start_over(first_sequence)

    def recycle(self, segment: Segment) -> bool:
        """Empty a settled segment for another use; return whether it can be used again."""
        fill_with_zeros(segment.mapping, HEADER_BYTES, segment.tail)
        return True

    def discard(self, segment: Segment) -> None:
        """Do nothing: the memory goes back when nobody refers to the segment any more."""

    def sweep(self, kept: Sequence[Segment]) -> None:
        """Do nothing: memory that nobody refers to is gone by itself."""


def fill_with_zeros(mapping: mmap.mmap, start: int, end: int) -> None:
    """Write zeros into `[start, end)`, where the system allows it outside the interpreter lock.

    Raises:
        OSError: a page of a file cannot be had.
    """
    source = _open_zeros()
    if source is None or not hasattr(os, 'readv'):
        for piece in range(start, end, _ZERO_PIECE_BYTES):
            size = min(_ZERO_PIECE_BYTES, end - piece)
            mapping[piece : piece + size] = bytes(size)
        return
    # Reading from /dev/zero faults the pages in as well; `madvise` and plain stores would hold the lock.
    try:
        with memoryview(mapping) as view:
            while start < end:
                start += os.readv(source, [view[start:end]])
    finally:
        close(source)


def _open_zeros() -> int | None:
    """Open /dev/zero; return None where there is none: on Windows, in a bare chroot, or at the limit of open files."""
    if not hasattr(os, 'readv'):
        return None
    try:
        source = os.open('/dev/zero', os.O_RDONLY)
    except OSError:
        return None
    # In a bare chroot anything may have that name: only a device gives as many zeros as are asked for.
    if stat.S_ISCHR(os.fstat(source).st_mode):
        return source
    close(source)
    return None


def private_memory(size_bytes: int) -> mmap.mmap:
    """Return new memory that no forked child shares, all zero."""
    if sys.platform == 'win32':
        return mmap.mmap(-1, size_bytes)
    # Shared, the default, would let a forked child write into its parent's queue.
    return mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
