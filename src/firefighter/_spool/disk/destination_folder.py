"""The folder of a destination: there producers' directories are made, and those of dead ones are found and locked.

Their paths are `<spool_dir>/<uid>/<stream>-<hash>/<producer id>/`. Each level below `spool_dir` is ours alone. A producer's
directory is made as `.new-<id>` and gets its name when it is complete and locked, so that nobody ever finds half of it. Beside the
producers lies `destination.json`, because the name of the folder has only a hash of that.

**Other uids.** The uid of a service may change from one start to the next (systemd's DynamicUser, `runAsUser` of Kubernetes). Where its
files are given to the new one, as systemd does, the names stay. So what is ours is told by the owner: events are also taken over from below
other numbers, where the directories there are ours now. New ones are made below our own uid alone.

**Dead producers.** A producer is dead when its `alive` lock is free, because the system has released it. Whoever takes that lock,
and the reader's, holds what the producer has left, as long as the path still leads to the locked files. So of any number of processes
one gets it. That one keeps `alive` locked like the producer did: the next one to look finds it locked, or free again when the adopter
has died too.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from firefighter._process.waiting import monotonic
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.errors import SpoolUnusable, translate_errors
from firefighter._spool.disk.private_directory import PrivateDirectory, open_shared, our_uid
from firefighter._spool.disk.producer_directory import (
    ABOUT,
    ALIVE,
    ID_BYTES,
    READER,
    ProducerDirectory,
    has_lock,
    producer_id_of,
    remove_directory,
    take_locks,
)
from firefighter._spool.disk.producer_process import MappedFiles, describe_process
from firefighter._spool.disk.untrusted_directory import open_untrusted

__all__ = [
    'DESTINATION',
    'MOST_AT_ONCE',
    'NEW',
    'create_producer',
    'destination_folder',
    'destination_folders',
    'is_user_name',
    'lock_again',
    'lock_dead_producers',
    'our_users',
    'users_with_events',
]

# After which a living producer has noticed that it has lost its locks: it looks every 30 s.
_NOTICES_AFTER_SECONDS = 60.0

DESTINATION = 'destination.json'
# A path is 4,096 bytes at most, and there is one in it.
_MOST_ABOUT_BYTES = 16 * 1024
NEW = '.new-'
# The longest path below a spool directory is that of a segment: uid, destination (a stream's name of 64 characters, and 21 more), id, name.
_BELOW_BYTES = 200

# Who cleans up after dead makers may take one that has not locked its directory yet for dead. So many times in a
# row that does not happen to one maker.
_ATTEMPTS = 16

# Each takes three descriptors, of which a process often has 1,024. The next call brings the next ones.
MOST_AT_ONCE = 16


def create_producer(
    spool_dir: Path, destination: Destination, producer_id: bytes | None = None
) -> ProducerDirectory:
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
    _check_path(spool_dir)
    with (
        open_shared(spool_dir, make=make) as shared,
        shared.directory(uid, make=make) as ours,
        ours.directory(destination.folder_name, make=make) as folder,
    ):
        yield folder


def destination_folders(
    spool_dir: Path, destination: Destination, users: Sequence[str] | None = None
) -> list[PrivateDirectory]:
    """Open all folders of a destination that are ours, whatever our uid was when they were made. The caller closes them.

    Without generators, also as context managers: see `firefighter._spool.disk.directory_size`.

    Args:
        spool_dir: absolute, without links.
        destination: whose folders.
        users: what `our_users` has returned before.

    Raises:
        SpoolUnusable: the spool directory, or the folder below our own uid, is there and cannot be opened.
    """
    own = str(our_uid())
    _check_path(spool_dir)
    folders: list[PrivateDirectory] = []
    try:
        with open_shared(spool_dir, make=False) as shared:
            for name in our_users(spool_dir, destination) if users is None else users:
                try:
                    with shared.directory(name) as user:
                        folders.append(user.directory(destination.folder_name))
                except SpoolUnusable as error:
                    # It is gone by now, or somebody else's.
                    if name == own and error.errno != errno.ENOENT:
                        raise
    except BaseException:
        for folder in folders:
            folder.descriptor.close()
        raise
    return folders


def our_users(spool_dir: Path, destination: Destination) -> list[str]:
    """Return the uids, as names, below which we have a folder of a destination; our own, in any case, is the first.

    Nothing else is touched: a directory that is called by a number may be anything of ours (a year, for example).

    Raises:
        SpoolUnusable: the spool directory cannot be read.
    """
    uid = our_uid()
    ours = [str(uid)]
    with open_shared(spool_dir, make=False) as shared:
        for name in sorted(shared.names()):
            if is_user_name(name) and name != ours[0]:
                owners = [_owner(shared, path) for path in (name, f'{name}/{destination.folder_name}')]
                if owners == [uid, uid]:
                    ours.append(name)
    return ours


def users_with_events(spool_dir: Path, destination: Destination) -> list[str]:
    """Return the paths of other users' directories where events of a destination may be left: there are some, or nobody may look."""
    found = []
    with suppress(OSError), open_untrusted(spool_dir) as shared:
        for name in filter(is_user_name, shared.directory_names()):
            try:
                if shared.status(name).st_uid == our_uid():
                    continue
                with shared.walk((name, destination.folder_name)) as folder:
                    has_events = any(producer_id_of(producer) for producer in folder.directory_names())
            except PermissionError:
                has_events = True
            except OSError:
                has_events = False
            if has_events:
                found.append(str(spool_dir / name))
    return found


def is_user_name(name: str) -> bool:
    """Return whether a directory with this name may be a user's: it is a number."""
    return name.isascii() and name.isdecimal()


def _owner(directory: PrivateDirectory, path: str) -> int | None:
    """Return the uid that a directory below another belongs to; None where there is none."""
    try:
        status = os.stat(path, dir_fd=directory.fd, follow_symlinks=False)
    except OSError:
        return None
    return status.st_uid if stat.S_ISDIR(status.st_mode) else None


def _check_path(spool_dir: Path) -> None:
    if not spool_dir.is_absolute():
        # It would lead elsewhere with each change of the working directory.
        raise SpoolUnusable(f'{spool_dir}: not an absolute path')
    if sys.platform != 'win32':
        # Steps are made by descriptors, so what is below could be made, but not found again by its path.
        length, longest = len(os.fsencode(spool_dir)), os.pathconf('/', 'PC_PATH_MAX') - _BELOW_BYTES
        if length > longest:
            raise SpoolUnusable(f'its path has {length:,} bytes; choose one of at most {longest:,}')


def lock_dead_producers(
    spool_dir: Path,
    destination: Destination,
    *,
    limit: int = MOST_AT_ONCE,
    excluded: Collection[bytes] = (),
    last: Sequence[bytes] = (),
    unlocked_since: dict[bytes, float] | None = None,
    trouble: Callable[[str], None] = lambda _reason: None,
) -> list[ProducerDirectory]:
    """Take over dead producers of a destination, with both locks; and remove what dead makers have not finished.

    What cannot be opened or locked is left alone: one bad directory must not keep the others from delivery.

    Args:
        spool_dir: absolute, without links.
        destination: exactly where the events must have been going.
        limit: how many at most.
        excluded: ids of producers that are not to be taken: those of this process, and those that it has found to be of a
            newer version.
        last: ids of producers that come after all others, in this order. The others come by their age.
        unlocked_since: the producers without their locks that were found to be in use, and when, by the monotonic clock. Is kept up
            to date.
        trouble: called with why one was left alone, in words.

    Raises:
        SpoolUnusable: the folder of the destination cannot be read. (Without one there are no orphans.)
    """
    adopted: list[ProducerDirectory] = []
    since = {} if unlocked_since is None else unlocked_since
    mapped = MappedFiles()
    try:
        folders = destination_folders(spool_dir, destination)
    except SpoolUnusable as error:
        if error.errno != errno.ENOENT:
            raise
        return adopted
    try:
        for folder, name in _in_order(folders, last):
            producer_id = producer_id_of(name)
            try:
                if name.startswith(NEW) and producer_id_of(name.removeprefix(NEW)):
                    _remove_unfinished(folder, name)
                elif (
                    producer_id
                    and producer_id not in excluded
                    and len(adopted) < limit
                    and not _may_take_its_locks_back(folder, producer_id, mapped, since)
                ):
                    adopted += _adopt(folder, producer_id)
            except SpoolUnusable as error:
                # Not where it is gone meanwhile; nor a living one, whose locks cannot even be opened on a disk that is read-only.
                if producer_id and error.errno != errno.ENOENT and not _is_alive(folder, name):
                    trouble(f'what a dead process has left cannot be taken over: {error.reason}')
    finally:
        for folder in folders:
            folder.descriptor.close()
    return adopted


def lock_again(spool_dir: Path, destination: Destination, producer_id: bytes) -> ProducerDirectory | None:
    """Take both locks again of a producer that this process has held, after its descriptors were closed.

    Returns:
        The directory; None when it is gone, or somebody else has got hold of it meanwhile.
    """
    locked: list[ProducerDirectory] = []
    with suppress(SpoolUnusable):
        for folder in destination_folders(spool_dir, destination):
            with folder, suppress(SpoolUnusable):
                locked += _lock(folder, producer_id)
    return locked[0] if locked else None


def _make(folder: PrivateDirectory, destination: Destination, producer_id: bytes) -> ProducerDirectory | None:
    """Make a producer's directory; return None when it was taken for a dead maker's."""
    try:
        directory = folder.directory(NEW + producer_id.hex(), make=True)
        try:
            return _fill(folder, directory, producer_id, destination)
        except BaseException:
            with suppress(SpoolUnusable):
                remove_directory(directory)
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
    locks = take_locks(directory)
    if locks is None:
        directory.descriptor.close()
        return None
    try:
        directory.write(ABOUT, describe_process())
        _write_destination(folder, directory, destination.to_json() + b'\n')
        folder.rename(directory.path.name, producer_id.hex())
    except BaseException:
        for lock in locks:
            lock.release()
        raise
    return ProducerDirectory(
        producer_id, PrivateDirectory(directory.descriptor, folder.path / producer_id.hex()), *locks
    )


def _write_destination(folder: PrivateDirectory, directory: PrivateDirectory, destination: bytes) -> None:
    """Write which destination it is into its folder, unless that is there already."""
    with suppress(SpoolUnusable):
        if folder.read(DESTINATION, len(destination) + 1) == destination:
            return
    directory.write(DESTINATION, destination, synced=True)
    with translate_errors(folder.path / DESTINATION):
        os.rename(DESTINATION, DESTINATION, src_dir_fd=directory.fd, dst_dir_fd=folder.fd)


def _in_order(
    folders: Sequence[PrivateDirectory], last: Sequence[bytes]
) -> list[tuple[PrivateDirectory, str]]:
    turns = {producer_id.hex(): turn for turn, producer_id in enumerate(last)}

    def turn(found: tuple[PrivateDirectory, str]) -> tuple[int, float]:
        folder, name = found
        try:
            age = os.stat(f'{name}/{ABOUT}', dir_fd=folder.fd, follow_symlinks=False).st_mtime
        except OSError:
            age = 0.0
        return turns.get(name, -1), age

    return sorted([(folder, name) for folder in folders for name in folder.names()], key=turn)


def _lock(folder: PrivateDirectory, producer_id: bytes) -> list[ProducerDirectory]:
    """Take both locks of a producer; return its directory, nothing where somebody else has one."""
    directory = folder.directory(producer_id.hex())
    locks = None
    try:
        locks = take_locks(directory)
    finally:
        if locks is None:
            directory.descriptor.close()
    return [ProducerDirectory(producer_id, directory, *locks)] if locks else []


def _may_take_its_locks_back(
    folder: PrivateDirectory, producer_id: bytes, mapped: MappedFiles, unlocked_since: dict[bytes, float]
) -> bool:
    """Return whether a producer's process still uses it, and may not have noticed yet that it has lost its locks."""
    with folder.directory(producer_id.hex()) as directory:
        about = b''
        with suppress(SpoolUnusable):
            about = directory.read(ABOUT, _MOST_ABOUT_BYTES)
        if not mapped.used_by_its_process(about, directory) or has_lock(directory, ALIVE):
            unlocked_since.pop(producer_id, None)
            return False  # where it has its locks, nobody else gets them
    now = monotonic()
    return now - unlocked_since.setdefault(producer_id, now) < _NOTICES_AFTER_SECONDS


def _is_alive(folder: PrivateDirectory, name: str) -> bool:
    with suppress(SpoolUnusable), folder.directory(name) as directory:
        return has_lock(directory, ALIVE)
    return False


def _adopt(folder: PrivateDirectory, producer_id: bytes) -> list[ProducerDirectory]:
    locked = _lock(folder, producer_id)
    try:
        # Without events there is nothing to adopt: its producer never logged, or somebody died while removing it.
        return [producer for producer in locked if not producer.remove()]
    except BaseException:
        for producer in locked:
            producer.release()
        raise


def _remove_unfinished(folder: PrivateDirectory, name: str) -> None:
    """Remove what a maker has left that died before it had given the directory its name."""
    with folder.directory(name) as directory:
        # Before the locks, for which files are made: somebody else may have put something here.
        if set(directory.names()) - {ALIVE, READER, ABOUT, DESTINATION}:
            return
        locks = take_locks(directory)
        if locks is None:
            return
        try:
            # It may have got its name, and events, between being opened and being locked.
            if directory.in_place():
                remove_directory(directory)
        finally:
            for lock in locks:
                lock.release()
