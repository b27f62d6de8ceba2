"""Ctrl-C, and the SIGTERM of a supervisor, as an orderly end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar('Result')


class InterruptionError(Exception):
    """SIGINT or SIGTERM came."""


async def unless_interrupted(work: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of the work, unless SIGINT or SIGTERM comes before.

    A KeyboardInterrupt would come up in whatever the event loop is doing at that moment, and leave other tasks
    half made. Only for the main thread.

    Raises:
        InterruptionError: one came; the work was cancelled and has cleaned up.
    """
    loop, task = asyncio.get_running_loop(), asyncio.create_task(work)
    before = {
        number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(task.cancel))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        return await task
    except asyncio.CancelledError:
        raise InterruptionError from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
