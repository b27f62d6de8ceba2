"""AWS Lambda's SnapStart: many clones go on from one snapshot of the process.

    before the snapshot    what is pending is delivered; connections, threads and directories are let go of
    in each clone          each handler begins anew, as in a forked child: another producer, other connections, counters at zero

Otherwise all clones would be one producer, and give the same numbers to different events. What cannot be delivered before the snapshot
is delivered by each clone: with the same numbers, since these are the same events.

The process id stays the same, so nothing but Lambda's runtime tells of it: by the hooks that `snapshot_restore_py` registers,
which is a part of that runtime.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

from firefighter._process.exit_and_forks import finish_before, registered_handlers
from firefighter._process.waiting import monotonic

__all__ = ['register_for_snapshots']


def register_for_snapshots(runtime: str) -> None:
    """Register with that module of Lambda's runtime."""
    with suppress(Exception):  # it is another runtime, or another version of it
        hooks = import_module(runtime)
        hooks.register_after_restore(_after_restore)
        hooks.register_before_snapshot(_before_snapshot)


def _before_snapshot() -> None:
    finish_before(monotonic())


def _after_restore() -> None:
    for handler in registered_handlers():
        with suppress(Exception):  # no memory: the others begin anew all the same
            handler._start_over_after_restore()  # noqa: SLF001  # ours, and not for users
