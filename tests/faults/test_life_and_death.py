"""Does delivery go on when its thread is killed, when none can be started, and when logging is configured anew under load?"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import queue
import subprocess
import sys
import textwrap
import threading
from time import monotonic

import pytest

from doubles import DEADLINE_SECONDS, AcceptingClient, BlockingClient
from firefighter._delivery.batches import Batch
from firefighter._delivery.requests import Requests
from firefighter._delivery.sender import Sender
from firefighter.local import LocalFirehose
from firefighter.logging import FirehoseHandler
from programs import without_waiting

KILLED = pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')


def delivery_threads(stream: str) -> list[threading.Thread]:
    """Return the threads that deliver to a stream, those that help it included."""
    return [thread for thread in threading.enumerate() if thread.name.startswith(f'firefighter-{stream}')]


def kill(thread: threading.Thread) -> None:
    """Have SystemExit raised in a thread as soon as it runs Python again, as time-out decorators do."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))


# Killed.


@KILLED
def test_a_thread_that_is_killed_while_it_waits_is_replaced_at_once(make_handler, make_logger, capsys):
    """Not with the next event, which may be long in coming: the one that woke it is delivered."""
    client = AcceptingClient()
    handler = make_handler('killed', send_interval=0, boto3_client=client)
    logger = make_logger(handler)
    logger.info('one')
    assert handler.flush(DEADLINE_SECONDS)  # so that what was answered is settled, too
    for thread in delivery_threads('killed'):
        kill(thread)
    logger.info('two')
    client.wait_for_events(2)
    assert len(set(client.threads)) == 2
    assert capsys.readouterr().err.count('the delivery thread was ended') == 1


class OneThenBlockingClient(BlockingClient):
    """Answers the first request when it is told to, and the others when it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.first = threading.Event()

    def hold(self, number: int) -> None:
        if number == 0:
            assert self.first.wait(DEADLINE_SECONDS)
        else:
            super().hold(number)


@KILLED
def test_what_killed_threads_had_under_way_is_sent_by_others(make_handler, make_logger):
    """The delivery thread and those that help it, each in the middle of a request."""
    client = OneThenBlockingClient()
    handler = make_handler('killed', send_interval=0, boto3_client=client, max_in_flight=3)
    logger = make_logger(handler)
    for number in range(2001):
        logger.info(number)
    client.first.set()
    client.wait_for_requests(4)
    threads = delivery_threads('killed')
    for thread in threads:
        kill(thread)
    client.release()
    assert handler.flush(DEADLINE_SECONDS)
    assert len(threads) == 4
    assert len(client.events) == handler.stats().delivered == 2001
    assert not set(threads) & set(client.threads[4:])


@KILLED
def test_what_a_thread_had_composed_when_it_was_killed_is_sent_by_another(
    monkeypatch, make_handler, make_logger
):
    """Between taking the events and the request."""
    kills = [SystemExit()]

    start = Requests.start

    def killed_once(requests: Requests, batch: Batch) -> None:
        if kills:
            raise kills.pop()
        start(requests, batch)

    monkeypatch.setattr(Requests, 'start', killed_once)
    client = AcceptingClient()
    handler = make_handler('killed', send_interval=0, boto3_client=client)
    make_logger(handler).info('Ahoy')
    client.wait_for_events(1)
    assert handler.flush(DEADLINE_SECONDS)
    assert kills == []


class BrokenHandler(FirehoseHandler):
    """A subclass whose delivery thread ends at once.

    Attributes:
        threads: those that ran it.
    """

    def __init__(self, *args, **kwargs):
        self.threads = queue.Queue()
        super().__init__(*args, **kwargs)

    def batch_sender(self, *arguments):
        self.threads.put(threading.current_thread())
        raise ZeroDivisionError


@KILLED
def test_where_each_thread_ends_at_once_they_are_not_started_for_ever(monkeypatch, make_handler, make_logger):
    """Each waits a while before it begins; flush delivers in the calling thread, and then there is no more to do."""
    monkeypatch.setattr('firefighter._handler.deliverer._PAUSE_BETWEEN_THREADS_SECONDS', 0.05)
    client = AcceptingClient()
    handler = make_handler('killed', kind=BrokenHandler, boto3_client=client)
    make_logger(handler).info('Ahoy')
    for _ in range(2):
        handler.threads.get(timeout=DEADLINE_SECONDS).join(DEADLINE_SECONDS)
    assert handler.flush() is True
    assert client.threads == [threading.current_thread()]
    assert handler.threads.qsize() < 100


@KILLED
def test_of_threads_that_end_at_once_each_but_the_first_two_comes_after_a_pause(
    monkeypatch, make_handler, make_logger
):
    """A subclass's `batch_sender` that returns is not called again and again."""
    pause_seconds = 0.1
    monkeypatch.setattr('firefighter._handler.deliverer._PAUSE_BETWEEN_THREADS_SECONDS', pause_seconds)
    began = queue.Queue()

    class ReturningHandler(FirehoseHandler):
        def batch_sender(self, *_arguments):
            """Return at once."""
            began.put(monotonic())

    handler = make_handler('killed', kind=ReturningHandler, boto3_client=AcceptingClient())
    before = monotonic()
    make_logger(handler).info('Ahoy')
    times = [began.get(timeout=DEADLINE_SECONDS) for _ in range(6)]
    # Four pauses; one may be left out behind a thread that took twice as long to come, as on a busy machine.
    assert times[-1] - before >= 3 * pause_seconds


class SharingHandler(FirehoseHandler):
    """A subclass that has several threads deliver."""

    def batch_sender(self, *arguments):
        deliver = super().batch_sender
        threads = [threading.Thread(target=deliver, args=arguments) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@KILLED
@pytest.mark.parametrize('place', ['memory', 'disk'])
def test_several_threads_that_deliver_take_turns(place, make_handler, make_logger, tmp_path, monkeypatch):
    """No event goes twice, and the account adds up."""
    inside, most, step = [], [], Sender._step

    def noted(sender):
        inside.append(None)
        most.append(len(inside))
        step(sender)
        inside.pop()

    monkeypatch.setattr(Sender, '_step', noted)
    client = AcceptingClient()
    handler = make_handler(
        'killed',
        kind=SharingHandler,
        boto3_client=client,
        send_interval=0,
        **({'spool_dir': tmp_path} if place == 'disk' else {}),
    )
    logger = make_logger(handler)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for number in range(3000):
            logger.info(number)
        assert handler.flush(DEADLINE_SECONDS)
    finally:
        sys.setswitchinterval(before)
    stats = handler.stats()
    assert (stats.accepted, stats.delivered, stats.pending, stats.uncertain) == (3000, 3000, 0, 0)
    assert len(client.events) == len(set(client.events)) == 3000
    assert max(most) == 1


class BrokenLaterHandler(FirehoseHandler):
    """A subclass whose delivery threads end as soon as they are told to.

    Attributes:
        goes_on: tells them.
    """

    def __init__(self, *args, **kwargs):
        self.goes_on = threading.Event()
        super().__init__(*args, **kwargs)

    def batch_sender(self, *arguments):
        assert self.goes_on.wait(DEADLINE_SECONDS)
        raise ZeroDivisionError


@KILLED
@pytest.mark.parametrize('waits', ['flush', 'close'])
def test_whoever_waits_delivers_where_the_thread_that_was_to_ends_meanwhile(waits, make_handler, make_logger):
    """And so does the one that takes its place, and the next."""
    client = AcceptingClient()
    handler = make_handler('killed', kind=BrokenLaterHandler, boto3_client=client)
    make_logger(handler).info('Ahoy')
    waiting = threading.Thread(target=getattr(handler, waits))
    waiting.start()
    deliverer = handler._pipeline.lifecycle._deliverer
    wakeups = handler._pipeline.sender.progress._waiting
    give_up_at = monotonic() + DEADLINE_SECONDS
    while not (deliverer.present and wakeups):
        assert monotonic() < give_up_at
    handler.goes_on.set()
    client.wait_for_events(1)
    waiting.join(DEADLINE_SECONDS)
    assert client.threads == [waiting]


def test_a_thread_that_ended_before_it_came_to_deliver_is_noticed_by_flush(make_handler):
    """Killed as it started: flush delivers in the calling thread, and the next event starts another."""
    client = AcceptingClient()
    handler = make_handler('bar', send_interval=0, boto3_client=client)
    record = logging.makeLogRecord({'msg': 'Ahoy'})
    made = []

    def make_thread(*, target, args):
        made.append(threading.Thread(target=int))
        return made[-1]

    handler.emit(record, make_thread=make_thread)
    made[0].join(DEADLINE_SECONDS)
    assert handler.flush() is True
    handler.emit(record)
    client.wait_for_events(2)
    assert client.threads[0] is threading.current_thread()
    handler.close()
    handler.emit(record)
    client.wait_for_events(3)
    assert client.threads[2] is not threading.current_thread()


def test_flush_and_close_with_loggings_own_lock_held_return_and_deliver_when_it_is_free(
    make_handler, make_logger
):
    """`dictConfig` holds it while it closes handlers; delivery needs it to ask a logger for its level."""

    class AskingClient(AcceptingClient):
        def hold(self, number: int) -> None:
            logging.getLogger(f'never asked before {number} {id(self)}').isEnabledFor(logging.DEBUG)

    client = AskingClient()
    handler = make_handler('bar', send_interval=0, boto3_client=client, shutdown_timeout_seconds=1000)
    logger = make_logger(handler)
    # logging takes that lock for each handler of an earlier test that the collector finds, in whatever thread that is: a
    # thread that is being started, for example, whose start the holder of the lock waits for.
    gc.collect()
    gc.disable()
    try:
        with logging._lock:
            logger.info('Ahoy')
            client.wait_for_requests(1)
            assert handler.flush() is False
            handler.close()
            assert client.events == []
    finally:
        gc.enable()
    client.wait_for_events(1)


# In programs.


@pytest.fixture
def run(tmp_path):
    """Run a program against an endpoint; return what it said on stderr, and the messages that arrived.

    On a busy machine it takes seconds to import boto3: what waits for that in the program has `ENOUGH_SECONDS`.
    """

    def run_program(code):
        with LocalFirehose(tmp_path, streams=['bar']) as endpoint:
            ended = subprocess.run(
                [sys.executable, '-c', f'ENOUGH_SECONDS = 40\n{textwrap.dedent(code)}'],
                env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url},
                capture_output=True,
                text=True,
                timeout=50,
                check=False,
            )
            assert ended.returncode == 0, ended.stderr
            messages = [json.loads(line)['message'] for line in endpoint.delivered().splitlines()]
            return without_waiting(ended.stderr), messages

    return run_program


def test_dict_config_under_load_returns_and_loses_nothing(run):
    """Ten times, while threads log: no wait for what needs the lock that it holds; every accepted event arrives once."""
    said, messages = run(
        """
        import itertools, logging, logging.config, threading
        import boto3  # which takes long beside threads that log
        from firefighter.logging import FirehoseHandler

        made = []

        def make_handler():
            # Longer than the test has: a wait that does not end by itself is not survived.
            made.append(FirehoseHandler('bar', send_interval=0, shutdown_timeout_seconds=1000))
            return made[-1]

        CONFIG = {
            'version': 1,
            'disable_existing_loggers': False,
            'handlers': {'firehose': {'()': make_handler}},
            'root': {'level': 'DEBUG', 'handlers': ['firehose']},
        }
        # Between two configurations the root logger has no handler; no line of Python's own about that.
        logging.lastResort = None
        logging.raiseExceptions = False
        stop = threading.Event()

        def work(name):
            for number in itertools.count():
                if stop.is_set():
                    return
                # A logger that nobody has asked for its level yet takes logging's lock to find it.
                logging.getLogger(f'{name}.{number}').info(f'{name} {number}')
                # Not more than a spool holds, where the endpoint is slower than that.
                while number % 100 == 0 and made[-1].stats().pending > 10_000 and not stop.wait(0.001):
                    pass

        logging.config.dictConfig(CONFIG)
        threads = [threading.Thread(target=work, args=(f'thread{name}',)) for name in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            before = len(made)
            while not made[-1].stats().requests:
                pass
            configuring = threading.Thread(target=logging.config.dictConfig, args=(CONFIG,))
            configuring.start()
            configuring.join(20)
            assert not configuring.is_alive(), 'dictConfig waits'
        stop.set()
        for thread in threads:
            thread.join()
        for handler in made:
            assert handler.flush(30), handler.stats()
        assert len(made) == 11
        made[0].handle(logging.makeLogRecord({'msg': str(sum(handler.stats().accepted for handler in made))}))
        """
    )
    accepted = int(messages.pop())
    assert said == ''
    assert len(messages) == len(set(messages)) == accepted


NO_THREAD = """
import threading

def start(thread):
    raise RuntimeError("can't start new thread")

threading.Thread.start = start
"""


def test_where_no_thread_can_be_started_each_call_delivers_and_that_is_said_once(run):
    """A container at its limit of processes, uWSGI without threads."""
    said, messages = run(
        NO_THREAD
        + """
import logging
from firefighter.logging import FirehoseHandler

handler = FirehoseHandler('bar', sync_timeout_seconds=ENOUGH_SECONDS)
logging.getLogger().addHandler(handler)
for number in range(3):
    logging.error(number)
    assert handler.stats().delivered == number + 1, handler.stats()
"""
    )
    assert messages == ['0', '1', '2']
    assert (
        said.count('\n')
        == said.count("no delivery thread can be started (RuntimeError: can't start new thread)")
        == 1
    )


def test_where_no_other_thread_can_be_started_a_killed_one_is_replaced_by_the_calls_themselves(run):
    """What was pending goes with the next event."""
    said, messages = run(
        """
        import ctypes, logging, threading
        from firefighter.logging import FirehoseHandler

        handler = FirehoseHandler('bar', send_interval=0, sync_timeout_seconds=ENOUGH_SECONDS)
        logging.getLogger().addHandler(handler)
        logging.error('one')
        assert handler.flush(ENOUGH_SECONDS)
        (thread,) = [thread for thread in threading.enumerate() if thread.name == 'firefighter-bar']
        """
        + textwrap.indent(NO_THREAD, ' ' * 8)
        + """
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        logging.error('two')
        thread.join()
        logging.error('three')
        assert handler.stats().delivered == 3, handler.stats()
        """
    )
    assert messages == ['one', 'two', 'three']
    assert said.count('the delivery thread was ended') == said.count('no delivery thread can be started') == 1


@pytest.mark.parametrize('registered', ['before the handler is made', 'after the first event'])
def test_what_exit_functions_log_arrives(registered, run):
    """Since Python 3.12 no thread can be started there: the exit function delivers by itself."""
    function = "import atexit, logging\natexit.register(lambda: logging.error('last'))\n"
    handler = "import logging\nfrom firefighter.logging import FirehoseHandler\nlogging.getLogger().addHandler(FirehoseHandler('bar', shutdown_timeout_seconds=ENOUGH_SECONDS))\n"
    first = "logging.error('first')\n"
    said, messages = run(
        function + handler if registered.startswith('before') else handler + first + function
    )
    assert said == ''
    assert messages[-1] == 'last'
