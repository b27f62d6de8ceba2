"""What is in a spool directory, for people and for its bound. Nothing is made, kept locked or changed."""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from time import time_ns

from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.private import PrivateDirectory, open_shared, our_uid
from firefighter._spool.disk.unusable import SpoolUnusable, explained

__all__ = ['Census', 'used_bytes']

# What `st_blocks` counts in, whatever the file system's own blocks are.
_BLOCK_BYTES = 512

# The longest step is 10 ms: file systems take the time from the last tick of the kernel.
_CLOCK_STEP_NS = 1_000_000_000


def used_bytes(spool_dir: Path, destination: Destination) -> int:
    """Return the bytes of all files of all our producers of a destination, dead or alive.

    Segments are allocated whole, so these are bytes of the disk.

    Raises:
        SpoolUnusable: the folder of the destination cannot be read. (Without one it is 0.)
    """
    return Census(spool_dir, destination).count()


class Census:
    """Counts `used_bytes` again and again, looking only into directories that have changed.

    Without generators, a context manager's among them: the appending thread counts too, and where there is no memory for one,
    CPython 3.12 and 3.13 crash.
    """

    def __init__(self, spool_dir: Path, destination: Destination) -> None:
        self._spool_dir = spool_dir
        self._destination = destination
        # Of each producer's directory, by its name: when it was changed last, and the bytes in it. Never changed, but replaced.
        self._known: dict[str, tuple[int, int]] = {}

    def forget(self) -> None:
        """Look into every directory the next time."""
        self._known = {}

    def count(self) -> int:
        """Return the bytes; raises as `used_bytes`."""
        uid = str(our_uid())
        try:
            with (
                open_shared(self._spool_dir, make=False) as shared,
                shared.directory(uid) as ours,
                ours.directory(self._destination.folder_name) as folder,
            ):
                known = {}
                for name in folder.names():
                    try:
                        status = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
                    except OSError:  # it has gone meanwhile
                        continue
                    before = self._known.get(name)
                    if before is None or before[0] != status.st_mtime_ns:
                        before = _bytes_in(folder, name, status)
                    known[name] = before
                self._known = known
        except SpoolUnusable as error:
            if error.errno == errno.ENOENT:
                return 0
            raise
        return sum([size_bytes for _, size_bytes in known.values()])


def _bytes_in(folder: PrivateDirectory, name: str, status: os.stat_result) -> tuple[int, int]:
    """Return when a directory was changed last, and the bytes in it; of another file, zero."""
    if not stat.S_ISDIR(status.st_mode):
        return 0, 0
    # The clock of a file system goes in steps: within one, a directory may be changed again and show the same time.
    certain = abs(time_ns() - status.st_mtime_ns) > _CLOCK_STEP_NS
    return status.st_mtime_ns if certain else -1, _size(folder, name)


def _size(folder: PrivateDirectory, name: str) -> int:
    """Return the bytes of the files in a directory; 0 when it is none, or has gone meanwhile."""
    total = 0
    with suppress(SpoolUnusable), folder.directory(name) as directory:
        for file in directory.names():
            with suppress(FileNotFoundError), explained(directory.path):
                status = os.stat(file, dir_fd=directory.fd, follow_symlinks=False)
                total += min(status.st_size, _taken_bytes(status))
    return total


def _taken_bytes(status: os.stat_result) -> int:
    if sys.platform == 'win32':
        return status.st_size  # nothing writes a spool to disk there
    return status.st_blocks * _BLOCK_BYTES
