"""One handler's delivery of a workload, in simulated time: the spool, the cutting, the loop and its rules are the real ones.

What is not real: the clock, the thread, and Firehose, which accepts everything at once. So no delay contains the way to AWS.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from firefighter._cost.ways import Way
from firefighter._cost.workload import Workload
from firefighter._delivery.diagnostics import Diagnostics
from firefighter._delivery.hooks import DeadLetters, DropReports
from firefighter._delivery.limits import BILLED_BYTES
from firefighter._delivery.outcomes import Answer, Outcome
from firefighter._delivery.sender import Sender, Traffic
from firefighter._delivery.spool_source import SpoolSource
from firefighter._process.waiting import Wakeup
from firefighter._spool.spool import Spool
from firefighter._spool.taken_events import Spooled

__all__ = ['Played', 'play']


@dataclass(frozen=True)
class Played:
    """What delivery has made of a workload.

    Attributes:
        events: delivered.
        event_bytes: of these, as they were logged.
        records: Firehose records sent.
        sent_bytes: of these.
        billed_bytes: with each record rounded up to 5,120.
        requests: made.
        median_delay_seconds: from the logging call to the request, of all events; None where they come as fast as they
            can be taken.
        max_delay_seconds: the same of the one that waited longest.
    """

    events: int
    event_bytes: int
    records: int
    sent_bytes: int
    billed_bytes: int
    requests: int
    median_delay_seconds: float | None
    max_delay_seconds: float | None


def play(workload: Workload, way: Way, send_interval: float = 60.0) -> Played:
    """Deliver a workload.

    Args:
        workload: what is logged, and when.
        way: how it is sent.
        send_interval: the handler's.
    """
    simulation = _Simulation(workload, way, send_interval)
    simulation.run()
    return simulation.result()


class _Program(Wakeup):
    """The program that logs, and the time: both go on while delivery waits.

    Args:
        workload: what it logs.

    Attributes:
        now: the time, in seconds from the start.
        append: takes an event.
        end: called when the last one was logged.
        waiting_since: of each event that is not delivered, when it was logged.
    """

    append: Callable[[bytes], object]
    end: Callable[[], object]

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        self.now = 0.0
        self.waiting_since: deque[float] = deque()
        self._at_a_rate = workload.events_per_second is not None
        self._arrivals = iter(workload.arrivals)
        self._next = next(self._arrivals, None)
        self._is_set = False

    def set(self) -> None:
        """End the present wait, or the next one."""
        self._is_set = True

    def wait(self, timeout_seconds: float | None) -> bool:
        """Log what comes until then, or until that ends the wait; return whether it has."""
        until = self.now + (inf if timeout_seconds is None else timeout_seconds)
        while not self._is_set and self._next is not None and self._next.at_seconds <= until:
            at_seconds, event = self._next
            self._next = next(self._arrivals, None)
            if self._at_a_rate:
                self.now = max(self.now, at_seconds)
                self.waiting_since.append(self.now)
            self.append(event)
        if self._next is None:
            self.end()
        woken, self._is_set = self._is_set, False
        if not woken:
            self.now = until
        return woken


class _Firehose:
    """Accepts everything, and adds up what it would bill."""

    def __init__(self) -> None:
        self.billed_bytes = 0

    def put(self, stream: str, records: Sequence[bytes]) -> Answer:  # noqa: ARG002
        """Accept records."""
        self.billed_bytes += sum(-(-len(record) // BILLED_BYTES) for record in records) * BILLED_BYTES
        return Answer([Outcome.ACCEPTED] * len(records))


class _Source(SpoolSource):
    """Takes note of how long delivered events have waited.

    Args:
        spool: the spool.
        program: what it is filled by.
        way: how it is sent.
    """

    def __init__(self, spool: Spool, program: _Program, way: Way) -> None:
        super().__init__(spool, program, aggregation=way.options.make_aggregation())
        self._program = program
        self.events = 0
        self.delays = array('d')

    def acknowledge(self, events: list[Spooled]) -> None:
        """Let go of delivered events."""
        count = sum(event.events for event in events)
        self.events += count
        now, waiting_since = self._program.now, self._program.waiting_since
        self.delays.extend(now - waiting_since.popleft() for _ in range(min(count, len(waiting_since))))
        super().acknowledge(events)


class _Simulation:
    def __init__(self, workload: Workload, way: Way, send_interval: float) -> None:
        options = way.options
        self._workload = workload
        program = _Program(workload)
        spool = Spool(options.memory_bytes, wake=program.set)
        self._source = _Source(spool, program, way)
        program.append = spool.append
        program.end = self._source.end
        self._firehose = _Firehose()
        self._traffic = Traffic()
        clock = lambda: program.now  # noqa: E731
        diagnostics = Diagnostics(clock)
        self._sender = Sender(
            self._source,
            self._firehose,
            'cost',
            rules=lambda: options.spool_rules(send_interval, self._source.sent_bytes),
            traffic=self._traffic,
            drops=DropReports(None, lambda: ({}, {})),
            dead_letters=DeadLetters(None, None, diagnostics),
            diagnostics=diagnostics,
            max_in_flight=options.max_in_flight,
            clock=clock,
            jitter=lambda: 0.0,
        )

    def run(self) -> None:
        """Deliver all of it, in this thread."""
        self._sender.run_until_end(inf)

    def result(self) -> Played:
        """Return what came of it."""
        traffic, source = self._traffic, self._source
        delays = sorted(source.delays)
        return Played(
            source.events,
            self._workload.event_bytes,
            traffic.records,
            traffic.sent_bytes,
            self._firehose.billed_bytes,
            traffic.requests,
            delays[len(delays) // 2] if delays else None,
            delays[-1] if delays else None,
        )
