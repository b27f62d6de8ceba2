"""Decides when an episode of throttling is over, so that limits may grow quickly.

That is when nothing was refused for as long as throttling has lasted, and some seconds more. Firehose does not report it, and one producer
cannot see it: a hundred that share a quota fairly are each refused something every ten
seconds or so, and now and then nothing for a minute. But what has lasted for ten seconds may well be over after ten calm ones, and
what has lasted for an hour is not. So a short episode costs a short time, and a fleet at its quota is hardly disturbed.

What is quickened is growth: it doubles, and doubles again, until it finds the old speed. Where that was wrong, or went too far, the
next refusal takes it back: half of the way, counted in doublings. But after a short episode it is likely that the way was right and
only its end too far, so there is a bound to what is taken back: the limit's half, and the more the longer throttling had lasted.

The numbers were found by simulation: `python -m benchmarks.throttling`, and `tests/unit/test_throttled_fleet.py` for episodes.
"""

from __future__ import annotations

from math import sqrt

from firefighter._delivery.pace.quota_estimate import Amounts

__all__ = ['ThrottlingEpisode']

_LEAST_PATIENCE_SECONDS, _MOST_PATIENCE_SECONDS = 4.0, 60.0
"""So long it has to be calm, beside as long as throttling has lasted; and so long in all, at most."""

_DOUBLING_SECONDS = 3.0
"""From then on growth doubles in each of these."""

_MOST_DOUBLINGS = 10.0
"""A thousand times as fast is faster than anything is let grow."""

_LEAST_TAKEN_BACK, _SECONDS_FOR_ONE_MORE = 2.0, 15.0
"""What a limit is divided by at most when it went too far: that, and one more for each of these that throttling had lasted."""


class ThrottlingEpisode:
    """An episode of throttling: when it began, when something was refused last, and the limits before growth was quickened."""

    def __init__(self) -> None:
        self._throttled_since = self._refused_at = 0.0
        # The limits when growth was quickened.
        self._before: Amounts | None = None

    def begin(self, now: float) -> None:
        """Note the first throttling."""
        self._throttled_since = self._refused_at = now
        self._before = None

    def note_refusal(self, now: float, limits: Amounts) -> Amounts:
        """Note a refusal; return the limits without the part that quickened growth has added in vain."""
        before, self._before = self._before, None
        most = _LEAST_TAKEN_BACK + self._lasted_seconds / _SECONDS_FOR_ONE_MORE
        if now - self._refused_at > 2 * _MOST_PATIENCE_SECONDS:
            self._throttled_since = now
        self._refused_at = now
        if before is None:
            return limits
        records, size_bytes, requests = (
            max(limit / most, min(limit, sqrt(limit * old)))
            for limit, old in zip(limits, before, strict=True)
        )
        return records, size_bytes, requests

    def growth_factor(self, now: float, limits: Amounts) -> float:
        """Return how many times faster than usual the limits, which are these now, may grow."""
        patience = min(_MOST_PATIENCE_SECONDS, _LEAST_PATIENCE_SECONDS + self._lasted_seconds)
        seconds = now - self._refused_at - patience
        if seconds <= 0.0:
            return 1.0
        if self._before is None:
            self._before = limits
        return float(2.0 ** min(_MOST_DOUBLINGS, seconds / _DOUBLING_SECONDS))

    @property
    def _lasted_seconds(self) -> float:
        return self._refused_at - self._throttled_since
