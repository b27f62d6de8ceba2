"""What the library has to say of its own troubles: rate-limited lines on stderr, never a log record."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from math import inf
from time import monotonic

from firefighter._delivery.origin import as_own_output

__all__ = ['Diagnostics', 'count_of']

# A cause that lasts is said again after a minute; a log that nobody reads is not filled with it.
QUIET_SECONDS = 60.0
# Causes are few and fixed; the bound is for error codes that a server invents.
MAX_CAUSES = 100


class Diagnostics:
    """Says each cause of trouble at most once a minute."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def say(self, cause: str, text: str) -> bool:
        """Write a line to stderr, unless the same cause was said within the last minute; return whether. Never raises."""
        now = self._clock()
        if now - self._said.get(cause, -inf) < QUIET_SECONDS:
            self._unsaid[cause] = self._unsaid.get(cause, 0) + 1
            return False
        if len(self._said) >= MAX_CAUSES:
            self._said.clear()
        self._said[cause] = now
        again = self._unsaid.pop(cause, 0)
        suffix = f' ({again} more like this since the last line)' if again else ''
        self.write(f'{text}{suffix}\n')
        return True

    @staticmethod
    def write(text: str) -> None:
        """Write lines to stderr, however often that is. Never raises."""
        with suppress(Exception):  # no stderr, or a broken one: the counters say the same
            _write(f'firefighter: {text}')


# A program may have put a logger in stderr's place: what comes back from there is not an event.
@as_own_output
def _write(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()


def count_of(events: int) -> str:
    """Return a number of events in words."""
    return f'{events:,} event{"s" * (events > 1)}'
