"""Is a loop that logs held to its limit, and is everything accounted for that it held back?"""

from __future__ import annotations

import io
import json
import logging
import logging.config
import os
import pickle
import re
import subprocess
import sys
import threading
from collections import Counter

import pytest

import firefighter.logging
from doubles import AcceptingClient, ManualClock
from firefighter._handler import limit_filter
from firefighter.logging import LimitFilter


@pytest.fixture
def clock(monkeypatch):
    clock = ManualClock()
    monkeypatch.setattr(limit_filter, 'monotonic', clock)
    return clock


class Limited:
    """A handler with a limit, and what it has delivered."""

    def __init__(self, make_handler, make_logger, per_second):
        self.client = AcceptingClient()
        self.handler = make_handler('bar', boto3_client=self.client)
        self.handler.addFilter(LimitFilter(per_second))
        self.logger = make_logger(self.handler)

    def events(self):
        assert self.handler.flush()
        return [json.loads(event) for event in self.client.events]

    def messages(self):
        return [event['message'] for event in self.events()]


@pytest.fixture
def limited(make_handler, make_logger, clock):
    return lambda per_second: Limited(make_handler, make_logger, per_second)


def test_a_seconds_worth_passes_at_once_and_the_rest_is_told_before_the_next(limited, clock):
    """In its place: before the event that passes next, with the source of what was held back."""
    one = limited(3)

    def loop(numbers):
        for number in numbers:
            one.logger.info('event %d', number)

    loop(range(10))
    clock.advance(1)
    loop(range(10, 15))
    said = '7 events were held back: more than 3 a second came from here'
    assert one.messages() == ['event 0', 'event 1', 'event 2', said, 'event 10', 'event 11', 'event 12']
    (report,) = (event for event in one.events() if event['message'] == said)
    assert (report['held_back'], report['level'], report['logger']) == (7, 'INFO', one.logger.name)


def test_at_a_steady_rate_the_limit_is_what_passes(limited, clock):
    """Twenty events a second for ten seconds, of which five may pass."""
    one = limited(5)
    for number in range(200):
        one.logger.info('event %d', number)
        clock.advance(0.05)
    events = one.events()
    passed = [event for event in events if 'held_back' not in event]
    assert 5 * 10 <= len(passed) <= 5 * 10 + 5
    one.handler.close()
    assert len(passed) + sum(event.get('held_back', 0) for event in one.events()) == 200


def test_less_than_one_a_second_is_one_in_so_many_seconds(limited, clock):
    """A limit of 0.1 is an event each ten seconds, the first one at once."""
    one = limited(0.1)
    for _ in range(30):
        one.logger.info('Ahoy')
        clock.advance(1)
    assert one.messages().count('Ahoy') == 3


def test_each_call_site_has_a_limit_of_its_own(limited):
    """A loop holds back nothing but what it logs itself."""
    one = limited(1)
    for _ in range(5):
        one.logger.info('loop')
    one.logger.info('another line')
    assert one.messages() == ['loop', 'another line']


@pytest.mark.usefixtures('clock')
def test_what_is_held_back_at_the_end_is_told_when_the_handler_is_closed(limited):
    """Once, and by the highest level of what was held back."""
    one = limited(1)
    for level in (logging.INFO, logging.ERROR, logging.INFO):
        one.logger.log(level, 'Ahoy')
    for _ in range(2):
        one.handler.close()
    said = [(event['level'], event['message']) for event in one.events()]
    assert said == [
        ('INFO', 'Ahoy'),
        ('ERROR', '2 events were held back: more than 1 a second came from here'),
    ]


def test_on_a_logger_it_holds_for_all_of_its_handlers(make_handler, clock):
    """Also for one of the standard library, which formats the report as it does other records."""
    text, client = io.StringIO(), AcceptingClient()
    handler, other = make_handler('bar', boto3_client=client), logging.StreamHandler(text)
    logger, limit = logging.getLogger('limited for all of its handlers'), LimitFilter(1)
    logger.setLevel(logging.INFO)
    logger.addFilter(limit)
    for each in (handler, other):
        logger.addHandler(each)
    for _ in range(2):
        for _ in range(3):
            logger.info('Ahoy')
        clock.advance(1)
    for each in (handler, other):
        logger.removeHandler(each)
    logger.removeFilter(limit)
    assert handler.flush()
    said = '2 events were held back: more than 1 a second came from here'
    assert text.getvalue().splitlines() == ['Ahoy', said, 'Ahoy']
    assert [json.loads(event)['message'] for event in client.events] == ['Ahoy', said, 'Ahoy']


def test_the_report_is_made_as_the_program_makes_its_records(limited, clock):
    """A formatter or a filter may rely on what the program's own factory adds."""
    one = limited(1)
    usual = logging.getLogRecordFactory()

    def with_request_id(*arguments, **keywords):
        record = usual(*arguments, **keywords)
        record.request_id = 'r1'
        return record

    logging.setLogRecordFactory(with_request_id)
    try:
        for _ in range(2):
            one.logger.info('Ahoy')
        one.handler.close()
    finally:
        logging.setLogRecordFactory(usual)
    assert [event['request_id'] for event in one.events()] == ['r1', 'r1']


def test_nothing_is_uncounted_where_threads_log_and_others_close(limited):
    """What passed and what was reported is all that was logged."""
    one = limited(50)
    interval = sys.getswitchinterval()

    def work():
        for number in range(500):
            one.logger.info('Ahoy')
            if number % 100 == 0:
                limit_filter.monotonic.advance(0.1)
                one.handler.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    try:
        sys.setswitchinterval(1e-6)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    one.handler.close()
    counts = Counter()
    for event in one.events():
        counts['held back' if 'held_back' in event else 'passed'] += event.get('held_back', 1)
    assert counts['passed'] + counts['held back'] == 2000
    assert counts['held back'] > 1000


def test_generated_code_with_any_number_of_lines_takes_bounded_memory(limited, monkeypatch):
    """What is held back by then is told."""
    monkeypatch.setattr(limit_filter, '_MOST_SITES', 10)
    one = limited(1)
    code = 'logger.info("Ahoy")\n' * 3
    for number in range(30):
        exec(compile(code.replace('\n', ';'), f'generated {number}', 'exec'), {'logger': one.logger})
        assert len(one.handler.filters[0]._here._sites) <= 10
    one.handler.close()
    events = one.events()
    assert sum(event.get('held_back', 1) for event in events) == 90


def test_dictconfig_makes_it(clock):
    """By its name, with the limit as an argument."""
    logging.config.dictConfig(
        {
            'version': 1,
            'disable_existing_loggers': False,
            'filters': {'limit': {'()': 'firefighter.logging.LimitFilter', 'events_per_second': 2}},
            'handlers': {
                'text': {
                    'class': 'logging.StreamHandler',
                    'filters': ['limit'],
                    'stream': (text := io.StringIO()),
                }
            },
            'loggers': {'shop': {'handlers': ['text'], 'propagate': False, 'level': 'INFO'}},
        }
    )
    logger = logging.getLogger('shop')
    for _ in range(4):
        logger.info('Ahoy')
    (limit,) = logger.handlers[0].filters
    limit.report_held_back()
    logger.removeHandler(logger.handlers[0])
    assert text.getvalue().splitlines()[2:] == [
        '2 events were held back: more than 2 a second came from here'
    ]


def test_a_copy_has_the_limit_and_nothing_to_report(limited):
    """As spawn makes it for another process."""
    one = limited(1)
    for _ in range(2):
        one.logger.info('Ahoy')
    copy = pickle.loads(pickle.dumps(one.handler.filters[0]))
    assert copy.events_per_second == 1
    assert copy._sites().take_all() == []


PROGRAM = """
import logging, os, sys
from firefighter.logging import LimitFilter
logger = logging.getLogger('shop')
logger.addHandler(logging.StreamHandler(sys.stdout))
logger.addFilter(LimitFilter(1))
for _ in range(3):
    logger.warning('Ahoy')
"""


@pytest.mark.parametrize(
    ('rest', 'said'),
    [
        ('', ['Ahoy', '2 events were held back: more than 1 a second came from here']),
        pytest.param(
            'if os.fork() == 0: sys.exit()\nos.wait()',
            ['Ahoy', '2 events were held back: more than 1 a second came from here'],
            marks=pytest.mark.skipif(not hasattr(os, 'fork'), reason='there are no forks on Windows'),
        ),
    ],
    ids=['exit', 'fork'],
)
def test_what_is_held_back_at_exit_is_told_by_the_process_that_has_held_it_back(rest, said):
    """A forked child reports its own."""
    ended = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', PROGRAM + rest],
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    assert (ended.stdout.splitlines(), ended.stderr) == (said, '')


@pytest.mark.parametrize(
    ('given', 'error', 'words'),
    [
        ('10', TypeError, "events_per_second must be a number, not '10'"),
        (True, TypeError, 'must be a number, not True'),
        (0, ValueError, 'must be above 0 and finite, not 0'),
        (float('nan'), ValueError, 'must be above 0 and finite, not nan'),
        (float('inf'), ValueError, 'must be above 0 and finite, not inf'),
    ],
)
def test_what_is_no_limit_is_refused(given, error, words):
    """With the value that was given."""
    with pytest.raises(error, match=re.escape(words)):
        LimitFilter(given)


def test_the_module_has_nothing_else_to_load():
    """As any module."""
    with pytest.raises(AttributeError, match=r"module 'firefighter\.logging' has no attribute 'Limits'"):
        firefighter.logging.Limits  # noqa: B018


def test_nobody_waits_for_the_delivery_of_each_report(make_handler, make_logger):
    """Without threads each call waits for its event. A close has one deadline, whatever number of places have held back."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, use_queues=False)
    handler.addFilter(LimitFilter(1))
    for line in range(8):
        code = compile('\n' * line + 'for _ in range(3): logger.warning("again")', 'shop.py', 'exec')
        exec(code, {'logger': make_logger(handler)})
    before = len(client.requests)
    handler.close()
    assert len(client.events) == 16
    assert len(client.requests) - before < 8


@pytest.mark.parametrize('stands_in_the_way', ['filter', 'factory'])
def test_a_report_that_the_program_refuses_does_not_raise_into_its_calls(
    make_handler, make_logger, clock, stands_in_the_way
):
    """Its filters and factories may want what its own calls give."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.addFilter(LimitFilter(1))
    logger = make_logger(handler)
    usual = logging.getLogRecordFactory()

    def only_of_our_calls(name, level, path, line, text, arguments, *rest, **keywords):
        if 'held back' in text:
            raise TypeError(text)
        return usual(name, level, path, line, text, arguments, *rest, **keywords)

    if stands_in_the_way == 'filter':
        other = logging.Handler()
        other.emit = lambda record: None
        other.filters = [handler.filters[0], lambda record: record.user]
        logger.addHandler(other)
    else:
        logging.setLogRecordFactory(only_of_our_calls)
    try:
        for number in range(4):
            logger.warning('n %d', number, extra={'user': 'me'})
            clock.advance(2 if number == 2 else 0)
    finally:
        logging.setLogRecordFactory(usual)
    assert handler.flush()
    assert [json.loads(event)['message'] for event in client.events][-1] == 'n 3'


def test_a_handler_of_another_library_reports_after_dictconfig_too(clock):
    """Which empties logging's list of handlers; those on loggers stay there."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(LimitFilter(1))
    logger = logging.getLogger('test_limit_filter.stays')
    logger.addHandler(handler)
    try:
        logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False})
        for number in range(3):
            logger.warning('n %d', number)
            clock.advance(2 if number == 1 else 0)
    finally:
        logger.removeHandler(handler)
    assert len(stream.getvalue().splitlines()) == 3
    assert '1 event was held back' in stream.getvalue()


def test_a_record_without_a_level_passes(make_handler, clock):
    """One that was made by hand."""
    each = LimitFilter(1)
    record = logging.makeLogRecord({'msg': 'by hand'})
    assert [each.filter(record) for _ in range(3)] == [True, True, True]
