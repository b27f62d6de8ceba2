"""When does `aggregate='auto'` ask, what does it make of the answer, and for how long? The clocks and the dice are the test's."""

from __future__ import annotations

import heapq
import random
import sys
from collections import Counter

import pytest

from descriptions import DESCRIPTIONS
from firefighter._advice import finding as finding_module
from firefighter._advice.finding import Finding, most_sure_events
from firefighter._advice.fit import Fit
from firefighter._advice.reasons import Bound, Reason
from firefighter._delivery.auto_aggregation import (
    IN_FORCE_SECONDS,
    LATE_SECONDS,
    RENEWED_BEFORE_SECONDS,
    SPREAD_SECONDS,
    AutoAggregation,
    most_delay_seconds,
)
from firefighter._delivery.spool_source import SpoolSource
from firefighter._process.waiting import Wakeup
from firefighter._spool.spool import Spool

LINE = b'{"message":"Ahoy"}\n'


class RefusalError(Exception):
    """botocore's ClientError."""

    def __init__(self, code):
        super().__init__(f'An error occurred ({code}) when calling the DescribeDeliveryStream operation')
        self.response = {'Error': {'Code': code, 'Message': 'no'}}


class Shared:
    """What the processes of a spool directory share."""

    finding = None

    def read(self):
        return self.finding

    def write(self, finding):
        self.finding = finding


class Process:
    """One process of many, whose stream says what the test wants; its questions are made when the test says so.

    Attributes:
        said: the lines on stderr.
        asked: when it has asked, by the clock.
        answer: a description, or an exception.
        may_ask: whether it may.
    """

    def __init__(
        self, answer=None, *, now=1000.0, wall=1.7e9, dice=lambda: 0.5, shared=None, max_events=None
    ):
        self.now, self.wall = now, wall
        self.answer = DESCRIPTIONS['s3'] if answer is None else answer
        self.said, self.asked, self.threads = [], [], []
        self.may_ask = True
        self.source = SpoolSource(Spool(1 << 20, 'drop_newest'), Wakeup())
        self.auto = AutoAggregation(
            'bar',
            self.source,
            describe=self._describe,
            may_ask=lambda: self.may_ask,
            start_thread=self.threads.append,
            shared=shared,
            say=self.said.append,
            max_events=max_events,
            clock=lambda: self.now,
            wall_clock=lambda: self.wall,
            jitter=dice,
        )

    def _describe(self):
        self.asked.append(self.now)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def log(self, events=1):
        for _ in range(events):
            self.source.spool.append(LINE)

    def pass_time(self, seconds, *, wall=None):
        self.now += seconds
        self.wall += seconds if wall is None else wall

    def step(self):
        """A step, with the question that it begins, and the next step."""
        self.auto.step()
        while self.threads:
            self.threads.pop()()
            self.auto.step()

    def run(self, seconds, *, every=5.0):
        """Let time pass, with an event that waits and a step now and then, and whenever a step is wanted."""
        end = self.now + seconds
        while self.now < end:
            self.log()
            self.step()
            self.pass_time(min(every, max(0.001, self.auto.seconds_until_step()), end - self.now))
        self.step()

    @property
    def aggregates(self):
        return self.source.aggregates

    def records(self):
        """Take everything; return the number of events in each record."""
        taken = []
        self.source.take(500, 1 << 20, taken)
        return [record.events for record in taken]


def test_one_event_in_a_record_until_it_knows_then_many() -> None:
    """All of them are taken, in order, by one rule at a time."""
    process = Process()
    process.log(3)
    process.step()
    assert process.records() == [1, 1, 1]
    process.run(SPREAD_SECONDS, every=1.0)
    process.log(3)
    (events,) = process.records()
    assert events == SPREAD_SECONDS + 3 - process.asked[0] % 1
    assert process.said == []


ALWAYS = {
    's3',
    's3-by-its-older-name',
    's3-with-extension-gz',
    's3-with-extension-zst',
    's3-with-firehose-gzip',
    's3-with-delimiter',
    's3-with-delimiter-switched-off',
    's3-with-delimiter-and-extension-gz',
    's3-with-conversion',
    's3-with-conversion-switched-off',
    'redshift',
    'redshift-without-json',
    'splunk-raw',
    'creating',
    'creating-failed',
    'encryption-failed',
}
SPLIT = {
    's3-partitioned-deaggregated',
    's3-partitioned-deaggregated-without-newlines',
    's3-partitioned-deaggregated-then-lambda',
}


@pytest.mark.parametrize('name', DESCRIPTIONS)
def test_only_what_is_sure_to_be_right_is_aggregated(name) -> None:
    """What depends on a setting of somebody else's is one event in a record, also where the doctor says yes with a condition."""
    expected = None if name in ALWAYS else 500 if name in SPLIT else 1
    assert most_sure_events(DESCRIPTIONS[name]) == expected
    process = Process(DESCRIPTIONS[name])
    process.run(SPREAD_SECONDS)
    assert process.aggregates == (expected != 1)


@pytest.mark.parametrize(
    'description', [{}, {'Destinations': 7}, {'Destinations': [None]}, {'DeliveryStreamType': []}]
)
def test_what_nobody_understands_is_one_event_in_a_record(description) -> None:
    """A service to come may say anything."""
    assert most_sure_events(description) == 1


@pytest.mark.parametrize(
    ('name', 'max_events', 'expected'),
    [
        ('s3', None, None),
        ('s3', 7, 7),
        ('s3-partitioned-deaggregated', None, 500),
        ('s3-partitioned-deaggregated', 7, 7),
        ('s3-partitioned-deaggregated', 900, 500),
    ],
)
def test_the_smaller_bound_holds(name, max_events, expected) -> None:
    """`max_aggregated_events` is the user's, what is found is the stream's."""
    process = Process(DESCRIPTIONS[name], max_events=max_events)
    process.run(SPREAD_SECONDS)
    process.records()
    process.log(1200)
    assert 1 < max(process.records()) <= (expected or 1200)
    assert process.source.aggregation.most_events == (expected or sys.maxsize)


def test_a_bound_of_one_is_no_aggregation() -> None:
    """It is the way that is right anywhere."""
    process = Process(max_events=1)
    process.run(SPREAD_SECONDS)
    assert process.asked
    assert not process.aggregates


@pytest.mark.parametrize('processes', [1_000, 10_000])
def test_a_fleet_that_starts_at_once_is_spread(processes) -> None:
    """AWS allows five a second, and refuses what is above: of a thousand nearly nobody is refused, and of ten thousand all know soon."""
    dice = random.Random(20)
    waiting = [(most_delay_seconds(0) * dice.random(), 0) for _ in range(processes)]
    heapq.heapify(waiting)
    asked, known_at, tokens, filled_at = Counter(), [], 5.0, 0.0
    while waiting:
        now, failures = heapq.heappop(waiting)
        tokens, filled_at = min(5.0, tokens + 5.0 * (now - filled_at)), now
        asked[int(now)] += 1
        if tokens >= 1.0:
            tokens -= 1.0
            known_at.append(now)
        else:
            heapq.heappush(waiting, (now + most_delay_seconds(failures + 1) * dice.random(), failures + 1))
    if processes == 1_000:
        assert max(asked.values()) < 15
        assert sum(asked.values()) < 1.2 * processes
        assert sorted(known_at)[processes * 9 // 10] < SPREAD_SECONDS
    else:
        assert max(asked.values()) < 60
        assert sum(asked.values()) < 5 * processes
        assert known_at[-1] < 4 * 3600


@pytest.mark.parametrize('code', ['ThrottlingException', 'LimitExceededException'])
def test_who_is_throttled_asks_seldomer_and_says_nothing(code) -> None:
    """In a fleet that is usual."""
    process = Process(RefusalError(code), dice=lambda: 0.999)
    process.run(4 * 3600)
    gaps = [later - earlier for earlier, later in zip(process.asked, process.asked[1:], strict=False)]
    assert gaps == pytest.approx([1200, 3600, 3600, 3600], rel=0.02)
    assert process.said == []
    process.answer = DESCRIPTIONS['s3']
    process.run(2 * 3600)
    assert process.aggregates


def test_another_failure_is_said_once_and_it_asks_again() -> None:
    """Quietly: delivery does not need it."""
    process = Process(TimeoutError('no answer'))
    process.run(10 * 3600)
    assert len(process.asked) > 3
    assert process.said == [
        (
            "stream 'bar': aggregate='auto' could not ask what the stream takes, and asks again; without an answer each event "
            'is one record: TimeoutError: no answer'
        )
    ]


def test_a_denied_permission_is_said_once_and_holds_for_an_hour() -> None:
    """With what to allow, or to write. When it is given, the next question finds it."""
    process = Process(RefusalError('AccessDeniedException'))
    process.run(3 * 3600)
    assert 3 <= len(process.asked) <= 4
    (line,) = process.said
    assert (
        "aggregate='auto' may not ask what the stream takes, so each event is one record: RefusalError: "
        in line
    )
    assert line.endswith('Allow firehose:DescribeDeliveryStream, or write aggregate=True or aggregate=False')
    process.answer = DESCRIPTIONS['s3']
    process.run(3600)
    assert process.aggregates
    process.answer = RefusalError('AccessDeniedException')
    process.run(3600)
    assert not process.aggregates
    assert len(process.said) == 2


@pytest.mark.parametrize('answer', ['odd', 7, [], AttributeError('no such method')])
def test_a_client_that_cannot_ask_is_a_failure_like_any_other(answer) -> None:
    """A user's own may have one method only, or return anything."""
    process = Process(answer)
    process.run(3600)
    assert not process.aggregates
    assert len(process.said) == 1


def test_a_rule_that_is_not_certain_is_none_to_aggregate_by(monkeypatch) -> None:
    """There is none yet that allows many events and is not certain. A person may go by it."""
    monkeypatch.setattr(
        finding_module, 'fit', lambda _: Fit(Bound(None, Reason('perhaps', certain=False)), ())
    )
    assert most_sure_events(DESCRIPTIONS['s3']) == 1


@pytest.mark.parametrize('shared', [None, Shared()])
def test_a_finding_is_renewed_before_its_hour_is_over(shared) -> None:
    """So nothing changes for a stream that stays as it is."""
    process = Process(shared=shared)
    process.run(SPREAD_SECONDS)
    for _ in range(5 * 3600 // 60):
        process.run(60.0, every=1.0)
        assert process.aggregates
    gaps = [later - earlier for earlier, later in zip(process.asked, process.asked[1:], strict=False)]
    assert len(gaps) >= 5
    assert all(
        IN_FORCE_SECONDS - RENEWED_BEFORE_SECONDS
        <= gap
        < IN_FORCE_SECONDS - RENEWED_BEFORE_SECONDS + SPREAD_SECONDS
        for gap in gaps
    )


@pytest.mark.parametrize(
    'then', [DESCRIPTIONS['opensearch'], RefusalError('ThrottlingException'), TimeoutError()]
)
def test_an_hour_after_the_destination_was_changed_no_record_has_many_events(then) -> None:
    """Whether it can be asked then or not."""
    process = Process()
    process.run(SPREAD_SECONDS)
    process.answer = then
    process.run(3600)
    assert not process.aggregates
    assert set(process.records()) == {1}


def test_an_answer_that_comes_late_counts_from_the_question() -> None:
    """The destination may have been changed meanwhile."""
    process = Process()
    process.run(SPREAD_SECONDS / 2 - 1)
    process.pass_time(1)
    process.auto.step()
    (question,) = process.threads
    asked_at = process.now
    process.auto._describe = lambda: process.pass_time(600) or DESCRIPTIONS['s3']
    question()
    process.pass_time(IN_FORCE_SECONDS - 601)
    process.auto.step()
    assert process.aggregates
    process.pass_time(1)
    process.auto.step()
    assert process.now - asked_at == IN_FORCE_SECONDS
    assert not process.aggregates


def test_a_question_that_hangs_keeps_others_from_being_asked_and_nothing_else() -> None:
    """One thread at most, and what was found before ends with its hour."""
    process = Process()
    process.run(SPREAD_SECONDS)
    while not process.threads:
        process.log()
        process.pass_time(1)
        process.auto.step()
    for _ in range(7200):
        process.pass_time(1)
        process.log()
        process.auto.step()
    assert len(process.threads) == 1
    assert not process.aggregates


def test_no_thread_is_a_failure_like_any_other() -> None:
    """A container at its process limit."""
    process = Process()

    def refuse(_):
        raise RuntimeError("can't start new thread")

    process.auto._start_thread = refuse
    process.run(SPREAD_SECONDS)
    assert len(process.said) == 1
    process.auto._start_thread = process.threads.append
    process.run(3600)
    assert process.aggregates


def test_what_ends_the_thread_is_a_failure_too() -> None:
    """It is killed (gevent, an exception from elsewhere)."""
    process = Process()

    def exit_thread():
        raise SystemExit

    process.auto._describe = exit_thread
    process.run(SPREAD_SECONDS / 2 - 1)
    process.pass_time(1)
    process.auto.step()
    with pytest.raises(SystemExit):
        process.threads.pop()()
    process.auto.step()
    assert len(process.said) == 1
    process.auto._describe = process._describe
    process.run(3600)
    assert process.aggregates


@pytest.mark.parametrize('jump', [-7200.0, -1700.0, -1.0, 3600.0])
def test_a_clock_that_jumps_makes_no_finding_older_than_an_hour(jump) -> None:
    """The clock of the machine was set: forward ends the finding, back never prolongs it."""
    process = Process()
    process.run(SPREAD_SECONDS / 2 + 1)
    (asked_at,) = process.asked
    process.answer = TimeoutError()
    process.pass_time(1800)
    process.auto.step()
    assert process.aggregates
    process.wall += jump
    process.pass_time(asked_at + IN_FORCE_SECONDS - process.now)
    process.auto.step()
    assert not process.aggregates


def test_a_time_that_only_the_machine_knows_of_counts() -> None:
    """A suspended laptop: the clock of the process has stood still."""
    process = Process()
    process.run(SPREAD_SECONDS)
    process.pass_time(1, wall=8 * 3600)
    process.auto.step()
    assert not process.aggregates


def test_who_logs_nothing_asks_nothing() -> None:
    """Neither at first, nor to renew a finding, nor after a failure."""
    process = Process()
    for _ in range(7200):
        process.pass_time(1)
        process.step()
    assert process.asked == []
    process.log()
    process.step()
    process.source.spool.acknowledge(process.source.spool.take(500, 1 << 20))
    for _ in range(7200):
        process.pass_time(1)
        process.step()
    assert len(process.asked) == 1
    assert process.auto.seconds_until_step() == float('inf')


def test_nothing_is_asked_before_it_may() -> None:
    """Firehose has accepted nothing yet, or the handler is being closed."""
    process = Process()
    process.may_ask = False
    process.run(3600)
    assert process.asked == []
    assert process.auto.seconds_until_step() == float('inf')


def test_questions_that_were_kept_back_together_are_spread_anew() -> None:
    """An outage ends for all processes at one moment; or all begin to log again at one."""
    dice = random.Random(3).random
    fleet = [Process(dice=dice) for _ in range(1000)]
    for process in fleet:
        process.log()
        process.step()
        process.may_ask = False
        process.pass_time(2 * SPREAD_SECONDS)
        process.step()
        process.may_ask = True
    at = fleet[0].now
    for process in fleet:
        process.run(SPREAD_SECONDS + 1, every=LATE_SECONDS / 2)
        assert len(process.asked) == 1
    per_second = Counter(int(process.asked[0] - at) for process in fleet)
    assert max(per_second.values()) < 20


def test_processes_of_one_directory_share_what_one_has_found() -> None:
    """Also what is found again: of forty processes one asks, each hour."""
    shared, dice = Shared(), random.Random(7).random
    fleet = [Process(shared=shared, dice=dice) for _ in range(40)]
    for _ in range(3 * 3600 // 5):
        for process in fleet:
            process.run(5.0)
    assert all(process.aggregates for process in fleet)
    assert sum(len(process.asked) for process in fleet) <= 5


def test_a_denied_permission_is_shared_too() -> None:
    """A hundred workers without it are one question an hour."""
    shared = Shared()
    first = Process(RefusalError('AccessDeniedException'), shared=shared)
    first.run(SPREAD_SECONDS)
    second = Process(shared=shared)
    second.run(SPREAD_SECONDS)
    assert (second.asked, second.aggregates, second.said) == ([], False, [])


@pytest.mark.parametrize('age', [-3600.0, IN_FORCE_SECONDS, 1e300, -1e300])
def test_a_shared_finding_that_is_not_of_the_last_hour_is_no_finding(age) -> None:
    """It was made by a process that is long dead, or by another clock."""
    shared = Shared()
    process = Process(shared=shared, answer=TimeoutError())
    shared.finding = Finding(process.wall - age, None)
    process.log()
    process.step()
    assert not process.aggregates
    process.run(SPREAD_SECONDS)
    assert process.asked


def test_a_shared_finding_ends_with_its_own_hour() -> None:
    """Not an hour after it was read."""
    shared = Shared()
    process = Process(shared=shared, answer=TimeoutError())
    shared.finding = Finding(process.wall - 3000.0, None)
    process.log()
    process.step()
    assert process.aggregates
    process.pass_time(599.0)
    process.step()
    assert process.aggregates
    process.pass_time(1.0)
    process.step()
    assert not process.aggregates


def test_a_record_of_before_is_halved_after_it_was_switched_off() -> None:
    """Firehose refuses it for one invalid event among many: the others are still found."""
    process = Process()
    process.run(SPREAD_SECONDS)
    process.source.spool.acknowledge(process.source.spool.take(500, 1 << 20))
    process.log(8)
    taken = []
    process.source.take(500, 1 << 20, taken)
    process.pass_time(IN_FORCE_SECONDS)
    process.answer = TimeoutError()
    process.step()
    assert not process.aggregates
    process.log(2)
    assert process.source.waiting().records == 2
    process.source.wait(0.0, more_bytes_than=1 << 20, events=9)  # the answer has set it
    assert process.source.wait(0.0, more_bytes_than=1 << 20, events=2)
    assert [half.events for half in process.source.split(taken[0])] == [4, 4]


def test_whatever_fails_in_it_delivery_goes_on_with_one_event_in_a_record() -> None:
    """No memory, a disk that raises what no disk should: said once."""
    shared = Shared()
    process = Process(shared=shared)
    process.run(SPREAD_SECONDS)
    assert process.aggregates

    def fail():
        raise MemoryError

    shared.read = fail
    process.run(3600)
    assert not process.aggregates
    assert process.said == [
        "stream 'bar': aggregate='auto' stumbled, so each event is one record: MemoryError:"
    ]
