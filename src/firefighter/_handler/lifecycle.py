"""The life of a handler in one process: one state, changed under one lock, by the table below.

    state      asked to           by                        what is done                                    then
    closed     open               an event                  make the directory; start the delivery thread   open
    closed     deliver            flush, a late exit        adopt the dead; where there is anything: thread draining
    open       close              close(), a reload, exit   END; what was adopted is free at once           draining
    open       forget             the collector             as close, but nobody waits                      draining
    draining   open               an event                  take END back; the directory is still there     open
    draining   end                who delivers, when empty  let go of the directory and of the registration closed
    any        abandon            a fork, in the child      close descriptors, unlock nothing; a new life   -

*Opening* and *letting go* are steps made under the lock, so nobody ever sees them half done; each may be made again where an
exception has ended it. Whoever delivers ends last and lets go; nobody else does. `close` asks and waits. What
cannot be delivered keeps its life draining, for as long as the process lives: the delivery thread goes on trying.

Who delivers is in `deliverer.py`.

Every wait has a deadline, an absolute time. Under logging's lock, on a thread of ours and inside the spool nobody waits.
"""

from __future__ import annotations

import _thread
import enum
import threading
from collections.abc import Callable
from functools import partial
from math import inf
from os import getpid
from time import monotonic
from typing import Any, Protocol

from firefighter._delivery.diagnostics import Diagnostics
from firefighter._delivery.origin import on_thread_of_ours
from firefighter._delivery.requests import MakeThread
from firefighter._delivery.sender import Sender
from firefighter._delivery.sources import SpoolSource
from firefighter._handler.deliverer import Deliverer, HasClient
from firefighter._handler.numbers import OPEN
from firefighter._process import exit_and_forks
from firefighter._process.lock import locked, run_if_free
from firefighter._process.logging_lock import holds_lock_of_handler, holds_logging_lock
from firefighter._process.open_mark import make_mark

__all__ = ['Lifecycle', 'Place', 'State']

# The mark where events may go straight to the spool, and their calls wait; OPEN is the other one.
_WAITS = 2

# What threads of ours log while a handler drains goes, too, but not where each request brings more of it.
_MOST_ROUNDS = 4


class State(enum.Enum):
    """Of a handler's life."""

    CLOSED = 'closed'
    OPEN = 'open'
    DRAINING = 'draining'


class Place(Protocol):
    """Where the spool is kept, and what else is there. Its methods never raise an Exception."""

    def open(self) -> None:
        """Make the directory, if there is to be one. Done already: nothing."""

    def look_for_the_dead(self) -> None:
        """Adopt what dead processes have left, now."""

    def look_soon(self) -> None:
        """Have who delivers look for the dead, unless that was a moment ago."""

    @property
    def has_dead(self) -> bool:
        """Whether something of the dead is adopted, or will be with the next look that is due at once."""

    def release_adopted(self) -> bool:
        """Give back what was adopted and is not under way; return whether nothing adopted is left."""

    def close(self) -> None:
        """Let go of the directory, whose events are settled."""

    def seconds_until_look(self) -> float:
        """Return how long until the dead are to be looked for again."""

    def abandon(self) -> None:
        """Close what a forked child has inherited."""


class Transport(HasClient, Protocol):
    """Makes the requests."""

    def close_connections(self) -> None:
        """Let go of the connections that are kept for the next request."""


class Lifecycle:
    """Opens, delivers, and lets go.

    Args:
        stream: the delivery stream's name.
        source: the spool, as delivery sees it.
        sender: delivers it.
        place: where it is kept.
        transport: makes the requests.
        deliver: calls `run`, in a thread of ours.
        is_forgotten: says whether the handler was collected, or is just being.
        tell_end: says what was lost, and what is left, when a close has waited long enough; called with whether all was delivered.
        shutdown_timeout_seconds: what a close waits, and all of them together at exit.
        sync_timeout_seconds: what one attempt may take where the emitting thread waits for it.
        diagnostics: where to say what is wrong.

    Attributes:
        pid: the process that it belongs to.
        state: see above.
        mark: its one number is not 0 while events may go straight to the spool: the state is open, and this is no forked
            child. It is `OPEN` unless each event is to be delivered before its call returns.
    """

    def __init__(
        self,
        stream: str,
        source: SpoolSource,
        sender: Sender[Any],
        place: Place,
        transport: Transport,
        deliver: Callable[[], None],
        is_forgotten: Callable[[], bool],
        tell_end: Callable[[bool], None],
        shutdown_timeout_seconds: float,
        sync_timeout_seconds: float,
        diagnostics: Diagnostics,
    ) -> None:
        self.pid = getpid()
        self.state = State.CLOSED
        self.mark = make_mark()
        self._source = source
        self._spool = source.spool
        self._sender = sender
        self._place = place
        self._transport = transport
        self.deliver = deliver
        self._is_forgotten = is_forgotten
        self._tell_end = tell_end
        self._shutdown_timeout_seconds = shutdown_timeout_seconds
        self._sync_timeout_seconds = sync_timeout_seconds
        # Python's, which gevent and eventlet replace: a greenlet may be switched while a directory is made.
        self._lock = threading.RLock()
        self._deliverer = Deliverer(stream, self, self._lock, sender, transport, source.wake, diagnostics)
        # Asked for by somebody who could not wait for the lock.
        self._to_be_flushed = False
        self._to_be_closed = False
        # Until when somebody waits for what was adopted, and for more than one try.
        self._wanted_until = -inf
        # How often more is to be sent than there was when the close began.
        self._rounds = _MOST_ROUNDS
        # How often something adopted was given back undelivered.
        self._given_back = 0

    # What is asked for.

    def open(self, make_thread: MakeThread, *, threaded: bool) -> None:
        """Make ready for events.

        Args:
            make_thread: makes our threads; called with `target` and `args`.
            threaded: whether a delivery thread is to send them; if not, each event is waited for.
        """
        self._do(partial(self._open, make_thread, threaded=threaded))

    def flush(self, deadline: float) -> bool:
        """Deliver what was queued before the call; return whether all of it, and all that is adopted, is settled.

        Args:
            deadline: when to give up, by the monotonic clock.
        """
        self._sender.hurry(deadline)
        if holds_logging_lock():
            self._ask_later(flush=True)
            return self.done
        through = self._source.flush()
        flushes = self._source.flushes
        may_wait = not self._must_not_wait()
        given_back = self._given_back
        if not self._ask_to_deliver(deadline, may_look=may_wait):
            return True

        def settled() -> bool:
            return self._spool.settled_through >= through and not self._place.has_dead

        if may_wait:
            self._deliverer.wait_for(lambda: settled() or self._sender.found_misconfigured(flushes), deadline)
            self._report()
        return settled() and self._given_back == given_back

    def close(self, deadline: float) -> None:
        """Deliver what is pending and let go of everything; where that takes longer than the deadline, without waiting."""
        self._sender.hurry(deadline)
        if holds_logging_lock():
            self._ask_later(close=True)
            return
        may_wait = not self._must_not_wait()
        self._ask_to_close()
        if not may_wait:
            return
        flushes, through = self._source.flushes, self._spool.appended
        drained = False

        def done() -> bool:
            nonlocal drained
            # Closed, or opened again by somebody, who closes it again then.
            drained = drained or self.state is not State.DRAINING
            feeds_itself = self._rounds == 0 and self._spool.settled_through >= through
            return drained or feeds_itself or self._sender.found_misconfigured(flushes)

        self._deliverer.wait_for(done, deadline)
        self._report()
        self._tell_end(drained)

    def ask_to_flush(self) -> None:
        """Have what is pending delivered, without waiting."""
        self._source.flush()
        self._ask_to_deliver(exit_and_forks.deadline(self._shutdown_timeout_seconds), may_look=False)

    def finish(self, *, waits: bool = True) -> None:
        """Close, within the time that the process has for its end, or without waiting."""
        if waits:
            self.close(exit_and_forks.deadline(self._shutdown_timeout_seconds))
        else:
            self._ask_later(close=True)

    def forget(self) -> None:
        """Close, since the handler was collected: by the collector, in any thread at any moment. Takes no lock."""
        if self._deliverer.present:
            self._source.wake()
        elif self.state is not State.CLOSED:
            try:
                # Of C, and without Python's locks, one of which this thread may be at.
                _thread.start_new_thread(self._close_aside, ())
            except RuntimeError:
                exit_and_forks.forget(self)

    def look_after_event(self) -> None:
        """Deliver what was just logged before its call returns, where nobody else would."""
        if not self.mark[0]:
            self._do(self._take_late_event)
            return
        if holds_logging_lock():
            self._ask_later(flush=True)
            return
        if self._must_not_wait():
            if not self._is_inside():
                # What delivery itself brings about would bring about the next request.
                if not on_thread_of_ours():
                    self._source.flush()
                self._deliverer.call()
            return
        if exit_and_forks.exiting():
            self.finish()  # other exit functions log, and nobody comes after them
            return
        deadline = monotonic() + self._sync_timeout_seconds
        if self._deliverer.threaded and not threading.main_thread().is_alive():
            # No thread can be started any more, and exit functions will deliver, unless that takes too long to come.
            self._deliverer.deliver_here(lambda: not self._sender.overdue, deadline)
            return
        through = self._source.flush()
        flushes = self._source.flushes
        self._deliverer.call()
        self._deliverer.wait_for(
            lambda: self._spool.settled_through >= through or self._sender.tried(flushes), deadline
        )

    def run(self) -> None:
        """Deliver until there is nothing left to do, in a thread of ours."""
        self._sender.requests.make_thread = self._deliverer.make_thread if self._deliverer.threaded else None
        try:
            self._sender.run(lambda: not self.is_ours or self._ended())
        finally:
            self._sender.requests.dismiss()

    def _ended(self) -> bool:
        if self.state is not State.OPEN:
            # Before the last of them: hooks may log.
            self._sender.report(now_or_never=True)
        return self.end(parks=exit_and_forks.exiting())

    def abandon(self) -> None:
        """Let go, in a forked child, of what the parent goes on using.

        A frame that the fork has interrupted goes on in the child, too: it finds a life without events, and whoever waits there
        waits no longer. What another thread of the parent's held is held by nobody here.
        """
        if not self._at_transition:
            self._lock = threading.RLock()
            self._deliverer.abandon(self._lock)
        self._spool.abandon()
        self._sender.abandon()
        self._place.abandon()
        self.state = State.CLOSED
        self._sender.progress.notify()

    @property
    def is_ours(self) -> bool:
        """Whether this is the process that it belongs to, and no child that was forked in a frame of it."""
        return self.pid == getpid()

    @property
    def is_closed(self) -> bool:
        """Whether everything is let go of."""
        return self.state is State.CLOSED

    @property
    def done(self) -> bool:
        """Whether everything is settled, and nothing of the dead is left here."""
        return self._source.settled and not self._place.has_dead

    @property
    def pending(self) -> int:
        """How many events are not settled."""
        return self._spool.account().pending

    def may_wait_for_room(self) -> bool:
        """Return whether an event may wait for room: not where the thread that logs it would have to make that."""
        return self.mark[0] == OPEN and not (on_thread_of_ours() or holds_logging_lock())

    @property
    def adopts(self) -> bool:
        """Whether what dead processes have left is to be adopted now."""
        return self.state is State.OPEN or monotonic() < self._wanted_until

    def go_on_until(self, deadline: float) -> None:
        """Try again what fails, and adopt what the dead have left, until then: somebody waits for it."""
        self._wanted_until = max(self._wanted_until, deadline)

    def have_next_event_ask(self) -> None:
        """Have the next event see to it that somebody delivers."""
        self.mark[0] = 0

    def idle_seconds(self) -> float:
        """Return how long who delivers may wait at most."""
        now = monotonic()
        wanted_seconds = self._wanted_until - now
        return min(
            self._place.seconds_until_look(),
            wanted_seconds if wanted_seconds > 0 else inf,
            max(self._deliverer.until - now, 0.0),
        )

    def _ask_later(self, *, flush: bool = False, close: bool = False) -> None:
        """Have who delivers do it: the caller holds logging's lock, and waits for no other.

        A frame that has one of ours may have been interrupted by a signal handler, which waits for logging's.
        """
        self._to_be_flushed |= flush
        self._to_be_closed |= close
        if close:
            self.mark[0] = 0
        if self._deliverer.present:
            self._source.wake()
        elif self.state is not State.CLOSED and not run_if_free(self._lock, self._deliverer.call):
            exit_and_forks.forget(self)

    def _close_aside(self) -> None:
        try:
            self._ask_to_close()
        finally:
            # Python enters a thread that it has not started into its list, and never takes it out before 3.13.
            threading._active.pop(threading.get_ident(), None)  # type: ignore[attr-defined]  # noqa: SLF001

    # Transitions.

    def _do(self, transition: Callable[[], None]) -> None:
        """Make a transition, unless the calling thread is at one: where a signal handler or a destructor logs, that frame goes on.

        Such a frame may wait for logging's lock. So who holds that waits for no transition of another thread.
        """
        if self._at_transition:
            return
        if holds_logging_lock():
            run_if_free(self._lock, transition)
        else:
            transition()

    @locked
    def _open(self, make_thread: MakeThread, *, threaded: bool) -> None:
        if self.mark[0]:
            return
        self._change_place(self._open_place)
        self._deliverer.make_thread, self._deliverer.threaded = make_thread, threaded
        self._to_be_closed = False
        self.state = State.OPEN
        self._spool.append(None)  # what a destructor has logged in here
        if threaded:
            self._deliverer.call()
        # Once exit functions run nobody comes back for an event.
        waits = not (threaded and self._deliverer.expected) or exit_and_forks.exiting()
        self.mark[0] = _WAITS if waits else OPEN

    def _open_place(self) -> None:
        exit_and_forks.hold(self)
        if self._is_forgotten():
            # What a destructor brings back that is collected with the handler has lost its weak references, as botocore's
            # client has.
            self._transport.renew_client()
        self._place.open()

    @locked
    def _take_late_event(self) -> None:
        """Open again for an event that came when all was let go of, or when who was to deliver had just been killed."""
        if self.is_ours and self.state is not State.DRAINING and self._has_events:
            self._open(self._deliverer.make_thread, threaded=self._deliverer.threaded)
            if exit_and_forks.exiting():
                self._ask_to_close()

    @locked
    def _ask_to_close(self) -> None:
        self.mark[0] = 0
        self._to_be_closed = False
        if self.state is State.CLOSED:
            return
        self.state = State.DRAINING
        self._wanted_until = -inf
        self._rounds = _MOST_ROUNDS
        self._source.flush()
        self._deliverer.call()

    @locked
    def _ask_to_deliver(self, deadline: float, *, may_look: bool) -> bool:
        """Have everything delivered that there is; return False when that is nothing."""
        if not self.is_ours:
            return False
        if self.state is State.CLOSED:
            if may_look and not self._deliverer.present:
                self._change_place(self._place.look_for_the_dead)
                self._take_late_event()  # what a destructor has logged in there
            if self.done:
                return False
            if not self.mark[0]:
                exit_and_forks.hold(self)
                self.state = State.DRAINING
        elif may_look:
            self._place.look_soon()
        self.go_on_until(deadline)
        self._deliverer.call()
        return True

    @locked
    def end(self, *, parks: bool) -> bool:
        """Let go of everything if all is delivered; return whether who delivers is to leave.

        Args:
            parks: whether it is to stay in any case: while the process exits no other thread could be started.
        """
        if self._to_be_flushed:
            self._to_be_flushed = False
            self._source.flush()
        if (self._to_be_closed or self._is_forgotten()) and self.state is State.OPEN:
            self._ask_to_close()
        now = monotonic()
        if self.state is State.OPEN:
            leaves = (
                not self._deliverer.threaded
                and self._sender.rests
                and (self.done or now >= self._wanted_until)
            )
        else:
            leaves = self.state is State.CLOSED or self._end_draining(now)
        if not leaves or parks:
            return False
        self._deliverer.dismiss()
        # What is asked for without the lock finds somebody, and wakes it, or finds nobody.
        asked = self._to_be_flushed or self._to_be_closed or self._is_forgotten()
        if asked and self.state is State.OPEN:
            self._deliverer.call()
        return True

    @property
    def _has_events(self) -> bool:
        return self._spool.has_waiting or not self._source.settled

    def _end_draining(self, now: float) -> bool:
        """Let go of what nobody waits for, then of everything if all is settled; return whether it was."""
        if self._rounds and self._source.mark_all():
            self._rounds -= 1
        if self._place.has_dead:
            if now < self._wanted_until:
                return False
            self._given_back += 1
            if not self._place.release_adopted():
                return False
        if not self._source.settled:
            return False
        self._source.tidy()
        self._change_place(self._place.close)
        if self._has_events:  # a destructor has logged meanwhile
            self._change_place(self._place.open)
            self._spool.append(None)
            return False
        self._transport.close_connections()
        # First: an exception between these costs nothing, since what drains is ended again.
        exit_and_forks.let_go(self)
        self.state = State.CLOSED
        self._sender.progress.notify()
        return True

    def _change_place(self, change: Callable[[], None]) -> None:
        """Open or close the place, or look at it; what a destructor logs meanwhile waits for the place that is there then."""
        try:
            self._spool.changes_place = True
            change()
        finally:
            self._spool.changes_place = False

    # Waiting.

    def _must_not_wait(self) -> bool:
        """Return whether the caller would wait for itself.

        That is so on a thread of ours (in `on_drop`), in a signal handler that has interrupted the spool or a transition, and
        in a thread that holds another handler's lock (a MemoryHandler hands records on with its own held), which the records
        of botocore go to as well; but not when the process ends, since nobody delivers after that. Who holds logging's lock has asked for it to be done later, before it comes here.
        """
        if on_thread_of_ours() or self._is_inside():
            return True
        return not exit_and_forks.exiting() and holds_lock_of_handler(exit_and_forks.registered())

    @property
    def _at_transition(self) -> bool:
        """Whether the calling thread has interrupted a transition."""
        return self._lock._is_owned()  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001  # no public way to ask

    def _is_inside(self) -> bool:
        """Return whether the calling thread has interrupted the spool, or a transition."""
        return self._spool.interrupted or self._at_transition

    def _report(self) -> None:
        """Tell hooks what is news, where there is no thread that does."""
        if not self._deliverer.present:
            self._sender.report(now_or_never=True)
