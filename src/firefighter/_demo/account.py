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
class Killed:
    """What is known of a worker that was killed, and so has no last words.

    Attributes:
        worker: its number among its like.
        promised: the highest number of an event that one of its HTTP answers has named: 1 to this were logged.
        left: the numbers that were in its spool when it was dead, ascending. What was on its way to Firehose is
            among them: nobody can know whether it arrived.
    """

    worker: int
    promised: int
    left: tuple[int, ...]


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
class KilledAccount:
    """What became of the events of a worker that was killed.

    Attributes:
        killed: what is known of it.
        logged: how many events it has numbered, as far as anything shows: an answer, its spool or the files.
        missing: the numbers of those that are in no file, ascending.
        delivered: how many of them are in the files.
        repeated: events that were in its spool when it was dead, and are in the files twice: they were on their way.
        unexplained: copies of others, which it knew to be delivered, and third copies.
    """

    killed: Killed
    logged: int
    missing: tuple[int, ...]
    delivered: int
    repeated: int
    unexplained: int


@dataclass(frozen=True)
class Account:
    """What became of the events.

    Attributes:
        workers: the same for each worker that has reported.
        strangers: lines in the files that are no event of any of the workers.
        killed: the same for the one that was killed, if one was.
        gaps: numbers that are missing among the ids of the events in the files, and that no marker explains.
    """

    workers: tuple[WorkerAccount, ...]
    strangers: int
    killed: KilledAccount | None = None
    gaps: int = 0

    @property
    def accepted(self) -> int:
        """Events that the workers' handlers took, without their markers."""
        killed = self.killed.logged if self.killed else 0
        return killed + sum(
            worker.report.stats.accepted - worker.report.stats.markers for worker in self.workers
        )

    @property
    def adopted(self) -> int:
        """Events that the workers' handlers have taken over from the dead."""
        return sum(worker.report.stats.adopted for worker in self.workers)

    @property
    def delivered(self) -> int:
        """Different events in the files."""
        killed = self.killed.delivered if self.killed else 0
        return killed + sum(worker.delivered for worker in self.workers)

    @property
    def missing(self) -> int:
        """Events that were logged and are in no file."""
        killed = len(self.killed.missing) if self.killed else 0
        return killed + sum(len(worker.missing) for worker in self.workers)

    @property
    def duplicated(self) -> int:
        """Copies in the files beyond the first."""
        killed = self.killed.repeated + self.killed.unexplained if self.killed else 0
        return killed + sum(worker.duplicated for worker in self.workers)

    @property
    def dropped(self) -> int:
        """Events that a handler says it gave up."""
        return sum(sum(worker.report.stats.dropped.values()) for worker in self.workers)

    @property
    def pending(self) -> int:
        """Events that a handler still had when its worker ended."""
        return sum(worker.report.stats.pending for worker in self.workers)


def settle(reports: Sequence[Report], delivered: Delivered, killed: Killed | None = None) -> Account:
    """Compare the workers' reports with the files.

    Args:
        reports: one for each worker that could give one.
        delivered: the content of the files.
        killed: what is known of the worker that could not.
    """
    known = {report.worker for report in reports} | ({killed.worker} if killed else set())
    return Account(
        tuple(_settle_one(report, delivered.copies.get(report.worker, {})) for report in reports),
        delivered.strangers
        + sum(sum(copies.values()) for worker, copies in delivered.copies.items() if worker not in known),
        _settle_killed(killed, delivered.copies.get(killed.worker, {})) if killed else None,
        delivered.audit.unexplained,
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


def _settle_killed(killed: Killed, copies: Mapping[int, int]) -> KilledAccount:
    # It numbers without a gap, so one event proves all before it. Its very last may have got a number and no more: its
    # logging call never returned.
    logged = max(killed.promised, *killed.left, *copies, 0)
    missing = tuple(number for number in range(1, logged + 1) if number not in copies)
    repeated = sum(copies.get(number, 0) > 1 for number in killed.left)
    return KilledAccount(
        killed,
        logged,
        missing,
        delivered=logged - len(missing),
        repeated=repeated,
        unexplained=sum(copies.values()) - len(copies) - repeated,
    )
