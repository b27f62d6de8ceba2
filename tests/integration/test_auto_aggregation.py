"""Does a handler with `aggregate='auto'` change its records while it runs, lose nothing, and ask seldom? On a real endpoint."""

from __future__ import annotations

import json
import logging.config
import os
import signal
import subprocess
import threading
from itertools import chain
from time import monotonic

import boto3
import pytest

from arrivals import deliver_everything
from depth import depth
from descriptions import DESCRIPTIONS
from doubles import DEADLINE_SECONDS, AcceptingClient
from firefighter._delivery import auto_aggregation
from firefighter._delivery.auto_aggregation import IN_FORCE_SECONDS
from firefighter.local import LocalFirehose
from firefighter.logging import FirehoseHandler
from programs import ENOUGH_SECONDS, delivered, end_of, program

ROLE = 'arn:aws:iam::123456789012:role/firehose'
SNOWFLAKE = {
    'AccountUrl': 'https://example.snowflakecomputing.com',
    'Database': 'LOGS',
    'Schema': 'PUBLIC',
    'Table': 'EVENTS',
    'RoleARN': ROLE,
    'S3Configuration': {'RoleARN': ROLE, 'BucketARN': 'arn:aws:s3:::logs'},
}
QUESTION = 'DescribeDeliveryStream'
# Begins a program that asks as soon as it may.
AT_ONCE = 'from firefighter._delivery import auto_aggregation; auto_aggregation.SPREAD_SECONDS = 0.0\n'


@pytest.fixture
def endpoint(tmp_path):
    """An endpoint that counts questions, as strikes of a fault that does nothing."""
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as started:
        started.inject('slow', seconds=0, operations=QUESTION)
        yield started


@pytest.fixture
def _asks_at_once(monkeypatch):
    monkeypatch.setattr(auto_aggregation, 'SPREAD_SECONDS', 0.0)


@pytest.fixture
def make(make_handler, make_logger, endpoint, _asks_at_once):
    """Make a handler that asks as soon as it may, and its logger."""

    def make(stream='bar', **options):
        options = {'aggregate': 'auto', 'endpoint_url': endpoint.url, 'max_in_flight': 1, **options}
        handler = make_handler(stream, **options)
        return handler, make_logger(handler)

    return make


class Progress:
    """Logs numbers until a handler has come to what is waited for; each number once."""

    def __init__(self, handler, logger):
        self.handler, self.logger, self.logged = handler, logger, 0

    def log(self, events=1):
        for _ in range(events):
            self.logger.info({'number': self.logged})
            self.logged += 1

    def until(self, condition):
        """Log and flush until it holds."""
        for _ in range(2000):
            self.log()
            assert self.handler.flush()
            if condition():
                return
        raise AssertionError('it never came to that')


def questions(endpoint):
    return endpoint.strikes().get('slow', 0)


def numbers(endpoint):
    return [event['number'] for event in delivered(endpoint)]


@pytest.mark.parametrize('place', ['memory', 'disk'])
def test_it_changes_from_one_event_in_a_record_to_many_while_it_runs(make, endpoint, tmp_path, place, capsys):
    """In order, and none lost; nothing is said."""
    handler, logger = make(spool_dir=tmp_path / 'spool' if place == 'disk' else None)
    progress = Progress(handler, logger)
    progress.log(3)
    assert handler.flush()
    assert handler.stats().records == 3
    assert not handler.stats().aggregates
    progress.until(lambda: handler.stats().aggregates)
    before = handler.stats().records
    progress.log(1000)
    stats = deliver_everything(handler)
    handler.close()
    assert stats.records - before < 100
    assert numbers(endpoint) == list(range(progress.logged))
    assert questions(endpoint) == 1
    assert capsys.readouterr().err == ''


def test_a_destination_that_was_changed_gets_one_event_in_a_record_when_the_hour_is_over(make, endpoint):
    """A stream that was deleted, and made again under its name."""
    handler, logger = make()
    progress = Progress(handler, logger)
    progress.until(lambda: handler.stats().aggregates)
    client = boto3.client('firehose', endpoint_url=endpoint.url)
    client.delete_delivery_stream(DeliveryStreamName='bar')
    client.close()
    endpoint.create_stream('bar', SnowflakeDestinationConfiguration=SNOWFLAKE)
    progress.log(100)
    assert handler.flush()
    assert endpoint.account('bar').records < 10
    handler._pipeline._auto_aggregation._clock = lambda: monotonic() + IN_FORCE_SECONDS
    progress.until(lambda: questions(endpoint) == 2 and not handler.stats().aggregates)
    before = handler.stats()
    progress.log(100)
    stats = deliver_everything(handler)
    handler.close()
    assert stats.records - before.records == stats.delivered - before.delivered == 100


def test_a_destination_that_takes_one_document_gets_one(make, endpoint):
    """The answer is as silent as the question; `stats()` shows which it was."""
    endpoint.create_stream('snow', SnowflakeDestinationConfiguration=SNOWFLAKE)
    handler, logger = make('snow')
    progress = Progress(handler, logger)
    progress.until(lambda: questions(endpoint) and handler._pipeline._auto_aggregation._finding)
    progress.log(100)
    stats = deliver_everything(handler)
    handler.close()
    assert stats.records == stats.delivered == progress.logged
    assert not stats.aggregates


@pytest.mark.parametrize(
    ('fault', 'said'),
    [
        ('access-denied', 'may not ask what the stream takes'),
        ('throttling', ''),
        ('not-json', 'could not ask'),
    ],
)
def test_where_it_gets_no_answer_each_event_is_one_record(make, endpoint, fault, said, capsys):
    """At most one line, and delivery goes on."""
    endpoint.inject(fault, operations=QUESTION)
    handler, logger = make()
    progress = Progress(handler, logger)
    progress.until(lambda: endpoint.strikes().get(fault))
    progress.log(100)
    stats = deliver_everything(handler)
    handler.close()
    assert stats.records == stats.delivered == progress.logged
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == bool(said)
    assert all(said in line for line in lines)
    assert stats.last_error is None


def test_a_question_that_gets_no_answer_delays_neither_batch_nor_flush_nor_close(make, endpoint):
    """Only its thread waits."""
    client_waits = threading.Event()

    class Silent(AcceptingClient):
        def describe_delivery_stream(self, **_):
            asked.set()
            assert client_waits.wait(DEADLINE_SECONDS)
            return {'DeliveryStreamDescription': DESCRIPTIONS['s3']}

    asked, client = threading.Event(), Silent()
    handler, logger = make(boto3_client=client, endpoint_url=None)
    progress = Progress(handler, logger)
    progress.until(asked.is_set)
    progress.log(100)
    stats = deliver_everything(handler)
    handler.close()
    assert stats.delivered == progress.logged == len(client.events)
    # The answer comes when the handler is closed, and to one that is used again.
    client_waits.set()
    progress.until(lambda: handler.stats().aggregates)
    handler.close()
    assert [json.loads(line)['number'] for line in b''.join(client.events).splitlines()] == list(
        range(progress.logged)
    )


@pytest.mark.parametrize('fault', ['no-answer', 'slow:seconds=30', 'dribble:seconds=30'])
def test_a_program_ends_beside_its_question(endpoint, fault):
    """The exit does not wait for the answer, and says nothing of it."""
    name, _, parameters = fault.partition(':')
    endpoint.inject(
        name, operations=QUESTION, **dict(part.split('=') for part in parameters.split(',') if part)
    )
    code = (
        AT_ONCE
        + """
handler.flush()
import time
for number in range(2000):
    logger.info({'number': number})
    handler.flush()
    if any('question' in thread.name for thread in threading.enumerate()):
        break
else:
    sys.exit(3)
logger.info({'number': number + 1})
"""
    )
    ended = end_of(program(code, aggregate='auto'), {'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url})
    assert (ended.returncode, ended.stderr) == (0, '')
    found = numbers(endpoint)
    assert found == list(range(len(found)))


ASKING = (
    AT_ONCE
    + """
for number in range(5000):
    logger.info({'number': number})
    handler.flush()
    if handler.stats().aggregates:
        break
else:
    sys.exit(3)
"""
)


def test_processes_of_one_directory_ask_once(endpoint, tmp_path):
    """The second one knows before its first request."""
    environment = {
        'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url,
        'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool'),
    }
    ended = end_of(program(ASKING, aggregate='auto'), environment)
    assert (ended.returncode, ended.stderr) == (0, '')
    second = (
        AT_ONCE
        + "for number in range(100): logger.info('second')\nhandler.flush(); print(handler.stats().records)"
    )
    for _ in range(2):
        ended = end_of(program(second, aggregate='auto'), environment)
        assert (ended.returncode, ended.stderr) == (0, '')
        assert int(ended.stdout) < 10
    assert questions(endpoint) == 1


def test_a_forked_child_finds_out_for_itself(endpoint, tmp_path):
    """Also one that is forked beside the question; in memory it asks, with a directory it reads."""
    code = (
        ASKING
        + """
child = os.fork()
if not child:
    for number in range(5000):
        logger.info({'child': number})
        handler.flush()
        if handler.stats().aggregates:
            break
    os._exit(0 if handler.stats().aggregates else 4)
assert os.waitpid(child, 0)[1] == 0
"""
    )
    for place, asked in (('', 2), (str(tmp_path / 'spool'), 3)):
        environment = {'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, 'FIREFIGHTER_SPOOL_DIR': place}
        ended = end_of(program(code, aggregate='auto'), environment)
        assert (ended.returncode, ended.stderr) == (0, '')
        assert questions(endpoint) == asked


def test_forks_beside_questions_lose_nothing(endpoint):
    """The thread that asks is not in the child."""
    code = (
        AT_ONCE
        + """
children = []
for number in range(8):
    logger.info({'number': number})
    handler.flush()
    child = os.fork()
    if not child:
        logger.info({'child': number})
        sys.exit()
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
"""
    )
    ended = end_of(program(code, aggregate='auto'), {'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url})
    assert (ended.returncode, ended.stderr) == (0, '')
    events = delivered(endpoint)
    assert [event['number'] for event in events if 'number' in event] == list(range(8))
    assert sorted(event['child'] for event in events if 'child' in event) == list(range(8))


def test_a_kill_at_any_moment_loses_nothing(endpoint, tmp_path):
    """The next process delivers what is left, by what the one before has found, or by one event in a record."""
    environment = {
        'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url,
        'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool'),
    }
    code = (
        AT_ONCE
        + """
import itertools
for number in itertools.count():
    logger.info({'run': RUN, 'number': number})
    os.write(1, b'%d\\n' % number)
    if not number % 7:
        handler._pipeline.lifecycle.start_flush()
"""
    )
    acknowledged = {}
    for run in range(depth(3, 10)):
        command = program(code.replace('RUN', str(run)), aggregate='auto')
        with subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE) as process:
            for _ in range(50 + 300 * run):
                acknowledged[run] = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=ENOUGH_SECONDS)
    ended = end_of(program("handler.flush(); logger.info('last')", aggregate='auto'), environment)
    assert ended.returncode == 0
    events = delivered(endpoint)
    for run, last in acknowledged.items():
        found = {event['number'] for event in events if event.get('run') == run}
        assert set(range(last + 1)) <= found


def test_a_plain_queue_is_not_aggregated(make):
    """`batch_sender` may deliver to any stream, which nobody has asked for."""
    import queue

    client = AcceptingClient()
    handler, _ = make(boto3_client=client, endpoint_url=None)
    handler._pipeline.source.aggregates = True
    events = queue.Queue()
    for item in (b'one', b'two', handler.END):
        events.put(item)
    handler.batch_sender(events, 'foo', 60)
    assert [*chain(*client.requests)] == [b'one\n', b'two\n']


def test_without_a_delivery_thread_it_never_asks(make, endpoint):
    """With `use_queues=False` a call has one event to send, and AWS Lambda freezes what is left behind."""
    handler, logger = make(use_queues=False)
    for number in range(20):
        logger.info({'number': number})
    handler.close()
    assert questions(endpoint) == 0
    assert numbers(endpoint) == list(range(20))


def test_one_that_does_not_have_it_asks_nothing_and_imports_nothing(endpoint):
    """Neither does one event in a record, nor the aggregation that a person has decided on."""
    code = """
logger.info({'number': 1})
handler.flush()
print(*(name for name in sys.modules if 'auto_aggregation' in name or 'finding' in name))
"""
    for aggregate in (False, True):
        ended = end_of(program(code, aggregate=aggregate), {'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url})
        assert (ended.returncode, ended.stderr, ended.stdout.strip()) == (0, '', '')


def test_dict_config_takes_the_word():
    """As JSON and YAML do."""
    config = {
        'class': 'firefighter.logging.FirehoseHandler',
        'delivery_stream_name': 'bar',
        'aggregate': 'auto',
    }
    logging.config.dictConfig(
        {'version': 1, 'handlers': {'firehose': config}, 'root': {'handlers': ['firehose']}}
    )
    (handler,) = logging.getLogger().handlers
    assert handler._options.aggregates_as_found
    logging.getLogger().removeHandler(handler)
    handler.close()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'aggregate': 'Auto'}, r"aggregate must be True, False or 'auto', not 'Auto'"),
        ({'aggregate': None}, r"aggregate must be True, False or 'auto', not None"),
        ({'aggregate': 2}, r"aggregate must be True, False or 'auto', not 2"),
        (
            {'aggregate': 'auto', 'compression': 'gzip'},
            r"aggregate='auto' says nothing beside compression='gzip'",
        ),
    ],
)
def test_what_contradicts_itself_raises(options, message):
    """With what to leave out, or to write."""
    with pytest.raises((TypeError, ValueError), match=message):
        FirehoseHandler('bar', **options)


def test_a_batch_sender_of_ones_own_raises():
    """The handler does not deliver, so it cannot choose."""

    class Own(FirehoseHandler):
        def batch_sender(self, batch_queue, delivery_stream_name, send_interval):
            """Deliver in some other way."""

    with pytest.raises(
        ValueError, match=r"aggregate='auto' is of the handler's own delivery, and Own has a batch_sender"
    ):
        Own('bar', aggregate='auto')
    Own('bar', aggregate=True).close()


def test_bounds_may_be_given_beside_it(make_handler):
    """`max_aggregated_events` and `target_batch_bytes` hold once it aggregates."""
    handler = make_handler('bar', aggregate='auto', max_aggregated_events=7, target_batch_bytes=1000)
    assert handler._rules().max_batch_bytes == handler.MAX_BATCH_SIZE
    handler._pipeline.source.aggregates = True
    assert handler._rules().max_batch_bytes == 1000
