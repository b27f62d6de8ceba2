"""python-logstash-async: to Logstash over TCP, its queue in memory."""

from __future__ import annotations

import importlib
import time
from typing import Any

from benchmarks.contestant import Contestant
from benchmarks.peers.sinks import Sink


def logstash() -> Contestant:
    """Deliver at full speed, to a server of its own in another process."""
    sink = Sink('lines')
    module: Any = importlib.import_module('logstash_async.handler')
    handler = module.AsynchronousLogstashHandler('127.0.0.1', sink.port, database_path=None)

    def deliver() -> None:
        worker = handler._worker_thread  # noqa: SLF001  # it has no other way to tell when it is through
        while not worker._queue.empty() or worker._database._cache:  # noqa: SLF001
            handler.flush()
            time.sleep(0.02)

    def close() -> None:
        handler.close()
        sink.end()

    return Contestant(handler, deliver, close)
