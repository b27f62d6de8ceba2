"""What is an object called? AWS's page on custom prefixes, rule by rule."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from firefighter.local.bucket import Bucket
from firefighter.local.keys import Prefixes, format_time, object_name
from firefighter.local.protocol import ServiceError

# The moment of AWS's own examples, more or less.
WHEN = datetime(2018, 8, 27, 10, 30, 5, tzinfo=timezone.utc)


def evaluated(delivered='', failed=None, error_type=None):
    """Evaluate one of two prefixes at WHEN."""
    prefixes = Prefixes(delivered, failed)
    return prefixes.evaluate(WHEN, random_string=lambda: '046b6c7f-0b', error_type=error_type)


@pytest.mark.parametrize(
    ('prefix', 'expected'),
    [
        ('', '2018/08/27/10/'),
        ('logs/', 'logs/2018/08/27/10/'),
        ('logs', 'logs2018/08/27/10/'),
    ],
)
def test_a_prefix_without_a_time_gets_one_at_its_end(prefix, expected):
    """`!{timestamp:yyyy/MM/dd/HH/}` is appended as it stands."""
    assert evaluated(prefix) == expected


@pytest.mark.parametrize(
    ('prefix', 'expected'),
    [
        ('year=!{timestamp:yyyy}/month=!{timestamp:MM}/', 'year=2018/month=08/'),
        ("!{timestamp:'year='yyyy'/month='MM}", 'year=2018/month=08'),
        ('a/!{firehose:random-string}/!{timestamp:HH}', 'a/046b6c7f-0b/10'),
        ('!{firehose:random-string}/', '046b6c7f-0b/2018/08/27/10/'),
    ],
)
def test_expressions_are_evaluated(prefix, expected):
    """Times in Java's patterns, with literals in quotes, and random strings."""
    assert evaluated(prefix, 'e/!{firehose:error-output-type}/') == expected


@pytest.mark.parametrize(
    ('delivered', 'failed', 'expected'),
    [
        ('', None, 'splunk-failed/2018/08/27/10/'),
        ('logs/', None, 'logs/splunk-failed/2018/08/27/10/'),
        ('logs/', 'bad/', 'bad/2018/08/27/10/'),
        ('', 'bad/!{firehose:error-output-type}/', 'bad/splunk-failed/2018/08/27/10/'),
        ('', '!{timestamp:yyyy}/!{firehose:error-output-type}', '2018/splunk-failed'),
    ],
)
def test_what_failed_goes_under_the_error_prefix(delivered, failed, expected):
    """Or, without one, under the prefix and the type of the error."""
    assert evaluated(delivered, failed, 'splunk-failed') == expected


@pytest.mark.parametrize(
    ('delivered', 'failed', 'message'),
    [
        ('!{timestamp:yyyy}', None, 'ErrorOutputPrefix cannot be null'),
        ('!{firehose:error-output-type}/', 'x', 'Prefix cannot contain'),
        ('', 'e/!{timestamp:yyyy}', 'must contain !{firehose:error-output-type}'),
        ('x!{', 'e', 'can only appear in'),
        ('!{partitionKeyFromQuery:a}', 'e', 'is not supported'),
        ('!{timestamp:QQ}', 'e', "letters 'QQ' are not supported"),
        ("!{timestamp:'open}", 'e', 'a quote that is not closed'),
        ('x' * 505, 'e', 'longer than 512'),
    ],
)
def test_a_prefix_that_breaks_a_rule_is_refused_when_the_stream_is_created(delivered, failed, message):
    """Not when the first object is written."""
    with pytest.raises(ServiceError, match=message) as caught:
        Prefixes(delivered, failed)
    assert caught.value.code == 'InvalidArgumentException'


@pytest.mark.parametrize(
    ('pattern', 'expected'),
    [
        ('yyyy-MM-dd HH:mm:ss', '2018-08-27 10:30:05'),
        ('yy/M/d/H/m/s', '18/8/27/10/30/5'),
        ("''yyyy''", "'2018'"),
        ("yyyy'T''Z'", "2018T'Z"),
        ('DDD', '239'),
    ],
)
def test_times_are_written_in_patterns_of_java(pattern, expected):
    """DateTimeFormatter's letters, as far as they are of use in a key."""
    assert format_time(pattern, WHEN) == expected


def test_the_name_after_the_prefix_is_fixed():
    """Stream, version, time and a UUID, and the extension if there is one."""
    assert object_name('bar', '1', WHEN, 'some-uuid', '.gz') == 'bar-1-2018-08-27-10-30-05-some-uuid.gz'


def test_times_follow_the_time_zone_of_the_stream():
    """CustomTimeZone moves the folders and the name alike."""
    bucket = Bucket.from_configuration(
        {'BucketARN': 'arn:aws:s3:::some-bucket', 'CustomTimeZone': 'Asia/Tokyo'}
    )
    stored = bucket.pack(b'', stream_name='bar', version='1', opened_unix_seconds=WHEN.timestamp(), records=0)
    assert stored.key.startswith('2018/08/27/19/bar-1-2018-08-27-19-30-05-')
