"""The life of a handler in one process: one state, changed under one lock, by the table below.

    state      asked to           by                        what is done                                    then
    closed     open               an event                  make the directory; start the delivery thread   open
    closed     deliver            flush, a late exit        adopt the dead; where there is anything: thread draining
    open       close              close(), a reload, exit   FLUSH; what was adopted is free at once         draining
    open       forget             the collector             as close, but nobody waits                      draining
    draining   open               an event                  go on; the directory is still there             open
    draining   end                who delivers, when empty  let go of the directory and of the registration closed
    any        abandon            a fork, in the child      close descriptors, unlock nothing; a new life   -

*Opening* and *letting go* are steps made under the lock, so nobody sees them half done. Each step may be made again after an
exception has ended it. Only the thread that delivers lets go, and it ends last. `close` asks for that and waits. While events
cannot be delivered the handler stays in the state draining, and the delivery thread goes on trying until the process ends.

`deliverer.py` decides which thread delivers.

Every wait has a deadline, an absolute time. `deliverer.py` says who must not wait.
"""

from __future__ import annotations

import _thread
import enum
import threading
from collections.abc import Callable
from functools import partial
from math import inf
from os import getpid
from typing import Protocol

from firefighter._delivery.diagnostics import Diagnostics
from firefighter._delivery.logged_by_delivery import on_thread_of_ours
from firefighter._delivery.requests import MakeThread
from firefighter._delivery.sender import Sender
from firefighter._delivery.spool_source import SpoolSource
from firefighter._handler.constants import OPEN
from firefighter._handler.deliverer import Deliverer, HasClient, NoWait
from firefighter._handler.place import Place
from firefighter._process import exit_and_forks
from firefighter._process.lock import holds_logging_lock, locked, outliving_threads, run_if_free
from firefighter._process.open_mark import make_mark
from firefighter._process.subinterpreters import in_subinterpreter, start_thread_without_locks
from firefighter._process.waiting import monotonic

__all__ = ['Lifecycle', 'State']

_OPEN_AND_WAITS = 2
"""The value of `open_mark` while each event is to be delivered before its call returns."""

# Our own threads may log while a handler drains (hooks do). These events are sent too, but only so many times: each request may
# bring another event.
_MOST_FLUSHES = 4


class State(enum.Enum):
    """Of a handler in one process."""

    CLOSED = 'closed'
    OPEN = 'open'
    DRAINING = 'draining'


class Transport(HasClient, Protocol):
    """The transport, as the lifecycle needs it."""

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
        is_forgotten: returns whether the handler was collected, or is just being collected.
        report_end: reports what was lost and what is left, after a close; called with whether everything was delivered.
        shutdown_timeout_seconds: how long a close waits, and how long all of them together wait at exit.
        sync_timeout_seconds: how long a logging call waits for its event to be delivered.
        diagnostics: where to report trouble.

    Attributes:
        pid: the process that it belongs to.
        state: see the table above.
        open_mark: one number. It is not 0 while events may go straight to the spool: the state is open, and this is not a
            forked child. It is `OPEN`, unless each event is to be delivered before its call returns.
        shutdown_timeout_seconds: as given.
    """

    def __init__(
        self,
        stream: str,
        source: SpoolSource,
        sender: Sender,
        place: Place,
        transport: Transport,
        deliver: Callable[[], None],
        is_forgotten: Callable[[], bool],
        report_end: Callable[[bool], None],
        shutdown_timeout_seconds: float,
        sync_timeout_seconds: float,
        diagnostics: Diagnostics,
    ) -> None:
        self.pid = getpid()
        self.state = State.CLOSED
        self.open_mark = make_mark()
        self._source = source
        self._spool = source.spool
        self._sender = sender
        self._place = place
        self._transport = transport
        self.deliver = deliver
        self._is_forgotten = is_forgotten
        self._report_end = report_end
        self.shutdown_timeout_seconds = shutdown_timeout_seconds
        self._sync_timeout_seconds = sync_timeout_seconds
        # Python's own class, which gevent and eventlet replace: a greenlet may be switched while a directory is made.
        self._lock = threading.RLock()
        self._deliverer = Deliverer(stream, self, self._lock, source, sender, transport, diagnostics)
        # Requested by somebody who did not wait for the lock.
        self._to_be_flushed = False
        self._to_be_closed = False
        # Until then somebody waits: failures are tried again, and adopted events are kept.
        self._keep_trying_until = -inf
        # How many more times events are sent that came after the close began.
        self._flushes_left = _MOST_FLUSHES
        # How many times adopted events were given back undelivered.
        self._given_back = 0

    # Requests of the program.

    def open(self, make_thread: MakeThread, *, threaded: bool) -> None:
        """Make ready for events.

        Args:
            make_thread: makes our threads; called with `target` and `args`.
            threaded: whether a delivery thread is to send them; if not, each event is waited for.
        """
        self._run_transition(partial(self._open, make_thread, threaded=threaded))

    def flush(self, deadline: float) -> bool:
        """Deliver what was queued before the call; return whether all of it, and all that is adopted, is settled.

        Args:
            deadline: when to give up, by the monotonic clock.
        """
        self._sender.limit_pauses_until(deadline)
        no_wait = self._deliverer.why_no_wait()
        if no_wait is NoWait.LOGGING_LOCK:
            self._request_later(flush=True)
            return self.done
        through = self._source.flush()
        flushes = self._source.flushes
        may_wait = no_wait is None
        given_back = self._given_back
        if not self._start_delivery(deadline, may_look=may_wait):
            return True

        def settled() -> bool:
            return self._spool.settled_through >= through and not self._place.has_adopted

        if may_wait:
            self._deliverer.deliver_or_wait(
                lambda: settled() or self._sender.found_misconfigured(flushes), deadline
            )
            self._deliverer.report()
        return settled() and self._given_back == given_back

    def close(self, deadline: float) -> None:
        """Deliver what is pending and let go of everything; wait for that until the deadline."""
        if exit_and_forks.exiting():
            self._spool.outlive_threads()
            self._use_lock(outliving_threads(self._lock))
        self._sender.limit_pauses_until(deadline)
        no_wait = self._deliverer.why_no_wait()
        if no_wait is NoWait.LOGGING_LOCK:
            self._request_later(close=True)
            return
        self._start_draining()
        if no_wait is not None:
            return
        flushes, through = self._source.flushes, self._spool.appended
        drained = False

        def done() -> bool:
            nonlocal drained
            # Closed; or opened again by somebody else, who will close it again.
            drained = drained or self.state is not State.DRAINING
            feeds_itself = self._flushes_left == 0 and self._spool.settled_through >= through
            return drained or feeds_itself or self._sender.found_misconfigured(flushes)

        self._deliverer.deliver_or_wait(done, deadline)
        self._deliverer.report()
        self._report_end(drained)

    def start_flush(self) -> None:
        """Have what is pending delivered, without waiting."""
        self._source.flush()
        self._start_delivery(exit_and_forks.deadline_after(self.shutdown_timeout_seconds), may_look=False)

    def finish(self, *, waits: bool = True) -> None:
        """Close, within the time that the process has for its end, or without waiting."""
        if waits:
            self.close(exit_and_forks.deadline_after(self.shutdown_timeout_seconds))
        else:
            self._request_later(close=True)

    def forget(self) -> None:
        """Close after the handler was collected. The collector calls this, in any thread at any moment, so it takes no lock."""
        if State is None:  # the process ends, and modules are being taken apart: everything is closed
            return
        if self._deliverer.present:
            self._source.wake()
        elif in_subinterpreter():
            exit_and_forks.close_later(
                self
            )  # its end does not wait for a thread that `threading` does not know
        elif self.state is not State.CLOSED:
            try:
                start_thread_without_locks(self._start_draining)
            except RuntimeError:
                exit_and_forks.close_later(self)

    def deliver_before_return(self, *, quiet: bool) -> None:
        """Deliver the event that was just logged before its call returns, where nobody else would.

        Args:
            quiet: the event makes no batch due, so its call does not wait.
        """
        if not self.open_mark[0]:
            self._run_transition(self._reopen_for_missed_event)
        elif no_wait := self._deliverer.why_no_wait():
            self._deliver_later(no_wait)
        elif exit_and_forks.exiting():
            self.finish()  # another exit function has logged it, and nobody comes after that
        elif quiet:
            self._deliverer.start_or_wake()
        else:
            self._deliverer.deliver_now(monotonic() + self._sync_timeout_seconds)

    def _deliver_later(self, no_wait: NoWait) -> None:
        """Have an event delivered whose call must not wait. After `NoWait.INSIDE` the interrupted frame sees to it."""
        if no_wait is NoWait.LOGGING_LOCK:
            self._request_later(flush=True)
        elif no_wait is NoWait.HANDLER_LOCK:
            self._source.flush()
            self._deliverer.start_or_wake()
        elif no_wait is NoWait.OWN_THREAD:
            # No flush: an event that delivery brings about must not bring about the next request.
            self._deliverer.start_or_wake()

    def run(self) -> None:
        """Deliver until there is nothing left to do, in a thread of ours."""
        self._deliverer.run()

    def abandon(self) -> None:
        """Let go, in a forked child, of what the parent goes on using.

        A frame that has forked (a hook, a `__str__`) goes on in the child as well. It finds no events here, and a wait ends at
        once. The locks that other threads of the parent held are replaced, since nobody would release them.
        """
        if not self.at_transition:
            self._use_lock(threading.RLock())
        self._spool.abandon()
        self._sender.abandon()
        self._place.abandon()
        self.state = State.CLOSED
        self._sender.progress.notify()

    def _use_lock(self, lock: _thread.RLock) -> None:
        self._lock = lock
        self._deliverer.use_lock(lock)

    @property
    def is_of_this_process(self) -> bool:
        """Whether this is the process that it belongs to, not a child that was forked from it."""
        return self.pid == getpid()

    @property
    def is_open(self) -> bool:
        """Whether it is open, and not asked to close."""
        return self.state is State.OPEN

    @property
    def is_closed(self) -> bool:
        """Whether everything is let go of."""
        return self.state is State.CLOSED

    @property
    def done(self) -> bool:
        """Whether everything is settled, and nothing adopted is left."""
        return self._source.settled and not self._place.has_adopted

    @property
    def is_interrupted(self) -> bool:
        """Whether the calling thread has interrupted something that delivery needs, so that it must not wait."""
        # Delivery can do without another handler's lock, unless something logs to that handler.
        return self._deliverer.why_no_wait() not in {None, NoWait.HANDLER_LOCK}

    def may_wait_for_room(self) -> bool:
        """Return whether an event may wait for room in the spool: not where its own thread would have to make that room."""
        return self.open_mark[0] == OPEN and not (on_thread_of_ours() or holds_logging_lock())

    @property
    def adopts(self) -> bool:
        """Whether events of dead processes are to be adopted now."""
        return self.state is State.OPEN or monotonic() < self._keep_trying_until

    def keep_trying_until(self, deadline: float) -> None:
        """Try failures again, and adopt events of dead processes, until then, because somebody waits."""
        self._keep_trying_until = max(self._keep_trying_until, deadline)

    def check_at_next_event(self) -> None:
        """Have the next event check whether somebody delivers."""
        self.open_mark[0] = 0

    def max_wait_seconds(self) -> float:
        """Return how long the thread that delivers may wait at most."""
        now = monotonic()
        wanted_seconds = self._keep_trying_until - now
        return min(
            self._place.seconds_until_adoption(),
            wanted_seconds if wanted_seconds > 0 else inf,
            max(self._deliverer.leaves_at - now, 0.0),
        )

    def _request_later(self, *, flush: bool = False, close: bool = False) -> None:
        """Have the thread that delivers do it, for a caller who does not wait for our lock.

        One who holds logging's lock must not: the owner of ours may have been interrupted by a signal handler that waits for logging's.
        """
        self._to_be_flushed |= flush
        self._to_be_closed |= close
        if close:
            self.open_mark[0] = 0
        if self._deliverer.present:
            self._source.wake()
        elif self.state is not State.CLOSED and not run_if_free(self._lock, self._deliverer.start_or_wake):
            exit_and_forks.close_later(self)

    # Transitions.

    def _run_transition(self, transition: Callable[[], None]) -> None:
        """Make a transition, unless the calling thread has interrupted one (a signal handler or a destructor logs there).

        An interrupted transition may wait for logging's lock. So a caller who holds that one does not wait for the transition
        of another thread.
        """
        if self.at_transition:
            return
        if holds_logging_lock():
            run_if_free(self._lock, transition)
        else:
            transition()

    @locked
    def _open(self, make_thread: MakeThread, *, threaded: bool) -> None:
        if self.open_mark[0]:
            return
        self._change_place(self._open_place)
        self._deliverer.make_thread, self._deliverer.threaded = make_thread, threaded
        self._to_be_closed = False
        self.state = State.OPEN
        self._spool.append(None)  # appends what a destructor has logged meanwhile
        if threaded:
            self._deliverer.start_or_wake()
        # Once exit functions run, nobody comes back later to deliver the event.
        waits = not (threaded and self._deliverer.expected) or exit_and_forks.exiting()
        self.open_mark[0] = _OPEN_AND_WAITS if waits else OPEN

    def _open_place(self) -> None:
        exit_and_forks.register_busy(self)
        if self._is_forgotten():
            # A destructor has opened a handler that is being collected with it. Weak references within are gone already, and
            # botocore's client needs its own.
            self._transport.renew_client()
        self._place.open()

    @locked
    def _reopen_for_missed_event(self) -> None:
        """Open again for an event that came just after the handler was closed, or after its delivery thread was killed."""
        if self.is_of_this_process and self.state is not State.DRAINING and self._has_events:
            self._open(self._deliverer.make_thread, threaded=self._deliverer.threaded)
            if exit_and_forks.exiting():
                self._start_draining()

    @locked
    def _start_draining(self) -> None:
        self.open_mark[0] = 0
        self._to_be_closed = False
        if self.state is State.CLOSED:
            return
        self.state = State.DRAINING
        self._keep_trying_until = -inf
        self._flushes_left = _MOST_FLUSHES
        self._source.flush()
        self._deliverer.start_or_wake()

    @locked
    def _start_delivery(self, deadline: float, *, may_look: bool) -> bool:
        """Have everything delivered; return False where there is nothing to deliver."""
        if not self.is_of_this_process:
            return False
        if self.state is State.CLOSED:
            if may_look and not self._deliverer.present:
                self._change_place(self._place.adopt_now)
                self._reopen_for_missed_event()  # for what a destructor has logged meanwhile
            if not (self._has_events or self._place.has_adopted):
                return False
            if not self.open_mark[0]:
                exit_and_forks.register_busy(self)
                self.state = State.DRAINING
        elif may_look:
            self._place.adopt_soon()
        self.keep_trying_until(deadline)
        self._deliverer.start_or_wake()
        return True

    @locked
    def advance(self, *, stays: bool) -> bool:
        """Take the next step, if it is time for one: flush or drain where somebody could not wait for that, or let go of everything.

        Returns whether the thread that delivers is to leave.

        Args:
            stays: whether it is to stay in any case: while the process exits, no other thread could be started.
        """
        if self._to_be_flushed:
            self._to_be_flushed = False
            self._source.flush()
        if (self._to_be_closed or self._is_forgotten()) and self.state is State.OPEN:
            self._start_draining()
        now = monotonic()
        if self.state is State.OPEN:
            leaves = (
                not self._deliverer.threaded
                and self._sender.is_idle
                and (self.done or now >= self._keep_trying_until)
            )
        else:
            leaves = self.state is State.CLOSED or self._close_if_settled(now)
        if not leaves or stays:
            return False
        self._deliverer.clear_role()
        # A request made without the lock, just before the role was cleared, found somebody to wake: who leaves now.
        asked = self._to_be_flushed or self._to_be_closed or self._is_forgotten()
        if asked and self.state is State.OPEN:
            self._deliverer.start_or_wake()
        return True

    @property
    def _has_events(self) -> bool:
        return self._spool.has_waiting or not self._source.settled

    def _close_if_settled(self, now: float) -> bool:
        """Give back adopted events that nobody waits for, then let go of everything if all is settled; return whether it was."""
        if self._flushes_left and self._source.mark_all():
            self._flushes_left -= 1
        if self._place.has_adopted:
            if now < self._keep_trying_until:
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
        # Before the state changes: after an exception in between, this is done again, since the state is still draining.
        exit_and_forks.unregister_busy(self)
        self.state = State.CLOSED
        self._sender.progress.notify()
        return True

    def _change_place(self, change: Callable[[], None]) -> None:
        """Open, close or look at the place; what a destructor logs meanwhile is appended afterwards, to the place there is then."""
        try:
            self._spool.changes_place = True
            change()
        finally:
            self._spool.changes_place = False

    # Waiting.

    @property
    def at_transition(self) -> bool:
        """Whether the calling thread has interrupted a transition."""
        return self._deliverer.owns_lock
