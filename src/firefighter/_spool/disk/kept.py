"""What of a destination's events is kept for people: torn bytes, and events that Firehose refuses.

The files lie in the destination's folder, since the directories of the dead are removed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from firefighter._spool.disk.dead_letters import DEAD_LETTERS, DeadLetterFile
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.directory import destination_folder
from firefighter._spool.disk.quarantine import QUARANTINE, Quarantine

__all__ = ['dead_letters_of', 'quarantine_of']


def quarantine_of(spool_dir: Path, destination: Destination) -> Quarantine:
    """Return the quarantine of a destination."""
    return Quarantine(_opener(spool_dir, destination, QUARANTINE))


def dead_letters_of(spool_dir: Path, destination: Destination) -> DeadLetterFile:
    """Return the file of a destination's dead letters."""
    return DeadLetterFile(_opener(spool_dir, destination, DEAD_LETTERS))


def _opener(spool_dir: Path, destination: Destination, name: str) -> Callable[[], int]:
    def open_file() -> int:
        with destination_folder(spool_dir, destination) as folder:
            return folder.file(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    return open_file
