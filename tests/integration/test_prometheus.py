"""What does Prometheus see? By its own client library, and its own parsers."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from doubles import AcceptingClient, EntryFailingClient
from firefighter.integrations.metrics import METRICS, Kind
from firefighter.integrations.prometheus import FirehoseCollector
from firefighter.logging import FirehoseHandler
from firefighter.stats import Stats

COUNTERS = [metric for metric in METRICS if metric.kind is Kind.COUNTER]


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry of this test's own."""
    return CollectorRegistry()


def samples(text: str) -> dict:
    """Return the samples of an exposition, by name, stream, and the other label where there is one."""
    return {
        (sample.name, sample.labels.pop('stream'), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_scrape_shows_the_account(make_handler, make_logger, registry) -> None:
    """Over HTTP, each number of `stats()` under its name, with the stream and the reason as labels."""
    handler = make_handler('bar', boto3_client=EntryFailingClient({0}), oversize='drop')
    registry.register(FirehoseCollector([handler]))
    logger = make_logger(handler)
    logger.info('one')
    logger.info('two')
    logger.info('x' * 2000)
    assert handler.flush()
    logger.info('pending')
    server, thread = start_http_server(0, '127.0.0.1', registry)
    try:
        with urllib.request.urlopen(f'http://127.0.0.1:{server.server_port}/metrics') as answer:
            scraped = samples(answer.read().decode())
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    stats = handler.stats()
    assert scraped['firefighter_events_accepted_total', 'bar'] == stats.accepted == 4
    assert scraped['firefighter_events_delivered_total', 'bar'] == stats.delivered == 2
    assert scraped['firefighter_events_dropped_total', 'bar', 'oversize'] == stats.dropped['oversize'] == 1
    assert scraped['firefighter_events_dropped_total', 'bar', 'overflow'] == 0
    assert scraped['firefighter_data_dropped_bytes_total', 'bar', 'oversize'] > 2000
    assert scraped['firefighter_events_pending', 'bar'] == stats.pending == 1
    assert scraped['firefighter_records_retried_total', 'bar'] == stats.retried == 1
    assert scraped['firefighter_events_uncertain_total', 'bar'] == stats.uncertain
    assert scraped['firefighter_requests_total', 'bar'] == stats.requests == 2
    assert scraped['firefighter_data_sent_bytes_total', 'bar'] == stats.sent_bytes
    assert scraped['firefighter_spool_size_bytes', 'bar'] == stats.spool_bytes
    assert scraped['firefighter_handlers', 'bar', 'memory'] == 1


def test_the_strict_parser_takes_all_of_it(make_handler, registry) -> None:
    """OpenMetrics: types, units and names as they have to be."""
    registry.register(FirehoseCollector([make_handler('bar', boto3_client=AcceptingClient())]))
    families = list(parse_openmetrics(generate_openmetrics(registry).decode()))
    assert len(families) == len(METRICS)
    assert [family.type for family in families].count('counter') == len(COUNTERS)
    assert {family.unit for family in families} >= {'', 'bytes'}
    assert all(family.documentation for family in families)


def test_two_collectors_cannot_be_registered_at_once(registry) -> None:
    """The registry would answer with each series twice, and a scrape of that fails as a whole."""
    registry.register(FirehoseCollector())
    with pytest.raises(ValueError, match='Duplicated'):
        registry.register(FirehoseCollector())


class UnreadableHandler(FirehoseHandler):
    """Has no account to give."""

    def stats(self) -> Stats:
        raise AssertionError('nobody was to ask')


def test_to_register_reads_no_account(make_handler, registry) -> None:
    """The registry wants to know names only."""
    registry.register(FirehoseCollector([make_handler('bar', kind=UnreadableHandler)]))


FORKING = """
import gc, os
from prometheus_client import REGISTRY
from firefighter.integrations.prometheus import FirehoseCollector
from firefighter.logging import FirehoseHandler
from firefighter.stats import Stats
from firefighter.logging import FirehoseHandler
import logging

def accepted():
    return [REGISTRY.get_sample_value('firefighter_events_accepted_total', {'stream': name}) for name in 'ab']

os.environ['FIREFIGHTER_DISABLED'] = '1'
REGISTRY.register(FirehoseCollector())
there, gone = FirehoseHandler('a'), FirehoseHandler('b')
for handler in (there, gone):
    handler.handle(logging.makeLogRecord({'msg': 'Ahoy'}))
assert accepted() == [1, 1], accepted()
del handler, gone
gc.collect()
assert accepted() == [1, 1], accepted()
child = os.fork()
if not child:
    os._exit(accepted() != [0, None])
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='there is no fork here')
def test_in_a_forked_child_the_counters_begin_at_zero() -> None:
    """Which to Prometheus is what it is, another process; those of handlers that are gone stay the parent's."""
    subprocess.run([sys.executable, '-c', FORKING], check=True, timeout=50)
