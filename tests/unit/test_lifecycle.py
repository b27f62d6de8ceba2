"""What becomes of events, and of what a handler holds, when its life takes a turn at an unlucky moment?"""

from __future__ import annotations

import gc
import logging
import logging.handlers
import os
import queue
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from doubles import DEADLINE_SECONDS, AcceptingClient, BlockingClient, DownClient, EndpointConnectionError
from firefighter._delivery import dispatch, sender
from firefighter._delivery.outcomes import from_exception
from firefighter._handler.lifecycle import Lifecycle, State
from firefighter._process import exit_and_forks
from firefighter.logging import FirehoseHandler

PLACES = [
    'memory',
    pytest.param('disk', marks=pytest.mark.skipif(sys.platform == 'win32', reason='no spool')),
]


class Slow:
    """A message that takes its time to become text.

    Attributes:
        begun: set as soon as it is asked for.
        goes_on: lets it end.
    """

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.goes_on = threading.Event()

    def __str__(self) -> str:
        self.begun.set()
        assert self.goes_on.wait(DEADLINE_SECONDS)
        return 'slow'


@pytest.fixture
def make_at(make_handler, tmp_path) -> Callable[..., FirehoseHandler]:
    """Make a handler whose spool is in memory or on disk."""

    def make(place: str, *args, **kwargs) -> FirehoseHandler:
        return make_handler('bar', *args, **({'spool_dir': tmp_path} if place == 'disk' else {}), **kwargs)

    return make


class Mortal:
    """Logs when the collector finds it; what it logs to is found together with it."""

    def __init__(self, handler: FirehoseHandler) -> None:
        self.handler = handler
        self.me = self

    def __del__(self) -> None:
        self.handler.handle(logging.makeLogRecord({'msg': 'last words', 'thread': threading.get_ident()}))


@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('use_queues', [True, False])
def test_a_closed_handler_that_a_destructor_logs_to_while_both_are_collected_lets_go_of_everything(
    use_queues, place, no_thread_left, tmp_path
):
    """No callback of a weak reference comes there: nobody is left that it could be for."""
    client = AcceptingClient()
    handler = FirehoseHandler(
        'last-words',
        use_queues=use_queues,
        boto3_client=client,
        send_interval=0,
        spool_dir=tmp_path if place == 'disk' else None,
    )
    handler.handle(logging.makeLogRecord({'msg': 'before', 'thread': threading.get_ident()}))
    handler.close()
    Mortal(handler)
    del handler
    gc.collect()
    client.wait_for_events(2)
    # Found among all that there is: whoever holds it would have the callback come.
    for life in [life for life in exit_and_forks._process.busy if life._deliverer._stream == 'last-words']:
        until_closed(life)
    assert not [*tmp_path.rglob('alive')]


def until_closed(lifecycle: Lifecycle) -> None:
    while lifecycle.state is not State.CLOSED:
        wakeup = lifecycle._sender.progress.join()
        assert lifecycle.state is State.CLOSED or wakeup.wait(DEADLINE_SECONDS), lifecycle.state


def test_a_handler_that_is_collected_just_when_its_thread_leaves_is_closed(make_handler, monkeypatch):
    """The collector takes no lock: it finds somebody who delivers, wakes it, and that one looks no more."""
    handler = make_handler('bar', boto3_client=AcceptingClient(), use_queues=False)
    lifecycle = handler._pipeline.lifecycle
    gone: list[bool] = []

    def is_forgotten() -> bool:
        if not lifecycle._deliverer.present:
            gone.append(True)
        return bool(gone)

    monkeypatch.setattr(lifecycle, '_is_forgotten', is_forgotten)
    handler.handle(logging.makeLogRecord({'msg': 'event', 'thread': threading.get_ident()}))
    until_closed(lifecycle)


@pytest.mark.parametrize('asks', ['log', 'make another', 'flush', 'close'])
def test_who_holds_the_lock_of_logging_waits_for_no_transition_of_another_thread(
    asks, make_handler, monkeypatch
):
    """A destructor logs inside a transition and waits for that lock, as the first call of each logger does: both would wait."""
    handler = make_handler('bar', boto3_client=AcceptingClient(), send_interval=0)
    lifecycle = handler._pipeline.lifecycle
    exit_and_forks.close_later(lifecycle)
    inside, goes_on = threading.Event(), threading.Event()
    original = lifecycle._place.open

    def opening() -> None:
        monkeypatch.undo()
        inside.set()
        assert goes_on.wait(DEADLINE_SECONDS)
        original()

    monkeypatch.setattr(lifecycle._place, 'open', opening)
    record = logging.makeLogRecord({'msg': 'event', 'thread': threading.get_ident()})
    thread = threading.Thread(target=handler.handle, args=(record,))
    thread.start()
    assert inside.wait(DEADLINE_SECONDS)
    with logging._lock:
        done = {
            'log': lambda: handler.handle(record),
            'make another': lambda: make_handler('other', boto3_client=AcceptingClient()),
            'flush': handler.flush,
            'close': handler.close,
        }[asks]
        done()
    goes_on.set()
    thread.join(DEADLINE_SECONDS)
    assert handler.flush()
    stats = handler.stats()
    assert stats.accepted == stats.delivered == 1 + (asks == 'log')


@pytest.mark.skipif(sys.platform == 'win32', reason='no spool')
@pytest.mark.parametrize('change', ['open', 'close'])
def test_what_a_destructor_logs_while_the_directory_is_made_or_removed_gets_into_a_directory(
    change, make_handler, tmp_path, monkeypatch
):
    """Its call has returned, so the death of the process must not take it."""

    class Client(AcceptingClient):
        down = change == 'open'

        def hold(self, number: int) -> None:
            if self.down:
                raise EndpointConnectionError

    client, changed = Client(), threading.Event()
    handler = make_handler(
        'bar', boto3_client=client, send_interval=0, spool_dir=tmp_path, shutdown_timeout_seconds=0
    )
    place = handler._pipeline.place
    original = getattr(place, change)

    def changing() -> None:
        monkeypatch.undo()
        client.down = True
        if change == 'close':
            original()
        handler.handle(logging.makeLogRecord({'msg': 'last words', 'thread': threading.get_ident()}))
        assert handler.stats().accepted == 1 + (change == 'close')
        if change == 'open':
            original()
        changed.set()

    monkeypatch.setattr(place, change, changing)
    handler.handle(logging.makeLogRecord({'msg': 'event', 'thread': threading.get_ident()}))
    if change == 'close':
        handler.close()
    assert changed.wait(DEADLINE_SECONDS)
    handler.flush(0.0)  # waits for the change to be done, and for nothing else
    assert b'last words' in b''.join(path.read_bytes() for path in tmp_path.rglob('*.spool'))
    client.down = False
    assert handler.flush(DEADLINE_SECONDS)


@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('use_queues', [True, False])
def test_an_event_that_is_formatted_while_the_handler_is_closed_arrives(
    use_queues, place, make_at, make_logger
):
    """A reload comes at any moment: what was logged before its call returns is delivered all the same."""
    client = AcceptingClient()
    handler = make_at(place, use_queues=use_queues, boto3_client=client, send_interval=0)
    logger = make_logger(handler)
    logger.info('before')
    message = Slow()
    thread = threading.Thread(target=logger.info, args=('%s', message))
    thread.start()
    assert message.begun.wait(DEADLINE_SECONDS)
    handler.close()
    assert handler._pipeline.lifecycle.state is State.CLOSED
    message.goes_on.set()
    thread.join(DEADLINE_SECONDS)
    client.wait_for_events(2)
    assert handler.flush()
    handler.close()
    assert handler._pipeline.place.path is None


@pytest.mark.parametrize('place', PLACES)
def test_an_event_that_comes_behind_the_last_look_at_the_mark_arrives(place, make_at, make_logger):
    """The same, between that look and the append."""
    client = AcceptingClient()
    handler = make_at(place, boto3_client=client, send_interval=0)
    logger = make_logger(handler)
    logger.info('before')
    assert handler.flush()
    pipeline = handler._pipeline
    append = pipeline.append

    def closed_first(line: bytes) -> None:
        pipeline.append = append
        handler.close()
        append(line)

    pipeline.append = closed_first
    logger.info('late')
    client.wait_for_events(2)


@pytest.mark.skipif(sys.platform == 'win32', reason='no spool')
def test_after_such_an_event_what_follows_is_on_disk(make_at, make_logger, tmp_path):
    """A segment of memory that is begun while the handler is closed takes no other event."""
    handler = make_at('disk', boto3_client=AcceptingClient())
    logger = make_logger(handler)
    logger.info('before')
    handler.close()
    handler._pipeline.append(b'{"message":"late"}\n')
    handler._pipeline.transport.put = DownClient().put_record_batch
    logger.info('after')
    (path,) = tmp_path.rglob('*.spool')
    assert b'after' in path.read_bytes()


def test_behind_a_memory_handler_nobody_waits_for_what_needs_its_lock(make_handler):
    """It hands records on with its lock held, which the records of botocore's request need, too."""
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)

    class LoggingClient(AcceptingClient):
        def hold(self, number: int) -> None:
            logging.getLogger('botocore.endpoint').debug('sending')

    client = LoggingClient()
    handler = make_handler('bar', use_queues=False, boto3_client=client, sync_timeout_seconds=1000)
    root.addHandler(logging.handlers.MemoryHandler(1, target=handler))
    logging.getLogger('foo').info('Ahoy')
    client.wait_for_events(1)
    assert handler.flush()


def test_a_close_under_loggings_lock_waits_for_no_lock_of_ours(make_handler, make_logger):
    """Its owner may be a thread that a signal handler has interrupted, which waits for logging's."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, send_interval=0)
    logger = make_logger(handler)
    logger.info('Ahoy')
    lifecycle = handler._pipeline.lifecycle
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with lifecycle._lock:
            held.set()
            over.wait(DEADLINE_SECONDS)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(DEADLINE_SECONDS)
    gc.disable()
    try:
        with logging._lock:
            handler.flush()
            handler.close()
    finally:
        gc.enable()
        over.set()
    thread.join()
    client.wait_for_events(1)
    handler.close()
    assert lifecycle.state is State.CLOSED


def test_what_batch_sender_has_taken_when_ctrl_c_comes_is_sent_by_the_next_call(make_handler):
    """Nothing is lost, and `queue.join` ends."""

    class InterruptedClient(AcceptingClient):
        def hold(self, number: int) -> None:
            if number == 0:
                raise KeyboardInterrupt

    client = InterruptedClient()
    handler = make_handler('bar', boto3_client=client)
    batch_queue: queue.Queue[object] = queue.Queue()
    for number in range(10):
        batch_queue.put(b'%d\n' % number)
    batch_queue.put(handler.FLUSH)
    with pytest.raises(KeyboardInterrupt):
        handler.batch_sender(batch_queue, 'bar', 60)
    assert handler.stats().pending == 10
    batch_queue.put(handler.END)
    handler.batch_sender(batch_queue, 'bar', 60)
    assert handler.stats().delivered == 10
    assert batch_queue.unfinished_tasks == 0


def test_a_question_about_the_stream_that_gets_no_answer_holds_up_nothing(make_handler, make_logger):
    """DescribeDeliveryStream is asked beside delivery."""
    asked, answered = threading.Event(), threading.Event()

    class SilentDescription(AcceptingClient):
        def describe_delivery_stream(self, **_: object) -> dict[str, object]:
            asked.set()
            assert answered.wait(DEADLINE_SECONDS)
            return {}

    client = SilentDescription()
    handler = make_handler('bar', boto3_client=client, aggregate=True, send_interval=1000)
    logger = make_logger(handler)
    logger.info('one')
    assert handler.flush()
    assert asked.wait(DEADLINE_SECONDS)
    logger.info('two')
    assert handler.flush()
    answered.set()
    assert len(client.events) == 2


def test_a_request_whose_thread_never_comes_is_made_by_the_delivery_thread(make_handler, monkeypatch):
    """It was killed before it began; whatever is logged later goes on, too."""
    for module in (dispatch, sender):
        monkeypatch.setattr(module, 'THREAD_START_SECONDS', 0.05)
    made: list[threading.Thread] = []

    def make_thread(target: Callable[..., None], args: tuple[object, ...]) -> threading.Thread:
        made.append(threading.Thread(target=target, args=args) if not made else threading.Thread(target=int))
        return made[-1]

    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, max_in_flight=1)
    for number in range(3):
        handler.emit(logging.makeLogRecord({'msg': number}), make_thread)
        assert handler.flush()
    assert set(client.threads) == {made[0]}


@pytest.mark.skipif(sys.platform == 'win32', reason='no spool')
@pytest.mark.parametrize('use_queues', [True, False])
def test_a_forgotten_handler_lets_go_of_its_directory_by_itself(use_queues, tmp_path):
    """Nobody has to make another one."""
    client = AcceptingClient()
    handler = FirehoseHandler('bar', use_queues, boto3_client=client, spool_dir=tmp_path, send_interval=0)
    handler.handle(logging.makeLogRecord({'msg': 'Ahoy'}))
    assert handler.flush()
    lifecycle = handler._pipeline.lifecycle
    gone = weakref.ref(handler)
    del handler
    gc.collect()
    assert gone() is None
    lifecycle._deliverer.wait_until(lambda: lifecycle.state is State.CLOSED, DEADLINE_SECONDS + monotonic())
    assert lifecycle.state is State.CLOSED
    assert not [path for path in Path(tmp_path).rglob('*') if path.name == 'alive']


def test_a_record_of_another_process_is_an_event_whatever_its_thread_is_called(make_handler):
    """The idents of threads are alike after a fork; a record that comes by a queue says which process it is of."""
    client = BlockingClient()
    handler = make_handler('bar', boto3_client=client, send_interval=0)
    handler.handle(logging.makeLogRecord({'msg': 'Ahoy'}))
    client.wait_for_requests(1)
    alien = logging.makeLogRecord(
        {'msg': 'of a child', 'name': 'botocore.credentials', 'process': os.getpid() + 1}
    )
    alien.thread = client.threads[0].ident
    handler.handle(alien)
    client.release()
    client.wait_for_events(2)
    assert handler.stats().suppressed == 0


class SSLError(Exception):
    """Has the name of botocore's, by which it is known."""


def test_a_connection_that_breaks_while_the_answer_is_read_leaves_open_what_was_stored():
    """TLS notices a damaged answer; the records may be there."""
    assert from_exception(SSLError('bad record mac'), 3, sent=True).uncertain


@pytest.mark.skipif(sys.platform == 'win32', reason='no spool')
def test_what_a_destructor_logs_while_the_handler_is_opened_is_on_disk_as_well(
    make_at, make_logger, tmp_path
):
    """It interrupts the thread that makes the directory; what comes then must not begin a segment in memory."""
    handler = make_at('disk', boto3_client=BlockingClient())
    logger = make_logger(handler)
    place = handler._pipeline.place
    make_directory = place.open

    def interrupted() -> None:
        place.open = make_directory
        logger.info('of a destructor')
        make_directory()

    place.open = interrupted
    logger.info('first')
    (path,) = tmp_path.rglob('*.spool')
    data = path.read_bytes()
    assert b'of a destructor' in data
    assert b'first' in data
    assert handler.stats().pending == 2


def test_what_a_destructor_logs_where_its_thread_is_about_to_open_the_handler_goes_into_the_file(
    make_handler, tmp_path
):
    """The collector may run at the first allocation after the lock was taken, before the directory is there."""
    handler = make_handler('bar', spool_dir=tmp_path, boto3_client=DownClient(), shutdown_timeout_seconds=0)
    with handler._pipeline.lifecycle._lock:
        handler.handle(logging.makeLogRecord({'msg': 'from a destructor'}))
        assert handler.stats().pending == 1
    handler.handle(logging.makeLogRecord({'msg': 'next'}))
    (kept,) = tmp_path.rglob('*.spool')
    lines = kept.read_bytes()
    assert lines.index(b'from a destructor') < lines.index(b'next')
