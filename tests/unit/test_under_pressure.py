"""Does the handler keep its promises when threads, signals, limits and faults come together?"""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Iterator

import orjson
import pytest

from doubles import (
    DEADLINE_SECONDS,
    AcceptingClient,
    BlockingClient,
    DownClient,
    RaisingClient,
)
from firefighter.stats import DropReason

SMALLEST_SPOOL = 64 * 1024


class SilentServer:
    """Listens, takes connections, and never answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.url = f'http://127.0.0.1:{self._listener.getsockname()[1]}'
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                self._connections.append(self._listener.accept()[0])
            except OSError:
                return

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(DEADLINE_SECONDS)
        for connection in self._connections:
            connection.close()


@pytest.fixture
def silent_server() -> Iterator[SilentServer]:
    """An endpoint that never answers, until it is stopped."""
    server = SilentServer()
    yield server
    if server._listener.fileno() != -1:
        server.stop()


def test_close_returns_although_another_thread_goes_on_logging(make_handler, make_logger) -> None:
    """It waits for what was logged before it; `dictConfig` calls it with logging's lock held."""
    handler = make_handler('bar', boto3_client=AcceptingClient(), shutdown_timeout_seconds=1000)
    logger = make_logger(handler)
    logger.info('start')
    stop = threading.Event()

    def chatter() -> None:
        while not stop.is_set():
            logger.info('more')

    chattering = threading.Thread(target=chatter)
    closing = threading.Thread(target=handler.close)
    chattering.start()
    closing.start()
    closing.join(DEADLINE_SECONDS)
    returned = not closing.is_alive()
    stop.set()
    chattering.join(DEADLINE_SECONDS)
    handler.close()
    assert returned


@pytest.mark.usefixtures('patient')
def test_delivery_survives_a_hook_that_exits(make_handler, make_logger) -> None:
    """`sys.exit` in `on_drop` is an exception of the hook's: counted, and the same thread goes on."""
    client = AcceptingClient()
    called_in, called = [], threading.Semaphore(0)

    def on_drop(*news: object) -> None:
        called_in.append(threading.current_thread())
        called.release()
        sys.exit('from a hook')

    handler = make_handler('bar', send_interval=0, boto3_client=client, oversize='drop', on_drop=on_drop)
    logger = make_logger(handler)
    logger.info('x' * 2000)
    logger.info('one')
    client.wait_for_events(1)
    assert called.acquire(timeout=DEADLINE_SECONDS)
    logger.info('x' * 2000)
    logger.info('two')
    handler.close()
    assert len(client.events) == 2
    assert [thread.name for thread in called_in] == ['firefighter-bar'] * 2
    assert len(set(called_in)) == 1
    assert handler.stats().hook_errors == 2


@pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')
def test_delivery_survives_a_client_that_exits(make_handler, make_logger) -> None:
    """The thread cannot be ended by what it calls, or another takes its place: the event is sent again."""
    client = RaisingClient(SystemExit('from a client'))
    handler = make_handler('bar', send_interval=0, boto3_client=client)
    logger = make_logger(handler)
    logger.info('one')
    client.wait_for_requests(1)
    client.threads[0].join(DEADLINE_SECONDS)
    logger.info('two')
    client.wait_for_events(2)


def test_an_event_that_can_never_fit_gives_way_itself(make_handler, make_logger) -> None:
    """`drop_oldest` does not empty the spool for an event larger than the spool."""
    client = BlockingClient()
    handler = make_handler('bar', send_interval=0, boto3_client=client, max_spool_bytes=SMALLEST_SPOOL)
    logger = make_logger(handler)
    logger.info({'number': -1})
    client.wait_for_requests(1)
    for number in range(25):
        logger.info({'number': number, 'padding': 'x' * 900})
    logger.info('x' * 70_000)
    client.release()
    assert handler.flush()
    assert sorted(orjson.loads(event)['number'] for event in client.events) == list(range(-1, 25))
    assert dict(handler.stats().dropped) == {'overflow': 1}


@pytest.mark.parametrize('overflow', ['drop_oldest', 'drop_newest', 'block'])
def test_a_full_spool_is_a_due_batch(overflow, make_handler, make_logger) -> None:
    """Whatever MAX_BATCH_SIZE says, a spool that has no more room does not wait to be sent."""
    client = AcceptingClient()
    handler = make_handler(
        'bar',
        boto3_client=client,
        max_spool_bytes=SMALLEST_SPOOL,
        overflow=overflow,
        block_timeout_seconds=DEADLINE_SECONDS,
    )
    handler.MAX_BATCH_SIZE = 10**9
    logger = make_logger(handler)

    def work() -> None:
        for number in range(200):
            logger.info({'number': number, 'padding': 'x' * 900})

    thread = threading.Thread(target=work)
    thread.start()
    client.wait_for_events(10)
    thread.join(DEADLINE_SECONDS)


def test_stats_may_be_asked_for_while_they_are_asked_for(make_handler) -> None:
    """A signal handler that prints the account may interrupt the account: at each line of it, none deadlocks."""
    handler = make_handler('bar', boto3_client=AcceptingClient())
    asked = []

    def interrupt(frame, event: str, argument: object):
        if 'firefighter' not in frame.f_code.co_filename or frame.f_code.co_name != 'account':
            return interrupt
        if event == 'line':
            sys.settrace(None)
            frame.f_trace = None
            asked.append(handler.stats())
            frame.f_trace = interrupt
            sys.settrace(interrupt)
        return interrupt

    def ask() -> None:
        sys.settrace(interrupt)
        try:
            handler.stats()
        finally:
            sys.settrace(None)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive(), f'stats() waits for itself; it was answered {len(asked)} times before'
    assert len(asked) > 5


def test_without_a_queue_an_attempt_ends_after_sync_timeout_seconds(make_handler, silent_server) -> None:
    """One attempt of at most this: an endpoint that never answers does not hold the logging call."""
    handler = make_handler(
        'bar',
        use_queues=False,
        endpoint_url=silent_server.url,
        sync_timeout_seconds=0.2,
        shutdown_timeout_seconds=0,
    )
    record = logging.makeLogRecord({'msg': 'Ahoy'})
    thread = threading.Thread(target=handler.emit, args=(record,))
    thread.start()
    thread.join(DEADLINE_SECONDS)
    returned = not thread.is_alive()
    silent_server.stop()
    assert returned
    assert handler.stats().pending == 1


def test_without_a_thread_flush_keeps_its_deadline_against_an_endpoint_that_never_answers(
    make_handler, silent_server
) -> None:
    """Every wait has a deadline, that for an answer too."""
    handler = make_handler(
        'bar',
        use_queues=False,
        endpoint_url=silent_server.url,
        sync_timeout_seconds=0.2,
        shutdown_timeout_seconds=0,
    )
    handler.emit(logging.makeLogRecord({'msg': 'Ahoy'}))
    thread = threading.Thread(target=handler.flush, args=(0.2,))
    thread.start()
    thread.join(DEADLINE_SECONDS)
    returned = not thread.is_alive()
    silent_server.stop()
    assert returned


def test_drops_for_lack_of_room_are_said_with_their_number_and_the_cure(
    make_handler, make_logger, capsys
) -> None:
    """Nothing is lost silently: not everybody asks `stats()`, or has an `on_drop`."""
    # A stream of its own: a handler of another test may still have something to say.
    handler = make_handler(
        'crowded', boto3_client=DownClient(), max_spool_bytes=SMALLEST_SPOOL, shutdown_timeout_seconds=0
    )
    logger = make_logger(handler)
    while not handler.stats().dropped:
        logger.info('x' * 900)
    handler.close()
    said = capsys.readouterr().err.splitlines()
    (line,) = [line for line in said if 'dropped' in line and 'crowded' in line]
    assert 'dropped so far, since the spool was full; raise max_spool_bytes' in line


def test_the_end_says_all_that_was_dropped_for_lack_of_room(
    make_handler, make_logger, capsys, tmp_path
) -> None:
    """The line before said the first part of it, and is said once a minute. With a directory the cure is no directory."""
    if sys.platform == 'win32':
        pytest.skip('no spool on disk here')
    handler = make_handler(
        'crowded',
        boto3_client=DownClient(),
        max_spool_bytes=SMALLEST_SPOOL,
        shutdown_timeout_seconds=0,
        spool_dir=tmp_path,
    )
    logger = make_logger(handler)
    for _ in range(2):
        for _ in range(200):
            logger.info('x' * 900)
        handler._pipeline.sender.report(at_once=True)
    handler.close()
    handler.close()
    said = capsys.readouterr().err.splitlines()
    lines = [line for line in said if 'dropped' in line and 'crowded' in line]
    assert f' {handler.stats().dropped[DropReason.OVERFLOW]:,} events dropped so far' in lines[-1]
    assert len(lines) == 2
    assert not [line for line in lines if 'set spool_dir' in line]


def test_the_account_of_a_down_destination_adds_up_after_close(make_handler, make_logger) -> None:
    """What could not be delivered is pending, not gone."""
    handler = make_handler('bar', boto3_client=DownClient(), shutdown_timeout_seconds=0)
    logger = make_logger(handler)
    for number in range(10):
        logger.info(number)
    handler.close()
    stats = handler.stats()
    assert (stats.accepted, stats.delivered, stats.pending) == (10, 0, 10)
