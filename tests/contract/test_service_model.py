"""What we take for granted of Firehose, held against the service model that botocore ships."""

from __future__ import annotations

import botocore.session
import pytest

from firefighter._delivery import limits, outcomes, transport
from firefighter._handler import options

# What the model says of PutRecordBatch, and that `outcomes` has an outcome for each.
KNOWN_ERRORS = {
    'ResourceNotFoundException': outcomes.Outcome.MISCONFIGURED,
    'InvalidArgumentException': outcomes.Outcome.REFUSED,
    'InvalidKMSResourceException': outcomes.Outcome.MISCONFIGURED,
    'InvalidSourceException': outcomes.Outcome.MISCONFIGURED,
    'ServiceUnavailableException': outcomes.Outcome.THROTTLED,
}


@pytest.fixture(scope='module')
def put_record_batch():
    return botocore.session.get_session().get_service_model('firehose').operation_model('PutRecordBatch')


def test_botocore_declares_no_error_that_we_do_not_know(put_record_batch):
    """A new one has to be given an outcome before it reaches a user."""
    assert {shape.name for shape in put_record_batch.error_shapes} <= KNOWN_ERRORS.keys()


@pytest.mark.parametrize('code', KNOWN_ERRORS)
def test_each_declared_error_has_the_outcome_that_fits_it(code):
    """As by the table of exceptions in AWS's documentation."""
    from botocore.exceptions import ClientError

    error = ClientError({'Error': {'Code': code, 'Message': 'no'}}, 'PutRecordBatch')

    class Failing:
        def put_record_batch(self, **_):
            raise error

    answer = transport.BotoTransport(Failing).put('bar', [b'{}\n'])
    assert answer.outcomes == [KNOWN_ERRORS[code]]


def test_the_limits_are_the_models(put_record_batch):
    """500 records, 1,024,000 bytes in one."""
    records = put_record_batch.input_shape.members['Records']
    assert records.metadata['max'] == limits.MAX_RECORDS
    assert records.member.members['Data'].metadata['max'] == limits.MAX_RECORD_BYTES


def test_the_pattern_for_names_is_the_models(put_record_batch):
    """What the constructor refuses, the service would refuse."""
    name = put_record_batch.input_shape.members['DeliveryStreamName'].metadata
    pattern = f'{name["pattern"].removesuffix("+")}{{{name["min"]},{name["max"]}}}'
    assert options._STREAM_NAME.pattern == pattern


def test_an_answers_entry_has_the_members_that_we_read(put_record_batch):
    """ErrorCode decides, ErrorMessage is shown."""
    entry = put_record_batch.output_shape.members['RequestResponses'].member
    assert {'RecordId', 'ErrorCode', 'ErrorMessage'} == entry.members.keys()
