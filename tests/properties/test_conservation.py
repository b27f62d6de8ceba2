"""P1 over generated lives: whatever is logged, answered, flushed, closed and opened again, each event has one fate.

`accepted + adopted == delivered + dropped + pending` at every moment; in the end nothing is pending, and what arrived is
what was accepted less what was dropped with a reason.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrivals import adds_up, deliver_everything
from doubles import DEADLINE_SECONDS
from firefighter._delivery.limits import MAX_RECORDS
from firefighter._spool.spool import MIN_SPOOL_BYTES
from firefighter.logging import FirehoseHandler
from lives import Ledger, Life
from scripted_client import MOODS

pytestmark = pytest.mark.usefixtures('short_pauses')

SNAPSHOT_INTERVAL_SECONDS = 0.001
# From many events in a segment to more than one segment of the smallest spool holds.
SIZES = st.sampled_from([0, 0, 100, 900, 9_000, MIN_SPOOL_BYTES])
MOOD = st.sampled_from(sorted(MOODS))
ACTIONS = st.one_of(
    st.tuples(st.just('log'), st.integers(1, 60), SIZES),
    st.tuples(st.just('log'), st.integers(1, 60), SIZES),
    st.tuples(st.just('log'), st.just(MAX_RECORDS * 3), st.just(0)),
    st.tuples(st.just('log poison'), st.integers(1, 2)),
    st.tuples(st.just('answers'), st.lists(MOOD, min_size=1, max_size=6)),
    st.tuples(st.just('answers'), st.lists(MOOD, min_size=1, max_size=6)),
    st.tuples(st.just('flush'), st.sampled_from([0.0, 0.0, 0.02, 0.5])),
    st.tuples(st.just('close')),
)
OPTIONS = st.fixed_dictionaries(
    {
        'max_spool_bytes': st.sampled_from([MIN_SPOOL_BYTES, 4 * MIN_SPOOL_BYTES, None]),
        'overflow': st.sampled_from(['drop_oldest', 'drop_newest', 'block']),
        'block_timeout_seconds': st.just(0.001),
        'shutdown_timeout_seconds': st.sampled_from([0, 0.02]),
        'send_interval': st.sampled_from([0, 0.005, 60]),
        'max_in_flight': st.sampled_from([1, 2, 4]),
        'use_queues': st.sampled_from([True, True, True, False]),
    }
)


class Watcher(threading.Thread):
    """Takes snapshots of a handler's account, until it is stopped, and keeps those that do not add up."""

    def __init__(self, handler: FirehoseHandler) -> None:
        super().__init__(name='watcher')
        self.wrong: list[object] = []
        self._handler = handler
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(SNAPSHOT_INTERVAL_SECONDS):
            stats = self._handler.stats()
            if not adds_up(stats):
                self.wrong.append(stats)

    def stop(self) -> None:
        self._over.set()
        self.join()


def threads_of_delivery() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith('firefighter-bar')]


@contextmanager
def watched(handler: FirehoseHandler) -> Iterator[None]:
    watcher = Watcher(handler)
    watcher.start()
    try:
        yield
    finally:
        watcher.stop()
    assert not watcher.wrong, watcher.wrong[0]


def live(actions, **options) -> None:
    """Live a life to its end, and compare."""
    ledger = Ledger()
    life = Life(ledger.store, **options)
    try:
        with watched(life.handler):
            for action in actions:
                life.act(*action)
                stats = life.handler.stats()
                assert adds_up(stats), stats
                assert stats.accepted == len(life.logged)
            life.client.calm_down()
            life.log(1, 0)  # what is refused is dropped only where something else is accepted
            stats = deliver_everything(life.handler)
    finally:
        life.client.calm_down()
        close_to_the_end(life.handler)
    compare(life.logged, ledger, stats)


def close_to_the_end(handler: FirehoseHandler) -> None:
    """Close, until nothing is left to close: one close may wait for a shorter time than its thread takes."""
    deadline = monotonic() + DEADLINE_SECONDS
    while threads_of_delivery() and monotonic() < deadline:
        handler.close()
    handler.close()


def compare(logged: list[str], ledger: Ledger, stats) -> None:
    arrived = ledger.arrived
    dropped = sum(stats.dropped.values())
    copies = arrived.total() - len(arrived)
    assert arrived.keys() <= set(logged)
    # One that was stored, and of which no answer came, may have been refused when it was sent again.
    arrived_and_dropped = dropped - (len(logged) - len(arrived))
    assert arrived_and_dropped >= 0, f'{-arrived_and_dropped} are missing: {stats}'
    assert copies + arrived_and_dropped <= ledger.untold.total() <= stats.uncertain
    assert set(stats.dropped) <= {'overflow', 'refused'}


@settings(max_examples=150, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=25), options=OPTIONS)
def test_in_memory_every_event_has_one_fate(actions, options):
    """Also at the bound, and with a handler that is closed and used again."""
    live(actions, **options)


@pytest.mark.skipif(sys.platform == 'win32', reason='there is no spool on disk on Windows')
@settings(max_examples=150, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=25), options=OPTIONS)
def test_on_disk_every_event_has_one_fate(actions, options):
    """As in memory; and in the end no file is left."""
    with tempfile.TemporaryDirectory() as folder:
        live(actions, spool_dir=folder, **options)
        assert not list(Path(folder).rglob('*.spool'))
