"""Does each event of structlog arrive exactly once, however the process lives and ends? Real processes, a real endpoint."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from firefighter.local import LocalFirehose
from programs import ENOUGH_SECONDS, delivered, run, without_waiting

pytest.importorskip('structlog')

SETUP = """
import structlog
from firefighter.integrations.structlog import EventRenderer, FirehoseLoggerFactory

structlog.configure(
    processors=[structlog.contextvars.merge_contextvars, EventRenderer()],
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    logger_factory=FirehoseLoggerFactory(handler),
    cache_logger_on_first_use=True,
)
log = structlog.get_logger('shop')
"""

FORKING = pytest.mark.skipif(not hasattr(os, 'fork'), reason='there is no fork here')


@pytest.fixture
def endpoint(tmp_path):
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as started:
        yield started


@pytest.fixture(params=['memory', 'disk'])
def place(request, tmp_path):
    """The environment that puts the spool there."""
    return {} if request.param == 'memory' else {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool')}


PROGRAMS = {
    'it ends with events pending, and an exit function logs': (
        """
        import atexit
        atexit.register(log.info, 'exit function')
        for number in range(3):
            log.info(f'event {number}')
        """,
        ['event 0', 'event 1', 'event 2', 'exit function'],
    ),
    'each call is delivered before it returns': (
        """
        handler.use_queues = False
        log.info('one')
        log.info('two')
        os._exit(0)
        """,
        ['one', 'two'],
    ),
    'an asyncio program': (
        """
        import asyncio

        async def serve():
            await asyncio.gather(*[log.ainfo(f'event {number}') for number in range(20)])

        asyncio.run(serve())
        """,
        [f'event {number}' for number in range(20)],
    ),
    'a signal handler logs': (
        """
        signal.signal(signal.SIGALRM, lambda *_: log.info('signal'))
        for number in range(300):
            if number % 100 == 50:
                signal.raise_signal(signal.SIGALRM)
            log.info(f'event {number}')
        """,
        [*[f'event {number}' for number in range(300)], *['signal'] * 3],
    ),
}


@pytest.mark.parametrize('name', PROGRAMS)
def test_each_event_arrives_once(name, endpoint, place):
    """With the code of any user of structlog."""
    code, expected = PROGRAMS[name]
    ended = run_with_structlog(code, endpoint, place)
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    assert sorted(event['message'] for event in delivered(endpoint)) == sorted(expected)


@FORKING
def test_a_child_logs_with_the_loggers_of_its_parent(endpoint, place):
    """Also a grandchild, and one that ends by itself. What the parent has pending stays the parent's."""
    code = """
    def reap(child):
        assert os.waitpid(child, 0)[1] == 0

    log.info('parent')
    if not (child := os.fork()):
        log.info('child', pid=os.getpid())
        if not (grandchild := os.fork()):
            log.bind(user='ada').info('grandchild')
            sys.exit()
        reap(grandchild)
        sys.exit()
    reap(child)
    log.info('parent again')
    """
    ended = run_with_structlog(code, endpoint, place, event_ids=True)
    assert ended.returncode == 0, ended.stderr  # there Python 3.12 warns of threads
    events = delivered(endpoint)
    assert sorted(event['message'] for event in events) == ['child', 'grandchild', 'parent', 'parent again']
    # The numbers of each begin at 0.
    assert len({event['producer'] for event in events}) == 3
    assert sorted(event['sequence'] for event in events) == [0, 0, 0, 1]


# As a file, since `spawn` imports what its functions are in.
SPAWNING = f"""
import logging, multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
from firefighter.logging import FirehoseHandler


def work(log, number):
    from firefighter.integrations import structlog as ours
    log.info('task', number=number)
    return len(ours._copies)


if __name__ == '__main__':
    handler = FirehoseHandler('bar', fields={{'service': 'shop'}}, shutdown_timeout_seconds=40)
{''.join(f'    {line}' for line in SETUP.strip().splitlines(keepends=True))}
    log = log.bind(user='ada')
    log.info('parent')
    with ProcessPoolExecutor(2, multiprocessing.get_context('spawn')) as pool:
        counts = list(pool.map(work, [log] * 10, range(10)))
    assert set(counts) == {{1}}, counts
"""


def test_a_pool_that_is_spawned_gets_loggers_with_its_tasks(endpoint, tmp_path):
    """Each of its processes has one handler with the same options, which delivers at its end."""
    program = tmp_path / 'spawning.py'
    program.write_text(SPAWNING, 'utf-8')
    ended = subprocess.run(
        [sys.executable, program],
        env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url},
        capture_output=True,
        text=True,
        timeout=ENOUGH_SECONDS,
        check=False,
    )
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    events = delivered(endpoint)
    assert sorted(event.get('number', -1) for event in events) == list(range(-1, 10))
    assert {(event['service'], event['user']) for event in events} == {('shop', 'ada')}


def run_with_structlog(code, endpoint, place, **options):
    """Run a program that logs by structlog; return its end."""
    return run(SETUP + textwrap.dedent(code), endpoint, place, **options)
