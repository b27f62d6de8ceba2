"""Counts of what became of the events, and the account that is derived from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from firefighter._spool.set_aside import Waiting

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
    """The counts that the segments themselves do not hold. Everything but `failed` changes under the spool's lock.

    Attributes:
        delivered: events acknowledged.
        adopted: events that were pending in segments of dead producers when these were taken over.
        markers: events that the spool has made itself, to report those it has dropped.
        failed: events that append could not queue since something raised. Counted by `+=` without a call in it, so that
            neither another thread nor a signal handler comes between reading and storing.
        rejected: for each reason, other events that never came into a segment.
        dropped: for each reason, events that did.
        dropped_bytes: for each reason, the bytes of both.
    """

    def __init__(self) -> None:
        self.delivered = 0
        self.adopted = 0
        self.markers = 0
        self.failed = 0
        self.rejected: defaultdict[str, int] = defaultdict(int)
        self.dropped: defaultdict[str, int] = defaultdict(int)
        self.dropped_bytes: defaultdict[str, int] = defaultdict(int)

    def account(self, appended: int, waiting: Sequence[Waiting]) -> Account:
        """Return the account.

        Args:
            appended: the events ever committed.
            waiting: those that wait to be, or to be counted as dropped.
        """
        lost = defaultdict(int, self.dropped)
        lost_bytes = dict(self.dropped_bytes)
        delivered, adopted = self.delivered, self.adopted
        rejected = defaultdict(int, self.rejected)
        rejected['failed'] += self.failed
        for each in waiting:
            if each.reason:
                rejected[each.reason] += 1
                lost_bytes[each.reason] = lost_bytes.get(each.reason, 0) + each.size_bytes
        set_aside = sum([not each.reason for each in waiting])
        pending = appended + adopted + set_aside - delivered - sum(lost.values())
        for reason, events in rejected.items():
            lost[reason] += events
        return Account(
            accepted=appended + set_aside + sum(rejected.values()),
            delivered=delivered,
            dropped={reason: lost[reason] for reason in sorted(lost) if lost[reason]},
            dropped_bytes=lost_bytes,
            pending=pending,
            adopted=adopted,
            markers=self.markers,
        )
