"""What do flush and close deliver, how long do they wait, and what comes after."""

from __future__ import annotations

import logging
import threading
import weakref

import pytest

from doubles import (
    DEADLINE_SECONDS,
    AcceptingClient,
    BlockingClient,
    DownClient,
    EndpointConnectionError,
    EntryFailingClient,
    NoCredentialsError,
    RaisingClient,
)


def test_flush_delivers_what_is_pending_and_says_so(make_handler, make_logger) -> None:
    """True: everything is out that was logged before the call."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    make_logger(handler).info('Ahoy')
    assert handler.flush() is True
    assert len(client.events) == 1
    assert handler.stats().pending == 0


def test_flush_of_nothing_is_true(make_handler) -> None:
    """Nothing is pending, so all of it is out; no request, no thread."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    assert handler.flush() is True
    assert handler.flush(timeout_seconds=0) is True
    assert client.requests == []


def test_flush_keeps_its_deadline_and_returns_false(make_handler, make_logger) -> None:
    """The service does not answer: flush returns, the event stays pending, and arrives later."""
    client = BlockingClient()
    handler = make_handler('bar', boto3_client=client)
    make_logger(handler).info('Ahoy')
    assert handler.flush(timeout_seconds=0.01) is False
    assert handler.stats().pending == 1
    client.release()
    assert handler.flush() is True


def test_the_time_out_may_be_given_by_position(make_handler, make_logger) -> None:
    """`flush(0.01)` is what one writes."""
    client = BlockingClient()
    handler = make_handler('bar', boto3_client=client)
    make_logger(handler).info('Ahoy')
    assert handler.flush(0.01) is False


def test_flush_without_an_argument_waits_shutdown_timeout_seconds(make_handler, make_logger) -> None:
    """The default of the deadline is the option."""
    client = BlockingClient()
    handler = make_handler('bar', boto3_client=client, shutdown_timeout_seconds=0.01)
    make_logger(handler).info('Ahoy')
    assert handler.flush() is False


def test_flush_does_not_end_the_handler(make_handler, make_logger) -> None:
    """The same thread goes on."""
    client = AcceptingClient()
    handler = make_handler('flushed', boto3_client=client)
    logger = make_logger(handler)
    deliverers = set()
    for number in range(3):
        logger.info(number)
        assert handler.flush()
        deliverers |= {thread for thread in threading.enumerate() if thread.name == 'firefighter-flushed'}
    assert len(client.requests) == 3
    assert len(deliverers) == 1


def test_flush_repeats_what_failed_until_it_is_out(make_handler, make_logger) -> None:
    """A partial failure and a fault of the connection are no reason to return."""
    client = EntryFailingClient({0, 1}, {1})
    handler = make_handler('bar', boto3_client=client)
    logger = make_logger(handler)
    for number in range(3):
        logger.info(number)
    assert handler.flush() is True
    assert [len(request) for request in client.requests] == [3, 2, 1]
    assert handler.stats().retried == 3


def test_events_logged_during_a_flush_do_not_prolong_it(make_handler, make_logger) -> None:
    """It concerns what was logged before the call; a busy program's flush ends."""
    handler = make_handler('bar', boto3_client=AcceptingClient())
    logger = make_logger(handler)
    stop = threading.Event()

    def chatter() -> None:
        while not stop.is_set():
            logger.info('more')

    thread = threading.Thread(target=chatter)
    thread.start()
    try:
        assert handler.flush() is True
    finally:
        stop.set()
        thread.join(DEADLINE_SECONDS)


def test_many_threads_may_flush(make_handler, make_logger) -> None:
    """Each gets its answer."""
    handler = make_handler('bar', boto3_client=AcceptingClient())
    logger = make_logger(handler)
    answers = []

    def log_and_flush() -> None:
        logger.info('Ahoy')
        answers.append(handler.flush())

    threads = [threading.Thread(target=log_and_flush) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
    assert answers == [True] * 8


def test_close_delivers_what_is_pending_and_ends_the_thread(make_handler, make_logger) -> None:
    """The thread is gone when close returns."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    make_logger(handler).info('Ahoy')
    handler.close()
    assert len(client.events) == 1
    client.threads[0].join(DEADLINE_SECONDS)
    assert not client.threads[0].is_alive()


def test_close_twice_is_harmless(make_handler, make_logger) -> None:
    """`logging.shutdown` closes what a program has closed already."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    make_logger(handler).info('Ahoy')
    handler.close()
    handler.close()
    handler.flush()
    assert len(client.events) == 1


def test_close_without_an_event_makes_no_request(make_handler) -> None:
    """A handler that never logged costs nothing."""
    client = AcceptingClient()
    make_handler('bar', boto3_client=client).close()
    assert client.requests == []


def test_a_closed_handler_that_is_used_again_opens_again(make_handler, make_logger) -> None:
    """Not "message after shutdown": the event is delivered."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    logger = make_logger(handler)
    for number in range(3):
        logger.info(number)
        handler.close()
        assert len(client.events) == number + 1
    assert (handler.stats().accepted, handler.stats().delivered) == (3, 3)


def test_close_keeps_its_deadline_and_says_the_number_on_stderr(make_handler, make_logger, capsys) -> None:
    """The service is down: close returns, and one line has the number of events."""
    handler = make_handler('bar', boto3_client=DownClient(), shutdown_timeout_seconds=0.05)
    logger = make_logger(handler)
    for number in range(1234):
        logger.info(number)
    handler.close()
    assert handler.stats().pending == 1234
    assert '1,234 events undelivered' in capsys.readouterr().err


def test_what_close_could_not_deliver_goes_with_the_next_use(make_handler, make_logger) -> None:
    """It stays pending; a handler that is used again opens again."""

    class Client(AcceptingClient):
        has_credentials = False

        def hold(self, number: int) -> None:
            if not self.has_credentials:
                raise NoCredentialsError

    client = Client()
    handler = make_handler('bar', boto3_client=client)
    logger = make_logger(handler)
    logger.info('one')
    handler.close()
    assert handler.stats().pending == 1
    client.has_credentials = True
    logger.info('two')
    # A try that has begun before may still fail, and is what the first flush sees.
    assert handler.flush(DEADLINE_SECONDS) or handler.flush(DEADLINE_SECONDS)
    assert len(client.events) == 2


def test_a_misconfigured_handler_closes_at_once(make_handler, make_logger) -> None:
    """Without credentials there is nothing to wait for, however long the time-out."""
    client = RaisingClient(*[NoCredentialsError('none')] * 100)
    handler = make_handler('bar', boto3_client=client, shutdown_timeout_seconds=10_000)
    make_logger(handler).info('kept')
    handler.close()
    assert handler.stats().pending == 1


@pytest.mark.usefixtures('patient')
def test_flush_goes_on_trying_without_a_queue(make_handler, make_logger) -> None:
    """`use_queues=False`: a thread comes for it, and leaves."""
    client = RaisingClient(*[EndpointConnectionError('down')] * 3)
    handler = make_handler('bar', use_queues=False, boto3_client=client)
    make_logger(handler).info('Ahoy')
    assert handler.flush() is True
    assert threading.current_thread() not in client.threads


def test_the_standard_librarys_shutdown_delivers(make_handler, make_logger) -> None:
    """`logging.shutdown` flushes and closes, holding the handler's lock."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    make_logger(handler).info('Ahoy')
    logging.shutdown([weakref.ref(handler)])
    assert len(client.events) == 1


def test_flush_from_on_drop_does_not_wait(make_handler, make_logger) -> None:
    """Inside delivery nothing can be waited for: no deadlock."""
    answers = []
    client = AcceptingClient()

    def on_drop(*news: object) -> None:
        answers.append(handler.flush())

    handler = make_handler('bar', boto3_client=client, oversize='drop', on_drop=on_drop)
    logger = make_logger(handler)
    logger.info('x' * 2000)
    logger.info('Ahoy')
    handler.close()
    assert len(answers) == 1


@pytest.mark.parametrize('seconds', [0, -1])
def test_a_flush_without_time_still_asks_for_delivery(seconds, make_handler, make_logger) -> None:
    """A time-out of zero asks, and does not wait."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    make_logger(handler).info('Ahoy')
    handler.flush(seconds)
    client.wait_for_events(1)
