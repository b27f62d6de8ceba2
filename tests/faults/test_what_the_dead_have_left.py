"""What does an heir make of a directory in which a disk, a fault or a person has left more than segments?"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path

import pytest

from doubles import AcceptingClient
from firefighter._process import exit_and_forks
from firefighter._process.fork_gate import ForkGate
from firefighter._spool.disk import adoption
from firefighter._spool.disk.adoption import Adoption
from firefighter._spool.disk.destination_folder import MOST_AT_ONCE
from firefighter._spool.disk.inspection import find_producers
from firefighter._spool.disk.quarantine_and_dead_letters import quarantine_of
from firefighter._spool.layout import COMMITTED, HEADER_BYTES
from firefighter._spool.spool import MIN_SPOOL_BYTES, Spool
from spool_files import WrittenProducer, line

if sys.platform == 'win32':
    pytest.skip('there is no spool on disk on Windows', allow_module_level=True)

LINES = [line(f'{number:02}') for number in range(20)]
GIB = 1 << 30


@pytest.fixture
def spool_dir(tmp_path):
    return tmp_path / 'spool'


@pytest.fixture
def heir(spool_dir):
    """Adopts, and has what was adopted in a spool."""
    made = []

    class Heir:
        def __init__(self, destination):
            self.spool = Spool(MIN_SPOOL_BYTES)
            self.quarantine = quarantine_of(spool_dir, destination)
            self.adoption = Adoption(spool_dir, destination, self.quarantine)
            made.append(self)

        def look(self):
            """Return the events that were found."""
            self.adoption.adopt_dead_producers(self.spool.adopt)
            found = []
            while events := self.spool.take(500, 10**9):
                found += [event.data for event in events]
                self.spool.acknowledge(events)
            return found

    def make():
        return Heir(find_producers(spool_dir, None, pytest.fail)[0].destination())

    yield make
    for each in made:
        each.adoption.release(each.spool.release_adopted, ())


@pytest.fixture
def leave(spool_dir):
    """Make a dead producer of one segment; `change` is called with that before it dies."""

    def make(*lines, change=lambda segment: None, first=0):
        producer = WrittenProducer(spool_dir)
        segment = producer.segment(*lines, first=first)
        change(segment)
        producer.die()
        return segment.path

    return make


def test_a_segment_that_could_not_get_its_name_comes_in_its_turn(spool_dir, heir):
    """One rename had failed, of a full disk; its header says where it belongs."""
    producer = WrittenProducer(spool_dir)
    for first in (0, 5, 10):
        segment = producer.segment(*LINES[first : first + 5], first=first)
        if first == 5:
            segment.path.rename(producer.path / f'.tmp-{"f" * 16}')
    producer.die()
    assert heir().look() == LINES[:15]
    assert not producer.path.exists()


def test_a_trouble_that_every_look_meets_is_reported_once_and_stays_known(heir, leave):
    """A log line every 30 seconds helps nobody; but `replay`, which looks several times, gives the reason at its end."""
    path = leave(LINES[0])
    path.rename(path.with_name('notes'))
    one = heir()
    reported = []
    for _ in range(3):
        assert one.look() == []
        assert 'is left' in one.adoption.trouble
        reported += [one.adoption.unreported_trouble(), one.adoption.unreported_trouble()]
    assert reported == [one.adoption.trouble, None, None, None, None, None]


def test_a_spare_segment_without_events_is_removed(spool_dir, heir):
    """It has no header, or one that counts no event."""
    producer = WrittenProducer(spool_dir)
    producer.segment(LINES[0])
    producer.segment(first=1).path.rename(producer.path / f'.tmp-{"1" * 16}')
    (producer.path / f'.tmp-{"2" * 16}').write_bytes(bytes(2 * HEADER_BYTES))
    (producer.path / f'.tmp-{"3" * 16}').touch()
    producer.die()
    assert heir().look() == LINES[:1]
    assert not producer.path.exists()


@pytest.mark.parametrize('behind', [1, 2, 20])
def test_whole_lines_behind_an_older_tail_are_delivered(leave, heir, behind):
    """A volume was detached and attached within one boot: the header page is from before the lines."""

    def take_back(segment):
        events = 20 - behind
        segment.words[COMMITTED] = events << 32 | HEADER_BYTES + events * len(LINES[0])

    leave(*LINES, change=take_back)
    one = heir()
    assert one.look() == LINES
    assert one.quarantine.size_bytes == 0


def test_directories_that_cannot_be_finished_keep_no_other_from_delivery(leave, heir, spool_dir):
    """More of them than are taken at once, and all of them older."""
    strays = [leave() for _ in range(MOST_AT_ONCE)]
    for stray in strays:
        (stray.parent / 'notes').write_text('mine')
    leave(*LINES)
    one = heir()
    assert one.look() == LINES
    assert 'is left' in one.adoption.trouble
    assert not one.adoption.expects_more
    assert [(stray.parent / 'notes').read_text() for stray in strays] == ['mine'] * MOST_AT_ONCE
    for number in range(MOST_AT_ONCE):
        leave(LINES[number])
    assert sorted(one.look()) == LINES[:MOST_AT_ONCE], 'they come last from now on'
    assert not [producer for producer in find_producers(spool_dir, None, pytest.fail) if producer.alive], (
        'they are held by nobody'
    )


def test_what_could_not_be_finished_is_tried_again(leave, heir):
    """Somebody may have mended it."""
    path = leave(*LINES)
    path.chmod(0)
    path.rename(path.with_name('aside'))
    path.mkdir()
    one = heir()
    assert one.look() == []
    path.rmdir()
    path.with_name('aside').rename(path)
    assert one.look() == LINES


@pytest.mark.parametrize('size_bytes', [400 * GIB, 3 * GIB, 2 * HEADER_BYTES + 1])
def test_a_file_larger_than_its_header_says_costs_itself_alone(leave, heir, size_bytes):
    """An inode that a disk has made up. It stays, for people, and is said."""
    large = leave(*LINES[:5], change=lambda segment: os.truncate(segment.path, size_bytes))
    leave(*LINES[5:])
    one = heir()
    assert one.look() == LINES[5:]
    assert 'no segment' in one.adoption.trouble
    assert large.stat().st_size == size_bytes
    assert one.look() == []


def test_a_large_file_without_a_header_is_not_read(leave, heir):
    """There is no memory for it."""

    def wipe(segment):
        segment.damage(-HEADER_BYTES, bytes(HEADER_BYTES))
        os.truncate(segment.path, 3 * GIB)

    large = leave(*LINES[:5], change=wipe)
    leave(*LINES[5:])
    assert heir().look() == LINES[5:]
    assert large.exists()


@pytest.mark.parametrize(
    ('put', 'reason'),
    [
        (Path.mkdir, 'Is a directory'),
        (os.mkfifo, 'no regular file'),
        (lambda path: path.symlink_to('/dev/zero'), 'it is a link'),
        (lambda path: path.write_bytes(b'x' * HEADER_BYTES), 'no segment'),
        (lambda path: path.write_bytes(b'x') and os.truncate(path, 400 * GIB), 'bytes are no segment'),
    ],
    ids=['directory', 'pipe', 'link', 'notes', 'huge'],
)
def test_what_cannot_be_taken_over_is_named_once_and_so_is_the_reason(leave, heir, put, reason):
    """A line that repeats the path hides the reason."""
    path = leave(*LINES).with_name('notes.spool')
    put(path)
    one = heir()
    assert one.look() == LINES
    assert one.adoption.trouble.startswith(f'{path}: ')
    assert one.adoption.trouble.count(str(path)) == 1
    assert reason in one.adoption.trouble


def test_a_file_of_somebodys_that_is_called_like_a_segment_is_left(leave, heir):
    """Without a header, and with a name that we never give, it is not ours to deliver or to delete."""
    path = leave(*LINES)
    notes = path.with_name('notes.spool')
    notes.write_bytes(b'x' * HEADER_BYTES + b'mine\n')
    assert heir().look() == LINES
    assert notes.exists()


def test_a_producer_that_says_gigabytes_of_itself_is_found(leave, spool_dir, heir):
    """Nobody relies on what it says."""
    path = leave(*LINES)
    os.truncate(path.with_name('producer.json'), 5 * GIB)
    assert [producer.about() for producer in find_producers(spool_dir, None, pytest.fail)] == [{}]
    assert heir().look() == LINES


@pytest.mark.parametrize('content', [b'', b'\0' * 100])
def test_where_destination_json_is_empty_the_segments_say_it(leave, spool_dir, heir, content):
    """What a power cut leaves of a file that was not synced."""
    path = leave(*LINES)
    (path.parents[1] / 'destination.json').write_bytes(content)
    (path.parents[1] / ('0' * 32)).mkdir()
    (path.with_name('0000000000000abc.spool')).write_bytes(b'no segment')
    found = {producer.destination() for producer in find_producers(spool_dir, None, pytest.fail)}
    assert len(found) == 1
    assert found.pop().region == 'eu-west-1'
    assert heir().look() == LINES


def test_a_header_of_another_destination_says_nothing_of_the_folder(leave, spool_dir):
    """The folder's name has the hash of its destination."""
    path = leave(*LINES)
    folder = path.parents[1]
    (folder / 'destination.json').write_bytes(b'')
    folder.rename(folder.with_name('bar-0123456789abcdef0123'))
    assert [producer.destination() for producer in find_producers(spool_dir, None, pytest.fail)] == [None]


def test_torn_bytes_are_put_aside_in_one_go_with_forks_free_to_come(leave, heir, monkeypatch):
    """A disk that has lost every other sector: thousands of stretches."""

    def tear(segment):
        segment.damage(0, b'x\0' * 2000 + b'\n' + LINES[0])

    def held():
        return exit_and_forks._process.fork_gate.held_here

    # Of its own: a test that raises at any moment may leave a mark in the process's.
    monkeypatch.setattr(exit_and_forks._process, 'fork_gate', ForkGate())
    leave(change=tear)
    one = heir()
    opened = []
    open_file, read = one.quarantine._file._open_file, adoption.read_and_map

    def open_and_note():
        opened.append(held())
        return open_file()

    def read_and_note(directory, name):
        opened.append(held())
        return read(directory, name)

    monkeypatch.setattr(one.quarantine._file, '_open_file', open_and_note)
    monkeypatch.setattr(adoption, 'read_and_map', read_and_note)
    assert one.look() == [LINES[0]]
    assert opened == [False, False], 'read once, put aside once'
    assert one.quarantine.size_bytes == 2000


def test_torn_bytes_that_cannot_be_put_aside_stay_where_they_are(leave, heir, monkeypatch):
    """The disk is full, say: people may want to see them."""
    path = leave(change=lambda segment: segment.damage(0, b'x\0\n' * 100))
    one = heir()

    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(one.quarantine, 'put', refuse)
        assert one.look() == []
    assert 'nothing in it is whole; torn bytes could not be put into quarantine' in one.adoption.trouble
    assert path.exists()
    assert one.look() == []
    assert one.quarantine.size_bytes
    assert not path.exists()


@pytest.mark.parametrize(
    ('pattern', 'times', 'events'), [(b'x\0', 2_000_000, 0), (b'x\0\ny\n', 20_000, 20_000)]
)
def test_a_segment_of_nothing_but_torn_bytes_is_dealt_with_at_once(leave, heir, pattern, times, events):
    """In linear time. Nobody waits for it: a test that takes as long as it did before is ended."""

    def fill(segment):
        segment.damage(-HEADER_BYTES, bytes(HEADER_BYTES))
        with segment.path.open('r+b') as file:
            file.seek(HEADER_BYTES)
            file.write(pattern * times)

    path = leave(change=fill)
    assert heir().look() == [b'y\n'] * events
    assert not path.exists()


@pytest.mark.filterwarnings('ignore:This process:DeprecationWarning')
def test_a_fork_while_the_dead_are_looked_into_leaves_the_child_no_lock(leave, heir, monkeypatch):
    """It would keep what they have left from everybody else, after its parent's death."""
    leave(*LINES)
    leave(*LINES)
    one = heir()
    read = adoption.read_and_map
    held = []

    def fork_first(directory, name):
        child = os.fork()
        if child == 0:
            one.adoption.abandon()
            os._exit(int(any(each.is_held() for each in [directory, *one.adoption.directories])))
        held.append(os.waitpid(child, 0)[1])
        return read(directory, name)

    monkeypatch.setattr(adoption, 'read_and_map', fork_first)
    assert len(one.look()) == 40
    assert held == [0, 0]


def test_an_exception_while_the_dead_are_looked_into_leaves_nothing_held(leave, heir, monkeypatch):
    """Ctrl-C: the next look has them all."""
    for _ in range(3):
        leave(LINES[0])
    one = heir()

    def interrupt(directory, name):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(adoption, 'read_and_map', interrupt)
        with pytest.raises(KeyboardInterrupt):
            one.look()
    assert one.look() == [LINES[0]] * 3


def test_a_running_handler_takes_all_of_many_dead_one_after_the_other(leave, spool_dir, make_handler):
    """More than are taken at once; not the rest of them half a minute later each."""
    for number in range(3 * MOST_AT_ONCE):
        leave(line(str(number)))
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, region_name=None, spool_dir=spool_dir)
    assert handler.flush()
    assert len({json.loads(event)['message'] for event in client.events}) == 3 * MOST_AT_ONCE
