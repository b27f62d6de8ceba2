"""What becomes of what structlog logs straight into the spool? The same event as through logging, by fewer steps."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import inspect
import logging
import os
import pickle
import sys
import threading
from contextvars import ContextVar

import orjson
import pytest

from doubles import DEADLINE_SECONDS, AcceptingClient
from firefighter._delivery.logged_by_delivery import threads_of_ours
from firefighter.formatting import JSONFormatter
from firefighter.logging import FirehoseHandler, KeepUntilErrorHandler, LimitFilter
from firefighter.stats import DropReason

structlog = pytest.importorskip('structlog')

from firefighter.integrations.structlog import EventRenderer, FirehoseLoggerFactory  # noqa: E402  # needs it

FILTERING = structlog.make_filtering_bound_logger(logging.NOTSET)
STDLIB = structlog.stdlib.BoundLogger
WRAPPERS = [FILTERING, STDLIB, structlog.BoundLogger]


def make_log(logger, *processors, wrapper=FILTERING, last=None):
    """Return structlog's logger around one of ours, or of logging's."""
    return structlog.wrap_logger(
        logger,
        processors=[*processors, last or EventRenderer()],
        wrapper_class=wrapper,
        cache_logger_on_first_use=True,
    )


class Arrivals:
    """A handler, and what arrives of what is logged."""

    def __init__(self, make_handler, **options):
        self.client = AcceptingClient()
        self.handler = make_handler('bar', boto3_client=self.client, **options)
        self.factory = FirehoseLoggerFactory(self.handler)

    def log(self, *processors, name='shop', **options):
        return make_log(self.factory(name), *processors, **options)

    def events(self):
        """Return the events so far, once their account adds up."""
        assert self.handler.flush()
        stats = self.handler.stats()
        assert stats.pending == 0
        assert (
            stats.accepted
            == stats.delivered + sum(stats.dropped.values())
            == len(self.client.events) + sum(stats.dropped.values())
        )
        return [orjson.loads(event) for event in self.client.events]

    def event(self):
        (event,) = self.events()
        return event


@pytest.fixture
def arrive(make_handler):
    return lambda **options: Arrivals(make_handler, **options)


@pytest.fixture(autouse=True)
def configuration():
    """Leave structlog as it was. A thread in which an earlier test has made a request gets a record for each of its events."""
    threads_of_ours.discard(threading.get_ident())
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


# The event.


@pytest.mark.parametrize('wrapper', WRAPPERS)
@pytest.mark.parametrize('options', [{}, {'fields': {'service': 'api'}}, {'event_ids': True}])
def test_an_event_has_the_shape_of_one_that_comes_through_logging_without_a_record(
    wrapper, options, arrive, monkeypatch
):
    """Time, level, logger and message, then what was bound and passed, in that order. Only the first call opens the handler."""
    told = arrive(**options)
    log = told.log(
        structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, wrapper=wrapper
    ).bind(user='ada')
    log.info('first')
    with monkeypatch.context() as patched:
        patched.setattr(logging, 'LogRecord', None)
        structlog.contextvars.bind_contextvars(request=b'x')
        log.warning('sails', order=1, path=[1, {'a': None}])
    event = told.events()[1]
    names = ['timestamp', 'level', 'logger', 'message', *options.get('fields', {})]
    ids = ['producer', 'sequence'] if 'event_ids' in options else []
    assert {*event} == {*names, 'request', 'user', 'order', 'path', *ids}
    assert list(event)[: len(names)] == names
    assert event['timestamp'].endswith('Z')
    told = [event[name] for name in ('level', 'logger', 'message', 'user', 'request', 'order', 'path')]
    assert told == ['WARNING', 'shop', 'sails', 'ada', 'x', 1, [1, {'a': None}]]
    assert event.get('sequence', 1) == 1


LEVELS = {
    'debug': 'DEBUG',
    'info': 'INFO',
    'msg': 'INFO',
    'warning': 'WARNING',
    'warn': 'WARNING',
    'error': 'ERROR',
    'exception': 'ERROR',
    'critical': 'CRITICAL',
    'fatal': 'CRITICAL',
}


@pytest.mark.parametrize('wrapper', WRAPPERS)
@pytest.mark.parametrize('processors', [[], [structlog.processors.add_log_level]])
def test_the_level_is_that_of_the_method(wrapper, processors, arrive):
    """By the name that logging has for it, whether structlog adds one or not."""
    told = arrive()
    log = told.log(*processors, wrapper=wrapper)
    # structlog's own class for the standard library has no `msg`.
    methods = [name for name in LEVELS if hasattr(wrapper, name) or wrapper is structlog.BoundLogger]
    for name in methods:
        getattr(log, name)(name)
    levels = dict(LEVELS)
    if wrapper is FILTERING and FILTERING.fatal is FILTERING.error:
        levels['fatal'] = 'ERROR'  # before structlog 24.2
    assert [(event['message'], event['level']) for event in told.events()] == [
        (name, levels[name]) for name in methods
    ]


def test_what_the_event_has_of_its_own_may_be_replaced_as_by_any_dict(arrive):
    """A level, a time or a logger of structlog's; what finds `message` taken is under `extra`."""
    told = arrive()
    log = told.log()
    log.info('Ahoy', level='audit', timestamp=1, logger='mine')
    log.info('Ahoy', level='INFO', message='mine', extra=2)
    first, second = told.events()
    assert first == {'timestamp': 1, 'level': 'audit', 'logger': 'mine', 'message': 'Ahoy'}
    assert (second['level'], second['message']) == ('INFO', 'Ahoy')
    assert second['extra'] == {'message': 'mine', 'extra': 2}


def test_renamed_levels_have_their_names(arrive, monkeypatch):
    """Those that logging has when the factory is made; for that no record is needed."""
    monkeypatch.setitem(logging._levelToName, logging.INFO, 'Info')
    told = arrive()
    log = told.log(structlog.processors.add_log_level)
    log.info('first')
    with monkeypatch.context() as patched:
        patched.setattr(logging, 'LogRecord', None)
        log.info('second')
    assert [event['level'] for event in told.events()] == ['Info', 'Info']


@pytest.mark.parametrize('wrapper', WRAPPERS)
@pytest.mark.parametrize('how', ['exception', 'True', 'the error', 'its info', 'rendered'])
def test_an_exception_is_as_those_of_logging(how, wrapper, arrive):
    """It has its type, message and traceback, whichever way it was passed, and is there once."""
    told = arrive()
    processors = [structlog.processors.format_exc_info] if how == 'rendered' else []
    log = told.log(*processors, wrapper=wrapper)
    log.info('before')
    try:
        raise LookupError('no such ship') from None
    except LookupError as error:
        if how in {'exception', 'rendered'}:
            log.exception('lost', order=b'1')
        elif how == 'True':
            log.error('lost', order=b'1', exc_info=True)  # noqa: G201  # what is tested
        else:
            info = error if how == 'the error' else (type(error), error, error.__traceback__)
            log.error('lost', order=b'1', exc_info=info)  # noqa: TRY400  # what is tested
    before, event = told.events()
    assert 'exception' not in before
    assert event['exception']['traceback'].startswith('Traceback (most recent call last):\n')
    assert event['exception']['traceback'].endswith('\nLookupError: no such ship')
    if how != 'rendered':
        assert (event['exception']['type'], event['exception']['message']) == ('LookupError', 'no such ship')
    assert (event['order'], event['level'], str(event).count('Traceback')) == ('1', 'ERROR', 1)
    assert 'exc_info' not in str(event)


@pytest.mark.parametrize('value', [True, False, None])
def test_without_an_exception_there_is_none(value, arrive):
    """Nor a word of it."""
    told = arrive()
    log = told.log()
    # In a thread of its own: on 3.14 tests that interrupt at bytecodes leave an exception that counts as being handled in theirs.
    thread = threading.Thread(target=log.error, args=('lost',), kwargs={'exc_info': value})
    thread.start()
    thread.join()
    assert list(told.event()) == ['timestamp', 'level', 'logger', 'message']


def test_a_stack_is_the_one_that_structlog_has_rendered(arrive):
    """By its own processor."""
    told = arrive()
    told.log(structlog.processors.StackInfoRenderer()).info('here', stack_info=True)
    assert told.event()['stack'].startswith('Stack (most recent call last):\n')


@pytest.mark.parametrize('event', [5, ['a'], {'a': 1}, b'x'])
def test_what_is_no_text_becomes_one(event, arrive):
    """As the message of any event."""
    told = arrive()
    told.log().info(event, order=1)
    assert told.event()['message'] in {str(event), 'x'}


def test_without_an_event_there_is_no_message(arrive):
    """As in a dict without one."""
    told = arrive()
    told.log(wrapper=STDLIB).info(order=1)
    assert list(told.event()) == ['timestamp', 'level', 'logger', 'order']


class Odd:
    def __str__(self):
        raise ValueError('odd')


class Exiting:
    def __str__(self):
        raise SystemExit(3)


def test_values_that_cannot_be_encoded_are_as_in_any_event(arrive):
    """Each by itself; nothing is lost, and nothing raises. Nor do keys that are no text, which a processor may add."""
    told = arrive()
    cycle: list[object] = []
    cycle.append(cycle)
    log = told.log(lambda _, __, event: {**event, 5: 1, b'x': 2})
    for _ in range(2):
        log.info(
            'odd\ud800\0\x1a\n', odd=Odd(), cycle=cycle, large=2**70, nan=float('nan'), type=int, frozen={1}
        )
    for event in told.events():
        del event['timestamp']
        assert event == {
            'level': 'INFO',
            'logger': 'shop',
            'message': 'odd\\ud800\0\x1a\n',
            'odd': f'<unprintable {__name__}.Odd: ValueError>',
            'cycle': ['<cycle>'],
            'large': str(2**70),
            'nan': None,
            'type': "<class 'int'>",
            'frozen': [1],
            '5': 1,
            'x': 2,
        }


def test_the_objects_of_the_program_are_not_changed(arrive):
    """Nor is what its processors hand on."""
    told = arrive()
    handed_on = {'event': 'Ahoy', 'level': 'info', 'exc_info': None, 'nested': {'a': [Odd]}}
    before = copy.deepcopy(handed_on)
    log = told.log(lambda *_: handed_on)
    log.info('first')
    log.exception('second')  # noqa: LOG004  # none is handled
    assert handed_on == before
    assert len(told.events()) == 2


@pytest.mark.parametrize('opened', [False, True])
def test_what_a_value_raises_to_end_the_program_passes_and_is_counted(opened, arrive):
    """As in `emit`."""
    told = arrive()
    log = told.log()
    if opened:
        log.info('Ahoy')
    with pytest.raises(SystemExit):
        log.info('exit', value=Exiting())
    told.events()
    assert told.handler.stats().dropped == {DropReason.FAILED: 1}


# The handler's options.


def log_by_record(handler, event_dict):
    """Log a dict by structlog's own way through logging."""
    attributes = {'name': 'shop', 'levelno': 20, 'levelname': 'INFO', 'msg': event_dict}
    attributes |= {'pathname': __file__, 'lineno': 1, 'funcName': 'log_twice'}
    handler.handle(logging.makeLogRecord(attributes | {'_logger': None, '_name': 'info'}))


OPTIONS = {
    'fields': {'service': 'shop', 'tags': [1]},
    'include': ['host', 'pid', 'process', 'thread', 'source'],
    'protect_fields': True,
    'leave_out': ['order'],
    'ignore_case': True,
    'context': [ContextVar('request', default='5f2b'), ContextVar('order', default='taken'), 'firefighter'],
    'redact': ['order', 'a'],
    'layout': 'ecs',
}


def test_each_option_of_the_formatter_has_an_example_here():
    """So a new one is tried with structlog, too."""
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = inspect.signature(JSONFormatter.__init__).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind not in kinds]
    assert known[1:] == list(OPTIONS)


@pytest.mark.parametrize('event_ids', [False, True])
@pytest.mark.parametrize(
    'names',
    [
        [],
        *([name] for name in OPTIONS),
        ['fields', 'include', 'protect_fields'],
        ['context', 'protect_fields'],
    ],
)
def test_each_option_of_the_formatter_has_the_effect_that_it_has_through_logging(names, event_ids, arrive):
    """Whether the handler has it or a formatter that is set later, and whether the event is a usual one or not."""
    options = {name: OPTIONS[name] for name in names}
    usual = {'event': 'Ahoy', 'order': 1, 'Order': 2, 'pid': 3, 'nested': [{'a': 1, 'A': Odd}]}
    for set_later in [False, True]:
        if not set_later and {'leave_out', 'ignore_case', 'context', 'redact', 'layout'} & {*names}:
            continue  # these are the formatter's alone
        both = []
        for log in (log_twice, lambda told, given: [log_by_record(told.handler, given) for _ in 'ab']):
            told = arrive(event_ids=event_ids, **({} if set_later else options))
            if set_later:
                told.log().info('before')
                told.handler.setFormatter(JSONFormatter(**options))
            for given in (usual, usual | {'sequence': 4}, usual | {'sequence': 4, 'message': 5}):
                log(told, given)
            both.append(told.events()[int(set_later) :])
        for number, event in enumerate(both[0] + both[1]):
            del event['@timestamp' if 'layout' in names else 'timestamp']
            if event_ids:
                assert len(event.pop('producer')) == 32
                assert event.pop('sequence') == number % 6 + set_later
            if 'include' in names:
                assert event['source'].pop('line') > 0
        assert both[0] == both[1]
        assert [list(event) for event in both[0]] == [list(event) for event in both[1]]


def log_twice(told, given):
    """The first event opens the handler."""
    log = told.log(lambda *_: given)
    log.info('first')
    log.info('second')


def test_with_another_formatter_of_ours_no_record_is_made_either(arrive, monkeypatch):
    """But for the first event."""
    told = arrive()
    log = told.log()
    log.info('first')
    told.handler.setFormatter(JSONFormatter(fields={'service': 'shop'}))
    log.info('second')
    with monkeypatch.context() as patched:
        patched.setattr(logging, 'LogRecord', None)
        log.info('third')
    assert [event.get('service') for event in told.events()] == [None, 'shop', 'shop']


@pytest.mark.parametrize('policy', ['keep', 'truncate', 'drop'])
def test_the_policy_for_long_events_counts(policy, arrive):
    """With its numbers."""
    told = arrive(oversize=policy)
    log = told.log()
    log.info('first')
    log.info('x' * 2000)
    messages = [len(event['message']) for event in told.events()[1:]]
    stats = told.handler.stats()
    assert (stats.oversize, stats.truncated) == (1, int(policy == 'truncate'))
    assert stats.dropped == ({DropReason.OVERSIZE: 1} if policy == 'drop' else {})
    assert len(messages) == (policy != 'drop')
    assert all((length < 2000) is (policy == 'truncate') for length in messages)


def test_more_than_firehose_takes_is_truncated(arrive):
    """By the handler's own limits, which may be an instance's."""
    told = arrive()
    log = told.log()
    log.info('first')
    log.info('x' * 1_100_000)
    told.handler.MAX_RECORD_SIZE = 200
    log.info('x' * 300)
    assert [len(line) <= 1_024_000 for line in told.client.events or [b'']] == [True] * (
        len(told.client.events) or 1
    )
    assert [event['truncated']['original_bytes'] > 300 for event in told.events()[1:]] == [True, True]
    assert len(told.client.events[2]) <= 200


def test_the_handlers_level_counts(arrive):
    """As it is when the call is made."""
    told = arrive(level='WARNING')
    log = told.log()
    log.info('low')
    log.warning('high')
    told.handler.setLevel(logging.DEBUG)
    log.debug('now')
    assert [event['message'] for event in told.events()] == ['high', 'now']


def test_the_handlers_filters_count(arrive):
    """They get a record, with the place of the call; what they refuse is no event, and what they add is in the event."""
    told = arrive()
    log = told.log()
    log.info('before')
    records = []

    def judge(record):
        records.append(record)
        record.added = 1
        return 'secret' not in record.msg['event']

    told.handler.addFilter(judge)
    log.info('a secret', order=1)
    log.info('open', order=2)
    told.handler.removeFilter(judge)
    log.info('after')
    assert [(event['message'], event.get('added')) for event in told.events()] == [
        ('before', None),
        ('open', 1),
        ('after', None),
    ]
    assert {(record.name, record.levelno, record.pathname, record.module) for record in records} == {
        ('shop', 20, __file__, 'test_structlog')
    }
    assert records[0].lineno + 1 == records[1].lineno


def test_a_loop_that_logs_can_be_limited(arrive):
    """By the line of the program, not of structlog."""
    told = arrive()
    log = told.log()
    told.handler.addFilter(LimitFilter(events_per_second=0.001))
    for number in range(10):
        log.info('loop', number=number)
    log.info('elsewhere')
    told.handler.close()
    (first, second, report) = told.events()
    assert (first['message'], second['message'], report['held_back']) == ('loop', 'elsewhere', 9)


def test_a_formatter_of_the_programs_gets_what_it_gets_through_logging(arrive):
    """Structlog's own, for example; its lines go as they are."""
    told = arrive()
    log = told.log(structlog.processors.add_log_level)
    log.info('first')
    rendered = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.stdlib.add_logger_name,
            structlog.processors.JSONRenderer(),
        ]
    )
    told.handler.setFormatter(rendered)
    log.info('second', order=1)
    assert told.events()[1] == {'event': 'second', 'order': 1, 'logger': 'shop'}


def test_an_emit_of_a_subclass_is_called(arrive):
    """It gets records, as from logging."""
    seen = []

    class Own(FirehoseHandler):
        def emit(self, record, *args):
            seen.append(record.msg['event'])
            super().emit(record, *args)

    told = arrive(kind=Own)
    log = told.log()
    log.info('first')
    log.info('second')
    assert [event['message'] for event in told.events()] == seen == ['first', 'second']


def test_a_call_is_delivered_before_it_returns_where_that_is_so(arrive):
    """With `use_queues=False`."""
    told = arrive(use_queues=False, sync_timeout_seconds=DEADLINE_SECONDS)
    log = told.log()
    for number in range(3):
        log.info('now', number=number)
        assert len(told.client.events) == number + 1


@pytest.mark.parametrize('environment', ['FIREFIGHTER_DISABLED', None])
@pytest.mark.filterwarnings('ignore:no delivery stream')
def test_events_that_go_nowhere_are_counted(environment, make_handler, monkeypatch):
    """Disabled, or without a stream."""
    if environment:
        monkeypatch.setenv(environment, '1')
    handler = make_handler('bar' if environment else None)
    make_log(FirehoseLoggerFactory(handler)('shop')).info('nowhere')
    reason = DropReason.DISABLED if environment else DropReason.NO_STREAM
    assert handler.stats().dropped == {reason: 1}


def test_a_handler_that_is_closed_opens_again(arrive):
    """Also when a value closes it while its event is encoded."""
    told = arrive()
    log = told.log()
    log.info('first')
    told.handler.close()

    class Closing:
        def __str__(self):
            told.handler.close()
            return 'closed'

    log.info('second')
    log.info('third', value=Closing())
    log.info('fourth', value='x')
    told.handler.close()
    assert [event['message'] for event in told.events()] == ['first', 'second', 'third', 'fourth']


def test_an_event_is_encoded_once(arrive):
    """Also the first, which opens the handler: a text may cost something."""
    told = arrive()
    asked = []

    class Asked:
        def __str__(self):
            asked.append(self)
            return 'text'

    log = told.log()
    for _ in range(3):
        log.info('Ahoy', value=Asked())
    assert len(asked) == len(told.events()) == 3


def test_what_is_logged_while_an_event_is_encoded_is_an_event(arrive):
    """By a value of it."""
    told = arrive()
    log = told.log()
    log.info('first')

    class Logging:
        def __str__(self):
            log.info('inner')
            return 'text'

    log.info('outer', value=Logging())
    assert [event['message'] for event in told.events()] == ['first', 'inner', 'outer']


# What users of structlog have.


@pytest.mark.parametrize('name', ['shop', None])
@pytest.mark.parametrize('cached', [False, True])
def test_it_is_configured_as_any_factory_is(name, cached, arrive):
    """A logger without a name has that of the module that logs."""
    told = arrive()
    structlog.configure(
        processors=[EventRenderer()],
        wrapper_class=FILTERING,
        logger_factory=told.factory,
        cache_logger_on_first_use=cached,
    )
    log = structlog.get_logger(*filter(None, [name]), user='ada')
    log.info('one')
    log.bind(order=1).info('two')
    assert [(event['logger'], event['user'], event.get('order')) for event in told.events()] == [
        (name or __name__, 'ada', None),
        (name or __name__, 'ada', 1),
    ]


def test_filter_by_level_asks_the_logger_of_logging_that_has_the_name(arrive):
    """Its level, and whether it is disabled."""
    told = arrive()
    logger = logging.getLogger('structlog-shop')
    log = told.log(structlog.stdlib.filter_by_level, name=logger.name, wrapper=STDLIB)
    logger.setLevel(logging.INFO)
    log.debug('low')
    log.info('high')
    assert log.isEnabledFor(logging.INFO)
    assert not log.isEnabledFor(logging.DEBUG)
    log.setLevel(logging.DEBUG)
    log.debug('now')
    logger.disabled = True
    log.error('disabled')
    assert [event['message'] for event in told.events()] == ['high', 'now']


def test_a_filtering_logger_filters_before_anything_is_done(arrive):
    """As with any factory."""
    told = arrive()
    log = told.log(wrapper=structlog.make_filtering_bound_logger(logging.WARNING))
    log.info('low')
    log.warning('high')
    assert told.event()['message'] == 'high'


def test_positional_arguments_are_formatted_by_structlogs_processor(arrive):
    """For its class of the standard library; the filtering ones format by themselves, since structlog 22.2."""
    told = arrive()
    wrappers = [STDLIB, *([FILTERING] if ASYNC else [])]
    for wrapper in wrappers:
        log = told.log(structlog.stdlib.PositionalArgumentsFormatter(), wrapper=wrapper)
        log.info('%s sails', 'Ada')
    assert [event['message'] for event in told.events()] == ['Ada sails'] * len(wrappers)


def test_capture_logs_captures(arrive):
    """And nothing is an event meanwhile."""
    told = arrive()
    structlog.configure(processors=[EventRenderer()], logger_factory=told.factory)
    log = structlog.get_logger('shop')
    with structlog.testing.capture_logs() as captured:
        log.info('captured', order=1)
    log.info('not captured')
    assert captured == [{'event': 'captured', 'order': 1, 'log_level': 'info'}]
    assert told.event()['message'] == 'not captured'


RENDERERS = {
    'a text': (
        structlog.processors.JSONRenderer(sort_keys=True),
        {'message': '{"event": "Ahoy", "order": 1}'},
    ),
    'bytes': (
        structlog.processors.JSONRenderer(
            serializer=lambda event, **_: orjson.dumps(event, option=orjson.OPT_SORT_KEYS)
        ),
        {'message': '{"event":"Ahoy","order":1}'},
    ),
    'the dict': (lambda _, __, event: event, {'message': 'Ahoy', 'order': 1}),
    'for a formatter': (
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        {'message': 'Ahoy', 'order': 1},
    ),
    'a word named self': (
        lambda _, __, event: event | {'self': 1},
        {'message': 'Ahoy', 'order': 1, 'self': 1},
    ),
}


@pytest.mark.parametrize('renderer', RENDERERS)
def test_what_other_renderers_make_is_an_event_too(renderer, arrive):
    """A text is its message; a dict is a dict."""
    told = arrive()
    last, expected = RENDERERS[renderer]
    told.log(last=last).info('Ahoy', order=1)
    event = told.event()
    del event['timestamp']
    assert event == {'level': 'INFO', 'logger': 'shop'} | expected


def test_a_logger_may_be_called_by_hand(arrive):
    """As those of structlog are in its own docs."""
    told = arrive()
    logger = told.factory('shop')
    logger.info('Ahoy', order=1)
    logger.info('%s', 'x')
    assert 'shop' in repr(logger)
    first, second = told.events()
    assert (first['message'], first['order']) == ('Ahoy', 1)
    assert (second['message'], second['positional_args']) == ('%s', ['x'])


ASYNC = [wrapper for wrapper in (FILTERING, STDLIB) if hasattr(wrapper, 'ainfo')]


@pytest.mark.parametrize('wrapper', ASYNC)
def test_async_methods_log_as_the_others(wrapper, arrive):
    """With the variables of their context, the exception that is handled, and the place and thread of the call."""
    told = arrive(include=['thread', 'source'])
    log = told.log(structlog.contextvars.merge_contextvars, wrapper=wrapper)

    async def request(number):
        structlog.contextvars.bind_contextvars(request=number)
        await log.ainfo('begin')
        await asyncio.sleep(0)
        try:
            raise LookupError('no such ship') from None
        except LookupError:
            await log.aexception('lost')

    async def serve():
        await asyncio.gather(*map(request, range(5)))

    asyncio.run(serve())
    events = told.events()
    assert sorted((event['message'], event['request']) for event in events) == [
        (message, number) for message in ('begin', 'lost') for number in range(5)
    ]
    for event in events:
        assert (event.get('exception', {}).get('type') == 'LookupError') is (event['message'] == 'lost')
        if hasattr(structlog.contextvars, '_ASYNC_CALLING_THREAD'):
            assert (event['source']['file'], event['source']['function']) == (__file__, 'request')
            assert event['thread'] == threading.current_thread().name


def test_threads_log_at_once_and_each_event_arrives_once(arrive):
    """In numbered events there is no gap."""
    told = arrive(event_ids=True)
    log = told.log()

    def work(number):
        own = log.bind(thread=number)
        for count in range(200):
            own.info('work', count=count, odd=Odd() if count % 7 == 0 else None)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = told.events()
    assert {(event['thread'], event['count']) for event in events} == {
        (number, count) for number in range(8) for count in range(200)
    }
    assert sorted(event['sequence'] for event in events) == list(range(1600))


@pytest.mark.parametrize('wrapper', [FILTERING, STDLIB])
def test_a_logger_that_is_pickled_or_copied_logs_to_the_same_handler(wrapper, make_handler):
    """In this process; its handler is one that can be pickled."""
    handler = make_handler('bar', region_name='eu-north-1')
    log = make_log(FirehoseLoggerFactory(handler)('shop'), wrapper=wrapper).bind(user='ada')
    for made in (pickle.loads(pickle.dumps(log)), copy.deepcopy(log), copy.copy(log)):
        assert made._context == {'user': 'ada'}
        assert made._logger.name == 'shop'
        assert made._logger._outlet.handler is handler


def test_a_logger_is_copied_whatever_its_handler_has(arrive):
    """Also with a client, which cannot be pickled: whoever copies an object that has a logger wants no other handler."""
    told = arrive()
    log = told.log()
    assert copy.deepcopy({'log': log})['log']._logger._outlet is log.bind()._logger._outlet
    with pytest.raises(TypeError, match='boto3_client'):
        pickle.dumps(log)


def test_a_logger_that_comes_from_another_process_has_one_handler_of_its_own(make_handler, make_copy_of):
    """All that come have the same."""
    handler = make_handler('bar', region_name='eu-north-1', fields={'service': 'shop'})
    factory = FirehoseLoggerFactory(handler)
    first, second = make_copy_of(factory('shop')), make_copy_of(factory('cellar'))
    assert first._outlet is second._outlet
    assert first._outlet.handler is not handler
    assert first._outlet.handler._own_formatter._fields == {'service': 'shop'}
    assert (first.name, second.name) == ('shop', 'cellar')


@pytest.fixture
def make_copy_of():
    """Return a function that unpickles an object as another process would, which has none of its like."""
    from firefighter.integrations import structlog as module

    def make(thing):
        data = pickle.dumps(thing)
        module._originals.clear()
        return pickle.loads(data)

    yield make
    for outlet in module._copies.values():
        outlet.handler.close()
    module._copies.clear()


def test_a_handler_that_nobody_refers_to_any_more_is_collected(arrive):
    """With its loggers: nothing else holds it."""
    import gc
    import weakref

    handler = FirehoseHandler('bar', boto3_client=AcceptingClient())
    logger = FirehoseLoggerFactory(handler)('shop')
    logger.info('Ahoy')
    handler.close()
    gone = weakref.ref(handler)
    del handler, logger
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ('wrong', 'instead'),
    [
        ('bar', r"write FirehoseLoggerFactory\(FirehoseHandler\('bar'\)\)"),
        (None, 'not None'),
        (logging.NullHandler(), 'logger_factory=structlog.stdlib.LoggerFactory()'),
        (KeepUntilErrorHandler(FirehoseHandler('bar')), 'wrap_for_formatter as the last processor'),
        (FirehoseHandler, 'not <class'),
    ],
)
def test_a_factory_needs_a_handler_of_ours(wrong, instead):
    """Not the name of a stream, and not at the first event only. Other handlers are for structlog's way through `logging`."""
    with pytest.raises(TypeError, match=f'FirehoseLoggerFactory needs a handler.*{instead}'):
        FirehoseLoggerFactory(wrong)


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='there is no fork here')
@pytest.mark.filterwarnings(
    'ignore:This process'
)  # it has threads, says Python 3.12, but nothing of theirs is used
def test_a_value_that_forks_is_in_the_event_of_both_processes(arrive):
    """Each has its own, and the account of each adds up."""
    told = arrive()
    log = told.log()
    log.info('first')
    reading, writing = os.pipe()

    class Forking:
        child = None

        def __str__(self):
            if self.child is None:
                self.child = os.fork()
            return 'forked'

    value = Forking()
    try:
        log.info('both', value=value)
        if not value.child:
            stats = told.handler.stats()
            told.handler.flush()
            os.write(writing, b'%d' % stats.accepted)
    finally:
        if not value.child and value.child is not None:
            os._exit(0)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(value.child, 0)
    assert os.read(reading, 10) == b'1'
    os.close(reading)
    os.close(writing)
    assert [event['message'] for event in told.events()] == ['first', 'both']


def test_no_lock_is_taken_but_that_of_the_append(arrive, monkeypatch):
    """Not the handler's, and not logging's."""
    told = arrive()
    log = told.log()
    log.info('first')
    monkeypatch.setattr(told.handler, 'acquire', None)
    monkeypatch.setattr(logging, '_acquireLock' if hasattr(logging, '_acquireLock') else '_lock', None)
    calls = []
    names = ('lock_held', 'acquire', '__enter__')
    sys.setprofile(
        lambda _, kind, what: kind == 'c_call' and what.__name__ in names and calls.append(what.__qualname__)
    )
    try:
        log.info('second', order=1)
    finally:
        sys.setprofile(None)
    monkeypatch.undo()
    assert calls == ['RLock.acquire']
    assert len(told.events()) == 2
