"""What becomes of what structlog logs through the standard library? An event like any other, with nothing configured."""

import logging
import threading

import orjson
import pytest

from doubles import AcceptingClient
from firefighter.formatting import JSONFormatter

structlog = pytest.importorskip('structlog')


class Keeping(logging.Handler):
    """Formats in the logging call, as our handler does."""

    def __init__(self, formatter):
        super().__init__()
        self.setFormatter(formatter)
        self.events = []

    def emit(self, record):
        self.events.append(orjson.loads(self.format(record)))


def make_log(handler, *processors):
    logger = logging.Logger('shop')
    logger.addHandler(handler)
    return structlog.wrap_logger(
        logger,
        processors=[
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *processors,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


@pytest.fixture
def log_events():
    """Return a function that makes a logger of structlog, and the list of its events."""

    def make(*processors, **options):
        handler = Keeping(JSONFormatter(**options))
        return make_log(handler, *processors), handler.events

    return make


def test_it_is_an_event_with_a_message_and_a_level_as_others_have_them(log_events):
    """What is bound and what is passed are its fields; nothing of structlog's own is there."""
    log, events = log_events()
    log.bind(user='ada').warning('%s sails', 'Ada', order=1, raw=b'x')
    assert list(events[0]) == ['timestamp', 'level', 'logger', 'message', 'user', 'order', 'raw']
    del events[0]['timestamp']
    assert events[0] == {
        'level': 'WARNING',
        'logger': 'shop',
        'message': 'Ada sails',
        'user': 'ada',
        'order': 1,
        'raw': 'x',
    }


def test_its_time_is_the_one_that_structlog_has_taken(log_events):
    """As with any dict message."""
    log, events = log_events(
        structlog.processors.TimeStamper(fmt='iso'), lambda _, __, event: event | {'n': 1}
    )
    log.info('Ahoy', timestamp='now')
    assert events[0]['timestamp'] != 'now'
    assert events[0]['timestamp'].endswith('Z')


def test_a_key_that_is_called_message_is_kept_under_extra(log_events):
    """The event's text is the message."""
    log, events = log_events()
    log.info('Ahoy', message='mine', extra={'a': 1})
    assert events[0]['message'] == 'Ahoy'
    assert events[0]['extra'] == {'message': 'mine', 'extra': {'a': 1}}


def test_a_level_of_its_own_is_kept(log_events):
    """It says something else than the record's."""
    log, events = log_events(lambda _, __, event: event | {'level': 'audit'})
    log.info('Ahoy')
    assert events[0]['level'] == 'audit'


@pytest.mark.parametrize('event', [None, 5, ['a'], {'a': 1}])
def test_what_is_no_text_as_message_becomes_its_str(event, log_events):
    """The message is text in each event; without one there is none."""
    log, events = log_events()
    log.info(event, order=1)
    assert events[0].get('message') == (None if event is None else str(event))
    assert events[0]['order'] == 1
    assert 'event' not in events[0]


@pytest.mark.parametrize('how', ['exception', 'True', 'the error', 'its info', 'elsewhere'])
def test_an_exception_is_the_one_that_is_named(how, log_events):
    """It has its type, message and traceback, whichever way it was passed, and is there once."""
    log, events = log_events()
    try:
        raise LookupError('no such ship')
    except LookupError as error:
        log.info('before', raw=b'x')
        if how == 'exception':
            log.exception('lost', order=1)
        elif how == 'True':
            log.error('lost', order=1, exc_info=True)  # noqa: G201  # what is tested
        elif how != 'elsewhere':
            info = error if how == 'the error' else (type(error), error, error.__traceback__)
            log.error('lost', order=1, exc_info=info)  # noqa: TRY400  # what is tested
        kept = error
    if how == 'elsewhere':
        log.error('lost', order=1, exc_info=kept)
    assert 'exception' not in events[0]
    exception = events[1]['exception']
    assert (exception['type'], exception['message']) == ('LookupError', 'no such ship')
    assert exception['traceback'].startswith('Traceback (most recent call last):\n')
    assert exception['traceback'].endswith('\nLookupError: no such ship')
    assert 'exc_info' not in str(events[1])


@pytest.mark.parametrize('value', [True, False, None])
def test_without_an_exception_there_is_none(value, log_events):
    """Nor a word of it."""
    log, events = log_events()
    # In a thread of its own: on 3.14 tests that interrupt at bytecodes leave an exception that counts as being handled in theirs.
    thread = threading.Thread(target=log.error, args=('lost',), kwargs={'exc_info': value})
    thread.start()
    thread.join()
    assert list(events[0]) == ['timestamp', 'level', 'logger', 'message']


def test_an_exception_that_structlog_has_rendered_has_the_same_shape(log_events):
    """Its text is the traceback, as that of an exception that came through a queue."""
    log, events = log_events(structlog.processors.format_exc_info, structlog.processors.StackInfoRenderer())
    try:
        raise LookupError('no such ship')
    except LookupError:
        log.error('lost', exc_info=True, stack_info=True)  # noqa: G201
    assert events[0]['exception']['traceback'].endswith('\nLookupError: no such ship')
    assert events[0]['stack'].startswith('Stack (most recent call last):\n')


def test_an_exception_that_the_record_has_as_well_is_there_once(log_events):
    """`exception` hands the exception on, also where a processor has rendered it."""
    log, events = log_events(structlog.processors.format_exc_info)
    try:
        raise LookupError('no such ship')
    except LookupError:
        log.exception('lost')
    # Before structlog 24.1 it calls `error`, which hands on nothing.
    assert events[0]['exception'].get('type', 'LookupError') == 'LookupError'
    assert 'extra' not in events[0]


def test_protected_its_fields_are_under_data(log_events):
    """The message is still the message."""
    log, events = log_events(protect_fields=True)
    log.info('Ahoy', logger='forged', order=1)
    assert (events[0]['message'], events[0]['logger'], events[0]['data']['order']) == ('Ahoy', 'shop', 1)


def test_the_handler_needs_no_configuration(make_handler):
    """As it is, with the ids of events too."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, event_ids=True)
    make_log(handler).info('Ahoy', order=1)
    assert handler.flush()
    event = orjson.loads(client.events[0])
    assert [event[key] for key in ('level', 'message', 'order', 'sequence')] == ['INFO', 'Ahoy', 1, 0]
    assert not {'event', '_logger', '_name'} & {*event}


def test_extras_of_these_names_are_extras_without_a_dict():
    """Only together, and with a dict as message, are they structlog's."""
    handler = Keeping(JSONFormatter())
    logger = logging.Logger('shop')
    logger.addHandler(handler)
    logger.info('Ahoy', extra={'_logger': object, '_name': 'x'})
    logger.info({'a': 1}, extra={'_name': b'x'})
    assert [event['_name'] for event in handler.events] == ['x', 'x']
    assert handler.events[0]['_logger'] == "<class 'object'>"
