"""The delivered files, read back: which worker's which event is there, and how often."""

from __future__ import annotations

import collections
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from firefighter._audit.accounts import Accounts, Totals


@dataclass(frozen=True)
class Delivered:
    """What is in the delivered files.

    Attributes:
        files: all of them, the oldest first.
        copies: for each worker and each number of an event, how often it is there.
        strangers: lines that are no event of a worker, and no handler's marker.
        audit: what `firefighter audit` says of the files.
    """

    files: tuple[pathlib.Path, ...]
    copies: Mapping[int, Mapping[int, int]]
    strangers: int
    audit: Totals = field(default_factory=lambda: Accounts().totals())


def read_delivered(folder: pathlib.Path) -> Delivered:
    """Read every file in a folder of delivered files, and in those below it.

    Args:
        folder: the one that stands for the S3 bucket. One that does not exist holds nothing.

    Raises:
        OSError: a file cannot be read.
    """
    files = tuple(sorted(path for path in folder.rglob('*') if path.is_file()))
    copies: dict[int, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    strangers = 0
    accounts = Accounts()
    for path in files:
        # By newlines alone: `splitlines` has other ideas of where a line ends.
        for line in path.read_bytes().removesuffix(b'\n').split(b'\n'):
            accounts.take(line)
            found = identity(line)
            if found is None:
                strangers += 1
            else:
                worker, number = found
                copies[worker][number] += 1
    audit = accounts.totals()
    return Delivered(files, copies, strangers - audit.markers, audit)


def identity(line: bytes) -> tuple[int, int] | None:
    """Return an event's worker and number, or None if it has none."""
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(event, dict):
        return None
    worker, number = event.get('worker'), event.get('number')
    return (worker, number) if isinstance(worker, int) and isinstance(number, int) else None
