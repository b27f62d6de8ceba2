"""The spool's near side: how the application appends an event, and which event is dropped when there is no room.

**Append** is what the application's thread pays for. It takes one lock, an RLock, which is never held across a
system call except to roll over. An event joins a queue, `_aside`, when it cannot go straight in, because there is no room or others wait
already. So does an event that is logged by a signal handler or a destructor which has interrupted this thread inside append. All are
appended by the same few lines. `_next_waiting` does what has to be done before, and returns the event whose turn it is.

**Accounts** are derived, not kept beside the events: what was appended is the last segment's first sequence number plus
its count. Both change with the one store that commits an event. Rejections and drops are counted under the lock, by stores of
which an exception cannot leave only some (`store_all`). So a snapshot under the lock adds up at any moment.

**No generators and no nested functions** are made in append, nor generator expressions: CPython 3.12 and 3.13 crash where there is no
memory for one.
"""

from __future__ import annotations

import _thread
import mmap
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal

from firefighter._event.ids import PLACE, Dropped
from firefighter._process.waiting import Broadcast, monotonic
from firefighter._spool.allocator import SegmentAllocator, SegmentStore
from firefighter._spool.layout import COMMITTED, HEADER_BYTES, ONE_EVENT, TAIL_MASK
from firefighter._spool.segment import MemoryStore, Segment
from firefighter._spool.set_aside import NO_EVENT, Waiting, locked, store_all
from firefighter._spool.spool_account import Account, Tally

if TYPE_CHECKING:
    from firefighter._spool.copied_segment import CopiedWords

__all__ = ['AppendSide', 'Live', 'OverflowPolicy', 'live_of', 'segment_without_room']

OverflowPolicy = Literal['drop_oldest', 'drop_newest', 'block']

# An alarm that no commit reaches: the largest value of a header's word.
_NEVER = (1 << 64) - 1
# An end that is beyond every alarm.
_BEHIND_ALL = _NEVER + 1

_PLACE_BYTES = len(PLACE)

# Of the newest segment, which is written to, what append needs (mapping, words, size); and all segments there are.
# Immutable: rolling over, dropping and retiring each publish a new one by a single store. A plain tuple: append takes
# it apart, which costs 30 ns more with a NamedTuple.
Live = tuple[mmap.mmap, 'memoryview | CopiedWords', int, tuple[Segment, ...]]


def live_of(segments: tuple[Segment, ...]) -> Live:
    """Return what append needs, given all segments, the newest last."""
    newest = segments[-1]
    words = newest.words if newest.copied is None else newest.copied
    return newest.mapping, words, newest.size_bytes, segments


def segment_without_room(first_sequence: int) -> Segment:
    """Return a segment of a header alone, so that the next append rolls over."""
    segment = MemoryStore().make(HEADER_BYTES)
    segment.start_over(first_sequence)
    return segment


def _always() -> bool:
    return True


class AppendSide:
    """A bounded queue of events in segments, as the application sees it.

    Args:
        max_bytes: the bound of what is allocated, in bytes, headers and the spare segment included; at least
            MIN_SPOOL_BYTES.
        overflow: what gives way when the bound is reached. "drop_oldest": the oldest segment that delivery has not
            begun with (then, when there is none, the new event). "drop_newest": the new event. "block": append waits
            for room, then the new event gives way.
        block_timeout_seconds: how long "block" waits.
        wake: called in the appending thread when what waits reaches the alarm that `arm` has set.
        store: what segments are made of; private memory when it is not given.

    Attributes:
        tally: what the segments themselves do not hold.
        changes_place: whether the directory is being opened or closed. Meanwhile events wait, and go to the place that is there after that.
        may_wait: returns whether "block" waits. The thread that makes room must not: it would wait for itself.
    """

    # What `NumberedSpool` has: how an id is put in, the next number, and which drops a marker has to report before the next event.
    _numbering: bytes | None = None
    _next_number = 0
    _unreported_drops: tuple[Dropped, ...] = ()

    def __init__(
        self,
        max_bytes: int,
        overflow: OverflowPolicy = 'drop_oldest',
        block_timeout_seconds: float = 1.0,
        wake: Callable[[], None] = lambda: None,
        store: SegmentStore | None = None,
    ) -> None:
        self._store: SegmentStore = store or MemoryStore()
        self._allocator = SegmentAllocator(self._store, max_bytes)
        self._first_store = self._store, max_bytes
        self._overflow = overflow
        self._block_timeout_seconds = block_timeout_seconds
        self._wake = wake
        self.changes_place = False
        self.may_wait: Callable[[], bool] = _always
        # This is `threading.RLock`, unless gevent or eventlet have replaced that with one written in Python. A signal handler could
        # interrupt such a lock while it is half taken, and wait for it for ever. No greenlet is switched inside ours.
        self._lock = _thread.RLock()
        # A header alone: the first append rolls over. A handler that never logs holds one page.
        self._live = live_of((segment_without_room(0),))
        self._alarm_tail = _NEVER
        self._alarm_committed = _NEVER
        # Changed in place only, by whoever holds the lock; but anybody may add to its end.
        self._aside: list[Waiting] = []
        self._room = Broadcast()
        self.tally = self._tally = Tally()

    # Long, since its parts must not be parted by a call.
    def append(self, line: bytes | None) -> None:  # noqa: C901, PLR0912, PLR0915
        """Queue an event: one line, ended by its only newline, without NUL. Never raises an Exception.

        An event that cannot be queued is counted as dropped: for lack of room, or as failed.

        **Why no exception, at whatever bytecode it comes, loses or doubles an event, or leaves the lock taken:**

        - The store into `words[COMMITTED]` decides. Before it nothing has happened. What belongs to it (a number is used
          up, a line waits no more) is only stored, and stored again when an exception comes between. What could fail is
          done before the copy; and from the copy to the last of these stores nothing is called.
        - An event that does not go straight in joins the queue, at its end, and is appended from there, by this call or
          a later one. Whatever comes then, it is in the queue or settled.
        - A call of the same thread from within finds the lock its own. It only adds to the queue, and the frame below
          empties that. So as long as a frame holds the lock, nobody else changes anything.
        - After that question, this is the outermost frame of its thread. Whatever is raised, the lock is given back if
          it is this thread's; to find out, giving it back is tried. It is taken inside the `try` that gives it back, not
          by `with`: CPython 3.14 looks for signals between a `with` and its block.

        Checked with an exception at each bytecode on CPython 3.10 to 3.15, with each allocation failing on 3.10 to 3.13
        (tests/faults/each_bytecode.py). All of it holds for one exception. A second one, while the first is
        handled, can come only where CPython looks for signals, at calls and jumps: the lock is given back then, too.

        Args:
            line: the event; None: append only what waits.
        """
        own = waiting = None
        after = 0  # the word that the last commit stores; 0 while no commit of ours is under way
        lock = self._lock
        aside = self._aside
        try:
            if lock._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001  # no public way to ask
                own = self._make_waiting(line)
                aside.append(own)
                return
            try:
                lock.acquire()
                while True:
                    if aside or line is None:
                        after = 0
                        if own is None:
                            own = self._make_waiting(line)
                            aside.append(own)
                        waiting = self._next_waiting()
                        if waiting is None:
                            end = _BEHIND_ALL
                            break
                        line = waiting.line
                    event = line
                    numbering = self._numbering
                    if numbering:
                        if self._unreported_drops and waiting is None:
                            aside.append(NO_EVENT)
                            continue
                        following = self._next_number
                        if not line[-1]:
                            event = line[:-_PLACE_BYTES] + numbering % following
                            following += 1
                    size = len(event)
                    # From here to the commit nothing is called: a signal handler could fork, and the child would commit, too.
                    mapping, words, limit, _ = self._live
                    committed = words[COMMITTED]
                    tail = committed & TAIL_MASK
                    end = tail + size
                    if end > limit:
                        if waiting is not None:
                            # A signal handler has forked, and this is the child: the room is the parent's, as the event.
                            break
                        aside.append(NO_EVENT)  # only to have the line join the queue, above
                        continue
                    after = committed + size + ONE_EVENT
                    mapping[tail:end] = event
                    words[COMMITTED] = after
                    if numbering:
                        self._next_number = following  # type: ignore[possibly-undefined]  # set above
                    if waiting is None:
                        break
                    waiting.settled = True
                    self._note_appended(waiting)
                    line = None
                lock.release()
            except BaseException as error:
                try:
                    if lock._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001  # as above
                        # This is asked here, without a call, because there may be no stack for `_complete_commit`: there was none for
                        # the store where that is a function (`CopiedWords`).
                        if after and words[COMMITTED] != after:  # type: ignore[possibly-undefined]  # as below
                            after = 0
                        if after:
                            after = self._complete_commit(after, following if numbering else None, waiting)  # type: ignore[possibly-undefined]
                        if isinstance(error, Exception) and own in aside:
                            aside.remove(own)
                finally:
                    try:  # noqa: SIM105  # before a call of `suppress` there could be a signal
                        lock.release()
                    except RuntimeError:  # it is given back, or was not taken
                        pass
                raise
            if end > self._alarm_tail or after >= self._alarm_committed:
                self._raise_alarm()
            if aside and own is not NO_EVENT:
                self.append_set_aside(may_wait=True)
        except Exception:  # an alarm that is lost costs an interval
            settled = bool(after) or line is None if own is None else own in aside or own.settled
            if not settled:
                self._tally.failed += 1

    def keep_aside(self, line: bytes) -> None:
        """Queue an event that is appended with the next one, or by an `append(None)`."""
        self._aside.append(self._make_waiting(line))

    def set_aside(self, line: bytes) -> None:
        """Queue an event that is appended when the place changes no more."""
        self.keep_aside(line)
        self.append_set_aside()

    def append_set_aside(self, *, may_wait: bool = False) -> None:
        """Append what waits: what was logged inside append, or found no room.

        Not inside such a call itself (a signal handler that flushes): the interrupted frame may be rolling over.

        Args:
            may_wait: whether to wait for room where the policy is to.
        """
        last = self._aside[-1:]
        while last and not (self.interrupted or self.changes_place):
            room = self._room.join()
            try:
                left_seconds = last[0].deadline - monotonic()
                self.append(None)
                hopeless = not may_wait or self._overflow != 'block' or left_seconds <= 0
                if last[0].settled or hopeless:
                    return
                room.wait(left_seconds)
            finally:
                self._room.leave(room)

    @property
    def has_waiting(self) -> bool:
        """Whether an event waits to be appended."""
        return any(not waiting.settled for waiting in self._aside)

    @property
    def interrupted(self) -> bool:
        """Whether the calling thread is inside the spool: what asks is a signal handler or a destructor.

        Nothing may be waited for then, nor delivered: the frame below goes on only when this one has returned.
        """
        return self._lock._is_owned()  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001

    def reject(self, reason: str, size_bytes: int) -> None:
        """Count an event that was accepted from the program and will not be queued."""
        own = None
        try:
            own = Waiting(b'', size_bytes, 0.0, reason)
            self._aside.append(own)
            if not self.interrupted:
                self.append(None)
        except Exception:
            if own is None or not (own in self._aside or own.settled):
                self._tally.failed += 1

    def append_marker(self) -> None:
        """Append a marker that reports the events that were dropped. Where events have no ids there is none."""

    @locked
    def account(self) -> Account:
        """Return what became of the events up to this moment."""
        return self._tally.account(self.appended, [waiting for waiting in self._aside if not waiting.settled])

    @property
    def appended(self) -> int:
        """Events ever committed; also the sequence number of the next one."""
        newest = self._segments[-1]
        return newest.first_sequence + newest.events

    @property
    def allocated_bytes(self) -> int:
        """Bytes of all segments, the spare and one that is being made or cleaned included."""
        return self._allocator.allocated_bytes(self._segments)

    def disarm(self) -> None:
        """Ask for no wake until the next `arm`."""
        self._alarm_tail = self._alarm_committed = _NEVER

    # Inside.

    @property
    def _segments(self) -> tuple[Segment, ...]:
        return self._live[3]

    @property
    def _in_use(self) -> tuple[Segment, ...]:
        """The segments that have room for events: a mere header, with which a spool begins, must not keep a real one out."""
        return tuple([segment for segment in self._segments if segment.size_bytes > HEADER_BYTES])

    def _make_waiting(self, line: bytes | None) -> Waiting:
        """Return what is to join the queue."""
        if line is None:
            return NO_EVENT
        return Waiting(
            line, len(line), monotonic() + (self._block_timeout_seconds if self.may_wait() else 0.0)
        )

    def _complete_commit(self, after: int, following: int | None, waiting: Waiting | None) -> int:
        """Complete a commit that an exception has interrupted; return the word it stored, 0 if it did not come to be."""
        if self._live[1][COMMITTED] != after:
            return 0
        if following is not None:
            self._next_number = following
        if waiting is not None:
            waiting.settled = True
            self._note_appended(waiting)
        return after

    def _next_waiting(self) -> Waiting | None:
        """Return the first event that waits, if there is room for it; None if not, or if none waits. Call with the lock held.

        Events that are to be dropped leave the queue here.
        """
        aside = self._aside
        while aside:
            waiting = aside[0]
            if waiting.settled:
                self._note_appended(waiting)
                continue
            reason = waiting.reason
            if not reason:
                if self._make_room(waiting.size_bytes):
                    return waiting
                may_fit = self._overflow == 'block' and self._allocator.could_ever_hold(waiting.size_bytes)
                if may_fit and monotonic() < waiting.deadline:
                    return None
                reason = 'overflow'
            store_all(self._prepare_rejection(waiting, reason))
        return None

    def _note_appended(self, waiting: Waiting) -> None:
        """Let go of what waits no more; twice is as good as once. Call with the lock held."""
        aside = self._aside
        if aside and aside[0] is waiting:
            del aside[0]

    def _prepare_rejection(self, waiting: Waiting, reason: str) -> Callable[[], None]:
        """Return what counts an event as dropped that is not queued. Call with the lock held."""
        tally = self._tally
        size_bytes = tally.dropped_bytes[reason] + waiting.size_bytes
        return partial(self._store_rejected, waiting, reason, tally.rejected[reason] + 1, size_bytes)

    def _store_rejected(self, waiting: Waiting, reason: str, events: int, size_bytes: int) -> None:
        self._tally.rejected[reason] = events
        waiting.settled = True
        self._tally.dropped_bytes[reason] = size_bytes
        self._note_appended(waiting)

    def _make_room(self, size: int, *, may_drop: bool = True) -> bool:
        """See to it that the newest segment has room for a line. Call with the lock held."""
        _, words, limit, segments = self._live
        if (words[COMMITTED] & TAIL_MASK) + size <= limit:
            return True
        allocator = self._allocator
        if sum([segment.head != segment.tail for segment in segments]) > 1:
            allocator.use_larger_segments()  # a backlog, not just the end of a segment
        segment = allocator.allocate(size, self._in_use)
        if (
            segment is None
            and may_drop
            and self._overflow == 'drop_oldest'
            and self._dropping_would_help(size)
        ):
            while segment is None and self._drop_oldest():
                segment = allocator.allocate(size, self._in_use)
        # In a child that a signal handler has forked meanwhile, the allocator is another one, and the segment is the parent's.
        if segment is None or self._allocator is not allocator:
            return False
        # A segment that an exception leaves here is found by `tidy`.
        self._store.begin(segment, self.appended)
        live = live_of((*self._in_use, segment))
        if self._allocator is allocator:
            self._live = live
        return True

    def _dropping_would_help(self, size: int) -> bool:
        """Return whether a line would fit if all was dropped that can be: else nothing should be."""
        newest = self._segments[-1]
        kept = [segment for segment in self._in_use if segment is newest or not segment.droppable]
        return self._allocator.would_fit(size, kept)

    def _drop_oldest(self) -> bool:
        """Drop the oldest segment that nothing hinders to drop; return whether there was one."""
        for segment in self._segments[:-1]:
            if segment.droppable:
                store_all(self._prepare_drop(segment))
                segment.origin.discard(segment)
                return True
        return False

    def _prepare_drop(self, segment: Segment) -> Callable[[], None]:
        """Return what takes a segment out and counts its events as dropped. Call with the lock held."""
        live = self._live
        remaining = live_of(tuple([other for other in live[3] if other is not segment]))
        tally = self._tally
        events = tally.dropped['overflow'] + segment.events - segment.head_events
        size_bytes = tally.dropped_bytes['overflow'] + segment.tail - segment.head
        return partial(self._store_dropped, live, remaining, events, size_bytes)

    def _store_dropped(self, live: Live, remaining: Live, events: int, size_bytes: int) -> None:
        # Neither: a signal handler has forked, and this is the child.
        if self._live is live or self._live is remaining:
            self._live = remaining
            self._tally.dropped['overflow'] = events
            self._tally.dropped_bytes['overflow'] = size_bytes

    def _note_adopted_drop(self, segment: Segment) -> None:
        """Take note that the events of a dead producer's segment are about to be dropped."""

    def _raise_alarm(self) -> None:
        """Wake delivery, once for each time that it armed."""
        if self._alarm_tail != _NEVER:
            self.disarm()
            self._wake()
