"""An outage of hours with the bound reached, and what comes after it: are the counters exact, whatever gives way?

The time of the hours is simulated: the delivery loop runs as it is, in the test's own thread, and wherever it would wait,
for an event or for an answer, the clock is moved, and the program logs what it logs in that time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from arrivals import adds_up, deliver_everything, flush_until_it_fails, messages_in
from doubles import Drops, ManualClock
from firefighter._delivery.diagnostics import Diagnostics
from firefighter._delivery.due import Rules
from firefighter._delivery.hooks import DeadLetters, DropReports
from firefighter._delivery.outcomes import Answer, Outcome
from firefighter._delivery.pace import FAILURE, MISCONFIGURATION
from firefighter._delivery.sender import Sender, Traffic
from firefighter._delivery.spool_source import SpoolSource
from firefighter._process.waiting import Wakeup
from firefighter._spool.spool import Spool

pytestmark = pytest.mark.once

pytest_plugins = ['firefighter.testing']

HOUR_SECONDS = 3600.0
BEGIN_SECONDS, END_SECONDS = 0.5 * HOUR_SECONDS, 6.5 * HOUR_SECONDS
DAY_SECONDS = 7 * HOUR_SECONDS
EVENT_INTERVAL_SECONDS = 0.5
# What is logged in an hour and a half, of six.
SPOOL_BYTES = 1024 * 1024
ANSWER_SECONDS, NO_ANSWER_SECONDS = 0.05, 5.0
POLICIES = ['drop_oldest', 'drop_newest', 'block']


def event(number: int) -> bytes:
    """Return an event of its own size."""
    return b'%d %s\n' % (number, b'x' * (number % 197))


class Day:
    """A program that logs at a steady rate, the clock by which it does, and an endpoint that is down for hours.

    Attributes:
        logged: how many events.
        arrived: the events that the endpoint has, in order.
        requests: when each request began.
    """

    def __init__(self, policy: str, trouble: Outcome) -> None:
        self.clock = ManualClock(0.0)
        self.spool = Spool(SPOOL_BYTES, policy, block_timeout_seconds=0)
        self.source = SpoolSource(self.spool, Wakeup())
        self.source.wait = self._wait
        self.logged = 0
        self.arrived: list[bytes] = []
        self.requests: list[float] = []
        self.traffic = Traffic()
        self._trouble = trouble
        diagnostics = Diagnostics(self.clock)
        self._sender = Sender(
            self.source,
            self,
            'bar',
            rules=lambda: Rules(5120, 500, 60.0, 1.0),
            traffic=self.traffic,
            drops=DropReports(Drops(), lambda: ({}, {}), self.clock),
            dead_letters=DeadLetters(None, None, diagnostics),
            diagnostics=diagnostics,
            clock=self.clock,
            jitter=lambda: 1.0,
        )

    def live(self) -> None:
        """Have the loop run from the first event to the END at the day's end."""
        self._sender.run_until_end(10.0)

    def put(self, stream: str, records: Sequence[bytes]) -> Answer:
        """Answer as the time of the request has it; the program does not wait for that."""
        self.requests.append(self.clock.now)
        if BEGIN_SECONDS <= self.clock.now < END_SECONDS:
            self._pass(NO_ANSWER_SECONDS, lambda: False)
            return Answer.all_alike(self._trouble, len(records), 'Trouble', 'Trouble: for hours')
        self._pass(ANSWER_SECONDS, lambda: False)
        self.arrived += records
        return Answer([Outcome.ACCEPTED] * len(records))

    def _wait(self, timeout_seconds: float, *, more_bytes_than: int, events: int) -> bool:
        def enough() -> bool:
            waiting, size_bytes = self.spool.waiting()
            return size_bytes > more_bytes_than or waiting >= events

        return self._pass(timeout_seconds, enough)

    def _pass(self, seconds: float, enough: Callable[[], bool]) -> bool:
        """Let so much time pass, or less when there is enough; return whether that was so."""
        until = self.clock.now + seconds
        while (next_event := self.logged * EVENT_INTERVAL_SECONDS) <= min(until, DAY_SECONDS):
            self.clock.now = max(self.clock.now, next_event)
            self.spool.append(event(self.logged))
            self.logged += 1
            if enough():
                return True
        self.clock.now = until
        if until >= DAY_SECONDS and not self.source.ended:
            self.source.end()
            return True
        return False


@pytest.mark.parametrize('trouble', [Outcome.RETRY, Outcome.THROTTLED, Outcome.MISCONFIGURED])
@pytest.mark.parametrize('policy', POLICIES)
def test_after_six_hours_without_firehose_every_event_is_delivered_or_counted(policy, trouble):
    """Exactly: each that was logged has arrived once, or is counted as dropped, with its bytes; none is both."""
    day = Day(policy, trouble)
    day.live()
    account = day.spool.account()
    everything = {event(number) for number in range(day.logged)}
    lost = everything - set(day.arrived)

    assert day.logged == DAY_SECONDS / EVENT_INTERVAL_SECONDS + 1
    assert len(day.arrived) == len(set(day.arrived))
    assert len(lost) > 10_000
    assert account.accepted == day.logged
    assert account.delivered == len(day.arrived)
    assert account.dropped == {'overflow': len(lost)}
    assert account.dropped_bytes == {'overflow': sum(map(len, lost))}
    assert account.pending == 0
    assert day.traffic.uncertain == 0
    assert day.traffic.records == len(day.arrived) + day.traffic.retried


@pytest.mark.parametrize('policy', POLICIES)
def test_what_gives_way_is_what_the_policy_says(policy):
    """drop_oldest keeps what is on its way and the newest; the others keep the oldest; before and after nothing is lost."""
    day = Day(policy, Outcome.RETRY)
    day.live()
    arrived = {int(line.split()[0]) for line in day.arrived}
    lost = set(range(day.logged)) - arrived
    down_at, up_at = BEGIN_SECONDS / EVENT_INTERVAL_SECONDS, END_SECONDS / EVENT_INTERVAL_SECONDS
    spool_holds = SPOOL_BYTES / 104  # on average

    if policy == 'drop_oldest':
        assert down_at - 200 <= min(lost) < down_at + 0.3 * spool_holds
        assert up_at - 1.1 * spool_holds < max(lost) < up_at - 0.4 * spool_holds
    else:
        assert down_at + 0.7 * spool_holds < min(lost) < down_at + 1.1 * spool_holds
        assert up_at <= max(lost) < up_at + 200


@pytest.mark.parametrize(
    ('trouble', 'cap_seconds'),
    [(Outcome.RETRY, FAILURE.cap_seconds), (Outcome.MISCONFIGURED, MISCONFIGURATION.cap_seconds)],
)
def test_an_outage_is_tried_rarely_and_its_end_noticed_soon(trouble, cap_seconds):
    """No storm (P6): at most a request each cap, at the longest jitter; the first one after the end within the cap."""
    day = Day('drop_oldest', trouble)
    day.live()
    during = [moment for moment in day.requests if BEGIN_SECONDS <= moment < END_SECONDS]
    first_after = min(moment for moment in day.requests if moment >= END_SECONDS)

    assert len(during) <= (END_SECONDS - BEGIN_SECONDS) / (cap_seconds + NO_ANSWER_SECONDS) + 10
    assert first_after - END_SECONDS <= cap_seconds + NO_ANSWER_SECONDS


# The same on the real endpoint, in less time.

LINES = 24_000
# A multiple of what four requests take along: what is on its way gives way to nothing.
BOUND_BYTES = 1024 * 1024


@pytest.mark.parametrize('place', ['memory', 'disk'])
@pytest.mark.parametrize('policy', POLICIES)
def test_a_full_spool_is_delivered_when_the_endpoint_is_back(
    policy, place, local_firehose, tmp_path, make_handler, make_logger
):
    """What arrived is what was logged less what was dropped, to the event, over HTTP."""
    local_firehose.inject('unavailable')
    handler = make_handler(
        'bar',
        endpoint_url=local_firehose.url,
        max_spool_bytes=BOUND_BYTES,
        overflow=policy,
        block_timeout_seconds=0,
        **({'spool_dir': tmp_path / 'spool'} if place == 'disk' else {}),
    )
    logger = make_logger(handler)
    for number in range(LINES // 2):
        logger.info(number)
    flush_until_it_fails(handler)
    for number in range(LINES // 2, LINES):
        logger.info(number)
    full = handler.stats()
    local_firehose.clear_faults()
    stats = deliver_everything(handler)
    local_firehose.flush()
    arrived = messages_in(local_firehose.folder)

    assert adds_up(full)
    assert full.backing == place
    assert full.delivered == 0
    assert full.spool_bytes <= BOUND_BYTES
    assert set(arrived.values()) == {1}
    assert (stats.accepted, stats.delivered) == (LINES, len(arrived))
    assert stats.dropped == {'overflow': LINES - len(arrived)} == full.dropped
    kept = str(LINES - 1) if policy == 'drop_oldest' else '0'
    assert kept in arrived
