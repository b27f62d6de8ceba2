"""structlog straight into the spool: `EventRenderer` as the last processor, and `FirehoseLoggerFactory`.

    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, EventRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=FirehoseLoggerFactory(handler),
        cache_logger_on_first_use=True,
    )

The event is encoded once and appended, by the steps of `FirehoseHandler.emit`: no LogRecord is made, nothing looks for the calling
frame (unless `include` asks for what it has), and no lock is taken but that of the append. What needs a record gets one, and goes through `handler.handle`: events with an
exception, handlers with filters or with a formatter or an `emit` of the program's, and whatever comes while the handler is not open.
Both ways write the same event.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from structlog.processors import CallsiteParameter, CallsiteParameterAdder

from firefighter._delivery.limits import MAX_RECORD_BYTES
from firefighter._delivery.logged_by_delivery import threads_of_ours
from firefighter._event.careful_encoding import is_of_structlog
from firefighter._event.event_dicts import EventDictEncoder
from firefighter._event.json_values import text
from firefighter._handler.constants import OPEN
from firefighter.logging import FirehoseHandler

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

__all__ = ['EventRenderer', 'FirehoseLogger', 'FirehoseLoggerFactory']

# What an attribute of a record is called by structlog, which finds the call also where its async methods log in another thread.
_CALLSITE = {
    'pathname': 'pathname',
    'lineno': 'lineno',
    'funcName': 'func_name',
    'thread': 'thread',
    'threadName': 'thread_name',
}
_add_callsite = CallsiteParameterAdder(
    [CallsiteParameter(name) for name in _CALLSITE.values()], additional_ignores=['firefighter.']
)

# Packages whose frames are not the program's.
_NOT_CALLERS = ('structlog', 'firefighter')


class EventRenderer:
    """The last processor: hands the event dict, as it is, to a logger of `FirehoseLoggerFactory`, which encodes it.

    No processor before it needs to make a text of anything: not of the time, the level, exceptions or values.
    """

    def __call__(
        self,
        logger: WrappedLogger,  # noqa: ARG002  # what structlog passes
        method_name: str,  # noqa: ARG002
        event_dict: EventDict,
    ) -> tuple[tuple[EventDict], dict[str, Any]]:
        """Return the arguments for the logger's method."""
        return (event_dict,), {}


class FirehoseLoggerFactory:
    """Makes the loggers that structlog wraps: `structlog.configure(logger_factory=FirehoseLoggerFactory(handler))`.

    The name of a logger is the first argument of `structlog.get_logger`; without one, that of the module which logs first by it.

    Of the handler all options count, and its level. `logging` is not asked: its loggers' levels count where the processor
    `structlog.stdlib.filter_by_level` is used, and `logging.disable` and record factories do not count.

    Args:
        handler: where the events go. It need not be on a logger of `logging`, but may.

    Raises:
        TypeError: it is not a `FirehoseHandler`.
    """

    def __init__(self, handler: FirehoseHandler) -> None:
        if not isinstance(handler, FirehoseHandler):
            raise TypeError(_what_to_write_for(handler))
        self._outlet = _Outlet(handler, os.urandom(16))

    def __call__(self, *args: Any) -> FirehoseLogger:
        """Return the logger of a name."""
        return FirehoseLogger(self._outlet, text(args[0]) if args and args[0] else _calling_module())


def _what_to_write_for(handler: object) -> str:
    if isinstance(handler, str):
        return f'FirehoseLoggerFactory needs a handler: write FirehoseLoggerFactory(FirehoseHandler({handler!r}))'
    said = f'FirehoseLoggerFactory needs a handler that is a FirehoseHandler, not {handler!r}'
    if isinstance(handler, logging.Handler):
        return (
            f'{said}. To log by that one, write logger_factory=structlog.stdlib.LoggerFactory(), with '
            'structlog.stdlib.ProcessorFormatter.wrap_for_formatter as the last processor, and add it to a logger of `logging`'
        )
    return said


def _method(name: str, level: int) -> Callable[..., None]:
    """Return the method that logs at a level."""

    def log(self: FirehoseLogger, /, *args: Any, **kwargs: Any) -> None:
        plain = len(args) == 1 and not kwargs and type(args[0]) is dict
        self._outlet.log(self, name, level, args[0] if plain else _as_event_dict(args, kwargs))

    return log


class FirehoseLogger:
    """The logger within structlog's, as `FirehoseLoggerFactory` makes it.

    Its methods take the event dict. A renderer that makes a text, such as structlog's JSONRenderer, has that text as the event's
    message.

    Anything else that is asked of it is answered by the logger of `logging` that has its name: `filter_by_level` asks for its level.

    Attributes:
        name: the event's `logger`.
    """

    __slots__ = ('_outlet', 'name')

    def __init__(self, outlet: _Outlet, name: str) -> None:
        self._outlet = outlet
        self.name = name

    def __repr__(self) -> str:
        """Say where its events go."""
        return f'<{type(self).__name__} {self.name!r} to {self._outlet.handler!r}>'

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what makes an equal one: of the same handler in this process, of one copy of it in another."""
        return FirehoseLogger, (self._outlet, self.name)

    def __getattr__(self, name: str) -> Any:
        return getattr(logging.getLogger(self.name), name)

    # Those that structlog's own loggers have.
    debug = _method('debug', logging.DEBUG)
    info = _method('info', logging.INFO)
    msg = _method('msg', logging.INFO)
    log = _method('log', logging.INFO)
    warn = _method('warn', logging.WARNING)
    warning = _method('warning', logging.WARNING)
    err = _method('err', logging.ERROR)
    error = _method('error', logging.ERROR)
    failure = _method('failure', logging.ERROR)
    exception = _method('exception', logging.ERROR)
    fatal = _method('fatal', logging.CRITICAL)
    critical = _method('critical', logging.CRITICAL)


class _Outlet:
    """A handler, as the loggers of a factory see it.

    Args:
        handler: where the events go.
        identity: the same for all copies.
    """

    def __init__(self, handler: FirehoseHandler, identity: bytes) -> None:
        self.handler = handler
        self._identity = identity
        # What a subclass does with a record needs one.
        self._may_append = (
            getattr(handler.emit, '__func__', None) is FirehoseHandler.emit
            and getattr(handler.handle, '__func__', None) is FirehoseHandler.handle
        )
        self._encoder = EventDictEncoder(handler._json_formatter)  # noqa: SLF001  # as `log`

    def __deepcopy__(self, _: object) -> _Outlet:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        _originals[self._identity] = self
        return _find_outlet, (self._identity, self.handler)

    def log(  # noqa: C901  # as `emit`: a call of a function for its parts costs more than they do
        self, logger: FirehoseLogger, method: str, level: int, event_dict: dict[Any, Any]
    ) -> None:
        """Queue an event, as `FirehoseHandler.handle` does, unless it is below the handler's level. Raises no Exception."""
        handler = self.handler
        if level < handler.level:
            return
        pipeline = handler._pipeline  # noqa: SLF001  # these are the steps of its `emit`
        encoder = self._encoder
        line = record = None
        try:
            if (
                self._may_append
                and pipeline.open_mark[0]
                and handler.formatter is encoder.formatter
                and not handler.filters
                and method != 'exception'
                and threading.get_ident() not in threads_of_ours
            ):
                line = encoder.encode(method, level, logger.name, event_dict, _find_callsite)
                # A `__str__` may have closed the handler, or forked.
                if line and not pipeline.open_mark[0]:
                    line = None
            if line:
                size = len(line)
                if size > handler.MAX_RECORD_SIZE or size > MAX_RECORD_BYTES:
                    line = pipeline.fit_or_drop(line, handler.MAX_RECORD_SIZE)
            else:
                record = self._make_record(logger, method, level, event_dict)
        except BaseException as error:
            try:
                handler._give_up(error)  # noqa: SLF001
            except Exception:  # no stack for a call
                pipeline.tally.failed += 1
            if not isinstance(error, Exception):
                raise
            return
        if line:
            pipeline.append(line)
            if pipeline.open_mark[0] != OPEN:
                pipeline.deliver_before_return(quiet=False)
        elif record:
            handler.handle(record)

    def _make_record(
        self, logger: FirehoseLogger, method: str, level: int, event_dict: dict[Any, Any]
    ) -> logging.LogRecord:
        """Return the record that structlog's way through `logging` would make (`ProcessorFormatter.wrap_for_formatter`)."""
        formatter = self.handler._json_formatter  # noqa: SLF001
        if formatter is not self._encoder.formatter:  # `setFormatter` has put another one there
            self._encoder = EventDictEncoder(formatter)
        fields = event_dict.copy()
        if type(fields.get('level')) is str and fields['level'] == method:
            del fields['level']  # `fatal` is CRITICAL
        callsite = _find_callsite()
        record = logging.LogRecord(
            logger.name,
            level,
            callsite.pathname,
            callsite.lineno,
            fields,
            (),
            sys.exc_info() if method == 'exception' else None,
            callsite.funcName,
        )
        vars(record).update(vars(callsite), _logger=logger, _name=method)
        return record


# Loggers that are pickled lead to their own handler in the same process and in its forks, as those of `logging` do. In another
# process all that had one handler share one copy of it, which stays: a pool's worker gets them anew with each task.
_originals: weakref.WeakValueDictionary[bytes, _Outlet] = weakref.WeakValueDictionary()
_copies: dict[bytes, _Outlet] = {}


def _find_outlet(identity: bytes, handler: FirehoseHandler) -> _Outlet:
    return _originals.get(identity) or _copies.setdefault(identity, _Outlet(handler, identity))


def _find_callsite() -> SimpleNamespace:
    """Return where structlog was called, in the attributes that a record has for it."""
    found = _add_callsite(logging.root, '', {})
    multiprocessing = sys.modules.get('multiprocessing')
    return SimpleNamespace(
        **{attribute: found[name] for attribute, name in _CALLSITE.items()},
        process=os.getpid(),
        processName=multiprocessing.current_process().name if multiprocessing else 'MainProcess',
    )


def _as_event_dict(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[Any, Any]:
    """Return the event dict of what another renderer, or a caller, hands to a logger."""
    if type(kwargs.get('extra')) is dict and is_of_structlog(kwargs['extra']):
        kwargs = {}  # `wrap_for_formatter` adds what a record is to have
    first = args[0] if args else {}
    if type(first) is bytes:
        first = first.decode('utf-8', 'backslashreplace')
    event_dict = dict(dict.items(first)) if issubclass(type(first), dict) else {'event': first}
    if len(args) > 1:
        event_dict['positional_args'] = args[1:]
    return event_dict | kwargs


def _calling_module() -> str:
    frame = sys._getframe()  # noqa: SLF001  # as structlog finds it
    while frame.f_back is not None:
        frame = frame.f_back
        name = text(frame.f_globals.get('__name__') or '?')
        if name.partition('.')[0] not in _NOT_CALLERS:
            return name
    return '?'
