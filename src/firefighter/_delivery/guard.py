"""Marks what runs inside delivery, so that nothing logged there becomes an event.

botocore and urllib3 log some sixty DEBUG records in one request. Each would make the next request necessary. The mark
is on the thread, and for all handlers of the process: two handlers that deliver each other's records would go on
for ever just as well.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ['delivering', 'inside_delivery', 'reset']


class _Inside(threading.local):
    delivery = False


inside_delivery = _Inside()


def reset() -> None:
    """Clear the mark of the calling thread: a child forked inside delivery is not inside its own."""
    inside_delivery.delivery = False


@contextmanager
def delivering() -> Iterator[None]:
    """Mark the calling thread as delivering, until the block ends."""
    before = inside_delivery.delivery
    inside_delivery.delivery = True
    try:
        yield
    finally:
        inside_delivery.delivery = before
