"""Read what is in a spool directory, to show it to people.

It may be any user's directory, as far as it may be read. Nothing is made or changed, no link is followed, and a lock is tried, not
kept. A live producer goes on meanwhile, so a file may vanish between two steps; that is not an error. The files may be anybody's work, or
a broken disk's: one that cannot be read hinders no other, and a file whose size makes no sense is not read.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import DESTINATION
from firefighter._spool.disk.producer_directory import ABOUT, ALIVE, is_lock_held, producer_id_of
from firefighter._spool.disk.quarantine_and_dead_letters import QUARANTINE
from firefighter._spool.disk.recovery import Recovery, recover
from firefighter._spool.disk.segment_file import (
    SEGMENT_SUFFIX,
    Header,
    NewerVersion,
    NotASegment,
    read_header,
    read_segment,
)
from firefighter._spool.disk.untrusted_directory import Inode, UntrustedDirectory, open_untrusted

__all__ = [
    'InspectedSegment',
    'Producer',
    'find_producers',
    'find_spool_dirs',
    'holds_spools',
    'is_unnamed',
]

_UNNAMED = re.compile(r'\.tmp-[0-9a-f]{16}')

# `<spool_dir>/<uid>/<stream>-<hash>/<producer id>`
_LEVELS = 3

# A line that a live producer has just committed may not have reached this core yet. Then it is read again.
_MOST_READS = 3

# `producer.json` and `destination.json` have some hundred bytes.
_MOST_JSON_BYTES = 64 * 1024

Trouble = Callable[[str], None]


@dataclass(frozen=True)
class InspectedSegment:
    """A segment, and what of it can be delivered."""

    name: str
    """The name of its file."""
    data: bytes
    """What is in the file."""
    header: Header | None
    """Its header; None when that is of a newer version, or cannot be read."""
    recovery: Recovery | None
    """What can be delivered; None when it is of a newer version."""
    newer: int | None = None
    """The version, when that is newer than what can be read here."""
    refusal: str | None = None
    """Why its header cannot be read, when it cannot."""

    @property
    def complaint(self) -> str | None:
        """What is wrong with it, in words; None when nothing is."""
        if self.newer is not None:
            return f'of version {self.newer}, which is newer than this firefighter: left alone'
        if self.refusal is not None:
            return f'its header cannot be read: {self.refusal}'
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
    """A producer's directory, as it was found. It is looked at again by the way that led there, and is gone where another has its place."""

    root: UntrustedDirectory
    """The directory that was searched."""
    steps: tuple[str, ...]
    """The names that lead from there to it; none when it is that one."""
    path: Path
    """Where that is; for messages."""
    inode: Inode
    """Which directory it is."""
    uid: int
    """Whose it is."""
    alive: bool
    """Whether somebody holds it: the producer, or a process that has adopted it."""
    boot_id: bytes | None
    """The boot of the machine now."""

    @property
    def id(self) -> str:
        """Its id, in hexadecimal digits."""
        return self.path.name

    def folder(self) -> UntrustedDirectory:
        """Open the directory that it is in.

        Raises:
            OSError: that may not be read, or is gone.
        """
        return self.root.walk(self.steps[:-1]) if self.steps else self.root.directory('..')

    def open(self) -> UntrustedDirectory:
        """Open it.

        Raises:
            FileNotFoundError: it is gone, whatever is in its place now.
            OSError: it may not be read.
        """
        directory = self.root.walk(self.steps)
        if directory.inode != self.inode:
            raise FileNotFoundError(errno.ENOENT, 'it is another directory by now', str(self.path))
        return directory

    def about(self) -> dict[str, str | int]:
        """Return what its `producer.json` has, as far as that is text or a whole number; empty when that cannot be read."""
        try:
            with self.open() as directory:
                about = json.loads(directory.read(ABOUT, _MOST_JSON_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        known = about.items() if isinstance(about, dict) else ()
        return {key: value for key, value in known if type(value) in {str, int}}

    def destination(self) -> Destination | None:
        """Return where its events go; None when that is not known, as when a newer version has written it.

        `destination.json` has it, or else the headers of its segments, because a power loss may leave that file empty. It is checked
        against the hash in the name of the folder.
        """
        for said in self._destinations():
            # Nothing else is taken for it: by its name the folder is found.
            with suppress(ValueError, RecursionError):
                destination = Destination.from_json(said)
                if destination.folder_name == self.path.parent.name:
                    return destination
        return None

    def quarantined_bytes(self) -> int:
        """Return the size of its destination's quarantine file; 0 without one."""
        try:
            with self.folder() as folder:
                return folder.status(QUARANTINE).st_size
        except OSError:
            return 0

    def segment_names(self, trouble: Trouble) -> list[str]:
        """Return the names of its segments, oldest first, and then those without a name; none when it has vanished."""
        try:
            with self.open() as directory:
                return _segment_names(directory)
        except FileNotFoundError:
            pass
        except OSError as error:
            trouble(f'{self.path}: {error.strerror}')
        return []

    def segments(self, trouble: Trouble) -> Iterator[InspectedSegment]:
        """Yield its segments, oldest first.

        Args:
            trouble: called with what cannot be read, in words; the rest is yielded all the same.
        """
        for name in self.segment_names(trouble):
            segment = self.inspect(name, trouble)
            if segment is not None:
                yield segment

    def inspect(self, name: str, trouble: Trouble) -> InspectedSegment | None:
        """Return one of its segments; None when it cannot be read, is not used yet, or has been delivered meanwhile."""
        try:
            with self.open() as directory:
                segment = self._inspected(directory, name)
                unused = is_unnamed(name) and segment.refusal and not any(segment.waiting())
                return None if unused else segment
        except FileNotFoundError:
            return None
        except OSError as error:
            trouble(f'{self.path / name}: {error.strerror}')
            return None

    def _inspected(self, directory: UntrustedDirectory, name: str) -> InspectedSegment:
        segment = self._read(directory, name)
        for _ in range(_MOST_READS - 1):
            if not self.alive or segment.recovery is None or segment.recovery.exact:
                break
            segment = self._read(directory, name)
        return segment

    def _read(self, directory: UntrustedDirectory, name: str) -> InspectedSegment:
        try:
            with directory.open_file(name) as file:
                data, header, refusal = read_segment(file.fileno())
        except NewerVersion as error:
            return InspectedSegment(name, b'', None, None, newer=error.version)
        same_boot = header is not None and (
            self.alive or (header.boot_id is not None and header.boot_id == self.boot_id)
        )
        found = recover(data, header, same_boot=same_boot, alive=self.alive)
        return InspectedSegment(name, data, header, found, refusal=refusal or None)

    def _destinations(self) -> Iterator[bytes]:
        """Yield what `destination.json` and its segments have as the destination, as JSON."""
        with suppress(OSError), self.folder() as folder:
            yield folder.read(DESTINATION, _MOST_JSON_BYTES)
        for name in self.segment_names(lambda _trouble: None):
            with suppress(OSError, NotASegment, NewerVersion), self.open() as directory:
                said = {
                    key: value
                    for key, value in read_header(directory, name).destination.items()
                    if value is not None
                }
                # As in `Destination.to_json`.
                yield json.dumps(said, ensure_ascii=False).encode('utf-8', 'surrogatepass')


def find_producers(
    directory: Path,
    boot_id: bytes | None,
    trouble: Trouble,
    stranger: Callable[[Path], None] = lambda _path: None,
) -> list[Producer]:
    """Return the producers in a directory, in the order of their paths.

    Args:
        directory: a spool directory, or a directory below one: a user's, a destination's, a producer's.
        boot_id: the boot of the machine now.
        trouble: called with what cannot be read, in words.
        stranger: called with each directory that is named like a producer's, and has neither its lock nor a segment in it:
            somebody else's.

    Raises:
        OSError: `directory` itself is not a directory, or cannot be read.
    """
    root = open_untrusted(directory)
    # A `spool_dir` may be named like a producer: look into it.
    ways = iter([()]) if producer_id_of(root.path.name) and _is_marked(root) else _below(root, (), trouble)
    found = []
    for steps in ways:
        path = root.path.joinpath(*steps)
        try:
            with root.walk(steps) as place:
                if not _is_marked(place):
                    stranger(path)
                    continue
                alive = is_lock_held(place, ALIVE)
                found.append(Producer(root, steps, path, place.inode, place.uid, alive, boot_id))
        except FileNotFoundError:
            continue
        except OSError as error:
            trouble(f'{path}: {error.strerror}')
    return found


def holds_spools(directory: Path) -> bool:
    """Return whether handlers have had their spool in a directory or below it, be it that nothing is left to deliver.

    Where something may not be looked into, the answer is yes: nobody knows.

    Raises:
        OSError: it is not a directory, or cannot be read.
    """
    with open_untrusted(directory) as root:
        try:
            # Users' directories, which root may have prepared.
            return any(_users(root)) or _has_traces(root, _LEVELS - 1)
        except OSError:
            return True


def find_spool_dirs(directory: Path) -> list[Path]:
    """Return the directories in a directory that are a `spool_dir`: it may be one too high.

    Raises:
        OSError: it is not a directory, or cannot be read.
    """
    found = []
    with open_untrusted(directory) as root:
        for name in root.directory_names():
            with suppress(OSError), root.directory(name) as below:
                if any(_has_traces(below.directory(user), 1) for user in _users(below)):
                    found.append(directory / name)
    return found


def _users(directory: UntrustedDirectory) -> Iterator[str]:
    """Yield the names of users' directories in what may be a `spool_dir`."""
    for name in directory.directory_names():
        if name.isdecimal() and directory.status(name).st_uid == int(name):
            yield name


def _has_traces(directory: UntrustedDirectory, levels_below: int) -> bool:
    """Return whether a destination has or had a folder here, or so many levels below.

    Raises:
        OSError: something may not be looked into.
    """
    if DESTINATION in directory.names() or _is_marked(directory):
        return True
    for name in directory.directory_names():
        is_producer = producer_id_of(name) is not None
        if is_producer or levels_below:
            with directory.directory(name) as below:
                # What is only named like a producer's may be a machine's journal.
                if _is_marked(below) if is_producer else _has_traces(below, levels_below - 1):
                    return True
    return False


def _below(root: UntrustedDirectory, steps: tuple[str, ...], trouble: Trouble) -> Iterator[tuple[str, ...]]:
    """Yield the ways to the directories below that are named like a producer's."""
    try:
        with root.walk(steps) as directory:
            names = directory.directory_names()
    except FileNotFoundError:
        return
    except OSError as error:
        trouble(f'{root.path.joinpath(*steps)}: {error.strerror}')
        return
    for name in names:
        way = (*steps, name)
        if producer_id_of(name) is not None:
            yield way
        elif len(way) < _LEVELS:
            yield from _below(root, way, trouble)


def _is_marked(directory: UntrustedDirectory) -> bool:
    """Return whether there is anything in it that makes it a producer's."""
    return ALIVE in directory.names() or bool(_segment_names(directory))


def is_unnamed(name: str) -> bool:
    """Return whether it is the name of a segment that is being made, or that could not get its own."""
    return _UNNAMED.fullmatch(name) is not None


def _segment_names(directory: UntrustedDirectory) -> list[str]:
    names = directory.names()
    return [name for name in names if name.endswith(SEGMENT_SUFFIX)] + [*filter(is_unnamed, names)]
