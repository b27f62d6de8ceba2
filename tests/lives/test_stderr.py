"""Stderr as programs have it: a pipe that nobody reads any more, a stream of another encoding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from contextlib import suppress
from time import monotonic

import pytest

from programs import ENOUGH_SECONDS

# Beside the second that is promised, and the time that a program takes to start: what hung did so for ever.
PATIENCE_SECONDS = 15


def program(code: str) -> list[str]:
    """Return the command of a program whose `logger` has a `handler` to an endpoint that does not answer in time."""
    preamble = """
    import logging, sys
    from firefighter.logging import FirehoseHandler
    logger = logging.getLogger('foo')
    logger.setLevel(logging.DEBUG)
    """
    return [sys.executable, '-c', textwrap.dedent(preamble) + textwrap.dedent(code)]


@pytest.fixture
def full_pipe():
    """Yield the two ends of a pipe that takes nothing more."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b'x' * 4096)
    os.set_blocking(writing, True)
    yield reading, writing
    os.close(reading)
    os.close(writing)


def status_unread(code, full_pipe, silent, timeout):
    """Return the exit status of a program whose stderr nobody reads."""
    return subprocess.run(
        program(code),
        env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': silent.url},
        stderr=full_pipe[1],
        timeout=timeout,
        check=False,
    ).returncode


@pytest.mark.parametrize('undelivered', ['count', 'stderr'])
@pytest.mark.parametrize('use_queues', [True, False])
def test_a_program_ends_though_nobody_reads_its_stderr(undelivered, use_queues, full_pipe, silent):
    """moby#31540: with each line that could not be written the program would wait for ever."""
    code = f"""
    handler = FirehoseHandler(
        'bar', shutdown_timeout_seconds=1, sync_timeout_seconds=1, use_queues={use_queues}, undelivered={undelivered!r}
    )
    logger.addHandler(handler)
    for number in range(3):
        logger.info('x' * 500)
    """
    began_at = monotonic()
    assert status_unread(code, full_pipe, silent, ENOUGH_SECONDS) == 0
    assert monotonic() - began_at < PATIENCE_SECONDS


PROGRAMS = {
    'a constructor that warns': "logger.addHandler(FirehoseHandler(None))\nlogger.info('x')",
    'a constructor whose spool_dir is of no use': """
    logger.addHandler(FirehoseHandler('bar', spool_dir='/dev/null/spool', shutdown_timeout_seconds=1))
    logger.info('x')
    """,
    'a reload': """
    import logging.config
    for _ in range(2):
        logging.config.dictConfig(
            {
                'version': 1,
                'handlers': {'firehose': {'class': 'firefighter.logging.FirehoseHandler'}},
                'root': {'handlers': ['firehose']},
            }
        )
        logger.info('x')
    """,
    'eventlet, which removes `poll`': """
    import warnings
    warnings.simplefilter('ignore')  # eventlet's own would wait, too
    import eventlet
    eventlet.monkey_patch()
    logger.addHandler(FirehoseHandler('bar', shutdown_timeout_seconds=1, undelivered='stderr'))
    logger.info('x' * 500)
    """,
}


@pytest.mark.parametrize('code', PROGRAMS.values(), ids=PROGRAMS)
def test_neither_a_warning_nor_green_threads_wait_for_a_reader(code, full_pipe, silent):
    """Python's own way to write a warning would, and so would a write where nobody can be asked whether it blocks."""
    assert status_unread(code, full_pipe, silent, PATIENCE_SECONDS) == 0


def test_what_could_not_be_written_is_counted_in_the_next_line(full_pipe):
    """Somebody reads again after three lines: the fourth says how many were not written."""
    reading, writing = full_pipe
    code = """
    from firefighter._delivery.diagnostics import Diagnostics
    diagnostics = Diagnostics()
    print([diagnostics.say('cause', f'line {number}') for number in range(3)], flush=True)
    sys.stdin.readline()
    print(diagnostics.say('cause', 'the last line'))
    """
    with subprocess.Popen(
        program(code), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=writing, text=True
    ) as process:
        assert process.stdout.readline() == '[False, False, False]\n'
        os.set_blocking(reading, False)
        with suppress(BlockingIOError):
            while os.read(reading, 4096):
                pass
        process.stdin.write('\n')
        process.stdin.close()
        assert process.stdout.readline() == 'True\n'
    assert os.read(reading, 4096) == b'firefighter: the last line (3 more like this since the last line)\n'


@pytest.mark.parametrize('encoding', ['ascii:strict', 'latin-1', 'cp1252:strict', 'utf-8'])
@pytest.mark.parametrize('stream', ['sys.stderr', "codecs.lookup('latin-1').streamwriter(Raw())"])
def test_events_on_stderr_are_the_events_that_would_have_been_sent(stream, encoding, silent):
    """s2i-python-container#156: whatever the encoding of the stream is, whether it is strict, and where it takes text alone."""
    code = f"""
    import codecs, os

    class Raw:
        def write(self, data):
            os.write(2, data)

        def flush(self):
            pass

    sys.stderr = {stream}
    handler = FirehoseHandler('bar', shutdown_timeout_seconds=0, undelivered='stderr')
    logger.addHandler(handler)
    logger.info('Grüße, ☃ 😀')
    logger.info('x' * 10_000)
    """
    ended = subprocess.run(
        program(code),
        env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': silent.url, 'PYTHONIOENCODING': encoding},
        capture_output=True,
        timeout=ENOUGH_SECONDS,
        check=False,
    )
    lines = [line for line in ended.stderr.splitlines() if line.startswith(b'{')]
    assert [json.loads(line)['message'] for line in lines] == ['Grüße, ☃ 😀', 'x' * 10_000]
    assert b'closed with 2 events undelivered, which follow' in ended.stderr
