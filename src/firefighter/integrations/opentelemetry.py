"""Metrics for OpenTelemetry, by its API, and its log records, by its SDK; it needs `pip install 'firefighter[opentelemetry]'`.

The SDK is imported only if `FirehoseLogRecordExporter` is: metrics need the API alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

try:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation, get_meter
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{error}: pip install 'firefighter[opentelemetry]'", name=error.name) from None

import firefighter
from firefighter.integrations.metrics import METRICS, Kind, Metric, Point, Readings
from firefighter.logging import FirehoseHandler

if TYPE_CHECKING:
    from firefighter.integrations.opentelemetry_logs import FirehoseLogRecordExporter

__all__ = ['FirehoseLogRecordExporter', 'observe_handlers']


def __getattr__(name: str) -> Any:
    if name == 'FirehoseLogRecordExporter':
        from firefighter.integrations.opentelemetry_logs import FirehoseLogRecordExporter  # noqa: PLC0415

        return FirehoseLogRecordExporter
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def observe_handlers(
    handlers: Iterable[FirehoseHandler] | None = None, *, meter: Meter | None = None
) -> None:
    """Have OpenTelemetry observe the accounts of handlers; once in a process, before or after they are made.

    Args:
        handlers: the handlers; None for all that the process has at the time of a collection, and the counters of those that it had.
            Handlers of the same stream are added up.
        meter: makes the instruments; None: one of the global meter provider's, named `firefighter`.

    A collection reads the accounts, which waits for nothing. In a forked child all counters begin at zero.
    """
    meter = meter or get_meter('firefighter', firefighter.__version__)
    snapshots = _Snapshots(Readings(handlers))
    for metric in METRICS:
        make = _instrument(meter, metric.kind)
        make(
            f'firefighter.{metric.name}',
            [partial(_observe, snapshots, metric)],
            unit=metric.unit.value,
            description=metric.text,
        )


def _instrument(meter: Meter, kind: Kind) -> Callable[..., object]:
    return {
        Kind.COUNTER: meter.create_observable_counter,
        Kind.LEVEL: meter.create_observable_up_down_counter,
        Kind.EXTREME: meter.create_observable_gauge,
    }[kind]


def _observe(snapshots: _Snapshots, metric: Metric, _: CallbackOptions) -> Iterable[Observation]:
    return [Observation(point.value, _attributes(metric, point)) for point in snapshots.points(metric)]


def _attributes(metric: Metric, point: Point) -> Mapping[str, str]:
    attributes = {'firefighter.stream': point.stream}
    if metric.label is not None and point.label is not None:
        attributes[f'firefighter.{metric.label}'] = point.label
    return attributes


class _Snapshots:
    """Gives each collection one snapshot, so that its metrics add up; a collection asks for each metric once."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings
        self._points: dict[Metric, list[Point]] = {}

    def points(self, metric: Metric) -> list[Point]:
        """Return the metric's points: of the present snapshot, or of a new one when those were given already."""
        points = self._points.pop(metric, None)
        if points is None:
            snapshot = self._readings.read()
            points = snapshot.pop(metric)
            self._points = snapshot
        return points
