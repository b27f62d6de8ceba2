"""Bills in words and figures: the cells of a table, and its last line."""

from __future__ import annotations

from collections.abc import Sequence

from firefighter._cost.bill import Bill, Fleet
from firefighter._cost.prices import GIB
from firefighter._cost.ways import ONE_PER_RECORD
from firefighter._cost.workload import Workload

__all__ = ['heading', 'money', 'rows', 'titles', 'verdict', 'written']

_A_LOT = 100

# Beyond this no compressor looks back, so that it does not matter that the same comes again.
_LONG_LOG_BYTES = 2 * 1024 * 1024


def heading(workload: Workload, fleet: Fleet, *, whole: bool) -> str:
    """Return what was played, and what the table is of.

    Args:
        workload: what was played.
        fleet: who logs.
        whole: whether that is all of the log.
    """
    events, rate = len(workload.arrivals), workload.events_per_second
    size = f'{events:,} events of {workload.event_bytes / events:,.0f} bytes'
    part = _part(workload, whole=whole)
    if rate is None:
        return f'Played: {size}, {part}, as fast as it can be taken. Each GB (2^30 bytes) of such events is:'
    instances = 'one instance' if fleet.instances == 1 else f'{fleet.instances:,} instances'
    return (
        f'Played: {size}, {part}: {_duration(events / rate)} of one instance with {rate:,g} events a second and '
        f'send_interval={fleet.send_interval:g}. 30 days of {instances} are:'
    )


def titles(workload: Workload) -> tuple[str, ...]:
    """Return the titles of the table's columns."""
    if workload.events_per_second is None:
        return ('WAY', 'RECORDS', 'REQUESTS', 'BILLED', 'BILLED/LOGGED', 'DOLLARS')
    return (
        'WAY',
        'RECORDS',
        'REQUESTS',
        'BILLED',
        'BILLED/LOGGED',
        'DOLLARS',
        'OF THE QUOTA',
        'DELAY',
        'AT MOST',
    )


def rows(bills: Sequence[Bill]) -> list[tuple[str | int, ...]]:
    """Return the table's rows, under `titles`."""
    columns = list(zip(*map(_cells, bills), strict=True))
    return list(zip(*map(_lined_up, columns), strict=True))


def verdict(bills: Sequence[Bill]) -> str:
    """Return the table in one sentence."""
    dearest = next(bill for bill in bills if bill.way == ONE_PER_RECORD)
    cheapest = min(bills, key=lambda bill: bill.dollars)
    of = 'a GB' if dearest.quota_share is None else 'a month'
    if cheapest is dearest:
        return f'Nothing is cheaper here than one event per record: {money(dearest.dollars)} {of}.'
    factor = dearest.dollars / cheapest.dollars
    return (
        f'{cheapest.way.name}: {money(cheapest.dollars)} {of} instead of {money(dearest.dollars)} for one event per record, '
        f'{_rounded(factor)} times less. Write FirehoseHandler(..., {written(cheapest)}), where the destination takes it.'
    )


def money(dollars: float) -> str:
    """Return an amount as people write it, small ones with more digits."""
    if dollars >= _A_LOT:
        return f'${dollars:,.0f}'
    return f'${dollars:,.2f}' if dollars >= 1 or not dollars else f'${dollars:.4f}'


def written(bill: Bill) -> str:
    """Return the handler's keywords for a way, as they are written."""
    return ', '.join(f'{name}={value!r}' for name, value in bill.way.keywords.items())


def _part(workload: Workload, *, whole: bool) -> str:
    if workload.repeats > 1:
        short = workload.event_bytes / workload.repeats < _LONG_LOG_BYTES
        return f'{"the log" if whole else "the beginning of the log"} {workload.repeats:,.1f} times over' + (
            ' (so short a log flatters compression)' if short else ''
        )
    return 'the whole log' if whole and workload.repeats == 1 else 'the beginning of the log'


def _cells(bill: Bill) -> tuple[str | int, ...]:
    played = bill.played
    cells: tuple[str | int, ...] = (
        bill.way.name,
        round(bill.records),
        round(bill.requests),
        f'{bill.billed_bytes / GIB:,.2f} GB',
        f'{bill.times_logged:.3f}',
        money(bill.dollars),
    )
    if bill.quota_share is None:
        return cells
    return (
        *cells,
        f'{bill.quota_share:.2%} of {bill.quota_limit}',
        _seconds(played.median_delay_seconds),
        _seconds(played.max_delay_seconds),
    )


def _lined_up(column: Sequence[str | int]) -> Sequence[str | int]:
    """Put amounts one below the other that are text for their unit."""
    texts = [cell for cell in column if isinstance(cell, str)]
    width = max(map(len, texts), default=0)
    amounts = all(text.lstrip('$')[:1].isdigit() for text in texts)
    return [cell.rjust(width) if isinstance(cell, str) and amounts else cell for cell in column]


def _seconds(seconds: float | None) -> str:
    return '-' if seconds is None else f'{seconds:.1f} s'


def _duration(seconds: float) -> str:
    for unit, length in (('days', 86_400), ('hours', 3_600), ('minutes', 60)):
        if seconds >= 2 * length:
            return f'{seconds / length:,.0f} {unit}'
    return f'{seconds:.1f} seconds'


def _rounded(factor: float) -> str:
    return f'{factor:,.0f}' if factor >= _A_LOT / 10 else f'{factor:.1f}'
