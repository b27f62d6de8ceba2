"""Run the generators of odd and foreign input round after round, each with another seed, until the time is over or one finds something.

    python report.py MINUTES [SEED]             the seeds SEED, SEED + 1, ...; without one they are other ones each time

Each round is what `make test DEPTH=full` runs of them, about a minute. Ends with status 1 at the first failure. By its seed a round can be
repeated, and what failed comes first in any run that follows, since Hypothesis keeps it (in `.hypothesis`).
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

TESTS = Path(__file__).parents[1]
# Far beyond what a round takes on a busy machine. What hangs in a test is ended earlier, by the test's own limit.
ROUND_SECONDS = 1800
GENERATORS = ['-m', 'fuzz', str(TESTS / 'properties')]


def command(seed: int) -> list[str]:
    """Return what runs a round."""
    workers = os.environ.get('WORKERS', '4')
    options = ['--quiet', '--exitfirst', '--numprocesses', workers, '--dist', 'worksteal', '--timeout', '900']
    return [sys.executable, '-m', 'pytest', *options, f'--hypothesis-seed={seed}', *GENERATORS]


def repeat(seed: int) -> str:
    """Return how a person repeats a round."""
    return f'DEPTH=full FUZZ=1 {sys.executable} -m pytest --hypothesis-seed={seed} {" ".join(GENERATORS)}'


def run_round(seed: int) -> str | None:
    """Run one; return what it said if something failed."""
    environment = {**os.environ, 'DEPTH': 'full', 'FUZZ': '1'}
    try:
        done = subprocess.run(
            command(seed), env=environment, capture_output=True, text=True, timeout=ROUND_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        return f'{error}\n{error.stdout or ""}'
    return f'{done.stdout}{done.stderr}' if done.returncode else None


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say."""
    minutes = float(arguments[0])
    seed = int(arguments[1]) if len(arguments) > 1 else random.randrange(1 << 32)
    began = time.monotonic()
    rounds = 0
    while not rounds or time.monotonic() - began < 60 * minutes:
        said = run_round(seed + rounds)
        rounds += 1
        print(
            f'{(time.monotonic() - began) / 60:.1f} min, {rounds} rounds, seed {seed + rounds - 1}',
            flush=True,
        )
        if said is not None:
            print(f'{said}\nfailed; to repeat it: {repeat(seed + rounds - 1)}')
            return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
