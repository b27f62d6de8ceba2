"""What Firehose may have delivered, for tests of those who read it, and what is to be said of it."""

from __future__ import annotations

import gzip
import json

import zstd_frames

FIRST, SECOND = '1' * 32, '2' * 32


def event(producer, number, **more):
    """Return an event's line as the handler writes it."""
    return json.dumps({'message': 'm', **more, 'producer': producer, 'sequence': number}).encode() + b'\n'


def marker(producer, number, first, last, reason='overflow'):
    """Return the line that says what was dropped."""
    return event(producer, number, firefighter_dropped=[{'first': first, 'last': last, 'reason': reason}])


OBJECTS = {
    # Out of order; 3 to 5 are missing, and 9.
    'logs/2026/11/25/10/a': event(FIRST, 6) + event(FIRST, 8) + event(FIRST, 10),
    'logs/2026/11/25/09/a.gz': gzip.compress(event(FIRST, 0))
    + gzip.compress(event(FIRST, 1) + event(FIRST, 2)),
    'logs/2026/11/25/10/b.zst': zstd_frames.compressed(marker(FIRST, 7, 3, 5) + event(FIRST, 2)),
    'logs/2026/11/25/10/c': b'{"no":"id"}\n{"torn":"li\n\n' + event(SECOND, 0),
}


def check(found):
    """Check what is to be said of OBJECTS."""
    status, rows, totals = found
    assert status == 1
    assert rows[FIRST] == {
        'producer': FIRST,
        'events': 7,
        'markers': 1,
        'duplicates': 1,
        'explained': {'overflow': 3},
        'unexplained': 1,
        'before_first': 0,
        'gaps': [[9, 9]],
    }
    assert (rows[SECOND]['events'], rows[SECOND]['unexplained']) == (1, 0)
    assert totals == {
        'producer': None,
        'objects': 4,
        'unreadable': 0,
        'producers': 2,
        'events': 8,
        'markers': 1,
        'duplicates': 1,
        'explained': {'overflow': 3},
        'unexplained': 1,
        'before_first': 0,
        'without_id': 1,
        'not_json': 1,
    }
