"""What is in a spool directory, for people.

Of any user, as far as it may be read; nothing is made or changed, no link is followed, and a lock is tried, not
kept. A producer that is alive goes on meanwhile: a file may vanish between two steps, which is no trouble.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firefighter._spool.header import Header, NewerVersion, NotASegment, read
from firefighter._spool.peeking import content, is_held
from firefighter._spool.producer import ABOUT, ALIVE, id_of
from firefighter._spool.quarantine import QUARANTINE
from firefighter._spool.recovery import Recovery, recover

__all__ = ['SEGMENT_SUFFIX', 'InspectedSegment', 'Producer', 'find']

SEGMENT_SUFFIX = '.spool'

# `<spool_dir>/<uid>/<stream>-<hash>/<producer id>`
_LEVELS = 3

# What a live producer has just committed may not have reached this core yet: it has at the next look.
_LOOKS = 3

Trouble = Callable[[str], None]


@dataclass(frozen=True)
class InspectedSegment:
    """A segment, and what of it can be delivered."""

    name: str
    """The name of its file."""
    data: bytes
    """What is in the file."""
    header: Header | None
    """Its header; None when that is of a newer version, or none at all."""
    recovery: Recovery | None
    """What can be delivered; None when it is of a newer version."""
    newer: int | None = None
    """The version, when that is newer than what can be read here."""
    refusal: str | None = None
    """Why it is no segment, when it is none."""

    @property
    def complaint(self) -> str | None:
        """What is wrong with it, in words; None when nothing is."""
        if self.newer is not None:
            return f'of version {self.newer}, which is newer than this firefighter: left alone'
        if self.refusal is not None:
            return f'no segment: {self.refusal}'
        torn_bytes = self.recovery.torn_bytes if self.recovery else 0
        return f'{torn_bytes} bytes belong to no whole event' if torn_bytes else None

    def waiting(self) -> Iterator[bytes]:
        """Yield the events that wait in it, in stretches of whole lines."""
        for start, end, _ in self.recovery.good if self.recovery else ():
            yield self.data[start:end]

    def oldest(self) -> str | None:
        """Return the timestamp of the first event that waits; None when it has none, as a foreign formatter's."""
        for lines in self.waiting():
            try:
                event = json.loads(lines[: lines.index(b'\n')])
            except (ValueError, RecursionError):
                return None
            timestamp = event.get('timestamp') if isinstance(event, dict) else None
            return timestamp if isinstance(timestamp, str) else None
        return None


@dataclass(frozen=True)
class Producer:
    """A producer's directory."""

    path: Path
    """Where it is."""
    alive: bool
    """Whether somebody holds it: the producer, or a process that has adopted it."""
    boot_id: bytes | None
    """The boot of the machine now."""

    @property
    def id(self) -> str:
        """Its id, in hexadecimal digits."""
        return self.path.name

    def about(self) -> dict[str, Any]:
        """Return what it has said of itself; empty when that cannot be read."""
        try:
            about = json.loads(content(self.path / ABOUT))
        except (OSError, ValueError, RecursionError):
            return {}
        return about if isinstance(about, dict) else {}

    def quarantined_bytes(self) -> int:
        """Return the size of its destination's quarantine file; 0 without one."""
        try:
            return (self.path.parent / QUARANTINE).lstat().st_size
        except OSError:
            return 0

    def segment_paths(self) -> list[Path]:
        """Return its segments, oldest first; none when it has vanished."""
        try:
            names = os.listdir(self.path)  # noqa: PTH208 - only the names are wanted
        except FileNotFoundError:
            return []
        return [self.path / name for name in sorted(names) if name.endswith(SEGMENT_SUFFIX)]

    def segments(self, trouble: Trouble) -> Iterator[InspectedSegment]:
        """Yield its segments, oldest first.

        Args:
            trouble: called with what cannot be read, in words; the rest is yielded all the same.
        """
        for path in self.segment_paths():
            segment = self.inspect(path, trouble)
            if segment is not None:
                yield segment

    def inspect(self, path: Path, trouble: Trouble) -> InspectedSegment | None:
        """Return one of its segments; None when it cannot be read, or has been delivered meanwhile."""
        try:
            return self._inspected(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            trouble(f'{path}: {error.strerror}')
            return None

    def _inspected(self, path: Path) -> InspectedSegment:
        segment = self._look(path)
        for _ in range(_LOOKS - 1):
            if not self.alive or segment.recovery is None or segment.recovery.exact:
                break
            segment = self._look(path)
        return segment

    def _look(self, path: Path) -> InspectedSegment:
        data = content(path)
        try:
            header = read(data)
        except NewerVersion as error:
            return InspectedSegment(path.name, data, None, None, newer=error.version)
        except NotASegment as error:
            refused = recover(data, None, same_boot=False)
            return InspectedSegment(path.name, data, None, refused, refusal=error.reason)
        same_boot = self.alive or (header.boot_id is not None and header.boot_id == self.boot_id)
        found = recover(data, header, same_boot=same_boot, alive=self.alive)
        return InspectedSegment(path.name, data, header, found)


def find(directory: Path, boot_id: bytes | None, trouble: Trouble) -> list[Producer]:
    """Return the producers in a directory, in the order of their paths.

    Args:
        directory: a spool directory, or a directory below one: a user's, a destination's, a producer's.
        boot_id: the boot of the machine now.
        trouble: called with what cannot be read, in words.

    Raises:
        OSError: `directory` itself is none, or cannot be read.
    """
    os.listdir(directory)  # noqa: PTH208 - raises what is wrong with it
    found = []
    for path in _producer_paths(directory.absolute(), _LEVELS, trouble):
        try:
            found.append(Producer(path, is_held(path / ALIVE), boot_id))
        except OSError as error:
            trouble(f'{path}: {error.strerror}')
    return found


def _producer_paths(directory: Path, levels: int, trouble: Trouble) -> Iterator[Path]:
    if id_of(directory.name) is not None:
        yield directory
    elif levels:
        try:
            with os.scandir(directory) as entries:
                names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except OSError as error:
            trouble(f'{directory}: {error.strerror}')
            return
        for name in names:
            yield from _producer_paths(directory / name, levels - 1, trouble)
