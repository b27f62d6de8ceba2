"""What another thread of the program suffers while requests are made at full speed.

Delivery computes with the interpreter lock, so who wants to run meanwhile waits for it. Two who do, one at a time: a
thread that sleeps for half a millisecond at a time (how much too late does it come back?), and one that computes without
pause (how long is it kept from it?). The requests go to an endpoint in another process, which accepts all.

On a busy machine both wait for a processor, too. So of each wait it is also told for how much of it this process computed:
that is what delivery can be blamed for, and more, since what it does without the lock (hashing, writing) is in it.

    python -m benchmarks.interpreter_lock [--seconds N] [--turns N] [--only TEXT]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import statistics
import sys
import threading
import time
from binascii import b2a_base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import boto3.session
import pybase64
from benchmarks.contestant import machine
from botocore.config import Config

from firefighter._delivery import request_json
from firefighter._delivery.clients import ClientOptions, make_client
from firefighter._delivery.transport import BotoTransport

_KIB = 1024
_NAP_SECONDS = 0.0005
_GAP_SECONDS = 0.0001


class Load(NamedTuple):
    """Requests at full speed, each with records of one size."""

    way: str
    records: int
    record_bytes: int
    in_flight: int

    @property
    def name(self) -> str:
        """What the table calls it."""
        if not self.in_flight:
            return 'no requests'
        size = f'{self.record_bytes} B' if self.record_bytes < _KIB else f'{self.record_bytes // _KIB} KiB'
        return f'{self.way}, {self.records} x {size}{f", {self.in_flight} at once" if self.in_flight > 1 else ""}'


OURS, FAST, PLAIN = 'ours', 'ours with pybase64', 'boto3'
LOADS = [
    Load(OURS, 0, 0, 0),
    *(Load(way, 500, 200, in_flight) for way in (OURS, PLAIN) for in_flight in (1, 4)),
    *(Load(way, 1, 1000 * _KIB, in_flight) for way in (OURS, FAST, PLAIN) for in_flight in (1, 4)),
    *(
        Load(way, 4, 1000 * _KIB, in_flight)
        for way, in_flight in ((OURS, 1), (FAST, 1), (PLAIN, 1), (PLAIN, 4))
    ),
]


class Wait(NamedTuple):
    """How long a thread had to wait, in milliseconds, and for how much of it this process computed meanwhile."""

    whole: float
    ours: float


async def _serve(port: Any) -> None:
    """Accept everything, as fast as it comes."""
    entry = json.dumps({'RecordId': 'r' * 224})

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b'\r\n\r\n')
                if b'100-continue' in head:
                    writer.write(b'HTTP/1.1 100 Continue\r\n\r\n')
                length = int(head.lower().partition(b'content-length:')[2].partition(b'\r\n')[0])
                count = (await reader.readexactly(length)).count(b'"Data"')
                body = f'{{"FailedPutCount":0,"Encrypted":false,"RequestResponses":[{",".join([entry] * count)}]}}'
                writer.write(
                    f'HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\n'
                    f'x-amzn-RequestId: id\r\nContent-Length: {len(body)}\r\n\r\n{body}'.encode()
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connection, '127.0.0.1', 0, limit=8 * 2**20)
    port.send(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


def _endpoint(port: Any) -> None:
    asyncio.run(_serve(port))


@contextmanager
def endpoint() -> Iterator[str]:
    """Run the endpoint in another process; give its URL."""
    context = multiprocessing.get_context('spawn')
    ours, theirs = context.Pipe()
    process = context.Process(target=_endpoint, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield f'http://127.0.0.1:{ours.recv()}'
    finally:
        process.terminate()
        process.join()


def request(load: Load, url: str) -> Callable[[], object]:
    """Return what makes one of the load's requests; it has made one."""
    session = boto3.session.Session('key', 'secret', region_name='eu-north-1')
    data = [os.urandom(load.record_bytes)] * load.records
    if load.way == PLAIN:
        client: Any = session.client(
            'firehose',
            endpoint_url=url,
            config=Config(retries={'total_max_attempts': 1}, max_pool_connections=4),
        )
        records = [{'Data': one} for one in data]
        return lambda: client.put_record_batch(DeliveryStreamName='bench', Records=records)
    ours = make_client(ClientOptions(session, endpoint_url=url))
    transport = BotoTransport(lambda: ours)

    def put() -> None:
        answer = transport.put('bench', data)
        if answer.cause is not None:
            raise RuntimeError(answer.error)

    return put


def sleeping(seconds: float) -> list[Wait]:
    """Return by how much too late each short sleep ended."""
    waits, clock, computed = [], time.perf_counter, time.process_time
    end = clock() + seconds
    while (begin := clock()) < end:
        before = computed()
        time.sleep(_NAP_SECONDS)
        late = clock() - begin - _NAP_SECONDS
        waits.append(Wait(1e3 * late, 1e3 * min(late, computed() - before)))
    return waits


def computing(seconds: float) -> list[Wait]:
    """Return for how long a thread that computes was kept from it, each time."""
    waits, clock, computed = [Wait(0.0, 0.0)], time.perf_counter, time.process_time
    last, before = clock(), computed()
    end = last + seconds
    while last < end:
        now, after = clock(), computed()
        if now - last > _GAP_SECONDS:
            waits.append(Wait(1e3 * (now - last), 1e3 * min(now - last, after - before)))
        last, before = now, after
    return waits


def measure(
    load: Load, put: Callable[[], object], victim: Callable[[float], list[Wait]], seconds: float
) -> tuple[list[Wait], float]:
    """Return what the victim measured during the load, and how many MB/s were delivered meanwhile."""
    stop = threading.Event()
    counts: list[int] = []
    # What making clients left behind would be collected in the middle, which takes longer than what is measured.
    gc.collect()

    def deliver() -> None:
        count = 0
        while not stop.is_set():
            put()
            count += 1
        counts.append(count)

    threads = [threading.Thread(target=deliver) for _ in range(load.in_flight)]
    for thread in threads:
        thread.start()
    begin = time.perf_counter()
    measured = victim(seconds)
    took = time.perf_counter() - begin
    stop.set()
    for thread in threads:
        thread.join()
    return measured, sum(counts) * load.records * load.record_bytes / took / 1e6


def compare(loads: Sequence[Load], turns: int, seconds: float) -> dict[str, list[list[float]]]:
    """Return the cells of each load's row for each turn."""
    rows: dict[str, list[list[float]]] = {load.name: [] for load in loads}
    with endpoint() as url:
        puts = {load.name: request(load, url) if load.records else lambda: None for load in loads}
        for _ in range(turns):
            for load in loads:
                vars(request_json)['b64encode'] = (
                    pybase64.b64encode if load.way == FAST else partial(b2a_base64, newline=False)
                )
                late, speed = measure(load, puts[load.name], sleeping, seconds)
                gaps, _ = measure(load, puts[load.name], computing, seconds)
                rows[load.name].append([*_tail(late), *map(max, zip(*gaps, strict=True)), speed])
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--seconds', type=float, default=1.0, help='of one turn (default: 1)')
    parser.add_argument('--turns', type=int, default=9, help='of each load, in rotation (default: 9)')
    parser.add_argument('--only', default='', help='the loads whose name contains this')
    arguments = parser.parse_args()
    chosen = [load for load in LOADS if arguments.only in load.name]
    rows = compare(chosen, arguments.turns, arguments.seconds)
    print(f'{machine()}, switch interval {1e3 * sys.getswitchinterval():.0f} ms')
    print(f'{arguments.turns} turns of {arguments.seconds:g} s; medians of the turns, in milliseconds\n')
    print('| | late, p99 | worst | longest gap | computing: late, p99 | worst | longest gap | MB/s |')
    print('|---|---|---|---|---|---|---|---|')
    for name, turns in rows.items():
        late, own_late, worst, own_worst, gap, own_gap, speed = map(
            statistics.median, zip(*turns, strict=True)
        )
        cells = [f'{value:.1f}' for value in (late, worst, gap, own_late, own_worst, own_gap)]
        print(f'| {name} | {" | ".join(cells)} | {speed:.0f} |')


def _tail(waits: Sequence[Wait]) -> list[float]:
    """Return the 99th percentile and the worst: of the whole and of ours, in turn."""
    whole, ours = (sorted(column) for column in zip(*waits, strict=True))
    place = int(0.99 * len(waits))
    return [whole[place], ours[place], whole[-1], ours[-1]]


if __name__ == '__main__':
    main()
