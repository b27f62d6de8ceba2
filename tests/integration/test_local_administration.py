"""Can a stream of the local endpoint be changed as one of AWS's can?"""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from firefighter.local.validation import service_model
from raw_requests import PUT, ask

pytest_plugins = ['firefighter.testing']

S3 = {'RoleARN': 'arn:aws:iam::123456789012:role/firehose', 'BucketARN': 'arn:aws:s3:::other-bucket'}
SPLUNK = {
    'HECEndpoint': 'https://splunk.example', 'HECEndpointType': 'Raw', 'HECToken': 'x', 'S3Configuration': S3,
}  # fmt: skip
SEARCH = {
    'RoleARN': S3['RoleARN'],
    'DomainARN': 'arn:aws:es:us-east-1:123456789012:domain/abc',
    'IndexName': 'a',
}
CUSTOMER_KEY = {'KeyType': 'CUSTOMER_MANAGED_CMK', 'KeyARN': 'arn:aws:kms:us-east-1:123456789012:key/a'}
AWS_KEY = {'KeyType': 'AWS_OWNED_CMK'}


@pytest.fixture
def update(firehose_client):
    """Update the destination of the stream `bar`, by its current version."""

    def call(**update):
        description = firehose_client.describe_delivery_stream(DeliveryStreamName='bar')[
            'DeliveryStreamDescription'
        ]
        firehose_client.update_destination(
            DeliveryStreamName='bar',
            CurrentDeliveryStreamVersionId=description['VersionId'],
            DestinationId=description['Destinations'][0]['DestinationId'],
            **update,
        )

    return call


def put(client, data):
    """Put one record into `bar`."""
    return client.put_record(DeliveryStreamName='bar', Record={'Data': data})


@pytest.mark.parametrize('operation', service_model()['operations'])
def test_every_operation_of_the_service_model_is_there(local_firehose, operation):
    """None is unknown: what it refuses, it refuses for what it was not given."""
    headers = {**PUT, 'X_Amz_Target': f'Firehose_20150804.{operation}'}
    status, answer = ask(local_firehose.url, 'POST', '/', b'{}', **headers)
    assert status == 200 or answer['__type'] == 'ValidationException'


@pytest.mark.parametrize('local_firehose_arguments', [{'streams': ['bar'], 'buffer_seconds': 900}])
def test_an_update_holds_for_what_is_accepted_after_it(local_firehose, firehose_client, update):
    """What was accepted before is delivered where it belonged, under the version of that time."""
    put(firehose_client, b'before')
    update(ExtendedS3DestinationUpdate={'BucketARN': 'arn:aws:s3:::new-bucket', 'Prefix': 'p/'})
    put(firehose_client, b'after')

    assert local_firehose.delivered() == b'before'
    assert local_firehose.delivered('new-bucket') == b'after'
    keys = [path.name for path in local_firehose.folder.rglob('bar-*')]
    assert sorted(key[:6] for key in keys) == ['bar-1-', 'bar-2-']


def test_another_kind_of_destination_needs_all_that_it_would_need_when_created(
    local_firehose, firehose_client, update
):
    """Nothing of the old one is taken over; and back."""
    with pytest.raises(ClientError, match=r"Value null at 'splunkDestinationConfiguration.s3Configuration'"):
        update(
            SplunkDestinationUpdate={
                'HECEndpoint': 'https://splunk.example',
                'HECEndpointType': 'Raw',
                'HECToken': 'x',
            }
        )
    splunk = {**SPLUNK, 'S3Update': S3}
    del splunk['S3Configuration']
    update(SplunkDestinationUpdate=splunk)
    put(firehose_client, b'one')
    assert local_firehose.delivered('_splunk') == b'one'
    update(SplunkDestinationUpdate={'HECEndpointType': 'Event', 'S3Update': {'Prefix': 'bad/'}})
    put(firehose_client, b'no event')
    assert b'rawData' in local_firehose.delivered('other-bucket')
    assert list((local_firehose.folder / 'other-bucket').glob('bad*'))
    update(S3DestinationUpdate=S3)
    put(firehose_client, b'two')
    assert local_firehose.delivered('other-bucket').endswith(b'two')


@pytest.mark.parametrize(
    ('asked', 'reason'),
    [
        ({}, 'Exactly one destination'),
        ({'S3DestinationUpdate': S3, 'SplunkDestinationUpdate': {}}, 'Exactly one destination'),
        ({'ElasticsearchDestinationUpdate': SEARCH}, 'Changing the destination type from ExtendedS3 to Elasticsearch'),
        ({'ExtendedS3DestinationUpdate': {'CompressionFormat': 'Snappy'}}, 'CompressionFormat Snappy is not supported'),
        ({'ExtendedS3DestinationUpdate': {'Prefix': 'a' * 256 + '/'}}, 'File name too long'),
        ({'ExtendedS3DestinationUpdate': {'Prefix': "!{timestamp:'..'}/", 'ErrorOutputPrefix': 'e'}}, 'cannot be a path'),
        ({'ExtendedS3DestinationUpdate': {'BufferingHints': {'SizeInMBs': 500, 'IntervalInSeconds': 1}}}, 'validation error'),
    ],
)  # fmt: skip
def test_an_update_is_refused_for_what_a_creation_is_refused_for(
    local_firehose, firehose_client, update, asked, reason
):
    """And the stream stays as it was."""
    with pytest.raises(ClientError, match=reason):
        update(**asked)
    description = firehose_client.describe_delivery_stream(DeliveryStreamName='bar')[
        'DeliveryStreamDescription'
    ]
    assert description['VersionId'] == '1'
    put(firehose_client, b'x')
    assert local_firehose.delivered() == b'x'


def test_tags_come_in_pages_and_at_most_fifty(firehose_client):
    """By key, each page after the last key of the page before."""
    tags = [{'Key': f'key-{number:02d}', 'Value': f'Größe {number}'} for number in range(50)]
    firehose_client.create_delivery_stream(DeliveryStreamName='foo', Tags=tags[:3])
    firehose_client.tag_delivery_stream(DeliveryStreamName='foo', Tags=tags)
    with pytest.raises(firehose_client.exceptions.LimitExceededException, match='up to 50 tags'):
        firehose_client.tag_delivery_stream(DeliveryStreamName='foo', Tags=[{'Key': 'one more'}])

    found, more, after = [], True, {}
    while more:
        page = firehose_client.list_tags_for_delivery_stream(DeliveryStreamName='foo', Limit=20, **after)
        found += page['Tags']
        more, after = page['HasMoreTags'], {'ExclusiveStartTagKey': found[-1]['Key']}
    assert found == tags


@pytest.mark.parametrize(
    ('tags', 'code'),
    [
        ([{'Key': 'aws:team', 'Value': 'x'}], 'ValidationException'),
        ([{'Key': 'a;b', 'Value': 'x'}], 'ValidationException'),
        ([{'Key': 'a', 'Value': 'b\nc'}], 'ValidationException'),
        ([{'Key': 'a' * 129}], 'ValidationException'),
        ([{'Key': 'a', 'Value': '1'}, {'Key': 'a', 'Value': '2'}], 'InvalidArgumentException'),
    ],
)
def test_a_tag_that_aws_would_refuse_is_refused(local_firehose, firehose_client, tags, code):
    """With CreateDeliveryStream, too, which then creates nothing."""
    with pytest.raises(ClientError, match=code):
        firehose_client.tag_delivery_stream(DeliveryStreamName='bar', Tags=tags)
    with pytest.raises(ClientError, match=code):
        firehose_client.create_delivery_stream(DeliveryStreamName='foo', Tags=tags)
    assert local_firehose.accounts().keys() == {'bar'}


@pytest.mark.parametrize('key', [None, AWS_KEY, CUSTOMER_KEY])
def test_puts_say_whether_they_are_encrypted(firehose_client, key):
    """Here it is so at once; at AWS it takes some seconds."""
    given = {} if key is None else {'DeliveryStreamEncryptionConfigurationInput': key}
    firehose_client.start_delivery_stream_encryption(DeliveryStreamName='bar', **given)
    assert put(firehose_client, b'x')['Encrypted']
    batch = firehose_client.put_record_batch(DeliveryStreamName='bar', Records=[{'Data': b'x'}])
    assert batch['Encrypted']
    firehose_client.stop_delivery_stream_encryption(DeliveryStreamName='bar')
    assert not put(firehose_client, b'x')['Encrypted']


@pytest.mark.parametrize(
    ('stream', 'key', 'reason'),
    [
        ('bar', {'KeyType': 'CUSTOMER_MANAGED_CMK'}, 'KeyARN cannot be null'),
        ('bar', {**CUSTOMER_KEY, 'KeyType': 'AWS_OWNED_CMK'}, 'KeyARN must be null'),
        ('bar', {**CUSTOMER_KEY, 'KeyARN': 'a'}, 'regular expression'),
        ('source', AWS_KEY, 'not supported on KinesisStreamAsSource'),
    ],
)
def test_a_key_that_does_not_fit_is_refused(firehose_client, stream, key, reason):
    """As AWS does, by the words of its reference."""
    firehose_client.create_delivery_stream(
        DeliveryStreamName='source', DeliveryStreamType='KinesisStreamAsSource'
    )
    with pytest.raises(ClientError, match=reason):
        firehose_client.start_delivery_stream_encryption(
            DeliveryStreamName=stream, DeliveryStreamEncryptionConfigurationInput=key
        )
