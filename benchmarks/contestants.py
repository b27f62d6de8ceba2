"""The handlers that the benchmarks compare: ours on each kind of spool, and what the standard library offers."""

from __future__ import annotations

import argparse
import logging
import logging.handlers
import os
import platform
import queue
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from firefighter.formatting import JSONFormatter
from firefighter.logging import FirehoseHandler

SPOOL_BYTES = 64 * 2**20


class AcceptingClient:
    """Accepts everything at once, so that what is measured is ours; or first when the gate is open."""

    def __init__(self, *, open_gate: bool) -> None:
        self.gate = threading.Event()
        if open_gate:
            self.gate.set()

    def put_record_batch(
        self,
        *,
        DeliveryStreamName: str,  # noqa: ARG002, N803  # AWS's name
        Records: Sequence[Mapping[str, bytes]],  # noqa: N803  # AWS's name
    ) -> Mapping[str, Any]:
        """Accept the records."""
        self.gate.wait()
        return {'FailedPutCount': 0, 'RequestResponses': [{'RecordId': 'x'}] * len(Records)}

    class meta:  # noqa: N801, D106  # as in botocore
        class config:  # noqa: N801, D106
            retries = {'total_max_attempts': 1}  # noqa: RUF012


class Contestant(NamedTuple):
    """A handler, and what to do between two rounds and at the end."""

    handler: logging.Handler
    after_round: Callable[[], object] = lambda: None
    close: Callable[[], object] = lambda: None


class Places:
    """Where files are put: a directory on tmpfs and one on a disk, each None when there is none, removed at the end."""

    def __init__(self, tmpfs: str | None, disk: str) -> None:
        self.tmpfs = None if tmpfs is None else Path(tempfile.mkdtemp(prefix='firefighter-', dir=tmpfs))
        self.disk = Path(tempfile.mkdtemp(prefix='.firefighter-', dir=disk))

    def remove(self) -> None:
        """Remove both."""
        for place in (self.tmpfs, self.disk):
            if place is not None:
                shutil.rmtree(place, ignore_errors=True)

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Let the command line say where."""
        shared_memory = '/dev/shm'
        parser.add_argument(
            '--tmpfs',
            default=shared_memory if os.path.isdir(shared_memory) else None,  # noqa: PTH112
            help='a directory on tmpfs (default: %(default)s)',
        )
        parser.add_argument('--disk', default='.', help='a directory on a disk (default: this one)')


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


def null() -> Contestant:
    """The floor: logging makes a LogRecord and throws it away."""
    return Contestant(logging.NullHandler())


def queue_handler() -> Contestant:
    """The standard library's way off the thread; nobody listens while it is measured."""
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()

    def drain() -> None:
        while not records.empty():
            records.get()

    return Contestant(logging.handlers.QueueHandler(records), drain)


def queue_listening() -> Contestant:
    """The same with its listener running, which does the least that it can: it throws the records away."""
    records: queue.Queue[logging.LogRecord] = queue.Queue()
    listener = logging.handlers.QueueListener(records, logging.NullHandler())
    listener.start()
    return Contestant(logging.handlers.QueueHandler(records), records.join, listener.stop)


def file_handler(folder: Path) -> Contestant:
    """A file with the same JSON, written by the calling thread."""
    handler = logging.FileHandler(folder / 'file.log')
    handler.setFormatter(JSONFormatter())
    return Contestant(handler, close=handler.close)


def all_contestants(places: Places) -> dict[str, Callable[[], Contestant]]:
    """Return what makes each, the floor first."""
    made: dict[str, Callable[[], Contestant]] = {
        'NullHandler': null,
        'QueueHandler': queue_handler,
        'QueueHandler, listening': queue_listening,
        'FileHandler, JSON': partial(file_handler, places.disk),
    }
    spools = {'memory': None, 'tmpfs': places.tmpfs, 'disk': places.disk}
    for delivering in (False, True):
        for name, place in spools.items():
            if name == 'tmpfs' and place is None:
                continue
            title = f'firefighter, {name}{", delivering" * delivering}'
            made[title] = partial(firehose, place, delivering=delivering)
    made['firefighter, memory, event ids'] = partial(firehose, event_ids=True)
    return made


def log(logger: logging.Logger, number: int) -> None:
    """Make the call that is measured."""
    logger.info(
        'order %d shipped to %s', number, 'Oslo', extra={'user': 42, 'path': '/orders', 'took_ms': 3.2}
    )


def quiet_logger(handler: logging.Handler) -> logging.Logger:
    """Return a logger that has this handler alone."""
    logger = logging.Logger('shop.orders', logging.INFO)  # noqa: LOG001  # one for each handler, all with one name
    logger.addHandler(handler)
    return logger


def machine() -> str:
    """Name what the figures were measured on."""
    python = f'{platform.python_implementation()} {platform.python_version()}'
    return f'{python}, {platform.system()} {platform.release()}, {os.cpu_count()} x {_processor()}'


def _processor() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.machine()
