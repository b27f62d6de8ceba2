"""What is wrong with an account, in sentences. None: every event arrived, and every sum is right."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from firefighter._demo.account import Account, KilledAccount, WorkerAccount
from firefighter._demo.wording import count

# More stretches of numbers than this would not help anybody.
MAX_STRETCHES = 5


def complaints(account: Account) -> list[str]:
    """Return what is not as it should be.

    A copy too many is, while its handler was in doubt of so many, or when it was on its way as its worker was killed.
    """
    found = [sentence for worker in account.workers for sentence in _about(worker)]
    if account.killed:
        found += _about_killed(account.killed, account)
    if account.gaps:
        found.append(f'{count(account.gaps, "number")} missing among the ids of the events in the files')
    if account.strangers:
        found.append(f'{count(account.strangers, "line")} in the files that no worker has logged')
    return found


def _about(worker: WorkerAccount) -> Iterator[str]:
    sentences = [*_losses(worker), *_disagreements(worker)]
    last_error = worker.report.stats.last_error
    # Trouble that cost nothing, such as a request that had to be made again, is no complaint by itself.
    if sentences and last_error is not None:
        sentences.append(f'the last trouble of its handler was: {last_error}')
    return (f'worker {worker.report.worker}: {sentence}' for sentence in sentences)


def _losses(worker: WorkerAccount) -> Iterator[str]:
    report, stats = worker.report, worker.report.stats
    if worker.missing:
        which = f'{stretches(worker.missing)} of {report.logged:,}'
        yield f'{count(len(worker.missing), "event")} in no file: {which}'
    for reason, events in stats.dropped.items():
        yield f'its handler dropped {count(events, "event")} ({reason.value})'
    if stats.pending:
        yield f'its handler ended with {count(stats.pending, "event")} undelivered'


def _disagreements(worker: WorkerAccount) -> Iterator[str]:
    report, stats = worker.report, worker.report.stats
    if stats.accepted - stats.markers != report.logged:
        yield f'it logged {count(report.logged, "event")}, and its handler accepted {stats.accepted - stats.markers:,}'
    settled = stats.delivered + sum(stats.dropped.values()) + stats.pending
    adopted = f', adopted {stats.adopted:,}' if stats.adopted else ''
    if stats.accepted + stats.adopted != settled:
        yield (
            f'its handler accepted {count(stats.accepted, "event")}{adopted}, '
            f'and {settled:,} are delivered, dropped or pending'
        )
    # Those adopted carry the name of another worker, and are accounted for there; markers carry none.
    if not 0 <= stats.delivered - worker.delivered - stats.adopted <= stats.markers:
        yield (
            f'its handler counts {count(stats.delivered, "event")} as delivered{adopted}, '
            f'and {worker.delivered:,} of its own are in the files'
        )
    if stats.quarantined_bytes:
        yield f'its handler found {count(stats.quarantined_bytes, "torn byte")} in what another had left'
    if worker.duplicated > stats.uncertain:
        yield (
            f'{count(worker.duplicated, "copy", "copies")} too many in the files, '
            f'and its handler was in doubt of {stats.uncertain:,}'
        )
    if worker.unknown:
        yield f'{count(worker.unknown, "event")} in the files that it has not logged'


def _about_killed(worker: KilledAccount, account: Account) -> Iterator[str]:
    killed, name = worker.killed, f'worker {worker.killed.worker}, which was killed'
    if worker.missing:
        which = f'{stretches(worker.missing)} of {worker.logged:,}'
        yield f'{name}: {count(len(worker.missing), "event")} in no file: {which}'
    if account.adopted != len(killed.left):
        yield (
            f'{name}: it left {count(len(killed.left), "event")} in its spool, '
            f'and the others adopted {account.adopted:,}'
        )
    doubts = sum(other.report.stats.uncertain for other in account.workers if other.report.stats.adopted)
    if worker.unexplained > doubts:
        yield f'{name}: {count(worker.unexplained, "copy", "copies")} too many in the files, for no reason'


def stretches(numbers: Iterable[int]) -> str:
    """Return ascending numbers as stretches, like `numbers 3-17, 40`; only the first few of many."""
    # In a stretch, the number less its position stays the same.
    groups = itertools.groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    texts = []
    for _, group in groups:
        members = [number for _, number in group]
        texts.append(f'{members[0]}-{members[-1]}' if len(members) > 1 else f'{members[0]}')
    more = ', ...' if len(texts) > MAX_STRETCHES else ''
    return f'numbers {", ".join(texts[:MAX_STRETCHES])}{more}'
