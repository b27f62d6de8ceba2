"""`firefighter completion`: print the script by which a shell completes the words of the other commands."""

from __future__ import annotations

import argparse
import importlib

from firefighter.cli.main import CANNOT, COMMANDS, build_parser
from firefighter.cli.output import complain

SHELLS = ('bash', 'zsh', 'fish')

EPILOG = """\
For example:

  firefighter completion bash > ~/.firefighter.bash      and in ~/.bashrc: source ~/.firefighter.bash
  mkdir -p ~/.zfunc ~/.config/fish/completions
  firefighter completion zsh > ~/.zfunc/_firefighter     and in ~/.zshrc, before compinit: fpath+=~/.zfunc
  firefighter completion fish > ~/.config/fish/completions/firefighter.fish

The script starts no Python, and needs shtab only where it is written. Write it again when firefighter has been updated.

The exit status is 0 when the script is printed, and 2 without shtab, when it cannot be written, or for invalid arguments.
"""

# What completes an argument, by its name: shtab's words for files and for directories.
_DIRECTORIES = frozenset({'directory', 'folder', 'where'})
_FILES = frozenset({'files', 'plot'})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument('shell', choices=SHELLS, metavar='SHELL', help='bash, zsh or fish')


def run(arguments: argparse.Namespace) -> int:
    """Print the script, and return the exit status."""
    try:
        shtab = importlib.import_module('shtab')
    except ModuleNotFoundError:
        complain('completion', "needs shtab: pip install 'firefighter[completion]'")
        return CANNOT
    parser = build_parser(COMMANDS)
    _say_what_is_a_path(parser, shtab.FILE, shtab.DIRECTORY)
    print(shtab.complete(parser, arguments.shell))
    return 0


def _say_what_is_a_path(parser: argparse.ArgumentParser, file: object, directory: object) -> None:
    for action in parser._actions:  # noqa: SLF001 - as shtab itself reads them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for subparser in action.choices.values():
                _say_what_is_a_path(subparser, file, directory)
        elif action.dest in _DIRECTORIES | _FILES:
            vars(action)['complete'] = directory if action.dest in _DIRECTORIES else file
