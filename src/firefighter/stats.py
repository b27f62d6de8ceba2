"""What a handler has done with its events: `Stats`, and the reasons for which an event is dropped."""

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
    """Firehose refused it as invalid, alone, while it took others: sending it again would change nothing."""
    NO_STREAM = 'no_stream'
    """The handler has no delivery stream's name."""
    DISABLED = 'disabled'
    """FIREFIGHTER_DISABLED=1 is set."""
    FAILED = 'failed'
    """Turning the log record into bytes failed in a way that left nothing to send."""
    UNDELIVERED = 'undelivered'
    """`batch_sender` came to the END of its queue and could not deliver it within its time."""


@dataclass(frozen=True)
class Stats:
    """A handler's account at one moment, since the handler was made, or since its process was forked.

    Always `accepted + adopted == delivered + sum(dropped.values()) + pending`.
    """

    accepted: int
    """Events that the program logged through this handler; with `event_ids`, the `markers`, too."""
    delivered: int
    """Events that Firehose has acknowledged."""
    dropped: Mapping[DropReason, int]
    """Events given up, for each reason that has occurred."""
    dropped_bytes: Mapping[DropReason, int]
    """The same in bytes, as far as the event had become bytes."""
    pending: int
    """Events accepted or adopted, and neither delivered nor dropped yet."""
    spool_bytes: int
    """Bytes of memory, or on disk, that the spool has allocated; never above `max_spool_bytes`."""
    requests: int = 0
    """PutRecordBatch requests sent, whatever came of them."""
    records: int = 0
    """Firehose records in those requests, those sent again included."""
    sent_bytes: int = 0
    """Bytes of data in those records, before base64."""
    retried: int = 0
    """Firehose records that were sent again because Firehose had not accepted them."""
    uncertain: int = 0
    """Events sent again, though nobody knows whether they had arrived: the answer never came, or cannot be understood. At
    most so many extra copies, beside those that a death leaves."""
    queue_age_seconds: float = 0.0
    """How long, at most, the oldest pending event has been waiting in this process; 0.0 while delivery knows of none.
    What was taken over from a dead process counts from then on."""
    dead_letters: int = 0
    """Events that Firehose refused as invalid, alone, while it took others. They are `dropped` as `refused`."""
    oversize: int = 0
    """Events that were longer than MAX_RECORD_SIZE, whatever became of them."""
    truncated: int = 0
    """Events that were cut to fit."""
    suppressed: int = 0
    """Log records that delivery itself causes (botocore, boto3, urllib3 and s3transfer, during its requests; what it says on a
    stderr that logs): never events, so outside the sum."""
    hook_errors: int = 0
    """Exceptions that `on_drop` and `on_dead_letter` raised."""
    last_error: str | None = None
    """The newest trouble of delivery, in words; None while there was none."""
    backing: str = 'memory'
    """Where the next event is kept: "memory" or "disk". "memory" also for as long as nothing can be kept in `spool_dir`."""
    adopted: int = 0
    """Events of dead processes that this handler has taken over from `spool_dir`, less those that it has given back
    undelivered, as it does when it is closed."""
    markers: int = 0
    """Events that the handler itself has made, with `event_ids`, to tell of those it has dropped."""
    quarantined_bytes: int = 0
    """Bytes found torn in what dead processes left, put aside; outside the sum, since nobody knows how many events."""
    newer_producers: int = 0
    """Dead processes whose events in `spool_dir` a later version has written: left there, for that version to deliver."""
