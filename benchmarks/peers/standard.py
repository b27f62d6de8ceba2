"""What the standard library offers, and the floor that `logging` itself is."""

from __future__ import annotations

import logging
import logging.handlers
import queue

from benchmarks.contestant import Contestant


def null() -> Contestant:
    """The floor: logging makes a LogRecord and throws it away."""
    return Contestant(logging.NullHandler())


def queue_handler() -> Contestant:
    """The standard library's way off the thread; nobody listens while it is measured."""
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()

    def drain() -> None:
        while not records.empty():
            records.get()

    return Contestant(logging.handlers.QueueHandler(records), drain)


def queue_listening() -> Contestant:
    """The same with its listener running, which does the least that it can: it throws the records away."""
    records: queue.Queue[logging.LogRecord] = queue.Queue()
    listener = logging.handlers.QueueListener(records, logging.NullHandler())
    listener.start()
    return Contestant(logging.handlers.QueueHandler(records), records.join, listener.stop)
