"""What becomes of events when the other side has closed the connection that was kept for the next request?

A load balancer does so after some minutes, and AWS Lambda freezes the process meanwhile: so each line that comes after a pause meets a
closed connection (requests#4506, aws-sdk-js-v3#1196).
"""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Service(ThreadingHTTPServer):
    """Answers so many requests on each connection, and breaks it at the next one.

    Attributes:
        answers: how many.
        takes: whether it takes the events of a request that it breaks.
        events: what it has taken, in order.
        connections: how many were made.
    """

    daemon_threads = True
    answers = 1
    takes = False

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), Connection)
        self.events: list[str] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self.server_port}'


class Connection(BaseHTTPRequestHandler):
    server: Service
    protocol_version = 'HTTP/1.1'

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1
        self.requests = 0

    def do_POST(self) -> None:
        self.requests += 1
        records = json.loads(self.rfile.read(int(self.headers['Content-Length'])))['Records']
        breaks = self.requests > self.server.answers
        if self.server.takes or not breaks:
            self.server.events += [
                json.loads(base64.b64decode(record['Data']))['message'] for record in records
            ]
        if breaks:
            self.close_connection = True
            return
        answer = json.dumps(
            {'FailedPutCount': 0, 'RequestResponses': [{'RecordId': 'x'} for _ in records]}
        ).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/x-amz-json-1.1')
        self.send_header('Content-Length', str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.01,))
        thread.start()
        yield service
        service.shutdown()
        thread.join()


MESSAGES = ['one', 'two', 'three', 'four']


@pytest.mark.parametrize('use_queues', [True, False])
@pytest.mark.parametrize('takes', [True, False])
def test_each_event_arrives_at_once_though_the_kept_connection_was_closed(
    takes, use_queues, service, make_handler, make_logger, capsys
):
    """In its own call with `use_queues=False`. It is no failure: nothing is said, and nothing waits for a retry."""
    service.takes = takes
    handler = make_handler('bar', use_queues, endpoint_url=service.url)
    logger = make_logger(handler)
    for message in MESSAGES:
        logger.info(message)
        if use_queues:
            assert handler.flush()
        assert handler.stats().pending == 0, message
    assert sorted(set(service.events)) == sorted(MESSAGES)
    stats = handler.stats()
    copies = sum(count - 1 for count in Counter(service.events).values())
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
    assert service.events == ['one', 'two']


def test_a_new_connection_that_breaks_is_a_failure(service, make_handler, make_logger, capsys):
    """As ever: the event stays pending, and is sent with the next call."""
    service.answers = 0
    handler = make_handler('bar', False, endpoint_url=service.url)
    logger = make_logger(handler)
    logger.info('one')
    stats = handler.stats()
    assert (stats.pending, stats.requests) == (1, 1)
    assert stats.last_error is not None
    assert stats.last_error.startswith('ConnectionClosedError')
    service.answers = 1
    assert handler.flush()
    assert service.events == ['one']
