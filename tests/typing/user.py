"""A user's code, for the type checkers: public names only, every one of them, in strict mode."""

from __future__ import annotations

import logging
import queue
import re
import signal
import threading
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import boto3.session
import loguru
import structlog
from prometheus_client import REGISTRY

from firefighter.context import Binding, bind, unbind
from firefighter.formatting import JSONFormatter
from firefighter.integrations.loguru import sink
from firefighter.integrations.opentelemetry import FirehoseLogRecordExporter, observe_handlers
from firefighter.integrations.prometheus import FirehoseCollector
from firefighter.integrations.structlog import EventRenderer, FirehoseLogger, FirehoseLoggerFactory
from firefighter.logging import (
    FirehoseHandler,
    FirehoseWarning,
    KeepUntilErrorHandler,
    LimitFilter,
    flush_on_signals,
)
from firefighter.stats import DropReason, Stats

totals: dict[str, int] = {}


def told(reason: DropReason, events: int, size_bytes: int) -> None:
    totals[reason.value] = totals.get(reason.value, 0) + events + size_bytes


documented: logging.Handler = FirehoseHandler(delivery_stream_name='bar')
by_position = FirehoseHandler('bar', True, 60, boto3.session.Session(), None, logging.INFO)
by_name = FirehoseHandler(
    'bar',
    use_queues=False,
    send_interval=0.5,
    boto3_profile_name='dev',
    level='INFO',
    region_name='eu-west-1',
    endpoint_url='http://127.0.0.1:4573',
    fields={'service': 'api', 'shard': 7},
    include=['host', 'pid'],
    protect_fields=True,
    max_spool_bytes=1 << 20,
    overflow='block',
    block_timeout_seconds=0.5,
    oversize='truncate',
    shutdown_timeout_seconds=5,
    sync_timeout_seconds=1,
    undelivered='stderr',
    on_drop=told,
)


class Client:
    def put_record_batch(
        self, *, DeliveryStreamName: str, Records: Sequence[Mapping[str, bytes]]
    ) -> Mapping[str, Any]:
        return {}


with_a_client = FirehoseHandler('bar', boto3_client=Client())
as_the_stream_takes = FirehoseHandler('bar', aggregate='auto')
with_a_lambda = FirehoseHandler('bar', on_drop=lambda reason, events, size_bytes: None)


class Smaller(FirehoseHandler):
    MAX_BATCH_SIZE = 1000
    MAX_BATCH_COUNT = 10
    MAX_RECORD_SIZE = 500


handler = Smaller('bar')
handler.MAX_RECORD_SIZE = 400
handler.setFormatter(
    JSONFormatter(
        fields={'env': 'prod'},
        include=('source',),
        protect_fields=True,
        leave_out=['span'],
        ignore_case=True,
        context=['firefighter', 'shop.context:tenant', ContextVar[str]('user')],
        redact=['password', 'api_*', r're:\d{16}', re.compile('x')],
        layout='otlp',
    )
)
handler.setFormatter(logging.Formatter('%(message)s'))
handler.setFormatter(None)

record = logging.makeLogRecord({'msg': 'Ahoy'})
handler.emit(record)
handler.emit(record, make_thread=threading.Thread)
handler.emit(message=record)

batch_queue: queue.Queue[Any] = queue.Queue()
batch_queue.put(b'one')
batch_queue.put(handler.FLUSH)
batch_queue.put(handler.END)
handler.batch_sender(batch_queue, 'bar', 60)

everything_is_out: bool = handler.flush()
everything_is_out = handler.flush(timeout_seconds=1)

stats: Stats = handler.stats()
counts: tuple[int, int, int] = (stats.accepted, stats.delivered, stats.pending)
dropped: int = stats.dropped.get(DropReason.OVERFLOW, 0)
error: str | None = stats.last_error
handler.close()

warning: type[Warning] = FirehoseWarning
limit: logging.Filter = LimitFilter(events_per_second=0.5)
keep: logging.Handler = KeepUntilErrorHandler(target=by_name, below='INFO', events=200)
forgotten: int = KeepUntilErrorHandler('firehose').stats().forgotten
KeepUntilErrorHandler.begin_request()

loguru.logger.add(sink(by_name))
structlog.configure(processors=[EventRenderer()], logger_factory=FirehoseLoggerFactory(by_name))
logger_of_ours: FirehoseLogger = FirehoseLoggerFactory(by_name)('shop')
logger_of_ours.info({'event': 'Ahoy', 'order': 42})
REGISTRY.register(FirehoseCollector([by_name]))
observe_handlers([by_position, by_name])
flushed: bool = FirehoseLogRecordExporter(by_name).force_flush(timeout_millis=100)

binding: Binding = bind(request_id='5f2b', user=7)
with bind(user='ada'), binding:
    unbind('user', 'request_id')
unbind()

flush_on_signals('SIGTERM', signal.SIGHUP, 2).restore()
with flush_on_signals('SIGTERM'):
    pass
