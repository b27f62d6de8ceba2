"""What becomes of a program's queue when an exception (Ctrl-C) ends `batch_sender` at any bytecode, and it is called again?

The bytecodes of the modules that hold what was got from the queue are the places. The first life counts them, the others
have an exception come at one of them each.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import firefighter
from bytecodes import AtBytecode
from depth import EVERY_PLACE, depth
from doubles import DEADLINE_SECONDS, AcceptingClient, EntryFailingClient, RaisingClient
from firefighter._delivery.logged_by_delivery import on_thread_of_ours
from firefighter.logging import FirehoseHandler

# `DEPTH=every` takes each bytecode; else it is each so manieth.
EVERY = 1 if EVERY_PLACE else depth(211, 89)
TRACED = {
    str((Path(firefighter.__file__).parent / '_delivery' / name).resolve(strict=True))
    for name in ('plain_queue.py', 'spool_source.py', 'batches.py')
}
PACKAGE_FILES = {str(path) for path in Path(firefighter.__file__).resolve().parent.rglob('*.py')}
NEVER = 10_000.0

pytestmark = pytest.mark.timeout(600)


class Interrupted(BaseException):
    """Comes from nowhere, as KeyboardInterrupt does."""


class World:
    """A handler, and a queue with events, marks, and what is no event; or with one event alone, and END."""

    def __init__(
        self, make_handler: Callable[..., FirehoseHandler], at: int | None, *, one_event: bool = False
    ) -> None:
        self.client = EntryFailingClient(set() if one_event else {0}, (), {1})
        self.handler = make_handler('bar', boto3_client=self.client, oversize='drop')
        self.queue: queue.Queue = queue.Queue()
        self.events = [b'%d\n' % number for number in range(5)]
        self.events[1] = b'two\nlines\n'
        flush, end = self.handler.FLUSH, self.handler.END
        items = (*self.events[:3], {'no': 'event'}, flush, b'x' * 2_000, *self.events[3:], flush, end)
        if one_event:
            items, self.events = (self.events[0], end), self.events[:1]
        for item in items:
            self.queue.put(item)
        self.interruption = AtBytecode(TRACED.__contains__, Interrupted, at)

    def deliver(self) -> bool:
        """Deliver, once more where that is interrupted; return whether it was."""
        arguments = (self.queue, 'bar', NEVER)
        try:
            self.interruption(self.handler.batch_sender, *arguments)
        except Interrupted:
            self.queue.put(self.handler.END)
            self.handler.batch_sender(*arguments)
            return True
        return False

    @property
    def not_done(self) -> int:
        """Items that were got and never done."""
        return self.queue.unfinished_tasks - self.queue.qsize()


def test_nothing_that_was_got_is_lost_or_done_twice(make_handler):
    """But for the one item that is just being handed over: a queue written in Python cannot do that in one step."""
    counting = World(make_handler, None)
    assert not counting.deliver()
    assert sorted(counting.client.events) == sorted(counting.events)
    assert counting.not_done == 0
    places = range(0, counting.interruption.executed, EVERY)
    assert counting.interruption.executed > 5_000
    interrupted = 0
    for at in places:
        world = World(make_handler, at)
        interrupted += world.deliver()
        stats = world.handler.stats()
        assert stats.accepted == stats.delivered + sum(stats.dropped.values()), at
        lost = [event for event in world.events if event not in world.client.events]
        assert len(lost) <= 1, (at, lost)
        assert world.not_done in {0, 1}, at
        assert len(world.client.events) <= len(world.events), at
    assert interrupted > len(places) // 2


def test_the_last_events_are_sent_though_no_other_comes(make_handler):
    """What was taken for a batch whose composing is interrupted: nothing waits in the queue that would make it due."""
    counting = World(make_handler, None, one_event=True)
    counting.deliver()
    for at in range(0, counting.interruption.executed, EVERY):
        world = World(make_handler, at, one_event=True)
        world.deliver()
        assert world.client.events == world.events or world.not_done == 1, at


class ByteQueue(queue.Queue):
    """A queue whose own methods a signal handler may interrupt: those of `queue.Queue` leave its lock taken."""

    def __init__(self) -> None:
        self._items: queue.SimpleQueue = queue.SimpleQueue()
        self.put = self._items.put
        self.get = self._items.get
        self.done = 0

    def task_done(self) -> None:
        self.done += 1


# The collector may come within, with a handler of an earlier test. Python can only report what is raised in a callback of a weak reference.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
@pytest.mark.skipif(sys.version_info < (3, 11), reason='the tables of exceptions are unknown here')
@pytest.mark.parametrize('again_after', [None, *range(1, 25, 4), 200])
def test_wherever_a_signal_handler_raises_and_raises_again_the_account_is_that_of_what_was_queued(
    again_after, make_handler
):
    """In the whole package. Whatever comes is counted once; the caller's thread is the program's afterwards; the call ends."""

    def live(at: int | None) -> int:
        client = EntryFailingClient({0}, (), {1})
        handler = make_handler('bar', boto3_client=client, oversize='drop')
        batch_queue = ByteQueue()
        events = [b'%d\n' % number for number in range(5)]
        for item in (*events[:3], {'no': 'event'}, handler.FLUSH, b'x' * 2_000, *events[3:], handler.END):
            batch_queue.put(item)
        interruption = AtBytecode(
            PACKAGE_FILES.__contains__, Interrupted, at, again_after=again_after, only_signals=True
        )
        arguments = (batch_queue, 'bar', NEVER)
        interrupted = 0
        for deliver in (*[partial(interruption, handler.batch_sender)] * 3, handler.batch_sender):
            try:
                deliver(*arguments)
            except Interrupted:
                interrupted += 1
                batch_queue.put(handler.END)
            else:
                break
        assert not on_thread_of_ours(), at
        stats = handler.stats()
        assert stats.pending == 0, (at, stats)
        assert stats.accepted == stats.delivered + sum(stats.dropped.values()), (at, stats)
        # An item may be lost for each exception, between the queue's own `get` and the store of its result.
        assert 7 - interrupted <= stats.accepted <= 7, (at, stats)
        assert stats.delivered == len(set(client.events) & {*events, b'x' * 2_000 + b'\n'}), (at, stats)
        assert len(client.events) - len(set(client.events)) <= stats.uncertain, (at, stats)
        return interruption.executed

    places = live(None)
    assert places > 1_000
    for at in range((again_after or 0) % EVERY, places, EVERY):
        live(at)


class InterruptedQueue(ByteQueue):
    """A queue whose `get` is interrupted where nothing is in it, and that notes how long it was to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []
        self.get = self._get

    def _get(self, block: bool, timeout: float) -> object:  # as `queue.Queue.get`
        if block:
            self.waits.append(timeout)
        try:
            return self._items.get(block=False)
        except queue.Empty:
            if block:
                raise Interrupted from None
            raise


def test_a_call_that_is_interrupted_again_and_again_goes_on(make_handler):
    """As often as the stack is deep."""
    handler, batch_queue = make_handler('bar', boto3_client=AcceptingClient()), InterruptedQueue()
    for _ in range(sys.getrecursionlimit() + 100):
        with pytest.raises(Interrupted):
            handler.batch_sender(batch_queue, 'bar', NEVER)
    batch_queue.put(b'one\n')
    batch_queue.put(handler.END)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    stats = handler.stats()
    assert (stats.delivered, stats.last_error) == (1, None)


def test_the_end_of_an_interrupted_call_is_not_that_of_the_next_one(make_handler):
    """Which would spin from then on."""
    client = RaisingClient(Interrupted())
    handler = make_handler('bar', boto3_client=client, shutdown_timeout_seconds=0)
    batch_queue = InterruptedQueue()
    batch_queue.put(b'one\n')
    batch_queue.put(handler.END)
    with pytest.raises(Interrupted):
        handler.batch_sender(batch_queue, 'bar', NEVER)
    with pytest.raises(Interrupted):
        handler.batch_sender(batch_queue, 'bar', NEVER)
    assert len(batch_queue.waits) == 1
    assert batch_queue.waits[0] > 0.0


def test_what_several_threads_were_interrupted_in_is_delivered_by_the_next_call(make_handler):
    """Though only one of them comes back."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    together, holds_one = threading.Barrier(2), threading.Semaphore(0)

    class Queue(InterruptedQueue):
        def _get(self, block: bool, timeout: float) -> object:
            if block:
                holds_one.release()
                together.wait(DEADLINE_SECONDS)
            return super()._get(block, timeout)

    batch_queue = Queue()

    def deliver() -> None:
        with pytest.raises(Interrupted):
            handler.batch_sender(batch_queue, 'bar', NEVER)

    threads = [threading.Thread(target=deliver) for _ in range(2)]
    for number, thread in enumerate(threads):
        batch_queue.put(b'%d\n' % number)
        thread.start()
        assert holds_one.acquire(timeout=DEADLINE_SECONDS)
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
    assert handler.stats().pending == 2
    batch_queue.put(handler.END)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert handler.stats().pending == 0
    assert sorted(client.events) == [b'0\n', b'1\n']
    assert not handler._pipeline._queue_deliveries._state[1]
