"""Is `firefighter local` enough for a person, and fit to be a child process?"""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from firefighter.cli.main import main
from firefighter.local import LocalFirehose, LocalFirehoseClient, LocalFirehoseProcess
from firefighter.local.catalogue import CATALOGUE
from raw_requests import PUT, ask

RUN = [
    sys.executable,
    '-W',
    'error',
    '-c',
    'import sys; from firefighter.cli.main import main; sys.exit(main())',
]
# What an SDK sends at least.
SDK = {'X-Amz-Target': 'Firehose_20150804.PutRecord', 'Authorization': 'any'}
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


def test_a_stream_that_is_named_twice_is_a_wrong_argument(capsys, tmp_path):
    """And not what AWS says of a stream that is there already."""
    assert main(['local', str(tmp_path), '--port', '0', '--stream', 'foo', '--stream', 'foo']) == 2
    assert capsys.readouterr().err == 'firefighter local: --stream names a stream twice: foo foo\n'


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
        (['--fault', 'partial:share=2'], 'share=2 must be from 0 to 1\n'),
        (['--fault', 'slow:probability=1.5'], 'probability=1.5 must be from 0 to 1\n'),
        (['--fault', 'slow:seconds=1e308'], 'seconds=1e308 must be from 0 to 86400\n'),
        (['--buffer-seconds', '1e308'], "'1e308' is no number from 0 to 86400"),
        (['--buffer-mib', '1e308'], "'1e308' is no number from 0 to 1048576"),
        (['--allow-host', 'http://firehose:4573'], 'is no name of a host; write it alone'),
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
        ' AWS_REGION=', ' AWS_DEFAULT_REGION=', '--create-on-put', '--allow-host',
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


def session():
    """Make a boto3 session, which needs keys and a region."""
    return boto3.session.Session(region_name='us-east-1', aws_access_key_id='a', aws_secret_access_key='a')


def start(folder, *options, **streams):
    """Start the command with options on a free port, and return the process and its URL."""
    process = subprocess.Popen(
        [*RUN, 'local', str(folder), '--port', '0', *options],
        stdout=subprocess.PIPE, text=True, **streams,
    )  # fmt: skip
    return process, READY.fullmatch(process.stdout.readline())[1]


@pytest.mark.skipif(sys.platform == 'win32', reason='no terminals of this kind there')
def test_the_line_that_a_terminal_gets_can_be_pasted_and_has_the_region_for_every_sdk(tmp_path):
    """boto3 reads AWS_DEFAULT_REGION, the others AWS_REGION; the shell has nothing of AWS before."""
    ours, theirs = os.openpty()
    process = subprocess.Popen([*RUN, 'local', str(tmp_path / 'out'), '--port', '0'], stdout=theirs)
    os.close(theirs)
    with process, os.fdopen(ours, 'rb', buffering=0) as terminal:
        said = b''
        while said.count(b'\n') < 2:
            said += terminal.read(4096)
        line = said.decode().splitlines()[1]
        code = (
            "import boto3, os; boto3.client('firehose').put_record(DeliveryStreamName='bar', Record={'Data': b'Ahoy'}); "
            "print(os.environ['AWS_REGION'], os.environ['AWS_DEFAULT_REGION'])"
        )
        pasted = subprocess.run(
            ['/bin/sh', '-c', f'{line}\nexec "$PYTHON" -Wignore -c "$CODE"'],
            env={'PYTHON': sys.executable, 'CODE': code, 'HOME': str(tmp_path), 'PYTHONPATH': os.environ.get('PYTHONPATH', '')},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        process.terminate()
    assert (pasted.returncode, pasted.stdout) == (0, 'us-east-1 us-east-1\n'), pasted.stderr
    (delivered,) = (path for path in (tmp_path / 'out').rglob('*') if path.is_file())
    assert delivered.read_bytes() == b'Ahoy'


def test_streams_are_made_as_puts_name_them(tmp_path):
    """What a compose file wants: nobody has to make them first. Names that AWS does not allow are refused as ever."""
    process, url = start(tmp_path, '--create-on-put')
    client = session().client('firehose', endpoint_url=url)
    assert client.list_delivery_streams()['DeliveryStreamNames'] == []
    client.put_record(DeliveryStreamName='one', Record={'Data': b'1'})
    client.put_record_batch(DeliveryStreamName='two', Records=[{'Data': b'2'}])
    client.put_record(DeliveryStreamName='one', Record={'Data': b'3'})
    for wrong in ('a b', 'x' * 65):
        with pytest.raises(ClientError, match='ValidationException'):
            client.put_record(DeliveryStreamName=wrong, Record={'Data': b'x'})
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_delivery_stream(DeliveryStreamName='three')
    assert client.list_delivery_streams()['DeliveryStreamNames'] == ['one', 'two']
    client.close()
    with process:
        process.terminate()
    assert {path.name.partition('-')[0]: path.read_bytes() for path in tmp_path.rglob('*-1-*')}.keys() == {
        'one',
        'two',
    }


def test_streams_can_be_made_at_once_and_as_they_come(tmp_path):
    """Also by a program that starts it."""
    with LocalFirehoseProcess(tmp_path / 'a', streams=['one'], create_on_put=True) as endpoint:
        assert endpoint.accounts().keys() == {'one'}
        ask(endpoint.url, 'POST', '/', b'{"DeliveryStreamName":"two","Record":{"Data":"eA=="}}', **PUT)
        assert endpoint.account('two').records == 1
    with LocalFirehose(tmp_path / 'b', create_on_put=True) as endpoint:
        ask(endpoint.url, 'POST', '/', b'{"DeliveryStreamName":"two","Record":{"Data":"eA=="}}', **PUT)
        assert endpoint.delivered() == b'x'


def test_a_service_of_a_compose_file_is_reached_by_its_name(tmp_path):
    """On all addresses, by the name that is allowed and by no other."""
    process, url = start(tmp_path, '--host', '0.0.0.0', '--allow-host', 'firehose', '--create-on-put')
    url = url.replace('0.0.0.0', '127.0.0.1')
    body = b'{"DeliveryStreamName":"two","Record":{"Data":"eA=="}}'
    assert ask(url, 'POST', '/', body, Host='firehose:4573', **PUT)[0] == 200
    assert ask(url, 'POST', '/', body, Host='fire.house', **PUT)[0] == 403
    with process:
        process.terminate()


@pytest.mark.skipif(sys.platform == 'win32', reason='no such limit there')
def test_more_connections_than_descriptors_are_one_line_and_wait(tmp_path):
    """No traceback for each; what was accepted is kept as long as it cannot be written; then all is as before."""
    limited = ['/bin/sh', '-c', 'ulimit -n 64; exec "$@"', 'sh']
    process = subprocess.Popen(
        [*limited, *RUN, 'local', str(tmp_path), '--port', '0'],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        url = READY.fullmatch(process.stdout.readline())[1]
        address = urlsplit(url)
        early = http.client.HTTPConnection(address.hostname, address.port)
        early.request('GET', '/_local/accounts')
        early.getresponse().read()
        for _ in range(2):
            crowd = [socket.create_connection((address.hostname, address.port)) for _ in range(100)]
            # It is full when it cannot write.
            error = ''
            while 'Too many open files' not in error:
                early.request('POST', '/', b'{"DeliveryStreamName":"bar","Record":{"Data":"eA=="}}', SDK)
                assert early.getresponse().read()
                early.request('POST', '/_local/flush', b'', {'Content-Type': 'application/json'})
                error = early.getresponse().read().decode()
            for connection in crowd:
                connection.close()
            LocalFirehoseClient(url).flush()
            account = LocalFirehoseClient(url).account('bar')
            assert account.records == account.delivered_records > 0
        early.close()
        process.terminate()
        (line,) = process.stderr.read().splitlines()
    assert process.returncode == 0
    assert line == (
        'firefighter local: there is no room for another connection (Too many open files); those that come wait until there is'
    )
