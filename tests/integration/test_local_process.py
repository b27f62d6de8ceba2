"""Can a program start the endpoint as a process of its own, and rely on how it ends?"""

from __future__ import annotations

import boto3
import pytest

from firefighter.local import EndpointError, LocalFirehose, LocalFirehoseProcess


def put(url, data):
    """Put one record into the stream `foo`."""
    session = boto3.session.Session(region_name='us-east-1', aws_access_key_id='a', aws_secret_access_key='a')
    client = session.client('firehose', endpoint_url=url)
    client.put_record(DeliveryStreamName='foo', Record={'Data': data})
    client.close()


def test_it_runs_while_the_block_lasts_and_delivers_what_is_buffered(tmp_path):
    """With the same controls as in process."""
    faults = ['slow:seconds=0,probability=0.5']
    with LocalFirehoseProcess(
        tmp_path / 'a folder', streams=['foo'], buffer_seconds=900, faults=faults, seed=1
    ) as endpoint:
        put(endpoint.url, b'Ahoy')
        assert endpoint.account('foo').records == 1
        assert endpoint.pid > 0
    (delivered,) = (path for path in endpoint.folder.rglob('*') if path.is_file())
    assert delivered.read_bytes() == b'Ahoy'
    with pytest.raises(EndpointError, match='no local endpoint answers'):
        endpoint.accounts()


def test_one_that_cannot_start_says_why(tmp_path):
    """In its own words, without a traceback."""
    with LocalFirehose(tmp_path) as taken:
        port = int(taken.url.rpartition(':')[2])
        with pytest.raises(EndpointError, match=f'^firefighter local: cannot listen on 127.0.0.1:{port}'):
            LocalFirehoseProcess(tmp_path, port=port).start()


def test_one_that_loses_records_at_its_end_is_an_error(tmp_path):
    """A test that uses it fails, and does not wonder."""
    endpoint = LocalFirehoseProcess(tmp_path, streams=['foo'], buffer_seconds=900).start()
    (tmp_path / 'logs').write_text('not a folder')
    put(endpoint.url, b'Ahoy')
    with pytest.raises(EndpointError, match='could not be written'):
        endpoint.stop()
