"""How long to wait after a failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ['FAILURE', 'MISCONFIGURATION', 'Backoff']


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

    def seconds(self, failures: int, random: Callable[[], float]) -> float:
        """Return how long to wait after so many failures in a row (at least 1).

        Args:
            failures: failures since the last request of which anything was accepted.
            random: gives a number in [0, 1).
        """
        # 2.0 ** 1024 overflows; from 2 ** 30 on, every base is beyond every cap.
        doublings = min(failures - 1, 30)
        return random() * min(self.cap_seconds, self.base_seconds * 2.0**doublings)


FAILURE = Backoff(base_seconds=0.25, cap_seconds=30.0)
"""After throttling and faults. The base is a few times what a request takes; the cap keeps a long outage at two tries
a minute for each process, and its end noticed within half a minute."""

MISCONFIGURATION = Backoff(base_seconds=5.0, cap_seconds=60.0)
"""While someone has to act: credentials, permissions, a stream that does not exist."""
