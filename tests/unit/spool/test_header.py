"""Does the header of a segment come back as it was written, and nothing else for one?"""

from __future__ import annotations

import sys
import uuid
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefighter._spool.disk import segment_file as format_v1
from firefighter._spool.disk.segment_file import Header, NewerVersion, NotASegment, Progress
from firefighter._spool.layout import COMMITTED, HEAD, HEADER_BYTES

HEADER = Header(
    stream='bar',
    destination={'region': 'eu-west-1', 'endpoint_url': None},
    producer_id=bytes(range(16)),
    first_sequence=4711,
    size_bytes=262_144,
    boot_id=uuid.UUID('0e1f6cda-3d5e-4a0f-9d04-3b1d8d1f2f60').bytes,
)


def page_of(header=HEADER):
    page = bytearray(HEADER_BYTES)
    format_v1.write_header(memoryview(page).cast('Q'), header)
    return page


class Recorder:
    """A header's words that note the order of the stores."""

    def __init__(self):
        self.stores = []

    def __setitem__(self, index, value):
        self.stores.append((index, value))


def test_a_header_comes_back_as_it_was_written():
    """Every field; and the marks of a new segment are behind the header, with no event."""
    page = bytes(page_of())
    assert format_v1.parse_header(page) == HEADER
    assert format_v1.read_progress(page) == Progress(events=0, tail=HEADER_BYTES, head=HEADER_BYTES)


names = st.text(max_size=60)


@given(
    stream=names,
    destination=st.dictionaries(names, st.none() | names, max_size=4),
    producer_id=st.binary(min_size=16, max_size=16),
    boot_id=st.none() | st.binary(min_size=16, max_size=16).filter(any),
    first_sequence=st.integers(0, 2**64 - 1),
    size_bytes=st.integers(HEADER_BYTES, 2**32 - 1),
)
def test_any_header_comes_back_as_it_was_written(**fields):
    """Whatever the stream and the destination are called."""
    assert format_v1.parse_header(bytes(page_of(Header(**fields)))) == Header(**fields)


def test_a_stream_name_with_bytes_that_are_no_utf_8_comes_back_too():
    """The environment can contain one; Python makes lone surrogates of such bytes."""
    for name in ('b\udcffr', '\ud83d\ude00'):
        header = Header(name, {}, bytes(16), 0, HEADER_BYTES)
        assert format_v1.parse_header(bytes(page_of(header))).stream == name


def test_an_unknown_boot_stays_unknown():
    """Nothing that is not known may compare equal to another machine's boot that is not known either."""
    assert (
        format_v1.parse_header(bytes(page_of(Header('bar', {}, bytes(16), 0, HEADER_BYTES)))).boot_id is None
    )


def test_the_magic_is_stored_last_and_each_word_once():
    """Whoever sees the magic sees a whole header."""
    words = Recorder()
    format_v1.write_header(words, HEADER)
    assert [index for index, _ in words.stores] == [*range(1, 512), 0]


def test_the_marks_change_without_the_header_becoming_invalid():
    """They are stored millions of times; no checksum is made for that."""
    page = page_of()
    words = memoryview(page).cast('Q')
    words[COMMITTED] = 3 << 32 | 4200
    words[HEAD] = 4150
    assert format_v1.parse_header(bytes(page)) == HEADER
    assert format_v1.read_progress(bytes(page)) == Progress(events=3, tail=4200, head=4150)


def test_a_half_written_header_is_refused_wherever_the_writing_stopped():
    """A power loss may keep any sectors of the page and lose the others."""
    whole = bytes(page_of())
    for sectors in range(1, 256):
        page = b''.join(
            whole[at : at + 512] if sectors >> number & 1 else bytes(512)
            for number, at in enumerate(range(0, HEADER_BYTES, 512))
        )
        if page == whole:
            continue
        with pytest.raises(NotASegment):
            format_v1.parse_header(page)


@pytest.mark.parametrize('index', [*range(8), 24, 25, 64, 65])
def test_a_constant_word_that_was_changed_is_noticed(index):
    """The magic, the ids, the sequence number and the size, the length of the JSON, the JSON itself."""
    page = page_of()
    words = memoryview(page).cast('Q')
    words[index] ^= 1 << 5
    with pytest.raises((NotASegment, NewerVersion)):
        format_v1.parse_header(bytes(page))


def test_a_newer_version_is_named_whatever_else_is_in_the_page():
    """Only the first two words mean the same in all versions."""
    page = bytearray(b'\xa5' * HEADER_BYTES)
    words = memoryview(page).cast('Q')
    words[0], words[1] = format_v1.MAGIC, 7
    with pytest.raises(NewerVersion, match='version 7') as raised:
        format_v1.parse_header(bytes(page))
    assert raised.value.version == 7


def test_the_other_byte_order_is_told_apart():
    """A directory that moved between machines gives a reason that helps."""
    page = page_of()
    words = memoryview(page).cast('Q')
    words[0] = int.from_bytes(words[0].to_bytes(8, 'little'), 'big')
    with pytest.raises(NotASegment, match='byte order'):
        format_v1.parse_header(bytes(page))


@pytest.mark.skipif(sys.byteorder == 'big', reason='there the file begins with the same bytes in reverse')
def test_the_file_begins_with_a_name_for_people():
    """`head -c 8` tells what it is, and no text file begins like that."""
    assert page_of()[:8] == b'\x89FSPOOL\n'


@given(st.binary(max_size=64) | st.binary(min_size=HEADER_BYTES, max_size=HEADER_BYTES + 9))
def test_any_bytes_are_read_or_refused(page):
    """Nothing but the two exceptions."""
    with pytest.raises((NotASegment, NewerVersion)):
        format_v1.parse_header(page)


@given(st.lists(st.tuples(st.integers(0, 4095), st.binary(min_size=1, max_size=40)), max_size=4))
def test_a_damaged_page_is_read_or_refused(changes):
    """Wherever it is damaged, and whatever is there now."""
    page = page_of()
    for at, data in changes:
        page[at : at + len(data)] = data
    with suppress(NotASegment, NewerVersion):
        assert format_v1.parse_header(bytes(page[:HEADER_BYTES])) == HEADER


@pytest.mark.parametrize(
    'json',
    [
        b'',
        b'\xff',
        b'[' * 3584,
        b'[]',
        b'{}',
        b'{"stream": 1, "destination": {}}',
        b'{"stream": "bar", "destination": []}',
        b'{"stream": "bar", "destination": {"region": 1}}',
    ],
)
def test_nonsense_under_a_right_checksum_is_refused(json):
    """A checksum is no signature: whoever may write into the directory can make one."""
    page = page_of()
    page[512:] = json.ljust(3584, b'\0')
    words = memoryview(page).cast('Q')
    words[24] = len(json)
    words[25] = format_v1._checksum(words.tolist(), json)
    with pytest.raises(NotASegment):
        format_v1.parse_header(bytes(page))


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('producer_id', b'short'),
        ('boot_id', b'short'),
        ('first_sequence', -1),
        ('first_sequence', 2**64),
        ('size_bytes', 4095),
        ('size_bytes', 2**32),
        ('stream', 'x' * 3584),
    ],
)
def test_a_header_that_does_not_fit_is_refused_before_anything_is_written(field, value):
    """The error belongs to whoever makes it, not to the reader years later."""
    fields = {**vars(HEADER), field: value}
    with pytest.raises(ValueError):
        Header(**fields)
