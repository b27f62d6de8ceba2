"""The endpoint on the wire: aiohttp in front of the service, and the timer behind it.

Everything runs on one event loop, and a put is answered without a switch of tasks between reading and answering
it, so the service needs no lock. Objects are written on the loop too: a slow disk delays answers, and in return a
flush is finished when it returns.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from firefighter.local.control import CONTROL_PREFIX, Control, Parameters
from firefighter.local.limits import MAX_BODY_BYTES
from firefighter.local.protocol import CONTENT_TYPE, Moment, Reply, ServiceError, parse_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from firefighter.local.service import Service

# How long requests under way may take to finish when the endpoint stops.
SHUTDOWN_SECONDS = 1
# How many connections may wait to be accepted: a fleet of workers that starts at once.
BACKLOG = 1024
# What aiohttp reads ahead of us: the whole of an ordinary request.
READ_BUFFER_BYTES = 1024 * 1024


class Server:
    """Serves one service on one port.

    Args:
        service: answers AWS's operations.
        control: answers those of our own.
        host: the address to listen on.
        port: the port; 0 takes a free one.
    """

    def __init__(self, service: Service, control: Control, host: str, port: int) -> None:
        self._service = service
        self._control = control
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._listener: asyncio.Server | None = None

    async def start(self) -> str:
        """Listen, and return the URL.

        Raises:
            OSError: the port is taken or the address is not this machine's.
        """
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        application.router.add_post('/', self._answer)
        for name, (method, operation) in self._control.operations.items():
            application.router.add_route(method, CONTROL_PREFIX + name, _control_handler(operation))
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, read_bufsize=READ_BUFFER_BYTES
        )
        await self._runner.setup()
        assert self._runner.server is not None  # noqa: S101 - setup made it
        self._listener = await asyncio.get_running_loop().create_server(
            self._runner.server, self._host, self._port, backlog=BACKLOG
        )
        host, port = self._listener.sockets[0].getsockname()[:2]
        return f'http://[{host}]:{port}' if ':' in host else f'http://{host}:{port}'

    async def stop(self) -> bool:
        """Stop listening, write what is buffered, and return whether all of it could be written."""
        if self._listener is not None:
            self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._timer is not None:
            self._timer.cancel()
        return self._service.close(now())

    def abandon_sockets(self) -> None:
        """Close this process's copies of the sockets, and nothing else: for a forked child."""
        if self._runner is None or self._runner.server is None:
            return
        sockets = list(self._listener.sockets) if self._listener is not None else []
        sockets += [
            connection.transport.get_extra_info('socket')
            for connection in self._runner.server.connections
            if connection.transport is not None
        ]
        nothing = os.open(os.devnull, os.O_RDWR)
        for abandoned in sockets:
            # Not closed: the socket's object would close the number again later, whosever it is by then.
            os.dup2(nothing, abandoned.fileno(), inheritable=False)
        os.close(nothing)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            target, authorization = _header(request, 'X-Amz-Target'), _header(request, 'Authorization')
            call = parse_request(target, authorization, await request.read(), now())
            reply = self._service.answer(call)
        except ServiceError as error:
            reply = error.reply()
        self._set_timer()
        return _response(reply)

    def _set_timer(self) -> None:
        due_at = self._service.next_due_at()
        if due_at is None or (self._timer is not None and self._timer.when() <= due_at):
            return
        if self._timer is not None:
            self._timer.cancel()
        # asyncio's clock is time.monotonic, which is also ours.
        self._timer = asyncio.get_running_loop().call_at(due_at, self._flush_due)

    def _flush_due(self) -> None:
        self._timer = None
        self._service.flush_due(now())
        self._set_timer()


def now() -> Moment:
    """Return this instant."""
    return Moment(time.monotonic(), time.time())


def _control_handler(
    operation: Callable[[Parameters], object],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            result = operation(orjson.loads(body) if body else {})
        except ServiceError as error:
            return _response(error.reply())
        return web.Response(body=orjson.dumps(result), content_type='application/json')

    return handle


def _header(request: web.Request, name: str) -> str:
    return request.headers.get(name, '')


def _response(reply: Reply) -> web.Response:
    headers = {'x-amzn-RequestId': reply.request_id}
    if reply.error_code is not None:
        headers['x-amzn-ErrorType'] = reply.error_code
    return web.Response(body=reply.body, status=reply.status, headers=headers, content_type=CONTENT_TYPE)
