"""What does a handler with `aggregate=True` send, when, and what is billed for it?"""

from __future__ import annotations

import json
import logging
import queue
from collections import Counter
from itertools import chain

import boto3
import pytest

from arrivals import adds_up, deliver_everything, messages_in
from doubles import AcceptingClient, EntryFailingClient, RefusingClient
from firefighter._delivery.limits import BILLED_BYTES, MAX_RECORD_BYTES
from firefighter.local import LocalFirehose
from firefighter.logging import FirehoseHandler

TARGET = 64 * 1024


def events_of(client: AcceptingClient) -> list[list[int]]:
    """Return the numbers of the events in each Firehose record that a client was given."""
    return [
        [json.loads(line)['message'] for line in record.splitlines()]
        for request in client.requests
        for record in request
    ]


def log(logger: logging.Logger, numbers: range) -> None:
    for number in numbers:
        logger.info({'message': number})


def test_many_events_are_one_record_and_arrive_line_by_line(make_handler, make_logger, tmp_path) -> None:
    """On a real endpoint: the same events, for a fraction of the bill."""
    with LocalFirehose(tmp_path, streams=['bar']) as endpoint:
        session = boto3.session.Session(
            region_name='us-east-1', aws_access_key_id='local', aws_secret_access_key='local'
        )
        handler = make_handler('bar', boto3_session=session, endpoint_url=endpoint.url, aggregate=True)
        log(make_logger(handler), range(2_000))
        stats = deliver_everything(handler)
        handler.close()
        endpoint.flush()
        account = endpoint.account('bar')
    assert messages_in(tmp_path) == Counter(range(2_000))
    assert stats.delivered == 2_000
    assert account.records == stats.records < 10
    assert account.billed_bytes - account.bytes < account.records * BILLED_BYTES


def test_no_record_has_more_than_max_aggregated_events(make_handler, make_logger) -> None:
    """Dynamic partitioning takes at most 500 apart."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, aggregate=True, max_aggregated_events=500)
    log(make_logger(handler), range(3_000))
    deliver_everything(handler)
    records = events_of(client)
    assert sorted(chain.from_iterable(records)) == list(range(3_000))
    assert max(map(len, records)) <= 500
    assert len(records) < 20


def test_the_number_of_events_makes_no_batch_due(make_handler, make_logger) -> None:
    """600 small events are not sent before their time: fewer requests, fuller records."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, aggregate=True, send_interval=10_000)
    log(make_logger(handler), range(600))
    assert handler._pipeline.sender._rules().max_batch_events == 500
    assert handler._pipeline.source.waiting().records == 1
    assert client.requests == []
    deliver_everything(handler)
    assert len(client.requests) == 1


class Eager(FirehoseHandler):
    """A handler whose class says when a batch is due."""

    MAX_BATCH_SIZE = 5 * 1024


def test_target_batch_bytes_stands_in_unless_a_subclass_or_an_instance_says_otherwise(make_handler) -> None:
    """Even where they say the documented value."""
    handler = make_handler('bar', boto3_client=AcceptingClient(), aggregate=True)
    assert handler._pipeline.sender._rules().max_batch_bytes == TARGET
    handler.MAX_BATCH_SIZE = 5 * 1024
    assert handler._pipeline.sender._rules().max_batch_bytes == 5 * 1024
    eager = make_handler('bar', kind=Eager, boto3_client=AcceptingClient(), aggregate=True)
    assert eager._pipeline.sender._rules().max_batch_bytes == 5 * 1024
    assert (
        make_handler('bar', boto3_client=AcceptingClient())._pipeline.sender._rules().max_batch_bytes
        == 5 * 1024
    )


def test_the_class_itself_may_say_when_a_batch_is_due(make_handler, monkeypatch) -> None:
    """As a program does once, for all its handlers."""
    monkeypatch.setattr(FirehoseHandler, 'MAX_BATCH_SIZE', 7 * 1024)
    handler = make_handler('bar', boto3_client=AcceptingClient(), aggregate=True)
    assert handler._pipeline.sender._rules().max_batch_bytes == 7 * 1024


def test_an_event_of_several_lines_stays_one(make_handler, make_logger) -> None:
    """A formatter of the user's puts out what it likes; the account counts events, not lines."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, aggregate=True)
    handler.setFormatter(logging.Formatter('%(message)s\n  at home'))
    logger = make_logger(handler)
    for number in range(10):
        logger.info('%d', number)
    stats = deliver_everything(handler)
    assert client.requests == [[b''.join(b'%d\n  at home\n' % number for number in range(10))]]
    assert stats.delivered == 10


def test_a_large_event_is_a_record_of_its_own(make_handler, make_logger) -> None:
    """Escaped it is longer than a record may be; restored it never is."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, aggregate=True, max_in_flight=1)
    handler.setFormatter(logging.Formatter('%(message)s'))
    logger = make_logger(handler)
    large = '\n' * (MAX_RECORD_BYTES - 1) + 'x'
    for text in ('small', large[1:], 'small'):
        logger.info('%s', text)
    stats = deliver_everything(handler)
    assert [len(record) for request in client.requests for record in request] == [6, MAX_RECORD_BYTES, 6]
    assert (stats.delivered, stats.truncated) == (3, 0)


def test_a_record_that_was_not_accepted_is_sent_again_as_it_was(make_handler, make_logger) -> None:
    """All its events with it, and none of another record's."""
    client = EntryFailingClient({0})
    handler = make_handler('bar', boto3_client=client, aggregate=True, max_aggregated_events=10)
    log(make_logger(handler), range(30))
    stats = deliver_everything(handler)
    first, second = client.requests[:2]
    assert second == first[:1]
    assert (stats.delivered, stats.retried) == (30, 1)


def test_the_one_invalid_event_of_an_aggregate_is_found(make_handler, make_logger) -> None:
    """It alone is dropped; the events around it arrive."""
    client = RefusingClient(lambda record: b'"message":137}' in record)
    letters: list[bytes] = []
    handler = make_handler(
        'bar', boto3_client=client, aggregate=True, on_dead_letter=lambda event, _: letters.append(event)
    )
    log(make_logger(handler), range(300))
    stats = deliver_everything(handler)
    assert [json.loads(letter)['message'] for letter in letters] == [137]
    assert (stats.delivered, stats.dropped) == (299, {'refused': 1})
    assert adds_up(stats)


def test_a_plain_queue_is_aggregated_too(make_handler) -> None:
    """`task_done` is called for each event, however many went in one record."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, aggregate=True, max_aggregated_events=4)
    batch_queue: queue.Queue = queue.Queue()
    for number in range(10):
        batch_queue.put(b'%d' % number)
    batch_queue.put(handler.END)
    handler.batch_sender(batch_queue, 'bar', 60)
    assert client.requests == [[b'0\n1\n2\n3\n', b'4\n5\n6\n7\n', b'8\n9\n']]
    assert batch_queue.unfinished_tasks == 0
    assert handler.stats().delivered == 10


def test_the_invalid_event_of_a_plain_queue_is_found(make_handler) -> None:
    """An aggregate of queued events is halved like any other."""
    client = RefusingClient(lambda record: b'7\n' in record)
    handler = make_handler('bar', boto3_client=client, aggregate=True)
    batch_queue: queue.Queue = queue.Queue()
    for number in range(10):
        batch_queue.put(b'%d' % number)
    batch_queue.put(handler.END)
    handler.batch_sender(batch_queue, 'bar', 60)
    stats = handler.stats()
    assert (stats.delivered, stats.dropped) == (9, {'refused': 1})
    assert batch_queue.unfinished_tasks == 0


@pytest.mark.parametrize(
    'options',
    [{'max_aggregated_events': 500}, {'target_batch_bytes': 1_000}],
    ids=lambda options: next(iter(options)),
)
def test_an_option_that_would_say_nothing_is_refused(options) -> None:
    """Rather than accepted and ignored."""
    with pytest.raises(ValueError, match=f'{next(iter(options))} says nothing without aggregate=True'):
        FirehoseHandler('bar', **options)
