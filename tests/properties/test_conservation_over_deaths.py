"""P1, P2 and P5 over generated lives that end in death: each next process of the destination adopts what the last one left.

A life is a real process, which does what a script says and then is gone at once, wherever its delivery is. The last one,
in this process, delivers everything.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if sys.platform == 'win32':
    pytest.skip('there is no spool on disk on Windows', allow_module_level=True)

from arrivals import deliver_everything
from crash.harness import Nursery, Process
from depth import depth
from firefighter._delivery.limits import MAX_RECORDS
from firefighter._spool.spool import MIN_SPOOL_BYTES
from firefighter.logging import FirehoseHandler
from lives import Ledger, Life
from scripted_client import MOODS, ScriptedClient

pytestmark = [pytest.mark.usefixtures('short_pauses'), pytest.mark.once]

SIZES = st.sampled_from([0, 0, 100, 900, 9_000])
# What is refused is dropped by the delivery thread, which a dying process can no longer tell.
MOOD = st.sampled_from(sorted(MOODS.keys() - {'invalid'}))
ACTIONS = st.one_of(
    st.tuples(st.just('log'), st.integers(1, 60), SIZES),
    st.tuples(st.just('log'), st.integers(1, 60), SIZES),
    st.tuples(st.just('log'), st.just(MAX_RECORDS * 3), st.just(0)),
    st.tuples(st.just('answers'), st.lists(MOOD, min_size=1, max_size=6)),
    st.tuples(st.just('flush'), st.sampled_from([0.0, 0.0, 0.02])),
    st.tuples(st.just('close')),
)
OPTIONS = st.fixed_dictionaries(
    {
        'max_spool_bytes': st.sampled_from([MIN_SPOOL_BYTES, None]),
        'overflow': st.sampled_from(['drop_oldest', 'drop_newest']),
        'shutdown_timeout_seconds': st.sampled_from([0, 0.02]),
        'max_in_flight': st.sampled_from([1, 4]),
        'send_interval': st.sampled_from([0, 60]),
    }
)


@pytest.fixture(scope='module')
def nursery(tmp_path_factory):
    with Nursery(tmp_path_factory.mktemp('nursery') / 'complaints') as started:
        yield started


def live_and_die(nursery, folder, name, actions, options):
    """Return what a process says of itself at its end."""
    settings_of_life = {
        'start': 'life',
        'name': name,
        'handler': {'spool_dir': str(folder / 'spool'), **options},
        'script': actions,
        'ledger': str(folder / f'{name}ledger'),
    }
    process = Process(nursery, settings_of_life)
    process.read_to_the_end()
    process.reap()
    return json.loads(process.output)


def read_ledger(path, ledger):
    """Add to a ledger what a dead process has had stored: of its last request perhaps a part, as Firehose might."""
    written = path.read_bytes()
    for line in written[: written.rfind(b'\n') + 1].splitlines():
        ledger.store([line[1:]], line.startswith(b'+'))


@settings(max_examples=depth(8, 30), deadline=None)
@given(
    lives=st.lists(st.tuples(st.lists(ACTIONS, max_size=8), OPTIONS), min_size=1, max_size=4),
    last_moods=st.lists(MOOD, max_size=4),
)
def test_whoever_dies_and_adopts_every_event_has_one_fate(nursery, lives, last_moods):
    """Nothing is missing; a copy comes from an answer that was lost, or from a death with the event in flight."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dead = [
            live_and_die(nursery, folder, f'{number}.', actions, options)
            for number, (actions, options) in enumerate(lives)
        ]
        ledger = Ledger()
        for path in folder.glob('*.ledger'):
            read_ledger(path, ledger)
        client = ScriptedClient(ledger.store)
        handler = FirehoseHandler('bar', boto3_client=client, spool_dir=folder / 'spool')
        heir = Life(handler, client.follow, 'heir.')
        try:
            heir.answers(last_moods)
            heir.log(1, 0)
            stats = deliver_everything(handler)
        finally:
            handler.close()
        left = list((folder / 'spool').rglob('*.spool'))
    assert all(account['adds up'] and account['backing'] == 'disk' for account in dead)
    assert [account['accepted'] for account in dead] == [len(account['logged']) for account in dead]
    logged = [event for account in dead for event in account['logged']] + heir.logged
    dropped = sum((Counter(account['dropped']) for account in dead), Counter())
    assert set(dropped) <= {'overflow'}
    assert ledger.arrived.keys() <= set(logged)
    assert len(ledger.arrived) == len(logged) - dropped.total()
    assert (stats.accepted, stats.dropped, stats.quarantined_bytes) == (1, {}, 0)
    assert stats.delivered == 1 + stats.adopted
    assert left == []
    for number, account in enumerate(dead):
        deaths = len(dead) - number
        assert all(ledger.told[event] <= 1 + deaths for event in account['logged'])
    assert ledger.told[heir.logged[0]] == 1
