"""What arrives of what a program logs, however it ends, forks or configures logging: real processes, a real endpoint."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections import Counter

import pytest

from firefighter._spool.disk.segment_file import HEADER_BYTES, read_progress
from firefighter.local import LocalFirehose
from programs import PATIENT, end_of, without_waiting

PREAMBLE = """
import logging, os, sys
from firefighter.logging import FirehoseHandler

logger = logging.getLogger('foo')
logger.setLevel(logging.DEBUG)
"""
WITH_HANDLER = (
    PREAMBLE
    + """
handler = FirehoseHandler(delivery_stream_name='bar')
logger.addHandler(handler)
"""
)


@pytest.fixture
def endpoint(tmp_path):
    """An endpoint with the stream `bar`."""
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as started:
        yield started


@pytest.fixture(params=['memory', 'disk'])
def place(request, tmp_path):
    """The environment that puts the spool there; on disk nothing must be pending at the end."""
    if request.param == 'memory':
        yield {}
        return
    yield {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool')}
    for path in (tmp_path / 'spool').glob('*/*/*/*.spool'):
        _, tail, head = read_progress(path.read_bytes()[:HEADER_BYTES])
        assert head == tail, path


@pytest.fixture
def run(endpoint):
    """Run a program, with every ResourceWarning an error, and return its end."""

    def run_program(code, *, preamble=WITH_HANDLER, options=(), **environment):
        program = PATIENT + preamble + textwrap.dedent(code)
        return end_of(
            [sys.executable, '-W', 'error::ResourceWarning', *options, '-c', program],
            {'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **environment},
        )

    return run_program


def delivered(endpoint):
    """Return the events in the endpoint's folder."""
    endpoint.flush()
    return [
        json.loads(line)
        for path in sorted(endpoint.folder.rglob('*'))
        if path.is_file()
        for line in path.read_text('utf-8').splitlines()
    ]


def messages(endpoint):
    """Return the messages of the events in the folder, in order of delivery."""
    return [event.get('message') for event in delivered(endpoint)]


def test_what_a_memory_handler_has_that_was_made_first_is_delivered_at_exit(run, endpoint):
    """logging.shutdown closes the newest first, so ours; then the other one flushes into it, and holds its own lock."""
    ended = run(
        """
        import logging, logging.handlers
        from firefighter.logging import FirehoseHandler

        memory = logging.handlers.MemoryHandler(1000)
        memory.setTarget(FirehoseHandler('bar'))
        logger = logging.getLogger('foo')
        logger.addHandler(memory)
        for number in range(5):
            logger.warning(number)
        """,
        preamble='',
    )
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    assert sorted(event['message'] for event in delivered(endpoint)) == list('01234')


def test_the_documented_program_leaves_one_line_in_the_folder(run, endpoint):
    """Message, level, logger and timestamp, as the interface documents."""
    ended = run(
        """
        import logging
        from firefighter.logging import FirehoseHandler

        logger = logging.getLogger('foo')
        handler = FirehoseHandler(delivery_stream_name='bar')
        logger.addHandler(handler)
        logger.warning({'message': 'Ahoy'})
        """,
        preamble='',
    )
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    (event,) = delivered(endpoint)
    assert list(event) == ['timestamp', 'level', 'logger', 'message']
    assert (event['level'], event['logger'], event['message']) == ('WARNING', 'foo', 'Ahoy')


LATE_THREAD = """
import threading

def work():
    threading.main_thread().join()
    logger.info('last')

threading.Thread(target=work).start()
"""
ENDS = {
    'the end of the file': ("logger.info('last')", 0, ''),
    'close': ("logger.info('last'); handler.close()", 0, ''),
    'logging.shutdown': ("logger.info('last'); logging.shutdown()", 0, ''),
    'sys.exit': ("logger.info('last'); sys.exit(3)", 3, ''),
    'an uncaught exception': ("logger.info('last'); raise ValueError('uncaught')", 1, 'uncaught'),
    'a keyboard interrupt': ("logger.info('last'); raise KeyboardInterrupt", None, 'KeyboardInterrupt'),
    'a thread that logs after the main thread': (
        LATE_THREAD,
        0,
        '',
    ),
    'an exit function of the program': (
        "import atexit; atexit.register(lambda: logger.info('last'))",
        0,
        '',
    ),
    'an exit function from before the handler': (
        'import atexit\natexit.register(lambda: logger.info("last"))\n' + WITH_HANDLER,
        0,
        '',
    ),
    'an exit function that makes the first handler': (
        'import atexit, firefighter.logging\ndef late():\n'
        + textwrap.indent(WITH_HANDLER, '    ')
        + "\n    logger.info('last')\natexit.register(late)",
        0,
        '',
    ),
    'a thread that makes the first handler when the main thread has ended': (
        'import threading, firefighter.logging\ndef late():\n    threading.main_thread().join()\n'
        + textwrap.indent(WITH_HANDLER, '    ')
        + "\n    logger.info('last')\nthreading.Thread(target=late).start()",
        0,
        '',
    ),
    'an exit function after an event': (
        "import atexit; logger.debug('first'); atexit.register(lambda: logger.info('last'))",
        0,
        '',
    ),
    'a handler that nobody refers to': ("del handler; logger.info('last')", 0, ''),
    'a closed handler used again': ("logger.debug('first'); handler.close(); logger.info('last')", 0, ''),
    'without a queue': (
        "handler.use_queues = False; logger.info('last')",
        0,
        '',
    ),
    'a formatter that is slow to go': (
        'handler.setFormatter(logging.Formatter(\'{"message": "%(message)s"}\')); logger.info(\'last\')',
        0,
        '',
    ),
}


@pytest.mark.parametrize(('code', 'status', 'said'), ENDS.values(), ids=ENDS)
def test_the_last_event_of_a_short_script_arrives_however_it_ends(code, status, said, run, endpoint, place):
    """Without an explicit close, with nothing on stderr but the program's own."""
    ended = run(code, preamble='' if 'FirehoseHandler' in code else WITH_HANDLER, **place)
    assert messages(endpoint)[-1:] == ['last'], ended.stderr
    assert ended.returncode == status if status is not None else ended.returncode
    assert said in ended.stderr
    assert 'firefighter:' not in ended.stderr


# Each costs every program that imports the handler, also one that never makes it.
IMPORTED = {
    '_heapq',
    '_queue',
    'concurrent',
    'concurrent.futures',
    'concurrent.futures._base',
    'concurrent.futures.thread',
    'firefighter',
    'firefighter._delivery',
    'firefighter._delivery.logged_by_delivery',
    'firefighter._delivery.limits',
    'firefighter._handler',
    'firefighter._handler.base_handler',
    'firefighter._handler.constants',
    'firefighter._handler.user_code',
    'firefighter._process',
    'firefighter._process.waiting',
    'firefighter._process.exit_and_forks',
    'firefighter._process.fork_gate',
    'firefighter._process.lock',
    'firefighter.logging',
    'heapq',
    'queue',
}


def test_importing_the_handler_imports_little_beside_logging():
    """Neither boto3, nor orjson, nor what delivers, nor what dataclasses need; a handler, when it is made, needs most of them."""
    program = """
    import sys, logging, math, typing, __future__
    before = set(sys.modules)
    import firefighter.logging
    print(*set(sys.modules) - before)
    """
    ended = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(program)], stdout=subprocess.PIPE, text=True, check=True
    )
    assert set(ended.stdout.split()) == IMPORTED


def test_events_of_many_threads_all_arrive_once_and_in_each_threads_order(run, endpoint):
    """Sixteen threads, 500 events each; in their order, since one request at a time is under way."""
    ended = run(
        """
        import threading
        logger.addHandler(FirehoseHandler('bar', max_in_flight=1))

        def work(name):
            for number in range(500):
                logger.info({'thread': name, 'number': number})

        threads = [threading.Thread(target=work, args=(name,)) for name in range(16)]
        for thread in threads:
            thread.start()
        """,
        preamble=PREAMBLE,
    )
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    events = delivered(endpoint)
    assert len(events) == 16 * 500
    for name in range(16):
        assert [e['number'] for e in events if e['thread'] == name] == list(range(500))


DICT_CONFIG = """
import logging.config
CONFIG = {
    'version': 1,
    'disable_existing_loggers': False,
    'handlers': {
        'firehose': {
            'class': 'firefighter.logging.FirehoseHandler',
            'delivery_stream_name': 'bar',
            'shutdown_timeout_seconds': 1000,
        }
    },
    'root': {'level': 'DEBUG', 'handlers': ['firehose']},
}
"""


@pytest.mark.parametrize(
    'pause', ['', 'while not handler.stats().requests: pass'], ids=['at once', 'during the first request']
)
def test_dict_config_called_twice_neither_freezes_nor_loses(pause, run, endpoint, place):
    """It holds logging's lock while it flushes the old handlers, and delivery needs that lock to import boto3."""
    ended = run(
        DICT_CONFIG + 'logging.config.dictConfig(CONFIG)\nhandler = logging.getLogger().handlers[0]\n'
        "handler.send_interval = 0\nlogging.info('first')\n"
        + pause
        + "\nlogging.config.dictConfig(CONFIG)\nlogging.info('second')\n"
        "logging.config.dictConfig(CONFIG)\nlogging.info('third')\n",
        preamble='',
        **place,
    )
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    assert Counter(messages(endpoint)) == Counter(['first', 'second', 'third'])


def test_a_handler_that_dict_config_has_forgotten_delivers_at_exit(run, endpoint, place):
    """It empties the list by which `logging.shutdown` finds handlers; a logger may go on using one."""
    ended = run(
        "logger.info('before')\n"
        + DICT_CONFIG
        + "CONFIG['handlers'].clear(); CONFIG['root']['handlers'].clear()\n"
        "logging.config.dictConfig(CONFIG)\nlogger.info('after')\n",
        **place,
    )
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    assert Counter(messages(endpoint)) == Counter(['before', 'after'])


def test_the_root_logger_at_debug_does_not_loop(run, endpoint):
    """Some sixty DEBUG records of botocore and urllib3 a request do not become events."""
    ended = run(
        """
        logging.getLogger().setLevel(logging.DEBUG)
        handler = FirehoseHandler('bar', send_interval=0)
        logging.getLogger().addHandler(handler)
        for number in range(3):
            logging.debug(number)
            assert handler.flush()
        handler.close()
        stats = handler.stats()
        assert stats.accepted == stats.delivered == 3, stats
        assert stats.suppressed > 50, stats
        """,
        preamble=PREAMBLE,
    )
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    assert messages(endpoint) == ['0', '1', '2']


def test_captured_warnings_do_not_loop(run, endpoint):
    """The handler's own warning, and those of delivery, with `captureWarnings(True)` and all warnings shown."""
    ended = run(
        """
        import warnings
        logging.captureWarnings(True)
        warnings.simplefilter('always')
        handler = FirehoseHandler('bar', send_interval=0)
        logging.getLogger().addHandler(handler)
        FirehoseHandler()
        warnings.warn('a warning of the program')
        assert handler.flush()
        handler.close()
        assert handler.stats().accepted == handler.stats().delivered == 2, handler.stats()
        """,
        preamble=PREAMBLE,
    )
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    # Each is a request of its own, and the later one may arrive first.
    of_the_program, of_the_handler = sorted(
        messages(endpoint), key=lambda message: 'FirehoseWarning' in message
    )
    assert 'FirehoseWarning' in of_the_handler
    assert 'a warning of the program' in of_the_program


@pytest.mark.parametrize(
    'handler',
    [
        "FirehoseHandler('bar')",
        "FirehoseHandler('bar', boto3_session=boto3.session.Session())",
        "FirehoseHandler('bar', boto3_client=boto3.client('firehose', config=ONE_ATTEMPT))",
        "FirehoseHandler('bar', use_queues=False)",
    ],
    ids=['default', 'session', 'client', 'without a queue'],
)
@pytest.mark.skipif(not hasattr(os, 'fork'), reason='there is no fork here')
def test_a_forked_child_starts_at_zero_and_each_event_is_delivered_once(handler, run, endpoint):
    """The child delivers its own; what the parent had pending stays the parent's."""
    ended = run(
        f"""
        import boto3.session, botocore.config
        ONE_ATTEMPT = botocore.config.Config(retries={{'total_max_attempts': 1}})
        handler = {handler}
        logger.addHandler(handler)
        logger.info('delivered before')
        assert handler.flush()
        if handler.use_queues:
            logger.info('pending at the fork')
        child = os.fork()
        if not child:
            stats = handler.stats()
            assert (stats.accepted, stats.delivered, stats.pending) == (0, 0, 0), stats
            logger.info('of the child')
            assert handler.flush()
            assert handler.stats().delivered == 1, handler.stats()
            sys.exit()
        logger.info('of the parent')
        assert os.waitpid(child, 0)[1] == 0
        """,
        preamble=PREAMBLE,
    )
    assert ended.returncode == 0, ended.stderr
    assert 'firefighter' not in ended.stderr
    expected = ['delivered before', 'of the child', 'of the parent']
    if 'use_queues' not in handler:
        expected.append('pending at the fork')
    assert sorted(messages(endpoint)) == sorted(expected)


@pytest.mark.skipif(sys.platform != 'linux', reason='needs a fork made in C')
def test_a_child_forked_in_c_runs_no_hooks_and_delivers_its_own(run, endpoint):
    """So does uWSGI without threads: each append compares the process id."""
    ended = run(
        """
        import ctypes
        handler.use_queues = False
        logger.info('of the parent')
        # The thread that has delivered it may just be ending, with locks of Python's own, which a fork in C does not renew.
        while len(sys._current_frames()) > 1:
            pass
        child = ctypes.PyDLL(None).fork()
        if not child:
            logger.info('of the child')
            os._exit(not handler.stats().accepted == handler.stats().delivered == 1)
        assert os.waitpid(child, 0)[1] == 0
        assert handler.stats().accepted == 1
        """
    )
    assert ended.returncode == 0, ended.stderr
    assert sorted(messages(endpoint)) == ['of the child', 'of the parent']


def test_a_child_that_exits_delivers_without_flushing(run, endpoint):
    """`sys.exit` in a forked child runs the exit functions."""
    ended = run(
        """
        logger.info('of the parent')
        child = os.fork()
        if not child:
            logger.info('of the child')
            sys.exit()
        assert os.waitpid(child, 0)[1] == 0
        """
    )
    assert ended.returncode == 0, ended.stderr
    assert sorted(messages(endpoint)) == ['of the child', 'of the parent']


@pytest.mark.parametrize('use_queues', [True, False])
def test_with_the_endpoint_down_a_program_ends_in_time_and_says_the_number(use_queues, run):
    """Within `shutdown_timeout_seconds`, with one line on stderr."""
    ended = run(
        f"""
        handler = FirehoseHandler('bar', {use_queues}, shutdown_timeout_seconds=0.5, endpoint_url='http://127.0.0.1:9')
        logger.addHandler(handler)
        for number in range(7):
            logger.info(number)
        """,
        preamble=PREAMBLE,
    )
    assert ended.returncode == 0
    assert ended.stderr.count('7 events undelivered') == 1
    assert 'Traceback' not in ended.stderr


@pytest.mark.parametrize('use_queues', [True, False])
def test_without_credentials_a_program_ends_at_once_and_says_so(use_queues, run):
    """Nothing can be accepted until someone acts: a time-out of 1,000 seconds is not waited for."""
    ended = run(
        f"""
        del os.environ['AWS_ACCESS_KEY_ID'], os.environ['AWS_SECRET_ACCESS_KEY']
        handler = FirehoseHandler('bar', {use_queues}, shutdown_timeout_seconds=1000)
        logger.addHandler(handler)
        logger.info('kept')
        """,
        preamble=PREAMBLE,
    )
    assert ended.returncode == 0
    assert ended.stderr.count('NoCredentialsError') == 1
    assert ended.stderr.count('1 event undelivered') == 1
    assert 'Traceback' not in ended.stderr


def test_several_handlers_share_one_deadline_at_exit(run):
    """Ten handlers do not wait ten times: with 4 seconds each, all end within the test's time."""
    ended = run(
        """
        for number in range(20):
            handler = FirehoseHandler('bar', shutdown_timeout_seconds=4, endpoint_url='http://127.0.0.1:9')
            logger.addHandler(handler)
        logger.info('Ahoy')
        """,
        preamble=PREAMBLE,
    )
    assert ended.returncode == 0
    assert ended.stderr.count('1 event undelivered') == 20


def test_every_warning_an_error_changes_nothing(run, endpoint):
    """`python -W error`: logging, broken arguments and delivery raise nothing in the program, and all arrives."""
    ended = run(
        """
        logger.info('one')
        logger.info('%d', 'two')
        assert handler.flush()
        """,
        options=['-W', 'error'] if sys.version_info >= (3, 11) else [],
    )
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    assert sorted(messages(endpoint)) == ['%d', 'one']


def test_the_command_is_there_by_the_modules_name_too():
    """`python -m firefighter`, where no script is on PATH."""
    ended = subprocess.run(
        [sys.executable, '-m', 'firefighter', 'cost', 'missing.log'],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, '')
    assert 'missing.log: No such file' in ended.stderr


# A module of which a thread takes a lock when all exit functions are called, that of logging included.
TAKES_THE_LOCK_LAST = """
import atexit, threading

exits, has_lock = threading.Event(), threading.Event()

def take_lock():
    exits.wait()
    import __main__
    {lock}.acquire()
    del __main__
    has_lock.set()
    threading.Event().wait()

@atexit.register  # before that of logging, so it is called last
def wait_for_the_lock_to_be_taken():
    exits.set()
    has_lock.wait()

threading.Thread(target=take_lock, daemon=True).start()
"""


@pytest.fixture
def end_with_lock_held(endpoint, tmp_path):
    """Return a function: runs a program at whose very end another thread has a lock."""

    def run(lock, program):
        tmp_path.joinpath('takes_the_lock_last.py').write_text(TAKES_THE_LOCK_LAST.format(lock=lock), 'utf-8')
        return end_of(
            [sys.executable, '-c', f'import takes_the_lock_last\n{PREAMBLE}\n{textwrap.dedent(program)}'],
            {
                'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url,
                'PYTHONPATH': os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')]),
            },
        )

    return run


@pytest.mark.parametrize(
    'other', ['FirehoseHandler("bar")', 'logging.StreamHandler()', 'logging.NullHandler()']
)
def test_a_thread_that_stops_with_loggings_lock_held_does_not_hold_the_exit_up(
    other, end_with_lock_held, endpoint
):
    """As our own may, while it imports boto3, which makes loggers. Collected handlers are taken off logging's list under that lock."""
    ended = end_with_lock_held(
        '__main__.logging._lock',
        f"""
        handler, other = FirehoseHandler('bar'), {other}
        handler.handle(logging.makeLogRecord({{'msg': 'Ahoy'}}))
        """,
    )
    assert (ended.returncode, ended.stderr) == (0, '')
    assert messages(endpoint) == ['Ahoy']


@pytest.mark.parametrize('lock', ['spool._lock', 'lifecycle._lock'])
def test_a_thread_that_stops_with_a_lock_of_ours_does_not_hold_up_what_a_destructor_logs(
    lock, end_with_lock_held, endpoint
):
    """The interpreter ends daemon threads wherever they are. One that logs without a pause mostly has a lock then."""
    ended = end_with_lock_held(
        f'__main__.handler._pipeline.{lock}',
        """
        class Pool:
            def __del__(self, warn=logger.warning):
                warn('not closed')

        handler = FirehoseHandler('bar')
        logger.addHandler(handler)
        logger.warning('before')
        pool = Pool()
        """,
    )
    assert ended.returncode == 0, ended.stderr
    arrived = messages(endpoint)
    assert arrived[:1] == ['before']
    assert 'not closed' in arrived or 'closed with 1 event undelivered' in ended.stderr, ended.stderr


@pytest.mark.parametrize('options', ['', "spool_dir='spool'"])
def test_what_a_destructor_logs_when_our_modules_are_gone_raises_nothing_and_is_reported(
    options, tmp_path, monkeypatch
):
    """A module that the program has imported before ours is taken apart after it. Even the names of ours are gone then."""
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath('connections.py').write_text(
        """
import logging

class Pool:
    def __init__(self):
        self.logger = logging.getLogger('foo')

    def __del__(self):
        self.logger.warning('not closed')

pool = Pool()
""",
        'utf-8',
    )
    tmp_path.joinpath('program.py').write_text(
        f"""
import connections
{PREAMBLE}
class Client:
    def put_record_batch(self, DeliveryStreamName, Records):
        return {{'RequestResponses': [{{'RecordId': '1'}} for _ in Records]}}

logger.addHandler(FirehoseHandler('bar', boto3_client=Client(), {options}))
logger.warning('before')
""",
        'utf-8',
    )
    ended = end_of([sys.executable, '-W', 'ignore', 'program.py'], {})
    assert (ended.returncode, ended.stderr.count('\n')) == (0, 1), ended.stderr
    assert re.match('firefighter: .*1 event (is lost|undelivered)', ended.stderr)


@pytest.mark.parametrize('options', ['', 'use_queues=False', 'event_ids=True', "spool_dir='spool'"])
@pytest.mark.parametrize('before', ['', "logger.warning('before'); handler.close()"])
def test_what_a_destructor_logs_when_modules_are_taken_apart_ends_and_is_reported(
    options, before, run, endpoint, tmp_path, monkeypatch
):
    """Then nothing can be imported, and a thread that is started never comes. Neither is waited for, however long the time-out."""
    monkeypatch.chdir(tmp_path)
    ended = run(
        f"""
        handler = FirehoseHandler('bar', shutdown_timeout_seconds=600, {options})
        logger.addHandler(handler)
        {before}

        class Pool:
            def __del__(self):
                logger.warning('not closed')

        pool = Pool()
        """,
        preamble=PREAMBLE,
    )
    assert ended.returncode == 0, ended.stderr
    arrived = messages(endpoint)
    assert arrived[: bool(before)] == ['before'] * bool(before)
    where = 'kept in' if 'spool_dir' in options else 'lost when'
    assert 'not closed' in arrived or f'closed with 1 event undelivered, {where}' in ended.stderr, (
        ended.stderr
    )
