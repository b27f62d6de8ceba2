"""What does a person see of each destination, and can it be pasted?"""

from __future__ import annotations

import ast
import json
import shlex
from pathlib import Path

import pytest

from descriptions import DESCRIPTIONS, http, splunk
from firefighter._advice.advice import CAUTIOUS
from firefighter._doctor.connection import Described
from firefighter._doctor.examination import examine
from firefighter._doctor.writing import handler_call
from firefighter.cli.doctor import show
from firefighter.logging import FirehoseHandler
from healthy_connection import HealthyConnection

PINNED = Path(__file__).parents[2] / 'fixtures' / 'doctor'
NOTHING = dict.fromkeys(('region_name', 'boto3_profile_name', 'endpoint_url'))
ALL = {'region_name': 'eu-west-1', 'boto3_profile_name': 'my logs', 'endpoint_url': 'http://127.0.0.1:4573'}


def report_of(name):
    return examine('bar', HealthyConnection(DESCRIPTIONS[name]), region_given=False, send=False)


@pytest.mark.parametrize('name', DESCRIPTIONS)
def test_what_is_printed_is_what_was_read_and_agreed_to(name, capsys):
    """`python tests/fixtures/make_doctor.py` writes it anew, to be read."""
    show(report_of(name), NOTHING, as_json=False)
    assert capsys.readouterr().out == (PINNED / f'{name}.txt').read_text('utf-8')


@pytest.mark.parametrize(
    'description',
    [
        http('https://user:secret@example.com/logs?key=secret', 'mine'),
        http('https://user:a/?secret@example.com/logs#secret', 'mine'),
        splunk('Raw', HECEndpoint='https://user:secret@example.com/logs?key=secret'),
    ],
    ids=['http', 'unescaped', 'splunk'],
)
def test_of_a_destinations_url_nothing_secret_is_printed(description, capsys):
    """Its user name and password, and the query, where many receivers have their key."""
    for as_json in (False, True):
        report = examine('bar', HealthyConnection(description), region_given=False, send=False)
        show(report, NOTHING, as_json=as_json)
        printed = capsys.readouterr().out
        assert ' at https://example.com/logs' in ' '.join(printed.split())
        assert 'secret' not in printed


def test_nothing_is_pinned_that_is_not_described():
    """A description that was renamed leaves nothing behind."""
    assert {path.stem for path in PINNED.iterdir()} == DESCRIPTIONS.keys()


def test_what_is_printed_without_a_description_says_so_and_what_is_safe(capsys):
    """Nobody is left without a line to paste."""
    denied = Described(code='AccessDeniedException', error='AccessDeniedException: no', skew_seconds=0.0)
    connection = HealthyConnection(described=denied)
    show(examine('bar', connection, region_given=False, send=False), NOTHING, as_json=False)
    printed = capsys.readouterr().out
    assert 'permission   unknown    the stream cannot be described: AccessDeniedException: no' in printed
    assert 'nothing is known of the destination, and one event in a record is safe anywhere' in printed
    assert printed.endswith("Write:\n\n  FirehoseHandler(delivery_stream_name='bar')\n")


@pytest.mark.parametrize('name', DESCRIPTIONS)
def test_what_is_to_be_pasted_makes_a_handler(name, make_handler):
    """Each argument by a name that the handler has, and none that it refuses."""
    advice = report_of(name).advice or CAUTIOUS
    call = ast.parse(handler_call('bar', ALL, advice.options), mode='eval').body
    arguments = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    assert arguments == {'delivery_stream_name': 'bar', **ALL, **advice.options}
    for options in (arguments, {**arguments, **advice.better}):
        assert type(make_handler(**options)) is FirehoseHandler


def test_the_command_leads_to_the_same_account_and_endpoint(capsys):
    """What was given to the doctor is given to AWS's command too, quoted for a shell."""
    show(report_of('s3'), ALL, as_json=False)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if 'update-destination' in line]
    assert shlex.split(line)[3:] == [
        *('--delivery-stream-name', 'bar', '--current-delivery-stream-version-id', '3'),
        *('--destination-id', 'destinationId-000000000001'),
        *('--extended-s3-destination-update', 'FileExtension=.json.gz'),
        *('--region', 'eu-west-1', '--profile', 'my logs', '--endpoint-url', 'http://127.0.0.1:4573'),
    ]


@pytest.mark.parametrize('name', DESCRIPTIONS)
def test_scripts_get_the_same_in_one_line(name, capsys):
    """With what there is to paste, and whether all is well."""
    report = report_of(name)
    show(report, NOTHING, as_json=True)
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told['stream'], told['well']) == ('bar', report.well)
    assert [(check['name'], check['state']) for check in told['checks']] == [
        (check.name, check.state.value) for check in report.checks
    ]
    assert (told['advice'] is None) == (report.advice is None)
    if report.advice is not None:
        assert told['advice']['options'] == report.advice.options
        assert told['advice']['handler'] in (PINNED / f'{name}.txt').read_text('utf-8')
        assert (told['advice']['better'] is None) == (not report.advice.better)
