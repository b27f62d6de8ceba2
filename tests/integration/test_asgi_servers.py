"""Do uvicorn, hypercorn and granian deliver the last events of an application when they get SIGTERM? By the recipes of the docs."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from time import monotonic

import pytest

from firefighter.local import LocalFirehose
from programs import ENOUGH_SECONDS, PATIENT, delivered, without_waiting

if sys.platform == 'win32':
    pytest.skip('no signal ends a program of Windows from outside', allow_module_level=True)

pytestmark = pytest.mark.once

PAGE = (pathlib.Path(__file__).parents[2] / 'docs' / 'configuration.md').read_text('utf-8')

# It logs once when it starts, and last of all when it stops.
APPLICATION = """
import os
logging.getLogger('shop').setLevel(logging.INFO)

@asynccontextmanager
async def logging_lifespan(app):
    logging.getLogger('uvicorn').addHandler(handler)  # when uvicorn has configured its own logging
    logging.getLogger('shop').info('started %d', os.getpid())
    async with lifespan(app):
        open(f'ready-{os.getpid()}', 'w').close()
        yield
        logging.getLogger('shop').info('stopped %d', os.getpid())

app = Starlette(lifespan=logging_lifespan)
"""
SCRIPT = """
import uvicorn

if __name__ == '__main__':
    uvicorn.run('shop:app', port=PORT, workers=WORKERS)
"""


def recipe(title):
    """Return the first block of code below a title of the page."""
    return re.search(rf'^##+ {title}\n.*?^```python\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)[1]


LIFESPAN = recipe('uvicorn, hypercorn, granian') + APPLICATION
WITHOUT = LIFESPAN.replace('handler.close()', 'pass')


@pytest.fixture
def port():
    with socket.create_server(('127.0.0.1', 0)) as taken:
        return taken.getsockname()[1]


@pytest.fixture
def serve(tmp_path):
    """Run a server until its workers are ready, end it by SIGTERM; return its exit status, the workers' pids, and what has arrived."""

    def run(program, *command, workers=1, script=''):
        (tmp_path / 'shop.py').write_text(PATIENT + program)
        (tmp_path / 'serve.py').write_text(script)
        path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get('PYTHONPATH')]))
        with (
            LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as endpoint,
            subprocess.Popen(
                [sys.executable, *map(str, command)],
                cwd=tmp_path,
                env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, 'PYTHONPATH': path},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as process,
        ):
            try:
                deadline = monotonic() + ENOUGH_SECONDS
                while len(ready := list(tmp_path.glob('ready-*'))) < workers:
                    assert process.poll() is None, process.stdout.read()
                    assert monotonic() < deadline
                process.terminate()
                said, _ = process.communicate(timeout=ENOUGH_SECONDS)
            finally:
                process.kill()
            assert 'firefighter:' not in without_waiting(said)
            pids = [int(path.name.removeprefix('ready-')) for path in ready]
            return process.returncode, pids, delivered(endpoint)

    return run


def of_the_application(arrived):
    return Counter(event['message'] for event in arrived if event['logger'] == 'shop')


def life_of(pids):
    return Counter(f'{what} {pid}' for what in ('started', 'stopped') for pid in pids)


@pytest.mark.parametrize(
    ('server', 'workers', 'status'),
    [
        (('uvicorn', '--port'), 1, -signal.SIGTERM),
        (('uvicorn', '--workers', '2', '--port'), 2, 0),
        (('hypercorn', '--workers', '2', '--bind'), 2, 0),
        (('granian', '--interface', 'asgi', '--port'), 1, 0),
    ],
    ids=['uvicorn', 'workers of uvicorn', 'workers of hypercorn', 'granian'],
)
def test_with_a_lifespan_that_closes_the_handler_the_last_event_arrives(server, workers, status, serve, port):
    """The page's, which is for all of them."""
    module, *options = server
    if find_spec(module) is None:
        pytest.skip(f'there is no {module} here')
    address = f'127.0.0.1:{port}' if module == 'hypercorn' else port
    ended, pids, arrived = serve(LIFESPAN, '-m', module, *options, address, 'shop:app', workers=workers)
    assert ended == status
    assert of_the_application(arrived) == life_of(pids)


@pytest.mark.parametrize('workers', [1, 2])
def test_with_flush_on_signals_before_uvicorn_runs_its_own_last_line_arrives_too(workers, serve, port):
    """In a script of one's own, by one line of the page; uvicorn's last line comes after the lifespan."""
    script = recipe('Programs that end by a signal')
    script += SCRIPT.replace('PORT', str(port)).replace('WORKERS', str(workers))
    ended, pids, arrived = serve(WITHOUT, 'serve.py', workers=workers, script=script)
    assert ended == (-signal.SIGTERM if workers == 1 else 0)
    assert of_the_application(arrived) == life_of(pids)
    last = Counter(
        event['message'] for event in arrived if event['message'].startswith('Finished server process')
    )
    assert last == Counter(f'Finished server process [{pid}]' for pid in pids)


def test_without_either_uvicorn_leaves_the_last_events_behind(serve, port):
    """What the recipes are for: it ends itself by the signal, and no exit function runs."""
    ended, _, arrived = serve(WITHOUT, '-m', 'uvicorn', '--port', port, 'shop:app')
    assert ended == -signal.SIGTERM
    assert arrived == []
