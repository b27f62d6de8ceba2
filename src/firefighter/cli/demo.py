"""`firefighter demo`: a small web service under load, its logs on their way into files, and an account of them."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import os
import pathlib
import signal
import time
from collections.abc import Callable

from firefighter._demo.interruption import InterruptionError, unless_interrupted
from firefighter._demo.processes import ChildError
from firefighter._demo.scenario import Scenario
from firefighter.cli.arguments import nonempty
from firefighter.cli.output import complain
from firefighter.local import EndpointError

DEFAULT_WORKERS = 3
# Some ten thousand events, about 2.2 for each request.
DEFAULT_SECONDS = 8
DEFAULT_RATE = 600
DEFAULT_FOLDER = 'demo-output'

EXTRA = ('aiohttp', 'rich')
# What a shell says of a command that Ctrl-C has ended.
INTERRUPTED = 128 + signal.SIGINT

EPILOG = """\
For example:

  firefighter demo
  firefighter demo --workers 4 --seconds 30 --rate 1000

Everything stays on this machine. The Firehose is `firefighter local`, an endpoint on loopback. Your credentials are not
used.

The exit status is 0 when every event that was logged is in the files, 1 when one is missing, an account does not
add up or a process has died, and 2 when the demo cannot begin, or for invalid arguments.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument(
        '--workers',
        type=_positive(int),
        default=DEFAULT_WORKERS,
        metavar='N',
        help='how many processes the web service has (default: %(default)s)',
    )
    parser.add_argument(
        '--seconds',
        type=_positive(float),
        default=DEFAULT_SECONDS,
        metavar='N',
        help='how long they are under load (default: %(default)s)',
    )
    parser.add_argument(
        '--rate',
        type=_positive(float),
        default=DEFAULT_RATE,
        metavar='N',
        help='HTTP requests a second, over all workers; each logs two or three events (default: %(default)s)',
    )
    parser.add_argument(
        '--folder',
        type=lambda text: pathlib.Path(nonempty(text)),
        help=f'where to deliver; new or empty (default: {DEFAULT_FOLDER}/<time>)',
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demo, and return the exit status."""
    try:
        from firefighter._demo.performance import perform  # noqa: PLC0415 - an extra may be missing
        from firefighter._demo.screen import Screen  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        library = (error.name or '').partition('.')[0]
        if library not in EXTRA:
            raise
        return _fail(f"needs {library}: pip install 'firefighter[demo]'", status=2)
    try:
        folder = _empty_folder(arguments.folder)
    except OSError as error:
        return _fail(f'cannot deliver into {error.filename}: {error.strerror}', status=2)
    scenario = Scenario(arguments.workers, arguments.seconds, arguments.rate, folder)
    try:
        # The terminal is put in order before anything is said about the end.
        with contextlib.closing(Screen()) as screen:
            complete = asyncio.run(unless_interrupted(perform(scenario, screen)))
    except InterruptionError:
        return _fail('interrupted; everything that it started has been ended', status=INTERRUPTED)
    except (ChildError, EndpointError, OSError) as error:
        return _fail(str(error), status=1)
    return 0 if complete else 1


def _empty_folder(asked_for: pathlib.Path | None) -> pathlib.Path:
    """Make the folder to deliver into, and return it.

    Raises:
        OSError: it cannot be made, or something is in it: events of another run would be strangers to the account.
    """
    folder = asked_for or pathlib.Path(DEFAULT_FOLDER, time.strftime('%Y%m%d-%H%M%S'))
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(folder))
    return folder.resolve()


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    what = 'whole number' if kind is int else 'number'

    def positive(text: str) -> float:
        with contextlib.suppress(ValueError):
            if 0 < kind(text) < float('inf'):
                return kind(text)
        raise argparse.ArgumentTypeError(f'{text!r} is no {what} above 0')

    return positive


def _fail(message: str, status: int) -> int:
    complain('demo', message)
    return status
