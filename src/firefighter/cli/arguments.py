"""How the words of a command line are read: what is wrong is said in lines that fit, with what was meant."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from firefighter.cli.help_text import HelpFormatter
from firefighter.cli.output import stderr_if_taken
from firefighter.cli.tables import print_text, printable

__all__ = ['Parser', 'nonempty']


class Parser(argparse.ArgumentParser):
    """argparse's own, and of each subcommand.

    An unknown option is an error of the subcommand that it was given to, and the nearest one is named.
    """

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**{'formatter_class': HelpFormatter} | keywords)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Return the arguments. What is left over is an error of the subcommand that it was given to, as all else."""
        words = list(sys.argv[1:] if args is None else args)
        # Before argparse finds that what comes after it is missing.
        first = words[0].partition('=')[0] if words else ''
        if (
            first.startswith('--')
            and first != '--'
            and not any(option.startswith(first) for option in self._option_string_actions)
        ):
            self._refuse(first)
        found, left = super().parse_known_args(words, namespace)
        for word in left:
            name = word.partition('=')[0]
            if name.startswith('-') and name != '--':
                self._refuse(name)
        if left:
            self.error(f'too many words: {" ".join(map(repr, left))}')
        return found, []

    def _refuse(self, option: str) -> NoReturn:
        self.error(f'there is no option {option!r}{self._meant_by(option)}')

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit with status 2."""
        with stderr_if_taken():
            self.print_usage(sys.stderr)
            print_text(printable(f'{self.prog}: error: {message}'), hanging='  ', file=sys.stderr)
        self.exit(2)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Exit when all is written, so that `--help` does not succeed where nobody can read it."""
        sys.stdout.flush()
        super().exit(status, message)

    def _print_message(self, message: str, file: Any = None) -> None:
        # argparse's own passes over output that cannot be written.
        (file or sys.stderr).write(message or '')

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        # Of a command. What an option takes argparse lists.
        if action.choices is not None and not action.option_strings:
            for similar in difflib.get_close_matches(str(value).lower(), [*map(str, action.choices)], 1):
                if value != similar:
                    what = str(action.metavar or action.dest).lower()
                    self.error(f'there is no {what} {value!r}; did you mean {similar!r}?')
        super()._check_value(action, value)

    def _meant_by(self, name: str) -> str:
        for action in self._actions:
            if not action.option_strings and name == f'--{action.dest}':
                return f'; write {action.metavar} alone'
        # Without their hyphens, which make all of them alike.
        options = {option.lstrip('-'): option for action in self._actions for option in action.option_strings}
        close = difflib.get_close_matches(name.lstrip('-'), options, 1)
        return f'; did you mean {options[close[0]]!r}?' if close else ''


def nonempty(text: str) -> str:
    """Return the name of a file or directory; refuse an empty one.

    An unset variable gives that, and it would be the working directory.

    Raises:
        argparse.ArgumentTypeError: it is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError('empty; name it, `.` for the working directory')
    return text
