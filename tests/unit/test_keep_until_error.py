"""Are events of low levels there when an error came in the same context, and gone when none did?"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import logging
import logging.config
import os
import re
import subprocess
import sys
import threading
import weakref

import pytest

from doubles import DEADLINE_SECONDS, AcceptingClient, BlockingClient
from firefighter._delivery.logged_by_delivery import as_request_of_ours, as_thread_of_ours
from firefighter._handler import keep_until_error
from firefighter.logging import FirehoseHandler, KeepUntilErrorHandler, LimitFilter
from firefighter.stats import DropReason


class Keeping:
    """A handler that keeps, its target, and what that has delivered."""

    def __init__(self, target, client, logger, handler):
        self.target = target
        self.client = client
        self.logger = logger
        self.handler = handler

    def events(self):
        assert self.handler.flush()
        return [json.loads(event) for event in self.client.events]

    def messages(self):
        return [event['message'] for event in self.events()]


@pytest.fixture
def keeping(make_handler, make_logger):
    def make(below='INFO', events=200, client=None, **options):
        client = client or AcceptingClient()
        target = make_handler('bar', boto3_client=client, **options)
        made.append(KeepUntilErrorHandler(target, below, events))
        return Keeping(target, client, make_logger(made[-1]), made[-1])

    made = []
    yield make
    for handler in made:
        handler.close()


def in_thread(function, *args):
    thread = threading.Thread(target=function, args=args)
    thread.start()
    thread.join(DEADLINE_SECONDS)


def test_an_error_brings_with_it_what_came_before(keeping):
    """In its order, with its own times, before the error, with the numbers of the order in which they are sent."""
    one = keeping(event_ids=True)
    one.logger.debug('first')
    one.logger.info('passes')
    one.logger.debug({'message': 'second', 'items': 3})
    one.logger.error('wrong')
    one.logger.error('wrong again')
    events = one.events()
    assert [(event['sequence'], event['level'], event['message']) for event in events] == [
        (0, 'INFO', 'passes'),
        (1, 'DEBUG', 'first'),
        (2, 'DEBUG', 'second'),
        (3, 'ERROR', 'wrong'),
        (4, 'ERROR', 'wrong again'),
    ]
    times = {event['message']: event['timestamp'] for event in events}
    assert times['first'] <= times['passes'] <= times['second'] <= times['wrong']
    assert one.handler.stats() == (0, 2, 0)
    assert one.target.stats().accepted == 5


def test_what_no_error_follows_is_forgotten_with_its_context_and_counted(keeping):
    """At once, without the collector."""
    one = keeping()
    gc.disable()
    try:
        context = contextvars.Context()
        context.run(one.logger.debug, 'Ahoy')
        assert one.handler.stats() == (1, 0, 0)
        ended = weakref.ref(context)
        del context
        assert ended() is None
        assert one.handler.stats() == (0, 0, 1)
        in_thread(one.logger.debug, 'Ahoy')
        assert one.handler.stats() == (0, 0, 2)
    finally:
        gc.enable()
    one.logger.error('wrong')
    assert one.messages() == ['wrong']


def test_each_thread_task_and_context_has_its_own(keeping):
    """Also a task that was started from one that has kept something, and what it hands to a thread."""
    one = keeping()

    async def task(number):
        one.logger.debug('task %d', number)
        await asyncio.to_thread(one.logger.debug, 'a thread of %d', number)
        await asyncio.gather(*([asyncio.create_task(task(10 * number))] if number < 10 else []))
        if number == 2:
            one.logger.error('%d is wrong', number)

    async def main():
        one.logger.debug('main')
        await asyncio.gather(*map(task, range(1, 4)))

    one.logger.debug('outside')
    asyncio.run(main())
    in_thread(one.logger.debug, 'thread')
    contextvars.copy_context().run(one.logger.error, 'nothing before this')
    assert one.messages() == ['task 2', '2 is wrong', 'nothing before this']
    one.logger.error('wrong outside')
    assert one.messages()[3:] == ['outside', 'wrong outside']


def test_a_request_that_has_begun_is_kept_together(keeping):
    """With the tasks and the threads that it starts, wherever the error comes; and apart from all other requests."""
    one = keeping()

    async def part(name, number):
        one.logger.debug('%s of %d', name, number)
        await asyncio.sleep(0)

    async def request(number):
        one.logger.debug('forgotten')
        KeepUntilErrorHandler.begin_request()
        await asyncio.gather(part('a', number), part('b', number))
        await asyncio.to_thread(one.logger.debug, 'a thread of %d', number)
        if number == 1:
            one.logger.error('wrong')
        if number == 2:
            await asyncio.to_thread(one.logger.error, 'wrong there')

    async def main():
        await asyncio.gather(*map(request, range(4)))

    asyncio.run(main())
    by_number = {'1': [], '2': []}
    for message in one.messages():
        (number,) = re.findall(r'\d', message) or ['2' if 'there' in message else '1']
        by_number[number].append(message)
    assert by_number == {
        '1': ['a of 1', 'b of 1', 'a thread of 1', 'wrong'],
        '2': ['a of 2', 'b of 2', 'a thread of 2', 'wrong there'],
    }
    assert one.handler.stats() == (0, 6, 4 + 6)


def test_the_newest_stay_and_an_event_says_how_many_were_forgotten(keeping):
    """Before those that are there. What the program's own record factory adds is added to it, too."""
    one = keeping(events=2)
    for round_ in range(2):
        for number in range(5 - round_):
            one.logger.debug('%d', number)
        one.logger.error('wrong')
    assert one.messages() == [
        *('3 earlier events of this context were forgotten', '3', '4', 'wrong'),
        *('2 earlier events of this context were forgotten', '2', '3', 'wrong'),
    ]
    report = one.events()[0]
    assert (report['level'], report['logger'], report['forgotten']) == ('DEBUG', one.logger.name, 3)
    assert one.handler.stats() == (0, 4, 5)


def test_a_record_factory_that_wants_more_than_it_gets_costs_the_report_alone(keeping, monkeypatch):
    """Not what was kept."""
    one = keeping(events=1)
    record = one.logger.makeRecord('foo', logging.DEBUG, 'shop.py', 1, 'Ahoy', (), None)
    for _ in range(2):
        one.handler.handle(record)
    error = one.logger.makeRecord('foo', logging.ERROR, 'shop.py', 1, 'wrong', (), None)
    monkeypatch.setattr(logging, '_logRecordFactory', lambda: None)
    one.handler.handle(error)
    assert one.messages() == ['Ahoy', 'wrong']
    assert one.handler.stats() == (0, 1, 1)


def test_one_bound_holds_for_the_process_and_the_context_quiet_for_longest_loses_its_oldest(
    keeping, monkeypatch
):
    """Of all handlers together. An event beyond the bound is not kept at all."""
    monkeypatch.setattr(KeepUntilErrorHandler, 'MAX_PROCESS_BYTES', 50_000)
    one, other = keeping(), keeping()
    quiet, busy = contextvars.Context(), contextvars.Context()
    busy.run(other.logger.debug, '00 %s', 'x' * 1000)
    for number in range(20):
        quiet.run(one.logger.debug, '%02d %s', number, 'x' * 1000)
    for number in range(1, 30):
        busy.run(other.logger.debug, '%02d %s', number, 'x' * 1000)
    forgotten = one.handler.stats().forgotten
    assert 0 < forgotten < 20
    assert other.handler.stats() == (30, 0, 0)
    quiet.run(one.logger.error, 'wrong')
    told, *rest = one.messages()
    assert told == f'{forgotten} earlier events of this context were forgotten'
    assert [message[:2] for message in rest] == [f'{number:02d}' for number in range(forgotten, 20)] + ['wr']
    busy.run(one.logger.debug, 'x' * 50_000)
    assert one.handler.stats() == (0, 20 - forgotten, forgotten + 1)
    assert other.handler.stats() == (0, 0, 30)
    busy.run(one.logger.error, 'wrong')
    assert one.messages()[-2:] == ['1 earlier event of this context was forgotten', 'wrong']


def test_what_is_kept_takes_no_more_memory_than_is_counted(keeping):
    """Though what the encoder returns holds 4 KiB, however short it is."""
    import tracemalloc

    one = keeping()
    record = one.logger.makeRecord('foo', logging.DEBUG, 'shop.py', 1, 'Ahoy %s', ('x' * 100,), None)
    contexts = [contextvars.Context() for _ in range(400)]
    keeper = keep_until_error._keeper()
    at_first = keeper._size_bytes
    for events in (1, 100):
        tracemalloc.start()
        before, counted = tracemalloc.get_traced_memory()[0], keeper._size_bytes
        for context in contexts[::events]:
            for _ in range(events):
                context.run(one.handler.handle, record)
        taken, counted = tracemalloc.get_traced_memory()[0] - before, keeper._size_bytes - counted
        tracemalloc.stop()
        assert 0.5 * counted < taken <= counted
    contexts.clear()
    del context
    assert one.handler.stats().waiting == 0
    assert keeper._size_bytes == at_first


def test_the_programs_objects_may_change_afterwards(keeping):
    """An event is what it was when it was logged."""
    one = keeping()
    order = {'message': 'order', 'items': [1]}
    one.logger.debug(order)
    one.logger.debug('items: %s', order['items'])
    order['items'].append(2)
    one.logger.error('wrong')
    assert [(event['message'], event.get('items')) for event in one.events()][:2] == [
        ('order', [1]),
        ('items: [1]', None),
    ]


def test_the_level_of_the_target_holds_for_what_is_not_kept(keeping):
    """An error that it does not log brings nothing with it."""
    one = keeping(below='WARNING', level='CRITICAL')
    one.logger.info('kept')
    one.logger.warning('too low')
    one.logger.error('too low')
    one.logger.critical('wrong')
    assert one.messages() == ['kept', 'wrong']


def test_the_filters_of_both_are_asked_once_for_each_record(keeping):
    """The target's when an event is kept, since it may look at what is there then. One may replace the record, or raise."""
    one = keeping()
    asked = []

    def refuse(record):
        asked.append(record.msg)
        if record.msg == 'raises':
            raise ValueError(record.msg)
        return record.msg != 'refused'

    for each in (one.handler, one.target):
        asked.clear()
        each.addFilter(refuse)
        for message in ('refused', 'raises', 'kept'):
            one.logger.debug(message)
        one.logger.error('refused')
        one.logger.info('passes')
        one.logger.error('wrong')
        assert asked == ['refused', 'raises', 'kept', 'refused', 'passes', 'wrong']
        each.removeFilter(refuse)
    assert one.messages() == ['passes', 'kept', 'wrong'] * 2
    assert one.target.stats().dropped == {DropReason.FAILED: 2}


@pytest.mark.skipif(sys.version_info < (3, 12), reason='before that no filter replaces a record')
def test_a_filter_may_replace_the_record(keeping):
    """Here as on the target."""
    one = keeping()
    for each in (one.handler, one.target):
        each.addFilter(lambda record: logging.makeLogRecord(vars(record) | {'msg': f'{record.msg}!'}))
    one.logger.debug('kept')
    one.logger.error('wrong')
    assert one.messages() == ['kept!!', 'wrong!!']


def test_any_formatter_of_the_target_encodes_and_a_basic_configuration_sets_none(keeping, monkeypatch):
    """A formatter for this handler is one for its target."""
    one = keeping(event_ids=True)
    monkeypatch.setattr(logging.root, 'handlers', [])
    logging.basicConfig(handlers=[one.handler], level=logging.INFO)
    one.logger.debug('ours')
    one.handler.setFormatter(logging.Formatter('%(levelname)s\n%(message)s'))
    one.logger.debug('text')
    one.logger.error('wrong')
    assert one.handler.flush()
    assert json.loads(one.client.events[0])['sequence'] == 0
    assert one.client.events[1:] == [b'DEBUG\ntext\n', b'ERROR\nwrong\n']


def test_a_subclass_of_the_target_may_have_its_own_format(make_handler, make_logger):
    """But no `emit` or `handle`, which what is kept would not pass."""

    class Loud(FirehoseHandler):
        def format(self, record):
            return record.getMessage().upper()

    client = AcceptingClient()
    target = make_handler('bar', boto3_client=client, kind=Loud)
    logger = make_logger(KeepUntilErrorHandler(target))
    logger.debug('kept')
    logger.error('wrong')
    assert target.flush()
    assert client.events == [b'KEPT\n', b'WRONG\n']


def test_what_delivery_itself_logs_is_neither_kept_nor_an_error(keeping):
    """The debug lines of botocore: there are many for each request, and an error would send them, by another request."""
    one = keeping()
    botocore = logging.Logger('botocore.endpoint')
    botocore.addHandler(one.handler)

    @as_request_of_ours
    def deliver():
        botocore.debug('sending')
        one.logger.debug('a destructor')
        botocore.error('failed')

    deliver()
    assert one.handler.stats() == (1, 0, 0)
    assert one.target.stats().suppressed == 2
    one.logger.error('wrong')
    assert one.messages() == ['a destructor', 'wrong']


def test_what_a_hook_has_kept_makes_no_batch_due(keeping):
    """Like the error that it logs: else each request would cause the next."""
    one = keeping()
    one.logger.info('opens')
    assert one.handler.flush()

    @as_thread_of_ours
    def hook():
        for _ in range(100):
            one.logger.debug('kept %s', 'x' * 100)
        one.logger.error('wrong')

    in_thread(hook)
    assert one.target._pipeline.source.quiet[0] == 101
    assert len(one.messages()) == 102


def test_a_target_without_threads_sends_all_in_one_request(keeping):
    """The error's call waits for it, once."""
    one = keeping(use_queues=False)
    for _ in range(20):
        one.logger.debug('kept')
    one.logger.error('wrong')
    assert [len(request) for request in one.client.requests] == [21]


def test_a_full_spool_holds_up_the_error_alone(keeping, monkeypatch):
    """With `overflow='block'` what was kept stands in line before the error, whose call waits for room, once."""
    client = BlockingClient()
    one = keeping(
        client=client, overflow='block', max_in_flight=1, max_spool_bytes=1 << 17, block_timeout_seconds=0
    )
    for number in range(20):
        one.logger.debug('kept %d %s', number, 'x' * 2000)
    while not one.target.stats().dropped:
        one.logger.info('x' * 1000)
    spool, in_line = one.target._pipeline.spool, []
    spool._block_timeout_seconds = DEADLINE_SECONDS
    join = spool._room.join

    def wait_for_room():
        if (
            threading.current_thread() is threading.main_thread()
        ):  # not the delivery thread, which looks after it as well
            in_line.append(sum(not waiting.settled for waiting in spool._aside))
        if len(in_line) > 20:
            client.release()
        return join()

    monkeypatch.setattr(spool._room, 'join', wait_for_room)
    one.logger.error('wrong')
    assert in_line[:21] == [*range(1, 22)]
    assert [message[:7].strip() for message in one.messages()[-21:]] == [
        *(f'kept {number}' for number in range(20)),
        'wrong',
    ]


def test_a_closed_handler_forgets_and_may_be_used_again(keeping):
    """The target is open still, and opens by itself if it is not."""
    one = keeping()
    one.logger.debug('forgotten')
    one.handler.close()
    one.logger.error('wrong')
    assert one.handler.stats() == (0, 0, 1)
    one.logger.debug('kept')
    one.target.close()
    one.logger.error('wrong again')
    assert one.messages() == ['wrong', 'kept', 'wrong again']


def test_a_target_that_sends_nothing_counts_what_it_is_given(make_handler, make_logger, monkeypatch):
    """As it does with all events."""
    monkeypatch.setenv('FIREFIGHTER_DISABLED', '1')
    target = make_handler('bar')
    logger = make_logger(KeepUntilErrorHandler(target))
    logger.debug('kept')
    logger.error('wrong')
    stats = target.stats()
    assert (stats.accepted, stats.pending, stats.dropped) == (2, 0, {DropReason.DISABLED: 2})


def test_a_call_from_within_is_put_off(keeping, monkeypatch):
    """A signal handler or a destructor that logs, or closes a handler, while its own thread is in the keeper."""
    one, closed = keeping(), keeping()
    closed.logger.debug('forgotten')
    keeper = keep_until_error._keeper()
    add = keeper._add

    def interrupted(ring, line):
        monkeypatch.setattr(keeper, '_add', add)
        one.logger.debug('within')
        one.logger.error('wrong within')
        closed.handler.close()
        add(ring, line)

    monkeypatch.setattr(keeper, '_add', interrupted)
    one.logger.debug('kept')
    assert closed.handler.stats() == (0, 0, 1)
    one.logger.error('wrong')
    assert one.messages() == ['wrong within', 'kept', 'within', 'wrong']


@pytest.mark.parametrize('level', ['DEBUG', None, 'missing'])
def test_a_record_without_a_level_passes(keeping, level):
    """What makes no sense here is the target's to make sense of."""
    one = keeping()
    record = logging.makeLogRecord({'msg': 'Ahoy', 'levelno': level})
    if level == 'missing':
        del record.levelno
    one.handler.handle(record)
    assert one.messages() == ['Ahoy']


def test_an_exit_within_a_message_reaches_the_caller_and_is_counted(keeping):
    """As with the target alone."""
    one = keeping()

    class Exits:
        def __str__(self):
            raise SystemExit(3)

    with pytest.raises(SystemExit):
        one.logger.debug('%s', Exits())
    assert one.target.stats().dropped == {DropReason.FAILED: 1}


def test_what_could_not_be_handed_over_is_counted_as_forgotten(keeping, monkeypatch):
    """Whatever has interrupted it."""
    one = keeping()
    for _ in range(3):
        one.logger.debug('kept')

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(one.target._pipeline.spool), 'set_aside', interrupted)
    with pytest.raises(KeyboardInterrupt):
        one.logger.error('wrong')
    assert one.handler.stats() == (0, 0, 3)


CONFIGURATION = {
    'version': 1,
    'disable_existing_loggers': False,
    'loggers': {'shop': {'handlers': ['keep'], 'propagate': False, 'level': 'DEBUG'}},
}


@pytest.mark.parametrize(
    ('name', 'keep'),
    [
        ('firehose', {'class': 'firefighter.logging.KeepUntilErrorHandler', 'target': 'firehose'}),
        ('made last', {'class': 'firefighter.logging.KeepUntilErrorHandler', 'target': 'made last'}),
        (
            'firehose',
            {'()': 'firefighter.logging.KeepUntilErrorHandler', 'target': 'cfg://handlers.firehose'},
        ),
        ('firehose', {'()': 'firefighter.logging.KeepUntilErrorHandler', 'target': 'firehose'}),
    ],
    ids=['name', 'any order', 'reference', 'factory'],
)
def test_dictconfig_makes_it(make_handler, name, keep):
    """By the target's name, whichever of the two comes first; where it is a factory, after it."""
    client = AcceptingClient()
    handlers = {
        name: {'()': make_handler, 'delivery_stream_name': 'bar', 'boto3_client': client, 'level': 'INFO'},
        'keep': {**keep, 'below': 'WARNING', 'events': 1, 'level': 'DEBUG'},
    }
    logging.config.dictConfig(CONFIGURATION | {'handlers': handlers})
    logger = logging.getLogger('shop')
    (handler,) = logger.handlers
    logger.info('forgotten')
    logger.debug('kept')
    logger.error('wrong')
    logger.removeHandler(handler)
    assert handler.flush()
    assert [json.loads(event)['message'] for event in client.events][1:] == ['kept', 'wrong']


@pytest.mark.parametrize(
    ('arguments', 'error', 'words'),
    [
        (
            {'target': logging.NullHandler()},
            TypeError,
            'target must be a FirehoseHandler, or its name, not <NullHandler',
        ),
        ({'target': None}, TypeError, 'target must be a FirehoseHandler, or its name, not None'),
        ({'target': 'nobody'}, ValueError, "there is no handler called 'nobody'"),
        ({'below': 'WARN ING'}, ValueError, "below cannot be 'WARN ING'; did you mean 'WARNING'?"),
        ({'below': 'NOPE'}, ValueError, "below cannot be 'NOPE'; there are CRITICAL, "),
        ({'below': 'CRITICAL'}, ValueError, "ERROR at most, such as 'INFO', not 'CRITICAL'"),
        (
            {'below': 0},
            ValueError,
            "below must be a level above NOTSET, and ERROR at most, such as 'INFO', not 0",
        ),
        (
            {'below': 1.5},
            TypeError,
            "below must be the name of a level, such as 'INFO', or its number, not 1.5",
        ),
        ({'events': 0}, ValueError, 'events must be above 0, such as 200, not 0'),
        ({'events': '200'}, TypeError, "events must be a whole number, such as 200, not '200'"),
        ({'events': 2.5}, TypeError, 'events must be a whole number, such as 200, not 2.5'),
        ({'events': True}, TypeError, 'events must be a whole number, such as 200, not True'),
    ],
)
def test_what_makes_no_sense_is_refused(make_handler, arguments, error, words):
    """With what to write instead."""
    target = make_handler('bar', boto3_client=AcceptingClient())
    with pytest.raises(error, match=re.escape(words)):
        KeepUntilErrorHandler(**{'target': target} | arguments)


@pytest.mark.parametrize('method', ['emit', 'handle'])
def test_a_target_with_its_own_way_of_logging_is_refused(make_handler, method):
    """What is kept would not pass it."""
    kind = type('Counting', (FirehoseHandler,), {method: lambda self, record: None})
    target = make_handler('bar', boto3_client=AcceptingClient(), kind=kind)
    with pytest.raises(TypeError, match='target cannot be a Counting, which has an `emit` or `handle`'):
        KeepUntilErrorHandler(target)


def test_the_target_stays(keeping):
    """What is kept is encoded for it."""
    one = keeping()
    with pytest.raises(TypeError, match='make another KeepUntilErrorHandler'):
        one.handler.setTarget(one.target)


def test_a_handler_that_the_program_forgets_is_let_go_with_its_target():
    """Though a context lives on that has kept something."""
    target = FirehoseHandler('bar', boto3_client=AcceptingClient())
    handler = KeepUntilErrorHandler(target)
    handler.handle(logging.makeLogRecord({'levelno': logging.DEBUG}))
    gone = weakref.ref(handler), weakref.ref(target)
    del handler, target
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


PROGRAM = """
import logging, os, sys
sys.path[:0] = PATH
from doubles import AcceptingClient
from firefighter.logging import FirehoseHandler, KeepUntilErrorHandler, LimitFilter

client = AcceptingClient()
handler = KeepUntilErrorHandler(FirehoseHandler('bar', boto3_client=client))
logger = logging.getLogger('shop')
logger.setLevel(logging.DEBUG)
logger.addHandler(handler)
logger.debug('of the parent')
child = os.fork()
if child == 0:
    print('child', handler.stats(), flush=True)
    logger.debug('of the child')
if child == 0 or os.waitpid(child, 0):
    logger.error('wrong')
    handler.flush()
    print('child' if child == 0 else 'parent', *(event.split(b'"message":')[1] for event in client.events), flush=True)
    logger.debug('forgotten at exit')
"""


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='there are no forks on Windows')
def test_a_forked_child_begins_with_nothing():
    """What its parent keeps is the parent's. And nothing is said at exit of what is forgotten."""
    program = PROGRAM.replace('PATH', repr([path for path in sys.path if path.endswith('tests')]))
    ended = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', program],
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    assert ended.stderr == ''
    said = [line.replace('\\n', '').replace('}', '') for line in ended.stdout.splitlines()]
    assert said == [
        'child Kept(waiting=0, spooled=0, forgotten=0)',
        """child b'"of the child"' b'"wrong"'""",
        """parent b'"of the parent"' b'"wrong"'""",
    ]


def test_nobody_waits_for_the_keeper_under_loggings_lock(keeping):
    """A reload closes handlers under it, and a destructor in another thread may want it."""
    one = keeping()
    one.logger.debug('kept')
    keeper = keep_until_error._keeper()
    held, go_on, went_on = threading.Event(), threading.Event(), []

    def hold():
        with keeper._lock:
            held.set()
            went_on.append(go_on.wait(DEADLINE_SECONDS))

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(DEADLINE_SECONDS)
    one.handler.close()
    go_on.set()
    thread.join(DEADLINE_SECONDS)
    assert went_on == [True]
    assert one.handler.stats() == (0, 0, 1)


def test_the_current_context_is_what_a_token_refers_to():
    """It has no other name in Python. A Python where this is no longer so shows it here."""
    context = contextvars.copy_context()
    scope = keep_until_error._Scope(is_shared=False)
    assert context.run(keep_until_error._hold, scope) is context
    assert context.run(keep_until_error._hold, scope) is context


def test_a_limit_on_it_reports_when_it_is_closed(keeping):
    """What was held back is not left for the exit."""
    one = keeping()
    one.handler.addFilter(LimitFilter(1))
    for _ in range(3):
        one.logger.info('Ahoy')
    one.handler.close()
    assert one.messages() == ['Ahoy', '2 events were held back: more than 1 a second came from here']
