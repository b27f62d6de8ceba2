"""What is malformed is refused with a reason when it is said, and not when it strikes."""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

import pytest

from firefighter.local import EndpointError, LocalFirehose, LocalFirehoseProcess
from raw_requests import JSON, PUT, ask

pytest_plugins = ['firefighter.testing']


@pytest.mark.parametrize(
    ('operation', 'body', 'reason'),
    [
        ('inject', b'{', 'not JSON'),
        ('inject', b'\xff', 'not JSON'),
        ('inject', b'[]', 'not a JSON object'),
        ('inject', b'null', 'not a JSON object'),
        ('inject', b'{}', 'a list of pairs'),
        ('inject', b'{"faults":3}', 'a list of pairs'),
        ('inject', b'{"faults":"slow"}', 'a list of pairs'),
        ('inject', b'{"faults":[["slow"]]}', 'a list of pairs'),
        ('inject', b'{"faults":[["slow",null]]}', 'a list of pairs'),
        ('inject', b'{"faults":[["slow",[1]]]}', 'a list of pairs'),
        ('inject', b'{"faults":[[["slow"],{}]]}', 'a list of pairs'),
        ('inject', b'{"faults":[["slow",{}]],"seed":1}', 'no parameter seed; there are: faults'),
        ('inject', b'{"faults":[["kms",{}],["slow",{"second":1}]]}', 'no parameter second'),
        ('clear-faults', b'[]', 'not a JSON object'),
        ('clear-faults', b'{"seed":[1]}', 'seed must be a whole number'),
        ('clear-faults', b'{"seed":"x"}', 'seed must be a whole number'),
        ('clear-faults', b'{"sed":1}', 'no parameter sed; there are: seed'),
        ('flush', b'[]', 'not a JSON object'),
        ('flush', b'{"stream":"bar"}', 'flush has no parameter stream; there are: none'),
        ('streams', b'{"DeliveryStreamName":"a","Prefix":"x"}', 'no parameter Prefix; there are: DeliveryStreamName'),
        ('streams', b'3', 'not a JSON object'),
    ],
)  # fmt: skip
def test_a_malformed_control_request_is_refused_with_a_reason(local_firehose, capfd, operation, body, reason):
    """With status 400, without a traceback on stderr, and nothing of it has an effect."""
    status, answer = ask(local_firehose.url, 'POST', f'/_local/{operation}', body, **JSON)

    assert status == 400
    assert reason in answer['message']
    assert capfd.readouterr().err == ''
    assert local_firehose.accounts().keys() == {'bar'}


def nested(levels):
    """Return JSON of so many levels."""
    return b'[' * levels + b']' * levels


@pytest.mark.parametrize('levels', [200, 600, 1023, 100_000])
@pytest.mark.parametrize(
    ('path', 'operation', 'body'),
    [
        ('/', 'CreateDeliveryStream', b'{"DeliveryStreamName":"deep","Junk":%s}'),
        ('/', 'ListDeliveryStreams', b'{"Limit":%s}'),
        (
            '/',
            'UpdateDestination',
            (
                b'{"DeliveryStreamName":"bar","CurrentDeliveryStreamVersionId":"1",'
                b'"DestinationId":"destinationId-000000000001","ExtendedS3DestinationUpdate":{"Junk":%s}}'
            ),
        ),
        ('/_local/streams', '', b'{"DeliveryStreamName":"deep","Tags":[{"Key":"a","Junk":%s}]}'),
        ('/_local/inject', '', b'{"faults":[["kms",{"message":%s}]]}'),
    ],
)
def test_what_is_nested_too_deep_is_refused_with_a_reason(
    local_firehose, caplog, path, operation, body, levels
):
    """It was an error 500, and a traceback of three thousand lines."""
    headers = PUT | JSON | {'X_Amz_Target': f'Firehose_20150804.{operation}'}
    status, answer = ask(local_firehose.url, 'POST', path, body % nested(levels), **headers)

    assert (status, answer['__type']) == (400, 'SerializationException')
    assert re.search('nested deeper than 200 levels|not parse|not JSON', answer['message'])
    assert not caplog.records
    assert local_firehose.accounts().keys() == {'bar'}
    assert local_firehose.delivered() == b''


@pytest.mark.parametrize('path', ['/', '/_local/flush'])
def test_a_body_that_is_not_compressed_as_it_says_is_refused_with_a_reason(local_firehose, caplog, path):
    """With status 400; it was an error 500, and two tracebacks."""
    status, answer = ask(local_firehose.url, 'POST', path, b'{}', Content_Encoding='gzip', **(PUT | JSON))

    assert status == 400
    assert 'not what its headers say: Content-Encoding' in answer['message']
    assert not caplog.records
    assert local_firehose.flush() is None


@pytest.mark.parametrize(
    'data',
    [
        b'GET \0/ HTTP/1.1\r\n\r\n',
        b'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n',
        b'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
        b'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: zip\r\n' + b'x' * 9000 + b': 1\r\n\r\n',
    ],
)
def test_what_is_not_http_is_refused_without_a_traceback(local_firehose, caplog, data):
    """Whoever sent it has the reason; whoever runs the endpoint has done nothing wrong."""
    address = urlsplit(local_firehose.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(data)
        assert b' 400 Bad Request' in connection.recv(1000)
    assert not caplog.records


def test_a_name_that_is_no_text_is_refused_like_others(local_firehose, caplog):
    """What quotes a header quotes any bytes."""
    status, answer = ask(local_firehose.url, 'POST', '/', b'{}', Host='caf\xe9', **PUT)

    assert (status, answer['__type']) == (403, 'ForbiddenException')
    assert 'caf\\udce9' in answer['message']
    assert not caplog.records


@pytest.mark.parametrize(
    ('name', 'parameters', 'reason'),
    [
        ('slow', {'seconds': 1e308}, 'from 0 to 86400'),
        ('refused', {'seconds': 86_401}, 'from 0 to 86400'),
        ('quota', {'records_per_second': 1e300}, 'must be from 0 to'),
        ('slow', {'times': 1.5}, 'must be a whole number'),
        ('slow', {'skip': 0.5}, 'must be a whole number'),
        ('too-many', {'entries': 1e6}, 'from -500 to 500'),
        ('too-many', {'entries': 1.5}, 'must be a whole number'),
        ('kms', {'status': 7}, 'from 400 to 599'),
        ('kms', {'code': 'a\nb'}, 'must be one word'),
        ('kms', {'code': 'x' * 100_000}, r"code='x{20}\.\.\.' must be one word of at most 128 characters"),
        ('partial', {'share': 2}, 'share=2 must be from 0 to 1'),
        ('partial', {'which': '9' * 5000}, 'must be the indices of records'),
        ('not-json', {'body': '\ud800'}, 'cannot be written as UTF-8'),
    ],
)
def test_a_value_that_a_fault_could_not_strike_with_is_refused(local_firehose, name, parameters, reason):
    """By all three ways in which a fault is added; or it would be an error 500 later, and the client would learn of that."""
    with pytest.raises(EndpointError, match=reason):
        local_firehose.inject(name, **parameters)
    ((key, value),) = parameters.items()
    with pytest.raises(ValueError, match=reason):
        LocalFirehose(local_firehose.folder, faults=[f'{name}:{key}={value}'])


def test_a_message_may_have_braces(local_firehose, firehose_client):
    """Only the stream and the account are filled in."""
    local_firehose.inject('kms', message='{x} of {stream}: {}')
    with pytest.raises(
        firehose_client.exceptions.InvalidKMSResourceException, match=re.escape('{x} of bar: {}')
    ):
        firehose_client.put_record(DeliveryStreamName='bar', Record={'Data': b'x'})


@pytest.mark.parametrize('kind', [LocalFirehose, LocalFirehoseProcess])
@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        ({'streams': 'bar'}, r"streams must be a list of texts, not one: write streams=\['bar'\]"),
        ({'streams': [b'bar']}, "streams must be a list of texts, and b'bar' is none"),
        ({'faults': 'kms'}, r"write faults=\['kms'\]"),
        ({'streams': None}, r"streams must be a list of texts, such as streams=\['...'\], not None"),
        ({'streams': 5}, 'streams must be a list of texts, .*, not 5'),
    ],
)
def test_one_text_where_a_list_is_wanted_is_refused(tmp_path, kind, arguments, reason):
    """Its letters would pass for names: three streams `b`, `a` and `r`."""
    with pytest.raises(TypeError, match=reason):
        kind(tmp_path, **arguments)


BOTH = [LocalFirehose, LocalFirehoseProcess]


@pytest.mark.parametrize(
    ('kinds', 'arguments', 'reason'),
    [
        ([LocalFirehose], {'host': 5}, "host must be the text of an address, such as '127.0.0.1', not 5"),
        ([LocalFirehose], {'host': ''}, "host must be the text of an address, .*, not ''"),
        ([LocalFirehose], {'host': None}, 'host must be the text of an address, .*, not None'),
        (BOTH, {'port': None}, 'port must be a whole number from 0 to 65,535, where 0 takes a free port, not None'),
        (BOTH, {'port': 0.5}, 'port must be .*, not 0.5'),
        (BOTH, {'port': '80'}, "port must be .*, not '80'"),
        (BOTH, {'port': True}, 'port must be .*, not True'),
        (BOTH, {'port': -1}, 'port must be .*, not -1'),
        (BOTH, {'port': 65_536}, 'port must be .*, not 65536'),
        (BOTH, {'buffer_seconds': 'x'}, "buffer_seconds must be a number of seconds, such as 1, not 'x'"),
        ([LocalFirehose], {'buffer_bytes': None}, 'buffer_bytes must be a number of bytes, .*, not None'),
        (BOTH, {'seed': 'x'}, "seed must be a whole number, or None for other strikes each time, not 'x'"),
        (BOTH, {'seed': []}, r'seed must be .*, not \[\]'),
        ([LocalFirehose], {'tls': 5}, "tls must be an ssl.SSLContext with a server's certificate, or None, not 5"),
        (BOTH, {'create_on_put': 'no'}, "create_on_put must be True or False, not 'no'"),
    ],
)  # fmt: skip
def test_an_argument_of_another_type_is_refused_with_what_to_write(tmp_path, kinds, arguments, reason):
    """Before anything is started. Some were taken without a word: any port, streams as puts name them for 'no'."""
    for kind in kinds:
        with pytest.raises((TypeError, ValueError), match=f'^{reason}$'):
            kind(tmp_path, **arguments)


@pytest.mark.parametrize(
    'arguments', [{'buffer_seconds': 1e308}, {'buffer_seconds': float('inf')}, {'buffer_bytes': 10**18}]
)
def test_a_buffer_beyond_all_reason_is_refused(tmp_path, arguments):
    """DescribeDeliveryStream could not show it."""
    with pytest.raises(ValueError, match='make sense'):
        LocalFirehose(tmp_path, **arguments)


@pytest.mark.parametrize('bucket', ['..', '.', '../outside', '/etc', '', '.incoming'])
def test_what_is_outside_the_folder_cannot_be_read_as_delivered(local_firehose, firehose_client, bucket):
    """Nor what is not delivered yet."""
    outside = local_firehose.folder.parent / 'outside'
    outside.mkdir()
    (outside / 'secret').write_text('secret')
    firehose_client.put_record(DeliveryStreamName='bar', Record={'Data': b'x'})

    with pytest.raises(EndpointError, match='is not a name that a bucket can have'):
        local_firehose.delivered(bucket)
    assert local_firehose.delivered() == b'x'
    assert local_firehose.delivered('_opensearch') == b''
