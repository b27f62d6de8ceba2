"""When a batch is due: the five reasons to submit, as a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from firefighter._delivery.limits import FULL_REQUEST_BYTES, MAX_RECORDS

__all__ = ['Rules', 'Waiting', 'alarm_thresholds', 'seconds_until_due', 'takes_everything']


@dataclass(frozen=True)
class Rules:
    """What makes a batch due.

    Attributes:
        max_batch_bytes: more bytes than this waiting.
        max_batch_events: so many waiting; where events are aggregated, so many records.
        send_interval_seconds: the oldest event has waited this long.
        min_gap_seconds: a batch that is due by size or count waits until so long after the start of the request before,
            unless it is full.
        full_bytes: so many bytes are full; less than the service's, where the spool itself is small.
    """

    max_batch_bytes: int
    max_batch_events: int
    send_interval_seconds: float
    min_gap_seconds: float
    full_bytes: int = FULL_REQUEST_BYTES


@dataclass(frozen=True)
class Waiting:
    """What has queued and is not on its way.

    Attributes:
        records: how many Firehose records that is, at least.
        size_bytes: their size together, as they will be sent.
        since: the time when the oldest of them was queued, or any time before that.
    """

    records: int
    size_bytes: int
    since: float


def seconds_until_due(
    waiting: Waiting, rules: Rules, *, now: float, last_start: float, marked: bool
) -> float:
    """Return how long until what waits is to be submitted if nothing more comes; 0.0 is now, inf is never.

    Args:
        waiting: what has queued.
        rules: what makes it due.
        now: the present time, in seconds of any clock that does not jump.
        last_start: when the last request was started, by the same clock.
        marked: whether END or FLUSH has been queued.
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
    """Return whether a batch is to take all that waits; one that is due for its size may leave an end for company."""
    return marked or now >= waiting.since + rules.send_interval_seconds


def alarm_thresholds(waiting: Waiting, rules: Rules, *, now: float, last_start: float) -> tuple[int, int]:
    """Return what has to wait for a batch to become due sooner: more than so many bytes, or so many events."""
    if waiting.records == 0:
        return 0, 1
    if last_start + rules.min_gap_seconds > now:
        return rules.full_bytes - 1, MAX_RECORDS
    return min(rules.max_batch_bytes, rules.full_bytes - 1), min(rules.max_batch_events, MAX_RECORDS)


def _is_full(waiting: Waiting, rules: Rules) -> bool:
    return waiting.records >= MAX_RECORDS or waiting.size_bytes >= rules.full_bytes
