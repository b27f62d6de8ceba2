"""Deleting what a dead producer has left, undelivered: only when somebody asks for it by name or by `--yes`."""

from __future__ import annotations

from pathlib import Path

from firefighter._spool.inspection import Producer
from firefighter._spool.private import open_shared
from firefighter._spool.producer import discard, take_both
from firefighter._spool.unusable import SpoolUnusable

__all__ = ['remove_dead']


def remove_dead(path: Path, *, newer_too: bool = False) -> str | None:
    """Delete a producer's directory with all that is in it, quarantine included, holding both of its locks.

    Args:
        path: the directory.
        newer_too: also when it has segments of a newer version.

    Returns:
        Why it was not deleted, in words; None when it was.
    """
    try:
        with open_shared(path.parent, make=False) as parent, parent.directory(path.name) as directory:
            locks = take_both(directory)
            if locks is None:
                return f'{path}: in use'
            try:
                # Under the locks: until then somebody could have written to it, or removed it.
                if not newer_too and _has_newer(path):
                    return f'{path}: has segments of a newer version; name it to delete it'
                if directory.in_place():
                    discard(directory)
            finally:
                for lock in reversed(locks):
                    lock.release()
    except SpoolUnusable as error:
        return error.reason
    return None


def _has_newer(path: Path) -> bool:
    producer = Producer(path, alive=False, boot_id=None)
    return any(segment.newer is not None for segment in producer.segments(lambda _: None))
