"""The spool against a model that a list could hold: whatever is done to it, in whatever order."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from depth import depth
from firefighter._spool.spool import MIN_SPOOL_BYTES, Spool

pytestmark = pytest.mark.once

POLICIES = st.sampled_from(['drop_oldest', 'drop_newest', 'block'])
# From a few bytes to more than a segment of the smallest spool, and more than that spool.
SIZES = st.one_of(st.integers(1, 300), st.integers(3_000, 20_000), st.just(MIN_SPOOL_BYTES + 1))


class SpoolMachine(RuleBasedStateMachine):
    """Appends, takes, acknowledges and drops, and compares with what should be there."""

    @initialize(policy=POLICIES, max_bytes=st.integers(MIN_SPOOL_BYTES, 8 * MIN_SPOOL_BYTES))
    def begin(self, policy, max_bytes):
        self.max_bytes = max_bytes
        self.spool = Spool(max_bytes, policy, block_timeout_seconds=0)
        self.policy = policy
        self.appended = 0
        self.waiting: deque[bytes] = deque()
        self.taken: list = []
        self.delivered = 0
        self.dropped = {}

    def lose(self, reason, events):
        if events:
            self.dropped[reason] = self.dropped.get(reason, 0) + events

    @rule(size=SIZES)
    def append(self, size):
        line = (b'%d ' % self.appended).ljust(size - 1, b'x') + b'\n'
        self.appended += 1
        before, sequence = self.spool.account(), self.spool.appended
        self.spool.append(line)
        after = self.spool.account()
        lost = after.dropped.get('overflow', 0) - before.dropped.get('overflow', 0)
        self.lose('overflow', lost)
        if self.spool.appended == sequence:
            assert lost >= 1  # the new event itself gave way
            return
        assert self.policy == 'drop_oldest' or not lost
        # What drop_oldest takes is the oldest that delivery has not begun with; which, taking will tell.
        self.waiting.append(line)
        self.last = line

    @rule(events=st.integers(2, 6))
    def fill_segments(self, events):
        for _ in range(events):
            self.append(9_000)

    @rule(events=st.integers(0, 50), size_bytes=st.integers(0, 100_000))
    def take(self, events, size_bytes):
        taken = self.spool.take(events, size_bytes)
        assert len(taken) <= events
        assert sum(len(event.data) for event in taken) <= size_bytes
        for event in taken:
            while self.waiting and self.waiting[0] != event.data:
                self.waiting.popleft()  # dropped as the oldest
            assert self.waiting, f'{event.data[:20]!r} is not what waits'
            self.waiting.popleft()
        self.taken += taken

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def settle_some(self, data):
        chosen = data.draw(st.lists(st.sampled_from(range(len(self.taken))), unique=True, min_size=1))
        events = [self.taken[index] for index in sorted(chosen)]
        self.taken = [event for index, event in enumerate(self.taken) if index not in chosen]
        if data.draw(st.booleans()):
            self.spool.acknowledge(events[:])
            self.delivered += len(events)
        else:
            self.spool.drop(events[:], 'refused')
            self.lose('refused', len(events))

    @rule()
    def tidy(self):
        self.spool.tidy()

    @precondition(lambda self: self.taken)
    @rule()
    def settle_all(self):
        self.spool.acknowledge(self.taken[:])
        self.delivered += len(self.taken)
        self.taken = []

    @rule(more=st.integers(0, 100_000), events=st.integers(1, 20))
    def arm(self, more, events):
        waiting_events, waiting_bytes = self.spool.waiting()
        armed = self.spool.arm(more_bytes_than=more, events=events)
        assert armed == (waiting_bytes <= more and waiting_events < events)
        self.spool.disarm()

    @invariant()
    def the_account_adds_up(self):
        account = self.spool.account()
        assert account.accepted == self.appended
        assert account.delivered == self.delivered
        assert account.dropped == self.dropped
        assert account.accepted == account.delivered + sum(account.dropped.values()) + account.pending

    @invariant()
    def pending_is_what_can_be_found(self):
        """`pending` is a difference; this counts the events themselves."""
        events, _ = self.spool.waiting()
        assert self.spool.account().pending == events + len(self.taken)

    @invariant()
    def unsettled_is_what_is_pending(self):
        """What was taken and is not settled, and what waits, but for what was dropped as the oldest."""
        unsettled, following = self.spool.unsettled(0)
        assert following == self.spool.appended
        assert len(unsettled) == self.spool.account().pending
        taken = {event.data for event in self.taken}
        assert taken <= set(unsettled) <= taken | set(self.waiting)
        assert self.spool.unsettled(self.spool.settled_through)[0] == unsettled
        some = self.spool.unsettled(following - following // 3)[0]
        assert len(some) <= following // 3
        assert some == unsettled[len(unsettled) - len(some) :]
        assert (
            following < 1
            or unsettled[-1:] != [self.last]
            or self.spool.unsettled(following - 1)[0] == [self.last]
        )

    @invariant()
    def the_bound_holds(self):
        assert self.spool.allocated_bytes <= self.max_bytes

    @invariant()
    def the_head_is_behind_the_oldest_unsettled_event(self):
        if not self.taken and not self.spool.waiting()[0]:
            assert self.spool.settled_through == self.spool.appended
            assert self.spool.window_bytes == 0
        else:
            assert self.spool.settled_through < self.spool.appended

    def teardown(self):
        if not hasattr(self, 'spool'):
            return
        rest = self.spool.take(10**9, 10**9)
        self.spool.acknowledge(rest[:])
        self.spool.acknowledge(self.taken[:])
        assert self.spool.account().pending == 0


SpoolMachine.TestCase.settings = settings(max_examples=depth(20, 100), stateful_step_count=60, deadline=None)
TestSpoolAgainstItsModel = SpoolMachine.TestCase
