"""Our handler on each kind of spool, and our formatter in front of a file."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from benchmarks.contestant import AcceptingClient, Contestant

from firefighter.formatting import JSONFormatter
from firefighter.logging import FirehoseHandler

SPOOL_BYTES = 64 * 2**20


def firehose(
    spool_dir: Path | None = None, *, delivering: bool = False, event_ids: bool = False
) -> Contestant:
    """Our handler. Unless delivering, delivery waits until the round is over, and the spool has room for a round."""
    client = AcceptingClient(open_gate=delivering)
    handler = FirehoseHandler(
        'bench',
        boto3_client=client,
        region_name=None,
        max_spool_bytes=SPOOL_BYTES,
        spool_dir=spool_dir and spool_dir / f'spool-{delivering}',
        event_ids=event_ids,
    )
    if spool_dir is not None and handler.stats().backing != 'disk':
        sys.exit(f'no spool can be kept in {spool_dir}')

    def deliver() -> None:
        client.gate.set()
        if not handler.flush(60):
            sys.exit('not everything was delivered')
        if not delivering:
            client.gate.clear()

    def close() -> None:
        client.gate.set()
        handler.close()

    return Contestant(handler, deliver, close)


def file_handler(folder: Path) -> Contestant:
    """A file with the same JSON, written by the calling thread."""
    handler = logging.FileHandler(folder / 'file.log')
    handler.setFormatter(JSONFormatter())
    return Contestant(handler, close=handler.close)
