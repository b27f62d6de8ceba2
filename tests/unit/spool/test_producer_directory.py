"""A producer's directory: made whole, ours alone, held until it is let go of."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from firefighter._spool.disk import destination_folder as making
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import create_producer, lock_again
from firefighter._spool.disk.errors import SpoolUnusable
from firefighter._spool.disk.private_directory import PrivateDirectory
from firefighter._spool.disk.producer_directory import producer_id_of
from spool_files import is_locked


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_every_level_is_made_for_us_alone(make_producer, spool_dir):
    """Whatever the umask lets through."""
    before = os.umask(0)
    try:
        producer = make_producer('foo/bar')
    finally:
        os.umask(before)
    destination = Destination('foo/bar')
    assert producer.path == spool_dir / str(os.geteuid()) / destination.folder_name / producer.id.hex()
    assert [mode(path) for path in (spool_dir, *producer.path.parents[:2], producer.path)] == [0o700] * 4
    assert {mode(path) for path in producer.path.iterdir()} == {0o600}


def test_the_parent_of_the_spool_directory_is_not_made(tmp_path):
    """A typing error in the path must not go unnoticed."""
    with pytest.raises(SpoolUnusable, match='make the directory'):
        create_producer(tmp_path / 'missing' / 'spool', Destination('bar'))


def test_each_producer_has_an_id_of_its_own(make_producer):
    """Also two of the same process and destination."""
    one, other = make_producer(), make_producer()
    assert len(one.id) == len(other.id) == 16
    assert one.id != other.id
    assert one.path.name == one.id.hex()


def test_people_can_read_who_a_producer_is_and_where_it_delivers(make_producer, monkeypatch):
    """Pid, start, host and program; and the destination, of which the folder's name has a hash."""
    monkeypatch.setattr(sys, 'argv', ['service'])
    producer = make_producer()
    about = json.loads((producer.path / 'producer.json').read_text())
    assert about['pid'] == os.getpid()
    assert about['host'] == os.uname().nodename
    assert about['program'] == 'service'
    assert about['started'].endswith('+00:00')
    destination = (producer.path.parent / 'destination.json').read_bytes()
    assert Destination.from_json(destination) == Destination('bar')


def test_the_destination_is_on_the_disk_before_it_is_said_and_said_once(make_producer, monkeypatch):
    """A power cut would leave an empty file. The next ones find it there, and wait for no disk."""
    synced = []
    monkeypatch.setattr(os, 'fsync', lambda fd: synced.append(os.fstat(fd).st_ino))
    path = make_producer().path.parent / 'destination.json'
    assert synced == [path.stat().st_ino]
    make_producer()
    assert len(synced) == 1
    path.write_bytes(b'')
    make_producer()
    assert synced[1:] == [path.stat().st_ino]
    assert Destination.from_json(path.read_bytes()) == Destination('bar')


def test_a_program_that_embeds_python_may_have_no_arguments(make_producer, monkeypatch):
    """`sys.argv` is missing or empty there."""
    monkeypatch.setattr(sys, 'argv', [])
    make_producer()
    monkeypatch.delattr(sys, 'argv')
    make_producer()


def test_a_producer_has_its_name_only_once_it_is_locked_and_complete(make_producer, monkeypatch):
    """So nobody takes one that is being made for a dead one."""
    seen = []
    genuine = PrivateDirectory.rename

    def look_first(folder, old, new):
        with folder.directory(old) as directory:
            locked = [is_locked(directory, name) for name in ('alive', 'reader')]
            seen.append((old, sorted(directory.names()), locked))
        genuine(folder, old, new)

    monkeypatch.setattr(PrivateDirectory, 'rename', look_first)
    producer = make_producer()
    assert seen == [(f'.new-{producer.id.hex()}', ['alive', 'producer.json', 'reader'], [True, True])]
    assert names(producer.path.parent) == sorted([producer.path.name, 'destination.json'])


def test_a_maker_that_is_taken_for_dead_makes_another(make_producer, monkeypatch):
    """Before it has locked its directory, who cleans up cannot tell; then it is only a little later."""
    genuine, calls = making.take_locks, []

    def lose_the_first(directory):
        calls.append(directory)
        if len(calls) == 1:
            return None
        if len(calls) == 2:
            directory.path.rmdir()
        return genuine(directory)

    monkeypatch.setattr(making, 'take_locks', lose_the_first)
    assert make_producer().is_held()
    assert len(calls) == 3


def test_a_directory_in_which_nothing_lasts_is_refused(spool_dir, monkeypatch, descriptors_as_they_were):
    """And not tried for ever."""
    monkeypatch.setattr(making, 'take_locks', lambda directory: None)
    with pytest.raises(SpoolUnusable, match='something removes'):
        create_producer(spool_dir, Destination('bar'))


def test_a_failure_half_way_leaves_nothing_behind(spool_dir, monkeypatch, descriptors_as_they_were):
    """Neither files nor descriptors nor locks."""

    def refuse(folder, old, new):
        raise SpoolUnusable('full')

    monkeypatch.setattr(PrivateDirectory, 'rename', refuse)
    with pytest.raises(SpoolUnusable, match='full'):
        create_producer(spool_dir, Destination('bar'))
    assert names(spool_dir / str(os.geteuid()) / Destination('bar').folder_name) == ['destination.json']


@pytest.mark.parametrize('name', ['', '0' * 31, '0' * 34, 'A' * 32, '00 ' * 16, 'notes', '.new-' + '0' * 32])
def test_only_an_id_is_taken_for_one(name):
    """And each has one spelling only, so that no producer is found twice."""
    assert producer_id_of(name) is None
    assert producer_id_of('0f' * 16) == b'\x0f' * 16


def test_it_is_held_until_it_is_let_go_of(make_producer):
    """By both locks."""
    producer = make_producer()
    assert producer.is_held()
    producer.release()
    assert not producer.is_held()


@pytest.mark.parametrize('which', ['_directory', '_alive', '_reader'])
def test_it_is_no_longer_held_when_a_daemoniser_has_closed_a_descriptor(make_producer, which):
    """Nor when the number stands for another file; then that is left alone."""
    producer = make_producer()
    part = getattr(producer, which)
    fd = (getattr(part, 'descriptor', None) or part._descriptor).fd
    os.close(fd)
    assert not producer.is_held()
    with Path(os.devnull).open() as other:
        os.dup2(other.fileno(), fd)
        assert not producer.is_held()
        producer.release()
        assert os.path.samestat(os.fstat(fd), os.fstat(other.fileno()))
    os.close(fd)


def test_it_is_no_longer_held_when_the_path_leads_elsewhere(make_producer, spool_dir):
    """In a directory that others may write to, ours can be moved away; no adopter would look there."""
    producer = make_producer()
    spool_dir.rename(spool_dir.with_name('away'))
    assert not producer.is_held()


def test_files_are_made_renamed_listed_and_removed_below_the_descriptor(make_producer, spool_dir):
    """Wherever the path leads meanwhile."""
    producer = make_producer()
    spool_dir.rename(spool_dir.with_name('away'))
    fd = producer.open_file('.tmp-1', os.O_RDWR | os.O_CREAT | os.O_EXCL)
    assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o600
    os.close(fd)
    producer.move('.tmp-1', producer, '1.spool')
    assert sorted(producer.names()) == ['1.spool', 'alive', 'producer.json', 'reader']
    assert producer.names(), 'a second time, too'
    producer.unlink('1.spool')
    assert '1.spool' not in producer.names()


def test_a_listing_is_whole_while_another_one_is_under_way(make_producer):
    """Threads, and forked children, have the directory's descriptor in common, and with that its position."""
    producer = make_producer()
    with os.scandir(producer.fd) as under_way:
        next(under_way)
        assert sorted(producer.names()) == ['alive', 'producer.json', 'reader']


def test_what_the_file_system_refuses_has_its_number(make_producer):
    """A missing file and a full disk are told apart by it."""
    producer = make_producer()
    for attempt in (
        lambda: producer.open_file('missing', os.O_RDONLY),
        lambda: producer.unlink('missing'),
        lambda: producer.move('missing', producer, 'new'),
    ):
        with pytest.raises(SpoolUnusable, match='missing: No such file') as caught:
            attempt()
        assert caught.value.errno == 2


def test_a_directory_with_events_is_not_removed(make_producer):
    """And stays held."""
    producer = make_producer(segments=1)
    assert not producer.remove()
    assert producer.is_held()
    assert len(producer.names()) == 4


def test_a_directory_with_a_segment_that_has_no_name_is_not_removed(make_producer):
    """Where a full disk refused it its name, there are events in it."""
    producer = make_producer()
    os.close(producer.open_file('.tmp-1', os.O_WRONLY | os.O_CREAT))
    assert not producer.remove()
    assert producer.is_held()
    producer.unlink('.tmp-1')
    assert producer.remove()
    assert not producer.path.exists()
    assert not producer.is_held()


def test_the_locks_go_last(make_producer, monkeypatch):
    """Who finds the directory half removed finds it locked."""
    removed = []
    genuine = PrivateDirectory.unlink

    def note(directory, name):
        removed.append((name, is_locked(directory, 'alive')))
        genuine(directory, name)

    monkeypatch.setattr(PrivateDirectory, 'unlink', note)
    assert make_producer().remove()
    assert removed == [('producer.json', True), ('reader', True), ('alive', True)]


def test_removing_yields_to_who_comes_between_the_last_file_and_the_directory(make_producer, monkeypatch):
    """That one finds no event, and removes the rest."""
    genuine = PrivateDirectory.unlink

    def come_between(directory, name):
        genuine(directory, name)
        if name == 'alive':
            (directory.path / 'alive').touch()

    monkeypatch.setattr(PrivateDirectory, 'unlink', come_between)
    producer = make_producer()
    assert producer.remove()
    assert names(producer.path) == ['alive']


def test_removing_is_content_with_what_another_one_has_removed(make_producer, monkeypatch):
    """Who came between may have done the rest."""
    genuine = PrivateDirectory.unlink

    def come_between(directory, name):
        genuine(directory, name)
        if name == 'alive':
            directory.path.rmdir()

    monkeypatch.setattr(PrivateDirectory, 'unlink', come_between)
    producer = make_producer()
    assert producer.remove()
    assert not producer.is_held()


def test_a_directory_that_cannot_be_removed_is_said(make_producer, monkeypatch):
    """By the system's reason."""

    def refuse(path, *, dir_fd):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(os, 'rmdir', refuse)
    with pytest.raises(SpoolUnusable, match='Permission denied'):
        make_producer().remove()


def test_the_locks_of_one_below_another_uid_are_taken_again(make_producer, spool_dir):
    """Something has closed the descriptors of one that was adopted there."""
    producer = make_producer()
    producer.release()
    (spool_dir / str(os.geteuid())).rename(spool_dir / '4242')
    again = lock_again(spool_dir, Destination('bar'), producer.id)
    assert again.path == spool_dir / '4242' / producer.path.parent.name / producer.path.name
    assert again.is_held()
    assert lock_again(spool_dir, Destination('bar'), producer.id) is None, 'they are taken'
    again.release()
