"""What a logging call costs: `logger.info` with arguments and extras, against what the standard library offers.

Every round measures each handler once, in turn, so that a drift of the machine's speed hits all of them. The table
shows the median over the rounds, its spread, and the ratio to NullHandler: the price of the handler itself.

    python benchmarks/call.py [ROUNDS]
"""

from __future__ import annotations

import gc
import logging
import logging.handlers
import platform
import queue
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from firefighter.formatting import JSONFormatter
from firefighter.logging import FirehoseHandler

CALLS = 10_000
ROUNDS = 15

# A handler, and what to do between two rounds.
Contestant = tuple[logging.Handler, Callable[[], object]]


class _AcceptingClient:
    """Accepts everything at once, so that what is measured is the call; or first when the gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()

    def put_record_batch(
        self,
        *,
        DeliveryStreamName: str,  # noqa: ARG002, N803  # AWS's name
        Records: Sequence[Mapping[str, bytes]],  # noqa: N803  # AWS's name
    ) -> Mapping[str, Any]:
        self.gate.wait()
        return {'FailedPutCount': 0, 'RequestResponses': [{'RecordId': 'x'}] * len(Records)}

    class meta:  # noqa: N801  # as in botocore
        class config:  # noqa: N801
            retries = {'total_max_attempts': 1}  # noqa: RUF012


def firehose() -> Contestant:
    """Our handler on a spool in memory, with room for a round; delivery waits until the round is over."""
    client = _AcceptingClient()
    client.gate.clear()
    handler = FirehoseHandler('bench', boto3_client=client, max_spool_bytes=64 * 2**20)

    def deliver() -> None:
        client.gate.set()
        handler.flush()
        client.gate.clear()

    return handler, deliver


def firehose_delivering() -> Contestant:
    """The same with delivery running beside it."""
    handler = FirehoseHandler('bench', boto3_client=_AcceptingClient())
    return handler, handler.flush


def null() -> Contestant:
    """The floor: logging makes a LogRecord and throws it away."""
    return logging.NullHandler(), lambda: None


def queue_handler() -> Contestant:
    """The standard library's way off the thread; nobody listens while it is measured."""
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()

    def drain() -> None:
        while not records.empty():
            records.get()

    return logging.handlers.QueueHandler(records), drain


def file_handler() -> Contestant:
    """A file with the same JSON, written by the calling thread."""
    handler = logging.FileHandler(tempfile.NamedTemporaryFile(suffix='.log').name)  # noqa: SIM115
    handler.setFormatter(JSONFormatter())
    return handler, lambda: None


HANDLERS = {
    'NullHandler': null,
    'QueueHandler': queue_handler,
    'FileHandler, JSON': file_handler,
    'firefighter, memory': firehose,
    'firefighter, delivering': firehose_delivering,
}


def measure(logger: logging.Logger) -> float:
    """Return the seconds of one call."""
    gc.collect()
    begin = time.perf_counter()
    for number in range(CALLS):
        logger.info(
            'order %d shipped to %s', number, 'Oslo', extra={'user': 42, 'path': '/orders', 'took_ms': 3.2}
        )
    return (time.perf_counter() - begin) / CALLS


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    contestants = {}
    for name, make in HANDLERS.items():
        handler, after_round = make()
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(handler)
        contestants[name] = logger, after_round
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, (logger, after_round) in contestants.items():
            seconds[name].append(measure(logger))
            after_round()
    print(
        f'{platform.python_implementation()} {platform.python_version()}, {platform.machine()}, {rounds} rounds'
    )
    print(f'{"handler":26}{"us a call":>10}{"min":>8}{"max":>8}{"x NullHandler":>16}{"x QueueHandler":>16}')
    floor, peer = seconds['NullHandler'], seconds['QueueHandler']
    for name, values in seconds.items():
        to_null, to_queue = (
            statistics.median(a / b for a, b in zip(values, other, strict=True)) for other in (floor, peer)
        )
        low, middle, high = (1e6 * pick(values) for pick in (min, statistics.median, max))
        print(f'{name:26}{middle:10.2f}{low:8.2f}{high:8.2f}{to_null:16.2f}{to_queue:16.2f}')
    logging.shutdown()


if __name__ == '__main__':
    main()
