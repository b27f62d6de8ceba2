"""Does an audit get through when connections to S3 break in the middle of an object?"""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from firefighter._audit.bucket import Bucket, read_ahead
from firefighter._audit.places import StoredObject, UnreadableError

BODY = bytes(range(256)) * 3_000
LIST = b"""<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>
<Contents><Key>a</Key><Size>%d</Size><ETag>&quot;e&quot;</ETag></Contents>
<Contents><Key>empty</Key><Size>0</Size><ETag>&quot;e&quot;</ETag></Contents></ListBucketResult>"""


class BreakingS3(BaseHTTPRequestHandler):
    """A bucket whose object comes in pieces: after each, the connection breaks."""

    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        """Answer a list or a range, and send less than was said."""
        if '?' in self.path:
            self.answer(LIST % len(BODY))
            return
        assert self.headers['If-Match'] == '"e"'
        begin = int(self.headers['Range'].removeprefix('bytes=').removesuffix('-'))
        self.server.begins.append(begin)
        if not self.server.has_ranges:
            self.answer(BODY, self.server.piece_bytes)
        else:
            self.answer(BODY[begin:], self.server.piece_bytes, f'bytes {begin}-{len(BODY) - 1}/{len(BODY)}')
        self.close_connection = True

    def answer(self, body, sent_bytes=None, content_range=None):
        self.send_response(206 if content_range else 200)
        if content_range:
            self.send_header('Content-Range', content_range)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent_bytes])

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def s3():
    """Start a server; it breaks after `piece_bytes`."""
    with ThreadingHTTPServer(('127.0.0.1', 0), BreakingS3) as server:
        server.begins = []
        server.piece_bytes = 100_000
        server.has_ranges = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def objects(s3):
    """The objects in it, by name."""
    bucket = Bucket('store', '', region_name='us-east-1', endpoint_url=f'http://127.0.0.1:{s3.server_port}')
    yield {stored.name: stored for stored in bucket.objects()}
    bucket._client.close()


def test_reading_goes_on_where_the_connection_broke(s3, objects):
    """Every byte, and none twice."""
    assert b''.join(objects['s3://store/a'].chunks()) == BODY
    assert s3.begins[0] == 0
    assert len(s3.begins) > 5


def test_an_object_that_breaks_again_and_again_is_given_up(s3, objects):
    """And named; the other objects are read all the same."""
    s3.piece_bytes = 0
    with pytest.raises(UnreadableError, match='s3://store/a'):
        list(objects['s3://store/a'].chunks())
    assert list(objects['s3://store/empty'].chunks()) == []


def test_a_store_without_ranges_is_not_asked_for_ever(s3, objects):
    """Each answer begins anew: nothing of it may be taken for what was missing."""
    s3.has_ranges = False
    with pytest.raises(UnreadableError, match='cannot go on in the middle'):
        list(objects['s3://store/a'].chunks())
    assert len(s3.begins) == 2


def test_what_can_be_read_at_once_needs_no_ranges(s3, objects):
    """As most can."""
    s3.has_ranges, s3.piece_bytes = False, None
    assert b''.join(objects['s3://store/a'].chunks()) == BODY


@pytest.mark.parametrize(
    ('code', 'said'),
    [
        (
            'AccessDenied',
            'AccessDenied: no (allow s3:ListBucket on the bucket and s3:GetObject on its objects)',
        ),
        ('PermanentRedirect', "PermanentRedirect: no (write the bucket's own region: --region)"),
    ],
)
def test_what_s3_refuses_is_said_with_what_to_do(s3, objects, code, said, monkeypatch):
    """In the words of this command, not of a handler."""
    body = f'<Error><Code>{code}</Code><Message>no</Message></Error>'.encode()

    def refuse(self):
        self.send_response(403)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    monkeypatch.setattr(BreakingS3, 'do_GET', refuse)
    with pytest.raises(UnreadableError, match=re.escape(said)):
        list(objects['s3://store/a'].chunks())


def test_the_next_objects_are_read_meanwhile_and_come_in_their_order():
    """Eight at once: none of these ends before all have begun."""
    all_have_begun = threading.Barrier(8)

    def stored(number):
        def chunks():
            all_have_begun.wait(60)
            yield b'%d' % number

        return StoredObject(str(number), 1, chunks)

    read = [(o.name, b''.join(o.chunks())) for o in read_ahead(map(stored, range(24)))]
    assert read == [(str(number), b'%d' % number) for number in range(24)]


def test_a_large_object_is_read_when_it_is_its_turn():
    """So the memory is bounded."""
    read = []

    def stored(number):
        def chunks():
            read.append(number)
            yield b'x'

        return StoredObject(str(number), 2**30, chunks)

    for number, large in enumerate(read_ahead(map(stored, range(20)))):
        assert read == [*range(number)]
        assert [*large.chunks()] == [b'x']


def test_an_object_that_cannot_be_read_is_named_when_it_is_its_turn():
    """The others are read all the same."""

    def stored(number):
        def chunks():
            if number == 3:
                raise UnreadableError('3')
            yield b'x'

        return StoredObject(str(number), 1, chunks)

    failed = []
    for one in read_ahead(map(stored, range(20))):
        try:
            assert [*one.chunks()] == [b'x']
        except UnreadableError:
            failed.append(one.name)
    assert failed == ['3']
