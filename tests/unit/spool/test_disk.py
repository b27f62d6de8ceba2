"""A spool's place on disk: opened, closed and opened again, and what it says where there can be none."""

from __future__ import annotations

import errno
import gc
import os

import pytest

from firefighter._spool.disk import spool_directory as disk_module
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import lock_dead_producers
from firefighter._spool.disk.errors import SpoolUnusable
from firefighter._spool.disk.private_directory import PrivateDirectory, open_shared
from firefighter._spool.disk.producer_directory import take_locks
from firefighter._spool.disk.segment_file import parse_header
from firefighter._spool.disk.spool_directory import LOOK_INTERVAL_SECONDS, SpoolDirectory
from firefighter._spool.spool import MIN_SPOOL_BYTES, Spool
from spool_files import give_away, let_die

BAR = Destination('bar')
ENOUGH_BYTES = 1 << 30


@pytest.fixture
def spool():
    return Spool(MIN_SPOOL_BYTES)


@pytest.fixture
def make_disk(descriptors_as_they_were, spool_dir):
    made = []

    def make(destination=BAR, path=spool_dir):
        disk = SpoolDirectory(path, destination, 2 * MIN_SPOOL_BYTES, ENOUGH_BYTES)
        made.append(disk)
        return disk

    yield make
    for disk in made:
        if disk.store is not None:
            let_die(disk.store.directory)
        for directory in disk._adoption.directories:
            directory.release()


def producers(spool_dir):
    return sorted(path for path in spool_dir.glob('*/*/*') if path.is_dir())


def deliver(spool):
    events = spool.take(10**6, 10**9)
    data = [event.data for event in events]
    spool.acknowledge(events)
    return data


def leave_behind(spool_dir, *lines):
    """What a producer leaves that logs these and dies."""
    spool, disk = Spool(MIN_SPOOL_BYTES), SpoolDirectory(spool_dir, BAR, MIN_SPOOL_BYTES, ENOUGH_BYTES)
    disk.open(spool)
    for line in lines:
        spool.append(line)
    let_die(disk.store.directory)


def test_opening_again_what_is_open_changes_nothing(make_disk, spool, spool_dir):
    """Whoever wants it open says so, and need not ask."""
    disk = make_disk()
    disk.open(spool)
    spool.append(b'one\n')
    before = disk.path, spool.allocated_bytes
    disk.open(spool)
    assert (disk.path, spool.allocated_bytes) == before
    assert producers(spool_dir) == [disk.path]


def test_after_a_close_all_is_as_it_was_before_and_it_can_be_opened_again(make_disk, spool, spool_dir):
    """No directory, no descriptor, and the spool in memory, with its bound for that."""
    disk = make_disk()
    bound = spool._allocator.max_bytes
    for line in (b'one\n', b'two\n'):
        disk.open(spool)
        assert spool._allocator.max_bytes == 2 * MIN_SPOOL_BYTES
        spool.append(line)
        assert deliver(spool) == [line]
        disk.close(spool)
        disk.close(spool)
        assert not disk.is_open
        assert producers(spool_dir) == []
        assert spool._allocator.max_bytes == bound
    spool.append(b'in memory\n')
    assert producers(spool_dir) == []
    assert deliver(spool) == [b'in memory\n']


def test_it_stays_open_as_long_as_an_event_in_it_is_not_settled(make_disk, spool):
    """The event would have no place."""
    disk = make_disk()
    disk.open(spool)
    spool.append(b'one\n')
    disk.close(spool)
    assert disk.is_open
    assert disk.store.directory.is_held()
    deliver(spool)
    disk.close(spool)
    assert not disk.is_open


def test_an_event_that_comes_while_it_is_closed_keeps_it_open(make_disk, spool, monkeypatch):
    """A logging call that has returned is safe from the death of the process."""
    disk = make_disk()
    disk.open(spool)
    spool.append(b'one\n')
    deliver(spool)

    def come_between():
        spool.append(b'two\n')
        type(spool).seal(spool)

    monkeypatch.setattr(spool, 'seal', come_between)
    disk.close(spool)
    assert disk.is_open
    assert b'two\n' in next(disk.path.glob('*.spool')).read_bytes()
    monkeypatch.undo()
    spool.append(b'three\n')
    assert len(list(disk.path.glob('*.spool'))) == 2, 'it goes on on disk'
    assert deliver(spool) == [b'two\n', b'three\n']
    disk.close(spool)
    assert not disk.is_open


def somebodys_file(disk, monkeypatch):
    (disk.path / 'notes').write_text('mine')


def a_broken_disk(disk, monkeypatch):
    def refuse(directory, name):
        raise SpoolUnusable('Input/output error', errno.EIO)

    monkeypatch.setattr(PrivateDirectory, 'unlink', refuse)


def an_unreadable_directory(disk, monkeypatch):
    def refuse(directory):
        raise SpoolUnusable('Input/output error', errno.EIO)

    monkeypatch.setattr(PrivateDirectory, 'names', refuse)


@pytest.mark.parametrize('hinder', [somebodys_file, a_broken_disk, an_unreadable_directory])
def test_a_directory_that_cannot_be_removed_is_let_go_of_all_the_same(
    hinder, make_disk, spool, spool_dir, monkeypatch
):
    """Neither locks nor descriptors are held for ever, and closing again closes nothing of others."""
    disk = make_disk()
    disk.open(spool)
    spool.append(b'one\n')
    deliver(spool)
    path = disk.path
    hinder(disk, monkeypatch)
    disk.close(spool)
    disk.close(spool)
    assert not disk.is_open
    monkeypatch.undo()
    with open_shared(path, make=False) as directory:
        locks = take_locks(directory)
        assert locks is not None
        for lock in locks:
            lock.release()


def test_an_interruption_while_it_is_opened_leaves_nothing_held(make_disk, spool, spool_dir, monkeypatch):
    """A directory that nobody has noted is let go of by itself."""

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(disk_module, 'FileStore', interrupt)
    disk = make_disk()
    with pytest.raises(KeyboardInterrupt):
        disk.open(spool)
    gc.collect()
    assert not disk.is_open
    assert lock_dead_producers(spool_dir, BAR) == [], 'without events it is removed by whoever finds it'
    assert producers(spool_dir) == []
    monkeypatch.undo()
    disk.open(spool)
    assert disk.is_open


def a_loop_of_links(path):
    path.symlink_to(path)
    return path


@pytest.mark.parametrize(
    ('prepare', 'reason'),
    [
        (a_loop_of_links, 'remove it, or choose another spool_dir'),
        (lambda path: a_loop_of_links(path) / 'spool', 'Too many levels'),
        (lambda path: path.with_name('x' * 300), 'File name too long'),
        (lambda path: type(path)('spool'), 'give an absolute path'),
    ],
)
def test_a_path_that_leads_nowhere_is_a_reason(prepare, reason, make_disk, spool, spool_dir, monkeypatch):
    """Nothing but SpoolUnusable is raised for what the environment lacks."""
    monkeypatch.chdir(spool_dir.parent)
    disk = make_disk(path=prepare(spool_dir))
    with pytest.raises(SpoolUnusable, match=reason):
        disk.open(spool)
    assert not disk.usable
    disk.tidy(spool, 0.0)  # to look for others raises nothing either


def test_a_destination_that_a_header_has_no_room_for_is_said_before_anything_is_made(
    make_disk, spool, spool_dir
):
    """Not by the logging call that needs the first segment."""
    disk = make_disk(Destination('bar', endpoint_url='http://' + 'x' * 4000))
    with pytest.raises(SpoolUnusable, match='endpoint_url'):
        disk.open(spool)
    assert not spool_dir.exists()


def close_descriptors(directory):
    """As a daemoniser does; return their numbers."""
    parts = directory._directory.descriptor, directory._alive._descriptor, directory._reader._descriptor
    numbers = [descriptor.fd for descriptor in parts]
    for number in numbers:
        os.close(number)
    return numbers


def test_when_its_directory_is_lost_and_there_can_be_no_other_it_says_that_it_is_in_memory(
    make_disk, spool, spool_dir
):
    """For good, until it is opened again; what was logged is delivered all the same."""
    disk = make_disk()
    disk.open(spool)
    spool.append(b'one\n')
    assert disk.usable
    spool_dir.rename(spool_dir.with_name('away'))
    spool_dir.write_text('a file')
    assert 'kept in memory from now on' in disk.tidy(spool, 0.0)
    assert not disk.usable
    assert not disk.is_open
    spool.append(b'two\n')
    assert deliver(spool) == [b'one\n', b'two\n']
    spool_dir.unlink()
    disk.open(spool)
    assert disk.usable


def test_what_it_has_lost_to_another_process_is_not_adopted_back(make_disk, spool, spool_dir):
    """Its events are in the spool still, and would be there twice."""
    disk = make_disk()
    disk.open(spool)
    spool.append(b'one\n')
    # The numbers are other files' from now on.
    others = [os.open(os.devnull, os.O_RDONLY) for _ in close_descriptors(disk.store.directory)]
    give_away(disk.store.directory.path)
    (other,) = lock_dead_producers(spool_dir, BAR)
    assert 'goes on in' in disk.tidy(spool, 0.0)
    assert disk.path != other.path
    other.release()
    disk.look_at_once()
    disk.tidy(spool, 0.0)
    assert spool.account().adopted == 0
    assert deliver(spool) == [b'one\n']
    disk.close(spool)
    for number in others:
        os.close(number)


def test_its_own_it_does_not_adopt_whatever_becomes_of_its_locks(make_disk, spool):
    """Its events are in the spool. They may be lost at any moment of a look."""
    disk = make_disk()
    disk.open(spool)
    spool.append(b'one\n')
    give_away(disk.store.directory.path)
    for name in ('alive', 'reader'):
        (disk.path / name).unlink()
    disk._adoption.adopt_dead_producers(spool.adopt)
    assert spool.account().adopted == 0


def test_without_a_directory_of_its_own_it_adopts_all_the_same(make_disk, spool, spool_dir):
    """A handler that logs nothing delivers what others have left."""
    leave_behind(spool_dir, b'one\n', b'two\n')
    disk = make_disk()
    assert disk.tidy(spool, 0.0) is None
    assert not disk.is_open
    assert deliver(spool) == [b'one\n', b'two\n']
    assert producers(spool_dir) == []


def test_locks_of_what_was_adopted_are_taken_again_without_a_directory_of_its_own(
    make_disk, spool, spool_dir
):
    """A daemoniser closes them too."""
    leave_behind(spool_dir, b'one\n')
    disk = make_disk()
    disk.tidy(spool, 0.0)
    (adopted,) = disk._adoption.directories
    close_descriptors(adopted)
    assert disk.tidy(spool, 0.0) is None
    (adopted,) = disk._adoption.directories
    assert adopted.is_held()
    gc.collect()
    assert adopted.is_held(), 'what was lost has closed nothing of what was taken again'
    assert deliver(spool) == [b'one\n']


def test_it_says_when_it_looks_next_and_looks_at_once_where_it_is_asked_to(make_disk, spool, spool_dir):
    """An idle delivery thread wakes for it."""
    disk = make_disk()
    assert disk.next_look_at < 0
    disk.tidy(spool, 100.0)
    assert disk.next_look_at == 100.0 + LOOK_INTERVAL_SECONDS
    leave_behind(spool_dir, b'one\n')
    disk.tidy(spool, disk.next_look_at - 1)
    assert not spool.has_adopted
    disk.look_at_once()
    disk.tidy(spool, 101.0)
    assert spool.has_adopted
    assert disk.next_look_at == 101.0 + LOOK_INTERVAL_SECONDS


def test_the_header_of_a_spare_segment_is_on_the_disk_before_an_event_is_in_it(make_disk, spool, monkeypatch):
    """Once, by delivery, outside of every lock, while no other page has been written."""
    disk = make_disk()
    disk.open(spool)
    synced = []

    def note(fd):
        data = os.pread(fd, 1 << 20, 0)
        assert not spool.interrupted, 'the application waits for its lock'
        synced.append((parse_header(data), data[4096:].strip(b'\0')))

    monkeypatch.setattr(os, 'fsync', note)
    line = b'x' * 1023 + b'\n'
    while not synced:
        spool.append(line)
        spool.tidy()
    (header, rest), *others = synced
    assert (header.destination['stream'], header.producer_id) == ('bar', disk.store.directory.id)
    assert rest == b''
    assert others == []
    (spare,) = disk.path.glob('.tmp-*')
    while spare.exists():
        spool.append(line)
    assert len(synced) == 1
    named = max(disk.path.glob('*.spool'))
    assert f'{parse_header(named.read_bytes()).first_sequence:016x}' == named.stem
    deliver(spool)
    disk.close(spool)


def test_a_spare_segment_that_cannot_be_synced_is_used_all_the_same(make_disk, spool, monkeypatch):
    """After a power loss its lines are found without a header, too."""

    def refuse(fd):
        raise OSError(errno.EIO, 'Input/output error')

    disk = make_disk()
    disk.open(spool)
    monkeypatch.setattr(os, 'fsync', refuse)
    while not list(disk.path.glob('.tmp-*')):
        spool.append(b'x' * 1023 + b'\n')
        spool.tidy()
    assert spool.account().dropped == {}
    deliver(spool)
    disk.close(spool)
    assert not disk.is_open
