"""Let faults strike handlers at random, and print what became of their events.

    python report.py FAULTS [SEED]

Ends with status 1 when an event is missing, or when more copies arrived than the accounts say are possible. The same
seed plans the same days: which faults, how likely, and what the producers do. Which request is struck depends on
the order in which they come, too.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from itertools import cycle
from pathlib import Path

TESTS = Path(__file__).parents[1]
# As pytest has it: the folder of the tests, not the one of this file.
sys.path[0] = str(TESTS)

from faults.bad_days import KINDS, BadDays, Kind, Result  # noqa: E402
from firefighter.cli.tables import print_table  # noqa: E402

ACCOUNT = ('accepted', 'delivered')
BOUND = ('missing', 'retried', 'uncertain', 'twice', 'unexplained')
# Nobody's, and nothing of this machine's own configuration.
SURROUNDINGS = {
    'AWS_ACCESS_KEY_ID': 'AKIDEXAMPLE',
    'AWS_SECRET_ACCESS_KEY': 'example',
    'AWS_CONFIG_FILE': os.devnull,
    'AWS_SHARED_CREDENTIALS_FILE': os.devnull,
    'AWS_EC2_METADATA_DISABLED': 'true',
}


class WithoutComplaints(io.TextIOBase):
    """Standard error without what handlers say about the faults, which is the order of the day."""

    def write(self, text: str) -> int:
        return len(text) if text.startswith('firefighter: ') else sys.__stderr__.write(text)


def account_row(name: str, results: Sequence[Result], reasons: Sequence[str]) -> tuple[str | int, ...]:
    """Return a line of the account: sums over days."""

    def total(field: str) -> int:
        return sum(getattr(result, field) for result in results)

    dropped: Counter[str] = sum((result.dropped for result in results), Counter())
    return (
        name,
        len(results),
        *map(total, ACCOUNT),
        *(dropped[reason] for reason in reasons),
        *map(total, BOUND),
    )


def print_account(results: Mapping[str, Sequence[Result]]) -> None:
    """Print a line for each kind of day, and one for all."""
    everything = [result for of_kind in results.values() for result in of_kind]
    reasons = sorted({reason for result in everything for reason in result.dropped})
    titles = ['', 'days', *ACCOUNT, *(f'dropped: {reason}' for reason in reasons), *BOUND]
    rows = [account_row(name, of_kind, reasons) for name, of_kind in results.items()]
    print_table(titles, [*rows, account_row('all', everything, reasons)])


def live_through(days: BadDays, faults: int, kinds: Sequence[Kind] = KINDS) -> dict[str, list[Result]]:
    """Return what came of days of all kinds in turn, until so many faults have struck."""
    results: dict[str, list[Result]] = {}
    for kind in cycle(kinds):
        if sum(days.strikes.values()) >= faults:
            return results
        results.setdefault(kind.name, []).append(days.day(kind))
    raise AssertionError('a cycle does not end')


def main(arguments: Sequence[str]) -> int:
    """Live through days until so many faults have struck; the exit status says whether the promises were kept."""
    for name in os.environ:
        if name.startswith(('AWS_', 'FIREFIGHTER_')):
            del os.environ[name]
    os.environ.update(SURROUNDINGS)
    seed = int(arguments[1]) if len(arguments) > 1 else 0
    with (
        redirect_stderr(WithoutComplaints()),
        tempfile.TemporaryDirectory() as folder,
        BadDays(Path(folder), seed) as days,
    ):
        results = live_through(days, int(arguments[0]))
        strikes = days.strikes
    print_table(['fault', 'struck'], [*sorted(strikes.items()), ('all', sum(strikes.values()))])
    print()
    print_account(results)
    return int(not all(result.good for of_kind in results.values() for result in of_kind))


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
