"""Delete undelivered events of a dead producer: only when somebody asks for it by name or by `--yes`.

The directory may be somebody else's that happens to be named like a producer's, and those who may write above it may put another
one in its place at any moment. So it is reached by descriptors from the directory that was searched. It has to be the one that was
found there, to be ours, and to be made by a producer. Only files that a producer makes are deleted. All of this is checked again once its
locks are held.
"""

from __future__ import annotations

import errno
import os
import re
import stat

from firefighter._spool.disk.destination_folder import DESTINATION
from firefighter._spool.disk.errors import SpoolUnusable, translate_errors
from firefighter._spool.disk.inspection import Producer, is_unnamed
from firefighter._spool.disk.private_directory import PrivateDirectory, our_uid
from firefighter._spool.disk.producer_directory import ABOUT, ALIVE, READER, take_locks
from firefighter._spool.disk.segment_file import NewerVersion, NotASegment, read_header
from firefighter._spool.disk.untrusted_directory import UntrustedDirectory, inode_of

__all__ = ['remove_dead', 'why_irremovable']

_SEGMENT = re.compile(r'[0-9a-f]{16}\.spool')
# Files without events. The locks are removed last: until then nobody adopts what is half removed.
_AROUND = (DESTINATION, ABOUT, READER, ALIVE)


# Errors of a step that does not lead to the directory any more, also because a link or a file has its place.
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


def why_irremovable(producer: Producer, *, newer_too: bool = False) -> str | None:
    """Return why a producer's directory is not to be deleted, in words; None when nothing speaks against it.

    Args:
        producer: as it was found.
        newer_too: whether segments of a newer version do not.
    """
    try:
        if producer.alive:
            return f'{producer.path}: in use'
        with producer.open() as directory:
            return _refusal(directory, newer_too=newer_too)
    except OSError as error:
        return _in_words(producer, error)


def remove_dead(producer: Producer, *, newer_too: bool = False) -> list[str]:
    """Delete a producer's directory with what a producer makes in it, holding both of its locks.

    Args:
        producer: as it was found: what has its place now is compared with that.
        newer_too: also when it has segments of a newer version.

    Returns:
        What is left, and why, in words; nothing when all of it is gone.
    """
    try:
        with producer.folder() as folder, producer.open() as directory:
            # Before its locks are taken: for that, files are made where they are missing.
            refusal = _refusal(directory, newer_too=newer_too)
            if refusal:
                return [refusal]
            held = PrivateDirectory(directory.descriptor, producer.path)
            locks = take_locks(held)
            if locks is None:
                return [f'{producer.path}: in use']
            try:
                return _remove(producer, folder, directory, held, newer_too=newer_too)
            finally:
                for lock in reversed(locks):
                    lock.release()
    except OSError as error:
        return [_in_words(producer, error)]
    except SpoolUnusable as error:
        return [error.reason]


def _remove(
    producer: Producer,
    folder: UntrustedDirectory,
    directory: UntrustedDirectory,
    held: PrivateDirectory,
    *,
    newer_too: bool,
) -> list[str]:
    refusal = _refusal(directory, newer_too=newer_too)
    if refusal:
        return [refusal]
    names = directory.names()
    ours = {name for name in names if _is_made_by_producers(directory, name)}
    foreign = [name for name in names if name not in ours]
    _check_in_place(producer, folder)
    for name in sorted(ours - set(_AROUND)):
        held.unlink(name)
    if foreign:
        return [
            f'{producer.path / name}: no producer makes that; left, and the directory with it'
            for name in foreign
        ]
    for name in _AROUND:
        if name in ours:
            held.unlink(name)
    _check_in_place(producer, folder)
    with translate_errors(producer.path):
        os.rmdir(producer.path.name, dir_fd=folder.fd)
    return []


def _refusal(directory: UntrustedDirectory, *, newer_too: bool) -> str | None:
    """Return why a directory is left alone, in words; None when it is one of our producers'."""
    if directory.uid != our_uid():
        return f'{directory.path}: belongs to uid {directory.uid}, not to {our_uid()}; purge it as that user'
    names = directory.names()
    if ALIVE not in names or not _is_lock(directory, ALIVE):
        return f'{directory.path}: no producer of ours: it has no lock file; left as it is'
    made = {name for name in names if _is_made_by_producers(directory, name)}
    segments = [name for name in made if _SEGMENT.fullmatch(name)]
    # Without a segment it is one that has never logged, or somebody died while removing it: then there is nothing else.
    if not segments and len(made) < len(names):
        return f'{directory.path}: no producer of ours: it has no segment; left as it is'
    if not newer_too and any(_is_newer(directory, name) for name in made - set(_AROUND)):
        return f'{directory.path}: has segments of a newer version; name it to delete it'
    return None


def _is_made_by_producers(directory: UntrustedDirectory, name: str) -> bool:
    if name in {ALIVE, READER}:
        return _is_lock(directory, name)
    known = name in _AROUND or _SEGMENT.fullmatch(name) or is_unnamed(name)
    return bool(known) and _is_our_file(directory.status(name))


def _is_lock(directory: UntrustedDirectory, name: str) -> bool:
    status = directory.status(name)
    return _is_our_file(status) and status.st_size == 0


def _is_our_file(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_uid == our_uid()


def _is_newer(directory: UntrustedDirectory, name: str) -> bool:
    try:
        read_header(directory, name)
    except NewerVersion:
        return True
    except (OSError, NotASegment):
        pass
    return False


def _check_in_place(producer: Producer, folder: UntrustedDirectory) -> None:
    """Raise FileNotFoundError unless the producer's directory still is where it was found."""
    if inode_of(folder.status(producer.path.name)) != producer.inode:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _in_words(producer: Producer, error: OSError) -> str:
    if error.errno in _GONE:
        return f'{producer.path}: not there any more, or something else has its place; left as it is'
    return f'{producer.path}: {error.strerror}'
