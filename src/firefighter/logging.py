"""The entry point: `FirehoseHandler` ships what a program logs to an Amazon Data Firehose delivery stream.

    import logging
    from firefighter.logging import FirehoseHandler

    logger = logging.getLogger('foo')
    handler = FirehoseHandler(delivery_stream_name='bar')
    logger.addHandler(handler)
    logger.warning({'message': 'Ahoy'})

The path of an event: the logging call encodes it and copies it into the spool (memory, no I/O). A thread, started at the
first event, takes due batches out of the spool, and other threads send them. What Firehose has not accepted is sent again.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from firefighter._delivery.limits import MAX_RECORD_BYTES
from firefighter._delivery.logged_by_delivery import (
    Origin,
    is_caused_by_delivery,
    on_thread_of_ours,
    origin_of,
    threads_of_ours,
)
from firefighter._handler.base_handler import BaseHandler, parts
from firefighter._handler.constants import (
    DOCUMENTED_BATCH_COUNT,
    DOCUMENTED_BATCH_SIZE,
    DOCUMENTED_RECORD_SIZE,
    OPEN,
    TARGET_BATCH_BYTES,
)
from firefighter._handler.user_code import report_held_back
from firefighter._process import exit_and_forks

if TYPE_CHECKING:
    import queue

    import boto3.session

    from firefighter._delivery.clients import FirehoseClient
    from firefighter._delivery.compression import Codec
    from firefighter._delivery.hooks import DeadLetterHook, DropHook
    from firefighter._event.oversize import OversizePolicy
    from firefighter._handler.keep_until_error import KeepUntilErrorHandler  # `__getattr__` does it
    from firefighter._handler.limit_filter import LimitFilter  # the same
    from firefighter._handler.undelivered import UndeliveredPolicy
    from firefighter._process.flush_on_signals import SignalHandlers
    from firefighter._spool.spool import OverflowPolicy
    from firefighter.stats import Stats

__all__ = ['FirehoseHandler', 'FirehoseWarning', 'KeepUntilErrorHandler', 'LimitFilter', 'flush_on_signals']


def __getattr__(name: str) -> object:
    """Import what only some programs use when they ask for it."""
    if name not in {'KeepUntilErrorHandler', 'LimitFilter'}:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    with exit_and_forks.not_forking():
        if name == 'LimitFilter':
            from firefighter._handler.limit_filter import LimitFilter  # noqa: PLC0415

            return LimitFilter
        from firefighter._handler.keep_until_error import KeepUntilErrorHandler  # noqa: PLC0415

        return KeepUntilErrorHandler


class FirehoseWarning(Warning):
    """The class of every warning that the handler gives. Only its constructor gives any."""


class FirehoseHandler(BaseHandler):
    """Deliver log records to a Firehose delivery stream.

    Args:
        delivery_stream_name: the name of the stream. Default: the environment variable FIREFIGHTER_STREAM.
        use_queues: True: other threads deliver. False: each logging call waits until its event is delivered or one try has
            failed, at most `sync_timeout_seconds`. Use False where the program is frozen or killed between two calls (AWS
            Lambda). A thread makes the request and ends with the call.
        send_interval: how many seconds an event waits, at most, to be sent together with others.
        boto3_session: a `boto3.session.Session`. The constructor makes the client from it, in the calling thread.
        boto3_profile_name: the name of the profile to make the session from.
        *args: the positional arguments of `logging.Handler`, which are the level.
        level: the level, by name.
        boto3_client: a ready client. It is used as it is, with its own retries and timeouts. In a program that forks, pass a
            session instead: a client cannot be made again in the child.
        region_name: the region of the client that the handler makes.
        endpoint_url: the endpoint of the client that the handler makes; for example the local endpoint.
        fields: constants to add to each event, such as `{'service': 'api'}`.
        include: origin to add to each event: any of "host", "pid", "process", "thread", "source".
        protect_fields: put a dict message as a whole under `data`, so that its keys cannot replace those of the event.
        spool_dir: a directory where events wait for delivery, so that logged events survive the death of the process,
            however it dies. The next process with the same destination delivers them. Default: the environment variable
            FIREFIGHTER_SPOOL_DIR; without both, events wait in memory. If the directory cannot be used, one FirehoseWarning
            gives the reason, and events wait in memory until it can. The constructor only tries it: the handler makes its
            own directory in it at the first event.
        max_spool_bytes: how many bytes may wait for delivery; at least 64 KiB. Default 16 MiB in memory, 64 MiB on disk.
        max_directory_bytes: how many bytes may wait in `spool_dir`, for all processes of one user and destination together,
            including dead ones; at least 64 KiB. The oldest events of dead processes are dropped, so that a quarter of it, or
            `max_spool_bytes` if that is less, is free for the living. What finds no room because of others waits in memory.
            It bounds a single process, too. Default 1 GiB.
        overflow: what happens at `max_spool_bytes`. "drop_oldest", the default: a run of the oldest events is dropped, but
            none that is being sent. "drop_newest": the new event is dropped. "block": the logging call waits for room, at
            most `block_timeout_seconds`, then the new event is dropped. A call that delivers by itself does not wait,
            because only it could make room.
        block_timeout_seconds: see `overflow`. Default 1.
        oversize: what happens to an event above MAX_RECORD_SIZE: "keep", "truncate" or "drop". None: it is kept whole while
            MAX_RECORD_SIZE has its documented value, and truncated once a subclass or an instance sets another. An event
            above Firehose's limit of 1,024,000 bytes is always truncated, unless it is dropped.
        shutdown_timeout_seconds: how long `flush` and `close` wait for delivery; for one try only, where credentials, permissions
            or the stream are wrong. At exit it is a single deadline for all handlers, and for what exit functions log. Default 10.
        sync_timeout_seconds: with `use_queues=False`, how long a logging call waits for its event to be delivered. An event
            that is not delivered by then stays pending, and goes with the next call, `flush` or `close`. Default 5.
        undelivered: what happens at exit to events in memory that could not be sent. "count", the default: one line on stderr
            gives their number. "stderr": the events follow that line, each as it would have been sent. An event whose request
            was still running may arrive as well.
        max_in_flight: how many requests may run at once while there is a backlog; each is then at most 1 MiB. Each has a
            thread, which ends after 5 idle seconds. A process has at most eight such threads, in addition to one for each
            handler. Default 4.
        event_ids: number the events: each ends with `"producer"`, which is this handler in this process, and `"sequence"`,
            which counts from 0 without a gap. A dropped event leaves a gap, and a marker event that explains it. So a reader
            can remove duplicates and prove that nothing is missing (`firefighter audit`).
        aggregate: put many events into one Firehose record, each ended by a newline. Firehose bills every record rounded up to
            5,120 bytes, so an event of 250 bytes that is a record by itself is billed 20 times its size. For destinations
            that accept several lines in a record: S3, also with conversion to Parquet, Redshift, Splunk Raw. Not for
            OpenSearch, Snowflake, Iceberg. "auto": the handler asks AWS what the stream takes, and aggregates where that is sure to
            be right; until it knows, and where it may not ask, each event is one record. Default False.
        compression: "gzip" or "zstd": like `aggregate`, and each record is one whole gzip member or zstd frame. An object in S3
            is then a valid file of that format, an eighth to a fifth as large. Only for S3 without any processor, conversion or
            compression of Firehose's own. Set the stream's FileExtension to `.json.gz` or `.json.zst`. "zstd" needs
            `pip install 'firefighter[zstd]'` before Python 3.14; `pip install 'firefighter[fast]'` makes gzip a sixth to an
            eighth of the work. Default None.
        max_aggregated_events: the largest number of events in one record, for streams that split records again. Set 500 for
            dynamic partitioning with de-aggregation. Default None: as many as fit into 1,024,000 bytes.
        target_batch_bytes: with `aggregate` or `compression`, a batch is due when more than this waits; the number of events
            does not matter. Counted as sent, that is compressed if compressed. It replaces MAX_BATCH_SIZE, unless a subclass
            or an instance sets that. Default 65,536.
        on_drop: called with (reason, events, bytes) after events were dropped; one call may cover several drops. It runs on
            the delivery thread, or, if there is none, in `flush` and `close`. What it logs is an event like any other, and
            waits up to `send_interval`.
        on_dead_letter: called with (event, reason) for each event that Firehose refuses as invalid; the event is bytes. It
            runs in the same places as `on_drop`. With `spool_dir` such events are also kept, up to 16 MiB, in a file
            `dead-letters` next to the spool.

    Raises:
        TypeError: an option has the wrong type, does not exist, or excludes another one that is given.
        ValueError: an option has an impossible value.

    Problems of the environment never raise. A missing stream name gives one FirehoseWarning here. Whatever is found later is
    counted in `stats()` and reported on stderr, at most once a minute for each cause.
    """

    END: object = 1
    """Ends `batch_sender`, after everything queued before it is sent."""
    FLUSH: object = 2
    """Makes `batch_sender` send everything queued before it at once."""

    MAX_BATCH_SIZE: int = DOCUMENTED_BATCH_SIZE
    """Bytes. A batch is due when more than this waits. Firehose bills in units of 5,120 bytes."""
    MAX_BATCH_COUNT: int = DOCUMENTED_BATCH_COUNT
    """Events. A batch is due when this many wait."""
    MAX_RECORD_SIZE: int = DOCUMENTED_RECORD_SIZE
    """Bytes, the newline included. An event above it is oversize."""

    def __init__(
        self,
        delivery_stream_name: str | None = None,
        use_queues: bool = True,
        send_interval: float = 60,
        boto3_session: boto3.session.Session | None = None,
        boto3_profile_name: str | None = None,
        *args: int | str,
        level: int | str | None = None,
        boto3_client: FirehoseClient | None = None,
        region_name: str | None = None,
        endpoint_url: str | None = None,
        fields: Mapping[str, object] | None = None,
        include: Iterable[str] = (),
        protect_fields: bool = False,
        spool_dir: str | os.PathLike[str] | None = None,
        max_spool_bytes: int | None = None,
        max_directory_bytes: int = 1024**3,
        overflow: OverflowPolicy = 'drop_oldest',
        block_timeout_seconds: float = 1,
        oversize: OversizePolicy | None = None,
        shutdown_timeout_seconds: float = 10,
        sync_timeout_seconds: float = 5,
        undelivered: UndeliveredPolicy = 'count',
        max_in_flight: int = 4,
        event_ids: bool = False,
        aggregate: bool | Literal['auto'] = False,
        compression: Codec | None = None,
        max_aggregated_events: int | None = None,
        target_batch_bytes: int = TARGET_BATCH_BYTES,
        on_drop: DropHook | None = None,
        on_dead_letter: DeadLetterHook | None = None,
        **unknown: NoReturn,
    ) -> None:
        arguments = locals()
        if unknown:
            parts.raise_unknown(unknown, FirehoseHandler)
        parts.check_arguments(arguments)
        self._options = parts.Options.of(arguments)
        if self._options.aggregates_as_found and self._has_own_batch_sender:
            raise ValueError(
                f"aggregate='auto' is of the handler's own delivery, and {type(self).__name__} has a batch_sender of its own: write "
                'aggregate=True or aggregate=False'
            )
        self._own_formatter: parts.JSONFormatter = self._options.make_formatter(
            fields=fields, include=include, protect_fields=protect_fields
        )
        self._json_formatter: parts.JSONFormatter = self._own_formatter
        stream, complaints = _stream(delivery_stream_name)
        super().__init__(*(args if level is None else (level,)))
        self.formatter: logging.Formatter | None = self._usual_formatter()
        self.delivery_stream_name = stream
        self.use_queues = use_queues
        self.send_interval = send_interval
        self._disabled = _disabled(complaints)
        client_options = parts.ClientOptions(boto3_session, boto3_profile_name, region_name, endpoint_url)
        self._begin(parts.ClientFactory(boto3_client, client_options))
        if not self._disabled:
            complaints += [parts.why_slow] if parts.why_slow else []
            complaints += self._client.complaints
            unusable = self._pipeline.place.examine() if stream else None
            if unusable is not None:
                complaints.append(f'spool_dir cannot be used, so events are kept in memory: {unusable}')
        if complaints and parts.stderr_takes_more():  # where it does not, Python would wait for it for ever
            for complaint in complaints:
                warnings.warn(complaint, FirehoseWarning, stacklevel=2)  # noqa: TID251  # the one place that may

    def __repr__(self) -> str:
        """Say which stream it is for."""
        return f'<{type(self).__name__} {self.delivery_stream_name!r} ({logging.getLevelName(self.level)})>'

    # The application's side.

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Choose how records are handled, once for each class, so that no call pays for the question."""
        super().__init_subclass__(**kwargs)
        has_own = cls.emit is not FirehoseHandler.emit or cls.filter is not FirehoseHandler.filter
        if has_own and cls.handle is FirehoseHandler.handle:
            cls.handle = cls._handle_in_turn  # type: ignore[method-assign]

    def emit(  # noqa: C901, PLR0912  # a call of a function for its parts costs more than they do
        self, message: logging.LogRecord, make_thread: Callable[..., threading.Thread] = threading.Thread
    ) -> None:
        """Queue a log record, or deliver it at once when `use_queues` is false. Never raises an Exception.

        What is not an Exception passes (SystemExit in a `__str__`, Ctrl-C). If it comes while the record is encoded, the event is
        counted as failed.

        Args:
            message: the log record.
            make_thread: makes the delivery thread and those for its requests, called as
                `make_thread(target=..., args=...)`; the result has `start()`.
        """
        pipeline = self._pipeline
        if not pipeline.open_mark[0]:
            opened = self._open(message, make_thread)
            if opened is None:
                return
            pipeline = opened
        append: Callable[[bytes], None] = pipeline.append
        line: bytes | None
        try:
            try:
                if message.thread in threads_of_ours:
                    origin = origin_of(message)
                    if origin is Origin.DELIVERY:
                        pipeline.count_suppressed()
                        return
                    if origin is Origin.OUR_THREAD:
                        append = pipeline.source.append_quietly
            except Exception:
                pass  # a filter has deleted or replaced what the origin is told by: such a record is an event
            if self.formatter is self._json_formatter:
                line = self._json_formatter.encode(message)
                size = len(line)
                if size > self.MAX_RECORD_SIZE or size > MAX_RECORD_BYTES:
                    line = pipeline.fit_or_drop(line, self.MAX_RECORD_SIZE)
            else:
                line = pipeline.foreign_line(message, self.format, self._json_formatter, self.MAX_RECORD_SIZE)
        except BaseException as error:
            try:
                pipeline.give_up(error)
            except Exception:  # no stack for a call
                pipeline.tally.failed += 1
            if not isinstance(
                error, Exception
            ):  # a `__str__` that exits, Ctrl-C: as in `logging`, the caller gets it
                raise
            return
        if line:
            if not pipeline.open_mark[
                0
            ]:  # closed while it was formatted, or the handler is just being opened below
                self._open(message, make_thread)
                append = pipeline.append_for_now(append)
            append(line)
            if pipeline.open_mark[0] != OPEN:
                pipeline.deliver_before_return(quiet=append == pipeline.source.append_quietly)

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802  # logging's name
        """Use another formatter; None is the handler's own `JSONFormatter` again.

        A `JSONFormatter` adds its options to those of the handler: `handler.formatter` is then one that has both.

        Raises:
            TypeError: it is a string, which has a `format` as well.
            ValueError: `fields` of one uses a name in `include` of the other.
        """
        if isinstance(fmt, str):
            raise TypeError(f'setFormatter needs a formatter, like logging.Formatter({fmt!r}), not a string')
        self._json_formatter = self._own_formatter
        if type(fmt) is parts.JSONFormatter and type(self).format is logging.Handler.format:
            self._json_formatter = self._own_formatter.with_options_of(fmt)
            fmt = None
        elif isinstance(fmt, parts.JSONFormatter):
            # It is used where that one, or a `format` of the program's, fails.
            self._json_formatter = self._own_formatter.with_redaction_of(fmt)
        self.formatter = self._usual_formatter() if fmt is None else fmt

    def _usual_formatter(self) -> parts.JSONFormatter:
        """Return the formatter that is there as long as the program sets none.

        Where a subclass has a `format` of its own it is a twin of the one that is used without asking `format`.
        """
        if type(self).format is logging.Handler.format:
            return self._json_formatter
        import copy  # noqa: PLC0415  # it is there by now, but not where this module alone is imported

        return copy.copy(self._json_formatter)

    def flush(self, timeout_seconds: float | None = None) -> bool:  # type: ignore[override]  # logging's returns None
        """Deliver what is pending, and wait for it.

        Args:
            timeout_seconds: how long; None: `shutdown_timeout_seconds`.

        Returns:
            Whether everything is sent that was logged before the call or taken over from dead processes. It does not wait
            inside delivery (in `on_drop`) or while logging is being configured. When credentials, permissions or the stream
            are wrong, it waits for one try only.

        Raises:
            TypeError: `timeout_seconds` is not a number.
        """
        if not self._is_made:
            return True
        if timeout_seconds is None:
            timeout_seconds = self._options.shutdown_timeout_seconds
        else:
            parts.check_seconds('timeout_seconds', timeout_seconds, negative_allowed=True)
        deadline = exit_and_forks.deadline_after(timeout_seconds)
        # What was pending before a snapshot first: somebody who flushes in a clone wants that delivered, too.
        flushed = [
            pipeline.lifecycle.flush(deadline) for pipeline in (*self._before_restore, self._pipeline_here())
        ]
        return all(flushed)

    def close(self) -> None:
        """Deliver pending events and release all resources; wait for that at most `shutdown_timeout_seconds`.

        Events that could not be delivered by then stay pending. Their number is reported on stderr, and delivery goes on until
        they are sent or the process ends. Events taken over from dead processes are given back at once. While logging is being
        configured (dictConfig closes the handlers that it replaces), it does not wait. A closed handler that is used again
        opens again.
        """
        if self._is_made:
            report_held_back(self)
            self._pipeline_here().lifecycle.finish()
        super().close()

    def stats(self) -> Stats:
        """Return the account of all events up to this moment."""
        return self._pipeline_here().stats()

    # Events that are encoded now and may be queued later, for `KeepUntilErrorHandler`.

    @property
    def _takes_lines(self) -> bool:
        """Whether nobody has an `emit` or `handle` of their own, which a line would not pass."""
        return type(self).handle is FirehoseHandler.handle

    def _line_of(self, record: logging.LogRecord) -> bytes | None:
        """Return the line of a record, which `_queue_lines` may queue; None where a filter refuses it, or it is dropped and counted."""
        passed = self._ask_filters(record) if self.filters or is_caused_by_delivery(record) else record
        if passed is None:
            return None
        pipeline = self._pipeline if self._pipeline.open_mark[0] else self._pipeline_here()
        try:
            if self.formatter is self._json_formatter:
                return pipeline.fit_or_drop(self._json_formatter.encode(passed), self.MAX_RECORD_SIZE)
            return pipeline.foreign_line(passed, self.format, self._json_formatter, self.MAX_RECORD_SIZE)
        except BaseException as error:
            self._give_up(error)
            if not isinstance(error, Exception):
                raise
            return None

    def _queue_lines(self, lines: deque[bytes], message: logging.LogRecord) -> None:
        """Queue events before the one of a record, which `emit` must get next: that call delivers them, or waits for room.

        Args:
            lines: which it takes out, one by one.
            message: that record.
        """
        while lines:
            pipeline: parts.Pipeline | None = self._pipeline
            if not self._pipeline.open_mark[0]:
                pipeline = self._open(message, threading.Thread)
            if pipeline is not None and on_thread_of_ours():
                pipeline.source.append_quietly(lines[0])
            elif pipeline is not None:
                pipeline.spool.set_aside(lines[0])
            del lines[0]

    # Delivery.

    def batch_sender(
        self,
        batch_queue: queue.Queue[Any] | parts.SpoolSource,
        delivery_stream_name: str,
        send_interval: float,
    ) -> None:
        """Deliver queued events until END is queued.

        It sends a batch when END or FLUSH is queued, when more than MAX_BATCH_SIZE bytes wait, when MAX_BATCH_COUNT events
        wait, and when `send_interval` seconds have passed. The handler's own thread runs it on the handler's spool.

        Args:
            batch_queue: a `queue.Queue` of bytes, END and FLUSH. An event is a `bytes`; a newline is added where it
                lacks one. `task_done` is called for each item once it is delivered or dropped.
            delivery_stream_name: the stream to deliver to.
            send_interval: how many seconds an event waits, at most, to be sent together with others.

        Raises:
            TypeError: `batch_queue` is not a queue, or `send_interval` not a number.
            ValueError: `send_interval` is negative.
        """
        if isinstance(batch_queue, parts.SpoolSource):
            batch_queue.deliver()
            return
        pipeline = self._pipeline_here()
        parts.check_queue_arguments(batch_queue, send_interval)
        pipeline.deliver_queue(
            batch_queue,
            delivery_stream_name,
            # As documented, to the letter.
            lambda: parts.Rules(self.MAX_BATCH_SIZE, self.MAX_BATCH_COUNT, send_interval, 0.0),
            end=self.END,
            flush=self.FLUSH,
            prepare=partial(
                pipeline.event_of, limit=self.MAX_RECORD_SIZE, nowhere=self._why_nowhere(delivery_stream_name)
            ),
        )

    # Inside.

    def _rules(self) -> parts.Rules:
        sets_batch_size = (
            self.MAX_BATCH_SIZE != DOCUMENTED_BATCH_SIZE
            or 'MAX_BATCH_SIZE' in vars(self)
            or _owner_of_batch_size(type(self)) is not FirehoseHandler
        )
        return self._options.spool_rules(
            self.send_interval,
            self._pipeline.source.sent_bytes,
            max_batch_bytes=self.MAX_BATCH_SIZE if sets_batch_size else None,
            max_batch_events=self.MAX_BATCH_COUNT,
            aggregates=self._pipeline.source.aggregates,
        )

    @property
    def _has_own_batch_sender(self) -> bool:
        return getattr(self.batch_sender, '__func__', None) is not FirehoseHandler.batch_sender

    def _why_nowhere(self, stream: str | None) -> parts.DropReason | None:
        """Return why events for a stream go nowhere, None where they go to it."""
        if self._disabled:
            return parts.DropReason.DISABLED
        return None if stream else parts.DropReason.NO_STREAM

    def _open(
        self, message: logging.LogRecord, make_thread: Callable[..., threading.Thread]
    ) -> parts.Pipeline | None:
        """Make ready for events, starting the delivery thread; None when this one goes nowhere."""
        pipeline = self._pipeline_here()
        if reason := self._why_nowhere(self.delivery_stream_name):
            pipeline.spool.reject(reason.value, 0)
            return None
        if is_caused_by_delivery(message):
            pipeline.count_suppressed()
            return None
        lifecycle = pipeline.lifecycle
        # What a hook or a finalizer logs there while the handler drains goes with the rest.
        if not (on_thread_of_ours() and lifecycle.state is parts.State.DRAINING):
            try:
                lifecycle.open(make_thread, threaded=self.use_queues)
            except (
                Exception
            ) as error:  # no memory, no stack: the event is queued all the same, and the next one opens
                pipeline.note_trouble(error)
        return pipeline


def flush_on_signals(*signals: str | int) -> SignalHandlers:
    """Deliver what all handlers have pending when one of these signals comes; then do what would have been done without this.

    For signals that end the program without its exit functions, as SIGTERM does by default. A handler of the program's own is
    called after the delivery. The default action is then taken: the program ends by the signal, and its exit status says so. A signal
    that is ignored stays ignored. Each handler waits for delivery for at most `shutdown_timeout_seconds`, all at the same time, and
    reports on stderr what it could not deliver. The same signal, sent again, ends the wait.

    Args:
        *signals: their names or numbers: `flush_on_signals('SIGTERM', 'SIGHUP')`.

    Returns:
        An object whose `restore()` puts back what was there before. In a `with` statement it does that when the block ends.

    Raises:
        ValueError: a signal is unknown, cannot be handled, or does not end a program; or this is not the main thread.
    """
    from firefighter._process.flush_on_signals import SignalHandlers  # noqa: PLC0415  # most programs do not need it

    return SignalHandlers(signals)


def _owner_of_batch_size(handler: type) -> type:
    """Return the class that MAX_BATCH_SIZE comes from."""
    return next(owner for owner in handler.__mro__ if 'MAX_BATCH_SIZE' in vars(owner))


def _disabled(complaints: list[str]) -> bool:
    """Return whether the environment disables handlers; then nothing else is worth a complaint."""
    text = os.environ.get('FIREFIGHTER_DISABLED', '')
    disabled = text.lower() in {'1', 'true', 'yes', 'on'}
    if disabled:
        complaints.clear()
    elif text.lower() not in {'', '0', 'false', 'no', 'off'}:
        complaints.append(f'FIREFIGHTER_DISABLED is {text!r}, which disables nothing: set it to 1, or to 0')
    return disabled


def _stream(given: str | None) -> tuple[str | None, list[str]]:
    """Return the stream's name, and what the user should be warned of."""
    name = given or os.environ.get('FIREFIGHTER_STREAM')
    if not name:
        return None, [
            'no delivery stream: give delivery_stream_name=, or set FIREFIGHTER_STREAM. Events are dropped'
        ]
    try:
        parts.check_stream_name(name)
    except ValueError as error:
        if given:
            raise
        # The environment never raises.
        return None, [f'FIREFIGHTER_STREAM is of no use: {error}. Events are dropped']
    return name, []
