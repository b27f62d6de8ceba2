"""Which values may END and FLUSH have in a subclass?"""

from __future__ import annotations

import queue

from doubles import AcceptingClient


def test_marks_may_be_text(make_handler) -> None:
    """A subclass whose END and FLUSH are strings: a mark is asked for first, then the type."""
    client = AcceptingClient()
    handler = make_handler('foo', boto3_client=client)
    handler.END, handler.FLUSH = 'END', 'FLUSH'
    batch_queue = queue.Queue()
    for item in (b'one', 'FLUSH', b'two', 'END', b'three', 'END'):
        batch_queue.put(item)
    handler.batch_sender(batch_queue, 'bar', 60)
    assert client.requests == [[b'one\n'], [b'two\n']]
