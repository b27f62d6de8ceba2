"""Does every line come out of an object, however it is wrapped, and does an audit say so when one cannot?"""

from __future__ import annotations

import gzip
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zstd_frames
from firefighter._audit import decoding
from firefighter._audit.decoding import DamagedError, NeedsZstdError, lines

WRAPPINGS = {
    'plain': lambda data: data,
    'gzip': lambda data: gzip.compress(data, mtime=0),
    'zstd': zstd_frames.compressed,
    'gzip twice': lambda data: gzip.compress(gzip.compress(data)),
    'zstd in gzip': lambda data: gzip.compress(zstd_frames.compressed(data)),
}
# Of these 64 MiB are 65 kB in gzip.
LONG_LINE = b'{"b":"' + b'2' * 1015 + b'"}\n'


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


def test_a_line_in_tiny_pieces_is_joined_once(monkeypatch):
    """Each part of an object may hold two bytes of it. Were all before them copied each time, these would be four terabytes."""
    monkeypatch.setattr(decoding, '_decoded', lambda chunks, _name: chunks)
    pieces = list(lines(b'xy' for _ in range(2_000_000)))
    assert [len(piece) for piece in pieces] == [4_000_000]


def test_a_line_that_comes_in_many_compressed_parts_is_one_line():
    """A byte in each, which come out of the second layer one by one."""
    parts = b''.join(gzip.compress(bytes([byte])) for byte in b'{"a":1}\n{"b":2}')
    assert list(lines([gzip.compress(parts)])) == [b'{"a":1}', b'{"b":2}']


@pytest.mark.parametrize('wrapping', ['zstd', 'gzip twice', 'zstd in gzip'])
def test_what_expands_more_than_a_log_does_is_given_up(wrapping):
    """An object that somebody has made to fill the memory, or to take for ever: what was good before is there."""
    stored = WRAPPINGS['gzip'](b'{"a":1}\n') + WRAPPINGS[wrapping](LONG_LINE * 65_536)
    pieces = []
    with pytest.raises(DamagedError, match='it expands to more than 1,032 times its size'):
        pieces.extend(lines(cut(stored, 65_536)))
    assert pieces[:2] == [b'{"a":1}', LONG_LINE[:-1]]
    assert sum(map(len, pieces)) < (17 << 20) + 1032 * len(stored)


@pytest.mark.parametrize('wrapping', ['zstd', 'gzip twice'])
def test_what_expands_without_a_newline_comes_in_pieces(wrapping):
    """None of which is JSON, and none of which fills the memory."""
    pieces = []
    with pytest.raises(DamagedError):
        pieces.extend(map(len, lines(cut(WRAPPINGS[wrapping](b'{' * (64 << 20)), 65_536))))
    assert max(pieces) < 6 << 20


def test_one_layer_of_gzip_is_read_however_much_it_expands():
    """Deflate has a bound by itself."""
    assert sum(1 for _ in lines(cut(gzip.compress(LONG_LINE * 65_536), 65_536))) == 65_536


def test_a_zstd_frame_that_demands_much_memory_is_given_up():
    """A few bytes can demand 2 GiB for its window."""
    # A frame header with a window of 2 GiB (RFC 8878, 3.1.1.1.2), and an empty last block.
    frame = b'\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00'
    with pytest.raises(DamagedError):
        list(lines([frame]))


@pytest.mark.parametrize('wrapping', ['gzip', 'zstd'])
@pytest.mark.parametrize('between', [b'', b'x\n', b'\0'])
def test_many_small_parts_are_looked_at_once_each(monkeypatch, wrapping, between):
    """Bytes behind a part are looked at again: were it a whole chunk each time, half a million parts would take a minute."""
    looked_at = []
    for name in ('peek', 'take'):
        monkeypatch.setattr(decoding._Source, name, counting(getattr(decoding._Source, name), looked_at))
    stored = (WRAPPINGS[wrapping](b'') + between) * 2000
    found = [line for line in lines(cut(stored, 65_536)) if line]
    assert len(found) == (2000 if b'x' in between else 0)
    assert len(looked_at) >= 4000
    assert sum(looked_at) < 60 * len(stored)


def counting(method, looked_at):
    def count(source, size):
        data = method(source, size)
        looked_at.append(len(data))
        return data

    return count


@pytest.mark.parametrize('wrapping', ['gzip', 'zstd', 'gzip twice'])
@pytest.mark.parametrize('chunk_bytes', [1, 7, 65_536])
def test_nuls_behind_a_compressed_part_are_nothing(wrapping, chunk_bytes):
    """Some tools fill a block with them; whatever comes then is read."""
    part = WRAPPINGS[wrapping](b'{"a":1}\n')
    stored = part + bytes(700) + part + bytes(3) + b'{"b":2}\n' + part + bytes(100)
    found = [line for line in lines(cut(stored, chunk_bytes)) if line]
    assert found == [b'{"a":1}', b'{"a":1}', b'{"b":2}', b'{"a":1}']


def test_without_the_package_zstd_is_named(monkeypatch):
    """Not taken for lines."""
    monkeypatch.setitem(sys.modules, 'zstandard', None)
    monkeypatch.setitem(sys.modules, 'compression.zstd', None)
    with pytest.raises(NeedsZstdError):
        list(lines([WRAPPINGS['zstd'](b'{}\n')]))
