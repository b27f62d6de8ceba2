"""Does each event arrive exactly once under uWSGI, which embeds Python and forks in C?"""

from __future__ import annotations

import http.client
import os
import pathlib
import re
import subprocess
import sys
from collections import Counter
from time import monotonic

import pytest

from firefighter.local import LocalFirehose
from programs import delivered

UWSGI = pathlib.Path(sys.executable).with_name('uwsgi')

if not UWSGI.exists():
    pytest.skip('there is no uWSGI for this platform', allow_module_level=True)

ENOUGH_SECONDS = 40

PROGRAM = """
import logging, os
from firefighter.logging import FirehoseHandler

logger = logging.getLogger('shop')
logger.setLevel(logging.INFO)
logger.addHandler(FirehoseHandler('bar', send_interval=0))

def application(environ, start_response):
    logger.info(environ['PATH_INFO'])
    start_response('200 OK', [])
    return [str(os.getpid()).encode()]
"""
LISTENING = re.compile(r'bound to TCP address 127\.0\.0\.1:(\d+)')


class Uwsgi:
    """A master with two workers.

    Attributes:
        process: the master.
    """

    def __init__(self, folder, endpoint, options):
        program = folder / 'program.py'
        program.write_text(PROGRAM)
        self.process = subprocess.Popen(
            [
                *(UWSGI, '--master', '--processes', '2', '--need-app', '--die-on-term', '--disable-logging'),
                *('--http-socket', '127.0.0.1:0', '--virtualenv', sys.prefix, '--wsgi-file', program),
                *options,
            ],
            env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._said = []
        for line in self.process.stdout:
            self._said.append(line)
            listening = LISTENING.search(line)
            if listening:
                self._port = int(listening[1])
                break

    def get(self, path):
        """Make a request; return the pid of the worker that answered."""
        connection = http.client.HTTPConnection('127.0.0.1', self._port, timeout=ENOUGH_SECONDS)
        try:
            connection.request('GET', path)
            return int(connection.getresponse().read())
        finally:
            connection.close()

    def end(self):
        """End it as a supervisor does; return its exit status and all it said."""
        self.process.terminate()
        said, _ = self.process.communicate(timeout=ENOUGH_SECONDS)
        return self.process.returncode, ''.join(self._said) + said

    def close(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def endpoint(tmp_path):
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as started:
        yield started


@pytest.mark.parametrize(
    'options', [[], ['--enable-threads'], ['--lazy-apps']], ids=['as it is', 'threads', 'lazy']
)
def test_each_event_of_two_workers_arrives_once(options, tmp_path, endpoint):
    """What was logged last too: SIGTERM ends the workers in an orderly way."""
    uwsgi = Uwsgi(tmp_path, endpoint, options)
    try:
        logged, workers, deadline = [], set(), monotonic() + ENOUGH_SECONDS
        while len(workers) < 2 or len(logged) < 20:
            assert monotonic() < deadline
            logged.append(f'/{len(logged)}')
            workers.add(uwsgi.get(logged[-1]))
        status, said = uwsgi.end()
    finally:
        uwsgi.close()
    assert status == 0
    assert 'firefighter:' not in said
    assert Counter(event['message'] for event in delivered(endpoint)) == Counter(logged)
