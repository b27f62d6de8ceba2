"""How much is in a spool directory, without changing anything there."""

from __future__ import annotations

import os

from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.directory_size import used_bytes


def test_the_bytes_of_a_destination_are_those_of_all_its_producers(make_producer, spool_dir):
    """Orphans included, other destinations not; nor what is no segment, which nobody here can clear away."""
    assert used_bytes(spool_dir, Destination('bar')) == 0
    small = [make_producer('bar') for _ in range(3)]
    (small[1].path / 'stray.tar').write_bytes(b'x' * 100_000)
    assert used_bytes(spool_dir, Destination('bar')) == 0
    small[0].release()
    make_producer('bar', segments=2).release()
    make_producer('bar', segments=1)
    make_producer('other', segments=7)
    assert used_bytes(spool_dir, Destination('bar')) == 3000


def test_what_a_file_says_and_does_not_take_is_not_counted(make_producer, spool_dir):
    """A corrupt inode of 400 GiB must not use up the bound of all the others."""
    producer = make_producer('bar', segments=1)
    before = used_bytes(spool_dir, Destination('bar'))
    os.truncate(producer.path / f'{0:016x}.spool', 400 << 30)
    assert used_bytes(spool_dir, Destination('bar')) - before <= 64 * 1024
