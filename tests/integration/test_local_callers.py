"""Can a web page command the local endpoint, or read from it?"""

from __future__ import annotations

import socket

import boto3
import pytest

from firefighter.local import LocalFirehose
from raw_requests import JSON, PUT, ask

pytest_plugins = ['firefighter.testing']

RECORD = b'{"DeliveryStreamName":"bar","Record":{"Data":"eA=="}}'
INJECT = b'{"faults":[["kms",{}]]}'


@pytest.mark.parametrize(
    ('method', 'path', 'body', 'headers'),
    [
        # A form or a `fetch` of a page, which no browser asks about.
        ('POST', '/_local/inject', INJECT, {'Content_Type': 'text/plain', 'Origin': 'https://shop.example'}),
        # The same from a sandboxed frame or a file, with a browser that would send JSON unasked.
        ('POST', '/_local/inject', INJECT, {**JSON, 'Origin': 'null'}),
        ('POST', '/', RECORD, {**PUT, 'Origin': 'http://localhost:3000'}),
        # A page whose name has been made to lead to 127.0.0.1.
        ('GET', '/_local/accounts', b'', {'Host': 'shop.example'}),
        ('POST', '/_local/inject', INJECT, {**JSON, 'Host': 'shop.example:4573'}),
        ('POST', '/', RECORD, {**PUT, 'Host': 'localhost.shop.example'}),
        ('POST', '/', RECORD, {**PUT, 'Host': '127.0.0.1.shop.example:80'}),
        ('POST', '/', RECORD, {**PUT, 'Host': '203.0.113.7'}),
        ('POST', '/', RECORD, {**PUT, 'Host': ''}),
    ],
)
def test_what_a_web_page_can_send_is_refused_and_does_nothing(local_firehose, method, path, body, headers):
    """Whatever `Origin` it has, and by whatever name it calls."""
    status, answer = ask(local_firehose.url, method, path, body, **headers)

    assert (status, answer['__type']) == (403, 'ForbiddenException')
    assert local_firehose.account('bar').requests == 0
    assert ask(local_firehose.url, 'POST', '/', RECORD, **PUT)[0] == 200


@pytest.mark.parametrize(
    'content_type',
    [{}, {'Content_Type': 'text/plain'}, {'Content_Type': 'application/x-www-form-urlencoded'}],
)
@pytest.mark.parametrize('operation', ['inject', 'flush', 'clear-faults', 'streams'])
def test_a_control_request_that_changes_something_says_that_it_is_json(
    local_firehose, operation, content_type
):
    """A page cannot send that without asking first, also where its browser leaves `Origin` out."""
    status, answer = ask(local_firehose.url, 'POST', f'/_local/{operation}', b'{}', **content_type)
    assert (status, answer['__type']) == (415, 'UnsupportedMediaTypeException')


@pytest.mark.parametrize(
    'host',
    ['localhost', 'LOCALHOST:4573', 'localhost.', '127.0.0.1', '127.0.0.1:1', '[::1]:4573', 'firehose:4573'],
)
def test_it_answers_to_its_own_names_and_to_those_that_are_allowed(tmp_path, host):
    """With any port, since a container's may be another one outside."""
    with LocalFirehose(tmp_path, streams=['bar'], allow_hosts=['Firehose']) as endpoint:
        assert ask(endpoint.url, 'POST', '/', RECORD, Host=host, **PUT)[0] == 200
        assert (
            ask(
                endpoint.url,
                'POST',
                '/_local/flush',
                Host=host,
                Content_Type='application/json; charset=utf-8',
            )[0]
            == 200
        )
        assert endpoint.delivered() == b'x'


def test_on_all_addresses_any_address_is_its_own_and_no_name(tmp_path):
    """No page can have an address of this machine for its own. A name is another matter."""
    with LocalFirehose(tmp_path, streams=['bar'], host='0.0.0.0') as endpoint:
        url = endpoint.url.replace('0.0.0.0', '127.0.0.1')
        for host in ('0.0.0.0:4573', '192.0.2.1', '[2001:db8::1]:80', socket.gethostbyname('localhost')):
            assert ask(url, 'POST', '/', RECORD, Host=host, **PUT)[0] == 200
        assert ask(url, 'POST', '/', RECORD, Host='shop.example', **PUT)[0] == 403


def test_an_sdk_that_calls_it_by_another_name_is_told_the_option(local_firehose):
    """As a program in another container does, which calls it by the name of its service."""
    client = boto3.session.Session(
        region_name='us-east-1', aws_access_key_id='a', aws_secret_access_key='a'
    ).client('firehose', endpoint_url=local_firehose.url)
    client.meta.events.register(
        'before-send', lambda request, **_: request.headers.__setitem__('Host', 'firehose:4573')
    )
    with pytest.raises(
        client.exceptions.ClientError,
        match=r'Forbidden.*start it with --allow-host firehose, or in Python',
    ):
        client.put_record(DeliveryStreamName='bar', Record={'Data': b'x'})
    client.close()


@pytest.mark.parametrize('name', ['http://firehose', 'firehose:4573', '', 'a b', '*'])
def test_a_name_that_no_host_has_is_refused(tmp_path, name):
    """It would never be called by it."""
    with pytest.raises(ValueError, match='is no name of a host; write it alone'):
        LocalFirehose(tmp_path, allow_hosts=[name])
