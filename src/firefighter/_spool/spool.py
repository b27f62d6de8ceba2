"""The spool: a producer's sequence of segments, appended to by the application and read by delivery.

    append (any thread)  ->  [ settled | read, on its way | committed ]  ->  take, acknowledge, drop (one thread)
                                    head          read_offset       tail

**Append** is what the application's thread pays for. It takes one lock, an RLock, which is never held across a
system call except to roll over, and inside which no Python function is called: the interpreter looks for signals
and for exceptions thrown into the thread only at calls and jumps, so copy and commit cannot be parted. A thread
that is interrupted inside (by a signal handler or a destructor) and logs there finds the lock its own: that event is
set aside, and the interrupted frame appends it before it returns.

**Accounts** are derived, not kept beside the events: what was appended is the last segment's first sequence number plus
its count, both of which change with the one store that commits an event. What an app thread rejects, and what delivery
settles, are single stores under the lock. So a snapshot under the lock adds up at any moment.

**Claims.** Delivery claims a segment by beginning to read it. `drop_oldest` takes the oldest segment that is not claimed.
So no event is both dropped and sent.
"""

from __future__ import annotations

import mmap
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Literal, NamedTuple

from firefighter._escaping import restore
from firefighter._spool.memory import MemoryStore
from firefighter._spool.segment import COMMITTED, HEADER_BYTES, ONE_EVENT, TAIL_MASK, Segment
from firefighter._spool.stock import MIN_SPOOL_BYTES, Stock, Store
from firefighter._wakeup import Broadcast

__all__ = ['MIN_SPOOL_BYTES', 'Account', 'OverflowPolicy', 'Spool', 'SpooledEvent']

OverflowPolicy = Literal['drop_oldest', 'drop_newest', 'block']

# An alarm that no commit reaches: the largest value of a header's word.
_NEVER = (1 << 64) - 1


class SpooledEvent(NamedTuple):
    """One event on its way to Firehose, and where its line lies."""

    data: bytes
    segment: Segment
    start: int
    end: int


class Account(NamedTuple):
    """What became of the events, at one moment.

    `accepted + adopted == delivered + sum(dropped.values()) + pending`.
    """

    accepted: int
    delivered: int
    dropped: Mapping[str, int]
    dropped_bytes: Mapping[str, int]
    pending: int
    adopted: int = 0


# Of the newest segment, which is written to, what append needs (mapping, words, size); and all segments there are.
# Immutable: rolling over, dropping and retiring each publish a new one by a single store. A plain tuple: append takes
# it apart, which costs 30 ns more with a NamedTuple.
_Live = tuple[mmap.mmap, memoryview, int, tuple[Segment, ...]]


def _live(segments: tuple[Segment, ...]) -> _Live:
    newest = segments[-1]
    return newest.mapping, newest.words, newest.size_bytes, segments


class Spool:
    """A bounded queue of events in segments.

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
        self._lock = threading.RLock()
        # A header without room behind it: the first append rolls over. A handler that never logs holds one page.
        self._live = _live((_full_segment(0),))
        self._alarm_tail = _NEVER
        self._alarm_committed = _NEVER
        self._aside: deque[bytes] = deque()
        self._room = Broadcast()
        # Segments of dead producers, and the events that were pending in them.
        self._adopted: tuple[Segment, ...] = ()
        self._adopted_events = 0
        self._delivered = 0
        # Events for each reason: those that never came into a segment, and those that did. Counted by `+=` without a
        # call in it, so that a signal handler whose own event is dropped cannot come between reading and storing.
        self._rejected: defaultdict[str, int] = defaultdict(int)
        self._dropped: defaultdict[str, int] = defaultdict(int)
        self._dropped_bytes: defaultdict[str, int] = defaultdict(int)

    # The application's side.

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
                if self._make_room(size):
                    mapping, words, _, _ = self._live
                    committed = words[COMMITTED]
                    tail = committed & TAIL_MASK
                    # As in append, and for the same reason: from here no call until the event has left `_aside`,
                    # so that an exception thrown into this thread neither loses it nor queues it twice.
                    mapping[tail : tail + size] = line
                    words[COMMITTED] = committed + size + ONE_EVENT
                    del self._aside[0]
                elif waits and (not may_wait or monotonic() < deadline):
                    room = self._room.join()
                else:
                    self._rejected['overflow'] += 1
                    self._dropped_bytes['overflow'] += size
                    del self._aside[0]
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
            self._rejected[reason] += 1
            self._dropped_bytes[reason] += size_bytes

    def account(self) -> Account:
        """Return what became of the events up to this moment."""
        with self._lock:
            set_aside = len(self._aside)
            appended, delivered, adopted = self.appended, self._delivered, self._adopted_events
            rejected, dropped = dict(self._rejected), dict(self._dropped)
            dropped_bytes = dict(self._dropped_bytes)
        return Account(
            accepted=appended + set_aside + sum(rejected.values()),
            delivered=delivered,
            dropped={
                reason: total
                for reason in sorted(rejected.keys() | dropped.keys())
                if (total := rejected.get(reason, 0) + dropped.get(reason, 0))
            },
            dropped_bytes=dropped_bytes,
            pending=appended + adopted + set_aside - delivered - sum(dropped.values()),
            adopted=adopted,
        )

    @property
    def appended(self) -> int:
        """Events ever committed; also the sequence number of the next one."""
        newest = self._segments[-1]
        return newest.first_sequence + newest.events

    @property
    def allocated_bytes(self) -> int:
        """Bytes of all segments, the spare and one that is being made or cleaned included."""
        return self._stock.allocated_bytes(self._segments)

    # Delivery's side: one thread at a time.

    def waiting(self) -> tuple[int, int]:
        """Return how many events, and how many bytes, are committed and not taken yet."""
        segments = (*self._segments, *self._adopted)
        events = sum(segment.events - segment.read_events for segment in segments)
        return events, sum(segment.unread_bytes for segment in segments)

    @property
    def window_bytes(self) -> int:
        """Bytes between the head and the end of what was taken."""
        return sum(segment.read_offset - segment.head for segment in (*self._segments, *self._adopted))

    @property
    def taken_through(self) -> int:
        """The sequence number before which every event has been taken or dropped."""
        for segment in self._segments:
            if segment.unread_bytes:
                return segment.first_sequence + segment.read_events
        return self.appended

    @property
    def settled_through(self) -> int:
        """The sequence number before which every event is delivered or dropped."""
        for segment in self._segments:
            if segment.head != segment.tail:
                return segment.first_sequence + segment.head_events
        return self.appended

    def arm(self, *, more_bytes_than: int, events: int) -> bool:
        """Ask for `wake` as soon as more bytes than that, or so many events, wait to be taken.

        Returns:
            False, and no alarm is set, when that is so already.
        """
        live = self._live
        _, words, _, segments = live
        newest = segments[-1]
        waiting_events, waiting_bytes = self.waiting()
        sealed_events = waiting_events - (newest.events - newest.read_events)
        sealed_bytes = waiting_bytes - newest.unread_bytes
        alarm_tail = max(0, newest.read_offset + more_bytes_than - sealed_bytes)
        alarm_committed = max(0, newest.read_events + events - sealed_events) * ONE_EVENT
        with self._lock:
            committed = words[COMMITTED]
            if self._live is not live or committed & TAIL_MASK > alarm_tail or committed >= alarm_committed:
                return False
            self._alarm_tail = alarm_tail
            self._alarm_committed = alarm_committed
            return True

    def disarm(self) -> None:
        """Ask for no wake until the next `arm`."""
        self._alarm_tail = self._alarm_committed = _NEVER

    def take(self, max_events: int, max_bytes: int) -> list[SpooledEvent]:
        """Return the oldest events not taken yet, at most so many, of at most so many bytes together.

        They stay in the spool until they are acknowledged or dropped.
        """
        taken: list[SpooledEvent] = []
        for segment in (*self._segments, *self._adopted):
            while segment.unread_bytes and self._claim(segment):
                if segment.read_offset == segment.hole_start:
                    segment.skip_hole()
                    continue
                events, size_bytes = _read(segment, max_events - len(taken), max_bytes)
                if not events:
                    return taken
                taken += events
                max_bytes -= size_bytes
        return taken

    def acknowledge(self, events: Sequence[SpooledEvent]) -> None:
        """Count events as delivered, and let go of them."""
        delivered = len(events)
        with self._lock:
            self._delivered += delivered
        self._settle(events)

    def drop(self, events: Sequence[SpooledEvent], reason: str) -> None:
        """Count events that were taken as dropped, and let go of them."""
        dropped, size_bytes = len(events), sum(len(event.data) for event in events)
        with self._lock:
            self._dropped[reason] += dropped
            self._dropped_bytes[reason] += size_bytes
        self._settle(events)

    @property
    def has_adopted_waiting(self) -> bool:
        """Whether events of dead producers have not been taken yet."""
        return any(segment.unread_bytes for segment in self._adopted)

    @property
    def has_adopted(self) -> bool:
        """Whether events of dead producers are not settled yet."""
        return bool(self._adopted)

    def use(self, store: Store, max_bytes: int) -> None:
        """Have segments made by another store from now on; the spare one of the old is given up."""
        with self._lock:
            self._stock.discard_spare()
            self._store = store
            self._stock = Stock(store, max_bytes)

    def abandon(self) -> None:
        """Let go of everything in a forked child: it stays the parent's.

        An append that was interrupted by the fork (in a signal handler, or a `__str__`) goes on in the child too, into
        nothing: the parent's memory, where it is a file, is the child's as well, and the parent appends that event.
        """
        if not self.interrupted:
            self._lock._at_fork_reinit()  # type: ignore[attr-defined]  # noqa: SLF001  # as logging does with its own
        self._store = MemoryStore()
        self._stock = Stock(self._store, MIN_SPOOL_BYTES)
        self._aside.clear()
        self._adopted = ()
        self._live = _live((_full_segment(0),))
        self.disarm()

    def seal(self) -> None:
        """End the segment that is written to: the next append rolls over to a new one."""
        with self._lock:
            self._stock.discard_spare()
            self._live = _live((*self._segments, _full_segment(self.appended)))

    def adopt(self, segment: Segment) -> None:
        """Take over the events of a dead producer's segment: delivered after our own, beyond the bound."""
        with self._lock:
            self._adopted = (*self._adopted, segment)
            self._adopted_events += segment.events

    def drop_oldest_adopted(self) -> int:
        """Drop the oldest adopted segment that delivery has not begun with; return its bytes, 0 when there is none."""
        for segment in self._adopted:
            if segment.read_offset != segment.head or segment.head == segment.tail:
                continue
            remaining = tuple(other for other in self._adopted if other is not segment)
            dropped, size_bytes = segment.events - segment.head_events, segment.tail - segment.head
            with self._lock:
                self._dropped['overflow'] += dropped
                self._dropped_bytes['overflow'] += size_bytes
                self._adopted = remaining
            segment.origin.discard(segment)
            return segment.size_bytes
        return 0

    def tidy(self) -> None:
        """Let go of what is settled, and have the next segment ready when the one in use is half full."""
        if self._aside:
            self.append_set_aside()
        segments = self._segments
        settled = [segment for segment in segments[:-1] if segment.head == segment.tail]
        if settled:
            self._retire(settled)
        for segment in self._adopted:
            if segment.head == segment.tail:
                self._adopted = tuple(other for other in self._adopted if other is not segment)
                segment.origin.discard(segment)
        with self._lock:
            self._store.sweep(self._stock.with_spare(self._segments))
        newest = segments[-1]
        # A header without room is no segment in use: the handler has just begun, or is closed.
        if newest.size_bytes > HEADER_BYTES and newest.tail * 2 > newest.size_bytes:
            self._make_spare()

    # Inside.

    @property
    def _segments(self) -> tuple[Segment, ...]:
        return self._live[3]

    def _append_rolling_over(self, line: bytes) -> None:
        size = len(line)
        deadline = monotonic() + self._block_timeout_seconds
        while True:
            with self._lock:
                if self._make_room(size):
                    mapping, words, _, _ = self._live
                    committed = words[COMMITTED]
                    tail = committed & TAIL_MASK
                    mapping[tail : tail + size] = line
                    words[COMMITTED] = committed + size + ONE_EVENT
                    break
                hopeless = self._overflow != 'block' or not self._stock.could_ever_hold(size)
                if hopeless or monotonic() >= deadline:
                    self._rejected['overflow'] += 1
                    self._dropped_bytes['overflow'] += size
                    return
                room = self._room.join()
            if not room.wait(deadline - monotonic()):
                self._room.leave(room)
        self._raise_alarm()

    def _make_room(self, size: int) -> bool:
        """See to it that the newest segment has room for a line. Call with the lock held."""
        _, words, limit, segments = self._live
        if (words[COMMITTED] & TAIL_MASK) + size <= limit:
            return True
        if sum(segment.head != segment.tail for segment in segments) > 1:
            self._stock.grow()  # a backlog, not just the end of a segment
        segment = self._stock.draw(size, segments)
        if segment is None and self._overflow == 'drop_oldest' and self._dropping_would_help(size):
            while segment is None and self._drop_oldest():
                segment = self._stock.draw(size, self._segments)
        if segment is None:
            return False
        # An exception that comes here leaves a segment behind, which `tidy` finds.
        self._store.begin(segment, self.appended)
        self._live = _live((*self._segments, segment))
        return True

    def _dropping_would_help(self, size: int) -> bool:
        """Return whether a line would fit if all was dropped that can be: else nothing should be."""
        *sealed, newest = self._segments
        return self._stock.would_fit(
            size, [newest, *(segment for segment in sealed if not segment.droppable)]
        )

    def _drop_oldest(self) -> bool:
        """Drop the oldest segment that nothing hinders to drop; return whether there was one."""
        segments = self._segments
        for segment in segments[:-1]:
            if not segment.droppable:
                continue
            remaining = _live(tuple(other for other in segments if other is not segment))
            lost = segment.events - segment.head_events
            size_bytes = segment.tail - segment.head
            # No call among these, so that nothing can come between: counted and gone, or neither.
            self._dropped['overflow'] += lost
            self._dropped_bytes['overflow'] += size_bytes
            self._live = remaining
            segment.origin.discard(segment)
            return True
        return False

    def _claim(self, segment: Segment) -> bool:
        if not segment.claimed:
            with self._lock:
                segment.claimed = segment in self._segments
        return segment.claimed

    def _settle(self, events: Sequence[SpooledEvent]) -> None:
        for segment, start, end, count in _stretches(events):
            segment.settle(start, end, count)
        self.tidy()

    def _retire(self, settled: Sequence[Segment]) -> None:
        """Take sealed segments without unsettled events out; the largest that is useful becomes the spare."""
        spare = max(settled, key=lambda segment: segment.size_bytes)
        with self._lock:
            # Where drop_oldest has taken it out meanwhile, its bytes are given away.
            useful = (
                spare in self._segments
                and spare.origin is self._store  # not one from before `use`
                and self._stock.reserve_used(spare)
            )
            self._live = _live(tuple(s for s in self._segments if s not in settled))
        for segment in settled:
            if segment is not spare or not useful:
                segment.origin.discard(segment)
        if useful:
            kept = None
            try:
                kept = spare if self._store.recycle(spare) else None
            finally:
                self._keep(kept)
        self._room.notify()

    def _make_spare(self) -> None:
        with self._lock:
            if not self._stock.reserve_spare(self._segments):
                return
        made = None
        try:
            made = self._stock.make_reserved()
        finally:
            self._keep(made)

    def _keep(self, spare: Segment | None) -> None:
        with self._lock:
            self._stock.keep_reserved(spare)

    def _raise_alarm(self) -> None:
        """Wake delivery, once for each time that it armed."""
        if self._alarm_tail != _NEVER:
            self.disarm()
            self._wake()


def _read(segment: Segment, max_events: int, max_bytes: int) -> tuple[list[SpooledEvent], int]:
    """Read on in a segment, up to its next hole; return the events and their bytes."""
    events: list[SpooledEvent] = []
    begin = start = segment.read_offset
    stop = segment.hole_start if segment.hole_start > start else segment.tail
    last_end = start + max_bytes
    mapping = segment.mapping
    # It goes on while the application waits for the interpreter: names looked up once, and a tuple made by C (a
    # NamedTuple's own constructor is a Python function) save a third of it (`python -m benchmarks.delivery`).
    find, note, new = mapping.find, events.append, tuple.__new__
    while start < stop and len(events) < max_events:
        end = find(b'\n', start, stop) + 1
        if end > last_end:
            break
        line = mapping[start:end]
        if b'\x1a' in line:
            line = restore(line)
        note(new(SpooledEvent, (line, segment, start, end)))
        start = end
    # At the end, so that an exception thrown into this thread on the way leaves all of them to be read again.
    segment.read_offset = start
    segment.read_events += len(events)
    return events, start - begin


def _stretches(events: Sequence[SpooledEvent]) -> list[tuple[Segment, int, int, int]]:
    """Return where events lie, as stretches without a gap: segment, start, end, and how many there are in it."""
    stretches: list[tuple[Segment, int, int, int]] = []
    segment, start, end, count = None, 0, 0, 0
    for _, its_segment, its_start, its_end in events:
        if its_start != end or its_segment is not segment:
            if segment is not None:
                stretches.append((segment, start, end, count))
            segment, start, count = its_segment, its_start, 0
        end = its_end
        count += 1
    if segment is not None:
        stretches.append((segment, start, end, count))
    return stretches


def _full_segment(first_sequence: int) -> Segment:
    """Return a header without room behind it, so that the next append rolls over."""
    segment = MemoryStore().make(HEADER_BYTES)
    segment.start_over(first_sequence)
    return segment
