"""What when something fails in the middle? A line comes out, the caller never sees an exception."""

import logging
import signal
import sys
import threading
from contextvars import ContextVar

import orjson
import pytest

from firefighter._event.careful_encoding import LAST_LINE
from firefighter.formatting import JSONFormatter


def make_record(message='Ahoy', *args, extra=None):
    logger = logging.getLogger('shop')
    return logger.makeRecord('shop', logging.INFO, '/srv/shop.py', 7, message, args, None, 'view', extra)


def event_of(record, **options):
    line = JSONFormatter(**options).encode(record)
    assert line.find(b'\n') == len(line) - 1
    return orjson.loads(line)


class Failing:
    def __init__(self, error):
        self.error = error

    def __str__(self):
        raise self.error

    __repr__ = __str__


class TestArguments:
    @pytest.mark.parametrize(
        ('message', 'args', 'error'),
        [
            ('%d ships', ('three',), TypeError),
            ('%s %s', ('one',), TypeError),
            ('no place', (1, 'two'), TypeError),
            ('%(name)s', ({'other': 1},), KeyError),
            ('100 %', (1,), ValueError),
            ('%y', (1,), ValueError),
        ],
    )
    def test_arguments_that_do_not_fit_are_kept(self, message, args, error):
        """Beside the message as it is written, and the reason in Python's words, which differ by its version."""
        with pytest.raises(error) as raised:
            str(message % (args[0] if isinstance(args[0], dict) else args))
        event = event_of(make_record(message, *args), fields={'service': 'api'})
        assert event['message'] == message
        assert event['args'] == (args[0] if isinstance(args[0], dict) else list(args))
        assert event['format_error'] == f'{error.__name__}: {raised.value}'
        assert event['service'] == 'api'

    def test_an_argument_that_cannot_be_shown_is_marked(self):
        """The others are there."""
        event = event_of(make_record('%s %s', 'Ada', Failing(LookupError('no'))))
        assert event['message'] == '%s %s'
        assert event['args'] == ['Ada', f'<unprintable {__name__}.Failing: LookupError>']
        assert event['format_error'] == 'LookupError: no'

    def test_an_error_that_cannot_be_shown_is_marked(self):
        """An exception's `__str__` may raise as well."""

        class Nasty(Exception):  # noqa: N818 - the name is what is tested
            def __str__(self):
                raise self

        event = event_of(make_record('%s', Failing(Nasty())))
        assert 'Nasty: <unprintable ' in event['format_error']

    def test_extras_of_those_names_move_aside(self):
        """What the event says of itself cannot be replaced."""
        event = event_of(make_record('%d', 'x', extra={'format_error': 'mine'}))
        assert event['format_error'].startswith('TypeError')
        assert event['extra'] == {'format_error': 'mine'}

    def test_a_message_that_cannot_be_shown_is_marked(self):
        """The event is still worth its level, logger and time."""
        event = event_of(make_record(Failing(LookupError('no'))))
        assert event['message'] == f'<unprintable {__name__}.Failing: LookupError>'
        assert event['format_error'] == 'LookupError: no'

    def test_a_record_whose_message_raises_is_kept(self):
        """A subclass with a `getMessage` of its own."""

        class Record(logging.LogRecord):
            def getMessage(self):  # noqa: N802 - logging's name
                raise LookupError('no')

        event = event_of(Record('shop', logging.INFO, '', 1, '{}', ('Ada',), None))
        assert event['message'] == '{}'
        assert event['args'] == ['Ada']
        assert event['format_error'] == 'LookupError: no'


class TestRecords:
    @pytest.mark.parametrize('name', sorted(vars(make_record())))
    @pytest.mark.parametrize('value', [None, 5, 'x', b'\xff', Failing(ValueError('no')), [()], '\ud800'])
    def test_rubbish_in_an_attribute_is_survived(self, name, value):
        """Whichever it is, and whatever is in it."""
        record = make_record('%s sails', 'Ada', extra={'order': 42})
        setattr(record, name, value)
        everything = ['host', 'pid', 'process', 'thread', 'source']
        assert event_of(record)['order'] == 42
        assert event_of(record, include=everything)['order'] == 42

    @pytest.mark.parametrize('name', sorted(vars(make_record())))
    def test_a_missing_attribute_is_survived(self, name):
        """A filter may have deleted it."""
        record = make_record('%s sails', 'Ada', extra={'order': 42, 'user': 'ada'})
        delattr(record, name)
        everything = ['host', 'pid', 'process', 'thread', 'source']
        assert event_of(record)['order'] == 42
        assert event_of(record, include=everything)['order'] == 42

    def test_a_truth_that_raises_is_survived(self):
        """`if exc_info` is foreign code."""

        class Undecided:
            def __bool__(self):
                raise ValueError

            def __str__(self):
                return 'undecided'

        for name in ('exc_info', 'exc_text', 'stack_info', 'args'):
            record = make_record(extra={'order': 42})
            setattr(record, name, Undecided())
            assert event_of(record)['order'] == 42
            assert 'undecided' in str(event_of(record))

    def test_what_only_stands_in_for_a_record_is_survived(self):
        """A double of a test, say."""
        for stranger in (object(), None, 5, {'msg': 'Ahoy'}, type('Record', (), {'msg': 'Ahoy'})()):
            event = event_of(stranger)
            assert event['timestamp'].endswith('Z')
            assert event['format_error'].endswith("has no attribute 'getMessage'")

    def test_attributes_that_are_no_strings_are_kept(self):
        """As makeLogRecord may bring them."""
        assert event_of(logging.makeLogRecord({'msg': 'Ahoy', 5: 'five'}))['5'] == 'five'


class TestTheEncoder:
    def test_out_of_memory_a_line_comes_out(self, monkeypatch):
        """The values are tried one by one then."""

        def exhausted(*_):
            raise MemoryError

        monkeypatch.setattr('firefighter._event.formatter._dumps', exhausted)
        assert event_of(make_record(extra={'order': 42}))['order'] == 42

    def test_a_value_that_cannot_be_taken_apart_is_marked(self, monkeypatch):
        """The others are still good."""

        def exhausted(*_):
            raise MemoryError

        monkeypatch.setattr('firefighter._event.json_values.degrade', exhausted)
        event = event_of(make_record(extra={'order': 42, 'raw': b'x'}))
        assert event['order'] == 42
        assert event['raw'] == '<unprintable builtins.bytes: MemoryError>'

    def test_when_the_event_cannot_be_built_its_message_is_left(self, monkeypatch):
        """With the kind of the trouble."""

        def exhausted(*_):
            raise MemoryError

        monkeypatch.setattr('firefighter._event.formatter._dumps', exhausted)
        monkeypatch.setattr('firefighter._event.formatter.encode_event', exhausted)
        monkeypatch.setattr('firefighter._event.formatter.encode_carefully', exhausted)
        event = event_of(make_record('%s \ud800', 'Ada'))
        assert event.pop('timestamp').endswith('Z')
        assert event == {
            'level': 'INFO',
            'logger': 'shop',
            'message': '%s \\ud800',
            'format_error': 'MemoryError',
        }

    def test_when_nothing_works_a_line_is_left(self, monkeypatch):
        """Even that is an event, and is counted as one."""

        def exhausted(*_):
            raise MemoryError

        for name in ('_dumps', 'encode_event', 'encode_carefully', 'encode_last'):
            monkeypatch.setattr(f'firefighter._event.formatter.{name}', exhausted)
        assert JSONFormatter().encode(make_record()) == LAST_LINE
        assert orjson.loads(LAST_LINE)

    @pytest.mark.parametrize(
        ('message', 'extra'), [('Ahoy', {}), ('Ahoy %s', {'a': b'x'}), ({'a': [{1: {2}}]}, {'level': 1})]
    )
    @pytest.mark.parametrize('context', [(), ['structlog', ContextVar('user', default=b'x')]])
    def test_at_the_recursion_limit_a_line_comes_out(self, message, extra, context):
        """At any distance from it, a call of the formatter that begins gives a line."""
        formatter = JSONFormatter(include=['source'], context=context)
        record = make_record(message, extra=extra)
        lines = []

        def descend():
            lines.append(formatter.encode(record))
            descend()

        with pytest.raises(RecursionError) as caught:
            descend()
        # The call itself may be one too many; what raises must not be the formatter.
        assert {frame.frame.f_globals['__name__'] for frame in caught.traceback} == {__name__}
        assert len(lines) > 100
        for line in set(lines):
            assert orjson.loads(line)

    @pytest.mark.parametrize('error', [KeyboardInterrupt, SystemExit])
    def test_an_interrupt_passes(self, error):
        """It is not ours to swallow, in any of the ways."""
        for record in (make_record('%s', Failing(error())), make_record(extra={'a': Failing(error())})):
            with pytest.raises(error):
                JSONFormatter().encode(record)


class TestReentrance:
    def test_a_str_that_logs_is_formatted_within(self):
        """There is no lock to meet."""
        formatter = JSONFormatter()
        inner = []

        class Chatty:
            def __str__(self):
                inner.append(formatter.encode(make_record('within')))
                return 'chatty'

        assert orjson.loads(formatter.encode(make_record('%s', Chatty())))['message'] == 'chatty'
        assert orjson.loads(formatter.encode(make_record(extra={'a': Chatty()})))['a'] == 'chatty'
        assert [orjson.loads(line)['message'] for line in inner] == ['within', 'within']

    @pytest.mark.skipif(not hasattr(signal, 'SIGUSR1'), reason='no such signal here')
    def test_a_signal_handler_that_logs_is_formatted_within(self):
        """Another second in the middle of one event does not get into its timestamp."""
        formatter = JSONFormatter()
        inner = []

        def handle(*_):
            record = make_record('signal')
            record.created = 59.5
            inner.append(formatter.encode(record))

        class Interrupted:
            def __str__(self):
                signal.raise_signal(signal.SIGUSR1)
                return 'done'

        before = signal.signal(signal.SIGUSR1, handle)
        try:
            for created in (1.25, 2.25, 3.25):
                record = make_record('%s', Interrupted())
                record.created = created
                assert (
                    orjson.loads(formatter.encode(record))['timestamp'] == f'1970-01-01T00:00:0{created:.6f}Z'
                )
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert [orjson.loads(line)['timestamp'] for line in inner] == ['1970-01-01T00:00:59.500000Z'] * 3

    def test_threads_share_a_formatter(self):
        """Each event has its own second, whatever the others do."""
        formatter = JSONFormatter()
        wrong = []

        def work(number):
            record = make_record()
            for turn in range(2000):
                record.created = number * 10 + turn % 10 + 0.5
                if f':{number}{turn % 10}.500000Z'.encode() not in formatter.encode(record):
                    wrong.append(number)

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        finally:
            sys.setswitchinterval(interval)
        assert not wrong
        assert not any(thread.is_alive() for thread in threads)
