"""A program in a subinterpreter, as servers (mod_wsgi, uWSGI) and `concurrent.interpreters` have them: does all arrive, and does it end?

An interpreter that ends while a thread of its own is left ends the whole process, on most versions of Python.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import textwrap
from collections import Counter
from importlib.util import find_spec

import pytest

from firefighter.local import LocalFirehose
from programs import ENOUGH_SECONDS, PATIENT, delivered, end_of

# Runs code in so many subinterpreters, one after the other: what one has left behind meets the next. Of the two kinds, servers make
# the first, `concurrent.interpreters` the second.
RUN = """
import sys
code, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for _ in range(count):
    if kind == 'legacy':
        import _testcapi
        assert _testcapi.run_in_subinterp(code) == 0
    elif sys.version_info >= (3, 13):
        import _interpreters
        made = _interpreters.create(kind)
        failure = _interpreters.run_string(made, code)
        assert failure is None, failure.formatted
        _interpreters.destroy(made)
    else:
        import _xxsubinterpreters
        made = _xxsubinterpreters.create(isolated=True)
        _xxsubinterpreters.run_string(made, code)
        _xxsubinterpreters.destroy(made)
"""

# The path is not handed down.
PREAMBLE = """
import sys
sys.path[:0] = {path!r}
import atexit, logging, warnings
warnings.simplefilter('always')
{patient}
logger = logging.getLogger('foo')
logger.setLevel(logging.INFO)
handler = FirehoseHandler('bar', **{options!r})
logger.addHandler(handler)
"""

# Some Pythons are installed without their own tests.
LEGACY = pytest.param(
    'legacy', marks=pytest.mark.skipif(find_spec('_testcapi') is None, reason='nothing here makes one')
)
# There botocore alone, imported and let go of, corrupts the memory of the process.
ISOLATED = pytest.param(
    'isolated',
    marks=pytest.mark.skipif(
        sys.version_info[:2] == (3, 12), reason='no boto3 in its isolated subinterpreters'
    ),
)


def run(code, kind, *, count=1, environment=None, **options):
    """Run code with a `logger` that has a `handler`; return its end."""
    preamble = PREAMBLE.format(path=sys.path, patient=PATIENT, options=options)
    return end_of(
        [sys.executable, '-c', RUN, preamble + textwrap.dedent(code), kind, str(count)], environment or {}
    )


@pytest.fixture
def endpoint(tmp_path):
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as started:
        yield started


def compressed_events(endpoint):
    endpoint.flush()
    objects = [path.read_bytes() for path in endpoint.folder.rglob('*') if path.is_file()]
    return [json.loads(line) for data in objects for line in gzip.decompress(data).splitlines()]


LOG = """
logger.info('first', extra={'large': 2**70, 'odd': {1: object}})
atexit.register(logger.info, 'late')
other = FirehoseHandler('bar', use_queues=False, compression='gzip')
logger.addHandler(other)
logger.info('last')
"""


@pytest.mark.parametrize('kind', [LEGACY, ISOLATED])
def test_each_event_of_two_subinterpreters_arrives_and_both_end(kind, endpoint, tmp_path):
    """The last one, and one of an exit function, by two handlers, in two interpreters of which the second begins when the first has gone."""
    environment = {'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url}
    if kind == 'isolated':
        environment['FIREFIGHTER_SPOOL_DIR'] = str(tmp_path / 'spool')
    ended = run(LOG, kind, count=2, environment=environment, compression='gzip', send_interval=60)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count('FirehoseWarning') == 4
    assert ended.stderr.count('`WSGIApplicationGroup %{GLOBAL}`') == 4
    events = compressed_events(endpoint)
    assert Counter(event['message'] for event in events) == {'first': 2, 'last': 4, 'late': 4}
    first = next(event for event in events if event['message'] == 'first')
    assert (first['large'], first['odd']) == (str(2**70), {'1': "<class 'object'>"})
    assert not [*tmp_path.glob('spool/*/*/*/*.spool')]


@pytest.mark.once
@pytest.mark.parametrize('kind', [LEGACY, ISOLATED])
def test_with_the_endpoint_down_it_ends_all_the_same_and_says_what_is_left(kind):
    """Within the time-out, and no thread goes on trying: nobody could end it, and Python would wait for it for ever."""
    ended = run(
        """
        logger.info('lost')
        atexit.register(logger.info, 'late')
        """,
        kind,
        endpoint_url='http://127.0.0.1:9',
        shutdown_timeout_seconds=0.2,
        undelivered='stderr',
    )
    assert ended.returncode == 0, ended.stderr
    left = [json.loads(line)['message'] for line in ended.stderr.splitlines() if line.startswith('{')]
    assert left == ['lost', 'late']


@pytest.mark.once
@pytest.mark.parametrize('kind', [LEGACY])
def test_a_forgotten_handler_ends_with_it(kind, endpoint):
    """Its events arrive, though it is collected just before the end, and by then no thread may be started that nobody waits for."""
    ended = run(
        """
        import gc
        for number in range(20):
            other = FirehoseHandler('bar', use_queues=bool(number % 2), send_interval=60)
            record = logging.LogRecord('foo', 20, '', 0, str(number), (), None)
            other.handle(record)
            del other
        gc.collect()
        """,
        kind,
        environment={'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url},
    )
    assert ended.returncode == 0, ended.stderr
    assert Counter(event['message'] for event in delivered(endpoint)) == Counter(map(str, range(20)))


@pytest.mark.skipif(sys.version_info < (3, 14), reason='has no interpreters of its own')
def test_what_workers_of_an_interpreter_pool_log_arrives(endpoint):
    """The documented way to them, from Python 3.14 on."""
    program = """
    import sys
    from concurrent.futures import InterpreterPoolExecutor

    def work(number):
        import logging
        logging.getLogger('foo').info(number)

    def begin():
        import logging
        from firefighter.logging import FirehoseHandler
        logger = logging.getLogger('foo')
        logger.setLevel(logging.INFO)
        logger.addHandler(FirehoseHandler('bar', shutdown_timeout_seconds=40))

    if __name__ == '__main__':
        with InterpreterPoolExecutor(2, initializer=begin) as pool:
            list(pool.map(work, range(20)))
    """
    ended = end_of(
        [sys.executable, '-W', 'ignore', '-c', textwrap.dedent(program)],
        {'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url},
    )
    assert ended.returncode == 0, ended.stderr
    assert Counter(event['message'] for event in delivered(endpoint)) == Counter(map(str, range(20)))


@pytest.mark.once
def test_where_orjson_cannot_be_imported_the_event_is_the_same():
    """One warning says so, in the main interpreter too."""
    program = r"""
    import json, logging, sys, warnings
    if sys.argv[1:]:
        sys.modules['orjson'] = None
    from doubles import AcceptingClient
    from firefighter.logging import FirehoseHandler
    client = AcceptingClient()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        handler = FirehoseHandler('bar', boto3_client=client, event_ids=True, fields={'a': [1, None]}, oversize='truncate')
    record = logging.LogRecord('foo', 20, '', 0, 'm\\"\x00\n\x7f', (), None)
    record.created = 1.5
    record.__dict__.update(a=1, list=[1.5, -0.0, float('inf'), True, 2**64 - 1, 2**64], text='\ud800\u20ac' * 99, sequence={'x': ()})
    handler.emit(record)
    handler.close()
    event, = map(json.loads, client.events)
    del event['producer']
    print(json.dumps([event, [str(each.message) for each in caught]]))
    """

    def event_of(*arguments):
        ended = subprocess.run(
            [sys.executable, '-c', textwrap.dedent(program), *arguments],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
            timeout=ENOUGH_SECONDS,
            check=True,
        )
        return json.loads(ended.stdout)

    event, silence = event_of()
    assert not silence
    same, (complaint,) = event_of('without')
    assert same == event
    assert complaint.startswith('orjson cannot be imported')
