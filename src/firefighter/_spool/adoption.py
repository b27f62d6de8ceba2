"""Taking over what dead producers have left, by a process that delivers to the same destination."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from firefighter._spool import header as headers
from firefighter._spool.boot import boot_id
from firefighter._spool.destination import Destination
from firefighter._spool.files import (
    SEGMENT_SUFFIX,
    TEMPORARY_PREFIX,
    adopted_segment,
    read_and_map,
    trouble_with_copies,
)
from firefighter._spool.filesystem import store_may_fail
from firefighter._spool.layout import HEADER_BYTES
from firefighter._spool.orphans import AT_ONCE, adopt_dead, regain
from firefighter._spool.producer import ProducerDirectory
from firefighter._spool.quarantine import Quarantine
from firefighter._spool.recovery import Recovery, recover
from firefighter._spool.segment import Origin, Segment
from firefighter._spool.unusable import SpoolUnusable

__all__ = ['Adoption']

# Of dead producers whose segments are kept in memory, since their files may fail: with so much of them nothing more is taken.
_MOST_COPIED_BYTES = 64 * 1024 * 1024


class _Adopted:
    """A dead producer's directory, and the segments of it that are not settled: what they go back to."""

    def __init__(self, directory: ProducerDirectory, gone: Callable[[int], None]) -> None:
        self.directory = directory
        self._gone = gone
        self.left: set[str] = set()
        self.copied_bytes = 0

    def discard(self, segment: Segment) -> None:
        """Remove a segment, and with the last one the directory."""
        if segment.name not in self.left:
            return
        self.left.discard(segment.name)
        with suppress(SpoolUnusable):  # whoever adopts it next finds it settled
            self.directory.unlink(segment.name)
            self._gone(segment.size_bytes)
        self.copied_bytes -= segment.size_bytes if segment.copied is not None else 0
        if not self.left:
            self.directory.remove_or_release()

    def release(self) -> None:
        """Let go of the directory: what is left in it is the next adopter's."""
        self.left.clear()
        self.copied_bytes = 0
        self.directory.release()


class Adoption:
    """Finds dead producers of one destination, and hands their segments over.

    Args:
        spool_dir: below which all producers are.
        destination: theirs and ours.
        quarantine: where torn bytes are put.
        gone: called with the bytes of each file that is removed.

    Attributes:
        newer: producers left alone, since a later version has written their segments.
        trouble: what went wrong at the last look, in words.
        expects_more: whether the last look has left some for the next one.
    """

    def __init__(
        self,
        spool_dir: Path,
        destination: Destination,
        quarantine: Quarantine,
        gone: Callable[[int], None] = lambda _size_bytes: None,
    ) -> None:
        self._spool_dir = spool_dir
        self._destination = destination
        self._quarantine = quarantine
        self._gone = gone
        self._newer: set[bytes] = set()
        self._left_alone: set[bytes] = set()
        self._adopted: list[_Adopted] = []
        self._boot_id = boot_id()
        self.trouble: str | None = None
        self.expects_more = False

    @property
    def newer(self) -> int:
        """Producers left alone, since a later version has written their segments."""
        return len(self._newer)

    @property
    def directories(self) -> list[ProducerDirectory]:
        """The dead producers' directories that are held."""
        return [adopted.directory for adopted in self._adopted if adopted.left]

    def leave(self, producer_id: bytes) -> None:
        """Never take over a producer of this process, whose locks were lost: its events are in the spool already."""
        self._left_alone.add(producer_id)

    def look(self, adopt: Callable[[Segment], None]) -> None:
        """Take over the dead producers that are there, and give each of their segments to `adopt`."""
        self.trouble = None
        try:
            found = adopt_dead(self._spool_dir, self._destination, leave=self._newer | self._left_alone)
        except SpoolUnusable as error:
            self.trouble = error.reason
            return
        # There may be more than are taken at once.
        self.expects_more = len(found) >= AT_ONCE
        # What the call needs is imported here, where forks are held off.
        copies = bool(found) and store_may_fail(self._spool_dir) and trouble_with_copies() is None
        for directory in found:
            if sum(adopted.copied_bytes for adopted in self._adopted) >= _MOST_COPIED_BYTES:
                self.expects_more = True
                directory.release()
                continue
            try:
                self._take_over(directory, adopt, copies=copies)
            except SpoolUnusable as error:
                self.trouble = error.reason
                directory.release()

    def regain(self) -> None:
        """Take the locks again whose descriptors something has closed."""
        for adopted in self._adopted:
            if adopted.left and not adopted.directory.held():
                # Where another process has them now, it delivers the same events: nothing can be done about that.
                adopted.directory = (
                    regain(self._spool_dir, self._destination, adopted.directory.id) or adopted.directory
                )

    def release(self, release: Callable[[Origin], None], in_flight: Collection[Segment]) -> bool:
        """Let go of the dead producers again, but for those whose events are on their way.

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
        self._adopted = [adopted for adopted in self._adopted if adopted.left]
        return not self._adopted

    def abandon(self) -> None:
        """Let go in a forked child, without unlocking: what the parent has adopted stays the parent's."""
        for adopted in self._adopted:
            adopted.directory.abandon()
        self._adopted = []

    def _take_over(
        self, directory: ProducerDirectory, adopt: Callable[[Segment], None], *, copies: bool
    ) -> None:
        adopted = _Adopted(directory, self._gone)
        segments = []
        try:
            for name in sorted(directory.listing()):
                if name.endswith(SEGMENT_SUFFIX):
                    segments += self._segments(adopted, name, copies=copies)
                elif name.startswith(TEMPORARY_PREFIX):
                    # The next segment, which it had ready: as large as a full one, and empty.
                    with suppress(SpoolUnusable):
                        directory.unlink(name)
        except headers.NewerVersion:
            # All of it stays: a part delivered here and the rest by the newer version would lose the order.
            self._newer.add(directory.id)
            self.trouble = (
                f'{directory.path} was written by a newer firefighter; it is left for one to deliver'
            )
            directory.release()
            return
        adopted.left = {segment.name for segment in segments}
        adopted.copied_bytes = sum(segment.size_bytes for segment in segments if segment.copied is not None)
        if not segments:
            directory.remove_or_release()
            return
        self._adopted = [other for other in self._adopted if other.left] + [adopted]
        for segment in segments:
            adopt(segment)

    def _segments(self, adopted: _Adopted, name: str, *, copies: bool) -> list[Segment]:
        """Return the segment that is in a file; none where there is nothing good, or where the file cannot be read."""
        try:
            segment = self._segment(adopted, name, copies=copies)
        except (SpoolUnusable, OSError) as error:
            # The others must not wait for it. It stays, for people and for the next look.
            self.trouble = f'{adopted.directory.path / name}: {error}'
            return []
        return [segment] if segment else []

    def _segment(self, adopted: _Adopted, name: str, *, copies: bool) -> Segment | None:
        """Return a segment with what is good in a file, None when nothing is; what is torn goes into quarantine."""
        # Read, and only then mapped: a page fault would wait for a cold disk with the interpreter lock held.
        data, mapping = read_and_map(adopted.directory, name)
        if mapping is None:
            adopted.directory.unlink(name)
            return None
        header, reason = _header(data)
        same_boot = header is not None and header.boot_id is not None and header.boot_id == self._boot_id
        recovery = recover(data, header, same_boot=same_boot)
        for torn in recovery.torn:
            self._put_aside(
                f'{adopted.directory.id.hex()}/{name}', torn.start, data[torn.start : torn.end], reason
            )
        if not recovery.good:
            adopted.directory.unlink(name)
            return None
        segment = adopted_segment(mapping, data, adopted, name, copies=copies)
        _resume(segment, recovery)
        return segment

    def _put_aside(self, segment: str, offset: int, data: bytes, reason: str) -> None:
        try:
            self._quarantine.put(segment, offset, data, reason)
        except (OSError, SpoolUnusable) as error:  # they are counted; what is good must not wait for them
            self.trouble = f'torn bytes could not be put into quarantine: {error}'


def _header(data: bytes) -> tuple[headers.Header | None, str]:
    try:
        return headers.read(data[:HEADER_BYTES]), 'torn'
    except headers.NotASegment as error:
        return None, error.reason


def _resume(segment: Segment, recovery: Recovery) -> None:
    good = recovery.good
    holes = [(before.end, after.start) for before, after in pairwise(good)]
    segment.resume(good[0].start, good[-1].end, recovery.events, holes, exact=recovery.exact)
