"""Does an audit get through when connections to S3 break in the middle of an object?"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from firefighter._audit.bucket import Bucket
from firefighter._audit.places import UnreadableError

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
        self.answer(BODY[begin:], self.server.piece_bytes)
        self.close_connection = True

    def answer(self, body, sent_bytes=None):
        self.send_response(200)
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
