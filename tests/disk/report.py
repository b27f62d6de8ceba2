"""Cut file systems under processes that log, and print what became of their events.

    python report.py CUTS [SEED [KIND ...]]

So many cuts on each kind of file system that this machine has, or on those that are named ('ext4', 'ext4 data=journal').
Needs root, and says so. Each kind is printed as soon as it is through. Ends with status 1 when a process
died of a cut, when something torn was delivered, or when an event was lost that was whole on disk.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

# Beside what Python puts there for a program: the folder of the tests.
sys.path.append(str(Path(__file__).parents[1]))

from disk.cuts import CUTS, KINDS, Harness, Result
from disk.filesystems import missing
from firefighter.cli.tables import print_table

COLUMNS = ('', 'cuts', 'reported', 'died of it', 'whole on disk', 'lost', 'torn', 'KiB in quarantine')


def row(name: str, results: Sequence[Result]) -> tuple[str | int, ...]:
    """Return a line of the table."""

    def total(field: str) -> int:
        return sum(getattr(result, field) for result in results)

    totals = [total(field) for field in ('reported', 'killed_by_it', 'whole', 'lost', 'torn')]
    return (name, len(results), *totals, total('quarantined_bytes') // 1024)


def main(arguments: Sequence[str]) -> int:
    """Run so many rounds on each kind, of all variants in turn."""
    wanted = int(arguments[0])
    seed = int(arguments[1]) if len(arguments) > 1 else 0
    lacking = missing()
    if lacking is not None:
        print(lacking)
        return 1
    wanted_kinds = arguments[2:]
    everything: list[Result] = []
    for kind in KINDS:
        if wanted_kinds and str(kind) not in wanted_kinds:
            continue
        lacking = missing(kind)
        if lacking is not None:
            print(f'{kind}: skipped, since {lacking}')
            continue
        with tempfile.TemporaryDirectory() as folder, Harness(Path(folder), kind, seed) as harness:
            results = [harness.round(cut) for cut in islice(cycle(CUTS), wanted)]
        print_table(COLUMNS, [row(str(kind), results)])
        sys.stdout.flush()
        everything += results
    return int(any(result.lost or result.torn or result.killed_by_it for result in everything))


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
