"""Is somebody told whose options lose events in silence, and does nothing else change?"""

from __future__ import annotations

import queue
import threading

import boto3.session
import pytest

from descriptions import DESCRIPTIONS
from doubles import DEADLINE_SECONDS, AcceptingClient
from firefighter.local import LocalFirehose


class Describing(AcceptingClient):
    """Tells of its stream, or raises.

    Attributes:
        asked: the streams that were asked for.
        was_asked: set at the first time.
        asked_in: the thread that has asked, which tells of the answer, too.
        may_answer: clear it, and no answer comes.
    """

    def __init__(self, described):
        super().__init__()
        self._described = described
        self.asked = []
        self.was_asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def describe_delivery_stream(self, *, DeliveryStreamName):  # noqa: N803  # AWS's name
        assert self.events, 'something is to be delivered first'
        self.asked.append(DeliveryStreamName)
        self.asked_in = threading.current_thread()
        self.was_asked.set()
        assert self.may_answer.wait(DEADLINE_SECONDS)
        if isinstance(self._described, Exception):
            raise self._described
        return {'DeliveryStreamDescription': self._described}


def ended(thread: threading.Thread) -> None:
    """Wait until it has told what it has to tell: nobody else does."""
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()


@pytest.fixture
def deliver(make_handler, make_logger):
    """Log an event, flush, wait until the stream was asked for and that is told, log and flush once more, and close.

    Return the handler.
    """

    def deliver(client, **options):
        handler = make_handler('bar', boto3_client=client, **options)
        logger = make_logger(handler)
        logger.info('Ahoy')
        assert handler.flush()
        if options and hasattr(client, 'was_asked'):
            assert client.was_asked.wait(DEADLINE_SECONDS)
            ended(client.asked_in)
        logger.info('Ahoy again')
        assert handler.flush()
        handler.close()
        assert handler.stats().delivered == 2
        return handler

    return deliver


def test_what_the_destination_will_not_have_is_said_once_and_is_in_the_statistics(deliver, capsys):
    """OpenSearch would refuse each of these records, and Firehose has accepted them all."""
    client = Describing(DESCRIPTIONS['opensearch'])
    handler = deliver(client, aggregate=True)
    trouble = (
        'aggregate=True does not fit the stream: OpenSearch takes one JSON document in a record; one with several fails '
        'as malformed; leave out aggregate'
    )
    assert client.asked == ['bar']
    assert handler.stats().last_error == trouble
    assert capsys.readouterr().err == (
        f"firefighter: stream 'bar': {trouble} (firefighter doctor bar says more)\n"
    )


def test_a_bound_that_is_too_high_is_said_with_the_right_one(deliver, capsys):
    """Of 501 events in a record the last would be gone."""
    deliver(
        Describing(DESCRIPTIONS['s3-partitioned-deaggregated']), aggregate=True, max_aggregated_events=501
    )
    assert 'write max_aggregated_events=500 (firefighter doctor' in capsys.readouterr().err


@pytest.mark.parametrize('codec', ['gzip', 'zstd'])
def test_a_newline_between_compressed_records_is_said(deliver, capsys, codec):
    """Of the object most readers would see the first record."""
    deliver(Describing(DESCRIPTIONS['s3-with-delimiter']), compression=codec)
    told = capsys.readouterr().err
    assert told.count('\n') == 1
    assert f"stream 'bar': compression='{codec}' does not fit the stream: AppendDelimiterToRecord" in told


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('s3', {'aggregate': True}),
        ('s3', {'compression': 'gzip'}),
        ('redshift', {'aggregate': True}),
        ('splunk-raw', {'aggregate': True}),
        ('s3-with-conversion', {'aggregate': True}),
        ('s3-with-delimiter', {'aggregate': True}),
    ],
)
def test_where_it_fits_nothing_is_said(deliver, capsys, name, options):
    """The question itself leaves no trace."""
    client = Describing(DESCRIPTIONS[name])
    handler = deliver(client, **options)
    assert client.asked == ['bar']
    assert handler.stats().last_error is None
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('described', [PermissionError('no'), {}, None, 'odd', 7, {'Destinations': 7}])
def test_without_an_answer_nothing_is_said_and_nothing_asked_again(deliver, capsys, described):
    """No permission, throttled, a double of somebody's test: delivery needs no description."""
    client = Describing(described)
    deliver(client, aggregate=True)
    assert client.asked == ['bar']
    assert capsys.readouterr().err == ''


def test_one_event_in_a_record_is_safe_anywhere_so_nothing_is_asked(deliver):
    """No handler without these options makes a request more than before."""
    client = Describing(DESCRIPTIONS['opensearch'])
    deliver(client)
    assert client.asked == []


def test_a_client_that_cannot_ask_is_not_asked(deliver, capsys):
    """A user's own, with the one method that the handler needs."""
    deliver(AcceptingClient(), aggregate=True)
    assert capsys.readouterr().err == ''


def test_nobody_waits_for_the_answer(make_handler, make_logger):
    """Flush has returned before the question, and what is logged meanwhile goes afterwards."""
    client = Describing(DESCRIPTIONS['s3'])
    client.may_answer.clear()
    handler = make_handler('bar', boto3_client=client, aggregate=True)
    logger = make_logger(handler)
    logger.info('Ahoy')
    assert handler.flush()
    assert client.was_asked.wait(DEADLINE_SECONDS)
    logger.info('Ahoy again')
    client.may_answer.set()
    assert handler.flush()
    assert len(client.events) == 2


def test_a_program_that_ends_does_not_ask(make_handler, make_logger):
    """It would wait for the answer."""
    client = Describing(DESCRIPTIONS['opensearch'])
    handler = make_handler('bar', boto3_client=client, aggregate=True)
    make_logger(handler).info('Ahoy')
    handler.close()
    assert (len(client.events), client.asked) == (1, [])


@pytest.fixture
def session():
    """A session whose clients say when, and in which thread, they have had an answer to DescribeDeliveryStream."""
    session = boto3.session.Session(region_name='us-east-1')
    session.described = queue.Queue()
    session.events.register(
        'needs-retry.firehose.DescribeDeliveryStream',
        lambda **_: session.described.put(threading.current_thread()),
    )
    return session


@pytest.mark.parametrize('allowed', [True, False])
def test_a_real_stream_is_asked_for_by_the_handlers_own_client(
    session, allowed, tmp_path, make_handler, make_logger, capsys
):
    """Where that is denied, nothing is said."""
    with LocalFirehose(tmp_path) as endpoint:
        endpoint.create_stream(
            'bar',
            SnowflakeDestinationConfiguration={
                'AccountUrl': 'https://example.snowflakecomputing.com',
                'Database': 'LOGS',
                'Schema': 'PUBLIC',
                'Table': 'EVENTS',
                'RoleARN': 'arn:aws:iam::123456789012:role/firehose',
                'S3Configuration': {
                    'RoleARN': 'arn:aws:iam::123456789012:role/firehose',
                    'BucketARN': 'arn:aws:s3:::logs',
                },
            },
        )
        if not allowed:
            endpoint.inject('access-denied', operations='DescribeDeliveryStream')
        handler = make_handler('bar', boto3_session=session, endpoint_url=endpoint.url, aggregate=True)
        make_logger(handler).info('Ahoy')
        assert handler.flush()
        ended(session.described.get(timeout=DEADLINE_SECONDS))
        handler.close()
    told = 'Snowflake takes one JSON object in a record' in capsys.readouterr().err
    assert told == allowed
