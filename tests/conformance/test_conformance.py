"""Do the embedded endpoint and moto's server answer boto3 alike, and deliver the same bytes?"""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firefighter._advice.advice import advise
from firefighter._advice.stream import read

KEY = r'\d{4}/\d\d/\d\d/\d\d/%s-1-\d{4}(-\d\d){5}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'


def body(endpoint):
    """Return everything that was delivered."""
    return b''.join(endpoint.objects().values())


def test_a_batch_is_delivered_byte_for_byte_without_delimiters(endpoint):
    """Any bytes, in order, one record behind the other."""
    endpoint.create()
    answer = endpoint.put(b'{"a":1}\n', b'\x00\xff', b'no newline', b'')

    assert answer['FailedPutCount'] == 0
    assert answer['Encrypted'] is False
    assert body(endpoint) == b'{"a":1}\n\x00\xffno newline'


def test_every_record_of_a_batch_has_an_entry_with_an_id_of_its_own(endpoint):
    """In as many entries as there were records, and none with an error."""
    endpoint.create()
    entries = endpoint.put(*[b'x'] * 500)['RequestResponses']

    assert len({entry['RecordId'] for entry in entries}) == 500
    assert all(entry.keys() == {'RecordId'} for entry in entries)


def test_a_single_record_is_delivered(endpoint):
    """PutRecord answers with an id."""
    endpoint.create()
    answer = endpoint.client.put_record(DeliveryStreamName=endpoint.stream, Record={'Data': b'alone'})

    assert answer['RecordId']
    assert body(endpoint) == b'alone'


def test_a_full_request_is_delivered(endpoint):
    """Four records of 1,000 KiB, the most that a request of such records may have."""
    endpoint.create()
    endpoint.put(*[bytes([number]) * 1_024_000 for number in range(4)])

    assert body(endpoint) == b''.join(bytes([number]) * 1_024_000 for number in range(4))


@pytest.mark.parametrize('prefix', [None, 'logs/', 'logs/app=web/'])
def test_keys_have_the_layout_of_firehose(endpoint, prefix):
    """Prefix, hour, stream, version, time and a UUID."""
    endpoint.create(**({} if prefix is None else {'Prefix': prefix}))
    endpoint.put(b'x')
    (key,) = endpoint.objects()

    assert re.fullmatch(re.escape(prefix or '') + KEY % endpoint.stream, key)


def test_a_stream_is_described_as_it_was_created(endpoint):
    """With both descriptions of S3 and an ARN that ends in its name."""
    arn = endpoint.create(Prefix='logs/')['DeliveryStreamARN']
    stream = endpoint.client.describe_delivery_stream(DeliveryStreamName=endpoint.stream)[
        'DeliveryStreamDescription'
    ]
    (destination,) = stream['Destinations']

    assert stream['DeliveryStreamARN'] == arn
    assert arn.endswith(f':deliverystream/{endpoint.stream}')
    assert (stream['DeliveryStreamStatus'], stream['DeliveryStreamType']) == ('ACTIVE', 'DirectPut')
    assert (stream['VersionId'], stream['HasMoreDestinations']) == ('1', False)
    for shape in ('ExtendedS3DestinationDescription', 'S3DestinationDescription'):
        assert destination[shape]['BucketARN'] == endpoint.destination['BucketARN']
        assert destination[shape]['Prefix'] == 'logs/'


def test_a_stream_is_listed_until_it_is_deleted(endpoint):
    """And not found afterwards."""
    endpoint.create()
    assert endpoint.stream in endpoint.client.list_delivery_streams(Limit=10_000)['DeliveryStreamNames']
    endpoint.client.delete_delivery_stream(DeliveryStreamName=endpoint.stream)
    assert endpoint.stream not in endpoint.client.list_delivery_streams(Limit=10_000)['DeliveryStreamNames']
    with pytest.raises(endpoint.client.exceptions.ResourceNotFoundException):
        endpoint.put(b'x')


def refusal(error):
    """Return what of an error a program can rely on."""
    response = error.value.response
    return (
        response['Error']['Code'],
        response['Error']['Message'],
        response['ResponseMetadata']['HTTPStatusCode'],
    )


@pytest.mark.parametrize(
    ('operation', 'arguments'),
    [
        ('put_record', {'Record': {'Data': b'x'}}),
        ('put_record_batch', {'Records': [{'Data': b'x'}]}),
        ('describe_delivery_stream', {}),
        ('delete_delivery_stream', {}),
    ],
)
def test_a_stream_that_does_not_exist_is_named_in_the_same_words(endpoint, operation, arguments):
    """AWS's own."""
    call = getattr(endpoint.client, operation)
    with pytest.raises(endpoint.client.exceptions.ResourceNotFoundException) as caught:
        call(DeliveryStreamName='nope', **arguments)

    assert refusal(caught) == (
        'ResourceNotFoundException', 'Firehose nope under account 123456789012 not found.', 400
    )  # fmt: skip


def test_a_stream_cannot_be_created_twice(endpoint):
    """In the same words."""
    endpoint.create()
    with pytest.raises(endpoint.client.exceptions.ResourceInUseException) as caught:
        endpoint.create()

    assert refusal(caught) == (
        'ResourceInUseException', f'Firehose {endpoint.stream} under accountId 123456789012 already exists', 400
    )  # fmt: skip


def test_a_stream_has_exactly_one_destination(endpoint):
    """In the same words."""
    with pytest.raises(endpoint.client.exceptions.InvalidArgumentException) as caught:
        endpoint.client.create_delivery_stream(
            DeliveryStreamName=endpoint.stream,
            S3DestinationConfiguration=endpoint.destination,
            ExtendedS3DestinationConfiguration=endpoint.destination,
        )

    assert refusal(caught)[:2] == (
        'InvalidArgumentException', 'Exactly one destination configuration is supported for a Firehose'
    )  # fmt: skip


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=50), min_size=1, max_size=20))
def test_whatever_is_put_arrives(endpoint, records):
    """Nothing is changed on the way."""
    with contextlib.suppress(endpoint.client.exceptions.ResourceInUseException):
        endpoint.create()
    before = len(body(endpoint))
    endpoint.put(*records)

    assert len(body(endpoint)) - before == sum(map(len, records))
    assert not any(records) or any(b''.join(records) in stored for stored in endpoint.objects().values())


@pytest.mark.parametrize(
    ('settings', 'options'),
    [
        ({}, {'aggregate': True}),
        ({'CompressionFormat': 'GZIP'}, {'aggregate': True}),
        ({'FileExtension': '.json.gz'}, {'compression': 'gzip'}),
        (
            {
                'FileExtension': '.json.gz',
                'ProcessingConfiguration': {
                    'Enabled': True,
                    'Processors': [{'Type': 'AppendDelimiterToRecord', 'Parameters': []}],
                },
            },
            {'aggregate': True},
        ),
    ],
)
def test_the_same_options_are_advised_of_either_description(endpoint, settings, options):
    """The rules read what Firehose says, not what our endpoint says."""
    endpoint.create(**settings)
    described = endpoint.client.describe_delivery_stream(DeliveryStreamName=endpoint.stream)
    stream = read(described['DeliveryStreamDescription'])
    assert stream.takes_puts
    assert advise(stream).options == options


def test_tags_are_added_replaced_listed_and_removed(endpoint):
    """Keys that are not there are nothing to complain about."""
    endpoint.create()
    client, name = endpoint.client, endpoint.stream
    client.tag_delivery_stream(
        DeliveryStreamName=name, Tags=[{'Key': 'team', 'Value': 'shop'}, {'Key': 'stage', 'Value': 'test'}]
    )
    client.tag_delivery_stream(DeliveryStreamName=name, Tags=[{'Key': 'team', 'Value': 'Lager Süd'}])
    answer = client.list_tags_for_delivery_stream(DeliveryStreamName=name)
    assert not answer['HasMoreTags']
    assert {tag['Key']: tag['Value'] for tag in answer['Tags']} == {'team': 'Lager Süd', 'stage': 'test'}

    client.untag_delivery_stream(DeliveryStreamName=name, TagKeys=['team', 'nobody'])
    assert client.list_tags_for_delivery_stream(DeliveryStreamName=name)['Tags'] == [
        {'Key': 'stage', 'Value': 'test'}
    ]


def test_encryption_is_started_and_stopped(endpoint):
    """As DescribeDeliveryStream shows it."""
    endpoint.create()
    client, name = endpoint.client, endpoint.stream

    def encryption():
        description = client.describe_delivery_stream(DeliveryStreamName=name)['DeliveryStreamDescription']
        return description['DeliveryStreamEncryptionConfiguration']

    key = 'arn:aws:kms:us-east-1:123456789012:key/abc'
    client.start_delivery_stream_encryption(
        DeliveryStreamName=name,
        DeliveryStreamEncryptionConfigurationInput={'KeyType': 'CUSTOMER_MANAGED_CMK', 'KeyARN': key},
    )
    assert encryption() == {'KeyType': 'CUSTOMER_MANAGED_CMK', 'KeyARN': key, 'Status': 'ENABLED'}
    client.stop_delivery_stream_encryption(DeliveryStreamName=name)
    assert encryption()['Status'] == 'DISABLED'


def test_a_destination_is_updated_by_its_version_and_id(endpoint):
    """What is not given is kept, and the version counts up."""
    endpoint.create(CompressionFormat='GZIP', BufferingHints={'SizeInMBs': 1, 'IntervalInSeconds': 60})
    client, name = endpoint.client, endpoint.stream

    def described():
        return client.describe_delivery_stream(DeliveryStreamName=name)['DeliveryStreamDescription']

    before = described()
    arguments = {
        'DeliveryStreamName': name,
        'CurrentDeliveryStreamVersionId': before['VersionId'],
        'DestinationId': before['Destinations'][0]['DestinationId'],
        'ExtendedS3DestinationUpdate': {'Prefix': 'orders/'},
    }
    with pytest.raises(client.exceptions.InvalidArgumentException, match='Destination Id nobody not found'):
        client.update_destination(**{**arguments, 'DestinationId': 'nobody'})
    client.update_destination(**arguments)
    after = described()
    assert (before['VersionId'], after['VersionId']) == ('1', '2')
    assert after['LastUpdateTimestamp']
    described_s3 = after['Destinations'][0]['ExtendedS3DestinationDescription']
    assert described_s3['Prefix'] == 'orders/'
    assert described_s3['CompressionFormat'] == 'GZIP'
    assert described_s3['BufferingHints'] == {'SizeInMBs': 1, 'IntervalInSeconds': 60}

    with pytest.raises(
        client.exceptions.ConcurrentModificationException, match=r'version id: 2 .*version id: 1 do not'
    ):
        client.update_destination(**arguments)


@pytest.mark.parametrize(
    ('operation', 'arguments'),
    [
        ('tag_delivery_stream', {'Tags': [{'Key': 'a', 'Value': 'b'}]}),
        ('untag_delivery_stream', {'TagKeys': ['a']}),
        ('list_tags_for_delivery_stream', {}),
        ('start_delivery_stream_encryption', {}),
        ('stop_delivery_stream_encryption', {}),
        (
            'update_destination',
            {
                'CurrentDeliveryStreamVersionId': '1',
                'DestinationId': 'destinationId-000000000001',
                'ExtendedS3DestinationUpdate': {'Prefix': 'a/'},
            },
        ),
    ],
)
def test_a_stream_that_does_not_exist_cannot_be_changed(endpoint, operation, arguments):
    """Whatever is to be changed of it."""
    with pytest.raises(
        endpoint.client.exceptions.ResourceNotFoundException, match=f'Firehose {endpoint.stream} under'
    ):
        getattr(endpoint.client, operation)(DeliveryStreamName=endpoint.stream, **arguments)
