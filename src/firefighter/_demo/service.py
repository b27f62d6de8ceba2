"""One worker: the web service as a process of its own, with its logging as plain configuration.

    service:main(WORKER, CONFIGURATION)

It prints one line of JSON when it listens: where, and where its handler keeps its events. After SIGTERM it answers what it has begun to answer, lets its handlers
deliver, prints another with what it has logged, and exits as a Python program does.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import logging.config
import pathlib
import signal
import sys
import threading
import warnings
from collections.abc import Sequence

from aiohttp import web

from firefighter._demo.shop import application
from firefighter.logging import FirehoseHandler, FirehoseWarning

# How long requests under way may take to finish when the worker ends.
SHUTDOWN_SECONDS = 2


class Numbered(logging.Filter):
    """Gives each record of this process a running number, from 1, so that it will be missed if it gets lost.

    Attributes:
        logged: the last number given.
    """

    def __init__(self) -> None:
        super().__init__()
        self.logged = 0
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, with its number as if it had been given as `extra`."""
        with self._lock:
            self.logged += 1
            vars(record)['number'] = self.logged
        return True


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM, and report."""
    worker, configuration = int(arguments[0]), pathlib.Path(arguments[1])
    # The demo says it, once for all workers, and goes on without a spool on disk.
    warnings.filterwarnings('ignore', 'spool_dir cannot be used', FirehoseWarning)
    logging.config.dictConfig(json.loads(configuration.read_bytes()))
    handler, numbered = _configured()
    asyncio.run(_serve(worker, handler, numbered))
    # As at any exit of Python, only before the last word: the report says how it went. Who had no event looks for those of the dead only now.
    handler.flush()
    logging.shutdown()
    stats = dataclasses.asdict(handler.stats())
    _tell(json.dumps({'worker': worker, 'logged': numbered.logged, 'stats': stats}))
    return 0


def _configured() -> tuple[FirehoseHandler, Numbered]:
    """Return the handler and the filter that the configuration has made."""
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, FirehoseHandler)  # noqa: S101 - the configuration says so
    (numbered,) = handler.filters
    assert isinstance(numbered, Numbered)  # noqa: S101 - the configuration says so
    return handler, numbered


async def _serve(worker: int, handler: FirehoseHandler, numbered: Numbered) -> None:
    loop, told_to_end = asyncio.get_running_loop(), asyncio.Event()
    signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(told_to_end.set))
    runner = web.AppRunner(application(worker, lambda: numbered.logged), shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    await web.TCPSite(runner, '127.0.0.1', 0).start()
    host, port = runner.addresses[0][:2]
    stats = handler.stats()
    _tell(json.dumps({'url': f'http://{host}:{port}', 'backing': stats.backing, 'trouble': stats.last_error}))
    await told_to_end.wait()
    # The loop is about to close; a second SIGTERM has nothing to add.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    await runner.cleanup()


def _tell(line: str) -> None:
    """Write a line to the demo, which reads it at once."""
    sys.stdout.write(f'{line}\n')
    sys.stdout.flush()
