"""Which thread delivers for a handler: one at a time has that role, and it alone touches what was taken and is not settled.

Normally the delivery thread has the role until the handler is closed. With `use_queues=False` a thread is started for each
event, and leaves when everything is sent or could not be sent. Where no thread can be started, or a started one does not come,
the thread that waits for delivery takes the role; the time-outs of its requests are then cut to its deadline.

A thread of ours runs `_run`, which calls the pipeline's `deliver`: that is the user's `batch_sender` where a subclass has one, else `run`,
which runs the sender.

`NoWait` lists who must not wait for delivery.

Whether a thread is alive decides nothing. The role is taken and given back under the lifecycle's lock, in a `finally`.
"""

from __future__ import annotations

import _thread
import enum
import threading
from collections.abc import Callable
from math import inf
from typing import Protocol

from firefighter._delivery.diagnostics import Diagnostics, count_of, name_error
from firefighter._delivery.logged_by_delivery import (
    as_thread_of_ours,
    enter_in_list_of_threads,
    on_thread_of_ours,
)
from firefighter._delivery.requests import MakeThread
from firefighter._delivery.sender import Sender
from firefighter._delivery.spool_source import SpoolSource
from firefighter._process import exit_and_forks
from firefighter._process.lock import (
    holds_lock_of_handler,
    holds_logging_lock,
    locked,
    other_threads_are_gone,
    run_locked,
)
from firefighter._process.subinterpreters import in_subinterpreter, start_thread
from firefighter._process.waiting import Wakeup, monotonic

__all__ = ['Deliverer', 'HasClient', 'NoWait']

# An exit that waits longer reports why.
_SILENT_SECONDS = 2.0
# A started thread comes within a thousandth of this. One that does not was made by a `make_thread` that never runs it.
_PATIENCE_SECONDS = 1.0
# A delivery thread that ends at once (a `batch_sender` that returns, say) is replaced only this often.
_PAUSE_BETWEEN_THREADS_SECONDS = 1.0


class NoWait(enum.Enum):
    """Why a caller must not wait for delivery: it would wait for itself."""

    LOGGING_LOCK = "it holds logging's lock, which delivery needs to ask a logger for its level"
    OWN_THREAD = 'it is a thread of ours: a hook such as `on_drop` logs'
    INSIDE = 'it is a signal handler or a destructor that has interrupted the spool or a transition'
    HANDLER_LOCK = (
        "it holds another handler's lock (MemoryHandler does), which the records of botocore go to as well"
    )


class Life(Protocol):
    """The lifecycle, as the deliverer needs it."""

    @property
    def is_of_this_process(self) -> bool:
        """Whether this is the process that it belongs to, not a child that was forked from it."""

    @property
    def is_open(self) -> bool:
        """Whether events are expected."""

    @property
    def is_closed(self) -> bool:
        """Whether the handler holds nothing any more."""

    @property
    def done(self) -> bool:
        """Whether there is nothing to deliver."""

    def deliver(self) -> None:
        """Deliver until there is nothing left to do, in a thread of ours."""

    def advance(self, *, stays: bool) -> bool:
        """Take the next step of the life; return whether who delivers is to leave."""

    def keep_trying_until(self, deadline: float) -> None:
        """Try again what fails, until then."""

    def check_at_next_event(self) -> None:
        """Have the next event see to it that somebody delivers."""


class HasClient(Protocol):
    """The transport, as the deliverer needs it."""

    def limit_timeouts(self, seconds: float) -> None:
        """Limit each request from now on to about so long, since a thread of the application waits for it."""

    def renew_client(self) -> None:
        """Make a new client: the thread that used the old one was killed, so its state is unknown."""


class Deliverer:
    """The role of the thread that delivers, and how it is filled.

    Args:
        stream: the delivery stream's name.
        life: the lifecycle.
        lock: the life's, under which all of it changes.
        source: the spool, as delivery sees it.
        sender: delivers it.
        transport: makes the requests.
        diagnostics: where to say what is wrong.

    Attributes:
        make_thread: makes our threads.
        threaded: whether a delivery thread stays and waits for events.
        leaves_at: when the thread that has the role must leave, by the monotonic clock; inf but for a thread of the application.
        expected: whether a thread has the role, or was just started to take it.
    """

    def __init__(
        self,
        stream: str,
        life: Life,
        lock: _thread.RLock,
        source: SpoolSource,
        sender: Sender,
        transport: HasClient,
        diagnostics: Diagnostics,
    ) -> None:
        self._stream = stream
        self._life = life
        self._lock = lock
        self._source = source
        self._sender = sender
        self._transport = transport
        self._diagnostics = diagnostics
        self.make_thread: MakeThread = threading.Thread
        self.threaded = True
        self.leaves_at = inf
        self.expected = False
        self._role: object | None = None
        # When a thread was started that has not come yet.
        self._started_at = -inf
        self._left_early_at = -inf
        self._pauses = False
        # Of the thread that starts one just now, the number that the system has given it.
        self._starter: int | None = None

    @property
    def present(self) -> bool:
        """Whether somebody has the role."""
        return self._role is not None

    @locked
    def start_or_wake(self) -> None:
        """Wake the thread that delivers, or start one."""
        self.expected = self.present
        if self.expected:
            self._source.wake()
            return
        if exit_and_forks.threads_must_end():
            return
        self.expected = monotonic() < self._started_at + _PATIENCE_SECONDS
        if self.expected:
            return  # a thread was just started
        try:
            self._starter = threading.get_native_id()
            start_thread(self.make_thread, self._run, (), f'firefighter-{self._stream}')
        except Exception as error:  # RuntimeError, or whatever a make_thread of the user's raises
            if threading.main_thread().is_alive() and not exit_and_forks.exiting():
                self._diagnostics.say(
                    'no thread',
                    f'no delivery thread can be started ({name_error(error)}): each logging call delivers by itself',
                )
            return
        finally:
            self._starter = None
        self.expected = True
        self._started_at = monotonic()

    def clear_role(self) -> None:
        """Take the role from the thread that has it, which leaves now. Call with the lock held."""
        self._role = None
        self.leaves_at = inf
        self._started_at = -inf
        self._sender.progress.notify()

    def use_lock(self, lock: _thread.RLock) -> None:
        """Use another lock: nobody in a forked child can release the old one."""
        self._lock = lock

    def deliver_or_wait(self, condition: Callable[[], bool], deadline: float) -> None:
        """Wait until the condition holds, or until the deadline. Deliver in this thread where no other thread does.

        Args:
            condition: asked whenever delivery has made progress.
            deadline: by the monotonic clock.
        """
        if self.expected:
            self.wait_until(lambda: condition() or self.present, monotonic() + _PATIENCE_SECONDS, deadline)
        if self.present and other_threads_are_gone():
            return  # with the role, and with locks that this thread would wait for
        if self.present:

            def over() -> bool:
                return condition() or not self.present

            if exit_and_forks.exiting():
                self.wait_until(over, monotonic() + _SILENT_SECONDS, deadline)
                left_seconds = deadline - monotonic()
                if not over() and left_seconds > 0:
                    self._diagnostics.say(
                        'waiting',
                        f'stream {self._stream!r}: the process ends; still delivering '
                        f'{count_of(self._source.spool.account().pending)}, for at most {left_seconds:.0f} s more '
                        '(shutdown_timeout_seconds; Ctrl-C ends it)',
                    )
            self.wait_until(over, deadline)
        if not condition() and monotonic() < deadline:
            self.deliver_in_this_thread(condition, deadline)

    def wait_until(self, condition: Callable[[], bool], *deadlines: float) -> None:
        """Wait until the condition holds or the first deadline comes. The condition is asked whenever delivery makes progress."""
        deadline = min(deadlines)
        while True:
            wakeup = self._sender.progress.join()
            try:
                left_seconds = deadline - monotonic()
                over = condition() or left_seconds <= 0 or not self._life.is_of_this_process
                if over or not wakeup.wait(left_seconds):
                    return
            finally:
                self._sender.progress.leave(wakeup)

    def deliver_in_this_thread(self, condition: Callable[[], bool], deadline: float) -> None:
        """Deliver in the calling thread until the condition holds or the deadline comes; wait while another thread delivers."""
        while not condition() and monotonic() < deadline and self._life.is_of_this_process:
            role = object()
            try:
                if not self._take_role(role):
                    self.wait_until(lambda: not self.present or condition(), deadline)
                    continue
                self.leaves_at = deadline
                self._transport.limit_timeouts(max(deadline - monotonic(), 0.0))
                self._sender.requests.make_thread = None
                self._life.keep_trying_until(deadline)
                self._sender.run(
                    lambda: self._life.advance(stays=False) or condition() or monotonic() >= deadline
                )
            finally:
                self._release_role(role)
        if self.expected:
            self._life.check_at_next_event()  # a delivery thread came meanwhile, found the role taken, and left

    def deliver_now(self, deadline: float) -> None:
        """Deliver what was just logged before its call returns; wait for that until the deadline, by the monotonic clock."""
        if self.threaded and not threading.main_thread().is_alive():
            # The main thread has ended, so no thread can be started. Exit functions will deliver the event. Only what has been
            # due for long is delivered here.
            self.deliver_in_this_thread(lambda: not self._sender.overdue, deadline)
            return
        through = self._source.flush()
        flushes = self._source.flushes
        self.start_or_wake()
        if self.threaded and self.expected:
            self._life.check_at_next_event()  # the thread that could not be started before is there: calls need not wait any more
        self.deliver_or_wait(
            lambda: self._source.spool.settled_through >= through or self._sender.has_tried_since(flushes),
            deadline,
        )

    def run(self) -> None:
        """Deliver until there is nothing left to do, in a thread of ours."""
        self._sender.requests.make_thread = self.make_thread if self.threaded else None
        try:
            self._sender.run(lambda: not self._life.is_of_this_process or self._is_over())
        finally:
            self._sender.requests.end_idle_threads()

    def report(self) -> None:
        """Call the hooks for new drops, where there is no delivery thread that does."""
        if not self.present:
            self._sender.report(at_once=True)

    def why_no_wait(self) -> NoWait | None:
        """Return why the caller must not wait; None: it may."""
        if holds_logging_lock():
            return NoWait.LOGGING_LOCK
        if self._source.spool.interrupted or self.owns_lock:
            return NoWait.INSIDE
        if on_thread_of_ours():
            return NoWait.OWN_THREAD
        # At exit it waits all the same, since nobody delivers after that.
        if not exit_and_forks.exiting() and holds_lock_of_handler(exit_and_forks.registered_handlers):
            return NoWait.HANDLER_LOCK
        return None

    @property
    def owns_lock(self) -> bool:
        """Whether the calling thread has the lock: it has interrupted a transition. Or it is just being started by the one that has.

        `Thread.start` waits until the new thread has begun. A destructor may log there before that, in a thread that `threading` does
        not know yet.
        """
        # Greenlets are unknown to `threading` as well, but run in the same thread.
        being_started = self._starter not in {None, threading.get_native_id()} and isinstance(
            threading.current_thread(),
            threading._DummyThread,  # noqa: SLF001  # no public way to ask
        )
        return being_started or self._lock._is_owned()  # type: ignore[attr-defined]  # noqa: SLF001  # as above

    # Inside.

    def _is_over(self) -> bool:
        if not self._life.is_open:
            # Call the hooks now, while what they log can still be sent.
            self._sender.report(at_once=True)
        if exit_and_forks.threads_must_end():
            run_locked(self._lock, self.clear_role)
            return True
        return self._life.advance(stays=exit_and_forks.exiting() and not in_subinterpreter())

    @as_thread_of_ours
    def _run(self) -> None:
        role = object()
        if self.owns_lock:
            raise RuntimeError('make_thread has run it in the calling thread')
        exit_and_forks.prepare_threads_end()
        if self._pauses:
            self._pauses = False
            Wakeup().wait(_PAUSE_BETWEEN_THREADS_SECONDS)
        try:
            if self._take_role(role):
                self._life.deliver()
        finally:
            enter_in_list_of_threads()
            if self._release_role(role) and self._life.is_of_this_process and not self._life.is_closed:
                self._replace()

    def _replace(self) -> None:
        """Start another thread: this one was killed, or the `batch_sender` of a subclass has returned early."""
        self._life.check_at_next_event()
        self._transport.renew_client()
        self._diagnostics.say(
            'thread', f'stream {self._stream!r}: the delivery thread was ended; another takes its place'
        )
        before, self._left_early_at = self._left_early_at, monotonic()
        # If this one ended too soon after its own pause, the next one pauses too before it takes the role.
        self._pauses = self._left_early_at - before <= 2 * _PAUSE_BETWEEN_THREADS_SECONDS
        if self._life.done:
            self._life.advance(stays=False)  # nothing is left to deliver, only to let go of
        else:
            self.start_or_wake()

    @locked
    def _take_role(self, role: object) -> bool:
        if self.present or not self._life.is_of_this_process:
            return False
        self._role = role
        self._sender.progress.notify()
        return True

    @locked
    def _release_role(self, role: object) -> bool:
        """Give the role back; return False where that has happened already."""
        if self._role is not role:
            return False
        self.clear_role()
        return True
