"""What a command says is wrong, and what becomes of output that nobody takes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from firefighter.cli.tables import print_text, printable

__all__ = ['complain', 'discard_output', 'open_closed_streams', 'stderr_if_taken']


def complain(command: str, trouble: str) -> None:
    """Say what is wrong, in a line on stderr; on a terminal in lines that fit.

    Args:
        command: the one that says it.
        trouble: may have any names in it.
    """
    with stderr_if_taken():
        print_text(printable(f'firefighter {command}: {trouble}'), hanging='  ', file=sys.stderr)


@contextmanager
def stderr_if_taken() -> Iterator[None]:
    """Write to stderr in the block. Where nobody takes it (a full disk, a reader who has gone), the exit status still says it."""
    try:
        yield
        sys.stderr.flush()
    except OSError:
        discard_output(sys.stderr)


def discard_output(stream: TextIO | None = None) -> None:
    """Have what is still to be written go nowhere: Python flushes once more at exit, and complains in its own words.

    Args:
        stream: None: stdout.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), (stream or sys.stdout).fileno())


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
