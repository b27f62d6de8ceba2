"""The file by which the processes of a `spool_dir` share what one of them has found out about their stream.

It is `finding.json` in the destination's folder, which belongs to us alone:

    {"asked_at": 1764547200.5, "most_events": null}

with the fields of `Finding`. It is replaced in one step, and nothing depends on it: a file that is missing, damaged, too large or not ours
costs one question.

The temporary file has the same name in all processes. So a kill leaves one behind at most, which the next writer overwrites. Where two write
at once, each by a single call, what comes of it is what one of them has written, or no JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from firefighter._advice.finding import Finding
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import destination_folder
from firefighter._spool.disk.errors import SpoolUnusable

__all__ = ['FindingFile']

_NAME = 'finding.json'
_TEMPORARY = '.finding.json'
# Three times what it has.
_MOST_BYTES = 256


class FindingFile:
    """The file of one destination.

    Args:
        spool_dir: the directory of the user's.
        destination: returns the destination whose folder it is in.
    """

    def __init__(self, spool_dir: Path, destination: Callable[[], Destination]) -> None:
        self._spool_dir = spool_dir
        self._destination = destination

    def read(self) -> Finding | None:
        """Return what is in it; None where that is not a finding of ours."""
        # A deep nesting of brackets is a RecursionError.
        with (
            suppress(SpoolUnusable, ValueError, RecursionError),
            destination_folder(self._spool_dir, self._destination()) as folder,
        ):
            data = folder.read(_NAME, _MOST_BYTES + 1)
            if len(data) <= _MOST_BYTES:
                return _finding_of(json.loads(data))
        return None

    def write(self, finding: Finding) -> None:
        """Replace what is in it. Where that cannot be done, the others do without it."""
        with (
            suppress(SpoolUnusable),
            destination_folder(self._spool_dir, self._destination()) as folder,
        ):
            folder.write(_TEMPORARY, json.dumps(finding._asdict()).encode('ascii') + b'\n')
            folder.rename(_TEMPORARY, _NAME)


def _finding_of(values: object) -> Finding | None:
    if not isinstance(values, dict) or values.keys() != set(Finding._fields):
        return None
    asked_at, most_events = values['asked_at'], values['most_events']
    if type(asked_at) not in {int, float} or not math.isfinite(asked_at):
        return None
    if most_events is not None and (type(most_events) is not int or most_events < 1):
        return None
    return Finding(asked_at, most_events)
