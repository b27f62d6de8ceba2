"""How far this machine's clock is from the endpoint's, by the header `Date` of an answer."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from firefighter._doctor.report import Check, State

__all__ = ['check_clock', 'skew_seconds']

REFUSED_SECONDS = 300
"""A request must arrive within five minutes of the time in its signature
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html)."""
TOLERATED_SECONDS = 60
"""Logs of two machines whose clocks differ by more are hard to read side by side."""


def skew_seconds(date: str, sent_at: float, answered_at: float) -> float | None:
    """Return by how much this machine's clock is fast; None when the header is no date.

    Args:
        date: the header, which counts whole seconds.
        sent_at: when the request went out, by this machine's clock, in seconds since 1970.
        answered_at: when its answer was here, by the same clock.
    """
    try:
        answered = parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None
    return (sent_at + answered_at) / 2 - (answered + 0.5)


def check_clock(skew: float | None) -> Check:
    """Return what the difference means."""
    if skew is None:
        return Check('clock', State.NOT_TRIED, 'the answer has no date')
    seconds = round(abs(skew))
    found = f'{seconds:,} s {"fast" if skew > 0 else "slow"}, by the date of the answer'
    if seconds < TOLERATED_SECONDS:
        return Check('clock', State.OK, found if seconds > 1 else 'right, by the date of the answer')
    harm = (
        'AWS refuses requests that are more than five minutes off'
        if seconds >= REFUSED_SECONDS
        else 'the timestamps of events are wrong by as much'
    )
    return Check('clock', State.WRONG, found, f"Set this machine's clock: {harm}")
