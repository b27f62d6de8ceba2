"""Writes the library's own errors to stderr, rate-limited. Never logs them."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from firefighter._delivery.error_texts import name_error
from firefighter._delivery.stderr import write_text
from firefighter._process.clock import monotonic

__all__ = ['Diagnostics', 'count_of']

# A lasting cause is written once in so many seconds, so that it does not fill a log.
QUIET_SECONDS = 60.0
# Causes are few; the bound is for error codes that a server makes up.
MAX_CAUSES = 100


class Diagnostics:
    """Writes a line for each cause of trouble at most once a minute."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def say(self, cause: str, text: str) -> bool:
        """Write a line to stderr, unless there was one for this cause within the last minute; return whether it was written.

        Never raises. The next line for the cause gives the number of those that were not written.
        """
        now = self._clock()
        if now - self._said.get(cause, -inf) < QUIET_SECONDS:
            self._unsaid[cause] = self._unsaid.get(cause, 0) + 1
            return False
        if len(self._said) >= MAX_CAUSES:
            self._said.clear()
        again = self._unsaid.pop(cause, 0)
        suffix = f' ({again} more like this since the last line)' if again else ''
        if not self.write(f'{text}{suffix}\n'):
            self._unsaid[cause] = again + 1
            return False
        self._said[cause] = now
        return True

    def say_hook_failed(self, hook: str, error: BaseException) -> None:
        """Say that a hook of the user's has raised, as `say` does."""
        self.say(
            hook, f'{hook} raised {name_error(error)}; delivery goes on, and so do the calls of the hook'
        )

    @staticmethod
    def write(text: str) -> bool:
        """Write lines to stderr, without a limit; return whether all of them were written. Never raises."""
        return write_text(f'firefighter: {text}')


def count_of(events: int) -> str:
    """Return a number of events in words."""
    return f'{events:,} event{"s" * (events > 1)}'
