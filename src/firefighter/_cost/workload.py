"""Which events are played, and when each is logged: long enough for a stable result, and no longer."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from math import ceil
from typing import NamedTuple

from firefighter._cost.reading import Encoder, Entry

__all__ = ['MOST_BYTES', 'Arrival', 'Workload', 'collect', 'workload']

MOST_BYTES = 64 * 1024 * 1024
"""What is played at most, in bytes of events: a thousand requests of `target_batch_bytes`."""

# Each event is an object and an arrival besides: of events of a few bytes, as many as make 64 MiB fill gigabytes. The handler makes none
# that is so small.
_LEAST_BYTES = 64

LEAST_EVENTS = 500
LEAST_INTERVALS = 30
"""What is played at least, the log over and over if need be: so many events, and so often `send_interval`."""

_BEGIN = 1_767_225_600.0  # 2026-01-01: timestamps are of the length that they have
_FULL_RATE = 10_000.0  # how far the timestamps are apart where there is no rate
_SEED = 7


class Arrival(NamedTuple):
    """An event and when it is logged, in seconds from the start."""

    at_seconds: float
    event: bytes


@dataclass(frozen=True)
class Workload:
    """What is played.

    Attributes:
        arrivals: in their order.
        event_bytes: of all events.
        events_per_second: None: as fast as they can be taken.
        log_events: how many entries of the log there were to play.
    """

    arrivals: Sequence[Arrival]
    event_bytes: int
    events_per_second: float | None
    log_events: int

    @property
    def repeats(self) -> float:
        """How often the log is played."""
        return len(self.arrivals) / self.log_events


def collect(entries: Iterable[Entry], most_bytes: int = MOST_BYTES) -> tuple[list[Entry], bool]:
    """Return the first entries of a log, about so many bytes of them, and whether these are all.

    Each counts for 64 bytes at least.
    """
    kept: list[Entry] = []
    size_bytes = 0
    for entry in entries:
        if size_bytes >= most_bytes:
            return kept, False
        kept.append(entry)
        size_bytes += max(len(entry), _LEAST_BYTES)
    return kept, True


def workload(
    log: Sequence[Entry],
    events_per_second: float | None = None,
    send_interval: float = 60.0,
    most_bytes: int = MOST_BYTES,
) -> Workload:
    """Return what is to be played.

    Events come at a steady rate, each at a moment of its own within its turn: the digits of real timestamps are not
    regular, and would be compressed too well if they were. Always the same for the same arguments.

    Args:
        log: its entries, at least one.
        events_per_second: of one instance. None: the log once, as fast as possible.
        send_interval: the handler's.
        most_bytes: where to end in any case. Each event counts for 64 bytes at least.
    """
    chance, encoder = random.Random(_SEED), Encoder()  # noqa: S311  # nobody's secret
    turns: Iterable[tuple[int, Entry]] = enumerate(log)
    if events_per_second is not None:
        least = ceil(events_per_second * LEAST_INTERVALS * max(1.0, send_interval))
        turns = zip(range(max(LEAST_EVENTS, least)), cycle(log), strict=False)
    arrivals: list[Arrival] = []
    event_bytes = counted_bytes = 0
    for number, entry in turns:
        at_seconds = (number + chance.random()) / (events_per_second or _FULL_RATE)
        event = encoder.encode(entry, _BEGIN + at_seconds)
        counted_bytes += max(len(event), _LEAST_BYTES)
        if arrivals and counted_bytes > most_bytes:
            break
        # A copy, since orjson's bytes keep the 1 to 4 KiB of memory in which it made them.
        arrivals.append(Arrival(at_seconds, bytes(memoryview(event))))
        event_bytes += len(event)
    return Workload(arrivals, event_bytes, events_per_second, len(log))
