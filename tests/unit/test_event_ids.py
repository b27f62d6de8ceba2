"""With event_ids, does each event say whose it is and which one, and is every gap explained?"""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import threading

import orjson
import pytest

from doubles import AcceptingClient, BlockingClient, DownClient, EntryFailingClient
from firefighter._audit.accounts import Accounts
from firefighter._delivery.limits import MAX_RECORD_BYTES
from firefighter._delivery.spool_source import SpoolSource
from firefighter._process.waiting import Wakeup
from firefighter._spool.numbered_spool import NumberedSpool
from firefighter.formatting import JSONFormatter
from firefighter.logging import FirehoseHandler

SMALLEST_SPOOL = 64 * 1024


def ids_of(lines):
    """Return each event's id, None where it has none."""
    events = [orjson.loads(line) for line in lines]
    return [(event['producer'], event['sequence']) if 'producer' in event else None for event in events]


def audited(lines):
    """Return what an audit says of each producer."""
    accounts = Accounts()
    for line in lines:
        accounts.take(line)
    return {account.producer: account for account in accounts}


@pytest.fixture
def start(make_handler, make_logger):
    """Make a handler with event ids; return it, its logger and its client."""

    def start(client=None, **options):
        client = client or AcceptingClient()
        # One request after the other, so that what is accepted is in the order of the calls.
        handler = make_handler('bar', boto3_client=client, event_ids=True, max_in_flight=1, **options)
        return handler, make_logger(handler), client

    return start


def test_events_end_with_producer_and_number(start) -> None:
    """As the last two keys; from 0, in the order of the calls; also where the number gets another digit."""
    handler, logger, client = start()
    for number in range(1_002):
        logger.info('%d', number)
    assert handler.flush()
    producer, first = ids_of(client.events[:1])[0]
    assert ids_of(client.events) == [(producer, number) for number in range(1_002)]
    assert [orjson.loads(event)['message'] for event in client.events] == list(map(str, range(1_002)))
    assert list(orjson.loads(client.events[0]))[-2:] == ['producer', 'sequence']
    assert client.events[10].endswith(b'"message":"10","producer":"%s","sequence":10}\n' % producer.encode())
    assert (len(producer), first) == (32, 0)


def test_without_event_ids_there_are_none(make_handler, make_logger) -> None:
    """Nor anything that would need one."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    make_logger(handler).info('a')
    assert handler.flush()
    assert b'producer' not in client.events[0]


def test_threads_share_one_numbering_without_a_gap(start) -> None:
    """The lines are in the order of their numbers."""
    handler, logger, client = start()
    threads = [threading.Thread(target=lambda: [logger.info('x') for _ in range(2_000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert handler.flush()
    assert [number for _, number in ids_of(client.events)] == list(range(8_000))


@pytest.mark.parametrize('name', ['producer', 'sequence', 'firefighter_dropped'])
def test_nothing_of_the_programs_can_pass_for_an_id_or_a_marker(name, start) -> None:
    """It is kept under `extra`, as what finds its name taken is: of extras, of dict messages, of keys that become text."""
    handler, logger, client = start()
    logger.info('a', extra={name: 1})
    logger.info({name: 2, 'message': 'b'})
    logger.info({name: 3, 'extra': 'mine'})
    logger.info({name.encode(): 4})
    logger.info({'level': 5}, extra={'level': 6, name: 7})
    logger.info({'inside': {name: 8}})
    assert handler.flush()
    events = [orjson.loads(event) for event in client.events]
    assert [event.get('extra') for event in events] == [
        {name: 1},
        {name: 2},
        {'extra': 'mine', name: 3},
        {name: 4},
        {'level': 6, name: 7},
        None,
    ]
    assert events[5]['inside'] == {name: 8}
    assert [event['sequence'] for event in events] == list(range(6))
    assert all(event.count(b'"%s":' % name.encode()) <= 2 for event in client.events)


@pytest.mark.parametrize('name', ['producer', 'sequence', 'firefighter_dropped'])
def test_fields_cannot_use_these_names(name) -> None:
    """As those of the event's own; without event_ids they are free."""
    with pytest.raises(ValueError, match='event_ids needs'):
        FirehoseHandler('bar', boto3_client=AcceptingClient(), event_ids=True, fields={name: 1})
    JSONFormatter(fields={name: 1})


def test_another_formatters_lines_have_no_id_and_leave_no_gap(start) -> None:
    """They are honoured byte for byte; where that formatter fails, our event stands in for it, with an id."""

    class Plain(logging.Formatter):
        def format(self, record):
            if record.msg == 'fail':
                raise ValueError
            return f'{record.msg}\n\0'

    handler, logger, client = start()
    logger.info('a')
    handler.setFormatter(Plain())
    logger.info('b')
    logger.info('fail')
    handler.setFormatter(None)
    logger.info('c')
    assert handler.flush()
    assert client.events.pop(1) == b'b\n\0\n'
    assert [number for _, number in ids_of(client.events)] == [0, 1, 2]


def test_the_formatter_itself_gives_no_id(start) -> None:
    """Other handlers that use it get an event like any other."""
    handler, _, _ = start()
    record = logging.LogRecord('foo', logging.INFO, '', 0, 'a', None, None)
    assert list(orjson.loads(handler.format(record))) == ['timestamp', 'level', 'logger', 'message']


@pytest.mark.parametrize('size', range(MAX_RECORD_BYTES - 300, MAX_RECORD_BYTES + 300, 37))
def test_the_id_counts_towards_the_size_of_an_event(size, start) -> None:
    """With it no Firehose record is above 1,024,000 bytes, and a truncated event still has it."""
    handler, logger, client = start()
    logger.info('x' * size)
    assert handler.flush()
    assert len(client.events[0]) <= MAX_RECORD_BYTES
    assert orjson.loads(client.events[0])['sequence'] == 0


def test_the_id_counts_towards_a_limit_of_the_programs(start) -> None:
    """Also where the event is truncated to it."""

    class Short(FirehoseHandler):
        MAX_RECORD_SIZE = 300

    handler, logger, client = start(kind=Short)
    logger.info('x' * 200)
    assert handler.flush()
    assert len(client.events[0]) <= 300
    assert list(orjson.loads(client.events[0]))[-3:] == ['truncated', 'producer', 'sequence']


# An exception there since Python 3.15, where warnings are errors; a delivery thread is what is tested.
@pytest.mark.filterwarnings('ignore:.*multi-threaded, use of fork:DeprecationWarning')
def test_a_forked_child_and_a_copy_are_producers_of_their_own(start) -> None:
    """Each counts from 0."""
    handler, logger, client = start()
    logger.info('parent')

    def in_the_child(pipe):
        logger.info('child')
        handler.flush()
        pipe.send(client.events)

    receiver, sender = multiprocessing.get_context('fork').Pipe()
    child = multiprocessing.get_context('fork').Process(target=in_the_child, args=(sender,))
    child.start()
    theirs = receiver.recv()
    child.join()
    assert handler.flush()
    (ours, number), (other, its_number) = ids_of([*client.events, *theirs])
    assert ours != other
    assert (number, its_number) == (0, 0)


def test_a_pickled_handler_numbers_its_events_too() -> None:
    """With an id of its own."""
    handler = FirehoseHandler('bar', region_name='eu-west-1', event_ids=True)
    copied = pickle.loads(pickle.dumps(handler))
    producers = {each._pipeline.spool._producer for each in (handler, copied)}
    handler.close()
    copied.close()
    assert len(producers) == 2


def test_on_disk_the_producer_is_called_as_its_directory(start, tmp_path) -> None:
    """So that `firefighter spool` and the events speak of the same."""
    _, logger, _ = start(DownClient(), spool_dir=tmp_path / 'spool', shutdown_timeout_seconds=0)
    logger.info('a')
    (segment,) = (tmp_path / 'spool').glob('*/*/*/*.spool')
    producer, _ = ids_of([segment.read_bytes()[4096:].partition(b'\n')[0]])[0]
    assert segment.parent.name == producer


# What is dropped.


def finish(handler, client):
    """Let everything through, and return the account of the one producer."""
    client.release()
    handler.close()
    (account,) = audited(client.events).values()
    stats = handler.stats()
    assert stats.accepted == stats.delivered + sum(stats.dropped.values())
    assert account.events == stats.delivered
    assert account.unexplained == account.duplicates == 0
    assert dict(account.explained) == {reason.value: events for reason, events in stats.dropped.items()}
    return account, stats


@pytest.mark.parametrize('overflow', ['drop_oldest', 'drop_newest'])
@pytest.mark.parametrize('on_disk', [False, True])
def test_a_gap_by_overflow_is_explained_exactly(overflow, on_disk, start, tmp_path) -> None:
    """What is missing is what was dropped, and a marker says so; markers count as accepted."""
    options = {'spool_dir': tmp_path} if on_disk else {}
    handler, logger, client = start(
        BlockingClient(), overflow=overflow, max_spool_bytes=SMALLEST_SPOOL, **options
    )
    for number in range(3_000):
        logger.info('%d', number)
    account, stats = finish(handler, client)
    assert account.explained['overflow'] > 1_000
    assert 0 < account.markers <= stats.markers
    assert stats.accepted == 3_000 + stats.markers


def test_the_marker_of_the_oldest_comes_before_the_event_that_they_gave_way_to(start) -> None:
    """It is as durable as that: the first line of the new segment."""
    handler, logger, client = start(BlockingClient(), max_spool_bytes=SMALLEST_SPOOL, send_interval=0)
    logger.info('first')
    client.wait_for_requests(1)
    while not handler.stats().markers:
        logger.info('x')
    newest = handler._pipeline.spool._segments[-1]
    marker, event = newest.mapping[4096 : newest.tail].splitlines()
    assert list(orjson.loads(marker)) == [
        'timestamp',
        'level',
        'logger',
        'message',
        'firefighter_dropped',
        'producer',
        'sequence',
    ]
    assert orjson.loads(marker)['sequence'] + 1 == orjson.loads(event)['sequence']
    finish(handler, client)


def test_during_a_long_outage_a_marker_stays_one_range(start) -> None:
    """Markers are dropped too, and what they have told is told again; neighbours become one."""
    handler, logger, client = start(BlockingClient(), max_spool_bytes=SMALLEST_SPOOL, send_interval=0)
    logger.info('first')
    client.wait_for_requests(1)
    for number in range(20_000):
        logger.info('%d', number)
    finish(handler, client)
    markers = [orjson.loads(event) for event in client.events if b'"firefighter_dropped":' in event]
    assert markers
    assert all(len(marker['firefighter_dropped']) == 1 for marker in markers)


def test_an_oversize_event_that_is_dropped_is_told_of_before_the_next(start) -> None:
    """Consecutive ones in one marker."""
    handler, logger, client = start(BlockingClient(), oversize='drop')
    # Delivery, which its first event wakes, might tell of the one before the other is dropped.
    handler._pipeline.spool.append_marker = lambda: None
    for size in (1, 5_000, 5_000, 1, 5_000, 1):
        logger.info('x' * size)
    del handler._pipeline.spool.append_marker
    account, stats = finish(handler, client)
    assert (account.explained, stats.markers) == ({'oversize': 3}, 2)
    assert [number for _, number in ids_of(client.events)] == [0, 3, 4, 6, 7]


def test_what_is_dropped_last_is_told_of_by_flush(start) -> None:
    """No event comes after it."""
    handler, logger, client = start(oversize='drop')
    logger.info('a')
    logger.info('x' * 5_000)
    assert handler.flush()
    assert orjson.loads(client.events[-1])['firefighter_dropped'] == [
        {'first': 1, 'last': 1, 'reason': 'oversize'}
    ]


def test_a_flush_concerns_the_marker_too() -> None:
    """It waits for what is there when it begins, so the marker comes first."""
    source = SpoolSource(NumberedSpool(bytes(16), SMALLEST_SPOOL), Wakeup())
    source.spool.reject('oversize', 1)
    assert source.flush() == 1


def test_what_is_dropped_last_is_told_of_by_delivery_in_its_time(start) -> None:
    """No event comes after it, and nobody flushes."""
    _, logger, client = start(oversize='drop', send_interval=0)
    logger.info('a')
    client.wait_for_events(1)
    logger.info('x' * 5_000)
    client.wait_for_events(2)
    assert b'"firefighter_dropped":' in client.events[1]


def test_what_firehose_refuses_is_told_of(start) -> None:
    """Its number is in its bytes. Also of what is refused last, when the handler is closed."""

    class Refusing(EntryFailingClient, BlockingClient):
        """Refuses every event with the word poison."""

        def __init__(self):
            BlockingClient.__init__(self)

        def hold(self, number):
            BlockingClient.hold(self, number)
            if any(b'poison' in event for event in self.requests[number]):
                error = InvalidArgumentException()
                error.response = {'Error': {'Code': 'InvalidArgumentException', 'Message': 'no'}}
                raise error

        def failures(self, number, data):
            return ()

    handler, logger, client = start(Refusing())
    for word in ('a', 'poison', 'poison', 'b', 'poison'):
        logger.info(word)
    account, _ = finish(handler, client)
    assert account.explained == {'refused': 3}


class InvalidArgumentException(Exception):  # noqa: N818
    """Has the name of botocore's, by which it is known."""


def test_events_that_go_nowhere_use_up_no_number(monkeypatch, make_handler, make_logger) -> None:
    """Nothing will ever be delivered that could tell of them."""
    monkeypatch.setenv('FIREFIGHTER_DISABLED', '1')
    handler = make_handler('bar', event_ids=True)
    make_logger(handler).info('a')
    assert handler.flush()
    assert handler.stats().markers == 0
    assert sum(handler.stats().dropped.values()) == handler.stats().accepted == 1
