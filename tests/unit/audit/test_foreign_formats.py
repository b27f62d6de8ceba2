"""Is it said what an object is that has no lines, and is nothing else taken for one?"""

from __future__ import annotations

import bz2
import gzip
import lzma
import random

import pytest

import zstd_frames
from firefighter._audit.decoding import DamagedError, lines
from firefighter._audit.foreign_formats import foreign_format
from foreign_objects import FOREIGN, snappy_of_hadoop, zipped


@pytest.mark.parametrize('name', FOREIGN)
@pytest.mark.parametrize('chunk_bytes', [3, 65_536])
def test_what_firehose_writes_by_itself_is_named(name, chunk_bytes):
    """Told by its first bytes; where these say nothing, by the name."""
    body, title = FOREIGN[name]
    with pytest.raises(DamagedError, match='it is ') as raised:
        list(lines([body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes)], name))
    assert str(raised.value) == f'it is {title}; unpack or convert it first'


@pytest.mark.parametrize(('compress', 'title'), [(bz2.compress, 'bzip2'), (lzma.compress, 'xz')])
def test_so_is_what_others_compress(compress, title):
    """Also when there is nothing in it."""
    for data in (b'{"a":1}\n', b''):
        assert foreign_format(compress(data)) == f'it is {title}; unpack or convert it first'


@pytest.mark.parametrize('wrap', [gzip.compress, zstd_frames.compressed])
def test_within_gzip_and_zstd_too(wrap):
    """Firehose may compress what the program has."""
    with pytest.raises(DamagedError, match='ZIP'):
        list(lines([wrap(zipped(b'{"a":1}\n'))]))


@pytest.mark.parametrize('size', [1, 100, 70_000, 1 << 20])
def test_a_block_of_hadoops_is_told_whatever_its_size(size):
    """It has no magic bytes."""
    assert (
        foreign_format(snappy_of_hadoop(b'x' * size)[:512])
        == 'it is Snappy (of Hadoop); unpack or convert it first'
    )


def test_noise_is_no_text():
    """An object that is encrypted, say."""
    for seed in range(20):
        assert (
            foreign_format(b'x' + random.Random(seed).randbytes(511))
            == 'it is neither text nor gzip nor zstd'
        )


@pytest.mark.parametrize(
    'beginning',
    [
        b'',
        b'\n',
        b'{"a":1}\n',
        b' {"a":1}\n',
        b'\xef\xbb\xbf{"a":1}\n',
        '{"a":"caf\u00e9 \U0001f600"}\n'.encode() * 20,
        '{"a":"\U0001f600'.encode()[:-1],
        b'GET /items 200\n\x1b[31mred\x1b[0m\n\tat a.b(C.java:7)\r\n',
        'caf\u00e9 cr\u00e8me\n'.encode('latin-1') * 9,
        b'PARAGRAPH one\n',
        b'ORCHID\n',
        b'BZhello\n',
        b'{"\xff\x00"}\n',
        b'plain\n' + gzip.compress(b'{}\n', mtime=0),
        b'\n' + zstd_frames.compressed(b'{}\n'),
    ],
)
def test_lines_of_any_kind_are_not_taken_for_it(beginning):
    """Those of JSON, of another formatter, in another encoding, before a compressed part, cut in a character."""
    assert foreign_format(beginning[:512]) is None


def test_a_name_does_not_hide_lines():
    """Whoever calls lines so has them audited."""
    assert list(lines([b'{"a":1}\n'], 'a.snappy')) == [b'{"a":1}']
    assert list(lines([gzip.compress(b'{"a":1}\n')], 'a.zip')) == [b'{"a":1}']
    assert list(lines([], 'empty.zip')) == []


@pytest.mark.parametrize(
    'wrap', [bytes, gzip.compress, zstd_frames.compressed], ids=['plain', 'gzip', 'zstd']
)
@pytest.mark.parametrize('name', ['a.zip', 'hadoop', 'java.snappy'])
def test_between_our_records_it_is_a_line_that_is_no_json(wrap, name):
    """Another program may write into the stream, too: what comes behind it is read."""
    body, _ = FOREIGN[name]
    found = list(lines([wrap(b'{"a":1}\n') + body[:300] + b'\n' + wrap(b'{"b":2}\n')]))
    assert found[0] == b'{"a":1}'
    assert found[-1] == b'{"b":2}' or found[-2] == b'{"b":2}'
