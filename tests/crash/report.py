"""Kill a thousand processes that log, and print what became of their events.

    python report.py KILLS [SEED]

Ends with status 1 when an event was lost, or arrived twice without having been in flight, or when a death has left more in
flight than the window. In every other round the events have ids, and it is status 1 too when a number is missing.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from harness import VARIANTS, WINDOW_BYTES, Harness, Result

from firefighter.cli.tables import print_table

COLUMNS = (
    '',
    'kills',
    'reported',
    'lost',
    'in flight',
    'most MiB',
    'twice',
    'unexplained',
    'gaps',
    'median s',
    'worst s',
)


def row(name: str, results: Sequence[Result], kills: int) -> tuple[str | int, ...]:
    """Return a line of the table."""
    seconds = [result.recovery_seconds for result in results]

    def total(field: str) -> int:
        return sum(getattr(result, field) for result in results)

    most_mib = max(result.in_flight_bytes for result in results) / 2**20
    return (
        name,
        kills,
        *(total('reported'), total('lost'), total('in_flight'), f'{most_mib:.1f}'),
        *(total('twice'), total('unexplained'), total('gaps')),
        *(f'{time:.3f}' for time in (statistics.median(seconds), max(seconds))),
    )


def main(arguments: Sequence[str]) -> int:
    """Run rounds of all variants in turn until so many processes have been killed."""
    wanted = int(arguments[0])
    seed = int(arguments[1]) if len(arguments) > 1 else 0
    results: dict[str, list[Result]] = {}
    deaths = {variant.name: variant.producers + variant.heirs_killed for variant in VARIANTS}
    kills = 0
    with tempfile.TemporaryDirectory() as folder, Harness(Path(folder), seed) as harness:
        for variant in cycle(VARIANTS):
            if kills >= wanted:
                break
            results.setdefault(variant.name, []).append(harness.round(variant))
            kills += deaths[variant.name]
    rows = [row(name, done, deaths[name] * len(done)) for name, done in results.items()]
    everything = [result for done in results.values() for result in done]
    print_table(COLUMNS, [*rows, row('all', everything, kills)])
    return int(
        any(
            result.lost or result.unexplained or result.gaps or result.in_flight_bytes > WINDOW_BYTES
            for result in everything
        )
    )


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
