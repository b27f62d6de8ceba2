"""Metrics for Prometheus, by its client library; it needs `pip install 'firefighter[prometheus]'`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

try:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.registry import Collector
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{error}: pip install 'firefighter[prometheus]'", name=error.name) from None

from firefighter.integrations.metrics import METRICS, Kind, Metric, Readings, Unit
from firefighter.logging import FirehoseHandler

__all__ = ['FirehoseCollector']

# The base units of Prometheus stand in a metric's name; what is counted does not.
_UNITS = {Unit.BYTES: 'bytes', Unit.SECONDS: 'seconds'}


class FirehoseCollector(Collector):
    """Gives Prometheus the accounts of handlers: `REGISTRY.register(FirehoseCollector())`.

    Args:
        handlers: the handlers; None for all that the process has at the time of a scrape, and the counters of those that it had.
            Handlers of the same stream are added up.

    A scrape reads the accounts, which waits for nothing. In a forked child all counters begin at zero.
    """

    def __init__(self, handlers: Iterable[FirehoseHandler] | None = None) -> None:
        self._readings = Readings(handlers)

    def describe(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Return the metrics without values, by which the registry finds names that are taken."""
        return map(_family, METRICS)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Return the metrics."""
        for metric, points in self._readings.read().items():
            family = _family(metric)
            for point in points:
                labels = [point.stream] if point.label is None else [point.stream, point.label]
                family.add_metric(labels, point.value)
            yield family


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    family = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    labels = ['stream'] if metric.label is None else ['stream', metric.label]
    name = f'firefighter_{metric.name.replace(".", "_")}'
    return family(name, metric.text, labels=labels, unit=_UNITS.get(metric.unit, ''))
