"""Spool directories as producers leave them, for tests of those who read them."""

from __future__ import annotations

import errno
import json
import mmap
import os
from contextlib import suppress
from pathlib import Path

from firefighter._spool.disk import segment_file as headers
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import create_producer
from firefighter._spool.disk.private_directory import PrivateDirectory
from firefighter._spool.disk.producer_directory import ABOUT, ProducerDirectory, is_lock_held
from firefighter._spool.disk.recovery import boot_id
from firefighter._spool.disk.segment_file import Header
from firefighter._spool.disk.untrusted_directory import open_untrusted
from firefighter._spool.layout import COMMITTED, HEAD, HEADER_BYTES, ONE_EVENT

SEGMENT_BYTES = 8192


def line(text, timestamp='2026-01-01T12:00:00.000000Z'):
    """An event."""
    return b'{"timestamp":"%s","message":"%s"}\n' % (timestamp.encode(), text.encode())


class WrittenSegment:
    """A segment in a file, written to as its producer does."""

    def __init__(
        self, path, producer_id, *, first=0, stream='bar', boot=b'', version=1, size_bytes=SEGMENT_BYTES
    ):
        self.path = path
        header = Header(
            stream=stream,
            destination={'stream': stream, 'region': 'eu-west-1'},
            producer_id=producer_id,
            first_sequence=first,
            size_bytes=size_bytes,
            boot_id=boot_id() if boot == b'' else boot,
            version=version,
        )
        with path.open('xb+') as file:
            os.ftruncate(file.fileno(), SEGMENT_BYTES)
            self.mapping = mmap.mmap(file.fileno(), SEGMENT_BYTES)
        self.words = memoryview(self.mapping).cast('Q')
        headers.write_header(self.words, header)

    def append(self, *lines):
        for text in lines:
            self.copy(text)
            self.words[COMMITTED] += len(text) + ONE_EVENT

    def copy(self, text):
        """The first half of append: the tail is not moved yet."""
        tail = self.words[COMMITTED] % ONE_EVENT
        self.mapping[tail : tail + len(text)] = text

    def settle(self, size_bytes):
        self.words[HEAD] += size_bytes

    def damage(self, offset, data):
        """Overwrite bytes, counted from the first line."""
        self.mapping[HEADER_BYTES + offset : HEADER_BYTES + offset + len(data)] = data


class WrittenProducer:
    """A producer's directory with real locks: alive until it dies."""

    def __init__(self, spool_dir, stream='bar'):
        self.stream = stream
        self.directory = create_producer(spool_dir, Destination(stream, region='eu-west-1'))
        self.path = self.directory.path
        self.id = self.path.name
        self._alive = True

    def segment(self, *lines, first=0, **options):
        path = self.path / f'{first:016x}.spool'
        segment = WrittenSegment(path, self.directory.id, first=first, stream=self.stream, **options)
        segment.append(*lines)
        return segment

    def die(self):
        if self._alive:
            self._alive = False
            let_die(self.directory)


def let_die(producer: ProducerDirectory) -> None:
    """Release a producer's directory as if this process were dead, whose it is and which has its segments mapped."""
    give_away(producer.path)
    producer.release()


def give_away(producer: Path) -> None:
    """Have a producer's directory be of a process that does not run."""
    about = producer / ABOUT
    # A test may have damaged it in any way; then it says of no process that it runs.
    if about.is_file() and about.stat().st_size < 1000:
        with suppress(ValueError, TypeError):
            about.write_text(json.dumps({**json.loads(about.read_bytes()), 'pid': 0}))


def is_locked(directory: PrivateDirectory, name: str) -> bool:
    """Return whether somebody has a lock, as whoever only looks asks."""
    with open_untrusted(directory.path) as opened:
        return is_lock_held(opened, name)


def deny(monkeypatch, name):
    """Have nobody open what is called so, as if it were another user's."""
    open_whatever = os.open

    def open_others(path, *args, **kwargs):
        if path == name:
            raise PermissionError(errno.EACCES, 'Permission denied')
        return open_whatever(path, *args, **kwargs)

    monkeypatch.setattr(os, 'open', open_others)
