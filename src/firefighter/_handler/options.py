"""What the programmer wrote, checked: a wrong option raises in the constructor and says what to write instead."""

from __future__ import annotations

import difflib
import inspect
import logging
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from firefighter._delivery.due import Rules
from firefighter._delivery.hooks import DeadLetterHook, DropHook
from firefighter._delivery.limits import (
    FULL_REQUEST_BYTES,
    MAX_RECORDS,
    MAX_WINDOW_BYTES,
    MIN_REQUEST_GAP_SECONDS,
)
from firefighter._event.formatter import JSONFormatter
from firefighter._event.oversize import OversizePolicy
from firefighter._handler.constants import (
    DOCUMENTED_BATCH_COUNT,
    DOCUMENTED_BATCH_SIZE,
    TARGET_BATCH_BYTES,
)
from firefighter._handler.undelivered import UndeliveredPolicy
from firefighter._process.exit_and_forks import not_forking
from firefighter._spool.spool import MIN_SPOOL_BYTES, OverflowPolicy

if TYPE_CHECKING:
    from firefighter._delivery.aggregation import Aggregation
    from firefighter._delivery.compression import Codec

__all__ = [
    'Options',
    'check_arguments',
    'check_client_arguments',
    'check_flag',
    'check_level',
    'check_queue_arguments',
    'check_seconds',
    'check_spool_dir',
    'check_stream_name',
    'raise_unknown',
]

MEMORY_SPOOL_BYTES = 16 * 1024 * 1024
DISK_SPOOL_BYTES = 64 * 1024 * 1024
"""The default bounds of a spool, in bytes."""

# The pattern of DeliveryStreamName in botocore's model of the service.
_STREAM_NAME = re.compile(r'[a-zA-Z0-9_.-]{1,64}')

# Called with an option's name and value; raises TypeError or ValueError, and says what to write.
_Check = Callable[[str, Any], None]


def _integer(at_least: int) -> _Check:
    def check(name: str, value: object) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f'{name} must be an integer, not {value!r}')
        if value < at_least:
            raise ValueError(f'{name} must be at least {at_least:,}, not {value:,}')

    return check


def _seconds(*, zero_allowed: bool = True) -> _Check:
    def check(name: str, value: object) -> None:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise TypeError(f'{name} must be a number of seconds, not {value!r}')
        if math.isnan(value) or value < 0 or (value == 0 and not zero_allowed):
            bound = '0 or more' if zero_allowed else 'more than 0'
            raise ValueError(f'{name} must be {bound} seconds, not {value!r}')

    return check


def _one_of(*choices: object) -> _Check:
    def check(name: str, value: object) -> None:
        if value not in choices:
            raise ValueError(f'{name} must be one of {", ".join(map(repr, choices))}, not {value!r}')

    return check


def _or_none(check: _Check) -> _Check:
    def check_unless_none(name: str, value: object) -> None:
        if value is not None:
            check(name, value)

    return check_unless_none


def _callable(name: str, value: object) -> None:
    if not callable(value):
        raise TypeError(f'{name} must be callable, not {value!r}')


def _is_flag(value: object) -> bool:
    return isinstance(value, int) and value in (0, 1)


def check_flag(name: str, value: object) -> None:
    """Raise unless it is True or False: the text 'False' would be true.

    Raises:
        TypeError: with what to write.
    """
    if not _is_flag(value):
        hint = '; to give the level, write level=' if name == 'use_queues' and isinstance(value, int) else ''
        raise TypeError(f'{name} must be True or False, not {value!r}{hint}')


def _check_aggregate(name: str, value: object) -> None:
    if value != 'auto' and not _is_flag(value):
        wrong = ValueError if isinstance(value, str) else TypeError
        raise wrong(f"{name} must be True, False or 'auto', not {value!r}")


def _with(check: _Check) -> dict[str, _Check]:
    return {'check': check}


@dataclass(frozen=True)
class Options:
    """The handler's own keywords, each with its check.

    A new one is written here, with its check, and in `FirehoseHandler`: its default in the signature, its meaning in the docstring.
    """

    spool_dir: Path | None
    max_spool_bytes: int | None = field(metadata=_with(_or_none(_integer(MIN_SPOOL_BYTES))))
    max_directory_bytes: int = field(metadata=_with(_integer(MIN_SPOOL_BYTES)))
    overflow: OverflowPolicy = field(metadata=_with(_one_of(*get_args(OverflowPolicy))))
    block_timeout_seconds: float = field(metadata=_with(_seconds()))
    oversize: OversizePolicy | None = field(metadata=_with(_one_of(None, *get_args(OversizePolicy))))
    shutdown_timeout_seconds: float = field(metadata=_with(_seconds()))
    sync_timeout_seconds: float = field(metadata=_with(_seconds(zero_allowed=False)))
    undelivered: UndeliveredPolicy = field(metadata=_with(_one_of(*get_args(UndeliveredPolicy))))
    max_in_flight: int = field(metadata=_with(_integer(1)))
    on_drop: DropHook | None = field(metadata=_with(_or_none(_callable)))
    on_dead_letter: DeadLetterHook | None = field(metadata=_with(_or_none(_callable)))
    event_ids: bool = field(metadata=_with(check_flag))
    aggregate: bool | Literal['auto'] = field(metadata=_with(_check_aggregate))
    max_aggregated_events: int | None = field(metadata=_with(_or_none(_integer(1))))
    target_batch_bytes: int = field(metadata=_with(_integer(0)))
    compression: Codec | None = field(metadata=_with(_one_of(None, 'gzip', 'zstd')))

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Options:
        """Return the options among the arguments of `FirehoseHandler`.

        Raises:
            TypeError: one has the wrong type.
            ValueError: one has a value that it cannot have.
        """
        given = {option.name: arguments[option.name] for option in fields(cls)}
        spool_dir = given['spool_dir']
        if spool_dir is None:
            spool_dir = os.environ.get('FIREFIGHTER_SPOOL_DIR') or None  # empty: not set
        return cls(**given | {'spool_dir': check_spool_dir(spool_dir)})

    def __post_init__(self) -> None:
        for option in fields(self):
            if 'check' in option.metadata:
                option.metadata['check'](option.name, getattr(self, option.name))
        if self.aggregates_as_found and self.compression is not None:
            raise ValueError(
                f"aggregate='auto' says nothing beside compression={self.compression!r}, which always aggregates: leave out one of them"
            )
        self.make_aggregation()  # it raises where a package is missing
        if not self.aggregates:
            _check_needs_aggregate('max_aggregated_events', given=self.max_aggregated_events is not None)
            _check_needs_aggregate('target_batch_bytes', given=self.target_batch_bytes != TARGET_BATCH_BYTES)

    @property
    def aggregates(self) -> bool:
        """Whether a Firehose record may have many events, be it that something is found out first."""
        return bool(self.aggregate) or self.compression is not None

    @property
    def aggregates_as_found(self) -> bool:
        """Whether that depends on what the handler finds out about its stream."""
        return self.aggregate == 'auto'

    def make_aggregation(self) -> Aggregation | None:
        """Return what makes Firehose records of the events of one source; None: each is one, until something is found out."""
        if not self.aggregates or self.aggregates_as_found:
            return None
        with not_forking():
            from firefighter._delivery.compression import make_aggregation  # noqa: PLC0415

            # It imports the library that compresses.
            return make_aggregation(
                aggregate=bool(self.aggregate),
                max_events=self.max_aggregated_events,
                compression=self.compression,
            )

    def make_formatter(self, **options: Any) -> JSONFormatter:
        """Return the handler's own formatter, with these options of the formatter's."""
        if not self.event_ids:
            return JSONFormatter(**options)
        with not_forking():
            from firefighter._event.numbered_formatter import NumberedFormatter  # noqa: PLC0415
        return NumberedFormatter(**options)

    def spool_rules(
        self,
        send_interval: float,
        sent_bytes: Callable[[int], int],
        *,
        max_batch_bytes: int | None = None,
        max_batch_events: int = DOCUMENTED_BATCH_COUNT,
        aggregates: bool | None = None,
    ) -> Rules:
        """Return what makes a batch of the handler's own spool due.

        Args:
            send_interval: the most seconds that an event waits for company.
            sent_bytes: says what so many bytes of the spool will be when they are sent.
            max_batch_bytes: MAX_BATCH_SIZE where a subclass or an instance sets it; None: the default.
            max_batch_events: MAX_BATCH_COUNT.
            aggregates: whether a record may have many events now; None: as the options are.
        """
        if aggregates is None:
            aggregates = self.aggregates
        if max_batch_bytes is None:
            max_batch_bytes = self.target_batch_bytes if aggregates else DOCUMENTED_BATCH_SIZE
        if aggregates:
            max_batch_events = MAX_RECORDS
        # A small spool is short of room, and compressed a large one of what may be under way, long before a request is full.
        full_bytes = min(FULL_REQUEST_BYTES, sent_bytes(min(self.memory_bytes // 4, MAX_WINDOW_BYTES // 2)))
        return Rules(max_batch_bytes, max_batch_events, send_interval, MIN_REQUEST_GAP_SECONDS, full_bytes)

    @property
    def memory_bytes(self) -> int:
        """The bound of a spool in memory."""
        return MEMORY_SPOOL_BYTES if self.max_spool_bytes is None else self.max_spool_bytes

    @property
    def disk_bytes(self) -> int:
        """The bound of a spool on disk."""
        return DISK_SPOOL_BYTES if self.max_spool_bytes is None else self.max_spool_bytes


def check_spool_dir(spool_dir: object) -> Path | None:
    """Return the directory as an absolute path without links, or raise when the programmer has given something else.

    A loop of links, or a working directory that is gone, is what the environment lacks: then the path is returned as it is,
    and whoever opens the directory says what is wrong with it.

    Raises:
        TypeError: it is not a path.
        ValueError: it is empty, or has a NUL.
    """
    if spool_dir is None:
        return None
    if not isinstance(spool_dir, (str, os.PathLike)):
        raise TypeError(f'spool_dir must be a path, not {spool_dir!r}')
    path = os.fsdecode(spool_dir)
    if not path or '\0' in path:
        raise ValueError(
            f'spool_dir must be the path of a directory, not {path!r}; None keeps events in memory'
        )
    # Once: a later change of the working directory, or of a link, does not lead elsewhere.
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError):  # a loop of links is a RuntimeError before Python 3.13
        pass
    try:
        return Path(path).absolute()
    except OSError:  # there is no working directory
        return Path(path)


def check_stream_name(name: object) -> None:
    """Raise unless it can be the name of a delivery stream.

    Raises:
        TypeError: it is not a string.
        ValueError: AWS allows no such name.
    """
    if not isinstance(name, str):
        raise TypeError(f'delivery_stream_name must be a string, not {name!r}')
    if name.startswith('arn:'):
        raise ValueError(
            f'delivery_stream_name must be the name alone, not an ARN: write {name.rpartition("/")[2]!r}'
        )
    if not _STREAM_NAME.fullmatch(name):
        raise ValueError(
            f'delivery_stream_name must be 1 to 64 letters, digits, dots, hyphens and underscores, not {name!r}'
        )


def check_level(level: object, name: str = 'level') -> None:
    """Raise unless it is a level of logging's: a number, or a name that it knows, the program's own among them.

    Raises:
        TypeError: it is neither a number nor a string.
        ValueError: with the name that may have been meant.
    """
    if isinstance(level, int):
        return
    if not isinstance(level, str):
        raise TypeError(f"{name} must be the name of a level, such as 'INFO', or its number, not {level!r}")
    names = list(logging._nameToLevel)  # noqa: SLF001 - public, as `getLevelNamesMapping`, only from Python 3.11 on
    if level not in names:
        # Nobody means that none is set.
        close = difflib.get_close_matches(level.upper(), [*filter('NOTSET'.__ne__, names)], n=1)
        hint = f'did you mean {close[0]!r}?' if close else f'there are {", ".join(names)}'
        raise ValueError(f'{name} cannot be {level!r}; {hint}')


def check_seconds(name: str, value: object, *, negative_allowed: bool = False) -> None:
    """Raise unless it is a number of seconds, zero or more; or a negative one, of who has no time left."""
    is_negative = negative_allowed and isinstance(value, (int, float)) and value < 0
    _seconds()(name, 0 if is_negative else value)


def check_queue_arguments(batch_queue: object, send_interval: float) -> None:
    """Raise unless `batch_sender` can deliver from such a queue, at such an interval.

    Raises:
        TypeError: the queue is not one; `send_interval` is no number.
        ValueError: `send_interval` is negative, or no finite number.
    """
    if not callable(getattr(batch_queue, 'get', None)) or not callable(
        getattr(batch_queue, 'task_done', None)
    ):
        raise TypeError(f'batch_queue must be a queue.Queue, not {type(batch_queue).__name__}')
    check_seconds('send_interval', send_interval)


# What other handlers take in the constructor, or the formatter has.
_ELSEWHERE = {
    'filters': 'write handler.addFilter(...), or `filters` in dictConfig',
    'formatter': 'write handler.setFormatter(JSONFormatter(...)), or `formatter` in dictConfig',
    **{
        name: f"it is of the formatter: handler.setFormatter(JSONFormatter({name}=...)), in dictConfig under `formatters` with '()'"
        for name in ('leave_out', 'ignore_case', 'context', 'redact', 'layout')
    },
}


def raise_unknown(unknown: Mapping[str, object], handler: type) -> None:
    """Raise when there are options that the constructor does not have.

    Raises:
        TypeError: with the name that may have been meant.
    """
    known = inspect.signature(handler).parameters.values()
    names = [p.name for p in known if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}]
    for name in unknown:
        if name in _ELSEWHERE:
            raise TypeError(f'FirehoseHandler has no option {name}: {_ELSEWHERE[name]}')
        close = difflib.get_close_matches(name, [*names, *_ELSEWHERE], n=1)
        close = close or [other for other in names if name in other]
        of_others = f' ({_ELSEWHERE[close[0]]})' if close and close[0] in _ELSEWHERE else ''
        hint = f'; did you mean {close[0]}?{of_others}' if close else f'; there are {", ".join(names)}'
        # Without quotes: from a text with 'stream' in them dictConfig takes it that this is `logging.StreamHandler` of an old Python, and
        # calls again with `strm`.
        raise TypeError(f'FirehoseHandler has no option {name}{hint}')


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Check the documented arguments of `FirehoseHandler`, but for the stream's name; `Options` checks the others.

    Raises:
        TypeError: one has the wrong type, or excludes another one that is given.
        ValueError: one has a value that it cannot have.
    """
    level, positional = arguments['level'], arguments['args']
    if level is not None and positional:
        raise TypeError(
            f'the level is given twice, as {positional[0]!r} and as level={level!r}: leave out one'
        )
    for given in (level,) if level is not None else positional[:1]:
        check_level(given)
    check_seconds('send_interval', arguments['send_interval'])
    check_flag('use_queues', arguments['use_queues'])
    check_flag('protect_fields', arguments['protect_fields'])
    check_client_arguments(**{name: arguments[name] for name in _CLIENT_ARGUMENTS})


_CLIENT_ARGUMENTS = ('boto3_client', 'boto3_session', 'boto3_profile_name', 'region_name', 'endpoint_url')


def check_client_arguments(**arguments: Any) -> None:
    """Raise when two arguments say different things about where the client comes from.

    Raises:
        TypeError: with what to leave out.
    """
    given = {name for name, value in arguments.items() if value is not None}
    if 'boto3_client' in given and len(given) > 1:
        others = ', '.join(sorted(given - {'boto3_client'}))
        raise TypeError(f'boto3_client is used as it is: leave out {others}, or leave out boto3_client')
    if {'boto3_session', 'boto3_profile_name'} <= given:
        raise TypeError('boto3_session has its profile already: leave out boto3_profile_name')
    _check_method('boto3_client', arguments['boto3_client'], 'put_record_batch')
    _check_method('boto3_session', arguments['boto3_session'], 'client')
    for name in ('boto3_profile_name', 'region_name', 'endpoint_url'):
        if not isinstance(arguments[name], (str, type(None))):
            raise TypeError(f'{name} must be a string, not {arguments[name]!r}')
    endpoint_url = arguments['endpoint_url']
    if endpoint_url is not None and not re.match(r'https?://[^/]', endpoint_url):
        raise ValueError(
            "endpoint_url must be 'https://' or 'http://' and a host, like 'http://localhost:4573', not "
            f'{endpoint_url.rpartition("@")[2]!r}'
        )


def _check_method(name: str, value: object, method: str) -> None:
    if value is not None and not callable(getattr(value, method, None)):
        raise TypeError(f'{name} must have a method {method}(), as boto3 makes it; {value!r} has none')


def _check_needs_aggregate(name: str, *, given: bool) -> None:
    if given:
        raise ValueError(
            f'{name} says nothing without aggregate=True or compression=: add one of them, or leave out {name}'
        )
