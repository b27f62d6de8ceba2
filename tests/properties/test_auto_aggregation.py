"""Whatever happens when, no record has many events unless the stream has taken that at some time of the last hour."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from descriptions import DESCRIPTIONS
from firefighter._delivery.auto_aggregation import IN_FORCE_SECONDS, AutoAggregation
from firefighter._delivery.spool_source import SpoolSource
from firefighter._process.waiting import Wakeup
from firefighter._spool.spool import Spool

TAKES_MANY = DESCRIPTIONS['s3']
ANSWERS = [TAKES_MANY, TAKES_MANY, DESCRIPTIONS['opensearch'], TimeoutError(), ValueError(), {}]


class World:
    """A stream that is changed now and then, and processes of one directory, or without one."""

    finding = None

    def __init__(self, processes, *, share):
        self.now, self.wall = 0.0, 1.7e9
        self.answer = TAKES_MANY
        # When the stream was last one that takes many.
        self.took_many_at = 0.0
        self.processes = [Process(self, shared=self if share else None) for _ in range(processes)]

    def read(self):
        return self.finding

    def write(self, finding):
        self.finding = finding

    def pass_time(self, seconds, jump):
        self.now += seconds
        self.wall += seconds + jump
        self.note_stream()

    def change(self, answer):
        self.note_stream()
        self.answer = answer
        self.note_stream()

    def note_stream(self):
        if self.answer is TAKES_MANY:
            self.took_many_at = self.now


class Process:
    def __init__(self, world, shared):
        self.world, self.threads, self.may_ask, self.logged, self.sent = world, [], True, 0, []
        self.source = SpoolSource(Spool(1 << 20, 'drop_newest'), Wakeup())
        self.auto = AutoAggregation(
            'bar',
            self.source,
            describe=self.describe,
            may_ask=lambda: self.may_ask,
            start_thread=self.threads.append,
            shared=shared,
            say=lambda _: None,
            max_events=None,
            clock=lambda: world.now,
            wall_clock=lambda: world.wall,
            jitter=lambda: 0.3,
        )

    def describe(self):
        if isinstance(self.world.answer, Exception):
            raise self.world.answer
        return self.world.answer

    def log(self, _):
        self.source.spool.append(b'%d\n' % self.logged)
        self.logged += 1

    def step(self, _):
        asking = bool(self.threads)
        self.auto.step()
        assert len(self.threads) <= 1
        assert not asking or len(self.threads) == 1
        assert self.auto.seconds_until_step() >= 0.0

    def answer(self, _):
        for thread in self.threads:
            thread()
        self.threads.clear()

    def ask(self, _):
        """All of a question but its answer, which hardly comes about otherwise."""
        self.log(None)
        self.step(None)
        self.world.pass_time(90.0, 0.0)
        self.step(None)

    def allow(self, may_ask):
        self.may_ask = may_ask

    def deliver(self, _):
        self.step(None)
        taken = []
        self.source.take(500, 1 << 20, taken)
        if any(record.events > 1 for record in taken):
            assert self.world.now - self.world.took_many_at < IN_FORCE_SECONDS
        self.sent += [record.data for record in taken]
        self.source.acknowledge(taken)


ACTS = st.tuples(
    st.integers(0, 2),
    st.sampled_from(['log', 'log', 'step', 'ask', 'answer', 'deliver', 'deliver']),
    st.none(),
) | st.tuples(st.integers(0, 2), st.just('allow'), st.booleans())
TIMES = st.tuples(
    st.just('time'), st.floats(0, 2000) | st.floats(0, 100), st.just(0.0) | st.floats(-9000, 9000)
)
CHANGES = st.tuples(st.just('change'), st.sampled_from(ANSWERS))


@given(share=st.booleans(), program=st.lists(ACTS | TIMES | CHANGES, max_size=120))
def test_no_record_has_many_events_an_hour_after_the_stream_took_them_last(share, program) -> None:
    """With hanging questions, clocks that jump (of a process by itself), findings of others; and each event goes once, in its order."""
    world = World(3, share=share)
    for act in program:
        if act[0] == 'time':
            world.pass_time(act[1], 0.0 if share else act[2])
        elif act[0] == 'change':
            world.change(act[1])
        else:
            getattr(world.processes[act[0]], act[1])(act[2])
    for process in world.processes:
        process.deliver(None)
        process.deliver(None)
        assert b''.join(process.sent) == b''.join(b'%d\n' % number for number in range(process.logged))
