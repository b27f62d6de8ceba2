r"""Files that are kept for people: the quarantine of torn bytes, and the dead letters that Firehose has refused.

Both lie in the destination's folder, since the directories of dead producers are removed. Nothing reads them but people, and
nothing in them is an event. Each grows up to a bound; an entry is appended whole or not at all. Several processes may append: each
holds a lock on the file meanwhile.

`quarantine` has one entry after the other, each of a line of JSON, `kept` raw bytes, and a newline:

    {"segment": "...", "offset": 8192, "length": 120, "kept": 120, "reason": "..."}\n<raw bytes>\n

`offset` and `length` are the place of the bytes in the segment. `kept` is less than `length` where the file has reached its
bound. When the file is full, what comes leaves no entry.

`dead-letters` has one line of JSON for each event. An event that is not text is `event_base64`, in base64:

    {"refused_at": "2026-01-31T23:59:59.000000Z", "reason": "...", "event": "..."}

When the file is full, later events leave no line.
"""

from __future__ import annotations

import json
import os
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path

from firefighter._event.timestamp import timestamp
from firefighter._process.descriptor import close, write_all
from firefighter._process.waiting import monotonic
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import destination_folder

__all__ = [
    'DEAD_LETTERS',
    'QUARANTINE',
    'BoundedFile',
    'DeadLetterFile',
    'Quarantine',
    'dead_letters_of',
    'quarantine_of',
]

QUARANTINE = 'quarantine'
DEAD_LETTERS = 'dead-letters'

# As much as four of the largest segments: enough to see what happened, and not enough to fill a disk.
MOST_BYTES = 16 * 1024 * 1024

_LOCK_SECONDS = 1.0


def quarantine_of(spool_dir: Path, destination: Destination) -> Quarantine:
    """Return the quarantine of a destination."""
    return Quarantine(_opener(spool_dir, destination, QUARANTINE))


def dead_letters_of(spool_dir: Path, destination: Destination) -> DeadLetterFile:
    """Return the file of a destination's dead letters."""
    return DeadLetterFile(_opener(spool_dir, destination, DEAD_LETTERS))


class BoundedFile:
    """Appends entries to a file.

    Args:
        open_file: returns a descriptor that appends to the file (O_WRONLY, O_APPEND, O_CREAT, mode 0600). Called for each
            entry and not before the first, so that there is no file without an entry; the descriptor is
            closed.
        most_bytes: the bound of the file, in bytes.
    """

    def __init__(self, open_file: Callable[[], int], most_bytes: int = MOST_BYTES) -> None:
        self._open_file = open_file
        self._most_bytes = most_bytes

    def append(self, entry_for: Callable[[int], bytes]) -> None:
        """Append an entry.

        Args:
            entry_for: returns the entry, given how many bytes there is room for.

        Raises:
            OSError: the file cannot be opened or written, or another process has locked it for long. It is then as it was before.
        """
        descriptor = self._open_file()
        try:
            # Else what is taken back after a failed write could be another process's entry. Closing the descriptor unlocks.
            _lock(descriptor)
            before = os.fstat(descriptor).st_size
            try:
                write_all(descriptor, entry_for(self._most_bytes - before))
            except OSError:
                # Half an entry would hide the beginning of the next.
                os.ftruncate(descriptor, before)
                raise
        finally:
            close(descriptor)


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


class DeadLetterFile:
    """Appends to a file of dead letters, within a bound.

    Args:
        open_file: as for `BoundedFile`.
        most_bytes: the bound of the file, in bytes.
        now: gives the time in seconds since the epoch.
    """

    def __init__(
        self, open_file: Callable[[], int], most_bytes: int = MOST_BYTES, now: Callable[[], float] = time.time
    ) -> None:
        self._file = BoundedFile(open_file, most_bytes)
        self._now = now

    def put(self, event: bytes, reason: str) -> None:
        """Append an event, if there is room for it.

        Args:
            event: its bytes, as they were sent.
            reason: why Firehose refuses it, in words.

        Raises:
            OSError: the file cannot be opened or written. It is then as it was before.
        """
        about = {'refused_at': timestamp(self._now()), 'reason': reason}
        try:
            about['event'] = event.decode().removesuffix('\n')
        except UnicodeDecodeError:
            about['event_base64'] = b64encode(event).decode('ascii')
        line = json.dumps(about).encode('ascii') + b'\n'
        self._file.append(lambda room: line if len(line) <= room else b'')


def _lock(descriptor: int) -> None:
    """Lock a file against the other processes, which need it for the time of a write; but one may have been stopped there."""
    if sys.platform == 'win32':
        return  # nothing writes a spool to disk there
    import fcntl  # noqa: PLC0415 - Windows has none

    deadline = monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() > deadline:
                raise
            time.sleep(_LOCK_SECONDS / 1000)
        else:
            return


def _opener(spool_dir: Path, destination: Destination, name: str) -> Callable[[], int]:
    def open_file() -> int:
        with destination_folder(spool_dir, destination, make=True) as folder:
            return folder.file(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    return open_file
