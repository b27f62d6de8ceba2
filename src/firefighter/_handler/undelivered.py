"""What becomes of events that a closed handler could not deliver: their number is said, or they go to stderr themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from firefighter._delivery.diagnostics import Diagnostics, count_of
from firefighter._process import exit_and_forks
from firefighter._spool.segment import Origin
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

    def report(self, spool: Spool, pending: int, kept_in: Path | None, kept_by: Origin | None) -> None:
        """Tell what is left.

        Args:
            spool: where it is.
            pending: how many events are.
            kept_in: the directory that keeps them for the next process; None: they are in memory.
            kept_by: what has made the segments in there; those that lie in others are in memory.
        """
        in_memory = pending - (spool.pending_in(kept_by) if kept_by else 0)
        writes = self._policy == 'stderr' and in_memory > 0
        if writes and exit_and_forks.exiting():
            self._write(spool, kept_by)
        left = pending - self._written
        in_memory -= self._written
        if left > 0 and left != self._said:
            fate = (
                'written to stderr when the process ends'
                if writes and not exit_and_forks.exiting()
                else 'lost when the process ends'
            )
            if in_memory < left:
                exception = f', but for {in_memory:,} in memory, {fate}' if in_memory > 0 else ''
                fate = f'kept in {kept_in} for the next process{exception}'
            text = f'stream {self._stream!r}: closed with {count_of(left)} undelivered, {fate}'
            if exit_and_forks.exiting():
                self._diagnostics.write(f'{text}\n')  # each number is the last that is said, perhaps
            elif not self._diagnostics.say('undelivered', text):
                return  # the exit of the process says it
        self._said = left

    def _write(self, spool: Spool, kept_by: Origin | None) -> None:
        events, self._written_through = spool.unsettled(self._written_through, kept_by)
        if not events:
            return
        self._written += len(events)
        self._diagnostics.write(
            f'stream {self._stream!r}: closed with {count_of(len(events))} undelivered, which follow\n'
            # A formatter of the user's may have made anything.
            + b''.join(events).decode('utf-8', 'backslashreplace')
        )
