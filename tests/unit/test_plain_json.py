"""The standard library in orjson's place: for what both take, the same; what it refuses goes the way of what orjson refuses."""

from __future__ import annotations

import json
import uuid

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefighter._event import plain_json

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(st.characters(codec='utf-8')),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.dictionaries(st.text(st.characters(codec='utf-8')), inner),
    ),
)


@pytest.mark.parametrize('value', [2**53 - 1, 2**53, 1 - 2**53, -(2**53)])
def test_the_strict_integers_are_those_of_orjson(value):
    """A whole event is written by them, to see whether one of the others is in it."""

    def written(library):
        try:
            return library.dumps([value], None, library.OPT_STRICT_INTEGER)
        except TypeError:
            return None

    assert written(plain_json) == written(orjson)


@given(VALUES, st.sampled_from([0, plain_json.OPT_APPEND_NEWLINE]))
def test_what_it_writes_reads_as_what_orjson_writes(value, option):
    """By orjson, and by itself; and it ends in a newline where that is asked for."""
    written = plain_json.dumps(value, None, option)
    expected = orjson.loads(orjson.dumps(value))
    assert orjson.loads(written) == expected
    assert plain_json.loads(written) == expected
    assert written.count(b'\n') == written.endswith(b'\n') == option


REFUSED = {
    'too large': 2**64,
    'too small': -(2**63) - 1,
    'a surrogate': '\ud800',
    'a surrogate in a key': {'\ud800': 1},
    'a key that is no text': {1: 1},
    'an object': object(),
    'bytes': b'',
    'a set': {1},
    'a UUID': uuid.UUID(int=1),
    'a subclass of str': type('Text', (str,), {})(),
}


@pytest.mark.parametrize('value', REFUSED.values(), ids=REFUSED)
def test_what_is_not_json_is_refused(value):
    """Also what is inside something else."""
    for holder in (value, [value], {'a': (value,)}):
        with pytest.raises((TypeError, ValueError)):
            plain_json.dumps(holder)


@pytest.mark.parametrize('text', ['', '{', '[NaN]', 'Infinity', '[' * 100_000, b'\xff', b'[1]1'])
def test_what_is_no_json_cannot_be_read(text):
    """As orjson has it: a ValueError each time."""
    for library in (orjson, plain_json):
        with pytest.raises(ValueError):
            library.loads(text)


def test_a_fragment_is_written_as_it_is():
    """Fields that are encoded once are put in as they are."""
    fragment = plain_json.Fragment(b'{"a":"\xe2\x82\xac"}')
    assert json.loads(plain_json.dumps({'b': [fragment]})) == {'b': [{'a': '€'}]}
