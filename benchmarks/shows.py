"""What the project asks of these figures, each beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from benchmarks.call import PACED, TOGETHER
from benchmarks.registry import LISTENING, QUEUE
from benchmarks.start import OUR_IMPORT
from benchmarks.whole_way import ANCESTOR_NAME, ONE_PER_RECORD

# Of a handler without `spool_dir`.
DEFAULT_SPOOL_MIB = 16
_MEMORY_BESIDE_MIB = 48

Results = Mapping[str, Any]


class Wanted(NamedTuple):
    """One row: a figure, the most that it may be, and what was measured; None where a peer is missing."""

    what: str
    at_most: float
    measured: float | None

    @property
    def verdict(self) -> str:
        """Whether it is met."""
        if self.measured is None:
            return 'not measured'
        return 'met' if self.measured <= self.at_most else 'not met'


def wanted(results: Results) -> list[Wanted]:
    """Return the rows, from the results of all parts."""
    return [
        *_of_the_call(results['call']),
        *_of_the_way(results['whole way']),
        *_of_delivery(results['ways']),
        _of_an_outage(results['outage']),
        Wanted(
            f'CPU of {OUR_IMPORT}, x import boto3', 0.15, _median(results['imports'], OUR_IMPORT, 'x boto3')
        ),
    ]


def _of_the_call(calls: Mapping[str, Mapping[str, Any]]) -> list[Wanted]:
    return [
        Wanted(
            'call, memory spool, x NullHandler', 1.65, _median(calls, 'firefighter, memory', 'x NullHandler')
        ),
        *(
            Wanted(
                f'call, {place}, x QueueHandler',
                0.8,
                _median(calls, f'firefighter, {place}', f'CPU x {QUEUE}'),
            )
            for place in ('memory', 'disk')
        ),
        *(
            Wanted(
                f'call, {threads}, p99.9, delivering, {place}, x QueueHandler + QueueListener',
                1.0,
                _median(calls, f'firefighter, {place}, delivering', f'{threads}, p99.9 x {LISTENING}'),
            )
            for threads in (TOGETHER, PACED)
            for place in ('memory', 'disk')
        ),
    ]


def _of_the_way(ways: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[Wanted]:
    at_once = next(iter(ways.values()))
    modes = [name for name in at_once if name not in {ANCESTOR_NAME, ONE_PER_RECORD}]
    highest = max(
        row['peak, MiB'][2] for rows in ways.values() for name, row in rows.items() if name != ANCESTOR_NAME
    )
    return [
        *(
            Wanted(
                f'CPU of the whole way, {name}, x the ancestor',
                at_most,
                _median(at_once, name, 'CPU x ancestor'),
            )
            for name, at_most in ((ONE_PER_RECORD, 0.6), *((mode, 0.3) for mode in modes))
        ),
        Wanted('memory over the whole way, MiB', DEFAULT_SPOOL_MIB + _MEMORY_BESIDE_MIB, highest),
    ]


def _of_delivery(ways: Mapping[str, Mapping[str, Any]]) -> list[Wanted]:
    return [
        Wanted(
            f'CPU of delivery for an event, {name}, x {ONE_PER_RECORD}', 1.0, row[f'x {ONE_PER_RECORD}'][0]
        )
        for name, row in ways.items()
        if name != ONE_PER_RECORD
    ]


def _of_an_outage(rows: Mapping[str, Mapping[str, Any]]) -> Wanted:
    worst = max(row['CPU x normal'][0] for row in rows.values())
    return Wanted('call during an outage with the spool full, x normal', 1.2, worst)


def _median(rows: Mapping[str, Mapping[str, Any]], name: str, figure: str) -> float | None:
    spread = rows.get(name, {}).get(figure)
    return None if spread is None else spread[0]


def table(rows: list[Wanted]) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    yield '| what | wanted, at most | measured | |'
    yield '|---|---|---|---|'
    for row in rows:
        measured = '' if row.measured is None else f'{row.measured:.2f}'
        yield f'| {row.what} | {row.at_most:g} | {measured} | {row.verdict} |'
