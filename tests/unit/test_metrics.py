"""Is every number of a handler a metric, and what are the metrics of several handlers?"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from doubles import DEADLINE_SECONDS, AcceptingClient, BlockingClient
from firefighter.integrations.metrics import METRICS, NO_METRIC, Kind, Readings
from firefighter.logging import FirehoseHandler
from firefighter.stats import DropReason, Stats


def values(readings: Readings, stats_field: str) -> dict:
    """Return the values of a field's metric, by stream and label."""
    (points,) = (points for metric, points in readings.read().items() if metric.stats_field == stats_field)
    return {(point.stream, point.label): point.value for point in points}


@pytest.mark.parametrize('name', [field.name for field in dataclasses.fields(Stats)])
def test_every_field_of_the_statistics_is_a_metric_or_says_why_not(name) -> None:
    """A new one needs one line: in METRICS, or in NO_METRIC with the reason."""
    described = [metric.stats_field for metric in METRICS] + list(NO_METRIC)
    assert described.count(name) == 1, f'Stats.{name}: give it one line in firefighter.integrations.metrics'


def test_what_is_described_exists() -> None:
    """A field that was renamed is renamed here too."""
    fields = {field.name for field in dataclasses.fields(Stats)}
    assert {metric.stats_field for metric in METRICS} | set(NO_METRIC) == fields


def test_no_two_metrics_have_one_name() -> None:
    """Nor is one a name space of another, which OpenTelemetry forbids."""
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    assert not [(one, other) for one in names for other in names if other.startswith(f'{one}.')]


def test_handlers_of_one_stream_are_added_up(make_handler, make_logger) -> None:
    """One series a stream, however many handlers send to it; another stream is another series."""
    handlers = [make_handler(stream, boto3_client=AcceptingClient()) for stream in ('bar', 'bar', 'baz')]
    for handler in handlers:
        make_logger(handler).info('Ahoy')
        assert handler.flush()
    readings = Readings(handlers)
    assert values(readings, 'delivered') == {('bar', None): 2, ('baz', None): 1}
    assert values(readings, 'backing') == {('bar', 'memory'): 2, ('baz', 'memory'): 1}


def test_without_handlers_given_all_of_the_process_are_read(make_handler, make_logger) -> None:
    """Also those that dictConfig makes, after the readings were made."""
    readings = Readings()
    handler = make_handler('a-stream-of-this-test', boto3_client=AcceptingClient())
    make_logger(handler).info('Ahoy')
    assert values(readings, 'accepted')['a-stream-of-this-test', None] == 1


def test_every_reason_is_there_before_anything_is_dropped(make_handler) -> None:
    """A monitor does not see an increase from nothing to one."""
    readings = Readings([make_handler('bar', boto3_client=AcceptingClient())])
    assert values(readings, 'dropped') == {('bar', reason.value): 0 for reason in DropReason}


def test_a_handler_without_a_stream_is_counted_under_the_empty_name(make_logger, recwarn) -> None:
    """What it drops is worth an alarm."""
    handler = FirehoseHandler()
    recwarn.clear()
    make_logger(handler).info('lost')
    assert values(Readings([handler]), 'dropped')['', 'no_stream'] == 1
    handler.close()


def test_the_counters_of_a_handler_that_is_gone_stay(make_logger) -> None:
    """They never go back; the handler itself, and what it holds, is no longer there."""
    client = AcceptingClient()
    handler = FirehoseHandler('gone', boto3_client=client)
    readings = Readings()
    make_logger(handler).info('Ahoy')
    handler.close()
    assert values(readings, 'backing')['gone', 'memory'] == 1
    client.threads[0].join(DEADLINE_SECONDS)
    client.threads.clear()
    del handler
    gc.collect()
    for _ in range(2):
        assert values(readings, 'delivered')['gone', None] == 1
        assert ('gone', 'memory') not in values(readings, 'backing')


COUNTED = ('accepted', 'delivered', 'requests', 'records')


@pytest.mark.parametrize('collected', ['by hand', 'in a cycle'])
def test_handlers_that_come_and_go_between_two_readings_are_counted(collected, make_logger) -> None:
    """As dictConfig makes and forgets them: none of them was there when the metrics were read."""
    stream = f'comes and goes, collected {collected}'.replace(' ', '-').replace(',', '')
    readings = Readings()
    for _ in range(21):
        handler = FirehoseHandler(stream, boto3_client=AcceptingClient(), use_queues=False)
        logger = make_logger(handler)
        for _ in range(10):
            logger.info('Ahoy')
        handler.close()
        logger.removeHandler(handler)
        if collected == 'in a cycle':
            handler.itself = handler
        del handler, logger
    gc.collect()
    assert {name: values(readings, name)[stream, None] for name in COUNTED} == dict.fromkeys(COUNTED, 210)


def test_what_a_handler_drops_that_comes_and_goes_is_counted(make_logger, recwarn) -> None:
    """A handler without a stream never opens, and so has no end either; it is worth the same alarm."""
    readings = Readings()
    before = values(readings, 'dropped').get(('', 'no_stream'), 0)
    handler = FirehoseHandler()
    recwarn.clear()
    logger = make_logger(handler)
    logger.info('lost')
    logger.removeHandler(handler)
    del handler, logger
    gc.collect()
    assert values(readings, 'dropped')['', 'no_stream'] == before + 1


def test_what_is_delivered_after_a_handler_is_gone_is_counted(make_logger) -> None:
    """It was forgotten with an event pending: the delivery thread goes on."""
    client = BlockingClient()
    handler = FirehoseHandler('outlived', boto3_client=client, send_interval=0)
    logger = make_logger(handler)
    logger.info('Ahoy')
    client.wait_for_requests(1)
    logger.removeHandler(handler)
    del handler, logger
    gc.collect()
    readings = Readings()
    assert values(readings, 'accepted')['outlived', None] == 1
    client.release()
    client.threads[0].join(DEADLINE_SECONDS)
    assert values(readings, 'delivered')['outlived', None] == 1


def test_a_handler_that_is_closed_and_used_again_is_counted_once(make_handler, make_logger) -> None:
    """Each close is an end, and what was counted until then is noted; each event opens it again."""
    readings = Readings()
    handler = make_handler('again', boto3_client=AcceptingClient(), use_queues=False)
    logger = make_logger(handler)
    for number in range(1, 6):
        logger.info('Ahoy')
        handler.close()
        assert {values(each, 'delivered')['again', None] for each in (readings, Readings())} == {number}


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='there are no forks on Windows')
def test_a_forked_child_has_not_counted_what_its_parent_has() -> None:
    """Each process exports its own numbers; those of a handler that was gone before the fork are the parent's."""
    program = """
import logging, os
from firefighter.integrations.metrics import Readings
from firefighter.logging import FirehoseHandler
from doubles import AcceptingClient

def delivered():
    points = next(points for metric, points in Readings().read().items() if metric.stats_field == 'delivered')
    return sum(point.value for point in points)

kept, gone = [FirehoseHandler('bar', boto3_client=AcceptingClient(), use_queues=False) for _ in range(2)]
for handler in (kept, gone):
    handler.handle(logging.makeLogRecord({'msg': 'Ahoy'}))
    handler.close()
del handler, gone
child = os.fork()
if not child:
    before = delivered()
    kept.handle(logging.makeLogRecord({'msg': 'Ahoy'}))
    os._exit(before * 16 + delivered())
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
assert delivered() == 2
"""
    subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', program], check=True, timeout=50, cwd=Path(__file__).parents[1]
    )


def test_only_what_counts_is_a_counter(make_handler, make_logger) -> None:
    """Whatever happens, no counter goes back."""
    handler = make_handler('bar', boto3_client=AcceptingClient(), oversize='drop')
    readings = Readings([handler])
    logger = make_logger(handler)
    seen = [readings.read()]
    for text in ('one', 'x' * 2000, 'two'):
        logger.info(text)
        seen.append(readings.read())
        assert handler.flush()
        seen.append(readings.read())
    for metric in METRICS:
        if metric.kind is Kind.COUNTER:
            totals = [sum(point.value for point in reading[metric]) for reading in seen]
            assert totals == sorted(totals), metric


def test_no_foreign_library_is_imported_without_being_asked_for() -> None:
    """Who has neither of them can use the handler."""
    code = (
        'import sys, firefighter.logging, firefighter.integrations.metrics\n'
        "sys.exit(any(name in sys.modules for name in ('prometheus_client', 'opentelemetry')))"
    )
    subprocess.run([sys.executable, '-c', code], check=True, timeout=50)


@pytest.mark.parametrize(
    ('module', 'missing'), [('prometheus', 'prometheus_client'), ('opentelemetry', 'opentelemetry')]
)
def test_where_the_library_is_missing_it_says_what_to_install(module, missing, monkeypatch) -> None:
    """A command to type, as everywhere."""
    for name in [*sys.modules]:
        if name.partition('.')[0] == missing or name == f'firefighter.integrations.{module}':
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError, match=rf"{missing}.*: pip install 'firefighter\[{module}\]'"):
        importlib.import_module(f'firefighter.integrations.{module}')
