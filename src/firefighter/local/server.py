"""The endpoint on the wire: aiohttp in front of the service, and the timer behind it.

Everything runs on one event loop, and a put is answered without a switch of tasks between reading and answering
it, so the service needs no lock. Objects are written on the loop too: a slow disk delays answers, and in return a
flush is finished when it returns.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.log import server_logger

from firefighter.local.callers import UNSUPPORTED_MEDIA_TYPE, Callers
from firefighter.local.control import CLEAR_FAULTS, CONTROL_PREFIX, Control, Parameters, parse_parameters
from firefighter.local.fault_plan import FaultPlan
from firefighter.local.limits import MAX_BODY_BYTES
from firefighter.local.listener import Listener
from firefighter.local.protocol import Moment, ServiceError, parse_request
from firefighter.local.service import Service
from firefighter.local.streams import Unwritten
from firefighter.local.wire import Wire

# How long requests under way may take to finish when the endpoint stops.
SHUTDOWN_SECONDS = 1
# What aiohttp reads ahead of us: the whole of an ordinary request.
READ_BUFFER_BYTES = 1024 * 1024
# What is wrong with a request that is not HTTP, or with its body. The client has it in an answer of status 400.
_MISTAKES_OF_CLIENTS = (HttpProcessingError, web.RequestPayloadError)


class Server:
    """Serves one service on one port.

    Args:
        service: answers AWS's operations.
        plan: the faults around it.
        control: answers the operations of our own.
        callers: tells whose requests are answered.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        tls: to speak TLS with, or None.
    """

    def __init__(
        self,
        service: Service,
        plan: FaultPlan,
        control: Control,
        callers: Callers,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._service = service
        self._plan = plan
        self._control = control
        self._callers = callers
        self._address = host, port
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None
        self._wire: Wire | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> str:
        """Listen, and return the URL.

        Raises:
            OSError: the port is taken or the address is not this machine's.
        """
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            # A client that gives up on an answer ends its handler, also one that waits for nothing.
            handler_cancellation=True,
            shutdown_timeout=SHUTDOWN_SECONDS,
            read_bufsize=READ_BUFFER_BYTES,
            logger=_quiet_logger(),
        )
        await self._runner.setup()
        assert self._runner.server is not None  # noqa: S101 - setup made it
        self._listener = Listener(self._runner.server, *self._address, self._tls)
        self._wire = Wire(self._listener)
        return await self._listener.open()

    async def stop(self) -> dict[str, Unwritten]:
        """Stop listening, write what is buffered, and return what could not be written, by stream."""
        transports = []
        if self._listener is not None:
            await self._listener.close()
            transports = self._listener.transports()
        if self._wire is not None:
            self._wire.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._listener is not None:
            await self._listener.end_tls(transports)
        if self._timer is not None:
            self._timer.cancel()
        return self._service.close(now())

    async def call(self, operation: str, parameters: Parameters) -> Any:
        """Do a control operation, and what it means for the connections.

        Raises:
            ServiceError: the parameters are not acceptable.
        """
        assert self._wire is not None  # noqa: S101 - start made it
        assert self._listener is not None  # noqa: S101 - as above
        result = self._control.call(operation, parameters)
        if operation == CLEAR_FAULTS:
            self._wire.end_waiting()
            await self._listener.end_pause()
        return result

    def abandon_sockets(self) -> None:
        """Close this process's copies of the sockets, and nothing else: for a forked child."""
        if self._listener is not None:
            self._listener.abandon()

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_post('/', self._answer)
        for name, operation in self._control.operations.items():
            application.router.add_route(operation.method, CONTROL_PREFIX + name, self._control_handler(name))
        return application

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        assert self._wire is not None  # noqa: S101 - start made it
        try:
            headers = request.headers
            self._callers.check(headers)
            body = await _body(request)
            call = parse_request(
                headers.get('X-Amz-Target', ''), headers.get('Authorization', ''), body, now()
            )
        except ServiceError as error:
            return await self._wire.send(request, error.reply())
        reply = self._plan.answer(call, self._service.answer)
        self._set_timer()
        return await self._wire.send(request, reply)

    def _control_handler(self, name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            assert self._wire is not None  # noqa: S101 - start made it
            try:
                self._callers.check(request.headers)
                _check_content_type(request)
                result = await self.call(name, parse_parameters(await _body(request)))
            except ServiceError as error:
                return await self._wire.send(request, error.reply())
            return web.Response(body=orjson.dumps(result), content_type='application/json')

        return handle

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


def _quiet_logger() -> logging.Logger:
    """Return aiohttp's logger without what clients do wrong: it has a traceback for each, though nothing of ours has failed."""
    logger = server_logger.getChild('firefighter')
    logger.addFilter(_is_no_mistake_of_a_client)
    return logger


def _is_no_mistake_of_a_client(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], _MISTAKES_OF_CLIENTS))


def _check_content_type(request: web.Request) -> None:
    # A page cannot send JSON elsewhere without asking first, and nobody answers that it may.
    if request.method == 'POST' and request.content_type != 'application/json':
        message = "A control request must have the header 'Content-Type: application/json'"
        raise ServiceError('UnsupportedMediaTypeException', message, UNSUPPORTED_MEDIA_TYPE)


async def _body(request: web.Request) -> bytes:
    # Not request.read(), which copies a full request twice.
    chunks, size_bytes = [], 0
    try:
        async for chunk in request.content.iter_any():
            size_bytes += len(chunk)
            if size_bytes > MAX_BODY_BYTES:
                message = f'The body is larger than {MAX_BODY_BYTES} bytes'
                raise ServiceError('RequestEntityTooLargeException', message, status=413)
            chunks.append(chunk)
    except web.RequestPayloadError as error:
        message = 'The body is not what its headers say: Content-Encoding, Transfer-Encoding, Content-Length'
        raise ServiceError('SerializationException', message) from error
    return b''.join(chunks)
