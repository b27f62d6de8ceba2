"""What does a handler with `compression="gzip"` or "zstd" send, when, and what becomes of it when something is wrong?"""

from __future__ import annotations

import gzip
import json
import logging
import queue
import random
import re
import sys
from types import ModuleType

import boto3
import pytest

import zstd_frames
from arrivals import adds_up, deliver_everything
from doubles import AcceptingClient, EntryFailingClient, RefusingClient
from firefighter._audit.decoding import lines
from firefighter._delivery import compression
from firefighter._delivery.compression import Compression
from firefighter._delivery.limits import MAX_RECORD_BYTES
from firefighter._delivery.plain_queue import QueueSource
from firefighter.local import LocalFirehose
from firefighter.logging import FirehoseHandler
from firefighter.stats import DropReason

CODECS = ['gzip', 'zstd']


def decompressed(data: bytes, codec: str) -> bytes:
    if codec == 'gzip':
        return gzip.decompress(data)
    return zstd_frames.decompressed(data)


def messages(data: bytes, codec: str) -> list:
    return [json.loads(line)['message'] for line in decompressed(data, codec).splitlines()]


def log(logger: logging.Logger, numbers: range) -> None:
    for number in numbers:
        logger.info({'message': number})


@pytest.mark.parametrize('codec', CODECS)
def test_what_lies_in_the_bucket_is_one_valid_file(codec, make_handler, make_logger, tmp_path) -> None:
    """On a real endpoint: the records of several requests, one behind the other, give the events as they were logged."""
    with LocalFirehose(tmp_path, streams=['bar'], buffer_seconds=900) as endpoint:
        session = boto3.session.Session(
            region_name='us-east-1', aws_access_key_id='local', aws_secret_access_key='local'
        )
        handler = make_handler(
            'bar', boto3_session=session, endpoint_url=endpoint.url, compression=codec, max_in_flight=1
        )
        logger = make_logger(handler)
        for part in range(3):
            log(logger, range(part * 1_000, part * 1_000 + 1_000))
            stats = deliver_everything(handler)
        handler.close()
        endpoint.flush()
        account = endpoint.account('bar')
    (written,) = [path for path in tmp_path.rglob('*') if path.is_file()]
    assert messages(written.read_bytes(), codec) == list(range(3_000))
    assert stats.delivered == 3_000
    assert 3 <= account.records == stats.records <= 6
    assert account.bytes == stats.sent_bytes < 3_000 * 30


@pytest.mark.parametrize('codec', CODECS)
def test_the_invalid_event_of_a_compressed_record_is_found(codec, make_handler, make_logger) -> None:
    """Its record is taken apart; the event is dropped alone, and kept as it was logged."""
    client = RefusingClient(lambda record: 137 in messages(record, codec))
    letters: list[bytes] = []
    handler = make_handler(
        'bar', boto3_client=client, compression=codec, on_dead_letter=lambda event, _: letters.append(event)
    )
    log(make_logger(handler), range(300))
    stats = deliver_everything(handler)
    assert [json.loads(letter)['message'] for letter in letters] == [137]
    assert (stats.delivered, stats.dropped) == (299, {'refused': 1})
    assert stats.dropped_bytes['refused'] == len(letters[0])
    assert adds_up(stats)


def test_the_marker_of_a_dropped_event_tells_its_number(make_handler, make_logger) -> None:
    """Numbered events that went compressed are known by what was logged, not by what was sent."""
    client = RefusingClient(lambda record: 7 in messages(record, 'gzip'))
    handler = make_handler('bar', boto3_client=client, compression='gzip', event_ids=True)
    log(make_logger(handler), range(20))
    deliver_everything(handler)
    deliver_everything(handler)
    events = [json.loads(line) for record in client.events for line in gzip.decompress(record).splitlines()]
    (gap,) = [gap for event in events for gap in event.get('firefighter_dropped', [])]
    assert (gap['first'], gap['last'], gap['reason']) == (7, 7, 'refused')


def test_a_record_that_was_not_accepted_is_sent_again_as_it_was(make_handler, make_logger) -> None:
    """It is not compressed again."""
    client = EntryFailingClient({0})
    handler = make_handler('bar', boto3_client=client, compression='gzip', max_aggregated_events=10)
    log(make_logger(handler), range(30))
    stats = deliver_everything(handler)
    first, second = client.requests[:2]
    assert second == first[:1]
    assert (stats.delivered, stats.retried) == (30, 1)


@pytest.mark.parametrize('codec', CODECS)
def test_a_plain_queue_is_compressed_too(codec, make_handler) -> None:
    """`task_done` is called for each event, however many went in one record."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, compression=codec, max_aggregated_events=4)
    batch_queue: queue.Queue = queue.Queue()
    for number in range(10):
        batch_queue.put(b'%d' % number)
    batch_queue.put(handler.END)
    handler.batch_sender(batch_queue, 'bar', 60)
    (request,) = client.requests
    assert [decompressed(record, codec) for record in request] == [
        b'0\n1\n2\n3\n',
        b'4\n5\n6\n7\n',
        b'8\n9\n',
    ]
    assert batch_queue.unfinished_tasks == 0
    assert handler.stats().delivered == 10


def test_what_nothing_compresses_breaks_no_limit_on_a_plain_queue(make_handler) -> None:
    """An event that just fits a record is cut when it grows; two that just fit it together go by themselves."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, compression='gzip')
    dice = random.Random(1)
    halves = [dice.randbytes(MAX_RECORD_BYTES // 2 - 1) + b'\n' for _ in range(2)]
    whole = dice.randbytes(MAX_RECORD_BYTES - 1) + b'\n'
    batch_queue: queue.Queue = queue.Queue()
    for event in (*halves, whole):
        batch_queue.put(event)
    batch_queue.put(handler.END)
    handler.batch_sender(batch_queue, 'bar', 60)
    records = [record for request in client.requests for record in request]
    assert max(map(len, records)) <= MAX_RECORD_BYTES
    assert [gzip.decompress(record) for record in records[:2]] == halves
    assert gzip.decompress(records[2]).endswith(b' [truncated from 1024000 bytes]\n')


@pytest.mark.parametrize('codec', CODECS)
@pytest.mark.parametrize('events', [1, 2])
def test_a_request_from_a_plain_queue_has_room_for_what_grows(codec, events) -> None:
    """What just fits it before it is compressed waits for the next one."""
    dice = random.Random(events)
    texts = [dice.randbytes(5_000 // events) + b'\n' for _ in range(events)]
    batch_queue: queue.Queue = queue.Queue()
    source = QueueSource(
        batch_queue,
        end=None,
        flush=None,
        prepare=lambda event: (event, DropReason.FAILED),
        aggregation=Compression(compression.compressor_of(codec)),
    )
    for text in texts:
        batch_queue.put(text)
        source.wait(1, more_bytes_than=0, events=1)
    size_bytes = source.waiting().size_bytes
    taken: list = []
    source.take(500, size_bytes, taken)
    assert sum(len(record.data) for record in taken) <= size_bytes
    source.take(500, 2 * size_bytes, taken)
    assert b''.join(decompressed(record.data, codec) for record in taken) == b''.join(texts)


def test_what_nothing_compresses_is_counted_as_truncated(make_handler, make_logger) -> None:
    """As any event that was cut."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, compression='gzip')
    noise = random.Random(2).randbytes(MAX_RECORD_BYTES - 1) + b'\n'
    handler.setFormatter(type('Noise', (logging.Formatter,), {'format': lambda *_: noise})())
    make_logger(handler).info('')
    stats = deliver_everything(handler)
    assert (stats.delivered, stats.truncated) == (1, 1)
    assert len(client.events[0]) <= MAX_RECORD_BYTES


@pytest.mark.parametrize('codec', CODECS)
def test_a_batch_is_due_by_what_it_will_be_compressed(codec, make_handler, make_logger) -> None:
    """Once the ratio is known, far more than `target_batch_bytes` of events wait for company."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, compression=codec, send_interval=10_000)
    logger = make_logger(handler)
    log(logger, range(2_000))
    deliver_everything(handler)
    requests = len(client.requests)
    log(logger, range(2_000))
    events, _, size_bytes = handler._pipeline.source.waiting()
    assert events == 2_000
    assert size_bytes < 65_536 < handler._pipeline.spool.waiting()[1]
    assert len(client.requests) == requests


def test_gzip_needs_no_package(make_handler, make_logger, monkeypatch) -> None:
    """The standard library's is the fallback."""
    monkeypatch.setitem(sys.modules, 'isal.isal_zlib', None)
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, compression='gzip')
    log(make_logger(handler), range(100))
    deliver_everything(handler)
    assert messages(client.events[0], 'gzip') == list(range(100))


def test_isal_is_used_where_it_is_installed(monkeypatch) -> None:
    """A sixth to an eighth of the work."""
    isal_zlib = pytest.importorskip('isal.isal_zlib')
    made, real = [], isal_zlib.compressobj

    def compressobj(*arguments):
        made.append(arguments)
        return real(*arguments)

    monkeypatch.setattr('isal.isal_zlib.compressobj', compressobj)
    assert gzip.decompress(compression.compressor_of('gzip')([b'Ahoy\n'])) == b'Ahoy\n'
    assert made


def test_zstd_without_its_package_says_what_to_install(monkeypatch) -> None:
    """Where the handler is made, rather than when the first batch is due."""
    monkeypatch.setitem(sys.modules, 'zstandard', None)
    monkeypatch.setitem(sys.modules, 'compression.zstd', None)
    with pytest.raises(
        ValueError, match=re.escape(f'{compression.INSTALL_ZSTD}, or write compression="gzip"')
    ):
        FirehoseHandler('bar', compression='zstd')


@pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="the name is the standard library's since Python 3.14"
)
def test_a_program_may_have_a_compression_package_of_its_own(monkeypatch) -> None:
    """Neither delivery nor the audit takes it for the standard library's."""
    monkeypatch.setitem(sys.modules, 'compression', ModuleType('compression'))
    monkeypatch.setitem(sys.modules, 'compression.zstd', ModuleType('compression.zstd'))
    frame = compression.compressor_of('zstd')([b'{}\n'])
    assert list(lines([frame])) == [b'{}']


def test_an_unknown_compression_is_refused() -> None:
    """With the ones that there are."""
    with pytest.raises(ValueError, match=r"compression.*'gzip', 'zstd'"):
        FirehoseHandler('bar', compression='snappy')
