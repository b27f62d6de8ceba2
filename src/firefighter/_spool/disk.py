"""A spool's place on disk: the producer's directory, the store in it, and what dead producers have left beside it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from math import inf
from pathlib import Path

from firefighter._process import not_forking
from firefighter._spool.adoption import Adoption
from firefighter._spool.bound import DirectoryBound
from firefighter._spool.destination import Destination
from firefighter._spool.directory import create
from firefighter._spool.files import FileStore, trouble_with_copies
from firefighter._spool.filesystem import store_may_fail, unmappable
from firefighter._spool.header import has_room_for
from firefighter._spool.kept import dead_letters_of, quarantine_of
from firefighter._spool.mapping import prepare_to_map
from firefighter._spool.memory import MemoryStore
from firefighter._spool.orphans import regain
from firefighter._spool.segment import Segment
from firefighter._spool.spool import Spool
from firefighter._spool.stock import Store
from firefighter._spool.unusable import SpoolUnusable, explained

__all__ = ['Disk']

# Between two looks for dead producers. A new process looks at once; this is for those that die while others live.
LOOK_INTERVAL_SECONDS = 30.0

# Somebody who flushes again and again does not walk through the directory each time.
_MOMENT_SECONDS = 1.0


class Disk:
    """What a handler's spool has on disk, in one process.

    It is open from `open` to `close`: then the spool makes its segments in a directory of its own. Open or not, `tidy` takes
    over what dead producers have left, and `release_adopted` gives it back. One thread at a time may do anything.

    Args:
        spool_dir: the directory of the user's.
        destination: where the events go.
        max_spool_bytes: the bound for this producer, in bytes.
        max_directory_bytes: the bound for all producers of this user and destination, orphans included.
        producer_id: what to call the first directory, where the events have it in their ids; if not, a random id.

    Attributes:
        usable: False once a directory could not be made, also for one that was lost: then the spool is in memory, until `open`
            succeeds.
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
        # What the spool's segments were made of, and their bound, before `open`.
        self._before: tuple[Store, int] = MemoryStore(), max_spool_bytes
        self.usable = True
        self._looked_at = -inf
        self.quarantine = quarantine_of(spool_dir, destination)
        self.dead_letters = dead_letters_of(spool_dir, destination)
        self._adoption = Adoption(spool_dir, destination, self.quarantine, self._bound.give_back)

    @property
    def is_open(self) -> bool:
        """Whether the spool is there."""
        return self._store is not None

    @property
    def path(self) -> Path | None:
        """The producer's directory, while the spool is there."""
        store = self._store
        return store.directory.path if store else None

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

    def open(self, spool: Spool) -> None:
        """Have the spool's segments made there from now on; do nothing where they are.

        Raises:
            SpoolUnusable: a spool cannot be kept there; with the reason, and what to do.
        """
        try:
            store = self._store or self._make_store()
        except SpoolUnusable:
            self.usable = False
            raise
        if not spool.uses(store):
            self._before = spool.use(store, self._max_spool_bytes)
            spool.seal_others(store)  # what came while it was closed is in memory; nothing else is to be
        self.usable = True

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
            self._producer_id = producer_id

    def tidy(self, spool: Spool, now: float, *, adopts: bool = True) -> str | None:
        """Do what has to be done now and then, on the delivery side; return what went wrong, in words.

        Args:
            spool: the spool that adopts.
            now: the time in seconds, of a clock that does not jump.
            adopts: whether to look for dead producers, where it is time for it.
        """
        moved = None
        lost = self._store if self._store and not self._store.directory.held() else None
        # Before looking for the dead: without the locks we look like one of them.
        if lost or (self._store is None and self._adoption.directories):
            with not_forking():  # a lock that a child inherits, see `_make_store`
                self._adoption.regain()
        if lost:
            moved = self._regain(lost) or self._relocate(spool, lost)
        due = now >= self.next_look_at or (self.expects_more and not spool.has_adopted)
        if adopts and due:
            self._looked_at = now
            self._adoption.look(spool.adopt)
            if not self._bound.enforce(spool.drop_oldest_adopted):
                self._looked_at = now + _MOMENT_SECONDS - LOOK_INTERVAL_SECONDS
            if self.expects_more and not spool.has_adopted:
                self.look_at_once()  # all of these were given up
        trouble = moved or self._adoption.trouble or (self._store.trouble if self._store else None)
        # Told once; the next one is news again.
        self._adoption.trouble = None
        if self._store is not None:
            self._store.trouble = None
        return trouble

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
        self._store = None
        if held:
            store.directory.remove_or_release()
        else:
            store.directory.release()

    def abandon(self) -> None:
        """Let go of everything in a forked child, without unlocking: it stays the parent's."""
        if self._store is not None:
            self._store.directory.abandon()
            self._store = None
        self._adoption.abandon()
        self._looked_at = inf

    def _make_store(self) -> FileStore:
        # A lock that a child inherits without knowing of it would keep the spool from adoption after our death.
        with explained(self._spool_dir), not_forking():
            reason = unmappable(self._spool_dir)
            if reason is not None:
                raise SpoolUnusable(reason)
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
            self._store = FileStore(directory, self._destination, self._bound, copies=copies)
            return self._store

    def _regain(self, store: FileStore) -> str | None:
        """Take our own locks again; return what to say of that, None where others have them or the directory is gone."""
        with not_forking():
            regained = regain(self._spool_dir, self._destination, store.directory.id)
            if regained is None:
                return None
            store.go_on_in(regained)
        return f'the locks of {regained.path} were lost (something closed all descriptors), and taken again'

    def _relocate(self, spool: Spool, lost: FileStore) -> str:
        """Begin a new directory: a daemoniser has closed our descriptors, and with them the locks are gone."""
        path = lost.directory.path
        self._adoption.leave(lost.directory.id)
        try:
            spool.use(self._make_store(), self._max_spool_bytes)
        except SpoolUnusable as error:
            self._store = None
            self.usable = False
            spool.use(MemoryStore(), self._max_spool_bytes)
            return f'{error.reason}. Events are kept in memory from now on'
        finally:
            # Not before: until then what is appended needs a segment.
            spool.seal()
        return f'the locks of {path} are lost (something closed its descriptors, or removed it); the spool goes on in {self.path}'
