"""Does every line come out of an object, however it is wrapped, and does an audit say so when one cannot?"""

from __future__ import annotations

import gzip
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zstd_frames
from firefighter._audit.decoding import DamagedError, NeedsZstdError, lines

WRAPPINGS = {
    'plain': lambda data: data,
    'gzip': lambda data: gzip.compress(data, mtime=0),
    'zstd': zstd_frames.compressed,
    'gzip twice': lambda data: gzip.compress(gzip.compress(data)),
    'zstd in gzip': lambda data: gzip.compress(zstd_frames.compressed(data)),
}


def cut(data, size):
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(WRAPPINGS)),
            st.lists(st.binary(max_size=9).map(lambda text: b'{' + text.replace(b'\n', b'')), max_size=4),
            st.sampled_from([b'', b'\n']),
        ),
        max_size=5,
    ),
    st.integers(1, 100),
)
def test_all_lines_come_out_of_any_mixture_of_parts(parts, chunk_bytes):
    """Plain, gzip and zstd one behind the other, a delimiter between them or none, wherever the chunks are cut."""
    stored = b''.join(
        WRAPPINGS[wrapping](b''.join(line + b'\n' for line in part)) + delimiter
        for wrapping, part, delimiter in parts
    )
    found = [line for line in lines(cut(stored, chunk_bytes)) if line]
    assert found == [line for _, part, _ in parts for line in part]


@pytest.mark.parametrize('wrapping', ['gzip', 'zstd', 'gzip twice', 'zstd in gzip'])
def test_what_is_cut_off_is_called_damaged_after_what_is_good(wrapping):
    """The first part is whole, of the second the end is missing."""
    stored = WRAPPINGS[wrapping](b'{"a":1}\n') + WRAPPINGS[wrapping](b'{"b":2}\n')[:-3]
    found = lines([stored])
    assert next(found) == b'{"a":1}'
    with pytest.raises(DamagedError):
        list(found)


@pytest.mark.parametrize('wrapping', ['gzip', 'zstd'])
def test_what_is_garbled_is_called_damaged(wrapping):
    """Checksums are looked at, where there are any."""
    stored = bytearray(WRAPPINGS[wrapping](b'{"a":1}\n' * 100))
    stored[len(stored) // 2] ^= 0xFF
    with pytest.raises(DamagedError):
        list(lines([bytes(stored)]))


def test_a_line_without_an_end_does_not_fill_the_memory():
    """It is taken in pieces, none of which is JSON."""
    pieces = list(lines(b'x' * 65_536 for _ in range(160)))
    assert sum(map(len, pieces)) == 160 * 65_536
    assert max(map(len, pieces)) < 5_000_000


def test_zstd_that_expands_without_end_does_not_fill_the_memory():
    """64 KiB of it may stand for 2 GiB: an object that somebody has made for that costs itself."""
    pieces = [len(piece) for piece in lines(cut(zstd_frames.compressed(bytes(200 << 20)), 65_536))]
    assert sum(pieces) == 200 << 20
    assert max(pieces) < 72 << 20


def test_without_the_package_zstd_is_named(monkeypatch):
    """Not taken for lines."""
    monkeypatch.setitem(sys.modules, 'zstandard', None)
    monkeypatch.setitem(sys.modules, 'compression.zstd', None)
    with pytest.raises(NeedsZstdError):
        list(lines([WRAPPINGS['zstd'](b'{}\n')]))
