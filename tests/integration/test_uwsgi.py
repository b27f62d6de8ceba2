"""Does each event arrive exactly once under uWSGI, which embeds Python and forks in C?"""

from __future__ import annotations

import http.client
import os
import pathlib
import re
import signal
import subprocess
import sys
from collections import Counter
from time import monotonic

import pytest

from example_programs import Example, orders
from firefighter.local import LocalFirehose
from programs import delivered, flush_as_the_next_process, without_waiting

UWSGI = pathlib.Path(sys.executable).with_name('uwsgi')

if not UWSGI.exists():
    pytest.skip('there is no uWSGI for this platform', allow_module_level=True)

ENOUGH_SECONDS = 40

# Each response says which worker it is from, and may keep that one busy.
PROGRAM = """
import os
import shop

class Busy(list):
    def close(self):  # called when the client has the answer, and before the worker is done with the request
        open('busy').close()

def application(environ, start_response):
    header = ('Worker', str(os.getpid()))
    body = shop.application(environ, lambda status, headers: start_response(status, [*headers, header]))
    return Busy(body) if environ['PATH_INFO'] == '/orders/busy' else body
"""
WAITING = """
import os
logger.handlers[0].send_interval = float(os.environ.get('SEND_INTERVAL', 0))
"""
LISTENING = re.compile(r'bound to TCP address 127\.0\.0\.1:(\d+)')

# What SIGTERM does to the workers. At once, as --die-on-term alone has it: uWSGI runs no exit function in a worker that has
# not quite done with a request, though its client may have the answer already (unbit/uwsgi#2063).
AT_ONCE = ('--die-on-term',)
WHEN_DONE = ('--hook-master-start', 'unix_signal:15 gracefully_kill_them_all')


class Uwsgi:
    """A master with its workers, and the program of `examples/uwsgi`.

    Args:
        example: the example.
        endpoint: where the events go.
        options: what it is started with. None: the command of the example.
        workers: how many, unless the example says it.
        environment: what it finds in its environment.

    Attributes:
        process: the master.
    """

    def __init__(self, example, endpoint, options=None, *, workers=2, **environment):
        (example.folder / 'program.py').write_text(PROGRAM)
        if options is None:
            settings = example.folder / 'uwsgi.ini'
            settings.write_text(settings.read_text('utf-8').replace('shop:', 'program:'), 'utf-8')
            command = [word.replace(':8000', ':0') for word in example.command()]
        else:
            command = [UWSGI, '--master', '--module', 'program:application', '--http-socket', '127.0.0.1:0']
            command += ['--processes', str(workers), '--virtualenv', sys.prefix, *options]
        self.process = subprocess.Popen(
            [*command, '--need-app', '--disable-logging'],
            cwd=example.folder,
            env=example.surroundings(endpoint, **environment),
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

    def get(self, order):
        """Make a request; return the pid of the worker that answered."""
        connection = http.client.HTTPConnection('127.0.0.1', self._port, timeout=ENOUGH_SECONDS)
        try:
            connection.request('GET', f'/orders/{order}')
            return int(connection.getresponse().headers['Worker'])
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


@pytest.fixture
def example(tmp_path):
    """The program, which waits for company if it is to."""
    return Example('uwsgi', tmp_path, ends=WAITING)


@pytest.mark.parametrize('options', [[], ['--enable-threads']], ids=['as it is', 'threads'])
def test_each_event_of_two_workers_arrives_once(options, example, endpoint):
    """What was logged last too: the workers end in an orderly way."""
    uwsgi = Uwsgi(example, endpoint, [*WHEN_DONE, *options])
    try:
        answered = order_until(uwsgi, lambda pids, count: len(pids) == 2 and count >= 20)
        uwsgi.process.terminate()
        status, said = uwsgi.wait()
    finally:
        uwsgi.close()
    assert status == 0
    assert 'firefighter:' not in without_waiting(said)
    assert Counter(event['message'] for event in delivered(endpoint)) == Counter(orders(*answered))


def test_with_the_settings_of_the_example_a_kill_and_a_reload_lose_nothing(example, endpoint, tmp_path):
    """Nor does the stop. Loaded by each worker, and with a directory."""
    place = {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool'), 'SEND_INTERVAL': '60'}
    uwsgi = Uwsgi(example, endpoint, **place)
    try:
        answered = order_until(uwsgi, lambda pids, _: len(pids) == 2)
        victim = min(answered.values())
        os.kill(victim, signal.SIGKILL)
        workers = set(answered.values())
        answered |= order_until(uwsgi, lambda pids, _: pids - workers, len(answered))
        workers = set(answered.values())
        (example.folder / 'shop.py').touch()
        answered |= order_until(uwsgi, lambda pids, _: len(pids - workers) == 2, len(answered))
        uwsgi.process.terminate()
        status, said = uwsgi.wait()
    finally:
        uwsgi.close()
    assert status == 0
    assert 'firefighter:' not in without_waiting(said)
    living = [number for number, pid in answered.items() if pid != victim]
    assert {event['message'] for event in delivered(endpoint)} >= set(orders(*living))
    flush_as_the_next_process({'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **place})
    assert Counter(event['message'] for event in delivered(endpoint)) == Counter(orders(*answered))


def order_until(uwsgi, enough, first=0):
    """Order until the pids that have answered, and the orders, are enough; return the pid that has answered each order, by its number."""
    answered, deadline = {}, monotonic() + ENOUGH_SECONDS
    while not enough(set(answered.values()), len(answered)):
        assert monotonic() < deadline
        number = first + len(answered)
        answered[number] = uwsgi.get(number)
    return answered


@pytest.fixture
def busy(example):
    """A pipe that a worker waits at, in the middle of a request, until somebody opens its other end."""
    os.mkfifo(example.folder / 'busy')
    return example.folder / 'busy'


def test_a_worker_in_the_middle_of_a_request_delivers_before_it_ends(busy, example, endpoint):
    """As the docs advise, uWSGI lets it finish: its exit functions run, and what waited for company arrives."""
    uwsgi = Uwsgi(example, endpoint, WHEN_DONE, workers=1, SEND_INTERVAL='60')
    try:
        uwsgi.get('first')
        uwsgi.get('busy')
        uwsgi.process.terminate()
        uwsgi.wait_for('Gracefully killing worker')
        busy.open('wb').close()
        status, said = uwsgi.wait()
    finally:
        uwsgi.close()
    assert status == 0
    assert 'firefighter:' not in without_waiting(said)
    assert [event['message'] for event in delivered(endpoint)] == ['order first', 'order busy']


@pytest.mark.usefixtures('busy')
def test_of_a_worker_that_is_killed_in_the_middle_of_a_request_a_directory_keeps_all(
    example, tmp_path, endpoint
):
    """No exit function runs, and nothing is lost: the next start of the program delivers it."""
    directory = {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool')}
    uwsgi = Uwsgi(example, endpoint, AT_ONCE, workers=1, SEND_INTERVAL='60', **directory)
    try:
        uwsgi.get('first')
        uwsgi.get('busy')
        uwsgi.process.terminate()
        uwsgi.wait()
    finally:
        uwsgi.close()
    assert not delivered(endpoint)
    flush_as_the_next_process({'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **directory})
    assert [event['message'] for event in delivered(endpoint)] == ['order first', 'order busy']
