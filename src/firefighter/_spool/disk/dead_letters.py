"""Events that Firehose refuses as invalid are kept for people, in a file of their own beside the quarantine.

Format. One line of JSON for each, the event as text (or, where it is none, in base64 as `event_base64`):

    {"refused_at": "2026-01-31T23:59:59.000000Z", "reason": "...", "event": "..."}

When the file has reached its bound, later ones leave no line. Nothing reads the file but people.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable

from firefighter._event.timestamp import timestamp
from firefighter._spool.disk.bounded_file import MOST_BYTES, BoundedFile

__all__ = ['DEAD_LETTERS', 'DeadLetterFile']

DEAD_LETTERS = 'dead-letters'


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
