"""Does `firefighter audit` read a bucket as it reads a folder?"""

from __future__ import annotations

import json
import uuid

import boto3
import pytest

from delivered_objects import FIRST, OBJECTS, SECOND, check, event
from firefighter.cli.main import main


@pytest.fixture
def s3(moto_url):
    """A client of moto's S3."""
    client = boto3.client('s3', region_name='us-east-1', endpoint_url=moto_url)
    yield client
    client.close()


@pytest.fixture
def bucket(s3):
    """A bucket with what was delivered below logs/, and something beside it."""
    name = f'bucket-{uuid.uuid4()}'
    s3.create_bucket(Bucket=name)
    for key, body in {**OBJECTS, 'other/a': event(FIRST, 99)}.items():
        s3.put_object(Bucket=name, Key=key, Body=body)
    return name


@pytest.fixture
def audit(moto_url, capsys):
    """Run the command; return its status, each producer's row, and the totals."""

    def audit(where):
        status = main(['audit', where, '--endpoint-url', moto_url, '--region', 'us-east-1', '--json'])
        *rows, totals = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
        return status, {row['producer']: row for row in rows}, totals

    return audit


def test_a_bucket_is_audited_as_a_folder_is(audit, bucket):
    """Below a prefix, and nothing beside it."""
    check(audit(f's3://{bucket}/logs/'))


def test_a_bucket_is_read_beyond_the_first_page(audit, s3, bucket, monkeypatch):
    """A page of the list has at most so many keys; S3's own a thousand."""
    monkeypatch.setenv('MOTO_S3_DEFAULT_MAX_KEYS', '3')
    for number in range(7):
        s3.put_object(Bucket=bucket, Key=f'many/{number}', Body=event(SECOND, number))
    assert s3.list_objects_v2(Bucket=bucket, Prefix='many/')['IsTruncated']
    status, _, totals = audit(f's3://{bucket}/many/')
    assert (status, totals['objects'], totals['events']) == (0, 7, 7)


def test_a_bucket_that_does_not_exist_is_status_2(moto_url, capsys):
    """In AWS's words."""
    assert main(['audit', 's3://nope', '--endpoint-url', moto_url, '--region', 'us-east-1']) == 2
    assert 'NoSuchBucket' in capsys.readouterr().err


def test_an_object_that_cannot_be_fetched_is_named_and_the_rest_is_read(moto_url, s3, bucket, capsys):
    """One that lies in the archive."""
    s3.put_object(Bucket=bucket, Key='logs/0', Body=event(SECOND, 1), StorageClass='GLACIER')
    assert main(['audit', f's3://{bucket}/logs', '--endpoint-url', moto_url, '--region', 'us-east-1']) == 1
    printed = capsys.readouterr()
    assert f's3://{bucket}/logs/0: ' in printed.err
    assert '8 events of 2 producers in 5 objects' in printed.out
