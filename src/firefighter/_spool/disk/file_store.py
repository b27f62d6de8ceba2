"""Make segments that are mapped files, so that events outlive the process.

The kernel owns the pages of a mapped file. An event is safe from any end of the process as soon as it is copied, without a
system call; and the reader of a dead producer finds the words of its header as they were last stored.

A segment is made under another name (`.tmp-<random>`). It is allocated in full, so that a full disk is an error here and never a
SIGBUS later. The header of a spare segment is synced, and its pages are touched. When a segment becomes the one that is written to,
its header is written, the magic last, and it gets its name, `<first sequence number, 16 hex digits>.spool`. Files are unlinked and never
used again: stale lines would be valid JSON.

Where the disk makes no file, the next segments are memory, until files are tried again: the table is in `errors.py`.
"""

from __future__ import annotations

import errno
import mmap
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict

from firefighter._process.descriptor import Descriptor, close
from firefighter._spool.allocator import FIRST_SEGMENT_BYTES
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.directory_size import DirectoryBound
from firefighter._spool.disk.errors import (
    InMemory,
    SpoolUnusable,
    translate_errors,
)
from firefighter._spool.disk.filesystem import allocate, copied_words, map_shared
from firefighter._spool.disk.producer_directory import ProducerDirectory
from firefighter._spool.disk.recovery import boot_id
from firefighter._spool.disk.segment_file import SEGMENT_SUFFIX, TEMPORARY_PREFIX, Header, write_header
from firefighter._spool.layout import HEADER_BYTES
from firefighter._spool.segment import MemoryStore, Segment, fill_with_zeros, private_memory

__all__ = ['FileStore']


class FileStore:
    """Makes segments in a producer's directory; in memory where it cannot, until `try_files_again` finds that it can.

    Args:
        directory: the directory, held by its locks.
        destination: where the events go.
        bound: asked before a file is made.
        copies: whether events are written to memory and copied into the file, since a store into a mapping could fail.

    Attributes:
        why_in_memory: why segments are made in memory, in words; None where they are files.
        trouble: what went wrong and is not reported yet, in words. Delivery reports it: the appending thread, which finds it
            out, does no output.
    """

    def __init__(
        self,
        directory: ProducerDirectory,
        destination: Destination,
        bound: DirectoryBound,
        *,
        copies: bool = False,
    ) -> None:
        self.directory = directory
        self.why_in_memory: str | None = None
        self.trouble: str | None = None
        self._destination = destination
        self._bound = bound
        self._copies = copies
        # The size of each file there may be, by its name: noted before it is made, struck out when it is gone.
        self._files: dict[str, int] = {}
        self._boot_id = boot_id()
        self._memory = MemoryStore()
        self._probe_bytes = FIRST_SEGMENT_BYTES
        # Renames and removals that have failed, and are tried again. Both are changed in place only: any thread adds to them.
        self._to_rename: list[Segment] = []
        self._to_unlink: dict[str, int] = {}
        # Segments whose file somebody has removed or replaced, as far as that was reported.
        self._removed: set[str] = set()
        # The segments whose file could not be written, as far as that was reported.
        self._failed: set[str] = set()

    def make(self, size_bytes: int) -> Segment:
        """Return an empty segment: in a file without a proper name, or in memory where there can be none.

        Raises:
            OSError: the machine is out of memory.
        """
        if self.why_in_memory is None:
            self.trouble = None
            try:
                return self._make_file(size_bytes)
            except (OSError, SpoolUnusable) as error:
                self._probe_bytes = min(size_bytes, FIRST_SEGMENT_BYTES)
                self._suspend(error)
        return self._memory.make(size_bytes)

    def try_files_again(self) -> None:
        """Make segments in files again, if that can be done now: an empty one is made and removed.

        Raises:
            SpoolUnusable: it cannot, with the reason.
        """
        refusal = self.retry_removals()
        if refusal is not None:
            raise refusal
        probe = self._make_file(self._probe_bytes)
        try:
            with translate_errors(self.directory.path):
                _touch(probe)
        finally:
            self.discard(probe)
        self.why_in_memory = None

    def prepare(self, segment: Segment) -> None:
        """Touch every page now, so that the application's thread waits for no page fault and no disk later.

        The header goes to the disk first, while it is the only page that is written: after a power loss it is there, whatever
        else is. Only the number of the first event is not known yet; the file's name will have it.
        """
        if segment.name:
            write_header(segment.words, self._header(segment, 0))
            if segment.copied is not None:
                segment.copied.begin()
            with suppress(SpoolUnusable, OSError):  # without a header, too, what is whole will be found
                # It takes a while, in which the program may close all descriptors, and get the number for a file of its own.
                descriptor = Descriptor(self.directory.open_file(segment.name, os.O_RDONLY))
                try:
                    os.fsync(descriptor.fd)
                finally:
                    descriptor.close()
        try:
            _touch(segment)
        except OSError as error:  # a page that the disk does not give: a store into it would kill the program
            self._suspend(error)
            raise

    def begin(self, segment: Segment, first_sequence: int) -> None:
        """Give the segment its header and its name."""
        if not segment.name:
            self._memory.begin(segment, first_sequence)
            return
        segment.start_over(first_sequence)
        write_header(segment.words, self._header(segment, first_sequence))
        if segment.copied is not None:
            segment.copied.begin()
        try:
            self._give_name(segment)
        except SpoolUnusable as error:
            reason = error.reason.replace(f'{os.sep}{segment.name}', '')  # another one each time
            self.trouble = f'{reason}. The segment is used all the same, and gets its name later'
            self._to_rename.append(segment)

    def recycle(self, segment: Segment) -> bool:
        """Remove a settled segment: a file is never used again."""
        self.discard(segment)
        return False

    def discard(self, segment: Segment) -> None:
        """Remove a segment and what is in it; its pages go back when no thread refers to them any more."""
        if segment.name not in self._files:
            return
        self._remove(segment.name, segment.size_bytes)
        # Struck out last: what an exception interrupts before that, `sweep` does again.
        self._files.pop(segment.name, None)

    def use_directory(self, directory: ProducerDirectory) -> None:
        """Use the same directory by new descriptors, and catch up with what could not be done without."""
        self.directory.release()
        self.directory = directory
        self._retry_renames()
        self.retry_removals()

    def retry_removals(self) -> SpoolUnusable | None:
        """Remove the files whose directory has refused that; return why it still does, None where nothing is left."""
        error = None
        for name, size_bytes in self._to_unlink.copy().items():
            del self._to_unlink[name]
            error = self._unlink(name, size_bytes) or error
        return error

    def has_file_of(self, segment: Segment) -> bool:
        """Return whether the file of a segment is still in our directory, under its name."""
        return segment.origin is self and self.directory.has_file(segment.name, segment.inode)

    def is_newly_missing(self, segment: Segment) -> bool:
        """Return whether somebody has removed or replaced the file of a segment, and that is not reported yet. Call with the spool's lock held."""
        name = segment.name
        if segment.origin is not self or name not in self._files or name in self._removed:
            return False
        if self.directory.has_file(name, segment.inode):
            return False
        self._removed.add(name)
        self.trouble = f'{self.directory.path}{os.sep}{name}: somebody has removed or replaced it; what was in it is kept in memory'
        return True

    def hand_over(self, segment: Segment, successor: FileStore) -> None:
        """Have another store go on with a segment, and its file: our directory is lost, but may still be reached."""
        # One without events has the name that the next one gets.
        if segment.name in self._files and segment.events:
            with suppress(SpoolUnusable):
                successor.take_over(segment, self.directory)
                del self._files[segment.name]

    def take_over(self, segment: Segment, directory: ProducerDirectory) -> None:
        """Move the file of a segment here from another directory."""
        name = _name_of(segment.first_sequence)
        self._files[name] = segment.size_bytes
        try:
            directory.move(segment.name, self.directory, name)
        except SpoolUnusable:
            del self._files[name]
            raise
        segment.name, segment.origin = name, self

    def sweep(self, kept: Sequence[Segment]) -> None:
        """Remove files that an exception in the appending thread has left: made or dropped, and not in use.

        And give their names to those whose rename has failed: here nobody drops one meanwhile.
        """
        failed = {segment.name for segment in kept if segment.copied is not None and segment.copied.failed}
        if failed - self._failed:
            self.trouble = (
                f'{self.directory.path}: what is logged cannot be written to the file (the disk fails or is full); '
                'it is kept in memory until another file can be made'
            )
        self._failed = failed
        self._retry_renames()
        if not self._files:
            return
        names = {segment.name for segment in kept if segment.origin is self}
        for name in self._files.keys() - names:
            self._remove(name, self._files[name])  # it may never have come to be, or be gone already
            del self._files[name]

    def _header(self, segment: Segment, first_sequence: int) -> Header:
        return Header(
            stream=self._destination.stream,
            destination=asdict(self._destination),
            producer_id=self.directory.id,
            first_sequence=first_sequence,
            size_bytes=segment.size_bytes,
            boot_id=self._boot_id,
        )

    def _retry_renames(self) -> None:
        for segment in self._to_rename.copy():
            with suppress(SpoolUnusable):
                if segment.name in self._files:  # not discarded meanwhile, nor taken over
                    self._give_name(segment)
                self._to_rename.remove(segment)

    def _give_name(self, segment: Segment) -> None:
        before = segment.name
        self.take_over(segment, self.directory)
        del self._files[before]

    def _suspend(self, error: OSError | SpoolUnusable) -> None:
        self.why_in_memory = str(error)
        self.trouble = InMemory.because(self.why_in_memory)

    def _remove(self, name: str, size_bytes: int) -> None:
        refusal = self._unlink(name, size_bytes)
        if refusal is not None and self.why_in_memory is None:
            self._suspend(refusal)  # more files would only pile up

    def _unlink(self, name: str, size_bytes: int) -> SpoolUnusable | None:
        try:
            self.directory.unlink(name)
        except SpoolUnusable as error:  # until it is gone, whoever adopts it finds it settled
            if error.errno != errno.ENOENT:
                self._to_unlink[name] = size_bytes
                return error
        self._bound.give_back(size_bytes)
        return None

    def _make_file(self, size_bytes: int) -> Segment:
        name = TEMPORARY_PREFIX + secrets.token_hex(8)
        try:
            mapping, inode = self._map_new(name, size_bytes)
        except SpoolUnusable as error:
            # The name is another one each time; the trouble is not.
            raise SpoolUnusable(error.reason.replace(f'{os.sep}{name}', ''), error.errno) from error
        if self._copies:
            memory = private_memory(size_bytes)
            segment = Segment(memory, self, name, copied_words(memory, mapping))
        else:
            segment = Segment(mapping, self, name)
        segment.inode = inode
        return segment

    def _map_new(self, name: str, size_bytes: int) -> tuple[mmap.mmap, int]:
        self._bound.grant(size_bytes)
        self._files[name] = size_bytes
        try:
            descriptor = self.directory.open_file(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            try:
                with translate_errors(self.directory.path):
                    allocate(descriptor, size_bytes)
                    return map_shared(descriptor, size_bytes), os.fstat(descriptor).st_ino
            finally:
                close(descriptor)
        except BaseException:
            with suppress(SpoolUnusable):
                self.directory.unlink(name)
            self._bound.give_back(self._files.pop(name))
            raise


def _touch(segment: Segment) -> None:
    fill_with_zeros(segment.mapping, HEADER_BYTES, segment.size_bytes)
    if segment.copied is not None:
        segment.copied.touch(0, segment.size_bytes)


def _name_of(first_sequence: int) -> str:
    return f'{first_sequence:016x}{SEGMENT_SUFFIX}'
