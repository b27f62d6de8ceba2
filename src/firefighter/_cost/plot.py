"""A picture of the bill against the event rate."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from firefighter._cost.bill import Bill, Fleet, bills
from firefighter._cost.reading import Entry
from firefighter._cost.workload import workload

__all__ = ['NoPlotError', 'check', 'draw', 'sweep']

RATES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0)
"""Events a second of one instance."""

# A picture shows no tenth of a percent.
_MOST_BYTES = 16 * 1024 * 1024

_COLOURS = ('#c0562f', '#0b6e99', '#3f7d3a', '#7a4fa3')

Sweep = Mapping[float, Sequence[Bill]]
"""The bills of each way, by the rate."""


class NoPlotError(Exception):
    """There can be no picture, for a reason that the user can mend."""


def check(path: Path) -> None:
    """Find out before the work whether a picture can be drawn.

    Raises:
        NoPlotError: with what to do.
    """
    if path.suffix not in {'.png', '.svg'}:
        raise NoPlotError(f'{path}: name a file that ends in .png or .svg')
    if not path.parent.is_dir():
        raise NoPlotError(f'{path}: there is no directory {str(path.parent)!r}; make it, or name another')
    try:
        importlib.import_module('matplotlib.figure')
    except ImportError:
        raise NoPlotError("--plot needs matplotlib: pip install 'firefighter[plot]'") from None


def sweep(log: Sequence[Entry], fleet: Fleet, done: Callable[[int, int], object]) -> Sweep:
    """Return what a log costs at each of RATES.

    Args:
        log: its entries.
        fleet: who logs, and where to.
        done: told how many of the rates are played, and how many there are.
    """
    found: dict[float, Sequence[Bill]] = {}
    for number, rate in enumerate(RATES):
        done(number, len(RATES))
        found[rate] = bills(workload(log, rate, fleet.send_interval, _MOST_BYTES), fleet)
    return found


def draw(found: Sweep, path: Path, subject: str) -> None:
    """Draw dollars a month, and below what is billed for each byte that is logged, against the rate.

    Args:
        found: what `sweep` returns.
        path: where to; ends in .png or .svg.
        subject: what stands above it.

    Raises:
        NoPlotError: matplotlib is missing.
        OSError: the file cannot be written.
    """
    check(path)
    matplotlib: Any = importlib.import_module('matplotlib')
    figures: Any = importlib.import_module('matplotlib.figure')
    style = {
        'svg.fonttype': 'none',
        'svg.hashsalt': 'cost',
        'font.family': 'sans-serif',
        'font.size': 9,
        'axes.spines.top': False,
        'axes.spines.right': False,
    }
    with matplotlib.rc_context(style):
        # A Figure of its own: pyplot would ask for a screen.
        figure = figures.Figure(figsize=(7.2, 5.6), layout='constrained')
        panels = figure.subplots(2, 1, sharex=True)
        for panel, title, value in zip(panels, _TITLES, _VALUES, strict=True):
            _fill(panel, found, value)
            panel.set_title(title, loc='left', fontsize=9)
        panels[0].legend(loc='upper left', frameon=False)
        panels[-1].set_xlabel('events a second of one instance')
        figure.suptitle(subject, x=0.01, ha='left', fontsize=10)
        figure.savefig(path, metadata={'Date': None} if path.suffix == '.svg' else None, dpi=120)


_TITLES = ('dollars a month', 'bytes billed for each byte logged')
_VALUES: tuple[Callable[[Bill], float], ...] = (lambda bill: bill.dollars, lambda bill: bill.times_logged)


def _fill(panel: Any, found: Sweep, value: Callable[[Bill], float]) -> None:
    by_way = zip(*found.values(), strict=True)
    for colour, ways_bills in zip(_COLOURS, by_way, strict=False):
        name = ways_bills[0].way.name
        panel.plot(
            list(found), list(map(value, ways_bills)), color=colour, linewidth=1.6, marker='.', label=name
        )
    panel.set(xscale='log', yscale='log')
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter(lambda number, _: f'{number:,g}')
    panel.grid(color='#dddddd', linewidth=0.6)
