"""Is only that deleted which nobody will miss, or which was named?"""

from __future__ import annotations

import pytest

from firefighter._spool import removal
from firefighter._spool.removal import remove_dead
from spool_files import line


def test_what_a_dead_producer_left_is_deleted_with_its_directory(make_producer):
    """Segments, locks, what is half made, and the quarantine; nothing beside it."""
    producer, other = make_producer(), make_producer()
    producer.segment(line('a'))
    (producer.path / 'quarantine').write_bytes(b'x')
    (producer.path / '.tmp-1').write_bytes(b'x')
    producer.die()
    assert remove_dead(producer.path) is None
    assert not producer.path.exists()
    assert other.path.exists()


@pytest.mark.parametrize('lock', ['_alive', '_reader'])
def test_what_somebody_holds_is_left_as_it_is(make_producer, lock):
    """A producer that is alive; one whose events somebody delivers."""
    producer = make_producer()
    producer.segment(line('a'))
    getattr(producer.directory, {'_alive': '_reader', '_reader': '_alive'}[lock]).release()
    assert 'in use' in remove_dead(producer.path, newer_too=True)
    assert [path.name for path in producer.path.glob('*.spool')] == [f'{0:016x}.spool']


def test_the_locks_are_held_while_it_is_deleted(make_producer, monkeypatch):
    """So nobody adopts what is half gone."""
    producer = make_producer()
    producer.segment(line('a'))
    producer.die()
    discard = removal.discard
    tried = []

    def discard_while_another_tries(directory):
        tried.append(remove_dead(producer.path))
        discard(directory)

    monkeypatch.setattr(removal, 'discard', discard_while_another_tries)
    assert remove_dead(producer.path) is None
    assert len(tried) == 1
    assert 'in use' in tried[0]


def test_a_newer_version_is_deleted_only_when_it_was_named(make_producer):
    """It is not for us to say what is in it."""
    producer = make_producer()
    producer.segment(line('a'), version=2)
    producer.die()
    assert 'newer version' in remove_dead(producer.path)
    assert list(producer.path.glob('*.spool'))
    assert remove_dead(producer.path, newer_too=True) is None
    assert not producer.path.exists()


def test_what_it_cannot_delete_it_names(make_producer):
    """And lets go of the locks."""
    producer = make_producer()
    (producer.path / 'directory').mkdir()
    producer.die()
    assert 'directory' in remove_dead(producer.path)
    (producer.path / 'directory').rmdir()
    assert remove_dead(producer.path) is None


def test_a_link_in_its_place_is_not_followed(make_producer, tmp_path):
    """Whoever may write into a shared directory cannot have other files deleted."""
    producer = make_producer()
    producer.die()
    producer.path.rename(tmp_path / 'elsewhere')
    producer.path.symlink_to(tmp_path / 'elsewhere')
    assert 'link' in remove_dead(producer.path)
    assert (tmp_path / 'elsewhere' / 'alive').exists()
