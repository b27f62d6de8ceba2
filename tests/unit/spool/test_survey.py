"""What is in a spool directory, without changing anything there."""

from __future__ import annotations

import os

import pytest

from firefighter._spool.destination import Destination
from firefighter._spool.survey import producers, used_bytes
from firefighter._spool.unusable import SpoolUnusable


def test_producers_are_listed_with_all_that_is_known(make_producer, spool_dir):
    """Alive or dead, of all destinations."""
    alive, dead = make_producer('alive'), make_producer('dead', segments=1)
    dead.release()
    found = {producer.id: producer for producer in producers(spool_dir)}
    assert found.keys() == {alive.id, dead.id}
    assert (found[alive.id].alive, found[dead.id].alive) == (True, False)
    assert found[dead.id].destination == Destination('dead')
    assert found[dead.id].path == dead.path
    assert found[dead.id].about['pid'] == os.getpid()
    assert alive.held(), 'looking changes nothing'


@pytest.mark.parametrize('damage', [b'', b'{', b'[]', b'\xff', None])
def test_a_producer_is_listed_even_if_what_it_says_cannot_be_read(make_producer, spool_dir, damage):
    """A full disk, a newer version, somebody's hand."""
    producer = make_producer()
    for path in (producer.path / 'producer.json', producer.path.parent / 'destination.json'):
        if damage is None:
            path.unlink()
        else:
            path.write_bytes(damage)
    (found,) = producers(spool_dir)
    assert (found.id, found.destination, found.about) == (producer.id, None, {})


def test_a_missing_directory_is_said_and_not_made(spool_dir):
    """Somebody has mistyped it."""
    with pytest.raises(SpoolUnusable, match='No such file'):
        producers(spool_dir)
    assert not spool_dir.exists()


def test_a_directory_without_anything_of_ours_has_no_producers(spool_dir):
    """It may be another user's."""
    spool_dir.mkdir()
    assert producers(spool_dir) == []


def test_the_bytes_of_a_destination_are_those_of_all_its_producers(make_producer, spool_dir):
    """Orphans included, other destinations not."""
    assert used_bytes(spool_dir, Destination('bar')) == 0
    small = [make_producer('bar') for _ in range(3)]
    without = used_bytes(spool_dir, Destination('bar'))
    assert without < 3 * 300
    small[0].release()
    make_producer('bar', segments=2).release()
    make_producer('bar', segments=1)
    make_producer('other', segments=7)
    more = used_bytes(spool_dir, Destination('bar')) - without
    assert 3000 <= more < 3000 + 600
