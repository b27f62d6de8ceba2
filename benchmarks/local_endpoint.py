"""How much the embedded endpoint takes on one core: many small records, and few large ones.

The endpoint runs as a process of its own, bound to one core, and writes into a folder as always. The client sends
requests that were made before, over one connection, so that what is measured is the server: its CPU time, counted
apart from the client's by the kernel, and the wall clock beside it.

    python benchmarks/local_endpoint.py [SECONDS]

Linux only: it reads /proc.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import pathlib
import platform
import sys
import tempfile
import time
from typing import NamedTuple

from firefighter.local import LocalFirehoseProcess


class Shape(NamedTuple):
    """Requests of one kind, and what the project asks of the endpoint with them."""

    name: str
    records: int
    record_bytes: int
    unit: str
    per_request: float
    wanted: float


SHAPES = (
    Shape('500 x 200 B', 500, 200, 'records/s', per_request=500, wanted=50_000),
    Shape('4 x 1,000 KiB', 4, 1_024_000, 'MB/s', per_request=4 * 1.024, wanted=150),
)
HEADERS = {'X-Amz-Target': 'Firehose_20150804.PutRecordBatch', 'Authorization': 'any'}
WARM_UP_REQUESTS = 5
TICKS_PER_SECOND = os.sysconf('SC_CLK_TCK')


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far, user and system together."""
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def request(shape: Shape) -> bytes:
    """Return the body of a PutRecordBatch."""
    data = [base64.b64encode(os.urandom(shape.record_bytes)).decode() for _ in range(shape.records)]
    return json.dumps({'DeliveryStreamName': 'bench', 'Records': [{'Data': text} for text in data]}).encode()


def send(connection: http.client.HTTPConnection, body: bytes) -> None:
    """Send one request and read the answer."""
    connection.request('POST', '/', body, HEADERS)
    response = connection.getresponse()
    answer = response.read()
    if response.status != http.client.OK or b'"FailedPutCount":0' not in answer:
        sys.exit(f'refused: {response.status} {answer[:200]!r}')


def measure(shape: Shape, seconds: float) -> tuple[int, float, float]:
    """Send requests of one shape for some time; return their number, and the server's wall clock and CPU time."""
    body = request(shape)
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalFirehoseProcess(folder, streams=['bench']) as endpoint,
    ):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(endpoint.pid, processors[:1])
        connection = http.client.HTTPConnection(endpoint.url.removeprefix('http://'))
        for _ in range(WARM_UP_REQUESTS):
            send(connection, body)
        cpu, start, requests = cpu_seconds(endpoint.pid), time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            send(connection, body)
            requests += 1
        endpoint.flush()
        wall, cpu = time.perf_counter() - start, cpu_seconds(endpoint.pid) - cpu
        account = endpoint.account('bench')
        connection.close()
    if account.delivered_records != (requests + WARM_UP_REQUESTS) * shape.records:
        sys.exit(f'{requests} requests were sent, and the account says {account}')
    return requests, wall, cpu


def main() -> None:
    """Measure every shape and print the table."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f'{machine()}, Python {platform.python_version()}, {seconds:g} s each')
    print(f'{"request":<16}{"requests":>8}{"wall":>12}{"one core":>12} {"":<10}{"CPU ms":>8}{"wanted":>12}')
    for shape in SHAPES:
        requests, wall, cpu = measure(shape, seconds)
        total = requests * shape.per_request
        print(
            f'{shape.name:<16}{requests:>8}{total / wall:>12,.0f}{total / cpu:>12,.0f} {shape.unit:<10}'
            f'{cpu / requests * 1000:>8.2f}{shape.wanted:>12,.0f}'
        )


def machine() -> str:
    """Return the name of the processor and how many there are."""
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return f'{os.cpu_count()} x {names[0] if names else platform.machine()}'


if __name__ == '__main__':
    main()
