"""Whatever a program logs: one line of JSON, nothing lost, nothing changed."""

import datetime as dt
import decimal
import enum
import logging
import uuid

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefighter._event.careful_encoding import STANDARD_ATTRIBUTES
from firefighter.formatting import JSONFormatter

pytestmark = pytest.mark.fuzz


class Colour(enum.Enum):
    RED = 'red'


class Failing:
    def __str__(self):
        raise ValueError

    __repr__ = __str__


any_text = st.text(st.characters(exclude_categories=[])) | st.sampled_from(
    ['', '%s', '%d %d', '%(a)s', '\0\n\x1a\ud800']
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(2**63 - 2, 2**70),
    st.floats(),
    any_text,
    st.binary(),
    st.decimals(),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.dates(),
    st.timedeltas(),
    st.uuids(),
    st.complex_numbers(),
    st.just(Colour.RED),
    st.builds(object),
    st.builds(Failing),
    st.builds(iter, st.just([1])),
)
keys = any_text | st.integers() | st.none() | st.binary() | st.tuples(st.integers()) | st.booleans()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=4)
        | st.sets(st.integers() | any_text, max_size=3)
    ),
    max_leaves=10,
)
names = any_text | st.sampled_from(
    [
        'timestamp',
        'level',
        'logger',
        'message',
        'extra',
        'exception',
        'stack',
        'args',
        'data',
        'service',
        'pid',
        'a',
    ],
)
extras = st.dictionaries(names.filter(lambda name: name not in STANDARD_ATTRIBUTES), values, max_size=5)
messages = any_text | values | st.dictionaries(names | keys, values, max_size=5)
errors = st.sampled_from(
    [None, (None, None, None), ValueError('no'), (ValueError, ValueError('no'), None), True, 5]
)
options = st.fixed_dictionaries(
    {},
    optional={
        'fields': st.just({'service': 'api', 'build': {'id': 7}}),
        'include': st.lists(st.sampled_from(['host', 'pid', 'process', 'thread', 'source']), unique=True),
        'protect_fields': st.booleans(),
    },
)


@st.composite
def records(draw):
    record = logging.LogRecord(
        'shop',
        logging.INFO,
        '/srv/shop.py',
        7,
        draw(messages),
        draw(st.lists(values, max_size=2).map(tuple)),
        None,
    )
    record.exc_info = draw(errors)
    record.stack_info = draw(st.sampled_from([None, 'Stack: here']))
    record.created = draw(st.floats(0, 4e9) | st.floats())
    record.__dict__.update(draw(extras))
    return record


def plain(value):
    """Return what is in a value in a form that shows any change, foreign objects by identity."""
    if isinstance(value, dict):
        return [(plain(key), plain(inner)) for key, inner in value.items()]
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, (str, int, bytes, set, dt.date, decimal.Decimal, uuid.UUID)):
        return repr(value)
    return id(value)


@given(records(), options)
def test_any_record_becomes_one_line_of_json(record, chosen):
    """An object with a timestamp, in UTF-8, with its only newline at its end; no NUL, no 0x1A."""
    line = JSONFormatter(**chosen).encode(record)
    event = orjson.loads(line)
    assert isinstance(event, dict)
    assert 'timestamp' in event
    assert line.find(b'\n') == len(line) - 1
    assert not {0, 0x1A} & set(line)


@given(records(), options)
def test_no_field_is_lost(record, chosen):
    """Every extra and every key of a dict message is a key of the event, or of its `extra`."""
    event = orjson.loads(JSONFormatter(**chosen).encode(record))
    displaced = event.get('extra') if isinstance(event.get('extra'), dict) else {}
    given_names = [name for name in record.__dict__ if name not in STANDARD_ATTRIBUTES]
    found = len(event) + len(displaced)
    for name in given_names:
        written = name.encode('utf-8', 'backslashreplace').decode()
        assert written in event or written in displaced
    if isinstance(record.msg, dict) and not chosen.get('protect_fields'):
        assert found >= len(record.msg) + 1


@given(records(), options)
def test_nothing_is_changed(record, chosen):
    """Neither the record, nor the objects in it, however deep."""
    before, contents = dict(record.__dict__), plain(record.__dict__)
    JSONFormatter(**chosen).encode(record)
    assert list(record.__dict__) == list(before)
    assert all(record.__dict__[name] is value for name, value in before.items())
    assert plain(record.__dict__) == contents


@given(records(), options)
def test_the_quick_way_and_the_careful_way_agree(record, chosen):
    """What a subclass of LogRecord holds gives the same line as in a LogRecord."""

    class Twin(logging.LogRecord):
        pass

    twin = Twin('', 0, '', 0, '', (), None)
    twin.__dict__.clear()
    twin.__dict__.update(record.__dict__)
    formatter = JSONFormatter(**chosen)
    quick, careful = orjson.loads(formatter.encode(record)), orjson.loads(formatter.encode(twin))
    if 'created' in str(quick.get('extra')):  # the time of formatting
        careful['timestamp'] = quick['timestamp']
    assert quick == careful


@given(st.floats(-6e10, 2.5e11))
def test_the_timestamp_is_the_records_time(created):
    """To the microsecond, as the standard library counts it."""
    record = logging.makeLogRecord({'msg': 'Ahoy', 'created': created})
    written = orjson.loads(JSONFormatter().encode(record))['timestamp']
    assert len(written) == len('2026-01-31T12:00:00.000000Z')
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
    difference = (
        dt.datetime.fromisoformat(written.replace('Z', '+00:00')) - epoch - dt.timedelta(seconds=created)
    )
    assert abs(difference) <= dt.timedelta(microseconds=1)


@given(st.lists(st.floats(0, 100), min_size=2, max_size=10))
def test_a_formatter_remembers_nothing_of_other_records(times):
    """A timestamp is the same whatever came before."""
    formatter = JSONFormatter()
    for created in times:
        record = logging.makeLogRecord({'msg': 'Ahoy', 'created': created})
        assert formatter.encode(record) == JSONFormatter().encode(record)
