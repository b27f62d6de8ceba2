"""A handler's own directory below `spool_dir`: made, found lost, made again, removed; and what dead producers have left beside it.

The directory is in one of four states:

    CLOSED    there is none, and none is wanted
    REFUSED   one is wanted, but could not be made
    OPEN      there is one, held by its locks
    LOST      its locks were lost or it is not at its path any more, and no other one could be made

    state        what happens                               what is done                                      then
    CLOSED       `open`                                     make a directory, and segments in it              OPEN
    CLOSED       `open`, but none can be made               segments stay in memory                           REFUSED
    REFUSED      `open`, or a look                          as from CLOSED                                    OPEN or REFUSED
    OPEN         `open` or `tidy` finds that it is lost     lock it again, or move to another directory       OPEN
    OPEN         the same, but neither can be done          end the segment; the next ones are in memory      LOST
    LOST         `open`, or a look                          as from OPEN                                      OPEN or LOST
    OPEN, LOST   `close`, and every event is settled        remove the directory; segments are in memory      CLOSED
    REFUSED      `close`                                    nothing                                           CLOSED
    any          `abandon`, in a forked child               close the descriptors, unlock nothing             CLOSED

State and store are one immutable tuple, replaced by one store: an exception may come between any two steps, and what it has interrupted
is done again by the next `open` or `tidy`. Whether the segments of an OPEN directory are files, or memory for as long as the disk makes
no files, is the state of its `FileStore`. What is done about which error is in `errors.py`.
"""

from __future__ import annotations

import errno
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict
from enum import Enum, auto
from math import inf
from pathlib import Path
from typing import NamedTuple

from firefighter._process.exit_and_forks import not_forking
from firefighter._spool.disk.adoption import Adoption
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import create_producer, lock_again
from firefighter._spool.disk.directory_size import DirectoryBound
from firefighter._spool.disk.errors import (
    BackInFiles,
    FailedCloses,
    InMemory,
    SpoolUnusable,
    is_not_now,
    translate_errors,
)
from firefighter._spool.disk.file_store import FileStore
from firefighter._spool.disk.filesystem import (
    prepare_to_map,
    store_may_fail,
    trouble_with_copies,
    why_unmappable,
)
from firefighter._spool.disk.private_directory import our_uid
from firefighter._spool.disk.quarantine_and_dead_letters import dead_letters_of, quarantine_of
from firefighter._spool.disk.segment_file import has_room_for
from firefighter._spool.segment import Segment
from firefighter._spool.spool import Spool

__all__ = ['SpoolDirectory', 'State']

# Between two looks for dead producers. A new process looks at once; this is for those that die while others live.
LOOK_INTERVAL_SECONDS = 30.0

# Somebody who flushes again and again does not walk through the directory each time.
_MOMENT_SECONDS = 1.0


class State(Enum):
    """Of a spool's directory; see the table above."""

    CLOSED = auto()
    REFUSED = auto()
    OPEN = auto()
    LOST = auto()


class _Place(NamedTuple):
    state: State
    # What makes the spool's segments, OPEN and LOST.
    store: FileStore | None = None
    # Why there is no directory, in words, REFUSED; CLOSED, why events were kept in memory when it was last open.
    reason: str | None = None
    # Whether a look is to try again; where nothing on the disk can change the reason, only `open` is.
    retried: bool = True


class SpoolDirectory:
    """What a handler's spool has on disk, in one process.

    Open or not, `tidy` takes over what dead producers have left, and `release_adopted` gives it back. One thread at a time may do
    anything.

    Args:
        spool_dir: the directory of the user's.
        destination: where the events go.
        max_spool_bytes: the bound for this producer, in bytes; what all have together bounds each of them, too.
        max_directory_bytes: the bound for all producers of this user and destination, orphans included.
        producer_id: what to call the first directory, where the events have it in their ids; if not, a random id.

    Attributes:
        destination: where the events go.
        quarantine: where torn bytes of dead producers are put.
        dead_letters: where events are put that Firehose refuses.
    """

    def __init__(
        self,
        spool_dir: Path,
        destination: Destination,
        max_spool_bytes: int,
        max_directory_bytes: int,
        producer_id: bytes | None = None,
    ) -> None:
        self._spool_dir = spool_dir
        self.destination = destination
        self._max_spool_bytes = min(max_spool_bytes, max_directory_bytes)
        self._producer_id = producer_id
        # What dead producers have left must not keep live ones from logging.
        reserved_bytes = min(max_spool_bytes, max_directory_bytes // 4)
        self._bound = DirectoryBound(spool_dir, destination, max_directory_bytes, reserved_bytes)
        self._place = _Place(State.CLOSED)
        # Of directories that were lost and replaced, those with events that are not settled yet.
        self._out_of_reach: list[FileStore] = []
        self._failed_closes = FailedCloses()
        self._looked_at = -inf
        self.quarantine = quarantine_of(spool_dir, destination)
        self.dead_letters = dead_letters_of(spool_dir, destination)
        self._adoption = Adoption(spool_dir, destination, self.quarantine, self._bound.give_back)

    @property
    def is_open(self) -> bool:
        """Whether the directory is there."""
        return self._place.state is State.OPEN

    @property
    def why_in_memory(self) -> str | None:
        """Why events are kept in memory, in words; None where files keep them, or would."""
        store = self._place.store
        return store.why_in_memory if store else self._place.reason

    @property
    def usable(self) -> bool:
        """Whether files keep the events, or would, as far as is known."""
        return self.why_in_memory is None

    def next_event_in_file(self, spool: Spool) -> bool:
        """Return whether the next event is kept in a file, or would be."""
        store, newest = self._place.store, spool.newest_origin
        return self.usable if store is None or newest is None else newest is store

    @property
    def path(self) -> Path | None:
        """The directory, while it is there."""
        store = self.store
        return store.directory.path if store else None

    @property
    def store(self) -> FileStore | None:
        """What makes the spool's segments in the directory, while it is there."""
        return self._place.store if self.is_open else None

    @property
    def newer_producers(self) -> int:
        """Dead producers left alone, since a later version has written their segments."""
        return self._adoption.newer_producers

    @property
    def expects_more(self) -> bool:
        """Whether there may be more of the dead than are taken over at once."""
        return self._adoption.expects_more

    @property
    def look_is_wanted(self) -> bool:
        """Whether the next `tidy` is to look for dead producers because somebody has asked for it."""
        return self._looked_at == -inf

    @property
    def next_look_at(self) -> float:
        """The time, of the clock that `tidy` is given, from which on `tidy` looks for dead producers again."""
        return self._looked_at + LOOK_INTERVAL_SECONDS

    def open(self, spool: Spool) -> str | None:
        """Have the spool's segments made in the directory from now on; where they are, do nothing.

        Returns:
            What was done about a directory that was lost, in words.

        Raises:
            SpoolUnusable: a spool cannot be kept there; with the reason, and what to do. Its segments are in memory until the next
                `open`, or look, that succeeds.
        """
        store, report = self._place.store, None
        try:
            if store is None:
                store = self._make_store()
                was_in_memory = not self.usable
                self._place = _Place(State.OPEN, store)
                spool.use_store(store, self._max_spool_bytes)
                if was_in_memory:
                    store.try_files_again()  # a directory can be made where a segment cannot
            elif not store.directory.is_held():
                store, report = self._find_again(spool, store)
            elif store.why_in_memory is not None:
                store.try_files_again()
            elif self.is_open and spool.uses_store(store):
                return None
        except SpoolUnusable as error:
            self._note_refusal(spool, error)
            raise
        self._place = _Place(State.OPEN, store)
        # Once more, where it is used already: so sizes begin small again, and a spare segment in memory is given up.
        spool.use_store(store, self._max_spool_bytes)
        # Events that came meanwhile are in memory. The next ones are not to be.
        spool.seal_segment_of_other_store(store)
        return report

    def try_to_open(self, spool: Spool) -> str | None:
        """Open it as `open` does; return what has to be reported, None where that was reported before."""
        before = self.why_in_memory
        try:
            report = self.open(spool)
        except SpoolUnusable as error:
            return InMemory.because(error.reason) if error.reason != before else None
        return report or (
            BackInFiles(f'new events are kept in {self.path} again, after: {before}') if before else None
        )

    def examine(self, spool: Spool) -> None:
        """Make the directory, and remove it again.

        Raises:
            SpoolUnusable: as `open`.
        """
        producer_id = self._producer_id
        try:
            self.open(spool)
        finally:
            self._producer_id = producer_id
            self.close(spool)

    def tidy(self, spool: Spool, now: float, *, adopts: bool = True) -> str | None:
        """Do what has to be done now and then, on the delivery side; return what went wrong, in words.

        Args:
            spool: the spool that adopts.
            now: the time in seconds, of a clock that does not jump.
            adopts: whether to look for dead producers, where it is time for it.
        """
        state, store, _, retried = self._place
        is_lost = store is not None and not store.directory.is_held()
        # Before looking for the dead: without the locks we look like one of them.
        if is_lost or (store is None and self._adoption.directories):
            with not_forking():  # a lock that a child inherits, see `_make_store`
                self._adoption.lock_again()
        looks = adopts and now >= self.next_look_at
        is_newly_lost = is_lost and state is State.OPEN
        is_to_be_retried = looks and state is not State.CLOSED and not self.usable and retried
        # An exception has interrupted `open` or `close`.
        is_half_open = store is not None and not spool.uses_store(store)
        report = None
        if is_newly_lost or is_to_be_retried or is_half_open:
            report = self.try_to_open(spool)
        self._release_settled(spool)
        store = self._place.store
        if looks and store is not None:
            store.retry_removals()
            self._look_for_files(spool, store)
        due = now >= self.next_look_at or (self.expects_more and not spool.has_adopted)
        if adopts and due:
            self._adopt_dead_producers(spool, now)
        return report or self._trouble()

    def look_at_once(self) -> None:
        """Have the next `tidy` look for dead producers, however long ago the last look was."""
        self._looked_at = -inf

    def look_soon(self, now: float) -> None:
        """Have the next `tidy` look for dead producers, unless the last look was a moment ago."""
        if now - self._looked_at > _MOMENT_SECONDS:
            self.look_at_once()

    def release_adopted(self, spool: Spool, in_flight: Collection[Segment]) -> bool:
        """Give back what dead producers have left, but for the producers whose events are on their way.

        Args:
            spool: the spool that has adopted it. What it has given to delivery of the others is not to be settled any more.
            in_flight: the segments of the events that are on their way.

        Returns:
            Whether nothing adopted is left here.
        """
        return self._adoption.release(spool.release_adopted, in_flight)

    def close(self, spool: Spool) -> None:
        """Remove the directory, once everything in it is settled; until then do nothing."""
        store = self._place.store
        if store is None:
            self._place = self._place._replace(state=State.CLOSED)
            return
        if spool.settled_through < spool.appended:
            return
        held = store.directory.is_held() or self._lock_again(store)
        # An event that another thread appends from here on goes into the segment that is sealed next, or to memory.
        spool.use_first_store()
        spool.seal()
        spool.tidy()
        if spool.has_segments_of(store):
            spool.use_store(store, self._max_spool_bytes)
            return
        store.sweep(())
        self._place = _Place(State.CLOSED, reason=store.why_in_memory)
        if held:
            store.directory.remove_or_release()
        else:
            store.directory.release()

    def abandon(self) -> None:
        """Close everything in a forked child, without unlocking: it stays the parent's."""
        for lost in self._out_of_reach:
            lost.directory.abandon()
        self._out_of_reach = []
        store = self._place.store
        if store is not None:
            store.directory.abandon()
        self._place = self._place._replace(state=State.CLOSED, store=None)
        self._adoption.abandon()
        self._looked_at = inf

    # Its own directory.

    def _make_store(self) -> FileStore:
        # A lock that a child inherits without knowing of it would keep the spool from adoption after our death.
        with translate_errors(self._spool_dir), not_forking():
            # What is below may be there already, and be a file system of its own.
            folder = self._spool_dir / str(our_uid()) / self.destination.folder_name
            reason = why_unmappable(self._spool_dir) or why_unmappable(folder)
            if reason is not None:
                raise SpoolUnusable(reason, errno.EOPNOTSUPP)
            if not has_room_for(self.destination.stream, asdict(self.destination)):
                raise SpoolUnusable(
                    'endpoint_url, region_name and the profile are too long together for the header of a segment; '
                    'leave spool_dir out'
                )
            copies = store_may_fail(folder)
            trouble = trouble_with_copies() if copies else None
            if trouble is not None:
                raise SpoolUnusable(
                    f'{self._spool_dir}: on its file system a store into a mapped file may kill the program, and '
                    f'copying into it does not go here ({trouble}); choose a spool_dir on tmpfs or ext4'
                )
            directory = create_producer(self._spool_dir, self.destination, self._producer_id)
            self._adoption.never_adopt(directory.id)
            self._producer_id = None  # a later one is another directory
            prepare_to_map()
            return FileStore(directory, self.destination, self._bound, copies=copies)

    def _find_again(self, spool: Spool, lost: FileStore) -> tuple[FileStore, str | None]:
        """Lock a lost directory again, or make another one in its place; return its store, and what to report.

        Raises:
            SpoolUnusable: there can be none now.
        """
        # A directory that may not be looked into seems to be gone.
        with suppress(SpoolUnusable):
            lost.directory.restore_mode()
        report = None
        if lost.directory.is_held() or (report := self._lock_again(lost)) is not None:
            if lost.why_in_memory is not None:
                lost.try_files_again()
            return lost, report
        path = lost.directory.path
        successor = self._make_store()
        self._place = _Place(State.OPEN, successor)
        spool.use_store(successor, self._max_spool_bytes)
        spool.for_each_own_segment(
            lambda segment: lost.hand_over(segment, successor) if segment.origin is lost else None
        )
        # A file that could not be moved is gone, and `open` ends the segment in use then. Or it is out of reach, because something is
        # mounted over it, and may come back. Until then it stays locked: nobody else is to take it for a dead producer's.
        self._out_of_reach.append(lost)
        self._release_settled(spool)
        return successor, (
            f'the locks of {path} are lost (something closed its descriptors, or removed it); '
            f'the spool goes on in {successor.directory.path}'
        )

    def _lock_again(self, store: FileStore) -> str | None:
        """Take our own locks again; return what to report, None where others have them or the directory is gone."""
        with not_forking():
            regained = lock_again(self._spool_dir, self.destination, store.directory.id)
            if regained is None:
                return None
            store.use_directory(regained)
        return f'the locks of {regained.path} were lost (something closed all descriptors), and taken again'

    def _note_refusal(self, spool: Spool, error: SpoolUnusable) -> None:
        """Have segments made in memory."""
        retried = is_not_now(error)
        state, store, _, _ = self._place
        if store is None:
            self._place = _Place(State.REFUSED, reason=error.reason, retried=retried)
            return
        store.why_in_memory = error.reason
        is_newly_lost = state is State.OPEN and not store.directory.is_held()
        self._place = _Place(State.LOST if is_newly_lost else state, store, retried=retried)
        if is_newly_lost:
            spool.seal()  # a file that is gone keeps nothing

    def _release_settled(self, spool: Spool) -> None:
        """Release directories that were lost, once no event in them is ours to deliver."""
        for lost in self._out_of_reach.copy():
            if not any(lost.has_file_of(segment) for segment in spool.own_segments):
                lost.directory.release()
                self._out_of_reach.remove(lost)

    def _look_for_files(self, spool: Spool, store: FileStore) -> None:
        """End the segment in use where somebody has removed the file of any: such a file keeps nothing."""
        missed: list[Segment] = []
        spool.for_each_own_segment(
            lambda segment: missed.append(segment) if store.is_newly_missing(segment) else None
        )
        if missed:
            spool.seal()

    # Dead producers, and what went wrong.

    def _adopt_dead_producers(self, spool: Spool, now: float) -> None:
        self._looked_at = now
        self._adoption.adopt_dead_producers(spool.adopt)
        if not self._bound.enforce(spool.drop_oldest_adopted):
            self._looked_at = now + _MOMENT_SECONDS - LOOK_INTERVAL_SECONDS
        if self.expects_more and not spool.has_adopted:
            self.look_at_once()  # all of these were given up

    def _trouble(self) -> str | None:
        """Return what went wrong since the last time, in words."""
        store, trouble = self._place.store, self._adoption.unreported_trouble()
        if trouble == self.why_in_memory:
            trouble = None  # reported already, of our own directory
        if trouble is None and store is not None:
            trouble, store.trouble = store.trouble, None
        return trouble or self._failed_closes.unreported() or self._adoption.unreported_others()
