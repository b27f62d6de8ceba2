"""Does the demo notice every event that is missing, doubled or strange?"""

import dataclasses
import json

import pytest

from firefighter._demo.account import Report, settle
from firefighter._demo.complaints import complaints, stretches
from firefighter._demo.delivered import Delivered
from firefighter.stats import DropReason, Stats


def report(worker=1, logged=3, **stats):
    defaults = {
        'accepted': logged,
        'delivered': logged,
        'dropped': {},
        'dropped_bytes': {},
        'pending': 0,
        'spool_bytes': 0,
    }
    return Report(worker, logged, Stats(**(defaults | stats)))


def delivered(copies, strangers=0):
    return Delivered((), copies, strangers)


ALL_THREE = {1: {1: 1, 2: 1, 3: 1}}


def test_a_run_without_loss_has_no_complaints():
    """Every event of every worker once: the sums say so, and nothing else is said."""
    account = settle([report(), report(2, logged=1)], delivered({**ALL_THREE, 2: {1: 1}}))

    assert (account.accepted, account.delivered, account.missing, account.duplicated) == (4, 4, 0, 0)
    assert (account.dropped, account.pending) == (0, 0)
    assert complaints(account) == []


def test_missing_events_are_named():
    """Whoever looks for them needs the worker and the numbers."""
    account = settle([report(logged=6)], delivered({1: {1: 1, 4: 1}}))

    assert (account.delivered, account.missing) == (2, 4)
    assert complaints(account) == [
        'worker 1: 4 events in no file: numbers 2-3, 5-6 of 6',
        'worker 1: its handler counts 6 events as delivered, and 2 of its own are in the files',
    ]


def test_a_worker_of_which_nothing_arrived_is_missed_too():
    """No file need name a worker for its events to be missed."""
    account = settle([report(), report(2, logged=1)], delivered(ALL_THREE))

    assert account.missing == 1
    assert 'worker 2: 1 event in no file: numbers 1 of 1' in complaints(account)


def test_copies_are_counted_and_are_no_complaint_while_the_handler_was_in_doubt():
    """An answer that never arrived explains as many copies as it was about."""
    copies = {1: {1: 3, 2: 1, 3: 1}}

    explained = settle([report(uncertain=2)], delivered(copies))
    unexplained = settle([report(uncertain=1)], delivered(copies))

    assert explained.duplicated == unexplained.duplicated == 2
    assert complaints(explained) == []
    assert complaints(unexplained) == [
        'worker 1: 2 copies too many in the files, and its handler was in doubt of 1'
    ]


def test_copies_do_not_make_up_for_missing_events():
    """Three lines for three events are not enough: they have to be the three."""
    account = settle([report()], delivered({1: {1: 2, 2: 1}}))

    assert (account.delivered, account.missing, account.duplicated) == (2, 1, 1)


def test_drops_and_what_stayed_behind_are_complaints_with_their_reason():
    """A counted loss is a loss."""
    stats = {'delivered': 1, 'dropped': {DropReason.OVERFLOW: 1}, 'pending': 1, 'last_error': 'no such host'}
    account = settle([report(**stats)], delivered({1: {3: 1}}))

    assert (account.dropped, account.pending) == (1, 1)
    assert complaints(account) == [
        'worker 1: 2 events in no file: numbers 1-2 of 3',
        'worker 1: its handler dropped 1 event (overflow)',
        'worker 1: its handler ended with 1 event undelivered',
        'worker 1: the last trouble of its handler was: no such host',
    ]


def test_trouble_that_cost_nothing_is_no_complaint():
    """A throttled request that was made again is the library at work."""
    assert complaints(settle([report(last_error='Slow down.')], delivered(ALL_THREE))) == []


@pytest.mark.parametrize(
    ('stats', 'sentence'),
    [
        ({'accepted': 2, 'delivered': 2}, 'worker 1: it logged 3 events, and its handler accepted 2'),
        (
            {'delivered': 2},
            'worker 1: its handler accepted 3 events, and 2 are delivered, dropped or pending',
        ),
    ],
)
def test_an_account_that_does_not_add_up_is_a_complaint(stats, sentence):
    """Also when every event is in the files: a wrong account hides the next loss."""
    account = settle([report(**stats)], delivered(ALL_THREE))

    assert account.missing == 0
    assert sentence in complaints(account)


def test_events_that_nobody_logged_are_complaints():
    """Numbers never given, workers never started and lines that are no event do not count as delivered."""
    account = settle([report()], delivered({1: {**ALL_THREE[1], 4: 2}, 9: {1: 1, 2: 2}}, strangers=1))

    assert (account.delivered, account.duplicated) == (3, 0)
    assert complaints(account) == [
        'worker 1: 2 events in the files that it has not logged',
        '4 lines in the files that no worker has logged',
    ]


def test_many_gaps_are_not_all_listed():
    """A screen full of numbers helps nobody."""
    assert stretches(range(1, 20, 2)) == 'numbers 1, 3, 5, 7, 9, ...'


def test_a_report_survives_its_way_through_json():
    """Reasons are an enum in the worker and text on the way."""
    before = report(dropped={DropReason.OVERFLOW: 2}, dropped_bytes={DropReason.OVERFLOW: 99})
    printed = json.dumps({'worker': 1, 'logged': 3, 'stats': dataclasses.asdict(before.stats)})

    assert Report.from_json(json.loads(printed)) == before
