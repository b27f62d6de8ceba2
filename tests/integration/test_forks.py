"""Does each event arrive exactly once, whoever forks whenever? Real processes, a real endpoint, memory and disk."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from firefighter.local import LocalFirehose
from programs import ENOUGH_SECONDS, delivered, run, without_waiting

if not hasattr(os, 'fork'):
    pytest.skip('there is no fork here', allow_module_level=True)


@pytest.fixture
def endpoint(tmp_path):
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as started:
        yield started


@pytest.fixture(params=['memory', 'disk'])
def place(request, tmp_path):
    """The environment that puts the spool there."""
    return {} if request.param == 'memory' else {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool')}


def messages(endpoint):
    """Return what was delivered."""
    return sorted(event['message'] for event in delivered(endpoint))


REAP = """
def reap(child):
    assert os.waitpid(child, 0)[1] == 0
"""


def run_forking(code, endpoint, place, **options):
    """Run a program that can reap a child that must have ended well; return its end."""
    return run(REAP + textwrap.dedent(code), endpoint, place, **options)


PROGRAMS = {
    'a child that logs, and a grandchild': """
        logger.info('parent')
        if not (child := os.fork()):
            logger.info('child')
            if not (grandchild := os.fork()):
                logger.info('grandchild')
                sys.exit()
            reap(grandchild)
            sys.exit()
        reap(child)
        """,
    'a child that does not log': """
        logger.info('parent')
        if not (child := os.fork()):
            sys.exit()
        reap(child)
        """,
    'a child that ends at once': """
        logger.info('parent')
        if not (child := os.fork()):
            os._exit(0)
        reap(child)
        """,
    'in C': """
        import ctypes
        # With a second thread, such a child hangs at times, in the interpreter's own lock: nobody has told Python of it.
        handler.use_queues = False
        logger.info('parent')
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join()  # the one that has delivered ends after the call
        if not (child := ctypes.PyDLL(None).fork()):
            logger.info('child')
            handler.flush()
            os._exit(0)
        reap(child)
        """,
    'of a handler that was collected before it was empty': """
        import gc
        OTHER = {'endpoint_url': 'http://127.0.0.1:9', 'shutdown_timeout_seconds': 0}
        other = FirehoseHandler('bar', undelivered='count', **OTHER)
        logger.addHandler(other)
        sys.stderr = open(os.devnull, 'w')  # it says that its endpoint is down, and that one event is left
        logger.info('parent')
        logger.removeHandler(other)
        del other
        gc.collect()
        if not (child := os.fork()):
            sys.stderr = sys.__stderr__
            mine = [os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd') if int(fd) > 2 and os.path.exists(f'/proc/self/fd/{fd}')]
            assert not [name for name in mine if name.endswith(('alive', 'reader'))], mine
            os._exit(0)
        reap(child)
        """,
    'posix_spawn and subprocess': """
        import subprocess
        logger.info('parent')
        reap(os.posix_spawn(sys.executable, [sys.executable, '-c', ''], os.environ))
        subprocess.run([sys.executable, '-c', ''], check=True)
        logger.info('still the parent')
        """,
    'in a signal handler that interrupts logging calls': """
        children = []

        def fork(*_):
            if len(children) < 5:
                children.append(os.fork())
                if not children[-1]:
                    logger.info('child')
                    handler.flush()
                    os._exit(0)
                # One at a time: a fork may take longer than the interval, and then the handlers pile up.
                signal.setitimer(signal.ITIMER_REAL, 0.01)

        signal.signal(signal.SIGALRM, fork)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        number = 0
        while len(children) < 5:
            logger.info('parent %d', number)
            number += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        for child in children:
            reap(child)
        assert handler.flush()
        assert handler.stats().delivered == number, (handler.stats(), number)
        """,
    'in a __str__, with a child that goes on': """
        class Forking:
            def __str__(self):
                global child
                child = os.fork()
                return 'forking'

        logger.info('%s', Forking())
        if not child:
            logger.info('child')
            sys.exit()
        reap(child)
        """,
    'in a __str__, while delivery holds a lock': """
        # A directory is removed, under the lock of the handler's life, just when a child begins: it has that lock inherited.
        removing, forked = threading.Event(), threading.Event()
        parent = os.getpid()

        def hook(event, arguments):
            if event == 'os.rmdir' and os.getpid() == parent and threading.current_thread() is not threading.main_thread():
                removing.set()
                forked.wait(40)

        class Forking:
            def __str__(self):
                global child
                logger.info('before')
                closing = threading.Thread(target=handler.close)
                closing.start()
                if 'FIREFIGHTER_SPOOL_DIR' in os.environ:
                    assert removing.wait(40)
                child = os.fork()
                # Not in the child: the other thread may have had the lock of this event.
                if child:
                    forked.set()
                    closing.join()
                return 'forking'

        sys.addaudithook(hook)
        logger.info('%s', Forking())
        if not child:
            logger.info('child')
            sys.exit()
        reap(child)
        """,
    'in a signal handler that interrupts a flush, and a close': """
        import boto3
        parent, child, forked, asked = os.getpid(), None, threading.Event(), []

        def fork(*_):
            global child
            if not asked:
                return
            asked.clear()
            child = os.fork()
            # Not in the child: another thread of the parent may have had the lock of this event.
            if child:
                forked.set()

        class Client:
            def put_record_batch(self, **request):
                if os.getpid() == parent:
                    forked.clear()
                    asked.append(True)
                    os.kill(parent, signal.SIGUSR1)
                    # One that comes just before the main thread begins to wait is not seen until that ends.
                    while not forked.wait(1):
                        os.kill(parent, signal.SIGUSR1)
                return boto3.client('firehose').put_record_batch(**request)

        signal.signal(signal.SIGUSR1, fork)
        logger.removeHandler(handler)
        for wait in 'flush', 'close':
            handler = FirehoseHandler('bar', boto3_client=Client(), shutdown_timeout_seconds=3600)
            logger.addHandler(handler)
            logger.info('parent')
            getattr(handler, wait)()
            if not child:
                logger.info('child')
                handler.flush()
                os._exit(0)
            reap(child)
            logger.removeHandler(handler)
        """,
    'in on_drop, on the delivery thread': """
        forked = threading.Event()

        def on_drop(*news):
            if not (child := os.fork()):
                logger.info('child')
                handler.flush()
                os._exit(0)
            reap(child)
            forked.set()

        logger.removeHandler(handler)
        handler = FirehoseHandler('bar', oversize='drop', send_interval=0, on_drop=on_drop)
        logger.addHandler(handler)
        logger.info('x' * 2000)
        logger.info('parent')
        assert forked.wait(40)
        """,
    'while other threads log': """
        stop = threading.Event()

        def work(name):
            number = 0
            while not stop.is_set():
                logger.info('thread %d, event %d', name, number)
                number += 1
                stop.wait(0.0001)

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for number in range(10):
            if not (child := os.fork()):
                logger.info('child %d', number)
                handler.flush()
                os._exit(0)
            reap(child)
        stop.set()
        for thread in threads:
            thread.join()
        assert handler.flush()
        """,
}
EXPECTED = {
    'a child that logs, and a grandchild': ['child', 'grandchild', 'parent'],
    'a child that does not log': ['parent'],
    'a child that ends at once': ['parent'],
    'in C': ['child', 'parent'],
    'of a handler that was collected before it was empty': ['parent'],
    'posix_spawn and subprocess': ['parent', 'still the parent'],
    'in a __str__, with a child that goes on': ['child', 'forking'],
    'in a __str__, while delivery holds a lock': ['before', 'child', 'forking'],
    'in a signal handler that interrupts a flush, and a close': ['child', 'child', 'parent', 'parent'],
    'in on_drop, on the delivery thread': ['child', 'parent'],
}


@pytest.mark.parametrize('name', EXPECTED)
def test_each_event_arrives_exactly_once_whoever_forks(name, endpoint, place):
    """The parent's by the parent, the child's by the child."""
    ended = run_forking(PROGRAMS[name], endpoint, place)
    assert ended.returncode == 0, ended.stderr
    assert 'firefighter:' not in without_waiting(ended.stderr)
    assert messages(endpoint) == EXPECTED[name]


def test_what_a_hook_of_the_program_logs_in_a_child_before_our_hook_comes_arrives(endpoint, place):
    """Hooks come in the order in which they were registered; so may a destructor log there."""
    program = """
        import logging, os, sys
        os.register_at_fork(after_in_child=lambda: logging.warning('hook'))
        from firefighter.logging import FirehoseHandler
        handler = FirehoseHandler('bar', shutdown_timeout_seconds=40)
        logging.getLogger().addHandler(handler)
        logging.warning('parent')
        if not (child := os.fork()):
            logging.warning('child')
            assert handler.stats().accepted == 2, handler.stats()
            sys.exit()
        assert os.waitpid(child, 0)[1] == 0
        """
    subprocess.run(
        [sys.executable, '-c', textwrap.dedent(program)],
        env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **place},
        timeout=ENOUGH_SECONDS,
        check=True,
    )
    assert messages(endpoint) == ['child', 'hook', 'parent']


def test_a_fork_that_interrupts_a_logging_call_leaves_each_event_there_once(endpoint, place):
    """The child goes on inside the parent's append, whose file it shares."""
    ended = run_forking(PROGRAMS['in a signal handler that interrupts logging calls'], endpoint, place)
    assert ended.returncode == 0, ended.stderr
    arrived = messages(endpoint)
    parents = [message for message in arrived if message.startswith('parent')]
    assert arrived.count('child') == 5
    assert set(parents) == {f'parent {number}' for number in range(len(parents))}


@pytest.mark.skipif(
    sys.version_info < (3, 11), reason='where signals come is not known of bytecodes before 3.11'
)
@pytest.mark.parametrize('event_ids', [False, True])
def test_a_child_that_goes_on_late_within_the_parents_append_takes_nothing_back(event_ids, endpoint, place):
    """Forked by a signal handler wherever one may come in there; the child goes on when the parent has logged more."""
    ended = run_forking(
        """
        from bytecodes import where_signals_come
        from firefighter._spool.appending import AppendSide

        APPEND = AppendSide.append.__code__
        PLACES = where_signals_come(APPEND)
        parent = os.getpid()

        def log(number, fork_at):
            # Log an event, and fork at that place of those which append passes; return how many these are.
            passed = 0

            def trace(frame, event, argument):
                nonlocal passed, goes_on, child
                if frame.f_code is not APPEND:
                    return None
                frame.f_trace_opcodes = True
                if event == 'opcode' and frame.f_lasti in PLACES:
                    passed += 1
                    if passed == fork_at:
                        sys.settrace(None)
                        waits, goes_on = os.pipe()
                        child = os.fork()
                        os.close(waits if child else goes_on)
                        if not child:
                            os.read(waits, 1)
                        return None
                return trace

            child = goes_on = None
            sys.settrace(trace)
            logger.info('event %d', number)
            sys.settrace(None)
            if os.getpid() != parent:
                os._exit(0)
            logger.info('after %d', number)
            if child:
                os.close(goes_on)
                reap(child)
            return passed

        logger.info('the handler is open')
        places = log(0, None)
        assert places > 3, places
        for place in range(1, places + 1):
            log(place, place)
        assert handler.flush()
        assert handler.stats().accepted == 1 + 2 * (places + 1), (handler.stats(), places)
        print(places)
        """,
        endpoint,
        {**place, 'PYTHONPATH': str(Path(__file__).parents[1])},
        event_ids=event_ids,
    )
    assert ended.returncode == 0, ended.stderr
    places = int(ended.stdout)
    expected = {f'{word} {number}' for word in ('event', 'after') for number in range(places + 1)}
    assert {*messages(endpoint)} == {'the handler is open', *expected}


def test_a_fork_beside_threads_that_log_leaves_each_event_there_once(endpoint, place):
    """They may be anywhere in append, and the delivery thread in the middle of a request."""
    ended = run_forking(PROGRAMS['while other threads log'], endpoint, place)
    assert ended.returncode == 0, ended.stderr
    arrived = messages(endpoint)
    assert len(set(arrived)) == len(arrived)
    assert {f'child {number}' for number in range(10)} <= set(arrived)
    for name in range(4):
        mine = {message for message in arrived if message.startswith(f'thread {name},')}
        assert mine == {f'thread {name}, event {number}' for number in range(len(mine))}


def test_a_fork_before_the_first_event_meets_no_thread_and_gets_no_warning(endpoint, place):
    """Since Python 3.12 `os.fork` warns where a second thread exists: a master process that does not log has none."""
    ended = run_forking(
        """
        import warnings
        assert threading.active_count() == 1
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            child = os.fork()
        assert not caught, caught
        logger.info('child' if not child else 'parent')
        if child:
            reap(child)
        """,
        endpoint,
        place,
    )
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    assert messages(endpoint) == ['child', 'parent']


def test_once_the_handler_is_made_nothing_is_imported_without_holding_forks_off(endpoint, place):
    """A child that is forked while another thread imports would wait for that import for ever."""
    ended = run_forking(
        """
        from firefighter._process import exit_and_forks

        imported = []

        def note(event, arguments):
            if event == 'import' and not exit_and_forks._process.fork_gate.held_here:
                imported.append((arguments[0], threading.current_thread().name))

        sys.addaudithook(note)
        for number in range(3000):  # so that segments end, and spare ones are made
            logger.info('event %d of some length: %s', number, 'x' * 200)
        assert handler.flush()
        assert not imported, imported
        """,
        endpoint,
        place,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    'way',
    [
        "FirehoseHandler('bar')",
        "FirehoseHandler('bar', include=['host'], compression='gzip')",
        "FirehoseHandler('bar', compression='zstd', event_ids=True)",
        'pickle.loads(PICKLED)',
    ],
)
def test_what_the_first_handler_imports_it_imports_with_forks_held_off(way, endpoint, place):
    """It may be made in any thread, beside others that make one or fork. So the hooks that hold forks off are there before it."""
    pickled = run('import pickle\nsys.stdout.write(repr(pickle.dumps(handler)))', endpoint, place).stdout
    ended = subprocess.run(
        [
            sys.executable,
            '-c',
            textwrap.dedent(
                f"""
                import os, pickle, sys
                from firefighter.logging import FirehoseHandler
                from firefighter._process import exit_and_forks

                PICKLED = {pickled}
                imported = []

                def note(event, arguments):
                    if event == 'import':
                        imported.append((arguments[0], exit_and_forks._process.fork_gate.held_here))

                sys.addaudithook(note)
                handler = {way}
                assert ('firefighter._handler.pipeline', True) in imported, imported
                # `pickle` itself imports the modules of what it has to make, before it makes the handler.
                begun = imported.index(('firefighter._handler.parts', True)) if 'pickle' in {way!r} else 0
                assert all(held for _, held in imported[begun:]), imported
                """
            ),
        ],
        env={**os.environ, **place},
        capture_output=True,
        text=True,
        timeout=ENOUGH_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.skipif(sys.platform != 'linux', reason='a mapped file system')
@pytest.mark.parametrize('end', ['os.kill(os.getpid(), signal.SIGTERM)', 'os._exit(0)'])
def test_on_disk_the_next_start_delivers_what_an_end_without_python_left(end, endpoint, tmp_path):
    """SIGTERM at its default, os._exit: nothing runs."""
    place = {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool')}
    run_forking(f"logger.info('parent')\n{end}", endpoint, place)
    assert messages(endpoint) == []
    ended = run_forking("logger.info('next')", endpoint, place)
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    assert messages(endpoint) == ['next', 'parent']


def test_a_fork_does_not_wait_for_credentials(tmp_path, monkeypatch, endpoint, place):
    """They may come of another process that takes its time, or of the network: only what takes milliseconds holds forks off."""
    asked, answer = tmp_path / 'asked', tmp_path / 'answer'
    program = tmp_path / 'credentials'
    program.write_text(
        f"""#!/bin/sh
        touch {asked}
        while ! test -e {answer}; do sleep 0.01; done
        echo '{{"Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "secret"}}'
        """
    )
    program.chmod(0o700)
    (tmp_path / 'config').write_text(f'[profile slow]\ncredential_process = {program}\n')
    for name in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'):
        monkeypatch.delenv(name)
    monkeypatch.setenv('AWS_CONFIG_FILE', str(tmp_path / 'config'))
    monkeypatch.setenv('AWS_PROFILE', 'slow')
    ended = run_forking(
        f"""
        from pathlib import Path
        from firefighter._process import fork_gate

        fork_gate._WAIT_SECONDS = 3600.0
        handler.send_interval = 0
        logger.info('parent')
        while not Path({str(asked)!r}).exists():
            pass
        child = os.fork()
        if not child:
            os._exit(0)
        reap(child)
        Path({str(answer)!r}).touch()
        assert handler.flush()
        """,
        endpoint,
        place,
    )
    assert ended.returncode == 0, ended.stderr
    assert messages(endpoint) == ['parent']
