"""How much is in a spool directory, for its bound."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

from firefighter._spool.destination import Destination
from firefighter._spool.directory import destination_folder
from firefighter._spool.private import PrivateDirectory
from firefighter._spool.unusable import SpoolUnusable, explained

__all__ = ['used_bytes']

# What `st_blocks` counts in, whatever the file system's own blocks are.
_BLOCK_BYTES = 512


def used_bytes(spool_dir: Path, destination: Destination) -> int:
    """Return the bytes of all files of all our producers of a destination, dead or alive.

    Segments are allocated whole, so these are bytes of the disk. Of a file with holes (a corrupt inode may say 400 GiB) only what
    it takes is counted: the living must not be silenced by what is not there.

    Raises:
        SpoolUnusable: the folder of the destination cannot be read. (Without one it is 0.)
    """
    try:
        with destination_folder(spool_dir, destination) as folder:
            return sum(_size(folder, name) for name in folder.names())
    except SpoolUnusable as error:
        if error.errno == errno.ENOENT:
            return 0
        raise


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
