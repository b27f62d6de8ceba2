"""Opening files that anybody may have put there: never through a link, never waiting, never changing anything."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

from firefighter._spool.layout import TAIL_MASK

__all__ = ['content', 'is_held', 'open_regular']


def open_regular(path: Path) -> int:
    """Open a file to read it, and return its descriptor: not through a link, not a pipe, not waiting for anything.

    Raises:
        OSError: there is none, or it may not be read, or something else is in its place.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, 'O_NOFOLLOW', 0) | getattr(os, 'O_NONBLOCK', 0))
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > TAIL_MASK:
        os.close(descriptor)
        raise OSError(errno.EINVAL, 'no regular file of less than 4 GiB')
    return descriptor


def content(path: Path) -> bytes:
    """Return what is in a file."""
    # Read, not mapped: a file cut short meanwhile, or a broken disk, is an error here, and SIGBUS there.
    with os.fdopen(open_regular(path), 'rb') as file:
        return file.read()


def is_held(path: Path) -> bool:
    """Return whether somebody has the lock; it is taken for an instant, shared, to find out."""
    if sys.platform == 'win32':
        return False  # nothing writes a spool to disk there
    import fcntl  # noqa: PLC0415 - Windows has none

    try:
        descriptor = open_regular(path)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
