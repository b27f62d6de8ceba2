"""Dead letters: events that Firehose refuses as invalid. They are kept and reported before they are dropped."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from firefighter._delivery.diagnostics import Diagnostics

__all__ = ['DeadLetterHook', 'DeadLetters']

DeadLetterHook = Callable[[bytes, str], object]
Keep = Callable[[bytes, str], None]


class DeadLetters:
    """Keeps and reports each dead letter once.

    Args:
        hook: called with the event's bytes and the reason in words; None: nothing is reported.
        keep: writes an event and its reason to a file; may raise an Exception. None: nothing is kept.
        diagnostics: writes errors of `keep` to stderr.

    Attributes:
        events: how many there were.
        errors: how many exceptions the hook has raised.
    """

    def __init__(self, hook: DeadLetterHook | None, keep: Keep | None, diagnostics: Diagnostics) -> None:
        self._hook = hook
        self._keep = keep
        self._diagnostics = diagnostics
        self._unreported: deque[tuple[bytes, str]] = deque()
        self.events = 0
        self.errors = 0

    def put(self, event: bytes, reason: str) -> None:
        """Keep an event that is about to be dropped. Never raises an Exception: the other events must be delivered."""
        self.events += 1
        if self._hook is not None:
            self._unreported.append((event, reason))
        if self._keep is not None:
            try:
                self._keep(event, reason)
            except Exception as error:  # of the file system
                self._diagnostics.say(
                    'no dead letter', f'an event that Firehose refuses could not be kept: {error}'
                )

    def report(self) -> None:
        """Call the hook for new dead letters; outside every lock, on the delivery thread."""
        while self._hook is not None and self._unreported:
            event, reason = self._unreported.popleft()
            try:
                self._hook(event, reason)
            except (Exception, SystemExit) as error:
                # The user's own code. sys.exit in it would end only the delivery thread, which goes on.
                self.errors += 1
                self._diagnostics.say_hook_failed('on_dead_letter', error)
