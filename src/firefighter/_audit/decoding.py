r"""The lines of an object, whatever wraps them: plain, gzip or zstd, also one behind the other in one object.

Firehose writes records one behind the other, so an object of compressed records consists of many gzip members or zstd
frames, of both when the handlers of a fleet are not configured alike, and of plain lines between them when some do not
compress at all. So each part of an object is told by its first bytes: where the object begins, where a compressed
part ends, and where a line does. A stream may compress the whole object once more: two layers are taken off.

An object may also be made to do harm, or be none of ours. What is read takes at most 64 MiB of memory beyond its lines, and
time in proportion to the size of the object: an object that expands more than any log does is given up.
"""

from __future__ import annotations

import importlib
import sys
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from firefighter._audit.foreign_formats import BEGINNING_BYTES, foreign_format

__all__ = ['CHUNK_BYTES', 'MAX_LINE_BYTES', 'DamagedError', 'NeedsZstdError', 'lines']

CHUNK_BYTES = 64 * 1024
"""What to read at once."""

MAX_LINE_BYTES = 4 * 1024 * 1024
"""Four times what an event can have; a longer line is taken in pieces, none of which is JSON."""

# What to look at or to decompress at once while a part may be short. So many short ones behind each other are told apart in linear
# time: what lies behind a part is looked at again.
_FIRST_PIECE_BYTES = 256
# What comes out at once.
_PIECE_BYTES = 1024 * 1024
# `zstandard` has no such bound, and 4 bytes of zstd may stand for a block of 128 KiB (RFC 8878, 3.1.1.2): 4 MiB.
_ZSTANDARD_PIECE_BYTES = 128
# Above what zstd takes by itself at any level up to 19. A frame may demand 2 GiB.
_ZSTD_WINDOW_LOG = 24

# Deflate expands 1,032 times at most, so no object that is compressed once by gzip is meant; logs expand 5 to 80 times.
_MAX_EXPANSION = 1032
_SMALL_BYTES = 16 * 1024 * 1024

_GZIP = b'\x1f\x8b\x08'
_ZSTD = b'\x28\xb5\x2f\xfd'
_MAGIC_BYTES = 4
_GZIP_FORMAT = 16 + zlib.MAX_WBITS


class DamagedError(Exception):
    """An object cannot be read, or not to its end."""


class NeedsZstdError(Exception):
    """There is zstd, and nothing is installed that reads it."""


def lines(chunks: Iterable[bytes], name: str = '') -> Iterator[bytes]:
    """Yield the lines of an object, without their newlines.

    Args:
        chunks: the object's bytes, in pieces of about CHUNK_BYTES.
        name: the object's, which may tell its format.

    Raises:
        DamagedError: after what could be read.
        NeedsZstdError: when zstd is met and cannot be read here.
    """
    stored = _Stored(chunks)
    # Grows in place: a line may come in millions of pieces, one from each part.
    rest = bytearray()
    for chunk in stored.bounded(_decoded(stored.bounded(_decoded(stored, name)), '')):
        end, *further = chunk.split(b'\n')
        rest += end
        if further:
            yield bytes(rest)
            *whole, last = further
            yield from whole
            rest = bytearray(last)
        if len(rest) > MAX_LINE_BYTES:
            yield bytes(rest)
            rest = bytearray()
    if rest:
        yield bytes(rest)


class _Stored:
    """The bytes of an object as it is stored, counted, so that what becomes of them has a bound."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._bytes += len(chunk)
            yield chunk

    def bounded(self, expanded: Iterable[bytes]) -> Iterator[bytes]:
        """Yield what the bytes expand to, in pieces, until it is more than they can stand for in a log."""
        total = 0
        for chunk in expanded:
            total += len(chunk)
            if total > _SMALL_BYTES + _MAX_EXPANSION * self._bytes:
                raise DamagedError(
                    f'it expands to more than {_MAX_EXPANSION:,} times its size, as no log does'
                )
            for start in range(0, len(chunk), _PIECE_BYTES):
                yield chunk[start : start + _PIECE_BYTES] if len(chunk) > _PIECE_BYTES else chunk


class _Source:
    """Bytes that come in chunks, to be taken in other pieces. What ends them too soon is raised when all before it is taken."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._data = b''
        self._place = 0
        self._trouble: Exception | None = None

    def peek(self, size: int) -> bytes:
        """Return the next so many bytes, fewer at the end."""
        if self._place + size > len(self._data):
            data = bytearray(self._data[self._place :])
            while len(data) < size and (more := self._next()):
                data += more
            if self._trouble is not None and not data:
                raise self._trouble
            self._data, self._place = bytes(data), 0
        return self._data[self._place : self._place + size]

    def take(self, size: int) -> bytes:
        """Take so many bytes at most, none at the end."""
        if self._place == len(self._data):
            self.peek(1)
        piece = self._data[self._place : self._place + size]
        self._place += len(piece)
        return piece

    def give_back(self, data: bytes) -> None:
        """Take back what was taken last, or its end."""
        self._place -= len(data)

    def _next(self) -> bytes:
        """Return the next chunk, nothing at the end."""
        if self._trouble is None:
            try:
                return next(filter(None, self._chunks), b'')
            except Exception as error:
                self._trouble = error
        return b''


def _decoded(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Take one layer of compression off."""
    source = _Source(chunks)
    beginning = source.peek(BEGINNING_BYTES)
    if _engine_for(beginning) is None and (foreign := foreign_format(beginning, name)):
        raise DamagedError(foreign)
    # Somebody's bytes between our records are lines that are no JSON, however they look.
    while beginning := source.peek(_MAGIC_BYTES):
        engine = _engine_for(beginning)
        if engine is None:
            yield from _plain(source)
        else:
            yield from _inflated(engine, source)
            _skip_padding(source)


def _plain(source: _Source) -> Iterator[bytes]:
    """Yield what is there, to the end of the line before the next compressed part."""
    size = _FIRST_PIECE_BYTES
    while data := source.peek(size):
        # Two searches in C: one with a regular expression for both takes half of an audit's time.
        parts = [place for place in (data.find(b'\n' + _GZIP), data.find(b'\n' + _ZSTD)) if place >= 0]
        if parts:
            end = min(parts) + 1
        elif len(data) == size:
            end = size - _MAGIC_BYTES  # a newline and the first bytes of a part may be cut
        else:
            end = len(data)
        yield source.take(end)
        if parts:
            return
        size = min(2 * size, CHUNK_BYTES)


def _skip_padding(source: _Source) -> None:
    """Skip the NULs that some tools write behind a compressed part, to fill a block."""
    size = _FIRST_PIECE_BYTES
    while source.peek(1) == b'\0':
        source.give_back(source.take(size).lstrip(b'\0'))
        size = min(2 * size, CHUNK_BYTES)


class _Engine(Protocol):
    """Decompresses one part."""

    errors: tuple[type[Exception], ...]
    piece_bytes: int

    def inflate(self, data: bytes) -> Iterator[bytes]:
        """Yield what is in the next bytes, each piece of a few MiB at most."""

    def unused(self) -> bytes | None:
        """Return what came behind the part; None before its end."""


def _inflated(engine: _Engine, source: _Source) -> Iterator[bytes]:
    """Yield what is in a compressed part, and leave in the source what is behind it."""
    size = _FIRST_PIECE_BYTES
    while (behind := engine.unused()) is None:
        piece = source.take(min(size, engine.piece_bytes))
        if not piece:
            raise DamagedError('it ends in the middle of what is compressed')
        size = min(2 * size, CHUNK_BYTES)
        try:
            yield from engine.inflate(piece)
        except engine.errors as error:
            raise DamagedError(str(error)) from error
    source.give_back(behind)


class _Gzip:
    errors: tuple[type[Exception], ...] = (zlib.error,)
    piece_bytes = CHUNK_BYTES

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(_GZIP_FORMAT)

    def inflate(self, data: bytes) -> Iterator[bytes]:
        while True:
            inflated = self._zlib.decompress(data, _PIECE_BYTES)
            if inflated:
                yield inflated
            data = self._zlib.unconsumed_tail
            # A full piece may have left something inside.
            if self._zlib.eof or not (data or len(inflated) == _PIECE_BYTES):
                return

    def unused(self) -> bytes | None:
        return self._zlib.unused_data if self._zlib.eof else None


class _OwnZstd:
    """By Python's standard library.

    Args:
        module: `compression.zstd`.
    """

    piece_bytes = CHUNK_BYTES

    def __init__(self, module: Any) -> None:
        self.errors: tuple[type[Exception], ...] = (module.ZstdError,)
        self._zstd = module.ZstdDecompressor(
            options={module.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        )

    def inflate(self, data: bytes) -> Iterator[bytes]:
        while True:
            inflated = self._zstd.decompress(data, _PIECE_BYTES)
            if inflated:
                yield inflated
            data = b''
            if self._zstd.eof or self._zstd.needs_input:
                return

    def unused(self) -> bytes | None:
        return self._zstd.unused_data if self._zstd.eof else None


class _ZstandardZstd:
    """By the package `zstandard`.

    Args:
        package: that.
    """

    piece_bytes = _ZSTANDARD_PIECE_BYTES

    def __init__(self, package: Any) -> None:
        self.errors: tuple[type[Exception], ...] = (package.ZstdError,)
        self._zstd = package.ZstdDecompressor(max_window_size=1 << _ZSTD_WINDOW_LOG).decompressobj()

    def inflate(self, data: bytes) -> Iterator[bytes]:
        inflated = self._zstd.decompress(data)
        if inflated:
            yield inflated

    def unused(self) -> bytes | None:
        return self._zstd.unused_data if self._zstd.eof else None


def _engine_for(beginning: bytes) -> _Engine | None:
    if beginning.startswith(_GZIP):
        return _Gzip()
    if beginning.startswith(_ZSTD):
        return _zstd()
    return None


def _zstd() -> _Engine:
    """Return Python's own decompressor, which it has since 3.14, or that of the `zstandard` package."""
    # Not asked for before 3.14: a program may have a package `compression` of its own.
    if sys.version_info >= (3, 14):
        try:
            return _OwnZstd(importlib.import_module('compression.zstd'))
        except ModuleNotFoundError:
            pass  # this Python was built without libzstd
    try:
        return _ZstandardZstd(importlib.import_module('zstandard'))
    except ModuleNotFoundError:
        raise NeedsZstdError from None
