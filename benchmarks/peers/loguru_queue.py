"""loguru with `enqueue=True` and its own JSON, to a file: a thread writes, behind a queue that other processes can share."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from benchmarks.contestant import Program


def loguru(folder: Path) -> Program:
    """Write at full speed."""
    say: Any = importlib.import_module('loguru').logger
    say.remove()
    say.add(folder / 'loguru.log', enqueue=True, serialize=True, format='{message}', catch=False)

    def call(number: int) -> None:
        say.info('order {} shipped to {}', number, 'Oslo', user=42, path='/orders', took_ms=3.2)

    def calls(number_of_calls: int) -> None:
        for number in range(number_of_calls):
            say.info('order {} shipped to {}', number, 'Oslo', user=42, path='/orders', took_ms=3.2)

    return Program(calls, call, say.complete, say.remove)
