"""`firefighter demo`: a small web service under load, its logs on their way into files, and an account of them."""

from __future__ import annotations

import argparse
import asyncio
import pathlib
import signal
import sys
import time
from collections.abc import Callable

from firefighter._demo.scenario import Scenario

DEFAULT_WORKERS = 3
# Some ten thousand events, about 2.2 for each request.
DEFAULT_SECONDS = 8
DEFAULT_RATE = 600
DEFAULT_FOLDER = 'demo-output'

EXTRA = ('aiohttp', 'rich')
# What a shell says of a command that Ctrl-C has ended.
INTERRUPTED = 128 + signal.SIGINT

EPILOG = """\
Everything stays on this machine: the Firehose is `firefighter local`, an endpoint on loopback, and no credentials of
yours are used.

The exit status is 0 when every event that was logged is in the files, 1 when one is missing, an account does not
add up or a process has died, and 2 when the demo cannot begin.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument(
        '--workers',
        type=_positive(int),
        default=DEFAULT_WORKERS,
        metavar='N',
        help='how many processes of the web service (default: %(default)s)',
    )
    parser.add_argument(
        '--seconds',
        type=_positive(float),
        default=DEFAULT_SECONDS,
        metavar='N',
        help='how long they are under traffic (default: %(default)s)',
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
        type=pathlib.Path,
        help=f'where to deliver; new or empty (default: {DEFAULT_FOLDER}/<time>)',
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demo, and return the exit status."""
    folder: pathlib.Path = arguments.folder or pathlib.Path(DEFAULT_FOLDER, time.strftime('%Y%m%d-%H%M%S'))
    try:
        # Events of another run would be strangers to this one's account.
        if folder.exists() and any(folder.iterdir()):
            return _fail(f'{folder} is not empty; name another folder', status=2)
    except OSError as error:
        return _fail(f'cannot use {folder}: {error}', status=2)
    scenario = Scenario(arguments.workers, arguments.seconds, arguments.rate, folder.resolve())
    try:
        return _perform(scenario)
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        message = f"needs {error.name}: run pip install -e '.[demo]' in a clone of firefighter"
        return _fail(message, status=2)


def _perform(scenario: Scenario) -> int:
    from firefighter._demo.performance import perform  # noqa: PLC0415 - an extra may be missing
    from firefighter._demo.processes import ChildError  # noqa: PLC0415
    from firefighter._demo.screen import Screen  # noqa: PLC0415
    from firefighter.local import EndpointError  # noqa: PLC0415

    screen = Screen()
    # The end that a supervisor brings is to be as orderly as Ctrl-C.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return 0 if asyncio.run(perform(scenario, screen)) else 1
    except KeyboardInterrupt:
        screen.close()
        return _fail('interrupted; everything that it started has been ended', status=INTERRUPTED)
    except (ChildError, EndpointError, OSError) as error:
        screen.close()
        return _fail(str(error), status=1)
    finally:
        screen.close()
        signal.signal(signal.SIGTERM, before)


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    def positive(text: str) -> float:
        number = kind(text)
        if not 0 < number < float('inf'):
            raise argparse.ArgumentTypeError(f'{text} is not above 0')
        return number

    return positive


def _fail(message: str, status: int) -> int:
    print(f'firefighter demo: {message}', file=sys.stderr)
    return status
