"""What arrives, by the kind of destination and its settings; and what a destination will not have."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zipfile

import pytest
from botocore.exceptions import ClientError

pytest_plugins = ['firefighter.testing']

ROLE = {'RoleARN': 'arn:aws:iam::123456789012:role/firehose'}
S3 = {**ROLE, 'BucketARN': 'arn:aws:s3:::some-bucket'}
APPEND = {'Enabled': True, 'Processors': [{'Type': 'AppendDelimiterToRecord'}]}
OPENSEARCH = {**ROLE, 'IndexName': 'logs', 'DomainARN': 'arn:aws:es:us-east-1:123456789012:domain/logs'}
SPLUNK = {'HECEndpoint': 'https://splunk', 'HECToken': 'secret'}
# name of the destination -> settings beside S3Configuration, the folder, one record it takes, some it does not.
KINDS = {
    'Amazonopensearchservice': (
        OPENSEARCH, '_opensearch', b'{"a": 1}\n', [b'{"a": 1}\n{"b": 2}\n', b'{"_id": 1}', b'[1]', b'x', b'{"a":\n1}'],
    ),
    'Elasticsearch': (OPENSEARCH, '_opensearch', b'{"a": 1}', [b'{"a": 1}{"b": 2}']),
    'AmazonOpenSearchServerless': (
        {**ROLE, 'IndexName': 'logs', 'CollectionEndpoint': 'https://x'}, '_opensearch', b'{}', [b'x'],
    ),
    'Splunk': ({**SPLUNK, 'HECEndpointType': 'Raw'}, '_splunk', b'\x00anything\n{"a": 1}', []),
    'Snowflake': (
        {
            **ROLE, 'AccountUrl': 'https://a.snowflakecomputing.com', 'Database': 'd', 'Schema': 's', 'Table': 't',
            'PrivateKey': 'k' * 256, 'User': 'u',
        },
        '_snowflake', b'{"a": 1}', [b'{"a": 1}{"b": 2}', b'[{"a": 1}]'],
    ),
    'Iceberg': (
        {**ROLE, 'CatalogConfiguration': {'CatalogARN': 'arn:aws:glue:us-east-1:123456789012:catalog'}},
        '_iceberg', b'{"a": 1}', [b'{"a": 1}\n{"b": 2}', b'7'],
    ),
}  # fmt: skip


def create(client, name, **configuration):
    """Create the stream `foo` to a destination of a kind, and return its description."""
    client.create_delivery_stream(
        DeliveryStreamName='foo', **{f'{name}DestinationConfiguration': configuration}
    )
    stream = client.describe_delivery_stream(DeliveryStreamName='foo')['DeliveryStreamDescription']
    (destination,) = stream['Destinations']
    return destination[f'{name}DestinationDescription']


def put(client, *records):
    """Put records into the stream `foo`; all of them are accepted."""
    answer = client.put_record_batch(
        DeliveryStreamName='foo', Records=[{'Data': record} for record in records]
    )
    assert answer['FailedPutCount'] == 0


def objects(endpoint):
    """Return key -> body of everything that is in the folder, without the times and ids in the keys."""
    endpoint.flush()
    files = [path for path in endpoint.folder.rglob('*') if path.is_file()]
    return {path.relative_to(endpoint.folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize('name', KINDS)
def test_what_a_destination_will_not_have_goes_under_the_error_prefix(local_firehose, firehose_client, name):
    """The producer is told nothing: every put is accepted, as with the real service."""
    settings, folder, good, bad = KINDS[name]
    create(
        firehose_client, name, **settings,
        S3Configuration={**S3, 'ErrorOutputPrefix': 'failed/!{firehose:error-output-type}/'},
    )  # fmt: skip
    put(firehose_client, good, *bad)

    stored = objects(local_firehose)
    (delivered,) = (body for key, body in stored.items() if key.startswith(f'{folder}/'))
    failed = [
        json.loads(line) for key, body in stored.items() if key.startswith('some-bucket/failed/') for line in body.splitlines()
    ]  # fmt: skip
    assert good.strip() in delivered
    assert [base64.b64decode(line['rawData']) for line in failed] == bad
    assert all(line['errorCode'] and line['errorMessage'] for line in failed)
    account = local_firehose.account('foo')
    assert (account.delivered_records, account.failed_records) == (1, len(bad))


def test_the_error_prefix_names_the_kind_of_failure(local_firehose, firehose_client):
    """As `!{firehose:error-output-type}` does in AWS's table."""
    settings, _, _, bad = KINDS['Iceberg']
    create(
        firehose_client, 'Iceberg', **settings,
        S3Configuration={**S3, 'ErrorOutputPrefix': 'x/!{firehose:error-output-type}/'},
    )  # fmt: skip
    put(firehose_client, *bad)
    (key,) = objects(local_firehose)
    assert key.startswith('some-bucket/x/iceberg-failed/')


def test_without_an_error_prefix_failures_have_the_prefix(local_firehose, firehose_client):
    """For destinations that are not S3, whose bucket holds nothing but failures."""
    settings, _, _, bad = KINDS['Snowflake']
    create(firehose_client, 'Snowflake', **settings, S3Configuration={**S3, 'Prefix': 'bad/'})
    put(firehose_client, *bad)
    (key,) = objects(local_firehose)
    assert key.startswith('some-bucket/bad/2')


@pytest.mark.parametrize(
    ('record', 'fits'),
    [
        (b'{"event": "a"}', True),
        (b'{"event": 1}\n{"event": 2}', True),
        (b'{"message": "a"}', False),
        (b'{"event": 1}{"a": 2}', False),
        (b'plain', False),
        (b'', False),
    ],
)
def test_the_event_endpoint_of_splunk_takes_its_envelopes_only(local_firehose, firehose_client, record, fits):
    """Several may stand behind each other."""
    create(firehose_client, 'Splunk', **SPLUNK, HECEndpointType='Event', S3Configuration=S3)
    put(firehose_client, record)
    local_firehose.flush()
    assert local_firehose.account('foo').delivered_records == fits


def test_an_http_endpoint_gets_each_record_as_a_blob_of_its_own(local_firehose, firehose_client):
    """Splitting lines is the vendor's affair."""
    described = create(
        firehose_client, 'HttpEndpoint', S3Configuration=S3,
        EndpointConfiguration={'Url': 'https://example.com', 'AccessKey': 'secret'},
    )  # fmt: skip
    put(firehose_client, b'a\nb\n', b'\xff')
    (body,) = objects(local_firehose).values()
    records = json.loads(body)['records']
    assert [base64.b64decode(record['data']) for record in records] == [b'a\nb\n', b'\xff']
    assert described['S3DestinationDescription']['BucketARN'] == S3['BucketARN']


def test_redshift_is_delivered_to_by_way_of_its_bucket(local_firehose, firehose_client):
    """COPY reads what is there."""
    create(
        firehose_client, 'Redshift', **ROLE, ClusterJDBCURL='jdbc:redshift://x.y.redshift.amazonaws.com:5439/db',
        CopyCommand={'DataTableName': 't'}, Username='u', Password='secret123', S3Configuration=S3,
    )  # fmt: skip
    put(firehose_client, b'{"a": 1}\n{"b": 2}\n', b'x')
    assert list(objects(local_firehose).values()) == [b'{"a": 1}\n{"b": 2}\nx']


def test_append_delimiter_adds_a_newline_to_every_record_whether_it_has_one_or_not(
    local_firehose, firehose_client
):
    """A producer that writes newlines itself gets blank lines, and a packed gzip record is broken."""
    create(firehose_client, 'ExtendedS3', **S3, ProcessingConfiguration=APPEND)
    put(firehose_client, b'a', b'b\n')
    assert list(objects(local_firehose).values()) == [b'a\nb\n\n']


def test_a_processing_configuration_that_is_not_enabled_does_nothing(local_firehose, firehose_client):
    """Its processors are only described."""
    create(firehose_client, 'ExtendedS3', **S3, ProcessingConfiguration={**APPEND, 'Enabled': False})
    put(firehose_client, b'a', b'b')
    assert list(objects(local_firehose).values()) == [b'ab']


@pytest.mark.parametrize(
    ('compression', 'extension', 'suffix', 'read'),
    [
        ('GZIP', None, '.gz', gzip.decompress),
        ('ZIP', None, '.zip', lambda body: zipfile.ZipFile(io.BytesIO(body)).read('data')),
        ('GZIP', '.json.gz', '.json.gz', gzip.decompress),
        ('UNCOMPRESSED', '.json', '.json', bytes),
    ],
)
def test_objects_are_compressed_as_a_whole(
    local_firehose, firehose_client, compression, extension, suffix, read
):
    """FileExtension replaces the one that the format gives; the description says it."""
    asked = {'CompressionFormat': compression} | ({'FileExtension': extension} if extension else {})
    described = create(firehose_client, 'ExtendedS3', **S3, **asked)
    put(firehose_client, b'one', b'two')

    ((key, body),) = objects(local_firehose).items()
    assert key.endswith(suffix)
    assert read(body) == b'onetwo'
    assert described['CompressionFormat'] == compression


def test_conversion_takes_documents_behind_each_other_and_nothing_else(local_firehose, firehose_client):
    """One document a line stands for a row of Parquet; an array is an error."""
    create(firehose_client, 'ExtendedS3', **S3, DataFormatConversionConfiguration={'Enabled': True})
    put(firehose_client, b'{"a":1}{"b":2}\n{"c":3}', b'[{"d":4}]', b'x')

    stored = objects(local_firehose)
    failed = [key for key in stored if key.startswith('some-bucket/format-conversion-failed/')]
    (delivered,) = (body for key, body in stored.items() if key not in failed)
    assert [json.loads(line) for line in delivered.splitlines()] == [{'a': 1}, {'b': 2}, {'c': 3}]
    assert local_firehose.account('foo').failed_records == 2


def test_a_document_that_is_nested_too_deep_is_not_converted(local_firehose, firehose_client):
    """Nor does it hold up the others: it could be read, but not written again."""
    create(firehose_client, 'ExtendedS3', **S3, DataFormatConversionConfiguration={'Enabled': True})
    deep = [b'{"a":%s}' % (b'[' * levels + b']' * levels) for levels in range(930, 990)]
    put(firehose_client, b'{"b":1}', *deep)

    assert b'{"b": 1}\n' in objects(local_firehose).values()
    assert local_firehose.account('foo').failed_records == len(deep)


def test_a_stream_that_decompresses_takes_no_puts(firehose_client):
    """Only CloudWatch Logs may write to it."""
    processing = {'Enabled': True, 'Processors': [{'Type': 'Decompression'}]}
    create(firehose_client, 'ExtendedS3', **S3, ProcessingConfiguration=processing)
    with pytest.raises(
        firehose_client.exceptions.InvalidSourceException, match='Only requests from CloudWatch Logs'
    ):
        firehose_client.put_record(DeliveryStreamName='foo', Record={'Data': b'x'})


def test_a_stream_that_reads_from_kinesis_takes_no_puts(firehose_client):
    """In AWS's words."""
    arn = 'arn:aws:kinesis:us-east-1:123456789012:stream/x'
    firehose_client.create_delivery_stream(
        DeliveryStreamName='foo', DeliveryStreamType='KinesisStreamAsSource', ExtendedS3DestinationConfiguration=S3,
        KinesisStreamSourceConfiguration={'KinesisStreamARN': arn, **ROLE},
    )  # fmt: skip
    with pytest.raises(
        firehose_client.exceptions.InvalidArgumentException, match='not permitted on KinesisStreamAsSource'
    ):
        firehose_client.put_record(DeliveryStreamName='foo', Record={'Data': b'x'})


@pytest.mark.parametrize(
    'asked',
    [
        {'CompressionFormat': 'Snappy'},
        {'DynamicPartitioningConfiguration': {'Enabled': True}},
        {'ProcessingConfiguration': {'Enabled': True, 'Processors': [{'Type': 'Lambda'}]}},
        {'S3BackupMode': 'Enabled', 'S3BackupConfiguration': S3},
        {'BufferingHints': {'SizeInMBs': 5}},
        {'Prefix': '../'},
        {'CustomTimeZone': 'Europe/Atlantis'},
        {'BucketARN': 'arn:aws:s3:::..'},
    ],
)
def test_what_the_endpoint_does_not_have_is_refused_and_never_ignored(firehose_client, asked):
    """If it would change what arrives. So a stream that exists does what its description says."""
    with pytest.raises(ClientError, match='InvalidArgumentException'):
        create(firehose_client, 'ExtendedS3', **{**S3, **asked})


def test_a_stream_has_one_destination(firehose_client):
    """Two are refused, as AWS does."""
    with pytest.raises(firehose_client.exceptions.InvalidArgumentException, match='Exactly one destination'):
        firehose_client.create_delivery_stream(
            DeliveryStreamName='foo', S3DestinationConfiguration=S3, ExtendedS3DestinationConfiguration=S3
        )
