"""P1, P2, P5, P9 and P10 over generated programs: any life, three threads at once, real processes, an endpoint in any state.

A failure names the seed. `python tests/model/report.py --only SEED 10` lives that program ten times, `--shrink SEED` makes it
small; what is found that way goes to `known_lives`. `make lives-test N=1000 SEED=7` lives a thousand others.
"""

from __future__ import annotations

import sys

import pytest

if sys.platform == 'win32':
    pytest.skip('there are no forks on Windows', allow_module_level=True)

from depth import AT_FULL_DEPTH, depth
from model.generation import generate
from model.judge import Court
from model.known_lives import KNOWN_LIVES, KNOWN_SEEDS

PROGRAMS = depth(3, 14)
# Of the known lives each so manieth.
EVERY = depth(7, 1)
# What breaks no promise takes a minute at most, all of them together; what does is waited for.
pytestmark = [pytest.mark.once, pytest.mark.timeout(900)]

UNLUCKY = {
    'loses': 'logging calls have returned, and it has accepted',
    'repeats': 'copies have no cause',
    'keeps': 'the thread left behind',
    'waits': 'flush took',
    'complains': 'on stderr',
    'raises': 'a logging call raised',
}


@pytest.fixture(scope='module')
def court():
    with Court() as sitting:
        yield sitting


def assert_all_kept(court, programs):
    """What breaks a promise is lived three times more, and must not do so again.

    What comes together once in a hundred lives is `make lives-test`'s to find: a run of this file must not end by chance.
    """
    suspects = [verdict for verdict in court.judge(programs) if verdict.broken]
    again = court.judge([verdict.program for verdict in suspects for _ in range(3)]) if suspects else []
    broken = [verdict for verdict in again if verdict.broken]
    assert not broken, '\n\n'.join(map(str, [*suspects, *broken]))


def test_whatever_a_program_does_every_promise_is_kept(court):
    """P1, P2, P5, P9, P10: the account adds up, nothing is lost or copied unsaid, nothing is left, no wait is too long."""
    assert_all_kept(court, map(generate, range(PROGRAMS)))


def test_what_has_broken_a_promise_once_keeps_it_now(court):
    """The same for each program that has found something before."""
    assert_all_kept(court, [*KNOWN_LIVES, *map(generate, KNOWN_SEEDS)][::EVERY])


@AT_FULL_DEPTH
def test_the_judge_sees_each_kind_of_broken_promise(court):
    """Of handlers that each do one thing wrong, none gets away with it; one that does nothing wrong is not accused."""
    actions = [['log', 0, 30, 0], ['flush', 0, 0.5], ['log', 0, 30, 0]]
    options = {'send_interval': 0.02, 'shutdown_timeout_seconds': 1}
    life = {'before': [['open', 0, options]], 'threads': [actions], 'wind_down': 'well first'}
    # For what is never let go of nobody has to wait long; all else may take its time.
    impatient = {'keeps': {'patience_seconds': 2}}
    programs = [
        {'name': kind, 'lives': [{**life, **impatient.get(kind, {}), 'sabotage': kind}]}
        for kind in ['none', *UNLUCKY]
    ]
    assert_all_kept(court, programs[:1])
    others = court.judge(programs[1:])
    for (kind, words), verdict in zip(UNLUCKY.items(), others, strict=True):
        assert words in str(verdict), f'{kind}: {verdict}'


def test_a_seed_is_always_the_same_program():
    """So that a failure can be repeated by its seed."""
    assert [generate(seed) for seed in range(20)] == [generate(seed) for seed in range(20)]
