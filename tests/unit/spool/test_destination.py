"""A destination and the name of its folder."""

from __future__ import annotations

import json
import os
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firefighter._spool.disk.destination import Destination

# Any str of Python's, lone surrogates included.
ANY = st.text(st.characters(exclude_categories=()))
NAMES = st.one_of(ANY, st.text('./\\:%- a'), st.sampled_from(['.', '..', '', '/', '\0', 'CON', 'a' * 1000]))
DESTINATIONS = st.builds(Destination, NAMES, *[st.none() | ANY] * 4)


@given(DESTINATIONS)
def test_any_stream_name_gives_a_harmless_folder(destination):
    """One component, visible, never upwards, short enough for every file system."""
    name = destination.folder_name
    assert re.fullmatch(r'[A-Za-z0-9_~%-][A-Za-z0-9_.~%-]*', name)
    assert len(name) < 100
    assert os.path.normpath(f'/above/{name}') == f'/above/{name}'


@given(DESTINATIONS, DESTINATIONS)
def test_different_destinations_never_share_a_folder(one, other):
    """And equal ones always do."""
    assert (one.folder_name == other.folder_name) == (one == other)


@pytest.mark.parametrize('field', ['region', 'endpoint_url', 'profile', 'account_or_key'])
def test_the_same_stream_name_elsewhere_is_another_destination(field):
    """A spool for one account must not be delivered to another."""
    assert Destination('bar').folder_name != Destination('bar', **{field: 'x'}).folder_name


def test_fields_do_not_run_into_each_other():
    """What is a region here and a profile there differs."""
    names = {Destination('bar', *values).folder_name for values in [('x',), (None, 'x'), (None, None, 'x')]}
    assert len(names) == 3


def test_folder_names_are_fixed():
    """A later version finds what this one has left."""
    assert Destination('bar', 'eu-west-1').folder_name == 'bar-60212dd8816b5071a5d4'
    assert Destination('..').folder_name.startswith('%2E.-')


@given(DESTINATIONS)
@example(Destination('\ud800\udc00'))
def test_a_destination_survives_its_json(destination):
    """In the header of every segment."""
    data = destination.to_json()
    assert Destination.from_json(data) == destination
    assert b'\n' not in data
    assert b'\0' not in data


@pytest.mark.parametrize(
    'data',
    [b'', b'\xff', b'[]', b'{}', b'{"region": "x"}', b'{"stream": 1}', b'{"stream": "bar", "tenant": "new"}'],
)
def test_what_is_no_destination_of_this_version_is_refused(data):
    """A newer version may know more that tells destinations apart."""
    with pytest.raises(ValueError):
        Destination.from_json(data)


def test_the_json_has_only_what_is_known():
    """So a field that a later version adds does not change it."""
    assert json.loads(Destination('bar', profile='ops').to_json()) == {'stream': 'bar', 'profile': 'ops'}
