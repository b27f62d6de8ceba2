"""What `firefighter spool` says to people, and what they answer."""

from __future__ import annotations

import sys
from io import TextIOWrapper

from firefighter.cli import output

__all__ = ['Complaints', 'complain', 'escape_what_cannot_be_encoded', 'typed_yes']


def escape_what_cannot_be_encoded() -> None:
    """Have characters that the output's encoding lacks written as escapes, and not raise."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')


def complain(trouble: str) -> None:
    """Say what is wrong, on stderr. It may have any names in it."""
    output.complain('spool', trouble)


class Complaints:
    """Says what is wrong, each in one line, and knows whether anything was."""

    def __init__(self) -> None:
        self.any = False

    def __call__(self, trouble: str) -> None:
        """Say it."""
        self.any = True
        complain(trouble)


def typed_yes(prompt: str) -> bool:
    """Ask, and return whether the answer is "yes"; no answer is no."""
    try:
        return input(prompt) == 'yes'
    except UnicodeDecodeError:
        print()
    except EOFError:
        print()
        complain('nobody is there to answer: where it runs without a terminal, give --yes')
    return False
