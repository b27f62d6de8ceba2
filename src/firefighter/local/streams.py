"""One delivery stream: what it was created with, what waits in it, and what it has delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from firefighter.local.accounts import Account
from firefighter.local.bucket import StoredObject
from firefighter.local.buffering import Batch, Buffer
from firefighter.local.configuration import Settings
from firefighter.local.folder import Folder
from firefighter.local.protocol import ACCOUNT_ID, REGION, Moment

# How long after a write that failed the next one is tried.
RETRY_SECONDS = 1


@dataclass(frozen=True)
class Unwritten:
    """What a stream has accepted and could not write.

    Attributes:
        records: how many there are.
        buckets: where they belong.
        error: why they could not be written.
    """

    records: int
    buckets: list[str]
    error: str


@dataclass
class Stream:
    """A delivery stream.

    Attributes:
        name: its name.
        kind: its type, such as `DirectPut`.
        settings: what it does with its records.
        created: when it was made.
        version: it is counted up with each change of the destination.
        updated: when the destination was changed last; None if it never was.
        tags: key -> value.
        encryption: what DescribeDeliveryStream says of it.
        account: what it has done.
        buffer: what waits for its interval or size.
    """

    name: str
    kind: str
    settings: Settings
    created: Moment
    version: str = '1'
    updated: Moment | None = None
    tags: dict[str, str] = field(default_factory=dict)
    encryption: dict[str, str] = field(default_factory=lambda: {'Status': 'DISABLED'})
    account: Account = field(default_factory=Account)
    buffer: Buffer = field(init=False)
    # What could not be written, the oldest first, and when to try again on the monotonic clock.
    _unwritten: list[StoredObject] = field(default_factory=list)
    _retry_at: float = 0
    _error: str = ''

    def __post_init__(self) -> None:
        self.buffer = Buffer(self.settings.hints)

    @property
    def arn(self) -> str:
        """The stream's Amazon Resource Name, in an account and a region that nobody has."""
        return f'arn:aws:firehose:{REGION}:{ACCOUNT_ID}:deliverystream/{self.name}'

    def describe(self) -> dict[str, Any]:
        """Return what DescribeDeliveryStream says."""
        updated = {} if self.updated is None else {'LastUpdateTimestamp': self.updated.unix_seconds}
        return {
            'DeliveryStreamName': self.name,
            'DeliveryStreamARN': self.arn,
            'DeliveryStreamStatus': 'ACTIVE',
            'DeliveryStreamEncryptionConfiguration': self.encryption,
            'DeliveryStreamType': self.kind,
            'VersionId': self.version,
            'CreateTimestamp': self.created.unix_seconds,
            'Destinations': [self.settings.description],
            'HasMoreDestinations': False,
            **updated,
        }

    @property
    def is_encrypted(self) -> bool:
        """Whether records are said to be encrypted."""
        return self.encryption['Status'] == 'ENABLED'

    def change_destination(self, settings: Settings, moment: Moment, folder: Folder) -> None:
        """Deliver elsewhere, or otherwise, from now on. What was accepted until now is delivered as it would have been."""
        self.flush(moment, folder)
        self.settings = settings
        self.buffer = Buffer(settings.hints)
        self.version = str(int(self.version) + 1)
        self.updated = moment

    def accept(self, records: Sequence[bytes], moment: Moment, folder: Folder) -> None:
        """Take records in, and write what is full now."""
        full = self.buffer.add(records, moment)
        if full:
            self._write(full, moment, folder)

    def flush(self, moment: Moment, folder: Folder) -> None:
        """Write everything that waits, due or not."""
        self._write(self.buffer.take(), moment, folder)

    def due_at(self) -> float | None:
        """Return when something must be written, on the monotonic clock; None if nothing waits."""
        return self._retry_at if self._unwritten else self.buffer.due_at()

    def unwritten(self) -> Unwritten | None:
        """Return what could not be written; None if there is nothing of the kind."""
        if not self._unwritten:
            return None
        records = sum(stored.records for stored in self._unwritten)
        buckets = {stored.bucket for stored in self._unwritten}
        return Unwritten(records, sorted(buckets), self._error)

    def _write(self, batches: Sequence[Batch], moment: Moment, folder: Folder) -> None:
        for batch in batches:
            self._unwritten += self.settings.destination.objects(batch, self.name, self.version)
        # One that cannot be written does not hold up those of another bucket; those of its own stay in their order.
        failing: set[str] = set()
        for stored in tuple(self._unwritten):
            if stored.bucket in failing:
                continue
            try:
                folder.write(stored.bucket, stored.key, stored.body)
            except OSError as error:
                # As the real service does while it cannot reach its bucket: keep it and try again.
                self.account.write_errors += 1
                self._retry_at = moment.monotonic_seconds + RETRY_SECONDS
                self._error = str(error)
                failing.add(stored.bucket)
                continue
            self.account.note_object(stored.records, len(stored.body), failed=stored.failed)
            self._unwritten.remove(stored)
