"""What a handler needs whatever it delivers: filters without the handler's lock, and a pipeline of its own in each process.

The pipeline is made anew in a forked child, in a clone of a snapshot, and in a copy of the handler.

A program that only imports `firefighter.logging` loads this module. So what a handler is made of is imported later, by `parts`.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable
from functools import partial
from os import getpid
from typing import TYPE_CHECKING, Any

from firefighter._delivery.logged_by_delivery import after_fork as forget_threads_of_ours
from firefighter._delivery.logged_by_delivery import is_caused_by_delivery, on_thread_of_ours
from firefighter._handler.user_code import call_for_record
from firefighter._process import exit_and_forks

if TYPE_CHECKING:
    from firefighter._handler import parts

__all__ = ['BaseHandler', 'parts']


class _LazyModule:
    """`_handler.parts`, imported when it is first asked for something: when the first handler is made, so that an import is quick.

    Not later than that: a logging call imports nothing. And a child that is forked by another thread meanwhile would wait
    for the import for ever.
    """

    def __getattr__(self, name: str) -> Any:
        with exit_and_forks.not_forking():
            from firefighter._handler import parts  # noqa: PLC0415
        vars(self).update(vars(parts))
        return getattr(parts, name)


if not TYPE_CHECKING:
    parts = _LazyModule()


class _End:
    """What can still be done when Python has taken this package's modules apart: those come last that a program has imported first."""

    has_come = staticmethod(sys.is_finalizing)
    _write = staticmethod(os.write)

    def report(self) -> None:
        """Report an event that a destructor has logged, and that is lost."""
        self._write(
            2,
            b'firefighter: 1 event is lost: Python has taken modules apart. Log before that, as in an exit function of atexit\n',
        )


class BaseHandler(logging.Handler):
    """A handler with filters and a pipeline. A subclass says what is delivered, and by which rules."""

    delivery_stream_name: str | None
    send_interval: float
    _options: parts.Options
    # Not a name of this module, which is gone when it is needed.
    _end = _End()

    # What a subclass has.

    def batch_sender(self, batch_queue: Any, delivery_stream_name: str, send_interval: float) -> None:
        """Deliver from a queue, or from the source of a pipeline."""
        raise NotImplementedError

    @property
    def _has_own_batch_sender(self) -> bool:
        """Whether `batch_sender` is the user's, which is then called, and holds the handler."""
        raise NotImplementedError

    def _rules(self) -> parts.Rules:
        """Return the rules for batches that hold now."""
        raise NotImplementedError

    # Records.

    def handle(self, record: logging.LogRecord) -> Any:
        """Emit the record unless a filter refuses it; return what the filters returned.

        Without the handler's lock, which `logging.Handler.handle` takes: only the append locks. That lock would cost
        as much as the append, and `logging.shutdown` holds it while it waits for delivery. A subclass with an `emit` of its
        own gets the lock. A filter that raises loses its event, which is counted.
        """
        if self.filters:
            passed = self._ask_filters(record)
            if passed is None:
                return False
            record = passed
        try:
            self.emit(record)
        except Exception:
            if not self._end.has_come():
                raise
            self._end.report()
        return record

    def _handle_in_turn(self, record: logging.LogRecord) -> Any:
        """Do the same where a subclass has a `filter` or an `emit` of its own: the lock is around that, as logging promises."""
        passed = self._ask_filters(record)
        if passed is None:
            return False
        record = passed
        # `logging.shutdown` holds the lock while it waits for a thread of ours, which so must not wait for the lock.
        taken = self.lock is not None and self.lock.acquire(blocking=not on_thread_of_ours())
        try:
            self.emit(record)
        finally:
            if taken:
                self.release()
        return record

    def _ask_filters(self, record: logging.LogRecord) -> logging.LogRecord | None:
        """Return the record to emit, None where a filter refuses it; where one raises, the event is counted as failed."""
        if is_caused_by_delivery(record):
            self._pipeline_here().count_suppressed()  # a filter that counts has nothing to count there
            return None
        try:
            verdict = call_for_record(self.filter, record)
        except BaseException as error:
            self._give_up(error)
            if not isinstance(error, Exception):
                raise
            return None
        if not verdict:
            return None
        return (
            verdict if isinstance(verdict, logging.LogRecord) else record
        )  # since Python 3.12 a filter may replace it

    def _give_up(self, error: BaseException) -> None:
        pipeline = self._pipeline_here()
        try:
            pipeline.give_up(error)
        except Exception:  # no stack for a call
            pipeline.tally.failed += 1

    # Copies, as `spawn` and joblib make them: a handler of its own, with the same options and nothing pending.

    def __getstate__(self) -> dict[str, object]:
        derived = ('lock', '_client', '_diagnostics', '_opening', '_pipeline', '_before_restore')
        state = {name: value for name, value in self.__dict__.items() if name not in derived}
        return state | {'filters': self.filters[:], '_client_options': self._client.options_of_a_copy()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__init__()  # the lock, and the place in logging's list
        options, name = state.pop('_client_options'), state.pop('_name', None)
        self.__dict__.update(state)
        # The original's in the same process, which logging would forget when the copy is closed.
        # (Public, as `getHandlerByName`, only from Python 3.12 on.)
        if name not in logging._handlers:  # type: ignore[attr-defined]  # noqa: SLF001
            self.name = name
        self._begin(parts.ClientFactory(None, options))

    # The pipeline.

    def _begin(self, client: parts.ClientFactory) -> None:
        """Make what no other handler shares."""
        self._client = client
        self._diagnostics = parts.Diagnostics()
        # Looked up by pid, so that a forked child never meets a lock that another thread held in its parent.
        self._opening: dict[int, threading.RLock] = {}
        self._pipeline = self._make_pipeline(client)
        # Of the snapshot that this is a clone of, with what could not be delivered before.
        self._before_restore: list[parts.Pipeline] = []
        exit_and_forks.register_handler(self)

    @property
    def _is_made(self) -> bool:
        """Whether the constructor has come to its end: logging knows a handler, and flushes and closes it, before that."""
        return '_pipeline' in vars(self)

    def _pipeline_here(self) -> parts.Pipeline:
        """Return the pipeline of this process, also where a fork has run no hooks (one made in C)."""
        if self._pipeline.pid != getpid():
            with self._opening.setdefault(getpid(), threading.RLock()):
                if self._pipeline.pid != getpid():
                    self._start_over_after_fork()
        return self._pipeline

    def _start_over_after_fork(self) -> None:
        """Begin anew in a forked child, once: what the parent has pending stays the parent's."""
        if self._pipeline.pid == getpid():
            return  # a destructor has logged before the fork's hook came
        exit_and_forks.start_over_after_fork()
        forget_threads_of_ours()
        client = self._client.after_fork()
        self._before_restore = []
        self._pipeline.lifecycle.abandon()
        pipeline = self._make_pipeline(client)
        # No call among these: a destructor that logs here makes a pipeline, which then stays.
        if self._pipeline.pid != pipeline.pid:
            self._client = client
            self._pipeline = pipeline

    def _start_over_after_restore(self) -> None:
        """Begin anew in a clone of a snapshot. What was not delivered before that is delivered by the pipeline that has it."""
        before, client = self._pipeline, self._client.after_fork()
        self._client, self._pipeline = client, self._make_pipeline(client)
        before.transport.renew_client()
        before.lifecycle.finish(waits=False)
        self._before_restore = [
            pipeline for pipeline in (*self._before_restore, before) if not pipeline.lifecycle.is_closed
        ]

    def _make_pipeline(self, client: parts.ClientFactory) -> parts.Pipeline:
        # What delivers must not hold the handler: one that the program forgets is closed.
        pipeline: parts.Pipeline

        def forget(_: object) -> None:
            pipeline.lifecycle.forget()

        handler = weakref.ref(self, forget)
        pipeline = parts.Pipeline(
            self.delivery_stream_name or '',
            self._options,
            client,
            _Rules(handler),
            partial(_deliver, handler),
            # Not so early by the callback: it does not come where the pipeline is collected together with the handler, and a
            # destructor that is collected with them may log all the same.
            lambda: handler() is None,
            self._diagnostics,
        )
        return pipeline


class _Rules:
    """The handler's rules, as it says now; as it said last when it is gone.

    Args:
        handler: gives the handler.
    """

    def __init__(self, handler: Callable[[], BaseHandler | None]) -> None:
        self._handler = handler
        self._last = parts.Rules(0, 1, 0.0, 0.0)

    def __call__(self) -> parts.Rules:
        handler = self._handler()
        if handler is not None:
            self._last = handler._rules()  # noqa: SLF001  # of this module
        return self._last


def _deliver(handler: Callable[[], BaseHandler | None], pipeline: parts.Pipeline) -> None:
    """Deliver until the end, by the handler's `batch_sender` where that is the user's."""
    own = handler()
    if own is not None and own._has_own_batch_sender:  # noqa: SLF001  # of this module
        own.batch_sender(pipeline.source, own.delivery_stream_name or '', own.send_interval)
        return
    del own
    pipeline.lifecycle.run()
