"""What the benchmarks compare, in general: a contestant, the call that is measured, the places for files, the machine.

Nothing here imports firefighter: the ancestor of that name is measured with it, too.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple


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


class Program(NamedTuple):
    """What is measured by its calls: many in a loop of its own, one, and as above. Not all of them log by `logging`."""

    calls: Callable[[int], object]
    call: Callable[[int], object]
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

    @staticmethod
    def options(arguments: argparse.Namespace) -> list[str]:
        """Return the same command line for another process."""
        tmpfs = [] if arguments.tmpfs is None else [f'--tmpfs={arguments.tmpfs}']
        return [f'--disk={arguments.disk}', *tmpfs]


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


def program(contestant: Contestant) -> Program:
    """Return the calls into a handler."""
    logger = quiet_logger(contestant.handler)

    def calls(number_of_calls: int) -> None:
        # Not `log`: the call of a function would be measured with it.
        for number in range(number_of_calls):
            logger.info(
                'order %d shipped to %s',
                number,
                'Oslo',
                extra={'user': 42, 'path': '/orders', 'took_ms': 3.2},
            )

    return Program(calls, lambda number: log(logger, number), contestant.after_round, contestant.close)


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
