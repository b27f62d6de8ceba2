"""The account of a handler: `Stats`, and the reasons for which an event is dropped."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ['DropReason', 'Stats']


class DropReason(str, enum.Enum):
    """Why an event was not, and never will be, delivered."""

    OVERFLOW = 'overflow'
    """The spool was full (`max_spool_bytes`), and the `overflow` policy chose this event."""
    OVERSIZE = 'oversize'
    """It was longer than MAX_RECORD_SIZE, with `oversize="drop"`."""
    REFUSED = 'refused'
    """Firehose refused it as invalid, alone, while it accepted others. Sending it again would change nothing."""
    NO_STREAM = 'no_stream'
    """The handler has no stream name."""
    DISABLED = 'disabled'
    """FIREFIGHTER_DISABLED=1 is set."""
    FAILED = 'failed'
    """The log record could not be turned into bytes, and nothing was left to send."""
    UNDELIVERED = 'undelivered'
    """`batch_sender` came to the END of its queue and could not deliver the event in time."""


@dataclass(frozen=True)
class Stats:
    """A handler's account at one moment. It counts from when the handler was made, or its process was forked.

    Always `accepted + adopted == delivered + sum(dropped.values()) + pending`.
    """

    accepted: int
    """Events that the program logged through this handler; with `event_ids`, also the `markers`."""
    delivered: int
    """Events that Firehose has acknowledged."""
    dropped: Mapping[DropReason, int]
    """Events dropped, for each reason that has occurred."""
    dropped_bytes: Mapping[DropReason, int]
    """Bytes dropped, for each reason. An event that had not become bytes yet counts none."""
    pending: int
    """Events accepted or adopted, but neither delivered nor dropped yet."""
    spool_bytes: int
    """Bytes that the spool has allocated, in memory or on disk; never above `max_spool_bytes`."""
    requests: int = 0
    """PutRecordBatch requests sent, successful or not."""
    records: int = 0
    """Firehose records in those requests, including those sent again."""
    sent_bytes: int = 0
    """Bytes of data in those records, before base64."""
    retried: int = 0
    """Firehose records that were sent again because Firehose had not accepted them."""
    uncertain: int = 0
    """Events sent again although they may have arrived: the answer never came, or cannot be understood, or the connection
    had been kept from an earlier request and turned out to be closed. There are at most this many extra copies, apart
    from copies caused by the death of a process."""
    queue_age_seconds: float = 0.0
    """An upper bound for how long the oldest pending event has waited in this process; 0.0 while delivery knows of none.
    An event of a dead process counts from when it was taken over."""
    dead_letters: int = 0
    """Events that Firehose refused as invalid, alone, while it accepted others. They are `dropped` as `refused`."""
    oversize: int = 0
    """Events that were longer than MAX_RECORD_SIZE, whether kept, truncated or dropped."""
    truncated: int = 0
    """Events that were truncated."""
    suppressed: int = 0
    """Log records caused by delivery itself: by botocore, boto3, urllib3, s3transfer and libraries that trace them during its
    requests, and by its own messages on a stderr that logs. They are not events, so they are not part of the sum."""
    hook_errors: int = 0
    """Exceptions that `on_drop` and `on_dead_letter` raised. Lines on stderr name them, at most once a minute for each hook."""
    last_error: str | None = None
    """The latest problem of delivery, in words; None if there was none."""
    backing: str = 'memory'
    """Where the next event is kept: "memory" or "disk". Also "memory" while `spool_dir` cannot be used."""
    adopted: int = 0
    """Events of dead processes that this handler has taken over from `spool_dir`, minus those that it has given back
    undelivered (a handler does that when it is closed)."""
    markers: int = 0
    """Events that the handler itself has made, with `event_ids`, to report the events it has dropped."""
    quarantined_bytes: int = 0
    """Torn bytes found in the files of dead processes and set aside. Not part of the sum: nobody knows how many events they were."""
    newer_producers: int = 0
    """Dead processes whose events in `spool_dir` were written by a later version. They are left for that version to deliver."""
    aggregates: bool = False
    """Whether the next Firehose record may have many events: by `aggregate` or `compression`, or since `aggregate="auto"` has found that the
    stream's destination takes that."""
