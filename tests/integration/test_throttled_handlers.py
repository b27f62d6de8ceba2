"""Do several handlers get everything through a stream whose quota is a fraction of what they log?"""

from __future__ import annotations

import json
from collections import Counter

import pytest

from firefighter.logging import FirehoseHandler

pytest_plugins = ['firefighter.testing']

HANDLERS, EVENTS, RECORDS_PER_SECOND = 4, 1500, 1500


@pytest.mark.parametrize(
    'local_firehose_arguments',
    [{'streams': ['bar'], 'faults': [f'quota:records_per_second={RECORDS_PER_SECOND}']}],
)
def test_handlers_pace_themselves_to_a_quota_that_they_share(local_firehose, make_logger):
    """All events arrive, each once, and the stream is not stormed: without pacing, 99 % of what is sent is refused."""
    handlers = [FirehoseHandler('bar', endpoint_url=local_firehose.url) for _ in range(HANDLERS)]
    for number, handler in enumerate(handlers):
        logger = make_logger(handler)
        for event in range(EVENTS):
            logger.info('%d of %d', event, number)
    assert all(handler.flush(timeout_seconds=40) for handler in handlers)
    stats = [handler.stats() for handler in handlers]
    for handler in handlers:
        handler.close()

    arrived = Counter(json.loads(line)['message'] for line in local_firehose.delivered().splitlines())
    assert arrived == Counter(f'{event} of {number}' for event in range(EVENTS) for number in range(HANDLERS))
    assert sum(one.retried for one in stats) < 0.9 * sum(one.records for one in stats)
