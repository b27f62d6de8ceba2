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

from firefighter.local import LocalFirehoseProcess

# Requests of the two kinds: how many records, of how many bytes.
SHAPES = {'500 x 200 B': (500, 200), '4 x 1,000 KiB': (4, 1_024_000)}
# What the project asks of it on one core.
WANTED = {'500 x 200 B': 50_000.0, '4 x 1,000 KiB': 150.0}
HEADERS = {'X-Amz-Target': 'Firehose_20150804.PutRecordBatch', 'Authorization': 'any'}
TICKS_PER_SECOND = os.sysconf('SC_CLK_TCK')


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far, user and system together."""
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def request(records: int, size_bytes: int) -> bytes:
    """Return the body of a PutRecordBatch."""
    entries = [{'Data': base64.b64encode(os.urandom(size_bytes // 2) * 2).decode()} for _ in range(records)]
    return json.dumps({'DeliveryStreamName': 'bench', 'Records': entries}).encode()


def send(connection: http.client.HTTPConnection, body: bytes) -> None:
    """Send one request and read the answer."""
    connection.request('POST', '/', body, HEADERS)
    response = connection.getresponse()
    answer = response.read()
    if response.status != http.client.OK or b'"FailedPutCount":0' not in answer:
        sys.exit(f'refused: {response.status} {answer[:200]!r}')


def measure(shape: str, seconds: float) -> None:
    """Send requests of one shape for some time and print what came of it."""
    records, size_bytes = SHAPES[shape]
    body = request(records, size_bytes)
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalFirehoseProcess(folder, streams=['bench']) as endpoint,
    ):
        os.sched_setaffinity(endpoint.pid, {0})
        os.sched_setaffinity(0, {os.cpu_count() - 1 if os.cpu_count() else 0})
        connection = http.client.HTTPConnection(endpoint.url.removeprefix('http://'))
        for _ in range(5):
            send(connection, body)
        cpu, start, requests = cpu_seconds(endpoint.pid), time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            send(connection, body)
            requests += 1
        endpoint.flush()
        wall, cpu = time.perf_counter() - start, cpu_seconds(endpoint.pid) - cpu
        account = endpoint.account('bench')
        connection.close()
    if account.delivered_records != account.records:
        sys.exit(f'{account.records} records were accepted, {account.delivered_records} delivered')
    rate = (
        (lambda time: requests * records / time)
        if size_bytes < 1000
        else (lambda time: requests * records * size_bytes / time / 1e6)
    )
    unit = 'records/s' if size_bytes < 1000 else 'MB/s'
    print(
        f'{shape:<16}{requests:>8}{rate(wall):>12,.0f}{rate(cpu):>12,.0f} {unit:<10}'
        f'{cpu / requests * 1000:>8.2f}{WANTED[shape]:>12,.0f}'
    )


def main() -> None:
    """Measure both shapes."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f'{machine()}, Python {platform.python_version()}, {seconds:g} s each')
    print(f'{"request":<16}{"requests":>8}{"wall":>12}{"one core":>12} {"":<10}{"CPU ms":>8}{"wanted":>12}')
    for shape in SHAPES:
        measure(shape, seconds)


def machine() -> str:
    """Return the name of the processor and how many there are."""
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return f'{os.cpu_count()} x {names[0] if names else platform.machine()}'


if __name__ == '__main__':
    main()
