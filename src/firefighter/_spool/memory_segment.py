"""Segments of private anonymous memory: gone with the process, never seen by a forked child."""

from __future__ import annotations

import mmap
import os
import stat
import sys
from collections.abc import Sequence

from firefighter._process.descriptor import close
from firefighter._spool.segment import HEADER_BYTES, Segment

__all__ = ['MemoryStore', 'fill_with_zeros', 'private_memory']

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
