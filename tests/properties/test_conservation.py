"""P1 over generated lives: whatever is logged, answered, flushed, closed and opened again, each event has one fate.

`accepted + adopted == delivered + dropped + pending` at every moment; in the end nothing is pending, and what arrived is
what was accepted less what was dropped with a reason.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrivals import adds_up, deliver_everything, messages_in
from depth import depth
from doubles import DEADLINE_SECONDS
from firefighter._audit.accounts import Accounts
from firefighter._delivery.limits import MAX_RECORDS
from firefighter._handler.lifecycle import State
from firefighter._spool.spool import MIN_SPOOL_BYTES
from firefighter.local import LocalFirehose
from firefighter.local.catalogue import CATALOGUE
from firefighter.logging import FirehoseHandler
from firefighter.stats import Stats
from lives import Ledger, Life
from scripted_client import MOODS, ScriptedClient

# Many lives in one test, each with its pauses; on a busy machine they add up to more than the suite's minute.
pytestmark = [pytest.mark.usefixtures('short_pauses'), pytest.mark.timeout(240)]

EXAMPLES = depth(6, 16)
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
# Without what takes a whole time-out, and what goes on until somebody acts.
FAULT = st.sampled_from(sorted(CATALOGUE.keys() - {'no-answer', 'expired-key'}))
HTTP_PARAMETERS = {name: {'seconds': 0.02} for name in ('slow', 'dribble', 'refused')}
HTTP_ACTIONS = st.one_of(
    st.tuples(st.just('log'), st.integers(1, 60), SIZES),
    st.tuples(st.just('log poison'), st.integers(1, 2)),
    st.tuples(st.just('answers'), st.lists(FAULT, min_size=1, max_size=4)),
    st.tuples(st.just('flush'), st.sampled_from([0.0, 0.02, 0.5])),
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


@contextmanager
def watched(handler: FirehoseHandler) -> Iterator[None]:
    watcher = Watcher(handler)
    watcher.start()
    try:
        yield
    finally:
        watcher.stop()
    assert not watcher.wrong, watcher.wrong[0]


def live(life: Life, actions, calm_down) -> Stats:
    """Live a life to its end; return the account, in which nothing is pending any more."""
    try:
        with watched(life.handler):
            for action in actions:
                life.act(*action)
                stats = life.handler.stats()
                assert adds_up(stats), stats
                assert stats.accepted - stats.markers == len(life.logged)
            calm_down()
            # What is refused alone is dropped only where something else is accepted after that.
            deadline = monotonic() + DEADLINE_SECONDS
            life.log(1, 0)
            while not life.handler.flush(1) and monotonic() < deadline:
                life.log(1, 0)
            deliver_everything(life.handler)
    finally:
        calm_down()
        close_to_the_end(life.handler)
    # Afterwards: even then a marker may tell of what was dropped last.
    return life.handler.stats()


def live_by_script(actions, **options) -> None:
    """Live a life with a scripted client, and compare."""
    ledger = Ledger()
    client = ScriptedClient(ledger.store)
    life = Life(FirehoseHandler('bar', boto3_client=client, **options), client.follow)
    stats = live(life, actions, client.calm_down)
    assert compare(life.logged, ledger.arrived, stats) <= ledger.untold.total() <= stats.uncertain


def close_to_the_end(handler: FirehoseHandler) -> None:
    """Close, until nothing is left to close: one close may wait for a shorter time than its thread takes."""
    deadline = monotonic() + DEADLINE_SECONDS
    while handler._pipeline.lifecycle.state is not State.CLOSED and monotonic() < deadline:
        handler.close()


def compare(logged: list[str], arrived: Counter[str], stats: Stats) -> int:
    """Hold what arrived against the account; return how many arrived although nobody knew that they would."""
    dropped = sum(stats.dropped.values())
    copies = arrived.total() - len(arrived)
    # One that was stored, and of which no answer came, may have been refused when it was sent again.
    arrived_and_dropped = dropped - (len(logged) - len(arrived))
    assert arrived.keys() <= set(logged)
    assert arrived_and_dropped >= 0, f'{-arrived_and_dropped} are missing: {stats}'
    assert set(stats.dropped) <= {'overflow', 'refused'}
    return copies + arrived_and_dropped


@settings(max_examples=EXAMPLES, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=25), options=OPTIONS)
def test_in_memory_every_event_has_one_fate(actions, options):
    """Also at the bound, and with a handler that is closed and used again."""
    live_by_script(actions, **options)


@pytest.mark.skipif(sys.platform == 'win32', reason='there is no spool on disk on Windows')
@settings(max_examples=EXAMPLES, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=25), options=OPTIONS)
def test_on_disk_every_event_has_one_fate(actions, options):
    """As in memory; and in the end no file is left."""
    with tempfile.TemporaryDirectory() as folder:
        live_by_script(actions, spool_dir=folder, **options)
        assert not list(Path(folder).rglob('*.spool'))


@pytest.mark.parametrize('place', ['memory', 'disk'])
@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=25), options=OPTIONS)
def test_numbered_no_gap_is_unexplained(place, actions, options):
    """What arrived proves it by itself: of each number there is the event, or a marker that says why not."""
    if place == 'disk' and sys.platform == 'win32':
        pytest.skip('there is no spool on disk on Windows')
    ledger, audit = Ledger(), Accounts()
    client = ScriptedClient(ledger.store)
    with tempfile.TemporaryDirectory() as folder:
        where = {'spool_dir': folder} if place == 'disk' else {}
        handler = FirehoseHandler('bar', boto3_client=client, event_ids=True, **where, **options)
        stats = live(Life(handler, client.follow), actions, client.calm_down)
    for line in ledger.lines:
        audit.take(line)
    totals = audit.totals()
    explained = sum(totals.explained.values())
    assert (totals.producers, totals.unexplained, totals.without_id) == (1, 0, 0)
    assert totals.events + explained == stats.accepted
    assert explained <= sum(stats.dropped.values())
    assert totals.duplicates <= ledger.untold.total() <= stats.uncertain
    assert set(totals.explained) <= {'overflow', 'refused'}


@settings(max_examples=depth(5, 20), deadline=None)
@given(actions=st.lists(HTTP_ACTIONS, max_size=12), options=OPTIONS)
def test_over_http_every_event_has_one_fate(actions, options):
    """The same with the handler's own client, and faults of the local endpoint: one for each request, in turn."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalFirehose(folder, streams=['bar'], buffer_seconds=900) as endpoint,
    ):
        handler = FirehoseHandler('bar', endpoint_url=endpoint.url, **options)
        life = Life(handler, lambda names: inject_in_turn(endpoint, names))
        stats = live(life, actions, endpoint.clear_faults)
        endpoint.flush()
        arrived = messages_in(endpoint.folder)
    assert compare(life.logged, arrived, stats) <= stats.uncertain


def inject_in_turn(endpoint: LocalFirehose, names: list[str]) -> None:
    for number, name in enumerate(names):
        endpoint.inject(name, skip=number, times=1, **HTTP_PARAMETERS.get(name, {}))
