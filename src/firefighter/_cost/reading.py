"""A log that is there already, as the events that the handler would have made of it."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import orjson

from firefighter._audit.decoding import CHUNK_BYTES, MAX_LINE_BYTES, DamagedError, lines
from firefighter._delivery.limits import MAX_RECORD_BYTES
from firefighter._event.formatter import JSONFormatter
from firefighter._event.oversize import Oversize
from firefighter._handler.constants import DOCUMENTED_RECORD_SIZE

__all__ = ['Encoder', 'Entry', 'entries']

Entry = bytes | str
"""An event as it is, a line of JSON with its newline; or the message of one that has still to be encoded."""


def entries(
    files: Iterable[BinaryIO], begins_entry: Callable[[bytes], object] | None = None
) -> Iterator[Entry]:
    """Yield the entries of a log.

    A line that is a JSON object is an event as it is. Any other is the message of one. Empty lines are none. Byte order marks and NULs
    around a line, which some tools write at the ends of a file, are nothing.

    Args:
        files: plain, gzip or zstd, one behind the other.
        begins_entry: tells the first line of an entry, where some have several (tracebacks). Any other line belongs to the entry
            before, unless that has MAX_LINE_BYTES already, more than an event can have. None: each line is an entry.

    Raises:
        DamagedError: what is compressed cannot be read to its end, or it is no text.
        NeedsZstdError: it is zstd, and nothing is installed that reads it.
        OSError: a file cannot be read.
    """
    for file in files:
        text = bytearray()
        for line in map(_text, lines(iter(lambda file=file: file.read(CHUNK_BYTES), b''))):  # type: ignore[misc]
            if begins_entry is None or begins_entry(line) or len(text) >= MAX_LINE_BYTES:
                yield from _entry(text)
                text = bytearray()
            text += line + b'\n'
        yield from _entry(text)


def _text(line: bytes) -> bytes:
    """Return the text of a line: without what is around it.

    Raises:
        DamagedError: it is none.
    """
    text = line.strip(b'\0').removeprefix(codecs.BOM_UTF8).removesuffix(b'\r')
    # NULs alone fill a block; /dev/zero has no end of them.
    if b'\0' in (text or line[CHUNK_BYTES:]):
        raise DamagedError('it has NUL bytes, as no text has')
    return text


def _entry(lines_of_it: bytearray) -> Iterator[Entry]:
    """Yield the entry that these lines are, unless they are empty."""
    text = bytes(lines_of_it).strip(b'\n')
    if _is_event(text):
        yield text + b'\n'
    elif text:
        yield text.decode('utf-8', 'backslashreplace')


def _is_event(text: bytes) -> bool:
    if not text.startswith(b'{') or b'\n' in text:
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


class Encoder:
    """Makes events of entries as the handler does, with a time that is handed in."""

    def __init__(self) -> None:
        self._formatter = JSONFormatter()
        # One for all: the formatter keeps nothing of it.
        self._record = logging.LogRecord('app', logging.INFO, '', 0, '', None, None)
        oversize = Oversize(None, documented_limit=DOCUMENTED_RECORD_SIZE, hard_limit=MAX_RECORD_BYTES)
        self._fit: Callable[[bytes, int], bytes | None] = oversize.fit

    def encode(self, entry: Entry, created: float) -> bytes:
        """Return the event of an entry.

        Args:
            entry: one of `entries`.
            created: when it is logged, in seconds since 1970.
        """
        if isinstance(entry, str):
            self._record.msg = entry
            self._record.created = created
            event = self._formatter.encode(self._record)
        else:
            event = entry
        if len(event) <= MAX_RECORD_BYTES:
            return event
        return self._fit(event, DOCUMENTED_RECORD_SIZE) or b''
