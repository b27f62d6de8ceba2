"""Does a logging call do anything but compute? Programs whose every system call that Python tells of is noted."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from firefighter.local import LocalFirehose

# What Python tells its audit hooks of: files, sockets, processes, imports. Not of that the first call starts a thread.
NOTING = """
import asyncio, logging, sys, threading
from firefighter.logging import FirehoseHandler

noted = []
watched = None

def note(event, arguments):
    if threading.get_ident() == watched and event.partition('.')[0] in {'open', 'socket', 'os', 'subprocess', 'import'}:
        noted.append((event, arguments))

handler = FirehoseHandler('bar', send_interval=0, shutdown_timeout_seconds=0.5)
logger = logging.getLogger('foo')
logger.setLevel(logging.DEBUG)
logger.addHandler(handler)
sys.addaudithook(note)
"""


@pytest.fixture
def run(tmp_path):
    """Run a program against an endpoint that never answers, and return its end."""

    def run_program(code):
        with LocalFirehose(tmp_path, streams=['bar']) as endpoint:
            endpoint.inject('no-answer')
            return subprocess.run(
                [sys.executable, '-c', NOTING + textwrap.dedent(code)],
                env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url},
                capture_output=True,
                text=True,
                timeout=50,
                check=False,
            )

    return run_program


def test_no_logging_call_touches_a_file_or_a_socket_or_imports(run):
    """From the first event on, while delivery imports boto3, connects, and waits for an answer that never comes."""
    ended = run(
        """
        def log():
            global watched
            watched = threading.get_ident()
            for number in range(20_000):
                logger.info({'number': number})
            while not handler.stats().requests:
                logger.info('while a request is under way')
            watched = None

        log()
        assert not noted, noted
        assert handler.stats().delivered == 0, handler.stats()
        open(__import__('os').devnull).close()
        watched = threading.get_ident()
        open(__import__('os').devnull).close()
        watched = None
        assert noted, 'nothing would have been noted'
        """
    )
    assert ended.returncode == 0, ended.stderr


def test_an_event_loop_goes_on_while_its_coroutines_log(run):
    """A request is under way all the time; what one coroutine logs keeps none of the others."""
    ended = run(
        """
        async def log():
            for number in range(1000):
                logger.info({'number': number})
                await asyncio.sleep(0)
            return number

        async def main():
            logger.info('first')
            while not handler.stats().requests:
                await asyncio.sleep(0)
            assert await asyncio.gather(*[log() for _ in range(10)]) == [999] * 10

        asyncio.run(main())
        stats = handler.stats()
        # The first request is still under way: no answer, no time-out yet.
        assert (stats.accepted, stats.delivered, stats.uncertain) == (10_001, 0, 0), stats
        """
    )
    assert ended.returncode == 0, ended.stderr
