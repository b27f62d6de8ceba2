"""Records that wait for their object, and the decision when it is due.

Firehose gathers a stream's records until either hint is reached, whichever comes first, counted from the first
record of the buffer. The buffer's bytes are the records' own, before any processing or compression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from firefighter.local.protocol import Moment

MIB = 1024 * 1024
# A day: the longest time that anything here can be told to wait. AWS waits 900 s at most.
MAX_SECONDS = 86_400
# What no buffer holds; AWS's maximum is 128 MiB.
MAX_BYTES = 1024 * 1024 * MIB


@dataclass(frozen=True)
class BufferingHints:
    """When a buffer becomes an object.

    Attributes:
        size_bytes: this many waiting. AWS's default is 5 MiB, and it takes 1 to 128 MiB.
        interval_seconds: this long after the first. AWS's default is 300 s, and it takes whole seconds up to 900;
            1 s here, so that a person sees files at once.

    Raises:
        ValueError: one of them is negative, or larger than makes sense.
    """

    size_bytes: int = 5 * MIB
    interval_seconds: float = 1

    def __post_init__(self) -> None:
        # Written so that NaN fails, too.
        if not (self.size_bytes >= 0 and self.interval_seconds >= 0):
            raise ValueError(
                f'a buffer of {self.size_bytes} bytes and {self.interval_seconds} s: neither may be negative'
            )
        if self.size_bytes > MAX_BYTES or self.interval_seconds > MAX_SECONDS:
            raise ValueError(
                f'a buffer of {self.size_bytes} bytes and {self.interval_seconds} s: at most {MAX_BYTES} bytes '
                f'and {MAX_SECONDS} s make sense'
            )


@dataclass(frozen=True)
class Batch:
    """What one object is made of.

    Attributes:
        records: in the order of their arrival.
        opened: when the first of them arrived; it dates the object's key.
    """

    records: list[bytes]
    opened: Moment


@dataclass
class Buffer:
    """The records of one stream that are not in an object yet."""

    hints: BufferingHints
    waiting_bytes: int = 0
    _records: list[bytes] = field(default_factory=list)
    _opened: Moment | None = None

    @property
    def waiting_records(self) -> int:
        """How many records wait."""
        return len(self._records)

    def add(self, records: Sequence[bytes], moment: Moment) -> list[Batch]:
        """Take records in and return the batches that are full now.

        Args:
            records: what arrived, in order.
            moment: when.
        """
        full = []
        for record in records:
            if self._opened is None:
                self._opened = moment
            self._records.append(record)
            self.waiting_bytes += len(record)
            if self.waiting_bytes >= self.hints.size_bytes:
                full += self.take()
        return full

    def due_at(self) -> float | None:
        """Return when the interval ends, on the monotonic clock; None if nothing waits."""
        return None if self._opened is None else self._opened.monotonic_seconds + self.hints.interval_seconds

    def take(self) -> list[Batch]:
        """Empty the buffer and return what was in it: one batch, or none."""
        if self._opened is None:
            return []
        batch = Batch(self._records, self._opened)
        self._records, self._opened, self.waiting_bytes = [], None, 0
        return [batch]
