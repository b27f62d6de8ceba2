"""Where producers' directories are: `<spool_dir>/<uid>/<stream>-<hash>/<producer id>/`.

Each level below `spool_dir` is ours alone. A producer's directory is made as `.new-<id>` and gets its name when it is
complete and locked, so that nobody ever finds half of it. Beside the producers lies `destination.json`: in the
name of their folder there is only a hash of that.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.private import PrivateDirectory, open_shared, our_uid
from firefighter._spool.disk.producer import ABOUT, ID_BYTES, ProducerDirectory, discard, take_both
from firefighter._spool.disk.unusable import SpoolUnusable, explained

__all__ = ['DESTINATION', 'NEW', 'create', 'destination_folder']

DESTINATION = 'destination.json'
NEW = '.new-'

# Who cleans up after dead makers may take one that has not locked its directory yet for dead. So many times in a
# row that does not happen to one maker.
_ATTEMPTS = 16


def create(spool_dir: Path, destination: Destination, producer_id: bytes | None = None) -> ProducerDirectory:
    """Make the directory of a new producer, and what is missing above it, `spool_dir` included.

    Args:
        spool_dir: absolute, without links.
        destination: where the producer's events go.
        producer_id: its id; without one it gets a random one.

    Raises:
        SpoolUnusable: a spool cannot be kept there; with the reason, and what to do.
    """
    with destination_folder(spool_dir, destination, make=True) as folder:
        for _ in range(_ATTEMPTS):
            made = _make(folder, destination, producer_id or secrets.token_bytes(ID_BYTES))
            if made is not None:
                return made
        raise SpoolUnusable(f'{folder.path}: something removes what is made there; choose another spool_dir')


@contextmanager
def destination_folder(
    spool_dir: Path, destination: Destination, *, make: bool = False
) -> Iterator[PrivateDirectory]:
    """Open the folder that our producers of a destination are in; with `make`, make what is missing."""
    uid = str(our_uid())  # first: on Windows this is where it ends
    if not spool_dir.is_absolute():
        # It would lead elsewhere with each change of the working directory.
        raise SpoolUnusable(f'{spool_dir}: not an absolute path')
    with (
        open_shared(spool_dir, make=make) as shared,
        shared.directory(uid, make=make) as ours,
        ours.directory(destination.folder_name, make=make) as folder,
    ):
        yield folder


def _make(folder: PrivateDirectory, destination: Destination, producer_id: bytes) -> ProducerDirectory | None:
    """Make a producer's directory; return None when it was taken for a dead maker's."""
    try:
        directory = folder.directory(NEW + producer_id.hex(), make=True)
        try:
            return _fill(folder, directory, producer_id, destination)
        except BaseException:
            with suppress(SpoolUnusable):
                discard(directory)
            directory.descriptor.close()
            raise
    except SpoolUnusable as error:
        if error.errno == errno.ENOENT:
            return None
        # The name is another one each time; the trouble is not.
        raise SpoolUnusable(
            error.reason.replace(f'{os.sep}{NEW}{producer_id.hex()}', ''), error.errno
        ) from error


def _fill(
    folder: PrivateDirectory, directory: PrivateDirectory, producer_id: bytes, destination: Destination
) -> ProducerDirectory | None:
    locks = take_both(directory)
    if locks is None:
        directory.descriptor.close()
        return None
    try:
        directory.write(ABOUT, _about())
        _say(folder, directory, destination.to_json() + b'\n')
        folder.rename(directory.path.name, producer_id.hex())
    except BaseException:
        for lock in locks:
            lock.release()
        raise
    return ProducerDirectory(
        producer_id, PrivateDirectory(directory.descriptor, folder.path / producer_id.hex()), *locks
    )


def _say(folder: PrivateDirectory, directory: PrivateDirectory, destination: bytes) -> None:
    """Say in the folder of a destination which one it is, unless it is said already."""
    with suppress(SpoolUnusable):
        if folder.read(DESTINATION, len(destination) + 1) == destination:
            return
    directory.write(DESTINATION, destination, synced=True)
    with explained(folder.path / DESTINATION):
        os.rename(DESTINATION, DESTINATION, src_dir_fd=directory.fd, dst_dir_fd=folder.fd)


def _about() -> bytes:
    """Say who the producer is, to people: nothing relies on it."""
    about = {
        'pid': os.getpid(),
        'started': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'host': platform.node(),
        # A program that embeds Python may have none.
        'program': str(next(iter(getattr(sys, 'argv', ())), '')),
    }
    return json.dumps(about).encode() + b'\n'
