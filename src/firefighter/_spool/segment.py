"""A segment: one fixed-size mapping with a header page and, behind it, events as plain lines.

Format. The header page has 4,096 bytes, seen as 512 aligned words of 8 bytes in the machine's order:

    word 8    committed: `events << 32 | tail`. The tail is the offset behind the last whole event.
    word 16   head: the offset up to which all events are settled (delivered or dropped).

The two are on cache lines of their own (64 bytes), since one belongs to the application's threads and the other to
delivery. Behind the header, `[4096, tail)` holds whole lines, each ended by a newline; beyond the tail all is zero.

Committing is one aligned 8-byte store. Tail and count share that store, so that no interruption between two stores
(a kill, a signal handler that raises) can leave them at odds: the account of the spool is derived from this word.
The words are accessed only through one `memoryview.cast('Q')` made with the segment: `struct.pack_into` zeroes its
target before it writes, which a kill in between makes permanent.
"""

from __future__ import annotations

import mmap

__all__ = ['COMMITTED', 'HEADER_BYTES', 'ONE_EVENT', 'TAIL_MASK', 'Segment']

HEADER_BYTES = 4096
COMMITTED = 8
HEAD = 16
ONE_EVENT = 1 << 32
TAIL_MASK = ONE_EVENT - 1


class Segment:
    """A mapping, the words of its header, and the reader's marks.

    Attributes:
        mapping: the memory, header page included, all zero behind it.
        words: the header page as 8-byte words.
        size_bytes: the size of the mapping.
        first_sequence: the number of events that the spool had committed before this segment's first one.
        claimed: whether delivery has begun to read it; then it is not dropped any more.
        read_offset: how far delivery has read.
        read_events: the events before `read_offset`.
        head_events: the events before the head.

    Nothing closes a segment: its memory goes back when the last thread that looks at it has let go of it.
    """

    __slots__ = (
        '_settled',
        'claimed',
        'first_sequence',
        'head_events',
        'mapping',
        'read_events',
        'read_offset',
        'size_bytes',
        'words',
    )

    def __init__(self, mapping: mmap.mmap) -> None:
        self.mapping = mapping
        self.words = memoryview(mapping).cast('Q')
        self.size_bytes = len(mapping)
        self.start_over(first_sequence=0)

    def start_over(self, first_sequence: int) -> None:
        """Make an empty segment of it. Everything behind the header must be zero."""
        self.first_sequence = first_sequence
        self.claimed = False
        self.read_offset = HEADER_BYTES
        self.read_events = 0
        self.head_events = 0
        # Ranges settled beyond the head, in order: (start, end, events).
        self._settled: list[tuple[int, int, int]] = []
        self.words[HEAD] = HEADER_BYTES
        self.words[COMMITTED] = HEADER_BYTES

    @property
    def events(self) -> int:
        """The number of events committed."""
        return self.words[COMMITTED] >> 32

    @property
    def tail(self) -> int:
        """The offset behind the last committed event."""
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
    def droppable(self) -> bool:
        """Whether dropping it loses nothing that delivery has begun with."""
        return not self.claimed or self.head == self.tail

    def settle(self, start: int, end: int, events: int) -> None:
        """Take note that the events in `[start, end)` need no more work, and move the head as far as it goes."""
        self._settled.append((start, end, events))
        self._settled.sort()
        while self._settled:
            start, end, events = self._settled[0]
            if start != self.words[HEAD]:
                break
            # No call between these three: an exception thrown into this thread cannot part them.
            self.words[HEAD] = end
            self.head_events += events
            del self._settled[0]
