"""May keys of an event differ in case alone? Not with `ignore_case`: Athena and Glue would not read the file."""

import copy
import logging
import pickle

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefighter.formatting import JSONFormatter


def event_of(message, extra=None, formatter=None, **options):
    record = logging.getLogger('shop').makeRecord('shop', 20, '', 7, message, (), None, None, extra)
    return orjson.loads((formatter or JSONFormatter(ignore_case=True, **options)).encode(record))


def lowered_twice(value):
    """Return whether keys collide, by a walk of its own."""
    if isinstance(value, dict):
        lowered = [name.lower() for name in value]
        return len(lowered) != len({*lowered}) or any(map(lowered_twice, value.values()))
    return isinstance(value, list) and any(map(lowered_twice, value))


def leaves(value):
    if isinstance(value, (dict, list)):
        inner = value.values() if isinstance(value, dict) else value
        return sorted(leaf for one in inner for leaf in leaves(one))
    return [str(value)]


def test_the_later_of_two_keys_is_kept_under_extra():
    """As what finds its name taken."""
    event = event_of({'userId': 1, 'userid': 2, 'a': 3})
    assert list(event) == ['timestamp', 'level', 'logger', 'userId', 'a', 'extra']
    assert event['extra'] == {'userid': 2}


@pytest.mark.parametrize('name', ['Level', 'TIMESTAMP', 'Logger', 'Message', 'Service', 'Exception', 'Stack'])
def test_what_the_event_says_of_itself_stays(name):
    """Also what comes behind, as an exception."""
    record = logging.makeLogRecord(
        {'msg': 'Ahoy', 'levelname': 'INFO', 'exc_info': ValueError('no'), 'stack_info': 'here', name: 'mine'}
    )
    formatter = JSONFormatter(ignore_case=True, fields={'service': 'api'})
    event = orjson.loads(formatter.encode(record))
    assert event['extra'] == {name: 'mine'}
    assert event[name.lower()] != 'mine'
    assert orjson.loads(formatter.format(record)) == event


def test_within_an_object_the_later_key_gets_a_number():
    """At any depth, in `extra` too."""
    assert event_of({'a': [{'Id': 1, 'id': 2, 'ID': 3, 'id_2': 4}]})['a'] == [
        {'Id': 1, 'id_1': 2, 'ID_2': 3, 'id_2_3': 4}
    ]
    assert event_of({'Id': 1, 'id': 2, 'ID': 3})['extra'] == {'id': 2, 'ID_1': 3}
    assert event_of('Ahoy', {'Id': 1, 'id': 2, 'level': 'mine'})['extra'] == {'level': 'mine', 'id': 2}
    assert event_of({'extra': [1], 'Extra': 2})['extra'] == {'extra': [1], 'Extra_1': 2}
    assert event_of({'Extra': 1, 'Id': 2, 'id': 3})['extra'] == {'id': 3, 'Extra': 1}


def test_without_a_collision_the_line_is_the_same():
    """To the byte; and without the option keys stay as they are."""
    record = logging.makeLogRecord({'msg': {'userId': 1, 'b': {'C': [1.5, None, 'é']}}})
    assert JSONFormatter(ignore_case=True).encode(record) == JSONFormatter().encode(record)
    assert event_of({'Id': 1, 'id': 2}, formatter=JSONFormatter())['Id'] == 1


def test_copies_and_pickles_do_the_same():
    """As of any formatter, by themselves."""
    formatter = JSONFormatter(ignore_case=True)
    for twin in (copy.copy(formatter), copy.deepcopy(formatter), pickle.loads(pickle.dumps(formatter))):
        assert twin.encode.__self__ is twin
        assert event_of({'Id': 1, 'id': 2}, formatter=twin)['extra'] == {'id': 2}


names = st.sampled_from(
    ['a', 'A', 'id', 'ID', 'Id', 'id_1', 'ID_1', 'extra', 'Extra', 'level', 'LEVEL', 'ß', 'ẞ']
)
values = st.recursive(
    st.integers(), lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=9
)


@given(st.dictionaries(names, values), st.dictionaries(names, values))
def test_whatever_is_logged_no_keys_collide_and_no_value_is_lost(message, extra):
    """Of a dict message and of extras."""
    before, after = event_of(message, extra, formatter=JSONFormatter()), event_of(message, extra)
    for event in (before, after):
        del event['timestamp']
    assert not lowered_twice(after)
    assert leaves(after) == leaves(before)
