"""What becomes of events that a closed handler could not deliver: their number is said, or they go to stderr themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from firefighter import _process
from firefighter._delivery.diagnostics import Diagnostics
from firefighter._spool.spool import Spool

__all__ = ['Undelivered', 'UndeliveredPolicy']

UndeliveredPolicy = Literal['count', 'stderr']


class Undelivered:
    """Tells what is left, once: closing again without news tells nothing.

    Args:
        stream: the delivery stream's name.
        policy: "count" says how many there are. "stderr" writes the events themselves when the process exits, unless a file
            keeps them: where stderr is collected, by the container's runtime say, they are not lost.
        diagnostics: where to say it.
    """

    def __init__(self, stream: str, policy: UndeliveredPolicy, diagnostics: Diagnostics) -> None:
        self._stream = stream
        self._policy = policy
        self._diagnostics = diagnostics
        self._said = 0
        self._written = 0
        self._written_through = 0

    def tell(self, spool: Spool, pending: int, kept_in: Path | None) -> None:
        """Tell what is left.

        Args:
            spool: where it is.
            pending: how many events are.
            kept_in: the directory that keeps them for the next process; None: they are in memory.
        """
        writes = self._policy == 'stderr' and kept_in is None
        if writes and _process.exiting():
            self._write(spool)
        left = pending - self._written
        if left > 0 and left != self._said:
            fate = (
                f'kept in {kept_in} for the next process'
                if kept_in
                else 'written to stderr when the process ends'
                if writes and not _process.exiting()
                else 'lost when the process ends'
            )
            text = f'stream {self._stream!r}: closed with {_count(left)} undelivered, {fate}'
            if _process.exiting():
                self._diagnostics.write(f'{text}\n')  # each number is the last that is said, perhaps
            elif not self._diagnostics.say('undelivered', text):
                return  # the exit of the process says it
        self._said = left

    def _write(self, spool: Spool) -> None:
        events, self._written_through = spool.unsettled(self._written_through)
        if not events:
            return
        self._written += len(events)
        self._diagnostics.write(
            f'stream {self._stream!r}: closed with {_count(len(events))} undelivered, which follow\n'
            # A formatter of the user's may have made anything.
            + b''.join(events).decode('utf-8', 'backslashreplace')
        )


def _count(events: int) -> str:
    return f'{events:,} event{"s" * (events > 1)}'
