"""The rows that `firefighter spool` prints: of a producer, and of a segment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firefighter._spool.disk.inspection import InspectedSegment, Producer

__all__ = ['state_of', 'summary']


def summary(producer: Producer, trouble: Callable[[str], None]) -> dict[str, Any]:
    """Return a row of `ls`."""
    row: dict[str, Any] = {
        'stream': None,
        'destination': None,
        'producer': producer.id,
        'state': 'alive' if producer.alive else 'dead',
        'events': 0,
        'bytes': 0,
        'oldest': None,
        'torn_bytes': 0,
        'newer_segments': 0,
        'quarantined_bytes': producer.quarantined_bytes(),
        'path': str(producer.path),
    }
    for segment in producer.segments(trouble):
        state = state_of(producer, segment)
        row['events'] += state['events']
        row['torn_bytes'] += state['torn_bytes']
        row['newer_segments'] += segment.newer is not None
        row['bytes'] += sum(len(lines) for lines in segment.waiting())
        row['oldest'] = row['oldest'] or segment.oldest()
        if segment.header is not None:
            row['stream'] = segment.header.stream
            row['destination'] = dict(segment.header.destination)
    about = producer.about()
    return row | {key: about.get(key) for key in ('pid', 'started', 'host', 'program')}


def state_of(producer: Producer, segment: InspectedSegment) -> dict[str, Any]:
    """Return a row of `verify`."""
    recovery = segment.recovery
    torn_bytes = recovery.torn_bytes if recovery else 0
    if recovery is None or segment.refusal is not None:
        state = segment.complaint
    elif recovery.exact:
        state = 'good'
    elif producer.alive:
        # Nothing of a producer that is alive is called torn: it is the only one who knows.
        state, torn_bytes = 'being written', 0
    else:
        state = 'torn' if torn_bytes else 'good, as far as can be seen'
    return {
        'producer': producer.id,
        'segment': segment.name,
        'state': state,
        'events': recovery.events if recovery else 0,
        'torn_bytes': torn_bytes,
        'refused': segment.refusal,
    }
