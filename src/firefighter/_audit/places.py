"""Where delivered objects are: what a place is, and the one that is a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from firefighter._audit.decoding import CHUNK_BYTES

__all__ = ['Folder', 'Place', 'StoredObject', 'UnreadableError']


class UnreadableError(Exception):
    """An object, or the place itself, cannot be read."""


class StoredObject(NamedTuple):
    """One object.

    Attributes:
        name: what to call it in a message.
        size_bytes: its size as stored.
        chunks: yields its bytes; raises UnreadableError.
    """

    name: str
    size_bytes: int
    chunks: Callable[[], Iterator[bytes]]


class Place(Protocol):
    """What has objects."""

    def objects(self) -> Iterator[StoredObject]:
        """Yield the objects, in the order of their names.

        Raises:
            UnreadableError: they cannot be listed.
        """


# Where the local endpoint writes what it has not finished; no bucket can have this name.
_UNFINISHED = '.incoming'


class Folder:
    """The files of a folder and of those in it, or one file, whatever their names: a key in S3 may begin with a dot.

    Left out is what the local endpoint has not finished.

    Args:
        path: where.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def objects(self) -> Iterator[StoredObject]:
        """Yield the files; links to directories are not followed."""
        if self._path.is_file():
            yield _file(self._path)
            return
        for directory, inside, names in os.walk(self._path, onerror=_refuse):
            at_top = Path(directory) == self._path
            inside[:] = sorted(name for name in inside if not (at_top and name == _UNFINISHED))
            for name in sorted(names):
                path = Path(directory, name)
                if _may_be_file(path):
                    yield _file(path)


def _file(path: Path) -> StoredObject:
    def chunks() -> Iterator[bytes]:
        try:
            with open(path, 'rb', opener=_without_waiting) as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise UnreadableError(f'{path}: {error.strerror}') from error

    try:
        size_bytes = path.stat().st_size
    except OSError:  # It is gone, which reading it will say.
        size_bytes = 0
    return StoredObject(str(path), size_bytes, chunks)


def _may_be_file(path: Path) -> bool:
    """Return whether it is a regular file, or nobody knows: then reading it will say why."""
    try:
        return path.is_file()
    except OSError:
        return True


def _without_waiting(path: str, flags: int) -> int:
    # It was a file a moment ago; a pipe in its place has nothing, and is not waited for.
    return os.open(path, flags | getattr(os, 'O_NONBLOCK', 0))


def _refuse(error: OSError) -> None:
    raise UnreadableError(f'{error.filename}: {error.strerror}') from error
