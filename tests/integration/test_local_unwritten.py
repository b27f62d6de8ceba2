"""What cannot be written is refused beforehand, or kept, or told; and it hides nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest
from botocore.exceptions import ClientError

from firefighter.local import EndpointError, LocalFirehose, LocalFirehoseProcess
from raw_requests import PUT, ask

pytest_plugins = ['firefighter.testing']

RECORD = b'{"DeliveryStreamName":"bar","Record":{"Data":"eA=="}}'
S3 = {
    'RoleARN': 'arn:aws:iam::123456789012:role/firehose',
    'BucketARN': 'arn:aws:s3:::other-bucket',
    'ErrorOutputPrefix': 'failed/',
}


def files(folder):
    """Return all files below a folder, hidden ones too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file())


def put(client, stream, data=b'x'):
    """Put one record."""
    client.put_record(DeliveryStreamName=stream, Record={'Data': data})


def create(client, name, **s3):
    """Create a stream to S3 in the bucket `other-bucket`."""
    client.create_delivery_stream(DeliveryStreamName=name, ExtendedS3DestinationConfiguration={**S3, **s3})


@pytest.mark.parametrize(
    'prefix',
    [
        "!{timestamp:'..'}/!{timestamp:'..'}/x",
        "!{timestamp:'/tmp/firefighter-outside/'}",
        ".!{timestamp:'.'}/a",
        "a/!{timestamp:'../..'}/../b",
        "!{timestamp:'a\\b'}",
    ],
)
@pytest.mark.parametrize('which', ['Prefix', 'ErrorOutputPrefix'])
def test_no_prefix_leads_out_of_the_folder_once_it_is_evaluated(
    local_firehose, firehose_client, prefix, which
):
    """Not only as it is written: a literal in quotes may have what the prefix itself may not."""
    if which == 'ErrorOutputPrefix':
        prefix += '/!{firehose:error-output-type}'
    with pytest.raises(
        firehose_client.exceptions.InvalidArgumentException, match='cannot be a path in the folder'
    ):
        create(firehose_client, 'foo', **{which: prefix})
    assert local_firehose.accounts().keys() == {'bar'}


@pytest.mark.parametrize(
    's3',
    [
        {'Prefix': 'a' * 256 + '/'},
        {'Prefix': 'é' * 128 + '/'},
        # Long enough together with what follows it: the name of the object.
        {'Prefix': '!{timestamp:yyyy}/' + 'a' * 200},
        {'Prefix': 'a' * 150 + '!{timestamp:MM}', 'FileExtension': '.' + 'x' * 60},
        # Only on a Wednesday in September is it that long.
        {'Prefix': '!{timestamp:yyyy}/' + 'a' * 238 + '!{timestamp:EEEEMMMM}/'},
        {'ErrorOutputPrefix': 'a' * 256 + '/'},
    ],
)  # fmt: skip
def test_a_name_that_no_file_can_have_is_refused_when_the_stream_is_created(
    local_firehose, firehose_client, s3
):
    """S3 takes it; the file system does not, and the records would stay for ever."""
    with pytest.raises(firehose_client.exceptions.InvalidArgumentException, match='File name too long'):
        create(firehose_client, 'foo', **s3)
    assert local_firehose.accounts().keys() == {'bar'}


def test_names_as_long_as_they_may_be_are_delivered(local_firehose, firehose_client):
    """The limit is the file system's: 255 bytes on most."""
    create(firehose_client, 'foo', Prefix='é' * 127 + '/!{timestamp:yyyy}/')
    put(firehose_client, 'foo')
    assert local_firehose.delivered('other-bucket') == b'x'


def test_a_link_in_the_folder_does_not_lead_out_of_it(local_firehose, firehose_client, tmp_path):
    """Where a person, or another program, has put one: the records are kept."""
    (tmp_path / 'elsewhere').mkdir()
    (local_firehose.folder / 'logs').symlink_to(tmp_path / 'elsewhere')
    put(firehose_client, 'bar')

    with pytest.raises(EndpointError, match='It leads out of the folder'):
        local_firehose.flush()
    assert files(tmp_path / 'elsewhere') == []
    (local_firehose.folder / 'logs').unlink()
    assert local_firehose.delivered() == b'x'


def test_a_stream_that_cannot_be_written_hides_no_other(local_firehose, firehose_client):
    """The others are written, and can be read; the error names the one, how many records wait, and why."""
    create(firehose_client, 'foo')
    blocker = local_firehose.folder / 'other-bucket'
    blocker.write_text('not a folder')
    for stream in ('foo', 'bar', 'foo'):
        put(firehose_client, stream)

    with pytest.raises(
        EndpointError, match=r'^some records cannot be written and are kept: 2 of stream foo \(.*other-bucket'
    ):
        local_firehose.flush()
    assert local_firehose.delivered() == b'x'
    assert local_firehose.account('bar').delivered_records == 1
    with pytest.raises(EndpointError, match='2 of stream foo'):
        local_firehose.delivered('other-bucket')

    blocker.unlink()
    assert local_firehose.delivered('other-bucket') == b'xx'


def test_a_bucket_that_cannot_be_written_hides_no_other_of_the_same_stream(local_firehose, firehose_client):
    """What a destination refuses goes into another bucket than what it takes."""
    firehose_client.create_delivery_stream(
        DeliveryStreamName='splunk',
        SplunkDestinationConfiguration={
            'HECEndpoint': 'https://splunk.example', 'HECEndpointType': 'Event', 'HECToken': 'x', 'S3Configuration': S3,
        },
    )  # fmt: skip
    blocker = local_firehose.folder / '_splunk'
    blocker.write_text('not a folder')
    put(firehose_client, 'splunk', b'{"event":1}')
    put(firehose_client, 'splunk', b'not an event')

    assert b'rawData' in local_firehose.delivered('other-bucket')
    with pytest.raises(EndpointError, match='1 of stream splunk'):
        local_firehose.flush()
    blocker.unlink()
    assert local_firehose.delivered('_splunk') == b'{"event":1}'


def test_a_stream_is_not_deleted_with_records_that_cannot_be_written(local_firehose, firehose_client):
    """Whoever deletes it is told. They are kept, until they can be written."""
    (local_firehose.folder / 'logs').write_text('not a folder')
    put(firehose_client, 'bar')
    with pytest.raises(
        firehose_client.exceptions.ResourceInUseException, match='bar has records that cannot be written'
    ):
        firehose_client.delete_delivery_stream(DeliveryStreamName='bar')

    (local_firehose.folder / 'logs').unlink()
    firehose_client.delete_delivery_stream(DeliveryStreamName='bar')
    assert local_firehose.delivered() == b'x'
    with pytest.raises(ClientError, match='not found'):
        put(firehose_client, 'bar')


def lose(endpoint):
    """Let an endpoint accept a record that it cannot write."""
    (endpoint.folder / 'logs').write_text('not a folder')
    assert ask(endpoint.url, 'POST', '/', RECORD, **PUT)[0] == 200


KINDS = pytest.mark.parametrize('kind', [LocalFirehose, LocalFirehoseProcess])
LOST = r'^some records could not be written and are lost: 1 of stream bar \('


@KINDS
def test_the_end_of_the_block_tells_what_is_lost(tmp_path, kind):
    """As an exception, since nobody looks elsewhere."""
    with (
        pytest.raises(EndpointError, match=LOST),
        kind(tmp_path, streams=['bar'], buffer_seconds=900) as endpoint,
    ):
        lose(endpoint)


@KINDS
def test_stop_tells_what_is_lost_and_only_once(tmp_path, kind):
    """The same without a block."""
    endpoint = kind(tmp_path, streams=['bar'], buffer_seconds=900).start()
    lose(endpoint)
    with pytest.raises(EndpointError, match=LOST):
        endpoint.stop()
    endpoint.stop()


@KINDS
def test_an_exception_that_ends_the_block_is_not_hidden_by_what_is_lost(tmp_path, capfd, kind):
    """It passes as it is, and a line on stderr tells the rest."""
    with suppress(ZeroDivisionError), kind(tmp_path, streams=['bar'], buffer_seconds=900) as endpoint:
        lose(endpoint)
        raise ZeroDivisionError
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(
        'firefighter local: some records could not be written and are lost: 1 of stream bar ('
    )


def test_an_endpoint_that_was_killed_is_told(tmp_path):
    """What it had accepted is gone with it."""
    with (
        pytest.raises(EndpointError, match='ended with status -9'),
        LocalFirehoseProcess(tmp_path) as endpoint,
    ):
        os.kill(endpoint.pid, signal.SIGKILL)


# Says when a file of it is there and locked, and goes on when it is told.
WRITER = """
import sys
import firefighter.local.folder as folder
from firefighter.local import LocalFirehose

lock = folder._lock

def lock_and_wait(file, *, wait=True):
    lock(file, wait=wait)
    if wait:
        file.write(b'half')
        file.flush()
        print('writing', flush=True)
        sys.stdin.readline()
        file.seek(0)

folder._lock = lock_and_wait
with LocalFirehose(sys.argv[1], streams=['bar']) as endpoint:
    print(endpoint.url, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def writer(tmp_path):
    """Start a process whose endpoint is in the middle of writing an object."""
    process = subprocess.Popen(
        [sys.executable, '-c', WRITER, str(tmp_path / 'out')],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert ask(process.stdout.readline().strip(), 'POST', '/', RECORD, **PUT)[0] == 200
        assert process.stdout.readline() == 'writing\n'
        yield process
        process.kill()


def test_what_a_killed_endpoint_was_writing_is_removed_by_the_next_start(writer, tmp_path):
    """Nobody else would: it is in a hidden folder, and a full disk may have been why it was killed."""
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    (unfinished,) = files(tmp_path / 'out')
    assert unfinished.startswith('.incoming/')
    (tmp_path / 'out' / '.incoming' / 'notes.txt').touch()

    with LocalFirehose(tmp_path / 'out'):
        # What is not ours stays.
        assert files(tmp_path / 'out') == ['.incoming/notes.txt']


@pytest.mark.skipif(sys.platform == 'win32', reason='no pipes in folders, and links for administrators only')
def test_what_no_endpoint_has_made_stays_whatever_it_is_called(tmp_path):
    """A pipe would be waited for: nobody reads from it."""
    incoming = tmp_path / 'out' / '.incoming'
    (incoming / ('d' * 32)).mkdir(parents=True)
    (tmp_path / 'elsewhere').write_text('x')
    (incoming / ('a' * 32)).symlink_to(tmp_path / 'elsewhere')
    (incoming / ('b' * 32)).symlink_to(tmp_path / 'nowhere')
    os.mkfifo(incoming / ('c' * 32))
    (incoming / ('e' * 32)).touch()

    with LocalFirehose(tmp_path / 'out'):
        assert sorted(path.name[0] for path in incoming.iterdir()) == ['a', 'b', 'c', 'd']
    assert sorted(path.name for path in tmp_path.iterdir()) == ['elsewhere', 'out']


@pytest.mark.skipif(sys.platform == 'win32', reason='it is open there, which no other program may remove')
def test_what_a_living_endpoint_is_writing_stays(writer, tmp_path):
    """Two may deliver into one folder, and one of them start while the other one writes."""
    with LocalFirehose(tmp_path / 'out'), LocalFirehoseProcess(tmp_path / 'out'):
        (unfinished,) = files(tmp_path / 'out')
        assert unfinished.startswith('.incoming/')
    writer.stdin.write('\n\n')
    writer.stdin.close()
    assert writer.wait() == 0
    (delivered,) = files(tmp_path / 'out')
    assert delivered.startswith('logs/')
    # It was written from its beginning on, once the process went on.
    assert (tmp_path / 'out' / delivered).read_bytes().startswith(b'x')
