"""Is every event of the program's delivered, in whichever thread it was logged, and none of delivery's own?"""

from __future__ import annotations

import logging
import os
import signal
from time import time

import pytest

from firefighter._delivery.logged_by_delivery import Origin, as_request_of_ours, origin_of
from programs import delivered

TASKS, LINES = 200, 2400

ABANDONED_TASKS = """
import asyncio

async def fail(number):
    raise ValueError(number)

async def main():
    for number in range(200):
        task = asyncio.ensure_future(fail(number))
        await asyncio.wait([task])
        cycle = [task]
        cycle.append(cycle)
        del task, cycle
        for line in range(12):
            logging.info('line %d', 12 * number + line)
        # Delivery keeps up with it, so that it is busy all the time.
        deadline = time.monotonic() + 1
        while handler.stats().pending > 50 and time.monotonic() < deadline:
            await asyncio.sleep(0.001)

handler = make()
root = logging.getLogger()
root.setLevel(logging.INFO)
root.addHandler(handler)
asyncio.run(main())
# The collector may be at work on another thread, where what it finds is still to be logged.
until(lambda: gc.collect() * 0 == 0 and handler.stats().accepted >= 200 + 2400)
flushed = handler.flush(25)
tell(flushed=flushed, **account(handler))
"""


def test_what_asyncio_says_of_abandoned_tasks_arrives_beside_all_other_lines(live, endpoint):
    """Tasks that failed, in reference cycles: the collector finds them in whichever thread it runs, ours included."""
    life = live(ABANDONED_TASKS, endpoint.url, send_interval=0.02)
    events = delivered(endpoint)
    messages = [event['message'] for event in events]
    unretrieved = [event for event in events if event['message'].startswith('Task exception was never')]
    assert {f'line {number}' for number in range(LINES)} <= set(messages)
    assert {event['exception']['message'] for event in unretrieved} == {str(n) for n in range(TASKS)}
    assert len(events) == TASKS + LINES
    assert life.figures['flushed']
    assert life.figures['accepted'] == life.figures['delivered'] == TASKS + LINES


# What happens in a thread of ours, while it delivers. botocore calls `in_delivery` for each request, before it is sent.
# Requests may be under way beside each other: each hook has its own number.
IN_DELIVERY = """
import boto3.session, itertools

calls = itertools.count(1)

def hook(**_):
    in_delivery(next(calls))

session = boto3.session.Session()
session.events.register('before-send.firehose', hook)
handler = make(boto3_session=session)
root = logging.getLogger()
root.setLevel(logging.INFO)
root.addHandler(handler)
"""

SHOW_WARNINGS = """
logging.captureWarnings(True)
warnings.simplefilter('always')
warnings.filterwarnings('ignore', 'Boto3 will no longer support Python')
"""

FIVE_REQUESTS = """
for number in range(5):
    prepare(number)
    logging.info('event %d', number)
    handler.flush()
handler.flush()
handler.close()
tell(**account(handler))
"""

DESTRUCTOR = """
class Mortal:
    def __init__(self, number):
        self.number, self.me = number, self

    def __del__(self):
        {}

def prepare(number):
    gc.collect()
    Mortal(number)

def in_delivery(call):
    gc.collect()
"""

KINDS = {
    'a destructor that logs': DESTRUCTOR.format("logging.warning('of another kind %d', self.number)"),
    'a destructor that warns': DESTRUCTOR.format("warnings.warn('of another kind %d' % self.number)"),
    'a warning of the program': """
        def prepare(number):
            pass

        def in_delivery(call):
            if call <= 5:
                warnings.warn('of another kind %d' % (call - 1))
        """,
    'the hook of a library': """
        def prepare(number):
            pass

        def in_delivery(call):
            if call <= 5:
                logging.getLogger('library').warning('of another kind %d', call - 1)
        """,
}


@pytest.mark.parametrize('use_queues', [True, False])
@pytest.mark.parametrize('kind', KINDS)
def test_what_the_program_logs_in_a_thread_that_delivers_arrives(kind, use_queues, live, endpoint):
    """A destructor, a warning, a hook: none of these is caused by delivery, although it runs in the middle of it."""
    life = live(
        (SHOW_WARNINGS, IN_DELIVERY, KINDS[kind], FIVE_REQUESTS),
        endpoint.url,
        send_interval=0.02,
        use_queues=use_queues,
    )
    messages = [event['message'] for event in delivered(endpoint)]
    assert {f'event {number}' for number in range(5)} <= set(messages)
    for number in range(5):
        assert sum(f'of another kind {number}' in message for message in messages) == 1, (number, messages)
    assert len(messages) == 10
    assert life.figures['accepted'] == life.figures['delivered'] == 10
    assert life.figures['requests'] <= 12


@pytest.mark.parametrize('use_queues', [True, False])
def test_what_a_destructor_logs_that_is_collected_together_with_the_closed_handler_arrives(
    use_queues, live, endpoint
):
    """The collector has cleared the weak references of all that it found, those of botocore's client included."""
    live(
        """
        class Mortal:
            def __init__(self, handler):
                self.handler, self.me = handler, self

            def __del__(self):
                self.handler.handle(logging.makeLogRecord({'msg': 'last words'}))

        gc.disable()
        handler = make()
        handler.handle(logging.makeLogRecord({'msg': 'before'}))
        handler.close()
        Mortal(handler)
        del handler
        gc.collect()
        until(lambda: not any(thread.name.startswith('firefighter') for thread in threading.enumerate()), 20)
        """,
        endpoint.url,
        send_interval=0.02,
        use_queues=use_queues,
    )
    assert [event['message'] for event in delivered(endpoint)] == ['before', 'last words']


@pytest.mark.parametrize('use_queues', [True, False])
def test_what_a_signal_handler_logs_in_the_middle_of_a_request_arrives(use_queues, live, endpoint):
    """Without queues it interrupts the very thread that delivers."""
    life = live(
        (
            IN_DELIVERY,
            """
        def in_delivery(call):
            if call <= 5:
                os.kill(os.getpid(), signal.SIGUSR1)

        def prepare(number):
            pass

        signal.signal(signal.SIGUSR1, lambda *_: logging.warning('signal'))
        """,
            FIVE_REQUESTS,
        ),
        endpoint.url,
        send_interval=0.02,
        use_queues=use_queues,
    )
    messages = [event['message'] for event in delivered(endpoint)]
    assert {f'event {number}' for number in range(5)} <= set(messages)
    # Two signals that come before Python looks are one.
    assert messages.count('signal') == life.figures['accepted'] - 5 >= 1
    assert life.figures['accepted'] == life.figures['delivered']
    if not use_queues:
        assert messages.count('signal') == 5


@pytest.mark.parametrize(
    ('hook', 'fault'),
    [('on_drop', {}), ('on_dead_letter', {'containing': 'poison'})],
)
def test_what_a_hook_of_the_handler_logs_arrives(hook, fault, live, endpoint):
    """It runs on the delivery thread, and is the program's all the same."""
    if fault:
        endpoint.inject('invalid-record', **fault)
    life = live(
        f"""
        told = []

        def tell_of(*arguments):
            logger.warning('the hook was called')
            told.append(arguments)  # now that it is counted

        handler = make({hook}=tell_of)
        logger.addHandler(handler)
        logger.info('before')
        logger.info('poison' + {'2000' if hook == 'on_drop' else '1'} * 'x')
        logger.info('after')
        until(lambda: handler.flush() and told)
        handler.flush()
        handler.close()
        tell(calls=len(told), **account(handler))
        """,
        endpoint.url,
        send_interval=0.02,
        oversize='drop',
    )
    messages = [event['message'] for event in delivered(endpoint)]
    assert life.figures['calls'] == 1
    assert sorted(messages) == ['after', 'before', 'the hook was called']
    assert (life.figures['accepted'], life.figures['dropped']) == (4, 1)
    assert life.figures['requests'] <= 12


def test_an_on_drop_that_logs_what_is_dropped_again_feeds_itself_no_faster_than_it_may(live, endpoint):
    """Each call makes the next one necessary: that is the program's own, and must neither spin nor keep it alive."""
    life = live(
        """
        told = []

        def on_drop(reason, events, size_bytes):
            told.append(events)
            logger.warning('x' * 2000)

        handler = make(on_drop=on_drop)
        logger.addHandler(handler)
        logger.info('before')
        logger.info('x' * 2000)
        until(lambda: len(told) >= 2)
        until(lambda: False, 1.5)
        tell(calls=len(told), events=sum(told), requests_meanwhile=handler.stats().requests)
        end_of_main()
        """,
        endpoint.url,
        send_interval=0.2,
        oversize='drop',
    )
    # At least one is dropped, and told of, for what the hook itself logged.
    assert 1 <= life.figures['calls'] <= 12
    assert life.figures['events'] >= 2
    assert life.figures['requests_meanwhile'] <= 12
    assert [event['message'] for event in delivered(endpoint)] == ['before']
    assert life.figures['exit_seconds'] < 10


@pytest.mark.parametrize('use_queues', [True, False])
def test_a_hook_that_logs_at_each_request_feeds_itself_no_faster_than_send_interval(
    use_queues, live, endpoint, seconds
):
    """What is logged in a delivering thread makes no batch due by itself; flush, close and exit come to an end."""
    life = live(
        "def in_delivery(call):\n    logging.getLogger('hook').warning('of the hook %d', call)\n"
        + IN_DELIVERY
        + """
began_at = time.monotonic()
logging.info('event')
until(lambda: False, 1.5)
tell(requests_meanwhile=handler.stats().requests, seconds_meanwhile=time.monotonic() - began_at)
tell(flush_seconds=seconds_of(handler.flush, 5))
tell(close_seconds=seconds_of(handler.close), **account(handler))
tell(seconds=time.monotonic() - began_at)
end_of_main()
""",
        endpoint.url,
        send_interval=0.3,
        use_queues=use_queues,
        shutdown_timeout_seconds=2,
    )
    figures = life.figures
    messages = [event['message'] for event in delivered(endpoint)]
    assert 'event' in messages
    assert 'of the hook 1' in messages
    # By the time that it has really taken: on a busy machine that is longer.
    assert figures['requests_meanwhile'] <= figures['seconds_meanwhile'] / 0.3 + 3
    ending_seconds = figures['seconds'] - figures['seconds_meanwhile']
    assert figures['requests'] <= figures['requests_meanwhile'] + ending_seconds / 0.3 + 10
    assert figures['flush_seconds'] < seconds(2.5)
    assert figures['close_seconds'] < seconds(2.5)
    assert figures['exit_seconds'] < seconds(2.5)
    assert figures['adds_up']


THROUGH = {
    'nothing': 'root.addHandler(handler)\ndef through():\n    pass\n',
    'a QueueListener': """
import logging.handlers, queue

channel = queue.Queue()
root.addHandler(logging.handlers.QueueHandler(channel))
listener = logging.handlers.QueueListener(channel, handler)
listener.start()

def through():
    # All that came before, delivery's own records included, has been given to the handler, and it has come back.
    until(lambda: not channel.unfinished_tasks)
""",
    'a MemoryHandler': """
import logging.handlers

memory = logging.handlers.MemoryHandler(20, target=handler)
root.addHandler(memory)

def through():
    memory.flush()
""",
    'our QueueHandler': """
import logging.handlers, multiprocessing
from firefighter.integrations.queue import QueueHandler

channel = multiprocessing.JoinableQueue()
root.addHandler(QueueHandler(channel))
listener = logging.handlers.QueueListener(channel, handler)
listener.start()
through = channel.join
""",
    "loguru's queue": """
import inspect, loguru
from firefighter.integrations.loguru import sink

class Intercept(logging.Handler):
    # As loguru's own documentation has it.
    def emit(self, record):
        frame, depth = inspect.currentframe(), 0
        while frame and (depth == 0 or frame.f_code.co_filename == logging.__file__):
            frame, depth = frame.f_back, depth + 1
        loguru.logger.opt(depth=depth, exception=record.exc_info).log(record.levelname, record.getMessage())

loguru.logger.remove()
loguru.logger.add(sink(handler), enqueue=True, level=0)
root.addHandler(Intercept())
through = loguru.logger.complete
""",
    "structlog's loggers": """
import structlog
from firefighter.integrations.structlog import EventRenderer, FirehoseLoggerFactory

factory = FirehoseLoggerFactory(handler)

class Forward(logging.Handler):
    def emit(self, record):
        log = structlog.wrap_logger(
            factory(record.name),
            processors=[EventRenderer()],
            wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        )
        log.log(record.levelno, record.getMessage())

root.addHandler(Forward())
def through():
    pass
""",
}


@pytest.mark.parametrize(
    ('way', 'options'),
    [
        ('nothing', {}),
        ('a QueueListener', {}),
        ('a QueueListener', {'use_queues': False}),
        ('a MemoryHandler', {'aggregate': True}),
        ('our QueueHandler', {}),
        ("loguru's queue", {}),
        ("loguru's queue", {'use_queues': False}),
        ("structlog's loggers", {}),
    ],
)
def test_what_botocore_says_of_our_requests_is_no_event_however_it_comes_back(way, options, live, endpoint):
    """The root logger at DEBUG: some sixty records a request. What counts is the thread that made the record."""
    life = live(
        """
handler = make()
root = logging.getLogger()
root.setLevel(logging.DEBUG)
"""
        + THROUGH[way]
        + """
for number in range(25):
    logging.info('event %d', number)
    through()
    handler.flush()
through()
handler.flush()
requests = handler.stats().requests
until(lambda: handler.stats().requests > requests, 0.5)
tell(fed=handler.stats().requests - requests)
root.handlers.clear()
handler.close()
tell(**account(handler))
os._exit(0)
""",
        endpoint.url,
        send_interval=0.02,
        **options,
    )
    messages = [event['message'] for event in delivered(endpoint)]
    assert sorted(messages) == sorted(f'event {n}' for n in range(25))
    assert life.figures['accepted'] == life.figures['delivered'] == 25
    assert life.figures['fed'] == 0
    assert life.figures['suppressed'] > 50


# What botocore says goes into a MemoryHandler before our handler, and what the program logs goes to ours at once.
HELD_BACK = """
import logging.handlers

handler = make()
logger.propagate = False
logger.addHandler(handler)
memory = logging.handlers.MemoryHandler(100_000, flushLevel=logging.CRITICAL, target=handler)
root = logging.getLogger()
root.setLevel(logging.DEBUG)
root.addHandler(memory)

def deliver(requests):
    for number in range(requests):
        logger.info('event %d', number)
        handler.flush()
    root.removeHandler(memory)
"""


@pytest.mark.parametrize('use_queues', [True, False])
def test_what_botocore_says_is_no_event_though_it_comes_back_a_hundred_requests_later(
    use_queues, live, endpoint
):
    """A MemoryHandler may hold thousands of records, and so may the queue of a listener that is slow."""
    life = live(
        (
            HELD_BACK,
            """
            deliver(100)
            held = len(memory.buffer)
            memory.flush()
            handler.flush()
            handler.close()
            tell(held=held, **account(handler))
            """,
        ),
        endpoint.url,
        use_queues=use_queues,
    )
    assert life.figures['held'] == life.figures['suppressed'] > 2000
    messages = [event['message'] for event in delivered(endpoint)]
    assert sorted(messages) == sorted(f'event {n}' for n in range(100))
    assert life.figures['accepted'] == life.figures['delivered'] == 100


def test_a_fork_in_between_makes_no_event_of_what_botocore_said_nor_loses_one_of_the_child(live, endpoint):
    """The child has the records of the parent's requests, and its threads have the numbers of the parent's."""
    life = live(
        (
            HELD_BACK,
            """
            warnings.simplefilter('ignore')  # Python's own, of a fork beside threads
            deliver(3)
            numbers = {thread.ident for thread in delivery_threads()}
            held = len(memory.buffer)
            child = os.fork()
            if not child:
                again = []

                def work():
                    again.append(threading.get_ident() in numbers)
                    record = logging.getLogger('urllib3').makeRecord('urllib3', 10, '', 1, 'of the child', (), None)
                    memory.handle(record)

                threads = [threading.Thread(target=work) for _ in range(10)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                memory.flush()
                handler.flush()
                tell(again=sum(again), child=account(handler))
                os._exit(0)
            os.waitpid(child, 0)
            memory.flush()
            handler.flush()
            handler.close()
            tell(held=held, **account(handler))
            """,
        ),
        endpoint.url,
    )
    messages = [event['message'] for event in delivered(endpoint)]
    assert sorted(messages) == [*[f'event {n}' for n in range(3)], *['of the child'] * 10]
    assert life.figures['held'] == life.figures['suppressed'] == life.figures['child']['suppressed'] > 50
    assert life.figures['child']['accepted'] == life.figures['child']['delivered'] == 10


@pytest.mark.parametrize('use_queues', [True, False])
def test_where_logging_notes_no_threads_what_botocore_says_makes_no_batch_due(use_queues, live, endpoint):
    """Then nobody can tell whose record comes through a queue. It is delivered with the next event, and causes no request."""
    life = live(
        """
logging.logThreads = False
handler = make()
root = logging.getLogger()
root.setLevel(logging.DEBUG)
"""
        + THROUGH['a QueueListener']
        + """
logging.info('event')
through()
handler.flush()
through()
made = handler.stats().requests
until(lambda: handler.stats().requests > made + 1, 2)
requests = handler.stats().requests
logging.getLogger('urllib3').warning('of the program')
through()
root.handlers.clear()
handler.flush()
handler.close()
tell(fed=requests - made, **account(handler))
os._exit(0)
""",
        endpoint.url,
        send_interval=60,
        use_queues=use_queues,
    )
    assert life.figures['fed'] == 0
    messages = [event['message'] for event in delivered(endpoint)]
    assert messages.count('event') == messages.count('of the program') == 1
    assert len(messages) == life.figures['accepted'] == life.figures['delivered'] > 20


OWN_USE = """
class Counting(logging.Handler):
    records = 0

    def emit(self, record):
        if threading.get_ident() == own and record.name.partition('.')[0] in {'botocore', 'boto3', 'urllib3'}:
            self.records += 1

def use_boto3():
    global own
    own = threading.get_ident()
    import boto3
    boto3.client('firehose').list_delivery_streams()
    logging.getLogger('s3transfer').warning('of the program')
    own = None

own = None
counting = Counting()
handler = make()
root = logging.getLogger()
root.setLevel(logging.DEBUG)
root.addHandler(counting)
"""


@pytest.mark.parametrize('way', THROUGH)
def test_what_boto3_says_of_the_programs_own_requests_is_an_event(way, live, endpoint):
    """Its loggers are not ours: a record of theirs that a thread of the program made is an event like any other."""
    life = live(
        OWN_USE
        + THROUGH[way]
        + """
logging.info('before')
through()
handler.flush()
use_boto3()
through()
handler.flush()
worker = threading.Thread(target=use_boto3)
worker.start()
worker.join()
through()
handler.flush()
root.handlers.clear()
handler.flush()
handler.close()
tell(made=counting.records, **account(handler))
os._exit(0)
""",
        endpoint.url,
        send_interval=0.02,
    )
    events = delivered(endpoint)
    theirs = [e for e in events if e['logger'].partition('.')[0] in {'botocore', 'boto3', 'urllib3'}]
    assert len(theirs) == life.figures['made'] > 20
    assert [event['message'] for event in events].count('of the program') == 2
    assert len(events) == life.figures['accepted'] == life.figures['delivered']


@pytest.mark.parametrize('way', THROUGH)
def test_a_thread_of_the_programs_with_the_number_of_one_of_ours_that_has_ended_is_not_taken_for_it(
    way, live, endpoint
):
    """The system gives a thread's number again as soon as that one has ended, and a record has only the number."""
    life = live(
        OWN_USE
        + THROUGH[way]
        + """
logging.info('before')
through()
handler.flush()
numbers = {thread.ident for thread in delivery_threads()}
handler.close()
until(lambda: not delivery_threads())
again = []

def work():
    if threading.get_ident() in numbers:
        again.append(threading.get_ident())
        logging.getLogger('urllib3').warning('of the program')

threads = [threading.Thread(target=work) for _ in range(10)]
for thread in threads:
    thread.start()
    thread.join()
through()
root.handlers.clear()
handler.flush()
handler.close()
tell(again=len(again), **account(handler))
os._exit(0)
""",
        endpoint.url,
        send_interval=0.02,
    )
    if not life.figures['again']:
        pytest.skip('the system gave no number again')
    messages = [event['message'] for event in delivered(endpoint)]
    assert messages.count('of the program') == life.figures['again']


def test_a_signal_of_the_parent_during_a_slow_synchronous_request_is_an_event(begin, endpoint):
    """The call waits for the answer of a slow endpoint; what the signal's handler logs meanwhile arrives, too."""
    endpoint.inject('slow', seconds=1, times=1)
    life = begin(
        """
        signalled = []

        def on_signal(*_):
            logger.warning('signal')
            signalled.append(True)

        signal.signal(signal.SIGUSR1, on_signal)
        handler = make()
        logger.addHandler(handler)

        def when_under_way():
            until(lambda: handler.stats().requests)
            tell(under_way=True)

        threading.Thread(target=when_under_way).start()
        logger.info('slow')
        until(lambda: signalled)  # where the parent is slower than the endpoint
        logger.info('last')
        handler.flush()
        tell(**account(handler))
        """,
        endpoint.url,
        use_queues=False,
    )
    assert life.hear('under_way')
    life.process.send_signal(signal.SIGUSR1)
    figures = life.end()
    assert sorted(event['message'] for event in delivered(endpoint)) == ['last', 'signal', 'slow']
    assert figures['accepted'] == figures['delivered'] == 3


def test_what_a_thread_logs_half_a_millisecond_after_a_request_is_not_caused_by_it():
    """The thread of a request has ended by then, and one of the program's may have its number."""
    record = logging.makeLogRecord({'name': 'urllib3', 'msg': 'of the program'})
    as_request_of_ours(lambda: None)()
    record.created = time() + 0.0005
    assert origin_of(record) is Origin.PROGRAM


@pytest.mark.parametrize(
    ('name', 'others', 'origin'),
    [
        ('urllib3.connectionpool', {}, Origin.DELIVERY),
        ('ddtrace._trace.tracer', {}, Origin.DELIVERY),
        ('shop', {}, Origin.PROGRAM),
        ('urllib3.connectionpool', {'process': os.getpid() + 1}, Origin.PROGRAM),
        ('urllib3.connectionpool', {'thread': 1}, Origin.PROGRAM),
    ],
)
def test_a_record_of_a_request_is_of_a_library_below_it_and_of_its_process_and_thread(name, others, origin):
    """All three together, and the time. A library that traces us is below it as well."""
    records = []
    as_request_of_ours(lambda: records.append(logging.makeLogRecord({'name': name})))()
    (record,) = records
    record.__dict__ |= others
    assert origin_of(record) is origin


def test_a_request_within_another_one_changes_nothing_for_that():
    """A signal handler interrupts a request in a thread of the program's, and logs to another handler that delivers there."""
    records = []

    @as_request_of_ours
    def request():
        records.append(logging.makeLogRecord({'name': 'urllib3', 'msg': 'before'}))
        as_request_of_ours(lambda: None)()
        records.append(logging.makeLogRecord({'name': 'urllib3', 'msg': 'after'}))

    request()
    assert [origin_of(record) for record in records] == [Origin.DELIVERY] * 2
