"""What became of the events: the figures that are kept, and the account that is derived from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ['Account', 'Tally']


class Account(NamedTuple):
    """What became of the events, at one moment.

    `accepted + adopted == delivered + sum(dropped.values()) + pending`.
    """

    accepted: int
    delivered: int
    dropped: Mapping[str, int]
    dropped_bytes: Mapping[str, int]
    pending: int
    adopted: int = 0
    markers: int = 0


class Tally:
    """The counts that the segments themselves do not hold. Everything here happens under the spool's lock.

    Counted by `+=` without a Python call in it, so that a signal handler whose own event is dropped cannot come between
    reading and storing.

    Attributes:
        delivered: events acknowledged.
        adopted: events that were pending in segments of dead producers when these were taken over.
        markers: events that the spool has made itself, to tell of those it has dropped.
        rejected: for each reason, events that never came into a segment.
        dropped: for each reason, events that did.
        dropped_bytes: for each reason, the bytes of both.
    """

    def __init__(self) -> None:
        self.delivered = 0
        self.adopted = 0
        self.markers = 0
        self.rejected: defaultdict[str, int] = defaultdict(int)
        self.dropped: defaultdict[str, int] = defaultdict(int)
        self.dropped_bytes: defaultdict[str, int] = defaultdict(int)

    def account(self, *, appended: int, set_aside: int) -> Account:
        """Return the account, given the events ever committed, and those that wait to be.

        Of each figure one copy: a signal handler may count between any two lines.
        """
        rejected, dropped = dict(self.rejected), dict(self.dropped)
        delivered, adopted = self.delivered, self.adopted
        return Account(
            accepted=appended + set_aside + sum(rejected.values()),
            delivered=delivered,
            dropped={
                reason: total
                for reason in sorted(rejected.keys() | dropped.keys())
                if (total := rejected.get(reason, 0) + dropped.get(reason, 0))
            },
            dropped_bytes=dict(self.dropped_bytes),
            pending=appended + adopted + set_aside - delivered - sum(dropped.values()),
            adopted=adopted,
            markers=self.markers,
        )
