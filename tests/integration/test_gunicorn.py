"""Does each event arrive exactly once under gunicorn, which loads the program and then forks its workers?"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from time import monotonic

import pytest

from firefighter.local import LocalFirehose
from programs import delivered, without_waiting

if not hasattr(os, 'fork'):
    pytest.skip('gunicorn forks', allow_module_level=True)

# A worker may take the handler's 30 s to end, which is why gunicorn waits longer for it.
ENOUGH_SECONDS = 45

PROGRAM = """
import logging, os
from firefighter.logging import FirehoseHandler

logger = logging.getLogger('shop')
logger.setLevel(logging.INFO)
handler = FirehoseHandler('bar', shutdown_timeout_seconds=30)
# Nothing is sent before the end, though it may take some requests until each worker has answered one: of what is on its way when a
# worker is killed nobody knows whether it arrives.
handler.MAX_BATCH_SIZE = handler.MAX_BATCH_COUNT = 1 << 20
logger.addHandler(handler)
if 'EARLY' in os.environ:
    logger.info('master, before the fork')

def application(environ, start_response):
    pid = str(os.getpid())
    logger.info('%s, from %s', environ['PATH_INFO'], pid)
    start_response('200 OK', [('Content-Length', str(len(pid)))])
    return [pid.encode()]
"""
SETTINGS = """
from program import logger

def post_worker_init(worker):
    open(f'ready-{worker.pid}', 'w').close()

def child_exit(server, worker):
    logger.info('master, of the end of %d', worker.pid)
"""


class Gunicorn:
    """A master with two workers, listening on a port of ours.

    Attributes:
        early: what the master logs before it forks.
        pids: of the workers that have answered.
    """

    def __init__(self, folder, environment):
        self.early = ['master, before the fork'] if 'EARLY' in environment else []
        self.pids = set()
        self._folder = folder
        (folder / 'program.py').write_text(PROGRAM)
        (folder / 'settings.py').write_text(SETTINGS)
        self._socket = socket.create_server(('127.0.0.1', 0))
        self.output = folder / 'output'
        with self.output.open('wb') as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, '-m', 'gunicorn', '--preload', '--workers', '2'),
                    *('--graceful-timeout', '40', '--timeout', '60'),
                    *(
                        '--config',
                        'python:settings',
                        '--no-control-socket',
                        '--bind',
                        f'fd://{self._socket.fileno()}',
                    ),
                    'program:application',
                ],
                cwd=folder,
                env={**os.environ, **environment, 'PYTHONPATH': str(folder)},
                pass_fds=[self._socket.fileno()],
                stdout=output,
                stderr=output,
            )

    def wait_for_workers(self, count):
        """Wait until so many are ready to answer: before that, the others would answer thousands of requests."""
        deadline = monotonic() + ENOUGH_SECONDS
        while len(list(self._folder.glob('ready-*'))) < count:
            assert monotonic() < deadline, self.output.read_text()

    def get(self, path):
        """Make a request; return the pid of the worker that answered."""
        connection = http.client.HTTPConnection(*self._socket.getsockname(), timeout=ENOUGH_SECONDS)
        try:
            connection.request('GET', path)
            return int(connection.getresponse().read())
        finally:
            connection.close()

    def get_until(self, path, answered):
        """Make requests until the pids that have answered are enough; return what the workers have logged, and the pids."""
        deadline = monotonic() + ENOUGH_SECONDS
        logged, pids = [], set()
        while not answered(pids):
            assert monotonic() < deadline, self.output.read_text()
            pid = self.get(f'/{path}/{len(logged)}')
            pids.add(pid)
            self.pids.add(pid)
            logged.append(f'/{path}/{len(logged)}, from {pid}')
        return logged, pids

    def terminate(self):
        """End it as a supervisor does; return its exit status."""
        self.process.terminate()
        return self.process.wait(ENOUGH_SECONDS)

    def close(self):
        self.process.kill()
        self.process.wait()
        self._socket.close()


@pytest.fixture
def endpoint(tmp_path):
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as started:
        yield started


@pytest.fixture(params=['memory', 'disk'])
def place(request, tmp_path, endpoint):
    """What a program needs to deliver there, its spool in memory or on disk."""
    directory = {} if request.param == 'memory' else {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool')}
    return {'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **directory}


@pytest.fixture
def gunicorn(tmp_path, place, request):
    started = Gunicorn(tmp_path, {**place, **request.param})
    yield started
    started.close()


@pytest.mark.parametrize(
    'gunicorn', [{}, {'EARLY': '1'}], indirect=True, ids=['the master is silent', 'the master logs first']
)
def test_each_event_arrives_once_though_a_worker_is_killed(gunicorn, place, endpoint):
    """Workers and master log. What the killed worker had pending is lost in memory; on disk the next one delivers it."""
    gunicorn.wait_for_workers(2)
    first, workers = gunicorn.get_until('first', lambda pids: len(pids) == 2)
    victim = min(workers)
    os.kill(victim, signal.SIGKILL)
    gunicorn.wait_for_workers(3)
    second, _ = gunicorn.get_until('second', lambda pids: pids - workers)
    assert gunicorn.terminate() == 0
    assert 'firefighter:' not in without_waiting(gunicorn.output.read_text())
    expected = {*gunicorn.early, *first, f'master, of the end of {victim}', *second}
    if 'FIREFIGHTER_SPOOL_DIR' in place:
        flush(place)  # what the last worker to go had no time for
    else:
        expected -= {message for message in first if message.endswith(f'from {victim}')}
    arrived = Counter(event['message'] for event in delivered(endpoint))
    assert set(arrived.values()) == {1}
    assert expected <= arrived.keys()
    assert arrived.keys() - expected <= {f'master, of the end of {pid}' for pid in gunicorn.pids}


def flush(place):
    """Be the next start of a program with the same destination."""
    program = "from firefighter.logging import FirehoseHandler; assert FirehoseHandler('bar').flush(40)"
    subprocess.run(
        [sys.executable, '-c', program], env={**os.environ, **place}, check=True, timeout=ENOUGH_SECONDS
    )
