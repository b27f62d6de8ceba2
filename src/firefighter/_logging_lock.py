"""Logging's own lock, which whoever configures logging holds meanwhile, and a fork waits for."""

from __future__ import annotations

import logging

__all__ = ['holds_logging_lock']


def holds_logging_lock() -> bool:
    """Return whether the calling thread holds it, as dictConfig does while it closes and makes handlers."""
    # No public name, and the same one in all versions that we support.
    lock = getattr(logging, '_lock', None)
    return lock is not None and lock._is_owned()  # noqa: SLF001
