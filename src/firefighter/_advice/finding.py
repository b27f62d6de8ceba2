"""What `aggregate='auto'` takes from a stream's description: how many events in a record are sure to be right.

The rules are those of `fit.py`, which the doctor prints for a person to decide by. Here nobody decides. So this is stricter: where it
depends on a setting that the description does not show, one event in a record is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from firefighter._advice.fit import fit
from firefighter._advice.stream import Kind, read

__all__ = ['Finding', 'most_sure_events']


class Finding(NamedTuple):
    """What was found out about a stream.

    Attributes:
        asked_at: when it was asked for, in seconds since the epoch.
        most_events: the most events in one record; None for as many as it holds.
    """

    asked_at: float
    most_events: int | None


def most_sure_events(description: Mapping[str, Any]) -> int | None:
    """Return the most events in one record that are sure to be right; None for as many as it holds.

    Args:
        description: the `DeliveryStreamDescription`, in botocore's shapes; whatever it lacks, or has in another shape.
    """
    stream = read(description)
    most_events, reason = fit(stream).events
    # A receiver has settings of its own, also one that splits records. And a stream that splits them at newlines finds more of those
    # where a formatter writes events of several lines.
    by_newline = stream.processors.get('RecordDeAggregation', {}).get('SubRecordType') == 'DELIMITED'
    if not (stream.takes_puts and reason.certain) or stream.kind is Kind.HTTP or by_newline:
        return 1
    return most_events
