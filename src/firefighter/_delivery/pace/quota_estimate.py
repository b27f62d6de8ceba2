"""Estimates a stream's quota after its first throttling: the rate that was tried, and the share of it that is accepted for some seconds.

The estimate does not hold where the stream accepts nothing, because it is down rather than busy. Nor does it where the throttling
passes before the end: that was somebody else's burst, or a hiccup, and the rate that was tried is not a measure of the quota, because a
program that logs little has tried little.
"""

from __future__ import annotations

from math import inf

__all__ = ['ESTIMATE_SECONDS', 'Amounts', 'QuotaEstimate', 'RecentRates', 'shares_of_limits']

Amounts = tuple[float, float, float]
"""Records, bytes and requests."""

ESTIMATE_SECONDS = 4.0
"""How long an estimate takes, in seconds of what the limits allow."""

_CALM_SECONDS = ESTIMATE_SECONDS / 2
"""Where nothing is refused in so many seconds up to its end, the throttling has passed."""

_WINDOW_SECONDS = 4.0
"""The longest time over which the rate of starts is measured."""


class QuotaEstimate:
    """The share that is refused of what is tried from now on."""

    def __init__(self) -> None:
        # Answers before the next start belong to requests that were started before.
        self.begun = False
        self._seconds = 0.0
        self._refused = [0.0, 0.0, 0.0]
        self._calm_seconds = 0.0

    @property
    def complete(self) -> bool:
        """Whether there were answers for long enough."""
        return self._seconds >= ESTIMATE_SECONDS

    @property
    def holds(self) -> bool:
        """Whether something was refused up to the end, and something accepted."""
        return 0.0 < self._refused[0] < self._seconds and self._calm_seconds < _CALM_SECONDS

    @property
    def accepted_shares(self) -> list[float]:
        return [1.0 - refused / self._seconds for refused in self._refused]

    def add_answer(self, seconds: float, refused: float) -> None:
        """Add an answer.

        Args:
            seconds: for how long its request used up the limits.
            refused: the share of it that was refused.
        """
        if self.begun:
            if refused < 1.0 and self._refused[0] == self._seconds:  # it was down until now
                self._seconds, self._refused = 0.0, [0.0, 0.0, 0.0]
            self._seconds += seconds
            self._calm_seconds = 0.0 if refused else self._calm_seconds + seconds
            self._refused = [
                before + seconds * share
                for before, share in zip(self._refused, shares_of_limits(refused), strict=True)
            ]


class RecentRates:
    """The rates at which requests were started in the last two to four seconds; after a pause of two, since that."""

    def __init__(self) -> None:
        self._since = self._newest = -inf
        self._sums: Amounts = (0.0, 0.0, 0.0)

    def add(self, now: float, records: int, size_bytes: int) -> None:
        """Note that a request is started."""
        if now - self._newest > _WINDOW_SECONDS / 2:
            self._since, self._sums = now, (0.0, 0.0, 0.0)
        left = 1.0
        if now - self._since > _WINDOW_SECONDS:
            self._since, left = (self._since + now) / 2, 0.5
        old_records, old_bytes, old_requests = self._sums
        self._sums = old_records * left + records, old_bytes * left + size_bytes, old_requests * left + 1.0
        self._newest = now

    def rates(self) -> Amounts:
        """Return the rates in a second, over at least one. Between so many starts there is one pause fewer, which is accounted for."""
        records, size_bytes, requests = self._sums
        seconds = max(1.0, (self._newest - self._since) * requests / max(1.0, requests - 1.0))
        return records / seconds, size_bytes / seconds, requests / seconds


def shares_of_limits(refused: float) -> Amounts:
    """Return the refused share for each limit. It counts for requests only where all is refused: a quota of requests refuses them whole."""
    return refused, refused, float(refused == 1.0)
