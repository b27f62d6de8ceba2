"""What is hidden in an event, what stays, and does any way to log lead past it?"""

from __future__ import annotations

import copy
import logging
import logging.config
import os
import pickle
import queue
import re
import subprocess
import sys
import threading
from contextvars import ContextVar

import orjson
import pytest

from doubles import DEADLINE_SECONDS, AcceptingClient, RefusingClient
from firefighter._event import redaction
from firefighter._event.careful_encoding import LAST_LINE
from firefighter.context import bind
from firefighter.formatting import JSONFormatter
from firefighter.integrations.queue import QueueHandler
from firefighter.logging import FirehoseHandler, KeepUntilErrorHandler, LimitFilter
from programs import program

SECRET = 's3cr3t'


def record_of(message='Ahoy', *args, extra=None, error=None):
    return logging.getLogger('shop').makeRecord('shop', 20, '', 7, message, args, error, None, extra)


def event_of(message='Ahoy', *args, extra=None, error=None, formatter=None, **options):
    record = record_of(message, *args, extra=extra, error=error)
    return orjson.loads((formatter or JSONFormatter(**options)).encode(record))


def fields_of(**options):
    """Return what an event has beside what each has."""
    event = event_of(**options)
    return {name: event[name] for name in event if name not in {'timestamp', 'level', 'logger', 'message'}}


class TestNames:
    def test_a_text_becomes_a_mark_and_anything_else_null(self):
        """So a column of numbers stays one. The last key says how many values that were."""
        given = {
            'text': 'x',
            'empty': '',
            'number': 5,
            'float': 0.5,
            'yes': True,
            'list': [1],
            'object': {'a': 1},
        }
        event = event_of(extra={'before': 1, **given, 'none': None}, redact=[*given, 'none'])
        assert {name: event[name] for name in given} == {
            **dict.fromkeys(given),
            'text': '<redacted>',
            'empty': '<redacted>',
        }
        assert (event['before'], event['none'], event['redacted'], [*event][-1]) == (1, None, 7, 'redacted')

    @pytest.mark.parametrize(
        ('listed', 'key'),
        [
            ('password', 'PassWord'),
            ('PASSWORD', 'password'),
            ('api_*', 'api_'),
            ('api_*', 'API_key'),
            ('*_key', 'api_key'),
            ('*secret*', 'TheSecrets'),
            ('a*b*c', 'a..b..b.c'),
            ('**c**', 'c'),
            ('http.header.*', 'http.header.cookie'),
            ('Paßwort', 'paßWORT'),
            ('ПАРОЛЬ', 'пароль'),
            ('a"b', 'A"B'),
            ('a\\n*', 'a\\nb'),
            ('a\n', 'a\n'),
            ('*\n', 'a\n'),
            ('x.$[?', 'X.$[?'),
            ('\ud800', '\\ud800'),
            ('password', 'password_1'),
            ('password', 'password_1_1'),
        ],
    )
    def test_a_name_is_found_in_any_case_and_with_stars(self, listed, key):
        """Whatever letters it has."""
        assert fields_of(extra={key: 'x', 'a': 1}, redact=[listed]) == {
            'a': 1,
            key: '<redacted>',
            'redacted': 1,
        }
        assert fields_of(extra={'a': [{'b': {key: 5}}]}, redact=[listed])['a'] == [{'b': {key: None}}]

    @pytest.mark.parametrize(
        ('listed', 'key'),
        [
            ('password', 'password_hash'),
            ('password', 'my_password'),
            ('api_*', 'apikey'),
            ('key*', 'keu'),
            ('a.c', 'abc'),
            ('token', 'to\u212aen'),
            ('*\\n', 'a\n'),
            ('a*b*c', 'acb'),
            ('a*a', 'a'),
        ],
    )
    def test_another_name_is_left_alone(self, listed, key):
        """And the line is the same as without the option."""
        record = record_of(extra={key: 'x', 'nested': [{key: 1}]})
        assert JSONFormatter(redact=[listed]).encode(record) == JSONFormatter().encode(record)

    def test_it_is_hidden_wherever_it_comes_from(self):
        """At any depth, from whatever gives an event its keys."""
        user: ContextVar[object] = ContextVar('user', default=({'token': 1},))
        options = {'redact': ['token'], 'context': ['firefighter', user], 'fields': {'build': {'token': 1}}}
        with bind(bound={'token': 1}):
            for message in (
                'Ahoy',
                {'message': 'Ahoy', 'deep': [{'token': 1}]},
                {'token': 1, 'message': 'Ahoy'},
            ):
                for protect in (False, True):
                    extra = {
                        'more': orjson.Fragment(b'{"token":"abc"}'),
                        'raw': b'x',
                        'numbers': {1: {'token': 1}},
                    }
                    line = JSONFormatter(protect_fields=protect, **options).encode(
                        record_of(message, extra=extra)
                    )
                    event = orjson.loads(line)
                    hidden = line.count(b'"token":null') + line.count(b'"token":"<redacted>"')
                    assert (event['redacted'], event['message' if message == 'Ahoy' else 'level']) == (
                        hidden,
                        'Ahoy' if message == 'Ahoy' else 'INFO',
                    )
                    assert hidden == line.count(b'"token":') == 5 + (message != 'Ahoy')

    def test_what_is_bound_is_hidden_though_all_names_of_the_event_are_known(self):
        """And what is bound next, which has the same first name."""
        for listed in (['token'], ['none of them']):
            formatter = JSONFormatter(context=['firefighter'], redact=listed)
            for extra in (None, {'a': 1}):
                assert 'redacted' not in fields_of(formatter=formatter, extra=extra)
                for given in (
                    {'b': 1},
                    {'b': 1, 'token': 'x'},
                    {'b': 1, 'c': {'token': 'x'}},
                    {'redacted': 1},
                    {'b': 1},
                ):
                    with bind(**given):
                        for _ in range(2):
                            found = fields_of(formatter=formatter, extra=extra)
                    if 'token' in str(given) and listed == ['token']:
                        assert 'x' not in str(found)
                        assert found['redacted'] == 1
                    elif 'redacted' in given:
                        assert found == {**(extra or {}), 'extra': given}
                    else:
                        assert found == {**(extra or {}), **given}

    def test_what_a_variable_of_the_context_adds_is_hidden_in_the_plainest_of_events(self):
        """Under its own name, and within its value; at each event, since it may change."""
        token: ContextVar[object] = ContextVar('token')
        formatter = JSONFormatter(context=[token], redact=['token', 'inner'])
        other: ContextVar[object] = ContextVar('other')
        nested = JSONFormatter(context=[other, 'firefighter'], redact=['inner'])
        for value in ('x1', {'inner': 'x2'}, 'x3'):
            for variable in (token, other):
                variable.set(value)
            for extra in (None, {'a': 1}):
                assert fields_of(formatter=formatter, extra=extra)['redacted'] == 1
                assert fields_of(formatter=nested, extra=extra).get('redacted') == (
                    1 if 'inner' in value else None
                )

    def test_the_names_of_the_event_itself(self):
        """Of what `include` adds, of constants, and of the message: in the plainest of events."""
        assert event_of(include=['source'], redact=['LINE'])['source'] == {
            'file': '',
            'line': None,
            'function': None,
        }
        assert event_of(include=['pid', 'thread'], redact=['pid'])['pid'] is None
        assert event_of(fields={'key': 'x', 'n': 1}, redact=['key'])['key'] == '<redacted>'
        assert event_of(redact=['m*'])['message'] == '<redacted>'
        assert event_of({'a': 1}, protect_fields=True, redact=['data'])['data'] is None

    def test_a_key_that_got_a_number_is_hidden_too(self):
        """Two attributes of one name are both kept, and so are keys that become one as texts."""
        options = {'redact': ['password'], 'context': [ContextVar('password', default='x3')]}
        line = JSONFormatter(**options).encode(
            record_of(
                {'password': 'x1'}, extra={'password': 'x2', 'a': {b'password': 'x4', 'password': 'x5'}}
            )
        )
        assert not re.search(rb'x\d', line)
        assert orjson.loads(line)['redacted'] == 5

    def test_the_programs_own_key_of_the_counts_name_is_kept_under_extra(self):
        """So that nothing passes for our count; also where nothing is hidden, and in another case."""
        for extra in ({'redacted': 7}, {'Redacted': 7}, {'redacted': 7, 'b': b'x'}):
            name = next(iter(extra))
            others = {'b': 'x'} if 'b' in extra else {}
            assert fields_of(extra=extra, redact=['password']) == {**others, 'extra': {name: 7}}
            assert fields_of(extra={**extra, 'password': 1}, redact=['password']) == {
                **others,
                'password': None,
                'extra': {name: 7},
                'redacted': 1,
            }
            assert fields_of(extra=extra) == {name: 7, **others}
        assert fields_of(extra={'redacted': 7, 'extra': 5}, redact=['password']) == {
            'extra': {'extra': 5, 'redacted': 7}
        }
        assert fields_of(extra={'redacted': 7, 'level': 5}, redact=['password']) == {
            'extra': {'level': 5, 'redacted': 7}
        }
        assert fields_of(extra={'a': {'redacted': 7}}, redact=['password']) == {'a': {'redacted': 7}}

    def test_names_that_are_known_are_bounded(self, monkeypatch):
        """Clients may send any number of keys, and keys of any length; what is listed is found after that as before."""
        monkeypatch.setattr(redaction, '_MOST_NAMES', 50)
        formatter = JSONFormatter(redact=['password'])
        known = formatter._plan.redact.__self__._known
        for number in range(300):
            assert fields_of(formatter=formatter, extra={f'key{number}': 1}) == {f'key{number}': 1}
            assert len(known) <= 50
        assert (
            fields_of(formatter=formatter, extra={'key1': 1, 'password': 1, 'x' * 100_000: 1})['redacted']
            == 1
        )
        assert max(map(len, known)) < 200

    def test_many_stars_do_not_take_the_time_of_all_combinations(self):
        """A key of a client's may be a megabyte."""
        formatter = JSONFormatter(redact=['*a*a*a*a*a*a*b'])
        key = 'a' * 1_000_000
        assert fields_of(formatter=formatter, extra={key: 1}) == {key: 1}
        assert fields_of(formatter=formatter, extra={key + 'b': 1})['redacted'] == 1


class TestPatterns:
    def test_what_they_find_is_replaced_in_every_text(self):
        """In the message with its arguments, in values at any depth, in exceptions, tracebacks and stacks; keys stay."""
        try:
            raise LookupError(f'no {SECRET}')
        except LookupError as error:
            info = (LookupError, error, error.__traceback__)
        given = record_of(
            'it is %s', SECRET, extra={'a': [{SECRET: f'{SECRET}, {SECRET}'}], 'b': 5}, error=info
        )
        given.stack_info = f'Stack: {SECRET}'
        line = JSONFormatter(redact=[re.compile(SECRET.upper(), re.IGNORECASE)]).encode(given)
        event = orjson.loads(line)
        assert event['message'] == 'it is <redacted>'
        assert event['a'] == [{SECRET: '<redacted>, <redacted>'}]
        assert event['exception']['message'] == 'no <redacted>'
        assert event['exception']['traceback'].endswith('LookupError: no <redacted>')
        assert (event['stack'], event['redacted']) == ('Stack: <redacted>', 5)
        assert line.count(SECRET.encode()) == 1

    @pytest.mark.parametrize(
        ('pattern', 'text', 'shown'),
        [
            (r're:\d{16}', 'card 4111111111111111!', 'card <redacted>!'),
            (r're:(?<=pin=)\d+', 'pin=1234', 'pin=<redacted>'),
            (r're:^\w+$', 'word', '<redacted>'),
            (r're:\b', 'a b', 'a b'),
            ('re:["\\\\\\n]+', 'a"\\\nb', 'a<redacted>b'),
            ('re:.+', '"},{"', '<redacted>'),
            ('re:redacted', 'xredactedx', 'x<redacted>x'),
            (re.compile('é+', re.IGNORECASE), 'aÉé\ud800', 'a<redacted>\\ud800'),
        ],
    )
    def test_they_see_the_text_as_it_is(self, pattern, text, shown):
        """Not as JSON has it, which they cannot break; anchors are the ends of the text."""
        assert event_of(extra={'a': text}, redact=[pattern])['a'] == shown
        assert event_of(text, redact=[pattern])['message'] == shown

    def test_the_time_of_the_event_stays_one(self):
        """What a program logs in its place is a text like others."""
        options = {'redact': [r're:\d+']}
        event = event_of('5', **options)
        assert re.fullmatch(r'[-0-9T:.]{26}Z', event['timestamp'])
        assert (event['message'], event['redacted']) == ('<redacted>', 1)
        assert event_of({'timestamp': 'at 5'}, **options)['timestamp'] == 'at <redacted>'
        assert 'redacted' not in event_of(**options)

    def test_names_and_patterns_together_count_values(self):
        """Each once, however much of it is hidden."""
        event = event_of(
            '5 and 6', extra={'password': '7', 'a': '8'}, redact=['password', r're:\d', 're:redacted']
        )
        assert (event['message'], event['password'], event['redacted']) == (
            '<<redacted>> and <<redacted>>',
            '<redacted>',
            3,
        )


class TestOptions:
    @pytest.mark.parametrize(
        ('listed', 'error', 'words'),
        [
            (
                'api_*',
                TypeError,
                r"redact must be a list or tuple of names, like \['api_\*'\], not one string",
            ),
            (re.compile('x'), TypeError, r"redact must be a list or tuple of names, not re\.compile\('x'\)"),
            (None, TypeError, 'not None'),
            ([b'x'], TypeError, r"redact lists b'x', which is bytes: write the name of a key, such as 'x'"),
            ([5], TypeError, 'redact lists 5, which is int: write the name of a key, or a pattern'),
            ([re.compile(b'x')], TypeError, r"re\.compile\(b'x'\), a pattern for bytes: write one for text"),
            (['re:('], ValueError, r"redact lists 're:\(', which is no regular expression: missing \)"),
            (
                ['re:x*'],
                ValueError,
                r"redact lists 're:x\*', which matches the empty text .* write \+ in the place of \*",
            ),
            ([re.compile('')], ValueError, 'the empty text'),
            ([''], ValueError, "lists '', which is no name: write one"),
            *(
                (
                    [wrong],
                    ValueError,
                    rf"seems to be a regular expression: write 're:' before it, as in '{right}'",
                )
                for wrong, right in [
                    ('^password$', r're:\^password\$'),
                    (r'\bpin\b', 're:.*pin.*'),
                    ('Re:x', 're:x'),
                ]
            ),
            (
                ['*'],
                ValueError,
                r"redact lists '\*', which would hide the event's own timestamp: write a name",
            ),
            (['LEVEL'], ValueError, "redact lists 'LEVEL', which would hide the event's own level"),
            (['log*'], ValueError, "would hide the event's own logger"),
        ],
    )
    def test_what_is_written_wrong_raises(self, listed, error, words):
        """With what to write instead."""
        with pytest.raises(error, match=words):
            JSONFormatter(redact=listed)

    def test_a_constant_cannot_have_the_counts_name(self):
        """As with the event's other names; also where the two meet later."""
        with pytest.raises(ValueError, match="fields cannot use 'redacted', the event's own name"):
            JSONFormatter(fields={'redacted': 1}, redact=['password'])
        with pytest.raises(ValueError, match="fields cannot use 'Redacted', the event's own name"):
            JSONFormatter(fields={'Redacted': 1}, redact=['password'])
        with pytest.raises(ValueError, match="fields cannot use 'redacted'"):
            JSONFormatter(fields={'redacted': 1}).with_options_of(JSONFormatter(redact=['password']))
        assert event_of(fields={'redacted': 1})['redacted'] == 1

    def test_it_adds_to_what_another_formatter_lists(self):
        """And copies and pickled ones hide the same."""
        both = JSONFormatter(redact=['a', re.compile('x')]).with_options_of(
            JSONFormatter(redact=['b', 're:Y', 'a'])
        )
        for formatter in (both, copy.copy(both), copy.deepcopy(both), pickle.loads(pickle.dumps(both))):
            assert fields_of(formatter=formatter, extra={'a': 1, 'b': 1, 'c': 'xYz'}) == {
                'c': '<redacted><redacted>z',
                'b': None,
                'a': None,
                'redacted': 3,
            }

    def test_with_keys_told_apart_by_more_than_case(self):
        """A key is hidden before it gets another name by that, and no other one can pass for the count."""
        event = event_of(
            extra={
                'in': {'password': 'x1', 'PASSWORD': 'x2'},
                'Password': 'x3',
                'password': 'x4',
                'REDACTED': 5,
                'other': 6,
            },
            redact=['password'],
            ignore_case=True,
            leave_out=['other'],
        )
        assert not re.search(r'x\d', str(event))
        assert (event['redacted'], event['extra']['REDACTED']) == (4, 5)
        assert 'other' not in event

    def test_a_subclass_may_make_its_own_traceback(self):
        """What it makes is searched as well."""

        class Own(JSONFormatter):
            def formatException(self, ei):  # noqa: N802
                return f'own {SECRET}'

        event = event_of(error=(ValueError, ValueError('no'), None), formatter=Own(redact=[f're:{SECRET}']))
        assert event['exception']['traceback'] == 'own <redacted>'

    def test_without_it_nothing_is_paid(self):
        """The encoder is called as it is; with names alone that holds for the plainest events, too."""
        formatter = JSONFormatter()
        assert formatter._dumps is formatter._dumps_usual is orjson.dumps
        redacting = JSONFormatter(redact=['password'])
        assert redacting._dumps_usual is orjson.dumps
        assert 'encode' not in vars(redacting)


class TestFailure:
    @pytest.mark.parametrize(
        'record', [record_of(SECRET), record_of('Ahoy', extra={'a': b'x', 'password': SECRET})]
    )
    def test_without_memory_the_last_line_is_left(self, record, monkeypatch):
        """It says nothing of the record."""

        def exhausted(*_):
            raise MemoryError

        formatter = JSONFormatter(redact=['password', f're:{SECRET}'])
        monkeypatch.setattr(redaction.Redaction, '_hide', exhausted)
        assert formatter.encode(record) == LAST_LINE

    def test_the_line_that_is_left_of_an_event_is_redacted(self, monkeypatch):
        """Where the event itself could not be built."""

        def exhausted(*_):
            raise MemoryError

        formatter = JSONFormatter(redact=[f're:{SECRET}'])
        monkeypatch.setattr('firefighter._event.formatter.encode_carefully', exhausted)
        event = event_of(f'{SECRET} %s %s', 1, formatter=formatter)
        assert (event['message'], event['format_error'], event['redacted']) == (
            '<redacted> %s %s',
            'MemoryError',
            1,
        )

    @pytest.mark.parametrize('extra', [{}, {'a': {'b': SECRET}}, {'password': SECRET}])
    def test_at_the_recursion_limit_nothing_comes_out(self, extra):
        """At any distance from it there is a line, without what is listed."""
        formatter = JSONFormatter(redact=['b', 'password', re.compile(SECRET)])
        record = record_of('it is %s', SECRET, extra=extra)
        lines = []

        def descend():
            lines.append(formatter.encode(record))
            descend()

        with pytest.raises(RecursionError):
            descend()
        assert len(lines) > 100
        for line in set(lines):
            assert orjson.loads(line)
            assert SECRET.encode() not in line


LISTED = ['password', f're:{SECRET}']


@pytest.fixture
def redacting(make_handler, make_logger):
    """Return a handler that hides, its client and its logger."""

    def make(client=None, formatter=None, **options):
        client = client or AcceptingClient()
        handler = make_handler('bar', boto3_client=client, **options)
        handler.setFormatter(formatter or JSONFormatter(redact=LISTED))
        return handler, client, make_logger(handler)

    return make


def log(logger):
    logger.error({'message': f'it is {SECRET}', 'password': SECRET, 'in': [{'Password': SECRET}]})


def check(lines, number=1):
    assert len(lines) == number
    for line in lines:
        assert SECRET.encode() not in line
        assert orjson.loads(line)['redacted'] == 3


class TestOnTheWay:
    @pytest.mark.parametrize('event_ids', [False, True])
    @pytest.mark.parametrize('options', [{}, {'aggregate': True}, {'use_queues': False}])
    def test_a_handler_sends_what_is_left(self, event_ids, options, redacting):
        """With an id, which nothing of it touches."""
        handler, client, logger = redacting(event_ids=event_ids, **options)
        log(logger)
        logger.info('x', extra={'producer': {'password': SECRET}, 'sequence': 5, 'redacted': 5})
        assert handler.flush()
        first, second = b''.join(client.events).splitlines()
        check([first])
        event = orjson.loads(second)
        if event_ids:
            assert event['extra'] == {'redacted': 5, 'sequence': 5, 'producer': {'password': None}} or event[
                'extra'
            ] == {
                'redacted': 5,
                'producer': {'password': '<redacted>'},
                'sequence': 5,
            }
            assert [orjson.loads(line)['sequence'] for line in (first, second)] == [0, 1]
        assert event['redacted'] == 1
        assert SECRET.encode() not in second

    def test_what_is_too_long_is_cut_after_it_is_redacted(self, redacting):
        """So no secret is cut in two, of which neither half is found."""
        handler, client, logger = redacting(oversize='truncate')
        logger.info('%s', 'x' * 900 + SECRET + 'y' * 900, extra={'password': SECRET * 500})
        assert handler.flush()
        (line,) = client.events
        assert not re.search(rb's3|r3t', line)
        assert orjson.loads(line)['password'] == '<redacted>'

    def test_the_spool_and_dead_letters_have_the_redacted_line(self, redacting, tmp_path):
        """On the disk, and what the hook is told."""
        told = []
        handler, client, logger = redacting(
            RefusingClient(lambda event: b'it is' in event),
            spool_dir=tmp_path,
            on_dead_letter=lambda event, _: told.append(event),
        )
        for _ in range(20):
            logger.info('fine')
        log(logger)
        assert SECRET.encode() not in b''.join(
            path.read_bytes() for path in tmp_path.rglob('*') if path.is_file()
        )
        assert handler.flush()
        handler.close()
        check(told)
        (letters,) = tmp_path.rglob('dead-letters')
        assert SECRET not in letters.read_text()
        assert len(client.events) == 20

    def test_what_is_undelivered_is_written_redacted(self):
        """On stderr, when the process ends."""
        code = f"""
        from firefighter.formatting import JSONFormatter
        handler.setFormatter(JSONFormatter(redact=['password', 're:{SECRET}']))
        logger.info({{'message': 'it is {SECRET}', 'password': '{SECRET}', 'in': [{{'Password': '{SECRET}'}}]}})
        """
        # A port that nobody listens on.
        environment = {**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': 'http://127.0.0.1:9'}
        ended = subprocess.run(
            program(code, shutdown_timeout_seconds=0, undelivered='stderr'),
            env=environment,
            capture_output=True,
            timeout=DEADLINE_SECONDS,
            check=True,
        )
        check([line for line in ended.stderr.splitlines() if line.startswith(b'{')])

    @pytest.mark.parametrize('kept', [True, False])
    def test_behind_what_stands_before_a_handler(self, kept, redacting, make_logger):
        """What is kept until an error comes is encoded at once; what a limit reports is an event as others."""
        handler, client, _ = redacting()
        keeping = KeepUntilErrorHandler(handler, 'INFO')
        handler.addFilter(LimitFilter(1))
        logger = make_logger(keeping)
        if kept:
            logger.debug({'message': f'it is {SECRET}', 'password': SECRET, 'in': [{'Password': SECRET}]})
        for _ in range(3):
            log(logger)
        keeping.close()
        handler.close()
        check(client.events[: 1 + kept], 1 + kept)
        assert all(SECRET.encode() not in line for line in client.events)

    def test_behind_a_queue(self, redacting, make_logger):
        """The handler of its listener formats what it gets."""
        handler, client, _ = redacting()
        records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        log(make_logger(QueueHandler(records), name='before'))
        handler.handle(records.get_nowait())
        assert handler.flush()
        check(client.events)

    def test_by_structlog(self, redacting):
        """Its own way into the spool, without a record, and that with one."""
        structlog = pytest.importorskip('structlog')
        from firefighter.integrations.structlog import EventRenderer, FirehoseLoggerFactory

        handler, client, _ = redacting(event_ids=True)
        logger = structlog.wrap_logger(FirehoseLoggerFactory(handler)('shop'), processors=[EventRenderer()])
        given = {'password': SECRET, 'in': [{'Password': SECRET}]}
        text = f'it is {SECRET}'
        logger.info(text, **given)
        logger.info(text, **given)
        logger.info('Ahoy', password=SECRET, redacted=5)
        try:
            raise ValueError(SECRET)
        except ValueError:
            logger.exception('wrong', password=SECRET)
        assert handler.flush()
        check(client.events[:2], 2)
        third, fourth = map(orjson.loads, client.events[2:])
        assert (third['password'], third['redacted'], third['extra']) == ('<redacted>', 1, {'redacted': 5})
        assert fourth['redacted'] == 3
        assert SECRET not in str(fourth)

    @pytest.mark.parametrize('enqueue', [False, True])
    def test_by_loguru(self, enqueue, redacting):
        """Also its own tracebacks, with the values of variables in them."""
        loguru = pytest.importorskip('loguru')
        from firefighter.integrations.loguru import sink

        handler, client, _ = redacting()
        loguru.logger.remove()
        number = loguru.logger.add(sink(handler), enqueue=enqueue, diagnose=True, format='{message}')
        loguru.logger.bind(password=SECRET, **{'in': [{'Password': SECRET}]}).info(f'it is {SECRET}')
        try:
            raise ValueError(SECRET)
        except ValueError:
            loguru.logger.exception('wrong')
        loguru.logger.remove(number)
        assert handler.flush()
        check(client.events[:1])
        assert SECRET.encode() not in client.events[1]

    def test_what_a_formatter_of_the_programs_hides_stays_hidden_where_it_fails(self, redacting):
        """The handler's own formatter takes its place, which hides the same."""

        class Failing(JSONFormatter):
            def format(self, record):
                raise ValueError('no')

        handler, client, logger = redacting(formatter=Failing(redact=LISTED))
        log(logger)
        assert handler.flush()
        check(client.events)
        handler.setFormatter(None)
        logger.info({'password': 'x'})
        assert handler.flush()
        assert b'"x"' in client.events[1]

    def test_so_it_does_where_the_handlers_own_format_fails(self, redacting):
        """A subclass of the handler."""

        class Own(FirehoseHandler):
            def format(self, record):
                if record.levelno > logging.INFO:
                    raise ValueError('no')
                return super().format(record)

        handler, client, logger = redacting(kind=Own)
        log(logger)
        logger.info({'message': f'it is {SECRET}', 'password': SECRET, 'in': [{'Password': SECRET}]})
        assert handler.flush()
        check(client.events, 2)

    def test_dictconfig_can_say_it(self, monkeypatch):
        """By plain values; and a pickled handler hides the same."""
        logging.config.dictConfig(
            {
                'version': 1,
                'disable_existing_loggers': False,
                'formatters': {
                    'json': {
                        '()': 'firefighter.formatting.JSONFormatter',
                        'redact': ['password', f're:{SECRET}'],
                    }
                },
                'handlers': {
                    'firehose': {
                        'class': 'firefighter.logging.FirehoseHandler',
                        'delivery_stream_name': 'bar',
                        'formatter': 'json',
                    }
                },
                'loggers': {'shop': {'handlers': ['firehose']}},
            }
        )
        (handler,) = logging.getLogger('shop').handlers
        for one in (handler, pickle.loads(pickle.dumps(handler))):
            assert SECRET not in one.format(record_of({'password': SECRET, 'a': f'x{SECRET}'}))

    def test_from_many_threads(self, redacting):
        """That meet new names at the same time, and bind values of their own."""
        handler, client, logger = redacting(
            formatter=JSONFormatter(context=['firefighter'], redact=['password', 'token*'])
        )
        begin = threading.Barrier(4)

        def work(number):
            begin.wait()
            for event in range(200):
                with bind(**{f'a{event % 7}': number, **({'token': SECRET} if event % 3 else {})}):
                    logger.info('x', extra={f'key{event}': 1, **({'password': SECRET} if event % 2 else {})})

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
        assert handler.flush()
        lines = b''.join(client.events).splitlines()
        assert len(lines) == 800
        hidden = [
            0 if event % 3 == 0 and event % 2 == 0 else 2 if event % 3 and event % 2 else 1
            for event in range(200)
        ]
        assert sum(orjson.loads(line).get('redacted', 0) for line in lines) == 4 * sum(hidden)
        assert all(SECRET.encode() not in line for line in lines)
