"""What becomes of a command's output that nobody takes."""

from __future__ import annotations

import os
import sys

__all__ = ['discard_output']


def discard_output() -> None:
    """Have what is still to be written go nowhere: Python flushes once more at exit, and complains in its own words."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
