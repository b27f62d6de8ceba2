"""What a demo is asked to do, and what travels between its parts while it does it."""

from __future__ import annotations

import collections
import pathlib
from dataclasses import dataclass, field

STREAM = 'demo'
# Every 30 s a handler looks for what dead processes have left. Before that, only the new process does.
LATEST_KILL_SECONDS = 10


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

    @property
    def spool_dir(self) -> pathlib.Path:
        """Where the workers' handlers keep what is not delivered yet."""
        return self.folder / 'spool'

    @property
    def bucket(self) -> pathlib.Path:
        """Where the files are delivered: a stream that was created without a destination has this bucket."""
        return self.folder / 'logs'

    @property
    def kill_after_seconds(self) -> float:
        """When one of the workers is killed: in the middle of the traffic, of a long one earlier."""
        return min(self.seconds / 2, LATEST_KILL_SECONDS)


@dataclass
class Progress:
    """How far the traffic has come.

    Attributes:
        answered: how many HTTP requests were answered, whatever the status.
        failed: how many were not.
        cut_off: how many were not, since the worker was killed that they had been sent to.
        logged: for each worker, the highest number of a log event that an answer has named.
        elapsed_seconds: how long the traffic has been going on.
    """

    answered: int = 0
    failed: int = 0
    cut_off: int = 0
    logged: collections.Counter[int] = field(default_factory=collections.Counter)
    elapsed_seconds: float = 0.0
