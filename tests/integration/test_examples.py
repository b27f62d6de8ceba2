"""Does each example work as it stands? Those of servers and workers are run in test_gunicorn, test_asgi_servers, test_uwsgi and test_workers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from time import monotonic

import pytest

from example_programs import EXAMPLES, Example, orders
from firefighter.local import LocalFirehose
from programs import (
    ENOUGH_SECONDS,
    PATIENT,
    delivered,
    end_of,
    flush_as_the_next_process,
    without_waiting,
)

SCRIPTS = ['cron', 'loguru', 'multiprocessing', 'structlog']
# Those that are run elsewhere, by the file that does.
SERVERS = {
    'celery': 'test_workers',
    'django': 'test_gunicorn',
    'fastapi': 'test_asgi_servers',
    'flask': 'test_gunicorn',
    'gevent': 'test_gunicorn',
    'rq': 'test_workers',
    'uwsgi': 'test_uwsgi',
}

KILLED = """
if __name__ == '__main__':
    import os, signal
    os.kill(os.getpid(), signal.{})
    signal.pause()
"""
# How a program ends after its last line, and the status that says so.
ENDS = {
    'exit': ('', 0),
    'SIGTERM': (KILLED.format('SIGTERM'), -15),
    'SIGKILL': (KILLED.format('SIGKILL'), -9),
}


@pytest.fixture
def endpoint(tmp_path):
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as started:
        yield started


def test_each_example_is_tested():
    """A new one needs its line here, or its test elsewhere; and its row in the table of the folder."""
    tested = {*SCRIPTS, *SERVERS, 'asyncio', 'aws_lambda'}
    assert {path.name for path in EXAMPLES.iterdir() if (path / 'shop.py').exists()} == tested
    assert {path.name for path in EXAMPLES.glob('*.py')} == {'dictconfig.py', 'yaml_config.py'}
    for name, file in SERVERS.items():
        assert f"'{name}'" in (EXAMPLES.parent / f'tests/integration/{file}.py').read_text('utf-8')
    table = (EXAMPLES / 'README.md').read_text('utf-8')
    assert set(re.findall(r'^\| \[(\w+)\]\(\1\)', table, re.MULTILINE)) == tested


def test_the_table_has_the_command_of_each():
    """As its first line has it."""
    table = (EXAMPLES / 'README.md').read_text('utf-8')
    for program in [*EXAMPLES.glob('*/shop.py'), EXAMPLES / 'django' / 'settings.py']:
        first = program.read_text('utf-8').partition('\n')[0]
        if first.startswith('# cd '):
            assert f'`{first.partition(" && ")[2]}`' in table


@pytest.mark.parametrize('name', ['dictconfig', 'yaml_config'])
def test_the_example_delivers_its_event(name, endpoint):
    """Run in a process of its own, it says nothing, and its one event arrives."""
    path = str(EXAMPLES / f'{name}.py')
    program = f"{PATIENT}exec(open({path!r}).read(), {{'__file__': {path!r}}})"
    ended = end_of([sys.executable, '-c', program], {'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url})
    assert (ended.returncode, ended.stderr) == (0, '')
    (event,) = delivered(endpoint)
    assert (event['message'], event['service']) == ('order received', 'shop')


@pytest.mark.skipif(sys.platform == 'win32', reason='no signal ends a program of Windows from outside')
@pytest.mark.parametrize('name', SCRIPTS)
@pytest.mark.parametrize('end', ENDS)
def test_a_script_loses_nothing(end, name, endpoint, tmp_path):
    """At its end, and by SIGTERM, without a directory; by SIGKILL with one. Each of its ten events arrives once."""
    code, status = ENDS[end]
    example = Example(name, tmp_path, ends=code)
    place = {'FIREFIGHTER_SPOOL_DIR': str(example.folder / 'spool')} if end == 'SIGKILL' else {}
    surroundings = {**example.environment, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **place}
    ended = run(example, surroundings)
    assert (ended.returncode, without_waiting(ended.stderr)) == (status, '')
    if place:
        flush_as_the_next_process(surroundings)
    events = delivered(endpoint)
    # structlog has the number as a value.
    told = [f'order {event["number"]}' if 'number' in event else event['message'] for event in events]
    assert sorted(told) == orders(*range(10))
    assert {event['service'] for event in events} == {'shop'}


@pytest.mark.parametrize('method', ['spawn', 'forkserver'])
def test_processes_by_any_start_method_lose_nothing(method, endpoint, tmp_path):
    """`multiprocessing` starts them as the platform does by default, or as the program says."""
    chosen = f"multiprocessing.set_start_method('{method}', force=True)\n"
    example = Example('multiprocessing', tmp_path, chosen)
    ended = run(example, {**example.environment, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url})
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    assert sorted(event['message'] for event in delivered(endpoint)) == orders(*range(10))


def run(example, environment):
    """Run an example by its command; return its end."""
    return subprocess.run(
        example.command(),
        cwd=example.folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=ENOUGH_SECONDS,
        check=False,
    )


def test_what_a_script_of_cron_cannot_deliver_goes_with_its_next_run(endpoint, tmp_path):
    """In the surroundings that cron gives it. During the first run AWS is not available."""
    example = Example('cron', tmp_path)
    endpoint.inject('unavailable')
    shop = example.folder / 'shop.py'
    text = shop.read_text('utf-8')
    hasty = text.replace('handler.flush, 30', 'handler.flush, 0.1').replace(
        'fields=', 'shutdown_timeout_seconds=0, fields='
    )
    shop.write_text(hasty, 'utf-8')
    bare = {
        'PATH': '/usr/bin:/bin',
        'PYTHONPATH': example.environment['PYTHONPATH'],
        'AWS_ACCESS_KEY_ID': 'x',
        'AWS_SECRET_ACCESS_KEY': 'x',
    }
    said = []
    for _ in range(2):
        ended = subprocess.run(
            example.command(),
            cwd=example.folder,
            env={**bare, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url},
            capture_output=True,
            text=True,
            timeout=ENOUGH_SECONDS,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        said.append(without_waiting(ended.stderr))
        shop.write_text(text, 'utf-8')
        endpoint.clear_faults()
    assert '10 events' in said[0]
    assert said[1] == ''
    assert sorted(event['message'] for event in delivered(endpoint)) == sorted(orders(*range(10)) * 2)


@pytest.fixture
def port():
    with socket.create_server(('127.0.0.1', 0)) as taken:
        return taken.getsockname()[1]


@pytest.mark.skipif(sys.platform == 'win32', reason='no signal ends a program of Windows from outside')
@pytest.mark.parametrize('end', [signal.SIGTERM, signal.SIGKILL], ids=lambda end: end.name)
def test_a_server_of_asyncio_loses_nothing(end, port, endpoint, tmp_path):
    """By SIGTERM without a directory, by SIGKILL with one."""
    example = Example('asyncio', tmp_path)
    shop = example.folder / 'shop.py'
    shop.write_text(shop.read_text('utf-8').replace('8000', str(port)), 'utf-8')
    place = {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool')} if end == signal.SIGKILL else {}
    surroundings = {**example.environment, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **place}
    with subprocess.Popen(
        example.command(),
        cwd=example.folder,
        env={**os.environ, **surroundings},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            with connect(port) as client:
                client.sendall(''.join(f'{order}\n' for order in orders(*range(10))).encode())
                with client.makefile('rb') as answers:
                    assert [answers.readline() for _ in range(10)] == [b'received\n'] * 10
                    client.shutdown(socket.SHUT_WR)
                    assert not answers.readline()
                process.send_signal(end)
                _, said = process.communicate(timeout=ENOUGH_SECONDS)
        finally:
            process.kill()
    assert (process.returncode, without_waiting(said)) == (0 if end == signal.SIGTERM else -9, '')
    if place:
        flush_as_the_next_process(surroundings)
    assert [event['message'] for event in delivered(endpoint)] == orders(*range(10))


def connect(port):
    """Return a connection, as soon as somebody listens."""
    deadline = monotonic() + ENOUGH_SECONDS
    while True:
        try:
            return socket.create_connection(('127.0.0.1', port), ENOUGH_SECONDS)
        except ConnectionRefusedError:
            assert monotonic() < deadline


def test_each_invocation_of_lambda_is_delivered_before_it_returns(endpoint, tmp_path):
    """With the real runtime, which is killed afterwards."""
    pytest.importorskip('awslambdaric')
    example = Example('aws_lambda', tmp_path, PATIENT_FLUSH)
    ended = run(example, {**example.environment, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url})
    assert ended.returncode == 0, ended.stderr
    assert [json.loads(line) for line in ended.stdout.splitlines() if line.startswith('{')] == [
        {'statusCode': 200},
        {'statusCode': 200},
    ]
    assert [event['message'] for event in delivered(endpoint)] == orders(17, 18)


# Its two seconds are no time for a busy machine, which may need more to import boto3 alone.
PATIENT_FLUSH = """
flush = FirehoseHandler.flush
FirehoseHandler.flush = lambda handler, timeout_seconds: flush(handler, 20 * timeout_seconds)
"""
