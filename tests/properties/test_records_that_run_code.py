"""Whatever code a value runs when it is looked at: the program goes on, and what it logged is one line, or is counted.

Each record is logged in another process, because what is looked for may end one.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from depth import depth
from doubles import DEADLINE_SECONDS

pytestmark = pytest.mark.fuzz

TESTS = Path(__file__).parents[1]
PROGRAM = TESTS / 'odd_records.py'

fragments = st.sampled_from(
    [
        b'{\n "a": 1\n}',
        b'\0',
        b'{"a":"\0"}',
        b'{',
        b'[NaN]',
        b'1 2',
        b'{"a":1,"a":2}',
        b'18446744073709551616',
        b'\xff',
        b'["\\ud800"]',
    ]
) | st.binary(max_size=8)
# Python expressions in the names of that program.
plain_leaves = st.sampled_from(
    [
        '1',
        "'x'",
        "'\\ud800'",
        '2**64',
        "float('nan')",
        'None',
        "b'\\xff'",
        'object()',
        '[]',
        'uuid.UUID(int=5)',
        'doubled(3)',
    ]
)
odd_leaves = st.sampled_from(
    [
        'Color.RED', 'Color.BLUE', 'Color.DARK', 'Color', 'Level.HIGH', 'Bits.FIRST', 'Raising.ONE', 'Clearing.ONE', 'unmade', 'shared',
        'Failing(ValueError)', 'Failing(RecursionError)', 'Failing(MemoryError)',
    ]
)  # fmt: skip
passing_leaves = st.sampled_from(['SystemExit', 'asyncio.CancelledError', 'KeyboardInterrupt']).map(
    'Failing({})'.format
)
leaves = st.one_of(
    plain_leaves, odd_leaves, odd_leaves, passing_leaves, fragments.map('fragment({!r})'.format)
)
# What takes some time to write, so that it is logged once alone.
long_leaves = leaves | st.sampled_from(
    ['doubled(16)', 'doubled(22)', 'doubled(18, Color.RED)', 'doubled(18, {"a": [1]})', 'deep(50_000)']
)
# At the edges of what is written as a value, and of what orjson writes at all.
depths = st.sampled_from([97, 98, 99, 100, 101, 252, 253, 254, 255]) | st.integers(1, 300) | st.just(1000)


def expressions(leaves):
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda items: f'[{", ".join(items)}]'),
            inner.map('({},)'.format),
            inner.map("{{'a': {}, 'b': 1}}".format),
            inner.map('{{5: {}}}'.format),
            st.tuples(depths, inner).map(lambda drawn: 'deep({}, {})'.format(*drawn)),
        ),
        max_leaves=5,
    )


names = st.sampled_from(
    ['a', 'b', 'level', 'producer', 'sequence', 'firefighter_dropped', 'extra', 'timestamp']
)


def records(leaves, around):
    values = expressions(leaves) | depths.map('deep({}, 1)'.format)
    fields = st.dictionaries(names, values, max_size=3)
    written = fields.map(
        lambda pairs: f'{{{", ".join(f"{name!r}: {value}" for name, value in pairs.items())}}}'
    )
    return st.fixed_dictionaries(
        {
            'message': st.just("'Ahoy'") | values | written,
            'extra': fields,
            'event_ids': st.booleans(),
            'protect_fields': st.booleans(),
            'around': st.sampled_from(around),
        }
    )


class Logger:
    """A process that logs what it is asked to; another one where that has ended it."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, '-X', 'faulthandler', PROGRAM],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(TESTS), os.environ.get('PYTHONPATH', '')])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def log(self, record: dict[str, object]) -> list[str]:
        """Return what was wrong."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(record), file=self._process.stdin, flush=True)
        if not select.select([self._process.stdout], [], [], 3 * DEADLINE_SECONDS)[0]:
            self.end()
            self._start()
            return ['it hangs']
        answer = self._process.stdout.readline()
        if not answer:
            ended = self._process.wait()
            self.end()
            self._start()
            return [f'it ended with status {ended}']
        return json.loads(answer)

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope='module')
def logger():
    logger = Logger()
    yield logger
    logger.end()


def record(message="'Ahoy'", around='nothing', event_ids=True, **extra):
    return {
        'message': message,
        'extra': extra,
        'event_ids': event_ids,
        'protect_fields': False,
        'around': around,
    }


# What has ended a process, lost an event or cost too much: in each run.
@example(record(a='[Color.RED] * 50', around='signals'))
@example(record(a='[Color.RED]', around='recursion'))
@example(record(a='shared', around='thread'))
@example(record(a='[Clearing.ONE, shared]'))
@example(record(a='fragment(b\'{\\n "a": 1\\n}\')', b="fragment(b'\\0')"))
@example(record(sequence='deep(253, 1)'))
@example(record(a='Failing(asyncio.CancelledError)'))
@example(record('doubled(22)', a='doubled(22)'))
@settings(max_examples=depth(20, 40))
@given(records(long_leaves, ['nothing']) | records(leaves, ['recursion', 'thread', 'signals']))
def test_no_value_that_runs_code_breaks_the_program(logger, record):
    """No end of the process, no hang; a line that is JSON, or an exception that passes, as in `logging`, and is counted."""
    assert logger.log(record) == []
