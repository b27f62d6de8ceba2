"""A filter for a loop that logs: so many events a second from each call site, and one that says how many were held back."""

from __future__ import annotations

import atexit
import logging
import math
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from os import getpid
from typing import NamedTuple

from firefighter._delivery.logged_by_delivery import as_thread_of_ours
from firefighter._process import exit_and_forks
from firefighter._process.lock import locked, make_lock
from firefighter._process.waiting import monotonic

__all__ = ['LimitFilter']

# Programs have some hundred call sites that log. Code that is generated may have any number, each with a line of its own.
_MOST_SITES = 10_000


class LimitFilter(logging.Filter):
    """Let so many events a second pass from each call site, and hold the others back.

    A call site is a line of a source file. What its loop logs beyond the limit is not an event. Before the site's next event, and
    when the handler is closed, one event reports how many were held back: its message says so, and so does its key `held_back`. It
    has the logger, the source and the highest level of those.

    It goes where any filter goes: on a handler, also on one of another library (`handler.addFilter(LimitFilter(10))`, `filters` in
    dictConfig), or on a logger. Give each handler its own: one that two handlers share counts each event twice.

    Args:
        events_per_second: how many; a number above 0. A second's worth may come at once.

    Raises:
        TypeError: it is not a number.
        ValueError: it is not above 0, or not finite.
    """

    _here: _Sites | None = None

    def __init__(self, events_per_second: float = 10) -> None:
        super().__init__()
        _check(events_per_second)
        self.events_per_second = events_per_second

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record passes; report first what was held back at its call site."""
        if _reporting.now:
            return True
        try:
            passes, held_back = self._sites().ask(record, self.events_per_second)
        except Exception:
            return True  # a record that somebody has made by hand, without a level for example
        self._report(held_back)
        return passes

    # As what a hook logs: nobody waits for the delivery of each report, nor for room.
    @as_thread_of_ours
    def report_held_back(self) -> None:
        """Report now what was held back at each call site. `close` of our handlers calls it, and the exit of the process."""
        self._report(self._sites().take_all())

    def __getstate__(self) -> dict[str, object]:
        """Return what a copy has: the limit, and nothing that was held back."""
        return {name: value for name, value in vars(self).items() if name != '_here'}

    def _sites(self) -> _Sites:
        """Return the call sites of this process: what a parent has held back is the parent's to report."""
        if self._here is None or self._here.pid != getpid():
            self._here = _Sites()
            _report_at_exit(self)
        return self._here

    def _report(self, held_back: Sequence[_HeldBack]) -> None:
        """Log how many events were held back, by whoever asks this filter for the records of that logger."""
        for held in held_back:
            before = _reporting.now
            try:
                _reporting.now = True
                report = held.report(self.events_per_second)
                for receiver in self._receivers(report.name):
                    # A filter or a formatter of the program's may want what its own calls give.
                    with suppress(Exception):
                        receiver.handle(report)
            except Exception:
                pass  # a record factory may want it as well
            finally:
                _reporting.now = before

    def _receivers(self, name: str) -> Iterator[logging.Logger | logging.Handler]:
        logger = logging.getLogger(name)
        if self in logger.filters:
            yield logger
        # Of logging's own list those that are not ours; dictConfig empties that list, and some stay on their loggers.
        others = [reference() for reference in tuple(getattr(logging, '_handlerList', ()))]
        loggers = [logging.root, *tuple(logging.root.manager.loggerDict.values())]
        on_loggers = [handler for each in loggers for handler in getattr(each, 'handlers', ())]
        for handler in {*exit_and_forks.registered_handlers(), *others, *on_loggers}:
            if isinstance(handler, logging.Handler) and self in handler.filters:
                yield handler


def _check(events_per_second: object) -> None:
    if not isinstance(events_per_second, (int, float)) or isinstance(events_per_second, bool):
        raise TypeError(f'events_per_second must be a number, not {events_per_second!r}')
    if not 0 < events_per_second < math.inf:
        raise ValueError(f'events_per_second must be above 0 and finite, not {events_per_second!r}')


class _Reporting(threading.local):
    now = False
    """Whether this thread is logging a report, which passes each limit."""


_reporting = _Reporting()


class _HeldBack(NamedTuple):
    """Events of one call site."""

    events: int
    level: int
    logger: str
    path: str
    line: int
    function: str

    def report(self, per_second: float) -> logging.LogRecord:
        """Return the record that reports them, made as the program makes its own."""
        were = 'event was' if self.events == 1 else 'events were'
        text = f'{self.events:,} {were} held back: more than {per_second:g} a second came from here'
        make = logging.getLogRecordFactory()
        record = make(self.logger, self.level, self.path, self.line, text, (), None, self.function, None)
        record.held_back = self.events
        return record


class _Site:
    """A call site.

    Attributes:
        full_at: when a second's worth of events may pass again, by the monotonic clock.
        held_back: what is not reported yet.
    """

    def __init__(self) -> None:
        self.full_at = -math.inf
        self.held_back: _HeldBack | None = None

    def lets_pass(self, now: float, per_second: float) -> bool:
        """Return whether one more event passes now, and count it."""
        full_at = max(self.full_at, now) + 1 / per_second
        # A second's worth, but one in any case. What rounding may add up to is far less than the last term.
        if full_at - now > max(1.0, 1 / per_second) + 1e-6:
            return False
        self.full_at = full_at
        return True

    def hold_back(self, record: logging.LogRecord) -> None:
        """Count an event that does not pass. Nothing of the record is kept that refers to the program's objects."""
        events, level = (self.held_back.events, self.held_back.level) if self.held_back else (0, 0)
        self.held_back = _HeldBack(
            events + 1,
            max(level, record.levelno),
            record.name,
            record.pathname,
            record.lineno,
            record.funcName or '',
        )

    def take(self) -> list[_HeldBack]:
        """Return what is to be reported, once."""
        held_back, self.held_back = self.held_back, None
        return [held_back] if held_back else []


class _Sites:
    """The call sites of one process."""

    def __init__(self) -> None:
        self.pid = getpid()
        self._lock = make_lock()
        self._sites: dict[tuple[str, int], _Site] = {}

    @locked
    def ask(self, record: logging.LogRecord, per_second: float) -> tuple[bool, list[_HeldBack]]:
        """Return whether a record passes, and what is to be reported first."""
        reports = []
        key = (record.pathname, record.lineno)
        site = self._sites.get(key)
        if site is None:
            if len(self._sites) >= _MOST_SITES:
                reports = self.take_all()
                self._sites.clear()
            site = self._sites[key] = _Site()
        if site.lets_pass(monotonic(), per_second):
            return True, reports + site.take()
        site.hold_back(record)
        return False, reports

    @locked
    def take_all(self) -> list[_HeldBack]:
        """Return what is to be reported of each call site, once."""
        return [held_back for site in self._sites.values() for held_back in site.take()]


_living: weakref.WeakSet[LimitFilter] = weakref.WeakSet()


def _report_at_exit(each: LimitFilter) -> None:
    """Have a filter report at exit what no close of a handler has: it may be on a logger, or on a handler that is not ours."""
    if not _living:
        atexit.unregister(_report_all)
        atexit.register(_report_all)
    _living.add(each)


def _report_all() -> None:
    for each in exit_and_forks.members_of(_living):
        each.report_held_back()
