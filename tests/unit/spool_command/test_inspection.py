"""Does a person see what is in a spool directory, whatever is in it and whoever writes to it meanwhile?"""

from __future__ import annotations

import gc
import os
import pathlib
import resource
import stat

import pytest

from firefighter._spool.disk import inspection
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.inspection import find_producers
from firefighter._spool.disk.recovery import boot_id
from spool_files import deny, line

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
            for producer in find_producers(directory, boot_id(), troubles.append)
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
        found = find_producers(spool_dir, boot_id(), pytest.fail)
        assert {producer.id: producer.alive for producer in found} == {living.id: True, dead.id: False}
    assert living.directory.is_held()


def test_of_a_dead_producer_of_another_boot_all_whole_lines_wait(make_producer, look):
    """As in recovery: what it would deliver is what is shown."""
    producer = make_producer()
    segment = producer.segment(line('a'), line('b'), boot=OTHER_BOOT)
    segment.settle(len(line('a')))
    assert look()[producer.id] == [line('b')]
    producer.die()
    assert look()[producer.id] == [line('a') + line('b')]


def test_what_it_says_of_itself_may_be_anything(make_producer, spool_dir):
    """producer.json is for people: missing, mangled or enormous, the rest is shown all the same."""
    producer = make_producer()
    assert find_producers(spool_dir, None, pytest.fail)[0].about()['pid'] == os.getpid()
    for text in (
        b'',
        b'[]',
        b'[' * 100_000,
        b'\xff',
        b'{"pid": %s}' % (b'9' * 10_000),
        b'{"pid": [1], "program": true}',
    ):
        (producer.path / 'producer.json').write_bytes(text)
        assert find_producers(spool_dir, None, pytest.fail)[0].about() == {}
    os.truncate(producer.path / 'producer.json', 1 << 40)
    assert find_producers(spool_dir, None, pytest.fail)[0].about() == {}


def test_a_segment_that_cannot_be_read_does_not_hide_the_others(make_producer, look, troubles, tmp_path):
    """Links are not followed, pipes not waited for, directories and sockets not read; each is named."""
    producer = make_producer()
    producer.segment(line('a'))
    secret = tmp_path / 'secret'
    secret.write_bytes((producer.path / f'{0:016x}.spool').read_bytes())
    (producer.path / f'{1:016x}.spool').symlink_to(secret)
    os.mkfifo(producer.path / f'{2:016x}.spool')
    (producer.path / f'{3:016x}.spool').mkdir()
    os.mknod(producer.path / f'{4:016x}.spool', stat.S_IFSOCK | 0o600)
    gc.collect()  # what earlier tests have left open is closed now, and not while we count
    before = open_files()
    assert look()[producer.id] == [line('a')]
    assert open_files() == before
    assert [f'/{number:016x}.spool: ' in trouble for number, trouble in enumerate(troubles, 1)] == [True] * 4


def test_what_is_no_regular_file_is_not_even_opened(make_producer, look, monkeypatch):
    """Of a tape or a watchdog that is an act; of a pipe it lets go of who waits at its other end."""
    producer = make_producer()
    os.mkfifo(producer.path / f'{0:016x}.spool')
    (producer.path / 'producer.json').unlink()
    os.mkfifo(producer.path / 'producer.json')
    opened = []
    open_it = os.open
    monkeypatch.setattr(
        os, 'open', lambda path, *args, **kwargs: opened.append(path) or open_it(path, *args, **kwargs)
    )
    assert look() == {producer.id: []}
    assert find_producers(producer.path, None, pytest.fail)[0].about() == {}
    assert 'alive' in opened
    assert not {'producer.json', f'{0:016x}.spool'} & set(opened)


def test_what_is_larger_than_its_header_says_or_than_any_segment_is_not_read(make_producer, look, troubles):
    """A corrupt inode; a file with holes; one whose header claims them. Each costs itself, and no memory."""
    producer = make_producer()
    producer.segment(line('a'))
    for first, size in ((1, 1 << 40), (2, (1 << 32) - 1), (3, 8193)):
        os.truncate(producer.segment(line('b'), first=first).path, size)
    claims = producer.segment(line('c'), first=4, size_bytes=(1 << 32) - 4096)
    os.truncate(claims.path, (1 << 32) - 4096)
    without = producer.path / f'{5:016x}.spool'
    without.touch()
    os.truncate(without, 1 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert look() == {producer.id: [line('a')]}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    assert [f'/{number:016x}.spool: ' in trouble for number, trouble in enumerate(troubles, 1)] == [True] * 5


def test_a_segment_that_could_not_get_its_name_is_shown_and_one_that_is_not_used_yet_is_not(
    make_producer, look
):
    """Whoever takes over what its producer has left delivers the one, and deletes the other."""
    producer = make_producer()
    segment = producer.segment(line('a'))
    segment.path.rename(producer.path / f'.tmp-{7:016x}')
    producer.segment(line('b'))
    (producer.path / f'.tmp-{8:016x}').write_bytes(bytes(8192))
    (producer.path / f'.tmp-{9:016x}').touch()
    assert look() == {producer.id: [line('b'), line('a')]}


def test_a_directory_that_cannot_be_read_does_not_hide_the_others(
    make_producer, look, spool_dir, troubles, monkeypatch
):
    """Other users' are theirs; each is named."""
    producer = make_producer()
    producer.segment(line('a'))
    (spool_dir / '1').mkdir()
    deny(monkeypatch, '1')
    assert look() == {producer.id: [line('a')]}
    assert troubles == [f'{spool_dir / "1"}: Permission denied']


def test_without_its_lock_file_a_producer_with_segments_is_dead_and_with_a_link_there_it_is_none(
    make_producer, look, spool_dir, troubles
):
    """Nobody can hold what is not there; what somebody has put there instead is named."""
    producer = make_producer()
    producer.segment(line('a'))
    (producer.path / 'alive').unlink()
    assert [found.alive for found in find_producers(spool_dir, None, pytest.fail)] == [False]
    (producer.path / 'alive').symlink_to('reader')
    assert look() == {}
    assert len(troubles) == 1
    assert producer.id in troubles[0]


def test_what_is_only_named_like_a_producer_is_none(spool_dir):
    """A machine's journal has 32 hexadecimal digits too."""
    journal = spool_dir / '0' / ('a' * 32)
    journal.mkdir(parents=True)
    (journal / 'system.journal').write_bytes(b'x')
    strangers = []
    assert find_producers(spool_dir, None, pytest.fail, strangers.append) == []
    assert strangers == [journal]


def test_a_spool_directory_may_be_named_like_a_producer(make_producer, spool_dir, look):
    """Some make up the names of all their volumes."""
    producer = make_producer()
    producer.segment(line('a'))
    producer.die()
    volume = spool_dir.with_name('b' * 32)
    spool_dir.rename(volume)
    assert look(volume) == {producer.id: [line('a')]}


def test_on_windows_the_reason_is_windows(spool_dir, monkeypatch):
    """Nothing is walked there."""
    monkeypatch.setattr('sys.platform', 'win32')
    with pytest.raises(OSError, match='needs Linux or macOS'):
        find_producers(spool_dir, None, pytest.fail)


def test_a_producer_can_be_looked_at_from_within(make_producer, look, monkeypatch):
    """`cd` into its directory, then a dot."""
    producer = make_producer()
    producer.segment(line('a'))
    monkeypatch.chdir(producer.path)
    assert look(pathlib.Path()) == {producer.id: [line('a')]}


def test_a_newer_version_is_shown_as_such_of_the_living_too(make_producer, spool_dir):
    """During a rolling deployment both are at work."""
    make_producer().segment(line('a'), version=2)
    (found,) = find_producers(spool_dir, boot_id(), pytest.fail)
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
    (found,) = find_producers(spool_dir, boot_id(), pytest.fail)
    names = found.segment_names(pytest.fail)
    segment.path.unlink()
    assert found.inspect(names[0], pytest.fail) is None


def test_a_producer_that_vanishes_has_no_segments(make_producer, spool_dir):
    """It has delivered all, and removed its directory."""
    producer = make_producer()
    (found,) = find_producers(spool_dir, boot_id(), pytest.fail)
    producer.die()
    for path in producer.path.iterdir():
        path.unlink()
    producer.path.rmdir()
    assert found.segment_names(pytest.fail) == []


def test_a_producer_whose_place_another_directory_has_taken_has_vanished(make_producer, spool_dir):
    """What was found is what is read, whatever is called so by then."""
    producer, other = make_producer(), make_producer('other')
    other.segment(line('a'))
    found = next(
        found for found in find_producers(spool_dir, boot_id(), pytest.fail) if found.id == producer.id
    )
    producer.path.rename(spool_dir / 'aside')
    other.path.rename(producer.path)
    assert found.segment_names(pytest.fail) == []
    assert found.about() == {}


def test_where_events_go_is_said_by_the_segments_where_the_file_does_not(make_producer, spool_dir):
    """A power cut leaves destination.json empty; a newer version or a stray hand may have written something else."""
    producer = make_producer()
    producer.segment(line('a'))
    said = producer.path.parent / 'destination.json'
    for text in (
        said.read_bytes(),
        b'',
        b'[]',
        b'{"stream": "another"}',
        b'{"stream": "bar", "new": "1"}',
        b'[' * 60_000,
    ):
        said.write_bytes(text)
        (found,) = find_producers(spool_dir, boot_id(), pytest.fail)
        assert found.destination() == Destination('bar', region='eu-west-1')
    for path in producer.path.glob('*.spool'):
        path.unlink()
    assert found.destination() is None


def test_a_destination_is_not_believed_whose_folder_has_another_name(make_producer, spool_dir):
    """Nobody who looks for it would find_producers it there."""
    producer = make_producer()
    producer.segment(line('a'))
    producer.path.parent.rename(spool_dir / 'elsewhere')
    (found,) = find_producers(spool_dir, boot_id(), pytest.fail)
    assert found.destination() is None


def test_of_a_live_producer_a_line_that_has_not_arrived_yet_is_looked_for_again(
    make_producer, spool_dir, monkeypatch
):
    """The store of the tail can be seen before those of the line; the next look sees both."""
    producer = make_producer()
    segment = producer.segment(line('a'))
    whole = segment.path.read_bytes()
    early = whole.replace(line('a'), bytes(len(line('a'))))
    reads = iter([early, early, whole])
    read_segment = inspection.read_segment
    monkeypatch.setattr(inspection, 'read_segment', lambda fd: read_segment(fd)._replace(data=next(reads)))
    (found,) = find_producers(spool_dir, boot_id(), pytest.fail)
    (seen,) = found.segments(pytest.fail)
    assert b''.join(seen.waiting()) == line('a')


def test_a_directory_that_is_none_is_an_error(spool_dir):
    """A typing error is no empty spool."""
    with pytest.raises(FileNotFoundError):
        find_producers(spool_dir / 'missing', None, pytest.fail)


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
    (found,) = find_producers(spool_dir, boot_id(), pytest.fail)
    (segment,) = found.segments(pytest.fail)
    assert segment.oldest() == timestamp
