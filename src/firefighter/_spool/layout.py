"""Offsets in the header page of a segment.

The page has 4,096 bytes, seen as 512 aligned words of 8 bytes in the machine's order. The two words that change are
on cache lines of their own (64 bytes), since one belongs to the application's threads and the other to delivery.
The rest of the page, in a file, is in `firefighter._spool.disk.segment_file`.
"""

from __future__ import annotations

__all__ = ['COMMITTED', 'HEAD', 'HEADER_BYTES', 'HEADER_WORDS', 'ONE_EVENT', 'TAIL_MASK']

HEADER_BYTES = 4096
HEADER_WORDS = HEADER_BYTES // 8
# The word `events << 32 | tail`, and the word with the head.
COMMITTED = 8
HEAD = 16
ONE_EVENT = 1 << 32
TAIL_MASK = ONE_EVENT - 1
