"""Are events that Firehose refuses kept for people, legible and within a bound?"""

from __future__ import annotations

import base64
import json
import os

import pytest

from firefighter._spool.disk.quarantine_and_dead_letters import DeadLetterFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'dead-letters'


@pytest.fixture
def open_file(path):
    return lambda: os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def letters(path):
    return [json.loads(line) for line in path.read_text('ascii').splitlines()]


def test_a_letter_has_the_event_the_reason_and_the_time(path, open_file):
    """One line of JSON that a person, or jq, can read."""
    DeadLetterFile(open_file, now=lambda: 0.5).put('{"message":"Ahoi, Käpt\'n"}\n'.encode(), 'invalid')
    assert letters(path) == [
        {
            'refused_at': '1970-01-01T00:00:00.500000Z',
            'reason': 'invalid',
            'event': '{"message":"Ahoi, Käpt\'n"}',
        }
    ]


def test_an_event_that_is_no_text_is_kept_byte_for_byte(path, open_file):
    """A formatter of the user's may put out anything."""
    DeadLetterFile(open_file).put(b'\xff\0\n', 'invalid')
    (letter,) = letters(path)
    assert base64.b64decode(letter['event_base64']) == b'\xff\0\n'


def test_what_has_no_room_leaves_no_half_line(path, open_file):
    """A loop that logs what Firehose refuses does not fill the disk."""
    file = DeadLetterFile(open_file, most_bytes=1000)
    for number in range(100):
        file.put(b'event %d\n' % number, 'invalid')
    file.put(b'x' * 2000, 'invalid')
    assert path.stat().st_size <= 1000
    kept = letters(path)
    assert 1 < len(kept) < 100
    assert [letter['event'] for letter in kept] == [f'event {number}' for number in range(len(kept))]
