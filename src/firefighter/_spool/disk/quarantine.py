r"""Bytes that belong to no whole event are kept for people, in a file of their own.

Format. One entry behind the other, each of a line of JSON, `kept` raw bytes, and a newline:

    {"segment": "...", "offset": 8192, "length": 120, "kept": 120, "reason": "..."}\n<raw bytes>\n

`offset` and `length` say where in the segment the bytes were. `kept` is less than `length` where the file had reached its
bound; what comes when it is full leaves no entry. Nothing reads the file but people; nothing in it is an event.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from firefighter._spool.disk.bounded_file import MOST_BYTES, BoundedFile

__all__ = ['QUARANTINE', 'Quarantine']

QUARANTINE = 'quarantine'


class Quarantine:
    """Appends to a quarantine file, within a bound.

    Args:
        open_file: as for `BoundedFile`.
        most_bytes: the bound of the file, in bytes.

    Attributes:
        size_bytes: torn bytes given to `put` so far, whether there was room for them or not.
        kept_bytes: how many of them the file has.
    """

    def __init__(self, open_file: Callable[[], int], most_bytes: int = MOST_BYTES) -> None:
        self._file = BoundedFile(open_file, most_bytes)
        self.size_bytes = 0
        self.kept_bytes = 0

    def put(self, segment: str, torn: Sequence[tuple[int, bytes]], reason: str) -> None:
        """Count torn bytes, and append them as entries, cut to the room that is left.

        Args:
            segment: the name of the file that they were in.
            torn: where in it, and the bytes.
            reason: why they are here, in words.

        Raises:
            OSError: the file cannot be opened or written. It is then as it was before; the bytes are counted.
        """
        self.size_bytes += sum(len(data) for _, data in torn)
        kept_bytes = 0

        def entries_for(room: int) -> bytes:
            nonlocal kept_bytes
            entries = []
            for offset, data in torn:
                entry, kept = _entry(segment, offset, data, reason, room)
                if not kept:
                    break
                entries.append(entry)
                room -= len(entry)
                kept_bytes += kept
            return b''.join(entries)

        self._file.append(entries_for)
        self.kept_bytes += kept_bytes


def _entry(segment: str, offset: int, data: bytes, reason: str, room: int) -> tuple[bytes, int]:
    """Return an entry of at most `room` bytes, empty when that is too little, and how much of the data is in it."""
    about = {
        'segment': segment,
        'offset': offset,
        'length': len(data),
        'kept': len(data),
        'reason': reason,
    }
    # With all of the data in it the line of JSON is at its longest.
    kept = min(len(data), room - len(json.dumps(about)) - 2)
    if kept <= 0:
        return b'', 0
    about['kept'] = kept
    return json.dumps(about).encode('ascii') + b'\n' + data[:kept] + b'\n', kept
