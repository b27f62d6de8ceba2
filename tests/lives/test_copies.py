"""Are copies of events at the endpoint ever more than the accounts admit?"""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter

import pytest

LATE_EVENTS = """
def log_late():
    for number in range(3):
        logger.info('late %d', number)

atexit.register(lambda: tell(**account(handler)))
atexit.register(log_late)
handler = make()  # its own exit function comes before these
logger.addHandler(handler)
"""
FIRST = {
    'nothing before': '',
    'one under way before': "logger.info('early')\nuntil(lambda: handler.stats().requests)",
    'one before, and closed': "logger.info('early')\nhandler.close()",
}


@pytest.mark.parametrize('use_queues', [True, False])
@pytest.mark.parametrize('first', FIRST)
@pytest.mark.parametrize('fault', [None, 'reset-after', 'unavailable'])
def test_late_events_at_a_slow_endpoint_arrive_no_more_often_than_is_admitted(
    fault, first, use_queues, live, endpoint, arrived
):
    """The answer comes after the deadline of the exit: what is sent again meanwhile counts as uncertain."""
    endpoint.inject('slow', seconds=1.5)
    if fault is not None:
        endpoint.inject(fault, times=1)
    life = live(
        (LATE_EVENTS, FIRST[first]),
        endpoint.url,
        use_queues=use_queues,
        send_interval=0.02,
        shutdown_timeout_seconds=0.5,
    )
    figures = life.figures
    counts = arrived()
    copies = sum(counts.values()) - len(counts)
    assert copies <= figures['uncertain'], (counts, figures)
    assert 'stumbled' not in life.said
    assert 'Error: zip' not in life.said
    events = 3 + bool(FIRST[first])
    assert (figures['accepted'], figures['adds_up']) == (events, True)
    # What did not arrive was said.
    assert events - len(counts) <= max(0, *life.told_undelivered, sum(life.told_undelivered)), life.said


@pytest.mark.parametrize('use_queues', [True, False])
@pytest.mark.parametrize('compression', [None, 'gzip'])
def test_a_close_and_events_after_it_at_a_slow_endpoint_give_no_copy_that_is_not_admitted(
    use_queues, compression, live, endpoint
):
    """Closed, used again, closed: whoever takes over what was under way knows that it was."""
    endpoint.inject('slow', seconds=0.5, times=8)
    life = live(
        """
        handler = make()
        logger.addHandler(handler)
        for number in range(12):
            logger.info('event %d', number)
            if number % 3 == 1:
                handler.close()
            elif number % 3 == 2:
                handler.flush(0.1)
        flushed = handler.flush(20)
        tell(flushed=flushed, **account(handler))
        """,
        endpoint.url,
        use_queues=use_queues,
        send_interval=0.02,
        compression=compression,
        shutdown_timeout_seconds=0.1,
        sync_timeout_seconds=0.2,
    )
    counts = Counter(messages_in(endpoint, compression))
    assert life.figures['flushed']
    assert set(counts) == {f'event {number}' for number in range(12)}
    assert sum(counts.values()) - 12 <= life.figures['uncertain'], counts
    assert life.figures['adds_up']


def messages_in(endpoint, compression):
    data = endpoint.delivered()
    return [
        json.loads(line)['message']
        for line in (gzip.decompress(data) if compression == 'gzip' else data).splitlines()
    ]


# Each is drawn with its own chance at each request; all but the first two leave it open whether the records are stored.
FAULTS = [
    'unavailable',
    'partial',
    'reset-before',
    'reset-after',
    'cut-off',
    'not-json',
    'too-few',
    'no-answer',
]

MIXED = """
handler = make()
handler._client.limit_timeouts(4)  # half of it for an answer; by itself it waits for one for 20 s
logger.addHandler(handler)
for round in range(ROUNDS):
    for number in range(100):
        logger.info('%s: event %d', NAME, 100 * round + number)
    handler.flush(0.1)
tell(through=True)
wait_to_be_told()
deadline = time.monotonic() + 30
while not handler.flush(2) and time.monotonic() < deadline:
    pass
tell(**account(handler))
os._exit(0)
"""
ROUNDS = 40


@pytest.mark.parametrize('seed', [1, 2])
@pytest.mark.parametrize(
    'options',
    [
        {'compression': 'gzip', 'target_batch_bytes': 2000},
        {'aggregate': True, 'target_batch_bytes': 2000},
        {},
    ],
    ids=['gzip', 'aggregated', 'single events'],
)
def test_in_two_processes_on_a_bad_day_copies_are_never_more_than_is_admitted_in_events(
    options, seed, begin, endpoint
):
    """Each copy is of an event, and so is what `uncertain` counts, however many events are in a record."""
    dice = random.Random(seed)
    endpoint.clear_faults(seed)
    for fault in FAULTS:
        endpoint.inject(fault, probability=dice.uniform(0.05, 0.2), times=4 if fault == 'no-answer' else 12)
    lives = [
        begin(
            MIXED.replace('NAME', repr(name)).replace('ROUNDS', str(ROUNDS)),
            endpoint.url,
            send_interval=0.02,
            sync_timeout_seconds=1,
            **options,
        )
        for name in ('one', 'two')
    ]
    for life in lives:
        life.hear('through')
    endpoint.clear_faults(seed)
    for life in lives:
        life.go_on()
    figures = [life.end() for life in lives]
    counts = Counter(messages_in(endpoint, options.get('compression')))
    for name, account in zip(('one', 'two'), figures, strict=True):
        assert (account['pending'], account['adds_up']) == (0, True)
        events = {f'{name}: event {number}' for number in range(100 * ROUNDS)}
        assert events <= counts.keys()
        copies = sum(counts[event] - 1 for event in events)
        assert copies <= account['uncertain'], (name, account)
    assert sum(counts.values()) > 2 * 100 * ROUNDS, 'nothing has arrived twice: this shows nothing'
