"""Compresses a Firehose record as one whole gzip member or zstd frame, so that an object of several records is a valid file.

All implementations release the interpreter lock while they compute. They are given their input piece by piece, so that no copy
of a whole record is made with the lock.

Implementations and levels were chosen by measurement (`python -m benchmarks.compression`), with events as JSON: isal's level 2
compresses as well as zlib's level 4, in an eighth of the time. zlib's level 6 makes 7 % less, in ten times the time of isal. zstd's
level 1 makes 15 % less than isal and takes a third longer.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable
from typing import Literal, Protocol

__all__ = ['COMPRESSIONS', 'Codec', 'Compressor', 'compressor_of', 'gzip_by_zlib']

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
