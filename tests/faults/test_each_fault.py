"""What does a handler make of each fault of the endpoint, over real HTTP, and does everything arrive afterwards?"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field

import pytest

from arrivals import deliver_everything, flush_until_it_fails, messages_in
from firefighter.local.catalogue import CATALOGUE
from firefighter.stats import Stats

pytest_plugins = ['firefighter.testing']

EVENTS = 4
# A read time-out, in seconds, for what never answers. All other answers come within it, or are waited for.
PATIENCE_SECONDS = 3


@dataclass(frozen=True)
class Case:
    """What a fault that strikes the first request leads to.

    Attributes:
        error: what the account says of it, as a regular expression.
        parameters: of the fault.
        refused: how many of the events had to be sent again.
        uncertain: how many of those may have been stored.
        copies: how often each event arrives.
    """

    error: str | None
    parameters: dict[str, object] = field(default_factory=dict)
    refused: int = EVENTS
    uncertain: int = 0
    copies: int = 1


LOST_ANSWER = {'uncertain': EVENTS, 'copies': 2}
CASES = {
    'partial': Case(r'ServiceUnavailableException: Slow down. \(2 of 4 records\)', {'share': 0.5}, refused=2),
    'unavailable': Case('ServiceUnavailableException'),
    'unavailable-503': Case('ServiceUnavailable', uncertain=EVENTS),
    'internal-failure': Case('InternalFailure', uncertain=EVENTS),
    'throttling': Case('ThrottlingException'),
    'limit-exceeded': Case('LimitExceededException'),
    'kms': Case("see to the stream's KMS key"),
    'invalid-source': Case("turn off the stream's CloudWatch Logs decompression"),
    'stream-not-yet': Case('create the stream'),
    'expired-token': Case('renew the credentials'),
    'unrecognized-client': Case('correct the access key'),
    'invalid-signature': Case('correct the secret key, or the clock'),
    'access-denied': Case('allow firehose:PutRecordBatch'),
    'slow': Case(None, {'seconds': 0.3}, refused=0),
    'dribble': Case(None, {'seconds': 0.3}, refused=0),
    'no-answer': Case('ReadTimeoutError', **LOST_ANSWER),
    'reset-before': Case('ConnectionClosedError', uncertain=EVENTS),
    'reset-after': Case('ConnectionClosedError', **LOST_ANSWER),
    # The oldest boto3 that we support notices that the answer is too short, newer ones do not.
    'cut-off': Case('the answer has 0 entries for 4 records|ConnectionClosedError', **LOST_ANSWER),
    'not-json': Case('the answer has 0 entries for 4 records', **LOST_ANSWER),
    'too-few': Case('the answer has 3 entries for 4 records', **LOST_ANSWER),
    'too-many': Case('the answer has 5 entries for 4 records', **LOST_ANSWER),
}
# So that nothing gets through while it goes on.
WHOLLY = {'partial': {'share': 1}}
# What goes on for more than one request, or is about what the request contains, has a test of its own.
OTHERS = {'quota', 'refused', 'expired-key', 'invalid-record', 'invalid-argument', 'validation'}


@pytest.fixture
def handler(local_firehose, make_handler):
    """Make a handler with a client of its own."""
    return make_handler('bar', endpoint_url=local_firehose.url)


def limit_patience(handler, fault: str) -> None:
    """Have a handler not wait for long where there is no answer."""
    if fault == 'no-answer':
        handler._client.limit_timeouts(2 * PATIENCE_SECONDS)


@pytest.fixture
def log(handler, make_logger):
    """Log so many events, numbered."""
    logger = make_logger(handler)

    def log_numbers(count: int = EVENTS) -> None:
        for number in range(count):
            logger.info(number)

    return log_numbers


def arrived(endpoint) -> Counter[str]:
    endpoint.flush()
    return messages_in(endpoint.folder)


def each(copies: int, events: int = EVENTS) -> Counter[str]:
    return Counter({str(number): copies for number in range(events)})


def test_every_fault_of_the_catalogue_has_its_test_here():
    """A new fault fails until it has."""
    assert CASES.keys() | OTHERS == CATALOGUE.keys()


@pytest.mark.parametrize('name', CASES)
def test_after_a_fault_exactly_what_was_not_accepted_is_sent_again(name, local_firehose, handler, log):
    """Everything arrives; twice only what was stored and never confirmed, and the account says how many that may be."""
    case = CASES[name]
    limit_patience(handler, name)
    local_firehose.inject(name, times=1, **case.parameters)
    log()
    stats = deliver_everything(handler)

    assert local_firehose.strikes() == {name: 1}
    assert arrived(local_firehose) == each(case.copies)
    assert (stats.accepted, stats.delivered, stats.dropped) == (EVENTS, EVENTS, {})
    assert stats.requests == 1 + (case.refused > 0)
    assert stats.records == EVENTS + case.refused
    assert (stats.retried, stats.uncertain) == (case.refused, case.uncertain)
    assert_says(stats, case.error)


def assert_says(stats: Stats, error: str | None) -> None:
    if error is None:
        assert stats.last_error is None
    else:
        assert re.search(error, stats.last_error)


@pytest.mark.parametrize('name', [name for name, case in CASES.items() if case.error])
def test_a_fault_that_goes_on_loses_nothing(name, local_firehose, handler, log):
    """Whatever it is, what was not accepted stays pending, and goes when the fault is over."""
    case = CASES[name]
    limit_patience(handler, name)
    local_firehose.inject(name, **(case.parameters | WHOLLY.get(name, {})))
    log()
    struck = flush_until_it_fails(handler)
    local_firehose.clear_faults()
    stats = deliver_everything(handler)

    assert (struck.accepted, struck.delivered, struck.dropped, struck.pending) == (EVENTS, 0, {}, EVENTS)
    assert (stats.delivered, stats.dropped) == (EVENTS, {})
    times = arrived(local_firehose)
    assert times.keys() == each(1).keys()
    assert sum(times.values()) - EVENTS <= stats.uncertain


@pytest.mark.parametrize('which', ['0', '1', '3', '0+1', '0+3', '1+2', '0+1+2', '1+2+3', '0+1+2+3'])
@pytest.mark.parametrize('code', ['ServiceUnavailableException', 'InternalFailure'])
def test_of_a_partial_failure_the_failed_entries_are_sent_again_and_no_others(
    which, code, local_firehose, handler, log
):
    """P5 (boto/boto3#2804): any subset, with either code; no accepted one arrives again."""
    local_firehose.inject('partial', which=which, code=code, times=1)
    log()
    stats = deliver_everything(handler)

    failed = len(which.split('+'))
    assert arrived(local_firehose) == each(1)
    assert (stats.requests, stats.records, stats.retried) == (2, EVENTS + failed, failed)
    assert stats.uncertain == (failed if code == 'InternalFailure' else 0)
    account = local_firehose.account('bar')
    assert (account.records, account.refused_records) == (EVENTS, failed)


def test_beyond_the_quota_records_are_refused_and_sent_again_until_all_are_in(local_firehose, handler, log):
    """Throttling as records: none is lost, none comes twice, and every refusal is known on both sides."""
    local_firehose.inject('quota', records_per_second=40)
    log(60)
    stats = deliver_everything(handler)

    assert arrived(local_firehose) == each(1, 60)
    account = local_firehose.account('bar')
    assert stats.retried == account.refused_records > 0
    assert stats.records == 60 + stats.retried
    assert (stats.delivered, stats.uncertain) == (60, 0)


def test_refused_connections_are_tried_again_until_the_endpoint_is_back(local_firehose, handler, log):
    """Connections refused: nothing can have been stored by those, so only the one that was reset is uncertain."""
    local_firehose.inject('refused', seconds=0.5, times=1)
    log()
    stats = deliver_everything(handler)

    assert arrived(local_firehose) == each(1)
    assert stats.requests >= 2
    assert stats.uncertain == EVENTS
    assert stats.records == EVENTS + stats.retried


@pytest.mark.parametrize('name', ['invalid-argument', 'validation'])
def test_a_request_that_is_refused_once_is_delivered_in_its_parts(name, local_firehose, handler, log):
    """Refused as invalid, for whatever reason that then passes: the halves go through, and nothing is dropped."""
    local_firehose.inject(name, times=1)
    log()
    stats = deliver_everything(handler)

    assert arrived(local_firehose) == each(1)
    assert (stats.requests, stats.records, stats.retried) == (3, 2 * EVENTS, EVENTS)
    assert (stats.delivered, stats.dropped, stats.uncertain) == (EVENTS, {}, 0)


@pytest.mark.parametrize('name', ['invalid-argument', 'validation'])
def test_a_stream_that_refuses_everything_costs_no_event(name, local_firehose, handler, log):
    """One that a Kinesis stream feeds answers so: it is a misconfiguration, and everything waits until it is mended."""
    local_firehose.inject(name)
    log()
    assert not handler.flush()
    struck = handler.stats()
    local_firehose.clear_faults()
    stats = deliver_everything(handler)

    assert (struck.delivered, struck.dropped, struck.pending) == (0, {}, EVENTS)
    assert arrived(local_firehose) == each(1)
    assert (stats.delivered, stats.dropped, stats.uncertain) == (EVENTS, {}, 0)


@pytest.mark.parametrize('poisoned', [{0}, {7}, {199}, {3, 4}, {0, 100, 199}])
def test_of_a_request_with_invalid_records_exactly_those_are_dropped_and_handed_over(
    poisoned, local_firehose, make_handler, make_logger
):
    """The rest of their request arrives, each once (PAINS row 15); `on_dead_letter` gets the bytes and the reason."""
    letters = []
    handler = make_handler(
        'bar', endpoint_url=local_firehose.url, on_dead_letter=lambda *letter: letters.append(letter)
    )
    handler.MAX_BATCH_SIZE = handler.MAX_BATCH_COUNT = 1 << 30  # nothing goes before the flush
    local_firehose.inject('invalid-record', containing='poison')
    logger = make_logger(handler)
    for number in range(200):
        logger.info({'message': str(number), 'kind': 'poison' if number in poisoned else 'good'})
    stats = deliver_everything(handler)
    handler.close()

    good = {str(number) for number in range(200) if number not in poisoned}
    assert arrived(local_firehose) == Counter(good)
    assert (stats.accepted, stats.delivered) == (200, len(good))
    assert (stats.dropped, stats.dead_letters) == ({'refused': len(poisoned)}, len(poisoned))
    assert {int(json.loads(event)['message']) for event, _ in letters} == poisoned
    assert all('ValidationException' in reason for _, reason in letters)
    # Down to one of 200 are 8 halvings, of two requests each.
    assert stats.requests <= 1 + len(poisoned) * 16


@pytest.mark.usefixtures('long_pauses')
def test_a_stream_that_is_created_later_gets_what_was_logged_before(
    local_firehose, make_handler, make_logger
):
    """ResourceNotFoundException keeps the events: deployments create streams and services in either order."""
    handler = make_handler('later', endpoint_url=local_firehose.url)
    logger = make_logger(handler)
    for number in range(EVENTS):
        logger.info(number)
    assert not handler.flush()
    assert handler.stats().pending == EVENTS
    assert_says(handler.stats(), 'create the stream')
    local_firehose.create_stream('later')
    stats = deliver_everything(handler)

    assert arrived(local_firehose) == each(1)
    assert (stats.requests, stats.retried, stats.uncertain) == (2, EVENTS, 0)
