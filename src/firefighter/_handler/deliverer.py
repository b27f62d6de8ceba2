"""Who delivers for a handler: one thread at a time has the role, and it alone touches what was taken and is not settled.

Normally the delivery thread has it, until the handler's life ends. With `use_queues=False` a thread comes for each event, and
leaves when all is sent, or could not be. Where no thread can be started, or the one that was started does not come, whoever
waits takes the role, and the time-outs of the request bound that.

Nothing is decided by whether a thread is alive: the role is taken and given back under the life's lock, in a `finally`.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Protocol

from firefighter._delivery.diagnostics import Diagnostics, count_of
from firefighter._delivery.origin import as_thread_of_ours, enter_in_list_of_threads
from firefighter._delivery.requests import MakeThread
from firefighter._delivery.sender import Sender
from firefighter._process import exit_and_forks
from firefighter._process.lock import locked
from firefighter._process.wakeup import Wakeup

__all__ = ['Deliverer', 'HasClient']

# Whoever waits longer at exit is told for what.
_SILENT_SECONDS = 2.0
# A thread that was started takes a thousandth of this to come. One that does not is somebody's that never runs it.
_PATIENCE_SECONDS = 1.0
# A delivery thread that ends at once is not replaced as fast as that goes.
_PAUSE_BETWEEN_THREADS_SECONDS = 1.0


class Life(Protocol):
    """What there is to deliver, and when that ends."""

    @property
    def is_ours(self) -> bool:
        """Whether this is the process that it belongs to."""

    @property
    def is_closed(self) -> bool:
        """Whether everything is let go of."""

    @property
    def done(self) -> bool:
        """Whether there is nothing to deliver."""

    @property
    def pending(self) -> int:
        """How many events are not settled."""

    def deliver(self) -> None:
        """Deliver until there is nothing left to do, in a thread of ours."""

    def end(self, *, parks: bool) -> bool:
        """Let go of everything if all is delivered; return whether who delivers is to leave."""

    def go_on_until(self, deadline: float) -> None:
        """Try again what fails, until then."""

    def have_next_event_ask(self) -> None:
        """Have the next event see to it that somebody delivers."""


class HasClient(Protocol):
    """Makes the requests."""

    def limit_timeouts(self, seconds: float) -> None:
        """Have a request from now on take at most so long, about: an application's thread waits."""

    def renew_client(self) -> None:
        """Make a client anew: nobody knows in what state the old one was left."""


class Deliverer:
    """The role of the one who delivers, and how it is filled.

    Args:
        stream: the delivery stream's name.
        life: what there is to deliver.
        lock: the life's, under which all of it changes.
        sender: delivers.
        transport: makes the requests.
        wake: wakes who delivers.
        diagnostics: where to say what is wrong.

    Attributes:
        make_thread: makes our threads.
        threaded: whether a thread stays for what is logged.
        until: when the one who has the role has to leave, by the monotonic clock: a thread of the application's.
        expected: whether somebody has the role, or comes to take it, as far as is known.
    """

    def __init__(
        self,
        stream: str,
        life: Life,
        lock: _thread.RLock,
        sender: Sender,
        transport: HasClient,
        wake: Callable[[], None],
        diagnostics: Diagnostics,
    ) -> None:
        self._stream = stream
        self._life = life
        self._lock = lock
        self._sender = sender
        self._transport = transport
        self._wake = wake
        self._diagnostics = diagnostics
        self.make_thread: MakeThread = threading.Thread
        self.threaded = True
        self.until = inf
        self.expected = False
        self._role: object | None = None
        # When a thread was started that has not come yet.
        self._started_at = -inf
        self._left_early_at = -inf
        self._pauses = False

    @property
    def present(self) -> bool:
        """Whether somebody has the role."""
        return self._role is not None

    @locked
    def call(self) -> None:
        """See to it that somebody delivers, or comes to."""
        self.expected = self.present
        if self.expected:
            self._wake()
            return
        self.expected = monotonic() < self._started_at + _PATIENCE_SECONDS
        if self.expected:
            return  # one is on its way
        try:
            thread = self.make_thread(target=self._run, args=())
            thread.daemon = True
            thread.name = f'firefighter-{self._stream}'
            thread.start()
        except Exception as error:  # RuntimeError, or whatever a make_thread of the user's raises
            if threading.main_thread().is_alive() and not exit_and_forks.exiting():
                self._diagnostics.say(
                    'no thread',
                    f'no delivery thread can be started ({error}): each logging call delivers by itself',
                )
            return
        self.expected = True
        self._started_at = monotonic()

    def dismiss(self) -> None:
        """Take the role from whoever has it, and leaves now. Call with the lock held."""
        self._role = None
        self.until = inf
        self._started_at = -inf
        self._sender.progress.notify()

    def abandon(self, lock: _thread.RLock) -> None:
        """Go on in a forked child with a lock that nobody has there."""
        self._lock = lock

    def wait_for(self, condition: Callable[[], bool], deadline: float) -> None:
        """Wait until the condition holds, or until the deadline; deliver meanwhile where nobody comes to do it, or stays.

        Args:
            condition: asked whenever delivery has made progress.
            deadline: by the monotonic clock.
        """
        if self.expected:
            self.watch(lambda: condition() or self.present, monotonic() + _PATIENCE_SECONDS, deadline)
        if self.present:

            def over() -> bool:
                return condition() or not self.present

            if exit_and_forks.exiting():
                self.watch(over, monotonic() + _SILENT_SECONDS, deadline)
                left_seconds = deadline - monotonic()
                if not over() and left_seconds > 0:
                    self._diagnostics.say(
                        'waiting',
                        f'stream {self._stream!r}: the process ends; still delivering '
                        f'{count_of(self._life.pending)}, for at most {left_seconds:.0f} s more '
                        '(shutdown_timeout_seconds; Ctrl-C ends it)',
                    )
            self.watch(over, deadline)
        if not condition() and monotonic() < deadline:
            self.deliver_here(condition, deadline)

    def watch(self, condition: Callable[[], bool], *deadlines: float) -> None:
        """Wait until the condition holds, looking whenever delivery has made progress, or until the first deadline."""
        deadline = min(deadlines)
        while True:
            wakeup = self._sender.progress.join()
            try:
                left_seconds = deadline - monotonic()
                over = condition() or left_seconds <= 0 or not self._life.is_ours
                if over or not wakeup.wait(left_seconds):
                    return
            finally:
                self._sender.progress.leave(wakeup)

    def deliver_here(self, condition: Callable[[], bool], deadline: float) -> None:
        """Deliver in the calling thread, or beside another that does, until the condition holds or the deadline."""
        while not condition() and monotonic() < deadline and self._life.is_ours:
            role = object()
            try:
                if not self._take(role):
                    self.watch(lambda: not self.present or condition(), deadline)
                    continue
                self.until = deadline
                self._transport.limit_timeouts(max(deadline - monotonic(), 0.0))
                self._sender.requests.make_thread = None
                self._life.go_on_until(deadline)
                self._sender.run(
                    lambda: self._life.end(parks=False) or condition() or monotonic() >= deadline
                )
            finally:
                self._give_back(role)
        if self.expected:
            self._life.have_next_event_ask()  # a thread that came meanwhile has left

    # Inside.

    @as_thread_of_ours
    def _run(self) -> None:
        role = object()
        if self._lock._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001  # no public way to ask
            raise RuntimeError('make_thread has run it in the calling thread')
        exit_and_forks.prepare_threads_end()
        if self._pauses:
            self._pauses = False
            Wakeup().wait(_PAUSE_BETWEEN_THREADS_SECONDS)
        try:
            if self._take(role):
                self._life.deliver()
        finally:
            enter_in_list_of_threads()
            if self._give_back(role) and self._life.is_ours and not self._life.is_closed:
                self._replace()

    def _replace(self) -> None:
        """Have another thread come: this one was killed, or a `batch_sender` of the user's has returned early."""
        self._life.have_next_event_ask()
        self._transport.renew_client()
        self._diagnostics.say(
            'thread', f'stream {self._stream!r}: the delivery thread was ended; another takes its place'
        )
        before, self._left_early_at = self._left_early_at, monotonic()
        # One that comes too soon waits a while, before it takes the role.
        self._pauses = self._left_early_at - before <= _PAUSE_BETWEEN_THREADS_SECONDS
        if self._life.done:
            self._life.end(parks=False)  # where the life ends, there is only to let go
        else:
            self.call()

    @locked
    def _take(self, role: object) -> bool:
        if self.present or not self._life.is_ours:
            return False
        self._role = role
        self._sender.progress.notify()
        return True

    @locked
    def _give_back(self, role: object) -> bool:
        """Give the role back, unless that has happened already; return whether it had not."""
        if self._role is not role:
            return False
        self.dismiss()
        return True
