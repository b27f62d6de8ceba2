"""Makes compressed aggregates: each record is one whole gzip member or zstd frame, sized to fill the units that are billed for it.

The size of a record is known only when it is compressed. So its input is chosen by the ratio seen so far. Where too much of
the last unit of 5,120 bytes is left empty, it is chosen again, by the ratio seen then. In a large record that is never
necessary: the last unit of one of 1,000 KiB is half a percent. Small records, which are compressed twice or three times,
come once a second at most.

All implementations release the interpreter lock while they compute. They are given their input piece by piece, so that no copy
of a whole record is made with the lock.

Implementations and levels were chosen by measurement (`python -m benchmarks.compression`), with events as JSON: isal's level 2
compresses as well as zlib's level 4, in an eighth of the time. zlib's level 6 makes 7 % less, in ten times the time of isal. zstd's
level 1 makes 15 % less than isal and takes a third longer.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import Literal, Protocol

from firefighter._delivery.aggregation import Aggregation
from firefighter._delivery.limits import BILLED_BYTES, MAX_RECORD_BYTES
from firefighter._event.oversize import truncate
from firefighter._spool.taken_events import Aggregate, SpooledLines, Stretch, merged, original_lines

__all__ = [
    'COMPRESSIONS',
    'Codec',
    'Compression',
    'Compressor',
    'compressor_of',
    'gzip_by_zlib',
    'make_aggregation',
]

_PIECE_BYTES = 256 * 1024
"""How much is copied at once. A copy holds the interpreter lock, for 0.1 ms."""

_TRUSTED_BYTES = 64 * 1024
"""An input of this size replaces the ratio seen so far. A smaller one changes it in part, since small ones compress badly."""

_MOST_WASTE = 0.01
"""The part of a record that may be billed for nothing. The ratio varies too much to hit the end of a unit better."""

_MARGIN = 0.004
"""The input is chosen smaller by this part, because a little too much would begin another unit."""

_TRIES = 3
"""How often one record is compressed at most. The third try is hardly ever better than the second."""

_VIEWED = 1.25
"""How much is read, in parts of what fills the request at the ratio seen so far: it may come out smaller."""


@dataclass(frozen=True)
class _Try:
    """A record that was tried, and where it ends."""

    record: Aggregate
    end: int

    @property
    def size_bytes(self) -> int:
        return len(self.record.data)

    @property
    def empty_bytes(self) -> int:
        """Bytes that are billed and not filled."""
        return -self.size_bytes % BILLED_BYTES

    @property
    def waste(self) -> float:
        return self.empty_bytes / self.size_bytes


class Compression(Aggregation):
    """Makes compressed Firehose records of events.

    Args:
        compress: compresses a record.
        max_events: the most events in one record; None: as many as its bytes allow.
    """

    def __init__(self, compress: Compressor, max_events: int | None = None) -> None:
        super().__init__(max_events)
        self._compress = compress
        # Bytes sent for a byte of the spool. 1 until it is known, so that the first batches are due too soon rather than too late.
        self._ratio = 1.0

    def sent_bytes(self, spooled_bytes: int) -> int:
        """Return how many bytes will be sent for so many bytes of the spool, by the ratio seen so far."""
        return ceil(spooled_bytes * self._ratio)

    def spooled_bytes(self, sent_bytes: int) -> int:
        """Return how many bytes of the spool become so many sent ones, by the ratio seen so far.

        Rounded up, so that one byte more in the spool is surely more than that when it is sent. Else the delivery thread would be
        woken, find no batch due, and be woken again at once.
        """
        return ceil(sent_bytes / self._ratio)

    def view_bytes(self, sent_bytes: int) -> int:
        """Return how many bytes of the spool to read for a request of so many bytes."""
        return self.spooled_bytes(round(sent_bytes * _VIEWED))

    def records(
        self, lines: SpooledLines, *, max_records: int, max_bytes: int, everything: bool, first: bool
    ) -> list[Aggregate]:
        """Return the next records, as `Aggregation.records` does."""
        records: list[Aggregate] = []
        start, stop = 0, lines.size_bytes
        everything = everything and not lines.cut_short
        while start < stop and len(records) < max_records:
            limit = min(max_bytes, MAX_RECORD_BYTES)
            waiting = self.sent_bytes(stop - start)
            if (records or not first) and self._waits(lines, start, waiting, limit, everything=everything):
                break
            found = self._next(lines, start, limit, everything=everything)
            if found is None:
                break
            records.append(found.record)
            start = found.end
            max_bytes -= found.size_bytes
        return records

    def _next(self, lines: SpooledLines, start: int, limit: int, *, everything: bool) -> _Try | None:
        """Return the best record that begins there; None where not even one event fits."""
        stop = lines.end_of_lines(start, lines.size_bytes, self.most_events)
        everything = everything or stop < lines.size_bytes
        whole = self.sent_bytes(stop - start)
        if whole <= limit and (everything or whole <= BILLED_BYTES):
            end = stop
        else:
            end = self._end(lines, start, stop, _units(min(whole, limit)), self._ratio)
        best: _Try | None = None
        for _ in range(_TRIES):
            tried = self._try(lines, start, end)
            ratio = tried.size_bytes / (end - start)
            if tried.size_bytes > limit:
                target = _units(limit)
            else:
                if best is None or tried.waste < best.waste:
                    best = tried
                if tried.waste <= _MOST_WASTE or (
                    end == stop and (everything or tried.size_bytes <= BILLED_BYTES)
                ):
                    return tried
                target = tried.size_bytes + tried.empty_bytes
                if target > limit or target > (stop - start) * ratio:
                    target = _units(tried.size_bytes)
            end = self._end(lines, start, stop, target, ratio)
            if end == tried.end:
                break
        return best or self._smaller(lines, start, end, limit)

    def _smaller(self, lines: SpooledLines, start: int, end: int, limit: int) -> _Try | None:
        """Return a record that fits, by halving its input; None where not even one event fits."""
        while True:
            tried = self._try(lines, start, end)
            if tried.size_bytes <= limit:
                return tried
            one = lines.end_of_line(start, end)
            if one == end:
                if limit < MAX_RECORD_BYTES:
                    return None
                return _Try(tried.record._replace(data=self._pack_cut(original_lines(tried.record))), one)
            end = max(one, lines.end_within(start, start + (end - start) // 2))

    def _pack_cut(self, event: bytes) -> bytes:
        """Return the data of a record with one event, which is cut as an oversize one until it fits."""
        data, room = self._compress([event]), MAX_RECORD_BYTES
        self.truncated += len(data) > MAX_RECORD_BYTES
        while len(data) > MAX_RECORD_BYTES:
            room -= len(data) - MAX_RECORD_BYTES
            data = self._compress([truncate(event, room)])
        return data

    def _end(self, lines: SpooledLines, start: int, stop: int, target: int, ratio: float) -> int:
        """Return where a record has to end to become so many bytes."""
        wanted = target / ratio
        if wanted >= stop - start:
            return stop
        end = lines.end_within(start, start + int(wanted * (1.0 - _MARGIN)))
        return end if end > start else lines.end_of_line(start, stop)

    def _try(self, lines: SpooledLines, start: int, end: int) -> _Try:
        tried = _Try(self._record(lines, start, end), end)
        share = min(1.0, (end - start) / _TRUSTED_BYTES)
        self._ratio += share * (tried.size_bytes / (end - start) - self._ratio)
        return tried

    def _record(self, lines: SpooledLines, start: int, end: int) -> Aggregate:
        where: list[Stretch] = []
        pieces = _noting(lines.read(start, end, _PIECE_BYTES), where)
        return Aggregate(self._compress(pieces), tuple(merged(where)))


def make_aggregation(
    *, aggregate: bool, max_events: int | None, compression: Codec | None
) -> Aggregation | None:
    """Make the aggregation for a handler's options; None: each event is a record.

    Raises:
        ValueError: the package for this compression is not installed.
    """
    if compression:
        return Compression(compressor_of(compression), max_events)
    return Aggregation(max_events) if aggregate else None


def _noting(pieces: Iterable[tuple[bytes, Stretch]], where: list[Stretch]) -> Iterator[bytes]:
    for data, stretch in pieces:
        where.append(stretch)
        yield data


def _units(size_bytes: int) -> int:
    """Return the most whole units in so many bytes; the bytes where there is none."""
    return size_bytes // BILLED_BYTES * BILLED_BYTES or size_bytes


Codec = Literal['gzip', 'zstd']
COMPRESSIONS: tuple[Codec, ...] = ('gzip', 'zstd')

Compressor = Callable[[Iterable[bytes]], bytes]
"""Compresses all the pieces together as one member or frame."""

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""For zlib this means: with a header and a trailer of gzip."""

# From Python 3.14 on the extra installs nothing, and only a Python that was built without libzstd needs the package.
INSTALL_ZSTD = "pip install 'firefighter[zstd]'" if sys.version_info < (3, 14) else 'pip install zstandard'
"""What to type where zstd is missing."""

_NO_ZSTD = f'compression="zstd" needs a package: {INSTALL_ZSTD}, or write compression="gzip"'

_ZLIB_LEVEL, _ISAL_LEVEL, _ZSTD_LEVEL = 4, 2, 1


class _Stream(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def compressor_of(name: Codec) -> Compressor:
    """Return the compressor of that name.

    Raises:
        ValueError: its package is not installed.
    """
    return _gzip() if name == 'gzip' else _zstd()


def _gzip() -> Compressor:
    try:
        from isal.isal_zlib import compressobj  # noqa: PLC0415  # only where it is used, and installed
    except ImportError:  # also in an isolated subinterpreter
        return gzip_by_zlib()
    return _compressor(lambda: compressobj(_ISAL_LEVEL, zlib.DEFLATED, _GZIP_WINDOW))


def gzip_by_zlib() -> Compressor:
    """Return the gzip compressor of the standard library."""
    return _compressor(lambda: zlib.compressobj(_ZLIB_LEVEL, zlib.DEFLATED, _GZIP_WINDOW))


def _zstd() -> Compressor:
    if sys.version_info >= (3, 14):
        try:
            from compression.zstd import CompressionParameter, ZstdCompressor  # noqa: PLC0415  # as above
        except ModuleNotFoundError:
            pass  # this Python was built without libzstd
        else:
            options: dict[int, int] = {
                CompressionParameter.compression_level: _ZSTD_LEVEL,
                CompressionParameter.checksum_flag: 1,
            }
            return _compressor(lambda: ZstdCompressor(options=options))
    try:
        import zstandard  # noqa: PLC0415  # as above
    except ModuleNotFoundError:
        raise ValueError(_NO_ZSTD) from None
    except ImportError as error:  # in an isolated subinterpreter
        raise ValueError(f'compression="zstd" does not go here ({error}): write compression="gzip"') from None
    return _compressor(lambda: zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compressobj())


def _compressor(new: Callable[[], _Stream]) -> Compressor:
    def compress(pieces: Iterable[bytes]) -> bytes:
        stream = new()
        return b''.join([*map(stream.compress, pieces), stream.flush()])

    return compress
