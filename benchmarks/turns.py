"""Processes that take turns: each measures when it is told to, and waits while another does."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

ROOT = Path(__file__).parents[1]


class Side:
    """A process that measures when it is asked.

    Args:
        module: runs as its main module, and calls `serve`.
        *arguments: its command line.
        before: a folder whose packages go before all others.
        quiet: leave out what it says on stderr.
    """

    def __init__(self, module: str, *arguments: str, before: str | None = None, quiet: bool = False) -> None:
        paths = [str(Path(before).resolve())] if before else []
        self._process = subprocess.Popen(
            [sys.executable, '-m', module, *arguments],
            cwd=ROOT,
            env=os.environ | {'PYTHONPATH': os.pathsep.join([*paths, str(ROOT)])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
            text=True,
        )

    def ask(self, **question: Any) -> Any:
        """Return what it has measured."""
        print(json.dumps(question), file=self._pipe(self._process.stdin), flush=True)
        answer = self._pipe(self._process.stdout).readline()
        if not answer:
            sys.exit(f'{self._process.args!r} has ended before its answer')
        return json.loads(answer)

    def end(self) -> None:
        """End the process."""
        self._process.communicate()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        return cast('IO[str]', pipe)


def serve(answer: Callable[..., object]) -> None:
    """Answer every question on stdin."""
    for question in sys.stdin:
        print(json.dumps(answer(**json.loads(question))), flush=True)


class Spread(NamedTuple):
    """A figure of several rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the median and the 10th and 90th percentile."""
        several = list(values)
        if len(several) == 1:
            return cls(*several * 3)
        tenths = statistics.quantiles(several, n=10, method='inclusive')
        return cls(statistics.median(several), tenths[0], tenths[-1])

    def __format__(self, form: str) -> str:
        """Write the median, and what it moved between where that can be told."""
        if self.low == self.high:
            return format(self.median, form)
        return f'{self.median:{form}} ({self.low:{form}} to {self.high:{form}})'


def ratios(own: Sequence[float], other: Sequence[float]) -> Spread:
    """Return the ratio, round by round."""
    return Spread.of(mine / its for mine, its in zip(own, other, strict=True))
