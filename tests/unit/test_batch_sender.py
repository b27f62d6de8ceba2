"""Does `batch_sender` work with a plain `queue.Queue` of bytes, END and FLUSH, exactly as documented?"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from math import inf

import pytest

from doubles import (
    DEADLINE_SECONDS,
    AcceptingClient,
    BlockingClient,
    EntryFailingClient,
    NoCredentialsError,
    RaisingClient,
)
from firefighter.logging import FirehoseHandler
from firefighter.stats import DropReason

NEVER = 10_000.0


class Running:
    """A `batch_sender` in a thread of its own."""

    def __init__(
        self, handler: FirehoseHandler, batch_queue: queue.Queue, send_interval: float = NEVER
    ) -> None:
        self.thread = threading.Thread(
            target=handler.batch_sender,
            args=(batch_queue, 'bar', send_interval),
            name='batch sender of a test',
        )
        self.thread.start()

    def join(self) -> None:
        self.thread.join(DEADLINE_SECONDS)
        assert not self.thread.is_alive(), 'batch_sender did not end'


@pytest.fixture
def batch_queue() -> queue.Queue:
    """A plain queue."""
    return queue.Queue()


@pytest.fixture
def run(batch_queue, make_handler) -> Iterator[Callable[..., Running]]:
    """Run a `batch_sender` on the queue; the test's end queues END."""
    running = []

    def start(handler: FirehoseHandler, send_interval: float = NEVER) -> Running:
        running.append((handler, Running(handler, batch_queue, send_interval)))
        return running[-1][1]

    yield start
    for handler, one in running:
        if one.thread.is_alive():
            batch_queue.put(handler.END)


def joined(batch_queue: queue.Queue) -> bool:
    """Return whether `queue.join()` returns, within the deadline."""
    with batch_queue.all_tasks_done:
        return batch_queue.all_tasks_done.wait_for(lambda: not batch_queue.unfinished_tasks, DEADLINE_SECONDS)


def test_end_submits_what_is_queued_and_ends_the_sender(batch_queue, make_handler) -> None:
    """END: what was queued before it is one request, then `batch_sender` returns."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    for item in (b'one\n', b'two\n', handler.END):
        batch_queue.put(item)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert client.requests == [[b'one\n', b'two\n']]
    assert client.streams == ['bar']


def test_two_threads_may_deliver_one_queue(batch_queue, make_handler, run) -> None:
    """Each until an END of its own; no event goes twice, and `queue.join()` returns."""
    client = BlockingClient()
    handler = make_handler('foo', boto3_client=client)
    first = run(handler, send_interval=0)
    batch_queue.put(b'one\n')
    client.wait_for_requests(1)
    second = run(handler, send_interval=0)
    batch_queue.put(b'two\n')
    client.wait_for_requests(2)
    batch_queue.put(handler.END)
    batch_queue.put(handler.END)
    client.release()
    first.join()
    second.join()
    assert sorted(client.events) == [b'one\n', b'two\n']
    assert joined(batch_queue)
    assert handler.stats().delivered == 2


def test_the_arguments_may_be_given_by_name(batch_queue, make_handler) -> None:
    """The documented names."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    batch_queue.put(b'one\n')
    batch_queue.put(handler.END)
    handler.batch_sender(batch_queue=batch_queue, delivery_stream_name='bar', send_interval=NEVER)
    assert client.events == [b'one\n']


def test_end_alone_makes_no_request(batch_queue, make_handler) -> None:
    """An empty request is an error at Firehose."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    batch_queue.put(handler.END)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert client.requests == []
    assert batch_queue.unfinished_tasks == 0


def test_what_is_queued_behind_end_stays_in_the_queue(batch_queue, make_handler) -> None:
    """The sender takes nothing beyond END; the next sender finds it."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    for item in (b'one\n', handler.END, b'two\n', handler.END):
        batch_queue.put(item)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert client.events == [b'one\n']
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert client.events == [b'one\n', b'two\n']


def test_flush_submits_what_is_queued_and_goes_on(batch_queue, make_handler, run) -> None:
    """FLUSH: a request now; the sender waits for more."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    sender = run(handler)
    batch_queue.put(b'one\n')
    batch_queue.put(handler.FLUSH)
    client.wait_for_events(1)
    batch_queue.put(b'two\n')
    batch_queue.put(handler.END)
    sender.join()
    assert client.requests == [[b'one\n'], [b'two\n']]


def test_more_than_max_batch_size_bytes_are_submitted(batch_queue, make_handler, run) -> None:
    """5,120 bytes wait; one more, and the batch goes."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    run(handler)
    for _ in range(5):
        batch_queue.put(b'x' * 1023 + b'\n')
    batch_queue.put(b'\n')
    client.wait_for_events(6)
    assert len(client.requests) == 1
    assert sum(map(len, client.requests[0])) == 5121


def test_exactly_max_batch_size_bytes_are_not_submitted(batch_queue, make_handler, run) -> None:
    """The limit is "more than": at 5,120 bytes nothing goes until FLUSH shows that they waited together."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    run(handler)
    for _ in range(5):
        batch_queue.put(b'x' * 1023 + b'\n')
    batch_queue.put(b'')  # a newline is added: this one makes it more
    client.wait_for_events(6)
    assert [len(request) for request in client.requests] == [6]


def test_the_bytes_that_count_are_those_that_were_queued(batch_queue, make_handler, run) -> None:
    """Not those that newlines, NULs and the spool's escape character take there."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    run(handler)
    for _ in range(5):
        batch_queue.put(b'\n\0\x1a' * 341 + b'\n')
    batch_queue.put(b'')  # 5,120 bytes wait until this one makes it more
    client.wait_for_events(6)
    batch_queue.put(b'\n\0\x1a' * 1705)
    batch_queue.put(b'\x1a\x1a\x1a')
    batch_queue.put(b'')
    client.wait_for_events(9)
    assert [len(request) for request in client.requests] == [6, 3]


def test_max_batch_count_events_are_submitted_with_aggregates_too(batch_queue, make_handler, run) -> None:
    """Events count, not the records that they become."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client, aggregate=True)
    run(handler)
    for _ in range(501):
        batch_queue.put(b'x\n')
    client.wait_for_requests(1)
    batch_queue.put(handler.FLUSH)
    client.wait_for_requests(2)
    assert client.requests == [[b'x\n' * 500], [b'x\n']]


def test_max_batch_count_events_are_submitted(batch_queue, make_handler, run) -> None:
    """500 events wait: the batch goes, with 500."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    run(handler)
    for _ in range(501):
        batch_queue.put(b'x\n')
    client.wait_for_events(500)
    batch_queue.put(handler.FLUSH)
    client.wait_for_events(501)
    assert [len(request) for request in client.requests] == [500, 1]


def test_send_interval_seconds_submit(batch_queue, make_handler, run) -> None:
    """An event that waits for company is sent after `send_interval`."""
    client = AcceptingClient()
    run(make_handler('foo', boto3_client=client), 0.01)
    batch_queue.put(b'lonely\n')
    client.wait_for_events(1)


def test_the_size_due_without_a_pause_between_requests(batch_queue, make_handler, run) -> None:
    """With a plain queue the documented numbers act exactly: no rule of once a second."""
    client = AcceptingClient()
    run(make_handler('foo', boto3_client=client))
    for _ in range(10):
        batch_queue.put(b'x' * 6000 + b'\n')
    client.wait_for_events(10)
    assert [len(request) for request in client.requests] == [1] * 10


@pytest.mark.parametrize('on_instance', [True, False])
def test_another_max_batch_count_is_honoured(on_instance, batch_queue, make_handler, run) -> None:
    """A subclass or an instance that sets another value gets it."""

    class Pairs(FirehoseHandler):
        MAX_BATCH_COUNT = 2

    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client, kind=FirehoseHandler if on_instance else Pairs)
    if on_instance:
        handler.MAX_BATCH_COUNT = 2
    run(handler)
    for _ in range(4):
        batch_queue.put(b'x\n')
    client.wait_for_events(4)
    assert [len(request) for request in client.requests] == [2, 2]


@pytest.mark.parametrize('on_instance', [True, False])
def test_another_max_batch_size_is_honoured(on_instance, batch_queue, make_handler, run) -> None:
    """A subclass or an instance that sets another value gets it."""

    class Small(FirehoseHandler):
        MAX_BATCH_SIZE = 3

    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client, kind=FirehoseHandler if on_instance else Small)
    if on_instance:
        handler.MAX_BATCH_SIZE = 3
    run(handler)
    for _ in range(4):
        batch_queue.put(b'x\n')
    client.wait_for_events(4)
    assert [len(request) for request in client.requests] == [2, 2]


def test_a_limit_changed_while_the_sender_runs_is_honoured(batch_queue, make_handler, run) -> None:
    """The attributes are read at run time."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    run(handler)
    batch_queue.put(b'x\n')
    handler.MAX_BATCH_COUNT = 2
    batch_queue.put(b'x\n')
    client.wait_for_events(2)


@pytest.mark.parametrize('on_instance', [True, False])
def test_other_marks_are_honoured(on_instance, batch_queue, make_handler, run) -> None:
    """END and FLUSH, too, may be overridden."""

    class Own(FirehoseHandler):
        END = object()
        FLUSH = object()

    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client, kind=FirehoseHandler if on_instance else Own)
    if on_instance:
        handler.END, handler.FLUSH = object(), object()
    sender = run(handler)
    batch_queue.put(b'one\n')
    batch_queue.put(handler.FLUSH)
    client.wait_for_events(1)
    batch_queue.put(b'two\n')
    batch_queue.put(handler.END)
    sender.join()
    assert client.events == [b'one\n', b'two\n']


def test_queue_join_means_delivered(batch_queue, make_handler, run) -> None:
    """`task_done` is called for an event once it is delivered, not when it is taken."""
    client = BlockingClient()
    handler = make_handler('foo', boto3_client=client)
    run(handler)
    batch_queue.put(b'one\n')
    batch_queue.put(handler.FLUSH)
    client.wait_for_requests(1)
    assert batch_queue.unfinished_tasks >= 1
    client.release()
    assert joined(batch_queue)
    assert client.events == [b'one\n']


def test_task_done_is_called_once_for_each_item(batch_queue, make_handler) -> None:
    """Once too often would raise ValueError; marks count too."""
    client = EntryFailingClient({0}, {0})
    handler = make_handler('foo', boto3_client=client)
    for item in (b'one\n', b'two\n', handler.FLUSH, handler.FLUSH, b'three\n', handler.END):
        batch_queue.put(item)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert batch_queue.unfinished_tasks == 0
    assert sorted(client.events) == [b'one\n', b'three\n', b'two\n']


def test_an_event_that_failed_is_not_done(batch_queue, make_handler) -> None:
    """Only what was not accepted is sent again, and only then it is done."""
    client = EntryFailingClient({1})
    handler = make_handler('foo', boto3_client=client)
    for item in (b'one\n', b'two\n', b'three\n', handler.END):
        batch_queue.put(item)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert client.requests == [[b'one\n', b'two\n', b'three\n'], [b'two\n']]
    assert batch_queue.unfinished_tasks == 0


def test_a_request_that_raised_is_made_again(batch_queue, make_handler) -> None:
    """A fault of the connection loses nothing."""
    client = RaisingClient(OSError('reset'))
    handler = make_handler('foo', boto3_client=client)
    batch_queue.put(b'one\n')
    batch_queue.put(handler.END)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert client.events == [b'one\n']


def test_a_newline_is_added_where_missing(batch_queue, make_handler) -> None:
    """Each event ends in one newline; what has one keeps it."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    for item in (b'without', b'with\n', handler.END):
        batch_queue.put(item)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert client.events == [b'without\n', b'with\n']


@pytest.mark.parametrize('raw', [b'a\nb', b'\0', b'\x1an', b'\x1a', bytes(range(256))])
def test_the_bytes_of_an_event_are_not_touched(raw, batch_queue, make_handler) -> None:
    """What is queued arrives byte for byte, whatever it is."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    batch_queue.put(raw)
    batch_queue.put(handler.END)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert client.events == [raw + b'\n']


def test_what_is_neither_bytes_nor_a_mark_is_dropped_counted_and_done(
    batch_queue, make_handler, capsys
) -> None:
    """The sender must not die of it, nor lose the others."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    for item in ({'a': 'dict'}, None, b'one\n', handler.END):
        batch_queue.put(item)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert client.events == [b'one\n']
    assert batch_queue.unfinished_tasks == 0
    stats = handler.stats()
    assert (stats.accepted, stats.delivered, dict(stats.dropped)) == (3, 1, {'failed': 2})
    assert 'bytes, END and FLUSH' in capsys.readouterr().err


def test_what_cannot_be_read_is_dropped_counted_and_done(batch_queue, make_handler) -> None:
    """A memoryview whose buffer is gone. It holds up nothing."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    released = memoryview(b'gone')
    released.release()
    for item in (released, b'one\n', handler.END):
        batch_queue.put(item)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert client.events == [b'one\n']
    assert batch_queue.unfinished_tasks == 0
    assert dict(handler.stats().dropped) == {'failed': 1}


def test_an_oversize_event_obeys_the_policy(batch_queue, make_handler) -> None:
    """MAX_RECORD_SIZE and `oversize` hold for a plain queue, too."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client, oversize='drop')
    for item in (b'x' * 2000, b'short', handler.END):
        batch_queue.put(item)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert client.events == [b'short\n']
    assert batch_queue.unfinished_tasks == 0
    assert dict(handler.stats().dropped) == {'oversize': 1}


def test_an_event_above_the_services_limit_is_cut(batch_queue, make_handler) -> None:
    """No record leaves with more than 1,024,000 bytes."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    batch_queue.put(b'x' * 3_000_000)
    batch_queue.put(handler.END)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert len(client.events[0]) <= 1_024_000
    assert b'3000001' in client.events[0][-100:]


def test_the_services_limits_hold_for_each_request(batch_queue, make_handler) -> None:
    """At most 500 records and 4 MiB less 16 KiB, however much is allowed by the class attributes."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    handler.MAX_BATCH_SIZE = 10**9
    handler.MAX_BATCH_COUNT = 10**9
    for _ in range(12):
        batch_queue.put(b'x' * 999_999 + b'\n')
    for _ in range(1200):
        batch_queue.put(b'y\n')
    batch_queue.put(handler.END)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert len(client.events) == 1212
    assert max(map(len, client.requests)) <= 500
    assert max(sum(map(len, request)) for request in client.requests) <= 4 * 1024 * 1024 - 16 * 1024


def test_its_events_are_in_the_account(batch_queue, make_handler) -> None:
    """`stats()` counts what came by a plain queue."""
    handler = make_handler('foo', boto3_client=AcceptingClient())
    for item in (b'one', b'two', handler.END):
        batch_queue.put(item)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    stats = handler.stats()
    assert (stats.accepted, stats.delivered, stats.pending) == (2, 2, 0)


def test_the_account_holds_what_several_calls_have_delivered(make_handler) -> None:
    """One after the other, each with a queue of its own; the handler's own events are beside them."""
    handler = make_handler('foo', boto3_client=AcceptingClient(), oversize='drop')
    for events in (1, 2, 3):
        batch_queue: queue.Queue = queue.Queue()
        for item in ([b'event'] * events, [b'x' * 2000], [handler.END]):
            for each in item:
                batch_queue.put(each)
        handler.batch_sender(batch_queue, 'bar', NEVER)
    stats = handler.stats()
    assert (stats.accepted, stats.delivered, dict(stats.dropped), stats.pending) == (9, 6, {'oversize': 3}, 0)


def test_a_backlog_stays_in_the_programs_queue(batch_queue, make_handler, run) -> None:
    """While a request is under way no more is got than one request holds."""
    client = BlockingClient()
    handler = make_handler('foo', boto3_client=client)
    for _ in range(5_000):
        batch_queue.put(b'x\n')
    run(handler, 0.0)
    client.wait_for_requests(1)
    assert batch_queue.qsize() >= 4_000
    client.release()
    batch_queue.put(handler.FLUSH)
    assert joined(batch_queue)
    assert handler.stats().delivered == 5_000


def test_an_infinite_interval_is_allowed(batch_queue, make_handler, run) -> None:
    """Never for time alone."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    run(handler, inf)
    batch_queue.put(b'one\n')
    batch_queue.put(handler.FLUSH)
    client.wait_for_events(1)


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (([b'one\n'], 'bar', 1), 'batch_queue must be a queue.Queue, not list'),
        ((None, 'bar', 1), 'batch_queue must be a queue.Queue, not NoneType'),
        ((queue.Queue(), 'bar', '5'), 'send_interval must be a number'),
    ],
)
def test_what_it_cannot_deliver_from_is_refused(arguments, said, make_handler):
    """It would go on for ever, and say so twice a second."""
    handler = make_handler('foo', boto3_client=AcceptingClient())
    with pytest.raises(TypeError, match=said):
        handler.batch_sender(*arguments)


def test_what_it_gives_up_after_end_is_said(batch_queue, make_handler, capsys):
    """Until then the line said that the event is kept."""
    client = RaisingClient(*[NoCredentialsError()] * 10)
    handler = make_handler('foo', boto3_client=client)
    for item in (b'one\n', handler.END):
        batch_queue.put(item)
    handler.batch_sender(batch_queue, 'bar', NEVER)
    assert handler.stats().dropped == {DropReason.UNDELIVERED: 1}
    assert '1 event dropped so far, since batch_sender had END' in capsys.readouterr().err
