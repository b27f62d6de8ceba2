"""What each implementation of gzip and zstd makes of logs, and in what time: from where the levels in `compression.py` are.

CPU time of one thread, on pieces of the file of the sizes that records have: the best of some rounds. Implementations that
are not installed are left out (`pip install isal zlib-ng zstandard`; Python has its own zstd since 3.14).

    python -m benchmarks.compression FILE [--rounds N]
"""

from __future__ import annotations

import argparse
import importlib
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from benchmarks.contestant import machine

INPUT_BYTES = (64 * 1024, 512 * 1024, 8 * 1024 * 1024)
PIECE_BYTES = 256 * 1024
GZIP = 16 + zlib.MAX_WBITS


def contestants() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield a name, and what makes a new stream."""
    for name, module, levels in (
        ('zlib', 'zlib', (1, 4, 6)),
        ('isal', 'isal.isal_zlib', (0, 1, 2, 3)),
        ('zlib-ng', 'zlib_ng.zlib_ng', (1, 2, 3, 6)),
    ):
        compressobj = _found(module, 'compressobj')
        for level in levels if compressobj else ():
            yield f'{name} {level}', partial(compressobj, level, zlib.DEFLATED, GZIP)
    compressor = _found('zstandard', 'ZstdCompressor')
    for level in (1, 3) if compressor else ():
        yield f'zstd {level}', compressor(level=level, write_checksum=True).compressobj
    compressor, parameter = (
        _found('compression.zstd', name) for name in ('ZstdCompressor', 'CompressionParameter')
    )
    for level in (1, 3) if compressor else ():
        options = {parameter.compression_level: level, parameter.checksum_flag: 1}
        yield f"Python's zstd {level}", partial(compressor, options=options)


def _found(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError:
        return None


def measure(new: Callable[[], Any], data: bytes, rounds: int) -> tuple[float, float]:
    """Return how many bytes become one, and the megabytes that are compressed in a second."""
    size, best = 0, inf
    for _ in range(rounds):
        begin = time.thread_time()
        stream = new()
        size = sum(
            len(stream.compress(data[start : start + PIECE_BYTES]))
            for start in range(0, len(data), PIECE_BYTES)
        )
        size += len(stream.flush())
        best = min(best, time.thread_time() - begin)
    return len(data) / size, len(data) / best / 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('file', type=Path)
    parser.add_argument('--rounds', type=int, default=5)
    arguments = parser.parse_args()
    text = arguments.file.read_bytes()[: max(INPUT_BYTES)]
    print(f'{machine()}\n{arguments.file.name}: times smaller, and MB in a second of CPU time\n')
    sizes = [size for size in INPUT_BYTES if size <= len(text)]
    print(f'| level | {" | ".join(f"{size // 1024:,} KiB" for size in sizes)} |')
    print(f'|---|{"---|" * len(sizes)}')
    for name, new in contestants():
        cells = ('{:.2f} x, {:,.0f}'.format(*measure(new, text[:size], arguments.rounds)) for size in sizes)
        print(f'| {name} | {" | ".join(cells)} |')


if __name__ == '__main__':
    main()
