"""firefighter 0.1.1 of 2018: its own names, and a `queue.Queue` between the call and the thread that delivers.

It runs in a process in which `firefighter` is that version. It is given a formatter that is as fast as can be,
so that it is compared by what it does itself.
"""

from __future__ import annotations

import importlib
import logging
from typing import Any

import orjson
from benchmarks.contestant import AcceptingClient, Contestant

_STANDARD = {*vars(logging.makeLogRecord({})), 'message', 'asctime', 'taskName'}


class PlainJSON(logging.Formatter):
    """The fields of our own formatter, without a thought for what cannot be encoded."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON."""
        event = {
            'timestamp': self.formatTime(record),
            'level': record.levelname,
            'logger': record.name,
            'message': record.getMessage(),
        }
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        return orjson.dumps(event | extra).decode()

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802  # logging's
        """Return something as long as our timestamp, for nothing."""
        return f'{record.created:027.6f}'


class Session:
    """Gives the handler its client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def client(self, _: str) -> Any:
        """Return it, whatever the service is called."""
        return self._client


def handler_with(client: Any, stream: str = 'bench') -> logging.Handler:
    """Return the ancestor's handler with this client."""
    package: Any = importlib.import_module('firefighter')
    module: Any = importlib.import_module('firefighter.logging')
    if package.__version__ != '0.1.1':
        raise ImportError(f'this is firefighter {package.__version__}, not 0.1.1')
    handler: logging.Handler = module.FirehoseHandler(stream, boto3_session=Session(client))
    handler.setFormatter(PlainJSON())
    return handler


def ancestor() -> Contestant:
    """Deliver at full speed, to a client that accepts everything at once."""
    handler = handler_with(AcceptingClient(open_gate=True))
    return Contestant(handler, handler.flush, handler.close)
