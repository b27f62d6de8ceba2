"""Draw the results of `python -m benchmarks` that the README and the docs show.

python -m benchmarks.charts RESULTS.json FOLDER
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.whole_way import ANCESTOR_NAME

_OURS, _OTHERS = '#0b6e99', '#b8b8b8'
_STYLE = {
    'svg.fonttype': 'none',
    'font.family': 'sans-serif',
    'font.size': 9,
    'axes.spines.top': False,
    'axes.spines.right': False,
}


def draw(results: Path, folder: Path) -> None:
    """Draw every chart into the folder, as SVG."""
    measured = json.loads(results.read_text(encoding='utf-8'))
    _call(measured['call'], measured['machine'], folder / 'call.svg')
    _whole_way(measured['whole way'], measured['machine'], folder / 'whole-way.svg')
    _slope(measured['slope'], measured['machine'], folder / 'slope.svg')


def _call(rows: Mapping[str, Mapping[str, Any]], machine: str, path: Path) -> None:
    """Draw what a call costs, in calls to a NullHandler."""
    names = [name for name in rows if 'tmpfs' not in name and 'event ids' not in name]
    figure, axes = _plot(len(names))
    _bars(axes, names, [rows[name]['x NullHandler'] for name in names])
    axes.axvline(1, color='#555555', linewidth=0.8, linestyle=':')
    _save(figure, path, 'CPU time of a logging call, in calls to a NullHandler', machine)


def _whole_way(ways: Mapping[str, Mapping[str, Mapping[str, Any]]], machine: str, path: Path) -> None:
    """Draw what an event costs the process until it is acknowledged."""
    rows = next(iter(ways.values()))
    figure, axes = _plot(len(rows))
    names = {name: name if name == ANCESTOR_NAME else f'firefighter, {name}' for name in rows}
    _bars(axes, list(names.values()), [rows[name]['CPU, us'] for name in names])
    _save(
        figure,
        path,
        'CPU microseconds of the process for each event, from the call to the acknowledgement',
        machine,
    )


def _slope(rows: Mapping[str, Mapping[str, Any]], machine: str, path: Path) -> None:
    """Draw cost and memory over the number of events."""
    pyplot = _pyplot()
    figure, panels = pyplot.subplots(1, 2, figsize=(7.2, 2.4), layout='constrained')
    events = [row['events'] for row in rows.values()]
    for panel, name, title in zip(
        panels, ('CPU, us', 'peak, MiB'), ('CPU us an event', 'memory, MiB'), strict=True
    ):
        values = [row[name] for row in rows.values()]
        panel.plot(events, values, color=_OURS, marker='o', markersize=4)
        panel.set(xscale='log', ylim=(0, 1.1 * max(values)), xlabel='events')
        panel.set_title(title, loc='left', fontsize=9)
        panel.grid(axis='y', color='#dddddd', linewidth=0.6)
    _save(figure, path, 'More and more events', machine)


def _plot(rows: int) -> tuple[Any, Any]:
    figure, axes = _pyplot().subplots(figsize=(7.2, 0.9 + 0.24 * rows), layout='constrained')
    return figure, axes


def _bars(axes: Any, names: Sequence[str], spreads: Sequence[Sequence[float]]) -> None:
    medians = [spread[0] for spread in spreads]
    beyond = [
        [max(0.0, median - low) for median, low, _ in spreads],
        [max(0.0, high - median) for median, _, high in spreads],
    ]
    colours = [_OURS if name.startswith('firefighter, ') else _OTHERS for name in names]
    axes.barh(
        names,
        medians,
        xerr=beyond,
        color=colours,
        height=0.7,
        error_kw={'linewidth': 0.8, 'ecolor': '#555555'},
    )
    for place, (median, _, high) in enumerate(spreads):
        axes.text(high, place, f'  {median:.1f}', va='center', fontsize=8)
    axes.invert_yaxis()
    axes.tick_params(axis='y', length=0)
    axes.set_xlim(0, 1.08 * max(high for _, _, high in spreads))


def _save(figure: Any, path: Path, title: str, machine: str) -> None:
    figure.suptitle(f'{title}\n{machine}', x=0.01, ha='left', fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={'Date': None}, dpi=120)
    _pyplot().close(figure)
    print(f'written: {path}')


def _pyplot() -> Any:
    matplotlib: Any = importlib.import_module('matplotlib')
    matplotlib.use('svg')
    pyplot: Any = importlib.import_module('matplotlib.pyplot')
    pyplot.rcParams.update({**_STYLE, 'svg.hashsalt': 'benchmarks'})
    return pyplot


if __name__ == '__main__':
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
