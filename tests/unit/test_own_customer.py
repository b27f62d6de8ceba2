"""Is a handler ever fed by what it does itself? By what its filters and formatters do, which are the user's code."""

from __future__ import annotations

import io
import logging
import warnings

import orjson
import pytest

from doubles import AcceptingClient
from firefighter.stats import DropReason


@pytest.fixture
def logger() -> logging.Logger:
    """A logger in no hierarchy."""
    return logging.Logger('foo')


@pytest.fixture
def make_two(make_handler, logger):
    """Make two handlers of the logger, of two streams, and return what their clients have."""

    def make():
        clients = [AcceptingClient(), AcceptingClient()]
        for stream, client in zip(('bar', 'baz'), clients, strict=True):
            logger.addHandler(make_handler(stream, boto3_client=client))
        return clients

    return make


class LoggingFormatter(logging.Formatter):
    """Logs at each call."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__('formatted: %(message)s')
        self._logger = logger

    def format(self, record: logging.LogRecord) -> str:
        self._logger.info('from the formatter')
        return super().format(record)


class WarningFormatter(logging.Formatter):
    """Uses something deprecated at each call."""

    def format(self, record: logging.LogRecord) -> str:
        warnings.warn('deprecated', DeprecationWarning, stacklevel=1)  # noqa: TID251  # the user's
        return super().format(record)


class LoggingFilter(logging.Filter):
    """Logs at each call."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger

    def filter(self, record: logging.LogRecord) -> bool:
        self._logger.info('from the filter')
        return True


def test_formatters_that_log_at_each_call_come_to_an_end(make_two, logger) -> None:
    """They are asked for records of their own at most once; behind that the handler formats. None is lost for it."""
    clients = make_two()
    for handler in logger.handlers:
        handler.setFormatter(LoggingFormatter(logger))
    for _ in range(10):
        logger.info('Ahoy')
    for handler, client in zip(logger.handlers, clients, strict=True):
        assert handler.flush()
        assert client.events.count(b'formatted: Ahoy\n') == 10
        assert client.events.count(b'formatted: from the formatter\n') == 20
        by_us = [orjson.loads(event)['message'] for event in client.events if event.startswith(b'{')]
        assert by_us == ['from the formatter'] * 40
        assert len(client.events) == 70


def test_filters_that_log_at_each_call_come_to_an_end(make_two, logger) -> None:
    """They are asked for records of their own at most once; what they log then is let through unasked."""
    make_two()
    for handler in logger.handlers:
        handler.addFilter(LoggingFilter(logger))
    for _ in range(10):
        logger.info('Ahoy')
    for handler in logger.handlers:
        assert handler.flush()
        stats = handler.stats()
        assert (stats.accepted, stats.delivered, stats.suppressed) == (70, 70, 0)


def test_a_formatter_that_warns_while_warnings_are_captured_comes_to_an_end(make_handler) -> None:
    """Each warning is a log record, formatting which gives a warning."""
    root, client = logging.getLogger(), AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.setFormatter(WarningFormatter())
    root.addHandler(handler)
    with warnings.catch_warnings():
        warnings.simplefilter('always')
        # The collector may find what an earlier test has left open.
        warnings.simplefilter('ignore', ResourceWarning)
        logging.captureWarnings(True)
        root.error('Ahoy')
        logging.captureWarnings(False)
    root.removeHandler(handler)
    assert handler.flush()
    assert len(client.events) == 3
    assert client.events.count(b'Ahoy\n') == 1


def test_a_formatter_that_raises_is_asked_again_each_time(make_handler, logger) -> None:
    """However often: the count of those that are at work goes back with them."""
    asked = []

    class Raising(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            asked.append(record)
            raise ZeroDivisionError

    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.setFormatter(Raising())
    logger.addHandler(handler)
    for _ in range(5):
        logger.info('Ahoy')
    assert handler.flush()
    assert len(asked) == len(client.events) == 5


def test_what_the_handler_says_to_a_stderr_that_logs_is_no_event(make_handler, logger, monkeypatch) -> None:
    """Programs put a logger in its place; here a formatter that fails is said in the thread that logs."""

    class LoggedStream(io.StringIO):
        def write(self, text: str) -> int:
            logger.error(text)
            return super().write(text)

    class Raising(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            raise ZeroDivisionError

    stream = LoggedStream()
    monkeypatch.setattr('sys.stderr', stream)
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.setFormatter(Raising())
    logger.addHandler(handler)
    logger.info('Ahoy')
    assert handler.flush()
    assert 'ZeroDivisionError' in stream.getvalue()
    assert [orjson.loads(event)['message'] for event in client.events] == ['Ahoy']
    assert handler.stats().suppressed == 1


def test_a_filter_that_raises_is_asked_again_each_time(make_handler, logger) -> None:
    """What it has raised once says nothing of the next record."""
    asked = []

    def refuse(record: logging.LogRecord) -> bool:
        asked.append(record)
        raise ZeroDivisionError

    handler = make_handler('bar', boto3_client=AcceptingClient())
    handler.addFilter(refuse)
    logger.addHandler(handler)
    for _ in range(5):
        logger.info('Ahoy')
    assert len(asked) == 5
    assert handler.stats().dropped == {DropReason.FAILED: 5}
