"""A file for people, to which entries are appended whole or not at all, within a bound."""

from __future__ import annotations

import os
from collections.abc import Callable

from firefighter._process.descriptor import close

__all__ = ['MOST_BYTES', 'BoundedFile']

# As much as four of the largest segments: enough to see what happened, and not enough to fill a disk.
MOST_BYTES = 16 * 1024 * 1024


class BoundedFile:
    """Appends entries to a file.

    Args:
        open_file: returns a descriptor that appends to the file (O_WRONLY, O_APPEND, O_CREAT, mode 0600). Called for each
            entry and not before the first, so that there is no file where there is nothing to say; the descriptor is
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
            OSError: the file cannot be opened or written. It is then as it was before.
        """
        descriptor = self._open_file()
        try:
            before = os.fstat(descriptor).st_size
            try:
                _write(descriptor, entry_for(self._most_bytes - before))
            except OSError:
                # Half an entry would hide the beginning of the next.
                os.ftruncate(descriptor, before)
                raise
        finally:
            close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
