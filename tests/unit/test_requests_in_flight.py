"""How many requests are under way at once, who makes them, and what becomes of those threads?"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence

import orjson
import pytest

from doubles import DEADLINE_SECONDS, AcceptingClient, BlockingClient, ThreadThatCannotStart
from firefighter._delivery import limits, requests
from firefighter._delivery.batches import Batch
from firefighter._delivery.outcomes import Answer, Outcome
from firefighter._delivery.requests import Requests
from firefighter._process import exit_and_forks
from firefighter._spool.taken_events import SpooledEvent

pytestmark = pytest.mark.usefixtures('patient')

FULL = limits.MAX_RECORDS
NUMBERS = itertools.count()


class CountingClient(AcceptingClient):
    """Counts how many requests are under way at once.

    Args:
        together: the first is answered after `release`; the others, from when so many of them are under way at once.

    Attributes:
        most: the most there were.
    """

    def __init__(self, together: int = 1) -> None:
        super().__init__()
        self.most = 0
        self._under_way = 0
        self._count = threading.Lock()
        self._first = threading.Event()
        self._wanted = together
        self._together = threading.Event()

    def hold(self, number: int) -> None:
        with self._count:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            if self._under_way == self._wanted:
                self._together.set()
        assert (self._together if number else self._first).wait(DEADLINE_SECONDS)

    def failures(self, number: int, data: Sequence[bytes]) -> Collection[int]:
        with self._count:
            self._under_way -= 1
        return ()

    def release(self) -> None:
        self._first.set()


class FailingClient(CountingClient):
    """Fails every request until it is told to accept; counts those under way while it fails."""

    def __init__(self) -> None:
        super().__init__()
        self.failing = True

    def failures(self, number: int, data: Sequence[bytes]) -> Collection[int]:
        super().failures(number, data)
        return range(len(data)) if self.failing else ()


@pytest.fixture(autouse=True)
def all_slots_come_back() -> Iterator[None]:
    """A process has a few workers in all: each gives its place back when it has ended."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(DEADLINE_SECONDS)
    assert len(exit_and_forks._process.request_threads) == exit_and_forks.MAX_REQUEST_THREADS


def log_full(logger, requests: int) -> None:
    """Log as much as fills so many requests: numbers, each once."""
    for number in itertools.islice(NUMBERS, requests * FULL):
        logger.info(number)


def numbers(client: AcceptingClient) -> list[int]:
    """Return what was accepted, in its order."""
    return [int(orjson.loads(event)['message']) for event in client.events]


def log_behind_the_first(client: CountingClient, logger, requests: int) -> None:
    """Have a first request under way, and so many full ones waiting when it is answered."""
    log_full(logger, 1)
    client.wait_for_requests(1)
    log_full(logger, requests)
    client.release()


def test_a_backlog_has_max_in_flight_requests_under_way(make_handler, make_logger) -> None:
    """Were there fewer than four at once, none of them would be answered; each event arrives once."""
    client = CountingClient(together=4)
    handler = make_handler('bar', boto3_client=client)
    log_behind_the_first(client, make_logger(handler), 8)
    assert handler.flush()
    assert len(numbers(client)) == len(set(numbers(client))) == 9 * FULL
    assert client.most == 4
    stats = handler.stats()
    assert (stats.delivered, stats.pending, stats.retried) == (9 * FULL, 0, 0)


def test_one_at_a_time_is_possible(make_handler, make_logger) -> None:
    """`max_in_flight=1`: the order of requests is that of the events."""
    client = CountingClient()
    handler = make_handler('bar', boto3_client=client, max_in_flight=1)
    log_behind_the_first(client, make_logger(handler), 5)
    assert handler.flush()
    assert client.most == 1
    assert numbers(client) == sorted(numbers(client))
    assert len(set(client.threads)) == 1


def test_without_a_backlog_one_thread_makes_the_requests(make_handler, make_logger) -> None:
    """However often a batch is due. While it is still on its way back from the answer, another may come."""

    class Beds(deque):
        """Tells of who lies down to wait for work."""

        def append(self, wakeup) -> None:
            super().append(wakeup)
            lain_down.release()

    lain_down = threading.Semaphore(0)
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler._pipeline.sender.requests._idle = Beds()
    logger = make_logger(handler)
    for _ in range(20):
        logger.info('Ahoy')
        assert handler.flush()
        assert lain_down.acquire(timeout=DEADLINE_SECONDS)
    assert len(set(client.threads)) == 1


def test_requests_under_way_side_by_side_have_at_most_one_mebibyte(make_handler, make_logger) -> None:
    """The interpreter's lock is held for as long as a body is long."""
    client = CountingClient()
    handler = make_handler('bar', boto3_client=client)
    logger = make_logger(handler)
    logger.info('Ahoy')
    handler.flush(0)
    client.wait_for_requests(1)
    for _ in range(30):
        logger.info('x' * 200_000)
    client.release()
    assert handler.flush()
    assert max(sum(map(len, request)) for request in client.requests) <= limits.FULL_REQUEST_BYTES


def test_what_is_under_way_stays_within_the_window(make_handler, make_logger) -> None:
    """A crash repeats at most 8 MiB: nothing more starts until the oldest is settled."""
    client = BlockingClient()
    handler = make_handler('bar', boto3_client=client, max_in_flight=40, max_spool_bytes=64 * 1024 * 1024)
    logger = make_logger(handler)
    for _ in range(60):
        logger.info('x' * 200_000)
    threading.Thread(target=handler.flush).start()
    # Each takes five events of 200,100 bytes; the eighth takes what is left of 8 MiB.
    client.wait_for_requests(8)
    assert sum(len(data) for request in client.requests for data in request) <= limits.MAX_WINDOW_BYTES
    client.release()
    assert handler.flush()
    assert len(client.events) == 60, handler.stats()


def test_a_flush_does_not_wait_for_a_request_that_gets_no_answer_to_begin_with_the_rest(
    make_handler, make_logger
) -> None:
    """The delivery thread is in it, and sees nothing of what has come since."""
    client = BlockingClient()
    handler = make_handler('bar', send_interval=0, boto3_client=client)
    logger = make_logger(handler)
    logger.info('first')
    client.wait_for_requests(1)
    log_full(logger, 2)
    assert handler.flush(0) is False
    client.wait_for_requests(3)
    client.release()
    assert handler.flush()


def test_while_requests_fail_one_alone_finds_out_when_that_has_passed(make_handler, make_logger) -> None:
    """Four that fail side by side would be four times the storm."""
    client = FailingClient()
    handler = make_handler('bar', boto3_client=client)
    logger = make_logger(handler)
    client.release()
    log_full(logger, 1)
    client.wait_for_requests(2)  # the first has failed
    log_full(logger, 8)
    client.wait_for_requests(5)
    assert client.most == 1
    client.failing = False
    assert handler.flush()
    assert len(client.events) == 9 * FULL


def test_many_handlers_share_a_few_threads(make_handler, make_logger) -> None:
    """Ten handlers with a backlog are not fifty threads: each has two, and all together eight more."""
    before = threading.active_count()
    clients = [BlockingClient() for _ in range(10)]
    handlers = [make_handler('bar', boto3_client=client) for client in clients]
    for handler in handlers:
        log_full(make_logger(handler), 6)
    for client in clients:
        client.wait_for_requests(1)
    assert threading.active_count() - before <= 2 * 10 + exit_and_forks.MAX_REQUEST_THREADS
    for client in clients:
        client.release()
    assert all(handler.flush() for handler in handlers)


def test_a_thread_that_cannot_be_started_is_no_trouble(make_handler, make_logger) -> None:
    """The delivery thread makes one request after the other."""
    made = []

    def make_thread(*args, **kwargs):
        made.append(threading.Thread(*args, **kwargs) if not made else ThreadThatCannotStart())
        return made[-1]

    client = CountingClient()
    handler = make_handler('bar', boto3_client=client)
    logger = make_logger(handler)
    handler.emit(logger.makeRecord('foo', 20, '', 0, 'Ahoy', (), None), make_thread=make_thread)
    log_behind_the_first(client, logger, 5)
    assert handler.flush()
    assert len(made) > 1
    assert client.most == 1
    assert set(client.threads) == {made[0]}


class Transport:
    """Accepts everything, once it may.

    Attributes:
        requests: those that have come.
        gate: holds them back.
    """

    def __init__(self) -> None:
        self.requests = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()

    def put(self, stream: str, records: Sequence[bytes]) -> Answer:
        self.requests.release()
        assert self.gate.wait(DEADLINE_SECONDS)
        return Answer([Outcome.ACCEPTED] * len(records))


class Clerk:
    """Hands batches over, and waits for their answers."""

    def __init__(self, most: int) -> None:
        self.transport = Transport()
        self.answered = threading.Semaphore(0)
        self.started: list[threading.Thread] = []
        self.requests = Requests(self.transport, 'bar', most, self.answered.release)
        self.requests.make_thread = self.make_thread

    def make_thread(self, **kwargs) -> threading.Thread:
        self.started.append(threading.Thread(**kwargs))
        return self.started[-1]

    def make_one(self) -> Batch:
        batch = Batch([SpooledEvent(b'x\n', None, 0, 2)])
        self.requests.start(batch)
        assert self.answered.acquire(timeout=DEADLINE_SECONDS)
        return batch


@pytest.fixture
def make_clerk() -> Iterator[Callable[[int], Clerk]]:
    """Make clerks whose threads end with the test."""
    made = []

    def make(most: int = 3) -> Clerk:
        made.append(Clerk(most))
        return made[-1]

    yield make
    for clerk in made:
        clerk.requests.end_idle_threads()
        for thread in clerk.started:
            thread.join(DEADLINE_SECONDS)


def test_each_batch_gets_its_answer(make_clerk) -> None:
    """In a thread that is not the caller's."""
    clerk = make_clerk()
    for _ in range(20):
        assert clerk.make_one().answer == Answer([Outcome.ACCEPTED])
    assert 1 <= len(clerk.started) <= 3


def test_a_batch_that_is_handed_over_twice_is_sent_once(make_clerk) -> None:
    """An exception may have come between handing it over and taking note of it."""
    clerk = make_clerk()
    batch = clerk.make_one()
    clerk.requests.start(batch)
    clerk.make_one()
    clerk.requests.end_idle_threads()
    for thread in clerk.started:
        thread.join(DEADLINE_SECONDS)
    assert clerk.transport.requests.acquire(blocking=False)
    assert clerk.transport.requests.acquire(blocking=False)
    assert not clerk.transport.requests.acquire(blocking=False)


def test_an_idle_thread_ends(make_clerk, monkeypatch) -> None:
    """A burst leaves no threads behind."""
    monkeypatch.setattr(requests, 'IDLE_SECONDS', 0.0)
    clerk = make_clerk()
    clerk.make_one()
    clerk.started[0].join(DEADLINE_SECONDS)
    assert not clerk.started[0].is_alive()
    assert clerk.requests.threads == 0


def test_a_dismissed_thread_ends_and_another_comes_when_it_is_wanted_again(make_clerk) -> None:
    """A handler that is closed may be opened again."""
    clerk = make_clerk()
    clerk.make_one()
    clerk.requests.end_idle_threads()
    clerk.started[0].join(DEADLINE_SECONDS)
    assert not clerk.started[0].is_alive()
    assert clerk.make_one().answer
    assert len(clerk.started) == 2


@pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')
def test_what_is_killed_in_a_request_is_given_back_as_uncertain(make_clerk) -> None:
    """Nobody knows whether it arrived; the batch is not under way for ever."""
    clerk = make_clerk()

    def killed(stream: str, records: Sequence[bytes]) -> Answer:
        raise SystemExit

    clerk.transport.put = killed
    answer = clerk.make_one().answer
    assert (list(answer.outcomes), answer.uncertain) == ([Outcome.RETRY], True)
