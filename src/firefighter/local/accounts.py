"""What one stream accepted, refused and delivered. Tests and the demo compare it with their own counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from firefighter.local.limits import billed_bytes


@dataclass
class Account:
    """Counters of one delivery stream since it was created.

    At any moment `records` is the sum of the records that were delivered, have failed or still wait in the buffer.

    Attributes:
        requests: valid puts for this stream, including those of which every record was refused.
        records: records that were accepted, and will be delivered.
        bytes: bytes of data in those records, before base64.
        billed_bytes: the same with each record rounded up to 5,120 bytes, as Firehose bills it.
        refused_records: records of valid puts that were not accepted.
        delivered_records: records that are in an object in the folder.
        failed_records: records that the destination did not accept. They are under the error prefix.
        objects: files written, including those under the error prefix.
        object_bytes: their size, after compression.
        write_errors: attempts to write that failed. The data is kept, and writing is tried again.
    """

    requests: int = 0
    records: int = 0
    bytes: int = 0
    billed_bytes: int = 0
    refused_records: int = 0
    delivered_records: int = 0
    failed_records: int = 0
    objects: int = 0
    object_bytes: int = 0
    write_errors: int = 0

    def note_put(self, accepted: Iterable[int], refused: int) -> None:
        """Count one put.

        Args:
            accepted: the size of each accepted record, in bytes.
            refused: how many records were refused.
        """
        sizes = list(accepted)
        self.requests += 1
        self.records += len(sizes)
        self.bytes += sum(sizes)
        self.billed_bytes += sum(map(billed_bytes, sizes))
        self.refused_records += refused

    def note_object(self, records: int, size_bytes: int, *, failed: bool) -> None:
        """Count one object that was written.

        Args:
            records: how many Firehose records are in it.
            size_bytes: its size, after compression.
            failed: whether the records are ones that the destination would not take.
        """
        self.objects += 1
        self.object_bytes += size_bytes
        if failed:
            self.failed_records += records
        else:
            self.delivered_records += records
