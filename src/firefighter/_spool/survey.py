"""What is in a spool directory, for people and for its bound. Nothing is made, kept locked or changed."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import time_ns
from typing import Any, NamedTuple

from firefighter._spool.destination import Destination
from firefighter._spool.directory import DESTINATION
from firefighter._spool.header import NewerVersion, NotASegment
from firefighter._spool.header import read as read_header
from firefighter._spool.layout import HEADER_BYTES
from firefighter._spool.locks import is_locked
from firefighter._spool.private import PrivateDirectory, open_shared, our_uid
from firefighter._spool.producer import ABOUT, ALIVE, id_of
from firefighter._spool.unusable import SpoolUnusable, explained

__all__ = ['Census', 'Producer', 'producers', 'used_bytes']

# Of what we write ourselves for people to read, at most: `producer.json` has the name of a program in it.
MOST_BYTES = 64 * 1024

# The longest step is 10 ms: file systems take the time from the last tick of the kernel.
_CLOCK_STEP_NS = 1_000_000_000


class Producer(NamedTuple):
    """A producer that was found.

    Attributes:
        id: its id.
        path: its directory.
        destination: where its events go; None when that cannot be read, as when a newer version has written it.
        alive: whether somebody has its `alive` lock: the producer, or an adopter.
        about: what it has said of itself: `pid`, `started`, `host`, `program`; empty when that cannot be read.
    """

    id: bytes
    path: Path
    destination: Destination | None
    alive: bool
    about: dict[str, Any]


def producers(spool_dir: Path) -> list[Producer]:
    """Return the producers of our user in a spool directory, by destination.

    Raises:
        SpoolUnusable: the directory cannot be read, or is not there.
    """
    found: list[Producer] = []
    uid = str(our_uid())
    with open_shared(spool_dir, make=False) as shared:
        if uid not in shared.names():
            return []
        with shared.directory(uid) as ours:
            for folder_name in sorted(ours.names()):
                with suppress(SpoolUnusable), ours.directory(folder_name) as folder:
                    found += _producers(folder)
    return found


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


def _producers(folder: PrivateDirectory) -> Iterator[Producer]:
    destination = _destination(folder)
    for name in sorted(folder.names()):
        producer_id = id_of(name)
        if producer_id is None:
            continue
        # It may be removed while we look, or be none of ours.
        with suppress(SpoolUnusable), folder.directory(name) as directory:
            yield Producer(
                producer_id, directory.path, destination, is_locked(directory, ALIVE), _about(directory)
            )


def _destination(folder: PrivateDirectory) -> Destination | None:
    with suppress(SpoolUnusable, ValueError, RecursionError):
        return Destination.from_json(folder.read(DESTINATION, MOST_BYTES))
    # A power cut may have emptied it. The header of each segment says the same.
    for name in sorted(folder.names()):
        if id_of(name) is None:
            continue
        with suppress(SpoolUnusable), folder.directory(name) as directory:
            for file in sorted(directory.names()):
                with suppress(SpoolUnusable, ValueError, NotASegment, NewerVersion):
                    header = read_header(directory.read(file, HEADER_BYTES))
                    destination = Destination.from_parts(header.destination)
                    if destination.folder_name == folder.path.name:
                        return destination
    return None


def _about(directory: PrivateDirectory) -> dict[str, Any]:
    try:
        about = json.loads(directory.read(ABOUT, MOST_BYTES))
    except (SpoolUnusable, ValueError, RecursionError):
        return {}
    return about if isinstance(about, dict) else {}


def _size(folder: PrivateDirectory, name: str) -> int:
    """Return the bytes of the files in a directory; 0 when it is none, or has gone meanwhile."""
    total = 0
    with suppress(SpoolUnusable), folder.directory(name) as directory:
        for file in directory.names():
            with suppress(FileNotFoundError), explained(directory.path):
                total += os.stat(file, dir_fd=directory.fd, follow_symlinks=False).st_size
    return total
