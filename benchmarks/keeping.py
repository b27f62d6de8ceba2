"""What `KeepUntilErrorHandler` adds to a logging call: `python -m benchmarks.keeping`.

The CPU time of the calling thread, in turns; the last column is the median of each round's ratio to the first row.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from firefighter.logging import FirehoseHandler, KeepUntilErrorHandler

ROUNDS = 15
EVENTS = 10_000
WAYS = ('target alone', 'not kept', 'kept')


class Client:
    """Accepts everything, after what is measured."""

    # What botocore keeps there for a client made without retries of its own.
    meta = SimpleNamespace(config=SimpleNamespace(retries={'total_max_attempts': 1, 'mode': 'standard'}))

    def put_record_batch(self, *, Records: Any, **_: object) -> Mapping[str, Any]:  # noqa: N803  # AWS's name
        """Accept them."""
        return {'FailedPutCount': 0, 'RequestResponses': [{'RecordId': 'x'} for _ in Records]}


def cost(way: str) -> float:
    """Return how many ns an event takes, by one of WAYS."""
    target = FirehoseHandler(
        'bar', boto3_client=Client(), send_interval=900, aggregate=True, target_batch_bytes=1 << 23
    )
    handler = target if way == 'target alone' else KeepUntilErrorHandler(target)
    level = logging.DEBUG if way == 'kept' else logging.INFO
    record = logging.LogRecord('shop', level, '/srv/shop/orders.py', 12, 'order %d for %s', (17, 'Ann'), None)
    for _ in range(300):
        handler.handle(record)
    began = time.thread_time_ns()
    for _ in range(EVENTS):
        handler.handle(record)
    taken = (time.thread_time_ns() - began) / EVENTS
    handler.close()
    target.close()
    return taken


def main() -> None:
    """Print a row for each way."""
    rounds = [[cost(way) for way in WAYS] for _ in range(ROUNDS)]
    for number, way in enumerate(WAYS):
        ns = statistics.median(taken[number] for taken in rounds)
        ratio = statistics.median(taken[number] / taken[0] for taken in rounds)
        print(f'{way:<14}{ns:>8,.0f} ns{ratio:>8.2f}')


if __name__ == '__main__':
    main()
