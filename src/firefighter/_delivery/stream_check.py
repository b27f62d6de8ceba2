"""Whether the stream takes what the handler sends: asked at most once, at leisure, and told where it does not.

Firehose accepts any bytes. What aggregates, or compresses, for a destination that will not have it loses events in silence,
behind an answer of 200. Without permission to ask, or an answer, nothing is said: delivery needs neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from firefighter._advice.problems import problems
from firefighter._advice.stream import Kind, read

__all__ = ['StreamCheck']


class StreamCheck:
    """Asks when it is called.

    Args:
        describe: makes a DescribeDeliveryStream request; may raise.
        tell: called with what is wrong, in one line.
        aggregate: as the handler's, said or implied.
        max_aggregated_events: as the handler's.
        compression: as the handler's.
    """

    def __init__(
        self,
        describe: Callable[[], object],
        tell: Callable[[str], None],
        *,
        aggregate: bool,
        max_aggregated_events: int | None,
        compression: str | None,
    ) -> None:
        self._describe = describe
        self._tell = tell
        self._aggregate = aggregate
        self._max_aggregated_events = max_aggregated_events
        self._compression = compression

    def __call__(self) -> None:
        """Ask, and tell. Never raises."""
        with suppress(
            Exception
        ):  # no permission, throttled, a client of the user's that cannot ask, or says anything
            description = self._describe()
            if isinstance(description, Mapping):
                self._compare(description)

    def _compare(self, description: Mapping[str, object]) -> None:
        stream = read(description)
        if stream.kind is Kind.UNKNOWN:
            return  # where nothing is known nothing is known to be wrong
        found = problems(
            stream,
            aggregate=self._aggregate,
            max_aggregated_events=self._max_aggregated_events,
            compression=self._compression,
        )
        if found:
            self._tell('. '.join(problem.text for problem in found))
