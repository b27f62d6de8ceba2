"""Is only that deleted which nobody will miss, or which was named?"""

from __future__ import annotations

import os
import threading

import pytest

from firefighter._spool.disk import removal
from firefighter._spool.disk.inspection import find_producers
from firefighter._spool.disk.private_directory import PrivateDirectory
from firefighter._spool.disk.recovery import boot_id
from firefighter._spool.disk.removal import remove_dead, why_irremovable
from spool_files import line


@pytest.fixture
def found(spool_dir):
    """Find what a producer has left."""

    def found(producer):
        (match,) = [
            found for found in find_producers(spool_dir, boot_id(), pytest.fail) if found.id == producer.id
        ]
        return match

    return found


@pytest.fixture
def make_dead(make_producer):
    """Make a producer that has died with an event."""

    def make(stream='bar'):
        producer = make_producer(stream)
        producer.segment(line('a'))
        producer.die()
        return producer

    return make


def names(path):
    return sorted(entry.name for entry in path.iterdir())


def test_what_a_dead_producer_left_is_deleted_with_its_directory(make_producer, make_dead, found):
    """Segments, locks, what is half made; nothing beside it."""
    producer, other = make_dead(), make_producer()
    (producer.path / '.tmp-0123456789abcdef').write_bytes(b'x')
    assert why_irremovable(found(producer)) is None
    assert remove_dead(found(producer)) == []
    assert not producer.path.exists()
    assert other.path.exists()


def test_what_never_logged_is_deleted_too(make_producer, found):
    """And what somebody left who died while removing it."""
    for kept in (('alive', 'reader', 'producer.json'), ('alive', 'reader'), ('alive',)):
        producer = make_producer()
        producer.die()
        for name in names(producer.path):
            if name not in kept:
                (producer.path / name).unlink()
        assert remove_dead(found(producer)) == []
        assert not producer.path.exists()


@pytest.mark.parametrize('lock', ['_alive', '_reader'])
def test_what_somebody_holds_is_left_as_it_is(make_producer, found, lock):
    """A producer that is alive; one whose events somebody delivers."""
    producer = make_producer()
    producer.segment(line('a'))
    getattr(producer.directory, {'_alive': '_reader', '_reader': '_alive'}[lock]).release()
    before = names(producer.path)
    (left,) = remove_dead(found(producer), newer_too=True)
    assert 'in use' in left
    assert names(producer.path) == before


def test_a_living_producer_is_refused_before_anybody_is_asked(make_producer, found):
    """Nothing is tried on it."""
    producer = make_producer()
    assert 'in use' in why_irremovable(found(producer))
    assert producer.directory.is_held()


def test_the_locks_are_held_while_it_is_deleted(make_dead, found, monkeypatch):
    """So nobody adopts what is half gone."""
    producer = make_dead()
    remove = removal._remove
    tried = []

    def remove_while_another_tries(dead, *args, **kwargs):
        tried.append(remove_dead(dead))
        return remove(dead, *args, **kwargs)

    monkeypatch.setattr(removal, '_remove', remove_while_another_tries)
    assert remove_dead(found(producer)) == []
    ((left,),) = tried
    assert 'in use' in left


@pytest.mark.parametrize('name', [None, '.tmp-0123456789abcdef'])
def test_a_newer_version_is_deleted_only_when_it_was_named(name, make_producer, found):
    """It is not for us to say what is in it."""
    producer = make_producer()
    segment = producer.segment(line('a'), version=2)
    if name:
        segment.path.rename(segment.path.with_name(name))
    producer.die()
    (left,) = remove_dead(found(producer))
    assert 'newer version' in left
    assert why_irremovable(found(producer)) == left
    assert why_irremovable(found(producer), newer_too=True) is None
    assert list(producer.path.glob(name or '*.spool'))
    assert remove_dead(found(producer), newer_too=True) == []
    assert not producer.path.exists()


def put_directory(path):
    path.mkdir()


def put_link(path):
    path.symlink_to('/')


def put_file(path):
    path.write_bytes(b'x')


@pytest.mark.parametrize(
    ('name', 'put'),
    [
        ('directory', put_directory),
        ('notes.txt', put_file),
        ('quarantine', put_file),
        ('1.spool', put_file),
        (f'{1:016x}.spool', put_directory),
        (f'{1:016x}.spool', put_link),
        ('.tmp-1', os.mkfifo),
        ('.tmp-notes', put_file),
        ('destination.json', put_directory),
    ],
)
def test_what_no_producer_makes_is_left_and_named_and_the_directory_with_it(make_dead, found, name, put):
    """The events go, as was agreed; once it is gone too, so does the rest."""
    producer = make_dead()
    put(producer.path / name)
    (left,) = remove_dead(found(producer))
    assert left.startswith(f'{producer.path / name}: ')
    assert names(producer.path) == sorted([name, 'alive', 'reader', 'producer.json'])
    (producer.path / name).rmdir() if put is put_directory else (producer.path / name).unlink()
    assert remove_dead(found(producer)) == []
    assert not producer.path.exists()


def without_lock(path):
    (path / 'alive').unlink()


def lock_with_content(path):
    (path / 'alive').write_bytes(b'x')


def without_segment(path):
    (path / f'{0:016x}.spool').unlink()
    (path / 'notes.txt').write_bytes(b'x')


def only_segments_of_others(path):
    (path / f'{0:016x}.spool').rename(path / 'of-another.spool')


def of_another_user(path):
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize(
    'change',
    [
        without_lock,
        lock_with_content,
        without_segment,
        only_segments_of_others,
        pytest.param(of_another_user, marks=pytest.mark.skipif(os.geteuid() != 0, reason='only root can')),
    ],
)
def test_what_no_producer_of_ours_has_made_is_not_touched(make_dead, found, change):
    """Its name alone makes no directory ours. Not even its mode is changed."""
    producer = make_dead()
    change(producer.path)
    producer.path.chmod(0o750)
    before = names(producer.path)
    refusal = why_irremovable(found(producer))
    assert str(producer.path) in refusal
    assert remove_dead(found(producer), newer_too=True) == [refusal]
    assert names(producer.path) == before
    assert producer.path.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize('level', [0, 1, 2])
def test_a_link_in_the_place_of_any_directory_on_the_way_is_not_followed(make_dead, found, tmp_path, level):
    """Whoever may write into a shared directory cannot have other files deleted, nor the same ones elsewhere."""
    producer = make_dead()
    dead = found(producer)
    swapped = [producer.path, *producer.path.parents][level]
    swapped.rename(tmp_path / 'elsewhere')
    swapped.symlink_to(tmp_path / 'elsewhere')
    (left,) = remove_dead(dead)
    assert str(producer.path) in left
    assert list((tmp_path / 'elsewhere').rglob('*.spool'))


@pytest.mark.parametrize('level', [0, 1, 2])
def test_another_directory_in_the_place_of_any_on_the_way_is_left(make_dead, found, tmp_path, level):
    """Also when a producer of ours is in it, and dead: it is not the one that was asked about."""
    producer, victim = make_dead(), make_dead('victim')
    dead = found(producer)
    victim.path.rename(tmp_path / 'victim')
    swapped = [producer.path, *producer.path.parents][level]
    swapped.rename(tmp_path / 'aside')
    producer.path.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / 'victim').rename(producer.path)
    (left,) = remove_dead(dead)
    assert 'something else has its place' in left
    assert list(producer.path.glob('*.spool'))


@pytest.mark.parametrize('step', ['take_both', 'unlink alive'])
def test_what_takes_its_place_between_the_steps_is_left(make_dead, found, tmp_path, monkeypatch, step):
    """Before anything is deleted, and before the directory itself is: an empty one too."""
    producer = make_dead()
    dead = found(producer)

    def swap_and(function, name=None):
        def swapping(*args):
            if name in {None, args[-1]}:
                producer.path.rename(tmp_path / 'aside')
                producer.path.mkdir()
            return function(*args)

        return swapping

    if step == 'take_both':
        monkeypatch.setattr(removal, 'take_locks', swap_and(removal.take_locks))
    else:
        monkeypatch.setattr(PrivateDirectory, 'unlink', swap_and(PrivateDirectory.unlink, 'alive'))
    (left,) = remove_dead(dead)
    assert 'something else has its place' in left
    assert producer.path.exists()
    assert bool(list((tmp_path / 'aside').iterdir())) == (step == 'take_both')


@pytest.mark.parametrize('level', [0, 1, 2])
def test_whoever_swaps_directories_all_the_while_has_nothing_else_deleted(
    make_dead, found, spool_dir, tmp_path, level
):
    """Between any two steps: it goes, or it stays, and what was put in its place stays."""
    victim = make_dead('victim')
    stolen = tmp_path / 'stolen'
    for _ in range(20):
        producer = make_dead()
        dead = found(producer)
        way = [producer.path, *producer.path.parents][: level + 1]
        below = producer.path.relative_to(way[-1])
        (stolen / below).parent.mkdir(parents=True, exist_ok=True)
        victim.path.rename(stolen / below)
        stop = threading.Event()
        attacker = threading.Thread(target=swap, args=(way[-1], stolen, tmp_path / 'aside', stop))
        attacker.start()
        remove_dead(dead)
        stop.set()
        attacker.join()
        assert names(stolen / below) == ['0000000000000000.spool', 'alive', 'producer.json', 'reader']
        (stolen / below).rename(victim.path)


def swap(path, stolen, aside, stop):
    """Put a link and another directory in the place of one, and that back, again and again."""
    while not stop.is_set():
        try:
            path.rename(aside)
        except FileNotFoundError:
            return
        path.symlink_to(stolen)
        path.unlink()
        stolen.rename(path)
        path.rename(stolen)
        aside.rename(path)
