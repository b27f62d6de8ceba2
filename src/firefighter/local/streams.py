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


@dataclass
class Stream:
    """A delivery stream.

    Attributes:
        name: its name.
        kind: its type, such as `DirectPut`.
        settings: what it does with its records.
        created: when it was made.
        version: AWS counts it up with each change of the destination.
        account: what it has done.
        buffer: what waits for its interval or size.
    """

    name: str
    kind: str
    settings: Settings
    created: Moment
    version: str = '1'
    account: Account = field(default_factory=Account)
    buffer: Buffer = field(init=False)
    # What could not be written, the oldest first, and when to try again on the monotonic clock.
    _unwritten: list[StoredObject] = field(default_factory=list)
    _retry_at: float = 0

    def __post_init__(self) -> None:
        self.buffer = Buffer(self.settings.hints)

    @property
    def arn(self) -> str:
        """The stream's Amazon Resource Name, in an account and a region that nobody has."""
        return f'arn:aws:firehose:{REGION}:{ACCOUNT_ID}:deliverystream/{self.name}'

    def describe(self) -> dict[str, Any]:
        """Return what DescribeDeliveryStream says."""
        return {
            'DeliveryStreamName': self.name,
            'DeliveryStreamARN': self.arn,
            'DeliveryStreamStatus': 'ACTIVE',
            'DeliveryStreamEncryptionConfiguration': {'Status': 'DISABLED'},
            'DeliveryStreamType': self.kind,
            'VersionId': self.version,
            'CreateTimestamp': self.created.unix_seconds,
            'Destinations': [self.settings.description],
            'HasMoreDestinations': False,
        }

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

    @property
    def is_empty(self) -> bool:
        """Whether everything that was accepted is in the folder."""
        return not self._unwritten and not self.buffer.waiting_records

    def _write(self, batches: Sequence[Batch], moment: Moment, folder: Folder) -> None:
        for batch in batches:
            self._unwritten += self.settings.destination.objects(batch, self.name, self.version)
        while self._unwritten:
            stored = self._unwritten[0]
            try:
                folder.write(stored.bucket, stored.key, stored.body)
            except OSError:
                # As the real service does while it cannot reach its bucket: keep it and try again.
                self.account.write_errors += 1
                self._retry_at = moment.monotonic_seconds + RETRY_SECONDS
                return
            self.account.note_object(stored.records, len(stored.body), failed=stored.failed)
            del self._unwritten[0]
