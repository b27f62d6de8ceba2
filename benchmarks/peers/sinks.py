"""Servers that take what the peers send, and do the least that they can with it; each in a process of its own.

python -m benchmarks.peers.sinks cloudwatch|lines
"""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, cast


class CloudWatch(BaseHTTPRequestHandler):
    """The part of CloudWatch Logs' protocol that watchtower speaks."""

    protocol_version = 'HTTP/1.1'
    wbufsize = -1  # the whole answer in one packet

    def do_POST(self) -> None:
        """Take the events, unread."""
        self.rfile.read(int(self.headers['Content-Length']))
        operation = self.headers['X-Amz-Target'].rpartition('.')[2]
        answer = json.dumps({'logGroups': []} if operation == 'DescribeLogGroups' else {}).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/x-amz-json-1.1')
        self.send_header('Content-Length', str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Lines(socketserver.BaseRequestHandler):
    """Logstash's TCP input."""

    def handle(self) -> None:
        """Take all that comes."""
        while self.request.recv(1 << 16):
            pass


class LineServer(socketserver.ThreadingTCPServer):
    """A thread for each connection; none of them keeps the process from ending."""

    daemon_threads = True


class Sink:
    """One of the servers, as a process."""

    def __init__(self, kind: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'benchmarks.peers.sinks', kind],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(cast('IO[str]', self._process.stdout).readline())

    def end(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.communicate()


SERVERS: Mapping[str, Callable[[], socketserver.TCPServer]] = {
    'cloudwatch': lambda: ThreadingHTTPServer(('127.0.0.1', 0), CloudWatch),
    'lines': lambda: LineServer(('127.0.0.1', 0), Lines),
}


def main() -> None:
    """Print the port, then serve until the end."""
    server = SERVERS[sys.argv[1]]()
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == '__main__':
    main()
