"""The spool that numbers its events: whatever is done to it, every gap that a reader sees is explained, and no other."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from depth import depth
from firefighter._audit.accounts import Accounts
from firefighter._event.ids import PLACE
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.spool_directory import LOOK_INTERVAL_SECONDS, SpoolDirectory
from firefighter._spool.numbered_spool import NumberedSpool
from firefighter._spool.spool import MIN_SPOOL_BYTES
from spool_files import let_die

# Many lives of a spool in one test: on a busy machine they add up to more than the suite's minute.
pytestmark = [pytest.mark.timeout(240), pytest.mark.once]

BAR = Destination('bar')
ENOUGH_BYTES = 1 << 30
POLICIES = st.sampled_from(['drop_oldest', 'drop_newest', 'block'])
MOST_BYTES = 4 * MIN_SPOOL_BYTES
# From next to nothing to more than a segment of the smallest spool, and more than any of these spools.
SIZES = st.one_of(
    st.integers(1, 300), st.integers(3_000, 20_000), st.sampled_from([MIN_SPOOL_BYTES + 1, MOST_BYTES])
)


class NumberedSpoolMachine(RuleBasedStateMachine):
    """One spool in memory, and what has been delivered of it."""

    @initialize(policy=POLICIES, max_bytes=st.integers(MIN_SPOOL_BYTES, MOST_BYTES))
    def begin(self, policy, max_bytes):
        self.spool = NumberedSpool(bytes(range(16)), max_bytes, policy, 0, uncounted=['disabled'])
        self.logged = 0
        self.taken: list = []
        self.delivered: list[bytes] = []
        self.without_number = 0

    @rule(size=SIZES)
    def append(self, size):
        self.logged += 1
        self.spool.append(b'{"x":"' + b'x' * size + b'"' + PLACE)

    @rule(events=st.integers(2, 12))
    def fill_segments(self, events):
        for _ in range(events):
            self.append(9_000)

    @rule(size=SIZES)
    def append_a_foreign_line(self, size):
        self.logged += 1
        before = self.spool.appended
        self.spool.append(b'x' * size + b'\n')
        self.without_number += self.spool.appended > before

    @rule(reason=st.sampled_from(['oversize', 'failed']))
    def reject(self, reason):
        self.logged += 1
        self.spool.reject(reason, 9)

    @rule()
    def reject_what_nobody_would_hear_of(self):
        self.logged += 1
        before = self.spool._next_number
        self.spool.reject('disabled', 0)
        assert self.spool._next_number == before

    @rule(events=st.integers(0, 50), size_bytes=st.integers(0, 100_000))
    def take(self, events, size_bytes):
        self.taken += self.spool.take(events, size_bytes)

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def settle_some(self, data):
        chosen = data.draw(st.lists(st.sampled_from(range(len(self.taken))), unique=True, min_size=1))
        events = [self.taken[index] for index in sorted(chosen)]
        self.taken = [event for index, event in enumerate(self.taken) if index not in chosen]
        if data.draw(st.booleans()):
            self.deliver(events)
        else:
            self.without_number -= sum(event.data.startswith(b'x') for event in events)
            self.spool.drop(events[:], 'refused')

    def deliver(self, events):
        self.spool.acknowledge(events[:])
        self.delivered += [event.data for event in events]

    @rule()
    def tidy(self):
        self.spool.tidy()
        self.spool.append_marker()

    @invariant()
    def the_account_adds_up(self):
        account = self.spool.account()
        assert account.accepted == self.logged + account.markers
        assert account.accepted == account.delivered + sum(account.dropped.values()) + account.pending

    def teardown(self):
        """Deliver the rest, and audit it."""
        if not hasattr(self, 'spool'):
            return
        self.deliver(self.taken)
        self.spool.append_marker()
        while rest := self.spool.take(10**9, 10**9):
            self.deliver(rest)
            self.spool.append_marker()
        assert not self.spool._unreported_drops, 'not told, with all the room there is'
        accounts = Accounts()
        for line in self.delivered:
            accounts.take(line)
        totals = accounts.totals()
        account = self.spool.account()
        assert (totals.unexplained, totals.duplicates) == (0, 0)
        assert totals.events + accounts.not_json == account.delivered == len(self.delivered)
        assert totals.markers <= account.markers
        # Every number is there or explained; those of foreign lines that were dropped as such are explained too.
        missing = sum(totals.explained.values())
        counted = sum(events for reason, events in account.dropped.items() if reason != 'disabled')
        assert totals.events + missing == self.spool._next_number
        assert missing <= counted


NumberedSpoolMachine.TestCase.settings = settings(
    max_examples=depth(20, 100), stateful_step_count=60, deadline=None
)
TestNumberedSpool = NumberedSpoolMachine.TestCase


class Process:
    """A producer with its spool on disk, as one process has it."""

    def __init__(self, spool_dir, number, policy):
        self.id = bytes([number]) * 16
        self.spool = NumberedSpool(self.id, MIN_SPOOL_BYTES, policy, 0)
        self.disk = SpoolDirectory(spool_dir, BAR, 2 * MIN_SPOOL_BYTES, ENOUGH_BYTES, self.id)
        self.disk.open(self.spool)
        self.now = 0.0

    def look(self):
        self.now += LOOK_INTERVAL_SECONDS
        assert self.disk.tidy(self.spool, self.now) is None

    def die(self):
        let_die(self.disk.store.directory)
        for directory in self.disk._adoption.directories:
            directory.release()


class NumberedDiskMachine(RuleBasedStateMachine):
    """Processes that log, deliver, die, inherit and give up what they inherit, in one directory."""

    @initialize(policy=st.sampled_from(['drop_oldest', 'drop_newest']))
    def begin(self, policy):
        self.root = Path(tempfile.mkdtemp(prefix='firefighter-model-'))
        self.policy = policy
        self.started = 0
        self.delivered: list[bytes] = []
        # What the dead have dropped and had no room to tell of: that nobody can tell of any more.
        self.untold: list = []
        self.processes = [self.start()]

    def start(self):
        self.started += 1
        return Process(self.root / 'spool', self.started, self.policy)

    def pick(self, data):
        return data.draw(st.sampled_from(self.processes))

    @rule(
        data=st.data(),
        size=st.one_of(st.integers(1, 300), st.integers(3_000, 20_000)),
        times=st.integers(1, 12),
    )
    def append(self, data, size, times):
        process = self.pick(data)
        for _ in range(times):
            process.spool.append(b'{"x":"' + b'x' * size + b'"' + PLACE)

    @rule(
        data=st.data(),
        events=st.integers(1, 30),
        size_bytes=st.integers(1_000, 200_000),
        refused=st.booleans(),
    )
    def deliver(self, data, events, size_bytes, refused):
        process = self.pick(data)
        taken = process.spool.take(events, size_bytes)
        if refused:
            process.spool.drop(taken[:1], 'refused')
            taken = taken[1:]
        self.delivered += [event.data for event in taken]
        process.spool.acknowledge(taken[:])
        process.spool.append_marker()

    @rule(data=st.data())
    def look_for_orphans(self, data):
        self.pick(data).look()

    @rule(data=st.data())
    def give_up_an_orphan(self, data):
        self.pick(data).spool.drop_oldest_adopted()

    @precondition(lambda self: len(self.processes) < 3)
    @rule()
    def another_process_starts(self):
        self.processes.append(self.start())

    @rule(data=st.data())
    def crash(self, data):
        self.bury(self.pick(data))
        if not self.processes:
            self.processes.append(self.start())

    def bury(self, process):
        process.spool.append_marker()
        self.untold += process.spool._unreported_drops
        process.die()
        self.processes.remove(process)

    def teardown(self):
        """An heir delivers all that is left, and an audit explains all gaps."""
        if not hasattr(self, 'processes'):
            return
        try:
            for process in list(self.processes):
                self.bury(process)
            heir = self.start()
            self.processes.append(heir)
            heir.look()
            while events := heir.spool.take(10**9, 10**9):
                self.delivered += [event.data for event in events]
                heir.spool.acknowledge(events[:])
                heir.spool.append_marker()
                heir.look()
            accounts = Accounts()
            for line in self.delivered:
                accounts.take(line)
            untold = {
                (whose, number) for whose, first, last, _ in self.untold for number in range(first, last + 1)
            }
            for account in accounts:
                unexplained = {
                    (account.producer, number)
                    for first, last in account.gaps
                    for number in range(first, last + 1)
                }
                assert unexplained <= untold
            assert accounts.totals().duplicates == 0
        finally:
            for process in self.processes:
                process.die()
            shutil.rmtree(self.root)


NumberedDiskMachine.TestCase.settings = settings(
    max_examples=depth(10, 60), stateful_step_count=40, deadline=None
)
TestNumberedSpoolOnDisk = NumberedDiskMachine.TestCase
