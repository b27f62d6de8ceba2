"""Does following show what is committed, all of it, once, and nothing that is not?"""

from __future__ import annotations

import gc
import os
import pathlib

import pytest

from firefighter._spool.disk.recovery import boot_id
from firefighter._spool.disk.tail import Follower
from firefighter._spool.layout import COMMITTED, HEAD, ONE_EVENT
from spool_files import line


def open_files():
    return sum(1 for _ in pathlib.Path('/dev/fd').iterdir())


@pytest.fixture
def troubles():
    return []


@pytest.fixture
def poll(spool_dir, troubles):
    """Return what has come since the last time."""
    follower = Follower(spool_dir, boot_id(), troubles.append)
    yield lambda: b''.join(follower.poll())
    follower.close()


def test_at_first_all_that_waits_is_shown_and_then_what_comes(make_producer, poll):
    """Of the living and of the dead; each event once; what is settled is not shown."""
    living, dead = make_producer('a'), make_producer('b')
    dead.segment(line('left behind'))
    dead.die()
    segment = living.segment(line('settled'), line('waiting'))
    segment.settle(len(line('settled')))
    assert sorted(poll().splitlines(keepends=True)) == sorted([line('left behind'), line('waiting')])
    assert poll() == b''
    segment.append(line('new'))
    assert poll() == line('new')
    assert poll() == b''


def test_what_is_delivered_meanwhile_is_shown_all_the_same(make_producer, poll):
    """Following is about what the program logs, not about what waits."""
    segment = make_producer().segment()
    assert poll() == b''
    segment.append(line('a'))
    segment.settle(len(line('a')))
    assert poll() == line('a')


def test_a_line_that_is_not_committed_is_not_shown(make_producer, poll):
    """It is copied before the tail moves; until then its logging call has not returned."""
    segment = make_producer().segment(line('a'))
    segment.copy(line('b'))
    assert poll() == line('a')
    segment.append(line('b'))
    assert poll() == line('b')


def test_a_tail_that_arrives_before_its_line_is_believed_at_the_next_poll(make_producer, poll):
    """Stores of another core may be seen in another order."""
    segment = make_producer().segment()
    text = line('a')
    segment.words[COMMITTED] += len(text) + ONE_EVENT
    assert poll() == b''
    segment.damage(0, text[:-1])
    assert poll() == b''
    segment.damage(0, b'\0' + text[1:])
    assert poll() == b''
    segment.damage(0, text)
    assert poll() == text


def test_half_a_line_is_never_shown(make_producer, poll):
    """Whatever the tail says: an event ends with its newline."""
    segment = make_producer().segment(line('a'), line('b'))
    segment.words[COMMITTED] -= 2
    assert poll() == b''
    segment.words[COMMITTED] += 2
    assert poll() == line('a') + line('b')


def test_it_goes_on_into_new_segments_and_new_producers(make_producer, poll):
    """And reads the end of a segment that was delivered and removed before the next poll."""
    producer = make_producer('a')
    segment = producer.segment(line('1'))
    assert poll() == line('1')
    segment.append(line('2'))
    producer.segment(line('3'), first=2)
    segment.path.unlink()
    assert poll() == line('2') + line('3')
    make_producer('b').segment(line('4'))
    assert poll() == line('4')
    assert poll() == b''


def test_it_reads_what_a_producer_left_that_died_meanwhile(make_producer, poll):
    """Once, and not again as what a dead one has left."""
    producer = make_producer()
    segment = producer.segment(line('1'))
    assert poll() == line('1')
    segment.append(line('2'))
    producer.die()
    gc.collect()  # what earlier tests have left open is closed now, and not while we count
    before = open_files()
    assert poll() == line('2')
    assert poll() == b''
    assert open_files() == before - 1


def test_what_cannot_be_read_is_named_once(make_producer, poll, troubles, monkeypatch):
    """A newer version, a file that is no segment, torn bytes of a dead producer; and the rest is shown."""
    living, dead = make_producer('a'), make_producer('b')
    living.segment(version=2)
    (living.path / f'{7:016x}.spool').write_bytes(b'nonsense')
    living.segment(line('good'), first=9)
    torn = dead.segment(line('torn'), line('whole'))
    torn.damage(0, b'\0')
    dead.die()
    assert sorted(poll().splitlines(keepends=True)) == sorted([line('good'), line('whole')])
    assert poll() == b''
    assert len(troubles) == 3
    assert sum('version 2' in trouble for trouble in troubles) == 1
    assert sum('belong to no whole event' in trouble for trouble in troubles) == 1


@pytest.mark.parametrize('head', [0, 2**64 - 1])
def test_a_head_that_makes_no_sense_is_not_believed(make_producer, poll, head):
    """Then everything committed is shown."""
    segment = make_producer().segment(line('a'))
    segment.words[HEAD] = head
    assert poll() == line('a')


def test_finished_segments_are_closed(make_producer, poll):
    """Following for days keeps one descriptor for each live producer."""
    producer = make_producer()
    for first in range(5):
        producer.segment(line(f'{first}'), first=first)
    gc.collect()  # what earlier tests have left open is closed now, and not while we count
    before = open_files()
    poll()
    poll()
    assert open_files() == before + 1


def test_a_live_producer_s_segment_that_has_no_name_yet_is_read_once_it_has_it(make_producer, poll, troubles):
    """And what its producer has left when it dies without having named it, too."""
    producer = make_producer()
    producer.segment(line('1'))
    unnamed = producer.path / f'.tmp-{7:016x}'
    second = producer.segment(line('2'), first=1)
    second.path.rename(unnamed)
    assert poll() == line('1')
    unnamed.rename(second.path)
    assert poll() == line('2')
    producer.segment(line('3'), first=2).path.rename(unnamed)
    assert poll() == b''
    producer.die()
    assert poll() == line('3')
    assert troubles == []


@pytest.mark.parametrize('size', [0, 100, 4096, 4100])
def test_a_file_that_is_cut_short_meanwhile_ends_nothing(make_producer, poll, size):
    """By whoever has come by: what is there of it later is shown."""
    producer = make_producer()
    segment = producer.segment(line('1'))
    assert poll() == line('1')
    whole = segment.path.read_bytes()
    os.truncate(segment.path, size)
    assert poll() == b''
    segment.path.write_bytes(whole)
    segment.append(line('2'))
    assert poll() == line('2')


@pytest.mark.parametrize('tail', [2**32 - 1, 1 << 31, 8193, 0])
def test_a_tail_beyond_the_segment_is_not_read_up_to(make_producer, poll, tail):
    """Four GiB are not asked for because a damaged word says so."""
    segment = make_producer().segment(line('1'))
    assert poll() == line('1')
    segment.words[COMMITTED] = ONE_EVENT + tail
    assert poll() == b''


def test_what_cannot_be_read_of_a_directory_is_named_once(make_producer, poll, troubles, spool_dir):
    """And not at each look, four times a second."""
    producer = make_producer()
    (producer.path / 'alive').unlink()
    (producer.path / 'alive').symlink_to('reader')
    for _ in range(3):
        poll()
    assert len(troubles) == 1
