"""The same way for more and more events: what an event costs, and the memory, must not grow with their number.

One event goes before, so that what happens once (the client, the connection) is not measured.

    python -m benchmarks.slope [--events N ...] [--mode NAME] [--disk DIR]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.contestant import Places, machine
from benchmarks.whole_way import MIB, OURS, run

MODE = 'aggregated'
EVENTS = (10_000, 100_000, 1_000_000, 10_000_000)


def measure(mode: str, sizes: Sequence[int], folder: str) -> dict[str, dict[str, Any]]:
    """Return what was measured, by the number of events."""
    ways = [run(mode, events, 0, folder, warm=True) for events in sizes]
    return {
        f'{way.events:,}': {
            'events': way.events,
            'events/s': way.events / way.seconds,
            'CPU, us': way.microseconds,
            'peak, MiB': way.peak_bytes / MIB,
        }
        for way in ways
    }


def table(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    yield '| events | CPU us an event | memory, MiB | events/s |'
    yield '|---|---|---|---|'
    for name, row in results.items():
        yield f'| {name} | {row["CPU, us"]:.2f} | {row["peak, MiB"]:.1f} | {row["events/s"]:,.0f} |'


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--events', type=int, nargs='+', default=EVENTS)
    parser.add_argument('--mode', choices=OURS, default=MODE)
    Places.add_options(parser)
    arguments = parser.parse_args()
    print(f'{machine()}\n{arguments.mode}\n')
    print(*table(measure(arguments.mode, arguments.events, arguments.disk)), sep='\n')


if __name__ == '__main__':
    main()
