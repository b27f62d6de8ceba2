"""What the first throttling of a stream holds: how fast was tried, and how much of that is refused for some seconds.

A lesson holds nothing where the stream takes nothing, which is then down rather than busy; nor where the throttling
passes before it ends. Then there was somebody else's burst, or a hiccup, and what was tried is no measure of a quota: a
program that logs little has tried little.
"""

from __future__ import annotations

from math import inf

__all__ = ['ESTIMATE_SECONDS', 'Amounts', 'QuotaEstimate', 'RecentRates', 'shares_of_limits']

Amounts = tuple[float, float, float]
"""Records, bytes and requests."""

ESTIMATE_SECONDS = 4.0
"""For how long, of what the limits allow, the first throttling is looked at."""

_CALM_SECONDS = ESTIMATE_SECONDS / 2
"""Without a refusal in so much of it, up to its end, the throttling has passed."""

_WINDOW_SECONDS = 4.0
"""Over how long, at most, it is known how fast requests were started."""


class QuotaEstimate:
    """How much is refused of what is tried from now on, in seconds of it."""

    def __init__(self) -> None:
        # What is answered before one more request is started was tried before.
        self.begun = False
        self._seconds = 0.0
        self._refused = [0.0, 0.0, 0.0]
        self._calm_seconds = 0.0

    @property
    def complete(self) -> bool:
        """Whether enough was heard."""
        return self._seconds >= ESTIMATE_SECONDS

    @property
    def holds(self) -> bool:
        """Whether something was refused up to the end, and something accepted."""
        return 0.0 < self._refused[0] < self._seconds and self._calm_seconds < _CALM_SECONDS

    @property
    def accepted_shares(self) -> list[float]:
        return [1.0 - refused / self._seconds for refused in self._refused]

    def add_answer(self, seconds: float, refused: float) -> None:
        """Hear an answer.

        Args:
            seconds: for how long its request used up the limits.
            refused: how much of it was refused.
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
    """What was started in the last two to four seconds; after a pause of two, what has been since."""

    def __init__(self) -> None:
        self._since = self._newest = -inf
        self._sums: Amounts = (0.0, 0.0, 0.0)

    def add(self, now: float, records: int, size_bytes: int) -> None:
        """Take note of a request that is started."""
        if now - self._newest > _WINDOW_SECONDS / 2:
            self._since, self._sums = now, (0.0, 0.0, 0.0)
        left = 1.0
        if now - self._since > _WINDOW_SECONDS:
            self._since, left = (self._since + now) / 2, 0.5
        old_records, old_bytes, old_requests = self._sums
        self._sums = old_records * left + records, old_bytes * left + size_bytes, old_requests * left + 1.0
        self._newest = now

    def rates(self) -> Amounts:
        """Return how much a second that is, at least for one: so many starts have one pause fewer between them."""
        records, size_bytes, requests = self._sums
        seconds = max(1.0, (self._newest - self._since) * requests / max(1.0, requests - 1.0))
        return records / seconds, size_bytes / seconds, requests / seconds


def shares_of_limits(refused: float) -> Amounts:
    """Return how much that tells of each limit: a quota of requests refuses them whole."""
    return refused, refused, float(refused == 1.0)
