"""Invoke a function as Lambda does: by its runtime (`pip install awslambdaric`), which is frozen between two invocations.

    python invoke.py shop.handler '{"order_id": 17}' '{"order_id": 18}'

Each further word is the event of one invocation. It prints each answer, then kills the runtime: Lambda ends none in an orderly way. The
status is 1 if the function fails.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

function, *events = sys.argv[1:] or ['']
if not events:
    sys.exit('usage: python invoke.py MODULE.FUNCTION EVENT [EVENT ...]')
waiting: 'queue.SimpleQueue[tuple[int, str]]' = queue.SimpleQueue()
answers: 'queue.SimpleQueue[tuple[bool, bytes]]' = queue.SimpleQueue()


class RuntimeAPI(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self) -> None:  # http.server's name for it
        """Give the next event, as soon as there is one."""
        number, event = waiting.get()
        self.send_response(200)
        self.send_header('Lambda-Runtime-Aws-Request-Id', f'request-{number}')
        self.send_header('Lambda-Runtime-Deadline-Ms', '99999999999999')
        self.send_header(
            'Lambda-Runtime-Invoked-Function-Arn', 'arn:aws:lambda:eu-west-1:123456789012:function:shop'
        )
        self.send_header(
            'Lambda-Runtime-Trace-Id', f'Root=1-5759e988-{number:024x};Parent=53995c3f42cd8ad8;Sampled=1'
        )
        self._end(event.encode())

    def do_POST(self) -> None:
        """Take the answer to an event, or an error."""
        answers.put((self.path.endswith('/error'), self.rfile.read(int(self.headers['Content-Length']))))
        self.send_response(202)
        self._end(b'')

    def _end(self, body: bytes) -> None:
        self.send_header('Content-Type', 'application/json')  # without it awslambdaric crashes
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing: the runtime is killed while it waits for the next event."""


server = Server(('127.0.0.1', 0), RuntimeAPI)
failed = False
threading.Thread(target=server.serve_forever, daemon=True).start()
with subprocess.Popen(
    [sys.executable, '-m', 'awslambdaric', function],
    env={**os.environ, 'AWS_LAMBDA_RUNTIME_API': f'127.0.0.1:{server.server_port}'},
) as runtime:
    for invocation in enumerate(events):
        runtime.send_signal(signal.SIGCONT)
        waiting.put(invocation)
        failed, answer = answers.get()
        print(answer.decode(), flush=True)
        if failed:
            break
        runtime.send_signal(signal.SIGSTOP)  # frozen: what has not been sent by now is not sent meanwhile
    runtime.kill()
sys.exit(failed)
