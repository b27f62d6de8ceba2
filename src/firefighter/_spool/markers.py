"""Ranges of dropped events, and the markers that report them, in a spool that numbers its events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii as _text

from firefighter._event.ids import DROPPED, PRODUCER, Dropped, dropped_in, with_place
from firefighter._event.timestamp import timestamp
from firefighter._spool.segment import Segment

__all__ = [
    'Ranges',
    'add_drop',
    'drops_of_event',
    'drops_of_segment',
    'drops_reported_in',
    'encode_marker',
    'extend_over_reported',
    'merge_ranges',
    'most_marker_bytes',
]

# A spool that is full for hours, and whose events give way for several reasons in turn, remembers no more than this.
_MOST_RANGES = 64

_ID = re.compile(rb',"producer":"([0-9a-f]{32})","sequence":([0-9]{1,16})\}\n')
_ID_BEGINS = b',"producer":"'
_REPORT_BEGINS = b',"%s":[' % DROPPED.encode()
# Bounds for what a marker takes: all but the ranges, its place included, and a range, with a reason of 32 bytes.
_BODY_BYTES = 256
_RANGE_BYTES = 192

_PRODUCER_IS = f',"{PRODUCER}":'

Ranges = tuple[Dropped, ...]


def encode_marker(dropped: Iterable[Dropped], reporter: str, now_unix_seconds: float) -> bytes:
    """Return the event that reports dropped ones, with a place for its own id."""
    # Not by `json.dumps`, which makes functions where there may be no memory for them (see `appending`).
    ranges = ','.join(
        [
            f'{{"first":{first},"last":{last},"reason":{_text(reason)}'
            f'{"" if whose == reporter else _PRODUCER_IS + _text(whose)}}}'
            for whose, first, last, reason in dropped
        ]
    )
    event = (
        f'{{"timestamp":"{timestamp(now_unix_seconds)}","level":"WARNING","logger":"firefighter",'
        f'"message":"events dropped","{DROPPED}":[{ranges}]}}\n'
    )
    return with_place(event.encode())


def most_marker_bytes(dropped: Ranges) -> int:
    """Return the most bytes that a marker takes; 0 when there is nothing to report."""
    return _BODY_BYTES + _RANGE_BYTES * len(dropped) if dropped else 0


def _order(dropped: Dropped) -> tuple[str, int, int]:
    return dropped.producer, dropped.first, -dropped.last


def merge_ranges(dropped: Iterable[Dropped]) -> Ranges:
    """Return the same events in order, in as few ranges as possible: a range within another is left out."""
    ranges: list[Dropped] = []
    for dropped_ in sorted(dropped, key=_order):
        before = ranges[-1] if ranges else None
        if before is None or before.producer != dropped_.producer or before.last + 1 < dropped_.first:
            ranges.append(dropped_)
        elif before.last >= dropped_.last:
            continue
        elif before.reason == dropped_.reason:
            ranges[-1] = before._replace(last=dropped_.last)
        else:
            ranges.append(dropped_)
    return tuple(ranges)


def add_drop(dropped: Ranges, producer: str, number: int, reason: str) -> Ranges:
    """Add the newest number of a producer. Too many ranges become fewer at the price of a wrong reason."""
    newest = dropped[-1] if dropped else None
    if (
        newest is not None
        and (newest.producer, newest.last + 1) == (producer, number)
        and (newest.reason == reason or len(dropped) >= _MOST_RANGES)
    ):
        return (*dropped[:-1], newest._replace(last=number))
    return (*dropped, Dropped(producer, number, number, reason))


def extend_over_reported(unreported: Ranges, reported: Iterable[Dropped]) -> Ranges:
    """Return the unreported ranges, each extended over those beside it that were reported already.

    During an outage each segment that is dropped brings a range of its own, and what its markers have reported must be reported
    again. So these are one range, and not one more for each. There are never more ranges than before.
    """
    wholes = merge_ranges((*unreported, *reported))
    grown: list[Dropped] = []
    for part in unreported:
        grown += [
            whole
            for whole in wholes
            if whole.producer == part.producer and whole.first <= part.first and part.last <= whole.last
        ][:1]
    return merge_ranges(grown)


def drops_of_event(line: bytes, reason: str) -> Ranges:
    """Return the drops to report when an event is dropped: its own number, and those that it reports if it is a marker."""
    found = _ID.search(line, max(0, line.rfind(_ID_BEGINS)))
    if found is None or found.end() != len(line):
        return ()
    number = int(found[2])
    return (Dropped(found[1].decode(), number, number, reason), *_drops_reported_by(line))


def drops_of_segment(segment: Segment, reason: str) -> Ranges:
    """Return which events are dropped with a segment, of whatever producer; nothing when none has an id."""
    mapping, head, tail = segment.mapping, segment.head, segment.tail
    first = _ID.search(mapping, head, tail)
    if first is None:
        return ()
    place, last = tail, None
    while last is None:
        place = mapping.rfind(_ID_BEGINS, head, place)
        last = _ID.match(mapping, place, tail)
    return (Dropped(first[1].decode(), int(first[2]), int(last[2]), reason),)


def drops_reported_in(segment: Segment) -> Ranges:
    """Return the drops that the markers in another producer's segment report, of which only the bytes are known."""
    mapping, head, tail = segment.mapping, segment.head, segment.tail
    ranges: list[Dropped] = []
    place = mapping.find(_REPORT_BEGINS, head, tail)
    while place >= 0:
        end = mapping.find(b'\n', place, tail) + 1
        ranges += _drops_reported_by(mapping[max(head, mapping.rfind(b'\n', head, place) + 1) : end])
        place = mapping.find(_REPORT_BEGINS, end, tail)
    return tuple(ranges)


def _drops_reported_by(line: bytes) -> list[Dropped]:
    """Return the drops that a marker reports; none for any other line."""
    if _REPORT_BEGINS not in line:
        return []
    try:
        event = json.loads(line)
    except ValueError:  # a foreign line that looks like one
        return []
    return dropped_in(event) if isinstance(event, dict) and PRODUCER in event else []
