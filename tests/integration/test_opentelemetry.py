"""What does OpenTelemetry see? By its own SDK."""

from __future__ import annotations

import re
import threading

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, Gauge, InMemoryMetricReader, Sum

from doubles import DEADLINE_SECONDS, AcceptingClient, EntryFailingClient
from firefighter.integrations.metrics import METRICS, Kind
from firefighter.integrations.opentelemetry import observe_handlers


@pytest.fixture
def reader():
    """A reader whose provider ends with the test."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    reader.meter = provider.get_meter('firefighter')
    yield reader
    provider.shutdown()


def collect(reader: InMemoryMetricReader) -> dict:
    """Return the metrics of one collection by their names."""
    (resource,) = reader.get_metrics_data().resource_metrics
    (scope,) = resource.scope_metrics
    return {metric.name: metric for metric in scope.metrics}


def values(metrics: dict, name: str) -> dict:
    """Return a metric's values by the values of their attributes."""
    return {tuple(point.attributes.values()): point.value for point in metrics[name].data.data_points}


def test_a_collection_shows_the_account(make_handler, make_logger, reader) -> None:
    """Each number of `stats()` under its name, with the stream and the reason as attributes."""
    handler = make_handler('bar', boto3_client=EntryFailingClient({0}), oversize='drop')
    observe_handlers([handler], meter=reader.meter)
    logger = make_logger(handler)
    logger.info('one')
    logger.info('two')
    logger.info('x' * 2000)
    assert handler.flush()
    logger.info('pending')
    metrics = collect(reader)
    stats = handler.stats()
    assert values(metrics, 'firefighter.events.accepted') == {('bar',): 4}
    assert values(metrics, 'firefighter.events.delivered') == {('bar',): 2}
    assert values(metrics, 'firefighter.events.dropped')['bar', 'oversize'] == 1
    assert values(metrics, 'firefighter.events.pending') == {('bar',): 1}
    assert values(metrics, 'firefighter.records.retried') == {('bar',): 1}
    assert values(metrics, 'firefighter.data.sent') == {('bar',): stats.sent_bytes}
    (dropped, *_) = metrics['firefighter.events.dropped'].data.data_points
    assert set(dropped.attributes) == {'firefighter.stream', 'firefighter.reason'}


def test_names_units_and_kinds_are_by_the_conventions(make_handler, reader) -> None:
    """Lower-case words with dots; units of UCUM; counters are cumulative and monotonic."""
    observe_handlers([make_handler('bar', boto3_client=AcceptingClient())], meter=reader.meter)
    metrics = collect(reader)
    assert len(metrics) == len(METRICS)
    for described in METRICS:
        metric = metrics[f'firefighter.{described.name}']
        assert re.fullmatch(r'[a-z]+(\.[a-z_]+)+', metric.name)
        assert re.fullmatch(r'\{[a-z_]+\}|By|s', metric.unit)
        assert metric.description
        if described.kind is Kind.EXTREME:
            assert isinstance(metric.data, Gauge)
        else:
            assert isinstance(metric.data, Sum)
            assert metric.data.is_monotonic is (described.kind is Kind.COUNTER)
            assert metric.data.aggregation_temporality is AggregationTemporality.CUMULATIVE


def test_one_collection_is_one_snapshot(make_handler, make_logger, reader) -> None:
    """Its metrics add up while threads log and events are delivered and dropped."""
    handler = make_handler('bar', send_interval=0, boto3_client=AcceptingClient(), max_spool_bytes=64 * 1024)
    observe_handlers([handler], meter=reader.meter)
    logger = make_logger(handler)

    def work() -> None:
        for number in range(2000):
            logger.info('x' * (number % 700))

    thread = threading.Thread(target=work)
    thread.start()
    collections = []
    while thread.is_alive():
        collections.append(collect(reader))
    thread.join(DEADLINE_SECONDS)
    assert handler.flush()
    collections.append(collect(reader))
    for metrics in collections:
        accepted, delivered, dropped, pending = (
            sum(values(metrics, f'firefighter.events.{name}').values())
            for name in ('accepted', 'delivered', 'dropped', 'pending')
        )
        assert accepted == delivered + dropped + pending
    assert accepted == 2000


def test_without_a_meter_it_is_the_global_providers(make_handler) -> None:
    """Also one that is set later: until then OpenTelemetry's stands in."""
    observe_handlers([make_handler('bar', boto3_client=AcceptingClient())])
