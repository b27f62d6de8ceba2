"""Deliver what is pending when a signal comes, and then do what would have been done without us.

Python runs a signal handler in the main thread, between two bytecodes of whatever runs there. That may be a logging call inside the
spool, a transition, or code that holds logging's lock. Then nothing can be delivered before the signal handler has returned. So it
returns, and the signal is sent again a moment later.
"""

from __future__ import annotations

import _thread
import os
import signal
import threading
from collections.abc import Callable
from contextlib import nullcontext
from math import inf
from time import sleep
from types import FrameType, TracebackType
from typing import ClassVar

from firefighter._process import exit_and_forks
from firefighter._process.lock import holds_lock_of_handler
from firefighter._process.waiting import monotonic

__all__ = ['SignalHandlers']

# How long a signal is put off, at most, where the interrupted frame holds the lock of a handler, because it writes to a slow console, say.
# Delivery needs that lock only if botocore logs to that handler.
_MOST_SECONDS_FOR_A_HANDLER = 1.0
_PAUSE_SECONDS = 0.002

_NO_END = 'does not end a program by default, so there is no end to flush before'
_FAULT = 'comes from a fault in the program: Python runs no signal handler then. Use spool_dir, which keeps events however the process dies'
_CANNOT_BE_HANDLED = (
    'cannot be handled by any program. Use spool_dir, which keeps events however the process dies'
)
_UNSUITABLE = {
    **dict.fromkeys(('SIGKILL', 'SIGSTOP'), _CANNOT_BE_HANDLED),
    **dict.fromkeys(('SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL'), _FAULT),
    **dict.fromkeys(
        ('SIGCHLD', 'SIGCLD', 'SIGCONT', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGURG', 'SIGWINCH', 'SIGINFO'), _NO_END
    ),
}  # fmt: skip

# Of the handlers that asyncio and uvloop install, which do nothing: the loop reads of each signal from a socket.
_EVENT_LOOPS = frozenset({'asyncio.unix_events', 'uvloop.loop'})

Before = Callable[[int, FrameType | None], object] | int


class SignalHandlers:
    """Signal handlers that deliver what is pending, then do what was done before. Made by `flush_on_signals`.

    As a context manager it restores what was there before when the block ends.

    Args:
        signals: names or numbers of signals.

    Raises:
        ValueError: a signal is unknown or of no use here, or this is not the main thread.
    """

    def __init__(self, signals: tuple[str | int, ...]) -> None:
        numbers = list(dict.fromkeys(map(_number_of, signals)))
        if not numbers:
            raise ValueError("flush_on_signals() needs a signal: write flush_on_signals('SIGTERM')")
        self._handlers: list[_Handler] = []
        for number in numbers:
            before = signal.getsignal(number)
            if before is None:
                self.restore()
                raise ValueError(
                    f'{_name_of(number)} is handled by code that is not in Python, which cannot be called '
                    'from here. Let that code end the process as it does, and use spool_dir'
                )
            if before != signal.SIG_IGN:
                handler = _Handler(number, before)
                _set_handler(number, handler)
                self._handlers.append(handler)

    def restore(self) -> None:
        """Put back what was there before. Where another handler was installed since, that one stays, and ours does nothing any more.

        Raises:
            ValueError: this is not the main thread.
        """
        for handler in self._handlers:
            if handler.is_installed:
                _set_handler(handler.number, handler.before)
            handler.restored = True

    def __enter__(self) -> SignalHandlers:  # noqa: PYI034  # `typing.Self` is not in Python 3.10
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.restore()


class _SecondSignal(BaseException):
    """A signal came again, or another one: whoever sends it does not want to wait for delivery any longer."""


class _PutOff:
    """A signal that is sent again, until its handler can do its work.

    It is sent once at a time: never while a handler decides whether it can. So no signal is left over that would come twice.

    Attributes:
        pid: the process that it was sent to.
        began_at: when it first came, by the monotonic clock.
        most_seconds: how long it is put off, at most.
        has_come: whether its handler has seen it, and it must come again.
        is_over: whether its handler does its work.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._main_thread = threading.get_ident()
        self.began_at = monotonic()
        # Now: when it comes again, the last handler may have been closed.
        self.most_seconds = max(exit_and_forks.most_shutdown_seconds(), _MOST_SECONDS_FOR_A_HANDLER)
        self.has_come = False
        self.is_over = False

    def send_again(self, number: int) -> None:
        """Send it until it is over, in a thread of its own."""
        # Somebody may install another signal handler meanwhile. Then it is never over.
        while not self.is_over and monotonic() < self.began_at + 2 * self.most_seconds:
            sleep(_PAUSE_SECONDS)
            if self.has_come:
                self.has_come = False
                if hasattr(signal, 'pthread_kill'):
                    # To that thread, so that a system call that it is in ends.
                    signal.pthread_kill(self._main_thread, number)
                else:
                    signal.raise_signal(number)


class _Handler:
    """What Python calls on one signal.

    Args:
        number: of the signal.
        before: what was done on it before.

    Attributes:
        number, before: as given.
        restored: whether it does nothing of its own any more.
    """

    # The process in which one of them waits just now. A child that another thread forks meanwhile does not wait.
    _waits_in: ClassVar[int | None] = None

    def __init__(self, number: int, before: Before) -> None:
        self.number = number
        self.before = before
        self.restored = False
        self._put_off = _PutOff(0)  # of no process

    def __call__(self, _: int, frame: FrameType | None) -> None:
        pid = os.getpid()
        if _Handler._waits_in == pid:
            _Handler._waits_in = None
            raise _SecondSignal
        if self.restored:
            self.do_as_before(frame)
            return
        began_at = self._came_first_at(pid)
        if began_at is None:
            return
        with exit_and_forks.ending(began_at) if self.programs_own == signal.SIG_DFL else nullcontext():
            waited_seconds = inf
            try:
                if self._deliver(pid, began_at):
                    waited_seconds = monotonic() - began_at
            finally:
                try:
                    self.do_as_before(frame)
                except SystemExit:
                    # After a second signal it does not wait at all.
                    exit_and_forks.note_waited_before_exit(waited_seconds)
                    raise

    @property
    def is_installed(self) -> bool:
        """Whether Python calls it, not another one."""
        return signal.getsignal(self.number) is self

    @property
    def programs_own(self) -> Before:
        """What the program does on the signal. Somebody may have asked for a flush before."""
        return self.before.programs_own if isinstance(self.before, _Handler) else self.before

    def do_as_before(self, frame: FrameType | None) -> None:
        """Do what the program does on the signal, without waiting for delivery."""
        if isinstance(self.before, _Handler):
            self.before.do_as_before(frame)  # and not wait once more
            return
        if callable(self.before):
            self.before(self.number, frame)
            return
        installed = signal.getsignal(self.number)
        signal.signal(self.number, signal.SIG_DFL)
        signal.raise_signal(self.number)
        # It comes here only where the system ignores the signal: in process 1 of a container.
        signal.signal(self.number, installed)

    def _came_first_at(self, pid: int) -> float | None:
        """Return when the signal came, by the monotonic clock; None where it is put off."""
        is_new = self._put_off.is_over or self._put_off.pid != pid
        put_off = self._put_off = _PutOff(pid) if is_new else self._put_off
        waited_seconds = monotonic() - put_off.began_at
        must_wait = (waited_seconds < put_off.most_seconds and exit_and_forks.interrupted()) or (
            waited_seconds < _MOST_SECONDS_FOR_A_HANDLER and holds_lock_of_handler()
        )
        if put_off.is_over:  # it came again just now, and that one has done the work
            return None
        if not must_wait:
            put_off.is_over = True
            return put_off.began_at
        # An event loop has noted each signal before any handler is called, so it must not come again. Nor need it: the loop goes on,
        # and so another thread can wait.
        is_noted = getattr(self.programs_own, '__module__', None) in _EVENT_LOOPS
        put_off.has_come = not is_noted
        put_off.is_over = is_noted
        if is_new:
            wait: Callable[..., object] = exit_and_forks.finish_before if is_noted else put_off.send_again
            try:
                # Not `threading`, which takes locks of its own: the signal may have interrupted their owner.
                _thread.start_new_thread(wait, (put_off.began_at if is_noted else self.number,))
            except RuntimeError:  # no thread can be started
                put_off.is_over = True
                return put_off.began_at
        return None

    def _deliver(self, pid: int, began_at: float) -> bool:
        """Wait for delivery, until a second signal comes; return whether none came."""
        try:
            _Handler._waits_in = pid
            exit_and_forks.finish_before(began_at)
        except _SecondSignal:
            return False
        finally:
            _Handler._waits_in = None
        return True


def _number_of(given: str | int) -> int:
    """Return the number of a signal that is given by its name or number.

    Raises:
        TypeError: it is neither.
        ValueError: there is no such signal, or it is of no use here.
    """
    if not isinstance(given, (str, int)):
        raise TypeError(
            f"flush_on_signals() takes names or numbers of signals, like flush_on_signals('SIGTERM', 'SIGINT'), not {given!r}"
        )
    number = signal.Signals.__members__.get(given) if isinstance(given, str) else given
    if number not in signal.valid_signals():
        full_name = f'SIG{given}'.upper()
        instead = full_name if full_name in signal.Signals.__members__ else 'SIGTERM'
        raise ValueError(f'{given!r} is no signal of this system: write {instead!r}, for example')
    name = _name_of(int(number))
    if name in _UNSUITABLE:
        raise ValueError(f'{name} {_UNSUITABLE[name]}')
    return int(number)


def _name_of(number: int) -> str:
    # Most of the real-time signals have none.
    return next((known.name for known in signal.Signals if known == number), str(number))


def _set_handler(number: int, handler: Before) -> None:
    try:
        signal.signal(number, handler)
    except ValueError as error:
        raise ValueError(
            "signal handlers belong to the main thread of Python's main interpreter: call this there, where the program starts"
        ) from error
