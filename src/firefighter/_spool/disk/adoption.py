"""Adopt the segments of dead producers, to deliver them.

A look takes the locks of some dead producers at once, with forks held off: a lock that a child inherits without knowing of it would
keep these segments from everybody else after our death. Reading the segments takes longer, and holds off nothing.

**A bad file hinders no other.** A file that cannot be read, or is not a segment, stays for people and for a later look, and is
reported. The rest of its producer's files is delivered. A producer of which nothing can be
taken does not count among those that a look takes, and comes last at the next one.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from firefighter._process.descriptor import close
from firefighter._process.exit_and_forks import not_forking
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import (
    MOST_AT_ONCE,
    lock_again,
    lock_dead_producers,
    users_with_events,
)
from firefighter._spool.disk.errors import OthersEvents, SpoolUnusable
from firefighter._spool.disk.filesystem import (
    allocate_holes,
    copied_words,
    map_shared,
    prepare_to_map,
    store_may_fail,
    trouble_with_copies,
)
from firefighter._spool.disk.private_directory import our_uid
from firefighter._spool.disk.producer_directory import ProducerDirectory
from firefighter._spool.disk.quarantine_and_dead_letters import Quarantine
from firefighter._spool.disk.recovery import Recovery, boot_id, recover
from firefighter._spool.disk.segment_file import (
    TEMPORARY_PREFIX,
    NewerVersion,
    SegmentFile,
    is_segment_name,
    read_segment,
)
from firefighter._spool.segment import Origin, Segment, private_memory

__all__ = ['Adoption']

# Of dead producers whose segments are kept in memory, since their files may fail: with so much of them nothing more is taken.
_MOST_COPIED_BYTES = 64 * 1024 * 1024

# The spool directories that this process has looked through for events of other users.
_searched_for_others: set[Path] = set()

# The names of segments. A file with another name and without a header is not ours.
_NAMES = re.compile(r'[0-9a-f]{16}\.spool|\.tmp-[0-9a-f]{16}')


class _Found(NamedTuple):
    """A segment, and the name by which those of its producer are in order."""

    name: str
    segment: Segment


class _Adopted:
    """A dead producer's directory, and the names of its segments that are not settled. It is the origin of these segments."""

    def __init__(self, directory: ProducerDirectory, file_removed: Callable[[int], None]) -> None:
        self.directory = directory
        self._file_removed = file_removed
        self.unsettled: set[str] = set()
        self.copied_bytes = 0

    def discard(self, segment: Segment) -> None:
        """Remove a segment, and with the last one the directory."""
        if segment.name not in self.unsettled:
            return
        self.unsettled.discard(segment.name)
        with suppress(SpoolUnusable):  # whoever adopts it next finds it settled
            self.directory.unlink(segment.name)
            self._file_removed(segment.size_bytes)
        self.copied_bytes -= segment.size_bytes if segment.copied is not None else 0
        if not self.unsettled:
            self.directory.remove_or_release()

    def release(self) -> None:
        """Release the directory: the next adopter delivers what is left in it."""
        self.unsettled.clear()
        self.copied_bytes = 0
        self.directory.release()


class Adoption:
    """Finds dead producers of one destination, and hands over their segments.

    Args:
        spool_dir: below which all producers are.
        destination: theirs and ours.
        quarantine: where torn bytes are put.
        file_removed: called with the bytes of each file that is removed.

    Attributes:
        newer_producers: producers left alone, since a later version has written their segments.
        trouble: what went wrong at the last look, in words.
        expects_more: whether the last look has left some for the next one.
    """

    def __init__(
        self,
        spool_dir: Path,
        destination: Destination,
        quarantine: Quarantine,
        file_removed: Callable[[int], None] = lambda _size_bytes: None,
    ) -> None:
        self._spool_dir = spool_dir
        self._destination = destination
        self._quarantine = quarantine
        self._file_removed = file_removed
        self._newer_producers: set[bytes] = set()
        self._never_adopted: set[bytes] = set()
        # Producers without their locks that are still in use.
        self._unlocked_since: dict[bytes, float] = {}
        self._adopted: list[_Adopted] = []
        # Locked, and not looked into yet.
        self._locked: list[ProducerDirectory] = []
        # Whether what is in their files is kept in memory, since a look or a store into a mapping could fail.
        self._copies = False
        # Producers of which nothing could be taken, those that were tried last at the end.
        self._unfinished: list[bytes] = []
        self._boot_id = boot_id()
        self.trouble: str | None = None
        # What went wrong at the look before the last one.
        self._trouble_before: str | None = None
        self._is_reported = False
        self.expects_more = False

    @property
    def newer_producers(self) -> int:
        """Producers left alone, since a later version has written their segments."""
        return len(self._newer_producers)

    @property
    def directories(self) -> list[ProducerDirectory]:
        """The dead producers' directories that are held."""
        return [adopted.directory for adopted in self._adopted if adopted.unsettled]

    def never_adopt(self, producer_id: bytes) -> None:
        """Never adopt this producer, though it may lose its locks: its events are in this spool already."""
        self._never_adopted.add(producer_id)

    def adopt_dead_producers(self, adopt: Callable[[Segment], None]) -> None:
        """Take over the dead producers that are there, and give each of their segments to `adopt`."""
        self._trouble_before, self.trouble, self._is_reported = self.trouble, None, False
        tried: set[bytes] = set()
        taken, full = 0, False
        while taken < MOST_AT_ONCE:
            found = self._lock_dead(MOST_AT_ONCE - taken, tried)
            tried |= found
            before = set(self._unfinished)
            try:
                for directory in self._locked:
                    full = sum([adopted.copied_bytes for adopted in self._adopted]) >= _MOST_COPIED_BYTES
                    if full:
                        break
                    taken += self._take_over(directory, adopt)
            finally:
                kept = [adopted.directory for adopted in self._adopted]
                for directory in self._locked:
                    if directory not in kept:
                        directory.release()
                self._locked = []
            if full or before.issuperset(found):
                break  # from here on there are only those of which nothing could be taken before
        # There may be more than are taken at once.
        self.expects_more = full or taken >= MOST_AT_ONCE

    def unreported_trouble(self) -> str | None:
        """Return what went wrong at the last look, once, and only where the look before that has not met the same."""
        if self._is_reported or self.trouble == self._trouble_before:
            return None
        self._is_reported = True
        return self.trouble

    def unreported_others(self) -> OthersEvents | None:
        """Return a message about events that belong to other users; None where there are none, or this process has looked before.

        One look is enough: what comes later is of programs that run beside this one.
        """
        if self._spool_dir in _searched_for_others:
            return None
        _searched_for_others.add(self._spool_dir)
        others = users_with_events(self._spool_dir, self._destination)
        return OthersEvents.below(others, our_uid()) if others else None

    def _lock_dead(self, limit: int, tried: set[bytes]) -> set[bytes]:
        """Lock some of the dead producers; return their ids."""
        excluded = self._newer_producers | self._never_adopted | tried
        with not_forking():
            prepare_to_map()
            try:
                self._locked = lock_dead_producers(
                    self._spool_dir,
                    self._destination,
                    limit=limit,
                    excluded=excluded,
                    last=self._unfinished,
                    unlocked_since=self._unlocked_since,
                    trouble=self._note_trouble,
                )
            except SpoolUnusable as error:
                self._note_trouble(error.reason)
            # What the call needs is imported here, where forks are held off.
            folders = {directory.path.parent for directory in self._locked}
            self._copies = any(map(store_may_fail, folders)) and trouble_with_copies() is None
        return {directory.id for directory in self._locked}

    def lock_again(self) -> None:
        """Take the locks again whose descriptors something has closed."""
        for adopted in self._adopted:
            if adopted.unsettled and not adopted.directory.is_held():
                # Where another process has them now, it delivers the same events: nothing can be done about that.
                adopted.directory = (
                    lock_again(self._spool_dir, self._destination, adopted.directory.id) or adopted.directory
                )

    def release(self, release: Callable[[Origin], None], in_flight: Collection[Segment]) -> bool:
        """Release the dead producers again, but for those whose events are on their way.

        Args:
            release: takes what came from there out of the spool.
            in_flight: segments that events on their way are in.

        Returns:
            Whether none is left.
        """
        busy = [segment.origin for segment in in_flight]
        for adopted in self._adopted:
            if adopted not in busy:
                release(adopted)
                adopted.release()
        self._adopted = [adopted for adopted in self._adopted if adopted.unsettled]
        return not self._adopted

    def abandon(self) -> None:
        """Close everything in a forked child, without unlocking: what the parent has adopted stays the parent's."""
        for directory in [*self._locked, *(adopted.directory for adopted in self._adopted)]:
            directory.abandon()
        self._locked = []
        self._adopted = []

    def _take_over(self, directory: ProducerDirectory, adopt: Callable[[Segment], None]) -> bool:
        """Hand over the segments of a producer, or release it; return whether there were any."""
        adopted = _Adopted(directory, self._file_removed)
        try:
            found = [
                segment
                for name in sorted(directory.names())
                if is_segment_name(name)
                for segment in self._segments(adopted, name)
            ]
        except NewerVersion:
            # All of it stays: a part delivered here and the rest by the newer version would lose the order.
            self._newer_producers.add(directory.id)
            self.trouble = (
                f'{directory.path} was written by a newer firefighter; it is left for one to deliver'
            )
            directory.release()
            return False
        except SpoolUnusable as error:
            self.trouble = error.reason
            found = []
        if directory.id in self._unfinished:
            self._unfinished.remove(directory.id)
        if not found:
            if not directory.remove_or_release():
                self._unfinished.append(directory.id)
                self.trouble = self.trouble or f'{directory.path} is left: what is in it is no segment'
            return False
        adopted.unsettled = {segment.name for _, segment in found}
        adopted.copied_bytes = sum(segment.size_bytes for _, segment in found if segment.copied is not None)
        self._adopted = [other for other in self._adopted if other.unsettled] + [adopted]
        for _, segment in sorted(found, key=lambda each: each.name):
            adopt(segment)
        return True

    def _segments(self, adopted: _Adopted, name: str) -> list[_Found]:
        """Return the segment that is in a file; none where there is nothing good, or where the file cannot be read."""
        try:
            segment = self._segment(adopted, name)
        # The others must not wait for it. It stays, for people and for the next look.
        except SpoolUnusable as error:
            self.trouble = error.reason
            return []
        except (OSError, MemoryError) as error:
            self.trouble = f'{adopted.directory.path / name}: {str(error) or "not enough memory"}'
            return []
        return [segment] if segment else []

    def _segment(self, adopted: _Adopted, name: str) -> _Found | None:
        """Return a segment with what is good in a file, None when nothing is; what is torn goes into quarantine."""
        # Read, and only then mapped: a page fault would wait for a cold disk with the interpreter lock held.
        (data, header, refusal), mapping, has_its_room = read_and_map(adopted.directory, name)
        if header is None and not _NAMES.fullmatch(name):
            raise SpoolUnusable(f'{adopted.directory.path / name}: no segment: {refusal}')
        if mapping is None:
            adopted.directory.unlink(name)
            return None
        same_boot = header is not None and header.boot_id is not None and header.boot_id == self._boot_id
        recovery = recover(data, header, same_boot=same_boot)
        torn = [(start, data[start:end]) for start, end in recovery.torn]
        is_aside = not torn or self._put_aside(
            f'{adopted.directory.id.hex()}/{name}', torn, refusal or 'torn'
        )
        if not recovery.good:
            if not is_aside:
                raise SpoolUnusable(
                    f'{adopted.directory.path / name}: nothing in it is whole; {self.trouble}'
                )
            adopted.directory.unlink(name)
            return None
        segment = adopted_segment(mapping, data, adopted, name, copies=self._copies or not has_its_room)
        _resume(segment, recovery)
        # One that could not get its name has it in its header.
        unnamed = header is not None and name.startswith(TEMPORARY_PREFIX)
        return _Found(f'{header.first_sequence:016x}' if header and unnamed else name, segment)

    def _note_trouble(self, reason: str) -> None:
        self.trouble = reason

    def _put_aside(self, segment: str, torn: list[tuple[int, bytes]], reason: str) -> bool:
        try:
            self._quarantine.put(segment, torn, reason)
        except (OSError, SpoolUnusable) as error:  # they are counted; what is good must not wait for them
            self.trouble = f'torn bytes could not be put into quarantine: {error}'
            return False
        return True


def _resume(segment: Segment, recovery: Recovery) -> None:
    good = recovery.good
    holes = [(before.end, after.start) for before, after in pairwise(good)]
    segment.resume(good[0].start, good[-1].end, recovery.events, holes, exact=recovery.exact)


def read_and_map(directory: ProducerDirectory, name: str) -> tuple[SegmentFile, mmap.mmap | None, bool]:
    """Read a segment of a dead producer, and map it, to note in it what is settled.

    Returns:
        What is in the file; the mapping, None when it is empty, as a power loss may leave it; and whether a store into the mapping has
        room on the disk. A power loss, or a copy without its zeros, may leave holes where the disk is full.

    Raises:
        SpoolUnusable: it is not a file of ours; or its room on the disk is missing, and it cannot be done without.
        NewerVersion, OSError: as `read_segment`; or it cannot be mapped.
    """
    descriptor = directory.open_file(name, os.O_RDWR)
    try:
        file = read_segment(descriptor)
        if not file.data:
            return file, None, True
        mapping = map_shared(descriptor, len(file.data))
        try:
            allocate_holes(descriptor, len(file.data))
        except OSError:
            with not_forking():  # it imports
                trouble = trouble_with_copies()
            if trouble is not None:
                raise
            return file, mapping, False
        return file, mapping, True
    finally:
        close(descriptor)


def adopted_segment(mapping: mmap.mmap, data: bytes, origin: Origin, name: str, *, copies: bool) -> Segment:
    """Return a dead producer's segment, given what `read_and_map` returns.

    Args:
        mapping: the file.
        data: what was read of it; not empty.
        origin: what the segment goes back to.
        name: the file's name.
        copies: whether it is kept in memory, since a look or a store into the mapping could fail.
    """
    if not copies:
        return Segment(mapping, origin, name)
    memory = private_memory(len(data))
    memory[:] = data
    return Segment(memory, origin, name, copied_words(memory, mapping))
