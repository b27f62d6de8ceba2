"""Logging's own lock. dictConfig holds it while it configures logging, and a fork waits for it."""

from __future__ import annotations

import logging
from collections.abc import Collection

__all__ = ['holds_lock_of_handler', 'holds_logging_lock']


def holds_logging_lock() -> bool:
    """Return whether the calling thread holds it, as dictConfig does while it closes and makes handlers."""
    # It has no public name, and the same private one in all versions that we support.
    lock = getattr(logging, '_lock', None)
    return lock is not None and lock._is_owned()  # noqa: SLF001


def holds_lock_of_handler(but: Collection[object]) -> bool:
    """Return whether the calling thread holds the lock of a handler, other than these: that handler has called us."""
    for reference in tuple(getattr(logging, '_handlerList', ())):
        handler = reference()
        is_owned = getattr(getattr(handler, 'lock', None), '_is_owned', None)
        if is_owned is not None and is_owned() and handler not in but:
            return True
    return False
