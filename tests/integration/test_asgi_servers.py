"""Do uvicorn, hypercorn and granian deliver the last events of an application when they get SIGTERM? By the example, and by the recipe of the docs."""

from __future__ import annotations

import http.client
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from time import monotonic

import pytest

from example_programs import Example, orders
from firefighter.local import LocalFirehose
from programs import ENOUGH_SECONDS, delivered, flush_as_the_next_process, wait_until, without_waiting

if sys.platform == 'win32':
    pytest.skip('no signal ends a program of Windows from outside', allow_module_level=True)

pytestmark = pytest.mark.once

PAGE = (pathlib.Path(__file__).parents[2] / 'docs' / 'configuration.md').read_text('utf-8')

# The application of the example logs once when it starts, and last of all when it stops.
LIFE = """
import os
from shop import *

@asynccontextmanager
async def logging_lifespan(app):
    logging.getLogger('shop').info('started %d', os.getpid())
    async with lifespan(app):
        open(f'ready-{os.getpid()}', 'w').close()
        yield
        logging.getLogger('shop').info('stopped %d', os.getpid())

app.router.lifespan_context = logging_lifespan
"""
UVICORNS_WORKER = ('gunicorn', '--worker-class', 'uvicorn.workers.UvicornWorker')
SCRIPT = """
import uvicorn

if __name__ == '__main__':
    uvicorn.run('program:app', port=PORT, workers=WORKERS)
"""


def recipe(title):
    """Return the first block of code below a title of the page."""
    return re.search(rf'^##+ {title}\n.*?^```python\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)[1]


# Code for the example, which then says that a worker is about to be ready.
READY = "import os; open(f'ready-{os.getpid()}', 'w').close()\n"


@pytest.fixture
def port():
    with socket.create_server(('127.0.0.1', 0)) as taken:
        return taken.getsockname()[1]


class Server:
    """A running server, and the application of `examples/fastapi`.

    Args:
        process: it.
        folder: where its workers say that they are ready.
    """

    def __init__(self, process, folder):
        self.process = process
        self._folder = folder

    def wait_for_workers(self, count):
        """Wait until so many workers have been ready; return their pids."""

        def ready():
            assert self.process.poll() is None, self.process.stdout.read()
            return list(self._folder.glob('ready-*'))

        wait_until(lambda: len(ready()) >= count)
        return {int(path.name.removeprefix('ready-')) for path in ready()}

    def terminate(self):
        """End it by SIGTERM; return its exit status."""
        self.process.terminate()
        said, _ = self.process.communicate(timeout=ENOUGH_SECONDS)
        assert 'firefighter:' not in without_waiting(said)
        return self.process.returncode


@pytest.fixture
def start(endpoint, tmp_path):
    """Start a server in a folder of an example."""
    with ExitStack() as stack:

        def start_server(example, command, **environment):
            process = stack.enter_context(
                subprocess.Popen(
                    command,
                    cwd=example.folder,
                    env=example.surroundings(endpoint, **environment),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    start_new_session=True,
                )
            )
            stack.callback(kill_all_of, process.pid)
            return Server(process, example.folder)

        yield start_server


def kill_all_of(group):
    """Kill what is left of a group of processes, workers too."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


@pytest.fixture
def endpoint(tmp_path):
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as started:
        yield started


@pytest.fixture
def serve(start, endpoint, tmp_path):
    """Run a server until its workers are ready, end it by SIGTERM; return its exit status, the workers' pids, and what has arrived."""

    def run(*command, closing=True, workers=1, script=''):
        example = Example('fastapi', tmp_path)
        if not closing:
            shop = example.folder / 'shop.py'
            shop.write_text(shop.read_text('utf-8').replace('handler.close()', 'pass'), 'utf-8')
        (example.folder / 'program.py').write_text(LIFE)
        (example.folder / 'serve.py').write_text(script)
        server = start(example, [sys.executable, *map(str, command)])
        pids = server.wait_for_workers(workers)
        return server.terminate(), pids, delivered(endpoint)

    return run


def of_the_application(arrived):
    return Counter(event['message'] for event in arrived if event['logger'] == 'shop')


def life_of(pids):
    return Counter(f'{what} {pid}' for what in ('started', 'stopped') for pid in pids)


@pytest.mark.parametrize(
    ('server', 'workers', 'status'),
    [
        (('uvicorn', '--port'), 1, -signal.SIGTERM),
        (('hypercorn', '--workers', '2', '--bind'), 2, 0),
        (('granian', '--interface', 'asgi', '--port'), 1, 0),
        ((*UVICORNS_WORKER, '--workers', '2', '--bind'), 2, 0),
    ],
    ids=['uvicorn', 'workers of hypercorn', 'granian', "gunicorn with uvicorn's worker"],
)
def test_with_a_lifespan_that_closes_the_handler_the_last_event_arrives(server, workers, status, serve, port):
    """The example's, which is for all of them."""
    module, *options = server
    if find_spec(module) is None:
        pytest.skip(f'there is no {module} here')
    address = port if options[-1] == '--port' else f'127.0.0.1:{port}'
    ended, pids, arrived = serve('-m', module, *options, address, 'program:app', workers=workers)
    assert ended == status
    assert of_the_application(arrived) == life_of(pids)


@pytest.mark.parametrize('workers', [1, 2])
def test_with_flush_on_signals_before_uvicorn_runs_its_own_last_line_arrives_too(workers, serve, port):
    """In a script of one's own, by one line of the page; uvicorn's last line comes after the lifespan."""
    script = recipe('Programs that end by a signal')
    script += SCRIPT.replace('PORT', str(port)).replace('WORKERS', str(workers))
    ended, pids, arrived = serve('serve.py', closing=False, workers=workers, script=script)
    assert ended == (-signal.SIGTERM if workers == 1 else 0)
    assert of_the_application(arrived) == life_of(pids)
    last = Counter(
        event['message'] for event in arrived if event['message'].startswith('Finished server process')
    )
    assert last == Counter(f'Finished server process [{pid}]' for pid in pids)


@pytest.mark.parametrize(
    ('server', 'status'),
    [(('uvicorn', '--port'), -signal.SIGTERM), ((*UVICORNS_WORKER, '--bind'), 0)],
    ids=['itself', 'in gunicorn'],
)
def test_without_either_uvicorn_leaves_the_last_events_behind(server, status, serve, port):
    """What the recipes are for: it ends itself by the signal, and no exit function runs."""
    address = port if server[-1] == '--port' else f'127.0.0.1:{port}'
    ended, _, arrived = serve('-m', *server, address, 'program:app', closing=False)
    assert ended == status
    assert arrived == []


@pytest.mark.parametrize('fault', ['reload', 'kill'])
def test_with_the_command_of_the_example_nothing_is_lost(fault, start, port, endpoint, tmp_path):
    """By a reload and the stop; with a directory, by the kill of a worker. What uvicorn's own loggers say arrives too."""
    example = Example('fastapi', tmp_path, READY)
    place = {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool')} if fault == 'kill' else {}
    server = start(example, example.command(), UVICORN_PORT=str(port), **place)
    pids = server.wait_for_workers(2)
    for number in range(20):
        get(port, f'/orders/{number}')
    if fault == 'kill':
        os.kill(min(pids), signal.SIGKILL)
        server.wait_for_workers(3)
    else:
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_workers(4)
    for number in range(20, 40):
        get(port, f'/orders/{number}')
    assert server.terminate() == 0
    if place:
        flush_as_the_next_process({'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **place})
    arrived = delivered(endpoint)
    assert of_the_application(arrived).keys() == set(orders(*range(40)))
    of_uvicorn = Counter(event['logger'] for event in arrived)
    assert of_uvicorn['uvicorn.access'] >= 40
    assert of_uvicorn['uvicorn.error']


def get(port, path):
    """Make a request, again where the worker that took it was killed."""
    deadline = monotonic() + ENOUGH_SECONDS
    while True:
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=ENOUGH_SECONDS)
        try:
            connection.request('GET', path)
            assert connection.getresponse().status == 200
        except (ConnectionError, http.client.HTTPException):
            assert monotonic() < deadline
        else:
            return
        finally:
            connection.close()
