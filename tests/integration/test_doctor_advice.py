"""Does everything arrive by the doctor's advice, and not against it? The local endpoint's destinations judge."""

from __future__ import annotations

import gzip
import json

import pytest

from firefighter.cli.main import main
from firefighter.local import LocalFirehose

ROLE = {'RoleARN': 'arn:aws:iam::123456789012:role/firehose'}
S3 = {**ROLE, 'BucketARN': 'arn:aws:s3:::logs'}
DELIMITER = {'Enabled': True, 'Processors': [{'Type': 'AppendDelimiterToRecord'}]}
SEARCH = {**ROLE, 'IndexName': 'logs', 'S3Configuration': S3}
DOMAIN = {**SEARCH, 'DomainARN': 'arn:aws:es:us-east-1:123456789012:domain/logs'}
COLLECTION = {**SEARCH, 'CollectionEndpoint': 'https://example.us-east-1.aoss.amazonaws.com'}
SPLUNK = {'HECEndpoint': 'https://splunk', 'HECToken': 'token', 'S3Configuration': S3}
REDSHIFT = {
    **ROLE,
    'ClusterJDBCURL': 'jdbc:redshift://example.us-east-1.redshift.amazonaws.com:5439/logs',
    'CopyCommand': {'DataTableName': 'events', 'CopyOptions': "FORMAT AS JSON 'auto'"},
    'S3Configuration': S3,
}
SNOWFLAKE = {
    **ROLE,
    'AccountUrl': 'https://example.snowflakecomputing.com',
    'Database': 'LOGS',
    'Schema': 'PUBLIC',
    'Table': 'EVENTS',
    'S3Configuration': S3,
}
CATALOG = {'CatalogConfiguration': {'CatalogARN': 'arn:aws:glue:us-east-1:123456789012:catalog'}}
ICEBERG = {**ROLE, **CATALOG, 'S3Configuration': S3}
HTTP = {'EndpointConfiguration': {'Url': 'https://example.com/v1', 'Name': 'vendor'}, 'S3Configuration': S3}
SUMO_LOGIC = {
    **HTTP,
    'EndpointConfiguration': {
        'Url': 'https://endpoint4.collection.us2.sumologic.com/receiver/x',
        'Name': 'logs',
    },
}
CONVERSION = {
    'SchemaConfiguration': {**ROLE, 'DatabaseName': 'logs', 'TableName': 'app'},
    'InputFormatConfiguration': {'Deserializer': {'OpenXJsonSerDe': {}}},
    'OutputFormatConfiguration': {'Serializer': {'ParquetSerDe': {}}},
}
TAKES_ONE = {
    'Amazonopensearchservice': DOMAIN,
    'Elasticsearch': DOMAIN,
    'AmazonOpenSearchServerless': COLLECTION,
    'Snowflake': SNOWFLAKE,
    'Iceberg': ICEBERG,
}
STREAMS = [
    ('ExtendedS3', S3),
    ('ExtendedS3', {**S3, 'FileExtension': '.json.gz'}),
    ('ExtendedS3', {**S3, 'FileExtension': '.json.zst'}),
    ('ExtendedS3', {**S3, 'CompressionFormat': 'GZIP'}),
    ('ExtendedS3', {**S3, 'ProcessingConfiguration': DELIMITER}),
    ('ExtendedS3', {**S3, 'DataFormatConversionConfiguration': CONVERSION}),
    ('Redshift', REDSHIFT),
    ('Splunk', {**SPLUNK, 'HECEndpointType': 'Raw'}),
    ('HttpEndpoint', HTTP),
    ('HttpEndpoint', SUMO_LOGIC),
    *TAKES_ONE.items(),
]
EVENTS = 700


@pytest.fixture
def endpoint(tmp_path, monkeypatch):
    with LocalFirehose(tmp_path / 'delivered') as endpoint:
        monkeypatch.setenv('AWS_ENDPOINT_URL_FIREHOSE', endpoint.url)
        yield endpoint


@pytest.fixture
def deliver(endpoint, make_handler, make_logger):
    """Create the stream, ask the doctor, log many events, and return what became of them; by default as it advises."""

    def deliver(kind, settings, capsys, **instead):
        endpoint.create_stream('bar', **{f'{kind}DestinationConfiguration': settings})
        status = main(['doctor', 'bar', '--json'])
        advice = json.loads(capsys.readouterr().out)['advice']
        handler = make_handler('bar', **(instead or advice['options']))
        logger = make_logger(handler)
        for number in range(EVENTS):
            logger.info({'message': 'Ahoy', 'number': number})
        assert handler.flush()
        endpoint.flush()
        return endpoint.account('bar'), advice, status

    return deliver


@pytest.mark.parametrize(('kind', 'settings'), STREAMS)
def test_by_its_advice_the_destination_takes_every_record(deliver, capsys, kind, settings):
    """And the doctor has said that all is well."""
    account, advice, status = deliver(kind, settings, capsys)
    assert status == 0
    assert (account.failed_records, account.delivered_records) == (0, account.records)
    assert account.records < 10 if advice['options'] else account.records == EVENTS


@pytest.mark.parametrize('kind', TAKES_ONE)
def test_against_its_advice_a_destination_that_takes_one_event_takes_none(deliver, capsys, kind):
    """Every put was accepted, and everything is lost."""
    account, advice, _ = deliver(kind, TAKES_ONE[kind], capsys, aggregate=True)
    assert advice['options'] == {}
    assert (account.refused_records, account.delivered_records) == (0, 0)
    assert account.failed_records == account.records


def test_where_no_option_helps_the_hazard_is_real(deliver, capsys):
    """Splunk's event endpoint takes none of the handler's events, one by one neither."""
    account, advice, status = deliver('Splunk', {**SPLUNK, 'HECEndpointType': 'Event'}, capsys)
    assert (status, account.delivered_records) == (1, 0)
    assert 'envelopes' in advice['hazards'][0]


def test_compressed_by_its_advice_the_object_is_one_valid_file(deliver, endpoint, capsys):
    """With the name that says so."""
    deliver('ExtendedS3', {**S3, 'FileExtension': '.json.gz'}, capsys)
    lines = gzip.decompress(endpoint.delivered()).splitlines()
    assert sorted(json.loads(line)['number'] for line in lines) == [*range(EVENTS)]


def test_compressed_against_its_advice_the_object_is_destroyed(deliver, endpoint, capsys):
    """By the newline that the stream writes behind each record."""
    settings = {**S3, 'ProcessingConfiguration': DELIMITER}
    _, advice, _ = deliver('ExtendedS3', settings, capsys, compression='gzip')
    assert 'compression' not in advice['options']
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(endpoint.delivered())
