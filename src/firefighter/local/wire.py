"""Putting a reply onto the wire as it says: at once, late, in pieces, in half, or not at all."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import web

from firefighter.local.listener import Listener, reset
from firefighter.local.protocol import CONTENT_TYPE, Ending, Reply

# Into how many pieces a dribbled answer is cut.
DRIBBLE_PIECES = 20


class Wire:
    """Sends replies.

    Args:
        listener: for the faults that concern all connections.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._waiting_ends = asyncio.Event()

    def stop(self) -> None:
        """Let go of everything that is being waited for, and wait for nothing more."""
        self._waiting_ends.set()

    def end_waiting(self) -> None:
        """Let go of everything that is being waited for."""
        self.stop()
        self._waiting_ends = asyncio.Event()

    async def send(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        """Answer a request."""
        waiting_ends = self._waiting_ends  # one for all that this answer waits for
        if reply.delay_seconds:
            await pause(waiting_ends, reply.delay_seconds)
        if reply.ending is Ending.SILENCE:
            await waiting_ends.wait()
        elif reply.ending is Ending.REFUSE and not waiting_ends.is_set():
            await self._listener.pause(reply.refuse_seconds)
        elif reply.ending is Ending.CUT_OFF:
            return await self._cut_off(request, reply)
        elif reply.dribble_seconds:
            return await _dribble(request, reply, waiting_ends)
        if reply.ending is not Ending.ANSWER:
            reset(request.transport)
        return web.Response(body=reply.body, status=reply.status, headers=_headers(reply))

    async def _cut_off(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        response = await _prepared(request, reply)
        await response.write(reply.body[: len(reply.body) // 2])
        if request.transport is not None:
            # In order, so that the half arrives; only then is the connection too short for its Content-Length.
            request.transport.close()
        return response


async def _dribble(request: web.Request, reply: Reply, ends: asyncio.Event) -> web.StreamResponse:
    response = await _prepared(request, reply)
    step = -(-len(reply.body) // DRIBBLE_PIECES)
    for start in range(0, len(reply.body), step):
        await pause(ends, reply.dribble_seconds / DRIBBLE_PIECES)
        await response.write(reply.body[start : start + step])
    return response


async def pause(ends: asyncio.Event, seconds: float) -> None:
    """Wait for so many seconds, or until waiting ends."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(ends.wait(), seconds)


async def _prepared(request: web.Request, reply: Reply) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers=_headers(reply))
    response.content_length = len(reply.body)
    await response.prepare(request)
    return response


def _headers(reply: Reply) -> dict[str, str]:
    headers = {'Content-Type': CONTENT_TYPE, 'x-amzn-RequestId': reply.request_id}
    if reply.error_code is not None:
        headers['x-amzn-ErrorType'] = reply.error_code
    return headers
