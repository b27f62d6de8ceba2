"""Sets of sequence numbers that take next to no memory.

Numbers come nearly in order and nearly all of them, so two forms are enough. A *cover* is a sorted list of boundaries
`[first, end, first, end, ...]`: everything from each first up to before its end. `Numbers` keeps a bit for each
number in blocks of 4,096, and when a block is full only a place in a cover of blocks. So a producer without gaps
takes the same few hundred bytes whatever it has logged, and one with a gap in every block an eighth of a byte for
each event, and a tenth of that for keeping the blocks; in whatever order they come.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

__all__ = ['Numbers', 'Range', 'covers', 'gaps', 'outside', 'put']

Range = tuple[int, int]
"""The first and the last of consecutive numbers."""

_BLOCK_BITS = 12
_BLOCK = 1 << _BLOCK_BITS
_FULL = (1 << _BLOCK) - 1
_ONES = re.compile('1+')


def put(cover: list[int], first: int, last: int) -> None:
    """Add the numbers from the first to the last to a cover."""
    end = last + 1
    begins, ends = bisect_left(cover, first), bisect_right(cover, end)
    # An odd place is inside a stretch that is there already: its boundary stays.
    cover[begins:ends] = [first] * (begins % 2 == 0) + [end] * (ends % 2 == 0)


def covers(cover: list[int], number: int) -> bool:
    """Return whether a number is in a cover."""
    return bisect_right(cover, number) % 2 == 1


def outside(cover: list[int], first: int, last: int) -> Iterator[Range]:
    """Yield the parts of a range that are not in a cover, in order."""
    place = bisect_right(cover, first)
    if place % 2:
        first = cover[place]
        place += 1
    while place < len(cover) and cover[place] <= last:
        yield first, cover[place] - 1
        first = cover[place + 1]
        place += 2
    if first <= last:
        yield first, last


def gaps(present: Iterable[Range], first: int, last: int) -> Iterator[Range]:
    """Yield what is not there, from the first number to the last.

    Args:
        present: what is there, in order.
        first: where to begin.
        last: where to end.
    """
    for begin, end in present:
        if begin > last:
            break
        if begin > first:
            yield first, begin - 1
        first = max(first, end + 1)
    if first <= last:
        yield first, last


class Numbers:
    """A set of numbers, 0 and above.

    Attributes:
        count: how many there are.
    """

    __slots__ = ('_full', '_partial', 'count')

    def __init__(self) -> None:
        self.count = 0
        # A cover of the blocks that are full, and the bits of those that are not.
        self._full: list[int] = []
        self._partial: dict[int, int] = {}

    def add(self, number: int) -> bool:
        """Add a number; return whether it is new."""
        block = number >> _BLOCK_BITS
        bit = 1 << (number & (_BLOCK - 1))
        before = self._partial.get(block, 0)
        if before & bit or (not before and covers(self._full, block)):
            return False
        if before | bit == _FULL:
            del self._partial[block]
            put(self._full, block, block)
        else:
            self._partial[block] = before | bit
        self.count += 1
        return True

    def ranges(self) -> Iterator[Range]:
        """Yield the numbers in order, as ranges; two may touch."""
        full = zip(self._full[::2], self._full[1::2], strict=True)
        parts = [(block, block + 1, bits) for block, bits in self._partial.items()]
        for block, end, bits in sorted([*parts, *((block, end, 0) for block, end in full)]):
            if not bits:
                yield block << _BLOCK_BITS, (end << _BLOCK_BITS) - 1
                continue
            for ones in _ONES.finditer(f'{bits:b}'[::-1]):
                yield (block << _BLOCK_BITS) + ones.start(), (block << _BLOCK_BITS) + ones.end() - 1
