"""P4: is anything that a handler sends ever refused for its size? The local endpoint, with AWS's limits, is the judge."""

from __future__ import annotations

import logging
import threading

import boto3
import pytest
from botocore.config import Config
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arrivals import deliver_everything
from depth import depth
from doubles import DEADLINE_SECONDS
from firefighter._delivery.limits import MAX_RECORD_BYTES, MAX_RECORDS, MAX_REQUEST_BYTES
from firefighter.local import LocalFirehose
from firefighter.logging import FirehoseHandler

pytestmark = pytest.mark.once

# The newline that is added counts; where there is one at the end none is.
EDGE = MAX_RECORD_BYTES - 1
SIZES = st.one_of(
    st.integers(0, 3_000),
    st.sampled_from([5_119, 5_120, 100_000, MAX_REQUEST_BYTES // 4, EDGE // 2, EDGE - 1, EDGE]),
    st.sampled_from([EDGE + 1, 2 * EDGE]),
)
# Newlines are escaped in the spool, where such an event is twice as long, and restored on the way out.
CHARACTERS = st.sampled_from(['x', 'x', '\n'])
# With their newlines just too much for a request together: eight of the one, or four of the other.
LARGE = st.sampled_from([MAX_REQUEST_BYTES // 8, MAX_REQUEST_BYTES // 4])
FEW = st.one_of(
    st.lists(st.tuples(CHARACTERS, SIZES), min_size=1, max_size=12),
    st.lists(st.tuples(st.just('x'), LARGE), min_size=9, max_size=14),
)
MANY = st.integers(0, 3 * MAX_RECORDS)


class Wire:
    """Notes the records of each request that a client is about to send, and holds it back until it is let go."""

    def __init__(self, client) -> None:
        self.requests: list[list[int]] = []
        self.go = threading.Event()
        client.meta.events.register('before-parameter-build.firehose.PutRecordBatch', self._note)

    def _note(self, params, **_) -> None:
        self.requests.append([len(record['Data']) for record in params['Records']])
        assert self.go.wait(DEADLINE_SECONDS)


@pytest.fixture(scope='module')
def endpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp('firehose')
    with LocalFirehose(folder, streams=['bar'], buffer_seconds=900, buffer_bytes=2**30) as started:
        yield started


@pytest.fixture(scope='module')
def client(endpoint):
    session = boto3.session.Session(
        region_name='us-east-1', aws_access_key_id='local', aws_secret_access_key='local'
    )
    config = Config(retries={'total_max_attempts': 1, 'mode': 'standard'})
    made = session.client('firehose', endpoint_url=endpoint.url, config=config)
    yield made
    made.close()


@pytest.fixture(scope='module')
def wire(client):
    return Wire(client)


@settings(max_examples=depth(5, 25), deadline=None)
@given(
    large=FEW,
    small=MANY,
    small_first=st.booleans(),
    max_in_flight=st.sampled_from([1, 4]),
    way=st.sampled_from([{}, {'aggregate': True}, {'compression': 'gzip'}, {'compression': 'zstd'}]),
)
@example(large=[('x', MAX_REQUEST_BYTES // 8)] * 14, small=0, small_first=False, max_in_flight=1, way={})
def test_no_request_is_refused_for_its_size(
    endpoint, client, wire, large, small, small_first, max_in_flight, way
):
    """At most 500 records, 1,024,000 bytes in a record, 4 MiB less 16 KiB in a request; and everything arrives."""
    wire.requests.clear()
    wire.go.clear()
    before = endpoint.account('bar')
    handler = FirehoseHandler(
        'bar',
        boto3_client=client,
        max_in_flight=max_in_flight,
        **way,
        max_spool_bytes=64 * 2**20,
    )
    handler.setFormatter(logging.Formatter('%(message)s'))
    logger = logging.Logger('foo')
    logger.addHandler(handler)
    texts = [character * size for character, size in large]
    texts[0 if small_first else len(texts) :] = ['y'] * small
    for text in texts:
        logger.info('%s', text)
    wire.go.set()
    stats = deliver_everything(handler)
    handler.close()
    after = endpoint.account('bar')

    assert all(len(request) <= MAX_RECORDS for request in wire.requests)
    assert all(max(request) <= MAX_RECORD_BYTES for request in wire.requests)
    assert all(sum(request) <= MAX_REQUEST_BYTES for request in wire.requests)
    assert (stats.delivered, stats.dropped, stats.retried) == (len(texts), {}, 0)
    assert stats.last_error is None
    assert stats.requests == len(wire.requests) == after.requests - before.requests
    assert after.records - before.records == stats.records == sum(map(len, wire.requests))
    assert (stats.records < len(texts)) if way and small > 1 else (stats.records <= len(texts))
    assert way or stats.records == len(texts)
    assert stats.truncated == sum(len(text) + (not text.endswith('\n')) > MAX_RECORD_BYTES for text in texts)
    assert after.bytes - before.bytes == sum(map(sum, wire.requests)) == stats.sent_bytes
