"""The clock of all deadlines. What freezes time for a test (freezegun) does not freeze it: a flush would never end.

freezegun puts its own functions in the place of those of `time`, there and in every module that has imported one by name. So this is
another function, which has the real one where nobody looks.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

__all__ = ['monotonic']

# The other one is its own where time was frozen before this is imported.
_REAL = getattr(sys.modules.get('freezegun.api'), 'real_monotonic', time.monotonic)


def monotonic(*, _real: Callable[[], float] = _REAL) -> float:
    """Return the time in seconds, of a clock that does not jump."""
    return _real()


# Not by this name either.
del _REAL
