"""Does `firefighter doctor` say of a real endpoint what is right, what is wrong, and what to do?"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time

import pytest

from firefighter._delivery.clients import ClientOptions
from firefighter._doctor.connection import Boto
from firefighter._doctor.examination import examine
from firefighter.cli.main import main
from firefighter.local import LocalFirehose

RUN = [
    sys.executable,
    '-W',
    'error',
    '-c',
    'import sys; from firefighter.cli.main import main; sys.exit(main())',
    'doctor',
]


@pytest.fixture
def endpoint(tmp_path, monkeypatch):
    with LocalFirehose(tmp_path / 'delivered', streams=['bar']) as endpoint:
        monkeypatch.setenv('AWS_ENDPOINT_URL_FIREHOSE', endpoint.url)
        yield endpoint


@pytest.fixture
def doctor(capsys):
    """Run the command; return its status, each check, and the advice."""

    def doctor(*words):
        status = main(['doctor', *words, '--json'])
        told = json.loads(capsys.readouterr().out)
        assert told['well'] == (status == 0)
        return status, {check['name']: check for check in told['checks']}, told['advice']

    return doctor


def wrong(checks):
    return {name for name, check in checks.items() if check['state'] in {'wrong', 'unknown'}}


def test_a_healthy_stream_is_status_0_and_its_arguments_are_printed(endpoint):
    """For people, in a process of its own as they run it."""
    command = [*RUN, 'bar', '--region', 'eu-west-1']
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, '')
    lines = done.stdout.splitlines()
    assert lines[0].split() == ['CHECK', 'STATE', 'FOUND']
    assert [line.split()[1] for line in lines[1:10]] == ['ok'] * 8 + ['not']
    assert f'endpoint     ok         {endpoint.url}, from AWS_ENDPOINT_URL_FIREHOSE' in lines
    assert 'region       ok         eu-west-1, from --region' in lines
    assert "  FirehoseHandler(delivery_stream_name='bar', region_name='eu-west-1', aggregate=True)" in lines
    assert endpoint.account('bar').requests == 0


@pytest.mark.parametrize('more', [[], ['--json']])
def test_the_password_of_the_endpoint_is_not_printed(endpoint, more, capsys):
    """Neither in what was found nor in what is to be pasted, which needs it not: botocore makes no use of it."""
    url = endpoint.url.replace('//', '//user:secret@')
    assert main(['doctor', 'bar', '--endpoint-url', url, *more]) == 0
    printed = capsys.readouterr().out
    assert f"endpoint_url='{endpoint.url}'" in printed
    assert f'--endpoint-url {endpoint.url}' in ' '.join(printed.split())
    assert 'secret' not in printed


def test_with_send_a_record_arrives_where_all_others_do(endpoint, doctor):
    """By the handler's own way, and with the mark by which it can be found."""
    status, checks, _ = doctor('bar', '--send')
    assert (status, checks['put']['state']) == (0, 'ok')
    event = json.loads(endpoint.delivered())
    assert event['logger'] == 'firefighter.doctor'
    assert event['mark'] in checks['put']['found']


def test_a_stream_that_is_not_there_is_status_1(endpoint, doctor):
    """Nothing else is wrong, and nothing is sent."""
    status, checks, advice = doctor('baz', '--send')
    assert (status, wrong(checks), advice) == (1, {'stream'}, None)
    assert 'Firehose baz under account' in checks['stream']['found']
    assert checks['put']['state'] == 'not tried'


@pytest.mark.parametrize('fault', ['unrecognized-client', 'expired-token', 'invalid-signature'])
def test_credentials_that_are_refused_are_what_is_wrong(endpoint, doctor, fault):
    """With what AWS says of them."""
    endpoint.inject(fault, operations='all')
    status, checks, _ = doctor('bar')
    assert (status, wrong(checks)) == (1, {'credentials'})
    assert checks['credentials']['found'].startswith('****MPLE, from the environment: ')
    assert checks['credentials']['cure']
    assert checks['endpoint']['state'] == checks['clock']['state'] == 'ok'


def test_without_the_permission_to_describe_it_says_what_is_safe(endpoint, doctor):
    """And whether a put is allowed, when it may try."""
    endpoint.inject('access-denied', operations='DescribeDeliveryStream')
    status, checks, advice = doctor('bar', '--send')
    assert (status, wrong(checks), checks['put']['state']) == (1, {'permission'}, 'ok')
    assert advice['handler'] == "FirehoseHandler(delivery_stream_name='bar')"


def test_without_the_permission_to_put_it_says_so(endpoint, doctor):
    """What can be described need not be writable."""
    endpoint.inject('access-denied')
    status, checks, _ = doctor('bar', '--send')
    assert (status, wrong(checks)) == (1, {'put'})
    assert checks['put']['cure'] == 'allow firehose:PutRecordBatch on the stream'


def test_a_record_that_is_throttled_is_no_success(endpoint, doctor):
    """An answer of 200 may have accepted nothing."""
    endpoint.inject('partial', share=1)
    status, checks, _ = doctor('bar', '--send')
    assert (status, wrong(checks)) == (1, {'put'})
    assert 'Slow down.' in checks['put']['found']


def test_without_a_region_it_says_where_to_set_one(endpoint, doctor, monkeypatch):
    """Before it asks anything."""
    monkeypatch.delenv('AWS_DEFAULT_REGION')
    status, checks, _ = doctor('bar')
    assert (status, wrong(checks)) == (1, {'region'})


def test_without_credentials_it_says_where_to_put_some(endpoint, doctor, monkeypatch):
    """As above."""
    monkeypatch.delenv('AWS_ACCESS_KEY_ID')
    monkeypatch.delenv('AWS_SECRET_ACCESS_KEY')
    status, checks, _ = doctor('bar')
    assert (status, wrong(checks)) == (1, {'credentials'})
    assert checks['credentials']['found'] == 'none'


def test_half_of_the_credentials_is_said_to_be_half(endpoint, doctor, monkeypatch):
    """boto3 raises for it."""
    monkeypatch.delenv('AWS_SECRET_ACCESS_KEY')
    status, checks, _ = doctor('bar')
    assert (status, wrong(checks)) == (1, {'credentials'})
    assert checks['credentials']['cure'] == 'set the access key and the secret key both'


def test_a_profile_that_is_not_there_is_said(endpoint, doctor):
    """The environment lacks it; the words were right."""
    status, checks, _ = doctor('bar', '--profile', 'nobody')
    assert (status, wrong(checks)) == (1, {'credentials'})
    assert 'nobody' in checks['credentials']['found']
    assert checks['credentials']['cure'].endswith('or correct --profile (in the handler boto3_profile_name=)')


def test_a_profile_of_the_environment_is_said_to_be_from_there(endpoint, doctor, monkeypatch):
    """Nobody has typed --profile."""
    monkeypatch.setenv('AWS_PROFILE', 'nobody')
    _, checks, _ = doctor('bar')
    assert checks['credentials']['cure'].endswith('or correct AWS_PROFILE')


@pytest.mark.parametrize(
    'source',
    ['--endpoint-url', 'AWS_ENDPOINT_URL_FIREHOSE', 'AWS_ENDPOINT_URL', 'the AWS configuration', None],
)
@pytest.mark.parametrize('section', ['default', 'services'])
def test_the_endpoint_is_said_with_its_source(monkeypatch, tmp_path, source, section):
    """The one that boto3 takes first, where several say something; a forgotten variable is the usual surprise."""
    sources = ['--endpoint-url', 'AWS_ENDPOINT_URL_FIREHOSE', 'AWS_ENDPOINT_URL', 'the AWS configuration']
    told = sources[sources.index(source) :] if source else []
    urls = {name: f'http://127.0.0.1:{9 - number}' for number, name in enumerate(sources)}
    for variable in told:
        if variable.startswith('AWS_'):
            monkeypatch.setenv(variable, urls[variable])
    url = f'endpoint_url = {urls["the AWS configuration"]}\n'
    configuration = {
        'default': f'[default]\n{url}',
        'services': f'[default]\nservices = here\n[services here]\nfirehose =\n  {url}',
    }
    (tmp_path / 'config').write_text(configuration[section] if told else '')
    monkeypatch.setenv('AWS_CONFIG_FILE', str(tmp_path / 'config'))
    connection = Boto(ClientOptions(endpoint_url=urls[source] if source == '--endpoint-url' else None))
    connection.credentials()
    assert connection.endpoint_source() == source
    assert connection.endpoint_url() == (
        urls[source] if source else 'https://firehose.eu-west-1.amazonaws.com'
    )
    connection.close()
    monkeypatch.setenv('AWS_IGNORE_CONFIGURED_ENDPOINT_URLS', 'true')
    connection = Boto(ClientOptions())
    connection.credentials()
    assert connection.endpoint_source() is None
    assert connection.endpoint_url() == 'https://firehose.eu-west-1.amazonaws.com'
    connection.close()


def test_a_url_that_is_none_is_said_with_the_variable_that_has_it(doctor, monkeypatch):
    """The handler's option was not given."""
    monkeypatch.setenv('AWS_ENDPOINT_URL', 'localhost:4573')
    _, checks, _ = doctor('bar')
    assert (wrong(checks), checks['endpoint']['cure']) == (
        {'endpoint'},
        'correct AWS_ENDPOINT_URL, or the region',
    )


def test_a_region_that_cannot_be_is_said(doctor):
    """boto3 makes no client for it."""
    status, checks, _ = doctor('bar', '--region', 'eu west 1')
    assert (status, wrong(checks)) == (1, {'endpoint'})
    assert checks['endpoint']['cure'] == 'correct the region'


@pytest.mark.parametrize('hours', [-1, 1])
def test_a_clock_that_is_wrong_is_told_by_the_answer(endpoint, hours):
    """By the date that any answer has."""
    options = ClientOptions(endpoint_url=endpoint.url)
    connection = Boto(options, clock=lambda: time.time() + hours * 3600)
    began = time.time()
    report = examine('bar', connection, region_given=False, send=False)
    took_seconds = time.time() - began
    connection.close()
    (clock,) = [check for check in report.checks if check.name == 'clock']
    assert (clock.state.value, report.well) == ('wrong', False)
    found = re.fullmatch(r'(3,[56]\d\d) s (fast|slow), by the date of the answer', clock.found)
    assert found[2] == ('fast' if hours > 0 else 'slow')
    # The date counts whole seconds, and who knows when within the examination it was written.
    assert abs(int(found[1].replace(',', '')) - 3600) <= 1 + took_seconds


def test_what_to_do_is_a_sentence_each(endpoint, capsys):
    """Also where it is a question."""
    endpoint.inject('access-denied')
    assert main(['doctor', 'bar', '--send']) == 1
    assert '\n  put: Allow firehose:PutRecordBatch on the stream.\n' in capsys.readouterr().out
    endpoint.stop()
    assert main(['doctor', 'bar']) == 1
    assert capsys.readouterr().out.endswith(
        '\n  endpoint: Is the network up, and are region and endpoint_url right?\n'
    )


def test_an_endpoint_that_is_not_there_is_said(doctor):
    """With its address, and where to look."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        url = f'http://127.0.0.1:{free.getsockname()[1]}'
        status, checks, _ = doctor('bar', '--endpoint-url', url)
    assert (status, wrong(checks)) == (1, {'endpoint'})
    assert checks['endpoint']['found'].startswith(f'{url}, from --endpoint-url: EndpointConnectionError')


def test_a_page_that_is_no_answer_of_firehose_is_said_to_be_none(endpoint, doctor):
    """A proxy that wants a login: botocore takes its page for an answer."""
    endpoint.inject('not-json', operations='all')
    status, checks, _ = doctor('bar')
    assert (status, wrong(checks)) == (1, {'endpoint'})
    assert checks['endpoint']['found'] == (
        f'{endpoint.url}, from AWS_ENDPOINT_URL_FIREHOSE: what answers there is not Firehose'
    )


def test_a_failure_inside_of_aws_is_to_be_tried_again(endpoint, doctor):
    """It says nothing about the stream, so what is safe is said."""
    endpoint.inject('internal-failure', operations='all')
    status, checks, advice = doctor('bar')
    assert (status, wrong(checks), advice['options']) == (1, {'permission'}, {})
    assert checks['permission']['cure'] == 'try again in a while'


@pytest.mark.parametrize(
    ('processors', 'options'),
    [
        ([], {'compression': 'gzip'}),
        ([{'Type': 'AppendDelimiterToRecord'}], {'aggregate': True}),
    ],
)
def test_the_advice_follows_the_stream_as_it_is(endpoint, doctor, processors, options):
    """Made by CreateDeliveryStream, described by DescribeDeliveryStream."""
    endpoint.create_stream(
        'other',
        ExtendedS3DestinationConfiguration={
            'RoleARN': 'arn:aws:iam::123456789012:role/firehose',
            'BucketARN': 'arn:aws:s3:::logs',
            'FileExtension': '.json.gz',
            'ProcessingConfiguration': {'Enabled': True, 'Processors': processors},
        },
    )
    _, _, advice = doctor('other')
    assert advice['options'] == options


def http_stream(endpoint, url, mib, encoding):
    endpoint.create_stream(
        'other',
        HttpEndpointDestinationConfiguration={
            'EndpointConfiguration': {'Url': url, 'Name': 'logs'},
            'BufferingHints': {'SizeInMBs': mib, 'IntervalInSeconds': 60},
            'RequestConfiguration': {'ContentEncoding': encoding},
            'S3Configuration': {
                'RoleARN': 'arn:aws:iam::123456789012:role/firehose',
                'BucketARN': 'arn:aws:s3:::logs',
            },
        },
    )


@pytest.mark.parametrize(
    ('url', 'mib', 'encoding', 'cure'),
    [
        (
            'https://aws-api.newrelic.com/firehose/v1',
            5,
            'NONE',
            'Set SizeInMBs=1 in the BufferingHints and Content',
        ),
        ('https://aws-api.newrelic.com/firehose/v1', 1, 'GZIP', ''),
        (
            'https://aws-kinesis-http-intake.logs.us5.datadoghq.com/v1/input',
            5,
            'GZIP',
            'Set SizeInMBs=2 in the',
        ),
        (
            'https://my.es.eu-west-1.aws.found.io',
            2,
            'GZIP',
            'Set SizeInMBs=1 in the BufferingHints of the stream',
        ),
        ('https://logs.example.com', 64, 'NONE', ''),
    ],
    ids=['new relic as it comes', 'new relic', 'datadog', 'elastic', 'nobody known'],
)
def test_a_buffer_with_which_a_receiver_loses_events_is_wrong(endpoint, doctor, url, mib, encoding, cure):
    """As AWS's console sets it; nobody else would ever say so."""
    http_stream(endpoint, url, mib, encoding)
    status, checks, advice = doctor('other')
    assert (status, wrong(checks)) == ((1, {'destination'}) if cure else (0, set()))
    assert checks['destination']['cure'].startswith(cure)
    assert len(advice['hazards']) == bool(cure)


@pytest.mark.parametrize(
    'words',
    [
        ['arn:aws:firehose:eu-west-1:123456789012:deliverystream/bar'],
        ['a b'],
        ['bar', '--endpoint-url', 'localhost:4573'],
    ],
)
def test_arguments_that_cannot_be_are_status_2(capsys, words):
    """In one line, which says what to write."""
    assert main(['doctor', *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ''
    assert printed.err.startswith('firefighter doctor: ')
    assert printed.err.count('\n') == 1


def test_without_a_stream_it_is_status_2(capsys):
    """As argparse has it."""
    with pytest.raises(SystemExit) as ended:
        main(['doctor'])
    assert ended.value.code == 2
    capsys.readouterr()


def test_help_says_what_the_exit_status_means(capsys):
    """For whoever writes the script."""
    with pytest.raises(SystemExit):
        main(['doctor', '--help'])
    assert 'The exit status is 0 when all is well' in capsys.readouterr().out


def test_a_reader_that_has_seen_enough_is_no_error(endpoint):
    """`firefighter doctor bar | head -1`."""
    with subprocess.Popen([*RUN, 'bar'], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b''
        assert process.wait(50) == 0


@pytest.mark.parametrize(
    ('program', 'error', 'cure'),
    [
        ('-c "print(\'hello\')"', 'JSONDecodeError', 'see to what gives the credentials'),
        ('/not/there', 'CredentialRetrievalError', 'see why'),
    ],
)
def test_a_credential_process_that_gives_none_is_said_with_its_cure(
    program, error, cure, tmp_path, monkeypatch, doctor
):
    """The cure is in its place, and is the handler's."""
    config = tmp_path / 'config'
    config.write_text(f'[profile shop]\ncredential_process = {sys.executable} {program}\n')
    monkeypatch.setenv('AWS_CONFIG_FILE', str(config))
    _, checks, _ = doctor('bar', '--profile', 'shop')
    assert checks['credentials']['state'] == 'wrong'
    assert error in checks['credentials']['found']
    assert checks['credentials']['cure'].startswith(cure)
    assert cure not in checks['credentials']['found']
