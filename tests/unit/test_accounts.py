"""Does the account add up, and who is told of what was dropped?"""

from __future__ import annotations

import dataclasses
import threading

import orjson
import pytest

from doubles import (
    DEADLINE_SECONDS,
    AcceptingClient,
    BlockingClient,
    DownClient,
    Drops,
    EntryFailingClient,
)
from firefighter._delivery import hooks
from firefighter.logging import FirehoseHandler
from firefighter.stats import DropReason, Stats

SMALLEST_SPOOL = 64 * 1024


def adds_up(stats: Stats) -> bool:
    """Return whether every event is delivered, dropped or pending."""
    return stats.accepted == stats.delivered + sum(stats.dropped.values()) + stats.pending


def test_a_new_handler_has_an_empty_account(make_handler) -> None:
    """All zero, and no error."""
    stats = make_handler('bar', boto3_client=AcceptingClient()).stats()
    assert (stats.accepted, stats.delivered, dict(stats.dropped), stats.pending) == (0, 0, {}, 0)
    assert stats.last_error is None
    assert stats.backing == 'memory'


def test_the_account_follows_an_event(make_handler, make_logger) -> None:
    """Pending while it is on its way, delivered afterwards."""
    client = BlockingClient()
    handler = make_handler('bar', send_interval=0, boto3_client=client)
    make_logger(handler).info('Ahoy')
    client.wait_for_requests(1)
    on_its_way = handler.stats()
    client.release()
    assert handler.flush()
    delivered = handler.stats()
    assert (on_its_way.accepted, on_its_way.delivered, on_its_way.pending) == (1, 0, 1)
    assert (delivered.accepted, delivered.delivered, delivered.pending) == (1, 1, 0)


def test_the_traffic_is_counted(make_handler, make_logger) -> None:
    """Requests, Firehose records with those sent again, bytes before base64."""
    client = EntryFailingClient({1})
    handler = make_handler('bar', boto3_client=client)
    logger = make_logger(handler)
    for number in range(3):
        logger.info(number)
    assert handler.flush()
    stats = handler.stats()
    assert (stats.requests, stats.records, stats.retried) == (2, 4, 1)
    assert stats.sent_bytes == sum(len(data) for request in client.requests for data in request)


def test_the_account_adds_up_at_any_moment(make_handler, make_logger) -> None:
    """While threads log, entries fail, events are dropped and others flush, each snapshot adds up."""
    client = EntryFailingClient({0, 2, 5}, {1}, {0})
    handler = make_handler('bar', send_interval=0, boto3_client=client, max_spool_bytes=SMALLEST_SPOOL)
    logger = make_logger(handler)

    def work() -> None:
        for number in range(400):
            logger.info('x' * (number % 700))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    snapshots = []
    while any(thread.is_alive() for thread in threads):
        snapshots.append(handler.stats())
    assert handler.flush(DEADLINE_SECONDS)
    snapshots.append(handler.stats())
    assert all(map(adds_up, snapshots))
    assert all(stats.spool_bytes <= SMALLEST_SPOOL for stats in snapshots)
    assert snapshots[-1].accepted == 1600
    assert snapshots[-1].pending == 0
    assert [s.accepted for s in snapshots] == sorted(s.accepted for s in snapshots)


def test_a_snapshot_does_not_change(make_handler, make_logger) -> None:
    """`Stats` is frozen, and its counts by reason are its own."""
    handler = make_handler('bar', boto3_client=AcceptingClient(), oversize='drop')
    logger = make_logger(handler)
    before = handler.stats()
    logger.info('x' * 2000)
    assert dict(before.dropped) == {}
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.accepted = 5


# The environment.


def test_disabled_by_the_environment_it_counts_and_discards(monkeypatch, make_handler, make_logger) -> None:
    """FIREFIGHTER_DISABLED=1: no request, no warning, reason `disabled`."""
    monkeypatch.setenv('FIREFIGHTER_DISABLED', '1')
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    logger = make_logger(handler)
    for number in range(3):
        logger.info(number)
    assert handler.flush()
    handler.close()
    stats = handler.stats()
    assert (stats.accepted, dict(stats.dropped), stats.pending) == (3, {'disabled': 3}, 0)
    assert client.requests == []


def test_disabled_a_missing_stream_is_no_reason_to_warn(monkeypatch, make_handler) -> None:
    """On a developer's machine nothing is configured, and nobody wants to read about it."""
    monkeypatch.setenv('FIREFIGHTER_DISABLED', '1')
    make_handler().close()


@pytest.mark.parametrize('value', ['', '0'])
def test_other_values_do_not_disable(value, monkeypatch, make_handler, make_logger) -> None:
    """Only 1 does."""
    monkeypatch.setenv('FIREFIGHTER_DISABLED', value)
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    make_logger(handler).info('Ahoy')
    assert handler.flush()
    assert len(client.events) == 1


def test_the_environment_names_the_stream(monkeypatch, make_handler, make_logger) -> None:
    """FIREFIGHTER_STREAM is the default of `delivery_stream_name`."""
    monkeypatch.setenv('FIREFIGHTER_STREAM', 'from-outside')
    client = AcceptingClient()
    handler = make_handler(boto3_client=client)
    make_logger(handler).info('Ahoy')
    assert handler.flush()
    assert client.streams == ['from-outside']


def test_the_argument_comes_before_the_environment(monkeypatch, make_handler, make_logger) -> None:
    """A default is only a default."""
    monkeypatch.setenv('FIREFIGHTER_STREAM', 'from-outside')
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    make_logger(handler).info('Ahoy')
    assert handler.flush()
    assert client.streams == ['bar']


# Overflow.


def fill(handler: FirehoseHandler, make_logger) -> None:
    """Log 300 events of about 1,000 bytes, numbered."""
    logger = make_logger(handler)
    for number in range(300):
        logger.info({'number': number, 'padding': 'x' * 900})


def numbers(client: AcceptingClient) -> list[int]:
    """Return the numbers of the accepted events."""
    return [orjson.loads(event)['number'] for event in client.events]


@pytest.mark.parametrize('overflow', ['drop_oldest', 'drop_newest', 'block'])
def test_memory_is_bounded_while_the_destination_is_down(overflow, make_handler, make_logger) -> None:
    """`max_spool_bytes` holds whatever is logged, and everything that gave way is counted."""
    handler = make_handler(
        'bar',
        boto3_client=DownClient(),
        max_spool_bytes=SMALLEST_SPOOL,
        overflow=overflow,
        block_timeout_seconds=0,
        shutdown_timeout_seconds=0,
    )
    fill(handler, make_logger)
    stats = handler.stats()
    assert stats.spool_bytes <= SMALLEST_SPOOL
    assert stats.accepted == 300
    assert set(stats.dropped) == {'overflow'}
    assert stats.dropped['overflow'] + stats.pending == 300
    assert stats.pending > 20
    assert stats.dropped_bytes['overflow'] > 900 * stats.dropped['overflow']


def test_drop_oldest_keeps_the_newest(make_handler, make_logger) -> None:
    """The default: a stretch of the oldest that are not on their way gives way."""
    client = BlockingClient()
    handler = make_handler(
        'bar', send_interval=0, boto3_client=client, max_spool_bytes=SMALLEST_SPOOL, max_in_flight=1
    )
    make_logger(handler).info({'number': -1})
    client.wait_for_requests(1)
    fill(handler, make_logger)
    client.release()
    assert handler.flush()
    delivered = numbers(client)
    assert (delivered[0], delivered[-1]) == (-1, 299)
    assert delivered == sorted(set(delivered))
    assert len(delivered) == handler.stats().delivered == 301 - handler.stats().dropped['overflow']


def test_drop_newest_keeps_the_oldest(make_handler, make_logger) -> None:
    """The new event gives way: what arrives is the beginning, without a gap."""
    client = BlockingClient()
    handler = make_handler(
        'bar', boto3_client=client, max_spool_bytes=SMALLEST_SPOOL, overflow='drop_newest', max_in_flight=1
    )
    fill(handler, make_logger)
    client.release()
    assert handler.flush()
    delivered = numbers(client)
    assert delivered == list(range(len(delivered)))
    assert len(delivered) + handler.stats().dropped['overflow'] == 300


def test_block_waits_for_room_and_loses_nothing(make_handler, make_logger) -> None:
    """The logging call waits until delivery has made room."""
    client = BlockingClient()
    handler = make_handler(
        'bar',
        send_interval=0,
        boto3_client=client,
        max_spool_bytes=SMALLEST_SPOOL,
        overflow='block',
        block_timeout_seconds=DEADLINE_SECONDS,
        max_in_flight=1,
    )
    logging_thread = threading.Thread(target=fill, args=(handler, make_logger))
    logging_thread.start()
    client.wait_for_requests(1)
    client.release()
    logging_thread.join(DEADLINE_SECONDS)
    assert handler.flush()
    assert numbers(client) == list(range(300))
    assert dict(handler.stats().dropped) == {}


# on_drop.


def test_on_drop_is_told_reason_events_and_bytes(make_handler, make_logger, monkeypatch) -> None:
    """Coalesced: one call for many events of one reason, at most one an interval, and one when it is closed."""
    monkeypatch.setattr(hooks, 'REPORT_INTERVAL_SECONDS', 1000.0)
    drops = Drops()
    handler = make_handler('bar', boto3_client=AcceptingClient(), oversize='drop', on_drop=drops)
    logger = make_logger(handler)
    for _ in range(50):
        logger.info('x' * 2000)
    logger.info('Ahoy')
    handler.close()
    stats = handler.stats()
    assert sum(events for _, events, _ in drops.calls) == 50
    assert sum(size for _, _, size in drops.calls) == stats.dropped_bytes[DropReason.OVERSIZE] > 50 * 2000
    assert {reason for reason, _, _ in drops.calls} == {'oversize'}
    assert len(drops.calls) <= 3


@pytest.mark.usefixtures('patient')
def test_on_drop_is_called_on_the_delivery_thread(make_handler, make_logger) -> None:
    """Never in the logging call."""
    called_in = []
    client = AcceptingClient()
    handler = make_handler(
        'bar',
        boto3_client=client,
        oversize='drop',
        on_drop=lambda *news: called_in.append(threading.current_thread()),
    )
    logger = make_logger(handler)
    logger.info('Ahoy')
    logger.info('x' * 2000)
    handler.close()
    assert [thread.name for thread in called_in] == ['firefighter-bar']


@pytest.mark.parametrize('way', ['flush', 'close'])
def test_without_a_delivery_thread_on_drop_is_called_in_flush_and_close(
    way, make_handler, make_logger
) -> None:
    """`use_queues=False`: there is no other moment."""
    drops = Drops()
    handler = make_handler(
        'bar', use_queues=False, boto3_client=AcceptingClient(), oversize='drop', on_drop=drops
    )
    make_logger(handler).info('x' * 2000)
    assert drops.calls == []
    getattr(handler, way)()
    assert [(reason, events) for reason, events, _ in drops.calls] == [('oversize', 1)]


def test_on_drop_may_call_the_handler(make_handler, make_logger) -> None:
    """It is called without locks: stats, flush and logging in it do not deadlock. What it logs is an event."""
    seen = []
    client = AcceptingClient()

    def on_drop(*news: object) -> None:
        seen.append(handler.stats().accepted)
        handler.flush()
        logger.warning('events were dropped')

    handler = make_handler('bar', boto3_client=client, oversize='drop', on_drop=on_drop)
    logger = make_logger(handler)
    logger.info('Ahoy')
    logger.info('x' * 2000)
    handler.close()
    assert seen == [2]
    assert [orjson.loads(event)['message'] for event in client.events] == ['Ahoy', 'events were dropped']
    assert handler.stats().suppressed == 0


def test_an_on_drop_that_raises_is_counted_and_said(make_handler, make_logger, capsys) -> None:
    """Delivery goes on."""

    def on_drop(*news: object) -> None:
        raise ZeroDivisionError

    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, oversize='drop', on_drop=on_drop)
    logger = make_logger(handler)
    logger.info('x' * 2000)
    logger.info('Ahoy')
    handler.close()
    assert handler.stats().hook_errors == 1
    assert 'firefighter: on_drop raised ZeroDivisionError' in capsys.readouterr().err
    assert len(client.events) == 1


def test_an_error_of_on_drop_that_has_no_text_is_counted_and_said(make_handler, make_logger, capsys) -> None:
    """Its `__str__` is the user's code, too: what it raises is no stumbling of delivery."""

    class WithoutTextError(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    def on_drop(*news: object) -> None:
        raise WithoutTextError

    handler = make_handler('bar', boto3_client=AcceptingClient(), oversize='drop', on_drop=on_drop)
    make_logger(handler).info('x' * 2000)
    handler.close()
    said = capsys.readouterr().err
    assert 'firefighter: on_drop raised' in said
    assert 'stumbled' not in said
    assert handler.stats().hook_errors == 1


def test_on_drop_hears_of_events_without_a_stream(make_handler, make_logger, recwarn) -> None:
    """Every reason reaches it."""
    drops = Drops()
    handler = FirehoseHandler(on_drop=drops)
    recwarn.clear()
    make_logger(handler).info('lost')
    handler.close()
    assert [(reason, events) for reason, events, _ in drops.calls] == [('no_stream', 1)]
