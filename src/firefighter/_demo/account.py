"""The account: what the workers say that they logged, against what is in the files."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firefighter._demo.delivered import Delivered
from firefighter.stats import DropReason, Stats

# More stretches of numbers than this would not help anybody.
MAX_STRETCHES = 5


@dataclass(frozen=True)
class Report:
    """A worker's last words.

    Attributes:
        worker: its number among its like.
        logged: how many events it has numbered: 1 to this.
        stats: its handler's account.
    """

    worker: int
    logged: int
    stats: Stats

    @classmethod
    def from_json(cls, report: Mapping[str, Any]) -> Report:
        """Return the report that a worker has printed."""
        stats = dict(report['stats'])
        for name in ('dropped', 'dropped_bytes'):
            stats[name] = {DropReason(reason): count for reason, count in stats[name].items()}
        return cls(report['worker'], report['logged'], Stats(**stats))


@dataclass(frozen=True)
class Account:
    """What became of the events.

    Attributes:
        accepted: events that the workers' handlers took.
        delivered: different events in the files.
        missing: events that were logged and are in no file.
        duplicated: copies in the files beyond the first.
        dropped: events that a handler says it gave up.
        pending: events that a handler still had when its worker ended.
        complaints: everything that is not as it should be, in sentences; empty if all is well.
    """

    accepted: int
    delivered: int
    missing: int
    duplicated: int
    dropped: int
    pending: int
    complaints: tuple[str, ...]


def settle(reports: Sequence[Report], delivered: Delivered) -> Account:
    """Compare the workers' reports with the files.

    Args:
        reports: one for each worker.
        delivered: the content of the files.
    """
    complaints: list[str] = []
    missing = duplicated = found = 0
    for report in reports:
        copies = delivered.copies.get(report.worker, {})
        numbers = range(1, report.logged + 1)
        absent = [number for number in numbers if number not in copies]
        surplus = sum(copies.values()) - len(copies)
        missing += len(absent)
        duplicated += surplus
        found += len(copies)
        complaints += _complaints(report, absent, surplus, strangers=[n for n in copies if n not in numbers])
    unknown = delivered.copies.keys() - {report.worker for report in reports}
    strangers = delivered.strangers + sum(sum(delivered.copies[worker].values()) for worker in unknown)
    if strangers:
        complaints.append(f'{count(strangers, "line")} in the files that no worker has logged')
    return Account(
        accepted=sum(report.stats.accepted for report in reports),
        delivered=found,
        missing=missing,
        duplicated=duplicated,
        dropped=sum(sum(report.stats.dropped.values()) for report in reports),
        pending=sum(report.stats.pending for report in reports),
        complaints=tuple(complaints),
    )


def _complaints(
    report: Report, absent: Sequence[int], surplus: int, strangers: Sequence[int]
) -> Iterator[str]:
    worker, stats = f'worker {report.worker}', report.stats
    if absent:
        yield f'{worker}: {count(len(absent), "event")} in no file: {stretches(absent)} of {report.logged:,}'
    for reason, events in stats.dropped.items():
        yield f'{worker}: its handler dropped {count(events, "event")} ({reason.value})'
    if stats.pending:
        yield f'{worker}: its handler ended with {count(stats.pending, "event")} undelivered'
    if stats.accepted != report.logged:
        yield f'{worker}: {report.logged:,} events logged, but its handler accepted {stats.accepted:,}'
    settled = stats.delivered + sum(stats.dropped.values()) + stats.pending
    if stats.accepted != settled:
        yield (
            f"{worker}: its handler's account does not add up: {stats.accepted:,} accepted, "
            f'but {settled:,} delivered, dropped or pending'
        )
    if stats.delivered != report.logged - len(absent):
        yield (
            f'{worker}: its handler takes {stats.delivered:,} events for delivered, '
            f'but {report.logged - len(absent):,} are in the files'
        )
    if surplus > stats.uncertain:
        yield f'{worker}: {count(surplus, "copy", "copies")} too many, and {stats.uncertain:,} were to be expected'
    if strangers:
        yield f'{worker}: {count(len(strangers), "event")} in the files that it has not logged'
    if stats.last_error is not None:
        yield f'{worker}: trouble in its handler: {stats.last_error}'


def stretches(numbers: Iterable[int]) -> str:
    """Return ascending numbers as stretches, like `numbers 3-17, 40`, the first few of them."""
    # In a stretch, number and position grow together.
    groups = itertools.groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    texts = []
    for _, group in groups:
        members = [number for _, number in group]
        texts.append(f'{members[0]}-{members[-1]}' if len(members) > 1 else f'{members[0]}')
    more = ', ...' if len(texts) > MAX_STRETCHES else ''
    return f'numbers {", ".join(texts[:MAX_STRETCHES])}{more}'


def count(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun."""
    return f'{number:,} {singular if number == 1 else plural or singular + "s"}'
