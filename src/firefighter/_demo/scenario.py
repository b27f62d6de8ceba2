"""What a demo is asked to do, and what travels between its parts while it does it."""

from __future__ import annotations

import collections
import pathlib
from dataclasses import dataclass, field

STREAM = 'demo'


@dataclass(frozen=True)
class Scenario:
    """One demo.

    Attributes:
        workers: how many processes of the web service.
        seconds: how long they are under traffic.
        rate: HTTP requests a second, over all workers.
        folder: where everything goes that the demo writes.
    """

    workers: int
    seconds: float
    rate: float
    folder: pathlib.Path


@dataclass
class Progress:
    """How far the traffic has come.

    Attributes:
        answered: how many HTTP requests were answered, whatever the status.
        failed: how many were not.
        logged: for each worker, the highest number of a log event that an answer has named.
        elapsed_seconds: how long the traffic has been going on.
    """

    answered: int = 0
    failed: int = 0
    logged: collections.Counter[int] = field(default_factory=collections.Counter)
    elapsed_seconds: float = 0.0
