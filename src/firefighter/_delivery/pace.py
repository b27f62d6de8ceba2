"""Decides when the next request may start, and how large it may be. `dispatch.py` asks.

`Retries` says how long to wait after a failure, and which failures count. `Pacer` keeps the rate to what a throttled stream takes.
`RequestSize` finds the size that gets through where something on the way has a limit.

The pacer
---------
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
  only be more requests. So it changes nothing, and the backoff holds; after an outage the limit is what it was before.
  It counts with the next request that is refused in part, since then a quota of bytes or records is used up.
* *In rounds of a quarter of a second.* What the limit allows in a round goes at its beginning, in one request where it fits into one.
  So a quota that a full request never fits into is met by small ones. And a producer with a higher limit asks for more at once, of which
  a larger share is refused: without that nothing would make the limits of a fleet alike.

With the sender: a request starts when one is due *and* `seconds_until_allowed` is 0.0, and carries at most `max_request_bytes`.

What each constant buys is in docs/performance.md, from `python -m benchmarks.throttling`.

The size of a request
---------------------
nginx refuses bodies above 1 MiB unless it is told otherwise. On a line of 200 kB/s whose other end hangs up after three seconds a
full request never arrives. So a request that failed in such a way is followed by one of half its size, one at a time. One that passes
is followed by one of twice its size. Where that fails again the limit lies between the two: it is kept to for some minutes, and
then tried anew.

An outage looks alike at first. But there nothing passes, so nothing is learned; and where even the least size has failed, the next
one is full again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from firefighter._delivery.limits import FULL_REQUEST_BYTES, MAX_REQUEST_BYTES

__all__ = [
    'FAILURE',
    'FREE_REFUSALS',
    'LIMITED_PAUSE_SECONDS',
    'MISCONFIGURATION',
    'Backoff',
    'Pacer',
    'RequestSize',
    'Retries',
]


@dataclass(frozen=True)
class Backoff:
    """Exponential backoff with full jitter.

    The jitter is over the whole range, from zero, so that many producers that were throttled together do not come back
    together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Attributes:
        base_seconds: the upper end of the range after the first failure; it doubles with each one that follows.
        cap_seconds: where the doubling ends.
    """

    base_seconds: float
    cap_seconds: float

    def seconds(self, failures: int, random: Callable[[], float], fruitless_seconds: float = inf) -> float:
        """Return how long to wait after so many failures in a row (at least 1).

        Args:
            failures: failures since the last request of which anything was accepted.
            random: returns a number in [0, 1).
            fruitless_seconds: how long nothing has been accepted, where no pause is to be longer than a quarter of that.
        """
        # 2.0 ** 1024 overflows; from 2 ** 30 on, every base is beyond every cap.
        doublings = min(failures - 1, 30)
        # Where three of ten requests are throttled by chance, seven in a row are several times an hour: within a second, and no outage.
        longest = max(self.base_seconds, fruitless_seconds / 4)
        return random() * min(self.cap_seconds, longest, self.base_seconds * 2.0**doublings)


FAILURE = Backoff(base_seconds=0.25, cap_seconds=30.0)
"""After throttling and faults. The base is a few times what a request takes; the cap keeps a long outage at two tries
a minute for each process, and its end noticed within half a minute."""

MISCONFIGURATION = Backoff(base_seconds=5.0, cap_seconds=60.0)
"""While someone has to act: credentials, permissions, a stream that does not exist."""

FREE_REFUSALS = 20
"""Without a pause between them. Halving 500 records down to one invalid one takes 9 refusals, to two takes at most 18."""


LIMITED_PAUSE_SECONDS = 1.0
"""Where somebody waits for delivery (flush, close, the end of the process) no pause is longer than this: in the ten
seconds that a program gives to its end, a pause of thirty would be the last."""


class Retries:
    """Decides when failures permit the next request. Knows no clock: each method is given the time.

    Requests that fail side by side are one failure: only one that was started after the last failure was noted makes the
    pause longer. While `failing`, one request at a time finds out whether the trouble has passed.

    Args:
        jitter: returns a number in [0, 1).

    Attributes:
        allowed_at: when the next request may start.
        failing: whether the newest request of which anything is known was not accepted as a whole.
        misconfigured: whether someone has to act before anything is accepted.
    """

    def __init__(self, jitter: Callable[[], float]) -> None:
        self.allowed_at = -inf
        self.failing = False
        self.misconfigured = False
        self._jitter = jitter
        self._failures = 0
        self._pauses_limited_until = -inf
        self._refusals = 0
        self._noted_at = -inf
        self._accepted_at = -inf

    def limit_pauses_until(self, until: float) -> None:
        """Keep pauses to LIMITED_PAUSE_SECONDS until then: somebody waits."""
        self._pauses_limited_until = max(self._pauses_limited_until, until)

    def seconds_left(self, now: float) -> float:
        """Return how long until the next request may start."""
        if now < self._pauses_limited_until and not self.misconfigured:
            return max(0.0, min(self.allowed_at, self._noted_at + LIMITED_PAUSE_SECONDS) - now)
        return max(0.0, self.allowed_at - now)

    def note_success(self, *, started_at: float) -> None:
        """Note a request of which everything was accepted, or all but what exceeds the stream's quota."""
        self._refusals = 0
        self._accepted_at = max(self._accepted_at, started_at)
        if started_at >= self._noted_at:
            self.failing = self.misconfigured = False
            self._failures = 0
            self.allowed_at = -inf

    def note_failure(
        self, now: float, *, started_at: float, progress: bool, misconfigured: bool, throttled: bool = False
    ) -> None:
        """Note a request of which something was not accepted.

        Args:
            now: the present time, in seconds of a clock that does not jump.
            started_at: when the request was started.
            progress: whether something of it was accepted.
            misconfigured: whether someone has to act.
            throttled: whether everything was refused with "Slow down.", which comes by chance as well.
        """
        self.misconfigured = misconfigured
        self.failing = True
        if started_at >= self._noted_at:
            self._failures = 1 if progress else self._failures + 1
            self._noted_at = now
            backoff = MISCONFIGURATION if misconfigured else FAILURE
            fruitless_seconds = now - self._accepted_at if throttled else inf
            self.allowed_at = now + backoff.seconds(self._failures, self._jitter, fruitless_seconds)

    def note_refusal(self, now: float, *, started_at: float, refuses_all: bool) -> None:
        """Note a request that was refused as invalid.

        Its halves go at once, because all events wait until the invalid one is found. But where one after the other is refused, the
        stream takes nothing, and that is a misconfiguration.

        Args:
            now: the present time.
            started_at: when the request was started.
            refuses_all: whether everything was refused, down to single records.
        """
        self._refusals += 1
        if refuses_all or self._refusals > FREE_REFUSALS:
            self.note_failure(now, started_at=started_at, progress=False, misconfigured=True)


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


LEAST_BYTES = 1024
"""The least size that is tried. With less data a request is mostly head and signature, some 700 bytes."""

KEPT_TO_SECONDS = 300.0
"""How long a limit is kept to. What a try beyond it costs is one request that fails, and may arrive all the same."""


class RequestSize:
    """The size for the next request. Knows no clock: each method is given the time.

    Attributes:
        most_bytes: the most bytes of data for the next request; inf while no limit is known.
    """

    def __init__(self) -> None:
        self.most_bytes = inf
        # The largest that has passed since the last failure; 0 before the first one, when passing showed nothing.
        self._passed_bytes = 0
        # The limit that was found, and until when it is kept to.
        self._found_bytes = inf
        self._found_until = -inf

    def note_failure(self, now: float, size_bytes: int) -> None:
        """Note that a request failed in such a way that its size may be the reason."""
        if size_bytes <= LEAST_BYTES:
            self.most_bytes = inf
        else:
            if self._passed_bytes:
                self._found_bytes = max(self._passed_bytes, size_bytes * 3 // 4)
                self._found_until = now + KEPT_TO_SECONDS
            self.most_bytes = max(LEAST_BYTES, size_bytes // 2)
        self._passed_bytes = 0

    def note_success(self, now: float, size_bytes: int) -> None:
        """Note that a request got through, whatever was answered."""
        if self.most_bytes == inf:
            return
        self._passed_bytes = max(self._passed_bytes, size_bytes)
        if 2 * size_bytes >= self.most_bytes:
            self.most_bytes = min(2 * self.most_bytes, self._found_bytes if now < self._found_until else inf)
