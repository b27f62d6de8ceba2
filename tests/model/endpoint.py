"""A Firehose that a generated program talks to, and that is well or ill as it says. It alone knows what has really arrived.

It speaks the part of the protocol that a handler uses, on loopback, and remembers of each event whether the answer that took
it was written: a copy of an event whose answer nobody has seen is nobody's fault.

A second port takes the next mode, as one line of JSON, and answers when it holds: so a program can say it in its own order,
whichever of its processes it is.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ['MODES', 'Endpoint', 'events_in', 'switch']

MODES = {
    'up': 'takes and answers',
    'down': 'connections are refused, those that there are are reset',
    'silent': 'accepts connections and requests, stores nothing, never answers',
    'swallowing': 'stores, and never answers',
    'losing': 'stores, and resets the connection without an answer',
    'slow': 'stores, and answers so many seconds later',
    'throttling': 'refuses every other record of a request',
    'throttled': 'refuses whole requests with ThrottlingException',
    'unavailable': 'status 503, as from a load balancer',
}
# Not to be waited for longer than a busy machine takes to change a word.
SWITCH_SECONDS = 30.0
# An answer that takes longer may have come too late for a client with a short patience.
PROMPT_SECONDS = 0.1
GZIP = b'\x1f\x8b'


class Endpoint:
    """Runs on a thread of its own.

    Attributes:
        told: how often each event was stored in a request whose answer was written at once.
        untold: the same, where no such answer was.
        markers: events of the handler's own, that tell of dropped ones.
        requests: how many came in each mode.
    """

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        self.untold: Counter[str] = Counter()
        self.markers = 0
        self.requests: Counter[str] = Counter()
        self._mode: list[Any] = ['up']
        # Keeps the port while nobody listens: no one else gets it, not even as the port of a connection of his own.
        self._place = _bound(0)
        self._port: int = self._place.getsockname()[1]
        self._connections: set[asyncio.StreamWriter] = set()
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name='endpoint', daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._place.close()

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self._port}'

    @property
    def arrived(self) -> Counter[str]:
        """How often each event is there."""
        return self.told + self.untold

    def switch(self, mode: Sequence[Any]) -> None:
        """Take the next mode, and return when it holds."""
        asyncio.run_coroutine_threadsafe(self._switch(mode), self._loop).result(SWITCH_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._stop())
        self._loop.close()

    async def _start(self) -> None:
        self._control = await asyncio.start_server(self._obey, '127.0.0.1', 0)
        self.control_port = self._control.sockets[0].getsockname()[1]
        await self._listen()

    async def _stop(self) -> None:
        self._control.close()
        if self._listener is not None:
            self._listener.close()
        self._reset_connections()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # transports close one turn of the loop later

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, sock=_bound(self._port))

    async def _obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):
            await self._switch(json.loads(await reader.readline()))
            writer.write(b'done\n')
            await writer.drain()
        writer.close()

    async def _switch(self, mode: Sequence[Any]) -> None:
        if mode[0] not in MODES:
            raise ValueError(mode)
        before, self._mode = self._mode[0], list(mode)
        if mode[0] == 'down' and self._listener is not None:
            self._listener.close()
            self._listener = None
        if mode[0] == 'down' or before in {'silent', 'swallowing'}:
            # Whoever was left without an answer for ever learns it now, as when a service is started again.
            self._reset_connections()
        if mode[0] != 'down' and self._listener is None:
            await self._listen()

    def _reset_connections(self) -> None:
        for writer in list(self._connections):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side is gone, or this one ends
        finally:
            self._connections.discard(writer)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer a request; return whether there may be another one."""
        operation, body = await _read_request(reader)
        mode, *parameters = self._mode
        self.requests[mode] += 1
        if not operation.endswith('.PutRecordBatch'):
            writer.write(_error(400, 'AccessDeniedException'))
            return True
        records = [base64.b64decode(record['Data']) for record in json.loads(body)['Records']]
        return await self._put(records, mode, parameters, reader, writer)

    async def _put(
        self,
        records: Sequence[bytes],
        mode: str,
        parameters: Sequence[Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        refused = frozenset(range(0, len(records), 2)) if mode == 'throttling' else frozenset()
        taken = [record for index, record in enumerate(records) if index not in refused]
        if mode in {'throttled', 'unavailable'}:
            writer.write(
                _error(400, 'ThrottlingException') if mode == 'throttled' else _error(503, 'Unavailable')
            )
            return True
        if mode in {'silent', 'swallowing'}:
            if mode == 'swallowing':
                self._store(records, self.untold)
            while await reader.read(1 << 16):  # until the client gives up
                pass
            return False
        if mode == 'losing':
            self._store(records, self.untold)
            return False
        if mode == 'slow':
            self._store(records, self.untold)
            await asyncio.sleep(parameters[0])
            writer.write(_answer(len(records), refused))
            await writer.drain()
            return True
        # There before anybody can know of it; told when that is certain.
        self._store(taken, self.untold)
        began_at = self._loop.time()
        writer.write(_answer(len(records), refused))
        await writer.drain()
        gone = reader.at_eof() or writer.transport.is_closing()
        if not gone and self._loop.time() - began_at <= PROMPT_SECONDS:
            self._move_to_told(taken)
        return True

    def _store(self, records: Sequence[bytes], where: Counter[str]) -> None:
        for event in events_in(records):
            if 'firefighter_dropped' in event:
                self.markers += 1
            else:
                where[event['message']] += 1

    def _move_to_told(self, records: Sequence[bytes]) -> None:
        events = Counter(
            event['message'] for event in events_in(records) if 'firefighter_dropped' not in event
        )
        self.told.update(events)
        self.untold.subtract(events)


def switch(control_port: int, mode: Sequence[Any]) -> None:
    """Have an endpoint in another process take the next mode, and return when it holds."""
    with socket.create_connection(('127.0.0.1', control_port), SWITCH_SECONDS) as connection:
        connection.sendall(json.dumps(list(mode)).encode() + b'\n')
        answer = connection.recv(16)
    if answer != b'done\n':
        raise RuntimeError(f'the endpoint has not become {mode}')


def events_in(records: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    """Return the events of Firehose records, aggregated and compressed or not."""
    for record in records:
        data = gzip.decompress(record) if record.startswith(GZIP) else record
        yield from map(json.loads, data.splitlines())


def _bound(port: int) -> socket.socket:
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    place.bind(('127.0.0.1', port))
    return place


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1').lower().split('\r\n')
    headers = dict(line.split(': ', 1) for line in head[1:] if ': ' in line)
    body = await reader.readexactly(int(headers.get('content-length', 0)))
    target = next((line for line in head if line.startswith('x-amz-target')), '')
    return 'X.PutRecordBatch' if target.endswith('putrecordbatch') else target, body


def _answer(records: int, refused: frozenset[int]) -> bytes:
    slow_down = {'ErrorCode': 'ServiceUnavailableException', 'ErrorMessage': 'Slow down.'}
    entries = [slow_down if index in refused else {'RecordId': f'{index:0224}'} for index in range(records)]
    return _response(200, {'FailedPutCount': len(refused), 'Encrypted': False, 'RequestResponses': entries})


def _error(status: int, code: str) -> bytes:
    return _response(status, {'__type': code, 'message': 'no'})


def _response(status: int, content: object) -> bytes:
    body = json.dumps(content).encode()
    head = f'HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {len(body)}\r\n\r\n'
    return head.encode() + body
