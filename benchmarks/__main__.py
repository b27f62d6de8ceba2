"""All that is measured beside the peers, one after the other: tables, the results as JSON, charts, and what is asked of them.

python -m benchmarks [--quick] [--rounds N] [--json FILE] [--charts FOLDER] [--page FILE] [--tmpfs DIR] [--disk DIR]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import call, charts, delivery, outage, shows, slope, start, twenty, ways, whole_way
from benchmarks.contestant import Places, machine
from benchmarks.page import fill
from benchmarks.registry import CALLS, present


class Effort(NamedTuple):
    """How much is measured."""

    call_rounds: int = 7
    calls: int = 10_000
    stage_rounds: int = 15
    events: int = whole_way.MILLION
    way_rounds: int = 1
    slope: tuple[int, ...] = slope.EVENTS
    starts: int = 7
    imports: int = 15
    outage_rounds: int = 15
    twenty_rounds: int = 3


QUICK = Effort(
    call_rounds=2,
    calls=4_000,
    stage_rounds=3,
    events=50_000,
    slope=(10_000, 100_000),
    starts=2,
    imports=3,
    outage_rounds=3,
    twenty_rounds=1,
)


class Part(NamedTuple):
    """What is measured together.

    Attributes:
        title: of it, on the screen.
        measure: returns the results.
        tables: each a function that yields the lines of a table from the results, by the table's name in the docs.
    """

    title: str
    measure: Callable[[], Mapping[str, Any]]
    tables: Mapping[str, Callable[[Any], Iterator[str]]]


def parts(effort: Effort, places: Places, where: list[str]) -> dict[str, Part]:
    """Return what is measured, in its order, by its name in the results."""
    disk = str(places.disk)
    return {
        'call': Part(
            f'The call: {effort.call_rounds} rounds of {effort.calls:,} calls, medians',
            lambda: call.summary(
                call.measure(list(present(CALLS, places)), effort.call_rounds, effort.calls, where)
            ),
            {'call': call.table, 'threads': call.table_of_threads},
        ),
        'delivery': Part(
            'Delivery, stage by stage: CPU us an event',
            lambda: delivery.summary(effort.stage_rounds, requests=20),
            {'delivery': delivery.table},
        ),
        'ways': Part(
            'All of delivery, by the way it is sent',
            lambda: ways.summary(ways.measure(effort.stage_rounds)),
            {'ways': ways.table},
        ),
        'whole way': Part(
            'The whole way, to an endpoint in another process',
            lambda: whole_way.summary(
                whole_way.measure(whole_way.names(), effort.events, effort.way_rounds, disk)
            ),
            {'whole way': whole_way.table},
        ),
        'slope': Part(
            f'More and more events, {slope.MODE}',
            lambda: slope.measure(slope.MODE, effort.slope, disk),
            {'slope': slope.table},
        ),
        'imports': Part(
            'Imports, each in a new process',
            lambda: start.measure_imports(effort.imports, places.disk),
            {'imports': start.table_of_imports},
        ),
        'start': Part('Start', lambda: start.measure(effort.starts, places.disk), {'start': start.table}),
        'outage': Part(
            'The endpoint is down, the spool full',
            lambda: outage.summary(outage.measure(effort.outage_rounds, effort.calls, where)),
            {'outage': outage.table},
        ),
        'twenty': Part(
            'Twenty handlers on twenty streams',
            lambda: twenty.measure(effort.twenty_rounds, disk),
            {'twenty': twenty.table},
        ),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--quick', action='store_true', help='counts too small for good figures')
    parser.add_argument('--rounds', type=int, help='of the whole way (default: 1)')
    parser.add_argument('--json', type=Path, help='where to write the results')
    parser.add_argument('--charts', type=Path, help='the folder to draw into')
    parser.add_argument('--page', type=Path, help='the page of the docs to write the tables into')
    Places.add_options(parser)
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else Effort()
    if arguments.rounds is not None:
        effort = effort._replace(way_rounds=arguments.rounds)
    begin = time.monotonic()
    places = Places(arguments.tmpfs, arguments.disk)
    results: dict[str, Any] = {'machine': machine(), 'effort': effort._asdict()}
    tables = {'machine': machine()}
    print(machine())
    try:
        for name, part in parts(effort, places, Places.options(arguments)).items():
            print(f'\n## {part.title}\n', flush=True)
            results[name] = part.measure()
            own = {title: '\n'.join(table(results[name])) for title, table in part.tables.items()}
            print('\n\n'.join(own.values()))
            tables |= own
    finally:
        places.remove()
    asked = shows.wanted(results)
    results['asked'] = [{**one._asdict(), 'verdict': one.verdict} for one in asked]
    tables['asked'] = '\n'.join(shows.table(asked))
    print(f'\n## What is asked\n\n{tables["asked"]}\n\nAll of it took {time.monotonic() - begin:.0f} s.')
    if arguments.page is not None:
        fill(arguments.page, tables)
        print(f'written: {arguments.page}')
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(results, indent=1) + '\n', encoding='utf-8')
        print(f'written: {arguments.json}')
        if arguments.charts is not None:
            charts.draw(arguments.json, arguments.charts)


if __name__ == '__main__':
    main()
