"""What does the endpoint make of one put, without HTTP?"""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefighter.local.limits import billed_bytes, parse_put_record, parse_put_record_batch
from firefighter.local.protocol import ServiceError


@given(st.lists(st.binary(max_size=64), min_size=1, max_size=20))
def test_base64_is_decoded_as_it_was_encoded(records):
    """Whatever the bytes are."""
    entries = [{'Data': base64.b64encode(record).decode()} for record in records]
    assert parse_put_record_batch({'DeliveryStreamName': 'bar', 'Records': entries}) == ('bar', records)


@pytest.mark.parametrize('data', ['eHl6=', 'eHl', 'e Hl6', 'eHl6\n', '!!!!', 7, ['eHl6'], 'é'])
def test_what_is_not_base64_is_no_blob(data):
    """Characters that Python's decoder would skip are an error, as they are with AWS."""
    with pytest.raises(ServiceError) as caught:
        parse_put_record({'DeliveryStreamName': 'bar', 'Record': {'Data': data}})
    assert caught.value.code == 'SerializationException'


@pytest.mark.parametrize(
    ('payload', 'message'),
    [
        ({}, "Value null at 'deliveryStreamName' failed to satisfy constraint: Member must not be null"),
        ({'DeliveryStreamName': ''}, "Value '' at 'deliveryStreamName'"),
        ({'DeliveryStreamName': 'bar'}, "Value null at 'records' failed"),
        ({'DeliveryStreamName': 'bar', 'Records': []}, 'Member must have length greater than or equal to 1'),
        ({'DeliveryStreamName': 'bar', 'Records': [{}]}, "Value null at 'records.1.member.data' failed"),
    ],
)
def test_a_put_without_what_it_needs_is_a_validation_error(payload, message):
    """In the words of AWS's validators."""
    with pytest.raises(ServiceError) as caught:
        parse_put_record_batch(payload)
    assert caught.value.code == 'ValidationException'
    assert message in caught.value.message


@pytest.mark.parametrize(
    'payload',
    [
        {'DeliveryStreamName': 7, 'Records': []},
        {'DeliveryStreamName': 'bar', 'Records': {}},
        {'DeliveryStreamName': 'bar', 'Records': ['x']},
    ],
)
def test_a_value_of_another_type_cannot_be_read_at_all(payload):
    """AWS's parser stops before its validator begins."""
    with pytest.raises(ServiceError) as caught:
        parse_put_record_batch(payload)
    assert caught.value.code == 'SerializationException'


@given(st.integers(0, 1_024_000))
def test_a_bill_is_the_least_number_of_whole_units(size_bytes):
    """5,120 bytes each, and never none."""
    billed = billed_bytes(size_bytes)
    assert billed % 5120 == 0
    assert billed - 5120 < max(size_bytes, 1) <= billed
