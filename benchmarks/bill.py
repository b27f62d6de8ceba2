"""What is billed for five logs, sent each way and at several rates, beside what is sent: the promise of the smallest bill.

Each log is made with a fixed seed (`benchmarks/logs`) and played by what `firefighter cost` plays with. Prints the tables of
docs/cost.md; the exit status is 1 where more is wasted than was promised. Two minutes.

    python -m benchmarks.bill [--mib N] [--write]
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.logs import KINDS, Kind
from benchmarks.logs import entries as generate
from benchmarks.page import fill

from firefighter._cost.prices import GIB, dollars, tiers_of
from firefighter._cost.reading import Entry, entries
from firefighter._cost.report import money
from firefighter._cost.simulation import Played, play
from firefighter._cost.ways import WAYS
from firefighter._cost.workload import MOST_BYTES, workload
from firefighter._delivery.compression import COMPRESSIONS
from firefighter.cli.main import main as main_of_firefighter

REGION = 'us-east-1'
SEND_INTERVAL = 60.0
RATES = (None, 1_000.0, 100.0, 10.0)
"""Events a second; None: as fast as they can be taken."""

MOST_WASTE: dict[tuple[str, float | None], float] = {
    ('aggregated', None): 1.005,
    ('aggregated', 10.0): 1.1,
    **{(codec, None): 1.02 for codec in COMPRESSIONS},
    **{(codec, 1_000.0): 1.05 for codec in COMPRESSIONS},
    **{(codec, 100.0): 1.10 for codec in COMPRESSIONS},
}
"""The promise: so many bytes are billed at most for each that is sent, by way and rate. Compressed at 10 a second, a minute is
one small record: no promise."""

PAGE = Path(__file__).parents[1] / 'docs' / 'cost.md'
PICTURE = PAGE.with_name('bill.svg')
SHOWN = 'service'


class Measured(NamedTuple):
    """What came of a log.

    Attributes:
        kind: which.
        events: in it.
        event_bytes: of these.
        played: what delivery made of it, by way and rate.
    """

    kind: Kind
    events: int
    event_bytes: int
    played: Mapping[tuple[str, float | None], Played]

    def waste(self, way: str, rate: float | None) -> float:
        """Return how many bytes are billed for each that is sent."""
        found = self.played[way, rate]
        return found.billed_bytes / found.sent_bytes

    def broken(self) -> Iterator[str]:
        """Yield the promises that do not hold."""
        for (way, rate), most in MOST_WASTE.items():
            if self.waste(way, rate) > most:
                yield f'{self.kind.title}, {way}, {_rate(rate)}: {self.waste(way, rate):.4f} is more than {most}'


def read(kind: Kind, size_bytes: int) -> list[Entry]:
    """Return the entries of a log of at least that size."""
    begins = re.compile(kind.entry_begins.encode()).search if kind.entry_begins else None
    return list(entries([io.BytesIO(b''.join(generate(kind, size_bytes)))], begins))


def measure(kind: Kind, size_bytes: int, most_bytes: int = MOST_BYTES) -> Measured:
    """Play a log each way at each rate: all of it at full rate, otherwise what `firefighter cost` plays, or less."""
    log = read(kind, size_bytes)
    played = {}
    events = event_bytes = 0
    for rate in RATES:
        work = workload(log, rate, SEND_INTERVAL, sys.maxsize if rate is None else most_bytes)
        if rate is None:
            events, event_bytes = len(work.arrivals), work.event_bytes
        for way in WAYS:
            played[way.name, rate] = play(work, way, SEND_INTERVAL)
    return Measured(kind, events, event_bytes, played)


def bill_table(found: list[Measured]) -> Iterator[str]:
    """Yield what a GB of each log costs, each way."""
    yield f'| log | events | bytes each | {" | ".join(way.name for way in WAYS)} |'
    yield '|---|---|---|' + '---|' * len(WAYS)
    for one in found:
        cells = [
            f'{one.played[way.name, None].billed_bytes / one.event_bytes:.3f} ({_a_gb(one.played[way.name, None])})'
            for way in WAYS
        ]
        yield f'| {one.kind.title} | {one.events:,} | {one.event_bytes / one.events:.0f} | {" | ".join(cells)} |'


def waste_table(found: list[Measured]) -> Iterator[str]:
    """Yield how many bytes are billed for each that is sent, by way and rate."""
    columns = [(way.name, rate) for way in WAYS[1:] for rate in RATES]
    yield f'| log | {" | ".join(f"{way}, {_rate(rate)}" for way, rate in columns)} |'
    yield '|---|' + '---|' * len(columns)
    for one in found:
        yield f'| {one.kind.title} | {" | ".join(f"{one.waste(*column):.4f}" for column in columns)} |'


def screen(size_bytes: int) -> str:
    """Return what the command says of one of the logs, and draw docs/bill.svg with it."""
    with TemporaryDirectory() as folder:
        log = Path(folder, f'{SHOWN}.log')
        log.write_bytes(b''.join(generate(KINDS[SHOWN], size_bytes)))
        words = ['--events-per-second', '100', '--instances', '10']
        with redirect_stdout(io.StringIO()) as said:
            main_of_firefighter(['cost', str(log), *words, '--plot', str(PICTURE)])
        lines = said.getvalue().replace(str(PICTURE), 'bill.svg').strip().splitlines()
    command = f'$ firefighter cost {log.name} {" ".join(words)} --plot bill.svg'
    return '\n'.join(f'    {line}'.rstrip() for line in (command, *lines))


def main() -> int:
    """Print the tables; with `--write` put them into docs/cost.md, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--mib', type=float, default=50.0, help='the size of each log (default: 50)')
    parser.add_argument('--write', action='store_true', help='into docs/cost.md, and draw docs/bill.svg')
    arguments = parser.parse_args()
    size_bytes = int(arguments.mib * 2**20)
    found = [measure(kind, size_bytes) for kind in KINDS.values()]
    tables = {'bill': '\n'.join(bill_table(found)), 'waste': '\n'.join(waste_table(found))}
    print('\n\n'.join(tables.values()))
    if arguments.write:
        fill(PAGE, tables | {'screen': screen(size_bytes)})
    broken = [promise for one in found for promise in one.broken()]
    print(*broken, sep='\n', file=sys.stderr, end='\n' * bool(broken))
    return int(bool(broken))


def _a_gb(played: Played) -> str:
    return money(dollars(played.billed_bytes * GIB / played.event_bytes, tiers_of(REGION)))


def _rate(rate: float | None) -> str:
    return 'full rate' if rate is None else f'{rate:,g}/s'


if __name__ == '__main__':
    sys.exit(main())
