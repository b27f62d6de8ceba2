"""Does the demo notice every event that is missing, doubled or strange?"""

import dataclasses
import json

import pytest

from firefighter._demo.account import Killed, Report, settle
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


def test_a_number_that_is_missing_among_the_ids_is_a_complaint():
    """The second proof, which needs nobody's last words."""
    gap = dataclasses.replace(delivered(ALL_THREE).audit, unexplained=1)
    account = settle([report()], dataclasses.replace(delivered(ALL_THREE), audit=gap))

    assert complaints(account) == ['1 number missing among the ids of the events in the files']


def test_what_a_handler_adds_to_tell_of_drops_is_not_taken_for_the_programs():
    """Its markers are accepted and delivered, and nobody has logged them."""
    account = settle([report(accepted=4, delivered=4, markers=1)], delivered(ALL_THREE))

    assert account.accepted == 3
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


# A worker that had promised 4 events, and left 3 to 5 in its spool; another has taken over those.
KILLED = Killed(2, promised=4, left=(3, 4, 5))
ONCE = dict.fromkeys(range(1, 6), 1)


def heir(adopted=3, **stats):
    return report(**({'adopted': adopted, 'delivered': 3 + adopted} | stats))


def settle_killed(copies, killed=KILLED, heir_report=None):
    return settle([heir_report or heir()], delivered({**ALL_THREE, 2: copies}), killed)


def test_a_killed_worker_whose_events_are_all_there_is_no_complaint():
    """Its number beyond what it had promised counts too; it gave no report, so the files and its spool say how many."""
    account = settle_killed(ONCE)

    assert (account.accepted, account.adopted, account.delivered, account.missing) == (8, 3, 8, 0)
    assert (account.killed.logged, account.duplicated, account.strangers) == (5, 0, 0)
    assert complaints(account) == []


@pytest.mark.parametrize(
    ('copies', 'missing'),
    [
        ({1: 1, 3: 1, 4: 1, 5: 1}, 'numbers 2 of 5'),
        ({1: 1, 2: 1, 3: 1, 4: 1}, 'numbers 5 of 5'),
        ({}, 'numbers 1-5 of 5'),
    ],
)
def test_a_gap_in_a_killed_workers_numbers_is_missing(copies, missing):
    """Promised by an answer, or seen in its spool, and in no file: a loss."""
    account = settle_killed(copies)

    assert account.missing == 5 - len(copies)
    events = 'event' if account.missing == 1 else 'events'
    assert complaints(account) == [
        f'worker 2, which was killed: {account.missing} {events} in no file: {missing}'
    ]


def test_what_a_killed_worker_had_promised_is_missed_without_any_trace_of_it():
    """Nothing in the files, nothing in its spool: the answers' headers alone know of the events."""
    account = settle_killed({}, Killed(2, promised=4, left=()), heir(adopted=0))

    assert account.missing == 4
    assert complaints(account) == ['worker 2, which was killed: 4 events in no file: numbers 1-4 of 4']


def test_a_gap_below_an_event_that_nobody_had_promised_is_missing():
    """Numbers are given without a gap, so the sixth proves that there was a fifth."""
    account = settle_killed({1: 1, 2: 1, 3: 1, 4: 1, 6: 1}, Killed(2, promised=4, left=()), heir(adopted=0))

    assert account.killed.missing == (5,)


def test_copies_of_what_was_on_its_way_at_the_kill_are_no_complaint():
    """Nobody was left to hear whether it had arrived."""
    account = settle_killed(ONCE | {3: 2, 4: 2})

    assert (account.killed.repeated, account.killed.unexplained, account.duplicated) == (2, 0, 2)
    assert complaints(account) == []


@pytest.mark.parametrize('copies', [{2: 2}, {3: 3}])
def test_other_copies_of_a_killed_workers_events_are_complaints(copies):
    """It knew the second to be delivered; and a kill repeats an event once, not twice."""
    account = settle_killed(ONCE | copies)

    assert account.killed.unexplained == 1
    assert complaints(account) == ['worker 2, which was killed: 1 copy too many in the files, for no reason']


def test_a_copy_that_the_heir_was_in_doubt_of_is_no_complaint():
    """Its own requests may stay without an answer too."""
    assert complaints(settle_killed(ONCE | {3: 3}, heir_report=heir(uncertain=1))) == []


@pytest.mark.parametrize('adopted', [2, 4])
def test_adopting_another_number_than_was_left_is_a_complaint(adopted):
    """Also when every event is in the files."""
    assert (
        f'worker 2, which was killed: it left 3 events in its spool, and the others adopted {adopted}'
    ) in complaints(settle_killed(ONCE, heir_report=heir(adopted)))


@pytest.mark.parametrize(
    ('stats', 'sentence'),
    [
        (
            {'delivered': 5},
            'worker 1: its handler accepted 3 events, adopted 3, and 5 are delivered, dropped or pending',
        ),
        (
            {'delivered': 5, 'pending': 1},
            'worker 1: its handler counts 5 events as delivered, adopted 3, and 3 of its own are in the files',
        ),
        ({'quarantined_bytes': 7}, 'worker 1: its handler found 7 torn bytes in what another had left'),
    ],
)
def test_an_heirs_account_has_to_add_up_too(stats, sentence):
    """Accepted and adopted are delivered, dropped or pending; and a kill alone tears nothing."""
    assert sentence in complaints(settle_killed(ONCE, heir_report=heir(**stats)))
