"""Does each event arrive exactly once under gunicorn, which forks its workers? The programs are the examples."""

from __future__ import annotations

import http.client
import itertools
import os
import signal
import socket
import subprocess
from collections import Counter
from time import monotonic

import pytest

from example_programs import NOTHING_IS_SENT_BEFORE_THE_END, Example, orders
from firefighter.local import LocalFirehose
from programs import delivered, flush_as_the_next_process, wait_until, without_waiting

if not hasattr(os, 'fork'):
    pytest.skip('gunicorn forks', allow_module_level=True)

# A worker may take 40 s to end, for which gunicorn waits.
ENOUGH_SECONDS = 45

# Each response says which worker it is from. The master logs too, where it has loaded the program.
HOOKS = """
import logging, os

logger = logging.getLogger('shop')

def when_ready(server):
    logger.info('master, before the fork')

def post_worker_init(worker):
    application, header = worker.wsgi, ('Worker', str(worker.pid))
    worker.wsgi = lambda environ, start_response: application(
        environ, lambda status, headers, *error: start_response(status, [*headers, header], *error)
    )
    open(f'ready-{worker.pid}', 'w').close()

def child_exit(server, worker):
    logger.info('master, of the end of %d', worker.pid)
"""


class Gunicorn:
    """A master with two workers, listening on a port of ours.

    Attributes:
        process: the master.
        output: the file that has what it says.
        answered: the numbers of the orders that each worker has answered, by its pid.
    """

    def __init__(self, example, environment, without=()):
        self.answered = {}
        self._folder = example.folder
        (self._folder / 'hooks.py').write_text(HOOKS)
        self._socket = socket.create_server(('127.0.0.1', 0))
        self._numbers = itertools.count()
        self.output = self._folder / 'output'
        options = (
            f'--config python:hooks --no-control-socket --bind fd://{self._socket.fileno()}'
            ' --graceful-timeout 40 --timeout 60'
        )
        with self.output.open('wb') as output:
            self.process = subprocess.Popen(
                example.command(without=without),
                cwd=self._folder,
                env={**os.environ, **example.environment, **environment, 'GUNICORN_CMD_ARGS': options},
                pass_fds=[self._socket.fileno()],
                stdout=output,
                stderr=output,
            )

    def wait_for_workers(self, count):
        """Wait until so many have been ready to answer: before that, the others would answer thousands of requests."""
        wait_until(lambda: len(list(self._folder.glob('ready-*'))) >= count, self.output.read_text)

    def order_until(self, enough):
        """Order until the pids that have answered are enough; return them."""
        deadline, pids = monotonic() + ENOUGH_SECONDS, set()
        while not enough(pids):
            assert monotonic() < deadline, self.output.read_text()
            number = next(self._numbers)
            pid = self._order(number)
            self.answered.setdefault(pid, []).append(number)
            pids.add(pid)
        return pids

    def _order(self, number):
        connection = http.client.HTTPConnection(*self._socket.getsockname(), timeout=ENOUGH_SECONDS)
        try:
            connection.request('GET', f'/orders/{number}')
            response = connection.getresponse()
            assert response.read() == b'received\n'
            return int(response.headers['Worker'])
        finally:
            connection.close()

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


@pytest.mark.parametrize(
    ('name', 'preloaded', 'disk'),
    [
        ('django', True, True),
        ('django', False, False),
        ('flask', False, True),
        ('gevent', False, True),
    ],
    ids=['Django, preloaded, and the master logs first', 'Django', 'Flask in threads', 'gevent'],
)
def test_each_event_arrives_once_though_a_worker_is_killed(name, preloaded, disk, tmp_path, endpoint):
    """Through a kill of a worker, a reload and a stop. What the killed worker had pending is lost in memory; on disk another one delivers it."""
    place = {'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url}
    if disk:
        place['FIREFIGHTER_SPOOL_DIR'] = str(tmp_path / 'spool')
    gunicorn = Gunicorn(
        Example(name, tmp_path, NOTHING_IS_SENT_BEFORE_THE_END),
        place,
        without=() if preloaded else ('--preload',),
    )
    try:
        gunicorn.wait_for_workers(2)
        workers = gunicorn.order_until(lambda pids: len(pids) == 2)
        victim = min(workers)
        os.kill(victim, signal.SIGKILL)
        gunicorn.wait_for_workers(3)
        workers |= gunicorn.order_until(lambda pids: pids - workers)
        gunicorn.process.send_signal(signal.SIGHUP)
        gunicorn.wait_for_workers(5)
        gunicorn.order_until(lambda pids: len(pids - workers) == 2)
        assert gunicorn.terminate() == 0
    finally:
        gunicorn.close()
    assert 'firefighter:' not in without_waiting(gunicorn.output.read_text())
    lost = set(orders(*gunicorn.answered.pop(victim)))
    expected = set(orders(*itertools.chain(*gunicorn.answered.values())))
    ends = {f'master, of the end of {pid}' for pid in gunicorn.answered}
    if preloaded:
        expected |= {'master, before the fork', f'master, of the end of {victim}'}
    assert expected <= {event['message'] for event in delivered(endpoint)}
    if disk:
        flush_as_the_next_process(place)  # what the last worker to go had no time for
        expected |= lost
    arrived = Counter(event['message'] for event in delivered(endpoint))
    assert set(arrived.values()) == {1}
    assert expected <= arrived.keys()
    assert arrived.keys() - expected <= ends
