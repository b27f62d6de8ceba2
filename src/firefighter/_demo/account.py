"""The account: what the workers say that they logged, against what is in the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firefighter._demo.delivered import Delivered
from firefighter.stats import DropReason, Stats


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
class WorkerAccount:
    """What became of one worker's events.

    Attributes:
        report: what it says itself.
        missing: the numbers that are in no file, ascending.
        delivered: how many of its numbers are in the files.
        duplicated: copies of them beyond the first.
        unknown: events in the files with its name and a number that it has not given.
    """

    report: Report
    missing: tuple[int, ...]
    delivered: int
    duplicated: int
    unknown: int


@dataclass(frozen=True)
class Account:
    """What became of the events.

    Attributes:
        workers: the same for each worker.
        strangers: lines in the files that are no event of any of the workers.
    """

    workers: tuple[WorkerAccount, ...]
    strangers: int

    @property
    def accepted(self) -> int:
        """Events that the workers' handlers took."""
        return sum(worker.report.stats.accepted for worker in self.workers)

    @property
    def delivered(self) -> int:
        """Different events in the files."""
        return sum(worker.delivered for worker in self.workers)

    @property
    def missing(self) -> int:
        """Events that were logged and are in no file."""
        return sum(len(worker.missing) for worker in self.workers)

    @property
    def duplicated(self) -> int:
        """Copies in the files beyond the first."""
        return sum(worker.duplicated for worker in self.workers)

    @property
    def dropped(self) -> int:
        """Events that a handler says it gave up."""
        return sum(sum(worker.report.stats.dropped.values()) for worker in self.workers)

    @property
    def pending(self) -> int:
        """Events that a handler still had when its worker ended."""
        return sum(worker.report.stats.pending for worker in self.workers)


def settle(reports: Sequence[Report], delivered: Delivered) -> Account:
    """Compare the workers' reports with the files.

    Args:
        reports: one for each worker.
        delivered: the content of the files.
    """
    others = delivered.copies.keys() - {report.worker for report in reports}
    return Account(
        tuple(_settle_one(report, delivered.copies.get(report.worker, {})) for report in reports),
        delivered.strangers + sum(sum(delivered.copies[worker].values()) for worker in others),
    )


def _settle_one(report: Report, copies: Mapping[int, int]) -> WorkerAccount:
    numbers = range(1, report.logged + 1)
    missing = tuple(number for number in numbers if number not in copies)
    found = len(numbers) - len(missing)
    return WorkerAccount(
        report,
        missing,
        delivered=found,
        duplicated=sum(copies[number] for number in copies if number in numbers) - found,
        unknown=sum(copies[number] for number in copies if number not in numbers),
    )
