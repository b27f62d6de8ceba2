"""Are the endpoint's numbers those of AWS's own description of Firehose?"""

from __future__ import annotations

import re

import pytest

from firefighter.local import limits, protocol
from firefighter.local.buffering import MIB
from firefighter.local.service import Service
from firefighter.local.validation import service_model

SHAPES = service_model()['shapes']


def test_the_limits_of_a_put_are_those_of_the_service_model():
    """Botocore ships the model that AWS publishes; our hot path repeats three of its numbers."""
    assert SHAPES['Data']['max'] == limits.MAX_RECORD_BYTES
    assert SHAPES['PutRecordBatchRequestEntryList']['max'] == limits.MAX_BATCH_RECORDS
    assert SHAPES['PutRecordBatchRequestEntryList']['min'] == 1
    assert SHAPES['DeliveryStreamName']['max'] == limits.MAX_NAME_LENGTH
    assert SHAPES['DeliveryStreamName']['pattern'] == limits.NAME_PATTERN


def test_4_mib_and_5120_bytes_are_what_the_documentation_of_the_model_says():
    """Neither is a constraint of the model, but its text names the first."""
    text = re.sub(r'<[^>]*>', '', service_model()['operations']['PutRecordBatch']['documentation'])

    assert 'up to a limit of 4 MB for the entire request' in text
    assert limits.MAX_BATCH_BYTES == 4 * MIB
    assert limits.MAX_RECORD_BYTES == 200 * limits.BILLING_UNIT_BYTES


def test_the_protocol_is_the_one_of_the_service_model():
    """What stands in X-Amz-Target, and the version of JSON."""
    metadata = service_model()['metadata']

    assert metadata['targetPrefix'] + '.' == protocol.TARGET_PREFIX
    assert protocol.CONTENT_TYPE.endswith('json-' + metadata['jsonVersion'])


@pytest.mark.parametrize('name', ['PutRecord', 'PutRecordBatch'])
def test_a_put_has_no_members_that_the_endpoint_does_not_know(name):
    """A new member of the puts in a new botocore has to be looked at."""
    members = set(SHAPES[f'{name}Input']['members']) | set(SHAPES['Record']['members'])
    assert members <= {'DeliveryStreamName', 'Record', 'Records', 'Data'}


def test_the_operations_that_the_endpoint_has_are_operations_of_the_model():
    """No operation is misspelt."""
    assert set(Service.OPERATIONS) <= set(service_model()['operations'])
