"""Event ids and markers, as they are in the events: for those who write them and those who read them.

    {"timestamp":...,"producer":"0f1e...","sequence":41}

A producer numbers its events from 0 without a gap; an event that it drops has used up its number. For these it leaves a
*marker*, an event of its own:

    {"timestamp":...,"level":"WARNING","logger":"firefighter","message":"events dropped",
     "firefighter_dropped":[{"first":17,"last":40,"reason":"overflow"}],"producer":"0f1e...","sequence":42}

Where what was dropped is another producer's, which has died, each of the ranges says whose in a `producer` of its own.

The number is known only when the event is appended. Until then the line ends with as many NULs as the id may take, a
*place*: so its size is counted, and it cannot be mistaken for a line that gets no id, since no other has a NUL.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, TypeGuard

__all__ = [
    'DROPPED',
    'PLACE',
    'PRODUCER',
    'PRODUCER_BYTES',
    'SEQUENCE',
    'Dropped',
    'dropped_in',
    'event_id',
    'id_format',
    'with_place',
]

PRODUCER = 'producer'
SEQUENCE = 'sequence'
DROPPED = 'firefighter_dropped'
"""The keys of an event, and of a marker."""

# Beyond it a number is nobody's: 2 ** 53 is the largest that every reader of JSON keeps exact.
_END_OF_NUMBERS = 1 << 53
_PRODUCER = re.compile('[0-9a-f]{32}')

PRODUCER_BYTES = 16
"""The size of a producer's id, which is random."""


def id_format(producer_id: bytes) -> bytes:
    """Return how an event ends whose number is put in by `%`."""
    return b',"%s":"%s","%s":%%d}\n' % (PRODUCER.encode(), producer_id.hex().encode(), SEQUENCE.encode())


PLACE = bytes(len(id_format(bytes(PRODUCER_BYTES)) % (_END_OF_NUMBERS - 1)))
"""What a line ends with that is to get an id."""


def with_place(line: bytes) -> bytes:
    """Return the line of a JSON object that is not empty, ending with a place for its id."""
    return line[:-2] + PLACE


class Dropped(NamedTuple):
    """What a marker says: a producer's events from the first to the last are dropped, and why."""

    producer: str
    first: int
    last: int
    reason: str


def event_id(event: dict[str, Any]) -> tuple[str, int] | None:
    """Return an event's producer and sequence number, or None when it has no id."""
    producer, number = event.get(PRODUCER), event.get(SEQUENCE)
    return (producer, number) if _is_producer(producer) and _is_number(number) else None


def dropped_in(event: dict[str, Any]) -> list[Dropped]:
    """Return what an event with an id says was dropped: nothing, unless it is a marker."""
    told = event.get(DROPPED)
    ranges = [_dropped(entry, event[PRODUCER]) for entry in told] if isinstance(told, list) else []
    return [dropped for dropped in ranges if dropped is not None]


def _dropped(entry: object, teller: str) -> Dropped | None:
    if not isinstance(entry, dict):
        return None
    producer, first, last, reason = (
        entry.get(PRODUCER, teller),
        entry.get('first'),
        entry.get('last'),
        entry.get('reason'),
    )
    if not _is_producer(producer) or not _is_number(first) or not _is_number(last) or type(reason) is not str:
        return None
    return Dropped(producer, first, last, reason) if first <= last else None


def _is_number(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < _END_OF_NUMBERS


def _is_producer(value: object) -> TypeGuard[str]:
    return type(value) is str and _PRODUCER.fullmatch(value) is not None
