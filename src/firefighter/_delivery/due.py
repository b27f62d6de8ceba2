"""Decide when a batch is due: the five reasons to submit it, as pure functions. `sender.py` asks."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from firefighter._delivery.limits import FULL_REQUEST_BYTES, MAX_RECORDS

__all__ = ['Rules', 'Waiting', 'alarm_thresholds', 'seconds_until_due', 'takes_everything']


@dataclass(frozen=True)
class Rules:
    """The numbers that make a batch due.

    Attributes:
        max_batch_bytes: due when more bytes than this wait.
        max_batch_events: due when so many events wait; where events are aggregated, so many records.
        send_interval_seconds: due when the oldest event has waited so long.
        min_gap_seconds: the least time between the starts of two requests that are due by size or count; a full one does not
            wait for it.
        full_bytes: a request with so many bytes is full; less than the service's limit where the spool itself is small.
    """

    max_batch_bytes: int
    max_batch_events: int
    send_interval_seconds: float
    min_gap_seconds: float
    full_bytes: int = FULL_REQUEST_BYTES


@dataclass(frozen=True)
class Waiting:
    """The events that wait to be taken.

    Attributes:
        records: how many Firehose records they need at least.
        size_bytes: the size of these together, as they will be sent.
        since: when the oldest event was queued, or any time before that.
    """

    records: int
    size_bytes: int
    since: float


def seconds_until_due(
    waiting: Waiting, rules: Rules, *, now: float, last_start: float, marked: bool
) -> float:
    """Return how long until a batch is due if no more events come; 0.0 is now, inf is never.

    Args:
        waiting: the events that wait.
        rules: the numbers that make a batch due.
        now: the present time, in seconds of any clock that does not jump.
        last_start: when the last request was started, by the same clock.
        marked: whether END or FLUSH was queued after some of them.
    """
    if waiting.records == 0:
        return inf
    if marked or _is_full(waiting, rules):
        return 0.0
    left = waiting.since + rules.send_interval_seconds - now
    if waiting.size_bytes > rules.max_batch_bytes or waiting.records >= rules.max_batch_events:
        left = min(left, last_start + rules.min_gap_seconds - now)
    return max(0.0, left)


def takes_everything(waiting: Waiting, rules: Rules, *, now: float, marked: bool) -> bool:
    """Return whether a batch takes all events that wait. One that is due by size alone may leave the newest to fill a record."""
    return marked or now >= waiting.since + rules.send_interval_seconds


def alarm_thresholds(waiting: Waiting, rules: Rules, *, now: float, last_start: float) -> tuple[int, int]:
    """Return the bytes and the events that make a batch due before its time: more bytes than that, or so many events."""
    if waiting.records == 0:
        return 0, 1
    if last_start + rules.min_gap_seconds > now:
        return rules.full_bytes - 1, MAX_RECORDS
    return min(rules.max_batch_bytes, rules.full_bytes - 1), min(rules.max_batch_events, MAX_RECORDS)


def _is_full(waiting: Waiting, rules: Rules) -> bool:
    return waiting.records >= MAX_RECORDS or waiting.size_bytes >= rules.full_bytes
