"""What dead producers have left: who may have it, and what is left to others."""

from __future__ import annotations

import pytest

from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import lock_dead_producers
from firefighter._spool.disk.private_directory import PrivateDirectory

BAR = Destination('bar')


def test_the_living_are_not_adopted(make_producer, spool_dir):
    """Not even by another handler of the same process."""
    make_producer(segments=1)
    assert lock_dead_producers(spool_dir, BAR) == []


def test_the_dead_are_adopted_with_both_locks(make_producer, spool_dir):
    """So the adopter is to everybody else what the producer was."""
    producer = make_producer(segments=2)
    producer.release()
    (adopted,) = lock_dead_producers(spool_dir, BAR)
    assert (adopted.id, adopted.path) == (producer.id, producer.path)
    assert adopted.is_held()
    assert sorted(adopted.names()) == sorted(
        ['alive', 'reader', 'producer.json', '0000000000000000.spool', '0000000000000001.spool']
    )
    assert lock_dead_producers(spool_dir, BAR) == [], 'and only once'
    adopted.release()


def test_what_an_adopter_lets_go_of_is_adopted_again(make_producer, spool_dir):
    """Also when it has died."""
    make_producer(segments=1).release()
    for _ in range(3):
        (adopted,) = lock_dead_producers(spool_dir, BAR)
        adopted.release()


def test_who_only_delivers_keeps_an_orphan_too(make_producer, spool_dir):
    """The relay has the reader's lock while the producer has its own."""
    producer = make_producer(segments=1)
    producer._alive.release()
    assert lock_dead_producers(spool_dir, BAR) == []
    producer._reader.release()
    (adopted,) = lock_dead_producers(spool_dir, BAR)
    adopted.release()


def test_another_destinations_dead_are_left_alone(make_producer, spool_dir):
    """The same stream in another region is another stream."""
    make_producer('bar', segments=1).release()
    assert lock_dead_producers(spool_dir, Destination('foo')) == []
    assert lock_dead_producers(spool_dir, Destination('bar', 'eu-west-1')) == []


def test_without_a_directory_there_are_no_orphans(spool_dir):
    """And looking makes none."""
    assert lock_dead_producers(spool_dir, BAR) == []
    assert not spool_dir.exists()


def test_only_so_many_are_adopted_at_once(make_producer, spool_dir):
    """Each takes three descriptors, and a thousand workers may have died."""
    for _ in range(5):
        make_producer(segments=1).release()
    first, second, none = (lock_dead_producers(spool_dir, BAR, limit=limit) for limit in (3, 3, 3))
    assert (len(first), len(second), len(none)) == (3, 2, 0)
    for producer in first + second:
        producer.release()


def test_those_that_are_to_be_left_are_left(make_producer, spool_dir):
    """A newer version's events wait for a newer reader, and must not keep the others from theirs."""
    newer, older = make_producer(segments=1), make_producer(segments=1)
    newer.release()
    older.release()
    (adopted,) = lock_dead_producers(spool_dir, BAR, limit=1, excluded={newer.id})
    assert adopted.id == older.id
    adopted.release()


def test_an_orphan_without_events_is_removed(make_producer, spool_dir):
    """There is nothing to deliver; also when somebody died while removing it."""
    empty, half_removed = make_producer(), make_producer()
    empty.release()
    half_removed.release()
    for path in half_removed.path.iterdir():
        path.unlink()
    assert lock_dead_producers(spool_dir, BAR) == []
    assert [path.name for path in empty.path.parent.iterdir()] == ['destination.json']


@pytest.mark.parametrize('left', [(), ('alive',), ('alive', 'reader', 'producer.json', 'destination.json')])
def test_what_a_dead_maker_has_not_finished_is_removed(make_producer, spool_dir, left):
    """However far it came."""
    folder = make_producer().path.parent
    new = folder / f'.new-{"0" * 32}'
    new.mkdir(0o700)
    for name in left:
        (new / name).touch()
    assert lock_dead_producers(spool_dir, BAR) == []
    assert not new.exists()


@pytest.mark.parametrize(
    ('name', 'file'),
    [('.new-notes', 'thesis.txt'), ('.new-notes', 'alive'), (f'.new-{"0" * 32}', 'thesis.txt')],
)
def test_what_no_maker_leaves_is_not_removed(make_producer, spool_dir, name, file):
    """By its own name, or by what is in it; and nothing is added to it."""
    foreign = make_producer().path.parent / name
    foreign.mkdir(0o700)
    (foreign / file).write_text('precious')
    assert lock_dead_producers(spool_dir, BAR) == []
    assert {path.name: path.read_text() for path in foreign.iterdir()} == {file: 'precious'}


def test_what_a_living_maker_has_not_finished_stays(make_producer, spool_dir, monkeypatch):
    """It holds the lock."""
    genuine = PrivateDirectory.rename

    def look_for_orphans_first(folder, old, new):
        assert lock_dead_producers(spool_dir, BAR) == []
        genuine(folder, old, new)

    monkeypatch.setattr(PrivateDirectory, 'rename', look_for_orphans_first)
    assert make_producer().is_held()


def test_a_directory_that_got_its_name_while_it_was_cleaned_up_is_left_alone(
    make_producer, spool_dir, monkeypatch
):
    """Who cleans up may be slow, and the maker quick, and dead by then; its events are an orphan's."""
    producer = make_producer(segments=1)
    producer.release()
    new = producer.path.with_name(f'.new-{producer.id.hex()}')
    producer.path.rename(new)
    genuine = PrivateDirectory.directory

    def rename_after_opening(folder, name, *, make=False):
        directory = genuine(folder, name, make=make)
        if name == new.name:
            new.rename(producer.path)
        return directory

    monkeypatch.setattr(PrivateDirectory, 'directory', rename_after_opening)
    lock_dead_producers(spool_dir, BAR)
    assert (producer.path / '0000000000000000.spool').exists()


def test_a_directory_removed_meanwhile_is_passed_over(make_producer, spool_dir, monkeypatch):
    """Another process was quicker."""
    gone, stays = make_producer(segments=1), make_producer(segments=1)
    gone.release()
    stays.release()
    names = PrivateDirectory.names

    def list_what_was(directory):
        return [gone.path.name.replace(gone.path.name[0], 'f'), *names(directory)]

    monkeypatch.setattr(PrivateDirectory, 'names', list_what_was)
    adopted = lock_dead_producers(spool_dir, BAR)
    assert len(adopted) == 2
    for producer in adopted:
        producer.release()
