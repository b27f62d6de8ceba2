"""Does each log record of OpenTelemetry arrive exactly once, however the process lives and ends? Real processes, a real endpoint."""

from __future__ import annotations

import os
import signal
import textwrap

import pytest

from firefighter.local import LocalFirehose
from otlp import each_record
from programs import delivered, run, without_waiting

pytest.importorskip('opentelemetry.sdk._logs')

SETUP = """
import warnings
warnings.simplefilter('ignore', DeprecationWarning)
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from firefighter.integrations.opentelemetry import FirehoseLogRecordExporter

provider = LoggerProvider()
exporter = FirehoseLogRecordExporter(handler)
logger.handlers[:] = [LoggingHandler(logger_provider=provider)]
"""
SIMPLE = 'provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))\n'
BATCH = 'provider.add_log_record_processor(BatchLogRecordProcessor(exporter, schedule_delay_millis=100))\n'

FORKING = pytest.mark.skipif(not hasattr(os, 'fork'), reason='there is no fork here')


@pytest.fixture
def endpoint(tmp_path):
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as started:
        yield started


def run_with_telemetry(code, endpoint, environment=None, **options):
    return run(SETUP + textwrap.dedent(code), endpoint, environment or {}, **options)


def bodies(endpoint):
    return [
        record['body']['stringValue'] for document in delivered(endpoint) for record in each_record(document)
    ]


@pytest.mark.parametrize('processor', [SIMPLE, BATCH])
def test_each_record_arrives_once(processor, endpoint):
    """From several threads; the SDK ends first, then the handler."""
    code = """
    def work(first):
        for number in range(first, first + 100):
            logger.info(f'event {number}')

    threads = [threading.Thread(target=work, args=[first]) for first in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    """
    ended = run_with_telemetry(processor + textwrap.dedent(code), endpoint)
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    assert sorted(bodies(endpoint)) == sorted(f'event {number}' for number in range(300))


@FORKING
def test_a_child_exports_by_a_pipeline_of_its_own(endpoint):
    """What the parent has pending stays the parent's."""
    code = """
    logger.info('parent')
    if not (child := os.fork()):
        logger.info('child')
        assert handler.stats().accepted == 1
        sys.exit()
    assert os.waitpid(child, 0)[1] == 0
    logger.info('parent again')
    """
    ended = run_with_telemetry(SIMPLE + textwrap.dedent(code), endpoint, send_interval=900)
    assert ended.returncode == 0, ended.stderr  # there Python 3.12 warns of threads
    assert sorted(bodies(endpoint)) == ['child', 'parent', 'parent again']


@FORKING
def test_what_was_exported_survives_a_kill(endpoint, tmp_path):
    """With `SimpleLogRecordProcessor` and a `spool_dir` it is safe when the logging call returns."""
    place = {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool')}
    code = """
    for number in range(20):
        logger.info(f'event {number}')
    os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = run_with_telemetry(SIMPLE + textwrap.dedent(code), endpoint, place, send_interval=900)
    assert ended.returncode == -signal.SIGKILL
    assert bodies(endpoint) == []
    ended = run_with_telemetry('assert handler.flush()', endpoint, place)
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    assert bodies(endpoint) == [f'event {number}' for number in range(20)]
