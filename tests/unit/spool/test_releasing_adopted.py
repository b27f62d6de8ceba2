"""What was adopted is given back: another one has it at once, and the account adds up at every moment."""

from __future__ import annotations

import errno
import sys

import pytest

from firefighter._spool import spool as spool_module
from firefighter._spool import taking
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import lock_dead_producers
from firefighter._spool.disk.errors import SpoolUnusable
from firefighter._spool.disk.private_directory import PrivateDirectory
from firefighter._spool.disk.spool_directory import SpoolDirectory
from firefighter._spool.spool import MIN_SPOOL_BYTES, Spool
from firefighter._spool.taken_events import Aggregate
from spool_files import let_die

BAR = Destination('bar')
ENOUGH_BYTES = 1 << 30


class Handler:
    """A spool and its place on disk."""

    def __init__(self, spool_dir):
        self.spool = Spool(MIN_SPOOL_BYTES)
        self.disk = SpoolDirectory(spool_dir, BAR, MIN_SPOOL_BYTES, ENOUGH_BYTES)
        self.delivered = []

    def look(self):
        self.disk.look_at_once()
        assert self.disk.tidy(self.spool, 0.0) is None

    def take(self, events=10**6):
        return self.spool.take(events, 10**9)

    def deliver(self, events):
        self.delivered += [event.data for event in events]
        self.spool.acknowledge(events)

    def release(self, in_flight=()):
        return self.disk.release_adopted(self.spool, [event.segment for event in in_flight])


def adds_up(spool):
    account = spool.account()
    return (
        account.accepted + account.adopted
        == account.delivered + sum(account.dropped.values()) + account.pending
    )


@pytest.fixture
def make_handler(descriptors_as_they_were, spool_dir):
    made = []

    def make():
        made.append(Handler(spool_dir))
        return made[-1]

    yield make
    for handler in made:
        handler.release()
        if handler.disk.is_open:
            let_die(handler.disk.store.directory)


@pytest.fixture
def leave_behind(spool_dir):
    def leave(*lines):
        handler = Handler(spool_dir)
        handler.disk.open(handler.spool)
        for line in lines:
            handler.spool.append(line)
        let_die(handler.disk.store.directory)

    return leave


LINES = [b'%d\n' % number for number in range(10)]


def test_another_handler_has_at_once_what_one_has_given_back(make_handler, leave_behind):
    """In the same process or in another; each event is delivered by one of them."""
    leave_behind(*LINES)
    one, other = make_handler(), make_handler()
    one.look()
    one.deliver(one.take(3))
    other.look()
    assert other.take() == [], 'it is held'
    assert one.release()
    assert not one.spool.has_adopted
    other.look()
    other.deliver(other.take())
    assert one.delivered == LINES[:3]
    assert other.delivered == LINES[3:]
    assert (one.spool.account().adopted, other.spool.account().adopted) == (3, 7)
    assert adds_up(one.spool)
    assert one.spool.account().pending == other.spool.account().pending == 0


def test_what_was_taken_and_not_settled_is_there_for_the_next_adopter(make_handler, leave_behind):
    """Delivery forgets it: it was not on its way."""
    leave_behind(*LINES)
    one = make_handler()
    one.look()
    one.deliver(one.take(3))
    one.take(4)
    assert one.release()
    one.look()
    one.deliver(one.take())
    assert one.delivered == LINES, 'the same handler may have it again'
    assert one.spool.account().adopted == 10


def test_what_was_delivered_behind_events_that_were_not_is_not_delivered_again(make_handler, leave_behind):
    """Where the stream has throttled the first of a request, the others would be duplicates."""
    leave_behind(*LINES)
    one, other = make_handler(), make_handler()
    one.look()
    events = one.take()
    one.deliver(events[0:2] + events[4:7] + events[9:])
    assert one.release()
    assert adds_up(one.spool)
    other.look()
    other.deliver(other.take(2))
    assert other.release()
    one.look()
    one.deliver(one.take())
    assert sorted(one.delivered + other.delivered) == LINES
    assert one.disk.quarantine.size_bytes == other.disk.quarantine.size_bytes == 0


def test_a_producer_with_events_on_their_way_is_kept_until_these_are_settled(make_handler, leave_behind):
    """The others are given back."""
    leave_behind(b'one\n', b'two\n')
    leave_behind(b'three\n')
    one, other = make_handler(), make_handler()
    one.look()
    events = one.take(1)
    assert not one.release(in_flight=events)
    other.look()
    other.deliver(other.take())
    one.deliver(events)
    assert one.release()
    other.look()
    other.deliver(other.take())
    assert sorted(one.delivered + other.delivered) == [b'one\n', b'three\n', b'two\n']
    assert one.release(), 'again'
    assert adds_up(one.spool)
    assert one.spool.account().adopted == 1


def test_own_events_stay_where_they_are(make_handler, leave_behind):
    """Also those that are on their way."""
    leave_behind(b'theirs\n')
    one = make_handler()
    one.disk.open(one.spool)
    one.spool.append(b'ours\n')
    one.look()
    events = one.take()
    assert [event.data for event in events] == [b'ours\n', b'theirs\n']
    assert one.release(in_flight=events[:1])
    one.deliver(events[:1])
    assert one.spool.account().pending == 0
    one.disk.close(one.spool)
    assert not one.disk.is_open


def test_the_account_adds_up_at_every_instruction(make_handler, leave_behind):
    """Whoever asks for it meanwhile sees all of it, or nothing."""
    leave_behind(*LINES)
    one = make_handler()
    one.look()
    one.spool.append(b'ours\n')
    events = one.take()
    one.deliver(events[:3] + events[5:6])
    seen = set()

    def look(frame, event, argument):
        if frame.f_code.co_filename not in {spool_module.__file__, taking.__file__}:
            return None
        frame.f_trace_opcodes = True
        sys.settrace(None)
        account = one.spool.account()
        assert account.accepted + account.adopted == account.delivered + account.pending
        assert account.pending in {7, 0}, account
        seen.add((account.adopted, account.pending))
        sys.settrace(look)
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        one.release()
    finally:
        sys.settrace(before)
    assert seen == {(10, 7), (3, 0)}


def test_an_aggregate_is_of_one_producer(make_handler, leave_behind):
    """What dead ones have left is given back by the directory, and may be ours no more while the rest of it is."""
    leave_behind(b'a\n', b'b\n')
    leave_behind(b'c\n')
    one = make_handler()
    one.spool.append(b'in memory\n')
    one.disk.open(one.spool)
    one.spool.seal()
    one.spool.append(b'on disk\n')
    one.look()

    def aggregate(lines):
        parts = list(lines.read(0, lines.size_bytes))
        return [Aggregate(b''.join(data for data, _ in parts), tuple(where for _, where in parts))]

    found = []
    while one.spool.has_adopted_waiting:
        taken = []
        one.spool.take_aggregates(1000, taken, aggregate)
        found += [record.data for record in taken]
        one.spool.acknowledge(taken)
    assert found[0] == b'in memory\non disk\n', 'wherever our own are, they are of one'
    assert sorted(found[1:]) == [b'a\nb\n', b'c\n']
    one.disk.close(one.spool)


def test_a_directory_whose_last_segment_cannot_be_removed_is_let_go_of(
    make_handler, leave_behind, spool_dir, monkeypatch
):
    """Its events are settled; whoever finds it next removes it."""
    leave_behind(b'one\n')
    one = make_handler()
    one.look()

    def refuse(directory, name):
        raise SpoolUnusable('Input/output error', errno.EIO)

    monkeypatch.setattr(PrivateDirectory, 'unlink', refuse)
    one.deliver(one.take())
    monkeypatch.undo()
    (orphan,) = lock_dead_producers(spool_dir, BAR)
    orphan.release()
    one.look()
    assert one.take() == []
    assert lock_dead_producers(spool_dir, BAR) == []
