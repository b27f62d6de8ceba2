"""What a program does with a handler, action by action, while Firehose stores and answers as it likes."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence

from firefighter.logging import FirehoseHandler
from scripted_client import POISON


class Ledger:
    """What an endpoint has stored.

    Attributes:
        told: how often each event was stored in a request whose answer said so.
        untold: the same, where no such answer came.
        lines: everything as it was stored, markers included.
    """

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        self.untold: Counter[str] = Counter()
        self.lines: list[bytes] = []

    def store(self, events: Sequence[bytes], told: bool) -> None:
        self.lines += events
        (self.told if told else self.untold).update(json.loads(event)['message'] for event in events)

    @property
    def arrived(self) -> Counter[str]:
        return self.told + self.untold


class Life:
    """A handler, and what the program has logged.

    Args:
        handler: the handler.
        script: told what Firehose's next answers are to be like, in words of its own.
        name: begins the message of each event.
    """

    def __init__(
        self, handler: FirehoseHandler, script: Callable[[Sequence[str]], object], name: str = ''
    ) -> None:
        self.logged: list[str] = []
        self.handler = handler
        self._script = script
        self._name = name
        self._logger = logging.Logger('foo')
        self._logger.addHandler(self.handler)

    def act(self, action: str, *arguments) -> None:
        """Do what an action says: the name of one of the methods below, and its arguments."""
        getattr(self, action.replace(' ', '_'))(*arguments)

    def log(self, count: int, size: int) -> None:
        for _ in range(count):
            self._log('x' * size)

    def log_poison(self, count: int) -> None:
        for _ in range(count):
            self._log(POISON.decode())

    def _log(self, padding: str) -> None:
        event = f'{self._name}{len(self.logged)}'
        self._logger.info({'message': event, 'padding': padding})
        self.logged.append(event)

    def answers(self, moods: Sequence[str]) -> None:
        self._script(moods)

    def flush(self, timeout_seconds: float) -> None:
        self.handler.flush(timeout_seconds)

    def close(self) -> None:
        self.handler.close()
