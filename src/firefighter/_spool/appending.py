"""The spool's near side: how an event of the application's gets in, and what gives way when there is no room.

**Append** is what the application's thread pays for. It takes one lock, an RLock, which is never held across a
system call except to roll over, and inside which no Python function is called: the interpreter looks for signals
and for exceptions thrown into the thread only at calls and jumps, so copy and commit cannot be parted. A thread
that is interrupted inside (by a signal handler or a destructor) and logs there finds the lock its own: that event is
set aside, and the interrupted frame appends it before it returns.

**Accounts** are derived, not kept beside the events: what was appended is the last segment's first sequence number plus
its count, both of which change with the one store that commits an event. What an app thread rejects, and what delivery
settles, are single stores under the lock. So a snapshot under the lock adds up at any moment.
"""

from __future__ import annotations

import _thread
import mmap
from collections.abc import Callable
from time import monotonic
from typing import Literal

from firefighter._spool.account import Account, Tally
from firefighter._spool.memory import MemoryStore
from firefighter._spool.segment import COMMITTED, HEADER_BYTES, ONE_EVENT, TAIL_MASK, Segment
from firefighter._spool.stock import Stock, Store
from firefighter._wakeup import Broadcast

__all__ = ['AppendSide', 'OverflowPolicy', 'full_segment', 'live_of']

OverflowPolicy = Literal['drop_oldest', 'drop_newest', 'block']

# An alarm that no commit reaches: the largest value of a header's word.
_NEVER = (1 << 64) - 1

# Of the newest segment, which is written to, what append needs (mapping, words, size); and all segments there are.
# Immutable: rolling over, dropping and retiring each publish a new one by a single store. A plain tuple: append takes
# it apart, which costs 30 ns more with a NamedTuple.
Live = tuple[mmap.mmap, memoryview, int, tuple[Segment, ...]]


def live_of(segments: tuple[Segment, ...]) -> Live:
    """Return what append needs, given all segments, the newest last."""
    newest = segments[-1]
    return newest.mapping, newest.words, newest.size_bytes, segments


def full_segment(first_sequence: int) -> Segment:
    """Return a header without room behind it, so that the next append rolls over."""
    segment = MemoryStore().make(HEADER_BYTES)
    segment.start_over(first_sequence)
    return segment


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
    """

    def __init__(
        self,
        max_bytes: int,
        overflow: OverflowPolicy = 'drop_oldest',
        block_timeout_seconds: float = 1.0,
        wake: Callable[[], None] = lambda: None,
        store: Store | None = None,
    ) -> None:
        self._store: Store = store or MemoryStore()
        self._stock = Stock(self._store, max_bytes)
        self._overflow = overflow
        self._block_timeout_seconds = block_timeout_seconds
        self._wake = wake
        # What `threading.RLock` is, unless gevent or eventlet have put one in its place that is written in Python: a signal
        # handler could interrupt that one half locked, and wait for it for ever. No greenlet is switched inside ours.
        self._lock = _thread.RLock()
        # A header without room behind it: the first append rolls over. A handler that never logs holds one page.
        self._live = live_of((full_segment(0),))
        self._alarm_tail = _NEVER
        self._alarm_committed = _NEVER
        self._aside: list[bytes] = []
        self._room = Broadcast()
        self._tally = Tally()

    def append(self, line: bytes) -> None:
        """Queue an event: one line, ended by its only newline, without NUL. Never raises for lack of room."""
        size = len(line)
        lock = self._lock
        if lock._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001  # no public way to ask
            self._aside.append(line)
            return
        if self._aside:  # left by a frame that an exception ended, and logged before this line
            self.append_set_aside(may_wait=True)
        with lock:
            mapping, words, limit, _ = self._live
            committed = words[COMMITTED]
            end = (committed & TAIL_MASK) + size
            if end <= limit:
                mapping[end - size : end] = line
                words[COMMITTED] = committed = committed + size + ONE_EVENT
        if end > limit:
            self._append_rolling_over(line)
        elif end > self._alarm_tail or committed >= self._alarm_committed:
            self._raise_alarm()
        if self._aside:
            self.append_set_aside(may_wait=True)

    def append_set_aside(self, *, may_wait: bool = False) -> None:
        """Append what logging calls have set aside that interrupted an append in their own thread.

        Not inside such a call itself (a signal handler that flushes): the interrupted frame may be rolling over.

        Args:
            may_wait: whether to wait for room where the policy is to. If not, the lines stay set aside until there is.
        """
        deadline = monotonic() + self._block_timeout_seconds
        while self._aside and not self.interrupted:
            with self._lock:
                if not self._aside:
                    return
                line = self._aside[0]
                size = len(line)
                waits = self._overflow == 'block' and self._stock.could_ever_hold(size)
                room = None
                if not self._commit(line, self._aside):
                    if waits and (not may_wait or monotonic() < deadline):
                        room = self._room.join()
                    else:
                        self._reject('overflow', size, self._aside)
            self._raise_alarm()
            if room is not None:
                if not may_wait:
                    self._room.leave(room)
                    return
                if not room.wait(deadline - monotonic()):
                    self._room.leave(room)

    @property
    def interrupted(self) -> bool:
        """Whether the calling thread is inside the spool: what asks is a signal handler or a destructor.

        Nothing may be waited for then, nor delivered: the frame below goes on only when this one has returned.
        """
        return self._lock._is_owned()  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001

    def reject(self, reason: str, size_bytes: int) -> None:
        """Count an event that was accepted from the program and will not be queued."""
        with self._lock:
            self._reject(reason, size_bytes, [])

    def tell(self) -> None:
        """Append what there is to tell of events that were dropped: nothing, where events have no ids."""

    def account(self) -> Account:
        """Return what became of the events up to this moment."""
        with self._lock:
            return self._tally.account(appended=self.appended, set_aside=len(self._aside))

    @property
    def appended(self) -> int:
        """Events ever committed; also the sequence number of the next one."""
        newest = self._segments[-1]
        return newest.first_sequence + newest.events

    @property
    def allocated_bytes(self) -> int:
        """Bytes of all segments, the spare and one that is being made or cleaned included."""
        return self._stock.allocated_bytes(self._segments)

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
        return tuple(segment for segment in self._segments if segment.size_bytes > HEADER_BYTES)

    def _append_rolling_over(self, line: bytes) -> None:
        size = len(line)
        deadline = monotonic() + self._block_timeout_seconds
        while True:
            with self._lock:
                if self._commit(line, []):
                    break
                hopeless = self._overflow != 'block' or not self._stock.could_ever_hold(size)
                if hopeless or monotonic() >= deadline:
                    self._reject('overflow', size, [])
                    return
                room = self._room.join()
            if not room.wait(deadline - monotonic()):
                self._room.leave(room)
        self._raise_alarm()

    def _commit(self, line: bytes, waiting: list[bytes]) -> bool:
        """Append a line after making room for it; return whether there is any. Call with the lock held.

        Args:
            line: the line.
            waiting: lines of which it is the first, which it leaves; or none.
        """
        size = len(line)
        while self._make_room(size):
            mapping, words, limit, _ = self._live
            committed = words[COMMITTED]
            end = (committed & TAIL_MASK) + size
            # Not so in a child that a signal handler has forked here: there the room that was made is the parent's.
            if end <= limit:
                # As in append, and for the same reason: no call until the line has left those that wait, so that an
                # exception thrown into this thread neither loses it nor queues it twice.
                mapping[end - size : end] = line
                words[COMMITTED] = committed + size + ONE_EVENT
                del waiting[:1]
                return True
        return False

    def _reject(self, reason: str, size_bytes: int, waiting: list[bytes]) -> None:
        """Count an event that is not queued; `waiting` as above. Call with the lock held."""
        tally = self._tally
        # No call among these: counted and gone, or neither.
        tally.rejected[reason] += 1
        tally.dropped_bytes[reason] += size_bytes
        del waiting[:1]

    def _make_room(self, size: int, *, may_drop: bool = True) -> bool:
        """See to it that the newest segment has room for a line. Call with the lock held."""
        _, words, limit, segments = self._live
        if (words[COMMITTED] & TAIL_MASK) + size <= limit:
            return True
        if sum(segment.head != segment.tail for segment in segments) > 1:
            self._stock.grow()  # a backlog, not just the end of a segment
        segment = self._stock.draw(size, self._in_use)
        if (
            segment is None
            and may_drop
            and self._overflow == 'drop_oldest'
            and self._dropping_would_help(size)
        ):
            while segment is None and self._drop_oldest():
                segment = self._stock.draw(size, self._in_use)
        if segment is None:
            return False
        # An exception that comes here leaves a segment behind, which `tidy` finds.
        self._store.begin(segment, self.appended)
        self._live = live_of((*self._in_use, segment))
        return True

    def _dropping_would_help(self, size: int) -> bool:
        """Return whether a line would fit if all was dropped that can be: else nothing should be."""
        newest = self._segments[-1]
        kept = (segment for segment in self._in_use if segment is newest or not segment.droppable)
        return self._stock.would_fit(size, kept)

    def _drop_oldest(self) -> bool:
        """Drop the oldest segment that nothing hinders to drop; return whether there was one."""
        segments = self._segments
        for segment in segments[:-1]:
            if not segment.droppable:
                continue
            self._note_dropping(segment)
            remaining = live_of(tuple(other for other in segments if other is not segment))
            lost = segment.events - segment.head_events
            size_bytes = segment.tail - segment.head
            # No call among these, so that nothing can come between: counted and gone, or neither.
            self._tally.dropped['overflow'] += lost
            self._tally.dropped_bytes['overflow'] += size_bytes
            self._live = remaining
            segment.origin.discard(segment)
            return True
        return False

    def _note_dropping(self, segment: Segment) -> None:
        """Take note that the events of a segment are about to be dropped."""

    def _raise_alarm(self) -> None:
        """Wake delivery, once for each time that it armed."""
        if self._alarm_tail != _NEVER:
            self.disarm()
            self._wake()
