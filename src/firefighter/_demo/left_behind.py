"""A process's spool, read from outside: which of its events are still in there, as anybody could look after a crash."""

from __future__ import annotations

import json
import pathlib

from firefighter._demo.delivered import identity
from firefighter._spool.disk.producer_directory import ABOUT
from firefighter._spool.disk.segment_file import SEGMENT_SUFFIX, read_progress


def left_behind(spool_dir: pathlib.Path, pid: int) -> tuple[int, ...]:
    """Return the numbers of the events that lie in a process's spool and are not known to be delivered.

    Nothing is locked or changed. Of a process that is alive it is what was there a moment ago.

    Args:
        spool_dir: the directory that its handler was given.
        pid: the process.

    Raises:
        OSError: a file cannot be read.
    """
    # <spool_dir>/<uid>/<destination>/<producer>/
    return tuple(
        number
        for about in spool_dir.glob(f'*/*/*/{ABOUT}')
        if json.loads(about.read_bytes())['pid'] == pid
        for segment in sorted(about.parent.glob(f'*{SEGMENT_SUFFIX}'))
        for number in _numbers(segment)
    )


def _numbers(segment: pathlib.Path) -> list[int]:
    try:
        data = segment.read_bytes()
    except FileNotFoundError:  # everything in it has been delivered meanwhile
        return []
    progress = read_progress(data)
    lines = data[progress.head : progress.tail].splitlines()
    return [found[1] for line in lines if (found := identity(line)) is not None]
