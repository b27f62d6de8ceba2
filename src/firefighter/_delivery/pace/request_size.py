"""Finds the size of request that gets through, where something on the way has a limit: a proxy's for a body, a slow line's time.

nginx refuses bodies above 1 MiB unless it is told otherwise. On a line of 200 kB/s whose other end hangs up after three seconds a
full request never arrives. So a request that failed in such a way is followed by one of half its size, one at a time. One that passes
is followed by one of twice its size. Where that fails again the limit lies between the two: it is kept to for some minutes, and
then tried anew.

An outage looks alike at first. But there nothing passes, so nothing is learned; and where even the least size has failed, the next
one is full again.
"""

from __future__ import annotations

from math import inf

__all__ = ['RequestSize']

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
