"""What does the delivery loop send, when, and what again: with a clock that is handed in."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from math import inf

import pytest

from doubles import Drops, ManualClock
from firefighter._delivery.aggregation import Aggregation
from firefighter._delivery.diagnostics import Diagnostics
from firefighter._delivery.due import Rules
from firefighter._delivery.hooks import DeadLetters, DropReports
from firefighter._delivery.limits import BILLED_BYTES
from firefighter._delivery.outcomes import Answer, Outcome
from firefighter._delivery.pace import FAILURE, FREE_REFUSALS, MISCONFIGURATION
from firefighter._delivery.sender import Sender, Traffic
from firefighter._delivery.spool_source import SpoolSource
from firefighter._process.waiting import Wakeup
from firefighter._spool.spool import Spool

ACCEPTED, RETRY, THROTTLED, REFUSED, MISCONFIGURED = Outcome


class ScriptedTransport:
    """Answers by script, each request in turn; when the script is at its end, as `answers` says.

    Attributes:
        requests: the time and the data of each request.
    """

    def __init__(self, clock: ManualClock) -> None:
        self.requests: list[tuple[float, list[bytes]]] = []
        self.script: list[Sequence[Outcome]] = []
        self.during: Callable[[], None] = lambda: None
        self.answers: Callable[[Sequence[bytes]], Sequence[Outcome]] = lambda data: [ACCEPTED] * len(data)
        self._clock = clock

    def put(self, stream: str, records: Sequence[bytes]) -> Answer:
        self.requests.append((self._clock.now, list(records)))
        self.during()
        outcomes = self.script.pop(0) if self.script else self.answers(records)
        failed = any(outcome is not ACCEPTED for outcome in outcomes)
        return Answer(outcomes, *(('Cause', 'Cause: said so') if failed else ()))


class Letters(list[tuple[bytes, str]]):
    """An `on_dead_letter` hook that remembers what it was told."""

    def __call__(self, event: bytes, reason: str) -> None:
        self.append((event, reason))


class Loop:
    """A sender, its spool and its clock; `step` does what the delivery thread does between two waits.

    The source's wait returns at once, and notes how long it was to be.
    """

    def __init__(self, rules: Rules, jitter: float = 1.0, aggregation: Aggregation | None = None) -> None:
        self.clock = ManualClock()
        self.transport = ScriptedTransport(self.clock)
        self.traffic = Traffic()
        self.rules = rules
        self.spool = Spool(16 * 1024 * 1024)
        self.waits: list[float] = []
        self.letters = Letters()
        self.leisure: list[float] = []
        self.source = SpoolSource(self.spool, Wakeup(), aggregation=aggregation)
        self.source.wait = self._note_wait
        self.sender = Sender(
            self.source,
            self.transport,
            'bar',
            rules=lambda: self.rules,
            traffic=self.traffic,
            drops=DropReports(Drops(), lambda: ({}, {}), self.clock),
            dead_letters=DeadLetters(self.letters, None, Diagnostics(self.clock)),
            diagnostics=Diagnostics(self.clock),
            once_idle=lambda: self.leisure.append(self.clock.now),
            clock=self.clock,
            jitter=lambda: jitter,
        )

    def _note_wait(self, timeout_seconds: float, *, more_bytes_than: int, events: int) -> bool:
        self.waits.append(timeout_seconds)
        return False

    def step(self, seconds: float = 0.0) -> None:
        """Let so much time pass, and have the loop look once."""
        self.clock.advance(seconds)
        self.sender.cycle()

    def append(self, *lines: bytes) -> None:
        for line in lines:
            self.spool.append(line)

    @property
    def sent(self) -> list[list[bytes]]:
        return [data for _, data in self.transport.requests]


@pytest.fixture
def loop() -> Loop:
    """A loop under the documented rules."""
    return Loop(Rules(5120, 500, 60.0, 1.0))


@pytest.fixture
def aggregating() -> Loop:
    """A loop under the rules for aggregates."""
    return Loop(Rules(64 * 1024, 500, 60.0, 1.0), aggregation=Aggregation())


def test_what_is_over_a_billing_unit_waits_for_company_in_its_own_time(aggregating) -> None:
    """Since the last batch, that is, and not since the first event that the spool ever waited with."""
    loop = aggregating
    event = b'x' * 255 + b'\n'
    loop.append(*[event] * 230)
    loop.step()
    loop.append(*[event] * 35)
    loop.step(50)
    assert [[len(record) for record in data] for data in loop.sent] == [[13 * BILLED_BYTES]]
    loop.append(*[event] * 256)
    loop.step(2)
    assert [len(record) for record in loop.sent[1]] == [13 * BILLED_BYTES]
    loop.step(57)
    assert len(loop.sent) == 2
    loop.step(1)
    assert [len(record) for record in loop.sent[2]] == [len(event)]


def test_somebody_who_waits_has_all_of_it_sent(aggregating) -> None:
    """A flush leaves nothing behind for company."""
    loop = aggregating
    loop.append(*[b'x' * 99 + b'\n'] * 1_000)
    loop.source.flush()
    loop.step()
    assert [[len(record) for record in data] for data in loop.sent] == [[100_000]]


def test_there_is_leisure_once_when_something_was_accepted_and_nothing_is_due(loop) -> None:
    """Not before the first request, whose client may not even be made, nor a moment before the next."""
    loop.step()
    loop.append(b'one\n')
    loop.step()
    loop.step(59.9)
    assert loop.leisure == []
    loop.step(0.1)
    assert (len(loop.sent), loop.leisure) == (1, [])
    loop.append(b'two\n')
    loop.step(59.8)
    assert loop.leisure == []
    loop.step(0.2)
    for _ in range(3):
        loop.step()
    assert (len(loop.sent), len(loop.leisure)) == (2, 1)


def test_there_is_no_leisure_while_something_is_to_be_sent_again(loop) -> None:
    """An endpoint that fails may leave the question without an answer, and the events would wait for it."""
    loop.transport.script = [[ACCEPTED], [RETRY], [RETRY], [RETRY]]
    loop.transport.during = lambda: loop.append(b'two\n') if len(loop.sent) == 1 else None
    loop.append(b'one\n')
    loop.source.flush()
    loop.step()
    loop.source.flush()
    while len(loop.sent) < 4:
        loop.step(0.1)
    loop.step()
    assert loop.leisure == []
    assert loop.waits[-1] >= 0.5
    loop.step(60)
    loop.step()
    assert (len(loop.sent), len(loop.leisure)) == (5, 1)


def test_an_event_waits_for_company_until_the_interval(loop) -> None:
    """Nothing goes before `send_interval`, then all that has queued."""
    loop.step()
    loop.append(b'one\n')
    loop.step()
    loop.append(b'two\n')
    loop.step(59)
    assert loop.sent == []
    loop.step(1)
    assert loop.sent == [[b'one\n', b'two\n']]


def test_a_due_batch_takes_everything_that_has_queued(loop) -> None:
    """On the handler's spool the numbers say when, not how much."""
    events = [b'x' * 999 + b'\n'] * 100
    loop.append(*events)
    loop.step()
    assert loop.sent == [events]


def test_a_request_takes_no_more_than_the_service_allows(loop) -> None:
    """500 records."""
    loop.append(*[b'x\n'] * 1200)
    loop.step()
    loop.step()
    assert [len(data) for data in loop.sent] == [500, 500]
    loop.source.flush()
    loop.step()
    assert [len(data) for data in loop.sent] == [500, 500, 200]


def test_by_size_a_request_starts_at_most_once_a_second(loop) -> None:
    """What becomes due within the second after a request goes at its end."""
    loop.append(b'x' * 6000 + b'\n')
    loop.step()
    for _ in range(5):
        loop.append(b'y' * 6000 + b'\n')
        loop.step(0.125)
    assert len(loop.sent) == 1
    loop.step(0.375)
    assert [len(data) for data in loop.sent] == [1, 5]


def test_a_full_request_does_not_wait_for_the_second(loop) -> None:
    """1 MiB, or 500 records, go at once."""
    loop.append(b'x' * 6000 + b'\n')
    loop.step()
    loop.append(*[b'y' * 100_000 + b'\n'] * 11)
    loop.step()
    loop.append(*[b'z\n'] * 500)
    loop.step()
    assert [len(data) for data in loop.sent] == [1, 11, 500]
    assert {at for at, _ in loop.transport.requests} == {loop.clock.now}


def test_while_one_request_is_on_its_way_the_next_one_grows(loop) -> None:
    """Group commit: what is queued during a request goes with the next, in one."""
    loop.append(b'x' * 6000 + b'\n')
    loop.transport.during = lambda: loop.append(*[b'y' * 600 + b'\n'] * 10)
    loop.step()
    loop.transport.during = lambda: None
    loop.step(1)
    assert [len(data) for data in loop.sent] == [1, 10]


def test_exactly_the_failed_entries_are_sent_again(loop) -> None:
    """The accepted ones are not; what has queued meanwhile goes along, behind them."""
    loop.append(b'one\n', b'two\n', b'three\n')
    loop.source.flush()
    loop.transport.script = [[ACCEPTED, RETRY, ACCEPTED]]
    loop.step()
    loop.append(b'four\n')
    loop.step(FAILURE.base_seconds)
    assert loop.sent == [[b'one\n', b'two\n', b'three\n'], [b'two\n', b'four\n']]
    account = loop.spool.account()
    assert (account.delivered, account.pending) == (4, 0)
    assert (loop.traffic.requests, loop.traffic.records, loop.traffic.retried) == (2, 5, 1)


def test_a_failed_request_is_repeated_after_its_backoff_and_not_before(loop) -> None:
    """Each further failure doubles the range of the pause."""
    loop.append(b'one\n')
    loop.source.flush()
    loop.transport.script = [[RETRY]] * 4
    loop.step()
    start = loop.clock.now
    for _ in range(200):
        loop.step(0.125)
    assert [at - start for at, _ in loop.transport.requests] == [0, 0.25, 0.75, 1.75, 3.75]


def test_full_jitter_may_repeat_at_once(loop) -> None:
    """The range of the pause begins at zero."""
    loop = Loop(loop.rules, jitter=0.0)
    loop.append(b'one\n')
    loop.source.flush()
    loop.transport.script = [[RETRY]] * 3
    for _ in range(4):
        loop.step()
    assert len(loop.sent) == 4


def test_progress_begins_the_backoff_anew(loop) -> None:
    """A request of which anything was accepted is the first failure again."""
    loop.append(b'one\n', b'two\n')
    loop.source.flush()
    loop.transport.script = [[RETRY, RETRY], [RETRY, RETRY], [RETRY, RETRY], [ACCEPTED, RETRY]]
    start = loop.clock.now
    for _ in range(400):
        loop.step(0.125)
    times = [at - start for at, _ in loop.transport.requests]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == [0.25, 0.5, 1.0, 0.25]


def test_a_misconfiguration_is_retried_slowly(loop) -> None:
    """Someone has to act: the first pause is up to five seconds."""
    loop.append(b'one\n')
    loop.source.flush()
    loop.transport.script = [[MISCONFIGURED]]
    loop.step()
    loop.step(MISCONFIGURATION.base_seconds - 0.25)
    assert len(loop.sent) == 1
    loop.step(0.25)
    assert len(loop.sent) == 2


def test_a_flush_tries_at_once_what_waits_for_its_retry(loop) -> None:
    """FLUSH is queued: now, also within a pause."""
    loop.append(b'one\n')
    loop.source.flush()
    loop.transport.script = [[MISCONFIGURED]]
    loop.step()
    loop.source.flush()
    loop.step()
    assert len(loop.sent) == 2


def test_while_somebody_waits_failures_are_repeated_within_a_second(loop) -> None:
    """The pause that an outage has grown to would be longer than the wait."""
    loop.append(b'one\n')
    loop.source.flush()
    loop.transport.script = [[RETRY]] * 100
    for _ in range(300):
        loop.step(1)
    before = len(loop.sent)
    loop.sender.limit_pauses_until(loop.clock.now + 10.5)
    loop.source.flush()
    for _ in range(10):
        loop.step(1)
    assert len(loop.sent) - before == 10
    for _ in range(60):
        loop.step(1)
    assert len(loop.sent) - before <= 13


def test_what_the_service_refuses_is_dropped_counted_and_not_repeated(loop) -> None:
    """The same again would be refused again; the others are not lost for it."""
    loop.append(b'one\n', b'two\n')
    loop.source.flush()
    loop.transport.script = [[REFUSED, ACCEPTED]]
    loop.step()
    loop.step(100)
    account = loop.spool.account()
    assert (account.delivered, account.dropped, account.pending) == (1, {'refused': 1}, 0)
    assert account.dropped_bytes == {'refused': 4}
    assert len(loop.sent) == 1


def test_what_is_refused_alone_is_kept_until_it_is_refused_after_another_was_accepted(loop) -> None:
    """A stream that takes nothing says the same of every event, until it is mended: then none is to be lost."""
    loop.append(b'one\n')
    loop.source.flush()
    loop.transport.script = [[REFUSED], [REFUSED, REFUSED], [REFUSED], [ACCEPTED], [REFUSED]]
    loop.step()
    assert loop.spool.account().pending == 1
    assert loop.sender.found_misconfigured(loop.source.flushes)
    loop.append(b'two\n')
    for _ in range(4):
        loop.step(MISCONFIGURATION.cap_seconds)
    assert loop.sent == [[b'one\n'], [b'one\n', b'two\n'], [b'one\n'], [b'two\n'], [b'one\n']]
    account = loop.spool.account()
    assert (account.delivered, account.dropped, account.pending) == (1, {'refused': 1}, 0)
    assert loop.letters == []
    loop.step()
    assert loop.letters == [(b'one\n', 'Cause: said so')]


def test_the_parts_of_a_refused_request_go_without_a_pause(loop) -> None:
    """The rest of them waits for the culprit to be found."""
    loop.append(*[b'%d\n' % number for number in range(8)])
    loop.source.flush()
    loop.transport.answers = lambda data: [REFUSED if b'5\n' in data else ACCEPTED] * len(data)
    for _ in range(7):
        loop.step()
    assert [len(data) for data in loop.sent] == [8, 4, 4, 2, 2, 1, 1]
    assert loop.spool.account().pending == 0


def test_a_stream_that_refuses_part_after_part_is_asked_ever_more_slowly(loop) -> None:
    """It is the stream, not the events: no storm of requests, and everything is kept."""
    loop.append(*[b'%d\n' % number for number in range(500)])
    loop.source.flush()
    loop.transport.answers = lambda data: [REFUSED] * len(data)
    for _ in range(20 * 60):
        loop.step(1)
    assert FREE_REFUSALS < len(loop.sent) < FREE_REFUSALS + 40
    assert loop.spool.account().pending == 500


def test_what_exceeds_the_quota_is_no_reason_for_a_pause_when_the_rest_was_accepted(loop) -> None:
    """How fast it may go on is learnt from how much was accepted."""
    loop.append(b'one\n', b'two\n')
    loop.source.flush()
    loop.transport.script = [[ACCEPTED, THROTTLED]]
    loop.step()
    loop.step(5)
    assert loop.sent == [[b'one\n', b'two\n'], [b'two\n']]


def test_the_fuller_the_spool_the_more_refusals_are_tolerated(loop) -> None:
    """Half of a request is refused: with an empty spool that sets a limit, with a full one it goes on at full speed."""
    for events, outcomes in ((2, [ACCEPTED, THROTTLED]), (15, [ACCEPTED, THROTTLED] * 2)):
        again = Loop(loop.rules)
        again.append(*[b'x' * 999_999 + b'\n'] * events)
        again.transport.script = [outcomes]
        again.source.flush()
        again.step()
        assert len(again.sent) == 1
        is_limited = again.sender._dispatch._pacer._limit < inf
        assert is_limited is (events == 2)


def test_the_age_of_the_queue_is_that_of_the_oldest_event_that_is_not_settled(loop) -> None:
    """Also while it waits for its retry; 0.0 when nothing waits."""
    loop.step()
    assert loop.sender.oldest_seconds == 0.0
    loop.append(b'one\n')
    loop.step(1)
    loop.transport.script = [[RETRY]]
    loop.step(60)
    loop.append(b'two\n')
    assert loop.sender.oldest_seconds == 61.0
    loop.step(1)
    assert len(loop.sent) == 2
    assert loop.sender.oldest_seconds == 0.0


def test_idle_it_makes_no_request_and_waits_for_the_interval(loop) -> None:
    """Without events there is nothing to pay for, and no busy loop."""
    for _ in range(10):
        loop.step(60)
    assert loop.sent == []
    assert min(loop.waits) >= 1.0


def test_no_wait_is_a_busy_loop_while_something_waits(loop) -> None:
    """It sleeps until what is next: the interval, or the end of the gap."""
    loop.append(b'one\n')
    loop.step()
    assert loop.waits.pop() >= 1.0


def test_limits_that_change_are_honoured_at_the_next_look(loop) -> None:
    """The rules are asked before each decision."""
    loop.append(b'one\n', b'two\n')
    loop.step()
    assert loop.sent == []
    loop.rules = Rules(5120, 2, 60.0, 1.0)
    loop.step()
    assert loop.sent == [[b'one\n', b'two\n']]


def test_a_flush_of_an_empty_spool_makes_no_request(loop) -> None:
    """Nothing to send is nothing to pay for."""
    loop.source.flush()
    loop.step()
    assert loop.sent == []


@pytest.mark.parametrize(
    ('failures', 'upper'), [(1, 0.25), (2, 0.5), (3, 1.0), (7, 16.0), (8, 30.0), (9, 30.0), (100_000, 30.0)]
)
def test_the_backoff_is_anything_between_zero_and_its_doubling_end(failures, upper) -> None:
    """Full jitter, capped at 30 s, for any number of failures."""
    assert FAILURE.seconds(failures, lambda: 0.0) == 0.0
    assert FAILURE.seconds(failures, lambda: 0.5) == upper / 2
    assert FAILURE.seconds(failures, lambda: 1.0) == upper
