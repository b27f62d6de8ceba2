"""What becomes of a value that JSON does not have? It alone degrades; the event and its other values stay."""

import array
import collections
import collections.abc
import dataclasses
import datetime as dt
import decimal
import enum
import itertools
import logging
import math
import subprocess
import sys
import types
import uuid

import orjson
import pytest

from doubles import DEADLINE_SECONDS
from firefighter._event.foreign_values import MAX_ITEMS
from firefighter._event.json_values import MAX_CHARACTERS, MAX_DEPTH, MAX_VALUES
from firefighter.formatting import JSONFormatter
from hangs import within


def make_record(message='Ahoy', *args, extra=None):
    logger = logging.getLogger('shop')
    return logger.makeRecord('shop', logging.INFO, '/srv/shop.py', 7, message, args, None, 'view', extra)


def written(value):
    """Return what becomes of a value, wherever it stands, and see that its neighbours stay what they are."""
    event = orjson.loads(
        JSONFormatter().encode(make_record(extra={'before': 1, 'value': value, 'after': {'a': [None]}}))
    )
    assert event['message'] == 'Ahoy'
    assert event['before'] == 1
    assert event['after'] == {'a': [None]}
    in_message = orjson.loads(JSONFormatter().encode(make_record({'value': value})))
    assert in_message['value'] == event['value']
    nested = orjson.loads(JSONFormatter().encode(make_record(extra={'list': [1, {'value': value}, 'x']})))
    assert nested['list'][0] == 1
    assert nested['list'][2] == 'x'
    assert nested['list'][1]['value'] == event['value'] or 'object at 0x' in str(event['value'])
    protected = orjson.loads(JSONFormatter(protect_fields=True).encode(make_record({'value': value, 'x': 1})))
    assert protected['data']['x'] == 1
    assert protected['data']['value'] == event['value']
    return event['value']


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Real(float):
    pass


class Colour(enum.Enum):
    RED = 'red'


class Level(enum.IntEnum):
    HIGH = 2


class Size(enum.Enum):
    HUGE = 2**63


class Opaque(enum.Enum):
    THING = object


@dataclasses.dataclass
class Login:
    user: str
    tags: object = ()
    password: str = dataclasses.field(default='secret', repr=False)


@dataclasses.dataclass
class Shy:
    password: str = 'secret'

    def __repr__(self):
        return '<hidden>'


@dataclasses.dataclass
class ShyAsText(Login):
    user: str = 'secret'

    def __str__(self):
        return '<hidden>'


@dataclasses.dataclass(repr=False)
class Silent(Shy):
    """Inherits the text."""


class Failing:
    def __str__(self):
        raise ValueError('no')

    __repr__ = __str__


UTC = dt.timezone.utc
NOON = dt.datetime(2026, 1, 31, 12, 0, 0, 5, UTC)
Pair = collections.namedtuple('Pair', 'a b')  # noqa: PYI024 - the untyped one is what programs log


class Moment(dt.datetime):
    """As freezegun, pendulum and pandas have them."""


@pytest.mark.parametrize('value', [Shy(), ShyAsText(), Silent()])
def test_a_dataclass_with_a_text_of_its_author_is_that_text(value):
    """It may be there to hide something."""
    assert written(value) == '<hidden>'
    assert written([{'in': value}]) == [{'in': '<hidden>'}]


class TestNumbers:
    @pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf, Real('nan')])
    def test_what_json_has_no_number_for(self, value):
        """NaN and infinities become null."""
        assert written(value) is None

    @pytest.mark.parametrize(
        'value', [2**63 - 1, -(2**63), 2**53, -(2**53), 10**18, 0, Number(7), True, 1.5, Real(1.5), 2.0**64]
    )
    def test_what_fits_is_a_number(self, value):
        """All of 64 bits with a sign."""
        assert written(value) == value

    @pytest.mark.parametrize(
        'value', [2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**600, -(10**600), Number(2**63)]
    )
    def test_a_larger_integer_becomes_its_digits(self, value):
        """As a string: OpenSearch, Athena and Redshift would not take the number."""
        assert written(value) == str(int(value))
        assert written([0, {'in': (value, 2**53)}]) == [0, {'in': [str(int(value)), 2**53]}]

    @pytest.mark.parametrize('digits', ['9223372036854775808', '18446744073709551615', '1' * 40])
    def test_digits_that_are_text_stay_what_they_are(self, digits):
        """Beside an integer of more than 53 bits, which is looked at twice."""
        assert written([digits, 2**60]) == [digits, 2**60]

    def test_wherever_the_program_writes_a_large_integer_it_becomes_its_digits(self):
        """In a constant field, in what an enum stands for, and beside an exception."""
        formatter = JSONFormatter(fields={'shard': 2**63, 'ids': [2**63, 7]})
        event = orjson.loads(formatter.encode(make_record({'size': Size.HUGE, 'n': 1})))
        assert (event['shard'], event['ids']) == (str(2**63), [str(2**63), 7])
        assert (event['size'], event['n']) == (str(2**63), 1)
        record = make_record(extra={'id': 2**64 - 1, 'ns': 10**18})
        record.exc_info = (ValueError, ValueError('no'), None)
        event = orjson.loads(formatter.encode(record))
        assert (event['id'], event['ns']) == (str(2**64 - 1), 10**18)

    @pytest.mark.parametrize('value', [10**650, -(2**100_000)], ids=['a little', 'much'])
    def test_a_huge_integer_becomes_hexadecimal(self, value):
        """Its digits are forbidden by Python's own limit, or would take long."""
        assert written(value) == hex(value)

    def test_a_limit_on_digits_raises_nothing(self):
        """The lowest that Python accepts."""
        if not hasattr(sys, 'set_int_max_str_digits'):
            pytest.skip('this Python has no such limit')
        limit = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(640)
        try:
            assert written(2**2125 - 1).isdigit()
            assert written(2**2125) == hex(2**2125)
        finally:
            sys.set_int_max_str_digits(limit)

    def test_a_decimal_becomes_its_digits(self):
        """Exactly as many as it has."""
        assert written(decimal.Decimal('1.10')) == '1.10'


class TestText:
    def test_a_lone_surrogate_becomes_a_backslash_escape(self):
        """As it comes from a file name that is not UTF-8."""
        assert written('file-\udcff.txt') == 'file-\\udcff.txt'
        assert written(Text('\ud800x')) == '\\ud800x'

    def test_in_the_message_too(self):
        """And in its arguments, and in the logger's name."""
        event = orjson.loads(JSONFormatter().encode(make_record('a \udcff %s', '\udcfe')))
        assert event['message'] == 'a \\udcff \\udcfe'

    @pytest.mark.parametrize('kind', [bytes, bytearray, memoryview])
    def test_bytes_become_their_text(self, kind):
        """As UTF-8; other bytes as backslash escapes."""
        assert written(kind(b'caf\xc3\xa9 \xff')) == 'café \\xff'

    def test_a_released_memoryview_is_survived(self):
        """Nothing can be read from it any more."""
        view = memoryview(b'abc')
        view.release()
        assert written(view) == '<unprintable builtins.memoryview: ValueError>'

    def test_a_str_subclass_is_its_characters(self):
        """Django's SafeString, say."""
        assert written(Text('x')) == 'x'


class TestContainers:
    @pytest.mark.parametrize('value', [{1}, frozenset([1]), (1,), [1]])
    def test_a_set_and_a_tuple_become_lists(self, value):
        """In their own order."""
        assert written(value) == [1]

    def test_a_namedtuple_becomes_a_list(self):
        """As with the standard library's json."""
        assert written(Pair(1, b'x')) == [1, 'x']

    @pytest.mark.parametrize(
        'value', [collections.OrderedDict(a=1), collections.defaultdict(list, a=1), collections.Counter(a=1)]
    )
    def test_a_subclass_of_dict_becomes_an_object(self, value):
        """As it is, and beside a value that must degrade."""
        assert written(value) == {'a': 1}
        value['b'] = b'x'
        assert written(value) == {'a': 1, 'b': 'x'}

    @pytest.mark.parametrize(
        'value',
        [
            types.MappingProxyType({'a': 1, 'b': b'x'}),
            collections.UserDict(a=1, b=b'x'),
            collections.ChainMap({'a': 1}, {'b': b'x'}),
        ],
    )
    def test_a_mapping_that_is_no_dict_becomes_an_object(self, value):
        """Read only, as those of web frameworks are, or of several dicts."""
        assert written(value) == {'a': 1, 'b': 'x'}

    @pytest.mark.parametrize('name', ['__iter__', '__getitem__', '__len__', 'items', 'keys'])
    def test_a_mapping_that_raises_costs_itself_alone(self, name):
        """Its str is what is left then, unless it can be read all the same."""

        def refuse(*_):
            raise LookupError

        kind = type(
            'Refusing', (collections.UserDict,), {name: refuse, '__str__': lambda _: 'text', '__repr__': None}
        )
        value = kind()
        value.data = {'a': 1}
        assert written(value) == ({'a': 1} if name in {'__len__', 'keys'} else 'text')

    def test_a_mapping_without_end_costs_itself_alone(self):
        """It is not read for ever, and one that is too large is not read either."""

        class Endless(collections.abc.Mapping):
            def __iter__(self):
                return itertools.count()

            def __getitem__(self, key):
                return key

            def __len__(self):
                raise OverflowError

            def __str__(self):
                return 'endless'

        assert written(Endless()) == 'endless'
        assert len(written(types.MappingProxyType(dict.fromkeys(range(MAX_ITEMS))))) == MAX_ITEMS
        assert isinstance(written(types.MappingProxyType(dict.fromkeys(range(MAX_ITEMS + 1)))), str)

    def test_a_mapping_in_itself_is_a_cycle(self):
        """As any other container."""
        value = collections.UserDict()
        value['again'] = [value]
        assert written(value) == {'again': ['<cycle>']}

    def test_a_key_that_a_mapping_has_twice_is_there_twice(self):
        """Headers of HTTP, say."""

        class Headers(collections.UserDict):
            def items(self):
                return [('cookie', 'a'), ('cookie', 'b')]

        assert written(Headers()) == {'cookie': 'a', 'cookie_1': 'b'}

    def test_other_containers_of_the_standard_library_become_lists(self):
        """A deque, and the views of a dict."""
        assert written(collections.deque([1, b'x'])) == [1, 'x']
        assert written({'a': b'x'}.keys()) == ['a']
        assert written({'a': b'x'}.values()) == ['x']
        assert written({'a': b'x'}.items()) == [['a', 'x']]

    def test_an_array_of_the_standard_library_becomes_a_list_up_to_a_bound(self):
        """It says how long it was."""
        assert written(array.array('d', [1, 2.5])) == [1, 2.5]
        long = written(array.array('q', range(MAX_ITEMS + 1)))
        assert long[:-1] == list(range(MAX_ITEMS))
        assert long[-1] == '<the first 1000 of 1001>'

    def test_keys_become_strings(self):
        """Their str; bytes their text."""
        keys = {
            1: 'a',
            None: 'b',
            (1, 2): 'd',
            b'e': 'e',
            1.5: 'f',
            Text('g'): 'g',
            'h\udcff': 'h',
        }
        assert written(keys) == {
            '1': 'a',
            'None': 'b',
            '(1, 2)': 'd',
            'e': 'e',
            '1.5': 'f',
            'g': 'g',
            'h\\udcff': 'h',
        }

    def test_keys_with_one_text_lose_nothing(self):
        """The later gets a number."""
        assert written({1: 'a', '1': 'b', b'1': 'c'}) == {'1': 'a', '1_1': 'b', '1_2': 'c'}
        assert written({'1_1': 'x', 1: 'a', '1': 'b'}) == {'1_1': 'x', '1': 'a', '1_2': 'b'}

    def test_keys_of_a_dict_message_become_strings(self):
        """At the top as anywhere."""
        event = orjson.loads(JSONFormatter().encode(make_record({1: 'a', '1': 'b', None: 'c'})))
        assert [event.pop(name) for name in ('1', 'None')] == ['a', 'c']
        assert 'b' in event.values()

    def test_ten_thousand_keys_with_one_text_lose_nothing(self):
        """And cost no more than others."""
        value = {Constant(): number for number in range(10_000)}
        assert sorted(written(value).values()) == list(range(10_000))

    @pytest.mark.parametrize(
        'wrap', [lambda value: [value, value], lambda value: {'a': value, 'b': (value,)}]
    )
    @pytest.mark.parametrize('beside', [1, b'x'])
    @pytest.mark.parametrize('times', [22, 60, 1000])
    def test_a_value_that_is_referred_to_many_times_is_written_up_to_a_bound(self, times, beside, wrap):
        """Doubled a thousand times it takes no memory, and as text more than there is."""
        value = ['x', beside]
        for _ in range(times):
            value = wrap(value)
        line = JSONFormatter().encode(make_record(extra={'before': 1, 'value': value, 'after': [2]}))
        event = orjson.loads(line)
        assert (event['before'], event['after']) == (1, [2])
        assert len(line) < 100 * MAX_VALUES

    @pytest.mark.parametrize('other', [1, b'x'])
    def test_a_list_of_more_values_than_an_event_has_says_how_long_it_was(self, other):
        """And is whole up to there."""

        def alone(value):
            return orjson.loads(JSONFormatter().encode(make_record(extra={'value': value})))['value']

        assert alone([other] * MAX_VALUES) == [alone(other)] * MAX_VALUES
        assert alone([other] * (MAX_VALUES + 1)) == [
            *[alone(other)] * MAX_VALUES,
            f'<the first {MAX_VALUES} of {MAX_VALUES + 1}>',
        ]
        assert alone(dict.fromkeys(range(MAX_VALUES + 1), other)) == f'<an object of {MAX_VALUES + 1} values>'

    @pytest.mark.parametrize(
        'value',
        [
            ['x' * 10**6] * 1000,
            [['x' * 10**6] * 3] * 1000,
            [{'x' * 10**6: 1}] * 1000,
            [{'key': 'x' * 10**6, 'other': 1}] * 1000,
            [b'x' * 10**6] * 1000,
            [bytearray(b'x' * 10**6), 1] * 1000,
            [ValueError('x' * 10**6)] * 1000,
            ({'x' * 10**6},) * 1000,
            [orjson.Fragment(b'"%b"' % (b'x' * 10**6))] * 1000,
            ['x' * 10**6, '\udcff'] * 1000,
            [1 << (4 * 10**6)] * 1000,
        ],
        ids=lambda value: type(value[0]).__name__,
    )
    def test_a_text_that_is_referred_to_many_times_is_written_up_to_a_bound(self, value):
        """A thousand times a million characters is more memory than there may be, for an event that is cut to 1 MB afterwards."""
        line = JSONFormatter().encode(make_record(extra={'before': 1, 'value': value, 'after': [2]}))
        event = orjson.loads(line)
        assert event['before'] == 1
        assert len(line) < MAX_CHARACTERS + 100_000

    @pytest.mark.parametrize(
        'repeated',
        [[0] * 10**6, dict.fromkeys(range(10**5)), frozenset(range(10**6)), collections.deque([0] * 10**6)],
    )
    def test_what_there_is_no_room_for_is_not_even_looked_at(self, repeated):
        """A copy of each would take minutes."""
        with within(DEADLINE_SECONDS):
            event = orjson.loads(JSONFormatter().encode(make_record({'value': [repeated] * 50_000})))
        assert len(event['value']) == 50_000

    def test_a_long_text_is_whole_or_says_how_long_it_was(self):
        """By itself it is whole, however long."""

        def alone(value):
            return orjson.loads(JSONFormatter().encode(make_record(extra={'value': value})))['value']

        text = 'x' * (MAX_CHARACTERS + 1)
        assert alone(text) == text
        assert alone([text]) == [text]
        assert alone([text, b'y', 'z']) == [
            f'{text[:-1]}<the first {MAX_CHARACTERS} of {MAX_CHARACTERS + 1} characters>',
            '<bytes>',
            '<the first 0 of 1 characters>',
        ]

    def test_a_cycle_is_marked(self):
        """Only where it closes; what is merely there twice is written twice."""
        value = {'a': 1}
        value['again'] = [value]
        assert written(value) == {'a': 1, 'again': ['<cycle>']}
        shared = [b'x']
        assert written([shared, shared]) == [['x'], ['x']]
        endless = []
        endless.append(endless)
        assert written(endless) == ['<cycle>']

    @pytest.mark.parametrize('levels', [MAX_DEPTH + 1, 250, 2_000, 100_000])
    @pytest.mark.parametrize(
        'wrap', [lambda inner: [inner], lambda inner: {'a': inner}, lambda inner: [(inner,)]]
    )
    def test_deep_nesting_becomes_text_from_some_depth(self, levels, wrap):
        """However deep it is."""
        value = 'bottom'
        for _ in range(levels):
            value = wrap(value)
        line = JSONFormatter().encode(make_record(extra={'value': value, 'refused': b'x', 'other': 1}))
        event = orjson.loads(line)
        assert event['other'] == 1
        assert event['refused'] == 'x'
        depth, inner = 0, event['value']
        while not isinstance(inner, str):
            inner = inner['a'] if isinstance(inner, dict) else inner[0]
            depth += 1
        assert depth >= MAX_DEPTH

    def test_a_dataclass_becomes_its_fields_but_for_hidden_ones(self):
        """What its author keeps out of its repr stays out of the logs."""
        assert written(Login('ada', tags={1})) == {'user': 'ada', 'tags': [1]}
        assert 'secret' not in str(written([Login('ada', tags=Login('eve'))]))

    def test_a_class_derived_from_a_dataclass_is_one(self):
        """Whether decorated again or not."""

        class Session(Login):
            pass

        assert written(Session('ada', tags=[b'x'])) == {'user': 'ada', 'tags': ['x']}

    def test_a_dataclass_in_itself_is_a_cycle(self):
        """As any other container."""
        login = Login('ada')
        login.tags = [login]
        assert written(login) == {'user': 'ada', 'tags': ['<cycle>']}

    def test_a_field_of_a_dataclass_that_cannot_be_read_is_marked(self):
        """The others are there."""

        @dataclasses.dataclass
        class Partial:
            a: int
            b: int

        partial = Partial(1, 2)
        del partial.a
        assert written(partial)['b'] == 2
        assert written(partial)['a'].endswith('Partial: AttributeError>')

    def test_dataclasses_nested_without_end_become_text(self):
        """As lists do."""
        value = Login('bottom')
        for _ in range(300):
            value = Login('x', tags=value)
        event = orjson.loads(JSONFormatter().encode(make_record(extra={'value': value})))
        assert event['value']['tags']['tags']['user'] == 'x'


class Constant:
    def __str__(self):
        return 'constant'


class TestOtherTypes:
    def test_times_are_iso_8601(self):
        """UTC as Z, other offsets as they are; naive ones stay naive."""
        assert written(NOON) == '2026-01-31T12:00:00.000005Z'
        assert (
            written(NOON.astimezone(dt.timezone(dt.timedelta(hours=2)))) == '2026-01-31T14:00:00.000005+02:00'
        )
        assert written(NOON.replace(tzinfo=None)) == '2026-01-31T12:00:00.000005'
        assert written(NOON.date()) == '2026-01-31'
        assert written(NOON.time()) == '12:00:00.000005'

    def test_times_beside_a_refused_value_look_the_same(self):
        """The way that they go does not show."""
        for value in (
            NOON,
            NOON.replace(tzinfo=None),
            NOON.date(),
            NOON.time(),
            dt.datetime(1, 1, 1, tzinfo=UTC),
        ):
            assert written([value, b'x'])[0] == written([value])[0]

    def test_subclasses_of_times_are_times(self):
        """Orjson refuses them."""
        assert written(Moment(2026, 1, 31, tzinfo=UTC)) == '2026-01-31T00:00:00Z'
        assert written(NOON.timetz()) == '12:00:00.000005+00:00'

    def test_a_timezone_that_raises_is_survived(self):
        """The value is marked."""

        class Nowhere(dt.tzinfo):
            def utcoffset(self, _):
                raise LookupError

        assert (
            written(dt.datetime(2026, 1, 31, tzinfo=Nowhere()))
            == '<unprintable datetime.datetime: LookupError>'
        )

    def test_enums_become_their_value(self):
        """Which may degrade itself."""
        assert written(Colour.RED) == 'red'
        assert written(Level.HIGH) == 2
        assert written(Opaque.THING) == "<class 'object'>"
        assert written([Colour.RED, Level.HIGH, b'']) == ['red', 2, '']

    @pytest.mark.parametrize(
        ('content', 'value'),
        [
            (b'{\n "a": 1\n}', {'a': 1}),
            ('[1,\n2]', [1, 2]),
            (b'"x\\u0000"', 'x\0'),
            (b'a\0b\nc', 'a\0b\nc'),
            (b'\xff{}', '\\xff{}'),
            (b'', ''),
            (b'NaN', 'NaN'),
            (b'[123456789012345678901234567890, 1.5]', ['123456789012345678901234567890', 1.5]),
            ('{"a":' * 2000 + '1' + '}' * 2000, '{"a":' * 2000 + '1' + '}' * 2000),
        ],
    )
    def test_a_fragment_becomes_what_its_json_says(self, content, value):
        """In one line; what is not JSON becomes its text."""
        assert written(orjson.Fragment(content)) == value

    def test_a_fragment_of_neither_bytes_nor_text_is_marked(self):
        assert written(orjson.Fragment(7)).startswith('<unprintable orjson.Fragment')

    def test_a_uuid_becomes_its_text(self):
        """Also beside a value that must degrade."""
        assert written([uuid.UUID(int=7), b'']) == ['00000000-0000-0000-0000-000000000007', '']

    def test_an_exception_becomes_its_type_and_message(self):
        """Its str alone is often empty."""
        assert written(KeyError('a')) == "KeyError: 'a'"
        assert written(ValueError()) == 'ValueError: '
        assert written(orjson.JSONEncodeError('x')) == 'TypeError: x'

    def test_anything_else_becomes_its_str(self):
        """A request, a class, a module."""
        assert written(Constant()) == 'constant'
        assert written(int) == "<class 'int'>"
        assert written(dt.timedelta(days=1)) == '1 day, 0:00:00'
        assert written(range(3)) == 'range(0, 3)'

    def test_an_iterator_is_not_consumed(self):
        """The program still needs it."""
        iterator, generator = iter([1, 2]), (number for number in [1, 2])
        written(iterator)
        written(generator)
        assert list(iterator) == list(generator) == [1, 2]

    def test_a_str_that_raises_is_marked(self):
        """With the type of the value and of the error."""
        assert written(Failing()) == f'<unprintable {__name__}.Failing: ValueError>'

    def test_a_str_that_returns_a_surrogate_is_mended(self):
        """A foreign object's text is a text like any other."""

        class Surrogate:
            def __str__(self):
                return '\ud800'

        assert written(Surrogate()) == '\\ud800'

    def test_a_str_that_returns_no_str_is_marked(self):
        """It is Python that refuses it."""

        class Wrong:
            def __str__(self):
                return 5  # noqa: PLE0307 - that is the fault

        assert written(Wrong()).endswith('Wrong: TypeError>')

    def test_a_str_without_end_is_marked(self):
        """It takes only itself down."""

        class Endless:
            def __str__(self):
                return str(self)

        assert written(Endless()).endswith('Endless: RecursionError>')

    @pytest.mark.parametrize('lie', [dict, list, str, int, None, 5])
    def test_an_object_that_lies_about_its_class_is_what_it_is(self, lie):
        """Types are taken from type()."""

        class Liar:
            __class__ = lie

            def __str__(self):
                return 'liar'

        assert written(Liar()) == 'liar'

    @pytest.mark.parametrize(
        'name', ['__class__', '__dict__', 'keys', '__iter__', '__len__', '__bool__', '__eq__', '__hash__']
    )
    def test_an_object_whose_attributes_raise_is_survived(self, name):
        """Whichever is asked for."""

        def refuse(*_):
            raise RuntimeError(name)

        members = {name: property(refuse) if name in {'__class__', '__dict__', 'keys'} else refuse}
        for base in (object, dict, list, str, int, float, tuple):
            kind = type('Refusing', (base,), {**members, '__str__': lambda _: 'text'})
            JSONFormatter().encode(make_record(extra={'value': kind()}))
            event = orjson.loads(
                JSONFormatter().encode(make_record(extra={'value': [kind(), b'x'], 'other': 1}))
            )
            assert event['value'][0] in ('text', {}, [], '', 0)
            assert event['other'] == 1

    def test_a_type_whose_name_raises_is_survived(self):
        """A metaclass may do anything."""

        class Meta(type):
            def __getattribute__(cls, name):
                raise RuntimeError

        class Strange(metaclass=Meta):
            __repr__ = __str__ = Failing.__str__

        assert written(Strange()).startswith('<unprintable ')


class TestNothingIsChanged:
    def test_neither_the_record_nor_the_callers_objects(self):
        """Not even by what degrades, in the quick way or the careful one."""
        for value in ('x', b'x', {1: {2}}, [object]):
            inner = {'value': value}
            for record in (
                make_record(inner, extra={'extra': inner, 'level': 1}),
                make_record('%d', inner, extra={'a': inner}),
            ):
                before = dict(record.__dict__)
                JSONFormatter(fields={'a': 1}).encode(record)
                assert record.__dict__ == before
                assert list(record.__dict__) == list(before)
                assert all(record.__dict__[name] is before[name] for name in before)
                assert list(inner.items()) == [('value', value)]

    def test_not_for_an_exception_either(self):
        """The standard library's formatter leaves its text behind; this one does not."""
        record = make_record()
        record.exc_info = (ValueError, ValueError('no'), None)
        before = dict(record.__dict__)
        JSONFormatter().encode(record)
        assert record.__dict__ == before


def test_a_str_that_changes_what_it_is_in_does_not_crash_the_process():
    """With a hook, both known encoders end in a segmentation fault here."""
    program = """
import logging
from firefighter.formatting import JSONFormatter

class Clearing:
    def __str__(self):
        value.clear()
        value.extend('xyz')
        return 'cleared'

record = logging.makeLogRecord({'msg': 'Ahoy'})
value = record.value = [Clearing()] + [['x' * 100] for _ in range(1000)]
print(JSONFormatter().encode(record)[-60:])
"""
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
