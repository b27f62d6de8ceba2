"""What dead producers have left, and who takes it over.

A producer is dead when its `alive` lock is free: the system has let go of it. Whoever takes that lock, and the reader's, has
the orphan, as long as the path still leads to the locked files. So of any number of processes one gets it. That one keeps
`alive` locked like the producer did: the next one to look finds the orphan taken, or, when the adopter has died too,
free again.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.directory import NEW, destination_folder
from firefighter._spool.disk.private import PrivateDirectory
from firefighter._spool.disk.producer import ABOUT, ProducerDirectory, discard, id_of, take_both
from firefighter._spool.disk.unusable import SpoolUnusable

__all__ = ['AT_ONCE', 'adopt_dead', 'regain']

# Each takes three descriptors, of which a process often has 1,024. The next call brings the next ones.
AT_ONCE = 16


def adopt_dead(
    spool_dir: Path,
    destination: Destination,
    *,
    limit: int = AT_ONCE,
    leave: Collection[bytes] = (),
    last: Sequence[bytes] = (),
) -> list[ProducerDirectory]:
    """Take over dead producers of a destination, with both locks; and remove what dead makers have not finished.

    What cannot be opened or locked is left alone: one bad directory must not keep the others from delivery.

    Args:
        spool_dir: absolute, without links.
        destination: exactly where the events must have been going.
        limit: how many at most.
        leave: ids of producers that are not to be taken: those of this process, and those that it has found to be of a
            newer version.
        last: ids of producers that come behind all others, in this order. The others come by their age.

    Raises:
        SpoolUnusable: the folder of the destination cannot be read. (Without one there are no orphans.)
    """
    adopted: list[ProducerDirectory] = []
    try:
        with destination_folder(spool_dir, destination) as folder:
            for name in _in_turn(folder, last):
                producer_id = id_of(name)
                with suppress(SpoolUnusable):
                    if name.startswith(NEW):
                        _clean_up(folder, name)
                    elif producer_id and producer_id not in leave and len(adopted) < limit:
                        adopted += _adopt(folder, name, producer_id)
    except SpoolUnusable as error:
        if error.errno != errno.ENOENT:
            raise
    return adopted


def _in_turn(folder: PrivateDirectory, last: Sequence[bytes]) -> list[str]:
    turns = {producer_id.hex(): turn for turn, producer_id in enumerate(last)}

    def turn(name: str) -> tuple[int, float]:
        try:
            age = os.stat(f'{name}/{ABOUT}', dir_fd=folder.fd, follow_symlinks=False).st_mtime
        except OSError:
            age = 0.0
        return turns.get(name, -1), age

    return sorted(folder.names(), key=turn)


def regain(spool_dir: Path, destination: Destination, producer_id: bytes) -> ProducerDirectory | None:
    """Take both locks again of a producer that this process has held, after its descriptors were closed.

    Returns:
        The directory; None when it is gone, or somebody else has got hold of it meanwhile.
    """
    with suppress(SpoolUnusable), destination_folder(spool_dir, destination) as folder:
        directory = folder.directory(producer_id.hex())
        locks = None
        try:
            locks = take_both(directory)
        finally:
            if locks is None:
                directory.descriptor.close()
        return ProducerDirectory(producer_id, directory, *locks) if locks else None
    return None


def _adopt(folder: PrivateDirectory, name: str, producer_id: bytes) -> list[ProducerDirectory]:
    directory = folder.directory(name)
    locks = None
    try:
        locks = take_both(directory)
    finally:
        if locks is None:
            directory.descriptor.close()
    if locks is None:
        return []
    producer = ProducerDirectory(producer_id, directory, *locks)
    try:
        # Without events it is no orphan: its producer never logged, or somebody died while removing it.
        return [] if producer.remove() else [producer]
    except BaseException:
        producer.release()
        raise


def _clean_up(folder: PrivateDirectory, name: str) -> None:
    """Remove what a maker has left that died before it had given the directory its name."""
    with folder.directory(name) as directory:
        locks = take_both(directory)
        if locks is None:
            return
        try:
            # It may have got its name, and events, between being opened and being locked.
            if directory.in_place():
                discard(directory)
        finally:
            for lock in locks:
                lock.release()
