"""What becomes of the values of numpy, pandas, pydantic and attrs? What they are, and nothing that their author hides."""

import datetime as dt
import enum
import logging
import subprocess
import sys

import orjson
import pytest

from firefighter._event.foreign_values import MAX_ITEMS
from firefighter.formatting import JSONFormatter


def written(value):
    """Return what becomes of a value, wherever it stands."""

    def event_of(message, extra):
        record = logging.getLogger('shop').makeRecord('shop', 20, '', 7, message, (), None, None, extra)
        return orjson.loads(JSONFormatter().encode(record))

    event = event_of('Ahoy', {'before': 1, 'value': value})
    assert event['before'] == 1
    assert event_of({'value': value}, {})['value'] == event['value']
    assert event_of('Ahoy', {'list': [value, {'value': value}, b'x']})['list'] == [
        event['value'],
        {'value': event['value']},
        'x',
    ]
    return event['value']


class TestNumpy:
    @pytest.fixture(autouse=True)
    def _import(self):
        self.np = pytest.importorskip('numpy')

    @pytest.mark.parametrize(
        ('kind', 'value'),
        [
            *[(name, 5) for name in ('int8', 'uint8', 'int64')],
            *[(name, 5.5) for name in ('float16', 'float32', 'float64', 'longdouble')],
            ('uint64', 2**63 - 1),
            ('float64', 0.1),
            ('bool_', True),
            ('bool_', False),
            ('str_', 'Ada'),
            ('complex128', '(1+2j)'),
        ],
    )
    def test_a_number_or_a_boolean_is_one(self, kind, value):
        """Of whatever width: not text, as which a field would have another type from one event to the next."""
        given = complex(value) if kind == 'complex128' else value
        found = written(getattr(self.np, kind)(given))
        assert (type(found), found) == (type(value), value)

    def test_an_unsigned_number_that_no_reader_takes_is_its_digits(self):
        """As with Python's own numbers, also in an array."""
        assert written(self.np.uint64(2**64 - 1)) == str(2**64 - 1)
        assert written(self.np.array([2**63, 1], dtype='uint64')) == [str(2**63), 1]

    def test_what_json_has_no_number_for_is_null(self):
        """As with Python's own numbers."""
        assert written(self.np.float64('nan')) is None
        assert written(self.np.float32('inf')) is None
        assert written(self.np.array([1.5, float('nan')])) == [1.5, None]

    def test_times_keep_their_nanoseconds_and_no_time_is_null(self):
        """By themselves and in arrays, where numpy itself makes a bare number of them."""
        nanosecond = self.np.datetime64('2026-01-31T12:00:00.000000005')
        assert written(nanosecond) == '2026-01-31T12:00:00.000000005'
        assert written(self.np.datetime64('NaT', 'ns')) is None
        assert written(self.np.timedelta64('NaT', 'ns')) is None
        assert written(self.np.timedelta64(5, 'ns')) == '5 nanoseconds'
        assert written(self.np.array([nanosecond, 'NaT'], 'M8[ns]')) == [
            '2026-01-31T12:00:00.000000005',
            None,
        ]

    @pytest.mark.parametrize(
        'value',
        [[1, 2], [1.5, 2.5], [True, False], [[1, 2], [3, 4]], [[[1], [2]]], [], [[], []], ['a', 'b'], 5, 'x'],
    )
    def test_an_array_is_a_list(self, value):
        """Of any shape, also of none."""
        assert written(self.np.array(value)) == value

    def test_an_array_of_objects_is_a_list_of_what_they_become(self):
        """One within itself is a cycle."""
        value = self.np.empty(3, 'O')
        value[:] = [b'x', {1}, None]
        assert written(value) == ['x', [1], None]
        value[2] = value
        assert written(value) == ['x', [1], '<cycle>']

    def test_an_array_with_named_columns_is_a_list_of_objects(self):
        """Its rows have names."""
        value = self.np.array([(1, 'a'), (2, 'b')], [('id', 'i4'), ('name', 'U1')])
        assert written(value) == [{'id': 1, 'name': 'a'}, {'id': 2, 'name': 'b'}]
        assert written(value[0]) == {'id': 1, 'name': 'a'}

    def test_what_an_array_masks_stays_hidden(self):
        """It is null."""
        value = self.np.ma.array([1, 2, 3], mask=[False, True, False])
        assert written(value) == [1, None, 3]
        assert written(self.np.ma.array([[1, 2]], mask=[[False, True]])) == [[1, None]]
        assert written(self.np.ma.masked) is None

    def test_a_long_array_is_cut_and_says_how_long_it_was(self):
        """However many dimensions it has, so that no call takes long."""
        long = written(self.np.arange(2_000))
        assert long[:-1] == list(range(MAX_ITEMS))
        assert long[-1] == '<the first 1000 of 2000>'
        assert written(self.np.arange(MAX_ITEMS)) == list(range(MAX_ITEMS))
        wide = written(self.np.zeros((300, 100)))
        assert (len(wide), wide[-1]) == (11, '<the first 10 of 300>')
        vast = written(self.np.broadcast_to(self.np.int8(1), (10**6, 10**6)))
        assert vast == [[1] * MAX_ITEMS + ['<the first 1000 of 1000000>'], '<the first 1 of 1000000>']

    @pytest.mark.parametrize('name', ['tolist', '__len__', '__iter__', '__getitem__', '__str__'])
    def test_what_a_subclass_overrides_is_not_called(self, name):
        """It may raise, or never end."""

        def refuse(*_):
            raise LookupError

        kind = type('Refusing', (self.np.ndarray,), {name: refuse})
        assert written(self.np.arange(3).view(kind)) == [0, 1, 2]

    def test_what_raises_costs_itself_alone(self):
        """An object within an array too."""

        class Failing:
            def __str__(self):
                raise LookupError

        value = self.np.empty(2, 'O')
        value[:] = [Failing(), 1]
        assert written(value) == ['<unprintable ' + written(Failing()).removeprefix('<unprintable '), 1]


class TestPandas:
    @pytest.fixture(autouse=True)
    def _import(self):
        self.pd = pytest.importorskip('pandas')

    def test_a_timestamp_keeps_its_nanoseconds(self):
        """As ISO 8601; UTC as Z, naive ones stay naive."""
        moment = self.pd.Timestamp('2026-01-31T12:00:00.000000005')
        assert written(moment) == '2026-01-31T12:00:00.000000005'
        assert written(moment.tz_localize('UTC')) == '2026-01-31T12:00:00.000000005Z'
        assert written(moment.tz_localize('Asia/Tokyo')) == '2026-01-31T12:00:00.000000005+09:00'
        assert written(self.pd.Timestamp('2026-01-31T12:00:00.5')) == '2026-01-31T12:00:00.500000'
        assert written(self.pd.Timedelta(5, 'ns')) == '0 days 00:00:00.000000005'

    def test_what_is_missing_is_null(self):
        """Not the year 1, nor the text of it."""
        assert written(self.pd.NaT) is None
        assert written(self.pd.NA) is None

    def test_a_row_of_a_table_is_what_its_values_are(self):
        """As `to_dict` gives it."""
        table = self.pd.DataFrame({'id': [1], 'price': [1.5], 'at': [self.pd.Timestamp('2026-01-31')]})
        assert written(table.iloc[0].to_dict()) == {'id': 1, 'price': 1.5, 'at': '2026-01-31T00:00:00'}


class TestPydantic:
    @pytest.fixture(autouse=True)
    def _import(self):
        self.pydantic = pytest.importorskip('pydantic')

    def test_a_model_becomes_its_fields(self):
        """And a model in it, a value of any other kind in it."""

        class Order(self.pydantic.BaseModel):
            id: int
            at: dt.datetime
            parts: tuple[object, ...] = ()

        at = dt.datetime(2026, 1, 31, tzinfo=dt.timezone.utc)
        inner = Order(id=2, at=at)
        assert written(Order(id=1, at=at, parts=(inner, b'x'))) == {
            'id': 1,
            'at': '2026-01-31T00:00:00Z',
            'parts': [{'id': 2, 'at': '2026-01-31T00:00:00Z', 'parts': []}, 'x'],
        }

    def test_what_its_author_hides_stays_hidden(self):
        """Secrets, and fields with `repr=False`, at any depth."""

        class Login(self.pydantic.BaseModel):
            user: str
            password: str = self.pydantic.Field('hunter2', repr=False)
            token: self.pydantic.SecretStr = self.pydantic.SecretStr('hunter2')
            key: self.pydantic.SecretBytes = self.pydantic.SecretBytes(b'hunter2')

        class Session(self.pydantic.BaseModel):
            login: Login

        shown = {'user': 'ada', 'token': '**********', 'key': "b'**********'"}
        assert written(Login(user='ada')) == shown
        assert written(Session(login=Login(user='ada'))) == {'login': shown}
        assert written(self.pydantic.SecretStr('hunter2')) == '**********'

    @pytest.mark.parametrize('method', ['__str__', '__repr__'])
    def test_a_text_of_its_authors_is_its_value(self, method):
        """It may be there to hide something, also in a class derived from such a one."""

        class Base(self.pydantic.BaseModel):
            password: str = 'hunter2'

        setattr(Base, method, lambda _: 'a login')

        class Login(Base):
            pass

        assert written(Login()) == 'a login'

    def test_what_else_a_model_shows_is_there(self):
        """What was given beyond its fields, what it computes, what it consists of."""

        class Open(self.pydantic.BaseModel, extra='allow'):
            a: int

            @self.pydantic.computed_field
            def twice(self) -> int:
                return self.a * 2

        assert written(Open(a=1, b=2)) == {'a': 1, 'b': 2, 'twice': 2}
        assert written(self.pydantic.RootModel[list[int]]([1, 2])) == [1, 2]
        dataclass = self.pydantic.dataclasses.dataclass(
            type(
                'Point',
                (),
                {'__annotations__': {'x': int, 'y': int}, 'y': self.pydantic.Field(2, repr=False)},
            )
        )
        assert written(dataclass(x=1)) == {'x': 1}

    def test_model_dump_is_not_called(self):
        """It may raise or never end, and it knows nothing of hidden fields."""

        class Model(self.pydantic.BaseModel):
            a: int = 1

            def model_dump(self, **_):
                raise LookupError

            def __iter__(self):
                raise LookupError

        assert written(Model()) == {'a': 1}

    def test_what_raises_costs_itself_alone(self):
        """A computed field, say."""

        class Model(self.pydantic.BaseModel):
            a: int = 1

            @self.pydantic.computed_field
            def b(self) -> int:
                raise LookupError

        assert written(Model()).endswith('Model: LookupError>')

    def test_a_model_in_itself_is_a_cycle(self):
        """As any other container."""

        class Node(self.pydantic.BaseModel):
            next: object = None

        node = Node()
        node.next = [node]
        assert written(node) == {'next': ['<cycle>']}

    def test_a_model_of_version_1_becomes_its_fields(self):
        """Many programs still have those."""
        if sys.version_info >= (3, 14):
            pytest.skip('this Python has no pydantic.v1')
        from pydantic import v1

        class Login(v1.BaseModel):
            user: str
            password: str = v1.Field('hunter2', repr=False)

        assert written(Login(user='ada')) == {'user': 'ada'}


class TestAttrs:
    @pytest.fixture(autouse=True)
    def _import(self):
        self.attrs = pytest.importorskip('attrs')

    def test_an_object_becomes_its_fields_but_for_hidden_ones(self):
        """A `repr` of the author's for one field decides what of it is shown."""

        @self.attrs.define
        class Login:
            user: str
            tags: object = ()
            password: str = self.attrs.field(default='hunter2', repr=False)
            card: str = self.attrs.field(default='4111111', repr=lambda card: '...' + card[-2:])

        class Derived(Login):
            pass

        for kind in (Login, Derived):
            value = kind('ada', tags=[kind('eve'), b'x'])
            assert written(value) == {
                'user': 'ada',
                'tags': [{'user': 'eve', 'tags': [], 'card': '...11'}, 'x'],
                'card': '...11',
            }

    @pytest.mark.parametrize('method', ['__str__', '__repr__'])
    def test_a_text_of_its_authors_is_its_value(self, method):
        """It may be there to hide something."""

        @self.attrs.define(repr=method != '__repr__')
        class Login:
            password: str = 'hunter2'

        setattr(Login, method, lambda _: 'a login')
        assert written(Login()) == 'a login'

    def test_a_field_that_cannot_be_read_or_shown_is_marked(self):
        """The others are there."""

        def refuse(_):
            raise LookupError

        @self.attrs.define
        class Partial:
            a: int = 1
            b: int = 2
            c: int = self.attrs.field(default=3, repr=refuse)

        value = Partial()
        del value.b
        assert written(value)['a'] == 1
        assert written(value)['b'].endswith('Partial: AttributeError>')
        assert written(value)['c'] == '<unprintable builtins.int: LookupError>'

    def test_an_object_in_itself_is_a_cycle(self):
        """As any other container."""

        @self.attrs.define
        class Node:
            next: object = None

        node = Node()
        node.next = [node]
        assert written(node) == {'next': ['<cycle>']}

    def test_an_exception_is_an_exception(self):
        """With its type."""

        @self.attrs.define
        class Refused(Exception):  # noqa: N818 - the name is what is tested
            reason: str

        assert written(Refused('late')).endswith('Refused: late')


class TestTheirNames:
    def test_a_class_of_the_same_name_is_not_taken_for_theirs(self):
        """Only one of their package is."""

        class Timestamp:
            def __str__(self):
                return 'noon'

        class generic(Timestamp):  # noqa: N801 - numpy's name
            __module__ = 5

        assert written(Timestamp()) == written(generic()) == 'noon'

    def test_an_enum_of_their_values_is_what_its_value_is(self):
        """As any other enum."""
        np = pytest.importorskip('numpy')

        class Limit(enum.Enum):
            LOW = np.int64(5)

        assert written(Limit.LOW) == 5

    def test_nothing_is_imported(self):
        """A program that has none of these libraries does not get one."""
        program = """
import logging, sys, types
from firefighter.formatting import JSONFormatter
record = logging.makeLogRecord({'msg': 'Ahoy', 'value': [types.MappingProxyType({}), object(), 5j]})
JSONFormatter().encode(record)
print({'numpy', 'pandas', 'pydantic', 'attr', 'attrs', 'array'} & {*sys.modules})
"""
        done = subprocess.run([sys.executable, '-c', program], capture_output=True, check=True, timeout=60)
        assert done.stdout.strip() == b'set()'
