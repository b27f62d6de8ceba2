"""How are compressed records sized? Nothing lost, order kept, limits kept, and what is billed is filled."""

from __future__ import annotations

import gzip
import json
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zstd_frames
from depth import depth
from firefighter._delivery.compression import Compression, compressor_of
from firefighter._delivery.limits import (
    BILLED_BYTES,
    FULL_REQUEST_BYTES,
    MAX_RECORD_BYTES,
    MAX_REQUEST_BYTES,
)
from firefighter._delivery.spool_source import SpoolSource
from firefighter._event.escaping import escape
from firefighter._process.waiting import Wakeup
from firefighter._spool.spool import Spool
from firefighter._spool.taken_events import Aggregate

pytestmark = pytest.mark.once

DECOMPRESS = {
    'gzip': gzip.decompress,
    'zstd': zstd_frames.decompressed,
}
CODECS = st.sampled_from(['gzip', 'zstd'])


def event(dice: random.Random, incompressible_bytes: int) -> bytes:
    """Return an event with so many bytes that nothing makes smaller."""
    fields = {
        'timestamp': f'2026-11-26T07:00:{dice.random() * 60:09.6f}Z',
        'level': dice.choice(['INFO', 'INFO', 'INFO', 'WARNING']),
        'message': 'request handled',
        'status': dice.choice([200, 200, 200, 404]),
    }
    return json.dumps(fields).encode() + dice.randbytes(incompressible_bytes) + b'\n'


def source_of(codec: str, events, max_events=None) -> SpoolSource:
    spool = Spool(64 * 1024 * 1024)
    for one in events:
        spool.append(escape(one))
    return SpoolSource(spool, Wakeup(), aggregation=Compression(compressor_of(codec), max_events))


def take(
    source: SpoolSource, most_bytes: int, *, everything: bool, most_records: int = 500
) -> list[Aggregate]:
    taken: list = []
    source.take(most_records, most_bytes, taken, everything=everything)
    assert sum(len(record.data) for record in taken) <= most_bytes
    assert all(len(record.data) <= MAX_RECORD_BYTES for record in taken)
    return taken


@settings(max_examples=depth(10, 60), deadline=None)
@given(CODECS, st.data())
def test_every_event_leaves_the_spool_once_and_in_order(codec, data):
    """Whatever can be compressed and what cannot, over many segments, whether all goes or not, whatever fits in a request."""
    dice = random.Random(data.draw(st.integers(0, 2**32)))
    sizes = data.draw(
        st.lists(
            st.one_of(st.integers(0, 100), st.sampled_from([5_000, 100_000, 600_000])),
            min_size=1,
            max_size=12,
        )
    )
    events = [event(dice, size) for size in sizes] * data.draw(
        st.sampled_from([1, 3, 300 if max(sizes) < 5_000 else 1])
    )
    max_events = data.draw(st.one_of(st.none(), st.integers(1, 50)))
    source = source_of(codec, events, max_events)
    sent, taken_events = [], 0
    while source.spool.account().pending:
        most_bytes = data.draw(st.sampled_from([MAX_RECORD_BYTES, FULL_REQUEST_BYTES, MAX_REQUEST_BYTES]))
        taken = take(
            source,
            most_bytes,
            everything=data.draw(st.booleans()),
            most_records=data.draw(st.integers(1, 500)),
        )
        assert taken
        assert all(record.events <= (max_events or len(events)) for record in taken)
        sent += [record.data for record in taken]
        taken_events += sum(record.events for record in taken)
        source.acknowledge(taken)
    assert taken_events == len(events)
    assert b''.join(map(DECOMPRESS[codec], sent)) == b''.join(events)
    assert source.spool.settled_through == len(events)


@pytest.mark.parametrize('codec', ['gzip', 'zstd'])
def test_records_of_one_object_are_one_valid_file(codec):
    """Firehose concatenates them."""
    dice = random.Random(1)
    events = [event(dice, 60) for _ in range(3_000)]
    source = source_of(codec, events, 500)
    taken = take(source, MAX_REQUEST_BYTES, everything=True)
    assert len(taken) == 6
    assert DECOMPRESS[codec](b''.join(record.data for record in taken)) == b''.join(events)


@pytest.mark.parametrize('codec', ['gzip', 'zstd'])
@pytest.mark.parametrize('waiting_bytes', [400_000, 1_000_000, 5_000_000])
def test_a_record_that_need_not_take_all_fills_what_is_billed(codec, waiting_bytes):
    """Once the ratio is known: but for a percent or two, and what is left over waits."""
    dice = random.Random(2)
    source = source_of(codec, [])
    wasted = []
    for _ in range(depth(4, 8)):
        size = 0
        while size < waiting_bytes:
            source.spool.append(one := escape(event(dice, 20)))
            size += len(one)
        taken = take(source, MAX_REQUEST_BYTES, everything=False)
        sent = sum(len(record.data) for record in taken)
        wasted.append(sum(-len(record.data) % BILLED_BYTES for record in taken) / sent)
        source.acknowledge(taken)
    assert sorted(wasted[1:])[-2] < 0.02, wasted
    assert source.waiting().size_bytes < 2 * BILLED_BYTES


@pytest.mark.parametrize('codec', ['gzip', 'zstd'])
def test_what_nothing_compresses_breaks_no_limit(codec):
    """It grows by being compressed: an event that just fits a record is cut then, and says so."""
    dice = random.Random(3)
    noise = dice.randbytes(MAX_RECORD_BYTES - 1) + b'\n'
    source = source_of(codec, [b'before\n', noise, b'after\n'])
    taken = [record for _ in range(3) for record in take(source, MAX_REQUEST_BYTES, everything=True)]
    text = b''.join(DECOMPRESS[codec](record.data) for record in taken)
    assert sum(record.events for record in taken) == 3
    assert text.startswith(b'before\n' + noise[:1_000_000])
    assert text.endswith(b' [truncated from 1024000 bytes]\nafter\n')
    assert len(text) > MAX_RECORD_BYTES - 2_000
    assert source.aggregation.truncated == 1


@given(CODECS, st.integers(1, 60))
def test_a_compressed_record_falls_apart_into_its_events(codec, events):
    """Halved again and again, as one that Firehose refuses is; and each half is a record of its own."""
    dice = random.Random(4)
    logged = [event(dice, dice.randint(0, 50)) for _ in range(events)]
    source = source_of(codec, logged)
    whole: list = take(source, MAX_REQUEST_BYTES, everything=True)
    found = []
    while whole:
        halves = source.split(record := whole.pop(0))
        assert sum(half.events for half in halves) == record.events
        if len(halves) == 1:
            found.append(source.text_of(record))
            assert DECOMPRESS[codec](record.data) == found[-1]
        else:
            whole[:0] = halves
    assert found == logged


def test_a_lower_ratio_than_expected_breaks_no_limit():
    """After many events that compress well, some that do not at all."""
    dice = random.Random(5)
    source = source_of('gzip', [b'{"message":"the same"}\n'] * 100_000)
    source.acknowledge(take(source, MAX_REQUEST_BYTES, everything=True))
    assert source.sent_bytes(1_000_000) < 20_000
    noise = [event(dice, 9_000) for _ in range(600)]
    for one in noise:
        source.spool.append(escape(one))
    sent = []
    while source.spool.account().pending:
        taken = take(source, FULL_REQUEST_BYTES, everything=True)
        sent += [zlib.decompress(record.data, 31) for record in taken]
        source.acknowledge(taken)
    assert b''.join(sent).endswith(b''.join(noise))


@given(
    ratio=st.floats(0.001, 2.0),
    sent_bytes=st.integers(0, MAX_REQUEST_BYTES),
    more=st.integers(1, 1_000),
)
def test_more_in_the_spool_than_was_asked_for_is_more_to_send(ratio, sent_bytes, more):
    """The alarm is set in bytes of the spool. Were a batch not due when it rings, the delivery thread would spin."""
    compression = Compression(compressor_of('gzip'))
    compression._ratio = ratio
    assert compression.sent_bytes(compression.spooled_bytes(sent_bytes) + more) > sent_bytes
