"""How many requests are under way at once, who makes them, and what becomes of those threads?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence

import pytest

from doubles import DEADLINE_SECONDS, AcceptingClient, BlockingClient, ThreadThatCannotStart
from firefighter import _lifecycle
from firefighter._delivery import limits, workers
from firefighter._delivery.workers import Workers

FULL = limits.MAX_RECORDS


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
    assert len(_lifecycle._process.workers) == _lifecycle.MAX_WORKERS


def log_full(logger, requests: int) -> None:
    """Log as much as fills so many requests."""
    for _ in range(requests * FULL):
        logger.info('Ahoy')


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
    assert len(client.events) == len(set(client.events)) == 9 * FULL
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
    assert client.events == sorted(client.events)
    assert len(set(client.threads)) == 1


def test_without_a_backlog_there_is_one_thread(make_handler, make_logger) -> None:
    """However often a batch is due."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    logger = make_logger(handler)
    for _ in range(20):
        logger.info('Ahoy')
        assert handler.flush()
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
    log_behind_the_first(client, make_logger(handler), 8)
    client.wait_for_requests(4)
    assert client.most == 1
    client.failing = False
    assert handler.flush()
    assert len(client.events) == 9 * FULL


def test_many_handlers_share_a_few_workers(make_handler, make_logger) -> None:
    """Ten handlers with a backlog are not fifty threads."""
    before = threading.active_count()
    clients = [BlockingClient() for _ in range(10)]
    handlers = [make_handler('bar', boto3_client=client) for client in clients]
    for handler in handlers:
        log_full(make_logger(handler), 6)
    for client in clients:
        client.wait_for_requests(1)
    assert threading.active_count() - before <= 10 + _lifecycle.MAX_WORKERS
    for client in clients:
        client.release()
    assert all(handler.flush() for handler in handlers)


def test_a_worker_that_cannot_be_started_is_no_trouble(make_handler, make_logger) -> None:
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


class Work:
    """Something to do, so many times, by one thread after the other."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.done = threading.Semaphore(0)

    def __call__(self) -> bool:
        if not self.left:
            return False
        self.left -= 1
        self.done.release()
        return True


@pytest.fixture
def crew() -> Callable[..., Workers]:
    """Make workers that are dismissed at the end of the test."""
    made = []

    def make(work, most=3):
        made.append(Workers(work, most, 'worker of a test'))
        made[-1].engage()
        return made[-1]

    yield make
    for one in made:
        one.dismiss()


def test_a_worker_does_what_there_is_and_waits_for_the_next_call(crew) -> None:
    """The same thread is called again."""
    work = Work(3)
    crew = crew(work)
    crew.call()
    for _ in range(3):
        assert work.done.acquire(timeout=DEADLINE_SECONDS)
    work.left = 1
    while not work.done.acquire(timeout=0.01):
        crew.call()
    assert crew.alive == 1


def test_an_idle_worker_ends(crew, monkeypatch) -> None:
    """A burst leaves no threads behind."""
    monkeypatch.setattr(workers, 'IDLE_SECONDS', 0.0)
    started = []

    def make_thread(**kwargs):
        started.append(threading.Thread(**kwargs))
        return started[-1]

    crew = crew(Work(0))
    crew.make_thread = make_thread
    crew.call()
    started[0].join(DEADLINE_SECONDS)
    assert not started[0].is_alive()
    assert crew.alive == 0


def test_a_dismissed_worker_ends_and_none_is_started(crew) -> None:
    """At END nobody waits for work that will not come."""
    crew = crew(Work(0))
    crew.call()
    crew.dismiss()
    crew.call()
    assert crew.alive <= 1
