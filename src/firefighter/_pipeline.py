"""The way of an event within one process: spool, source, sender, delivery thread, and their account.

A handler has one. A forked child makes its own, by replacing the whole object: nothing in it is shared, nor can a lock in
it be found held by a thread that the child does not have.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from math import inf
from os import getpid
from time import monotonic
from typing import TYPE_CHECKING

from firefighter import _lifecycle
from firefighter._delivery.dead_letters import DeadLetters
from firefighter._delivery.diagnostics import Diagnostics
from firefighter._delivery.drops import DropReports
from firefighter._delivery.guard import inside_delivery
from firefighter._delivery.limits import MAX_RECORD_BYTES
from firefighter._delivery.plain_queue import QueueLedger
from firefighter._delivery.sender import Sender, Traffic
from firefighter._delivery.sources import Event, Source, SpoolSource
from firefighter._delivery.suitability import Suitability
from firefighter._delivery.transport import BotoTransport
from firefighter._delivery.workers import MakeThread
from firefighter._event_ids import PRODUCER_BYTES
from firefighter._logging_lock import holds_logging_lock
from firefighter._numbering import NumberedOversize
from firefighter._open_mark import make_mark
from firefighter._options import DOCUMENTED_RECORD_SIZE, Options
from firefighter._oversize import Oversize
from firefighter._spool.disk import Disk
from firefighter._spool.numbered import NumberedSpool
from firefighter._spool.spool import Spool
from firefighter._spool.unusable import SpoolUnusable
from firefighter._undelivered import Undelivered
from firefighter._wakeup import Wakeup
from firefighter.stats import DropReason, Stats

if TYPE_CHECKING:
    from firefighter._delivery.batching import Rules
    from firefighter._delivery.clients import ClientSource

__all__ = ['Pipeline']


# Whoever waits longer at exit is told for what.
_SILENT_SECONDS = 2.0
# Where each delivery thread ends at once, they are not started one after the other as fast as that goes.
_PAUSE_BETWEEN_THREADS_SECONDS = 1.0


class Pipeline:
    """Everything of a handler that belongs to one process.

    Args:
        stream: the delivery stream's name.
        options: the handler's options.
        client: gives the Firehose client.
        rules: gives the rules for batches that hold now.
        diagnostics: where to say what is wrong.

    Attributes:
        pid: the process that it belongs to.
        open_here: its one number is 1 while events may go straight to the spool: it tells an emitting thread that the
            handler is open, and that this is not a forked child.
        synchronous: whether the emitting thread delivers.
    """

    def __init__(
        self,
        stream: str,
        options: Options,
        client: ClientSource,
        rules: Callable[[], Rules],
        diagnostics: Diagnostics,
    ) -> None:
        self.pid = getpid()
        self.open_here = make_mark()
        self.synchronous = False
        self._stream = stream
        self._options = options
        self._client = client
        self._diagnostics = diagnostics
        self._suppressed = 0
        self._thread_ended_at = -inf
        self._undelivered = Undelivered(stream, options.undelivered, diagnostics)
        self._tally = threading.RLock()
        policy = NumberedOversize if options.event_ids else Oversize
        self._oversize = policy(
            options.oversize, documented_limit=DOCUMENTED_RECORD_SIZE, hard_limit=MAX_RECORD_BYTES
        )
        wakeup = Wakeup()
        self._producer_id = secrets.token_bytes(PRODUCER_BYTES) if options.event_ids else None
        self.spool = self._make_spool(wakeup.set)
        self._disk = self._make_disk()
        # The one function of the hot path: an attribute of the object, not a method that calls a method.
        self.append = self.spool.append
        self.ledger = QueueLedger()
        self._traffic = Traffic()
        self._drops = DropReports(options.on_drop, self._dropped)
        self._dead_letters = DeadLetters(options.on_dead_letter, self._keep_dead_letter, diagnostics)
        self._transport = BotoTransport(client)
        self._aggregation = options.make_aggregation()
        self.source = SpoolSource(self.spool, wakeup, self._keep_house, self._aggregation)
        self.sender = self.make_sender(
            self.source,
            stream,
            rules,
            max_in_flight=options.max_in_flight,
            at_leisure=self._make_suitability(),
        )

    def make_sender(
        self,
        source: Source[Event],
        stream: str,
        rules: Callable[[], Rules],
        *,
        max_in_flight: int = 1,
        at_leisure: Callable[[], None] | None = None,
    ) -> Sender[Event]:
        """Return a sender that takes from this source, and counts and reports here."""
        return Sender(
            source,
            self._transport,
            stream,
            rules=rules,
            linger_seconds=self._options.shutdown_timeout_seconds,
            traffic=self._traffic,
            drops=self._drops,
            dead_letters=self._dead_letters,
            diagnostics=self._diagnostics,
            max_in_flight=max_in_flight,
            at_leisure=at_leisure,
        )

    # Opening and closing.

    def open(
        self,
        make_thread: MakeThread,
        deliver: Callable[..., None],
        arguments: tuple[object, ...],
        *,
        synchronous: bool,
    ) -> None:
        """Start the delivery thread, unless the emitting threads are to deliver themselves.

        Args:
            make_thread: makes it, and those that help it; called with `target` and `args`.
            deliver: what it does.
            arguments: with what.
            synchronous: whether the emitting threads are to.
        """
        if self.open_here[0]:
            return
        self.open_spool()
        running = self.sender.resume()
        # Once the process exits nothing waits for a new thread any more.
        self.synchronous = synchronous or _exiting()
        # Before the thread starts: one that ends at once takes it back.
        self.open_here[0] = 1
        if not running and not self.synchronous:
            self.synchronous = not self._start(make_thread, deliver, arguments)
        if self.synchronous:
            self._client.limit_timeouts(self._options.sync_timeout_seconds)
            self._transport.renew_client()

    def begin_close(self) -> None:
        """Have what is pending delivered and the delivery thread end, without waiting."""
        if self.open_here[0]:
            self.source.end()

    def close(self, deadline: float) -> None:
        """Deliver what is pending and end the delivery thread, until the deadline."""
        self.open_here[0] = 0
        self.source.end()
        if self._must_not_wait():
            return
        self.deliver(deadline, adopted_too=False)
        # A thread that logs meanwhile opens the handler again, and its END is taken back.
        self._await(lambda: not self.sender.running or not self.source.ended, deadline)
        kept_in = self._disk.path if self._disk and self._disk.is_open else None
        self._undelivered.tell(self.spool, self.stats().pending, kept_in)
        if self._disk and not self.sender.running:
            self._disk.close(self.spool)

    def deliver(self, deadline: float, *, adopted_too: bool = True) -> bool:
        """Deliver what was queued before the call; return whether all of it is delivered or dropped.

        Args:
            deadline: when to give up, by the monotonic clock.
            adopted_too: wait for what dead processes have left as well. It can wait for another process.
        """
        if not self.sender.running:
            self._keep_house()
            if not self.synchronous:
                # A thread that was killed may not have said so: the next event starts another.
                self.open_here[0] = 0
        self.sender.hurry(deadline)
        through = self.source.flush()
        if self._must_not_wait():
            return self.spool.settled_through >= through
        # Where a request is under way that gets no answer, what has come since would wait for it.
        self.sender.call_for_help()
        flushes = self.source.flushes

        def done() -> bool:
            return self.spool.settled_through >= through and not (adopted_too and self.spool.has_adopted)

        def hopeless() -> bool:
            return self.sender.found_misconfigured(flushes) or not self.sender.running

        if _lifecycle.exiting():
            self._await(lambda: done() or hopeless(), min(deadline, monotonic() + _SILENT_SECONDS))
            if not done() and not hopeless() and monotonic() < deadline:
                self._diagnostics.say(
                    'waiting',
                    f'stream {self._stream!r}: the process ends; still delivering '
                    f'{self.spool.account().pending:,} events, for at most {deadline - monotonic():.0f} s more '
                    '(shutdown_timeout_seconds; Ctrl-C ends it)',
                )
        self._await(lambda: done() or hopeless(), deadline)
        if not self.sender.running:
            try:
                self.sender.drain(done, deadline)
            except Exception as error:  # whatever it is, the events stay pending
                self._complain('bug', 'delivery stumbled', error)
            self.sender.report(now_or_never=True)
        return done()

    def open_spool(self) -> str | None:
        """Make the spool's directory, where there is to be one; return why it cannot be used."""
        if self._disk is None or self._disk.is_open:
            return None
        try:
            self._disk.open(self.spool)
        except SpoolUnusable as error:
            self._disk = None
            self._traffic.last_error = f'spool_dir cannot be used: {error.reason}'
            return error.reason
        return None

    def abandon(self) -> None:
        """Let go, in a forked child, of what the parent goes on using; also where the fork has interrupted it."""
        self.synchronous = False
        self.spool.abandon()
        self.sender.abandon()
        if self._disk is not None:
            self._disk.abandon()

    def _make_spool(self, wake: Callable[[], None]) -> Spool:
        options = self._options
        bounds = (options.memory_bytes, options.overflow, options.block_timeout_seconds, wake)
        if self._producer_id is None:
            return Spool(*bounds)
        unheard = (DropReason.NO_STREAM.value, DropReason.DISABLED.value)
        return NumberedSpool(self._producer_id, *bounds, uncounted=unheard)

    def _make_disk(self) -> Disk | None:
        options = self._options
        if options.spool_dir is None:
            return None
        return Disk(
            options.spool_dir,
            self._client.destination(self._stream),
            options.disk_bytes,
            options.max_directory_bytes,
            self._producer_id,
        )

    def _make_suitability(self) -> Suitability | None:
        options = self._options
        if not options.aggregates:
            return None  # one event in a record is safe anywhere
        return Suitability(
            lambda: self._transport.describe(self._stream),
            self._warn_of_the_stream,
            aggregate=options.aggregates,
            max_aggregated_events=options.max_aggregated_events,
            compression=options.compression,
        )

    def _warn_of_the_stream(self, trouble: str) -> None:
        self._traffic.last_error = trouble
        self._diagnostics.say(
            'suitability',
            f'stream {self._stream!r}: {trouble} (firefighter doctor {self._stream} says more)',
        )

    def _keep_house(self) -> None:
        if self._disk is None:
            return
        trouble = self._disk.tidy(self.spool, monotonic())
        if trouble is not None:
            self._traffic.last_error = trouble
            self._diagnostics.say('spool', f'stream {self._stream!r}: {trouble}')

    def _start(
        self, make_thread: MakeThread, deliver: Callable[..., None], arguments: tuple[object, ...]
    ) -> bool:
        self.sender.expect_thread(make_thread)
        try:
            thread = make_thread(target=deliver, args=arguments)
            thread.daemon = True
            thread.name = f'firefighter-{self._stream}'
            thread.start()
            if isinstance(
                thread, threading.Thread
            ):  # a make_thread of the user's may give something else that starts
                self.sender.note_thread(thread)
        except Exception as error:  # RuntimeError, or whatever a make_thread of the user's raises
            self._diagnostics.say(
                'no thread',
                f'no delivery thread can be started ({error}): each logging call delivers by itself',
            )
            self.sender.expect_no_thread()
            return False
        except (
            BaseException
        ):  # of a signal handler's: whether a thread comes nobody knows, so the next event asks again
            self.open_here[0] = 0
            self.sender.expect_no_thread()
            raise
        return True

    def _keep_dead_letter(self, event: bytes, reason: str) -> None:
        if self._disk is not None:
            self._disk.dead_letters.put(event, reason)

    def _must_not_wait(self) -> bool:
        """Return whether the caller would wait for itself.

        That is so inside delivery (in `on_drop`), in a signal handler that has interrupted the spool, and in a thread that holds logging's lock, as dictConfig does while it
        closes the handlers that it replaces: the delivery thread needs that lock to ask a logger for its level. It
        goes on when the lock is free, and the exit of the process waits for it.
        """
        return (
            inside_delivery.delivery
            or self.spool.interrupted
            or (self.sender.running and holds_logging_lock())
        )

    def thread_ended(self) -> bool:
        """Take note that the delivery thread has left; return whether another is wanted at once.

        That is so unless it left by END; but once a second at most, and otherwise with the next event.
        """
        if self.pid != getpid():
            # A greenlet of gevent's or eventlet's, which a forked child inherits. Its end is nobody's loss; that it asks
            # for itself enters it again in threading's list, from which it is taken as it ends.
            threading.current_thread()
            return False
        self.sender.expect_no_thread()  # a `batch_sender` of a subclass may never have come to ours
        if self.source.ended or self.sender.running:
            return False
        self.open_here[0] = 0
        self._transport.renew_client()  # nobody knows in what state the old one was left
        self._diagnostics.say(
            'thread', f'stream {self._stream!r}: the delivery thread was ended; another takes its place'
        )
        before, self._thread_ended_at = self._thread_ended_at, monotonic()
        return self._thread_ended_at - before > _PAUSE_BETWEEN_THREADS_SECONDS

    def _await(self, condition: Callable[[], bool], deadline: float) -> None:
        """Wait until the condition holds, looking whenever the sender has made progress, or until the deadline."""
        while True:
            wakeup = self.sender.progress.join()
            try:
                left = deadline - monotonic()
                if condition() or left <= 0 or not wakeup.wait(left):
                    return
            finally:
                self.sender.progress.leave(wakeup)

    # The emitting thread.

    def send_now(self) -> None:
        """Make one attempt to deliver, in this thread."""
        if self.spool.interrupted:
            return  # the interrupted call delivers this event with its own
        try:
            self.sender.send_now(self._options.sync_timeout_seconds)
        except Exception as error:  # whatever it is, the application must not see it; the event stays pending
            self._complain('bug', 'delivery stumbled', error)

    def fit(self, event: bytes, limit: int) -> bytes | None:
        """Apply the `oversize` policy."""
        return self._oversize.fit(event, limit)

    def fit_or_drop(self, event: bytes, limit: int) -> bytes | None:
        """Apply the `oversize` policy, and count the event when that leaves nothing."""
        fitting = self._oversize.fit(event, limit)
        if fitting is None:
            self.spool.reject(DropReason.OVERSIZE.value, len(event))
        return fitting

    def give_up(self, error: Exception) -> None:
        """Count an event of which nothing could be made."""
        self.spool.reject(DropReason.FAILED.value, 0)
        self._complain('failed', 'an event was dropped', error)

    def note_format_error(self, error: Exception) -> None:
        """Say that a formatter, or an item in a batch queue, was not what it should be."""
        self._complain('format', 'formatting failed', error)

    def count_suppressed(self) -> None:
        """Count a record that delivery itself has logged."""
        with self._tally:
            self._suppressed += 1

    def _complain(self, cause: str, what: str, error: Exception) -> None:
        self._diagnostics.say(cause, f'stream {self._stream!r}: {what}: {type(error).__name__}: {error}')

    # Accounts.

    def stats(self) -> Stats:
        """Return what has become of the events up to this moment."""
        spooled, queued = self.spool.account(), self.ledger.account()
        return Stats(
            accepted=spooled.accepted + queued.accepted,
            delivered=spooled.delivered + queued.delivered,
            dropped=_by_reason(spooled.dropped, queued.dropped),
            dropped_bytes=_by_reason(spooled.dropped_bytes, queued.dropped_bytes),
            pending=spooled.pending + queued.pending,
            adopted=spooled.adopted,
            markers=spooled.markers,
            quarantined_bytes=self._disk.quarantine.size_bytes if self._disk else 0,
            newer_producers=self._disk.newer_producers if self._disk else 0,
            backing='disk' if self._disk else 'memory',
            spool_bytes=self.spool.allocated_bytes,
            oversize=self._oversize.events,
            truncated=self._oversize.truncated + (self._aggregation.truncated if self._aggregation else 0),
            suppressed=self._suppressed,
            dead_letters=self._dead_letters.events,
            queue_age_seconds=self.sender.oldest_seconds,
            hook_errors=self._drops.errors + self._dead_letters.errors,
            **vars(self._traffic),
        )

    def _dropped(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        stats = self.stats()
        return (
            {reason.value: events for reason, events in stats.dropped.items()},
            {reason.value: size for reason, size in stats.dropped_bytes.items()},
        )


def _exiting() -> bool:
    """Return whether nothing would wait for a new thread any more."""
    return _lifecycle.exiting() or not threading.main_thread().is_alive()


def _by_reason(*counts: Mapping[str, int]) -> dict[DropReason, int]:
    return {
        reason: total
        for reason in DropReason
        if (total := sum(count.get(reason.value, 0) for count in counts))
    }
