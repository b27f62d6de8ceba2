"""What does the endpoint make of CreateDeliveryStream's parameters?"""

from __future__ import annotations

import pytest

from firefighter.local.buffering import MIB, BufferingHints
from firefighter.local.configuration import settings

ROLE = {'RoleARN': 'arn:aws:iam::123456789012:role/firehose'}
S3 = {**ROLE, 'BucketARN': 'arn:aws:s3:::some-bucket'}
DEFAULT = BufferingHints(size_bytes=5 * MIB, interval_seconds=1)
SECRET = 'hush-hush'
WITH_SECRETS = {
    'Redshift': {**ROLE, 'ClusterJDBCURL': 'x', 'CopyCommand': {}, 'Username': 'u', 'Password': SECRET},
    'Snowflake': {**ROLE, 'PrivateKey': SECRET, 'KeyPassphrase': SECRET, 'User': 'u'},
    'HttpEndpoint': {'EndpointConfiguration': {'Url': 'https://example.com', 'AccessKey': SECRET}},
}


@pytest.mark.parametrize('name', WITH_SECRETS)
def test_a_description_holds_no_secret(name):
    """Neither on its own members nor further down; as with AWS."""
    asked = {f'{name}DestinationConfiguration': {**WITH_SECRETS[name], 'S3Configuration': S3}}
    description = settings(asked, DEFAULT).description

    assert SECRET not in str(description)
    assert (
        description[f'{name}DestinationDescription']['S3DestinationDescription']['BucketARN']
        == S3['BucketARN']
    )


def test_hints_are_those_of_the_destination_or_else_of_its_bucket_or_else_the_default():
    """Redshift has none of its own."""
    hints = {'SizeInMBs': 2, 'IntervalInSeconds': 70}

    def asked(**destination):
        return settings({'RedshiftDestinationConfiguration': destination}, DEFAULT).hints

    assert asked(S3Configuration={**S3, 'BufferingHints': hints}) == BufferingHints(2 * MIB, 70)
    assert asked(S3Configuration=S3) == DEFAULT
    assert settings({}, DEFAULT).hints == DEFAULT


def test_a_destination_that_is_null_counts_as_absent():
    """As everywhere in the protocol, and at any depth."""
    nulls = {**S3, 'Prefix': None, 'BufferingHints': {'SizeInMBs': None}, 'CompressionFormat': None}
    made = settings(
        {'S3DestinationConfiguration': None, 'ExtendedS3DestinationConfiguration': nulls}, DEFAULT
    )
    assert made.hints == DEFAULT
    assert made.destination.delivered.compression == 'UNCOMPRESSED'
    assert settings({'S3DestinationConfiguration': None}, DEFAULT).destination.delivered.name == 'logs'
