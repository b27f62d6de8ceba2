"""What becomes of an event above MAX_RECORD_SIZE?"""

from __future__ import annotations

import logging

import orjson
import pytest

from doubles import AcceptingClient
from firefighter.logging import FirehoseHandler


class Fixed(logging.Formatter):
    """A formatter of the user's that puts out the message as it is."""

    def format(self, record: logging.LogRecord) -> str:
        return record.msg


@pytest.fixture
def deliver(make_handler, make_logger):
    """Log messages through a handler, and return it with what arrived."""

    def run(*messages: object, formatter: logging.Formatter | None = None, attributes=(), **options: object):
        client = AcceptingClient()
        handler = make_handler('bar', boto3_client=client, **options)
        handler.setFormatter(formatter)
        for name, value in dict(attributes).items():
            setattr(handler, name, value)
        logger = make_logger(handler)
        for message in messages:
            logger.info(message)
        assert handler.flush()
        return handler, client.events

    return run


def test_by_default_an_oversize_event_is_delivered_whole_and_counted(deliver) -> None:
    """None: as long as MAX_RECORD_SIZE has its documented value."""
    handler, events = deliver('x' * 5000)
    assert orjson.loads(events[0])['message'] == 'x' * 5000
    assert (handler.stats().oversize, handler.stats().truncated) == (1, 0)


def test_the_limit_is_not_oversize_and_one_byte_more_is(deliver) -> None:
    """1,024 bytes with the newline are allowed."""
    handler, events = deliver('x' * 1023, 'x' * 1024, formatter=Fixed(), oversize='drop')
    assert events == [b'x' * 1023 + b'\n']
    assert (handler.stats().oversize, dict(handler.stats().dropped)) == (1, {'oversize': 1})


@pytest.mark.parametrize('way', ['subclass', 'instance'])
def test_another_limit_truncates_by_default(way, deliver) -> None:
    """None: once a subclass or an instance sets another value. The event stays valid JSON with its fields."""

    class Short(FirehoseHandler):
        MAX_RECORD_SIZE = 300

    options = {'kind': Short} if way == 'subclass' else {'attributes': {'MAX_RECORD_SIZE': 300}}
    handler, events = deliver({'message': 'x' * 5000, 'user': 'u-17'}, **options)
    event = orjson.loads(events[0])
    assert len(events[0]) <= 300
    assert (event['user'], event['level'], event['logger']) == ('u-17', 'INFO', 'foo')
    assert event['truncated']['original_bytes'] > 5000
    assert (handler.stats().oversize, handler.stats().truncated) == (1, 1)


def test_a_limit_changed_at_run_time_is_honoured(deliver, make_logger) -> None:
    """The attribute is read for each event."""
    handler, _ = deliver('x' * 2000)
    handler.MAX_RECORD_SIZE = 500
    make_logger(handler).info('y' * 2000)
    assert handler.flush()
    assert handler.stats().truncated == 1


def test_a_larger_limit_lets_larger_events_through(deliver) -> None:
    """An event below it is not oversize."""
    handler, events = deliver('x' * 5000, attributes={'MAX_RECORD_SIZE': 100_000})
    assert orjson.loads(events[0])['message'] == 'x' * 5000
    assert handler.stats().oversize == 0


def test_keep_keeps_also_with_another_limit(deliver) -> None:
    """The policy said outright comes before the rule for None."""
    handler, events = deliver('x' * 5000, oversize='keep', attributes={'MAX_RECORD_SIZE': 300})
    assert len(events[0]) > 5000
    assert (handler.stats().oversize, handler.stats().truncated) == (1, 0)


def test_truncate_truncates_also_at_the_documented_limit(deliver) -> None:
    """To MAX_RECORD_SIZE."""
    _, events = deliver({'message': 'x' * 5000, 'user': 'u-17'}, oversize='truncate')
    assert len(events[0]) <= 1024
    assert orjson.loads(events[0])['user'] == 'u-17'


def test_drop_drops_and_counts(deliver) -> None:
    """With its bytes and its reason; the others are delivered."""
    handler, events = deliver('x' * 5000, 'short', oversize='drop')
    assert [orjson.loads(event)['message'] for event in events] == ['short']
    assert dict(handler.stats().dropped) == {'oversize': 1}
    assert handler.stats().dropped_bytes['oversize'] > 5000


@pytest.mark.parametrize('oversize', [None, 'keep', 'truncate'])
def test_above_the_services_limit_an_event_is_truncated_in_any_case(oversize, deliver) -> None:
    """No record leaves with more than 1,024,000 bytes, and it says how long it was."""
    handler, events = deliver('x' * 10_000_000, oversize=oversize, max_spool_bytes=64 * 1024 * 1024)
    assert len(events[0]) <= 1_024_000
    event = orjson.loads(events[0])
    assert event['truncated']['original_bytes'] > 10_000_000
    assert event['level'] == 'INFO'
    assert handler.stats().truncated == 1


def test_a_limit_above_the_services_does_not_raise_that(deliver) -> None:
    """MAX_RECORD_SIZE may say more; Firehose does not take it."""
    _, events = deliver('x' * 2_000_000, attributes={'MAX_RECORD_SIZE': 5_000_000})
    assert len(events[0]) <= 1_024_000


def test_text_of_a_users_formatter_is_cut_and_says_so(deliver) -> None:
    """What is no JSON stays text of whole characters."""
    _, events = deliver('h\u00e9' * 1000, formatter=Fixed(), oversize='truncate')
    assert len(events[0]) <= 1024
    assert events[0].decode().startswith('h\u00e9h\u00e9')
    assert events[0].endswith(b'[truncated from 3001 bytes]\n')


def test_many_newlines_of_a_users_formatter_do_not_make_an_event_longer(deliver) -> None:
    """The spool escapes them; the limits hold for what is sent."""
    _, events = deliver('\n' * 900_000, formatter=Fixed())
    assert events == [b'\n' * 900_000]
