"""What a command says is wrong, and what becomes of output that nobody takes."""

from __future__ import annotations

import os
import sys

from firefighter.cli.tables import print_text, printable

__all__ = ['complain', 'discard_output', 'open_closed_streams']


def complain(command: str, trouble: str) -> None:
    """Say what is wrong, in a line on stderr; on a terminal in lines that fit.

    Args:
        command: the one that says it.
        trouble: may have any names in it.
    """
    print_text(printable(f'firefighter {command}: {trouble}'), hanging='  ', file=sys.stderr)


def discard_output() -> None:
    """Have what is still to be written go nowhere: Python flushes once more at exit, and complains in its own words."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_closed_streams() -> None:
    """Open /dev/null where a shell has closed stdin, stdout or stderr (`>&-`): Python has None there, which can be asked nothing.

    It takes the lowest free descriptor, the closed one. Otherwise that would become a file that a command opens. Nothing can be written to such
    a stdout, as to a full disk: a command whose result nobody gets has not succeeded.
    """
    for name, access, mode in (
        ('stdin', os.O_RDONLY, 'r'),
        ('stdout', os.O_RDONLY, 'w'),
        ('stderr', os.O_WRONLY, 'w'),
    ):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, access)
            setattr(sys, name, open(descriptor, mode, encoding='utf-8', closefd=False))  # noqa: SIM115 - for as long as the process runs
