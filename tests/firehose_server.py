"""A service for PutRecordBatch whose connections can be told how to behave; real HTTP, and nothing else of Firehose."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ['Connection', 'FirehoseServer', 'running']


class FirehoseServer(ThreadingHTTPServer):
    """Accepts everything.

    Attributes:
        records: what it has taken, in order.
        connections: how many were made.
        body_bytes: the size of each request's body.
    """

    daemon_threads = True

    def __init__(self, connection: type[Connection]) -> None:
        super().__init__(('127.0.0.1', 0), connection)
        self.records: list[bytes] = []
        self.connections = 0
        self.body_bytes: list[int] = []

    def handle_error(self, *_: object) -> None:
        """Say nothing of a connection that the client has closed."""

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self.server_port}'

    @property
    def messages(self) -> list[str]:
        """The messages of the events, in order."""
        return [json.loads(line)['message'] for record in self.records for line in record.splitlines()]


class Connection(BaseHTTPRequestHandler):
    """One connection. Override `serve`.

    Attributes:
        requests: how many have come on it, the present one included.
    """

    server: FirehoseServer
    protocol_version = 'HTTP/1.1'

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1
        self.requests = 0

    def do_POST(self) -> None:
        self.requests += 1
        self.server.body_bytes.append(self.body_bytes)
        self.serve()

    @property
    def body_bytes(self) -> int:
        return int(self.headers['Content-Length'])

    def serve(self) -> None:
        """Serve one request."""
        self.accept(self.read())

    def read(self) -> list[bytes]:
        """Return the request's records."""
        return [
            base64.b64decode(record['Data'])
            for record in json.loads(self.rfile.read(self.body_bytes))['Records']
        ]

    def accept(self, records: Sequence[bytes]) -> None:
        """Take the records, and answer so."""
        self.server.records += records
        answer = {'FailedPutCount': 0, 'RequestResponses': [{'RecordId': 'x'} for _ in records]}
        self.answer(200, 'application/x-amz-json-1.1', json.dumps(answer).encode())

    def answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header('Content-Type', content_type)
        self.send_header('Content-Length', str(len(body)))
        if self.close_connection:
            self.send_header('Connection', 'close')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running(connection: type[Connection]) -> Iterator[FirehoseServer]:
    """Run a service of such connections."""
    with FirehoseServer(connection) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
