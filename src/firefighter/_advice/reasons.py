"""What a rule says: why something is so, and what would change it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ['Bound', 'Reason']


class Reason(NamedTuple):
    """Why something is so, and what would change it; both without a full stop.

    `certain` is false where it depends on what only the user knows: the code of a function, of a server, of a formatter.
    """

    why: str
    cure: str = ''
    certain: bool = True

    def __str__(self) -> str:
        """Return both."""
        return f'{self.why}. {self.cure}' if self.cure else self.why


class Bound(NamedTuple):
    """The most events in one record, None for as many as it holds, and why."""

    most_events: int | None
    reason: Reason
