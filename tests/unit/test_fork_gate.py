"""Do forks wait for what a child must not meet half done, and nobody else for anybody?"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager

import pytest

from doubles import DEADLINE_SECONDS
from firefighter import _fork_gate
from firefighter._fork_gate import ForkGate


@pytest.fixture
def gate():
    return ForkGate()


@contextmanager
def another_thread(begin, end):
    """Have another thread do the one, and when the block has ended the other."""
    begun, go_on = threading.Event(), threading.Event()

    def work():
        begin()
        begun.set()
        assert go_on.wait(DEADLINE_SECONDS)
        end()

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(DEADLINE_SECONDS)
    try:
        yield
    finally:
        go_on.set()
        thread.join()


@pytest.fixture
def waits(monkeypatch):
    """Return how often something has waited in vain, since the waits here are over at once."""
    waited = []
    wait_for = threading.Condition.wait_for

    def note(self, predicate, timeout=None):
        held = wait_for(self, predicate, timeout)
        waited.extend([] if held else [timeout])
        return held

    monkeypatch.setattr(threading.Condition, 'wait_for', note)
    monkeypatch.setattr(_fork_gate, '_WAIT_SECONDS', 0.0)
    return waited


def test_those_inside_do_not_wait_for_each_other(gate, waits):
    """One may hold what another needs: dictConfig holds logging's lock, an import of boto3 wants it."""
    with another_thread(gate.enter, gate.leave):
        gate.enter()
        assert gate.held_here
        gate.leave()
    assert not waits


def test_a_fork_waits_for_another_thread_inside_but_not_for_ever(gate, waits):
    """The child would not have that thread, and never see the end of what it was at."""
    with another_thread(gate.enter, gate.leave):
        gate.before_fork()
        assert len(waits) == 1
        gate.after_fork_in_parent()
    gate.before_fork()
    gate.after_fork_in_parent()
    assert len(waits) == 1


def test_a_fork_does_not_wait_for_its_own_thread(gate, waits):
    """A signal handler may fork anywhere."""
    gate.enter()
    gate.before_fork()
    gate.after_fork_in_parent()
    gate.leave()
    assert not gate.held_here
    assert not waits


def test_who_enters_waits_for_a_fork_that_has_begun(gate, waits):
    """Until it is over in the parent."""
    with another_thread(gate.before_fork, gate.after_fork_in_parent):
        gate.enter()
        gate.leave()
        assert len(waits) == 1
    gate.enter()
    gate.leave()
    assert len(waits) == 1


def test_who_holds_loggings_lock_does_not_wait_for_a_fork_that_waits_for_that(gate, waits):
    """Logging has a hook of its own, which takes its lock before a fork."""
    with another_thread(gate.before_fork, gate.after_fork_in_parent), logging._lock:
        gate.enter()
        gate.leave()
    assert not waits


def test_a_fork_goes_on_as_soon_as_the_last_one_is_out(gate):
    """It is woken."""
    forked = threading.Event()

    def fork():
        gate.before_fork()
        forked.set()
        gate.after_fork_in_parent()

    gate.enter()
    gate.enter()
    thread = threading.Thread(target=fork)
    thread.start()
    gate.leave()
    assert not forked.is_set()
    gate.leave()
    thread.join()
    assert forked.is_set()
