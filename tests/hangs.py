"""A deadline for what runs in this process: of a hang one wants to see the example that hangs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ['within']


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail what takes longer, as pytest-timeout would, which ends a whole test, and whose timer goes on afterwards."""

    def fail(_: int, __: FrameType | None) -> None:
        raise AssertionError(f'it takes more than {seconds} s')

    handler = signal.signal(signal.SIGALRM, fail)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)
