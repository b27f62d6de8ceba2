"""Reading a segment's file, and no more of it than a segment has: what it says of its size, a broken disk may have made up."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from firefighter._spool.disk import header as headers
from firefighter._spool.disk.header import Header
from firefighter._spool.layout import HEADER_BYTES

__all__ = ['MOST_BYTES', 'SegmentFile', 'read_segment']

# Sixteen times what any version has written. A file is read into memory as a whole, sparse or not.
MOST_BYTES = 64 * 1024 * 1024


class SegmentFile(NamedTuple):
    """What is in a segment's file."""

    data: bytes
    """All of it, header page included."""
    header: Header | None
    """Its header; None when that is damaged."""
    refusal: str
    """What is wrong with the header, in words; empty when nothing is."""


def read_segment(descriptor: int) -> SegmentFile:
    """Read a segment's file.

    Args:
        descriptor: of a regular file that was opened to be read just now. It stays open.

    Raises:
        NewerVersion: a later firefighter has written it.
        OSError: it cannot be read, or is larger than its header says, which no segment is. Nothing but the header is read
            then.
    """
    with os.fdopen(descriptor, 'rb', closefd=False) as file:
        page = file.read(HEADER_BYTES)
        header, refusal = None, ''
        try:
            header = headers.read(page)
        except headers.NotASegment as error:
            refusal = error.reason
        size_bytes = os.fstat(descriptor).st_size
        most_bytes = min(header.size_bytes, MOST_BYTES) if header else MOST_BYTES
        if size_bytes > most_bytes:
            raise OSError(
                errno.EFBIG, f'{size_bytes:,} bytes are no segment: this one has at most {most_bytes:,}'
            )
        return SegmentFile(page + file.read(max(0, size_bytes - len(page))), header, refusal)
