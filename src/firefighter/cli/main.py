"""The `firefighter` command: finds the subcommand's module and runs it."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import platform
import sys
from collections.abc import Collection, Sequence

import firefighter
from firefighter.cli.arguments import Parser
from firefighter.cli.output import complain, discard_output, open_closed_streams

# name -> what it does. Each is a module of this package with `add_arguments(parser)` and `run(arguments) -> int`.
# A table, not a search, so that `--help` imports none of them.
COMMANDS = {
    'audit': 'read delivered files, and report whether any event is missing',
    'completion': 'print what has bash, zsh or fish complete these commands',
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

# For a report of a bug, by the names of the packages: what is always there, and what an extra or the program brings.
PACKAGES = ('boto3', 'botocore', 'orjson')
OPTIONAL_PACKAGES = (
    'aiohttp',
    'isal',
    'loguru',
    'matplotlib',
    'opentelemetry-api',
    'opentelemetry-sdk',
    'prometheus-client',
    'pybase64',
    'rich',
    'shtab',
    'structlog',
    'zstandard',
)

# The exit status where a command could not do what it was asked.
CANNOT = 2


def build_parser(commands: Collection[str]) -> Parser:
    """Return the parser, with the arguments of some commands: of the one that was asked for, say."""
    parser = Parser(prog='firefighter', description='Ship logs to Amazon Data Firehose.', epilog=EPILOG)
    parser.add_argument(
        '--version', action=_Version, nargs=0, help='print the versions that matter, and exit'
    )
    subparsers = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + '.'
        )
        if name in commands:
            _module(name).add_arguments(subparser)
    return parser


class _Version(argparse.Action):
    """Prints the versions: a line for firefighter, one for the system, one for each package, and one for those that are missing."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f'firefighter {firefighter.__version__}')
        print(f'{platform.python_implementation()} {platform.python_version()}, {platform.platform()}')
        missing = []
        for package in (*PACKAGES, *OPTIONAL_PACKAGES):
            try:
                print(package, importlib.metadata.version(package))
            except importlib.metadata.PackageNotFoundError:
                missing.append(package)
        if missing:
            print('not installed:', ', '.join(missing))
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: the words after `firefighter`; without it, those of this process.
    """
    open_closed_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in words if not word.startswith('-')), None)
    status: int = 0
    try:
        arguments = build_parser({command} if command else ()).parse_args(words)
        status = _module(arguments.command).run(arguments)
        # What is still to be printed: Python would write it out later, with a traceback.
        sys.stdout.flush()
    except BrokenPipeError:  # Whoever reads has seen enough.
        discard_output()
        return 0
    except OSError as error:  # A full disk, a closed stdout: nothing else comes out of a command.
        discard_output()
        if status != CANNOT:  # Otherwise the command has said so: it has printed much.
            complain(command or words[0], f'{error.filename or "output"}: {error.strerror}')
        return CANNOT
    return status


def _module(command: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
    return importlib.import_module(f'firefighter.cli.{command}')
