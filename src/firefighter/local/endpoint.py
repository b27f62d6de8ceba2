"""The endpoint in this process: an event loop of its own in a thread of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import errno
import os
import pathlib
import ssl
import threading
import weakref
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from firefighter.local.arguments import check, texts
from firefighter.local.bucket import DEFAULT_BUCKET
from firefighter.local.buffering import MIB, BufferingHints
from firefighter.local.callers import Callers
from firefighter.local.client import TIMEOUT_SECONDS, Controls, EndpointError, Running, tell
from firefighter.local.control import Control
from firefighter.local.fault_plan import FaultPlan, parse_faults
from firefighter.local.folder import Folder
from firefighter.local.protocol import ServiceError
from firefighter.local.service import Service
from firefighter.local.streams import Unwritten

if TYPE_CHECKING:
    from typing_extensions import Self

    from firefighter.local.server import Server

LOOPBACK = '127.0.0.1'
MISSING_AIOHTTP = "the local endpoint needs aiohttp: pip install 'firefighter[local]'"


class LocalFirehose(Running, Controls):
    """An embedded Firehose that delivers into a folder while the `with` block lasts.

    It listens on loopback only, unless told. Everything buffered is written when it stops, and no thread or socket
    is left. A forked child of this process has nothing of it; the parent's goes on.

    Args:
        folder: objects arrive in `<folder>/<bucket>/<key>`; made if it is missing.
        streams: delivery streams to create at once, to S3, in the bucket `logs`.
        host: the address to listen on. Another than loopback shows the endpoint to the network.
        port: the port to listen on; 0 takes a free one.
        buffer_seconds: how long a stream without hints of its own gathers records. AWS's default is 300.
        buffer_bytes: how many bytes it gathers at most. AWS's default, too, is 5 MiB.
        faults: faults to arm at once, as on the command line: `partial:share=0.3,probability=0.1`.
        seed: for the faults' dice; None for other strikes each time.
        tls: a server's context with its certificate, for an endpoint on https. A certificate that is loaded into
            it later is shown to connections that come later.
        allow_hosts: names, beside `localhost`, addresses of loopback and `host`, that it may be called by, such as the name of a
            container. A request for another name is refused, and so is every request of a web page.
        create_on_put: make streams as puts name them.

    Raises:
        TypeError: an argument is of another type; the message says what to write.
        ValueError: a fault is not one of the catalogue's, a name of a host is none, a number makes no sense.
        EndpointError: in `start` and `with`: the port is taken, the folder is not writable, a stream's name is
            not valid. In `stop` and at the end of `with`: accepted records could not be written.
        ModuleNotFoundError: in `start` and `with`: aiohttp is not installed; the message says how to.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        streams: Iterable[str] = (),
        host: str = LOOPBACK,
        port: int = 0,
        buffer_seconds: float = 1,
        buffer_bytes: int = 5 * MIB,
        faults: Iterable[str] = (),
        seed: int | None = None,
        tls: ssl.SSLContext | None = None,
        allow_hosts: Iterable[str] = (),
        create_on_put: bool = False,
    ) -> None:
        check(
            host=host,
            port=port,
            buffer_seconds=buffer_seconds,
            buffer_bytes=buffer_bytes,
            seed=seed,
            tls=tls,
            create_on_put=create_on_put,
        )
        self.folder = pathlib.Path(folder).resolve()
        self._streams = texts('streams', streams)
        self._address = host, port
        self._callers = Callers(host, texts('allow_hosts', allow_hosts))
        self._create_on_put = create_on_put
        self._tls = tls
        self._hints = BufferingHints(buffer_bytes, buffer_seconds)
        self._plan = FaultPlan(seed)
        for name, parameters in parse_faults(texts('faults', faults)):
            self._plan.arm(name, parameters)
        self._url: str | None = None
        self._unwritten: Mapping[str, Unwritten] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._control: Control | None = None
        self._objects: Folder | None = None
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """The endpoint's URL, for boto3's `endpoint_url` or `AWS_ENDPOINT_URL_FIREHOSE`."""
        if self._url is None:
            raise EndpointError('the local endpoint has not been started')
        return self._url

    def delivered(self, bucket: str = DEFAULT_BUCKET) -> bytes:
        """Write what is buffered, and return what is in a bucket's objects, one behind the other.

        Args:
            bucket: where streams deliver that were not told otherwise, unless told.

        Raises:
            EndpointError: some of what belongs there could not be written, or there can be no bucket of that name.
        """
        unwritten = {name: kept for name, kept in self._flush().items() if bucket in kept.buckets}
        if unwritten:
            raise EndpointError(f'some records cannot be written and are kept: {tell(unwritten)}')
        assert self._objects is not None  # noqa: S101 - what can be flushed has been started
        try:
            return self._objects.read(bucket)
        except ServiceError as error:
            raise EndpointError(str(error)) from error

    def start(self) -> Self:
        """Listen, and return when requests are answered."""
        if self._thread is not None:
            raise EndpointError('the local endpoint has been started already')
        try:
            from firefighter.local.server import Server, now  # noqa: PLC0415 - an extra may be missing
        except ModuleNotFoundError as error:
            if error.name != 'aiohttp':
                raise
            raise ModuleNotFoundError(MISSING_AIOHTTP, name='aiohttp') from None
        try:
            self._objects = Folder(self.folder)
            self._objects.remove_unfinished()
            service = Service(self._objects, self._hints, create_on_put=self._create_on_put)
            self._control = Control(service, self._plan, now)
            for name in self._streams:
                self.create_stream(name)
            self._server = Server(
                service, self._plan, self._control, self._callers, *self._address, self._tls
            )
        except OSError as error:
            raise EndpointError(f'cannot write to {self.folder}: {error}') from error
        started: concurrent.futures.Future[str] = concurrent.futures.Future()
        # A daemon, so that a program that forgets to stop it can still end.
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(started)), name='firefighter-local', daemon=True
        )
        self._thread.start()
        try:
            self._url = started.result()
        except (OSError, OverflowError) as error:
            self._thread.join()
            self._thread = None
            host, port = self._address
            taken = getattr(error, 'errno', None) == errno.EADDRINUSE
            why = f'port {port} is in use; give another one with --port or port=, or 0 for a free one'
            raise EndpointError(f'cannot listen on {host}:{port}: {why if taken else error}') from error
        _running.add(self)
        return self

    def stop(self) -> None:
        """Stop listening, and write what is buffered.

        The accounts can still be read afterwards.

        Raises:
            EndpointError: some of it could not be written, and is lost.
        """
        _running.discard(self)
        if self._thread is None or self._loop is None or self._stopping is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None
        if self._unwritten:
            raise EndpointError(f'some records could not be written and are lost: {tell(self._unwritten)}')

    async def _serve(self, started: concurrent.futures.Future[str]) -> None:
        assert self._server is not None  # noqa: S101 - start made it
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        try:
            url = await self._server.start()
        except BaseException as error:
            await self._server.stop()
            started.set_exception(error)
            return
        started.set_result(url)
        await self._stopping.wait()
        self._unwritten = await self._server.stop()

    def _call(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        if self._control is None:
            raise EndpointError('the local endpoint has not been started')
        try:
            if self._thread is None or self._loop is None or self._server is None:
                # Nothing else can touch the service: there is no server yet, or none any more.
                return self._control.call(operation, parameters)
            return asyncio.run_coroutine_threadsafe(
                self._server.call(operation, parameters), self._loop
            ).result(TIMEOUT_SECONDS)
        except ServiceError as error:
            raise EndpointError(str(error)) from error

    def _forget_in_child(self) -> None:
        # A forked child has no thread to serve with, and its copies of the sockets would keep the parent's
        # connections open when the parent closes them.
        if self._server is not None:
            self._server.abandon_sockets()
        self._thread = self._control = None


_running: weakref.WeakSet[LocalFirehose] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for endpoint in tuple(_running):
        endpoint._forget_in_child()  # noqa: SLF001 - this module's own
    _running.clear()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_after_fork_in_child)
