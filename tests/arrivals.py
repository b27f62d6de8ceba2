"""What has arrived at an endpoint, and whether a handler's account of it adds up."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from time import monotonic

from doubles import DEADLINE_SECONDS
from firefighter.logging import FirehoseHandler
from firefighter.stats import Stats

FLUSH_SECONDS = 2.0


def adds_up(stats: Stats) -> bool:
    """Return whether every event is delivered, dropped or pending (P1)."""
    return stats.accepted + stats.adopted == stats.delivered + sum(stats.dropped.values()) + stats.pending


def messages_in(folder: Path) -> Counter[str]:
    """Return the messages of the events in an endpoint's folder; for one that delivers uncompressed lines."""
    return Counter(
        json.loads(line)['message']
        for path in sorted(folder.rglob('*'))
        if path.is_file()
        for line in path.read_bytes().splitlines()
    )


def deliver_everything(handler: FirehoseHandler) -> Stats:
    """Flush until all is out, and return the account, in which nothing is pending.

    One flush does not do: it tries once where someone has to act first, and after many failures the next try may
    come later than any test waits. Each flush asks for a try at once. And a marker may tell of what was dropped meanwhile.
    """
    deadline = monotonic() + DEADLINE_SECONDS
    while not handler.flush(FLUSH_SECONDS) or handler.stats().pending:
        if monotonic() > deadline:
            break
    stats = handler.stats()
    assert stats.pending == 0, stats
    assert adds_up(stats), stats
    return stats


def flush_until_it_fails(handler: FirehoseHandler) -> Stats:
    """Flush until an attempt has failed, and return the account."""
    deadline = monotonic() + DEADLINE_SECONDS
    while handler.stats().last_error is None and monotonic() < deadline:
        assert not handler.flush(0.2)
    return handler.stats()
