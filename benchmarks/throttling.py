"""Many producers on one stream with a quota: how near to it they settle, what is refused meanwhile, how they share it.

In simulated time, with the handler's own decisions and the local endpoint's quota (`benchmarks/fleet.py`), beside
the same with the backoff alone; and how long producers are slow after an episode. Prints two tables and draws a picture.

    python -m benchmarks.throttling [--seconds N] [--picture FILE | --no-picture]
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.fleet import Account, Demand, Fleet, Quota

MIB = 2**20
PICTURE = Path(__file__).parents[1] / 'docs' / 'throttling.svg'

_PRODUCERS = 16
_HALF_MINUTE = 30.0
_BIN_SECONDS = 5.0
_EPISODES = [(0.2, 3.0), (0.5, 10.0), (0.2, 10.0), (0.05, 10.0), (0.2, 60.0)]
_EPISODE_AT_SECONDS, _LOOK_SECONDS = 20.0, 2.0
_LONGEST_SECONDS = 120.0
_COLOURS = {True: '#0b6e99', False: '#c0562f'}
_NAMES = {True: 'paced', False: 'backoff alone'}


class Scenario(NamedTuple):
    """Producers, a stream, and how much of its quota is used."""

    name: str
    demands: Sequence[Demand]
    quotas: Sequence[Quota]
    use: Callable[[Account, Quota], float]
    begin_seconds: float = _HALF_MINUTE


def _bytes(account: Account, quota: Quota) -> float:
    return account.accepted_bytes / quota.size_bytes


def _records(account: Account, quota: Quota) -> float:
    return account.accepted_records / quota.records


def _requests(account: Account, quota: Quota) -> float:
    return account.accepted_requests / quota.requests


def alike(producers: int, bytes_per_second: float, event_bytes: int = 200) -> list[Demand]:
    """Return producers that log so much together."""
    return [Demand(bytes_per_second / producers / event_bytes, event_bytes)] * producers


def scenarios() -> list[Scenario]:
    """Return the rows of the table."""
    late = [Demand(MIB / 4 / 200)] * 8 + [Demand(MIB / 4 / 200, from_seconds=60.0)] * 8
    rows = [
        Scenario(f'bytes, {count} producer{"s" * (count > 1)}', alike(count, 4 * MIB), [Quota(MIB)], _bytes)
        for count in (1, 4, 16, 100)
    ]
    rows += [
        Scenario(
            f'records, {count} producers', alike(count, 80_000 * 40, 40), [Quota(records=20_000)], _records
        )
        for count in (16, 100)
    ]
    rows += [
        Scenario(
            f'requests, {count} producers', [Demand(4_000)] * count, [Quota(requests=2 * count)], _requests
        )
        for count in (16, 100)
    ]
    return [
        *rows,
        Scenario('100 records/s, 4 producers', [Demand(100)] * 4, [Quota(records=100)], _records),
        Scenario('8 producers, 8 more after 60 s', late, [Quota(MIB)], _bytes, 90.0),
        Scenario(
            'the quota doubles after 60 s',
            alike(_PRODUCERS, 8 * MIB),
            [Quota(MIB), Quota(2 * MIB, from_seconds=60.0)],
            _bytes,
            150.0,
        ),
        Scenario(
            'the quota halves after 60 s',
            alike(_PRODUCERS, 4 * MIB),
            [Quota(MIB), Quota(MIB / 2, from_seconds=60.0)],
            _bytes,
            90.0,
        ),
    ]


def table(seconds: float) -> None:
    """Print what came of each scenario when it had settled, with the Pacer and without."""
    print('| | quota used | refused | fairness | backoff alone: refused |\n|---|---|---|---|---|')
    for one in scenarios():
        begin = min(one.begin_seconds, seconds / 2)
        accounts = [
            Fleet(one.demands, *one.quotas, seed=1, paced=paced).run(seconds).account(begin, seconds)
            for paced in (True, False)
        ]
        print(
            f'| {one.name} | {one.use(accounts[0], one.quotas[-1]):.0%} | {accounts[0].refused_share:.1%} '
            f'| {accounts[0].fairness:.2f} | {accounts[1].refused_share:.0%} |'
        )


def seconds_until_as_before(
    producers: int, left_share: float, lasted_seconds: float, seconds: float
) -> float:
    """Return how long after an episode all that is logged passes again; inf where so many seconds are not enough.

    Before and after it the stream takes twice what is logged.
    """
    end = _EPISODE_AT_SECONDS + lasted_seconds
    quotas = [
        Quota(2 * MIB),
        Quota(left_share * MIB, from_seconds=_EPISODE_AT_SECONDS),
        Quota(2 * MIB, from_seconds=end),
    ]
    fleet = Fleet(alike(producers, MIB), *quotas, seed=1).run(end + seconds)
    after = _LOOK_SECONDS
    while fleet.account(end + after - _LOOK_SECONDS, end + after).accepted_bytes < 0.95 * MIB:
        after += _LOOK_SECONDS
        if after > seconds:
            return inf
    return after


def table_of_episodes(seconds: float) -> None:
    """Print how long after an episode producers are as fast as before."""
    print('\n| the stream takes | for | 1 producer | 16 producers | 100 producers |\n|---|---|---|---|---|')
    for left_share, lasted_seconds in _EPISODES:
        times = [
            seconds_until_as_before(count, left_share, lasted_seconds, seconds) for count in (1, 16, 100)
        ]
        cells = ' | '.join(f'{one:.0f} s' for one in times)
        print(f'| {left_share:.0%} of what is logged | {lasted_seconds:.0f} s | {cells} |')


def draw(path: Path, seconds: float) -> None:
    """Draw 16 producers over time, with the Pacer and without; the quota doubles at half-time."""
    pyplot: Any = importlib.import_module('matplotlib.pyplot')
    pyplot.rcParams.update(
        {
            'svg.fonttype': 'none',
            'svg.hashsalt': 'throttling',
            'font.family': 'sans-serif',
            'font.size': 9,
            'axes.spines.top': False,
            'axes.spines.right': False,
        }
    )
    middle = seconds / 2
    quotas = [Quota(MIB), Quota(2 * MIB, from_seconds=middle)]
    figure, panels = pyplot.subplots(3, 1, figsize=(7.2, 5.6), sharex=True, layout='constrained')
    begins = [_BIN_SECONDS * number for number in range(int(seconds / _BIN_SECONDS))]
    for paced in (False, True):
        fleet = Fleet(alike(_PRODUCERS, 4 * MIB), *quotas, seed=1, paced=paced).run(seconds)
        accounts = [fleet.account(begin, begin + _BIN_SECONDS) for begin in begins]
        times = [begin + _BIN_SECONDS / 2 for begin in begins]
        curves = (
            [one.accepted_bytes / MIB for one in accounts],
            [100 * one.refused_share for one in accounts],
            [one.fairness for one in accounts],
        )
        for panel, values in zip(panels, curves, strict=True):
            panel.plot(times, values, color=_COLOURS[paced], linewidth=1.6, label=_NAMES[paced])
    panels[0].step(
        [0, middle, seconds], [1, 2, 2], where='post', color='#555555', linestyle=':', label='quota'
    )
    panels[0].set(title='accepted, MiB/s', ylim=(0, 2.4))
    panels[1].set(title='refused, % of the records sent', ylim=(0, 100))
    panels[2].set(title="fairness (Jain's index; 1: all have the same)", ylim=(0, 1.05))
    panels[2].set(xlabel='simulated seconds', xlim=(0, seconds))
    for panel in panels:
        panel.set_title(panel.get_title(), loc='left', fontsize=9)
        panel.title.set_text('')
        panel.grid(axis='y', color='#dddddd', linewidth=0.6)
    panels[0].legend(loc='lower right', frameon=False, ncols=3)
    figure.suptitle(
        f'{_PRODUCERS} producers demand 4 MiB/s of a stream that takes 1, and later 2', x=0.01, ha='left'
    )
    figure.savefig(path, metadata={'Date': None} if path.suffix == '.svg' else None, dpi=120)
    print(f'\nwritten: {path}')


def main() -> None:
    """Print the tables, and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--seconds', type=float, default=240.0, help='of simulated time (default: 240)')
    parser.add_argument('--picture', type=Path, default=PICTURE, help='where to draw it: .svg or .png')
    parser.add_argument('--no-picture', action='store_true')
    arguments = parser.parse_args()
    table(arguments.seconds)
    table_of_episodes(min(_LONGEST_SECONDS, arguments.seconds))
    if not arguments.no_picture:
        draw(arguments.picture, arguments.seconds)


if __name__ == '__main__':
    main()
