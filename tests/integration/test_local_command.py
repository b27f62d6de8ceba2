"""Is `firefighter local` enough for a person, and fit to be a child process?"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import boto3
import pytest

from firefighter.cli.main import main
from firefighter.local import LocalFirehose, LocalFirehoseClient
from firefighter.local.catalogue import CATALOGUE

RUN = [
    sys.executable,
    '-W',
    'error',
    '-c',
    'import sys; from firefighter.cli.main import main; sys.exit(main())',
]
READY = re.compile(r'firefighter local: listening on (http://\S+), delivering into (.*)\n')


@pytest.fixture
def command(tmp_path):
    """Start the command on a free port and yield the process, its URL and its folder."""
    process = subprocess.Popen(
        [*RUN, 'local', 'out', '--port', '0', '--buffer-seconds', '900'],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        ready = READY.fullmatch(process.stdout.readline())
        yield process, ready[1], ready[2]
        process.kill()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_with_everything_written(command, tmp_path, number):
    """The parent reads one line when it is ready; the environment that --help names is enough for boto3."""
    process, url, folder = command
    environment = {
        'AWS_ENDPOINT_URL_FIREHOSE': url, 'AWS_DEFAULT_REGION': 'us-east-1',
        'AWS_ACCESS_KEY_ID': 'local', 'AWS_SECRET_ACCESS_KEY': 'local',
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        client = boto3.session.Session().client('firehose')
        client.put_record(DeliveryStreamName='bar', Record={'Data': b'Ahoy'})
        client.close()
    assert LocalFirehoseClient(url).account('bar').records == 1

    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, '', '')
    assert folder == str(tmp_path / 'out')
    (delivered,) = (path for path in (tmp_path / 'out').rglob('*') if path.is_file())
    assert delivered.read_bytes() == b'Ahoy'


def test_records_that_cannot_be_written_at_the_end_are_an_error(command, tmp_path):
    """It never says 0 when something is lost."""
    process, url, _ = command
    (tmp_path / 'out' / 'logs').write_text('not a folder')
    client = boto3.session.Session(
        region_name='us-east-1', aws_access_key_id='a', aws_secret_access_key='a'
    ).client('firehose', endpoint_url=url)
    client.put_record(DeliveryStreamName='bar', Record={'Data': b'Ahoy'})
    client.close()
    process.send_signal(signal.SIGTERM)

    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err.count('\n') == 1
    assert 'are lost' in err


def test_without_aiohttp_it_says_what_to_install(monkeypatch, capsys, tmp_path):
    """As a line that can be typed: pip adds the extra to the firefighter that is installed. There is no traceback."""
    monkeypatch.setitem(sys.modules, 'aiohttp', None)
    monkeypatch.delitem(sys.modules, 'firefighter.local.server', raising=False)

    assert main(['local', str(tmp_path), '--port', '0']) == 2
    assert capsys.readouterr().err == (
        "firefighter local: the local endpoint needs aiohttp: pip install 'firefighter[local]'\n"
    )


def test_what_it_cannot_do_is_one_line_and_status_1(capsys, tmp_path):
    """An address that is not this machine's, a folder that cannot be made."""
    (tmp_path / 'file').touch()
    for arguments in ([tmp_path, '--host', '203.0.113.1'], [tmp_path / 'file' / 'folder']):
        assert main(['local', '--port', '0', *map(str, arguments)]) == 1
        err = capsys.readouterr().err
        assert err.startswith('firefighter local: cannot ')
        assert err.count('\n') == 1


def test_a_port_that_is_in_use_is_answered_with_the_option_to_give(capsys, tmp_path):
    """Mostly it is another `firefighter local`."""
    with LocalFirehose(tmp_path / 'first') as first:
        port = first.url.rpartition(':')[2]
        assert main(['local', str(tmp_path / 'second'), '--port', port]) == 1
    assert f'port {port} is in use; give another one with --port ' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['--stream', 'a b'], "must be 1 to 64 letters, digits, dots, hyphens and underscores, not 'a b'"),
        (['--fault', 'nope'], "no fault is called 'nope'; there are: quota, "),
        (['--fault', 'partial=0.3'], ': write partial:share=0.3\n'),
        (['--fault', 'partial:0.3'], ': write partial:share=0.3\n'),
        (['--fault', 'partial=share=0.3,times=2'], ': write partial:share=0.3,times=2\n'),
        (['--fault', 'unavailable=0.3'], ': write unavailable:probability=0.3\n'),
        (['--fault', 'partial:which=0,2'], 'is not of the form name:parameter=value,parameter=value\n'),
        (['--fault', 'partial:share'], 'is not of the form name:parameter=value,parameter=value\n'),
        (['--fault', 'nope=0.3'], 'is not of the form name:parameter=value,parameter=value\n'),
        (['--buffer-seconds', '-1'], "--buffer-seconds: '-1' is no number from 0 to 86400"),
        (['--buffer-mib', 'inf'], "--buffer-mib: 'inf' is no number from 0 to 1048576"),
        (['--port', '70000'], "'70000' is no port: a whole number from 0 to 65535"),
    ],
)
def test_what_was_typed_wrong_is_status_2_and_says_what_to_write(capsys, tmp_path, arguments, said):
    """As argparse has it for what it refuses itself."""
    try:
        status = main(['local', str(tmp_path), '--port', '0', *arguments])
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert said in capsys.readouterr().err


def test_the_handlers_of_signals_are_put_back(capsys, tmp_path):
    """A program that calls the command keeps its own."""
    before = signal.getsignal(signal.SIGTERM)
    assert main(['local', str(tmp_path), '--host', '203.0.113.1']) == 1
    assert signal.getsignal(signal.SIGTERM) is before


def test_help_is_enough_to_use_it(capsys):
    """It shows the environment and the boto3 line, what arrives where, and how it ends."""
    with pytest.raises(SystemExit) as ended:
        main(['local', '--help'])
    text = capsys.readouterr().out

    assert ended.value.code == 0
    for needed in (
        'AWS_ENDPOINT_URL_FIREHOSE=http://127.0.0.1:4573', 'AWS_ACCESS_KEY_ID', "boto3.client('firehose'",
        'FOLDER/logs/YYYY/MM/DD/HH/', '_local/accounts', 'SIGTERM',
    ):  # fmt: skip
        assert needed in text
    for fault in CATALOGUE:
        assert f'\n  {fault} ' in text


def test_faults_can_be_armed_on_the_command_line(tmp_path):
    """A name with parameters; those of one command repeat with its seed."""
    process = subprocess.Popen(
        [*RUN, 'local', 'misbehaving', '--port', '0', '--fault', 'kms:times=1', '--seed', '7'],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        url = READY.fullmatch(process.stdout.readline())[1]
        session = boto3.session.Session(
            region_name='us-east-1', aws_access_key_id='a', aws_secret_access_key='a'
        )
        client = session.client('firehose', endpoint_url=url)
        with pytest.raises(client.exceptions.InvalidKMSResourceException):
            client.put_record(DeliveryStreamName='bar', Record={'Data': b'x'})
        client.put_record(DeliveryStreamName='bar', Record={'Data': b'x'})
        client.close()
        process.terminate()


def test_importing_the_package_does_not_need_aiohttp():
    """Only an endpoint that starts does."""
    code = "import sys; sys.modules['aiohttp'] = None; import firefighter.local, firefighter.testing"
    subprocess.run([sys.executable, '-c', code], check=True, env={**os.environ, 'PYTHONWARNINGS': 'error'})
