"""What does a record become? The keys of the event, their order, and who wins a name."""

import copy
import logging
import os
import pickle
import sys
from logging.handlers import QueueHandler, SocketHandler

import orjson
import pytest

from firefighter.formatting import JSONFormatter


def make_record(message='Ahoy', *args, exc_info=None, extra=None, sinfo=None):
    logger = logging.getLogger('shop.views')
    return logger.makeRecord(
        'shop.views', logging.INFO, '/srv/shop/views.py', 7, message, args, exc_info, 'view', extra, sinfo
    )


def event_of(record, **options):
    return orjson.loads(JSONFormatter(**options).encode(record))


def raised(error):
    try:
        raise error
    except type(error):
        return sys.exc_info()


class TestTheOrdinaryEvent:
    def test_the_keys_come_in_their_order(self):
        """Timestamp, level, logger, message, fields, include, extra, exception, stack."""
        record = make_record(exc_info=raised(ValueError('no')), extra={'order': 1}, sinfo='Stack:\n  here')
        event = event_of(record, fields={'service': 'api'}, include=['pid'])
        assert list(event) == [
            *['timestamp', 'level', 'logger', 'message', 'service', 'pid', 'order', 'exception', 'stack'],
        ]

    def test_the_quick_way_and_the_careful_way_agree(self):
        """A subclass of LogRecord goes the careful way; its event is the same."""

        class Record(logging.LogRecord):
            pass

        for message, extra in [
            ('Ahoy', {'b': 1}),
            ({'message': 'Ahoy', 'x': 1}, {}),
            ({'level': 'L'}, {'c': 1}),
        ]:
            record = make_record(message, extra=extra)
            twin = Record('', 0, '', 0, '', (), None)
            twin.__dict__.update(record.__dict__)
            for options in (
                {},
                {'fields': {'x': 2, 'y': [3]}, 'include': ['pid', 'source'], 'protect_fields': True},
            ):
                formatter = JSONFormatter(**options)
                assert formatter.encode(record) == formatter.encode(twin)

    def test_level_logger_and_message_are_the_records(self):
        """The message has its arguments."""
        event = event_of(make_record('%s sails in %d days', 'Ada', 3))
        assert event['level'] == 'INFO'
        assert event['logger'] == 'shop.views'
        assert event['message'] == 'Ada sails in 3 days'

    def test_arguments_by_name_are_merged(self):
        """A single dict as argument is logging's way to name them."""
        assert event_of(make_record('%(who)s sails', {'who': 'Ada'}))['message'] == 'Ada sails'

    def test_a_percent_sign_without_arguments_is_a_percent_sign(self):
        """As in the standard library."""
        assert event_of(make_record('100 %'))['message'] == '100 %'

    def test_the_line_ends_in_its_only_newline(self):
        """Whatever the message has in it; no NUL and no 0x1A either."""
        line = JSONFormatter().encode(make_record('a\nb\0c\x1ad\r\n', extra={'key\n\0\x1a': '\n\0\x1a'}))
        assert line.find(b'\n') == len(line) - 1
        assert b'\0' not in line
        assert b'\x1a' not in line
        assert orjson.loads(line)['message'] == 'a\nb\0c\x1ad\r\n'

    def test_format_returns_the_same_as_text_without_the_newline(self):
        """For any other handler that is given the formatter."""
        record = make_record('Ünï 日本 🔥')
        formatter = JSONFormatter()
        assert formatter.format(record) + '\n' == formatter.encode(record).decode()

    def test_it_serves_a_handler_of_the_standard_library(self, capsys):
        """It is a logging.Formatter like any other."""
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JSONFormatter())
        handler.handle(make_record())
        assert orjson.loads(capsys.readouterr().out)['message'] == 'Ahoy'

    @pytest.mark.parametrize('message', [[1, 'two'], 3, 4.5, None, ('a',), ValueError('no'), {1}, b'bytes'])
    def test_any_other_message_becomes_its_str(self, message):
        """Lists and numbers too."""
        assert event_of(make_record(message))['message'] == str(message)

    def test_a_str_subclass_as_message_becomes_its_str(self):
        """A lazy translation, say, which the standard library's formatter also asks for its `str`."""

        class Lazy(str):
            __slots__ = ()

            def __str__(self):
                return 'translated'

        assert event_of(make_record(Lazy('key')))['message'] == 'translated'

    def test_a_subclass_of_the_record_gives_its_own_message(self):
        """The usual way to have messages with braces."""

        class Braces(logging.LogRecord):
            def getMessage(self):  # noqa: N802 - logging's name
                return self.msg.format(*self.args)

        record = Braces('shop', logging.INFO, '', 1, '{} sails', ('Ada',), None)
        assert event_of(record)['message'] == 'Ada sails'
        record = Braces('shop', logging.INFO, '', 1, '{{{}}} sails', ('Ada',), None)
        assert event_of(record)['message'] == '{Ada} sails'
        record = Braces('shop', logging.INFO, '', 1, '{{}} sails', (), None)
        assert event_of(record)['message'] == '{} sails'


class TestTheTimestamp:
    @pytest.mark.parametrize(
        ('created', 'written'),
        [
            (0.0, '1970-01-01T00:00:00.000000Z'),
            (1769862896.789012, '2026-01-31T12:34:56.789012Z'),
            (1769862896, '2026-01-31T12:34:56.000000Z'),
            (1769862896.000001, '2026-01-31T12:34:56.000001Z'),
            (1769862896.9999998, '2026-01-31T12:34:56.999999Z'),
            (-0.5, '1969-12-31T23:59:59.500000Z'),
            (-62135596800.0, '0001-01-01T00:00:00.000000Z'),
            (253402300799.5, '9999-12-31T23:59:59.500000Z'),
        ],
    )
    def test_it_is_utc_with_six_digits(self, created, written):
        """ISO 8601, at any time that a calendar has."""
        record = make_record()
        record.created = created
        assert event_of(record)['timestamp'] == written

    def test_records_of_other_seconds_have_theirs(self):
        """What is kept of one second is never used for another, in either direction."""
        formatter = JSONFormatter()
        record = make_record()
        for created, seconds in [
            (10.5, '10.500000'),
            (11.25, '11.250000'),
            (10.75, '10.750000'),
            (10.0, '10.000000'),
        ]:
            record.created = created
            assert orjson.loads(formatter.encode(record))['timestamp'] == f'1970-01-01T00:00:{seconds}Z'

    @pytest.mark.parametrize('created', [float('nan'), float('inf'), 1e300, -1e12, 'yesterday', None])
    def test_a_time_that_is_none_is_kept_under_extra(self, created):
        """The event has the time of formatting instead."""
        record = make_record()
        record.created = created
        event = event_of(record)
        assert event['timestamp'].startswith('20')
        assert event['timestamp'].endswith('Z')
        assert 'created' in event['extra']


class TestExtra:
    def test_extras_are_fields_of_the_event(self):
        """What is given as `extra` is found at the top."""
        event = event_of(make_record(extra={'order': 42, 'items': ['a', {'b': None}]}))
        assert event['order'] == 42
        assert event['items'] == ['a', {'b': None}]

    def test_the_records_own_attributes_are_no_extras(self):
        """None of them, on any Python; taskName (3.12) included."""
        record = make_record()
        assert list(event_of(record)) == ['timestamp', 'level', 'logger', 'message']
        assert list(event_of(make_record({}))) == ['timestamp', 'level', 'logger']

    @pytest.mark.skipif(
        sys.version_info >= (3, 12), reason='logging itself refuses this extra since Python 3.12'
    )
    def test_an_extra_named_as_a_later_python_names_an_attribute_is_an_extra(self):
        """`taskName` is the program's own before Python 3.12."""
        for message in ('Ahoy', {'message': 'Ahoy'}):
            assert event_of(make_record(message, extra={'taskName': 'nightly'}))['taskName'] == 'nightly'
            assert event_of(make_record(message, extra={'taskName': {1}, 'a': 2}))['taskName'] == [1]

    @pytest.mark.parametrize('message', ['Ahoy', {'message': 'Ahoy'}])
    def test_what_another_formatter_leaves_on_the_record_is_no_extra(self, message):
        """A console handler with `%(asctime)s` formats first; the extras are still found."""
        record = make_record(message, extra={'order': 42})
        logging.Formatter('%(asctime)s %(message)s').format(record)
        assert list(event_of(record)) == ['timestamp', 'level', 'logger', 'message', 'order']
        assert event_of(record)['message'] == 'Ahoy'

    @pytest.mark.parametrize('message', ['Ahoy', {'message': 'Ahoy'}])
    @pytest.mark.parametrize('value', ['\x1b[36mAhoy\x1b[0m', b'x'])
    def test_the_message_in_colours_is_no_extra(self, message, value):
        """Uvicorn passes it with each of its messages."""
        event = event_of(make_record(message, extra={'a': 1, 'color_message': value, 'b': 2}))
        assert list(event) == ['timestamp', 'level', 'logger', 'message', 'b', 'a']

    @pytest.mark.parametrize('value', [1, b'x'])
    @pytest.mark.parametrize('message', ['Ahoy', {'message': 'Ahoy', 'otelTraceID': 7}])
    def test_attributes_are_left_out_that_the_program_names(self, message, value):
        """Attributes alone: a key of the message is there. Those of the record itself are not written at all."""
        record = make_record(message, extra={'a': value, 'otelTraceID': value, 'b': 2, 'otelSpanID': value})
        options = {'leave_out': ['otelTraceID', 'otelSpanID', 'level', 'process', 'taskName', 'asctime']}
        event = event_of(record, **options)
        names = ['timestamp', 'level', 'logger', 'message', 'b', 'a']
        assert list(event) == names[:4] + ['otelTraceID'] * isinstance(message, dict) + names[4:]
        assert event['level'] == 'INFO'
        formatter = pickle.loads(pickle.dumps(copy.copy(JSONFormatter(**options))))
        assert orjson.loads(formatter.encode(record)) == event
        assert 'otelSpanID' in event_of(record)

    def test_leave_out_is_no_single_text(self):
        """Whose letters would be the names."""
        with pytest.raises(
            TypeError, match=r"leave_out must be a list or tuple of names, like \['asctime'\]"
        ):
            JSONFormatter(leave_out='asctime')
        with pytest.raises(TypeError, match='leave_out must be a list or tuple of names, not 5'):
            JSONFormatter(leave_out=5)

    @pytest.mark.parametrize('name', ['timestamp', 'level', 'logger', 'service', 'host', 'pid'])
    def test_an_extra_replaces_nothing(self, name):
        """It is kept under `extra`, whatever there is: the event's own, fields, include."""
        record = make_record(extra={name: 'mine', 'other': 1})
        event = event_of(record, fields={'service': 'api'}, include=['host', 'pid'])
        assert event[name] != 'mine'
        assert event['extra'] == {name: 'mine'}
        assert event['other'] == 1

    def test_an_extra_does_not_replace_a_key_of_a_dict_message(self):
        """The message was there first."""
        event = event_of(make_record({'order': 1}, extra={'order': 2}))
        assert event['order'] == 1
        assert event['extra'] == {'order': 2}

    def test_an_extra_called_extra_stays_where_it_is(self):
        """Nobody else needs the name."""
        assert event_of(make_record(extra={'extra': [1]}))['extra'] == [1]
        assert event_of(make_record({'extra': [1]}))['extra'] == [1]

    def test_an_extra_called_extra_moves_in_when_the_place_is_needed(self):
        """Nothing is lost."""
        event = event_of(make_record(extra={'extra': [1], 'level': 'mine'}))
        assert event['extra'] == {'extra': [1], 'level': 'mine'}

    def test_extras_set_before_the_records_own_attributes_are_found(self):
        """By a subclass that sets its own first."""

        class Record(logging.LogRecord):
            def __init__(self, *args):
                self.tenant = 'acme'
                super().__init__(*args)

        assert event_of(Record('shop', logging.INFO, '', 1, 'Ahoy', (), None))['tenant'] == 'acme'

    @pytest.mark.parametrize(
        'name', ['pathname', 'process', 'thread', 'args', 'exc_text', 'stack_info', 'levelname']
    )
    def test_extras_of_a_record_without_one_of_its_attributes_are_found(self, name):
        """A filter may have deleted it, or set it anew."""
        record = make_record(extra={'order': 42, 'user': 'ada'})
        value = record.__dict__.pop(name)
        assert event_of(record)['order'] == 42
        assert event_of(record)['user'] == 'ada'
        setattr(record, name, value)
        assert event_of(record)['order'] == 42
        assert event_of(record)['user'] == 'ada'
        assert 'extra' not in event_of(record)

    @pytest.mark.parametrize('name', sorted(vars(make_record())))
    def test_as_many_extras_as_the_record_has_lost_attributes_are_found(self, name):
        """A filter that deletes one, or two, hides nothing."""
        record = make_record(extra={'order': 42})
        delattr(record, name)
        assert event_of(record)['order'] == 42
        record.user = 'ada'
        record.__dict__.pop('msecs', None)
        assert [event_of(record)[key] for key in ('order', 'user')] == [42, 'ada']
        record = make_record({'a': 1}, extra={'order': 42})
        delattr(record, name)
        assert event_of(record)['order'] == 42


class TestADictMessage:
    def test_it_is_the_event(self):
        """The documented example."""
        event = event_of(make_record({'message': 'Ahoy', 'order': {'id': 1}}))
        assert list(event) == ['timestamp', 'level', 'logger', 'message', 'order']
        assert event['message'] == 'Ahoy'
        assert event['order'] == {'id': 1}

    def test_without_a_message_it_gets_none(self):
        """A dict says all that it says."""
        assert 'message' not in event_of(make_record({'order': 1}))

    def test_its_keys_replace_ours(self):
        """The first four, fields and include: your dict is the event, ours are defaults."""
        names = ['timestamp', 'level', 'logger', 'message', 'service', 'host', 'pid']
        message = dict.fromkeys(names, 'mine')
        assert event_of(make_record(message), fields={'service': 'api'}, include=['host', 'pid']) == message

    def test_protected_it_is_put_whole_under_data(self):
        """Who sends what is logged cannot choose the level; there is no message then."""
        message = {'level': 'FORGED', 'message': 'x', 'service': 'y'}
        event = event_of(make_record(message), protect_fields=True, fields={'service': 'api'})
        assert event['data'] == message
        assert event['level'] == 'INFO'
        assert event['service'] == 'api'
        assert 'message' not in event

    def test_protection_leaves_other_messages_alone(self):
        """Only a dict goes under `data`; an extra may have that name then."""
        event = event_of(make_record('Ahoy', extra={'order': 1}), protect_fields=True)
        assert event['message'] == 'Ahoy'
        assert 'data' not in event

    def test_protected_data_is_not_replaced_by_an_extra(self):
        """As any other key that is there."""
        event = event_of(make_record({'a': 1}, extra={'data': 2}), protect_fields=True)
        assert event['data'] == {'a': 1}
        assert event['extra'] == {'data': 2}

    @pytest.mark.parametrize('protect', [False, True])
    def test_its_arguments_are_kept(self, protect):
        """There is nothing to merge them into; nothing is lost."""
        event = event_of(make_record({'a': 1}, 'x', object), protect_fields=protect)
        assert event['args'] == ['x', "<class 'object'>"]
        assert 'format_error' not in event

    def test_its_own_args_come_before_the_records(self):
        """The record's are kept under `extra`."""
        event = event_of(make_record({'args': 1}, 'x'))
        assert event['args'] == 1
        assert event['extra'] == {'args': ['x']}

    def test_a_subclass_of_dict_is_a_dict(self):
        """Read as dict reads it, whatever the subclass overrides."""

        class Strange(dict):
            def keys(self):
                raise RuntimeError

            def __iter__(self):
                raise RuntimeError

            def items(self):
                raise RuntimeError

            def __getitem__(self, key):
                raise RuntimeError

        event = event_of(make_record(Strange(message='Ahoy', inner=Strange(a=1))))
        assert event['message'] == 'Ahoy'
        assert event['inner'] == {'a': 1}


class TestExceptions:
    def test_an_exception_is_an_object(self):
        """Its type, its message and its traceback, each a field."""
        event = event_of(make_record(exc_info=raised(ValueError('no such ship'))))
        assert list(event['exception']) == ['type', 'message', 'traceback']
        assert event['exception']['type'] == 'ValueError'
        assert event['exception']['message'] == 'no such ship'
        assert event['exception']['traceback'].startswith('Traceback (most recent call last):\n  File "')
        assert event['exception']['traceback'].endswith('\nValueError: no such ship')

    def test_the_type_has_its_module(self):
        """As in a traceback: all but the built-in ones."""
        assert event_of(make_record(exc_info=raised(orjson.JSONDecodeError('a', 'b', 0))))['exception'][
            'type'
        ] in {
            'orjson.JSONDecodeError',
            'json.JSONDecodeError',
        }

        class Inner(Exception):  # noqa: N818 - the name is what is tested
            pass

        name = event_of(make_record(exc_info=raised(Inner())))['exception']['type']
        assert name == f'{__name__}.TestExceptions.test_the_type_has_its_module.<locals>.Inner'

    def test_the_cause_is_in_the_traceback(self):
        """The whole chain."""
        error = ValueError('second')
        error.__cause__ = KeyError('first')
        event = event_of(make_record(exc_info=raised(error)))
        assert "KeyError: 'first'" in event['exception']['traceback']
        assert 'direct cause' in event['exception']['traceback']

    def test_an_exception_alone_will_do(self):
        """Some code puts the instance on the record."""
        event = event_of(make_record(exc_info=ValueError('no')))
        assert event['exception'] == {'type': 'ValueError', 'message': 'no', 'traceback': 'ValueError: no'}

    @pytest.mark.parametrize('nothing', [None, False, (), (None, None, None), 0])
    def test_no_exception_is_none(self, nothing):
        """`logger.exception` outside of an except clause records three times None."""
        assert list(event_of(make_record(exc_info=nothing))) == ['timestamp', 'level', 'logger', 'message']

    @pytest.mark.parametrize('rubbish', [True, 1, 'yes', (1, 2), [None], object, (None, None)])
    def test_rubbish_is_kept_under_extra(self, rubbish):
        """It is no exception, and no reason to lose the event."""
        event = event_of(make_record(exc_info=rubbish))
        assert 'exception' not in event
        assert 'exc_info' in event['extra']

    @pytest.mark.parametrize(
        'rubbish', [(1, 2, 3), (None, 'x', None), (ValueError, None, None), (None, ValueError(), 5)]
    )
    def test_a_tuple_of_rubbish_is_described(self, rubbish):
        """As far as it goes."""
        exception = event_of(make_record(exc_info=rubbish))['exception']
        assert set(exception) == {'type', 'message', 'traceback'}
        assert all(isinstance(value, str) for value in exception.values())

    def test_the_text_of_a_traceback_is_kept(self):
        """A record that came through a queue or a socket has no exception any more, but its text."""
        record = make_record(exc_info=raised(ValueError('no')))
        logging.Formatter().format(record)
        record.exc_info = None
        assert event_of(record)['exception'] == {'traceback': record.exc_text}
        record.exception = 'mine'
        assert event_of(record)['exception'] == {'traceback': record.exc_text}
        assert event_of(record)['extra'] == {'exception': 'mine'}

    def test_a_type_without_an_exception_has_no_message(self):
        """As it was in old Pythons, and in records made by hand."""
        exception = event_of(make_record(exc_info=(ValueError, None, None)))['exception']
        assert (exception['type'], exception['message']) == ('ValueError', '')

    def test_a_record_from_a_socket_has_its_exception(self):
        """As the standard library pickles it."""
        record = make_record('%s sails', 'Ada', exc_info=raised(ValueError('no')), extra={'order': 42})
        pickled = SocketHandler('localhost', 0).makePickle(record)[4:]
        event = event_of(logging.makeLogRecord(pickle.loads(pickled)))
        assert event['message'] == 'Ada sails'
        assert event['order'] == 42
        assert event['exception']['traceback'].endswith('ValueError: no')

    def test_a_record_from_a_queue_is_whole(self):
        """As QueueHandler prepares it."""
        record = QueueHandler(None).prepare(make_record('%s sails', 'Ada', extra={'order': 42}))
        event = event_of(record)
        assert event['message'] == 'Ada sails'
        assert event['order'] == 42

    def test_the_text_that_another_formatter_kept_is_not_used(self):
        """It may be anything; the exception itself is there."""
        record = make_record(exc_info=raised(ValueError('no')))
        record.exc_text = 'COLOURED'
        assert event_of(record)['exception']['traceback'].endswith('ValueError: no')

    @pytest.mark.parametrize('name', ['exception', 'stack'])
    @pytest.mark.parametrize('given', ['message', 'extra', 'both'])
    def test_the_records_own_cannot_be_replaced(self, name, given):
        """A user's own of that name is kept under `extra`."""
        message = {name: 'mine'} if given != 'extra' else 'Ahoy'
        extra = {name: 'mine too'} if given != 'message' else {}
        record = make_record(message, exc_info=raised(ValueError('no')), sinfo='Stack: here', extra=extra)
        event = event_of(record)
        assert event['exception']['type'] == 'ValueError'
        assert event['stack'] == 'Stack: here'
        kept = {'message': {'mine'}, 'extra': {'mine too'}, 'both': {'mine', 'mine too'}}[given]
        assert set(event['extra'].values()) == kept

    @pytest.mark.parametrize('name', ['exception', 'stack'])
    def test_a_users_own_stays_where_the_record_has_none(self, name):
        """Nobody else needs the name."""
        assert event_of(make_record({name: 'mine'}))[name] == 'mine'
        assert event_of(make_record(extra={name: 'mine'}))[name] == 'mine'

    def test_a_subclass_may_format_exceptions_and_stacks(self):
        """As with any logging.Formatter."""

        class Short(JSONFormatter):
            def formatException(self, ei):  # noqa: N802 - logging's name
                return f'short {ei[0].__name__}'

            def formatStack(self, stack_info):  # noqa: N802 - logging's name
                return stack_info.upper()

        event = orjson.loads(Short().encode(make_record(exc_info=raised(ValueError()), sinfo='stack')))
        assert event['exception']['traceback'] == 'short ValueError'
        assert event['stack'] == 'STACK'


class TestOptions:
    def test_fields_are_in_each_event(self):
        """Constants of any form."""
        fields = {'service': 'api', 'build': {'id': 7, 'tags': ['a']}, 'debug': None}
        event = event_of(make_record(), fields=fields)
        assert {name: event[name] for name in fields} == fields

    def test_a_later_change_of_fields_has_no_effect(self):
        """They are encoded once."""
        fields = {'build': {'id': 7}}
        formatter = JSONFormatter(fields=fields)
        fields['build']['id'] = 8
        assert orjson.loads(formatter.encode(make_record()))['build'] == {'id': 7}

    def test_fields_degrade_as_events_do(self):
        """For one value, by the same rules."""
        event = event_of(
            make_record(), fields={'raw': b'caf\xc3\xa9', 'big': 2**70, 'tags': {1}, '\ud800': 1}
        )
        assert event['raw'] == 'café'
        assert event['big'] == str(2**70)
        assert event['tags'] == [1]
        assert event['\\ud800'] == 1

    def test_fields_of_dict_config_are_resolved(self):
        """`ext://` in a configuration is looked up when the value is asked for by its name."""
        from logging.config import DictConfigurator

        config = DictConfigurator({'fields': {'platform': 'ext://sys.platform'}}).config
        assert event_of(make_record(), fields=config['fields'])['platform'] == sys.platform

    def test_include_says_where_the_event_comes_from(self):
        """All of it."""
        event = event_of(make_record(), include=('host', 'pid', 'process', 'thread', 'source'))
        assert event['host']
        assert event['pid'] == os.getpid()
        assert event['process'] == 'MainProcess'
        assert event['thread'] == 'MainThread'
        assert event['source'] == {'file': '/srv/shop/views.py', 'line': 7, 'function': 'view'}

    def test_a_host_without_a_name_is_localhost(self, monkeypatch):
        """What the environment lacks raises nothing."""
        import socket

        def nameless():
            raise OSError

        monkeypatch.setattr(socket, 'gethostname', nameless)
        assert event_of(make_record(), include=['host'])['host'] == 'localhost'

    def test_an_unknown_name_to_include_is_refused(self):
        """With the names that there are."""
        with pytest.raises(ValueError, match=r"'hots'.*'host', 'pid', 'process', 'thread', 'source'"):
            JSONFormatter(include=['hots'])

    @pytest.mark.parametrize('include', ['host', b'host'])
    def test_a_single_string_to_include_is_refused(self, include):
        """It would be taken for its letters."""
        with pytest.raises(TypeError, match='list or tuple'):
            JSONFormatter(include=include)

    @pytest.mark.parametrize('fields', [['a'], 'a', 7, [('a', 1)]])
    def test_fields_that_are_no_mapping_are_refused(self, fields):
        """With what to write instead."""
        with pytest.raises(TypeError, match=r"fields must be a mapping, like {'service': 'api'}"):
            JSONFormatter(fields=fields)

    def test_fields_whose_names_are_no_strings_are_refused(self):
        """The programmer finds out at once."""
        with pytest.raises(TypeError, match='7 is int'):
            JSONFormatter(fields={7: 1})

    @pytest.mark.parametrize(
        'name', ['timestamp', 'level', 'logger', 'message', 'extra', 'exception', 'stack', 'pid']
    )
    def test_fields_cannot_use_the_events_own_names(self, name):
        """Nor those that are included: one of the two would be lost in each event."""
        with pytest.raises(ValueError, match=name):
            JSONFormatter(fields={name: 1}, include=['pid'])

    def test_fields_cannot_use_data_where_it_is_protected(self):
        """It is the dict message's place then, and free otherwise."""
        with pytest.raises(ValueError, match='data'):
            JSONFormatter(fields={'data': 1}, protect_fields=True)
        assert event_of(make_record(), fields={'data': 1})['data'] == 1

    def test_options_are_keywords_only(self):
        """So that none is mistaken for logging.Formatter's positional ones."""
        with pytest.raises(TypeError):
            JSONFormatter({'service': 'api'})

    @pytest.mark.parametrize(
        'copied', [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
    )
    def test_a_copy_works_like_the_original(self, copied):
        """Also a pickled one, in another process, and with fields that could not be pickled themselves."""
        fields = {'build': {'id': 7}, 'lock': (number for number in [])}
        formatter = JSONFormatter(fields=fields, include=['pid', 'host', 'source'], protect_fields=True)
        for record in (make_record(), make_record({'a': 1}, exc_info=raised(ValueError()))):
            assert copied(formatter).encode(record) == formatter.encode(record)
