"""Do children that end by `os._exit` deliver what they log: those of Celery, of RQ, of billiard? By the examples, and by the docs."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress

import pytest

from example_programs import Example, orders
from firefighter.local import LocalFirehose
from programs import (
    ENOUGH_SECONDS,
    PATIENT,
    delivered,
    flush_as_the_next_process,
    wait_until,
    without_waiting,
)

if not hasattr(os, 'fork'):
    pytest.skip('these fork', allow_module_level=True)

pytestmark = pytest.mark.once

PAGE = (pathlib.Path(__file__).parents[2] / 'docs' / 'configuration.md').read_text('utf-8')


@pytest.fixture
def endpoint(tmp_path):
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as started:
        yield started


@pytest.fixture
def run(endpoint):
    """Run a command in a folder; return its exit status, and its stdout and stderr in one.

    With `done`, it gets SIGTERM when that returns True; where it does not end by that, it is killed, and its status is negative.
    """

    def run_command(command, folder, done=None, **environment):
        with subprocess.Popen(
            command,
            cwd=folder,
            env={
                **os.environ,
                'PYTHONWARNINGS': 'ignore',
                'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url,
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                if done:
                    wait_until(done)
                    process.terminate()
                    with suppress(subprocess.TimeoutExpired):
                        process.communicate(timeout=ENOUGH_SECONDS / 2)
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                said, _ = process.communicate(timeout=ENOUGH_SECONDS)
            finally:
                # Children too: one that is left goes on logging, to a port that is another test's by then.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        return process.returncode, without_waiting(said)

    return run_command


def logged_by_the_shop(endpoint):
    return sorted(event['message'] for event in delivered(endpoint) if event['logger'] == 'shop')


@contextmanager
def redis(folder):
    """A server of Redis at a socket in the folder, which it returns; None where no Redis is installed."""
    path = shutil.which('redis-server')
    if path is None:
        yield None
        return
    socket = folder / 'redis.sock'
    process = subprocess.Popen(
        [path, '--port', '0', '--unixsocket', socket, '--save', '', '--dir', folder],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: socket.exists() or process.poll() is not None)
        assert process.poll() is None
        yield socket
    finally:
        process.terminate()
        process.wait()


# The first task logs nothing, nor does Celery below WARNING: the first event of its child is one that is logged when that ends.
CELERY = """
from shop import *
import logging
from celery.signals import worker_process_shutdown

numbers = []

@app.task
def quiet(number):
    numbers.append(number)
    if number:
        get_task_logger('shop').warning('task %d', number)

@worker_process_shutdown.connect
def log_the_end(**_):
    for number in numbers:
        get_task_logger('shop').warning('end %d', number)
"""
KILLED = """
import os, signal

@app.task
def killed(number):
    work(number)
    os.kill(os.getpid(), signal.SIGKILL)

@app.task
def last(number):
    work(number)
    open('done', 'w').close()
"""


@pytest.fixture
def broker(tmp_path):
    """Return a function that gives Celery, in a folder, Redis or else its file system as a broker: the environment for that."""
    with redis(tmp_path) as socket:

        def broker_in(folder):
            if socket:
                return {'CELERY_BROKER_URL': f'redis+socket://{socket}'}
            for name in ('queue', 'control'):
                (folder / name).mkdir()
            for name in ('data_in', 'data_out'):
                (folder / name).symlink_to('queue')
            return {'CELERY_BROKER_URL': 'filesystem://'}

        yield broker_in


@pytest.fixture
def celery(run, broker, tmp_path, endpoint):
    """Have Celery's worker do some tasks until a condition holds, then stop it; return what it said."""

    def work(example, calls, *options, program='shop', done, **environment):
        environment = {**example.environment, **broker(example.folder), **environment}
        calling = f'import {program} as shop; {calls}'
        assert run([sys.executable, '-c', calling], example.folder, **environment) == (0, '')
        command = example.command(*('--without-gossip', '--without-mingle', '--without-heartbeat'), *options)
        command[command.index('shop')] = program
        # The status is not asked for. Now and then Celery's own process hangs at its end: billiard waits in `_help_stuff_finish` for
        # a lock that a child has taken with it.
        _, said = run(command, example.folder, done=done, **environment)
        assert 'firefighter:' not in said
        return said

    return work


def test_each_child_of_celerys_pool_delivers_what_it_logged(celery, endpoint, tmp_path):
    """One task a child; also what another function logs that is called at the end of the child."""
    example = Example('celery', tmp_path)
    (example.folder / 'program.py').write_text(CELERY)
    expected = [*(f'end {number}' for number in range(4)), 'task 1', 'task 2', 'task 3']
    celery(
        example,
        'any(shop.quiet.delay(number) is None for number in range(4))',
        *('--loglevel', 'WARNING', '--max-tasks-per-child', '1'),
        program='program',
        done=lambda: logged_by_the_shop(endpoint) == expected,
    )
    assert logged_by_the_shop(endpoint) == expected


def test_with_the_command_of_the_example_a_killed_child_of_celerys_loses_nothing(celery, endpoint, tmp_path):
    """Nor does the stop. With a directory."""
    place = {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool')}

    example = Example('celery', tmp_path, ends=KILLED)
    tasks = 'shop.killed, shop.work, shop.work, shop.work, shop.last'
    celery(
        example,
        f'any(task.delay(number) is None for number, task in enumerate([{tasks}]))',
        done=(example.folder / 'done').exists,
        **place,
    )
    assert set(logged_by_the_shop(endpoint)) >= set(orders(*range(1, 5)))
    flush_as_the_next_process({'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **place})
    assert logged_by_the_shop(endpoint) == orders(*range(5))


JOBS = """
import os, signal

def failing(number):
    work(number)
    raise ValueError('a job that fails')

def killed(number):
    work(number)
    os.kill(os.getpid(), signal.SIGKILL)
"""
ENQUEUE = """
import os, redis, rq
queue = rq.Queue(connection=redis.Redis.from_url(os.environ['RQ_REDIS_URL']))
for number, name in enumerate(NAMES):
    queue.enqueue(f'shop.{name}', number)
"""


@pytest.mark.parametrize('spool', [False, True], ids=['memory', 'disk'])
def test_each_work_horse_of_rq_delivers_what_its_job_logged(spool, run, endpoint, tmp_path):
    """With the command of the example. One of the jobs fails; one is killed, which loses nothing where there is a directory. SIGTERM ends it."""
    example = Example('rq', tmp_path, ends=JOBS)
    names = ['work', 'failing', *(['killed'] if spool else []), 'work', 'work']
    place = {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool')} if spool else {}
    last = f'order {len(names) - 1}'
    with redis(tmp_path) as socket:
        if socket is None:
            pytest.skip('there is no redis-server')
        surroundings = {**example.environment, **place, 'RQ_REDIS_URL': f'unix://{socket}'}
        enqueue = ENQUEUE.replace('NAMES', repr(names))
        assert run([sys.executable, '-c', enqueue], example.folder, **surroundings) == (0, '')
        status, said = run(
            example.command(),
            example.folder,
            done=lambda: last in logged_by_the_shop(endpoint),
            **surroundings,
        )
    assert status == 0, said
    assert 'firefighter:' not in said
    if spool:
        flush_as_the_next_process({'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **place})
    assert logged_by_the_shop(endpoint) == orders(*range(len(names)))


POOL = """
import logging, os, sys
from firefighter.logging import FirehoseHandler
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
    (tmp_path / 'program.py').write_text(PATIENT + POOL + how)
    assert run([sys.executable, 'program.py'], tmp_path, **place) == (0, '')
    if spool:
        flush_as_the_next_process({'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **place})
    assert logged_by_the_shop(endpoint) == [f'child {number}' for number in range(4)]


def test_the_page_has_each_of_these_ways():
    """In its table."""
    assert 'Pool(on_process_exit=lambda pid, status: handler.close())' in PAGE
    assert 'call `handler.close()` before' in PAGE
