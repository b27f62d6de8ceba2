"""Does the control plane refuse what the service model forbids?"""

from __future__ import annotations

import pytest

from firefighter.local.protocol import ServiceError
from firefighter.local.validation import check

S3 = {'RoleARN': 'arn:aws:iam::123456789012:role/firehose', 'BucketARN': 'arn:aws:s3:::some-bucket'}


def create(**destination):
    """Check a CreateDeliveryStream with an S3 destination that is changed like this."""
    check(
        'CreateDeliveryStream',
        {'DeliveryStreamName': 'bar', 'ExtendedS3DestinationConfiguration': destination},
    )


def test_what_the_model_allows_passes():
    """Also members that are null, which count as absent."""
    create(**S3, BufferingHints={'SizeInMBs': 128, 'IntervalInSeconds': 900}, Prefix=None)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'RoleARN': None}, "Value null at 'extendedS3DestinationConfiguration.roleARN' failed to satisfy constraint"),
        ({'BufferingHints': {'SizeInMBs': 0, 'IntervalInSeconds': 60}}, 'Member must have value greater than or equal to 1'),
        ({'BufferingHints': {'SizeInMBs': 5, 'IntervalInSeconds': 901}}, 'Member must have value less than or equal to 900'),
        ({'CompressionFormat': 'LZMA'}, 'Member must satisfy enum value set: [UNCOMPRESSED, GZIP, ZIP, Snappy, HADOOP_SNAPPY]'),
        ({'BucketARN': 'some-bucket'}, 'Member must satisfy regular expression pattern: arn:'),
        ({'Prefix': 'x' * 1025}, 'Member must have length less than or equal to 1024'),
        ({'FileExtension': 'gz'}, 'Member must satisfy regular expression pattern'),
    ],
)  # fmt: skip
def test_what_breaks_a_constraint_is_refused_in_the_words_of_aws(change, message):
    """With the path of the member in the message."""
    with pytest.raises(ServiceError) as caught:
        create(**{**S3, **change})
    assert caught.value.code == 'ValidationException'
    assert message in caught.value.message


def test_all_broken_constraints_are_listed():
    """AWS counts them in its message."""
    with pytest.raises(ServiceError, match='2 validation errors detected'):
        create(BucketARN='x', RoleARN='y')


@pytest.mark.parametrize('hints', [{'SizeInMBs': '5'}, {'SizeInMBs': True}, 'none', [5]])
def test_a_value_of_another_type_cannot_be_read(hints):
    """A number in quotes, say."""
    with pytest.raises(ServiceError) as caught:
        create(**S3, BufferingHints=hints)
    assert caught.value.code == 'SerializationException'
