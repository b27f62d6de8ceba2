"""The policy for events above MAX_RECORD_SIZE."""

from __future__ import annotations

from typing import Literal

from firefighter._event.truncation import truncate
from firefighter._process.lock import locked, make_lock

__all__ = ['Oversize', 'OversizePolicy']

OversizePolicy = Literal['keep', 'truncate', 'drop']


class Oversize:
    """Makes oversize events fit, and counts them.

    Args:
        policy: None stands for "keep" while the limit is the documented one, and for "truncate" otherwise.
        documented_limit: the documented value of MAX_RECORD_SIZE, in bytes.
        hard_limit: the service's, in bytes: above it an event is truncated in any case.

    Attributes:
        events: oversize events so far.
        truncated: those of them that were cut.
    """

    def __init__(self, policy: OversizePolicy | None, *, documented_limit: int, hard_limit: int) -> None:
        self._policy = policy
        self._documented_limit = documented_limit
        self._hard_limit = hard_limit
        self._lock = make_lock()
        self.events = 0
        self.truncated = 0

    def fit(self, event: bytes, limit: int, reserved_bytes: int = 0) -> bytes | None:
        """Return the event, whole or truncated, or None when it is to be dropped.

        Args:
            event: ended by a newline, which counts.
            limit: MAX_RECORD_SIZE as it stands now, in bytes.
            reserved_bytes: what is to be added to it, and counts.
        """
        size = len(event) + reserved_bytes
        if size <= limit and size <= self._hard_limit:
            return event
        self._count()
        policy = self._policy or ('keep' if limit == self._documented_limit else 'truncate')
        if policy == 'drop':
            return None
        allowed = self._hard_limit if policy == 'keep' else min(limit, self._hard_limit)
        if size <= allowed:
            return event
        self._count_truncated()
        return truncate(event, allowed - reserved_bytes)

    @locked
    def _count(self) -> None:
        self.events += 1

    @locked
    def _count_truncated(self) -> None:
        self.truncated += 1
