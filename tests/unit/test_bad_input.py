"""Nothing that a record contains loses it, raises, or is changed by being logged."""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings

import orjson
import pytest

from doubles import AcceptingClient


class Unprintable:
    """Its `__str__` raises."""

    def __str__(self) -> str:
        raise ZeroDivisionError('no text')

    __repr__ = __str__


class WarnsWhenPrinted:
    """Its `__str__` warns, which is an error under -W error."""

    def __str__(self) -> str:
        warnings.warn('do not print me', DeprecationWarning, stacklevel=2)  # noqa: TID251
        return 'printed'


def cycle() -> dict:
    """Return a dict that contains itself."""
    value: dict = {'name': 'ouroboros'}
    value['self'] = value
    return value


def nested(levels: int) -> list:
    """Return lists in lists."""
    value: list = []
    for _ in range(levels):
        value = [value]
    return value


MESSAGES = {
    'nothing': None,
    'a number': 17,
    'a list': [1, 2],
    'foreign object': object(),
    'unprintable': Unprintable(),
    'unprintable in a dict': {'message': Unprintable()},
    'warns when printed': WarnsWhenPrinted(),
    'warns in a dict': {'value': WarnsWhenPrinted()},
    'lone surrogate': 'a \udcff b',
    'lone surrogate in a dict': {'k\ud800': 'v\udfff'},
    'NUL': 'a\0b',
    'newlines': 'a\nb\r\nc\u2028d\x85e',
    'substitute': 'a\x1ab\x1an',
    '10 MB': 'x' * 10_000_000,
    '10 MB in a dict': {'message': 'Ahoy', 'blob': 'x' * 10_000_000},
    'deep': {'deep': nested(5000)},
    'deep list': nested(200),
    'cycle': cycle(),
    'keys that are no strings': {1: 'a', None: 'b', (1, 2): 'c', b'd': 'd', 1.5: 'e'},
    'NaN': {'nan': float('nan'), 'inf': float('inf')},
    'huge integer': {'huge': 10**5000},
    'huge negative': -(10**5000),
    'bytes': b'\xff\0\n',
    'a set': {'tags': {'a', 'b'}},
    'a class': Unprintable,
    'a generator': (number for number in range(3)),
    'empty': '',
    'empty dict': {},
    'percent': '100 % sure',
    'exception': ValueError('as a message'),
}

ARGUMENTS = {
    'too few': ('%s and %s', ('one',)),
    'too many': ('%s', ('one', 'two')),
    'of another type': ('%d', ('three',)),
    'a broken format': ('100%', ('x',)),
    'unprintable': ('%s', (Unprintable(),)),
    'a mapping without the key': ('%(name)s', ({'other': 1},)),
    'to a dict': ({'message': 'Ahoy'}, ('x',)),
    'none at all': ('%s', ()),
}


@pytest.mark.parametrize('message', MESSAGES.values(), ids=MESSAGES)
@pytest.mark.parametrize('raise_exceptions', [True, False])
def test_no_message_is_lost_or_raises(message, raise_exceptions, make_handler, make_logger, capsys) -> None:
    """One event, one line, one Firehose record; nothing on stderr; also with every warning an error."""
    logging.raiseExceptions = raise_exceptions
    client = AcceptingClient()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        handler = make_handler('bar', boto3_client=client)
        make_logger(handler).warning(message)
        assert handler.flush()
    assert len(client.events) == 1
    event = client.events[0]
    assert event.count(b'\n') == 1
    assert event.endswith(b'\n')
    assert b'\0' not in event
    assert len(event) <= 1_024_000
    assert orjson.loads(event)['level'] == 'WARNING'
    assert (handler.stats().accepted, handler.stats().delivered) == (1, 1)
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize(('message', 'arguments'), ARGUMENTS.values(), ids=ARGUMENTS)
@pytest.mark.parametrize('raise_exceptions', [True, False])
def test_broken_arguments_lose_nothing(
    message, arguments, raise_exceptions, make_handler, make_logger, capsys
) -> None:
    """The standard handler prints a traceback and loses the event; this one does neither."""
    logging.raiseExceptions = raise_exceptions
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    make_logger(handler).warning(message, *arguments)
    assert handler.flush()
    assert len(client.events) == 1
    assert orjson.loads(client.events[0])['logger'] == 'foo'
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('message', MESSAGES.values(), ids=MESSAGES)
def test_no_extra_value_is_lost_or_raises(message, make_handler, make_logger) -> None:
    """The same values given as `extra`."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    make_logger(handler).warning('Ahoy', extra={'value': message, 'beside': 'it'})
    assert handler.flush()
    event = orjson.loads(client.events[0])
    if 'dropped_fields' not in event.get('truncated', {}):
        assert {'value', 'beside', 'message'} <= event.keys()


@pytest.mark.parametrize('message', MESSAGES.values(), ids=MESSAGES)
@pytest.mark.parametrize('use_queues', [True, False])
def test_the_record_is_unchanged(message, use_queues, make_handler) -> None:
    """Not an attribute more, none else; the message is the same object."""
    handler = make_handler('bar', use_queues, boto3_client=AcceptingClient())
    record = logging.LogRecord('foo', logging.INFO, __file__, 1, message, None, None)
    before = dict(record.__dict__)
    handler.handle(record)
    assert handler.flush()
    assert record.__dict__.keys() == before.keys()
    assert all(record.__dict__[name] is value for name, value in before.items())


def test_the_callers_objects_are_unchanged(make_handler, make_logger) -> None:
    """Neither the dict that is logged nor what is in it."""
    message = {'message': 'Ahoy', 'tags': {'b', 'a'}, 'list': [1, {2: 3}], 'level': 'own'}
    extra = {'level_of_detail': [1, 2], 'map': {1: 2}}
    kept, kept_extra = copy.deepcopy(message), copy.deepcopy(extra)
    handler = make_handler('bar', boto3_client=AcceptingClient())
    handler.MAX_RECORD_SIZE = 100
    make_logger(handler).warning(message, extra=extra)
    assert handler.flush()
    assert (message, extra) == (kept, kept_extra)


def test_what_the_caller_changes_afterwards_is_not_seen(make_handler, make_logger) -> None:
    """The event is encoded in the logging call."""
    client = AcceptingClient()
    message = {'state': 'before'}
    handler = make_handler('bar', boto3_client=client)
    make_logger(handler).info(message)
    message['state'] = 'after'
    assert handler.flush()
    assert orjson.loads(client.events[0])['state'] == 'before'


@pytest.mark.parametrize('record', [None, 'text', object(), logging.makeLogRecord({})])
def test_emit_survives_what_is_no_proper_record(record, make_handler) -> None:
    """The event is delivered or counted, and nothing raises."""
    handler = make_handler('bar', boto3_client=AcceptingClient())
    handler.emit(record)
    assert handler.flush()
    stats = handler.stats()
    assert stats.accepted == stats.delivered + sum(stats.dropped.values()) == 1


@pytest.mark.parametrize('filtered', [False, True])
@pytest.mark.parametrize('thread', [[], {}, 'Thread-1', -1, 2**80, None])
def test_a_record_may_say_any_thread(thread, filtered, make_handler) -> None:
    """One that was made of JSON from a socket: the first event, and any other."""
    handler = make_handler('bar', boto3_client=AcceptingClient())
    if filtered:
        handler.addFilter(lambda _: True)
    for _ in range(2):
        handler.handle(logging.makeLogRecord({'msg': 'Ahoy', 'thread': thread}))
    assert handler.flush()
    stats = handler.stats()
    assert stats.accepted == stats.delivered + sum(stats.dropped.values()) == 2


def test_logging_near_the_recursion_limit_raises_nothing(make_handler, make_logger) -> None:
    """The deepest frames log what they can."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    logger = make_logger(handler)
    logger.info('start')
    record = logging.makeLogRecord({'msg': 'deep', 'levelno': 20, 'name': 'foo'})
    emitted = 0

    def dive() -> None:
        nonlocal emitted
        with contextlib.suppress(RecursionError):
            dive()
        if emitted < 20:
            try:
                handler.emit(record)
            except RecursionError:
                # The call itself did not fit on the stack: it has not begun.
                return
            emitted += 1

    dive()
    assert handler.flush()
    assert emitted == 20
    assert handler.stats().delivered + sum(handler.stats().dropped.values()) >= 21


def test_a_str_that_logs_does_not_deadlock(make_handler) -> None:
    """Logging again while a message is being encoded is an event like any other."""
    logger = logging.Logger('foo')

    class Chatty:
        def __str__(self) -> str:
            logger.info('inner')
            return 'outer'

    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    logger.addHandler(handler)
    logger.info(Chatty())
    assert handler.flush()
    assert sorted(orjson.loads(event)['message'] for event in client.events) == ['inner', 'outer']
