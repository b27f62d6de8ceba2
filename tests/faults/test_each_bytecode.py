"""Is anything lost, doubled or left locked when `append` fails at one of its bytecodes or allocations?

On the Python at hand, and of the long ways each so-manieth place only. `make interruption-test` takes every place, on every
Python; so does DEPTH=every here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from depth import EVERY_PLACE, depth

PROGRAM = Path(__file__).with_name('each_bytecode.py')
# Of a long way each so manieth place.
EVERY = 1 if EVERY_PLACE else depth(151, 31)
# On a busy machine; some ten seconds otherwise.
pytestmark = pytest.mark.timeout(180)
# Ways of some hundred bytecodes, and of some thousand.
SHORT = [
    'straight',
    'straight, ids',
    'straight, on disk',
    'straight, copied',
    'foreign, ids',
    'rejecting',
    'rejecting, ids',
    'accounting',
]
LONG = [
    'after others',
    'after others, ids',
    'interrupted',
    'interrupted, ids',
    'rolling over',
    'rolling over, ids',
    'rolling over, on disk',
    'rolling over, copied',
    'rolling over, interrupted',
    'dropping the oldest',
    'dropping the oldest, ids',
    'dropping the oldest, ids, on disk',
    'dropping the newest',
    'blocked',
    'with news, ids',
    'telling, ids',
]

if sys.platform != 'linux':
    pytest.skip('/dev/shm', allow_module_level=True)
if sys.implementation.name != 'cpython':
    pytest.skip('bytecodes of CPython', allow_module_level=True)


@pytest.mark.parametrize('by', ['bytecode', 'error'])
def test_an_exception_at_any_bytecode_of_an_append_that_fits_loses_and_doubles_nothing(by):
    """The lock is free, the account adds up, the event is there once or not at all, the next one is appended."""
    struck = strike(by, SHORT, 1)
    assert min(struck.values()) > 80


@pytest.mark.parametrize('by', ['bytecode', 'error'])
def test_an_exception_at_any_bytecode_while_append_makes_room_loses_and_doubles_nothing(by):
    """Also while it rolls over, drops the oldest, tells of drops, and appends what others have left."""
    struck = strike(by, LONG, EVERY)
    assert min(struck.values()) > 330 // EVERY


@pytest.mark.skipif(find_spec('_testcapi') is None, reason='this Python cannot have an allocation fail')
def test_an_append_that_finds_no_memory_at_any_allocation_counts_the_event_as_dropped():
    """MemoryError does not come out of the logging call."""
    struck = strike('allocation', SHORT + LONG, 1)
    assert struck['rolling over'] > 10


def test_an_append_that_finds_no_stack_at_any_depth_counts_the_event_as_dropped():
    """RecursionError does not come out of the logging call, also when it comes while append rolls over."""
    struck = strike('depth', SHORT + LONG, 1)
    assert min(struck[name] for name in LONG if name != 'telling, ids') > 1


def strike(by, cases, every):
    """Run the program, and return how many times something came of it, for each case."""
    options = [f'--case={case}' for case in cases]
    ended = subprocess.run(
        [sys.executable, PROGRAM, '--by', by, '--every', str(every), *options],
        capture_output=True,
        text=True,
        timeout=None if EVERY_PLACE else 170,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)['struck']
