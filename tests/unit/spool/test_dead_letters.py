"""Are events that Firehose refuses kept for people, legible and within a bound?"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys

import pytest

from firefighter._spool.disk import quarantine_and_dead_letters
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


def test_a_failed_write_takes_nothing_away_that_another_process_has_written(path, tmp_path):
    """A disk that is nearly full: one process's entry fits, the other's does not, at the same time."""
    program = """
import os, resource, sys
from firefighter._spool.disk.quarantine_and_dead_letters import DeadLetterFile
path, name, most = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))
file = DeadLetterFile(lambda: os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
for number in range(400):
    try:
        file.put(b'%s %d %s' % (name.encode(), number, b'x' * (300_000 if name == 'large' else 100)), 'invalid')
    except OSError:
        continue
    print(number)
"""
    # What a large entry has written until it fails is taken back, while the small ones go on.
    writers = {
        name: subprocess.Popen(
            [sys.executable, '-c', program, path, name, most], stdout=subprocess.PIPE, text=True
        )
        for name, most in (('large', '250000'), ('small', '4000000'))
    }
    said = {name: writer.communicate(timeout=60)[0].split() for name, writer in writers.items()}
    assert all(writer.returncode == 0 for writer in writers.values())
    assert (len(said['large']), len(said['small'])) == (0, 400)
    kept = [letter['event'].split()[1] for letter in letters(path)]
    assert kept == said['small']


def test_a_file_that_is_locked_for_long_is_not_waited_for(path, open_file, monkeypatch):
    """Whoever has locked it may have been stopped there."""
    fcntl = pytest.importorskip('fcntl')
    monkeypatch.setattr(quarantine_and_dead_letters, '_LOCK_SECONDS', 0.01)
    descriptor = open_file()
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    file = DeadLetterFile(open_file)
    with pytest.raises(BlockingIOError):
        file.put(b'{}\n', 'invalid')
    os.close(descriptor)
    file.put(b'{}\n', 'invalid')
    assert len(letters(path)) == 1
