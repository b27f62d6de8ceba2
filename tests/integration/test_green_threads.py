"""Does all of it work under the monkey patching of gevent and eventlet? Real programs with the real libraries.

There every thread is a greenlet of one thread, and the delivery thread is one too: what waits without the library's
knowledge stops the whole program.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import textwrap
from time import monotonic

import pytest

from firefighter.local import LocalFirehose, wire
from programs import PATIENT, end_of

# Shorter than the handler waits for an answer.
HELD_SECONDS = 15

LIBRARIES = {
    'gevent': """
        from gevent import monkey
        monkey.patch_all()
        import gevent
        spawn, pause = gevent.spawn, gevent.sleep

        def wait_for(greenlets):
            gevent.joinall(greenlets, raise_error=True)
        """,
    'eventlet': """
        import warnings
        warnings.simplefilter('ignore')  # it is deprecated, and says so
        import eventlet
        eventlet.monkey_patch()
        spawn, pause = eventlet.spawn, eventlet.sleep

        def wait_for(greenlets):
            for greenlet in greenlets:
                greenlet.wait()
        """,
}
PREAMBLE = """
import logging, os, sys
from firefighter.logging import FirehoseHandler

logger = logging.getLogger('foo')
logger.setLevel(logging.DEBUG)

def have_answers_come():
    open(ANSWERS_COME, 'w').close()
"""
TICKING = """
ticks = []

def tick():
    # Only while a request is under way for which there is neither an answer nor an error.
    while True:
        stats = handler.stats()
        if stats.requests == 1 and not stats.delivered and not stats.last_error:
            ticks.append(stats)
        if len(ticks) == 10:
            have_answers_come()
        pause(0)

spawn(tick)
"""


@pytest.fixture(params=LIBRARIES)
def library(request):
    """The name of the library, where it is installed."""
    # Not imported here: eventlet warns of each fork from then on.
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f'{request.param} is not to be had for this Python')
    return request.param


@pytest.fixture
def answers_come(tmp_path, monkeypatch):
    """The file that a program makes when late answers may come: their time alone may be short for what it has to do meanwhile."""
    path, pause = tmp_path / 'answers come', wire.pause

    async def pause_until_told(ends, seconds):
        await pause(ends, seconds)
        deadline = monotonic() + HELD_SECONDS
        while not path.exists() and monotonic() < deadline:  # noqa: ASYNC110 - another process tells
            await asyncio.sleep(0.01)

    monkeypatch.setattr(wire, 'pause', pause_until_told)
    return path


@pytest.fixture
def endpoint(tmp_path, answers_come):
    """An endpoint with the stream `bar`."""
    with LocalFirehose(tmp_path / 'delivered', streams=['bar'], buffer_seconds=900) as started:
        yield started


@pytest.fixture
def run(library, endpoint, answers_come):
    """Run a program that begins with the library's patching, and return its end."""

    def run_program(code):
        given = f'ANSWERS_COME = {str(answers_come)!r}\n'
        program = given + textwrap.dedent(LIBRARIES[library]) + PATIENT + PREAMBLE + textwrap.dedent(code)
        return end_of([sys.executable, '-c', program], {'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url})

    return run_program


def delivered(endpoint):
    """Return the events in the endpoint's folder."""
    return [json.loads(line) for line in endpoint.delivered().splitlines()]


def messages(endpoint):
    """Return the messages of the events in the folder, in order of delivery."""
    return [event['message'] for event in delivered(endpoint)]


@pytest.mark.parametrize('spool_dir', [None, 'spool'], ids=['memory', 'disk'])
def test_events_of_many_greenlets_all_arrive_once_and_in_each_ones_order(spool_dir, run, endpoint, tmp_path):
    """Fifty greenlets that take turns, 100 events each; what they log last leaves at exit."""
    place = spool_dir and str(tmp_path / spool_dir)
    ended = run(
        f"""
        handler = FirehoseHandler('bar', spool_dir={place!r}, max_in_flight=1)  # they arrive in their order
        logger.addHandler(handler)

        def work(name):
            for number in range(100):
                logger.info({{'message': '', 'greenlet': name, 'number': number}})
                pause(0)

        wait_for([spawn(work, name) for name in range(50)])
        assert handler.flush()
        stats = handler.stats()
        assert stats.accepted == stats.delivered == 5000, stats
        assert stats.backing == {'disk' if place else 'memory'!r}, stats
        logger.info('last')
        """
    )
    assert (ended.returncode, ended.stderr) == (0, '')
    events = delivered(endpoint)
    assert events.pop()['message'] == 'last'
    assert len(events) == 5000
    for name in range(50):
        assert [e['number'] for e in events if e['greenlet'] == name] == list(range(100))


@pytest.mark.parametrize('use_queues', [True, False], ids=['queue', 'without a queue'])
def test_a_request_that_is_under_way_does_not_hold_up_the_other_greenlets(use_queues, run, endpoint):
    """One goes on while the endpoint takes its time, whoever makes the request."""
    endpoint.inject('slow', seconds=0.1, times=1)
    ended = run(
        f"""
        handler = FirehoseHandler('bar', {use_queues})
        logger.addHandler(handler)
        {TICKING.replace(chr(10), chr(10) + '        ')}
        logger.info('slow')
        assert handler.flush()
        assert handler.stats().delivered == 1, handler.stats()
        assert len(ticks) >= 10, ticks
        """
    )
    assert (ended.returncode, ended.stderr) == (0, '')
    assert messages(endpoint) == ['slow']


def test_a_backlog_has_several_requests_under_way(run, endpoint):
    """The threads that help the delivery thread are greenlets too: all wait for their answers at once."""
    endpoint.inject('slow', seconds=0.1)
    ended = run(
        """
        handler = FirehoseHandler('bar', max_in_flight=3)
        logger.addHandler(handler)
        for number in range(2000):
            logger.info(number)
        while handler.stats().requests < 3:
            pause(0)
        assert not handler.stats().delivered, handler.stats()
        have_answers_come()
        assert handler.flush(40)
        assert handler.stats().delivered == 2000, handler.stats()
        """
    )
    assert (ended.returncode, ended.stderr) == (0, '')
    assert sorted(messages(endpoint), key=int) == [str(number) for number in range(2000)]


def test_flush_and_close_keep_their_deadlines_while_an_answer_never_comes(run, endpoint):
    """Both return while the request is under way, and other greenlets go on meanwhile; the number is said at exit."""
    endpoint.inject('no-answer', stored='false')
    ended = run(
        f"""
        handler = FirehoseHandler('bar', shutdown_timeout_seconds=0.5)
        logger.addHandler(handler)
        {TICKING.replace(chr(10), chr(10) + '        ')}
        logger.info('never answered')
        assert not handler.flush(0.5)
        while len(ticks) < 10:  # it may be importing boto3 still
            pause(0)
        handler.close()
        stats = handler.stats()
        assert (stats.pending, stats.uncertain, stats.last_error) == (1, 0, None), stats
        """
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count('1 event undelivered') == 1


def test_a_greenlet_that_waits_for_room_lets_the_others_deliver(run, endpoint):
    """`overflow="block"`: it waits as greenlets do, or nothing would ever make room."""
    ended = run(
        """
        handler = FirehoseHandler('bar', max_spool_bytes=64 * 1024, overflow='block', block_timeout_seconds=40)
        logger.addHandler(handler)
        for number in range(300):
            logger.info({'message': number, 'padding': 'x' * 900})
        assert handler.flush()
        assert not handler.stats().dropped, handler.stats()
        """
    )
    assert (ended.returncode, ended.stderr) == (0, '')
    assert sorted(messages(endpoint)) == list(range(300))


def test_two_greenlets_may_flush_at_once(run, endpoint):
    """Each gets its answer."""
    ended = run(
        """
        handler = FirehoseHandler('bar')
        logger.addHandler(handler)
        answers = []

        def work(number):
            logger.info(number)
            answers.append(handler.flush())

        wait_for([spawn(work, number) for number in range(8)])
        assert answers == [True] * 8, answers
        """
    )
    assert (ended.returncode, ended.stderr) == (0, '')
    assert sorted(messages(endpoint)) == list('01234567')


@pytest.mark.parametrize('spool_dir', [None, 'spool'], ids=['memory', 'disk'])
def test_a_forked_child_delivers_its_own_and_leaves_the_parents_alone(spool_dir, run, endpoint, tmp_path):
    """It inherits the greenlet that delivers; that one ends there, without a word."""
    place = spool_dir and str(tmp_path / spool_dir)
    ended = run(
        f"""
        handler = FirehoseHandler('bar', spool_dir={place!r})
        logger.addHandler(handler)
        logger.info('delivered before')
        assert handler.flush()
        logger.info('pending at the fork')
        child = os.fork()
        if not child:
            assert handler.stats().accepted == 0, handler.stats()
            logger.info('of the child')
            assert handler.flush()
            sys.exit()
        assert os.waitpid(child, 0)[1] == 0
        logger.info('of the parent')
        """
    )
    assert (ended.returncode, ended.stderr) == (0, '')
    assert sorted(messages(endpoint)) == [
        'delivered before',
        'of the child',
        'of the parent',
        'pending at the fork',
    ]


def test_a_signal_handler_that_logs_neither_deadlocks_nor_loses(run, endpoint, library):
    """It interrupts the logging calls of its own greenlet at a high rate."""
    if library == 'eventlet':
        pytest.skip(
            'eventlet runs signal handlers in its hub, where the standard library cannot make a LogRecord'
        )
    ended = run(
        """
        import signal
        handler = FirehoseHandler('bar')
        logger.addHandler(handler)
        logger.info('first')
        assert handler.flush()
        ticks = 0

        def tick(*_):
            global ticks
            ticks += 1
            logger.info('tick')

        signal.signal(signal.SIGALRM, tick)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for number in range(20_000):
            logger.info(number)
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert handler.flush()
        assert ticks > 10, ticks
        stats = handler.stats()
        assert stats.accepted == stats.delivered == 20_001 + ticks, (stats, ticks)
        """
    )
    assert (ended.returncode, ended.stderr) == (0, '')
    assert messages(endpoint).count('tick') + 20_001 == len(messages(endpoint))
