"""A spool's place on disk: the producer's directory, the store in it, and the orphans beside it."""

from __future__ import annotations

from contextlib import suppress
from math import inf
from pathlib import Path

from firefighter._lifecycle import not_forking
from firefighter._spool.adoption import Adoption
from firefighter._spool.bound import DirectoryBound
from firefighter._spool.destination import Destination
from firefighter._spool.directory import create
from firefighter._spool.files import FileStore
from firefighter._spool.filesystem import unmappable
from firefighter._spool.kept import dead_letters_of, quarantine_of
from firefighter._spool.mapping import prepare_to_map
from firefighter._spool.memory import MemoryStore
from firefighter._spool.orphans import regain
from firefighter._spool.producer import ProducerDirectory
from firefighter._spool.spool import Spool
from firefighter._spool.unusable import SpoolUnusable

__all__ = ['Disk']

# Between two looks for dead producers. A new process looks at once; this is for those that die while others live.
LOOK_INTERVAL_SECONDS = 30.0


class Disk:
    """What a handler's spool has on disk, in one process.

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
        self._directory: ProducerDirectory | None = None
        self._store: FileStore | None = None
        self._looked_at = -inf
        self.quarantine = quarantine_of(spool_dir, destination)
        self.dead_letters = dead_letters_of(spool_dir, destination)
        self._adoption = Adoption(spool_dir, destination, self.quarantine, self._bound.give_back)

    @property
    def is_open(self) -> bool:
        """Whether the spool is there."""
        return self._directory is not None

    @property
    def path(self) -> Path | None:
        """The producer's directory, while the spool is there."""
        return self._directory.path if self._directory else None

    @property
    def newer_producers(self) -> int:
        """Dead producers left alone, since a later version has written their segments."""
        return self._adoption.newer

    def open(self, spool: Spool) -> None:
        """Have the spool's segments made there from now on.

        Raises:
            SpoolUnusable: a spool cannot be kept there; with the reason, and what to do.
        """
        reason = unmappable(self._spool_dir)
        if reason is not None:
            raise SpoolUnusable(reason)
        # A lock that a child inherits without knowing of it would keep the spool from adoption after our death.
        with not_forking():
            self._directory = create(self._spool_dir, self._destination, self._producer_id)
            self._producer_id = None  # a later one is another directory
            prepare_to_map()
        self._store = FileStore(self._directory, self._destination, self._bound)
        spool.use(self._store, self._max_spool_bytes)

    def tidy(self, spool: Spool, now: float) -> str | None:
        """Do what has to be done now and then, on the delivery side; return what went wrong, in words.

        Args:
            spool: the spool that adopts.
            now: the time in seconds, of a clock that does not jump.
        """
        moved = None
        if self._directory is not None and not self._directory.held():
            # Before looking for the dead: without the locks we look like one of them.
            self._adoption.regain()
            moved = self._relocate(spool)
        if now - self._looked_at >= LOOK_INTERVAL_SECONDS:
            self._looked_at = now
            with not_forking():  # for the same reason
                self._adoption.look(spool.adopt)
            self._bound.look()
            while self._bound.excess_bytes:
                if not spool.drop_oldest_adopted():
                    break
        trouble = moved or self._adoption.trouble or (self._store.trouble if self._store else None)
        # Told once; the next one is news again.
        self._adoption.trouble = None
        if self._store is not None:
            self._store.trouble = None
        return trouble

    def close(self, spool: Spool) -> None:
        """Remove the directory if everything in it is settled; otherwise it stays, held until the process ends."""
        if self._directory is None or spool.settled_through < spool.appended:
            return
        if not self._directory.held():
            self._relocate(spool)
        spool.seal()
        spool.tidy()
        with suppress(SpoolUnusable):  # then it stays for whoever looks next, who finds nothing to deliver
            self._remove()

    def _remove(self) -> None:
        if self._directory is None or self._directory.remove():
            self._directory = self._store = None

    def abandon(self) -> None:
        """Let go of it in a forked child, without unlocking: it stays the parent's."""
        if self._directory is not None:
            self._directory.abandon()
        self._adoption.abandon()

    def _relocate(self, spool: Spool) -> str:
        """Begin a new directory: a daemoniser has closed our descriptors, and with them the locks are gone."""
        path, old, store = self.path, self._directory, self._store
        regained = regain(self._spool_dir, self._destination, old.id) if old else None
        if regained and store:
            self._directory = regained
            store.go_on_in(regained)
            return f'the locks of {path} were lost (something closed all descriptors), and taken again'
        try:
            self.open(spool)
        except SpoolUnusable as error:
            self._directory = self._store = None
            spool.use(MemoryStore(), self._max_spool_bytes)
            return f'{error.reason}. Events are kept in memory from now on'
        finally:
            # Not before: until then what is appended needs a segment.
            spool.seal()
        return f'the locks of {path} are lost (something closed its descriptors, or removed it); the spool goes on in {self.path}'
