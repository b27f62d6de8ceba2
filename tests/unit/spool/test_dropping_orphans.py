"""Giving up what a dead producer has left, when the directory is too full."""

from __future__ import annotations

from firefighter._spool.disk.segment_file import HEADER_BYTES
from firefighter._spool.segment import MemoryStore
from firefighter._spool.spool import MIN_SPOOL_BYTES, Spool

LINES = b'1\n2\n3\n'


def test_of_an_orphan_that_is_half_delivered_only_the_rest_is_dropped():
    """P1: an event is delivered or dropped, never both."""
    segment = MemoryStore().make(MIN_SPOOL_BYTES)
    end = HEADER_BYTES + len(LINES)
    segment.mapping[HEADER_BYTES:end] = LINES
    segment.resume(HEADER_BYTES, end, 3, [], exact=True)
    spool = Spool(MIN_SPOOL_BYTES)
    spool.adopt(segment)
    spool.acknowledge(spool.take(1, 100))
    spool.drop_oldest_adopted()
    account = spool.account()
    assert (account.adopted, account.delivered, account.dropped, account.pending) == (
        3,
        1,
        {'overflow': 2},
        0,
    )
