"""Write logs of the five kinds.

python -m benchmarks.logs [KIND ...] [--mib N] [--to FOLDER] [--seed N]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.logs import KINDS, SEED, entries


def main() -> None:
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.logs', description='Write logs as services write them.'
    )
    parser.add_argument('kinds', nargs='*', metavar='KIND', help=f'any of {", ".join(KINDS)}; default: all')
    parser.add_argument('--mib', type=float, default=50.0, metavar='N', help='the size of each (default: 50)')
    parser.add_argument('--to', type=Path, default=Path(), metavar='FOLDER', help='where to (default: here)')
    parser.add_argument('--seed', type=int, default=SEED)
    arguments = parser.parse_args()
    unknown = set(arguments.kinds) - set(KINDS)
    if unknown:
        parser.error(f'no such kind: {", ".join(sorted(unknown))}; there are {", ".join(KINDS)}')
    arguments.to.mkdir(parents=True, exist_ok=True)
    for name in arguments.kinds or KINDS:
        path = arguments.to / f'{name}.log'
        with path.open('wb') as file:
            file.writelines(entries(KINDS[name], int(arguments.mib * 2**20), arguments.seed))
        print(path)


if __name__ == '__main__':
    main()
