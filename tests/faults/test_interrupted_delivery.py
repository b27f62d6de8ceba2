"""What becomes of events when an exception (Ctrl-C, a time-out of the program's own) ends a delivery in the middle?

With `use_queues=False` the application's thread delivers, and so it does at exit: a signal handler that raises may end that
anywhere, between the answer and its account too.
"""

from __future__ import annotations

import itertools
import json
import random
import signal
import sys
import threading
from collections import Counter
from types import FrameType

import pytest

from doubles import AcceptingClient, EntryFailingClient, RefusingClient

INTERRUPTIONS = 300
MOST_CALLS = 20_000


class Interrupted(BaseException):
    """Comes from nowhere, as KeyboardInterrupt does."""


def _takes_a_lock_of_all_threads(frame: FrameType | None) -> bool:
    """Return whether a thread is just being started on CPython 3.14.

    That one looks for signals between taking a lock by `with` and the block, and leaves it taken when the handler raises: so the lock
    without which no thread of the process can begin or end any more.
    """
    in_threading = frame is not None and frame.f_code.co_filename == threading.__file__
    return in_threading and sys.version_info[:2] == (3, 14)


class Timer:
    """Raises in the main thread after a random time, at most once a call."""

    def __init__(self) -> None:
        self.raised = 0
        self._armed = False
        self._dice = random.Random(4)
        self._before = signal.signal(signal.SIGALRM, self._raise)

    def _raise(self, _number: int, frame: FrameType | None) -> None:
        if _takes_a_lock_of_all_threads(frame):
            signal.setitimer(signal.ITIMER_REAL, 1e-4)
        elif self._armed:
            self._armed = False
            self.raised += 1
            raise Interrupted

    def call(self, function, *arguments) -> bool:
        """Call; return whether it returned."""
        try:
            self._armed = True
            signal.setitimer(signal.ITIMER_REAL, self._dice.uniform(1e-6, 4e-4))
            function(*arguments)
            self._armed = False
        except Interrupted:
            return False
        return True

    def end(self) -> None:
        self._armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)


@pytest.fixture
def timer():
    timer = Timer()
    yield timer
    timer.end()


def is_poison(record: bytes) -> bool:
    return any(json.loads(event)['message'].startswith('poison') for event in record.splitlines())


def failing_at_times() -> EntryFailingClient:
    return EntryFailingClient(*itertools.islice(itertools.cycle([{0}, (), {1}, ()]), 400))


def refusing() -> RefusingClient:
    return RefusingClient(is_poison)


# Nothing is lost by it: where no thread comes, whoever waits delivers.
@pytest.mark.leaves_threads
@pytest.mark.skipif(not hasattr(signal, 'setitimer'), reason='no interval timers here')
# It may come in the middle of a callback of the collector's, which swallows it.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
# The suite's own time-out uses the same signal.
@pytest.mark.timeout(60, method='thread')
@pytest.mark.parametrize('make_client', [AcceptingClient, failing_at_times, refusing])
@pytest.mark.parametrize('place', ['memory', 'disk'])
@pytest.mark.parametrize('aggregate', [False, True], ids=['single', 'aggregate'])
def test_no_event_is_lost_nor_uncounted_by_it(
    make_client, place, aggregate, timer, make_handler, make_logger, tmp_path
):
    """Whatever was logged arrives, or is dropped with its reason; the sum is right; nothing waits for ever."""
    if place == 'disk' and sys.platform == 'win32':
        pytest.skip('no spool on disk here')
    client = make_client()
    where = {'spool_dir': tmp_path / 'spool'} if place == 'disk' else {}
    handler = make_handler('bar', False, boto3_client=client, aggregate=aggregate, **where)
    logger = make_logger(handler)
    logged = set()
    for number in range(1, MOST_CALLS):
        if timer.raised == INTERRUPTIONS:
            break
        message = f'{"poison" if number % 10 == 0 else "event"} {number}'
        if timer.call(logger.info, message):
            logged.add(message)
        stats = handler.stats()
        assert stats.accepted == stats.delivered + sum(stats.dropped.values()) + stats.pending
    timer.end()
    assert timer.raised == INTERRUPTIONS, handler.stats()
    logger.info('event last')  # whose acceptance condemns a culprit that was refused alone
    # The bound is on tries, each of which sends all that waits, or finds one culprit.
    flushed = any(handler.flush() for _ in range(20))
    stats = handler.stats()
    assert flushed, (stats, handler._pipeline.sender._dispatch.batches._taken)
    assert stats.pending == 0
    assert stats.accepted == stats.delivered + sum(stats.dropped.values())
    arrived = Counter(
        json.loads(event)['message'] for record in client.events for event in record.splitlines()
    )
    expected = {
        message for message in logged if not (isinstance(client, RefusingClient) and 'poison' in message)
    }
    assert expected <= arrived.keys()
    twice = sum(count - 1 for count in arrived.values())
    assert aggregate or twice <= stats.retried, (twice, stats)
