"""What becomes of events when the other side has closed the connection that was kept for the next request?

A load balancer does so after some minutes, and AWS Lambda freezes the process meanwhile: so each line that comes after a pause meets a
closed connection (requests#4506, aws-sdk-js-v3#1196).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from firehose_server import Connection, FirehoseServer, running


class Breaking(Connection):
    """Answers so many requests, and breaks at the next one.

    Attributes:
        answers: how many.
        takes: whether it takes the events of a request that it breaks.
    """

    answers = 1
    takes = False

    def serve(self) -> None:
        records = self.read()
        if self.requests <= self.answers:
            self.accept(records)
            return
        if self.takes:
            self.server.records += records
        self.close_connection = True


@pytest.fixture
def service(monkeypatch) -> Iterator[FirehoseServer]:
    monkeypatch.setattr(Breaking, 'answers', 1)
    monkeypatch.setattr(Breaking, 'takes', False)
    with running(Breaking) as service:
        yield service


MESSAGES = ['one', 'two', 'three', 'four']


@pytest.mark.parametrize('use_queues', [True, False])
@pytest.mark.parametrize('takes', [True, False])
def test_each_event_arrives_at_once_though_the_kept_connection_was_closed(
    takes, use_queues, service, make_handler, make_logger, capsys
):
    """In its own call with `use_queues=False`. It is no failure: nothing is said, and nothing waits for a retry."""
    Breaking.takes = takes
    handler = make_handler('bar', use_queues, endpoint_url=service.url)
    logger = make_logger(handler)
    for message in MESSAGES:
        logger.info(message)
        if use_queues:
            assert handler.flush()
        assert handler.stats().pending == 0, message
    assert sorted(set(service.messages)) == sorted(MESSAGES)
    stats = handler.stats()
    copies = sum(count - 1 for count in Counter(service.messages).values())
    assert copies <= stats.uncertain == stats.retried == 3
    assert (stats.requests, stats.records) == (7, 7)
    assert stats.last_error is None
    assert not capsys.readouterr().err


def test_it_is_a_new_connection_though_others_are_kept_too(service, make_handler, make_logger):
    """They are as old as the one that broke."""
    handler = make_handler('bar', False, endpoint_url=service.url)
    logger = make_logger(handler)
    logger.info('one')
    (pools,) = handler._pipeline.transport._pools()
    (pool,) = (pools[key] for key in pools.keys())  # noqa: SIM118  # not a mapping
    kept, spare = pool._get_conn(), pool._get_conn()
    spare.connect()
    for connection in (spare, kept):
        pool._put_conn(connection)
    logger.info('two')
    assert service.connections == 3
    assert service.messages == ['one', 'two']


def test_a_new_connection_that_breaks_is_a_failure(service, make_handler, make_logger, capsys):
    """As ever: the event stays pending, and is sent with the next call."""
    Breaking.answers = 0
    handler = make_handler('bar', False, endpoint_url=service.url)
    logger = make_logger(handler)
    logger.info('one')
    stats = handler.stats()
    assert (stats.pending, stats.requests) == (1, 1)
    assert stats.last_error is not None
    assert stats.last_error.startswith('ConnectionClosedError')
    Breaking.answers = 1
    assert handler.flush()
    assert service.messages == ['one']
