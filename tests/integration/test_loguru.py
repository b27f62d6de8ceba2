"""What becomes of what loguru logs? The same as of what the standard library logs, by our sink."""

from __future__ import annotations

import datetime as dt
import logging
import os
import pickle

import orjson
import pytest

from doubles import AcceptingClient
from firefighter.integrations.loguru import sink

loguru = pytest.importorskip('loguru')
logger = loguru.logger

# Else loguru's tracebacks have the callers of who catches the error, and the values of variables, which may hold anything.
PLAIN = {'backtrace': False, 'diagnose': False}


@pytest.fixture
def log_into(make_handler):
    """Return a function that has loguru log to a handler, and one that returns its events."""
    logger.remove()
    client = AcceptingClient()

    def add(*, enqueue: bool = False, add=None, **options: object):
        handler = make_handler('bar', boto3_client=client, **options)
        number = logger.add(sink(handler), enqueue=enqueue, level=0, **(add or {}))

        def events():
            logger.remove(number)
            assert handler.flush()
            return [orjson.loads(event) for event in client.events]

        return events

    yield add
    logger.remove()


@pytest.mark.parametrize('enqueue', [False, True])
def test_the_message_is_as_it_was_logged_and_what_is_bound_are_keys(enqueue, log_into) -> None:
    """Without loguru's time, level and place; also through its queue."""
    events = log_into(enqueue=enqueue, include=['source', 'pid', 'thread'])
    logger.bind(user='ada').success('hello {}', 'you', order=1)
    (event,) = events()
    timestamp, source = event.pop('timestamp'), event.pop('source')
    assert timestamp.endswith('Z')
    assert source['file'] == __file__
    assert source['function'] == 'test_the_message_is_as_it_was_logged_and_what_is_bound_are_keys'
    assert event == {
        'level': 'SUCCESS',
        'logger': __name__,
        'message': 'hello you',
        'pid': os.getpid(),
        'thread': 'MainThread',
        'user': 'ada',
        'order': 1,
    }


def test_the_time_is_that_of_the_call(log_into) -> None:
    """As loguru has taken it, to the microsecond."""
    times = []
    events = log_into()
    logger.patch(lambda record: times.append(record['time'])).info('Ahoy')
    utc = times[0].astimezone(dt.timezone.utc).isoformat(timespec='microseconds')
    assert events()[0]['timestamp'] == utc.replace('+00:00', 'Z')


@pytest.mark.parametrize('enqueue', [False, True])
def test_an_exception_is_there_once(enqueue, log_into) -> None:
    """With its type, message and traceback, and not in the message; also through loguru's queue."""
    events = log_into(enqueue=enqueue, add=PLAIN)
    try:
        # Where tests of interruptions have left an exception in this thread, it would be the cause.
        raise LookupError('no such ship') from None
    except LookupError:
        logger.bind(exception='mine').exception('lost')
    (event,) = events()
    assert event['message'] == 'lost'
    assert (event['exception']['type'], event['exception']['message']) == ('LookupError', 'no such ship')
    assert event['exception']['traceback'].startswith('Traceback (most recent call last):\n')
    assert event['exception']['traceback'].endswith('\nLookupError: no such ship')
    assert event['extra'] == {'exception': 'mine'}
    assert str(event).count('Traceback') == 1


@pytest.mark.parametrize(
    'message',
    ['', 'lost', 'Traceback (most recent call last):', 'a\nTraceback (most recent call last):\nb', '\n'],
)
def test_the_traceback_in_the_line_of_loguru_is_found(message, log_into) -> None:
    """Whatever the message is, and with the causes."""
    events = log_into(enqueue=True, add=PLAIN)
    try:
        try:
            raise LookupError('cause')
        except LookupError as error:
            raise ValueError('lost') from error
    except ValueError:
        logger.exception(message)
    (event,) = events()
    assert event['message'] == message
    assert (event['exception']['type'], event['exception']['message']) == ('ValueError', 'lost')
    traceback = event['exception']['traceback']
    assert traceback.startswith('Traceback (most recent call last):\n')
    # In a thread in which a test has left an exception being handled there is more of it.
    assert 'LookupError: cause\n' in traceback
    assert traceback.rstrip().endswith('ValueError: lost')
    assert traceback.endswith('\nValueError: lost')


class Unpicklable(Exception):  # noqa: N818  # what it is
    def __reduce__(self):
        raise TypeError('not today')


@pytest.mark.skipif(
    tuple(map(int, loguru.__version__.split('.'))) < (0, 7, 1),  # noqa: RUF048  # a release has no letters
    reason='before 0.7.1 loguru itself loses such an event',
)
def test_of_an_error_that_cannot_be_pickled_there_are_type_and_traceback(log_into) -> None:
    """The message of the error is in there."""
    events = log_into(enqueue=True)
    try:
        raise Unpicklable('no such ship')
    except Unpicklable:
        logger.exception('lost')
    (event,) = events()
    assert (event['exception']['type'], event['exception']['message']) == (f'{__name__}.Unpicklable', '')
    assert event['exception']['traceback'].endswith('Unpicklable: no such ship')


@pytest.mark.parametrize(
    'options', [{'format': lambda _: '{message}'}, {'colorize': True}, {'serialize': True}]
)
def test_without_a_traceback_in_that_line_there_are_type_and_message(options, log_into) -> None:
    """Where the program has `format` leave it out, or where it is no text of its own."""
    events = log_into(enqueue=True, add=options)
    try:
        raise LookupError('no such ship') from None
    except LookupError:
        logger.exception('lost')
    (event,) = events()
    assert event['exception'] == {
        'type': 'LookupError',
        'message': 'no such ship',
        'traceback': 'LookupError: no such ship',
    }


def test_an_error_that_was_never_raised_has_no_traceback(log_into) -> None:
    """There is none to look for."""
    events = log_into()
    logger.opt(exception=LookupError('no such ship')).error('lost')
    assert events()[0]['exception']['traceback'] == 'LookupError: no such ship'


def test_a_sink_can_be_pickled(make_handler) -> None:
    """As `spawn` does with a logger that is handed to a child."""
    made = pickle.loads(pickle.dumps(sink(make_handler('bar', region_name='eu-north-1'))))
    made.args[0].close()
    assert made.args[0].delivery_stream_name == 'bar'


def test_what_is_bound_by_the_name_of_an_attribute_is_kept(log_into) -> None:
    """Under `extra`, as what finds its name taken."""
    events = log_into()
    logger.bind(name='Ada', args=[1], level='mine', message='x', other=1).info('100 %')
    (event,) = events()
    assert (event['message'], event['level'], event['other']) == ('100 %', 'INFO', 1)
    assert event['extra']['level'] == 'mine'
    assert event['extra']['extra'] == {'name': 'Ada', 'args': [1], 'message': 'x'}


def test_what_is_bound_as_extra_is_kept_beside_it(log_into) -> None:
    """Whether another name is taken or not."""
    events = log_into()
    logger.bind(extra=[1]).info('Ahoy')
    logger.bind(extra=[1], name='Ada').info('Ahoy')
    assert [event['extra'] for event in events()] == [[1], {'name': 'Ada', 'extra': [1]}]


def test_the_level_and_the_filters_of_the_handler_count() -> None:
    """As with the standard library's loggers, with any handler."""

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record.getMessage())

    kept: list[str] = []
    handler = Keeping(level=logging.INFO)
    handler.addFilter(lambda record: 'secret' not in record.msg)
    number = logger.add(sink(handler), level=0)
    try:
        logger.debug('low')
        logger.info('a secret')
        logger.info('Ahoy')
    finally:
        logger.remove(number)
    assert kept == ['Ahoy']


def test_a_sink_needs_a_handler():
    """Not the name of a stream, which loguru would only find at the first event."""
    with pytest.raises(TypeError, match=r"sink\(FirehoseHandler\('bar'\)\)"):
        sink('bar')
