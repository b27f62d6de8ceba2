"""Decide how long to wait after a failure, and which failures count. `dispatch.py` asks, and sends again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

__all__ = ['FAILURE', 'FREE_REFUSALS', 'LIMITED_PAUSE_SECONDS', 'MISCONFIGURATION', 'Backoff', 'Retries']


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
