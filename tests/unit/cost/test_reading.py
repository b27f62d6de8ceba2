"""Which events would the handler have made of a log?"""

from __future__ import annotations

import gzip
import io
import json
import re

import pytest

from firefighter._audit.decoding import DamagedError
from firefighter._cost.reading import Encoder, entries

NOON = 1_767_268_800.25


def read(*files, entry_begins=None):
    return list(entries(map(io.BytesIO, files), entry_begins and entry_begins.search))


def test_a_plain_line_is_the_message_of_an_event():
    """As our own formatter writes it, at the time that is handed in."""
    (entry,) = read(b'GET /items 200\n')
    event = Encoder().encode(entry, NOON)
    assert json.loads(event) == {
        'timestamp': '2026-01-01T12:00:00.250000Z',
        'level': 'INFO',
        'logger': 'app',
        'message': 'GET /items 200',
    }
    assert event.endswith(b'}\n')


def test_a_json_object_is_an_event_as_it_is():
    """Byte for byte, spaces too."""
    (entry,) = read(b'{"a": 1,  "b": []}\n')
    assert Encoder().encode(entry, NOON) == b'{"a": 1,  "b": []}\n'


@pytest.mark.parametrize('line', [b'[1]', b'7', b'{"torn":', b'{a}', b'"text"'])
def test_other_json_and_what_only_looks_like_it_is_a_message(line):
    """An event is an object."""
    (entry,) = read(line + b'\n')
    assert json.loads(Encoder().encode(entry, NOON))['message'] == line.decode()


def test_empty_lines_are_no_events_and_the_last_needs_no_newline():
    """Files have both."""
    assert read(b'one\n\n\r\ntwo') == ['one', 'two']


def test_lines_of_windows_end_before_their_carriage_return():
    """It is no part of the message."""
    assert read(b'one\r\n{"a":1}\r\n') == ['one', b'{"a":1}\n']


def test_a_byte_order_mark_and_nuls_around_a_line_are_nothing():
    """Tools write them where a file begins and ends, and files are put one behind the other."""
    bom = '\ufeff'.encode()
    log = bom + b'{"a":1}\r\n' + bytes(700) + b'2026 two\n' + bom + b'2026 three\n' + bytes(9_000)
    assert read(log) == [b'{"a":1}\n', '2026 two', '2026 three']
    assert read(bom + b'2026 one\n\tat a\n', entry_begins=re.compile(b'^2026')) == ['2026 one\n\tat a']


@pytest.mark.parametrize(
    'noise', [b'a\0b\n', b'\0' * 70_000, b'{"a":\0}\n'], ids=['in a line', 'alone', 'in JSON']
)
@pytest.mark.parametrize('wrapping', [bytes, gzip.compress], ids=['plain', 'gzip'])
def test_nuls_are_no_text(noise, wrapping):
    """Nor is what comes after lines that are: a bill for it would be one for noise."""
    with pytest.raises(DamagedError, match='it has NUL bytes, as no text has'):
        read(wrapping(b'a line of text\n' * 100 + noise))


def test_bytes_that_are_no_text_are_kept_readable():
    """A log in another encoding is counted all the same."""
    assert read(b'caf\xe9\n') == ['caf\\xe9']


def test_compressed_files_are_read_as_if_they_were_not():
    """Among plain ones, and of several members."""
    packed = gzip.compress(b'two\n') + gzip.compress(b'three\n')
    assert read(b'one\n', packed, b'four\n') == ['one', 'two', 'three', 'four']


def test_a_file_that_ends_too_soon_is_said_to_be_damaged():
    """Not counted as the log that it is not."""
    with pytest.raises(DamagedError):
        read(gzip.compress(b'one\n' * 1000)[:-12])


def test_a_file_that_was_made_to_fill_the_memory_is_given_up():
    """Gzip in gzip: a few bytes for as many lines as one likes."""
    with pytest.raises(DamagedError, match='expands'):
        for _ in entries([io.BytesIO(gzip.compress(gzip.compress((b'1' * 1023 + b'\n') * 65_536)))]):
            pass


def test_lines_that_begin_no_entry_belong_to_the_one_before():
    """A traceback is one event; where a file begins, one begins in any case."""
    log = b'\tat the.end(Of.java:1)\n2026-01-01 ERROR\n\tat a.b(C.java:7)\nCaused by: x\n2026-01-02 INFO\n'
    assert read(log, b'rest\n', entry_begins=re.compile(rb'^\d{4}-')) == [
        '\tat the.end(Of.java:1)',
        '2026-01-01 ERROR\n\tat a.b(C.java:7)\nCaused by: x',
        '2026-01-02 INFO',
        'rest',
    ]


def test_an_entry_without_an_end_is_taken_in_pieces():
    """No event can hold more; where the pattern matches no line, the whole file would be one entry."""
    log = (b'y' * 1_000 + b'\n') * 10_000
    found = read(log, entry_begins=re.compile(b'^X'))
    assert max(map(len, found)) < 5_000_000
    assert '\n'.join(found) + '\n' == log.decode()


def test_what_no_record_could_hold_is_truncated_as_the_handler_does():
    """1,024,000 bytes; it stays JSON."""
    for entry in ('x' * 2_000_000, b'{"message":"' + b'x' * 2_000_000 + b'"}\n'):
        event = Encoder().encode(entry, NOON)
        assert 1_000_000 < len(event) <= 1_024_000
        assert json.loads(event)['message'].startswith('xxx')
