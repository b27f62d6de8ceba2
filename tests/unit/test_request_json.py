"""Does the short way send what botocore would have sent, and understand what botocore would have understood?"""

import json
from binascii import b2a_base64
from functools import partial
from types import SimpleNamespace

import boto3.session
import botocore.exceptions
import pybase64
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from firefighter._delivery import request_json
from firefighter._delivery.clients import ClientOptions, make_client
from firefighter._delivery.request_json import use_fast_json

ACCEPTED = {
    'FailedPutCount': 0,
    'Encrypted': False,
    'RequestResponses': [{'RecordId': 'a'}, {'RecordId': 'b'}],
}
PARTLY = {
    'FailedPutCount': 1,
    'RequestResponses': [
        {'RecordId': 'a'},
        {'ErrorCode': 'ServiceUnavailableException', 'ErrorMessage': 'Slow down.'},
    ],
}


@pytest.fixture
def session():
    """A session with keys that open nothing."""
    return boto3.session.Session('key', 'secret', region_name='eu-north-1')


@pytest.fixture
def long_way(session):
    """A client as boto3 makes it."""
    return session.client('firehose', config=Config(retries={'total_max_attempts': 1, 'mode': 'standard'}))


@pytest.fixture
def short_way(session):
    """A client as we make it."""
    return make_client(ClientOptions(session))


TWO_RECORDS = (b'{"a":1}\n', bytes(range(256)))


def exchange(client, answer: bytes, status: int = 200, data=TWO_RECORDS):
    """Put records; return the request as it was signed, and the response."""
    requests = []

    def send(request, **_):
        requests.append(request)
        headers = {'x-amzn-RequestId': 'id', 'Content-Type': 'application/x-amz-json-1.1'}
        raw = SimpleNamespace(stream=lambda *_, **__: iter([answer]))
        return AWSResponse(request.url, status, headers, raw)

    client.meta.events.register('before-send.firehose.PutRecordBatch', send)
    records = [{'Data': one} for one in data]
    response = client.put_record_batch(DeliveryStreamName='bench', Records=records)
    return requests[0], response


@pytest.mark.parametrize('answer', [ACCEPTED, PARTLY])
def test_the_short_way_sends_and_understands_the_same(long_way, short_way, answer):
    """The body byte for byte, target, content type and length, and every field of the response."""
    ours, understood = exchange(short_way, json.dumps(answer).encode())
    theirs, expected = exchange(long_way, json.dumps(answer).encode())
    assert ours.body == theirs.body
    for name in ('X-Amz-Target', 'Content-Type'):
        assert ours.headers[name] == theirs.headers[name]
    assert int(ours.headers['Content-Length']) == len(ours.body)
    assert b'Signature=' in ours.headers['Authorization']
    assert understood == expected


@pytest.mark.parametrize('encode', [pybase64.b64encode, partial(b2a_base64, newline=False)])
@pytest.mark.parametrize(
    'data',
    [[b'x'], [b'xx', b'xxx', b'xxxx'], [b'\xfb\xff\xfe' * 10], [bytes(1_024_000)] * 4, [b'{"a":1}\n'] * 500],
    ids=['one', 'each padding', 'plus and slash', 'four full ones', 'the most'],
)
def test_any_body_is_botocores_byte_for_byte(long_way, short_way, monkeypatch, encode, data):
    """With pybase64, which is used where it is installed, and without."""
    monkeypatch.setattr(request_json, 'b64encode', encode)
    answer = json.dumps({'FailedPutCount': 0, 'RequestResponses': [{'RecordId': 'a'}] * len(data)}).encode()
    ours, understood = exchange(short_way, answer, data=data)
    theirs, expected = exchange(long_way, answer, data=data)
    assert ours.body == theirs.body
    assert understood == expected


@pytest.mark.parametrize(
    ('status', 'answer'),
    [
        (400, b'{"__type":"ResourceNotFoundException","message":"no such stream"}'),
        (500, b'{"__type":"InternalFailure"}'),
        (503, b'<html>no JSON</html>'),
    ],
)
def test_errors_stay_botocores_to_read(long_way, short_way, status, answer):
    """Their codes are what decides about the records."""
    errors = []
    for client in (short_way, long_way):
        with pytest.raises(botocore.exceptions.ClientError) as raised:
            exchange(client, answer, status)
        errors.append((type(raised.value).__name__, raised.value.response))
    assert errors[0] == errors[1]


@pytest.mark.parametrize('answer', [b'', b'{"RequestResponses":', b'[1]', b'3'])
def test_an_answer_that_is_none_is_as_before(long_way, short_way, answer):
    """Whatever botocore makes of it: an exception of the same class, or the same response."""
    seen = []
    for client in (short_way, long_way):
        try:
            seen.append(exchange(client, answer)[1])
        except Exception as error:
            seen.append(type(error).__name__)
    assert seen[0] == seen[1]


def test_hooks_of_the_users_session_see_the_records(session):
    """They were there first."""
    seen = []
    session.events.register(
        'provide-client-params.firehose.PutRecordBatch',
        lambda params, **_: seen.append(len(params['Records'])),
    )
    exchange(make_client(ClientOptions(session)), json.dumps(ACCEPTED).encode())
    assert seen == [2]


def test_a_client_of_another_protocol_is_left_alone():
    """AWS adds protocols, and botocore chooses."""
    meta = SimpleNamespace(service_model=SimpleNamespace(resolved_protocol='smithy-rpc-v2-cbor', metadata={}))
    use_fast_json(
        SimpleNamespace(meta=meta)
    )  # without events to register with: it must not even ask for them
