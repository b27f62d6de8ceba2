"""The spool's corners: interruptions, threads, blocking, foreign bytes."""

from __future__ import annotations

import threading

import pytest

from firefighter._event.escaping import escape
from firefighter._event.ids import PLACE
from firefighter._spool.numbered_spool import NumberedSpool
from firefighter._spool.segment import MemoryStore
from firefighter._spool.spool import MIN_SPOOL_BYTES, Spool
from firefighter._spool.taken_events import read_on

DEADLINE_SECONDS = 20
LINE = b'x' * 99 + b'\n'


def test_a_handler_that_never_logs_holds_one_page():
    """Twenty handlers in a settings file cost nothing."""
    assert Spool(16 * 2**20).allocated_bytes == 4096


def test_an_event_logged_inside_append_is_set_aside_and_appended_by_the_interrupted_frame():
    """A destructor or a signal handler that logs finds its own thread's lock taken."""
    spool = Spool(MIN_SPOOL_BYTES)
    with spool._lock:  # as inside append
        spool.append(b'inner\n')
        assert spool.account().accepted == 1, 'counted at once'
        assert spool.account().pending == 1
    spool.append(b'outer\n')
    assert {event.data for event in spool.take(10, 1000)} == {b'inner\n', b'outer\n'}
    assert spool.account().accepted == 2


def test_what_was_set_aside_is_found_by_delivery_too():
    """The interrupted frame may have been ended by an exception."""
    spool = Spool(MIN_SPOOL_BYTES)
    with spool._lock:
        spool.append(b'inner\n')
    spool.tidy()
    assert [event.data for event in spool.take(10, 1000)] == [b'inner\n']


@pytest.mark.parametrize(
    'operation',
    [
        Spool.account,
        lambda spool: spool.pending,
        lambda spool: spool.unsettled(0),
        lambda spool: spool.arm(more_bytes_than=0, events=1),
    ],
)
def test_what_a_destructor_logs_inside_the_spool_is_appended_when_its_lock_is_free_again(operation):
    """Whoever had the lock: on disk an event must not lie in memory when its call has returned."""
    spool = Spool(MIN_SPOOL_BYTES)
    spool.append(b'before\n')
    mine = spool._lock

    class Lock:
        """Something is collected as soon as the lock is taken."""

        def __getattr__(self, name):
            return getattr(mine, name)

        def acquire(self, *arguments):
            taken = mine.acquire(*arguments)
            spool._lock = mine
            spool.append(b'last words\n')
            return taken

    spool._lock = Lock()
    operation(spool)
    assert spool.appended == 2


def test_what_was_set_aside_is_counted_when_there_is_no_room():
    """No event leaves the program uncounted."""
    spool = Spool(MIN_SPOOL_BYTES, 'drop_newest')
    while not spool.account().dropped:
        spool.append(LINE * 0 + b'x' * 999 + b'\n')
    before = spool.account()
    with spool._lock:
        spool.append(b'x' * 999 + b'\n')
    spool.append_set_aside()
    assert spool.account().dropped['overflow'] == before.dropped['overflow'] + 1
    assert spool.account().accepted == before.accepted + 1


def test_all_of_the_bound_is_there_before_delivery_has_looked_at_it():
    """Or events would be dropped for a moment, and later ones kept."""
    spool = Spool(MIN_SPOOL_BYTES, 'drop_newest')
    while not spool.account().dropped:
        spool.append(b'x' * 999 + b'\n')
    pending = spool.account().pending
    assert spool.allocated_bytes == MIN_SPOOL_BYTES
    spool.tidy()
    spool.append(b'x' * 999 + b'\n')
    assert spool.account().pending == pending


@pytest.mark.parametrize('threads', [8])
def test_from_many_threads_each_event_is_there_once_and_in_its_threads_order(threads):
    """While delivery takes and acknowledges beside them."""
    spool = Spool(64 * 2**20)
    each = 3000
    done = threading.Event()
    taken = []

    def log(number):
        for index in range(each):
            spool.append(b'%d %d\n' % (number, index))

    def deliver():
        while True:
            ended = done.is_set()
            events = spool.take(500, 2**20)
            taken.extend(event.data for event in events)
            spool.acknowledge(events[:])
            if ended and not events:
                return

    delivery = threading.Thread(target=deliver)
    loggers = [threading.Thread(target=log, args=(number,)) for number in range(threads)]
    for thread in [delivery, *loggers]:
        thread.start()
    for thread in loggers:
        thread.join(DEADLINE_SECONDS)
    done.set()
    delivery.join(DEADLINE_SECONDS)
    by_thread = {}
    for line in taken:
        number, index = map(int, line.split())
        by_thread.setdefault(number, []).append(index)
    assert by_thread == {number: list(range(each)) for number in range(threads)}
    account = spool.account()
    assert (account.accepted, account.delivered, account.pending) == (threads * each, threads * each, 0)


def test_block_waits_until_delivery_makes_room():
    """The only policy that waits."""
    spool = Spool(MIN_SPOOL_BYTES, 'block', block_timeout_seconds=DEADLINE_SECONDS)
    line = b'x' * 7999 + b'\n'
    while spool.allocated_bytes + 16 * 1024 <= MIN_SPOOL_BYTES:
        spool.append(line)
    waiting = threading.Thread(target=lambda: [spool.append(line) for _ in range(4)])
    waiting.start()
    while waiting.is_alive():
        spool.acknowledge(spool.take(1, 10_000))
    assert not spool.account().dropped


def test_block_gives_up_at_its_time_and_counts_the_event():
    """Then as drop_newest."""
    spool = Spool(MIN_SPOOL_BYTES, 'block', block_timeout_seconds=0.001)
    appended = 0
    while not spool.account().dropped:
        spool.append(b'x' * 7999 + b'\n')
        appended += 1
    account = spool.account()
    assert (account.accepted, account.dropped, account.pending) == (appended, {'overflow': 1}, appended - 1)


def test_an_event_that_can_never_fit_evicts_nothing():
    """It would be dropped itself, after everything else."""
    spool = Spool(MIN_SPOOL_BYTES, 'drop_oldest')
    for _ in range(200):
        spool.append(LINE)
    spool.append(b'x' * 2 * MIN_SPOOL_BYTES + b'\n')
    account = spool.account()
    assert (account.pending, account.dropped) == (200, {'overflow': 1})


def test_what_delivery_has_begun_with_is_not_dropped():
    """drop_oldest takes the oldest segment that is not claimed; no event is both dropped and sent."""
    spool = Spool(MIN_SPOOL_BYTES, 'drop_oldest')
    for number in range(20):
        spool.append(b'%07d\n' % number)
    first = spool.take(1, 100)
    while spool.account().dropped.get('overflow', 0) < 100:
        spool.append(LINE)
    assert len(spool.take(19, 19 * 8)) == 19
    spool.acknowledge(first[:])
    assert spool.account().delivered == 1


def test_a_newest_segment_that_is_settled_first_leaves_the_bound_as_it_is():
    """It is replaced by a header, so that it does not stay for ever; as the spare it would be a page too much."""
    spool = Spool(MIN_SPOOL_BYTES)
    while len(spool._in_use) < 4:
        spool.append(LINE)
    events = spool.take(spool.appended, MIN_SPOOL_BYTES)
    newest = spool._in_use[-1]
    spool.acknowledge(events[-newest.events :])
    assert spool.allocated_bytes <= MIN_SPOOL_BYTES
    spool.append(LINE)
    assert spool.account().dropped == {}


def test_a_sealed_spool_drops_the_oldest_that_can_be_dropped():
    """The mere header that seals it takes no room from what is logged next: the new event stays, and what is older goes."""
    spool = Spool(MIN_SPOOL_BYTES, 'drop_oldest')
    while len(spool._in_use) < 4:
        spool.append(LINE)
    spool.take(spool.appended - 2, MIN_SPOOL_BYTES)
    spool.seal()
    spool.append(b'new\n')
    assert spool.account().dropped == {'overflow': 1}
    assert [event.data for event in spool.take(10, 1_000)] == [LINE, b'new\n']


def test_foreign_bytes_come_out_as_they_went_in():
    """Newline, NUL and the escape character itself."""
    spool = Spool(MIN_SPOOL_BYTES)
    spool.append(escape(b'a\nb\0c\x1ad'))
    assert [event.data for event in spool.take(1, 100)] == [b'a\nb\0c\x1ad\n']


def test_the_alarm_rings_once_for_each_time_it_is_set():
    """A wake-up costs; one is enough."""
    rings = []
    spool = Spool(MIN_SPOOL_BYTES, wake=lambda: rings.append(1))
    assert spool.arm(more_bytes_than=0, events=1)
    spool.append(LINE)
    spool.append(LINE)
    assert len(rings) == 1
    assert not spool.arm(more_bytes_than=0, events=1), 'it is so already'
    assert spool.arm(more_bytes_than=300, events=100)
    spool.append(LINE)
    assert len(rings) == 1
    spool.append(LINE)
    assert len(rings) == 2


def test_the_alarm_rings_when_a_segment_is_full():
    """What was set on one segment must not be lost with it."""
    rings = []
    spool = Spool(MIN_SPOOL_BYTES, wake=lambda: rings.append(1))
    spool.append(LINE)
    assert spool.arm(more_bytes_than=10**9, events=10**9)
    for _ in range(200):
        spool.append(LINE)
    assert rings


def test_segments_are_used_again():
    """A steady stream needs no new memory."""
    spool = Spool(16 * 2**20)
    for _ in range(20_000):
        spool.append(LINE)
        if spool.waiting()[0] >= 500:
            spool.acknowledge(spool.take(500, 2**20))
    assert spool.allocated_bytes <= 2 * 256 * 1024 + 4096


def test_a_backlog_gets_larger_segments():
    """Fewer roll-overs; up to a quarter of the bound."""
    spool = Spool(16 * 2**20)
    for _ in range(60_000):
        spool.append(LINE)
    sizes = [segment.size_bytes for segment in spool._segments[1:]]
    assert sizes == sorted(sizes)
    assert sizes[0] == 256 * 1024
    assert sizes[-1] == 4 * 2**20 or spool.allocated_bytes > 12 * 2**20


class OnceOnly(MemoryStore):
    """Uses no segment twice, like the store on disk."""

    def recycle(self, segment):
        return False


def test_a_sealed_spool_holds_one_page():
    """A closed handler that the program keeps holds no file, not even a spare one."""
    spool = Spool(16 * 2**20, store=OnceOnly())
    spool.append(LINE)
    spool.acknowledge(spool.take(1, 1000))
    spool.seal()
    spool.tidy()
    assert spool.allocated_bytes == 4096


class SlowWithSpares(MemoryStore):
    """Takes as long to make a spare segment, or to empty a used one, as the test wants."""

    def __init__(self):
        self.begun, self.go_on = threading.Event(), threading.Event()

    def prepare(self, segment):
        self.begun.set()
        assert self.go_on.wait(DEADLINE_SECONDS)
        super().prepare(segment)

    def recycle(self, segment):
        self.prepare(segment)
        return True


def make_a_spare(spool):
    spool.tidy()


def empty_the_oldest(spool):
    spool.acknowledge(spool.take(12, MIN_SPOOL_BYTES))


@pytest.mark.parametrize('overflow', ['drop_oldest', 'drop_newest', 'block'])
@pytest.mark.parametrize(('delivery', 'lines'), [(make_a_spare, 32), (empty_the_oldest, 40)])
def test_no_event_gives_way_for_a_spare_segment(overflow, delivery, lines):
    """Near the bound, what is just being made or emptied for later takes no room from what is logged now."""
    store = SlowWithSpares()
    spool = Spool(MIN_SPOOL_BYTES, overflow, 0.0, store=store)
    line = b'x' * 999 + b'\n'  # of which twelve fill one of the four segments
    spool.append(line)
    spool.tidy()  # lets go of the page that it begins with
    for _ in range(lines - 1):
        spool.append(line)
    thread = threading.Thread(target=delivery, args=(spool,))
    thread.start()
    assert store.begun.wait(DEADLINE_SECONDS)
    for _ in range(12):
        spool.append(line)
    account = spool.account()
    assert (account.accepted, account.dropped) == (lines + 12, {})
    store.go_on.set()
    thread.join()
    assert spool.allocated_bytes <= MIN_SPOOL_BYTES
    assert len(spool.take(100, 2**20)) == account.pending


@pytest.mark.parametrize('error', [MemoryError, SystemExit])
def test_what_was_read_when_taking_failed_is_in_the_callers_list(error):
    """No memory for all of it, or the thread was killed: what counts as taken, somebody has; the rest is taken next."""
    spool = Spool(16 * 1024 * 1024)
    lines = [b'%d %s\n' % (number, b'x' * 100_000) for number in range(8)]
    for line in lines:
        spool.append(line)
    reads = []

    def fail_at_the_third(segment, max_events, max_bytes, into):
        reads.append(segment)
        if len(reads) == 3:
            raise error
        return read_on(segment, max_events, max_bytes, into)

    taken = []
    with pytest.raises(error):
        spool.take(500, 2**20, taken, fail_at_the_third)
    assert len(set(reads)) == 3
    assert len(taken) + spool.waiting()[0] == 8
    assert spool.window_bytes == sum(len(event.data) for event in taken)
    spool.take(500, 2**20, taken)
    assert [event.data for event in taken] == lines
    spool.acknowledge(taken[:])
    assert spool.settled_through == spool.appended == 8


def test_a_thread_that_alone_could_make_room_does_not_wait_for_it():
    """With `use_queues=False` the emitting thread delivers: "block" is "drop_newest" there."""
    spool = Spool(MIN_SPOOL_BYTES, 'block', block_timeout_seconds=DEADLINE_SECONDS * 100)
    spool.may_wait = lambda: False
    while not spool.account().dropped:
        spool.append(LINE)
    assert spool.account().dropped == {'overflow': 1}


def test_an_error_while_append_rolls_over_drops_the_event_as_failed():
    """No Exception comes out of a logging call, and no event is uncounted; the next one finds room again."""
    spool = Spool(MIN_SPOOL_BYTES)

    class Failing(MemoryStore):
        def make(self, size_bytes):
            raise RecursionError

    spool.use_store(Failing(), MIN_SPOOL_BYTES)
    spool.append(LINE)
    assert spool.account().dropped == {'failed': 1}
    assert (spool.account().accepted, spool.account().pending) == (1, 0)
    spool.use_store(MemoryStore(), MIN_SPOOL_BYTES)
    spool.append(b'next\n')
    assert [event.data for event in spool.take(10, 1000)] == [b'next\n']


def test_an_error_in_the_alarm_does_not_come_out_and_the_event_is_queued():
    """An alarm that is lost costs an interval."""

    def fail():
        raise RuntimeError

    spool = Spool(MIN_SPOOL_BYTES, wake=fail)
    assert spool.arm(more_bytes_than=0, events=1)
    spool.append(LINE)
    assert spool.account().dropped == {}
    assert spool.account().pending == 1


def test_an_interruption_while_append_rolls_over_leaves_the_event_to_the_next_call():
    """A Ctrl-C comes out of the logging call; the event waits, counted."""
    spool = Spool(MIN_SPOOL_BYTES)

    class Interrupted(MemoryStore):
        def make(self, size_bytes):
            raise KeyboardInterrupt

    spool.use_store(Interrupted(), MIN_SPOOL_BYTES)
    with pytest.raises(KeyboardInterrupt):
        spool.append(LINE)
    assert not spool.interrupted
    with spool._lock:  # or what asks would try again
        assert spool.account().pending == 1
    spool.use_store(MemoryStore(), MIN_SPOOL_BYTES)
    spool.append(b'next\n')
    assert [event.data for event in spool.take(10, 1000)] == [LINE, b'next\n']


def test_what_a_signal_handler_drops_inside_append_uses_up_a_number_and_is_told():
    """It waits for the frame below, as an event would; the account has it at once."""
    spool = NumberedSpool(bytes(16), MIN_SPOOL_BYTES)
    with spool._lock:
        spool.reject('oversize', 9)
        assert spool.account().dropped == {'oversize': 1}
    spool.append(b'{"x":1' + PLACE)
    marker, event = spool.take(10, 1000)
    assert b'"first":0,"last":0,"reason":"oversize"' in marker.data
    assert event.data.endswith(b'"sequence":2}\n')
    assert spool.account().dropped == {'oversize': 1}
    assert spool.account().dropped_bytes == {'oversize': 9}
