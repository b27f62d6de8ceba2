"""What raises, what warns, and what does neither."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from typing import Any

import boto3
import pytest

from doubles import DEADLINE_SECONDS, AcceptingClient, DownClient, RaisingClient, ThreadThatCannotStart
from firefighter.logging import FirehoseHandler, FirehoseWarning


@pytest.mark.parametrize(
    ('arguments', 'error', 'named'),
    [
        ({'colour': 'red'}, TypeError, 'colour'),
        ({'overflow': 'drop_everything'}, ValueError, 'overflow'),
        ({'overflow': None}, ValueError, 'overflow'),
        ({'oversize': 'shrink'}, ValueError, 'oversize'),
        ({'send_interval': -1}, ValueError, 'send_interval'),
        ({'send_interval': float('nan')}, ValueError, 'send_interval'),
        ({'send_interval': '60'}, TypeError, 'send_interval'),
        ({'send_interval': None}, TypeError, 'send_interval'),
        ({'max_spool_bytes': -1}, ValueError, 'max_spool_bytes'),
        ({'max_spool_bytes': 0}, ValueError, 'max_spool_bytes'),
        ({'max_spool_bytes': 1e6}, TypeError, 'max_spool_bytes'),
        ({'block_timeout_seconds': -0.1}, ValueError, 'block_timeout_seconds'),
        ({'shutdown_timeout_seconds': -1}, ValueError, 'shutdown_timeout_seconds'),
        ({'shutdown_timeout_seconds': '10'}, TypeError, 'shutdown_timeout_seconds'),
        ({'sync_timeout_seconds': -1}, ValueError, 'sync_timeout_seconds'),
        ({'sync_timeout_seconds': 0}, ValueError, 'sync_timeout_seconds'),
        ({'aggregate': 'always'}, ValueError, "'auto'"),
        ({'aggregate': None}, TypeError, 'aggregate'),
        ({'undelivered': 'stdout'}, ValueError, 'undelivered'),
        ({'on_drop': 'print'}, TypeError, 'on_drop'),
        ({'fields': ['service']}, TypeError, 'fields'),
        ({'fields': {1: 'one'}}, TypeError, 'fields'),
        ({'fields': {'level': 'x'}}, ValueError, 'level'),
        ({'include': 'host'}, TypeError, 'include'),
        ({'include': ['hostname']}, ValueError, 'hostname'),
        ({'region_name': 5}, TypeError, 'region_name'),
        ({'endpoint_url': b'http://x'}, TypeError, 'endpoint_url'),
        ({'boto3_profile_name': 3}, TypeError, 'boto3_profile_name'),
        ({'boto3_client': object()}, TypeError, 'boto3_client'),
        ({'boto3_session': 'session'}, TypeError, 'boto3_session'),
        ({'delivery_stream_name': 5}, TypeError, 'delivery_stream_name'),
        ({'delivery_stream_name': 'with blank'}, ValueError, 'delivery_stream_name'),
        ({'delivery_stream_name': 'x' * 65}, ValueError, 'delivery_stream_name'),
        (
            {'delivery_stream_name': 'arn:aws:firehose:eu-west-1:1:deliverystream/bar'},
            ValueError,
            "write 'bar'",
        ),
    ],
)
def test_what_the_programmer_wrote_wrong_raises_in_the_constructor(arguments, error, named) -> None:
    """Unknown keyword or policy, a negative number, a wrong type: TypeError or ValueError that names it."""
    arguments = {'delivery_stream_name': 'bar', **arguments}
    with pytest.raises(error, match=named):
        FirehoseHandler(**arguments)


@pytest.mark.parametrize('other', ['boto3_session', 'boto3_profile_name', 'region_name', 'endpoint_url'])
def test_a_client_together_with_what_a_client_is_made_from_raises(other: str) -> None:
    """A ready client excludes what would make another."""
    value = boto3.session.Session() if other == 'boto3_session' else 'x'
    with pytest.raises(TypeError, match=other):
        FirehoseHandler('bar', boto3_client=AcceptingClient(), **{other: value})


def test_a_session_together_with_a_profile_raises() -> None:
    """The session has its profile already."""
    with pytest.raises(TypeError, match='boto3_profile_name'):
        FirehoseHandler('bar', boto3_session=boto3.session.Session(), boto3_profile_name='dev')


def test_a_handler_that_raised_leaves_nothing_for_shutdown() -> None:
    """A constructor that raised has not registered half a handler with logging."""
    before = list(logging._handlerList)
    with pytest.raises(ValueError, match='overflow'):
        FirehoseHandler('bar', overflow='x')
    assert list(logging._handlerList) == before


def test_no_stream_name_warns_once_in_the_constructor(make_handler, make_logger) -> None:
    """A missing stream name gives one FirehoseWarning, at the caller's line; events are dropped as `no_stream`."""
    with pytest.warns(FirehoseWarning, match='FIREFIGHTER_STREAM') as caught:
        handler = FirehoseHandler()
    assert [warning.filename for warning in caught] == [__file__]
    logger = make_logger(handler)
    logger.warning('one')
    logger.warning('two')
    assert handler.flush()
    handler.close()
    stats = handler.stats()
    assert (stats.accepted, dict(stats.dropped), stats.pending) == (2, {'no_stream': 2}, 0)


def test_a_client_with_retries_of_its_own_warns_once() -> None:
    """A ready client keeps its retries and timeouts: one FirehoseWarning says so."""
    with pytest.warns(FirehoseWarning, match='retries') as caught:
        FirehoseHandler('bar', boto3_client=boto3.client('firehose')).close()
    assert len(caught) == 1


def test_a_session_without_a_region_warns_and_never_raises(monkeypatch, make_handler) -> None:
    """What the constructor can know gives one FirehoseWarning there."""
    monkeypatch.delenv('AWS_DEFAULT_REGION')
    with pytest.warns(FirehoseWarning, match='region') as caught:
        make_handler('bar', boto3_session=boto3.session.Session())
    assert len(caught) == 1


def test_a_profile_that_does_not_exist_is_found_later_and_never_raises(
    make_handler, make_logger, capsys
) -> None:
    """What is found later goes to the counters, `last_error` and one line on stderr."""
    handler = make_handler('bar', boto3_profile_name='nobody', shutdown_timeout_seconds=0)
    make_logger(handler).warning('kept')
    assert not handler.flush(timeout_seconds=20)
    assert 'ProfileNotFound' in (handler.stats().last_error or '')
    assert handler.stats().pending == 1
    assert capsys.readouterr().err.count('ProfileNotFound') == 1


@pytest.mark.parametrize('missing', ['region', 'credentials'])
@pytest.mark.parametrize('use_queues', [True, False])
def test_missing_region_or_credentials_never_raise(
    missing, use_queues, monkeypatch, make_handler, make_logger, capsys
) -> None:
    """Neither logging nor flush nor close raises; the event stays pending; stderr has one line with the cure."""
    for name in {
        'region': ['AWS_DEFAULT_REGION'],
        'credentials': ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
    }[missing]:
        monkeypatch.delenv(name)
    handler = make_handler('bar', use_queues, shutdown_timeout_seconds=0, endpoint_url='http://127.0.0.1:9')
    logger = make_logger(handler)
    logger.warning('one')
    assert not handler.flush(timeout_seconds=20)
    logger.warning('two')
    handler.close()
    assert handler.stats().pending == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if f'No{missing.title()}Error' in line]
    assert len(lines) == 1
    assert lines[0].startswith('firefighter: ')


def test_a_flush_with_wrong_credentials_does_not_wait_beyond_one_try(
    make_handler, make_logger, monkeypatch
) -> None:
    """Trying again would change nothing; the default time-out of 1,000 s is not waited for."""
    monkeypatch.delenv('AWS_ACCESS_KEY_ID')
    monkeypatch.delenv('AWS_SECRET_ACCESS_KEY')
    handler = make_handler('bar', shutdown_timeout_seconds=1000)
    make_logger(handler).warning('kept')
    assert not handler.flush()
    handler.close()


def test_a_stream_that_does_not_exist_never_raises(make_handler, make_logger, capsys) -> None:
    """ResourceNotFoundException: the event is kept, `last_error` says what to do."""
    from botocore.exceptions import ClientError

    error = ClientError(
        {
            'Error': {'Code': 'ResourceNotFoundException', 'Message': 'Firehose bar not found'},
            'ResponseMetadata': {'HTTPStatusCode': 400},
        },
        'PutRecordBatch',
    )
    client = RaisingClient(*[error] * 50)
    handler = make_handler('bar', boto3_client=client, shutdown_timeout_seconds=0)
    make_logger(handler).warning('kept')
    assert not handler.flush(timeout_seconds=20)
    assert 'create the stream' in (handler.stats().last_error or '')
    assert handler.stats().pending == 1
    assert 'ResourceNotFoundException' in capsys.readouterr().err


@pytest.mark.usefixtures('longest_pauses')
def test_each_cause_is_said_once_a_minute(make_handler, make_logger, capsys) -> None:
    """A hundred failures of one cause are one line on stderr."""
    client = DownClient()
    handler = make_handler(
        'bar',
        use_queues=False,
        boto3_client=client,
        shutdown_timeout_seconds=0,
        sync_timeout_seconds=DEADLINE_SECONDS,
    )
    logger = make_logger(handler)
    for number in range(100):
        logger.info(number)
    assert len(client.requests) == 100
    assert capsys.readouterr().err.count('EndpointConnectionError') == 1


def test_a_thread_that_cannot_start_never_raises(make_handler, capsys) -> None:
    """No thread: each logging call delivers by itself, said once."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    record = logging.LogRecord('foo', logging.INFO, __file__, 1, 'Ahoy', None, None)
    handler.emit(record, make_thread=ThreadThatCannotStart)
    handler.emit(record, make_thread=ThreadThatCannotStart)
    assert len(client.requests) == 2
    assert capsys.readouterr().err.count('firefighter: no delivery thread') == 1


@pytest.mark.parametrize(
    'error', [RuntimeError("can't start new thread"), InterruptedError(), ZeroDivisionError()]
)
def test_after_a_thread_could_not_be_started_once_calls_do_not_go_on_waiting(error, make_handler) -> None:
    """A limit that was reached for a moment, or a signal handler that raised there. The next event finds the thread that came then."""
    errors = [error]

    def make_thread(**kwargs: Any) -> threading.Thread:
        if errors:
            raise errors.pop()
        return threading.Thread(**kwargs)

    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    for number in range(10):
        handler.emit(logging.makeLogRecord({'msg': f'{number}'}), make_thread=make_thread)
    assert handler.stats().pending == 9
    assert len(client.requests) == 1


@pytest.mark.parametrize(('use_queues', 'opened_before'), [(True, False), (True, True), (False, False)])
@pytest.mark.timeout(20)
def test_a_destructor_that_logs_in_a_thread_that_is_being_started_waits_for_nobody(
    use_queues, opened_before, make_handler, make_logger
) -> None:
    """Whoever starts it waits for it, with the lock that an event of a handler that is being opened needs."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, use_queues=use_queues)
    logger = make_logger(handler)

    class ThreadThatLogsBeforeItBegins(threading.Thread):
        def _bootstrap_inner(self) -> None:
            logger.warning('not closed')
            super()._bootstrap_inner()  # type: ignore[misc]

    errors = [RuntimeError("can't start new thread")] * opened_before

    def make_thread(**kwargs: Any) -> threading.Thread:
        if errors:
            raise errors.pop()
        return ThreadThatLogsBeforeItBegins(**kwargs)

    handler.emit(logging.makeLogRecord({'msg': 'Ahoy'}), make_thread=make_thread)
    assert handler.flush()
    assert {event['message'] for event in map(json.loads, client.events)} == {'Ahoy', 'not closed'}


def test_a_make_thread_that_raises_never_raises_out_of_emit(make_handler) -> None:
    """Whatever a `make_thread` of the user's raises, the event is delivered by the calling thread."""

    def make_thread(**kwargs: object) -> None:
        raise ZeroDivisionError

    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.emit(logging.makeLogRecord({'msg': 'Ahoy'}), make_thread=make_thread)
    assert len(client.events) == 1


def test_a_call_that_has_waited_for_a_try_leaves_its_cause_in_stats(make_handler, make_logger) -> None:
    """As soon as the call is back, in each of a hundred: another thread settles the answer."""
    for _ in range(100):
        handler = make_handler('bar', use_queues=False, boto3_client=DownClient(), shutdown_timeout_seconds=0)
        make_logger(handler).info('kept')
        assert 'EndpointConnectionError' in (handler.stats().last_error or '')


@pytest.mark.parametrize('stderr', [None, pytest.param(io.StringIO(), id='closed')])
def test_without_a_usable_stderr_nothing_raises(stderr, monkeypatch, make_handler, make_logger) -> None:
    """A daemon has no stderr, or a closed one: the counters still say it."""
    if stderr is not None:
        stderr.close()
    monkeypatch.setattr(sys, 'stderr', stderr)
    handler = make_handler('bar', use_queues=False, boto3_client=DownClient(), shutdown_timeout_seconds=0)
    make_logger(handler).info('kept')
    assert handler.stats().pending == 1
    assert 'EndpointConnectionError' in (handler.stats().last_error or '')


@pytest.mark.parametrize('use_queues', [True, False])
def test_nothing_warns_from_emit_or_delivery(use_queues, make_handler, make_logger) -> None:
    """With every warning an error, logging, failing delivery, flush and close give none."""
    client = RaisingClient(OSError('first'), RuntimeError('second'))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        handler = make_handler('bar', use_queues, 0.01, boto3_client=client)
        logger = make_logger(handler)
        logger.info('Ahoy')
        logger.info('%d', 'no number')
        assert handler.flush()
        handler.close()
    assert len(client.events) == 2
