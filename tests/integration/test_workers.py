"""Do children that end by `os._exit` deliver what they log: those of Celery, of RQ, of billiard? By the recipes of the docs."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from time import monotonic

import pytest

from firefighter.local import LocalFirehose
from programs import ENOUGH_SECONDS, PATIENT, delivered, without_waiting

if not hasattr(os, 'fork'):
    pytest.skip('these fork', allow_module_level=True)

pytestmark = pytest.mark.once

PAGE = (pathlib.Path(__file__).parents[2] / 'docs' / 'configuration.md').read_text('utf-8')


def recipe(title):
    """Return the first block of code below a title of the page."""
    return re.search(rf'^##+ {title}\n.*?^```python\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)[1]


@pytest.fixture
def endpoint(tmp_path):
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as started:
        yield started


@pytest.fixture
def run(tmp_path, endpoint):
    """Run a Python program in a folder where `shop.py` is; return its exit status, and its stdout and stderr in one.

    With `done`, it gets SIGTERM when that returns True; where it does not end by that, it is killed, and its status is negative.
    """
    folder = tmp_path / 'program'
    folder.mkdir()

    def run_program(shop, *arguments, done=None, **environment):
        (folder / 'shop.py').write_text(PATIENT + shop)
        path = os.pathsep.join(filter(None, [str(folder), os.environ.get('PYTHONPATH')]))
        with subprocess.Popen(
            [sys.executable, '-Wignore', *arguments],
            cwd=folder,
            env={**os.environ, 'PYTHONPATH': path, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                if done:
                    deadline = monotonic() + ENOUGH_SECONDS
                    while not done():
                        assert monotonic() < deadline
                    process.terminate()
                    with suppress(subprocess.TimeoutExpired):
                        process.communicate(timeout=ENOUGH_SECONDS / 2)
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                said, _ = process.communicate(timeout=ENOUGH_SECONDS)
            finally:
                process.kill()
        return process.returncode, without_waiting(said)

    return run_program


def logged_by_the_shop(endpoint):
    return sorted(event['message'] for event in delivered(endpoint) if event['logger'] == 'shop')


# The first task logs nothing, nor does Celery below WARNING: the first event of its child is one that is logged when that ends.
CELERY = """
import os, sys
from celery.signals import worker_process_shutdown
from celery.utils.log import get_task_logger

app.conf.update(
    broker_url='filesystem://localhost',
    broker_transport_options={'data_folder_in': 'queue', 'data_folder_out': 'queue', 'control_folder': 'control'},
    worker_max_tasks_per_child=1,
)

@app.task
def work(number):
    numbers.append(number)
    if number:
        get_task_logger('shop').warning('task %d', number)

@worker_process_shutdown.connect
def log_the_end(**_):
    for number in numbers:
        get_task_logger('shop').warning('end %d', number)

numbers = []

if 'worker' not in sys.argv:
    for folder in ('queue', 'control'):
        os.mkdir(folder)
    for number in range(4):
        work.delay(number)
"""


def test_each_child_of_celerys_pool_delivers_what_it_logged(run, endpoint):
    """One task a child, and the handler as the page has it; also what another function logs that is called at the end of the child."""
    shop = recipe('Celery') + CELERY
    assert run(shop, '-m', 'shop') == (0, '')
    expected = [*(f'end {number}' for number in range(4)), 'task 1', 'task 2', 'task 3']
    # The status is not asked for. Now and then Celery's own process hangs at its end: billiard waits in `_help_stuff_finish` for
    # a lock that a child has taken with it.
    _, said = run(
        shop,
        *('-m', 'celery', '-A', 'shop', 'worker', '--concurrency=2', '--loglevel=WARNING'),
        *('--without-gossip', '--without-mingle', '--without-heartbeat'),
        done=lambda: logged_by_the_shop(endpoint) == expected,
    )
    assert 'firefighter:' not in said
    assert logged_by_the_shop(endpoint) == expected


@contextmanager
def redis(folder):
    """A server of Redis at a socket in the folder; return its URL."""
    path = shutil.which('redis-server') or pytest.skip('there is no redis-server')
    socket = folder / 'redis.sock'
    process = subprocess.Popen(
        [path, '--port', '0', '--unixsocket', socket, '--save', '', '--dir', folder],
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = monotonic() + ENOUGH_SECONDS
        while not socket.exists():
            assert process.poll() is None
            assert monotonic() < deadline
        yield f'unix://{socket}'
    finally:
        process.terminate()
        process.wait()


RQ = """
logging.getLogger('shop').setLevel(logging.INFO)

def work(number):
    logging.getLogger('shop').info('job %d', number)
    if number == 3:
        raise ValueError('a job that fails')

if __name__ == '__main__':
    import os, redis
    queue = rq.Queue(connection=redis.Redis.from_url(os.environ['URL']))
    for number in range(4):
        queue.enqueue('shop.work', number)
"""


def test_each_work_horse_of_rq_delivers_what_its_job_logged(run, endpoint, tmp_path):
    """With the worker class of the page. One of the jobs fails."""
    shop = recipe('RQ') + RQ
    with redis(tmp_path) as url:
        assert run(shop, '-m', 'shop', URL=url) == (0, '')
        worker = ('-m', 'rq.cli', 'worker', '--burst', '--url', url, '--worker-class', 'shop.Worker')
        status, said = run(shop, *worker)
    assert status == 0, said
    assert 'firefighter:' not in said
    assert logged_by_the_shop(endpoint) == [f'job {number}' for number in range(4)]


POOL = """
import logging, os, sys
from firefighter.logging import FirehoseHandler
from shop import *
import billiard, billiard.pool

handler = FirehoseHandler('bar')
logging.getLogger('shop').addHandler(handler)

def work(number):
    logging.getLogger('shop').warning('child %d', number)
"""
BY_POOL = """
if __name__ == '__main__':
    pool = billiard.pool.Pool(2, maxtasksperchild=1, **OPTIONS)
    pool.map(work, range(4))
    pool.close()
    pool.join()
"""
BY_PROCESS = """
if __name__ == '__main__':
    for number in range(4):
        process = billiard.Process(target=work, args=(number,))
        process.start()
        process.join()
"""
BY_FORK = """
for number in range(4):
    child = os.fork()
    if not child:
        work(number)
        handler.close()
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.parametrize(
    ('how', 'spool'),
    [
        (BY_POOL.replace('OPTIONS', "{'on_process_exit': lambda pid, status: handler.close()}"), False),
        (BY_POOL.replace('OPTIONS', '{}'), True),
        (BY_PROCESS, False),
        (BY_FORK, False),
    ],
    ids=["billiard's pool", "billiard's pool, on disk", 'billiard.Process', 'os.fork'],
)
def test_a_child_that_ends_by_os_exit_loses_nothing(how, spool, run, endpoint, tmp_path):
    """By the table of the page: nothing to do, or one call, or a `spool_dir`."""
    place = {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool')} if spool else {}
    (tmp_path / 'program' / 'program.py').write_text(POOL + how)
    assert run('', 'program.py', **place) == (0, '')
    if spool:
        flush = "from shop import *; assert FirehoseHandler('bar').flush(40)"
        assert run('', '-c', flush, **place) == (0, '')
    assert logged_by_the_shop(endpoint) == [f'child {number}' for number in range(4)]


def test_the_page_has_each_of_these_ways():
    """In its table."""
    assert 'Pool(on_process_exit=lambda pid, status: handler.close())' in PAGE
    assert 'call `handler.close()` before' in PAGE
