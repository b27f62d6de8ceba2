"""Whatever is logged and listed: is everything hidden that is listed, and nothing else changed?"""

from __future__ import annotations

import json
import logging
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefighter._event.numbered_formatter import NumberedFormatter
from firefighter.context import bind
from firefighter.formatting import JSONFormatter

pytestmark = pytest.mark.fuzz

MARK = '<redacted>'
SECRET = 's3cr3t'


class Saying:
    def __str__(self):
        return f'it is {SECRET}'


class Record(logging.LogRecord):
    """Goes the careful way."""


# With what JSON escapes, with two cases and none, and with one that Python takes for a k.
NAMES = [
    'a',
    'A',
    'ab',
    'aB1',
    'a_1',
    'é',
    'É',
    'ß',
    'k',
    '\u212a',
    'a"',
    'a\\n',
    'a\n',
    '":{',
    'redacted',
    'Redacted',
    'extra',
    '\ud800',
]
LISTED = [
    'a',
    'a*',
    '*b',
    '*B*',
    'a*_',
    'É',
    'ß',
    'K',
    'A"',
    '*n',
    '*"*',
    'a\\*',
    'A\n',
    'zz',
    'n*',
    'e*a',
    'extra',
    '*\ud800',
    're',
    '1*',
]
words = st.text(st.sampled_from('ab"\\\n{}:\ud800'), max_size=4)
some_names = st.sampled_from(NAMES)
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        words,
        st.just(SECRET),
        st.sampled_from([Saying(), b'ab']),
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(some_names | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)
fields = st.dictionaries(some_names, values, max_size=4)
listed_names = st.lists(st.sampled_from(LISTED), min_size=1, max_size=3)
options = st.fixed_dictionaries(
    {},
    optional={
        'include': st.lists(st.sampled_from(['host', 'pid', 'source']), unique=True),
        'protect_fields': st.booleans(),
    },
)


@st.composite
def records(draw):
    error = ValueError(f'{SECRET}!') if draw(st.booleans()) else None
    record = draw(st.sampled_from([logging.LogRecord, Record]))(
        'shop',
        20,
        '/srv/shop.py',
        7,
        draw(words | fields | st.sampled_from(['%s', SECRET, f'x {SECRET} y'])),
        draw(st.lists(values, max_size=2).map(tuple)),
        error and (ValueError, error, None),
        'view',
    )
    record.stack_info = draw(st.sampled_from([None, f'Stack: {SECRET}']))
    vars(record).update(
        draw(st.dictionaries(some_names.filter(lambda name: name not in vars(record)), values, max_size=4))
    )
    return record


def is_named(key, names):
    """Match as a glob: a table of which beginnings fit."""
    numbers = re.search('(_[0-9]+)*$', key).group().split('_')
    ends = [len('_'.join(numbers[:number])) for number in range(1, len(numbers) + 1)]
    begun = len(key) - len('_'.join(numbers))
    return any(fits(name, key[: begun + end]) for name in names for end in ends)


def fits(name, key):
    name = name.encode('utf-8', 'backslashreplace').decode()
    ends = {0}
    for wanted in name:
        if wanted == '*':
            ends = {*range(min(ends, default=len(key) + 1), len(key) + 1)}
        else:
            ends = {
                end + 1
                for end in ends
                if end < len(key) and key[end] in {wanted, wanted.lower(), wanted.upper()}
            }
    return len(key) in ends


def hidden(value, names):
    """Return the value with what is named hidden, and how many values that were."""
    if isinstance(value, list):
        pairs = [hidden(inner, names) for inner in value]
        return [shown for shown, _ in pairs], sum(number for _, number in pairs)
    if not isinstance(value, dict):
        return value, 0
    shown, number = {}, 0
    for key, inner in value.items():
        if is_named(key, names) and inner is not None:
            shown[key] = MARK if isinstance(inner, str) else None
            number += 1
        else:
            shown[key], more = hidden(inner, names)
            number += more
    return shown, number


def unique(pairs):
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def parsed(line):
    assert line.endswith(b'}\n')
    assert line.count(b'\n') == 1
    return json.loads(line, object_pairs_hook=unique)


@given(st.lists(records(), min_size=1, max_size=3), listed_names, options, st.none() | fields)
def test_what_has_a_listed_name_is_hidden_and_all_else_is_as_it_was(several, names, chosen, bound):
    """At any depth, wherever it comes from, and byte for byte where there is nothing to hide. By one formatter, which remembers names."""
    with bind(**{name.encode('utf-8', 'replace').decode(): value for name, value in (bound or {}).items()}):
        plain, redacting = (
            JSONFormatter(**chosen, **more, context=['firefighter']) for more in ({}, {'redact': names})
        )
        for record in several + several:
            before, line = plain.encode(record), redacting.encode(record)
            expected, number = hidden(parsed(before), names)
            taken = {name: expected.pop(name) for name in [*expected] if name.lower() == 'redacted'}
            event = parsed(line)
            if not number and not taken:
                assert line == before
                continue
            assert event.pop('redacted', 0) == number
            if number:
                assert [*parsed(line)][-1] == 'redacted'
            if taken:
                given_extra, extra = expected.pop('extra', {}), event.pop('extra')
                given_extra = given_extra if isinstance(given_extra, dict) else {'extra': given_extra}
                assert list(map(repr, extra.values())) == list(
                    map(repr, [*given_extra.values(), *taken.values()])
                )
            assert repr(event) == repr(expected)
            assert [*event] == [*expected]


@given(records(), options, st.booleans(), st.booleans(), listed_names)
def test_no_secret_is_in_a_line_whatever_the_options_are(record, chosen, ignore_case, event_ids, names):
    """Patterns find it in messages, arguments, exceptions, stacks and values of any kind; and it is always one line of JSON."""
    listed = [re.compile(SECRET, re.IGNORECASE), 're:[0-9]+', *names]
    kind = NumberedFormatter if event_ids else JSONFormatter
    formatter = kind(**chosen, ignore_case=ignore_case, leave_out=['b'], redact=listed)
    line = formatter.encode(record)
    assert SECRET.encode() not in line
    event = parsed(line.rstrip(b'\0') + b'}\n' if event_ids else line)
    assert re.fullmatch('[-0-9T:.]{26}Z', event['timestamp'])
    assert formatter.format(record) == orjson.dumps(event).decode()


@given(records(), st.sets(st.integers(0, 5)), st.sampled_from([MemoryError(), RecursionError()]))
def test_a_redaction_that_fails_lets_nothing_out_and_loses_no_event(record, failing, error):
    """Whichever of its calls fail: what is written then is redacted, or says nothing of the record."""
    formatter = JSONFormatter(redact=[f're:{SECRET}'])
    plan, calls = formatter._plan, iter(range(1000))

    def failing_at_times(function):
        def call(argument):
            if next(calls) in failing:
                raise error
            return function(argument)

        return call

    formatter._plan = plan._replace(redact=failing_at_times(plan.redact))
    formatter._encode_event = failing_at_times(formatter._encode_event)
    dumps = formatter._dumps
    formatter._dumps = formatter._dumps_usual = lambda *given: failing_at_times(lambda _: dumps(*given))(None)
    line = formatter.encode(record)
    assert SECRET.encode() not in line
    assert 'message' in parsed(line) or isinstance(record.msg, dict)
