"""Is anything lost, doubled or left locked when exceptions come at any moment of `append`?

On the Python at hand: the interpreter decides where they can come. `make interruption-test` takes all of them, and more.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from depth import depth

PROGRAM = Path(__file__).with_name('interruptions.py')
# By a signal, and by another thread, whose exceptions take a switch of threads each.
INTERRUPTIONS = {'signal': depth(400, 2000), 'thread': depth(100, 400)}

if sys.platform != 'linux':
    pytest.skip('interval timers and /dev/shm', allow_module_level=True)


@pytest.mark.parametrize('place', ['memory', 'disk'])
@pytest.mark.parametrize('source', ['signal', 'thread'])
def test_an_exception_at_any_moment_of_append_loses_nothing_whose_call_returned(place, source):
    """Nothing twice, nothing torn, each thread in order; the lock is free, the account adds up, no file is left."""
    interruptions = INTERRUPTIONS[source]
    ended = run(sys.executable, '--on', place, '--by', source, '-n', str(interruptions))
    assert ended['interruptions'] == interruptions
    assert ended['inside'] > interruptions / 10
    assert ended['dropped'] == 0


@pytest.mark.parametrize('overflow', ['drop_oldest', 'drop_newest'])
@pytest.mark.parametrize('place', ['memory', 'disk'])
def test_what_gives_way_under_exceptions_is_counted(overflow, place):
    """An event whose call returned is delivered or counted as dropped, never both."""
    ended = run(sys.executable, '--on', place, '--overflow', overflow, '-n', str(INTERRUPTIONS['signal']))
    assert ended['interruptions'] == INTERRUPTIONS['signal']


@pytest.mark.parametrize('overflow', ['block', 'drop_oldest', 'drop_newest'])
def test_numbers_and_markers_are_right_under_exceptions(overflow):
    """In the order of the lines, none twice; what is missing is what was dropped, and is told of."""
    place = 'memory' if overflow == 'drop_newest' else 'disk'
    ended = run(
        sys.executable,
        '--event-ids',
        '--on',
        place,
        '--overflow',
        overflow,
        '-n',
        str(INTERRUPTIONS['signal']),
    )
    assert ended['interruptions'] == INTERRUPTIONS['signal']
    assert (ended['markers'] > 0) == (ended['dropped'] > 0)


def run(python, *arguments):
    """Run the program and return its figures."""
    ended = subprocess.run(
        [python, PROGRAM, *arguments], capture_output=True, text=True, timeout=55, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_a_reentrant_lock_tells_whether_it_is_the_calling_threads():
    """`RLock._is_owned` is private: it exists, and means what append takes it to mean."""
    subprocess.run([sys.executable, '-c', LOCK_PROGRAM], check=True, timeout=50)


LOCK_PROGRAM = """
import threading
lock = threading.RLock()
assert lock._is_owned() is False
answers = []
with lock:
    assert lock._is_owned() is True
    with lock:
        assert lock._is_owned() is True
    assert lock._is_owned() is True
    thread = threading.Thread(target=lambda: answers.append(lock._is_owned()))
    thread.start()
    thread.join()
assert answers == [False]
assert lock._is_owned() is False
"""


def test_a_flush_inside_append_leaves_what_is_set_aside_to_the_interrupted_frame():
    """A signal handler that flushes may have come into a roll-over: a second one must not begin inside it."""
    from firefighter._spool.spool import MIN_SPOOL_BYTES, Spool

    spool = Spool(MIN_SPOOL_BYTES)
    with spool._lock:  # as inside append
        spool.append(b'inner\n')
        spool.append_set_aside()
        assert spool.appended == 0
    spool.append(b'outer\n')
    assert [event.data for event in spool.take(10, 1000)] == [b'inner\n', b'outer\n']


def test_what_an_exception_left_set_aside_comes_before_the_next_event():
    """Events of one thread keep their order: the one set aside was logged first."""
    from firefighter._spool.spool import MIN_SPOOL_BYTES, Spool

    spool = Spool(MIN_SPOOL_BYTES)
    spool.append(b'first\n')
    with spool._lock:
        spool.append(b'aside\n')
    spool.append(b'next\n')
    assert [event.data for event in spool.take(10, 1000)] == [b'first\n', b'aside\n', b'next\n']


def test_in_a_forked_child_an_interrupted_append_does_not_wait_for_a_lock_of_the_parent():
    """A signal handler, or a `__str__`, may fork while another thread is inside append."""
    from firefighter._spool.spool import MIN_SPOOL_BYTES, Spool

    spool = Spool(MIN_SPOOL_BYTES)
    spool.append(b'of the parent\n')
    words = spool._live[1]
    before = words[8]
    thread = threading.Thread(target=spool._lock.acquire)
    thread.start()
    thread.join()
    spool.abandon()  # what the hook of the child does
    spool.append(b'twice\n')
    assert words[8] == before, "the parent's segment was written to"
    assert spool.account().delivered == 0
