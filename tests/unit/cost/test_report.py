"""Do the table and its words say what was played, and what it comes to?"""

from __future__ import annotations

from math import inf

import pytest

from firefighter._cost.bill import Fleet, bills
from firefighter._cost.prices import Tier, tiers_of
from firefighter._cost.quotas import quota_of
from firefighter._cost.report import heading, money, rows, titles, verdict
from firefighter._cost.ways import ONE_PER_RECORD, Way
from firefighter._cost.workload import workload

FLEET = Fleet(1, 60.0, tiers_of('us-east-1'), quota_of('us-east-1'))
LOG = [f'message {number}' for number in range(1_000)]
AGGREGATED = Way('aggregated', {'aggregate': True})


def test_the_heading_says_how_much_was_played_and_what_the_table_is_of():
    """A GB of events, or a month of the fleet."""
    assert 'the whole log, as fast as it can be taken. Each GB (2^30 bytes)' in heading(
        workload(LOG), FLEET, whole=True
    )
    fleet = Fleet(40, 60.0, FLEET.tiers, FLEET.quota)
    words = heading(workload(LOG, 10.0), fleet, whole=True)
    assert '18.0 times over' in words
    assert '30 minutes of one instance with 10 events a second' in words
    assert words.endswith('30 days of 40 instances are:')


def test_it_says_when_only_the_beginning_was_played():
    """Because the log was longer than what is read, or than what is played."""
    assert 'the beginning of the log' in heading(workload(LOG), FLEET, whole=False)
    assert 'the beginning of the log' in heading(workload(LOG, 0.1), FLEET, whole=True)
    assert 'the beginning of the log 18.0 times over' in heading(workload(LOG, 10.0), FLEET, whole=False)


def test_it_says_when_a_short_log_flatters_compression():
    """The same lines come again within what a compressor remembers."""
    assert 'flatters compression' in heading(workload(LOG, 30.0), FLEET, whole=True)
    long = ['x' * 5_000] * 500
    assert 'flatters compression' not in heading(workload(long, 0.5), FLEET, whole=True)


@pytest.mark.parametrize('rate', [None, 10.0])
def test_there_is_a_title_for_each_cell(rate):
    """Delay and quota only where there is a rate."""
    played = workload(LOG, rate)
    (row,) = rows(bills(played, FLEET, [ONE_PER_RECORD]))
    assert len(row) == len(titles(played))
    assert ('DELAY' in titles(played)) == (rate is not None)


def test_amounts_are_one_below_the_other():
    """Like numbers, though they have units."""
    table = rows(bills(workload(LOG, 10.0), FLEET, [ONE_PER_RECORD, AGGREGATED]))
    for column in zip(*table, strict=True):
        texts = [cell for cell in column if isinstance(cell, str)]
        if any('$' in text or 'GB' in text for text in texts):
            assert len({len(text) for text in texts}) == 1


def test_the_verdict_says_by_how_much_the_cheapest_way_is_cheaper():
    """And what to write for it."""
    played = workload(LOG)
    found = bills(played, FLEET, [ONE_PER_RECORD, AGGREGATED])
    factor = found[0].dollars / found[1].dollars
    assert verdict(found) == (
        f'aggregated: {money(found[1].dollars)} a GB instead of {money(found[0].dollars)} for one event per record, '
        f'{factor:.0f} times less. Write FirehoseHandler(..., aggregate=True), where the destination takes it.'
    )


def test_where_nothing_is_cheaper_the_verdict_says_so():
    """Events that fill their unit gain nothing from company."""
    event = b'{"message":"%s"}\n' % (b'x' * (5_120 - 15))
    played = workload([event] * 50)
    found = bills(played, FLEET, [ONE_PER_RECORD, AGGREGATED])
    assert found[0].times_logged == found[1].times_logged == 1.0
    assert verdict(found) == 'Nothing is cheaper here than one event per record: $0.0290 a GB.'


@pytest.mark.parametrize(
    ('dollars', 'text'),
    [(0.0, '$0.00'), (0.00123, '$0.0012'), (1.0, '$1.00'), (99.994, '$99.99'), (1234.5, '$1,234')],
)
def test_small_amounts_have_more_digits(dollars, text):
    """A bill of $0.00 would be no news."""
    assert money(dollars) == text


def test_a_month_of_many_instances_reaches_the_next_tier():
    """The tiers are counted over all of them together."""
    played = workload(LOG, 10.0)
    fleet = Fleet(100_000, 60.0, (Tier(1.0, 1.0), Tier(inf, 0.0)), FLEET.quota)
    (bill,) = bills(played, fleet, [ONE_PER_RECORD])
    assert bill.dollars == 1.0
