"""Looking at a producer's files, which anybody may have put there: never waiting, never changing anything."""

from __future__ import annotations

import sys

from firefighter._spool.disk.header import Header, read
from firefighter._spool.disk.walking import OpenDirectory
from firefighter._spool.layout import HEADER_BYTES

__all__ = ['is_held', 'read_header']


def read_header(directory: OpenDirectory, name: str) -> Header:
    """Read a segment's header alone.

    Raises:
        OSError: it cannot be read, or is no regular file.
        NotASegment, NewerVersion: as `firefighter._spool.disk.header.read`.
    """
    with directory.open_file(name) as file:
        return read(file.read(HEADER_BYTES))


def is_held(directory: OpenDirectory, name: str) -> bool:
    """Return whether somebody has the lock; it is taken for an instant, shared, to find out.

    Raises:
        OSError: something else is in its place. (Nobody has what is not there.)
    """
    if sys.platform == 'win32':
        return False  # nothing writes a spool to disk there
    import fcntl  # noqa: PLC0415 - Windows has none

    try:
        with directory.open_file(name) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False
