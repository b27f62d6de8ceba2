"""Calls the user's hooks: `on_drop` for events that were dropped, `on_dead_letter` for those that Firehose refuses.

No lock is held then that a logging call takes. Drops are reported on stderr as well, and several at a time. A dead letter is kept in a file where there is a directory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from math import inf

from firefighter._delivery.diagnostics import Diagnostics
from firefighter._process.lock import locked, make_lock
from firefighter._process.waiting import monotonic
from firefighter.stats import DropReason

__all__ = ['DeadLetterHook', 'DeadLetters', 'DropHook', 'DropReports', 'Keep']

DropHook = Callable[[DropReason, int, int], object]

# A hook that sends an alert or bumps a metric wants totals, not a call for each event of a storm.
REPORT_INTERVAL_SECONDS = 1.0


class DropReports:
    """Compares the account's dropped events with those that were reported.

    Args:
        hook: called with (reason, events, bytes), if there is one.
        dropped: returns the totals so far, events and bytes by reason.
        say: called with (reason, all events dropped for it so far) where that number has grown.
        say_hook_failed: called with what the hook has raised.
        clock: returns the time in seconds; must not jump.
    """

    def __init__(
        self,
        hook: DropHook | None,
        dropped: Callable[[], tuple[Mapping[str, int], Mapping[str, int]]],
        say: Callable[[str, int], object] = lambda _reason, _events: None,
        say_hook_failed: Callable[[BaseException], object] = lambda _error: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._hook = hook
        self._dropped = dropped
        self._say = say
        self._say_hook_failed = say_hook_failed
        self._clock = clock
        self._reported_events: dict[str, int] = {}
        self._reported_bytes: dict[str, int] = {}
        self._next_at = -inf
        # Two threads that flush may report at once. The hook itself is called without the lock.
        self._lock = make_lock()
        self.errors = 0

    def seconds_until_report(self) -> float:
        """Return how long the delivery thread may sleep, since a dropped event does not wake it; inf without a hook."""
        return inf if self._hook is None else REPORT_INTERVAL_SECONDS

    def report(self, *, at_once: bool = False) -> None:
        """Report what was dropped since the last report, at most once an interval.

        Args:
            at_once: report without regard to the interval, as for flush and close.
        """
        for reason, events, size_bytes in self._unreported(at_once=at_once):
            self._say(reason, self._reported_events[reason])
            if self._hook is None:
                continue
            try:
                self._hook(DropReason(reason), events, size_bytes)
            except (Exception, SystemExit) as error:
                # The user's own code. sys.exit in it would end only the delivery thread, which goes on.
                self.errors += 1
                self._say_hook_failed(error)

    @locked
    def _unreported(self, *, at_once: bool) -> list[tuple[str, int, int]]:
        now = self._clock()
        if now < self._next_at and not at_once:
            return []
        events, size_bytes = self._dropped()
        news = [
            (
                reason,
                total - self._reported_events.get(reason, 0),
                size_bytes.get(reason, 0) - self._reported_bytes.get(reason, 0),
            )
            for reason, total in events.items()
            if total != self._reported_events.get(reason, 0)
        ]
        if news:
            self._reported_events, self._reported_bytes = dict(events), dict(size_bytes)
        # Without a hook the first report can wait, too: reading the whole account at each step of delivery costs something.
        if news or self._hook is None:
            self._next_at = now + REPORT_INTERVAL_SECONDS
        return news


DeadLetterHook = Callable[[bytes, str], object]
Keep = Callable[[bytes, str], None]


class DeadLetters:
    """Keeps and reports each dead letter once.

    Args:
        hook: called with the event's bytes and the reason in words; None: nothing is reported.
        keep: writes an event and its reason to a file; may raise an Exception. None: nothing is kept.
        diagnostics: writes errors of `keep` to stderr.

    Attributes:
        events: how many there were.
        errors: how many exceptions the hook has raised.
    """

    def __init__(self, hook: DeadLetterHook | None, keep: Keep | None, diagnostics: Diagnostics) -> None:
        self._hook = hook
        self._keep = keep
        self._diagnostics = diagnostics
        self._unreported: deque[tuple[bytes, str]] = deque()
        self.events = 0
        self.errors = 0

    def put(self, event: bytes, reason: str) -> None:
        """Keep an event that is about to be dropped. Never raises an Exception: the other events must be delivered."""
        self.events += 1
        if self._hook is not None:
            self._unreported.append((event, reason))
        if self._keep is not None:
            try:
                self._keep(event, reason)
            except Exception as error:  # of the file system
                self._diagnostics.say(
                    'no dead letter', f'an event that Firehose refuses could not be kept: {error}'
                )

    def report(self) -> None:
        """Call the hook for new dead letters."""
        while self._hook is not None and self._unreported:
            event, reason = self._unreported.popleft()
            try:
                self._hook(event, reason)
            except (Exception, SystemExit) as error:
                # The user's own code. sys.exit in it would end only the delivery thread, which goes on.
                self.errors += 1
                self._diagnostics.say_hook_failed('on_dead_letter', error)
