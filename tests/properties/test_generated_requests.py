"""P4: does any request break a limit, whatever is logged, however it is sent? The local endpoint's own checks are the judge.

`make limits-test N=10000` generates so many cases.
"""

from __future__ import annotations

import base64
import gzip
import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import zstd_frames
from depth import depth
from firefighter._delivery.aggregation import Aggregation
from firefighter._delivery.batches import Batch, Batches
from firefighter._delivery.compression import Compression, compressor_of
from firefighter._delivery.limits import FULL_REQUEST_BYTES, MAX_RECORD_BYTES, MAX_RECORDS, MAX_REQUEST_BYTES
from firefighter._delivery.outcomes import Answer, Outcome
from firefighter._delivery.spool_source import SpoolSource
from firefighter._event.escaping import escape
from firefighter._process.waiting import Wakeup
from firefighter._spool.spool import Spool
from firefighter.local.limits import parse_put_record_batch

pytestmark = pytest.mark.once

CASES = int(os.environ.get('CASES') or depth(12, 60))
CODECS = {
    None: bytes,
    'aggregate': bytes,
    'gzip': gzip.decompress,
    'zstd': zstd_frames.decompressed,
}
OUTCOMES = [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.RETRY, Outcome.THROTTLED]
EDGES = [0, 1, 4_000, 5_119, 5_120, 5_121, 100_000, MAX_RECORD_BYTES // 2, MAX_RECORD_BYTES - 1]


def make_aggregation(way: str | None, max_events: int | None) -> Aggregation | None:
    if way is None:
        return None
    return Aggregation(max_events) if way == 'aggregate' else Compression(compressor_of(way), max_events)


def an_event(dice: random.Random) -> bytes:
    """Return an event of any size and kind, with its newline: mostly a small one, or one at an edge."""
    size = dice.choice(EDGES) if dice.random() < 0.02 else int(dice.lognormvariate(5, 1.2))
    size = min(size, MAX_RECORD_BYTES - 1)
    kind = dice.random()
    if kind < 0.5:
        return (b'{"message":"request handled","status":200}' * (size // 40 + 1))[:size] + b'\n'
    if kind < 0.9:
        return dice.randbytes(size // 2).hex().encode().ljust(size, b'.')[:size] + b'\n'
    return dice.randbytes(size) + b'\n'  # of any bytes, newlines among them


def judged(batch: Batch) -> int:
    """Return the size of a request that the endpoint's checks let pass."""
    records = [{'Data': base64.b64encode(record.data).decode()} for record in batch.records]
    _, data = parse_put_record_batch({'DeliveryStreamName': 'bar', 'Records': records})
    return sum(map(len, data))


@settings(max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**64), st.sampled_from([*CODECS]), st.sampled_from([None, 1, 3, 500]))
def test_no_request_breaks_a_limit(seed, way, max_events):
    """Records and requests within what the service takes, what fails sent again, and every event sent, as it was logged."""
    dice = random.Random(seed)
    spool = Spool(32 * 2**20)
    source = SpoolSource(spool, Wakeup(), aggregation=make_aggregation(way, max_events))
    batches: Batches = Batches(source, lambda *_: None)
    logged, arrived = [], []
    for _ in range(dice.randint(1, 6)):
        events = [an_event(dice) for _ in range(dice.choice([1, 5, 100, 700]))]
        for event in events:
            spool.append(escape(event))
        logged += events
        everything = dice.random() < 0.5
        paced = dice.random() < 0.2
        most_records = dice.randint(1, MAX_RECORDS) if paced else MAX_RECORDS
        most_bytes = (
            dice.choice([1, 5_000, 100_000])
            if paced
            else dice.choice([FULL_REQUEST_BYTES, MAX_REQUEST_BYTES])
        )
        for _ in range(dice.randint(0, 3)):
            batch = batches.compose(most_records, most_bytes, 0.0, everything=everything)
            if batch is not None:
                arrived += put(batch, batches, dice)
    while (batch := batches.compose(MAX_RECORDS, MAX_REQUEST_BYTES, 0.0)) is not None:
        arrived += put(batch, batches, dice)
    truncated = source.aggregation.truncated if source.aggregation else 0
    text = b''.join(map(CODECS[way], arrived))
    assert truncated or len(text) == sum(map(len, logged))
    assert spool.account().delivered == len(logged)


def put(batch: Batch, batches: Batches, dice: random.Random) -> list[bytes]:
    """Have a request judged and answered; return the data of what was accepted."""
    assert len(batch.records) <= MAX_RECORDS
    assert judged(batch) <= MAX_REQUEST_BYTES
    outcomes = [dice.choice(OUTCOMES) if dice.random() < 0.1 else Outcome.ACCEPTED for _ in batch.records]
    accepted = [
        record.data
        for record, outcome in zip(batch.records, outcomes, strict=True)
        if outcome is Outcome.ACCEPTED
    ]
    failed = len(accepted) < len(outcomes)
    batches.settle(batch, Answer(outcomes, *(('Cause', 'Cause: said so') if failed else ())))
    return accepted
