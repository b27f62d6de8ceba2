"""Is every number of a handler a metric, and what are the metrics of several handlers?"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import logging
import logging.config
import os
import queue
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from bytecodes import AtBytecode
from doubles import DEADLINE_SECONDS, AcceptingClient, BlockingClient
from firefighter._handler import all_accounts
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


COUNTED = ('accepted', 'delivered', 'records')
TESTS = Path(__file__).parents[1]


def log(handler, make_logger):
    """Log ten events, and close."""
    logger = make_logger(handler)
    for _ in range(10):
        logger.info('Ahoy')
    handler.close()
    logger.removeHandler(handler)


def send_queue(handler, _):
    """Deliver ten events of a queue of the program's own."""
    events = queue.Queue()
    for item in [b'Ahoy\n'] * 10 + [handler.END]:
        events.put(item)
    handler.batch_sender(events, handler.delivery_stream_name, 60)


@pytest.mark.parametrize('use', [log, send_queue])
@pytest.mark.parametrize('in_a_cycle', [False, True])
def test_handlers_that_come_and_go_between_two_readings_are_counted(in_a_cycle, use, make_logger) -> None:
    """As dictConfig makes and forgets them: none of them was there when the metrics were read."""
    stream = f'come-and-go-{use.__name__}-{in_a_cycle}'
    readings = Readings()
    for _ in range(21):
        handler = FirehoseHandler(stream, boto3_client=AcceptingClient(), use_queues=False)
        use(handler, make_logger)
        if in_a_cycle:
            handler.itself = handler
        del handler
    gc.collect()
    assert {name: values(readings, name)[stream, None] for name in COUNTED} == dict.fromkeys(COUNTED, 210)


@pytest.mark.parametrize('in_a_cycle', [False, True])
@pytest.mark.parametrize('reason', ['no_stream', 'disabled', 'failed'])
def test_what_a_handler_drops_that_comes_and_goes_is_counted(
    reason, in_a_cycle, make_logger, recwarn, monkeypatch
) -> None:
    """Such a handler never opens, so it has no end either; it is worth the same alarm."""
    stream = {'no_stream': ''}.get(reason, f'drops-{reason}-{in_a_cycle}')
    readings = Readings()
    before = values(readings, 'dropped').get((stream, reason), 0)
    if reason == 'disabled':
        monkeypatch.setenv('FIREFIGHTER_DISABLED', '1')
    handler = FirehoseHandler(stream or None, boto3_client=AcceptingClient())
    recwarn.clear()
    if reason == 'failed':
        handler.addFilter(lambda _: 1 // 0)
    if in_a_cycle:
        handler.itself = handler
    logger = make_logger(handler)
    logger.info('lost')
    logger.removeHandler(handler)
    del handler, logger
    gc.collect()
    assert values(readings, 'dropped')[stream, reason] == before + 1


def test_a_program_that_reloads_its_configuration_again_and_again_counts_each_event_once() -> None:
    """Each reload closes and forgets a handler, whose events its own thread still delivers."""
    configuration = {
        'version': 1,
        'disable_existing_loggers': False,
        'handlers': {
            'firehose': {
                '()': lambda: FirehoseHandler('reloaded', boto3_client=AcceptingClient(), send_interval=0)
            }
        },
        'loggers': {'reloads': {'handlers': ['firehose'], 'level': 'INFO', 'propagate': False}},
    }
    readings, interval = Readings(), sys.getswitchinterval()
    try:
        sys.setswitchinterval(1e-6)
        for _ in range(200):
            logging.config.dictConfig(configuration)
            logging.getLogger('reloads').info('Ahoy')
        logging.config.dictConfig({**configuration, 'handlers': {}, 'loggers': {'reloads': {'handlers': []}}})
    finally:
        sys.setswitchinterval(interval)
    deadline = monotonic() + DEADLINE_SECONDS
    while values(readings, 'delivered')['reloaded', None] < 200:
        assert monotonic() < deadline
        gc.collect()
    assert {name: values(Readings(), name)['reloaded', None] for name in ('accepted', 'delivered')} == {
        'accepted': 200,
        'delivered': 200,
    }


@pytest.mark.skipif(sys.platform == 'win32', reason='there is no alarm on Windows')
def test_a_destructor_or_a_signal_handler_that_reads_metrics_in_the_middle_of_a_reading_does_not_wait() -> (
    None
):
    """They interrupt the thread that reads, which so cannot go on before they have read."""
    program = """
import gc, signal
from firefighter.integrations.metrics import Readings
from firefighter.logging import FirehoseHandler
from doubles import AcceptingClient

handlers = [FirehoseHandler('bar', boto3_client=AcceptingClient()) for _ in range(20)]
readings = Readings()

class Reads:
    def __init__(self):
        self.itself = self

    def __del__(self):
        readings.read()

came = 0

def on_alarm(*_):
    global came
    came += 1
    readings.read()

signal.signal(signal.SIGALRM, on_alarm)
gc.set_threshold(50)
for number in range(50):
    signal.setitimer(signal.ITIMER_REAL, 0.0001 * number + 0.0001)
    while came == number:
        Reads()
        readings.read()
"""
    subprocess.run([sys.executable, '-c', program], check=True, timeout=50, cwd=TESTS)


@pytest.mark.skipif(sys.version_info < (3, 11), reason='where signals come is told from 3.11 on')
def test_an_exception_in_the_middle_of_adding_up_neither_loses_nor_doubles_a_count(monkeypatch) -> None:
    """A signal handler raises it, wherever CPython looks for signals in that module."""
    stats = Stats(
        accepted=1, delivered=0, dropped={DropReason.FAILED: 1}, dropped_bytes={}, pending=0, spool_bytes=0
    )

    # A stream of its own: the collector may come in between, and note the pipelines of other tests.
    stream = 'added-up'

    def add_up(at):
        past = all_accounts._Past()
        monkeypatch.setattr(all_accounts, '_past', past)
        past.ends.extend([(stream, stats)] * 3)
        interruption = AtBytecode(
            lambda file: file == all_accounts.__file__, KeyboardInterrupt, at, only_signals=True
        )
        with suppress(KeyboardInterrupt):
            interruption(all_accounts.counted_by_stream)
        total = all_accounts.counted_by_stream()[stream]
        assert (total.accepted, total.dropped) == (3, {DropReason.FAILED: 3}), at
        return interruption.executed

    for at in range(add_up(None)):
        add_up(at)


def forget_with_an_event_pending(stream, make_logger) -> BlockingClient:
    """Make a handler, log an event, and forget the handler; the event's request waits for the client that is returned."""
    client = BlockingClient()
    handler = FirehoseHandler(stream, boto3_client=client, send_interval=0)
    logger = make_logger(handler)
    logger.info('Ahoy')
    client.wait_for_requests(1)
    logger.removeHandler(handler)
    del handler, logger
    gc.collect()
    return client


def test_what_is_pending_of_a_handler_that_is_gone_is_still_seen(make_logger) -> None:
    """After a reload with the endpoint down, too, an operator sees that nothing is delivered."""
    client = forget_with_an_event_pending('gone-and-pending', make_logger)
    readings = Readings()
    assert values(readings, 'pending')['gone-and-pending', None] == 1
    assert values(readings, 'queue_age_seconds')['gone-and-pending', None] > 0
    client.release()
    client.threads[0].join(DEADLINE_SECONDS)


def test_a_handler_whose_stream_was_renamed_is_counted_once(make_handler, make_logger) -> None:
    """By the name that it was made with, and that its events go to."""
    handler = make_handler('named', boto3_client=AcceptingClient(), use_queues=False)
    logger = make_logger(handler)
    logger.info('Ahoy')
    readings = Readings()
    assert values(readings, 'accepted')['named', None] == 1
    handler.delivery_stream_name = 'renamed'
    logger.info('Ahoy')
    handler.close()
    counted = {
        stream: value for (stream, _), value in values(readings, 'accepted').items() if 'named' in stream
    }
    assert sum(counted.values()) == 2


def test_a_clone_of_a_snapshot_goes_on_counting(make_logger, monkeypatch) -> None:
    """What was counted before it, too, by a handler that has never opened."""
    monkeypatch.setenv('FIREFIGHTER_DISABLED', '1')
    handler = FirehoseHandler('cloned')
    logger = make_logger(handler)
    logger.info('before')
    handler._start_over_after_restore()
    logger.info('after')
    gc.collect()  # what is collected in the middle of a reading is missing in that one, as documented
    assert values(Readings(), 'dropped')['cloned', 'disabled'] == 2


def test_what_is_delivered_after_a_handler_is_gone_is_counted(make_logger) -> None:
    """It was forgotten with an event pending: the delivery thread goes on."""
    client = forget_with_an_event_pending('outlived', make_logger)
    readings = Readings()
    assert values(readings, 'accepted')['outlived', None] == 1
    client.release()
    client.threads[0].join(DEADLINE_SECONDS)
    assert values(readings, 'delivered')['outlived', None] == 1


def test_a_handler_that_is_closed_and_used_again_is_counted_once(make_handler, make_logger) -> None:
    """Each event opens it again, and it goes on counting."""
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
