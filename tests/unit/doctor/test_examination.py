"""Does the doctor find what is wrong, say what to do, and ask for nothing that cannot be answered?"""

from __future__ import annotations

import json

import pytest

from descriptions import DESCRIPTIONS
from firefighter._advice.advice import CAUTIOUS
from firefighter._delivery.outcomes import Answer, Outcome
from firefighter._doctor.connection import Described
from firefighter._doctor.examination import examine
from firefighter._doctor.report import CHECKS, State
from healthy_connection import HealthyConnection


def look(connection, *, send=False):
    report = examine('bar', connection, region_given=False, send=send)
    assert tuple(check.name for check in report.checks) == CHECKS
    return report, {check.name: check for check in report.checks}


def untried(checks):
    return {name for name, check in checks.items() if check.state is State.NOT_TRIED}


def test_where_all_is_well_all_is_said_to_be():
    """Only what nobody asked for was not tried."""
    report, checks = look(HealthyConnection(DESCRIPTIONS['s3']))
    assert report.well
    assert untried(checks) == {'put'}
    assert report.advice.options == {'aggregate': True}


def test_without_credentials_nothing_is_asked():
    """Nothing could be answered."""
    connection = HealthyConnection(found_credentials=None)
    connection.describe = None
    report, checks = look(connection)
    assert (report.well, report.advice) == (False, None)
    assert checks['credentials'].state is State.WRONG
    assert untried(checks) == {*CHECKS} - {'credentials'}


@pytest.mark.parametrize('set_elsewhere', [False, True])
def test_without_a_region_it_says_where_boto3_looks_for_one(monkeypatch, set_elsewhere):
    """AWS_REGION, which other SDKs read, is the usual reason."""
    if set_elsewhere:
        monkeypatch.setenv('AWS_REGION', 'eu-west-1')
    _, checks = look(HealthyConnection(found_region=None))
    assert checks['region'].state is State.WRONG
    assert checks['region'].cure.startswith('Set AWS_DEFAULT_REGION')
    assert ('which boto3 does not read' in checks['region'].cure) == set_elsewhere


def test_without_the_permission_to_describe_one_event_in_a_record_is_advised():
    """Delivery does not need it; but all well it is not, since nobody has seen the stream."""
    denied = Described(
        code='AccessDeniedException', error='AccessDeniedException: not allowed', skew_seconds=0.0
    )
    report, checks = look(HealthyConnection(described=denied))
    assert (report.well, report.advice) == (False, CAUTIOUS)
    assert checks['permission'].state is State.UNKNOWN
    assert 'firehose:PutRecordBatch alone' in checks['permission'].cure
    assert 'allow firehose:DescribeDeliveryStream' in checks['permission'].cure


def test_the_test_record_is_sent_also_where_the_stream_cannot_be_described():
    """That is the permission that delivery needs."""
    denied = Described(code='AccessDeniedException', error='no', skew_seconds=0.0)
    connection = HealthyConnection(described=denied)
    _, checks = look(connection, send=True)
    assert checks['put'].state is State.OK
    assert len(connection.sent) == 1


def test_a_throttled_description_is_no_verdict():
    """AWS takes five of these requests a second, from all of an account."""
    throttled = Described(
        code='LimitExceededException', error='LimitExceededException: Rate', skew_seconds=0.0
    )
    report, checks = look(HealthyConnection(described=throttled))
    assert (report.well, checks['permission'].cure) == (False, 'try again in a while')


@pytest.mark.parametrize(
    'code', ['UnrecognizedClientException', 'ExpiredTokenException', 'InvalidSignatureException']
)
def test_who_is_not_known_has_wrong_credentials(code):
    """And the endpoint is right, since it answers."""
    nobody = Described(code=code, error=f'{code}: no', skew_seconds=0.0)
    report, checks = look(HealthyConnection(described=nobody), send=True)
    assert checks['endpoint'].state is checks['clock'].state is State.OK
    assert checks['credentials'].state is State.WRONG
    assert checks['credentials'].found == f'****MPLE, from the environment: {code}: no'
    assert checks['credentials'].cure
    assert report.advice is None


def test_an_endpoint_that_does_not_answer_is_said_with_its_address():
    """It is the network, or the region."""
    silent = Described(code='ConnectTimeoutError', error='ConnectTimeoutError: no', answered=False)
    _, checks = look(HealthyConnection(described=silent), send=True)
    assert checks['endpoint'].state is State.WRONG
    assert checks['endpoint'].found.startswith(
        'https://firehose.eu-west-1.amazonaws.com, the default of the region: ConnectTimeoutError'
    )
    assert 'may this host reach the endpoint' in checks['endpoint'].cure


def test_a_wrong_clock_is_found_in_any_answer():
    """In an error most of all: it is what a wrong clock leads to."""
    late = Described(code='InvalidSignatureException', error='Signature expired', skew_seconds=-900.0)
    _, checks = look(HealthyConnection(described=late))
    assert checks['clock'].state is checks['credentials'].state is State.WRONG
    assert 'AWS refuses' in checks['clock'].cure


def test_the_test_record_is_an_event_as_the_handler_makes_it():
    """One line of JSON, whose mark is said so that it can be found."""
    connection = HealthyConnection(DESCRIPTIONS['s3'])
    _, checks = look(connection, send=True)
    ((stream, event),) = connection.sent
    assert (stream, event.count(b'\n'), event[-1:]) == ('bar', 1, b'\n')
    line = json.loads(event)
    assert line['logger'] == 'firefighter.doctor'
    assert line['mark'] in checks['put'].found


def test_a_test_record_that_is_refused_is_said_with_the_cure():
    """Of the whole call, or of the one record in it."""
    refused = Answer(
        [Outcome.MISCONFIGURED],
        'AccessDeniedException',
        'AccessDeniedException: no (allow firehose:PutRecordBatch on the stream)',
    )
    report, checks = look(HealthyConnection(DESCRIPTIONS['s3'], answer=refused), send=True)
    assert not report.well
    assert checks['put'].state is State.WRONG
    assert checks['put'].found == 'a test record was not accepted: AccessDeniedException: no'
    assert checks['put'].cure == 'allow firehose:PutRecordBatch on the stream'


@pytest.mark.parametrize('name', ['from-a-kinesis-stream', 's3-with-decompression'])
def test_for_a_stream_that_takes_no_puts_no_option_is_advised(name):
    """None would help."""
    report, checks = look(HealthyConnection(DESCRIPTIONS[name]))
    assert (report.well, report.advice) == (False, None)
    assert checks['source'].state is State.WRONG
    assert checks['source'].cure
