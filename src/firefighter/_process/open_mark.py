"""A number that reads 0 in every forked child, so that a logging call notices a fork without a system call.

A fork made in C (uWSGI's) runs none of Python's hooks, so each logging call has to check that it is not in a child. `getpid` is a
system call and costs 275 ns of a call of 7,900; most of that is after the call itself, since the kernel leaves the processor's
predictors cold. Linux can give a child zeros for a page (`MADV_WIPEONFORK`, since 4.14). Reading a byte of that page costs 40 ns
(`python -m benchmarks.breakdown`).
"""

from __future__ import annotations

import mmap
import sys
from os import getpid
from typing import Protocol

__all__ = ['Mark', 'ProcessMark', 'make_mark', 'wiped_page']

# <asm-generic/mman-common.h>; Python's mmap does not name it.
_MADV_WIPEONFORK = 18


class Mark(Protocol):
    """One number below 256, at index 0: set by a process, it reads 0 in every child."""

    def __getitem__(self, index: int, /) -> int:
        """Return the number that this process has set, or 0."""

    def __setitem__(self, index: int, value: int, /) -> None:
        """Set it."""


class ProcessMark:
    """A mark that compares the process id; for systems that cannot wipe a page."""

    def __init__(self) -> None:
        self._set = 0, 0

    def __getitem__(self, _: int, /) -> int:
        """Return the number that this process has set, or 0."""
        pid, value = self._set
        return value if pid == getpid() else 0

    def __setitem__(self, _: int, value: int, /) -> None:
        """Set it."""
        self._set = getpid(), value


def make_mark() -> Mark:
    """Return a mark that is 0, of the quicker kind that this system has."""
    return wiped_page() or ProcessMark()


def wiped_page() -> mmap.mmap | None:
    """Return a page of zeros that a forked child finds zero again; None where there is no such thing."""
    if sys.platform != 'linux':
        return None
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.madvise(_MADV_WIPEONFORK)
    except OSError:  # an older kernel, or a sandbox without it
        return None
    try:
        page.madvise(-1)
    except OSError:
        return page
    return None  # it says yes to anything (an emulator: qemu-user), so its yes to the wiping is worth nothing
