"""What does one logging call do: queued, delivered at once, by which thread, formatted and filtered how."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import sys
import threading
from collections.abc import Callable
from time import monotonic

import orjson
import pytest

from doubles import (
    DEADLINE_SECONDS,
    AcceptingClient,
    BlockingClient,
    DownClient,
    EndpointConnectionError,
    RaisingClient,
    ThreadThatCannotStart,
)
from firefighter.formatting import JSONFormatter
from firefighter.logging import FirehoseHandler
from firefighter.stats import DropReason


def record(message: object = 'Ahoy', **attributes: object) -> logging.LogRecord:
    """Return a log record."""
    return logging.makeLogRecord(
        {'name': 'foo', 'levelno': 20, 'levelname': 'INFO', 'msg': message, **attributes}
    )


# With a queue.


def test_the_documented_program_delivers_its_message(make_handler) -> None:
    """The program of the documentation: one line of JSON with message, level, logger and timestamp."""
    client = AcceptingClient()
    handler = make_handler(delivery_stream_name='bar', boto3_client=client)
    logger = logging.Logger('foo')
    logger.addHandler(handler)
    logger.warning({'message': 'Ahoy'})
    handler.close()
    assert client.streams == ['bar']
    event = json.loads(client.events[0])
    assert list(event) == ['timestamp', 'level', 'logger', 'message']
    assert (event['level'], event['logger'], event['message']) == ('WARNING', 'foo', 'Ahoy')
    assert client.events[0].endswith(b'}\n')


def test_emit_queues_and_does_not_deliver_itself(make_handler) -> None:
    """Emit returns while the service does not answer; the request is made by another thread."""
    client = BlockingClient()
    handler = make_handler('bar', send_interval=0, boto3_client=client)
    handler.emit(record())
    client.wait_for_requests(1)
    assert client.threads[0] is not threading.current_thread()
    assert handler.stats().pending == 1
    client.release()
    assert handler.flush()


@pytest.mark.usefixtures('patient')
def test_make_thread_makes_the_delivery_thread(make_handler) -> None:
    """`make_thread` is asked once for the thread that delivers, and for the one that makes its requests."""
    made = []

    def make_thread(*args: object, **kwargs: object) -> threading.Thread:
        made.append(threading.Thread(*args, **kwargs))
        return made[-1]

    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.emit(record(), make_thread=make_thread)
    handler.emit(record(), make_thread=make_thread)
    assert handler.flush()
    assert [thread.name for thread in made] == ['firefighter-bar', 'firefighter-bar-request']
    assert client.threads == made[1:]


@pytest.mark.usefixtures('patient')
def test_make_thread_may_be_given_by_position(make_handler) -> None:
    """The two arguments of emit are positional too."""
    made = []

    class Thread(threading.Thread):
        def start(self) -> None:
            made.append(self)
            super().start()

    handler = make_handler('bar', boto3_client=AcceptingClient())
    handler.emit(record(), Thread)
    assert handler.flush()
    assert made[0].name == 'firefighter-bar'


@pytest.mark.usefixtures('patient')
def test_the_delivery_thread_runs_the_batch_sender_of_a_subclass(make_handler) -> None:
    """The thread's target is the documented `batch_sender`, which a subclass may wrap."""
    calls = []

    class Wrapping(FirehoseHandler):
        def batch_sender(self, batch_queue, delivery_stream_name, send_interval) -> None:
            calls.append((delivery_stream_name, send_interval))
            super().batch_sender(batch_queue, delivery_stream_name, send_interval)

    client = AcceptingClient()
    handler = make_handler('bar', send_interval=7, boto3_client=client, kind=Wrapping)
    handler.emit(record())
    assert handler.flush()
    assert calls == [('bar', 7)]
    assert len(client.events) == 1


@pytest.mark.usefixtures('patient')
def test_the_delivery_thread_is_a_daemon(make_handler) -> None:
    """A thread that hangs in the network does not hold the program's end up."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.emit(record())
    assert handler.flush()
    assert client.threads[0].daemon


def test_the_message_may_be_given_by_name(make_handler) -> None:
    """The documented name of the first argument is `message`."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.emit(message=record())
    assert handler.flush()
    assert len(client.events) == 1


# Without a queue.


@pytest.fixture
def make_synchronous(make_handler):
    """Make handlers whose logging call waits for its attempt, however long a busy machine takes for it."""
    return lambda client: make_handler(
        'bar', use_queues=False, boto3_client=client, sync_timeout_seconds=DEADLINE_SECONDS
    )


@pytest.mark.usefixtures('patient')
def test_without_a_queue_the_request_is_made_before_emit_returns(make_synchronous) -> None:
    """`use_queues=False`: one emit, one request; by a thread that leaves with it, so that the call keeps its deadline."""
    client = AcceptingClient()
    handler = make_synchronous(client)
    handler.emit(record('one'))
    assert len(client.events) == 1
    handler.emit(record('two'))
    assert len(client.requests) == 2
    assert handler.stats().delivered == 2
    for thread in client.threads:
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()


def test_without_a_queue_and_without_threads_the_caller_makes_the_request(make_synchronous) -> None:
    """On a machine that has no thread left, that is said once."""
    client = AcceptingClient()
    handler = make_synchronous(client)
    handler.emit(record(), make_thread=ThreadThatCannotStart)
    assert len(client.events) == 1
    assert client.threads == [threading.current_thread()]


@pytest.mark.parametrize('closes', [False, True])
def test_who_delivers_in_its_own_thread_waits_no_longer_than_its_time(
    make_handler, monkeypatch, closes
) -> None:
    """Also where the time is up just when it would wait, or somebody closes, who wants nothing to be tried on."""
    handler = make_handler('bar', boto3_client=DownClient(), shutdown_timeout_seconds=0)
    handler.emit(record('one'), make_thread=ThreadThatCannotStart)
    lifecycle, waits = handler._pipeline.lifecycle, []

    def wait(timeout_seconds: float, **_: int) -> bool:
        waits.append(timeout_seconds)
        if closes:
            lifecycle._ask_to_close()
        return False

    monkeypatch.setattr(handler._pipeline.source, 'wait', wait)
    until = monotonic() + 0.2
    look = handler._pipeline.sender._dispatch.note_whether_empty

    def look_late() -> None:
        look()
        if waits:
            while monotonic() < until:
                pass

    monkeypatch.setattr(handler._pipeline.sender._dispatch, 'note_whether_empty', look_late)
    assert handler.flush(0.2) is False
    assert max(waits) <= 0.2


class ThreadOfTheCaller:
    """Looks like a thread, and runs in the one that starts it."""

    def __init__(self, *, target: Callable[..., object], args: tuple[object, ...]) -> None:
        self._target, self._args = target, args

    def start(self) -> None:
        self._target(*self._args)


@pytest.mark.parametrize('use_queues', [True, False])
def test_where_threads_run_in_their_caller_that_one_delivers(use_queues, make_handler) -> None:
    """As where there are none: a delivery thread would never come to its end there."""
    client = AcceptingClient()
    handler = make_handler('bar', use_queues, boto3_client=client)
    for _ in range(2):
        handler.emit(record(), make_thread=ThreadOfTheCaller)
    assert set(client.threads) == {threading.current_thread()}
    assert len(client.events) == 2


@pytest.mark.usefixtures('longest_pauses')
def test_without_a_queue_a_failed_event_goes_with_the_next_emit(make_synchronous) -> None:
    """One attempt; the event stays pending, and goes first in the next request."""
    client = RaisingClient(EndpointConnectionError('down'))
    handler = make_synchronous(client)
    handler.emit(record('one'))
    assert (handler.stats().pending, len(client.requests)) == (1, 1)
    handler.emit(record('two'))
    assert [json.loads(event)['message'] for event in client.requests[1]] == ['one', 'two']
    assert (handler.stats().pending, handler.stats().delivered) == (0, 2)


def test_without_a_queue_a_failed_event_goes_with_flush(make_synchronous) -> None:
    """The next flush delivers what emit could not."""
    client = RaisingClient(EndpointConnectionError('down'))
    handler = make_synchronous(client)
    handler.emit(record('one'))
    assert handler.flush()
    assert len(client.events) == 1


def test_without_a_queue_a_failed_event_goes_with_close(make_synchronous) -> None:
    """So does close."""
    client = RaisingClient(EndpointConnectionError('down'))
    handler = make_synchronous(client)
    handler.emit(record('one'))
    handler.close()
    assert len(client.events) == 1


def test_without_a_queue_a_large_event_is_delivered_whole(make_synchronous) -> None:
    """Up to the service's limit for a record."""
    client = AcceptingClient()
    handler = make_synchronous(client)
    handler.emit(record('x' * 900_000))
    assert len(client.events[0]) > 900_000


# Its own customer.


def test_what_delivery_logs_does_not_become_an_event(make_handler) -> None:
    """A client that logs through the handler that it serves does not loop; what it logs is counted as suppressed."""
    logger = logging.Logger('botocore.endpoint')

    class LoggingClient(AcceptingClient):
        def hold(self, number: int) -> None:
            logger.debug('sending')

    client = LoggingClient()
    handler = make_handler('bar', send_interval=0, boto3_client=client)
    logger.addHandler(handler)
    logger.info('Ahoy')
    assert handler.flush()
    assert len(client.events) == 1
    stats = handler.stats()
    assert (stats.accepted, stats.delivered, stats.suppressed) == (1, 1, len(client.requests))


def test_all_else_that_is_logged_during_a_request_is_an_event(make_handler, make_logger) -> None:
    """A finalizer logs in whichever thread the collector runs. Where each request brings one, closing still ends."""

    class LoggingClient(AcceptingClient):
        def hold(self, number: int) -> None:
            if number < 100:
                logger.debug('from a finalizer')

    client = LoggingClient()
    handler = make_handler('bar', boto3_client=client)
    logger = make_logger(handler)
    logger.info('Ahoy')
    assert handler.flush()
    assert handler.flush()
    messages = [json.loads(event)['message'] for event in client.events]
    assert messages == ['Ahoy', 'from a finalizer']
    handler.close()
    assert 3 <= len(client.requests) <= 10
    assert handler.stats().suppressed == 0


def test_a_formatter_that_logs_does_not_deadlock(make_handler) -> None:
    """Logging again from within `format` is an event like any other."""
    logger = logging.Logger('foo')

    class Chatty(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            if record.msg == 'outer':
                logger.info('inner')
            return super().format(record)

    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.setFormatter(Chatty())
    logger.addHandler(handler)
    logger.info('outer')
    assert handler.flush()
    assert client.events == [b'inner\n', b'outer\n']


# A formatter of the user's.


@pytest.mark.parametrize(
    ('text', 'sent'),
    [
        ('plain', b'plain\n'),
        ('ends in a newline\n', b'ends in a newline\n'),
        ('ends in two\n\n', b'ends in two\n\n'),
        ('four\nlines\nof\ntraceback', b'four\nlines\nof\ntraceback\n'),
        ('\nleading', b'\nleading\n'),
        ('with \0 NUL', b'with \0 NUL\n'),
        ('with \x1a and \x1an', b'with \x1a and \x1an\n'),
        ('\r\n', b'\r\n'),
        ('h\u00e9 \U0001f525', 'h\u00e9 \U0001f525\n'.encode()),
        ('lone \udcff', b'lone \\udcff\n'),
        (b'bytes \xff\n\0', b'bytes \xff\n\0\n'),
        ('long ' * 1000, b'long ' * 1000 + b'\n'),
        (17, b'17\n'),
        (None, b'None\n'),
    ],
)
def test_a_formatter_of_the_users_is_honoured_byte_for_byte(text, sent, make_handler) -> None:
    """What it puts out is one event and one Firehose record; one newline is added where missing."""

    class Fixed(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return text

    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.setFormatter(Fixed())
    handler.emit(record())
    handler.emit(record())
    assert handler.flush()
    assert client.requests == [[sent, sent]]
    assert handler.stats().delivered == 2


def test_a_traceback_of_many_lines_stays_one_firehose_record(make_handler, make_logger) -> None:
    """The standard formatter's traceback is one event."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.setFormatter(logging.Formatter('%(levelname)s %(message)s'))
    try:
        raise KeyError('gone')
    except KeyError:
        make_logger(handler).exception('It broke')
    assert handler.flush()
    assert len(client.events) == 1
    lines = client.events[0].decode().splitlines()
    assert (lines[0], lines[-1]) == ('ERROR It broke', "KeyError: 'gone'")


def test_a_formatter_that_raises_loses_no_event(make_handler, capsys) -> None:
    """The handler's own formatter stands in, and stderr says why."""

    class Broken(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            raise ZeroDivisionError('broken formatter')

    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.setFormatter(Broken())
    handler.emit(record('Ahoy'))
    assert handler.flush()
    assert orjson.loads(client.events[0])['message'] == 'Ahoy'
    assert capsys.readouterr().err.count('broken formatter') == 1


def test_formatter_none_is_the_default_again(make_handler) -> None:
    """`setFormatter(None)` brings the event in JSON back."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, fields={'service': 'api'})
    handler.setFormatter(logging.Formatter('%(message)s'))
    handler.emit(record())
    handler.setFormatter(None)
    handler.emit(record())
    assert handler.flush()
    assert client.events[0] == b'Ahoy\n'
    assert orjson.loads(client.events[1])['service'] == 'api'


def test_another_json_formatter_may_be_set(make_handler) -> None:
    """`JSONFormatter` is a formatter like any other."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.setFormatter(JSONFormatter(fields={'env': 'prod'}))
    handler.emit(record())
    assert handler.flush()
    assert orjson.loads(client.events[0])['env'] == 'prod'


def test_a_json_formatter_adds_its_options_to_the_handlers(make_handler) -> None:
    """The event has the handler's fields, origin and id; of one field in both, the formatter's counts."""
    client = AcceptingClient()
    handler = make_handler(
        'bar', boto3_client=client, fields={'service': 'api', 'env': 'test'}, include=['pid'], event_ids=True
    )
    handler.setFormatter(
        JSONFormatter(fields={'env': 'prod'}, include=['thread'], leave_out=['secret'], ignore_case=True)
    )
    handler.emit(
        record({'message': 'Ahoy', 'userId': 1, 'userid': 2, 'Producer': 'me'}, secret='x', status=3)
    )
    handler.setFormatter(None)
    handler.emit(record(secret='y'))
    assert handler.flush()
    first, second = map(orjson.loads, client.events)
    assert (first['service'], first['env'], first['status'], first['sequence']) == ('api', 'prod', 3, 0)
    assert {'pid', 'thread', 'producer'} <= first.keys()
    assert first['extra'] == {'userid': 2, 'Producer': 'me'}
    assert 'secret' not in first
    assert (second['env'], second['secret'], second['sequence']) == ('test', 'y', 1)
    assert 'thread' not in second


def test_a_copy_of_the_handler_has_the_options_of_both(make_handler) -> None:
    """Pickled, as by `spawn`."""
    handler = make_handler('bar', boto3_client=None, region_name='us-east-1', fields={'a': 1}, event_ids=True)
    handler.setFormatter(JSONFormatter(leave_out=['secret'], fields={'b': 2}))
    twin = pickle.loads(pickle.dumps(handler))
    event = orjson.loads(twin.format(record(secret='x')))
    assert (event['a'], event['b']) == (1, 2)
    assert 'secret' not in event
    twin.setFormatter(None)
    assert 'b' not in orjson.loads(twin.format(record()))


def test_fields_include_and_protect_fields_reach_the_formatter(make_handler) -> None:
    """The handler's keywords are the formatter's."""
    client = AcceptingClient()
    handler = make_handler(
        'bar', boto3_client=client, fields={'service': 'api'}, include=['pid', 'source'], protect_fields=True
    )
    handler.emit(record({'level': 'chosen by a client'}))
    assert handler.flush()
    event = orjson.loads(client.events[0])
    assert event['service'] == 'api'
    assert {'pid', 'source'} <= event.keys()
    assert (event['level'], event['data']) == ('INFO', {'level': 'chosen by a client'})


# Filters.


def test_a_filter_that_refuses_keeps_the_record_out(make_handler, make_logger) -> None:
    """A refused record is no event."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.addFilter(lambda record: record.msg != 'secret')
    logger = make_logger(handler)
    logger.info('secret')
    logger.info('public')
    assert handler.flush()
    assert [orjson.loads(event)['message'] for event in client.events] == ['public']
    assert handler.stats().accepted == 1


def test_a_filter_that_adds_to_the_record_is_seen(make_handler, make_logger) -> None:
    """The usual way to add a request's id to each event."""

    def add_request_id(record: logging.LogRecord) -> bool:
        record.request_id = 'r-17'
        return True

    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.addFilter(add_request_id)
    make_logger(handler).info('Ahoy')
    assert handler.flush()
    assert orjson.loads(client.events[0])['request_id'] == 'r-17'


@pytest.mark.skipif(sys.version_info < (3, 12), reason='filters replace records since Python 3.12')
def test_a_filter_may_replace_the_record(make_handler, make_logger) -> None:
    """What the filter returns is logged, and the original stays as it was."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.addFilter(lambda original: record('replaced'))
    original = record('original')
    handler.handle(original)
    assert handler.flush()
    assert [orjson.loads(event)['message'] for event in client.events] == ['replaced']
    assert original.msg == 'original'


@pytest.mark.parametrize('on', ['the logger', 'the handler'])
@pytest.mark.parametrize('name', sorted({*vars(record())} - {'levelno'}))
def test_a_filter_that_deletes_an_attribute_loses_neither_the_event_nor_an_extra(
    name, on, make_handler, make_logger
) -> None:
    """Whichever it is, `thread` too; without `levelno` logging itself gives up."""

    def delete(record: logging.LogRecord) -> bool:
        delattr(record, name)
        return True

    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    logger = make_logger(handler)
    (logger if on == 'the logger' else handler).addFilter(delete)
    logger.info('Ahoy', extra={'order': 42})
    assert handler.flush()
    assert [orjson.loads(event)['order'] for event in client.events] == [42]


@pytest.mark.parametrize('name', ['thread', 'process', 'created', 'name'])
def test_a_filter_that_puts_rubbish_into_an_attribute_loses_no_event(name, make_handler, make_logger) -> None:
    """A list cannot even be looked up."""

    def replace(record: logging.LogRecord) -> bool:
        setattr(record, name, [])
        return True

    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    logger = make_logger(handler)
    logger.addFilter(replace)
    logger.info('Ahoy', extra={'order': 42})
    assert handler.flush()
    assert [orjson.loads(event)['order'] for event in client.events] == [42]


def test_handle_returns_what_the_standard_library_returns(make_handler) -> None:
    """A true value when the record was emitted, a false one when a filter refused it."""
    handler = make_handler('bar', boto3_client=AcceptingClient())
    assert handler.handle(record())
    handler.addFilter(lambda record: False)
    assert not handler.handle(record())


@pytest.mark.parametrize('kind', ['function', 'filter', 'verdict'])
def test_a_filter_that_raises_costs_its_event_which_is_counted(
    kind, make_handler, make_logger, capsys
) -> None:
    """As an event that cannot be encoded: nothing is raised in the program, and nothing that it may hide is sent."""

    class Undecided:
        def __bool__(self) -> bool:
            raise LookupError('a fault')

    class Failing(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise LookupError('a fault')

    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    logger = make_logger(handler)
    failing = {'function': Failing().filter, 'filter': Failing(), 'verdict': lambda record: Undecided()}[kind]
    handler.addFilter(failing)
    logger.info('lost')
    assert handler.handle(record()) is False
    handler.removeFilter(failing)
    logger.info('there')
    assert handler.flush()
    assert [orjson.loads(event)['message'] for event in client.events] == ['there']
    assert handler.stats().dropped == {DropReason.FAILED: 2}
    assert 'LookupError: a fault' in capsys.readouterr().err


# Subclasses.


class Redacting(FirehoseHandler):
    """Changes each line, and sets no formatter."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace('hunter2', '***')


class Prefixing(logging.Handler):
    """Is mixed in, and asks nobody else."""

    def format(self, record: logging.LogRecord) -> str:
        return f'{record.levelname}: {record.getMessage()}'


class Prefixed(Prefixing, FirehoseHandler):
    """Has its format from the other one."""


def test_the_format_of_a_subclass_is_honoured_without_a_formatter(make_handler, make_logger) -> None:
    """Also after `setFormatter(None)`, in a copy, and in a class derived from it; with the handler's own options."""

    class Derived(Redacting):
        pass

    for kind in (Redacting, Derived):
        client = AcceptingClient()
        handler = make_handler('bar', kind=kind, boto3_client=client, fields={'service': 'api'})
        make_logger(handler).info('hunter2')
        handler.setFormatter(None)
        make_logger(handler).info('hunter2')
        handler.setFormatter(logging.Formatter('%(message)s!'))
        make_logger(handler).info('hunter2')
        assert handler.flush()
        events = [orjson.loads(event) for event in client.events[:2]]
        assert [(event['message'], event['service']) for event in events] == [('***', 'api')] * 2
        assert client.events[2] == b'***!\n'
    twin = pickle.loads(pickle.dumps(make_handler('bar', kind=Redacting)))
    assert orjson.loads(twin.format(record('hunter2')))['message'] == '***'
    assert twin.formatter is not twin._json_formatter


def test_a_format_that_is_mixed_in_is_honoured(make_handler, make_logger) -> None:
    """As any other one."""
    client = AcceptingClient()
    handler = make_handler('bar', kind=Prefixed, boto3_client=client)
    make_logger(handler).info('Ahoy')
    assert handler.flush()
    assert client.events == [b'INFO: Ahoy\n']


class Emitting(logging.Handler):
    """Is mixed in: remembers who emits, and whether it has the lock."""

    def emit(self, record: logging.LogRecord) -> None:
        self.owned = [*getattr(self, 'owned', ()), self.lock._is_owned()]  # type: ignore[union-attr]
        super().emit(record)


class EmittingInTurn(Emitting, FirehoseHandler):
    """Has its emit from the other one."""


class DerivedFromThat(EmittingInTurn):
    """Has nothing of its own."""


@pytest.mark.parametrize('kind', [EmittingInTurn, DerivedFromThat])
@pytest.mark.parametrize('filtered', [False, True])
def test_an_emit_of_a_subclass_has_the_lock(kind, filtered, make_handler, make_logger) -> None:
    """As logging promises; filters have not."""
    client = AcceptingClient()
    handler = make_handler('bar', kind=kind, boto3_client=client)
    if filtered:
        handler.addFilter(lambda _: not handler.lock._is_owned())
    make_logger(handler).info('Ahoy')
    assert handler.handle(record()) is not False
    assert handler.owned == [True, True]
    assert not handler.lock._is_owned()
    assert handler.flush()
    assert len(client.events) == 2


def test_a_hook_that_logs_does_not_wait_for_who_holds_the_lock(make_handler, make_logger) -> None:
    """As `logging.shutdown` does, while it waits for delivery, which calls the hook."""

    class Own(FirehoseHandler):
        def emit(self, record: logging.LogRecord) -> None:
            super().emit(record)

    logged = threading.Event()

    def on_drop(*_: object) -> None:
        logger.warning('dropped')
        logged.set()

    handler = make_handler('bar', kind=Own, boto3_client=AcceptingClient(), oversize='drop', on_drop=on_drop)
    logger = make_logger(handler)
    logger.info('before')
    logger.info('x' * 2000)
    handler.acquire()
    try:
        handler.flush(0)
        assert logged.wait(DEADLINE_SECONDS)
    finally:
        handler.release()
    assert handler.flush()


# Concurrency.


@pytest.mark.parametrize('use_queues', [True, False])
def test_many_threads_log_and_each_event_is_delivered_once_and_in_the_threads_order(
    use_queues, make_handler, make_logger
) -> None:
    """Eight threads, all events once, in the order of each thread, with one request at a time."""
    count = 500 if use_queues else 50
    client = AcceptingClient()
    handler = make_handler('bar', use_queues, 0.01, boto3_client=client, max_in_flight=1)
    logger = make_logger(handler)
    ready = threading.Barrier(8)

    def work(name: int) -> None:
        ready.wait(DEADLINE_SECONDS)
        for number in range(count):
            logger.info({'thread': name, 'number': number})

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
    assert handler.flush()
    events = [orjson.loads(event) for event in client.events]
    for name in range(8):
        assert [e['number'] for e in events if e['thread'] == name] == list(range(count))
    assert handler.stats().delivered == 8 * count


def test_emit_takes_no_lock_of_the_handler(make_handler) -> None:
    """`logging.shutdown` holds the handler's lock while it waits for delivery; logging must go on meanwhile."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.acquire()
    try:
        other = threading.Thread(target=handler.handle, args=(record(),))
        other.start()
        other.join(DEADLINE_SECONDS)
        assert not other.is_alive()
    finally:
        handler.release()
    assert handler.flush()
    assert len(client.events) == 1


def test_what_is_logged_while_the_service_is_down_stays_pending(make_handler, make_logger) -> None:
    """Nothing is dropped as long as the spool has room."""
    client = DownClient()
    handler = make_handler('bar', boto3_client=client, shutdown_timeout_seconds=0)
    logger = make_logger(handler)
    for number in range(2000):
        logger.info(number)
    assert not handler.flush(timeout_seconds=0.05)
    stats = handler.stats()
    assert (stats.accepted, stats.delivered, dict(stats.dropped), stats.pending) == (2000, 0, {}, 2000)


class Exits:
    """Leaves by what is no Exception, wherever it is looked at."""

    def __init__(self, error):
        self.error = error

    def __str__(self):
        raise self.error


@pytest.mark.parametrize('error', [SystemExit(3), asyncio.CancelledError(), KeyboardInterrupt()])
@pytest.mark.parametrize('where', ['message', 'extra', 'filter', 'formatter'])
def test_an_exit_within_the_call_passes_as_in_logging_and_the_event_is_counted(
    where, error, make_handler
) -> None:
    """Like all that is no Exception."""
    handler = make_handler('bar', boto3_client=AcceptingClient())

    def leave(_):
        raise error

    value = Exits(error)
    logged = record(value if where == 'message' else 'Ahoy')
    if where == 'extra':
        logged.value = value
    elif where == 'filter':
        handler.addFilter(leave)
    elif where == 'formatter':
        handler.setFormatter(logging.Formatter())
        handler.formatter.format = leave
    with pytest.raises(type(error)):
        handler.handle(logged)
    assert handler.stats().dropped == {'failed': 1}
    assert handler.stats().accepted == 1


@pytest.mark.parametrize('levels', [90, 99, 252, 254])
def test_a_deep_value_beside_a_key_of_ours_is_delivered(levels, make_handler) -> None:
    """With event ids, which move the program's own `sequence` one level down."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, event_ids=True)
    value = 1
    for _ in range(levels):
        value = [value]
    handler.emit(record({'sequence': value, 'producer': 'me', 'message': 'Ahoy'}))
    assert handler.flush()
    assert [orjson.loads(event)['message'] for event in client.events] == ['Ahoy']


@pytest.mark.parametrize('has_emit', [False, True])
def test_a_subclass_with_a_filter_of_its_own_is_asked(has_emit, make_handler):
    """As `logging.Handler.handle` asks, whether filters were added or not."""

    class Choosy(FirehoseHandler):
        def filter(self, record):
            return record.levelno > logging.WARNING

    class Loud(Choosy):
        def emit(self, *arguments):
            super().emit(*arguments)

    handler = make_handler('bar', kind=Loud if has_emit else Choosy)
    assert not handler.handle(logging.makeLogRecord({'levelno': logging.WARNING}))
    assert handler.handle(logging.makeLogRecord({'levelno': logging.ERROR}))
    assert handler.stats().accepted == 1
