"""How objects are named and packed on their way into a bucket. Nothing here touches the disk."""

from __future__ import annotations

import gzip
import io
import random
import uuid
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from firefighter.local.folder import check_bucket, check_key_part
from firefighter.local.keys import LONGEST_TIMES, RANDOM_STRING_LENGTH, Prefixes, object_name
from firefighter.local.protocol import invalid_argument

DEFAULT_BUCKET = 'logs'


@dataclass(frozen=True)
class StoredObject:
    """One object to be written.

    Attributes:
        bucket: its bucket.
        key: its name there.
        body: its content, processed and compressed.
        records: how many Firehose records are in it.
        failed: whether it holds records that the destination would not take.
    """

    bucket: str
    key: str
    body: bytes
    records: int
    failed: bool = False


def _zipped(body: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, 'w', zipfile.ZIP_DEFLATED) as members:
        members.writestr('data', body)
    return archive.getvalue()


# The service model's name -> the extension of the key, and what makes the object.
COMPRESSIONS: Mapping[str, tuple[str, Callable[[bytes], bytes]]] = {
    'UNCOMPRESSED': ('', bytes),
    'GZIP': ('.gz', gzip.compress),
    'ZIP': ('.zip', _zipped),
}


@dataclass(frozen=True)
class Bucket:
    """How objects are named and packed on their way into a bucket.

    Attributes:
        name: the bucket's name.
        prefixes: what the objects' keys begin with.
        compression: one of `COMPRESSIONS`.
        extension: replaces the one that the compression gives.
        time_zone: of the times in keys.
    """

    name: str = DEFAULT_BUCKET
    prefixes: Prefixes = field(default_factory=Prefixes)
    compression: str = 'UNCOMPRESSED'
    extension: str = ''
    time_zone: tzinfo = timezone.utc

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, Any]) -> Bucket:
        """Return what an S3 destination's configuration asks for.

        Raises:
            ServiceError: it asks for what AWS or this endpoint does not have.
        """
        compression = configuration.get('CompressionFormat', 'UNCOMPRESSED')
        if compression not in COMPRESSIONS:
            raise invalid_argument(f'CompressionFormat {compression} is not supported by the local endpoint')
        return cls(
            name=check_bucket(configuration['BucketARN'].partition(':s3:::')[2]),
            prefixes=Prefixes(
                check_key_part(configuration.get('Prefix', '')),
                _optional_key_part(configuration.get('ErrorOutputPrefix')),
            ),
            compression=compression,
            extension=check_key_part(configuration.get('FileExtension', '')),
            time_zone=_time_zone(configuration.get('CustomTimeZone', '')),
        )

    def pack(
        self,
        body: bytes,
        *,
        stream_name: str,
        version: str,
        opened_unix_seconds: float,
        records: int,
        error_type: str | None = None,
    ) -> StoredObject:
        """Return the object that a body becomes.

        Args:
            body: the records, one behind the other.
            stream_name: the delivery stream's name.
            version: its version.
            opened_unix_seconds: the arrival of the oldest record.
            records: how many there are.
            error_type: why they failed; None if they did not.
        """
        when = datetime.fromtimestamp(opened_unix_seconds, self.time_zone)
        _, compress = COMPRESSIONS[self.compression]
        prefix = self.prefixes.evaluate(when, random_string=_random_string, error_type=error_type)
        key = check_key_part(prefix + self._name(stream_name, version, when))
        return StoredObject(self.name, key, compress(body), records, failed=error_type is not None)

    def longest_keys(self, stream_name: str, version: str, error_type: str | None = None) -> list[str]:
        """Return keys as long as they get.

        Args:
            stream_name: the delivery stream's name.
            version: its version.
            error_type: as for `pack`.
        """
        name = self._name(stream_name, version, LONGEST_TIMES[0])
        return [prefix + name for prefix in self.prefixes.longest(error_type)]

    def _name(self, stream_name: str, version: str, when: datetime) -> str:
        extension, _ = COMPRESSIONS[self.compression]
        return object_name(stream_name, version, when, str(uuid.uuid4()), self.extension or extension)


def _optional_key_part(text: str | None) -> str | None:
    return None if text is None else check_key_part(text)


def _time_zone(name: str) -> tzinfo:
    if not name:
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise invalid_argument(f'CustomTimeZone {name} is not known') from None


def _random_string() -> str:
    return f'{random.getrandbits(44):011x}'[:RANDOM_STRING_LENGTH]
