"""Do several handlers get everything through a stream whose quota is a fraction of what they log?"""

from __future__ import annotations

import json
from collections import Counter

import pytest

from firefighter.logging import FirehoseHandler

pytest_plugins = ['firefighter.testing']

HANDLERS, EVENTS, RECORDS_PER_SECOND = 4, 4000, 1500


@pytest.mark.parametrize(
    'local_firehose_arguments',
    [{'streams': ['bar'], 'faults': [f'quota:records_per_second={RECORDS_PER_SECOND}']}],
)
def test_handlers_pace_themselves_to_a_quota_that_they_share(local_firehose, make_logger):
    """All events arrive, each once, and the stream is not stormed for long: without pacing, 99 % of what is sent is refused."""
    handlers = [FirehoseHandler('bar', endpoint_url=local_firehose.url) for _ in range(HANDLERS)]
    loggers = [make_logger(handler) for handler in handlers]
    sums = []
    # Some seconds until they have found the quota, and some after that.
    for events in (range(EVENTS // 2), range(EVENTS // 2, EVENTS)):
        for number, logger in enumerate(loggers):
            for event in events:
                logger.info('%d of %d', event, number)
        assert all(handler.flush(timeout_seconds=40) for handler in handlers)
        stats = [handler.stats() for handler in handlers]
        sums.append((sum(one.records for one in stats), sum(one.retried for one in stats)))
    for handler in handlers:
        handler.close()

    arrived = Counter(json.loads(line)['message'] for line in local_firehose.delivered().splitlines())
    assert arrived == Counter(f'{event} of {number}' for event in range(EVENTS) for number in range(HANDLERS))
    records, retried = (after - before for before, after in zip(*sums, strict=True))
    assert retried < 0.9 * records
