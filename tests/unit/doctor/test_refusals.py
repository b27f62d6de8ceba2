"""What does a destination refuse in an event, is it said, and does what is said help?"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest

from descriptions import CONVERSION, DESCRIPTIONS, stream_to_s3
from firefighter._advice.advice import advise
from firefighter._advice.stream import read
from firefighter._doctor.examination import examine
from firefighter.cli.doctor import show
from healthy_connection import HealthyConnection

PAGE = (Path(__file__).parents[3] / 'docs' / 'destinations.md').read_text('utf-8')


@pytest.mark.parametrize(
    ('name', 'told'),
    [
        ('opensearch', ['empty', 'begins with a dot']),
        ('elasticsearch', ['empty', 'begins with a dot']),
        ('opensearch-serverless', ['empty', 'begins with a dot']),
        ('redshift', ['65,535 bytes', 'NUL', 'TRUNCATECOLUMNS']),
        ('s3-with-conversion', ['ignore_case=True', 'ConvertDotsInJsonKeysToUnderscores']),
        ('s3', ['Athena', 'ignore_case=True']),
        ('s3-partitioned', ['Athena', 'ignore_case=True']),
    ],
)
def test_what_it_refuses_is_said_with_what_avoids_it(name, told, capsys):
    """For the stream at hand, and no other destination's."""
    (refusal,) = advise(read(DESCRIPTIONS[name])).refusals
    assert all(word in str(refusal) for word in told)
    report = examine('bar', HealthyConnection(DESCRIPTIONS[name]), region_given=False, send=False)
    assert report.well
    show(report, dict.fromkeys(('region_name', 'boto3_profile_name', 'endpoint_url')), as_json=False)
    printed = capsys.readouterr().out
    assert printed.index(refusal.why[1:]) > printed.index('In the events themselves:')
    show(report, dict.fromkeys(('region_name', 'boto3_profile_name', 'endpoint_url')), as_json=True)
    assert json.loads(capsys.readouterr().out)['advice']['refusals'] == [str(refusal)]


@pytest.mark.parametrize(
    'name', ['splunk-raw', 'splunk-event', 'http-endpoint', 'http-datadog', 'snowflake', 'iceberg']
)
def test_where_nothing_is_known_nothing_is_said(name):
    """Better than a guess."""
    assert advise(read(DESCRIPTIONS[name])).refusals == ()


def test_conversion_that_is_switched_off_is_plain_s3():
    """Its rules are not those of conversion."""
    (on,) = advise(read(stream_to_s3(DataFormatConversionConfiguration=CONVERSION))).refusals
    off = {**CONVERSION, 'Enabled': False}
    assert advise(read(stream_to_s3(DataFormatConversionConfiguration=off))).refusals != (on,)


@pytest.fixture
def plain():
    """The formatter of the page."""
    (code,) = re.findall(r'^```python\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)
    namespace = {}
    exec(code[: code.index('handler =')], namespace)
    return namespace['PlainFormatter']()


@pytest.mark.parametrize(
    ('logged', 'written'),
    [
        ({'a.b': 1}, {'a_b': 1}),
        ({'': 1}, {'_': 1}),
        ({'  ': 1}, {'_': 1}),
        ({'.': 1, '.a': [{'b.': 2}]}, {'_': 1, '_a': [{'b_': 2}]}),
        ({'nul': 'a\0b', 'nuls': ['\0']}, {'nul': 'ab', 'nuls': ['']}),
        ({'back': 'a\\u0000b'}, {'back': 'a\\u0000b'}),
        ({'n': 7, 'x': None, 'y': True, 'z': 1.5}, {'n': 7, 'x': None, 'y': True, 'z': 1.5}),
    ],
)
def test_the_formatter_of_the_docs_writes_what_each_destination_takes(plain, logged, written):
    """And nothing else is changed."""
    record = logging.makeLogRecord({'msg': {'message': 'm', **logged}, 'levelname': 'INFO', 'name': 'shop'})
    event = json.loads(plain.format(record))
    assert {
        name: event[name] for name in event if name not in {'timestamp', 'level', 'logger', 'message'}
    } == written


def test_it_cuts_what_no_column_of_redshift_takes(plain):
    """65,535 bytes, in whatever language."""
    record = logging.makeLogRecord(
        {'msg': {'text': '\U0001f600' * 70_000}, 'levelname': 'INFO', 'name': 'shop'}
    )
    text = json.loads(plain.format(record))['text']
    assert 60_000 < len(text.encode()) <= 65_535
