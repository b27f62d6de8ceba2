"""Is the bound of a directory kept by all who are in it, and is no more given up for it than has to be?"""

from __future__ import annotations

import os
import sys

import pytest

from firefighter._spool.disk import adoption
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.directory_size import DirectoryBound, UsedBytesCounter, used_bytes
from firefighter._spool.disk.errors import SpoolUnusable
from firefighter._spool.disk.spool_directory import SpoolDirectory
from firefighter._spool.spool import Spool
from spool_files import let_die

BAR = Destination('bar')
KIB = 1024
LINE = b'x' * (KIB - 1) + b'\n'
ENOUGH_BYTES = 1 << 30


@pytest.fixture
def make(descriptors_as_they_were, spool_dir):
    """A spool and its place on disk, as a process has them."""
    made = []

    def make(max_directory_bytes=ENOUGH_BYTES, max_spool_bytes=1024 * KIB):
        spool, disk = (
            Spool(max_spool_bytes),
            SpoolDirectory(spool_dir, BAR, max_spool_bytes, max_directory_bytes),
        )
        made.append((spool, disk))
        return spool, disk

    yield make
    for spool, disk in made:
        disk.release_adopted(spool, ())
        if disk.is_open:
            let_die(disk.store.directory)


@pytest.fixture
def leave_behind(make):
    """What a producer leaves that logs so many lines and dies; it is made of segments of 256 KiB."""

    def leave(lines):
        spool, disk = make()
        disk.open(spool)
        for _ in range(lines):
            spool.append(LINE)
        let_die(disk.store.directory)
        disk.abandon()

    return leave


@pytest.mark.parametrize('processes', [1, 2, 8])
def test_those_who_grow_at_once_stay_within_the_bound_and_a_segment_each(make, spool_dir, processes):
    """Each sees what the others have made, before it makes more."""
    bound_bytes = 4096 * KIB
    places = [make(bound_bytes, 2 * bound_bytes) for _ in range(processes)]
    for spool, disk in places:
        disk.open(spool)
    for _ in range(bound_bytes * 3 // 2 // KIB // processes):
        for spool, _ in places:
            spool.append(LINE)
    largest_bytes = max(path.stat().st_size for path in spool_dir.glob('*/*/*/*'))
    used = used_bytes(spool_dir, BAR)
    assert used <= bound_bytes + processes * largest_bytes
    assert used > bound_bytes - largest_bytes, 'and use it'
    # Alone it is full, and `overflow` decides. What finds no room because of others is kept in memory.
    assert [bool(spool.account().dropped) for spool, _ in places] == [processes == 1] * processes
    assert [not disk.usable for _, disk in places] == [processes > 1] * processes


def test_who_is_at_the_bound_gives_up_one_segment_for_another(make):
    """Others may have grown meanwhile; the place of what it has given up is still its own."""
    one, disk = make(1024 * KIB)
    disk.open(one)
    while not one.account().dropped:
        one.append(LINE)
    other, place = make(1024 * KIB)
    place.open(other)
    for _ in range(100):
        other.append(LINE)
    before = one.account()
    for _ in range(200):
        one.append(LINE)
    segment_events = 256
    dropped = one.account().dropped['overflow'] - before.dropped['overflow']
    assert dropped <= segment_events
    assert one.account().pending >= before.pending + 200 - segment_events


@pytest.mark.parametrize('bound_bytes', [64 * KIB, 128 * KIB, 255 * KIB])
def test_a_bound_below_that_of_a_spool_bounds_the_spool(bound_bytes, make, spool_dir):
    """Its segments are a quarter of the bound at most, as always: one of 256 KiB would never find room."""
    spool, disk = make(bound_bytes)
    disk.open(spool)
    for _ in range(30):
        spool.append(LINE)
    assert spool.account().dropped == {}
    assert disk.next_event_in_file(spool)
    for _ in range(1000):
        spool.append(LINE)
    assert spool.account().dropped['overflow'] > 0
    assert disk.next_event_in_file(spool), 'the newest are in files'
    assert spool.account().pending > bound_bytes // KIB // 2
    assert used_bytes(spool_dir, BAR) <= bound_bytes


def grow(make):
    """A process beside this one that is alive, and whose events wait."""
    spool, disk = make()
    disk.open(spool)
    for _ in range(900):
        spool.append(LINE)
    return disk.path


def leave_newer(leave_behind, spool_dir):
    """A dead process of a newer version."""
    leave_behind(900)
    segments = list(spool_dir.glob('*/*/*/*.spool'))
    for path in segments:
        with path.open('r+b') as file:
            file.seek(8)
            file.write((2).to_bytes(8, sys.byteorder))
    return segments[0].parent


def leave_bad(leave_behind, spool_dir):
    """Files that are named like segments, and cannot be read as such."""
    leave_behind(900)
    segments = list(spool_dir.glob('*/*/*/*.spool'))
    for path in segments:
        path.rename(path.with_name(f'backup-{path.name}'))
        path.with_name(f'backup-{path.name}').write_bytes(b'x' * 300_000)
    return segments[0].parent


@pytest.mark.parametrize('takes_the_room', [grow, leave_newer, leave_bad])
def test_what_others_have_in_the_directory_costs_no_event_that_memory_would_keep(
    takes_the_room, make, leave_behind, spool_dir
):
    """Nobody here can clear it away. So what finds no room is kept in memory, the cause is reported once, and the bound holds."""
    path = takes_the_room(make) if takes_the_room is grow else takes_the_room(leave_behind, spool_dir)
    before = used_bytes(spool_dir, BAR)
    spool, disk = make(600 * KIB)
    disk.open(spool)
    said = []
    for number in range(500):
        spool.append(LINE)
        if number % 100 == 0:
            said.append(disk.tidy(spool, number * 10.0))
    assert spool.account().dropped == {}
    assert spool.account().pending == 500
    (line,) = [line for line in said if line and 'max_directory_bytes' in line]
    assert str(path) in line
    assert 'kept in memory' in line
    assert used_bytes(spool_dir, BAR) <= before + 256 * KIB, 'one file is always granted'


def test_what_there_was_no_room_for_is_not_counted_again_for_each_event(make, monkeypatch):
    """Only files are counted for, and after that one all are in memory until the next look."""
    grow(make)
    spool, disk = make(600 * KIB)
    disk.open(spool)
    counted = []
    genuine = UsedBytesCounter.count

    def count(census):
        counted.append(census)
        return genuine(census)

    monkeypatch.setattr(UsedBytesCounter, 'count', count)
    for _ in range(100):
        spool.append(LINE)
    assert counted == [], 'the first file is always granted'
    for _ in range(300):
        spool.append(LINE)
    assert len(counted) == 1


def test_the_place_of_a_file_that_is_removed_is_its_own(make, spool_dir):
    """Whatever others have made meanwhile."""
    grow(make)
    bound = DirectoryBound(spool_dir, BAR, 300 * KIB)
    bound.grant(100 * KIB)
    with pytest.raises(SpoolUnusable, match='max_directory_bytes'):
        bound.grant(100 * KIB)
    bound.give_back(100 * KIB)
    bound.grant(100 * KIB)


def test_only_what_has_changed_is_looked_into_again(spool_dir, make_producer, monkeypatch):
    """A directory with the same time of change has the same files."""
    old, changing = make_producer(segments=1), make_producer(segments=1)
    for producer in (old, changing):
        os.utime(producer.path, (1_000_000_000, 1_000_000_000))
    census = UsedBytesCounter(spool_dir, BAR)
    before = census.count()
    assert before == used_bytes(spool_dir, BAR)
    looked_into = []
    genuine = os.listdir

    def listdir(path):
        looked_into.append(path)
        return genuine(path)

    monkeypatch.setattr(os, 'listdir', listdir)
    assert census.count() == before
    assert len(looked_into) == 1, 'the folder itself'
    for number in range(2, 5):  # also within one step of the file system's clock
        fd = changing.open_file(f'{number:016x}.spool', os.O_WRONLY | os.O_CREAT)
        os.write(fd, b'x' * 1000)
        os.close(fd)
        before += 1000
        assert census.count() == before
    del looked_into[:]
    census.forget_counts()
    census.count()
    assert len(looked_into) == 4, 'the spool directory, for folders below other uids; this one; two producers'


def test_what_is_too_much_is_given_up_once(make, leave_behind, spool_dir, monkeypatch):
    """Four processes look at the same moment, each of which has taken over what would do."""
    monkeypatch.setattr(adoption, 'MOST_AT_ONCE', 1)
    for _ in range(4):
        leave_behind(900)
    used = used_bytes(spool_dir, BAR)
    # What is reserved for the living is to be free, too: a quarter of the bound.
    excess_bytes = 1500 * KIB
    places = [make((used - excess_bytes) * 4 // 5, ENOUGH_BYTES) for _ in range(4)]
    excess_bytes = used - (used - excess_bytes) * 4 // 5 * 3 // 4

    def tidy(index):
        """Look, and have the next one look between counting and dropping."""
        spool, disk = places[index]
        genuine = spool.drop_oldest_adopted

        def drop_after_the_next():
            spool.drop_oldest_adopted = genuine
            if index + 1 < len(places):
                tidy(index + 1)
            return genuine()

        spool.drop_oldest_adopted = drop_after_the_next
        disk.tidy(spool, 0.0)

    tidy(0)
    given_up = used - used_bytes(spool_dir, BAR)
    assert given_up < excess_bytes + 1024 * KIB
    now = 100.0
    for _ in range(4):
        for spool, disk in places:
            disk.look_at_once()
            disk.tidy(spool, now)
    given_up = used - used_bytes(spool_dir, BAR)
    assert excess_bytes <= given_up < excess_bytes + 1024 * KIB
    dropped = sum(spool.account().dropped.get('overflow', 0) for spool, _ in places)
    assert dropped < 3600 - 900, 'one of them has dropped nothing'


def test_who_finds_another_one_at_it_looks_again_in_a_moment(make, leave_behind, spool_dir, monkeypatch):
    """The other may not have had enough to give up."""
    leave_behind(10)
    spool, disk = make(KIB)
    spool.drop_oldest_adopted = lambda: busy_disk.tidy(busy_spool, 100.0) and 0
    busy_spool, busy_disk = make(KIB)
    disk.tidy(spool, 100.0)
    assert busy_disk.next_look_at == 101.0
    assert disk.next_look_at == 130.0


def test_where_all_that_was_taken_over_is_given_up_the_next_ones_are_taken_over_at_once(
    make, leave_behind, monkeypatch
):
    """Nothing is left that delivery would wake up for."""
    monkeypatch.setattr(adoption, 'MOST_AT_ONCE', 1)
    for _ in range(3):
        leave_behind(10)
    spool, disk = make(KIB)
    for _ in range(3):
        assert disk.next_look_at < 100.0
        disk.tidy(spool, 100.0)
        assert not spool.has_adopted
    disk.tidy(spool, 100.0)
    assert disk.next_look_at == 130.0
    assert spool.account().dropped == {'overflow': 30}


def test_what_lies_below_another_uid_and_is_ours_counts_as_well(spool_dir, make_producer):
    """The uid of the process has changed, and its files were given to the new one: the bound is that of all of them together."""
    make_producer(segments=1)
    before = used_bytes(spool_dir, BAR)
    (spool_dir / str(os.geteuid())).rename(spool_dir / '4242')
    assert used_bytes(spool_dir, BAR) == before
    make_producer(segments=1)
    assert used_bytes(spool_dir, BAR) == 2 * before
