"""Does every event have one fate on a day full of faults? `make fault-test N=1000` lives through more of them."""

from __future__ import annotations

import random
import re
import sys
from collections import Counter

import pytest

from faults import bad_days, report
from faults.bad_days import KINDS, BadDays, Kind, Result, draw_faults
from firefighter.local.catalogue import CATALOGUE

pytestmark = pytest.mark.once

SEED = 3
PLAIN = Kind('plain', bursts=2, burst=10)


@pytest.fixture(scope='module')
def days(tmp_path_factory):
    with BadDays(tmp_path_factory.mktemp('bad-days'), SEED) as started:
        yield started


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.name)
def test_whatever_strikes_nothing_is_missing_and_nothing_comes_twice_unexplained(kind, days):
    """P1 and P5: what arrived is what was accepted less what was dropped with a reason, over any fault."""
    if kind.disk and sys.platform == 'win32':
        pytest.skip('there is no spool on disk on Windows')
    result = days.day(kind)
    assert result.good, result
    assert result.accepted == kind.handlers * kind.threads * kind.bursts * kind.burst
    assert result.accepted == result.delivered + sum(result.dropped.values())


def test_the_same_seed_plans_the_same_days():
    """So that a bad day can be had again; another seed plans others, and in the long run every fault has its turn."""
    plans = [draw_faults(random.Random(seed)) for seed in range(100)]
    assert plans == [draw_faults(random.Random(seed)) for seed in range(100)]
    assert len({str(plan) for plan in plans}) == len(plans)
    assert {name for plan in plans for name in plan} == CATALOGUE.keys() - bad_days.NOT_MIXED


def test_an_event_that_is_lost_is_missed(tmp_path, monkeypatch):
    """The account alone does not do: it could count as delivered what never arrived."""
    monkeypatch.setattr(bad_days, 'draw_faults', lambda dice: {})
    monkeypatch.setattr(bad_days, 'messages_in', without('0.0.7', bad_days.messages_in))
    with BadDays(tmp_path, SEED) as days:
        result = days.day(PLAIN)
    assert (result.missing, result.twice, result.good) == (1, 0, False)


def without(event, messages_in):
    return lambda folder: Counter(
        {name: times for name, times in messages_in(folder).items() if name != event}
    )


def test_a_copy_that_nothing_explains_is_noticed(tmp_path, monkeypatch):
    """Without a lost answer there is none."""
    monkeypatch.setattr(bad_days, 'draw_faults', lambda dice: {})
    monkeypatch.setattr(bad_days, 'messages_in', with_one_more('0.0.7', bad_days.messages_in))
    with BadDays(tmp_path, SEED) as days:
        result = days.day(PLAIN)
    assert (result.missing, result.twice, result.unexplained, result.good) == (0, 1, 1, False)


def with_one_more(event, messages_in):
    return lambda folder: messages_in(folder) + Counter([event])


def test_the_report_shows_faults_and_account_and_ends_well(capsys):
    """`make fault-test N=1`."""
    assert report.main(['1', '5']) == 0
    output = capsys.readouterr().out
    assert re.search(r'^all +[1-9]', output, re.MULTILINE)
    assert re.search(r'^memory +1 +400 +\d+ .* 0$', output, re.MULTILINE)


def test_the_report_of_a_broken_promise_ends_with_status_1(capsys, monkeypatch):
    """A CI that runs it fails."""
    monkeypatch.setattr(report, 'live_through', lambda *_: {'memory': [Result('memory', missing=1)]})
    assert report.main(['1']) == 1
