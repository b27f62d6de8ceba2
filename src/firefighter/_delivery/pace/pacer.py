"""Limits the rate of requests to what a throttled stream takes: a rate controller that learns the quota from throttling.

Firehose limits a stream in records, bytes and requests a second, for all its producers together, without reporting how much
is left: it refuses single records, or a whole call (https://docs.aws.amazon.com/firehose/latest/dev/limits.html). So each
producer keeps three limits of its own, allows itself a little more while nothing is refused, and less when something is.

*No limit* holds until the first throttling, and again when five minutes have passed without any.

*The first throttling of a stream that has just taken something begins an estimate of the quota* (`quota_estimate.py`). Producers go on as
fast as they just were, for as many requests as make up a few seconds, and then keep to the share that was accepted. By one answer alone
each producer would start with another limit, far from the others. Where nothing is refused towards the end of these seconds, or nothing
accepted, there is no limit. A request that is refused in part counts for records and bytes; one that is refused whole, for requests as well.

*Less, in proportion to what was refused*, as in DCTCP (RFC 8257). Where halving at each sign would leave much of the quota
unused and producers far apart, a few percent refused take off a few percent. While much is refused the cuts are larger.

*More, by the square root*: what is added to a limit in a second grows with the limit's square root. Adding the same to
all (AIMD) would make the small and the large even soonest, and for a small share be a storm, for a large one nothing;
adding in proportion would never make them even. What the search for more costs is refusals, growth divided by `_CUT`: half a
percent to two. When it has been calm for as long as throttling has lasted, growth quickens (`episode.py`): an episode is over
then, or Firehose has raised the quota by itself.

*A quarter of a second a request*: a request may carry what the limits allow in that time (or in the time until the limit
of requests allows the next). So a quota that a full request would never fit into is met by small ones, and a refusal is
small news, not large. It starts when the one before is paid for, give or take a chance part, so that producers do not
come in step. A limit grows and shrinks as far as it was used; one that plays no part stays.

With the sender: a request starts when one is due *and* `seconds_until_allowed` is 0.0, and carries at most `request_limits`. After an
answer in which something was accepted the Pacer alone decides when to go on. After one in which nothing was, the backoff
of `backoff.py` holds as well: a stream that refuses everything may be down rather than busy.

The numbers were found by simulation: `python -m benchmarks.throttling`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, sqrt

from firefighter._delivery.limits import MAX_RECORDS, MAX_REQUEST_BYTES
from firefighter._delivery.pace.episode import ThrottlingEpisode
from firefighter._delivery.pace.quota_estimate import (
    ESTIMATE_SECONDS,
    Amounts,
    QuotaEstimate,
    RecentRates,
    shares_of_limits,
)

__all__ = ['Pacer']

_USUAL: Amounts = (100.0, 10_000.0, 1.0)
"""A second's share of a producer in a large fleet: a hundredth to a thousandth of the quotas that AWS gives."""

_LOWEST: Amounts = (1.0, 100.0, 0.1)
"""No limit falls below this, whatever is refused: after an outage the way up must not begin at nothing."""

_LEAST_TRIED: Amounts = (500.0, 100_000.0, 4.0)
"""The rates that an estimate begins with at least: a process that has just started may have a backlog, and has tried nothing yet."""

_LEAST_SHARE = 0.02
"""The least share of these rates that an estimate leaves; after that there are the cuts."""

_GROWTH = 0.003
"""The part of itself by which a limit of the usual size grows in a second in which it was used up."""

_LEAST_GROWTH, _MOST_GROWTH = 0.001, 0.006
"""The same for large and for small limits, where the square root would make it too little or too much."""

_MOST_QUICKENED_GROWTH = 0.25
"""The same when it has been calm for long."""

_CUT = 0.4
"""The part of the refused share that is taken off a limit, while little is refused. More of it drives producers apart."""

_MOST_REFUSALS = 4
"""So many answers in a row that refuse everything cut the limits. More of them are an outage, and left to the backoff: or
all would be slow for minutes when it is over."""

_MEMORY_SECONDS = 4.0
"""Over how long the refused share is averaged."""

_REQUEST_SECONDS = 0.25
"""How much of the limits a request may use, in seconds."""

_CREDIT_SECONDS = 0.5
"""Unused limits may be used for so long afterwards, so that a request that is late by chance loses nothing."""

_LONGEST_WAIT_SECONDS = 30.0
"""However little the limits allow, a request starts so long after the one before; as the cap of the backoff."""

_FORGET_SECONDS = 300.0
"""Without throttling for so long there is no limit any more."""


class Pacer:
    """Learns a stream's quota from throttling: additive increase, multiplicative decrease, in bytes, records and requests.

    One for each stream; its caller sees to it that one thread at a time uses it. Times are of any clock that does not jump.

    Args:
        jitter: returns a number in [0, 1).
    """

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._limits: Amounts | None = None
        self._recent = RecentRates()
        self._estimate = QuotaEstimate()
        self._refused_lately = 0.0
        self._refusals = 0
        self._throttled_at = -inf
        self._accepted_at = -inf
        self._episode = ThrottlingEpisode()
        # The requests that were started have used up the limits until then. The next starts later by a random part.
        self._used_until = -inf
        self._delay_seconds = 0.0

    def seconds_until_allowed(self, now: float) -> float:
        """Return how long until a request may start; 0.0 is now. Without throttling so far it is always 0.0."""
        if self._limits_at(now) is None:
            return 0.0
        return max(0.0, self._used_until + self._delay_seconds - now)

    def request_limits(self, now: float) -> tuple[int, int]:
        """Return how many records, and how many bytes, a request started now may carry.

        At least one record; the first passes even if it is larger than these bytes.
        """
        limits = self._limits_at(now)
        if limits is None:
            return MAX_RECORDS, MAX_REQUEST_BYTES
        records, size_bytes, requests = limits
        seconds = max(_REQUEST_SECONDS, 1.0 / requests)
        return (
            max(1, min(MAX_RECORDS, int(records * seconds))),
            max(1, min(MAX_REQUEST_BYTES, int(size_bytes * seconds))),
        )

    def started(self, now: float, records: int, size_bytes: int) -> None:
        """Note that a request was started."""
        self._recent.add(now, records, size_bytes)
        limits = self._limits_at(now)
        if limits is None:
            return
        self._estimate.begun = True
        seconds = min(_LONGEST_WAIT_SECONDS, max(_seconds_of(limits, records, size_bytes)))
        self._used_until = max(self._used_until, now - _CREDIT_SECONDS) + seconds
        self._delay_seconds = self._jitter() * min(seconds, _CREDIT_SECONDS)

    def answered(
        self, now: float, records: int, size_bytes: int, *, throttled_records: int, throttled_bytes: int
    ) -> None:
        """Learn from an answer; there is one for each started request.

        Args:
            now: the present time.
            records: of how many records it says whether the stream takes them: all of the request's, or 0 where it
                failed for another reason than the quota.
            size_bytes: their size.
            throttled_records: how many of them were refused for the quota; of a refused call, all.
            throttled_bytes: their size.
        """
        if not records:
            return
        refused = max(throttled_records / records, throttled_bytes / max(1, size_bytes))
        limits = self._limits_at(now)
        if limits is None:
            if refused and (refused < 1.0 or now - self._accepted_at < ESTIMATE_SECONDS):
                self._begin_estimate(now)
        else:
            self._learn(now, limits, _seconds_of(limits, records, size_bytes), refused)
        if refused:
            self._throttled_at = now
        if refused < 1.0:
            self._accepted_at = now

    def _limits_at(self, now: float) -> Amounts | None:
        if self._limits is not None and now - self._throttled_at >= _FORGET_SECONDS:
            self._limits = None
        return self._limits

    def _begin_estimate(self, now: float) -> None:
        self._episode.begin(now)
        records, size_bytes, requests = map(max, self._recent.rates(), _LEAST_TRIED)
        self._limits = records, size_bytes, requests
        self._estimate = QuotaEstimate()
        self._refused_lately = 0.0
        self._refusals = 0
        self._throttled_at = now
        # Producers that are throttled together go on at different times.
        self._used_until = now
        self._delay_seconds = self._jitter()

    def _learn(self, now: float, limits: Amounts, used: Amounts, refused: float) -> None:
        if not self._estimate.complete:
            self._add_to_estimate(now, limits, max(used), refused)
            return
        self._refused_lately += (refused - self._refused_lately) * min(1.0, max(used) / _MEMORY_SECONDS)
        self._refusals = self._refusals + 1 if refused == 1.0 else 0
        if self._refusals > _MOST_REFUSALS:
            return
        if refused:
            limits = self._episode.note_refusal(now, limits)
            cut = max(_CUT, self._refused_lately)
            factors = [
                1.0 - cut * share * min(_REQUEST_SECONDS, seconds)
                for share, seconds in zip(shares_of_limits(refused), used, strict=True)
            ]
        else:
            growth_factor = self._episode.growth_factor(now, limits)
            factors = [
                1.0 + _growth(limit, usual, growth_factor) * min(_LONGEST_WAIT_SECONDS, seconds)
                for limit, usual, seconds in zip(limits, _USUAL, used, strict=True)
            ]
        self._set(limits, factors)

    def _add_to_estimate(self, now: float, limits: Amounts, seconds: float, refused: float) -> None:
        self._estimate.add_answer(seconds, refused)
        if refused:
            self._episode.note_refusal(now, limits)
        if self._estimate.complete:
            self._apply_estimate(limits)

    def _apply_estimate(self, limits: Amounts) -> None:
        if self._estimate.holds:
            self._set(limits, [max(_LEAST_SHARE, share) for share in self._estimate.accepted_shares])
        else:
            self._limits = None

    def _set(self, limits: Amounts, factors: Sequence[float]) -> None:
        records, size_bytes, requests = (
            max(limit * factor, lowest)
            for limit, factor, lowest in zip(limits, factors, _LOWEST, strict=True)
        )
        self._limits = records, size_bytes, requests


def _seconds_of(limits: Amounts, records: int, size_bytes: int) -> Amounts:
    """Return for how long a request uses up each of the limits."""
    return records / limits[0], size_bytes / limits[1], 1.0 / limits[2]


def _growth(limit: float, usual: float, growth_factor: float) -> float:
    usually = max(_LEAST_GROWTH, min(_MOST_GROWTH, _GROWTH * sqrt(usual / limit)))
    return min(_MOST_QUICKENED_GROWTH, usually * growth_factor)
