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
from programs import delivered, without_waiting

UWSGI = pathlib.Path(sys.executable).with_name('uwsgi')

if not UWSGI.exists():
    pytest.skip('there is no uWSGI for this platform', allow_module_level=True)

ENOUGH_SECONDS = 40

PROGRAM = """
import logging, os
from firefighter.logging import FirehoseHandler

logger = logging.getLogger('shop')
logger.setLevel(logging.INFO)
logger.addHandler(FirehoseHandler(
    'bar',
    send_interval=float(os.environ.get('SEND_INTERVAL', 0)),
    # To import boto3 alone took each worker three seconds beside four busy processes.
    shutdown_timeout_seconds=30,
))

class Busy(list):
    def close(self):  # called when the client has the answer, and before the worker is done with the request
        open('busy').close()

def application(environ, start_response):
    logger.info(environ['PATH_INFO'])
    body = [str(os.getpid()).encode()]
    start_response('200 OK', [('Content-Length', str(len(body[0])))])
    return Busy(body) if environ['PATH_INFO'] == '/busy' else body
"""
LISTENING = re.compile(r'bound to TCP address 127\.0\.0\.1:(\d+)')

# What SIGTERM does to the workers. At once, as --die-on-term alone has it: uWSGI runs no exit function in a worker that has
# not quite done with a request, though its client may have the answer already (unbit/uwsgi#2063).
AT_ONCE = ('--die-on-term',)
WHEN_DONE = ('--hook-master-start', 'unix_signal:15 gracefully_kill_them_all')


class Uwsgi:
    """A master with its workers.

    Attributes:
        process: the master.
    """

    def __init__(self, folder, endpoint, options, *, workers=2, **environment):
        (folder / 'program.py').write_text(PROGRAM)
        self.process = subprocess.Popen(
            [
                *(UWSGI, '--master', '--processes', str(workers), '--need-app', '--disable-logging'),
                *('--http-socket', '127.0.0.1:0', '--virtualenv', sys.prefix, '--wsgi-file', 'program.py'),
                *options,
            ],
            cwd=folder,
            env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._said = []
        self._port = int(self.wait_for(LISTENING)[1])

    def wait_for(self, pattern):
        """Read what it says, until a line has the pattern; return the match."""
        for line in self.process.stdout:
            self._said.append(line)
            found = re.search(pattern, line)
            if found:
                return found
        raise AssertionError(f'it has ended and said {"".join(self._said)}')

    def get(self, path):
        """Make a request; return the pid of the worker that answered."""
        connection = http.client.HTTPConnection('127.0.0.1', self._port, timeout=ENOUGH_SECONDS)
        try:
            connection.request('GET', path)
            return int(connection.getresponse().read())
        finally:
            connection.close()

    def wait(self):
        """Return its exit status and all it said."""
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
    """What was logged last too: the workers end in an orderly way."""
    uwsgi = Uwsgi(tmp_path, endpoint, [*WHEN_DONE, *options])
    try:
        logged, workers, deadline = [], set(), monotonic() + ENOUGH_SECONDS
        while len(workers) < 2 or len(logged) < 20:
            assert monotonic() < deadline
            logged.append(f'/{len(logged)}')
            workers.add(uwsgi.get(logged[-1]))
        uwsgi.process.terminate()
        status, said = uwsgi.wait()
    finally:
        uwsgi.close()
    assert status == 0
    assert 'firefighter:' not in without_waiting(said)
    assert Counter(event['message'] for event in delivered(endpoint)) == Counter(logged)


@pytest.fixture
def busy(tmp_path):
    """A pipe that a worker waits at, in the middle of a request, until somebody opens its other end."""
    os.mkfifo(tmp_path / 'busy')
    return tmp_path / 'busy'


def test_a_worker_in_the_middle_of_a_request_delivers_before_it_ends(busy, tmp_path, endpoint):
    """As the docs advise, uWSGI lets it finish: its exit functions run, and what waited for company arrives."""
    uwsgi = Uwsgi(tmp_path, endpoint, WHEN_DONE, workers=1, SEND_INTERVAL='60')
    try:
        uwsgi.get('/')
        uwsgi.get('/busy')
        uwsgi.process.terminate()
        uwsgi.wait_for('Gracefully killing worker')
        busy.open('wb').close()
        status, said = uwsgi.wait()
    finally:
        uwsgi.close()
    assert status == 0
    assert 'firefighter:' not in without_waiting(said)
    assert [event['message'] for event in delivered(endpoint)] == ['/', '/busy']


@pytest.mark.usefixtures('busy')
def test_of_a_worker_that_is_killed_in_the_middle_of_a_request_a_directory_keeps_all(tmp_path, endpoint):
    """No exit function runs, and nothing is lost: the next start of the program delivers it."""
    directory = {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool')}
    uwsgi = Uwsgi(tmp_path, endpoint, AT_ONCE, workers=1, SEND_INTERVAL='60', **directory)
    try:
        uwsgi.get('/')
        uwsgi.get('/busy')
        uwsgi.process.terminate()
        uwsgi.wait()
    finally:
        uwsgi.close()
    assert not delivered(endpoint)
    flush_as_the_next_process(endpoint, **directory)
    assert [event['message'] for event in delivered(endpoint)] == ['/', '/busy']


def flush_as_the_next_process(endpoint, **environment):
    program = "from firefighter.logging import FirehoseHandler; assert FirehoseHandler('bar').flush(40)"
    subprocess.run(
        [sys.executable, '-c', program],
        env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **environment},
        check=True,
        timeout=ENOUGH_SECONDS,
    )
