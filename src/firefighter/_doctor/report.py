"""What was looked at, and what came of it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firefighter._advice.advice import Advice

__all__ = ['CHECKS', 'Check', 'Report', 'State']

CHECKS = (
    'credentials',
    'region',
    'endpoint',
    'clock',
    'permission',
    'stream',
    'source',
    'destination',
    'put',
)
"""The names of all checks, in the order in which they are made and shown."""


class State(enum.Enum):
    """What came of a check."""

    OK = 'ok'
    WRONG = 'wrong'
    UNKNOWN = 'unknown'
    """It could not be made, and it matters."""
    NOT_TRIED = 'not tried'
    """Nobody asked for it, or one before it leaves nothing to ask."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: one of CHECKS.
        state: what came of it.
        found: what there is, for people.
        cure: what to do; empty where nothing is to be done.
    """

    name: str
    state: State
    found: str
    cure: str = ''


@dataclass(frozen=True)
class Report:
    """What a whole examination found.

    Attributes:
        stream: the stream's name.
        checks: in the order of CHECKS, each once.
        advice: which options fit; None where no option would help.
        description: what DescribeDeliveryStream says; None where it says nothing.
    """

    stream: str
    checks: tuple[Check, ...]
    advice: Advice | None
    description: Mapping[str, Any] | None

    @property
    def well(self) -> bool:
        """Whether every check that was asked for could be made, and found nothing wrong."""
        return all(check.state in {State.OK, State.NOT_TRIED} for check in self.checks)
