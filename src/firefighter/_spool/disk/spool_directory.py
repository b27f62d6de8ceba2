"""A spool's place on disk: the producer's directory, the store in it, and what dead producers have left beside it."""

from __future__ import annotations

import errno
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict
from math import inf
from pathlib import Path

from firefighter._process.descriptor import close_troubles
from firefighter._process.exit_and_forks import not_forking
from firefighter._spool.disk.adoption import Adoption
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import create, regain
from firefighter._spool.disk.directory_size import DirectoryBound
from firefighter._spool.disk.errors import BackInFiles, InMemory, Remedy, SpoolUnusable, explained, remedy_for
from firefighter._spool.disk.file_store import FileStore
from firefighter._spool.disk.filesystem import prepare_to_map, store_may_fail, trouble_with_copies, unmappable
from firefighter._spool.disk.quarantine_and_dead_letters import dead_letters_of, quarantine_of
from firefighter._spool.disk.segment_file import has_room_for
from firefighter._spool.memory import MemoryStore
from firefighter._spool.segment import Segment
from firefighter._spool.spool import Spool
from firefighter._spool.stock import Store

__all__ = ['Disk']

# Between two looks for dead producers. A new process looks at once; this is for those that die while others live.
LOOK_INTERVAL_SECONDS = 30.0

# Somebody who flushes again and again does not walk through the directory each time.
_MOMENT_SECONDS = 1.0


class Disk:
    """What a handler's spool has on disk, in one process.

    It is open from `open` to `close`: then the spool makes its segments in a directory of its own, or, for as long as that does
    not go, in memory (`errors.py` has the table). Open or not, `tidy` takes over what dead producers have left, and
    `release_adopted` gives it back. One thread at a time may do anything.

    Args:
        spool_dir: the directory of the user's.
        destination: where the events go.
        max_spool_bytes: the bound for this producer, in bytes.
        max_directory_bytes: the bound for all producers of this user and destination, orphans included.
        producer_id: what to call the first directory, where the events have it in their ids; if not, a random id.

    Attributes:
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
        self._destination = destination
        self._max_spool_bytes = max_spool_bytes
        self._producer_id = producer_id
        # Orphans must not silence the living.
        reserved_bytes = min(max_spool_bytes, max_directory_bytes // 4)
        self._bound = DirectoryBound(spool_dir, destination, max_directory_bytes, reserved_bytes)
        self._store: FileStore | None = None
        # Lost, with events that are not settled yet.
        self._out_of_reach: list[FileStore] = []
        # What the spool's segments were made of, and their bound, before `open`.
        self._before: tuple[Store, int] = MemoryStore(), max_spool_bytes
        # Why there is no directory, in words.
        self._refused: str | None = None
        # Whether the spool is to be in a directory, found or not.
        self._wanted = False
        # Whether the directory is lost, and no other could be made yet.
        self._stranded = False
        self._waits_for_reopening = False
        self._close_troubles = close_troubles.count
        # What adoption met at the last look.
        self._met_before: str | None = None
        self._looked_at = -inf
        self.quarantine = quarantine_of(spool_dir, destination)
        self.dead_letters = dead_letters_of(spool_dir, destination)
        self._adoption = Adoption(spool_dir, destination, self.quarantine, self._bound.give_back)

    @property
    def is_open(self) -> bool:
        """Whether the spool is there."""
        return self._store is not None and not self._stranded

    @property
    def suspended(self) -> str | None:
        """Why events are kept in memory, in words; None where files keep them, or would."""
        return self._store.suspended if self._store else self._refused

    @property
    def usable(self) -> bool:
        """Whether files keep the events, or would, as far as is known."""
        return self.suspended is None

    def keeps(self, spool: Spool) -> bool:
        """Return whether the next event is kept in a file, or would be."""
        newest = spool.newest_origin
        return self.usable if self._store is None or newest is None else newest is self._store

    @property
    def path(self) -> Path | None:
        """The producer's directory, while the spool is there."""
        store = self.store
        return store.directory.path if store else None

    @property
    def store(self) -> FileStore | None:
        """What makes the spool's segments in that directory, while the spool is there."""
        return self._store if self.is_open else None

    @property
    def newer_producers(self) -> int:
        """Dead producers left alone, since a later version has written their segments."""
        return self._adoption.newer

    @property
    def expects_more(self) -> bool:
        """Whether there may be more of the dead than are taken over at once."""
        return self._adoption.expects_more

    @property
    def next_look_at(self) -> float:
        """The time, of the clock that `tidy` is given, from which on `tidy` looks for dead producers again."""
        return self._looked_at + LOOK_INTERVAL_SECONDS

    def open(self, spool: Spool) -> str | None:
        """Have the spool's segments made there from now on; where they are, do nothing.

        Returns:
            What was done about a directory that was lost, in words.

        Raises:
            SpoolUnusable: a spool cannot be kept there; with the reason, and what to do. Its segments are in memory until the next
                `open`, or look, that succeeds.
        """
        self._wanted = True
        store, said = self._store, None
        try:
            if store is None:
                store = self._store = self._make_store()
                self._before = spool.use(store, self._max_spool_bytes)
                if self._refused is not None:
                    store.try_again()  # a directory can be made where a segment cannot
            elif not store.directory.held():
                store, said = self._find_again(spool, store)
            elif store.suspended is not None:
                store.try_again()
            elif spool.uses(store):
                return None
        except SpoolUnusable as error:
            self._note_refusal(spool, error)
            raise
        self._refused, self._stranded, self._waits_for_reopening = None, False, False
        spool.use(store, self._max_spool_bytes)  # from small segments on, and without a spare one in memory
        spool.seal_others(store)  # what came meanwhile is in memory; nothing else is to be
        return said

    def try_to_open(self, spool: Spool) -> str | None:
        """Do the same; return what there is to say, None where that is no news."""
        before = self.suspended
        try:
            said = self.open(spool)
        except SpoolUnusable as error:
            return InMemory.because(error.reason) if error.reason != before else None
        return said or (
            BackInFiles(f'new events are kept in {self.path} again, after: {before}') if before else None
        )

    def examine(self, spool: Spool) -> None:
        """Make the directory, and let go of it again.

        Raises:
            SpoolUnusable: as `open`.
        """
        producer_id = self._producer_id
        try:
            self.open(spool)
            self.close(spool)
        finally:
            self._wanted = False
            self._producer_id = producer_id

    def tidy(self, spool: Spool, now: float, *, adopts: bool = True) -> str | None:
        """Do what has to be done now and then, on the delivery side; return what went wrong, in words.

        Args:
            spool: the spool that adopts.
            now: the time in seconds, of a clock that does not jump.
            adopts: whether to look for dead producers, where it is time for it.
        """
        store = self._store
        lost = store is not None and not store.directory.held()
        # Before looking for the dead: without the locks we look like one of them.
        if lost or (store is None and self._adoption.directories):
            with not_forking():  # a lock that a child inherits, see `_make_store`
                self._adoption.regain()
        looks = adopts and now >= self.next_look_at
        to_be_tried = self._wanted and not self.usable and not self._waits_for_reopening
        unused = store is not None and not spool.uses(store)  # an exception came between
        said = None
        if (lost and not self._stranded) or (looks and to_be_tried) or unused:
            said = self.try_to_open(spool)
        self._release_settled(spool)
        if looks and self._store is not None:
            self._store.remove_left()
            self._look_for_files(spool, self._store)
        due = now >= self.next_look_at or (self.expects_more and not spool.has_adopted)
        if adopts and due:
            self._looked_at = now
            self._adoption.look(spool.adopt)
            self._forget_what_was_said()
            if not self._bound.enforce(spool.drop_oldest_adopted):
                self._looked_at = now + _MOMENT_SECONDS - LOOK_INTERVAL_SECONDS
            if self.expects_more and not spool.has_adopted:
                self.look_at_once()  # all of these were given up
        return said or self._trouble()

    def look_at_once(self) -> None:
        """Have the next `tidy` look for dead producers, however long ago the last look was."""
        self._looked_at = -inf

    def look_soon(self, now: float) -> None:
        """The same, unless the last look was a moment ago."""
        if now - self._looked_at > _MOMENT_SECONDS:
            self.look_at_once()

    def release_adopted(self, spool: Spool, in_flight: Collection[Segment]) -> bool:
        """Let others have what dead producers have left, but for the producers whose events are on their way.

        Args:
            spool: the spool that has adopted it. What it has given to delivery of the others is not to be settled any more.
            in_flight: the segments of the events that are on their way.

        Returns:
            Whether nothing adopted is left here.
        """
        return self._adoption.release(spool.release_adopted, in_flight)

    def close(self, spool: Spool) -> None:
        """Let go of our own directory, and remove it, once everything in it is settled; until then do nothing."""
        store = self._store
        if store is None:
            self._wanted = False
        if store is None or spool.settled_through < spool.appended:
            return
        held = store.directory.held() or self._regain(store)
        # What a thread that is late appends from here on goes into the segment that is sealed next, or to memory.
        spool.use(*self._before)
        spool.seal()
        spool.tidy()
        if spool.has_segments_of(store):
            spool.use(store, self._max_spool_bytes)
            return
        store.sweep(())
        self._store, self._refused = None, store.suspended
        self._wanted = self._stranded = False
        if held:
            store.directory.remove_or_release()
        else:
            store.directory.release()

    def _look_for_files(self, spool: Spool, store: FileStore) -> None:
        missed: list[Segment] = []
        spool.move_segments(lambda segment: missed.append(segment) if store.misses(segment) else None)
        if missed:
            spool.seal()  # a file that is gone keeps nothing

    def _release_settled(self, spool: Spool) -> None:
        """Let go of directories that were lost, once nothing is left in them that is ours to deliver."""
        for lost in self._out_of_reach.copy():
            if not any(lost.has_file_of(segment) for segment in spool.own_segments):
                lost.directory.release()
                self._out_of_reach.remove(lost)

    def abandon(self) -> None:
        """Let go of everything in a forked child, without unlocking: it stays the parent's."""
        for lost in self._out_of_reach:
            lost.directory.abandon()
        self._out_of_reach = []
        if self._store is not None:
            self._store.directory.abandon()
            self._store = None
        self._wanted = False
        self._adoption.abandon()
        self._looked_at = inf

    def _make_store(self) -> FileStore:
        # A lock that a child inherits without knowing of it would keep the spool from adoption after our death.
        with explained(self._spool_dir), not_forking():
            reason = unmappable(self._spool_dir)
            if reason is not None:
                raise SpoolUnusable(reason, errno.EOPNOTSUPP)
            if not has_room_for(self._destination.stream, asdict(self._destination)):
                raise SpoolUnusable(
                    'endpoint_url, region_name and the profile are too long together for the header of a segment; '
                    'leave spool_dir out'
                )
            copies = store_may_fail(self._spool_dir)
            trouble = trouble_with_copies() if copies else None
            if trouble is not None:
                raise SpoolUnusable(
                    f'{self._spool_dir}: on its file system a store into a mapped file may kill the program, and '
                    f'copying into it does not go here ({trouble}); choose a spool_dir on tmpfs or ext4'
                )
            directory = create(self._spool_dir, self._destination, self._producer_id)
            self._producer_id = None  # a later one is another directory
            prepare_to_map()
            return FileStore(directory, self._destination, self._bound, copies=copies)

    def _find_again(self, spool: Spool, lost: FileStore) -> tuple[FileStore, str | None]:
        """Return the store of a directory in the place of one that is not in place any more, and what to say of that.

        Raises:
            SpoolUnusable: there can be none now.
        """
        # Without the right to look into it, it cannot be told from one that is gone.
        with suppress(SpoolUnusable):
            lost.directory.close_to_others()
        said = None
        if lost.directory.held() or (said := self._regain(lost)) is not None:
            if lost.suspended is not None:
                lost.try_again()
            return lost, said
        path = lost.directory.path
        heir = self._make_store()
        self._store = heir
        self._adoption.leave(lost.directory.id)
        spool.use(heir, self._max_spool_bytes)
        spool.move_segments(lambda segment: lost.hand_over(segment, heir) if segment.origin is lost else None)
        # What could not be moved is gone, and `open` ends the segment in use then. Or it is out of reach (something is mounted over
        # it), and may come back: nobody else is to take it for a dead producer's.
        self._out_of_reach.append(lost)
        self._release_settled(spool)
        return heir, (
            f'the locks of {path} are lost (something closed its descriptors, or removed it); '
            f'the spool goes on in {heir.directory.path}'
        )

    def _note_refusal(self, spool: Spool, error: SpoolUnusable) -> None:
        """Take note that segments are to be made in memory."""
        self._waits_for_reopening = remedy_for(error) is Remedy.MEMORY_UNTIL_REOPENED
        if self._store is None:
            self._refused = error.reason
            return
        self._store.suspended = error.reason
        if not self._stranded and not self._store.directory.held():
            self._stranded = True
            spool.seal()  # a file that is gone keeps nothing

    def _trouble(self) -> str | None:
        """Return what went wrong since the last time, in words."""
        store, adoption = self._store, self._adoption
        trouble = adoption.trouble or (store.trouble if store else None) or self._close_trouble()
        # Told once; the next one is news again.
        adoption.trouble = None
        if store is not None:
            store.trouble = None
        return trouble

    def _forget_what_was_said(self) -> None:
        """Leave out what adoption has met at the last look too, and what keeps the spool in memory."""
        met, before = self._adoption.trouble, self._met_before
        self._met_before = met
        if met in {before, self.suspended}:
            self._adoption.trouble = None

    def _close_trouble(self) -> str | None:
        before, self._close_troubles = self._close_troubles, close_troubles.count
        if before == self._close_troubles:
            return None
        return (
            f'closing a file failed: {close_troubles.last} ({close_troubles.count} so far in this process). '
            'No event depends on it'
        )

    def _regain(self, store: FileStore) -> str | None:
        """Take our own locks again; return what to say of that, None where others have them or the directory is gone."""
        with not_forking():
            regained = regain(self._spool_dir, self._destination, store.directory.id)
            if regained is None:
                return None
            store.go_on_in(regained)
        return f'the locks of {regained.path} were lost (something closed all descriptors), and taken again'
