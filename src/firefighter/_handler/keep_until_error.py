"""A handler that keeps events of low levels in memory until an error comes in the same context; else they are forgotten.

    an event under `below`     is encoded by the target, and waits in the ring of its scope
    one of ERROR or above      what waits there goes into the target's spool, then the error itself
    one in between             goes to the target

A *scope* is what an error brings with it: a context of `contextvars`, or what `begin_request` has begun, with all copies of its context.
The context alone holds its scope: so it ends with the context, and has its rings forgotten. A ring is what one handler keeps of a scope.

The *keeper* has all rings of the process, and bounds their bytes together. It changes them under its lock. A signal handler or a destructor that has
interrupted that, or the end of a context, only says in a queue what is to be done.
"""

from __future__ import annotations

import gc
import logging
import logging.handlers
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, ContextVar
from functools import partial
from typing import Any, NamedTuple, Protocol

from firefighter._handler.options import check_level
from firefighter._handler.user_code import call_for_record, report_held_back
from firefighter._process.lock import locked, make_lock, run_if_free, run_locked
from firefighter._process.open_mark import make_mark

__all__ = ['KeepUntilErrorHandler', 'Kept']

# What Python needs beside the bytes of an event, for each event and for each ring (tracemalloc on CPython 3.11, rounded up).
_EVENT_BYTES = 64
_RING_BYTES = 1536

_ERROR = logging.ERROR


class Kept(NamedTuple):
    """What has become of the events under `below`, in this process."""

    waiting: int
    """Events that wait in memory."""
    spooled: int
    """Events that were handed to the target, because an error came."""
    forgotten: int
    """Events that were forgotten: their context has ended, newer ones have taken their place, or the handler was closed."""


class Target(Protocol):
    """A `FirehoseHandler`, as far as it is used here."""

    level: int

    def handle(self, record: logging.LogRecord) -> Any:
        """Log a record."""

    def emit(self, message: logging.LogRecord) -> None:
        """Log a record that the filters have let pass."""

    def flush(self, timeout_seconds: float | None = None) -> bool:
        """Deliver what is pending."""

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802  # logging's name
        """Use another formatter."""

    def _ask_filters(self, record: logging.LogRecord) -> logging.LogRecord | None: ...

    def _give_up(self, error: BaseException) -> None: ...

    def _line_of(self, record: logging.LogRecord) -> bytes | None: ...

    def _queue_lines(self, lines: deque[bytes], message: logging.LogRecord) -> None: ...


# dictConfig finds the target of a MemoryHandler by its name, and makes it first. All else of that class is replaced.
class KeepUntilErrorHandler(logging.handlers.MemoryHandler):
    """Keep the newest events under a level in memory, and log them when an error comes in the same context.

    It takes the place of its target on the loggers. Each context of `contextvars` (a thread, an asyncio task, a call of
    `asyncio.to_thread`) has events of its own, and begins with none. An event of ERROR or above logs first what its context has kept,
    in its order and with its times. What no error follows is forgotten when its context ends. Call `begin_request` to have several
    contexts keep their events together.

    An event that is kept is encoded at once, as the target does it, and asks the target's filters at once. The target's level
    holds only for what is not kept. If events of the context were forgotten before the error came, an event of level DEBUG says how many,
    also as `forgotten`.

    Args:
        target: a `FirehoseHandler`, or the name that dictConfig has given it.
        below: the events under this level are kept. A level by name or number, ERROR at most.
        events: the most events that are kept of each context; the newest stay.

    Raises:
        TypeError: `target` is no FirehoseHandler, or of a class with its own `emit` or `handle`; or another argument has the wrong type.
        ValueError: there is no handler of that name, no such level, or `events` is not above 0.
    """

    MAX_PROCESS_BYTES: int = 16 * 1024**2
    """The most memory that the events may take which all these handlers keep in a process. Beyond it events are forgotten: the oldest of
    the context that has logged none for longest. To be set on this class."""

    def __init__(self, target: logging.Handler | str, below: int | str = 'INFO', events: int = 200) -> None:
        handler = _find(target) if isinstance(target, str) else target
        self._target = _checked_target(handler)
        self.below = _checked_level(below)
        _check_events(events)
        self._account = _Account(_keeper(), events)
        super().__init__(events, logging.ERROR, handler, flushOnClose=False)
        self.formatter = handler.formatter  # where there is none, `basicConfig` sets one

    @staticmethod
    def begin_request() -> None:
        """Begin to keep the events of this context together with those of all tasks and threads that copy it from now on.

        Call it where a unit of work begins: a request, a job, a message. What this context has kept before that is forgotten.
        """
        _scope.set(_Scope(is_shared=True))

    def stats(self) -> Kept:
        """Return what has become of the events under `below`, in this process."""
        account = self._account_here()
        return account.keeper.count(account)

    def handle(self, record: logging.LogRecord) -> Any:
        """Keep the record or hand it on, unless a filter refuses it; return what the filters returned. Takes no lock of this handler."""
        try:
            # What is not kept pays for one frame less, which is half of what this handler costs it.
            if self.below <= record.levelno < _ERROR and not self.filters:
                target = self._target
                return target.handle(record) if record.levelno >= target.level else False
        except Exception:  # as in `emit`
            pass
        if self.filters:
            try:
                verdict = call_for_record(self.filter, record)
            except BaseException as error:
                self._target._give_up(error)  # noqa: SLF001  # of this package, as below
                if not isinstance(error, Exception):
                    raise
                return False
            if not verdict:
                return False
            if isinstance(verdict, logging.LogRecord):  # since Python 3.12 a filter may replace it
                record = verdict
        self.emit(record)
        return record

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record, or hand it on to the target. Never raises an Exception."""
        target = self._target
        try:
            level = record.levelno
            if level < self.below:
                self._keep(record)
                return
            if level < target.level:
                return
            ring = self._ring_here() if level >= _ERROR else None
        except Exception:  # a record that somebody has made by hand, without a level for example
            ring = None
        if ring is None:
            target.handle(record)
            return
        # First, since only an error that is logged brings what was kept with it.
        passed = target._ask_filters(record)  # noqa: SLF001
        if passed is not None:
            self._spool(ring, passed)
            target.emit(passed)

    def setTarget(self, target: logging.Handler | None) -> None:  # noqa: N802  # logging's name
        """Refuse: what is kept is encoded for the first one."""
        raise TypeError(f'the target stays: make another KeepUntilErrorHandler(target={target!r})')

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802  # logging's name
        """Set the formatter of the target, which encodes all events."""
        self._target.setFormatter(fmt)

    def flush(self, timeout_seconds: float | None = None) -> bool:  # type: ignore[override]  # as the target's
        """Flush the target, and return what that returns. What is kept stays kept."""
        return self._target.flush(timeout_seconds)

    def close(self) -> None:
        """Forget what is kept. The target stays open, and is closed by itself."""
        report_held_back(self)
        account = self._account_here()
        account.keeper.forget(account)
        logging.Handler.close(self)

    # Inside.

    def _account_here(self) -> _Account:
        """Return the account of this process: what a parent keeps is the parent's."""
        keeper = _keeper()
        if self._account.keeper is not keeper:
            self._account = _Account(keeper, self._account.events)
        return self._account

    def _keep(self, record: logging.LogRecord) -> None:
        target = self._target
        line = target._line_of(record)  # noqa: SLF001
        if not line:
            return
        try:
            account = self._account_here()
            rings = _scope_here().rings
            # One call for both, since another thread may do the same.
            ring = rings.get(account) or rings.setdefault(account, _Ring(account))
            # A copy, since what orjson returns holds 4 KiB, however short it is.
            account.keeper.keep(ring, bytes(memoryview(line)))
        except Exception as error:  # no memory, no stack
            target._give_up(error)  # noqa: SLF001

    def _ring_here(self) -> _Ring | None:
        """Return what this context has kept, if it has kept anything yet."""
        scope = _scope.get(None)
        return scope.rings.get(self._account_here()) if scope and scope.is_here() else None

    def _spool(self, ring: _Ring, error: logging.LogRecord) -> None:
        """Log what is kept in a ring, before the error that has come."""
        target, account = self._target, ring.account
        lines, forgotten = account.keeper.take(ring)
        taken = len(lines)
        try:
            if forgotten:
                # A record factory of the program's may want what its own calls give.
                with suppress(Exception):
                    report = target._line_of(_report(forgotten, error))  # noqa: SLF001
                    target._queue_lines(deque([report] if report else []), error)  # noqa: SLF001
            target._queue_lines(lines, error)  # noqa: SLF001
        except Exception:  # no memory, no stack: counted below
            pass
        finally:
            account.keeper.settle(account, taken - len(lines), len(lines))


def _report(forgotten: int, error: logging.LogRecord) -> logging.LogRecord:
    """Return a record that says how many events are missing, made as the program makes its own."""
    were = 'event of this context was' if forgotten == 1 else 'events of this context were'
    text = f'{forgotten:,} earlier {were} forgotten'
    make = logging.getLogRecordFactory()
    record = make(
        error.name, logging.DEBUG, error.pathname, error.lineno, text, (), None, error.funcName, None
    )
    record.forgotten = forgotten
    return record


def _find(name: str) -> logging.Handler:
    # `logging.getHandlerByName` is there only from Python 3.12 on.
    handler: logging.Handler | None = logging._handlers.get(name)  # type: ignore[attr-defined]  # noqa: SLF001
    if handler is None:
        raise ValueError(f'target: there is no handler called {name!r}')
    return handler


def _checked_target(target: Any) -> Target:
    takes_lines = getattr(target, '_takes_lines', None)
    if takes_lines is None:
        raise TypeError(
            f'target must be a FirehoseHandler, or its name, not {target!r}. '
            "For other handlers there is logging's own MemoryHandler"
        )
    if not takes_lines:
        raise TypeError(
            f'target cannot be a {type(target).__name__}, which has an `emit` or `handle` of its own: events that are kept are encoded '
            'already. What it does to a record, a filter or a formatter can do'
        )
    checked: Target = target
    return checked


def _checked_level(below: int | str) -> int:
    check_level(below, 'below')
    level = logging.getLevelName(below) if isinstance(below, str) else below
    if not logging.NOTSET < level <= logging.ERROR:
        raise ValueError(
            f"below must be a level above NOTSET, and ERROR at most, such as 'INFO', not {below!r}"
        )
    return int(level)


def _check_events(events: object) -> None:
    if type(events) is not int:
        raise TypeError(f'events must be a whole number, such as 200, not {events!r}')
    if events < 1:
        raise ValueError(f'events must be above 0, such as 200, not {events}')


# Contexts.


class _Scope:
    """What an error brings with it.

    Attributes:
        context: returns the context that it is of; None where copies share it.
        rings: what each handler keeps of it.
    """

    __slots__ = ('context', 'rings')

    def __init__(self, *, is_shared: bool) -> None:
        self.context: Callable[[], Context | None] | None = None if is_shared else _no_context
        self.rings: dict[_Account, _Ring] = {}

    def is_here(self) -> bool:
        """Return whether the current context has made it, or shares it; a copy of another context has that one's."""
        return self.context is None or self.context() is _hold(self)

    # The last reference is the context's own, wherever and whenever that ends.
    def __del__(self) -> None:
        # There are none where a signal handler has raised in `__init__`.
        for ring in getattr(self, 'rings', {}).values():
            ring.account.keeper.note_end(ring)


def _no_context() -> None:
    """Stand for the context of a scope that is not there yet."""


_scope: ContextVar[_Scope] = ContextVar('firefighter_kept_events')


def _hold(scope: _Scope) -> Context:
    """Have the current context hold a scope; return that context.

    Python does not give it away, only copies of it. But a token refers to it first of all, on CPython 3.10 to 3.15.
    """
    context: Context = gc.get_referents(_scope.set(scope))[0]
    return context


def _scope_here() -> _Scope:
    """Return the scope of the current context, which begins here where there is none."""
    scope = _scope.get(None)
    if scope is None or not scope.is_here():
        scope = _Scope(is_shared=False)
        scope.context = weakref.ref(_hold(scope))
    return scope


# What is kept.


class _Account:
    """What was counted for one handler in one process."""

    def __init__(self, keeper: _Keeper, events: int) -> None:
        self.keeper = keeper
        self.events = events
        self.spooled = 0
        self.forgotten = 0


class _Ring:
    """The newest events that one handler has kept of one scope.

    Attributes:
        account: of the handler.
        lines: the events, the oldest first.
        forgotten: how many before them were forgotten, and not reported.
    """

    __slots__ = ('account', 'forgotten', 'lines')

    def __init__(self, account: _Account) -> None:
        self.account = account
        self.lines: deque[bytes] = deque()
        self.forgotten = 0


class _Keeper:
    """All that is kept in one process.

    Attributes:
        mark: not 0, except in a forked child, which gets a keeper of its own.
    """

    def __init__(self) -> None:
        self.mark = make_mark()
        self.mark[0] = 1
        self._lock = make_lock()
        # What is to be done by whoever comes next, since the one who wanted it could not wait for the lock.
        self._queue: deque[Callable[[], None]] = deque()
        # Those with lines, the one with the newest event last.
        self._rings: OrderedDict[_Ring, None] = OrderedDict()
        self._size_bytes = 0

    def keep(self, ring: _Ring, line: bytes) -> None:
        """Add an event to a ring."""
        if self._is_interrupted:
            self._queue.append(partial(self._add, ring, line))
        else:
            run_locked(self._lock, self._add_in_turn, ring, line)

    def note_end(self, ring: _Ring) -> None:
        """Have a ring forgotten. Called by a destructor, in any thread at any moment, so it takes no lock."""
        self._queue.append(partial(self._forget_all, ring))

    def forget(self, account: _Account) -> None:
        """Have all forgotten that is kept for a handler. dictConfig closes handlers under logging's lock, so it waits for nobody."""
        self._queue.append(partial(self._forget_account, account))
        if not self._is_interrupted:
            run_if_free(self._lock, self._work)

    def take(self, ring: _Ring) -> tuple[deque[bytes], int]:
        """Take out what a ring has: the events, and how many before them were forgotten.

        Nothing where a signal handler has interrupted this thread here: what is kept comes with the next error.
        """
        return (deque(), 0) if self._is_interrupted else self._take(ring)

    @locked
    def settle(self, account: _Account, spooled: int, forgotten: int) -> None:
        """Count events that were taken."""
        account.spooled += spooled
        account.forgotten += forgotten

    @locked
    def count(self, account: _Account) -> Kept:
        """Return what has become of a handler's events."""
        self._work()
        waiting = sum(len(ring.lines) for ring in self._rings if ring.account is account)
        return Kept(waiting, account.spooled, account.forgotten)

    # Inside.

    @property
    def _is_interrupted(self) -> bool:
        """Whether the calling thread is in here already, below a signal handler or a destructor."""
        return self._lock._is_owned()  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001  # no public way to ask

    def _work(self) -> None:
        """Do what is to be done. Call with the lock held."""
        while self._queue:
            self._queue.popleft()()

    def _add_in_turn(self, ring: _Ring, line: bytes) -> None:
        self._work()
        self._add(ring, line)

    def _add(self, ring: _Ring, line: bytes) -> None:
        if ring not in self._rings:
            self._size_bytes += _RING_BYTES
        self._rings[ring] = None
        self._rings.move_to_end(ring)
        self._size_bytes += len(line) + _EVENT_BYTES
        ring.lines.append(line)
        if len(ring.lines) > ring.account.events:
            self._forget_oldest(ring)
        while self._size_bytes > KeepUntilErrorHandler.MAX_PROCESS_BYTES and self._rings:
            self._forget_oldest(next(iter(self._rings)))

    def _forget_oldest(self, ring: _Ring) -> None:
        self._size_bytes -= len(ring.lines.popleft()) + _EVENT_BYTES
        ring.forgotten += 1
        ring.account.forgotten += 1
        if not ring.lines:
            self._let_go(ring)

    def _forget_account(self, account: _Account) -> None:
        for ring in [ring for ring in self._rings if ring.account is account]:
            self._forget_all(ring)

    def _forget_all(self, ring: _Ring) -> None:
        lines, _ = self._empty(ring)
        ring.account.forgotten += len(lines)

    @locked
    def _take(self, ring: _Ring) -> tuple[deque[bytes], int]:
        self._work()
        return self._empty(ring)

    def _empty(self, ring: _Ring) -> tuple[deque[bytes], int]:
        lines, ring.lines = ring.lines, deque()
        forgotten, ring.forgotten = ring.forgotten, 0
        self._size_bytes -= sum(map(len, lines)) + len(lines) * _EVENT_BYTES
        self._let_go(ring)
        return lines, forgotten

    def _let_go(self, ring: _Ring) -> None:
        if ring in self._rings:
            del self._rings[ring]
            self._size_bytes -= _RING_BYTES
        if not self._rings:
            self._size_bytes = 0  # what an exception may have left of it


_here = _Keeper()


def _keeper() -> _Keeper:
    """Return the keeper of this process."""
    global _here  # noqa: PLW0603  # replaced by one store, in a forked child
    keeper = _here
    if not keeper.mark[0]:
        keeper = _here = _Keeper()
    return keeper
