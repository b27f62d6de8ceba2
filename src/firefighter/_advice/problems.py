"""What is wrong with a handler's options for a stream: what would destroy events, or have them put aside, in silence.

Firehose accepts the records all the same: the program would never be told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from firefighter._advice.fit import fit
from firefighter._advice.reasons import Reason
from firefighter._advice.stream import Stream

__all__ = ['Problem', 'problems']


@dataclass(frozen=True)
class Problem:
    """An option that does not fit.

    Attributes:
        option: its name.
        text: the option as it is, why it does not fit (or may not: that can depend on what only the user knows), and
            what to write instead.
    """

    option: str
    text: str


def problems(
    stream: Stream, *, aggregate: bool, max_aggregated_events: int | None, compression: str | None
) -> list[Problem]:
    """Return what does not fit a stream in a handler's options.

    Args:
        stream: by its description.
        aggregate: as the handler's, said or implied by `compression`.
        max_aggregated_events: as the handler's.
        compression: as the handler's.
    """
    found = [*_of_compression(stream, compression)]
    if aggregate:
        found += _of_aggregation(stream, max_aggregated_events)
    return found


def _of_compression(stream: Stream, compression: str | None) -> Iterator[Problem]:
    if compression is not None:
        for obstacle in fit(stream).obstacles:
            yield _problem('compression', compression, obstacle, 'leave out compression')


def _of_aggregation(stream: Stream, most: int | None) -> Iterator[Problem]:
    allowed, reason = fit(stream).events
    if allowed is None or (most is not None and most <= allowed):
        return
    if allowed == 1:
        yield _problem('aggregate', True, reason, 'leave out aggregate')
    else:
        yield _problem('max_aggregated_events', most, reason, f'write max_aggregated_events={allowed}')


def _problem(option: str, value: object, reason: Reason, instead: str) -> Problem:
    verb = 'does' if reason.certain else 'may'
    return Problem(option, f'{option}={value!r} {verb} not fit the stream: {reason.why}; {instead}')
