"""Report the events that a closed handler could not deliver: their number, or the events themselves, on stderr."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Literal

from firefighter._delivery.diagnostics import Diagnostics, count_of, write_bytes
from firefighter._process import exit_and_forks
from firefighter._spool.segment import Origin
from firefighter._spool.spool import Spool

__all__ = ['Undelivered', 'UndeliveredPolicy']

UndeliveredPolicy = Literal['count', 'stderr']


class Undelivered:
    """Reports how many events are left, once: closing again reports nothing unless the number has changed.

    Args:
        stream: the delivery stream's name.
        policy: "count" reports how many there are. "stderr" writes the events themselves when the process exits, unless a file
            keeps them. So they are not lost where stderr is collected, as container runtimes do.
        diagnostics: where to report it.
    """

    def __init__(self, stream: str, policy: UndeliveredPolicy, diagnostics: Diagnostics) -> None:
        self._stream = stream
        self._policy = policy
        self._diagnostics = diagnostics
        self._said = 0
        self._written = 0
        self._written_through = 0

    def report(self, spool: Spool, pending: int, kept_in: Path | None, kept_by: Origin | None) -> None:
        """Report the events that are left.

        Args:
            spool: where they are.
            pending: how many there are.
            kept_in: the directory that keeps them for the next process; None: they are in memory.
            kept_by: the maker of the segments in that directory; events in other segments are in memory.
        """
        if exit_and_forks.exit_reports():
            return
        exiting = exit_and_forks.exiting()
        # Else this thread may be ended in the middle of a line, and the exit may still write what this thread does not.
        is_of_the_exit = exiting and not exit_and_forks.in_another_threads_exit()
        in_memory = pending - (spool.pending_in(kept_by) if kept_by else 0)
        writes = self._policy == 'stderr' and in_memory > 0
        if writes and is_of_the_exit:
            self._write(spool, kept_by)
        left = pending - self._written
        in_memory -= self._written
        if left > 0 and left != self._said:
            fate = 'lost when the process ends'
            if writes and not exiting:
                fate = 'written to stderr when the process ends'
            elif writes and not is_of_the_exit:
                fate = 'lost when the process ends, unless they follow'
            if in_memory < left:
                exception = f', but for {in_memory:,} in memory, {fate}' if in_memory > 0 else ''
                fate = f'kept in {kept_in} for the next process{exception}'
            text = f'stream {self._stream!r}: closed with {count_of(left)} undelivered, {fate}'
            if is_of_the_exit:
                self._diagnostics.write(f'{text}\n')  # not rate-limited, since this may be the last line
            elif not self._diagnostics.say('undelivered', text):
                return  # rate-limited: the exit of the process will report it
        self._said = left

    def _write(self, spool: Spool, kept_by: Origin | None) -> None:
        events, self._written_through = spool.unsettled(self._written_through, kept_by)
        if not events:
            return
        title = f'stream {self._stream!r}: closed with {count_of(len(events))} undelivered, which follow\n'
        if self._diagnostics.write(title):
            # As they would have been sent, whatever the encoding of stderr. Where it takes no more, the others are reported as lost.
            self._written += sum(takewhile(bool, map(write_bytes, events)))
