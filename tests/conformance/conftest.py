"""The two Firehoses that the suite runs against: ours, and moto's server, which none of us wrote."""

from __future__ import annotations

import functools
import uuid
import warnings
from collections import Counter

import boto3
import pytest
from botocore.config import Config

from firefighter.local import LocalFirehose

ROLE_ARN = 'arn:aws:iam::123456789012:role/firehose'
ENDPOINTS = ('local', 'moto')
_ran = Counter()


@pytest.fixture(autouse=True)
def no_thread_left():
    """Not here: the two endpoints and their threads live as long as the suite, and end with it."""


@functools.cache
def session():
    """Make one session for all tests, whose first clients are slow to make."""
    return boto3.session.Session(
        region_name='us-east-1', aws_access_key_id='any', aws_secret_access_key='any'
    )


def make_client(service, url):
    """Make a boto3 client without retries."""
    config = Config(retries={'total_max_attempts': 1}, s3={'addressing_style': 'path'})
    return session().client(service, endpoint_url=url, config=config)


class Endpoint:
    """A Firehose, a client of it, and a way to see what is in a bucket of its own."""

    def __init__(self, name, url):
        self.name = name
        self.client = make_client('firehose', url)
        self.bucket = f'bucket-{uuid.uuid4()}'
        self.stream = f'stream-{uuid.uuid4()}'
        self.destination = {'RoleARN': ROLE_ARN, 'BucketARN': f'arn:aws:s3:::{self.bucket}'}

    def create(self, **settings):
        """Create the stream, delivering into the bucket."""
        return self.client.create_delivery_stream(
            DeliveryStreamName=self.stream,
            ExtendedS3DestinationConfiguration={**self.destination, **settings},
        )

    def put(self, *records):
        """Put records in one batch and return the answer."""
        entries = [{'Data': record} for record in records]
        return self.client.put_record_batch(DeliveryStreamName=self.stream, Records=entries)


class Local(Endpoint):
    """Our own endpoint."""

    def __init__(self, process):
        super().__init__('local', process.url)
        self._process = process

    def objects(self):
        """Return key -> body, in the order of writing."""
        self._process.flush()
        root = self._process.folder / self.bucket
        files = [path for path in root.rglob('*') if path.is_file()]
        files.sort(key=lambda path: path.stat().st_mtime_ns)
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}

    def close(self):
        """Close the client."""
        self.client.close()


class Moto(Endpoint):
    """moto's server, which has an S3 too."""

    def __init__(self, url):
        super().__init__('moto', url)
        self._s3 = make_client('s3', url)
        self._s3.create_bucket(Bucket=self.bucket)

    def objects(self):
        """Return key -> body, in the order of writing."""
        found = self._s3.list_objects_v2(Bucket=self.bucket).get('Contents', [])
        found.sort(key=lambda entry: entry['LastModified'])
        return {
            entry['Key']: self._s3.get_object(Bucket=self.bucket, Key=entry['Key'])['Body'].read()
            for entry in found
        }

    def close(self):
        """Close both clients."""
        self.client.close()
        self._s3.close()


@pytest.fixture(scope='session')
def moto_url():
    """Run moto's server for the whole session."""
    with warnings.catch_warnings():
        # What moto's own dependencies deprecate is none of our affair.
        warnings.simplefilter('ignore')
        from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f'http://{host}:{port}'
    server.stop()
    server._server.server_close()


@pytest.fixture(scope='session')
def local_process(tmp_path_factory):
    """Run our endpoint for the whole session."""
    with LocalFirehose(tmp_path_factory.mktemp('firehose')) as endpoint:
        yield endpoint


@pytest.fixture(params=ENDPOINTS)
def endpoint(request):
    """Yield one of the two endpoints after the other."""
    if request.param == 'local':
        made = Local(request.getfixturevalue('local_process'))
    else:
        made = Moto(request.getfixturevalue('moto_url'))
    _ran[request.param] += 1
    yield made
    made.close()


def pytest_terminal_summary(terminalreporter):
    """Name the endpoints that were used, so that a run shows that both were."""
    counts = ', '.join(f'{_ran[name]} tests on {name}' for name in ENDPOINTS)
    terminalreporter.write_line(f'conformance: {counts}')
