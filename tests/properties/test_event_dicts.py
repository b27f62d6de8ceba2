"""Whatever structlog hands over: the line that is made of a dict without a record is the one that is made with one."""

import copy
import datetime as dt
import enum
import itertools
import logging
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefighter._event import event_dicts
from firefighter._event.event_dicts import EventDictEncoder
from firefighter._event.numbered_formatter import NumberedFormatter
from firefighter.formatting import JSONFormatter

pytestmark = pytest.mark.fuzz

CREATED = 1_700_000_000.123456


class Colour(enum.Enum):
    RED = 'red'


class Text(str):
    __slots__ = ()


class Failing:
    def __str__(self):
        raise ValueError


any_text = st.text(st.characters(exclude_categories=[])) | st.sampled_from(['', '%s', '\0\n\x1a\ud800'])
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        any_text,
        st.binary(),
        st.datetimes(timezones=st.none() | st.just(dt.timezone.utc)),
        st.sampled_from([Colour.RED, Failing(), Text('x'), 2**53, 2**63, 2**64]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text | st.integers(), inner, max_size=3),
    max_leaves=6,
)
names = st.one_of(
    st.sampled_from(
        [
            'timestamp',
            'level',
            'logger',
            'message',
            'event',
            'extra',
            'exception',
            'exc_info',
            'stack',
            'data',
            'service',
            'pid',
            'source',
            'producer',
            'sequence',
            'firefighter_dropped',
            'positional_args',
            'user',
        ]
    ),
    any_text,
    st.sampled_from([5, None, b'producer', Text('sequence')]),
)
errors = st.sampled_from([None, False, True, LookupError('x'), (None, None, None), 5])
levels = st.sampled_from(['info', 'INFO', 'Info', 'warning', 'audit', None, 5])
dicts = st.builds(
    lambda event, given, several: {**several, **given, **event},
    st.fixed_dictionaries({}, optional={'event': any_text | values}),
    st.fixed_dictionaries({}, optional={'level': levels, 'exc_info': errors}),
    st.dictionaries(names, values, max_size=5),
)
options = st.fixed_dictionaries(
    {},
    optional={
        'fields': st.just({'service': 'api', 'tags': [1], 'large': 2**60}),
        'include': st.lists(st.sampled_from(['host', 'pid', 'process', 'thread', 'source']), unique=True),
        'protect_fields': st.booleans(),
        'ignore_case': st.booleans(),
        'redact': st.lists(st.sampled_from(['user', 'tags', 'SOURCE', '5', 're:[0-9]+']), min_size=1),
    },
)


@given(dicts, options, st.booleans())
def test_the_line_of_a_dict_is_the_one_of_its_record(event_dict, options, event_ids):
    """Byte for byte, where there is one; and the dict is as it was."""
    if 'fields' in options and 'service' in options.get('include', ()):
        return
    formatter = (NumberedFormatter if event_ids else JSONFormatter)(**options)
    record = logging.LogRecord('shop', logging.INFO, __file__, 7, event_dict, (), None, 'f')
    record.created = CREATED
    record._logger, record._name = None, 'info'
    before = copy.copy(event_dict)
    with mock.patch.object(event_dicts, 'time', return_value=CREATED):
        line = EventDictEncoder(formatter).encode('info', logging.INFO, 'shop', event_dict, lambda: record)
    assert line is None or line == formatter.encode(record)
    assert list(event_dict) == list(before)
    assert all(event_dict[name] is before[name] for name in before)


@given(st.dictionaries(st.sampled_from(['a', 'b', 'user', 'order']), values, max_size=4), options)
def test_a_dict_as_nearly_all_are_has_a_line(fields, options):
    """A text and what was bound or passed: no record is made for that, whatever the values are."""
    if options.pop('ignore_case', False):
        options = {}
    for event_ids, level in itertools.product([False, True], [{}, {'level': 'info'}]):
        formatter = (NumberedFormatter if event_ids else JSONFormatter)(**options)
        event_dict = fields | level | {'event': 'Ahoy'}
        assert EventDictEncoder(formatter).encode(
            'info', logging.INFO, 'shop', event_dict, lambda: logging.makeLogRecord({})
        )
