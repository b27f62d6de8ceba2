"""What delivery costs for each event, by the way it is sent: CPU time of the thread, from the spool to the network and back.

Events that are a record each, aggregated, and compressed, each on a spool in memory of its own; a client of boto3's makes
whole requests of them, and a canned answer comes back. The rounds are interleaved. `gzip` is what is installed: isal, with
the extra `fast`.

    python -m benchmarks.ways [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmarks.contestant import machine
from benchmarks.delivery import client_without_network, line
from benchmarks.turns import Spread, ratios

from firefighter._delivery.aggregation import Aggregation
from firefighter._delivery.compression import Compression, compressor_of, gzip_by_zlib
from firefighter._delivery.limits import FULL_REQUEST_BYTES, MAX_RECORDS
from firefighter._delivery.spool_source import SpoolSource
from firefighter._delivery.transport import BotoTransport
from firefighter._process.waiting import Wakeup
from firefighter._spool.spool import Spool

EVENTS = 20_000
ONE_PER_RECORD = 'one per record'
WAYS: dict[str, Callable[[], Aggregation | None]] = {
    ONE_PER_RECORD: lambda: None,
    'aggregated': Aggregation,
    'gzip': lambda: Compression(compressor_of('gzip')),
    'gzip, standard library': lambda: Compression(gzip_by_zlib()),
    'zstd': lambda: Compression(compressor_of('zstd')),
}


class Way:
    """A spool in memory, and all of delivery behind it but its waiting.

    Args:
        name: one of `WAYS`.
    """

    def __init__(self, name: str) -> None:
        self._spool = Spool(32 * 2**20)
        self._source = SpoolSource(self._spool, Wakeup(), aggregation=WAYS[name]())
        client = client_without_network()
        self._transport = BotoTransport(lambda: client)
        event = json.loads(line())
        self._lines = [
            json.dumps(event | {'user': number * 7919 % 100_003, 'took_ms': number * 31 % 997 / 10}).encode()
            + b'\n'
            for number in range(EVENTS)
        ]

    def measure(self) -> float:
        """Deliver so many events; return the microseconds of CPU time for one."""
        for event in self._lines:
            self._spool.append(event)
        begin = time.thread_time()
        while True:
            records: list[Any] = []
            self._source.take(MAX_RECORDS, FULL_REQUEST_BYTES, records)
            if not records:
                break
            self._transport.put('bench', [record.data for record in records])
            self._source.acknowledge(records)
        return 1e6 * (time.thread_time() - begin) / EVENTS


def measure(rounds: int) -> dict[str, list[float]]:
    """Return the microseconds an event of each way, by rounds; one round more warms up."""
    ways = {name: Way(name) for name in WAYS}
    measured = [{name: way.measure() for name, way in ways.items()} for _ in range(rounds + 1)][1:]
    return {name: [one[name] for one in measured] for name in WAYS}


def summary(measured: Mapping[str, list[float]]) -> dict[str, dict[str, Spread]]:
    """Return the figures of each way."""
    return {
        name: {'CPU, us': Spread.of(values), f'x {ONE_PER_RECORD}': ratios(values, measured[ONE_PER_RECORD])}
        for name, values in measured.items()
    }


def table(rows: Mapping[str, Mapping[str, Spread]]) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    yield '| all of delivery | CPU us an event | x one per record |'
    yield '|---|---|---|'
    for name, row in rows.items():
        yield f'| {name} | {row["CPU, us"]:.2f} | {row[f"x {ONE_PER_RECORD}"]:.2f} |'


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--rounds', type=int, default=15)
    arguments = parser.parse_args()
    print(f'{machine()}\n{arguments.rounds} rounds of {EVENTS:,} events, medians\n')
    print(*table(summary(measure(arguments.rounds))), sep='\n')


if __name__ == '__main__':
    main()
