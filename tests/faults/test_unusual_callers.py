"""Is anything lost, torn or out of order that is logged where hardly anybody expects it? In memory and on disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from itertools import groupby

import pytest

from firefighter.local import LocalFirehose
from programs import ENOUGH_SECONDS, delivered, program, run, without_waiting

if sys.platform == 'win32':
    pytest.skip('signals, and a spool on disk', allow_module_level=True)


@pytest.fixture
def endpoint(tmp_path):
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as started:
        yield started


@pytest.fixture(params=['memory', 'disk'])
def place(request, tmp_path):
    """The environment that puts the spool there; on disk nothing must be left of it."""
    if request.param == 'memory':
        yield {}
        return
    yield {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool')}
    assert not [path for path in (tmp_path / 'spool').glob('*/*/*') if path.is_dir()]


# Of several requests under way at once a later one may arrive first.
IN_ORDER = {'max_in_flight': 1}

ACCOUNT = """
assert handler.flush(40)
stats = handler.stats()
assert stats.accepted == stats.delivered == expected, (stats, expected)
"""

PROGRAMS = {
    '64 threads': """
        sys.setswitchinterval(1e-6)
        together = threading.Barrier(64)

        def work(name):
            together.wait()
            for number in range(200):
                logger.info({'who': name, 'number': number})

        threads = [threading.Thread(target=work, args=(name,)) for name in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = 64 * 200
        """,
    'a signal handler at full rate': """
        ticks, ticking = 0, False

        def tick(*_):
            global ticks, ticking
            if not ticking:  # on a slow machine the next one comes too soon
                ticking = True
                logger.info({'who': 'tick', 'number': ticks})
                ticks += 1
                ticking = False

        signal.signal(signal.SIGALRM, tick)
        signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
        for number in range(20_000):
            logger.info({'who': 'main', 'number': number})
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, lambda *_: None)  # one may still be on its way
        assert ticks > 10
        expected = 20_000 + ticks
        """,
    'destructors, with the collector at nearly every allocation': """
        import gc

        class Loud:
            made = destroyed = 0

            def __init__(self):
                self.me = self
                Loud.made += 1

            def __del__(self):
                logger.info({'who': 'destructor', 'number': Loud.destroyed})
                Loud.destroyed += 1

        class Littering:
            def __str__(self):
                Loud()
                return 'while it is encoded'

        gc.set_threshold(1, 1, 1)
        for number in range(1000):
            Loud()
            logger.info({'who': 'main', 'number': number, 'message': Littering()})
        while Loud.destroyed < Loud.made:  # the collector may be at work on the delivery thread
            gc.collect()
        expected = 1000 + Loud.made
        """,
    'a __str__ that logs, in four threads': """
        class Chatty:
            def __init__(self, who, number):
                self.who, self.number = who, number

            def __str__(self):
                logger.info({'who': f'inner {self.who}', 'number': self.number})
                return 'outer'

        def work(name):
            for number in range(1000):
                logger.info({'who': name, 'number': number, 'message': Chatty(name, number)})
                logger.info(Chatty(f'of {name}', number), extra={'who': f'of {name}', 'number': number})

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = 4 * 4 * 1000
        """,
}


@pytest.mark.parametrize('caller', PROGRAMS)
def test_nothing_is_lost_torn_or_out_of_order(caller, endpoint, place):
    """Whoever logs, from wherever: each event once, whole, and in order with what the same caller has logged."""
    ended = run(textwrap.dedent(PROGRAMS[caller]) + ACCOUNT, endpoint, place, **IN_ORDER)
    assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
    for numbers in by_caller(delivered(endpoint)).values():
        assert numbers == list(range(len(numbers)))


def by_caller(events):
    """Return the numbers of each caller's events, in the order of their delivery."""
    events = sorted(events, key=lambda event: str(event['who']))
    return {
        who: [event['number'] for event in group]
        for who, group in groupby(events, lambda event: event['who'])
    }


SIGTERM = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
stop = threading.Event()
returned = {name: 0 for name in range(5)}

def work(name):
    while not stop.is_set():
        logger.info({'who': name, 'number': returned[name]})
        returned[name] += 1
        if name == 0 and returned[0] == 2000:
            print('well under way', flush=True)

threads = [threading.Thread(target=work, args=(name,)) for name in range(1, 5)]
for thread in threads:
    thread.start()
try:
    work(0)
finally:
    stop.set()
    for thread in threads:
        thread.join()
    print(*returned.values(), flush=True)
"""


# Until the signal has come, on a slow machine, five threads log more than fits into any spool.
ENDLESSLY = {
    'max_spool_bytes': 1024 * 1024,
    'overflow': 'block',
    'block_timeout_seconds': ENOUGH_SECONDS,
    'shutdown_timeout_seconds': ENOUGH_SECONDS,
}


def test_a_sigterm_that_ends_like_sys_exit_loses_nothing(endpoint, place):
    """The three lines of the docs: the exception comes out of the middle of a logging call, and all arrives at the end."""
    with subprocess.Popen(
        program(SIGTERM, **IN_ORDER, **ENDLESSLY),
        env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **place},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as terminated:
        assert terminated.stdout.readline() == 'well under way\n'
        terminated.send_signal(signal.SIGTERM)
        said, complaints = terminated.communicate(timeout=ENOUGH_SECONDS)
    assert (terminated.returncode, without_waiting(complaints)) == (7, '')
    arrived = by_caller(delivered(endpoint))
    for who, returned in enumerate(map(int, said.split())):
        numbers = arrived.get(who, [])
        assert numbers == list(range(len(numbers)))
        # The call that the signal came out of may have been as good as done.
        assert len(numbers) - returned in ({0, 1} if who == 0 else {0})
