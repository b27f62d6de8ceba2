"""Do forks wait for what a child must not meet half done, and nobody else for anybody?"""

from __future__ import annotations

import itertools
import logging
import sys
import threading
from contextlib import contextmanager

import pytest

from doubles import DEADLINE_SECONDS
from firefighter._process import exit_and_forks, fork_gate
from firefighter._process.fork_gate import ForkGate
from firefighter._process.waiting import Wakeup


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
    wait = Wakeup.wait

    def note(self, timeout_seconds):
        woken = wait(self, timeout_seconds)
        waited.extend([] if woken else [timeout_seconds])
        return woken

    monkeypatch.setattr(Wakeup, 'wait', note)
    monkeypatch.setattr(fork_gate, '_WAIT_SECONDS', 0.0)
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


def test_who_is_inside_already_does_not_wait_for_a_fork_that_waits_for_it(gate, waits):
    """The fork has waited in vain then, and goes on."""
    gate.enter()
    with another_thread(gate.before_fork, gate.after_fork_in_parent):
        assert len(waits) == 1
        gate.enter()
    assert len(waits) == 1


def test_who_waits_for_a_fork_is_not_in_its_way(gate, monkeypatch):
    """Or the fork would wait, too."""
    held = []
    monkeypatch.setattr(Wakeup, 'wait', lambda self, timeout_seconds: held.append(gate.held_here))
    with another_thread(gate.before_fork, gate.after_fork_in_parent):
        gate.enter()
    assert held == [False]
    assert gate.held_here


def test_a_fork_waits_for_a_thread_that_comes_in_as_it_begins(gate, waits):
    """Between its look for others and its mark."""

    class Late(list):
        def append(self, thread):
            gate._inside.append(thread + 1)
            super().append(thread)

    gate._forking = Late()
    gate.before_fork()
    assert len(waits) == 1


def test_a_fork_goes_on_as_soon_as_the_last_one_is_out(gate, monkeypatch):
    """It is woken."""
    monkeypatch.setattr(fork_gate, '_WAIT_SECONDS', DEADLINE_SECONDS)
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


class Interrupted(BaseException):
    """Comes from nowhere, as KeyboardInterrupt does."""


def interrupted_at(number, work):
    """Do it, with an exception where its trace has so many events, in whatever code; return whether it came so far."""
    events = itertools.count(1)

    def trace(frame, event, argument):
        if next(events) == number:
            sys.settrace(None)
            raise Interrupted
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except Interrupted:
        return True
    finally:
        sys.settrace(before)
    return next(events) > number


def work_with(gate):
    with exit_and_forks.not_forking():
        assert gate.held_here
    gate.before_fork()
    gate.after_fork_in_parent()


@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_wherever_an_exception_comes_others_go_on(monkeypatch):
    """Ctrl-C in the main thread, which makes a handler or delivers, must not end the delivery of all others for ever."""
    monkeypatch.setattr(fork_gate, '_WAIT_SECONDS', 0.0)
    for number in itertools.count(1):
        gate = ForkGate()
        monkeypatch.setattr(exit_and_forks._process, 'fork_gate', gate)
        came_so_far = interrupted_at(number, lambda gate=gate: work_with(gate))
        other = threading.Thread(target=work_with, args=[gate], daemon=True)
        other.start()
        other.join(DEADLINE_SECONDS)
        assert not other.is_alive(), f'interrupted at event {number}'
        if not came_so_far:
            break
    assert number > 50
