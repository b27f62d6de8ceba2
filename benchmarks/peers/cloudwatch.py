"""watchtower: to CloudWatch Logs, over a queue."""

from __future__ import annotations

import importlib
import logging
from typing import Any

import boto3.session
from benchmarks.contestant import Contestant
from benchmarks.peers.sinks import Sink

_FIELDS = ('created', 'levelname', 'name', 'user', 'path', 'took_ms')


def watchtower() -> Contestant:
    """Deliver at full speed, to an endpoint of its own in another process."""
    sink = Sink('cloudwatch')
    session = boto3.session.Session('x', 'x', region_name='eu-north-1')
    client: Any = session.client('logs', endpoint_url=f'http://127.0.0.1:{sink.port}')
    module: Any = importlib.import_module('watchtower')
    handler: logging.Handler = module.CloudWatchLogHandler('bench', 'bench', boto3_client=client)
    # Without these it would send the message alone.
    handler.setFormatter(module.CloudWatchLogFormatter(add_log_record_attrs=_FIELDS))

    def close() -> None:
        handler.close()
        sink.end()

    return Contestant(handler, handler.flush, close)
