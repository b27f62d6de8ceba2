"""Measure alternatives in one run, in turns, so that what else the machine does happens to all of them."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROUNDS = 100
# One turn lasts about so long: longer than the clock is coarse, shorter than the system's slices.
TURN_SECONDS = 0.0005


class Timing(NamedTuple):
    """One alternative's result."""

    nanoseconds: float  # the median over the rounds
    ratio: float  # the median of the ratios to the first alternative, round by round
    low: float  # the ratio's 10th percentile
    high: float  # the ratio's 90th percentile


def measure(alternatives: Mapping[str, Callable[[Any], object]], argument: Any) -> dict[str, Timing]:
    """Time each alternative with the argument, relative to the first of them."""
    counts = {name: _calls_for_a_turn(function, argument) for name, function in alternatives.items()}
    times: dict[str, list[float]] = {name: [] for name in alternatives}
    gc.disable()
    for _ in range(ROUNDS):
        for name, function in alternatives.items():
            times[name].append(_turn(function, argument, counts[name]))
    gc.enable()
    base = next(iter(times.values()))
    return {name: _timing(own, base) for name, own in times.items()}


def report(title: str, timings: Mapping[str, Timing]) -> None:
    """Print one table in Markdown."""
    print(f'\n### {title}\n\n| | ns | ratio | 10 % to 90 % |\n|---|---|---|---|')
    for name, (nanoseconds, ratio, low, high) in timings.items():
        print(f'| {name} | {nanoseconds:.0f} | {ratio:.2f} | {low:.2f} to {high:.2f} |')


def machine() -> str:
    """Name what the figures were measured on."""
    python = f'{platform.python_implementation()} {platform.python_version()}'
    return f'{python}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores'


def _turn(function: Callable[[Any], object], argument: Any, count: int) -> float:
    started = time.perf_counter_ns()
    for _ in range(count):
        function(argument)
    return (time.perf_counter_ns() - started) / count


def _calls_for_a_turn(function: Callable[[Any], object], argument: Any) -> int:
    _turn(function, argument, 10)
    return max(1, int(TURN_SECONDS * 1e9 / _turn(function, argument, 10)))


def _timing(own: list[float], base: list[float]) -> Timing:
    ratios = [mine / other for mine, other in zip(own, base, strict=True)]
    tenths = statistics.quantiles(ratios, n=10)
    return Timing(statistics.median(own), statistics.median(ratios), tenths[0], tenths[-1])
