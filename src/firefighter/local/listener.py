"""The listening socket and its connections, and the violence that can be done to them."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from aiohttp import web

from firefighter._delivery.diagnostics import write_text

# How many connections may wait to be accepted: a fleet of workers that starts at once.
BACKLOG = 1024
# How many asyncio accepts at once: so often it fails in vain, each second, while there is no room for another one.
ACCEPT_AT_ONCE = 16
# How soon to try again when the port cannot be had back.
REOPEN_SECONDS = 0.05
# In how many steps of its loop asyncio makes an accepted connection known, with some to spare.
ACCEPT_STEPS = 10
# What asyncio gets to notice that a client has gone in the middle of its TLS handshake: nobody else knows of those.
TLS_GRACE_SECONDS = 0.1
# With one of these there is no room for another connection. asyncio then accepts nothing for a second, and tries again.
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# How long after the line that says so another one may follow.
SAY_AGAIN_SECONDS = 60
# SO_LINGER on, for 0 s: the kernel answers the peer with RST instead of FIN.
_LINGER_RESET = struct.pack('ii', 1, 0)


class Listener:
    """Listens on one port, with pauses.

    Args:
        protocols: makes aiohttp's protocol for each connection.
        host: the address to listen on.
        port: the port; 0 takes a free one, and keeps it over pauses.
        tls: to speak TLS with, or None.
    """

    def __init__(self, protocols: web.Server, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._protocols = protocols
        self._tls = tls
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._reopening: asyncio.Task[None] | None = None
        self._pause_ends = asyncio.Event()
        self._say_again_at = 0.0

    async def open(self) -> str:
        """Listen, and return the URL.

        Raises:
            OSError: the port is taken or the address is not this machine's.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._handle_error)
        self._server = await loop.create_server(
            self._protocols, self._host, self._port, backlog=ACCEPT_AT_ONCE, ssl=self._tls
        )
        for listening in self._server.sockets:
            # asyncio has told the kernel, too, that so few may wait. Where no descriptor is free for it, it stays so.
            with suppress(OSError), listening.dup() as same:
                same.listen(BACKLOG)
        host, self._port = self._server.sockets[0].getsockname()[:2]
        scheme = 'http' if self._tls is None else 'https'
        return f'{scheme}://[{host}]:{self._port}' if ':' in host else f'{scheme}://{host}:{self._port}'

    def _handle_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Say in one line that there is no room for another connection; asyncio has a traceback for each that waits, every second."""
        error, message = context.get('exception'), context['message']
        if isinstance(error, OSError) and error.errno in _NO_ROOM and 'accept' in message:
            self._say_that_there_is_no_room(error, loop.time())
        elif not (isinstance(error, ValueError) and '_start_serving' in message):
            # That one means: asyncio wanted to accept again, and the socket has been closed meanwhile.
            loop.default_exception_handler(context)

    def _say_that_there_is_no_room(self, error: OSError, now: float) -> None:
        if now < self._say_again_at:
            return
        self._say_again_at = now + SAY_AGAIN_SECONDS
        write_text(
            f'firefighter local: there is no room for another connection ({error.strerror}); '
            'those that come wait until there is\n'
        )

    async def close(self) -> None:
        """Stop listening, for good. Connections that were accepted until then are among `transports` afterwards."""
        if self._reopening is not None:
            self._reopening.cancel()
        await self._stop_listening()

    def transports(self) -> list[asyncio.BaseTransport]:
        """Return what the connections go over."""
        connections = self._protocols.connections
        return [connection.transport for connection in connections if connection.transport is not None]

    async def end_tls(self, transports: Iterable[asyncio.BaseTransport]) -> None:
        """End TLS connections without the client's farewell, for which asyncio would wait longer than the loop lives."""
        if self._tls is None:
            return
        for transport in transports:
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
        await asyncio.sleep(TLS_GRACE_SECONDS)

    async def pause(self, seconds: float) -> None:
        """Refuse new connections for some time, and reset those that there are."""
        if self._reopening is None or self._reopening.done():
            self._pause_ends.clear()
            self._reopening = asyncio.get_running_loop().create_task(self._reopen(seconds))
            await self._stop_listening()
        for transport in self.transports():
            reset(transport)

    async def end_pause(self) -> None:
        """Accept connections again, where they are refused."""
        if self._reopening is not None:
            self._pause_ends.set()
            await self._reopening

    def abandon(self) -> None:
        """Close this process's copies of the sockets, and nothing else: for a forked child."""
        sockets = list(self._server.sockets) if self._server is not None else []
        sockets += [transport.get_extra_info('socket') for transport in self.transports()]
        nothing = os.open(os.devnull, os.O_RDWR)
        for abandoned in sockets:
            # Not closed: the socket's object would close the number again later, whosever it is by then.
            os.dup2(nothing, abandoned.fileno(), inheritable=False)
        os.close(nothing)

    async def _reopen(self, seconds: float) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._pause_ends.wait(), seconds)
        while True:
            with suppress(OSError):
                await self.open()
                return
            # The kernel lent the port to an outgoing connection meanwhile.
            await asyncio.sleep(REOPEN_SECONDS)

    async def _stop_listening(self) -> None:
        """Accept nothing more, let what is accepted become known, then close the server.

        asyncio makes a connection some steps of its loop after it has accepted it. Where the server is closed by then, it fails to
        (before Python 3.12), and the client waits for an answer until the socket is collected.
        """
        server = self._server
        if server is None:
            return
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # Windows' loop has no readers
            for listening in server.sockets:
                loop.remove_reader(listening.fileno())
        for _ in range(ACCEPT_STEPS):
            await asyncio.sleep(0)
        server.close()


def reset(transport: asyncio.BaseTransport | None) -> None:
    """End a connection with RST: whatever was on its way is lost."""
    if not isinstance(transport, asyncio.WriteTransport):
        return
    transport.get_extra_info('socket').setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
    transport.abort()
