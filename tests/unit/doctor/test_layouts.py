"""Which layouts does a destination know, and is it said?"""

from __future__ import annotations

import json

import pytest

from descriptions import DESCRIPTIONS
from firefighter._advice.advice import advise
from firefighter._advice.stream import read
from firefighter._doctor.examination import examine
from firefighter.cli.doctor import show
from healthy_connection import HealthyConnection


@pytest.mark.parametrize(
    ('name', 'told'),
    [
        ('http-opentelemetry', ["layout='otlp'", 'otlp_encoding', 'leave out aggregate and compression']),
        ('http-elastic', ["layout='ecs'", 'ingest pipeline']),
        ('opensearch', ["layout='ecs'", 'OpenSearch']),
        ('elasticsearch', ["layout='ecs'", 'Elasticsearch']),
        ('s3', ["layout='otlp'", 'OTLP JSON lines']),
    ],
)
def test_what_is_known_is_said(name, told, capsys):
    """Of the stream at hand, in words and in JSON."""
    (known,) = advise(read(DESCRIPTIONS[name])).layouts
    assert all(word in str(known) for word in told)
    report = examine('bar', HealthyConnection(DESCRIPTIONS[name]), region_given=False, send=False)
    show(report, dict.fromkeys(('region_name', 'boto3_profile_name', 'endpoint_url')), as_json=False)
    printed = ' '.join(capsys.readouterr().out.split())
    assert printed.index(known.why[1:]) > printed.index('For JSONFormatter(layout=...):')
    show(report, dict.fromkeys(('region_name', 'boto3_profile_name', 'endpoint_url')), as_json=True)
    assert json.loads(capsys.readouterr().out)['advice']['layouts'] == [str(known)]


@pytest.mark.parametrize(
    'name', ['splunk-raw', 'http-endpoint', 'http-datadog', 'snowflake', 'iceberg', 'redshift', 's3-with-conversion']
)  # fmt: skip
def test_where_nothing_is_known_nothing_is_said(name):
    """Better than a guess."""
    assert advise(read(DESCRIPTIONS[name])).layouts == ()
