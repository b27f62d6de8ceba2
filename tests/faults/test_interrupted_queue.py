"""What becomes of a program's queue when an exception (Ctrl-C) ends `batch_sender` at any bytecode, and it is called again?

The bytecodes of the modules that hold what was got from the queue are the places. The first life counts them, the others
have an exception come at one of them each.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Callable
from pathlib import Path

import pytest

import firefighter
from bytecodes import AtBytecode
from doubles import EntryFailingClient
from firefighter.logging import FirehoseHandler

# `FIREFIGHTER_EVERY=1` takes each bytecode.
EVERY = int(os.environ.get('FIREFIGHTER_EVERY', '17'))
TRACED = {
    str((Path(firefighter.__file__).parent / '_delivery' / name).resolve(strict=True))
    for name in ('plain_queue.py', 'source.py', 'batches.py')
}
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
    assert len(places) > 100
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
    assert interrupted > 100


def test_the_last_events_are_sent_though_no_other_comes(make_handler):
    """What was taken for a batch whose composing is interrupted: nothing waits in the queue that would make it due."""
    counting = World(make_handler, None, one_event=True)
    counting.deliver()
    for at in range(0, counting.interruption.executed, EVERY):
        world = World(make_handler, at, one_event=True)
        world.deliver()
        assert world.client.events == world.events or world.not_done == 1, at
