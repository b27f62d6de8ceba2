"""Are torn bytes kept for people, whole, bounded and legible?"""

from __future__ import annotations

import json
import os
import resource
import stat
from contextlib import contextmanager

import pytest

from firefighter._spool.disk.quarantine_and_dead_letters import Quarantine


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'quarantine'


@pytest.fixture
def open_file(path):
    """Open the file as its writer should; and see that every descriptor is closed, whatever happened."""
    opened = []

    def open_file():
        opened.append(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
        return opened[-1]

    yield open_file
    for descriptor in opened:
        with pytest.raises(OSError, match='Bad file descriptor'):
            os.fstat(descriptor)


def entries(path):
    """Read the file as its format says."""
    data, found = path.read_bytes(), []
    while data:
        line, _, data = data.partition(b'\n')
        about = json.loads(line)
        kept = about['kept']
        found.append((about, data[:kept]))
        assert data[kept : kept + 1] == b'\n'
        data = data[kept + 1 :]
    return found


def test_each_entry_says_where_its_bytes_were_and_why_they_are_here(path, open_file):
    """Whatever the bytes are: newlines and NULs among them."""
    quarantine = Quarantine(open_file)
    quarantine.put('00000000000003e8.spool', [(8192, b'{"message": "Ah')], 'torn')
    quarantine.put('00000000000007d0.spool', [(0, b'\n\0\xff\n')], 'the header was never finished')
    assert entries(path) == [
        (
            {
                'segment': '00000000000003e8.spool',
                'offset': 8192,
                'length': 15,
                'kept': 15,
                'reason': 'torn',
            },
            b'{"message": "Ah',
        ),
        (
            {
                'segment': '00000000000007d0.spool',
                'offset': 0,
                'length': 4,
                'kept': 4,
                'reason': 'the header was never finished',
            },
            b'\n\0\xff\n',
        ),
    ]
    assert quarantine.size_bytes == quarantine.kept_bytes == 19


def test_what_is_there_from_before_stays(path, open_file):
    """Each process that finds something torn adds to the same file."""
    Quarantine(open_file).put('a.spool', [(1, b'first')], 'torn')
    Quarantine(open_file).put('a.spool', [(1, b'second')], 'torn')
    assert [data for _, data in entries(path)] == [b'first', b'second']


def test_without_torn_bytes_there_is_no_file(path, open_file):
    """So a file called quarantine means something."""
    Quarantine(open_file)
    assert not path.exists()


def test_nobody_else_may_read_it(path, open_file):
    """Logs are private, torn ones too: the mode is the opener's, and nothing here widens it."""
    Quarantine(open_file).put('a.spool', [(1, b'secret')], 'torn')
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_file_never_grows_beyond_its_bound_and_what_does_not_fit_is_counted(path, open_file):
    """The last entry is cut, and says so; then nothing is written any more."""
    quarantine = Quarantine(open_file, most_bytes=1000)
    for _ in range(5):
        quarantine.put('a.spool', [(4096, b'x' * 300)], 'torn')
    assert path.stat().st_size <= 1000
    *whole, (about, data) = entries(path)
    assert all(about['kept'] == 300 for about, _ in whole)
    assert 0 < about['kept'] == len(data) < about['length'] == 300
    assert quarantine.size_bytes == 1500
    assert quarantine.kept_bytes == sum(len(data) for _, data in entries(path))


@pytest.mark.parametrize('room', range(70, 120))
def test_an_entry_is_there_with_bytes_or_not_at_all(path, open_file, room):
    """Whatever room is left."""
    Quarantine(open_file, most_bytes=room).put('a.spool', [(4096, b'x' * 300)], 'torn')
    assert path.stat().st_size <= room
    assert all(about['kept'] == len(data) > 0 for about, data in entries(path))


@contextmanager
def full_disk():
    """Files of this process grow to 300 bytes and no further, as on a disk that is full: so not for longer than needed."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_on_a_full_disk_no_half_entry_is_left(path, open_file):
    """The error is the caller's to report; the file stays legible, and the bytes are counted."""
    quarantine = Quarantine(open_file)
    quarantine.put('a.spool', [(4096, b'x' * 100)], 'torn')
    with full_disk(), pytest.raises(OSError):
        quarantine.put('a.spool', [(8192, b'y' * 200)], 'torn')
    assert [data for _, data in entries(path)] == [b'x' * 100]
    assert (quarantine.size_bytes, quarantine.kept_bytes) == (300, 100)
