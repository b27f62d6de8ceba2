"""Does a person see what is in a spool directory, whatever is in it and whoever writes to it meanwhile?"""

from __future__ import annotations

import errno
import os
import pathlib

import pytest

from firefighter._spool import inspection
from firefighter._spool.boot import boot_id
from firefighter._spool.inspection import find
from spool_files import line

OTHER_BOOT = bytes(range(1, 17))


def open_files():
    return sum(1 for _ in pathlib.Path('/dev/fd').iterdir())


@pytest.fixture
def troubles():
    return []


@pytest.fixture
def look(spool_dir, troubles):
    """Find the producers and what waits in each of their segments."""

    def look(directory=spool_dir):
        return {
            producer.id: [b''.join(segment.waiting()) for segment in producer.segments(troubles.append)]
            for producer in find(directory, boot_id(), troubles.append)
        }

    return look


def test_producers_are_found_from_every_level_down(make_producer, look, spool_dir):
    """From the spool directory, a user's, a destination's, and a producer's own."""
    producer = make_producer()
    producer.segment(line('a'))
    directory = producer.path
    while directory != spool_dir.parent:
        assert look(directory) == {producer.id: [line('a')]}
        directory = directory.parent


def test_segments_come_in_the_order_in_which_they_were_written(make_producer, look):
    """Their names are sequence numbers in digits of equal number."""
    producer = make_producer()
    for first in (0x10, 0x2, 0x1000):
        producer.segment(line(f'{first}'), first=first)
    assert look()[producer.id] == [line('2'), line('16'), line('4096')]


def test_whoever_holds_the_lock_is_alive_and_looking_does_not_change_that(make_producer, spool_dir):
    """The lock is tried, not kept: it can be taken right afterwards, and its holder never notices."""
    living, dead = make_producer('a'), make_producer('b')
    dead.die()
    for _ in range(2):
        found = find(spool_dir, boot_id(), pytest.fail)
        assert {producer.id: producer.alive for producer in found} == {living.id: True, dead.id: False}
    assert living.directory.held()


def test_of_a_dead_producer_of_another_boot_all_whole_lines_wait(make_producer, look):
    """As in recovery: what it would deliver is what is shown."""
    producer = make_producer()
    segment = producer.segment(line('a'), line('b'), boot=OTHER_BOOT)
    segment.settle(len(line('a')))
    assert look()[producer.id] == [line('b')]
    producer.die()
    assert look()[producer.id] == [line('a') + line('b')]


def test_what_it_says_of_itself_may_be_anything(make_producer, spool_dir):
    """producer.json is for people: missing or mangled, the rest is shown all the same."""
    producer = make_producer()
    assert find(spool_dir, None, pytest.fail)[0].about()['pid'] == os.getpid()
    for text in (b'', b'[]', b'[' * 100_000, b'\xff'):
        (producer.path / 'producer.json').write_bytes(text)
        assert find(spool_dir, None, pytest.fail)[0].about() == {}


def test_a_segment_that_cannot_be_read_does_not_hide_the_others(make_producer, look, troubles, tmp_path):
    """Links are not followed, pipes not waited for, directories not read, nor what fills the memory; each is named."""
    producer = make_producer()
    producer.segment(line('a'))
    secret = tmp_path / 'secret'
    secret.write_bytes((producer.path / f'{0:016x}.spool').read_bytes())
    (producer.path / f'{1:016x}.spool').symlink_to(secret)
    os.mkfifo(producer.path / f'{2:016x}.spool')
    (producer.path / f'{3:016x}.spool').mkdir()
    with (producer.path / f'{4:016x}.spool').open('xb') as file:
        file.truncate(1 << 32)
    before = open_files()
    assert look()[producer.id] == [line('a')]
    assert open_files() == before
    assert [f'/{number:016x}.spool: ' in trouble for number, trouble in enumerate(troubles, 1)] == [True] * 4


def test_a_directory_that_cannot_be_read_does_not_hide_the_others(
    make_producer, look, spool_dir, troubles, monkeypatch
):
    """Other users' are theirs; each is named."""
    producer = make_producer()
    producer.segment(line('a'))
    (spool_dir / '1').mkdir()
    scandir = os.scandir

    def not_of_others(path):
        if path == spool_dir / '1':
            raise PermissionError(errno.EACCES, 'Permission denied')
        return scandir(path)

    monkeypatch.setattr(os, 'scandir', not_of_others)
    assert look() == {producer.id: [line('a')]}
    assert troubles == [f'{spool_dir / "1"}: Permission denied']


def test_without_its_lock_file_a_producer_is_dead_and_with_a_link_there_it_is_none(
    make_producer, look, spool_dir, troubles
):
    """Nobody can hold what is not there; what somebody has put there instead is named."""
    producer = make_producer()
    (producer.path / 'alive').unlink()
    assert [found.alive for found in find(spool_dir, None, pytest.fail)] == [False]
    (producer.path / 'alive').symlink_to('reader')
    assert look() == {}
    assert len(troubles) == 1
    assert producer.id in troubles[0]


def test_a_producer_can_be_looked_at_from_within(make_producer, look, monkeypatch):
    """`cd` into its directory, then a dot."""
    producer = make_producer()
    producer.segment(line('a'))
    monkeypatch.chdir(producer.path)
    assert look(pathlib.Path()) == {producer.id: [line('a')]}


def test_a_newer_version_is_shown_as_such_of_the_living_too(make_producer, spool_dir):
    """During a rolling deployment both are at work."""
    make_producer().segment(line('a'), version=2)
    (found,) = find(spool_dir, boot_id(), pytest.fail)
    (segment,) = found.segments(pytest.fail)
    assert segment.newer == 2
    assert list(segment.waiting()) == []


def test_links_to_directories_are_not_followed(make_producer, look, spool_dir, tmp_path):
    """Whoever may write into a shared spool directory cannot lead a reader elsewhere."""
    producer = make_producer()
    elsewhere = tmp_path / 'elsewhere'
    producer.path.rename(elsewhere)
    producer.path.symlink_to(elsewhere)
    assert look() == {}


def test_a_segment_that_vanishes_is_no_trouble(make_producer, spool_dir):
    """It has been delivered between two steps."""
    producer = make_producer()
    segment = producer.segment(line('a'))
    (found,) = find(spool_dir, boot_id(), pytest.fail)
    paths = found.segment_paths()
    segment.path.unlink()
    assert found.inspect(paths[0], pytest.fail) is None


def test_a_producer_that_vanishes_has_no_segments(make_producer, spool_dir):
    """It has delivered all, and removed its directory."""
    producer = make_producer()
    (found,) = find(spool_dir, boot_id(), pytest.fail)
    producer.die()
    for path in producer.path.iterdir():
        path.unlink()
    producer.path.rmdir()
    assert found.segment_paths() == []


def test_of_a_live_producer_a_line_that_has_not_arrived_yet_is_looked_for_again(
    make_producer, spool_dir, monkeypatch
):
    """The store of the tail can be seen before those of the line; the next look sees both."""
    producer = make_producer()
    segment = producer.segment(line('a'))
    whole = segment.path.read_bytes()
    early = whole.replace(line('a'), bytes(len(line('a'))))
    reads = iter([early, early, whole])
    monkeypatch.setattr(inspection, 'content', lambda path: next(reads))
    (found,) = find(spool_dir, boot_id(), pytest.fail)
    (seen,) = found.segments(pytest.fail)
    assert b''.join(seen.waiting()) == line('a')


def test_a_directory_that_is_none_is_an_error(spool_dir):
    """A typing error is no empty spool."""
    with pytest.raises(FileNotFoundError):
        find(spool_dir / 'missing', None, pytest.fail)


@pytest.mark.parametrize(
    ('text', 'timestamp'),
    [
        (line('a', '2026-01-01T12:00:00.000000Z'), '2026-01-01T12:00:00.000000Z'),
        (b'a foreign line\n', None),
        (b'{"message": "a"}\n', None),
        (b'{"timestamp": 1}\n', None),
        (b'["timestamp"]\n', None),
        (b'[' * 3000 + b'\n', None),
        (b'', None),
    ],
)
def test_the_oldest_event_tells_its_own_time(make_producer, spool_dir, text, timestamp):
    """The file's times say when the system last wrote it, which is something else."""
    producer = make_producer()
    producer.segment(*filter(None, [text]))
    (found,) = find(spool_dir, boot_id(), pytest.fail)
    (segment,) = found.segments(pytest.fail)
    assert segment.oldest() == timestamp
