"""Is an event the same where a queue lies before the handler? Also through a process, and with the standard library's handlers beside."""

from __future__ import annotations

import datetime as dt
import io
import logging
import logging.config
import logging.handlers
import multiprocessing
import queue
import sys
import threading

import orjson
import pytest

from doubles import AcceptingClient
from firefighter.integrations.queue import QueueHandler


class Unfriendly:
    """Cannot be pickled, nor shown."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __str__(self) -> str:
        raise RuntimeError('not today')


class BoomError(Exception):
    """Cannot be made again from its arguments, as pickle would."""

    def __init__(self, place: str, number: int) -> None:
        super().__init__(f'{number} in {place}')
        self.lock = threading.Lock()


def log_an_exception(logger: logging.Logger) -> None:
    try:
        raise BoomError('here', 7)
    except BoomError:
        logger.exception('failed at %s', dt.date(2026, 1, 1), extra={'step': 3})


def log_a_structlog_dict(logger: logging.Logger) -> None:
    try:
        raise BoomError('there', 8)
    except BoomError:
        message = {'event': 'failed', 'level': 'error', 'exc_info': True}
        logger.error(message, extra={'_logger': logger, '_name': 'error'})  # noqa: TRY400  # as structlog does


CALLS = {
    'a dict': lambda logger: logger.warning(
        {'message': 'Ahoy', 'at': dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc)}
    ),
    'a dict with arguments': lambda logger: logger.warning({'message': 'Ahoy'}, 'x', 2),
    'arguments': lambda logger: logger.warning('%s of %d', {'a': 1}, 2),
    'named arguments': lambda logger: logger.warning('%(a)s', {'a': Unfriendly}),
    'arguments that do not fit': lambda logger: logger.warning('%s', 'a', 'b'),  # noqa: PLE1205  # what is tested
    'named arguments that do not fit': lambda logger: logger.warning('%(b)s', {'a': 1}),
    'an object': lambda logger: logger.warning(b'bytes'),
    'extra': lambda logger: logger.warning(
        'x', extra={'lock': threading.Lock, 'odd': Unfriendly(), 'big': 2**70}
    ),
    'an own exception': lambda logger: logger.warning('x', extra={'exception': 'mine'}),
    'an exception': log_an_exception,
    'one that is none': lambda logger: logger.error('x', exc_info=(None, None, None)),
    'a stack': lambda logger: logger.warning('x', stack_info=True),
    'what structlog hands over': log_a_structlog_dict,
    'the same of plain values': lambda logger: logger.warning(
        {'event': 'paid', 'level': 'warning', 'order': 7}, extra={'_logger': logger, '_name': 'warning'}
    ),
}


@pytest.fixture
def logger():
    logger = logging.getLogger('shop.queued')
    logger.propagate = False
    yield logger
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)


@pytest.fixture
def events_of(make_handler):
    """Return a function that returns the events of a handler that it makes."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)

    def events() -> list[object]:
        assert handler.flush()
        return [orjson.loads(event) for event in client.events]

    return handler, events


def without_time(event: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in event.items() if name not in {'timestamp', 'taskName'}}


def test_a_message_that_cannot_be_shown_is_the_mark_that_says_so(events_of, logger) -> None:
    """What the formatter would say of it, without the `format_error`, which the mark has in it."""
    handler, events = events_of
    records = queue.Queue()
    logger.handlers = [QueueHandler(records)]
    logger.warning(Unfriendly())
    handler.handle(records.get_nowait())
    (event,) = events()
    assert event['message'] == f'<unprintable {__name__}.Unfriendly: RuntimeError>'


@pytest.mark.parametrize('call', CALLS)
def test_an_event_is_the_same_with_the_queue_and_without(call, events_of, logger) -> None:
    """Logged by one call: once to the handler, once to the queue."""
    handler, events = events_of
    records = queue.Queue()
    logger.handlers = [handler, QueueHandler(records)]
    CALLS[call](logger)
    handler.handle(records.get_nowait())
    direct, queued = map(without_time, events())
    assert queued == direct


def test_what_the_program_changes_after_the_call_is_not_in_the_event(events_of, logger) -> None:
    handler, events = events_of
    records = queue.Queue()
    logger.handlers = [QueueHandler(records)]
    message, tags = {'message': 'Ahoy', 'basket': [1]}, ['new']
    logger.warning(message, extra={'tags': tags})
    message['basket'].append(2)
    message['message'] = 'changed'
    tags.clear()
    handler.handle(records.get_nowait())
    (event,) = events()
    assert (event['message'], event['basket'], event['tags']) == ('Ahoy', [1], ['new'])


def log_in_a_child(records) -> None:
    logger = logging.getLogger('shop.child')
    logger.propagate = False
    logger.handlers = [QueueHandler(records)]
    log_an_exception(logger)
    logger.warning({'message': 'Ahoy', 'odd': Unfriendly()})


def test_events_of_another_process_arrive_whole(events_of) -> None:
    """What cannot be pickled is in the event as it would be without the queue."""
    handler, events = events_of
    context = multiprocessing.get_context('spawn')
    records = context.Queue()
    child = context.Process(target=log_in_a_child, args=(records,))
    child.start()
    handler.handle(records.get())
    handler.handle(records.get())
    child.join()
    failed, ahoy = events()
    assert failed['exception']['type'] == f'{__name__}.BoomError'
    assert failed['exception']['message'] == '7 in here'
    assert failed['exception']['traceback'].startswith('Traceback ')
    assert failed['step'] == 3
    assert ahoy['message'] == 'Ahoy'
    assert ahoy['odd'].startswith('<')


def test_the_other_handlers_of_the_listener_write_what_they_always_wrote(logger) -> None:
    """A StreamHandler: the message, and after it the traceback."""
    records, screens = queue.Queue(), (io.StringIO(), io.StringIO())
    direct, queued = map(logging.StreamHandler, screens)
    logger.handlers = [direct, QueueHandler(records)]
    log_an_exception(logger)
    queued.handle(records.get_nowait())
    first, second = (screen.getvalue() for screen in screens)
    assert 'BoomError: 7 in here' in first
    assert second == first


@pytest.mark.skipif(sys.version_info < (3, 12), reason='dictConfig makes listeners from 3.12 on')
def test_dict_config_makes_it_with_its_listener(make_handler) -> None:
    client = AcceptingClient()
    logging.config.dictConfig(
        {
            'version': 1,
            'disable_existing_loggers': False,
            'handlers': {
                'firehose': {
                    'class': 'firefighter.logging.FirehoseHandler',
                    'delivery_stream_name': 'bar',
                    'boto3_client': client,
                },
                'queue': {'class': 'firefighter.integrations.queue.QueueHandler', 'handlers': ['firehose']},
            },
            'loggers': {'shop.configured': {'handlers': ['queue'], 'propagate': False}},
        }
    )
    (handler,) = logging.getLogger('shop.configured').handlers
    handler.listener.start()
    logging.getLogger('shop.configured').warning({'message': 'Ahoy'})
    handler.listener.stop()
    logging.getLogger('shop.configured').handlers = []
    (firehose,) = handler.listener.handlers
    firehose.close()
    assert [orjson.loads(event)['message'] for event in client.events] == ['Ahoy']
