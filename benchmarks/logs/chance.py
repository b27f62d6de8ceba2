"""Chance as logs have it: few values are common, many are rare, and magnitudes differ."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import TypeVar

__all__ = ['Chance', 'Clock']

_T = TypeVar('_T')

_BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=timezone.utc)


class Chance(random.Random):
    """A source of chance with a seed."""

    def rank(self, count: int) -> int:
        """Return a number below `count`: the n-th comes about 1/n as often as the first (Zipf's law)."""
        return int((count + 1) ** self.random()) - 1

    def common(self, values: Sequence[_T]) -> _T:
        """Return one of the values, the first most often."""
        return values[self.rank(len(values))]

    def hexadecimal(self, digits: int) -> str:
        """Return so many random digits."""
        return f'{self.getrandbits(4 * digits):0{digits}x}'

    def uuid(self) -> str:
        """Return an id as programs make them for each request."""
        text = self.hexadecimal(32)
        return f'{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}'

    def milliseconds(self, median: float) -> float:
        """Return a latency: most are near the median, some are far beyond it."""
        return median * self.lognormvariate(0.0, 0.9)

    def client(self, count: int = 200_000) -> str:
        """Return an address out of so many, of which some come again and again."""
        # Scattered over the range of addresses by a multiplication, always the same for the same rank.
        number = (self.rank(count) * 2_654_435_761 + 0x2D_5E_A1_07) & 0xFFFF_FFFF
        return f'{(number >> 24) % 223 + 1}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}'


class Clock:
    """Time that goes on from event to event.

    Args:
        chance: decides by how much.
        events_per_second: how many there are on average.
    """

    def __init__(self, chance: Chance, events_per_second: float) -> None:
        self._chance = chance
        self._rate = events_per_second
        self._seconds = 0.0

    def tick(self) -> datetime:
        """Return the time of the next event."""
        self._seconds += self._chance.expovariate(self._rate)
        return _BEGIN + timedelta(seconds=self._seconds)
