"""Whatever comes over the wire, the local endpoint answers with a reason, and goes on delivering.

It runs in a process of its own, as `firefighter local` does: what it says on stderr is all that a person would see of a failure inside.
"""

from __future__ import annotations

import functools
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from firefighter.local.catalogue import CATALOGUE
from firefighter.local.validation import service_model
from raw_requests import JSON, PUT, ask

pytestmark = [pytest.mark.once, pytest.mark.fuzz]

DEADLINE_SECONDS = 20
# How long somebody waits for an answer to half a request, before they hang up.
IMPATIENT_SECONDS = 0.05
OPERATIONS = sorted(service_model()['operations'])
STREAM, BUCKET = 'healthy', 'healthy-bucket'
COMMAND = 'import sys; from firefighter.cli.main import main; sys.exit(main())'


class Raw(str):
    """JSON, or what somebody takes for it, as it is to be written."""

    __slots__ = ()


def written(value: object) -> str:
    """Return a value as JSON, what is raw as it is."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        members = ','.join(f'{written(name)}:{written(inner)}' for name, inner in value.items())
        return f'{{{members}}}'
    return f'[{",".join(map(written, value))}]' if isinstance(value, list) else json.dumps(value)


# Values.

odd_texts = st.text(st.characters(exclude_categories=[]), max_size=20) | st.sampled_from(
    [
        '',
        '\0',
        '..',
        '../../x',
        '/etc',
        '\ud800',
        'x' * 300,
        '!{timestamp:yyyy}',
        "!{timestamp:'../..'}/",
        '%s',
    ]
)
odd_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    odd_texts,
    st.lists(st.integers(), max_size=2),
    st.dictionaries(odd_texts, st.integers(), max_size=2),
    st.sampled_from(['1e999', '-0', '9' * 5000, 'nul', '"\\u0000"', '"\\ud800"', '{"a":1,"a":2}', '']).map(
        Raw
    ),
    st.sampled_from([190, 600, 1000, 100_000]).map(lambda levels: Raw('[' * levels + ']' * levels)),
    st.just(Raw('{"a":' * 2000 + '1' + '}' * 2000)),
)
names = st.sampled_from(['bar', 'foo', 'bar', 'b' * 64, 'b' * 65, STREAM.upper()]) | odd_texts
# What fits the patterns of the model, which are of ARNs, names of roles and of hosts.
fitting = st.sampled_from(
    [
        'arn:aws:iam::123456789012:role/firehose',
        'arn:aws:s3:::other',
        'arn:aws:s3:::..',
        'arn:aws:kms:us-east-1:123456789012:key/x',
        'https://example.com',
        'logs/',
        '!{timestamp:yyyy/MM}/',
        '!{firehose:error-output-type}/',
        'destinationId-000000000001',
        '1',
        'x',
        'MQ==',
    ]
)


@functools.cache
def of_shape(name: str, depth: int = 0) -> st.SearchStrategy:
    """Return values of a shape of the service model, here and there with something odd in them."""
    return st.integers(0, 24).flatmap(lambda dice: _of_kind(name, depth) if dice else odd_values)


@functools.cache
def _of_kind(name: str, depth: int) -> st.SearchStrategy:
    shape = service_model()['shapes'][name]
    kind = shape['type']
    if kind == 'structure':
        needed = set(shape.get('required', ()))
        members = {
            member: of_shape(inner['shape'], depth + 1)
            for member, inner in shape['members'].items()
            if member in needed or depth < 5
        }
        return _structures(members, needed)
    if kind == 'list':
        return st.lists(
            of_shape(shape['member']['shape'], depth + 1), min_size=shape.get('min', 0), max_size=3
        )
    if kind in {'integer', 'long', 'double'}:
        return st.integers(shape.get('min', 0), shape.get('max', 1000))
    if kind == 'boolean':
        return st.booleans()
    if shape.get('enum'):
        return st.sampled_from(shape['enum'])
    return names if name == 'DeliveryStreamName' else fitting


@st.composite
def _structures(draw, members, needed):
    chosen = needed | set(draw(st.lists(st.sampled_from(sorted(members)), max_size=3)) if members else ())
    return {name: draw(members[name]) for name in sorted(chosen)}


@st.composite
def mutated(draw, text):
    """Return bytes, mostly as they are, or with one place changed."""
    data = text.encode('utf-8', 'surrogatepass')
    if draw(st.integers(0, 9)):
        return data
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 5)))
    return data[:start] + draw(st.binary(max_size=5)) + data[end:]


# Requests: method, path, headers, body.


@st.composite
def calls(draw):
    """An operation of Firehose."""
    operation = draw(st.sampled_from(OPERATIONS))
    shape = service_model()['operations'][operation]['input']['shape']
    body = draw(of_shape(shape).flatmap(lambda value: mutated(written(value))))
    target = draw(
        st.sampled_from([f'Firehose_20150804.{operation}'] * 9 + [f'{operation}', 'Firehose_20150804.'])
    )
    return 'POST', '/', {**PUT, 'X_Amz_Target': target}, body


@st.composite
def faults(draw):
    """A fault with any of its parameters, those in seconds so small that nobody waits for them."""
    name = draw(st.sampled_from(sorted(CATALOGUE)))
    known = CATALOGUE[name].parameters
    chosen = draw(st.lists(st.sampled_from(sorted({*known, 'probability', 'times', 'skip'})), max_size=3))
    settings = {
        parameter: draw(st.sampled_from([0, 0.01, -1, 1e308, 'x', None, [], float('nan')]))
        if parameter == 'seconds'
        else draw(odd_values | st.sampled_from([0, 1, 0.5, 400, 500, 599]))
        for parameter in chosen
    }
    for parameter in {'seconds'} & known.keys():
        settings.setdefault(parameter, 0.01)
    return [name, settings]


@st.composite
def commands(draw):
    """An operation of the endpoint's own."""
    operation = draw(st.sampled_from(['accounts', 'flush', 'streams', 'inject', 'clear-faults', 'strikes']))
    known = {
        'streams': of_shape('CreateDeliveryStreamInput'),
        'inject': st.fixed_dictionaries({'faults': st.lists(faults(), max_size=3)}),
        'clear-faults': st.fixed_dictionaries({'seed': st.integers() | odd_values}),
    }
    value = draw(known.get(operation, st.just({})) if draw(st.integers(0, 9)) else odd_values)
    method = draw(st.sampled_from(['POST', 'POST', 'POST', 'GET', 'PUT']))
    return method, f'/_local/{operation}', JSON, draw(mutated(written(value)))


tokens = st.text('ABCZabcz-0129!#', min_size=1, max_size=10)
# What HTTP lets a path and a header have.
visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)
latin = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters='\x7f'), max_size=20)
# aiohttp (3.14.5) repeats an `Expect` that it does not know, and fails where that is not UTF-8.
expectations = st.sampled_from(['100-continue', '101-stop', '']) | visible


@st.composite
def headers_with(draw, names, values):
    """Headers of these names and values, and sometimes an `Expect`."""
    expected = {'Expect': draw(expectations)} if draw(st.integers(0, 9)) == 0 else {}
    return draw(st.dictionaries(names, values, max_size=4)) | expected


strangers = st.tuples(
    st.sampled_from(['GET', 'POST', 'OPTIONS', 'HEAD', 'DELETE']) | tokens,
    st.sampled_from(
        [
            '/',
            '/_local/',
            '/_local/../x',
            '/_local/flush/',
            '*',
            '//',
            'http://x/',
            '/%00',
            '/_local/%73treams',
        ]
    )
    | visible.map(lambda path: '/' + path),
    headers_with(
        st.sampled_from(
            [
                'X-Amz-Target',
                'Authorization',
                'Content-Type',
                'Content-Encoding',
                'Host',
                'Origin',
                'Upgrade',
                'Cookie',
                'Range',
            ]
        )
        | tokens,
        st.sampled_from(
            [
                'Firehose_20150804.PutRecord',
                'gzip',
                'deflate',
                'br',
                'localhost',
                'application/json',
                'websocket',
                'a' * 9000,
                'x; charset=latin-9',
            ]
        )
        | latin,
    ),
    st.binary(max_size=20) | st.just(b'{}'),
)


def on_the_wire(request) -> bytes:
    """Return a request as HTTP has it, asking for the connection's end."""
    method, path, headers, body = request
    given_headers = {name.replace('_', '-'): value for name, value in headers.items()}
    all_headers = {'Host': 'localhost', 'Connection': 'close', 'Content-Length': len(body), **given_headers}
    head = f'{method} {path} HTTP/1.1\r\n' + ''.join(
        f'{name}: {value}\r\n' for name, value in all_headers.items()
    )
    return head.encode('latin-1') + b'\r\n' + body


@st.composite
def chunked(draw):
    """A body in chunks, of which some say another size than they have."""
    method, path, headers, body = draw(calls() | commands())
    head = on_the_wire((method, path, headers, b'')).replace(
        b'Content-Length: 0', b'Transfer-Encoding: chunked'
    )
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3)))
    sizes = st.sampled_from([b'%x'] * 8 + [b'%x;a=b', b'-%x', b'f%x', b'%xz', b'+%x', b'%x\n'])
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        if start < end:
            head += draw(sizes) % (end - start) + b'\r\n' + body[start:end] + b'\r\n'
    return head + draw(
        st.sampled_from([b'0\r\n\r\n', b'0\r\n\r\n', b'0\r\nTrailer: x\r\n\r\n', b'0\r\n', b''])
    )


@st.composite
def broken(draw):
    """A request that is cut, or has other bytes in one place, or something behind it."""
    data = draw((calls() | commands() | strangers).map(on_the_wire) | chunked())
    start = draw(st.integers(0, min(len(data), 400)))
    end = draw(st.sampled_from([start, start + 1, start + 20, len(data)]))
    return (
        data[:start]
        + draw(st.binary(max_size=10) | st.sampled_from([b'\r\n', b'\0', b'\xff' * 9000]))
        + data[end:]
    )


# With whether it is a whole one.
requests = (calls() | calls() | commands() | strangers).map(lambda request: (on_the_wire(request), True)) | (
    chunked() | broken() | st.binary(max_size=60)
).map(lambda data: (data, False))


class Endpoint:
    """A `firefighter local` in a process of its own, with a stream that is to stay healthy."""

    def __init__(self, directory: Path) -> None:
        self.folder = directory / 'inside' / 'folder'
        self._directory = directory
        self._stderr = directory / 'stderr'
        self._count = 0
        with self._stderr.open('ab') as stderr:
            self.process = subprocess.Popen(
                [sys.executable, '-c', COMMAND, 'local', str(self.folder), '--port', '0'],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self.process.stdout is not None
        self.url = re.search(r'http://\S+(?=,)', self.process.stdout.readline())[0]
        self.port = urlsplit(self.url).port
        destination = {'RoleARN': 'arn:aws:iam::123456789012:role/x', 'BucketARN': f'arn:aws:s3:::{BUCKET}'}
        self._call('CreateDeliveryStream', ExtendedS3DestinationConfiguration=destination)

    def exchange(self, data: bytes, *, whole: bool) -> bytes:
        """Send bytes; return all that comes back. Whoever may have sent half a request hangs up in the end."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        answer = b''
        with socket.create_connection(('127.0.0.1', self.port), DEADLINE_SECONDS) as connection:
            try:
                connection.sendall(data)
                while time.monotonic() < deadline:
                    if not whole and not select.select([connection], [], [], IMPATIENT_SECONDS)[0]:
                        connection.shutdown(socket.SHUT_WR)
                    piece = connection.recv(65536)
                    if not piece:
                        return answer
                    answer += piece
            except ConnectionError:
                return answer
        raise AssertionError(f'no end of the answer within {DEADLINE_SECONDS} s: {answer[:500]!r}')

    def check(self) -> None:
        """Check that it lives, has not complained, has written nothing outside of its folder, and delivers a record."""
        status, _ = ask(self.url, 'POST', '/_local/clear-faults', b'{}', **JSON)
        assert status == 200
        self._count += 1
        data = f'{self._count:08d}'
        self._call('PutRecord', Record={'Data': 'A' * 4 + data})
        status, _ = ask(self.url, 'POST', '/_local/flush', b'{}', **JSON)
        assert status == 200
        arrived = [path.read_bytes() for path in (self.folder / BUCKET).rglob('*') if path.is_file()]
        assert len(arrived) == 1
        shutil.rmtree(self.folder / BUCKET)
        self.check_outside()

    def check_outside(self) -> None:
        """Check what a person would see, and that there is nothing new beside the folder."""
        said = self._stderr.read_text('utf-8', 'replace')
        # Each example answers for itself alone.
        os.truncate(self._stderr, 0)
        assert said == ''
        assert sorted(path.name for path in self._directory.iterdir()) == ['inside', 'stderr']
        assert [path.name for path in self.folder.parent.iterdir()] == ['folder']

    def end(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=DEADLINE_SECONDS)

    def _call(self, operation: str, **arguments: object) -> None:
        body = json.dumps({'DeliveryStreamName': STREAM, **arguments}).encode()
        headers = {**PUT, 'X_Amz_Target': f'Firehose_20150804.{operation}'}
        assert ask(self.url, 'POST', '/', body, **headers)[0] == 200


@pytest.fixture(scope='module')
def endpoint(tmp_path_factory):
    endpoint = Endpoint(tmp_path_factory.mktemp('local'))
    yield endpoint
    endpoint.end()


@given(st.lists(requests, min_size=1, max_size=4))
def test_no_request_breaks_the_endpoint(endpoint, sent):
    """No error 500, no traceback, no hang; nothing outside of the folder; and the next good record is delivered."""
    faulty = False
    for data, whole in sent:
        # Whether an injected fault answers with 500, as some are there to do.
        faulty = faulty or b'inject' in data
        answer = endpoint.exchange(data, whole=whole)
        note(f'{data[:2000]!r}\n-> {answer[:500]!r}')
        assert faulty or not re.search(rb'HTTP/1\.[01] 5\d\d', answer)
    endpoint.check()
