"""What does an event look like in another layout, and does it stay in that whatever is logged?"""

from __future__ import annotations

import copy
import datetime as dt
import json
import logging
import pickle
import sys
import time

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from doubles import AcceptingClient
from firefighter._event import otlp_layout
from firefighter._event.oversize import truncate
from firefighter._event.timestamp import nanoseconds_of
from firefighter.formatting import JSONFormatter
from firefighter.logging import FirehoseHandler

LAYOUTS = ['otlp', 'ecs']


def record_of(message='Ahoy', *args, extra=None, error=None, level=20, stack=None, created=None):
    record = logging.getLogger('shop').makeRecord(
        'shop', level, '/srv/a.py', 7, message, args, error, 'view', extra, stack
    )
    if created is not None:
        record.created = created
    return record


def failure():
    try:
        raise ValueError('no')
    except ValueError as error:
        return type(error), error, error.__traceback__


def line_of(*args, layout, options=None, **named):
    return JSONFormatter(layout=layout, **(options or {})).encode(record_of(*args, **named))


# OTLP.


def otlp(*args, **named):
    """Return the resource's attributes, the scope's name, the record, and its attributes."""
    return read(line_of(*args, layout='otlp', **named))


def read(line):
    from otlp import attributes, only, parsed

    resource, scope, record = only(parsed(line))
    return attributes(resource.resource.attributes), scope.scope.name, record, attributes(record.attributes)


class TestOTLP:
    def test_an_event_is_a_log_record(self):
        """Time, severity, body, scope, and what is passed as attributes of their types. By OpenTelemetry's own definitions."""
        values = {'user': 'ada', 'n': 1, 'f': 1.5, 'yes': True, 'none': None, 'list': [1, 'a', {'x': 2}]}
        resource, scope, record, attributes = otlp('took %d ms', 12, extra=values, created=1769860800.25)
        assert record.time_unix_nano == 1769860800_250000000
        assert record.observed_time_unix_nano == 0
        assert (record.severity_number, record.severity_text) == (9, 'INFO')
        assert record.body.string_value == 'took 12 ms'
        assert (resource, scope) == ({}, 'shop')
        assert attributes == values
        assert type(attributes['n']) is int
        assert type(attributes['yes']) is bool
        assert (record.trace_id, record.span_id, record.flags) == (b'', b'', 0)

    @pytest.mark.parametrize(
        ('level', 'text', 'number'),
        [
            (10, 'DEBUG', 5),
            (20, 'INFO', 9),
            (30, 'WARNING', 13),
            (40, 'ERROR', 17),
            (50, 'CRITICAL', 21),
            (15, 'Level 15', 8),
            (5, 'Level 5', 4),
            (25, 'Level 25', 12),
            (99, 'Level 99', 24),
        ],
    )
    def test_the_severity_is_as_the_data_model_has_it(self, level, text, number):
        """A level of the program's own lies between."""
        _, _, record, _ = otlp(level=level)
        assert (record.severity_text, record.severity_number) == (text, number)

    @pytest.mark.parametrize(
        ('level', 'text', 'number'),
        [
            ('warn', 'warn', 13),
            ('notice', 'notice', 10),
            ('Trace', 'Trace', 1),
            ('Fatal', 'Fatal', 21),
            (30, '30', 13),
            ('odd', 'odd', 0),
            ([1], '[1]', 0),
        ],
    )
    def test_a_dict_message_may_have_a_level_of_its_own(self, level, text, number):
        """By name or number; for one that nobody knows there is no number."""
        _, _, record, _ = otlp({'message': 'x', 'level': level})
        assert (record.severity_text, record.severity_number) == (text, number)

    def test_a_level_that_the_program_has_named_is_known(self):
        """By its number."""
        logging.addLevelName(31, 'ALERT')
        try:
            assert otlp(level=31)[2].severity_number == 14
        finally:
            logging._levelToName.pop(31)
            logging._nameToLevel.pop('ALERT')

    def test_an_exception_and_the_origin_have_their_conventional_names(self):
        """Those of OpenTelemetry's semantic conventions."""
        include = ['host', 'pid', 'process', 'thread', 'source']
        resource, _, _, attributes = otlp(error=failure(), stack='the stack', options={'include': include})
        assert list(resource) == ['host.name']
        assert attributes.pop('process.pid') > 0
        assert 'ValueError: no' in attributes.pop('exception.stacktrace')
        assert attributes == {
            'process': 'MainProcess',
            'thread.name': 'MainThread',
            'code.file.path': '/srv/a.py',
            'code.line.number': 7,
            'code.function.name': 'view',
            'exception.type': 'ValueError',
            'exception.message': 'no',
            'code.stacktrace': 'the stack',
        }

    def test_the_names_of_include_are_only_its_own(self):
        """What a program passes under such a name stays what it is."""
        message = {'source': {'file': 'a'}, 'thread': 'x', 'host': 'h', 'pid': 3}
        assert otlp(message)[3] == message

    def test_where_a_new_name_is_taken_both_stay(self):
        """The event's own part under its old name."""
        extra = {'code.file.path': 'mine', 'thread.name': 'mine', 'exception.type': 'mine'}
        options = {'include': ['source', 'thread']}
        attributes = otlp(extra=extra, error=failure(), options=options)[3]
        assert extra.items() <= attributes.items()
        assert attributes['source'] == {'file': '/srv/a.py', 'line': 7, 'function': 'view'}
        assert attributes['thread'] == 'MainThread'
        assert attributes['exception']['message'] == 'no'

    def test_fields_are_of_the_resource(self):
        """With the conventional names for three of them. What a message has in their place is there, too."""
        fields = {'service': 'api', 'env': 'prod', 'version': '1', 'team': {'id': 7}}
        resource = otlp({'message': 'x', 'team': 8}, options={'fields': fields})[0]
        assert resource == {
            'service.name': 'api',
            'deployment.environment.name': 'prod',
            'service.version': '1',
            'team': 8,
        }
        both = {'env': 'a', 'environment': 'b', 'service': 'c', 'service.name': 'd'}
        assert otlp(options={'fields': both})[0] == {
            'deployment.environment.name': 'a',
            'environment': 'b',
            'service': 'c',
            'service.name': 'd',
        }

    def test_the_environment_names_the_service(self, monkeypatch):
        """By OpenTelemetry's own variables, unless `fields` do."""
        monkeypatch.setenv('OTEL_RESOURCE_ATTRIBUTES', 'service.name=a, team=x%2Cy ,=,odd,k=\udcff')
        assert otlp()[0] == {'service.name': 'a', 'team': 'x,y', 'k': '\\udcff'}
        monkeypatch.setenv('OTEL_SERVICE_NAME', 'b')
        assert otlp()[0]['service.name'] == 'b'
        assert otlp(options={'fields': {'service': 'c'}})[0]['service.name'] == 'c'

    @pytest.mark.parametrize(
        'names',
        [('trace_id', 'span_id', 'trace_sampled'), ('otelTraceID', 'otelSpanID', 'otelTraceSampled')],
    )
    def test_the_trace_is_where_a_reader_looks_for_it(self, names):
        """Whoever has put it on the record."""
        extra = dict(zip(names, ('a' * 32, 'b' * 16, True), strict=True))
        _, _, record, attributes = otlp(extra=extra)
        assert (record.trace_id.hex(), record.span_id.hex(), record.flags) == ('a' * 32, 'b' * 16, 1)
        assert attributes == {}

    @pytest.mark.parametrize('trace_id', ['A' * 32, 'a' * 31, '0' * 32, 5, None, 'é' * 32, 'a' * 32 + '\n'])
    def test_what_is_no_trace_id_is_an_attribute(self, trace_id):
        """A receiver refuses a whole request for one id that it cannot read."""
        extra = {'trace_id': trace_id, 'span_id': 'b' * 16}
        _, _, record, attributes = otlp(extra=extra)
        assert (record.trace_id, record.span_id) == (b'', b'')
        assert attributes == extra

    def test_no_span_says_nothing(self):
        """OpenTelemetry's instrumentation writes "0"."""
        assert (
            otlp(extra={'otelTraceID': '0', 'otelSpanID': '0', 'otelTraceSampled': False, 'a': 1})[3]
        ) == {'a': 1}

    def test_a_message_may_be_a_dict(self):
        """Its `message` is the body, of any type; without one there is no body."""
        assert not otlp({'a': 1})[2].HasField('body')
        assert otlp({'message': 5})[2].body.int_value == 5
        assert otlp({'message': {'a': [None]}})[2].body.kvlist_value.values[0].key == 'a'
        protected = otlp({'message': 'x', 'level': 'y'}, options={'protect_fields': True})
        assert protected[3] == {'data': {'message': 'x', 'level': 'y'}}
        assert protected[2].severity_text == 'INFO'

    @pytest.mark.parametrize(
        'timestamp', ['yesterday', 5, None, '2026-01-31T12:00:00', '1960-01-01T00:00:00Z']
    )
    def test_a_timestamp_that_is_none_is_an_attribute(self, timestamp):
        """And the record says when it was seen."""
        before = time.time_ns()
        _, _, record, attributes = otlp({'message': 'x', 'timestamp': timestamp})
        assert record.time_unix_nano == 0
        assert before <= record.observed_time_unix_nano <= time.time_ns()
        assert attributes == {'timestamp': timestamp}

    def test_a_timestamp_of_the_message_counts(self):
        """To the nanosecond, in any zone."""
        message = {'message': 'x', 'timestamp': '2026-01-31T13:00:00.123456789+01:00'}
        assert otlp(message)[2].time_unix_nano == 1769860800_123456789

    def test_what_is_within_too_many_others_is_its_json(self):
        """Parsers of protobuf refuse more than 100 messages within each other."""
        value: object = 'x'
        for _ in range(90):
            value = {'a': value}
        attributes = otlp(extra={'deep': value})[3]
        deep = attributes['deep']
        for _ in range(20):
            deep = deep['a']
        assert json.loads(deep)['a']['a']

    def test_what_cannot_be_laid_out_is_the_text_of_a_record(self, monkeypatch):
        """For lack of memory, say. Nothing is lost."""

        def fail(*_, **__):
            raise MemoryError

        monkeypatch.setattr(otlp_layout, 'encode_document', fail)
        _, _, record, _ = otlp('Ahoy', extra={'a': 1})
        assert json.loads(record.body.string_value)['a'] == 1

    def test_near_the_end_of_the_stack_it_is_still_a_document(self):
        """With the event as its text. Where there is no stack for a single call it stays the plain event, in which a reader finds no record."""
        from otlp import parsed

        formatter = JSONFormatter(layout='otlp')
        lines = []

        def fall(record):
            try:
                fall(record)
            finally:
                lines.append(formatter.encode(record))

        with pytest.raises(RecursionError):
            fall(record_of(extra={'a': {'b': [1]}}))
        found = [parsed(line, ignore=True) for line in lines[:100]]
        assert all(len(data.resource_logs) == 1 for data in found[20:])
        assert all(
            json.loads(line)['message']
            for line, data in zip(lines, found, strict=False)
            if not data.resource_logs
        )


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.binary(max_size=8)
    | st.datetimes(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [
        *('timestamp', 'level', 'logger', 'exception', 'stack', 'extra', 'trace_id', 'span_id', 'service'),
        *('source', 'thread', 'pid', 'host', 'error', 'labels', '@timestamp', 'log.level', 'error.type', 'truncated'),
    ]
) | st.text(max_size=8)  # fmt: skip
OPTIONS = {
    'fields': {'service': 'api', 'team': 'x'},
    'include': ['host', 'pid', 'process', 'thread', 'source'],
}


@given(message=st.dictionaries(NAMES, VALUES, max_size=8), fails=st.booleans(), limit=st.integers(0, 3000))
@example(message={'timestamp': '9999-12-31T23:59:59Z'}, fails=True, limit=300)
@example(
    message={'truncated': 'a' * 500, '@timestamp': 'b' * 5000, 'level': 'c' * 5000}, fails=True, limit=400
)
def test_whatever_is_logged_an_event_is_in_its_layout_cut_or_not(message, fails, limit):
    """And its size is what is asked for, but for the smallest mark."""
    from otlp import parsed

    record = record_of(message, error=failure() if fails else None)
    whole = {layout: line_of_record(record, layout) for layout in LAYOUTS}
    plain = orjson.loads(JSONFormatter(**OPTIONS).encode(record))
    for layout, line in whole.items():
        for event in (line, truncate(line, limit)):
            if layout == 'otlp':
                parsed(event)
            else:
                check_ecs(event, own=message)
            assert len(event) <= max(limit, 300) or event == line or len(line) <= limit
    # No value of a name of its own is lost.
    resource, _, _, attributes = read(whole['otlp'])
    for name, value in plain.items():
        if name not in KNOWN and type(value) is not dict and name not in ('trace_id', 'span_id'):
            assert name in resource or name in attributes, name
    laid = json.loads(whole['ecs'])
    labels = {name for name in laid if name.startswith('labels.')}
    missing = [name for name in plain if name not in KNOWN and name not in laid]
    assert len(missing) <= len(labels) + len({'trace_id', 'span_id'} & plain.keys())


KNOWN = frozenset(
    {'timestamp', 'level', 'logger', 'message', 'exception', 'stack', 'service', *OPTIONS['include']}
)


def line_of_record(record, layout):
    return JSONFormatter(layout=layout, **OPTIONS).encode(record)


# ECS.

# The fields of ecs-logging's specification, their types, and which of them are at a place of their own (spec/spec.json, 1.x).
ECS = {
    '@timestamp': dt.datetime,
    'log.level': str,
    'message': str,
    'ecs.version': str,
    'labels': dict,
    'trace.id': str,
    'transaction.id': str,
    'service.name': str,
    'service.node.name': str,
    'service.version': str,
    'event.dataset': str,
    'service.environment': str,
    'process.thread.name': str,
    'log.logger': str,
    'log.origin.file.line': int,
    'log.origin.file.name': str,
    'log.origin.function': str,
    'error.type': str,
    'error.message': str,
    'error.stack_trace': str,
}
REQUIRED = ('@timestamp', 'log.level', 'ecs.version')
ORDER = ('@timestamp', 'log.level', 'message')


def check_ecs(line, own=()):
    """Raise where a line breaks the specification, but for what a program has logged under one of its names itself."""
    from otlp import unique

    event = json.loads(line, object_pairs_hook=unique)
    for name in REQUIRED:
        assert name in event, name
    order = [name for name in ORDER if name in event]
    assert list(event)[: len(order)] == order
    for name, kind in ECS.items():
        if kind is dt.datetime:
            assert dt.datetime.strptime(event[name], '%Y-%m-%dT%H:%M:%S.%fZ')  # noqa: DTZ007  # it is UTC
        elif name in event and name not in own:
            assert type(event[name]) is kind, name
    return event


def ecs(*args, **named):
    return check_ecs(line_of(*args, layout='ecs', **named))


class TestECS:
    def test_an_event_has_the_names_of_the_schema(self):
        """The first three in their order; what is passed stays as it is."""
        event = ecs('took %d ms', 12, extra={'user_id': 7, 'http': {'method': 'GET'}}, created=1769860800.25)
        assert event == {
            '@timestamp': '2026-01-31T12:00:00.250000Z',
            'log.level': 'info',
            'message': 'took 12 ms',
            'ecs.version': '1.6.0',
            'log.logger': 'shop',
            'user_id': 7,
            'http': {'method': 'GET'},
        }

    def test_exception_origin_trace_and_service(self):
        """Under the names that Elastic looks for."""
        include = ['host', 'pid', 'process', 'thread', 'source']
        trace = {'trace_id': 'a' * 32, 'span_id': 'b' * 16, 'trace_sampled': True}
        fields = {'service': 'api', 'env': 'prod', 'version': '1', 'team': 'x'}
        options = {'include': include, 'fields': fields}
        event = ecs(error=failure(), stack='the stack', extra=trace, options=options)
        assert 'ValueError: no' in event.pop('error.stack_trace')
        assert event.pop('process.pid') > 0
        assert event.pop('host.name')
        assert {name: event[name] for name in [*event][4:]} == {
            'log.logger': 'shop',
            'trace.id': 'a' * 32,
            'span.id': 'b' * 16,
            'service.name': 'api',
            'service.version': '1',
            'service.environment': 'prod',
            'process.name': 'MainProcess',
            'process.thread.name': 'MainThread',
            'log.origin.file.name': '/srv/a.py',
            'log.origin.file.line': 7,
            'log.origin.function': 'view',
            'error.type': 'ValueError',
            'error.message': 'no',
            'team': 'x',
            'stack': 'the stack',
            'trace_sampled': True,
        }
        assert ecs(stack='the stack')['error.stack_trace'] == 'the stack'

    def test_what_would_be_refused_is_a_label(self):
        """Elasticsearch refuses a document with a value where the schema has an object; and our own names are taken."""
        extra = {'error': 'timeout', 'user': 'ada', 'url': ['/'], 'log.level': 'x', 'service': {'name': 'a'}}
        event = ecs(extra=extra)
        assert {name: value for name, value in event.items() if name not in ECS} == {
            'service': {'name': 'a'},
            'labels.error': 'timeout',
            'labels.user': 'ada',
            'labels.url': ['/'],
            'labels.log_level': 'x',
        }
        assert event['log.level'] == 'info'
        taken = ecs(extra={'log.level': 1, 'labels.log_level': 2})
        assert (taken['labels.log_level'], taken['labels.log_level_']) == (2, 1)

    def test_types_are_those_of_the_schema_whatever_a_message_brings(self):
        """What is of another type stays under its name."""
        options = {'include': ['pid', 'thread'], 'fields': {'service': 'api'}}
        message = {'message': {'a': 1}, 'level': 3, 'logger': None, 'pid': 'x', 'thread': 5, 'service': 6}
        event = ecs(message, options=options)
        assert event['message'] == '{"a":1}'
        assert (event['log.level'], event['log.logger']) == ('3', 'null')
        assert (event['pid'], event['thread'], event['labels.service']) == ('x', 5, 6)

    @pytest.mark.parametrize(
        ('timestamp', 'expected'),
        [
            ('2026-01-31T13:00:00.25+01:00', '2026-01-31T12:00:00.250000Z'),
            ('2026-01-31T12:00:00.250000Z', '2026-01-31T12:00:00.250000Z'),
            ('2026-01-31 12:00:00Z', '2026-01-31T12:00:00.000000Z'),
        ],
    )
    def test_a_timestamp_of_the_message_counts(self, timestamp, expected):
        """In UTC, as the specification has it."""
        event = ecs({'message': 'x', 'timestamp': timestamp})
        assert event['@timestamp'] == expected
        assert 'timestamp' not in event

    @pytest.mark.parametrize(
        'timestamp', ['yesterday', '0001-01-01T00:00:00+01:00', '9999-12-31T23:00:00-01:00', 5]
    )
    def test_one_that_is_none_stays(self, timestamp):
        """And the time is now."""
        event = ecs({'message': 'x', 'timestamp': timestamp})
        assert abs(nanoseconds_of(event['@timestamp']) / 1e9 - time.time()) < 60
        assert event['timestamp'] == timestamp


# Both.


@pytest.mark.parametrize(
    'text',
    ['2026-W05-6T12:00:00.250000Z', '2026-02-30T12:00:00Z', '2026-01-31T24:00:00.000000Z', '2026-01-31', '', b'', 5,
     '2026-01-31T12:00:00.+00001Z', '2026-01-31T12:00:00.٠٠٠٠٠٠Z', '2026-01-31T12:00:00.000000'],
)  # fmt: skip
def test_what_is_no_time_is_none(text):
    """Also where this Python would read one out of it."""
    assert nanoseconds_of(text) is None


class TestOptions:
    @pytest.mark.parametrize('layout', ['OTLP', '', 'json', 5, ['otlp']])
    def test_another_layout_raises(self, layout):
        """And says which there are."""
        with pytest.raises(ValueError, match="layout must be one of 'otlp', 'ecs', not"):
            JSONFormatter(layout=layout)

    def test_the_handler_says_where_it_belongs(self):
        """To the formatter, as other options for the event."""
        with pytest.raises(TypeError, match=r'JSONFormatter\(layout='):
            FirehoseHandler('bar', layout='otlp', boto3_client=AcceptingClient())

    def test_without_a_layout_nothing_is_imported_for_it(self):
        """Who does not use it pays nothing."""
        import subprocess

        code = (
            'import sys, logging; from firefighter.logging import FirehoseHandler; from firefighter.formatting import JSONFormatter\n'
            'JSONFormatter(include=["pid"]).encode(logging.makeLogRecord({})); handler = FirehoseHandler("bar", region_name="x")\n'
            'assert not [name for name in sys.modules if "layout" in name and "_event" in name or "otlp" in name]'
        )
        subprocess.run([sys.executable, '-W', 'error', '-c', code], check=True, timeout=60)

    @pytest.mark.parametrize('layout', LAYOUTS)
    def test_copies_and_pickles_do_the_same(self, layout):
        """Options alone are copied."""
        formatter = JSONFormatter(layout=layout, fields={'service': 'api'})
        record = record_of(extra={'a': 1})
        line = formatter.encode(record)
        for twin in (copy.copy(formatter), copy.deepcopy(formatter), pickle.loads(pickle.dumps(formatter))):
            assert twin.encode(record) == line
        assert formatter.format(record).encode() + b'\n' == line

    @pytest.mark.parametrize('layout', LAYOUTS)
    def test_other_options_come_before_it(self, layout):
        """What is left out is left out; of two names one is under `extra`."""
        options = {'leave_out': ['secret'], 'ignore_case': True}
        line = line_of(extra={'secret': 1, 'userId': 2, 'userid': 3}, options=options, layout=layout)
        assert b'secret' not in line
        assert line.count(b'"extra"') == 1
        event = read(line)[3] if layout == 'otlp' else json.loads(line)
        assert event['extra'] == {'userId': 2}

    @pytest.mark.parametrize('layout', LAYOUTS)
    def test_dictconfig_can_say_it(self, layout, make_logger):
        """As all other options of the formatter."""
        client = AcceptingClient()
        logging.config = __import__('logging.config').config
        logging.config.dictConfig(
            {
                'version': 1,
                'disable_existing_loggers': False,
                'formatters': {'laid': {'()': 'firefighter.formatting.JSONFormatter', 'layout': layout}},
                'handlers': {
                    'firehose': {
                        'class': 'firefighter.logging.FirehoseHandler',
                        'delivery_stream_name': 'bar',
                        'boto3_client': client,
                        'fields': {'service': 'api'},
                        'formatter': 'laid',
                    }
                },
                'loggers': {'of the layout': {'handlers': ['firehose'], 'propagate': False}},
            }
        )
        logger = logging.getLogger('of the layout')
        (handler,) = logger.handlers
        try:
            logger.warning('Ahoy')
            assert handler.flush()
        finally:
            handler.close()
            logger.handlers.clear()
        (event,) = client.events
        if layout == 'otlp':
            assert read(event)[0] == {'service.name': 'api'}
        else:
            assert check_ecs(event)['service.name'] == 'api'


class TestDelivery:
    @pytest.mark.parametrize('layout', LAYOUTS)
    def test_events_have_their_ids_at_the_top(self, layout, make_handler, make_logger):
        """Where `audit` looks for them. OTLP's readers ignore keys that they do not know. A value of the program's cannot pass for one."""
        from otlp import parsed

        client = AcceptingClient()
        handler = make_handler('bar', boto3_client=client, event_ids=True, oversize='truncate')
        handler.MAX_RECORD_SIZE = 900
        handler.setFormatter(JSONFormatter(layout=layout))
        logger = make_logger(handler)
        logger.info('one', extra={'producer': 'mine', 'sequence': 5})
        logger.info('x' * 3000, extra={'user_id': 'y' * 3000})
        assert handler.flush()
        events = [json.loads(event) for event in client.events]
        assert [event['sequence'] for event in events] == [0, 1]
        assert len({event['producer'] for event in events}) == 1
        assert [*events[1]][-2:] == ['producer', 'sequence']
        assert all(len(event) <= 900 for event in client.events)
        if layout == 'otlp':
            for event in client.events:
                parsed(event, ignore=True)
            assert read(without_ids(client.events[0]))[3] == {'producer': 'mine', 'sequence': 5}
        else:
            assert events[0]['extra'] == {'producer': 'mine', 'sequence': 5}
            check_ecs(client.events[1])

    @pytest.mark.parametrize('layout', LAYOUTS)
    def test_an_oversize_event_stays_in_its_layout_and_says_so(self, layout):
        """Its long texts are cut, everything else is kept; then fields are left out, and counted."""
        extra = {f'key{number}': 'y' * 50 for number in range(20)}
        trace = {'trace_id': 'a' * 32, 'span_id': 'b' * 16}
        whole = line_of('x' * 3000, extra=extra | trace, error=failure(), layout=layout)
        cut = truncate(whole, 2800)
        few = truncate(whole, 700)
        assert 2700 < len(cut) <= 2800
        assert 400 < len(few) <= 700
        if layout == 'otlp':
            _, scope, record, attributes = read(cut)
            assert attributes['truncated'] == {'original_bytes': len(whole)}
            assert len(attributes) == 24
            assert record.body.string_value.endswith('…')
            assert record.trace_id.hex() == 'a' * 32
            _, scope, record, attributes = read(few)
            assert attributes['truncated'] == {'original_bytes': len(whole)}
            assert record.dropped_attributes_count == 24 - len(attributes) > 10
            assert (scope, record.severity_text, record.trace_id.hex()) == ('shop', 'INFO', 'a' * 32)
        else:
            event, short = check_ecs(cut), check_ecs(few)
            assert event['truncated'] == {'original_bytes': len(whole)}
            assert event['message'].endswith('…')
            assert short['truncated']['original_bytes'] == len(whole)
            assert short['truncated']['dropped_fields'] > 5
            assert short['trace.id'] == event['trace.id'] == 'a' * 32

    def test_an_attribute_that_is_called_truncated_stays(self):
        """The mark has another name then."""
        attributes = read(truncate(line_of('x' * 3000, extra={'truncated': 'mine'}, layout='otlp'), 1000))[3]
        assert attributes.pop('truncated') == 'mine'
        assert next(iter(attributes.values()))['original_bytes'] > 3000

    def test_a_document_that_cannot_be_cut_enough_is_its_mark(self):
        """Whatever another formatter has put where we put a time: no event is longer than the service takes."""
        line = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"%b"}]}]}]}\n' % (b'1' * 3000)
        cut = truncate(line, 1000)
        assert len(cut) < 300
        assert read(cut)[3] == {'truncated': {'original_bytes': len(line)}}

    def test_a_document_of_another_shape_is_cut_as_any_json(self):
        """A formatter of the program's may put several records into one, or something else that only begins as one does."""
        for foreign in (
            b'{"resourceLogs":[]}',
            b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{}]}]}]}',
            b'{"resourceLogs":5}',
            b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[{"k":1}]}]}]}]}',
            b'{"@timestamp":',
            b'{"@timestamp":5}',
        ):
            line = foreign[:-1] + b' ' * 500 + b',"more":"' + b'x' * 500 + b'"}\n'
            cut = truncate(line, 200)
            assert len(cut) <= 200
            assert b'truncated' in cut

    @pytest.mark.parametrize('layout', LAYOUTS)
    def test_a_marker_of_dropped_events_keeps_its_own_form(self, layout, make_handler, make_logger):
        """It is for `audit`. OTLP's readers find a document without records in it."""
        from otlp import parsed

        client = AcceptingClient()
        handler = make_handler('bar', boto3_client=client, event_ids=True, oversize='drop', send_interval=900)
        handler.setFormatter(JSONFormatter(layout=layout))
        logger = make_logger(handler)
        logger.info('x' * 3000)
        logger.info('one')
        assert handler.flush()
        marker, event = client.events
        assert json.loads(marker)['firefighter_dropped'][0]['reason'] == 'oversize'
        assert json.loads(event)['sequence'] == 2
        assert len(parsed(marker, ignore=True).resource_logs) == 0


def without_ids(line):
    event = json.loads(line)
    return orjson.dumps({'resourceLogs': event['resourceLogs']}) + b'\n'


@pytest.mark.parametrize('layout', LAYOUTS)
def test_what_is_hidden_is_hidden_in_each_layout(layout):
    """Also in `fields`; and how many values that were is there."""
    options = {'fields': {'service': 'api', 'api_key': 'k-1'}, 'redact': ['password', '*_key']}
    line = line_of('Ahoy', layout=layout, options=options, extra={'customer': {'password': 'hunter2'}})
    assert b'hunter2' not in line
    assert b'k-1' not in line
    assert line.count(b'<redacted>') == 2
    assert b'redacted' in line.replace(b'<redacted>', b'')


@pytest.mark.parametrize(
    'value', [[*range(60)], {f'k{n}': n for n in range(40)}, [{'sku': 'a', 'n': 1}] * 12]
)
def test_in_otlp_what_surrounds_the_values_of_a_list_takes_nothing_else_along(value):
    """Each of them has a name for its type around it, which is more than the values themselves. As a text they have their room."""
    line = line_of('order 17 failed', layout='otlp', extra={'ids': value, 'user': 'ada'})
    assert len(line) > 1024
    cut = truncate(line, 1024)
    assert len(cut) <= 1024
    _, scope, record, found = read(cut)
    assert (scope, record.body.string_value, found['user']) == ('shop', 'order 17 failed', 'ada')
    assert found['ids'][:20] == json.dumps(value, separators=(',', ':'))[:20]
    assert found['truncated'] == {'original_bytes': len(line)}


def test_in_otlp_a_level_that_the_program_has_named_has_a_number():
    """However it is written."""
    before = {level: logging.getLevelName(level) for level in (40, 25)}
    try:
        logging.addLevelName(40, '\033[31mERROR\033[0m')
        logging.addLevelName(25, 'Success')
        numbers = [otlp('Ahoy', level=level)[2].severity_number for level in before]
    finally:
        for level, name in before.items():
            logging._levelToName.pop(level)
            logging._nameToLevel = {n: v for n, v in logging._nameToLevel.items() if v != level or n == name}
            if not name.startswith('Level '):
                logging.addLevelName(level, name)
    assert numbers == [17, 12]


def test_in_otlp_what_the_environment_adds_is_hidden_too(monkeypatch):
    """It is in each event."""
    monkeypatch.setenv('OTEL_RESOURCE_ATTRIBUTES', 'api_token=hunter2,owner=4111111111111111,zone=a')
    resource, *_ = otlp('Ahoy', options={'redact': ['api_token', r're:\d{16}']})
    assert resource == {'api_token': '<redacted>', 'owner': '<redacted>', 'zone': 'a'}
