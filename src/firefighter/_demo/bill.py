"""What Firehose would charge for the demo's events, and what it would for the same events sent another way."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from firefighter._cost.bill import Bill, Fleet, bills
from firefighter._cost.prices import tiers_of
from firefighter._cost.quotas import quota_of
from firefighter._cost.reading import entries
from firefighter._cost.workload import collect, workload

REGION = 'us-east-1'
SEND_INTERVAL_SECONDS = 60.0

# A second or two of a person's time.
_MOST_BYTES = 8 * 1024 * 1024


def read_bills(files: Iterable[pathlib.Path], workers: int, seconds: float) -> Sequence[Bill]:
    """Return what a month would cost that went on like this, each way of sending; none where there are no events.

    Args:
        files: the delivered files.
        workers: how many processes have logged what is in them.
        seconds: in how many seconds.
    """
    log, _ = collect(entries(_opened(files)))
    if not log:
        return ()
    played = workload(log, len(log) / seconds / workers, SEND_INTERVAL_SECONDS, _MOST_BYTES)
    return bills(played, Fleet(workers, SEND_INTERVAL_SECONDS, tiers_of(REGION), quota_of(REGION)))


def _opened(files: Iterable[pathlib.Path]) -> Iterator[BinaryIO]:
    for path in files:
        with path.open('rb') as file:
            yield file
