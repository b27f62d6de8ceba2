"""What does a client see of each fault, and what has the endpoint stored then?"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from firefighter.local import EndpointError, LocalFirehose, LocalFirehoseClient, wire
from firefighter.local.catalogue import CATALOGUE
from firefighter.local.listener import Listener
from firefighter.local.wire import DRIBBLE_PIECES

pytest_plugins = ['firefighter.testing']

# Far beyond what any answer here takes, and below the suite's limit for a test.
ENOUGH_SECONDS = 45

# fault -> parameters, what a PutRecordBatch of four records ends with, how many records are stored.
# A class of botocore's, or the code and status of an error, or how many entries of the answer failed, of how many.
EXPECTED = {
    'quota': ({'records_per_second': 3}, '1 of 4 failed', 3),
    'partial': ({'share': 0.5}, '2 of 4 failed', 2),
    'unavailable': ({}, 'ServiceUnavailableException 500', 0),
    'unavailable-503': ({}, 'ServiceUnavailable 503', 0),
    'internal-failure': ({}, 'InternalFailure 500', 0),
    'throttling': ({}, 'ThrottlingException 400', 0),
    'limit-exceeded': ({}, 'LimitExceededException 400', 0),
    'kms': ({}, 'InvalidKMSResourceException 400', 0),
    'invalid-source': ({}, 'InvalidSourceException 400', 0),
    'invalid-argument': ({}, 'InvalidArgumentException 400', 0),
    'validation': ({}, 'ValidationException 400', 0),
    'invalid-record': ({'containing': 'x'}, 'ValidationException 400', 0),
    'stream-not-yet': ({}, 'ResourceNotFoundException 400', 0),
    'expired-token': ({}, 'ExpiredTokenException 400', 0),
    'expired-key': ({}, 'ExpiredTokenException 400', 0),
    'unrecognized-client': ({}, 'UnrecognizedClientException 400', 0),
    'invalid-signature': ({}, 'InvalidSignatureException 400', 0),
    'access-denied': ({}, 'AccessDeniedException 400', 0),
    'slow': ({'seconds': 60}, 'ReadTimeoutError', 4),
    'dribble': ({'seconds': 0.1}, '0 of 4 failed', 4),
    'no-answer': ({}, 'ReadTimeoutError', 4),
    'reset-before': ({}, 'ConnectionClosedError', 0),
    'reset-after': ({}, 'ConnectionClosedError', 4),
    'cut-off': ({}, 'no entries', 4),
    'refused': ({'seconds': 60}, 'ConnectionClosedError', 0),
    'not-json': ({}, 'no entries', 4),
    'too-few': ({}, '0 of 3 failed', 4),
    'too-many': ({'entries': 2}, '0 of 6 failed', 4),
}


@pytest.fixture(scope='module')
def session():
    """Make one session for all tests, whose first client is slow to make."""
    return boto3.session.Session(region_name='us-east-1', aws_access_key_id='a', aws_secret_access_key='a')


@pytest.fixture
def make_client(local_firehose, session):
    """Make clients that try once."""
    made = []

    def make(read_timeout_seconds):
        config = Config(retries={'total_max_attempts': 1}, read_timeout=read_timeout_seconds)
        made.append(session.client('firehose', endpoint_url=local_firehose.url, config=config))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client):
    """Make a client that waits for its answer, however busy the machine is."""
    return make_client(ENOUGH_SECONDS)


def outcome(client, stream='bar'):
    """Put four records and say what came of it."""
    try:
        answer = client.put_record_batch(DeliveryStreamName=stream, Records=[{'Data': b'x'}] * 4)
    except ClientError as error:
        return f'{error.response["Error"]["Code"]} {error.response["ResponseMetadata"]["HTTPStatusCode"]}'
    except BotoCoreError as error:
        return type(error).__name__
    if 'RequestResponses' not in answer:
        # botocore makes no error of a body that it cannot parse: it returns an answer with nothing in it.
        return 'no entries'
    failed = [entry for entry in answer['RequestResponses'] if 'ErrorCode' in entry]
    assert answer['FailedPutCount'] == len(failed)
    return f'{len(failed)} of {len(answer["RequestResponses"])} failed'


@pytest.mark.parametrize('name', CATALOGUE)
def test_each_fault_is_what_the_catalogue_says(local_firehose, make_client, name):
    """Every row of the table in the documentation has its row here; a new fault fails until it has."""
    parameters, expected, stored = EXPECTED[name]
    local_firehose.inject(name, **parameters)

    assert outcome(make_client(1 if expected == 'ReadTimeoutError' else ENOUGH_SECONDS)) == expected
    # A client that gives up may do so before the endpoint has read the request.
    deadline = monotonic() + ENOUGH_SECONDS
    while not local_firehose.strikes() and monotonic() < deadline:
        pass
    assert local_firehose.account('bar').records == stored
    assert local_firehose.strikes() == {name: 1}


@pytest.mark.parametrize('name', sorted(CATALOGUE.keys() - {'refused', 'no-answer', 'slow', 'expired-key'}))
def test_after_a_fault_the_same_client_works_again(local_firehose, client, name):
    """Nothing of a fault stays behind, in the service or on the connection."""
    local_firehose.inject(name, **{**EXPECTED[name][0], 'times': 1})
    outcome(client)

    assert outcome(client) == '0 of 4 failed'


def test_refused_connections_come_back_when_faults_are_cleared(local_firehose, client):
    """Though their time is not over: a test that ends has nothing to wait for."""
    local_firehose.inject('refused', seconds=3600, times=1)
    assert outcome(client) == 'ConnectionClosedError'
    local_firehose.clear_faults()
    assert outcome(client) == '0 of 4 failed'


@pytest.mark.parametrize(
    ('name', 'parameters', 'ends'),
    [('no-answer', {}, 'ConnectionClosedError'), ('slow', {'seconds': 3600}, '0 of 4 failed'), ('dribble', {'seconds': 3600}, '0 of 4 failed')],
)  # fmt: skip
def test_who_waits_for_an_answer_waits_no_longer_when_faults_are_cleared(
    local_firehose, client, name, parameters, ends
):
    """Each ends as it would have in the end."""
    local_firehose.inject(name, **parameters)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(outcome, client)
        while not local_firehose.strikes():
            pass
        local_firehose.clear_faults()
        assert waiting.result(ENOUGH_SECONDS) == ends


def test_a_fault_within_another_does_not_begin_when_faults_are_cleared(local_firehose, client):
    """A late answer that would have been an outage ends alone."""
    local_firehose.inject('slow', seconds=3600)
    local_firehose.inject('refused', seconds=3600)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(outcome, client)
        while not local_firehose.strikes():
            pass
        local_firehose.clear_faults()
        assert waiting.result(ENOUGH_SECONDS) == 'ConnectionClosedError'
    assert outcome(client) == '0 of 4 failed'


def test_refused_connections_come_back_on_the_same_port(local_firehose, client, monkeypatch):
    """After the fault's time; a client that goes on trying finds the endpoint again."""
    refused, reopen = threading.Event(), Listener._reopen

    async def reopen_late(self, seconds):
        """Have the time begin when the client has been refused once."""
        await asyncio.to_thread(refused.wait, ENOUGH_SECONDS)
        await reopen(self, seconds)

    monkeypatch.setattr(Listener, '_reopen', reopen_late)
    local_firehose.inject('refused', seconds=0.3, times=1)
    outcomes = [outcome(client), outcome(client)]
    refused.set()
    while outcomes[-1] == 'EndpointConnectionError':
        outcomes.append(outcome(client))

    assert outcomes[0] == 'ConnectionClosedError'
    assert outcomes[1] == 'EndpointConnectionError'
    assert outcomes[-1] == '0 of 4 failed'


def test_a_dribbled_answer_comes_in_pieces(local_firehose, monkeypatch):
    """Each within any read timeout, so that a client needs a deadline of its own."""
    pieces, pauses, pause = [], [], wire.pause

    async def pause_and_be_read(ends, seconds):
        """Pause, and until the client has read what was sent: else it may find several pieces as one."""
        await pause(ends, seconds)
        deadline = monotonic() + ENOUGH_SECONDS
        while len(pieces) < len(pauses) and monotonic() < deadline:  # noqa: ASYNC110 - another thread reads
            await asyncio.sleep(0)
        pauses.append(seconds)

    monkeypatch.setattr(wire, 'pause', pause_and_be_read)
    local_firehose.inject('dribble', seconds=0.4)
    host, port = local_firehose.url.removeprefix('http://').split(':')
    body = b'{"DeliveryStreamName":"bar","Record":{"Data":"eA=="}}'
    head = (
        'POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: x\r\nConnection: close\r\n'
        f'X-Amz-Target: Firehose_20150804.PutRecord\r\nContent-Length: {len(body)}\r\n\r\n'
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + body)
        while piece := connection.recv(65536):
            pieces.append(piece)
    assert len(pieces) >= len(pauses) > 5
    assert pauses == [0.4 / DRIBBLE_PIECES] * len(pauses)


@pytest.mark.parametrize('name', ['quota', 'partial'])
def test_a_single_record_is_refused_with_status_500(local_firehose, client, name):
    """PutRecord has no entries to say it in."""
    local_firehose.inject(name, **({'records_per_second': 0} if name == 'quota' else {'share': 1}))
    with pytest.raises(client.exceptions.ServiceUnavailableException) as caught:
        client.put_record(DeliveryStreamName='bar', Record={'Data': b'x'})

    assert caught.value.response['ResponseMetadata']['HTTPStatusCode'] == 500
    assert caught.value.response['Error']['Message'] == 'Slow down.'
    assert local_firehose.account('bar').refused_records == 1


def test_the_records_that_fail_can_be_chosen(local_firehose, client):
    """Any subset, with any code."""
    local_firehose.inject('partial', which='0+2', code='InternalFailure', message='Sorry.')
    answer = client.put_record_batch(
        DeliveryStreamName='bar', Records=[{'Data': b'%d' % n} for n in range(4)]
    )

    assert [entry.get('ErrorCode') for entry in answer['RequestResponses']] == [
        'InternalFailure', None, 'InternalFailure', None,
    ]  # fmt: skip
    assert local_firehose.delivered() == b'13'


def test_a_request_that_aws_would_refuse_anyway_is_refused_before_a_quota_is(local_firehose, client):
    """Validation comes first, as there; and an unknown stream uses up no quota."""
    local_firehose.inject('partial', share=1)
    assert outcome(client, stream='nope') == 'ResourceNotFoundException 400'


def test_faults_lie_around_each_other(local_firehose, client):
    """A batch that was refused in part may also never be answered."""
    local_firehose.inject('reset-after', times=1)
    local_firehose.inject('partial', which='0')
    local_firehose.inject('partial', which='1')
    local_firehose.inject('quota', records_per_second=3, skip=1)

    assert outcome(client) == 'ConnectionClosedError'
    assert outcome(client) == '3 of 4 failed'
    assert local_firehose.account('bar').records == 3


@pytest.mark.parametrize('wrong', [5, True, ['bar'], {'a': 1}])
def test_the_stream_of_a_fault_is_a_name(local_firehose, wrong):
    """Another value names no stream, so the fault would never strike."""
    for controls in (local_firehose, LocalFirehoseClient(local_firehose.url)):
        with pytest.raises(EndpointError, match=r'stream=.* must be the name of a stream: write stream='):
            controls.inject('throttling', stream=wrong)


def test_a_fault_strikes_where_and_when_it_is_told(local_firehose, client):
    """One stream only, after some requests, a number of times; the control plane is left alone unless told."""
    local_firehose.create_stream('foo')
    local_firehose.inject('throttling', stream='foo', skip=1, times=2)
    assert [outcome(client, 'bar') for _ in range(2)] == ['0 of 4 failed'] * 2
    assert [outcome(client, 'foo') for _ in range(4)] == [
        '0 of 4 failed', 'ThrottlingException 400', 'ThrottlingException 400', '0 of 4 failed',
    ]  # fmt: skip

    local_firehose.inject('access-denied', operations='DescribeDeliveryStream')
    assert outcome(client) == '0 of 4 failed'
    with pytest.raises(ClientError, match='AccessDeniedException'):
        client.describe_delivery_stream(DeliveryStreamName='bar')
    local_firehose.clear_faults()
    client.describe_delivery_stream(DeliveryStreamName='bar')


def test_a_seed_repeats_the_same_bad_day(tmp_path, session):
    """Faults mixed at random strike the same requests again, and others with another seed."""

    def bad_day(number, seed):
        faults = [
            'throttling:probability=0.4',
            'partial:probability=0.5,share=0.5',
            'unavailable:probability=0.1',
        ]
        with LocalFirehose(tmp_path / str(number), streams=['bar'], faults=faults, seed=seed) as endpoint:
            config = Config(retries={'total_max_attempts': 1})
            client = session.client('firehose', endpoint_url=endpoint.url, config=config)
            outcomes = [outcome(client) for _ in range(30)]
            client.close()
        return outcomes

    first = bad_day(1, seed=7)
    assert first == bad_day(2, seed=7)
    assert first != bad_day(3, seed=8)
    assert Counter(first).keys() == {
        '0 of 4 failed', '2 of 4 failed', 'ThrottlingException 400', 'ServiceUnavailableException 500',
    }  # fmt: skip


def test_faults_can_be_controlled_from_elsewhere(local_firehose, client):
    """The same words over HTTP."""
    remote = LocalFirehoseClient(local_firehose.url)
    remote.inject('throttling')
    assert outcome(client) == 'ThrottlingException 400'
    assert remote.strikes() == {'throttling': 1}
    remote.clear_faults(seed=3)
    assert outcome(client) == '0 of 4 failed'


@pytest.mark.parametrize(
    ('name', 'parameters', 'message'),
    [
        ('nope', {}, "no fault is called 'nope'; there are: quota, partial"),
        ('slow', {'hours': 1}, "the fault 'slow' has no parameter hours; there are: seconds, probability"),
        ('slow', {'seconds': 'long'}, 'seconds=long is not a number'),
        ('slow', {'seconds': 'inf'}, 'seconds=inf is not a finite number'),
        ('partial', {'share': 2}, 'share=2 must be from 0 to 1'),
        ('partial', {'which': 'a+b'}, 'which=a.b must be the indices of records, from 0 on'),
        ('partial', {'probability': 7}, 'probability=7 must be from 0 to 1'),
        (
            'partial',
            {'operations': 'PutRecrod'},
            'operations=PutRecrod is none of puts, all, PutRecord, PutRecordBatch',
        ),
        ('slow', {'seconds': -1}, 'must not be negative'),
        ('no-answer', {'stored': 'perhaps'}, 'neither true nor false'),
    ],
)
def test_what_is_no_fault_is_refused_with_what_there_is(local_firehose, name, parameters, message):
    """In process, over HTTP and in the constructor alike."""
    for controls in (local_firehose, LocalFirehoseClient(local_firehose.url)):
        with pytest.raises(EndpointError, match=message):
            controls.inject(name, **parameters)
    text = name + ':' + ','.join(f'{key}={value}' for key, value in parameters.items())
    with pytest.raises(ValueError, match=message):
        LocalFirehose(local_firehose.folder, faults=[text])
