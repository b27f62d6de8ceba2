"""Waking threads from anywhere."""

from __future__ import annotations

import signal
import threading

import pytest

from firefighter._process.waiting import Broadcast, Wakeup

DEADLINE_SECONDS = 20


def test_a_wakeup_before_the_wait_is_not_lost():
    """Whoever is about to sleep is woken too; twice counts once."""
    wakeup = Wakeup()
    wakeup.set()
    wakeup.set()
    assert wakeup.wait(0)
    assert not wakeup.wait(0)


def test_a_wait_ends_when_it_is_set():
    """By another thread."""
    wakeup = Wakeup()
    woken = []
    thread = threading.Thread(target=lambda: woken.append(wakeup.wait(DEADLINE_SECONDS)))
    thread.start()
    wakeup.set()
    thread.join(DEADLINE_SECONDS)
    assert woken == [True]


@pytest.mark.parametrize('seconds', [-1, 0, 0.0])
def test_a_time_that_is_over_does_not_wait(seconds):
    """Deadlines are subtracted from the clock, so they come out negative."""
    assert not Wakeup().wait(seconds)


def test_a_broadcast_wakes_all_that_have_joined():
    """And only those."""
    broadcast = Broadcast()
    joined = [broadcast.join() for _ in range(3)]
    broadcast.notify()
    late = broadcast.join()
    assert all(wakeup.wait(0) for wakeup in joined)
    assert not late.wait(0)


def test_leaving_takes_a_join_back_and_may_come_too_late():
    """Abandoned waits do not pile up."""
    broadcast = Broadcast()
    wakeup = broadcast.join()
    broadcast.leave(wakeup)
    broadcast.leave(wakeup)
    broadcast.notify()
    assert not wakeup.wait(0)


@pytest.mark.skipif(not hasattr(signal, 'raise_signal'), reason='no signals')
def test_a_signal_handler_may_wake_the_thread_that_it_interrupts():
    """In the middle of its own wait."""
    wakeup = Wakeup()
    before = signal.signal(signal.SIGALRM, lambda *_: wakeup.set())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        assert wakeup.wait(DEADLINE_SECONDS)
    finally:
        signal.signal(signal.SIGALRM, before)
