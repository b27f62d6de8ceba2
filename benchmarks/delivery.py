"""What delivery costs for each event, stage by stage: it computes with the interpreter lock, so the application waits for it.

The stages are called one after the other on a spool in memory, in requests of 500 events, and timed by the thread's CPU
time. `put` ends at the network: a client of boto3's makes the whole request, and a canned answer comes back.

    python -m benchmarks.delivery [--rounds N] [--requests N]
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import boto3.session
from benchmarks.contestant import AcceptingClient, machine
from benchmarks.turns import Spread
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from firefighter._delivery.clients import ClientOptions, make_client
from firefighter._delivery.limits import MAX_RECORDS, MAX_REQUEST_BYTES
from firefighter._delivery.transport import BotoTransport
from firefighter._spool.spool import Spool
from firefighter.formatting import JSONFormatter


class _Raw:
    """The body of a canned answer, as urllib3 gives it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: object, **__: object) -> Any:
        """Give the body whole."""
        yield self._body


def client_without_network() -> Any:
    """Return a client that makes each request whole, and has its answer before it is sent."""
    session = boto3.session.Session('x', 'x', region_name='eu-north-1')
    client: Any = make_client(ClientOptions(session))
    entry = {'RecordId': 'r' * 224}
    body = json.dumps({'FailedPutCount': 0, 'RequestResponses': [entry] * MAX_RECORDS}).encode()

    def answer(request: Any, **_: object) -> AWSResponse:
        return AWSResponse(request.url, 200, HTTPHeaders(), _Raw(body))

    client.meta.events.register('before-send.firehose', answer)
    return client


def line() -> bytes:
    """Return an event as an application would log it."""
    record = logging.getLogger('shop.orders').makeRecord(
        'shop.orders',
        logging.INFO,
        '/srv/shop.py',
        7,
        'order %d shipped to %s',
        (1234, 'Oslo'),
        None,
        'ship',
        {'user': 42, 'path': '/orders', 'took_ms': 3.2},
    )
    return JSONFormatter().encode(record)


class Delivery:
    """A spool in memory, and the stages behind it."""

    def __init__(self) -> None:
        accepting, client = AcceptingClient(open_gate=True), client_without_network()
        self._transports = {
            'put, ours': BotoTransport(lambda: accepting),
            'put, with botocore': BotoTransport(lambda: client),
        }
        self._spool = Spool(16 * 2**20)

    def measure(self, requests: int) -> dict[str, float]:
        """Deliver that many requests; return the microseconds of CPU time of each stage for one event."""
        spent: defaultdict[str, float] = defaultdict(float)
        event, spool, clock = line(), self._spool, time.thread_time
        for _ in range(requests):
            for _ in range(MAX_RECORDS):
                spool.append(event)
            begin = clock()
            taken = spool.take(MAX_RECORDS, MAX_REQUEST_BYTES)
            spent['take'] += clock() - begin
            begin = clock()
            data = [one.data for one in taken]
            sum(map(len, data))
            spent['their bytes'] += clock() - begin
            for name, transport in self._transports.items():
                begin = clock()
                transport.put('bench', data)
                spent[name] += clock() - begin
            begin = clock()
            spool.acknowledge(taken)
            spent['acknowledge'] += clock() - begin
            begin = clock()
            del taken, data
            spent['let go'] += clock() - begin
        return {name: 1e6 * seconds / requests / MAX_RECORDS for name, seconds in spent.items()}


def summary(rounds: int, requests: int) -> dict[str, Spread]:
    """Return the figures of each stage."""
    delivery = Delivery()
    measured = [delivery.measure(requests) for _ in range(rounds + 1)][1:]
    return {name: Spread.of(one[name] for one in measured) for name in measured[0]}


def table(stages: Mapping[str, Spread]) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    yield '| stage | CPU us an event | 10 % to 90 % |'
    yield '|---|---|---|'
    for name, (median, low, high) in stages.items():
        yield f'| {name} | {median:.3f} | {low:.3f} to {high:.3f} |'


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--requests', type=int, default=20, help='in a round')
    arguments = parser.parse_args()
    print(f'{machine()}\n{arguments.rounds} rounds of {arguments.requests} requests, medians\n')
    print(*table(summary(arguments.rounds, arguments.requests)), sep='\n')


if __name__ == '__main__':
    main()
