"""Following producers while they write: what they commit, as they commit it, without a lock.

Only what the tail says is committed is read, and it is checked like everything that is read of a segment: no NUL in
it, a newline at its end. If the check fails, the store that moved the tail has arrived before those that it tells of,
and the next poll finds them.

A segment is kept open until it is read to its end, so that one which is delivered and removed in between is read all the
same. What is written, delivered and removed between two polls is not seen.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from firefighter._spool.header import NewerVersion, NotASegment, read, read_marks
from firefighter._spool.inspection import Producer, find
from firefighter._spool.layout import HEADER_BYTES
from firefighter._spool.peeking import open_regular

__all__ = ['Follower']


class Follower:
    """Reads on where it left off.

    Args:
        directory: as for `find`.
        boot_id: the boot of the machine now.
        trouble: called with what cannot be read, in words, once for each segment.
    """

    def __init__(self, directory: Path, boot_id: bytes | None, trouble: Callable[[str], None]) -> None:
        self._directory = directory
        self._boot_id = boot_id
        self._trouble = trouble
        self._open: dict[Path, _Reader] = {}
        self._finished: set[Path] = set()

    def poll(self) -> Iterator[bytes]:
        """Yield what has come since the last time, in stretches of whole lines: at first, all that waits.

        Raises:
            OSError: the directory cannot be read.
        """
        growing = set()
        listed = set()
        for producer in find(self._directory, self._boot_id, self._trouble):
            paths = producer.segment_paths()
            listed.update(paths)
            if producer.alive:
                growing.update(paths[-1:])
            for path in paths:
                if path not in self._open and path not in self._finished:
                    yield from self._begin(producer, path)
        self._finished &= listed
        for path, reader in list(self._open.items()):
            yield from reader.read()
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
                self._open[path] = _Reader(path)
            except FileNotFoundError:
                return
            except (OSError, NotASegment, NewerVersion) as error:
                self._finished.add(path)
                self._trouble(f'{path}: {error}')
            return
        self._finished.add(path)
        segment = producer.inspect(path, self._trouble)
        if segment is not None:
            if segment.complaint:
                self._trouble(f'{path}: {segment.complaint}')
            yield from segment.waiting()

    def _finish(self, path: Path) -> None:
        self._open.pop(path).close()
        self._finished.add(path)


class _Reader:
    """Reads the committed part of one segment."""

    def __init__(self, path: Path) -> None:
        # Unbuffered: what is there now is wanted, not what was there.
        self._file = os.fdopen(open_regular(path), 'rb', buffering=0)
        try:
            page = self._file.read(HEADER_BYTES)
            read(page)
        except BaseException:
            self._file.close()
            raise
        _, tail, head = read_marks(page)
        self._position = head if HEADER_BYTES <= head <= tail else HEADER_BYTES

    def read(self) -> Iterator[bytes]:
        self._file.seek(0)
        tail = read_marks(self._file.read(HEADER_BYTES)).tail
        self._file.seek(self._position)
        data = self._file.read(max(0, tail - self._position))
        if self._position + len(data) == tail and data.endswith(b'\n') and b'\0' not in data:
            self._position = tail
            yield data

    def close(self) -> None:
        self._file.close()
