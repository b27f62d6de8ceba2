"""Producers on a stream that throttles: how much of its quota they use, how they share it, and what is refused and lost meanwhile.

In simulated time, with the handler's own decisions and the local endpoint's quota (`benchmarks/fleet.py`). Prints a table each for:
a quota, beside the same with the backoff alone; refusals that do not depend on the rate; how long producers are slow after an
episode; a flush after an outage; and what each constant of the Pacer buys. Draws a picture.

    python -m benchmarks.throttling [--seconds N] [--picture FILE | --no-picture]
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.fleet import Account, Demand, Fleet, Quota, Refusals

from firefighter._delivery import pace

MIB = 2**20
PICTURE = Path(__file__).parents[1] / 'docs' / 'throttling.svg'

_PRODUCERS = 16
_HALF_MINUTE = 30.0
# How many times longer the rows last in which spools fill: ten minutes, usually.
_LONG = 2.5
_SPOOL_SECONDS = 120.0
_BIN_SECONDS = 5.0
REFUSALS = [Refusals(0.3), Refusals(0.3, 1.0, 1.0), Refusals(1.0, 0.5, 0.5)]
_REFUSALS_NAMES = [
    'a random share of the records in 30 of 100 requests (15% of all)',
    '30 of 100 requests as a whole',
    'half of the records in every request',
]
_NEAR_SECONDS = (0.02, 0.02)
EPISODES = [(0.2, 3.0), (0.5, 10.0), (0.2, 10.0), (0.05, 10.0), (0.2, 60.0)]
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


def demand(events_per_second: float, event_bytes: int = 200, from_seconds: float = 0.0) -> Demand:
    """Return what a producer logs, with a spool for two minutes of it."""
    return Demand(
        events_per_second, event_bytes, from_seconds, _SPOOL_SECONDS * events_per_second * event_bytes
    )


def alike(
    producers: int, bytes_per_second: float, event_bytes: int = 200, from_seconds: float = 0.0
) -> list[Demand]:
    """Return producers that log so much together."""
    return [demand(bytes_per_second / producers / event_bytes, event_bytes, from_seconds)] * producers


def single(*, aggregated: bool = False) -> Demand:
    """Return one producer of 2,000 events of 200 bytes a second: each in a record of its own, or 25 in one of 5,000 bytes."""
    return demand(80, 5_000) if aggregated else demand(2_000)


def scenarios() -> list[Scenario]:
    """Return the rows of the table."""
    early, late = alike(_PRODUCERS, 4 * MIB), alike(_PRODUCERS, 4 * MIB, from_seconds=60.0)
    rows = [
        Scenario(
            f'bytes, {_PRODUCERS} producers log {times:.0%} of it',
            alike(_PRODUCERS, times * MIB),
            [Quota(MIB)],
            _bytes,
        )
        for times in (0.94, 1.07)
    ]
    rows += [
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
            f'requests, {count} producers', [demand(4_000)] * count, [Quota(requests=2 * count)], _requests
        )
        for count in (16, 100)
    ]
    rows += [
        Scenario(
            f'5 producers, 15 more after 60 s, log {times:.0%} of it',
            [*alike(20, times * MIB)[:5], *alike(20, times * MIB, from_seconds=60.0)[5:]],
            [Quota(MIB)],
            _bytes,
            150.0,
        )
        for times in (1.07, 4.0)
    ]
    return [
        *rows,
        Scenario('100 records/s, 4 producers', [demand(100)] * 4, [Quota(records=100)], _records),
        Scenario('8 producers, 8 more after 60 s', [*early[:8], *late[8:]], [Quota(MIB)], _bytes, 90.0),
        Scenario(
            'the quota doubles after 60 s',
            alike(_PRODUCERS, 8 * MIB),
            [Quota(MIB), Quota(2 * MIB, from_seconds=60.0)],
            _bytes,
            70.0,
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
    for left_share, lasted_seconds in EPISODES:
        times = [
            seconds_until_as_before(count, left_share, lasted_seconds, seconds) for count in (1, 16, 100)
        ]
        cells = ' | '.join(f'{one:.0f} s' for one in times)
        print(f'| {left_share:.0%} of what is logged | {lasted_seconds:.0f} s | {cells} |')


def seconds_until_delivered(refusals: Sequence[Refusals], flush_at_seconds: float, *, seed: int) -> float:
    """Return how long one producer's flush takes at the end of an outage; inf where a minute is not enough."""
    fleet = Fleet(
        [single()],
        seed=seed,
        refusals=refusals,
        flush_at_seconds=flush_at_seconds,
        latency_seconds=_NEAR_SECONDS,
    ).run(flush_at_seconds + 60.0)
    left = single().events_per_second * flush_at_seconds - fleet.dropped
    for put in fleet.puts:
        left -= put.accepted
        if left <= 0.0:
            return put.at_seconds + _NEAR_SECONDS[1] - flush_at_seconds
    return inf


def delivered_share(refusals: Sequence[Refusals], seconds: float, *, aggregated: bool = False) -> float:
    """Return how much of what one producer logs in so many seconds is delivered by then."""
    one = single(aggregated=aggregated)
    fleet = Fleet([one], seed=1, refusals=refusals, latency_seconds=_NEAR_SECONDS).run(seconds)
    return fleet.account(0.0, seconds).accepted_records / one.events_per_second


def dropped_share(refusals: Sequence[Refusals], seconds: float) -> float:
    """Return how much of what one producer logs in so many seconds is dropped, since its spool has no room."""
    fleet = Fleet([single()], seed=1, refusals=refusals, latency_seconds=_NEAR_SECONDS).run(seconds)
    return fleet.dropped / single().events_per_second / seconds


def table_of_refusals(seconds: float) -> None:
    """Print how much is delivered where refusals do not depend on the rate, and how much is dropped in the end."""
    half_minute = min(_HALF_MINUTE, seconds)
    print('\n| refused | one event per record | aggregated | dropped in ten minutes |\n|---|---|---|---|')
    for name, refusals in [('nothing', []), *zip(_REFUSALS_NAMES, ([one] for one in REFUSALS), strict=True)]:
        print(
            f'| {name} | {delivered_share(refusals, half_minute):.0%} '
            f'| {delivered_share(refusals, half_minute, aggregated=True):.0%} '
            f'| {dropped_share(refusals, _LONG * seconds):.1%} |'
        )


def table_of_outages(seconds: float) -> None:
    """Print how long a flush takes when something that has lasted for five minutes ends."""
    end = _LONG * seconds / 2
    print('\n| what has lasted for five minutes | a flush takes |\n|---|---|')
    outages = [
        ('every request is throttled as a whole', Refusals(1.0, 1.0, 1.0)),
        *zip(_REFUSALS_NAMES, REFUSALS, strict=True),
    ]
    for name, one in outages:
        until_delivered = seconds_until_delivered([replace(one, until_seconds=end)], end, seed=1)
        print(f'| {name} | {until_delivered:.1f} s |')


_CONSTANTS = (
    '_TOLERATED',
    '_TOLERATED_MORE_WHEN_FULL',
    '_GAIN',
    '_CALM_SECONDS',
    '_FIRST_LIMIT',
    '_ROUND_SECONDS',
)


def table_of_constants(seconds: float) -> None:
    """Print some figures with each constant of the Pacer as it is, halved and doubled."""
    print(
        '\n| | half refused: delivered | dropped | 107% of the quota: refused | 400%: refused | shared | as before after |'
    )
    print('|---|---|---|---|---|---|---|')
    print(f'| as they are | {_figures(seconds)} |')
    for name in _CONSTANTS:
        usual = getattr(pace, name)
        for factor in (0.5, 2.0):
            setattr(pace, name, usual * factor)
            print(f'| `{name}` {usual * factor:g} | {_figures(seconds)} |')
        setattr(pace, name, usual)


def _figures(seconds: float) -> str:
    half_refused, begin = REFUSALS[2:], min(_HALF_MINUTE, seconds / 2)
    above, far_above = (
        Fleet(alike(_PRODUCERS, times * MIB), Quota(MIB), seed=1).run(seconds).account(begin, seconds)
        for times in (1.07, 4.0)
    )
    figures = (
        f'{delivered_share(half_refused, min(_HALF_MINUTE, seconds)):.0%}',
        f'{dropped_share(half_refused, _LONG * seconds):.1%}',
        f'{above.refused_share:.0%}',
        f'{far_above.refused_share:.0%}',
        f'{far_above.fairness:.2f}',
        f'{max(seconds_until_as_before(_PRODUCERS, *episode, min(60.0, seconds)) for episode in EPISODES):.0f} s',
    )
    return ' | '.join(figures)


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
    table_of_refusals(arguments.seconds)
    table_of_episodes(min(_LONGEST_SECONDS, arguments.seconds))
    table_of_outages(arguments.seconds)
    table_of_constants(arguments.seconds)
    if not arguments.no_picture:
        draw(arguments.picture, arguments.seconds)


if __name__ == '__main__':
    main()
