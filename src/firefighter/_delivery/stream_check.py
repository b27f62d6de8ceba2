"""Checks once whether the stream's destination takes what the handler sends, and reports where it does not.

Firehose accepts any bytes and answers 200. So a handler that aggregates or compresses for a destination that does not take
that loses events without an error. Where there is no permission to ask, or no answer, nothing is reported: delivery needs neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from firefighter._advice.problems import problems
from firefighter._advice.stream import Kind, read

__all__ = ['StreamCheck']


class StreamCheck:
    """Checks when it is called.

    Args:
        describe: makes a DescribeDeliveryStream request; may raise.
        report: called with the problems, in one line.
        aggregate: as the handler's, given or implied.
        max_aggregated_events: as the handler's.
        compression: as the handler's.
    """

    def __init__(
        self,
        describe: Callable[[], object],
        report: Callable[[str], None],
        *,
        aggregate: bool,
        max_aggregated_events: int | None,
        compression: str | None,
    ) -> None:
        self._describe = describe
        self._report = report
        self._aggregate = aggregate
        self._max_aggregated_events = max_aggregated_events
        self._compression = compression

    def __call__(self) -> None:
        """Ask for the stream's description and report problems. Never raises."""
        # No permission, throttled, or a client of the user's that cannot ask or returns anything.
        with suppress(Exception):
            description = self._describe()
            if isinstance(description, Mapping):
                self._compare(description)

    def _compare(self, description: Mapping[str, object]) -> None:
        stream = read(description)
        if stream.kind is Kind.UNKNOWN:
            return
        found = problems(
            stream,
            aggregate=self._aggregate,
            max_aggregated_events=self._max_aggregated_events,
            compression=self._compression,
        )
        if found:
            self._report('. '.join(problem.text for problem in found))
