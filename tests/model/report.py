"""Live so many generated programs, and print what happened in them and which promises were broken.

    python report.py PROGRAMS [SEED]            programs of the seeds SEED, SEED + 1, ...
    python report.py --only SEED [TIMES]        one program, again and again: what threads do is not in its seed
    python report.py --show SEED                print a program
    python report.py --shrink SEED              leave out of it whatever does not matter to what it breaks; print the rest

Ends with status 1 when a promise was broken.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

TESTS = Path(__file__).parents[1]
# As pytest has it: the folder of the tests, not the one of this file.
sys.path[0] = str(TESTS)

from firefighter.cli.tables import print_table  # noqa: E402
from model.generation import generate  # noqa: E402
from model.judge import Court, Verdict  # noqa: E402
from model.shrinking import shrink  # noqa: E402


def tell(verdict: Verdict) -> None:
    """Print what was broken, at once."""
    if verdict.broken:
        print(f'{verdict}\n', flush=True)


def summary(verdicts: Sequence[Verdict]) -> None:
    """Print the counts of all programs, and the longest waits."""
    counts = sum((verdict.counts for verdict in verdicts), Counter())
    print_table(['what happened', 'how often'], [(name, counts[name]) for name in sorted(counts)])
    print()
    worst: dict[str, float] = {}
    for verdict in verdicts:
        for kind, seconds in verdict.worst.items():
            worst[kind] = max(worst.get(kind, 0.0), seconds)
    rows = [(kind, f'{seconds:.2f}') for kind, seconds in sorted(worst.items())]
    print_table(['wait', 'most seconds beyond its deadline'], rows)
    print()
    broken = [verdict for verdict in verdicts if verdict.broken]
    names = ', '.join(verdict.program['name'] for verdict in broken)
    print(f'{len(verdicts)} programs, {len(broken)} broke a promise{": " if broken else ""}{names}')


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say."""
    if arguments[0] == '--show':
        print(json.dumps(generate(int(arguments[1])), indent=1))
        return 0
    if arguments[0] == '--shrink':
        print(json.dumps(shrink(generate(int(arguments[1])), lambda text: print(text, flush=True)), indent=1))
        return 0
    if arguments[0] == '--only':
        times = int(arguments[2]) if len(arguments) > 2 else 1
        programs = [generate(int(arguments[1])) for _ in range(times)]
    else:
        first = int(arguments[1]) if len(arguments) > 1 else 0
        programs = [generate(seed) for seed in range(first, first + int(arguments[0]))]
    with Court() as court:
        verdicts = court.judge(programs, tell)
    summary(verdicts)
    return int(any(verdict.broken for verdict in verdicts))


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
