"""Keeps the rate of requests to what a throttled stream takes.

Firehose limits a stream in bytes, records and requests a second, for all its producers together, without reporting how much is left: it
refuses single records, or a whole call (https://docs.aws.amazon.com/firehose/latest/dev/limits.html). It also says "Slow down." for
reasons that have nothing to do with our rate. A producer cannot tell these apart. But a refused record costs a little CPU and no money,
and a full spool costs events. So how many refusals are tolerable depends on what is at stake:

    tolerated share = 2 % + 60 % x (how full the spool is, from 0.0 to 1.0)

There is one limit, in bytes a second. It is infinite until more than the tolerated share of a request is refused. Then it begins far
above what the stream has just accepted. Each answer that accepts something changes it, and the second term counts while it is calm, that
is after an answer that refused no more than is tolerated:

    limit += GAIN x (tolerated bytes - refused bytes) + (seconds of calm / CALM_SECONDS)^2 x accepted bytes

* *In proportion.* Where more is refused than is tolerated the limit falls, where less is refused it rises. So it settles where the share
  that is refused is the tolerated one.
* *As far as it is used.* The limit changes by bytes that were sent. So a limit far above what is sent falls slowly: refusals for half
  a minute that do not depend on our rate hold nothing back. A producer that floods a stream lowers its limit within seconds.
* *Faster the longer it is calm.* So a quota that was raised is used within seconds, and an episode of throttling that has ended is
  forgotten. While a fleet is at its quota, calm lasts a second or two.
* *A request refused as a whole may mean anything.* The stream may be down, or its quota of requests is used up, and smaller requests would
  only be more requests. So it changes nothing, and the backoff of `backoff.py` holds; after an outage the limit is what it was before.
  It counts with the next request that is refused in part, since then a quota of bytes or records is used up.
* *In rounds of a quarter of a second.* What the limit allows in a round goes at its beginning, in one request where it fits into one.
  So a quota that a full request never fits into is met by small ones. And a producer with a higher limit asks for more at once, of which
  a larger share is refused: without that nothing would make the limits of a fleet alike.

With the sender: a request starts when one is due *and* `seconds_until_allowed` is 0.0, and carries at most `max_request_bytes`.

What each constant buys is in docs/performance.md, from `python -m benchmarks.throttling`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from firefighter._delivery.limits import FULL_REQUEST_BYTES, MAX_REQUEST_BYTES
from firefighter._delivery.pace.backoff import FAILURE

__all__ = ['Pacer']

_TOLERATED = 0.02
"""The share of the bytes sent that may be refused while the spool is empty: waiting is free then. With 0 a limit would not grow while
anything is refused."""

_TOLERATED_MORE_WHEN_FULL = 0.6
"""The share that may be refused beside that when the spool is full. More than a half, since a stream that refuses half of everything still
takes all, if all is sent twice. What a full spool could not send is lost, however much is refused."""

_GAIN = 2.0
"""How fast the limit follows, in 1/s: one that is used up falls by this times the share that is refused and not tolerated, each second.
With `_ROUND_SECONDS` one round takes half of it at most, so it does not swing."""

_CALM_SECONDS = 5.0
"""After so long a calm, a limit that is used up doubles in a second. So the old speed is back within ten seconds. With a shorter time a fleet
at its quota tries more, and is refused more."""

_FIRST_LIMIT = 48.0
"""Where the limit begins, and the most it may be when it falls: so many times the bytes that were accepted in the last second. While half of
all is refused, and all is sent twice, it falls by 2 x `_GAIN` x 0.48 of these bytes a second: for 24 seconds that holds nothing back."""

_ROUND_SECONDS = 0.25
"""How long a round is, and how late it may begin by chance. In a longer one more is refused at once, in a shorter one there are more
requests: a hundred producers make 400 a second, of the 1,000 to 2,000 that a stream takes."""


class Pacer:
    """Learns from answers how many bytes a second a stream takes.

    One for each stream; its caller sees to it that one thread at a time uses it. Times are in seconds of any clock that does not jump.

    Args:
        jitter: returns a number in [0, 1).
        fullness: returns how full the spool is, from 0.0 to 1.0.
    """

    def __init__(self, jitter: Callable[[], float], fullness: Callable[[], float]) -> None:
        self._jitter = jitter
        self._fullness = fullness
        # Bytes a second.
        self._limit = inf
        self._calm_since = -inf
        # The bytes accepted in about the last second. A process that has just started may have a full request waiting.
        self._accepted_bytes = float(FULL_REQUEST_BYTES)
        self._answered_at = inf
        # Of the requests since then that were refused as a whole.
        self._refused_bytes = 0
        # The requests of this round have used up the limit until then. The next round begins later by a random part, so that
        # producers do not come in step.
        self._round_began = self._used_until = -inf
        self._delay_seconds = 0.0

    def seconds_until_allowed(self, now: float) -> float:
        """Return how long until a request may start; 0.0 is now. Without throttling so far it is always 0.0."""
        if self._used_until < self._round_began + _ROUND_SECONDS / 2:
            return 0.0  # there is more for this round
        return max(0.0, self._used_until + self._delay_seconds - now)

    @property
    def max_request_bytes(self) -> int:
        """The most bytes for the next request. Its first record passes even if it is larger."""
        return max(1, int(min(MAX_REQUEST_BYTES, self._limit * _ROUND_SECONDS)))

    def started(self, now: float, size_bytes: int) -> None:
        """Note that a request of so many bytes was started."""
        seconds = min(FAILURE.cap_seconds, size_bytes / self._limit)
        if now >= self._used_until:
            # A round that begins late by chance, or for a slow thread, loses nothing.
            self._round_began = self._used_until = max(self._used_until, now - _ROUND_SECONDS)
        # A flush has requests start before their time. However many it was, no wait is longer than the cap.
        self._used_until = min(self._used_until + seconds, now + FAILURE.cap_seconds)
        self._delay_seconds = self._jitter() * min(seconds, _ROUND_SECONDS)

    def answered(self, now: float, *, accepted_bytes: int, throttled_bytes: int) -> None:
        """Learn from an answer.

        Args:
            now: the present time.
            accepted_bytes: of the request's records, those that were accepted.
            throttled_bytes: those that were refused with "Slow down."; what failed for another reason is in neither.
        """
        if not accepted_bytes:
            self._refused_bytes += throttled_bytes
            return
        if throttled_bytes:
            throttled_bytes += self._refused_bytes
        self._refused_bytes = 0
        self._note_accepted(now, accepted_bytes)
        tolerated = _TOLERATED + _TOLERATED_MORE_WHEN_FULL * self._fullness()
        spared_bytes = tolerated * (accepted_bytes + throttled_bytes) - throttled_bytes
        limit, growth = self._limit, 0.0
        if spared_bytes < 0.0:
            self._calm_since = now
            limit = min(limit, _FIRST_LIMIT * self._accepted_bytes)
        elif limit < inf:
            growth = ((now - self._calm_since) / _CALM_SECONDS) ** 2 * accepted_bytes
        # Records of requests that were under way together are refused together: no answer takes more than half.
        self._limit = max(limit / 2, limit + _GAIN * spared_bytes + growth)

    def _note_accepted(self, now: float, accepted_bytes: int) -> None:
        """Add to what was accepted lately. Of that a half is left after a pause of a second, and e^-1 after one of many answers."""
        seconds = max(0.0, now - self._answered_at)
        self._accepted_bytes = self._accepted_bytes / (1.0 + seconds) + accepted_bytes
        self._answered_at = now
