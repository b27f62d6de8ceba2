"""Which field of `Stats` is which metric, and the metrics of all handlers together. Knows no metrics library.

A metric belongs to a stream: handlers of the same stream are added up. What a handler has counted stays counted when the
handler is gone (`dictConfig` forgets those that it replaces), whether it was read before or not. So a counter never goes back.
"""

from __future__ import annotations

import _thread
import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from os import getpid

from firefighter._handler.all_accounts import counted_by_stream, living_accounts
from firefighter._process.lock import make_lock, run_locked
from firefighter.logging import FirehoseHandler
from firefighter.stats import DropReason, Stats

__all__ = ['METRICS', 'NO_METRIC', 'Kind', 'Metric', 'Point', 'Readings', 'Unit']


class Kind(enum.Enum):
    """How a metric moves, and how that of several handlers is made of theirs."""

    COUNTER = 'counter'
    """Only up; the sum."""
    LEVEL = 'level'
    """Up and down; the sum."""
    EXTREME = 'extreme'
    """Up and down; the largest."""


class Unit(enum.Enum):
    """What is counted or measured, as OpenTelemetry writes it (UCUM)."""

    EVENTS = '{event}'
    RECORDS = '{record}'
    REQUESTS = '{request}'
    LOG_RECORDS = '{log_record}'
    ERRORS = '{error}'
    HANDLERS = '{handler}'
    PRODUCERS = '{producer}'
    BYTES = 'By'
    SECONDS = 's'


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        kind: how it moves.
        stats_field: the field of `Stats` that it shows.
        name: what it is called, in words with dots between them, without unit or the library's name.
        unit: of what.
        text: what it means, in a sentence.
        label: what its values are told apart by, beside the stream: the keys of a mapping, or the value of a text, which
            then counts the handlers that have it.
    """

    kind: Kind
    stats_field: str
    name: str
    unit: Unit
    text: str
    label: str | None = None


_counter = partial(Metric, Kind.COUNTER)
_level = partial(Metric, Kind.LEVEL)
_extreme = partial(Metric, Kind.EXTREME)

# A new field of `Stats` comes here, as one line, or into NO_METRIC.
METRICS = (
    _counter(
        'accepted',
        'events.accepted',
        Unit.EVENTS,
        'Events that the program logged, and markers of drops (event_ids).',
    ),
    _level(
        'adopted', 'events.adopted', Unit.EVENTS, 'Events taken over from dead processes and not given back.'
    ),
    _counter(
        'markers', 'events.markers', Unit.EVENTS, 'Events made by the handler to report dropped events.'
    ),
    _counter('delivered', 'events.delivered', Unit.EVENTS, 'Events that Firehose has acknowledged.'),
    _counter('dropped', 'events.dropped', Unit.EVENTS, 'Events dropped.', 'reason'),
    _counter('dropped_bytes', 'data.dropped', Unit.BYTES, 'Size of the dropped events.', 'reason'),
    _level('pending', 'events.pending', Unit.EVENTS, 'Events neither delivered nor dropped yet.'),
    _level('spool_bytes', 'spool.size', Unit.BYTES, 'Bytes that the spool has allocated.'),
    _counter('requests', 'requests', Unit.REQUESTS, 'PutRecordBatch requests sent.'),
    _counter('records', 'records.sent', Unit.RECORDS, 'Firehose records in those requests.'),
    _counter('sent_bytes', 'data.sent', Unit.BYTES, 'Data in those records, before base64.'),
    _counter('retried', 'records.retried', Unit.RECORDS, 'Firehose records sent again.'),
    _counter('uncertain', 'events.uncertain', Unit.EVENTS, 'Events that may have extra copies.'),
    _extreme('queue_age_seconds', 'queue.age', Unit.SECONDS, 'How long the oldest pending event has waited.'),
    _counter('dead_letters', 'events.dead', Unit.EVENTS, 'Events that Firehose refused as invalid, alone.'),
    _counter('oversize', 'events.oversize', Unit.EVENTS, 'Events that were longer than MAX_RECORD_SIZE.'),
    _counter('truncated', 'events.truncated', Unit.EVENTS, 'Events that were truncated.'),
    _counter(
        'suppressed',
        'suppressed',
        Unit.LOG_RECORDS,
        'Log records caused by delivery itself, which are not events.',
    ),
    _counter('hook_errors', 'hook.errors', Unit.ERRORS, 'Exceptions that the hooks raised.'),
    _counter('quarantined_bytes', 'spool.quarantined', Unit.BYTES, 'Torn bytes that were set aside.'),
    _counter('newer_producers', 'spool.newer', Unit.PRODUCERS, 'Dead processes left for a later version.'),
    _level('backing', 'handlers', Unit.HANDLERS, 'Handlers, by where their events wait.', 'backing'),
)

NO_METRIC: Mapping[str, str] = {
    'last_error': 'a text, of which each would be a series of its own',
    'aggregates': '`records` beside `delivered` shows what became of it',
}
"""Fields of `Stats` that are no metric, and why."""


@dataclass(frozen=True)
class Point:
    """One value of a metric.

    Attributes:
        stream: the delivery stream's name; empty for a handler without one.
        label: the value of the metric's label, where it has one.
        value: the number.
    """

    stream: str
    label: str | None
    value: float


_Key = tuple[Metric, str, 'str | None']


@dataclass
class _Memory:
    """The counters as they were read last."""

    lock: _thread.RLock = field(default_factory=make_lock)
    counters: dict[_Key, float] = field(default_factory=dict)

    def keep_from_going_back(self, totals: dict[_Key, float]) -> None:
        """Replace each counter that is below what was read before: what has just come to its end is counted nowhere for a moment."""
        for key in [key for key in {**self.counters, **totals} if key[0].kind is Kind.COUNTER]:
            self.counters[key] = totals[key] = max(self.counters.get(key, 0), totals.get(key, 0))


class Readings:
    """Reads the metrics of handlers.

    Args:
        handlers: the handlers; None for all that this process has and had.
    """

    def __init__(self, handlers: Iterable[FirehoseHandler] | None = None) -> None:
        self._handlers = None if handlers is None else list(dict.fromkeys(handlers))
        # By pid: what the parent has counted is the parent's, and so is a lock that another thread held at the fork.
        self._memories: dict[int, _Memory] = {}

    def read(self) -> dict[Metric, list[Point]]:
        """Return the points of each metric, by one snapshot of each handler."""
        # Without the lock, since it takes the locks of spools: a destructor that interrupts their owner may read metrics as well.
        totals = _all_totals() if self._handlers is None else _totals(self._handlers)
        memory = self._memories.setdefault(getpid(), _Memory())
        run_locked(memory.lock, memory.keep_from_going_back, totals)
        points: dict[Metric, list[Point]] = {metric: [] for metric in METRICS}
        for (metric, stream, label), value in totals.items():
            points[metric].append(Point(stream, label, value))
        return points


def _totals(handlers: Iterable[FirehoseHandler]) -> dict[_Key, float]:
    totals: dict[_Key, float] = {}
    for handler in handlers:
        _add(totals, _values(handler.stats(), handler.delivery_stream_name or ''))
    return totals


def _all_totals() -> dict[_Key, float]:
    """Return the same for all that there are, also without a handler, and the counters of those that are gone."""
    totals: dict[_Key, float] = {}
    # In this order: what comes to its end meanwhile is missed, rather than counted twice.
    for stream, stats in counted_by_stream().items():
        _add(totals, ((key, value) for key, value in _values(stats, stream) if key[0].kind is Kind.COUNTER))
    for account in living_accounts():
        _add(totals, _values(account.stats(), account.stream))
    return totals


def _values(stats: Stats, stream: str) -> Iterator[tuple[_Key, float]]:
    for metric in METRICS:
        value = getattr(stats, metric.stats_field)
        if metric.label is None:
            yield (metric, stream, None), value
        elif isinstance(value, str):
            yield (metric, stream, value), 1
        else:
            # All reasons from the beginning: the increase from nothing to one is not seen by a monitor.
            for reason in DropReason:
                yield (metric, stream, reason.value), value.get(reason, 0)


def _add(totals: dict[_Key, float], values: Iterable[tuple[_Key, float]]) -> None:
    for key, value in values:
        if key[0].kind is Kind.EXTREME:
            totals[key] = max(totals.get(key, value), value)
        else:
            totals[key] = totals.get(key, 0) + value
