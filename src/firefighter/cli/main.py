"""The `firefighter` command: finds the subcommand's module and runs it."""

from __future__ import annotations

import argparse
import difflib
import importlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence

import firefighter
from firefighter.cli.help_text import HelpFormatter
from firefighter.cli.output import discard_output

# name -> what it does. Each is a module of this package with `add_arguments(parser)` and `run(arguments) -> int`.
# A table, not a search, so that `--help` imports none of them.
COMMANDS = {
    'audit': 'read delivered files, and report whether any event is missing',
    'cost': 'compute what a log costs at Firehose, and what it would cost aggregated or compressed',
    'demo': 'put a small web service under load, and account for every event that it logs',
    'doctor': 'check whether delivery to a stream can work, and print which options fit its destination',
    'local': 'run an embedded Firehose endpoint that delivers into a folder',
    'spool': 'inspect a spool directory: which events wait, of which process, since when',
}

EPILOG = """\
For example:

  firefighter doctor orders       check the stream `orders`
  firefighter COMMAND --help      say more of a command, with examples
"""

# What delivery and the commands rest on, by the names of the packages; for a report of a bug.
_PACKAGES = ('boto3', 'botocore', 'orjson', 'pybase64', 'isal', 'zstandard', 'aiohttp')

# The exit status where a command could not do what it was asked.
CANNOT = 2


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """Return the parser, with the arguments of the one subcommand that was asked for."""
    parser = argparse.ArgumentParser(
        prog='firefighter',
        description='Ship logs to Amazon Data Firehose.',
        epilog=EPILOG,
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        '--version', action=_Version, nargs=0, help='print the versions that matter, and exit'
    )
    subparsers = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + '.',
            formatter_class=HelpFormatter,
        )
        if name == command:
            _module(name).add_arguments(subparser)
    return parser


class _Version(argparse.Action):
    """Prints the versions: a line for firefighter, one for the system, and one for each package."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f'firefighter {firefighter.__version__}')
        print(f'{platform.python_implementation()} {platform.python_version()}, {platform.platform()}')
        for package in _PACKAGES:
            try:
                print(package, importlib.metadata.version(package))
            except importlib.metadata.PackageNotFoundError:
                print(package, 'is not installed')
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: the words after `firefighter`; without it, those of this process.
    """
    _open_closed_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in words if not word.startswith('-')), None)
    parser = build_parser(command)
    if command is not None and command not in COMMANDS:
        for similar in difflib.get_close_matches(command, COMMANDS, 1):
            parser.error(f'there is no command {command!r}; did you mean {similar!r}?')
    arguments = parser.parse_args(words)
    status: int = 0
    try:
        status = _module(arguments.command).run(arguments)
        # What is still to be printed: Python would write it out later, with a traceback.
        sys.stdout.flush()
    except BrokenPipeError:  # Whoever reads has seen enough.
        discard_output()
        return 0
    except OSError as error:  # A full disk. Nothing else of the system's comes out of a command.
        discard_output()
        if status != CANNOT:  # Otherwise the command has said so: it has printed much.
            print(f'firefighter {command}: {error.filename or "output"}: {error.strerror}', file=sys.stderr)
        return CANNOT
    return status


def _open_closed_streams() -> None:
    """Open /dev/null where a shell has closed stdin, stdout or stderr (`>&-`): Python has None there, which can be asked nothing.

    It takes the lowest free descriptor, the closed one. Otherwise that would become a file that a command opens.
    """
    for name, mode in (('stdin', 'r'), ('stdout', 'w'), ('stderr', 'w')):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDONLY if mode == 'r' else os.O_WRONLY)
            setattr(sys, name, open(descriptor, mode, encoding='utf-8', closefd=False))  # noqa: SIM115 - for as long as the process runs


def _module(command: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
    return importlib.import_module(f'firefighter.cli.{command}')
