"""Do the AWS command line, the JavaScript SDK and aioboto3 get on with `firefighter local`? `make sdks-test` installs them and asks.

Each is configured by the variables that the command prints, and by nothing else. boto3 has all the other tests.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from botocore import xform_name

from firefighter.local import LocalFirehoseClient

# Where they are installed. The Makefile says it, since each of them may want another botocore than the tests have.
PLACE = os.environ.get('SDKS')
pytestmark = pytest.mark.skipif(
    PLACE is None,
    reason='no SDK but boto3 is installed here: `make sdks-test` installs others, and runs this',
)
PROGRAMS = Path(__file__).parent / 'sdks'
COMMAND = [sys.executable, '-c', 'import sys; from firefighter.cli.main import main; sys.exit(main())']
READY = re.compile(r'firefighter local: listening on (\S+), delivering into (.*)\r\n +export (.*)\r\n')

Call = Callable[..., dict[str, Any]]


class CallError(Exception):
    """A call has failed.

    Args:
        error: the class of the error, by the SDK's own name.
        message: the service's words.
    """

    def __init__(self, error: str, message: str) -> None:
        super().__init__(f'{error}: {message}')
        self.error = error
        self.message = message


class Endpoint(NamedTuple):
    """A running `firefighter local`: where it delivers, what it printed for the shell, and what controls it."""

    folder: Path
    environment: Mapping[str, str]
    control: LocalFirehoseClient

    def delivered(self, bucket: str, prefix: str = '') -> str:
        """Return what the objects below a prefix contain."""
        self.control.flush()
        files = sorted(path for path in (self.folder / bucket / prefix).rglob('*') if path.is_file())
        return ''.join(path.read_text('utf-8') for path in files)


@pytest.fixture(scope='module')
def endpoint(tmp_path_factory) -> Iterator[Endpoint]:
    """Start it as a person does, on a terminal, and read what it prints there."""
    place = tmp_path_factory.mktemp('local')
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [*COMMAND, 'local', str(place / 'out'), '--port', '0', '--buffer-seconds', '900'], stdout=theirs
    )
    os.close(theirs)
    with process, os.fdopen(ours, 'rb', buffering=0) as terminal:
        said = b''
        while said.count(b'\n') < 2:
            said += terminal.read(4096)
        url, folder, exports = READY.fullmatch(said.decode()).groups()
        variables = dict(assignment.split('=', 1) for assignment in shlex.split(exports))
        # No file of this machine's user says anything, nor a variable of the shell.
        environment = {'PATH': os.environ['PATH'], 'HOME': str(place), **variables}
        yield Endpoint(Path(folder), environment, LocalFirehoseClient(url))
        process.terminate()
    assert process.returncode == 0


@contextlib.contextmanager
def command_line(environment: Mapping[str, str]) -> Iterator[Call]:
    """Call by `aws firehose`, with an option for each parameter."""

    def call(operation: str, **parameters: object) -> dict[str, Any]:
        options = []
        for name, value in parameters.items():
            options += [f'--{xform_name(name, "-")}', value if isinstance(value, str) else json.dumps(value)]
        ended = subprocess.run(
            [f'{PLACE}/bin/aws', 'firehose', xform_name(operation, '-'), *options],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if ended.returncode:
            said = re.fullmatch(
                r'\s*An error occurred \((\w+)\) when calling .*? operation: (.*)\n', ended.stderr
            )
            assert said, ended.stderr
            raise CallError(*said.groups())
        return json.loads(ended.stdout or '{}')

    yield call


@contextlib.contextmanager
def program(environment: Mapping[str, str], *command: str) -> Iterator[Call]:
    """Call by a program that uses one client for all that it is asked, line by line."""
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def call(operation: str, **parameters: object) -> dict[str, Any]:
            process.stdin.write(json.dumps([operation, parameters]) + '\n')
            process.stdin.flush()
            said = json.loads(process.stdout.readline())
            if 'error' in said:
                raise CallError(said['error'], said['message'])
            return said['answer']

        yield call
        process.stdin.close()
    assert process.returncode == 0


def javascript(environment: Mapping[str, str]) -> contextlib.AbstractContextManager[Call]:
    """Call by the JavaScript SDK."""
    packages = Path(PLACE, 'node_modules')
    if not packages.exists():
        pytest.skip('no JavaScript SDK here: it needs npm and Node 20')
    return program({**environment, 'NODE_PATH': str(packages)}, 'node', str(PROGRAMS / 'with_javascript.cjs'))


def aioboto3(environment: Mapping[str, str]) -> contextlib.AbstractContextManager[Call]:
    """Call by aioboto3, which is boto3 on aiohttp."""
    return program(environment, f'{PLACE}/bin/python', str(PROGRAMS / 'with_aioboto3.py'))


@pytest.fixture(scope='module', params=[command_line, javascript, aioboto3])
def call(request, endpoint) -> Iterator[Call]:
    """Return what makes a call by one SDK after the other."""
    with request.param(endpoint.environment) as by_sdk:
        yield by_sdk


def s3(bucket: str, **settings: str) -> dict[str, str]:
    """Return a destination."""
    return {'RoleARN': 'arn:aws:iam::123456789012:role/a', 'BucketARN': f'arn:aws:s3:::{bucket}', **settings}


@pytest.fixture
def stream(endpoint) -> str:
    """Create a stream that delivers into a bucket of its name."""
    name = f'stream-{uuid.uuid4()}'
    endpoint.control.create_stream(name, ExtendedS3DestinationConfiguration=s3(name, Prefix='orders/'))
    return name


def describe(call: Call, stream: str) -> dict[str, Any]:
    """Return what DescribeDeliveryStream says."""
    return call('DescribeDeliveryStream', DeliveryStreamName=stream)['DeliveryStreamDescription']


def test_what_is_put_is_delivered_and_each_refused_record_is_named(call, endpoint, stream):
    """One by itself; then of a batch, which is answered with 200, all but one."""
    assert call('PutRecord', DeliveryStreamName=stream, Record={'Data': 'Ahoy\n'})['RecordId']
    endpoint.control.inject('partial', which='1', times=1, stream=stream)
    records = [{'Data': 'one\n'}, {'Data': 'two\n'}, {'Data': 'Größe 三\n'}]
    answer = call('PutRecordBatch', DeliveryStreamName=stream, Records=records)

    assert answer['FailedPutCount'] == 1
    first, refused, last = answer['RequestResponses']
    assert first['RecordId'] != last['RecordId']
    assert (refused['ErrorCode'], refused['ErrorMessage']) == ('ServiceUnavailableException', 'Slow down.')
    assert endpoint.delivered(stream, 'orders') == 'Ahoy\none\nGröße 三\n'


@pytest.mark.parametrize('fault', ['unavailable', 'reset-before'])
def test_the_sdk_itself_tries_again_what_may_be_tried_again(call, endpoint, stream, fault):
    """It knows the failure for one that will pass, and the record is there once."""
    struck = endpoint.control.strikes().get(fault, 0)
    endpoint.control.inject(fault, times=1, stream=stream)
    call('PutRecord', DeliveryStreamName=stream, Record={'Data': 'once'})

    assert endpoint.control.strikes()[fault] == struck + 1
    assert endpoint.delivered(stream) == 'once'


def test_a_stream_is_there_from_its_creation_to_its_deletion(call):
    """Then it is refused by the error that the SDK has a class of its own for."""
    stream = f'stream-{uuid.uuid4()}'
    created = call(
        'CreateDeliveryStream',
        DeliveryStreamName=stream,
        ExtendedS3DestinationConfiguration=s3('orders', CompressionFormat='GZIP'),
        Tags=[{'Key': 'team', 'Value': 'shop'}],
    )
    description = describe(call, stream)
    assert description['DeliveryStreamARN'] == created['DeliveryStreamARN']
    assert description['DeliveryStreamStatus'] == 'ACTIVE'
    assert description['CreateTimestamp']
    assert description['Destinations'][0]['ExtendedS3DestinationDescription']['CompressionFormat'] == 'GZIP'
    assert stream in call('ListDeliveryStreams', Limit=10_000)['DeliveryStreamNames']

    call('DeleteDeliveryStream', DeliveryStreamName=stream)
    with pytest.raises(CallError, match=f'Firehose {stream} under account .* not found') as caught:
        call('PutRecord', DeliveryStreamName=stream, Record={'Data': 'x'})
    assert caught.value.error == 'ResourceNotFoundException'


def test_a_destination_is_updated_by_its_version_and_id(call, endpoint, stream):
    """What follows goes there; and an update of a version that is no more is refused."""
    description = describe(call, stream)
    update = {
        'DeliveryStreamName': stream,
        'CurrentDeliveryStreamVersionId': description['VersionId'],
        'DestinationId': description['Destinations'][0]['DestinationId'],
        'ExtendedS3DestinationUpdate': {'Prefix': 'returns/'},
    }
    call('UpdateDestination', **update)
    call('PutRecord', DeliveryStreamName=stream, Record={'Data': 'Ahoy'})
    assert endpoint.delivered(stream, 'returns') == 'Ahoy'

    with pytest.raises(CallError, match=r'version id: 2 .*version id: 1 do not') as caught:
        call('UpdateDestination', **update)
    assert caught.value.error == 'ConcurrentModificationException'


def test_tags_are_added_listed_and_removed(call, stream):
    """In any language."""
    tags = [{'Key': 'stage', 'Value': 'Prüfung'}, {'Key': 'team', 'Value': 'shop'}]
    call('TagDeliveryStream', DeliveryStreamName=stream, Tags=tags)
    call('UntagDeliveryStream', DeliveryStreamName=stream, TagKeys=['team'])
    answer = call('ListTagsForDeliveryStream', DeliveryStreamName=stream)
    assert (answer['Tags'], answer['HasMoreTags']) == (tags[:1], False)


def test_encryption_is_started_and_stopped(call, stream):
    """And each put says whether it is on."""
    key = {'KeyType': 'CUSTOMER_MANAGED_CMK', 'KeyARN': 'arn:aws:kms:us-east-1:123456789012:key/a'}
    call(
        'StartDeliveryStreamEncryption',
        DeliveryStreamName=stream,
        DeliveryStreamEncryptionConfigurationInput=key,
    )
    assert call('PutRecord', DeliveryStreamName=stream, Record={'Data': 'x'})['Encrypted'] is True
    call('StopDeliveryStreamEncryption', DeliveryStreamName=stream)
    assert call('PutRecord', DeliveryStreamName=stream, Record={'Data': 'x'})['Encrypted'] is False
