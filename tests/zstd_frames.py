"""zstd for tests, by the standard library since Python 3.14, before by the package `zstandard`."""

from __future__ import annotations

import sys

__all__ = ['compressed', 'decompressed']

if sys.version_info >= (3, 14):
    from compression import zstd

    def compressed(data: bytes) -> bytes:
        """Return one frame with a checksum."""
        return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})

    def decompressed(data: bytes) -> bytes:
        """Return what is in all frames."""
        return zstd.decompress(data)
else:
    import zstandard

    def compressed(data: bytes) -> bytes:
        """Return one frame with a checksum."""
        return zstandard.ZstdCompressor(write_checksum=True).compress(data)

    def decompressed(data: bytes) -> bytes:
        """Return what is in all frames."""
        return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
