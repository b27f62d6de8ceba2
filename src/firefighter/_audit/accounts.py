"""The accounting of an audit: lines in, and for each producer what is there, what is missing, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson

from firefighter._audit.numbers import Numbers, Range, gaps, outside, put
from firefighter._event.ids import DROPPED, dropped_in, event_id

__all__ = ['Accounts', 'ProducerAccount', 'Totals']

# So many gaps are named; the events in all of them are counted.
_NAMED_GAPS = 100

# What some tools write before the first line of a file, and behind the last one to fill a block.
_BYTE_ORDER_MARK = b'\xef\xbb\xbf'
_PADDING = b'\0 \t\r\n'


@dataclass(frozen=True)
class ProducerAccount:
    """What is there of one producer's events.

    Attributes:
        producer: its id.
        events: its events, each counted once, markers included.
        markers: the events that the handler has made itself, to tell of what it has dropped.
        duplicates: further copies of events.
        explained: events that are missing and that a marker tells of, for each reason.
        unexplained: events that are missing and that no marker tells of.
        before_first: the unexplained before the first event that is there.
        gaps: where the unexplained are, as pairs of first and last number; the first 100.
    """

    producer: str
    events: int
    markers: int
    duplicates: int
    explained: Mapping[str, int]
    unexplained: int
    before_first: int
    gaps: tuple[Range, ...]


@dataclass(frozen=True)
class Totals:
    """The sums over all producers, and what belongs to none. The fields that an account has mean the same here.

    Attributes:
        producers: how many there are.
        without_id: JSON values that carry no event id.
        not_json: lines that are no JSON: torn, or of a formatter that writes something else.
    """

    producers: int
    events: int
    markers: int
    duplicates: int
    explained: Mapping[str, int]
    unexplained: int
    before_first: int
    without_id: int
    not_json: int


class _Producer:
    """What has been read of one producer."""

    __slots__ = ('copies', 'highest', 'markers', 'seen', 'told')

    def __init__(self) -> None:
        self.seen = Numbers()
        self.highest = -1
        self.copies = 0
        self.markers = 0
        # What markers say, as a cover for each reason. Most producers never drop anything.
        self.told: dict[str, list[int]] | None = None


class Accounts:
    """Takes lines in any order, and accounts for them.

    Args:
        partial: what is read begins in the middle: of each producer nothing is missed before the first event that is there.

    Attributes:
        without_id: JSON values that carry no event id.
        not_json: lines that are no JSON: torn, or of a formatter that writes something else.
    """

    def __init__(self, *, partial: bool = False) -> None:
        self._partial = partial
        self._producers: dict[str, _Producer] = {}
        self.without_id = 0
        self.not_json = 0

    def take(self, line: bytes) -> None:
        """Account for one line, with or without its newline; an empty one is none, and a byte order mark is nothing."""
        try:
            event = orjson.loads(line)
        except ValueError:
            self._take_odd(line)
            return
        identity = event_id(event) if type(event) is dict else None
        if identity is None:
            self.without_id += 1
            return
        name, number = identity
        producer = self._producers.get(name) or self._producer(name)
        if not producer.seen.add(number):
            producer.copies += 1
            return
        producer.highest = max(producer.highest, number)
        if DROPPED in event:
            self._take_marker(producer, event)

    def __iter__(self) -> Iterator[ProducerAccount]:
        """Yield the account of each producer, in the order in which they were met."""
        for name, producer in self._producers.items():
            yield self._account(name, producer)

    def totals(self) -> Totals:
        """Return the sums."""
        sums: Counter[str] = Counter()
        explained: Counter[str] = Counter()
        for account in self:
            explained.update(account.explained)
            for name in ('events', 'markers', 'duplicates', 'unexplained', 'before_first'):
                sums[name] += getattr(account, name)
        return Totals(
            producers=len(self._producers),
            events=sums['events'],
            markers=sums['markers'],
            duplicates=sums['duplicates'],
            explained=dict(explained),
            unexplained=sums['unexplained'],
            before_first=sums['before_first'],
            without_id=self.without_id,
            not_json=self.not_json,
        )

    def _take_odd(self, line: bytes) -> None:
        bare = line.strip(_PADDING).removeprefix(_BYTE_ORDER_MARK)
        if bare == line:
            self.not_json += 1
        elif bare:
            self.take(bare)

    def _producer(self, name: str) -> _Producer:
        return self._producers.setdefault(name, _Producer())

    def _take_marker(self, producer: _Producer, event: dict[str, object]) -> None:
        told = dropped_in(event)
        producer.markers += bool(told)
        for dropped in told:
            whose = self._producer(dropped.producer)
            whose.highest = max(whose.highest, dropped.last)
            if whose.told is None:
                whose.told = {}
            put(whose.told.setdefault(dropped.reason, []), dropped.first, dropped.last)

    def _account(self, name: str, producer: _Producer) -> ProducerAccount:
        present = producer.seen.ranges()
        lowest = next(present, (producer.highest + 1,))[0]
        first = lowest if self._partial else 0
        explained: Counter[str] = Counter()
        unexplained = before_first = 0
        named: list[Range] = []
        for missing in gaps(producer.seen.ranges(), first, producer.highest):
            rest = [missing]
            for reason, cover in (producer.told or {}).items():
                untold = [part for whole in rest for part in outside(cover, *whole)]
                explained[reason] += _size(rest) - _size(untold)
                rest = untold
            unexplained += _size(rest)
            before_first += _size(rest) if missing[1] < lowest else 0
            named += rest[: _NAMED_GAPS - len(named)]
        return ProducerAccount(
            name,
            producer.seen.count,
            producer.markers,
            producer.copies,
            dict(+explained),
            unexplained,
            before_first,
            tuple(named),
        )


def _size(ranges: list[Range]) -> int:
    return sum(last - first + 1 for first, last in ranges)
