"""What becomes of a plain queue whose events cannot, or shall not, be delivered?"""

from __future__ import annotations

import queue

from doubles import AcceptingClient, DownClient, NoCredentialsError, RaisingClient


def test_at_its_end_the_sender_drops_what_it_could_not_deliver(make_handler) -> None:
    """Reason `undelivered`; every item is done, so that `queue.join()` returns, and the account adds up."""
    handler = make_handler('foo', boto3_client=DownClient(), shutdown_timeout_seconds=0.05)
    batch_queue = queue.Queue()
    for item in (b'one', b'two', handler.END):
        batch_queue.put(item)
    handler.batch_sender(batch_queue, 'bar', 60)
    stats = handler.stats()
    assert (stats.accepted, dict(stats.dropped), stats.pending) == (2, {'undelivered': 2}, 0)
    assert batch_queue.unfinished_tasks == 0


def test_a_misconfigured_sender_ends_at_end_and_drops(make_handler) -> None:
    """Nothing can be waited for; `queue.join()` returns."""
    client = RaisingClient(*[NoCredentialsError('none')] * 100)
    handler = make_handler('foo', boto3_client=client, shutdown_timeout_seconds=1000)
    batch_queue = queue.Queue()
    batch_queue.put(b'one')
    batch_queue.put(handler.END)
    handler.batch_sender(batch_queue, 'bar', 60)
    assert dict(handler.stats().dropped) == {'undelivered': 1}
    assert batch_queue.unfinished_tasks == 0


def test_disabled_by_the_environment_the_sender_counts_and_discards(monkeypatch, make_handler) -> None:
    """FIREFIGHTER_DISABLED=1 makes every handler discard, also what comes by a plain queue."""
    monkeypatch.setenv('FIREFIGHTER_DISABLED', '1')
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    batch_queue = queue.Queue()
    batch_queue.put(b'one')
    batch_queue.put(handler.END)
    handler.batch_sender(batch_queue, 'bar', 60)
    assert client.requests == []
    assert dict(handler.stats().dropped) == {'disabled': 1}
    assert batch_queue.unfinished_tasks == 0
