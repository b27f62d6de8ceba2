"""How is a handler made: the names, their order, their defaults, and the level."""

from __future__ import annotations

import inspect
import logging
import threading

import boto3
import pytest

from doubles import AcceptingClient
from firefighter.logging import FirehoseHandler, FirehoseWarning


def test_it_is_a_handler_of_the_standard_library() -> None:
    """`FirehoseHandler` is a `logging.Handler`."""
    assert issubclass(FirehoseHandler, logging.Handler)


def test_the_positional_order_and_the_defaults_are_the_documented_ones() -> None:
    """The five documented arguments come first, in this order, with these defaults; what follows is the level."""
    parameters = inspect.signature(FirehoseHandler).parameters.values()
    by_position = [(p.name, p.default) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert by_position == [
        ('delivery_stream_name', None),
        ('use_queues', True),
        ('send_interval', 60),
        ('boto3_session', None),
        ('boto3_profile_name', None),
    ]
    assert [p.name for p in parameters if p.kind is p.VAR_POSITIONAL] == ['args']


def test_the_added_keywords_have_the_documented_defaults() -> None:
    """What is added is keyword-only, and does nothing unless it is asked for."""
    parameters = inspect.signature(FirehoseHandler).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    documented = {
        'boto3_client': None,
        'region_name': None,
        'endpoint_url': None,
        'fields': None,
        'include': (),
        'protect_fields': False,
        'spool_dir': None,
        'max_spool_bytes': None,
        'max_directory_bytes': 1024**3,
        'overflow': 'drop_oldest',
        'block_timeout_seconds': 1,
        'oversize': None,
        'shutdown_timeout_seconds': 10,
        'sync_timeout_seconds': 5,
        'undelivered': 'count',
        'max_in_flight': 4,
        'event_ids': False,
        'aggregate': False,
        'compression': None,
        'max_aggregated_events': None,
        'target_batch_bytes': 65_536,
        'on_drop': None,
        'on_dead_letter': None,
        'level': None,
    }
    assert defaults == documented


def test_the_class_attributes_have_the_documented_values() -> None:
    """The three limits are 5,120 bytes, 500 events and 1,024 bytes; the two marks differ."""
    assert FirehoseHandler.MAX_BATCH_SIZE == 5120
    assert FirehoseHandler.MAX_BATCH_COUNT == 500
    assert FirehoseHandler.MAX_RECORD_SIZE == 1024
    assert FirehoseHandler.END != FirehoseHandler.FLUSH


def test_the_methods_have_the_documented_arguments() -> None:
    """`emit`, `batch_sender` and `flush` take what is documented, by position and by name."""
    emit = inspect.signature(FirehoseHandler.emit).parameters
    batch_sender = inspect.signature(FirehoseHandler.batch_sender).parameters
    flush = inspect.signature(FirehoseHandler.flush).parameters
    assert list(emit) == ['self', 'message', 'make_thread']
    assert list(batch_sender) == ['self', 'batch_queue', 'delivery_stream_name', 'send_interval']
    assert flush['timeout_seconds'].default is None


def test_the_five_arguments_can_be_given_by_position(make_handler) -> None:
    """Each of the five lands where its name says."""
    session = boto3.session.Session()
    handler = make_handler('bar', False, 7, session, None)
    assert (handler.delivery_stream_name, handler.use_queues, handler.send_interval) == ('bar', False, 7)


def test_the_level_may_follow_by_position(make_handler) -> None:
    """What follows the five is `logging.Handler`'s, that is the level."""
    assert make_handler('bar', True, 60, None, None, logging.ERROR).level == logging.ERROR
    assert make_handler('bar', True, 60, None, None, 'WARNING').level == logging.WARNING


def test_the_level_may_be_given_by_name(make_handler) -> None:
    """`level=` is the same by name, as a number or as text."""
    assert make_handler('bar', level=logging.ERROR).level == logging.ERROR
    assert make_handler('bar', level='WARNING').level == logging.WARNING


def test_without_a_level_it_is_not_set(make_handler) -> None:
    """The default is `logging.Handler`'s."""
    assert make_handler('bar').level == logging.NOTSET


def test_the_level_filters_records(make_handler, make_logger) -> None:
    """Records below the handler's level are none of its events."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, level=logging.ERROR)
    logger = make_logger(handler)
    logger.warning('too low')
    logger.error('high enough')
    assert handler.flush()
    assert [b'high enough' in event for event in client.events] == [True]


@pytest.mark.parametrize(
    'level', [pytest.param(object(), id='an object'), pytest.param('LOUD', id='no level of that name')]
)
def test_a_level_that_is_none_raises(level: object) -> None:
    """A wrong level raises what `logging.Handler` raises."""
    with pytest.raises((TypeError, ValueError)):
        FirehoseHandler('bar', level=level)


def test_the_level_given_twice_raises() -> None:
    """The level by position and by name: which one is meant cannot be known."""
    with pytest.raises(TypeError, match='level'):
        FirehoseHandler('bar', True, 60, None, None, logging.ERROR, level=logging.INFO)


def test_more_than_a_level_by_position_raises() -> None:
    """`logging.Handler` takes nothing but the level."""
    with pytest.raises(TypeError):
        FirehoseHandler('bar', True, 60, None, None, logging.ERROR, 'more')


def test_the_warnings_class_is_a_warning() -> None:
    """`FirehoseWarning` is a subclass of `Warning`, so filters can name it."""
    assert issubclass(FirehoseWarning, Warning)


def test_making_and_closing_a_handler_starts_no_thread_and_makes_no_request(make_handler) -> None:
    """The delivery thread starts at the first event, not in the constructor (Python 3.12 warns when forking threads)."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.close()
    assert client.requests == []


def test_handlers_share_nothing(make_handler, make_logger) -> None:
    """Two handlers with different streams, limits and clients do not meet."""
    first_client, second_client = AcceptingClient(), AcceptingClient()
    first = make_handler('first', boto3_client=first_client)
    second = make_handler('second', boto3_client=second_client)
    first.MAX_RECORD_SIZE = 100
    make_logger(first).info('x' * 200)
    make_logger(second).info('x' * 200)
    assert first.flush()
    assert second.flush()
    assert (first_client.streams, second_client.streams) == (['first'], ['second'])
    assert len(first_client.events[0]) <= 100 < len(second_client.events[0])
    assert (first.stats().delivered, second.stats().delivered) == (1, 1)


def test_a_session_makes_the_client_in_the_constructor(make_handler) -> None:
    """Sessions are not thread-safe, so the client is made in the thread of the one who hands the session in."""
    made_in = []

    class Session:
        def client(self, name: str, **options: object) -> AcceptingClient:
            made_in.append((name, threading.current_thread()))
            return AcceptingClient()

    make_handler('bar', boto3_session=Session())
    assert made_in == [('firehose', threading.current_thread())]
