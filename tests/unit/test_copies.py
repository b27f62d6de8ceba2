"""Can a handler be pickled and copied, as `spawn` and joblib do with what they are given?"""

from __future__ import annotations

import copy
import logging
import pickle

import pytest

from doubles import AcceptingClient
from firefighter.logging import FirehoseHandler


class Loud(FirehoseHandler):
    """A subclass with numbers of its own."""

    MAX_BATCH_COUNT = 7


def on_drop(*news):
    """A hook that can be pickled."""


@pytest.mark.parametrize(
    'duplicate', [copy.copy, copy.deepcopy, lambda handler: pickle.loads(pickle.dumps(handler))]
)
def test_a_copy_is_a_handler_of_its_own_made_from_the_same_options(duplicate, make_handler, tmp_path) -> None:
    """Options, level, formatter and filters come along; events, threads and counters do not."""
    handler = make_handler(
        'bar',
        True,
        5,
        fields={'service': 'api'},
        level=logging.INFO,
        include=['pid'],
        overflow='drop_newest',
        on_drop=on_drop,
        region_name='eu-west-1',
        shutdown_timeout_seconds=0,
        kind=Loud,
    )
    handler.MAX_RECORD_SIZE = 700
    handler.send_interval = 3
    handler.name = 'shipping'
    handler.addFilter(logging.Filter('foo'))
    handler.handle(logging.makeLogRecord({'name': 'foo', 'msg': 'Ahoy'}))
    twin = duplicate(handler)
    try:
        assert type(twin) is Loud
        assert (twin.level, twin.send_interval, twin.MAX_RECORD_SIZE) == (logging.INFO, 3, 700)
        assert twin.delivery_stream_name == 'bar'
        assert twin._options == handler._options
        assert [kept.name for kept in twin.filters] == ['foo']
        assert twin._pipeline is not handler._pipeline
        assert twin.stats().accepted == 0
        assert twin.formatter is twin._json_formatter
        record = logging.makeLogRecord({'msg': 'Ahoy'})
        assert twin.format(record) == handler.format(record)
    finally:
        twin.close()


def test_a_formatter_of_the_users_comes_along(make_handler) -> None:
    """What `setFormatter` was given is an option like the others."""
    handler = make_handler('bar')
    handler.setFormatter(logging.Formatter('%(message)s!'))
    twin = pickle.loads(pickle.dumps(handler))
    assert twin.format(logging.makeLogRecord({'msg': 'Ahoy'})) == 'Ahoy!'
    twin.close()


@pytest.mark.parametrize('duplicate', [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_client_cannot_come_along_and_the_error_says_what_to_hand_in(duplicate, make_handler) -> None:
    """It has connections and locks: another process makes its own, from plain values."""
    handler = make_handler('bar', boto3_client=AcceptingClient())
    with pytest.raises(TypeError, match='boto3_profile_name, region_name or endpoint_url'):
        duplicate(handler)


@pytest.mark.parametrize(
    'duplicate', [copy.copy, copy.deepcopy, lambda handler: pickle.loads(pickle.dumps(handler))]
)
def test_a_copy_leaves_its_name_to_the_original(duplicate, make_handler) -> None:
    """Logging finds a handler by its name, and forgets the name when a handler of that name is closed."""
    handler = make_handler('bar', region_name='eu-west-1')
    handler.name = 'shipping'
    duplicate(handler).close()
    assert logging._handlers['shipping'] is handler
    pickled = pickle.dumps(handler)
    handler.name = 'another'
    twin = pickle.loads(pickled)
    assert logging._handlers['shipping'] is twin
    twin.close()
