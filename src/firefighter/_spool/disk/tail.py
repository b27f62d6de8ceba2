"""Follow producers while they write: read events as they are committed, without a lock.

Only the events before the tail are read, and they are checked: no NUL in them, a newline at the end. If the check fails, the store
that moved the tail has arrived before the stores of the events, and the next poll finds these.

A segment is kept open until it is read to its end, so that one which is delivered and removed in between is read all the
same. Events that are written, delivered and removed between two polls are not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from firefighter._spool.disk.inspection import Producer, find_producers, is_unnamed
from firefighter._spool.disk.segment_file import (
    MOST_SEGMENT_BYTES,
    NewerVersion,
    NotASegment,
    parse_header,
    read_progress,
)
from firefighter._spool.disk.untrusted_directory import UntrustedDirectory
from firefighter._spool.layout import HEADER_BYTES

__all__ = ['Follower']


class Follower:
    """Reads on where it left off.

    Args:
        directory: as for `find_producers`.
        boot_id: the boot of the machine now.
        trouble: called with what cannot be read, in words, once for each.
    """

    def __init__(self, directory: Path, boot_id: bytes | None, trouble: Callable[[str], None]) -> None:
        self._directory = directory
        self._boot_id = boot_id
        self._report = trouble
        self._reported: set[str] = set()
        self._open: dict[Path, _Reader] = {}
        self._finished: set[Path] = set()

    def poll(self) -> Iterator[bytes]:
        """Yield what has come since the last time, in stretches of whole lines: at first, all that waits.

        Raises:
            OSError: the directory cannot be read.
        """
        growing = set()
        listed = set()
        for producer in find_producers(self._directory, self._boot_id, self._trouble):
            names = producer.segment_names(self._trouble)
            # While its producer is alive, a segment without a name is to get one.
            paths = [producer.path / name for name in names if not (producer.alive and is_unnamed(name))]
            listed.update(paths)
            if producer.alive:
                growing.update(paths[-1:])
            for path in paths:
                if path not in self._open and path not in self._finished:
                    yield from self._begin(producer, path)
        self._finished &= listed
        for path, reader in list(self._open.items()):
            yield from self._rest(path, reader)
            # What has a successor, or has been removed, had that before it was read: nothing more will come.
            if path not in growing:
                self._finish(path)

    def close(self) -> None:
        """Close the files."""
        for path in list(self._open):
            self._finish(path)

    def _begin(self, producer: Producer, path: Path) -> Iterator[bytes]:
        if producer.alive:
            try:
                with producer.open() as directory:
                    self._open[path] = _Reader(directory, path.name)
            except FileNotFoundError:
                return
            except (OSError, NotASegment, NewerVersion) as error:
                self._finished.add(path)
                self._trouble(f'{path}: {_in_words(error)}')
            return
        self._finished.add(path)
        segment = producer.inspect(path.name, self._trouble)
        if segment is not None:
            if segment.complaint:
                self._trouble(f'{path}: {segment.complaint}')
            yield from segment.waiting()

    def _rest(self, path: Path, reader: _Reader) -> Iterator[bytes]:
        """Yield what has been committed since; nothing of a file that cannot be read any more."""
        try:
            data = reader.read()
        except OSError as error:
            self._trouble(f'{path}: {_in_words(error)}')
            return
        if data:
            yield data

    def _finish(self, path: Path) -> None:
        self._open.pop(path).close()
        self._finished.add(path)

    def _trouble(self, trouble: str) -> None:
        """Report it, unless that was done: each poll finds it again."""
        if trouble not in self._reported:
            self._reported.add(trouble)
            self._report(trouble)


class _Reader:
    """Reads the committed part of one segment."""

    def __init__(self, directory: UntrustedDirectory, name: str) -> None:
        self._file = directory.open_file(name)
        try:
            page = self._page()
            self._size_bytes = min(parse_header(page).size_bytes, MOST_SEGMENT_BYTES)
        except BaseException:
            self._file.close()
            raise
        _, tail, head = read_progress(page)
        self._position = head if HEADER_BYTES <= head <= tail else HEADER_BYTES

    def read(self) -> bytes:
        """Return what has been committed since the last time, once it can be read."""
        page = self._page()
        tail = read_progress(page).tail if len(page) == HEADER_BYTES else 0
        if not self._position < tail <= self._size_bytes:
            return b''
        data = self._read(self._position, tail - self._position)
        if self._position + len(data) != tail or not data.endswith(b'\n') or b'\0' in data:
            return b''
        self._position = tail
        return data

    def close(self) -> None:
        self._file.close()

    def _page(self) -> bytes:
        return self._read(0, HEADER_BYTES)

    def _read(self, position: int, size_bytes: int) -> bytes:
        self._file.seek(position)
        return self._file.read(size_bytes)


def _in_words(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
