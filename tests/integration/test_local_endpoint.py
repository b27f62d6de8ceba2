"""Does the embedded endpoint speak Firehose's protocol as boto3 and AWS do?"""

from __future__ import annotations

import http.client
import os
import re
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from doubles import DEADLINE_SECONDS
from firefighter.local import Account, EndpointError, LocalFirehose, LocalFirehoseClient

pytest_plugins = ['firefighter.testing']

S3 = {'RoleARN': 'arn:aws:iam::123456789012:role/firehose', 'BucketARN': 'arn:aws:s3:::other-bucket'}


def refusal(call, **arguments):
    """Return code, message and HTTP status of the error that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    headers = response['ResponseMetadata']['HTTPHeaders']
    assert headers['x-amzn-errortype'] == response['Error']['Code']
    assert headers['x-amzn-requestid'] == response['ResponseMetadata']['RequestId']
    return (
        response['Error']['Code'],
        response['Error']['Message'],
        response['ResponseMetadata']['HTTPStatusCode'],
    )


@pytest.mark.parametrize('local_firehose_arguments', [{'streams': ['bar'], 'buffer_seconds': 900}])
def test_records_arrive_in_one_object_with_nothing_between_them(local_firehose, firehose_client):
    """Firehose concatenates records without a delimiter, in the key layout of S3."""
    answer = firehose_client.put_record_batch(
        DeliveryStreamName='bar', Records=[{'Data': b'one'}, {'Data': b'two\n'}]
    )
    firehose_client.put_record(DeliveryStreamName='bar', Record={'Data': b'\x00\xff'})

    assert answer['FailedPutCount'] == 0
    assert local_firehose.delivered() == b'onetwo\n\x00\xff'
    (path,) = [path for path in local_firehose.folder.rglob('*') if path.is_file()]
    key = path.relative_to(local_firehose.folder).as_posix()
    assert re.fullmatch(
        r'logs/\d{4}/\d\d/\d\d/\d\d/bar-1-\d{4}(-\d\d){5}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', key
    )


def test_every_record_has_an_id_of_its_own_as_long_as_aws_makes_them(firehose_client):
    """AWS's ids have 224 characters, which makes answers long."""
    answer = firehose_client.put_record_batch(DeliveryStreamName='bar', Records=[{'Data': b'x'}] * 500)
    ids = [entry['RecordId'] for entry in answer['RequestResponses']]
    ids.append(firehose_client.put_record(DeliveryStreamName='bar', Record={'Data': b'x'})['RecordId'])

    assert len(set(ids)) == 501
    assert {len(record_id) for record_id in ids} == {224}


def test_the_interval_delivers_without_being_asked(local_firehose, firehose_client):
    """A person sees a file within about a second."""
    firehose_client.put_record(DeliveryStreamName='bar', Record={'Data': b'x'})
    arrived = threading.Event()
    while not arrived.wait(0.02):
        if local_firehose.account('bar').objects:
            arrived.set()

    assert local_firehose.account('bar').delivered_records == 1


@pytest.mark.parametrize(
    'local_firehose_arguments', [{'streams': ['bar'], 'buffer_seconds': 900, 'buffer_bytes': 1000}]
)
def test_the_size_hint_delivers_at_once(local_firehose, firehose_client):
    """An object is written as soon as the buffer has the bytes of its hint."""
    firehose_client.put_record(DeliveryStreamName='bar', Record={'Data': b'x' * 999})
    assert local_firehose.account('bar').objects == 0
    firehose_client.put_record(DeliveryStreamName='bar', Record={'Data': b'x'})
    assert local_firehose.account('bar').objects == 1


def test_the_account_says_what_was_taken_and_what_aws_would_bill(local_firehose, firehose_client):
    """Each record is billed rounded up to 5,120 bytes, also an empty one."""
    records = [{'Data': b''}, {'Data': b'x' * 5120}, {'Data': b'x' * 5121}]
    firehose_client.put_record_batch(DeliveryStreamName='bar', Records=records)
    local_firehose.flush()

    assert local_firehose.accounts() == {
        'bar': Account(
            requests=1, records=3, bytes=10241, billed_bytes=4 * 5120,
            delivered_records=3, objects=1, object_bytes=10241,
        )
    }  # fmt: skip


def test_more_than_500_records_are_refused_whole(local_firehose, firehose_client):
    """AWS takes at most 500 records in a call, and stores nothing of a larger one."""
    code, message, status = refusal(
        firehose_client.put_record_batch, DeliveryStreamName='bar', Records=[{'Data': b'x'}] * 501
    )

    assert (code, status) == ('ValidationException', 400)
    assert message.startswith('1 validation error detected: Value ')
    assert message.endswith(
        "at 'records' failed to satisfy constraint: Member must have length less than or equal to 500"
    )
    assert local_firehose.account('bar').records == 0


def test_a_record_of_1000_kib_is_taken_and_one_byte_more_refuses_the_call(local_firehose, firehose_client):
    """The limit of a record is 1,024,000 bytes before base64, and the message names the record."""
    firehose_client.put_record(DeliveryStreamName='bar', Record={'Data': b'x' * 1_024_000})
    records = [{'Data': b'x'}, {'Data': b'x' * 1_024_001}]
    code, message, status = refusal(
        firehose_client.put_record_batch, DeliveryStreamName='bar', Records=records
    )

    assert (code, status) == ('ValidationException', 400)
    assert message == (
        "1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=1024001 cap=1024001]' at "
        "'records.2.member.data' failed to satisfy constraint: Member must have length less than or equal to 1024000"
    )
    assert local_firehose.account('bar').records == 1


def test_4_mib_are_taken_and_one_byte_more_is_refused(local_firehose, firehose_client):
    """The limit of a call counts the data before base64, and nothing of a larger call is stored."""
    full = [{'Data': b'x' * 1_024_000}] * 4
    rest = 4 * 1024 * 1024 - 4 * 1_024_000
    firehose_client.put_record_batch(DeliveryStreamName='bar', Records=[*full, {'Data': b'x' * rest}])
    refused = refusal(
        firehose_client.put_record_batch,
        DeliveryStreamName='bar',
        Records=[*full, {'Data': b'x' * (rest + 1)}],
    )

    assert refused == ('InvalidArgumentException', 'Records size exceeds 4 MB limit', 400)
    assert local_firehose.account('bar').bytes == 4 * 1024 * 1024


def test_a_stream_that_does_not_exist_is_named(firehose_client):
    """AWS's words, with the account."""
    assert refusal(firehose_client.put_record, DeliveryStreamName='nope', Record={'Data': b'x'}) == (
        'ResourceNotFoundException', 'Firehose nope under account 123456789012 not found.', 400
    )  # fmt: skip


def test_a_name_that_aws_would_not_take_is_a_validation_error(firehose_client):
    """Every broken constraint is listed, as AWS does."""
    code, message, _ = refusal(
        firehose_client.put_record, DeliveryStreamName='a b' * 30, Record={'Data': b'x'}
    )

    assert code == 'ValidationException'
    assert message.startswith('2 validation errors detected: ')
    assert 'Member must have length less than or equal to 64' in message
    assert 'Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+' in message


def test_streams_can_be_created_described_listed_and_deleted(local_firehose, firehose_client):
    """The control plane is what boto3 parses, and hints that are asked for are honoured."""
    hints = {'SizeInMBs': 1, 'IntervalInSeconds': 60}
    created = firehose_client.create_delivery_stream(
        DeliveryStreamName='foo', ExtendedS3DestinationConfiguration={**S3, 'BufferingHints': hints}
    )
    description = firehose_client.describe_delivery_stream(DeliveryStreamName='foo')[
        'DeliveryStreamDescription'
    ]
    firehose_client.put_record(DeliveryStreamName='foo', Record={'Data': b'x'})

    assert created['DeliveryStreamARN'] == description['DeliveryStreamARN']
    assert description['DeliveryStreamStatus'] == 'ACTIVE'
    assert description['Destinations'][0]['ExtendedS3DestinationDescription']['BufferingHints'] == hints
    assert firehose_client.list_delivery_streams()['DeliveryStreamNames'] == ['bar', 'foo']
    assert refusal(
        firehose_client.create_delivery_stream, DeliveryStreamName='foo', ExtendedS3DestinationConfiguration=S3
    )[0] == 'ResourceInUseException'  # fmt: skip

    firehose_client.delete_delivery_stream(DeliveryStreamName='foo')
    assert firehose_client.list_delivery_streams()['DeliveryStreamNames'] == ['bar']
    assert refusal(firehose_client.describe_delivery_stream, DeliveryStreamName='foo')[0] == (
        'ResourceNotFoundException'
    )
    assert local_firehose.delivered('other-bucket') == b'x'


def test_the_list_of_streams_comes_in_pages(local_firehose, firehose_client):
    """ListDeliveryStreams names ten unless told, and goes on after a name."""
    for number in range(12):
        local_firehose.create_stream(f'stream-{number:02}')

    first = firehose_client.list_delivery_streams()
    rest = firehose_client.list_delivery_streams(ExclusiveStartDeliveryStreamName='stream-08', Limit=9)
    assert len(first['DeliveryStreamNames']) == 10
    assert first['HasMoreDeliveryStreams'] is True
    assert rest['DeliveryStreamNames'] == ['stream-09', 'stream-10', 'stream-11']
    assert rest['HasMoreDeliveryStreams'] is False
    other = firehose_client.list_delivery_streams(DeliveryStreamType='MSKAsSource')
    assert other['DeliveryStreamNames'] == []


@pytest.mark.parametrize(
    ('headers', 'body', 'code'),
    [
        ({'Authorization': 'a'}, b'{}', 'UnknownOperationException'),
        (
            {'Authorization': 'a', 'X-Amz-Target': 'Kinesis_20131202.PutRecord'},
            b'{}',
            'UnknownOperationException',
        ),
        (
            {'Authorization': 'a', 'X-Amz-Target': 'Firehose_20150804.Nope'},
            b'{}',
            'UnknownOperationException',
        ),
        ({'X-Amz-Target': 'Firehose_20150804.PutRecord'}, b'{}', 'MissingAuthenticationTokenException'),
        (
            {'Authorization': 'a', 'X-Amz-Target': 'Firehose_20150804.PutRecord'},
            b'{',
            'SerializationException',
        ),
        (
            {'Authorization': 'a', 'X-Amz-Target': 'Firehose_20150804.PutRecord'},
            b'[]',
            'SerializationException',
        ),
        ({'Authorization': 'a', 'X-Amz-Target': 'Firehose_20150804.PutRecord'}, b'{}', 'ValidationException'),
    ],
)
def test_what_no_sdk_would_send_is_refused_in_the_form_of_aws(local_firehose, headers, body, code):
    """A request that is not of the protocol gets an error that an SDK can read, never a page of HTML."""
    connection = http.client.HTTPConnection(local_firehose.url.removeprefix('http://'))
    connection.request('POST', '/', body, headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()

    assert response.status == 400
    assert response.headers['x-amzn-ErrorType'] == code
    assert f'"__type":"{code}"'.encode() in text


def test_a_body_that_no_valid_request_could_have_is_refused_before_it_is_read(local_firehose):
    """Or anybody could fill the memory."""
    connection = http.client.HTTPConnection(local_firehose.url.removeprefix('http://'))
    connection.request(
        'POST', '/', b'x' * (17 * 1024 * 1024),
        {'X-Amz-Target': 'Firehose_20150804.PutRecord', 'Authorization': 'any'},
    )  # fmt: skip
    response = connection.getresponse()
    response.read()
    connection.close()
    assert (response.status, response.headers['x-amzn-ErrorType']) == (413, 'RequestEntityTooLargeException')


@pytest.mark.skipif(not socket.has_ipv6, reason='no IPv6 here')
def test_it_can_listen_on_the_loopback_of_ipv6(tmp_path):
    """The URL has the brackets that it needs."""
    try:
        endpoint = LocalFirehose(tmp_path, host='::1').start()
    except EndpointError:
        pytest.skip('no IPv6 here')
    assert endpoint.url.startswith('http://[::1]:')
    assert LocalFirehoseClient(endpoint.url).accounts() == {}
    endpoint.stop()


def test_it_is_started_once(local_firehose):
    """A second start would leave the first running for ever."""
    with pytest.raises(EndpointError, match='has been started already'):
        local_firehose.start()


def test_it_listens_on_loopback_only(local_firehose):
    """Nobody else on the network sees it, unless told."""
    assert local_firehose.url.startswith('http://127.0.0.1:')


def test_a_client_that_connects_just_when_it_stops_does_not_wait(tmp_path):
    """Its connection may have been accepted, and nobody knows of it yet: it is closed all the same."""
    for _ in range(20):
        endpoint = LocalFirehose(tmp_path, streams=['bar']).start()
        address = urlsplit(endpoint.url)
        connections: list[socket.socket] = []
        stopped = threading.Event()

        def connect(to=(address.hostname, address.port), into=connections, stopped=stopped) -> None:
            with suppress(OSError):
                while (
                    len(into) < 500 and not stopped.is_set()
                ):  # later another test may have an endpoint at that port
                    into.append(socket.create_connection(to))

        connecting = threading.Thread(target=connect)
        connecting.start()
        endpoint.stop()
        stopped.set()
        connecting.join()
        for connection in connections:
            with connection, suppress(ConnectionError):
                connection.settimeout(DEADLINE_SECONDS)
                assert connection.recv(1) == b''


def test_nothing_is_left_when_it_stops(tmp_path):
    """No thread, no socket, no hidden folder; what was buffered is written, and the account can be read."""
    before = set(threading.enumerate())
    with LocalFirehose(tmp_path, streams=['bar'], buffer_seconds=900) as endpoint:
        connection = http.client.HTTPConnection(endpoint.url.removeprefix('http://'))
        connection.request(
            'POST', '/', b'{"DeliveryStreamName":"bar","Record":{"Data":"eHl6"}}',
            {'X-Amz-Target': 'Firehose_20150804.PutRecord', 'Authorization': 'any'},
        )  # fmt: skip
        assert connection.getresponse().read()

    assert set(threading.enumerate()) == before
    assert endpoint.account('bar').delivered_records == 1
    assert [path.name for path in tmp_path.iterdir()] == ['logs']
    with pytest.raises(OSError, match='refused'):
        socket.create_connection(('127.0.0.1', int(endpoint.url.rpartition(':')[2])))
    connection.close()


def test_it_can_be_controlled_from_elsewhere_in_the_same_words(local_firehose, firehose_client):
    """A client object asks a running endpoint over HTTP; nobody has to write raw HTTP."""
    remote = LocalFirehoseClient(local_firehose.url)
    remote.create_stream('foo', S3DestinationConfiguration=S3)
    firehose_client.put_record(DeliveryStreamName='foo', Record={'Data': b'x'})
    remote.flush()

    assert remote.accounts() == local_firehose.accounts()
    assert remote.account('foo').delivered_records == 1
    for controls in (remote, local_firehose):
        with pytest.raises(EndpointError, match='ResourceInUseException: Firehose foo'):
            controls.create_stream('foo')
        with pytest.raises(EndpointError, match='no stream'):
            controls.account('nope')


def test_a_port_that_is_taken_is_an_error_in_one_line(local_firehose, tmp_path):
    """The message names the address, and nothing is left of the attempt."""
    before = set(threading.enumerate())
    port = int(local_firehose.url.rpartition(':')[2])
    with pytest.raises(EndpointError, match=f'cannot listen on 127.0.0.1:{port}'):
        LocalFirehose(tmp_path, port=port).start()
    assert set(threading.enumerate()) == before


def test_an_endpoint_that_is_gone_is_an_error_of_the_client(tmp_path):
    """The control client says where it looked."""
    with LocalFirehose(tmp_path) as endpoint:
        url = endpoint.url
    with pytest.raises(EndpointError, match=f'no local endpoint answers at {url}'):
        LocalFirehoseClient(url).accounts()


def test_a_folder_that_cannot_be_written_to_keeps_the_records(local_firehose, firehose_client):
    """As the real service does while it cannot reach its bucket; when it can, everything is delivered once."""
    (local_firehose.folder / 'logs').write_text('not a folder')
    firehose_client.put_record(DeliveryStreamName='bar', Record={'Data': b'x'})
    with pytest.raises(EndpointError, match='cannot be written and are kept: 1 of stream bar'):
        local_firehose.flush()
    assert local_firehose.account('bar').write_errors > 0

    (local_firehose.folder / 'logs').unlink()
    assert local_firehose.delivered() == b'x'


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='no fork here')
@pytest.mark.filterwarnings('ignore:.*multi-threaded, use of fork:DeprecationWarning')
def test_a_forked_child_does_not_keep_the_endpoint_open(tmp_path):
    """A child that outlives the endpoint must not hold its port: later connections would hang in it."""
    with LocalFirehose(tmp_path, streams=['bar']) as endpoint:
        blocked, release = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(release)
            try:
                endpoint.flush()
            except EndpointError:
                # It is the parent's, and what it has buffered must not be written twice.
                pass
            else:
                os._exit(1)
            os.read(blocked, 1)
            os._exit(0)
        os.close(blocked)
    client = boto3.session.Session(
        region_name='us-east-1', aws_access_key_id='a', aws_secret_access_key='a'
    ).client('firehose', endpoint_url=endpoint.url)
    try:
        with pytest.raises(EndpointConnectionError):
            client.list_delivery_streams()
    finally:
        client.close()
        os.close(release)
        _, status = os.waitpid(child, 0)
    assert status == 0
