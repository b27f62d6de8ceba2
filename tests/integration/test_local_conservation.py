"""Is every record that was accepted delivered once, and none that was refused, whatever the day is like?"""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from botocore.exceptions import BotoCoreError, ClientError

pytest_plugins = ['firefighter.testing']

THREADS, REQUESTS, RECORDS = 4, 25, 20
BAD_DAY = [
    'partial:probability=0.3,share=0.4', 'throttling:probability=0.2', 'unavailable:probability=0.2',
    'quota:records_per_second=1000', 'slow:probability=0.2,seconds=0.01', 'reset-before:probability=0.2',
]  # fmt: skip


@pytest.mark.parametrize(
    'local_firehose_arguments',
    [{'streams': ['bar'], 'faults': BAD_DAY, 'seed': 5, 'buffer_bytes': 100, 'buffer_seconds': 0.01}],
)
def test_what_was_accepted_is_delivered_once_and_nothing_else(local_firehose, firehose_client):
    """Several clients at once, objects written all the time, and faults that tell the truth."""
    accepted, refused = [set() for _ in range(THREADS)], [set() for _ in range(THREADS)]

    def work(thread):
        for number in range(REQUESTS):
            lines = [b'%d-%d-%d\n' % (thread, number, record) for record in range(RECORDS)]
            try:
                answer = firehose_client.put_record_batch(
                    DeliveryStreamName='bar', Records=[{'Data': line} for line in lines]
                )
            except (ClientError, BotoCoreError):
                refused[thread].update(lines)
                continue
            for line, entry in zip(lines, answer['RequestResponses'], strict=True):
                (refused if 'ErrorCode' in entry else accepted)[thread].add(line)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    delivered = Counter(local_firehose.delivered().splitlines(keepends=True))
    assert delivered == Counter(set.union(*accepted))
    assert not delivered.keys() & set.union(*refused)
    account = local_firehose.account('bar')
    assert account.records == account.delivered_records == len(delivered)
    assert set(local_firehose.strikes()) == {fault.partition(':')[0] for fault in BAD_DAY}


@pytest.mark.parametrize(
    'local_firehose_arguments', [{'streams': ['bar'], 'faults': ['reset-after:times=1']}]
)
def test_a_reset_after_the_commit_is_the_one_that_makes_duplicates(local_firehose, firehose_client):
    """A client that sends again what it was not told about delivers it twice."""
    with pytest.raises(BotoCoreError):
        firehose_client.put_record(DeliveryStreamName='bar', Record={'Data': b'x'})
    firehose_client.put_record(DeliveryStreamName='bar', Record={'Data': b'x'})
    assert local_firehose.delivered() == b'xx'
