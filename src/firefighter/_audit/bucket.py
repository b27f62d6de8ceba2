"""The place that is an S3 bucket. This module alone knows boto3's S3."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from firefighter._audit.decoding import CHUNK_BYTES
from firefighter._audit.places import StoredObject, UnreadableError
from firefighter._delivery.outcomes import from_exception

__all__ = ['Bucket', 'read_ahead']

# Small objects cost a round trip each. boto3's client keeps ten connections.
_AT_ONCE = 8
_MOST_BYTES = 4 * 1024 * 1024

# Without a new byte. botocore tries a request again, but not the reading of an answer that has begun.
_TRIES = 5


class Bucket:
    """The objects of a bucket whose keys begin alike, listed a thousand at a time.

    Args:
        name: the bucket's.
        prefix: how the keys begin.
        profile_name: the profile with the credentials.
        region_name: overrides the profile's.
        endpoint_url: overrides the service's address.

    Raises:
        UnreadableError: no client can be made.
    """

    def __init__(
        self,
        name: str,
        prefix: str,
        *,
        profile_name: str | None = None,
        region_name: str | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        # Slow to import, and a folder needs none of it.
        import boto3.session  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        self._connection_error = BotoCoreError
        self._name = name
        self._prefix = prefix
        try:
            self._client: Any = boto3.session.Session(profile_name=profile_name).client(
                's3', region_name=region_name, endpoint_url=endpoint_url
            )
        except Exception as error:
            raise _unreadable(f's3://{name}', error) from error

    def objects(self) -> Iterator[StoredObject]:
        """Yield the objects, in the order of their keys."""
        pages = self._client.get_paginator('list_objects_v2').paginate(Bucket=self._name, Prefix=self._prefix)
        try:
            for page in pages:
                for entry in page.get('Contents', ()):
                    yield self._object(entry['Key'], entry['Size'], entry['ETag'])
        except Exception as error:  # what gives the credentials may raise anything
            raise _unreadable(f's3://{self._name}', error) from error

    def _object(self, key: str, size_bytes: int, etag: str) -> StoredObject:
        name = f's3://{self._name}/{key}'

        def chunks() -> Iterator[bytes]:
            done, tries = 0, 0
            while True:
                tries, before = tries + 1, done
                try:
                    # Where the last try ended, in the same version of the object.
                    answer = self._client.get_object(
                        Bucket=self._name, Key=key, IfMatch=etag, Range=f'bytes={done}-'
                    )
                    with closing(answer['Body']) as body:
                        for chunk in body.iter_chunks(CHUNK_BYTES):
                            done += len(chunk)
                            yield chunk
                except Exception as error:
                    if tries == _TRIES or not isinstance(error, self._connection_error):
                        raise _unreadable(name, error) from error
                    if done > before:
                        tries = 0
                else:
                    return

        # Nothing cannot be asked for by a range.
        return StoredObject(name, size_bytes, chunks if size_bytes else lambda: iter(()))


def _unreadable(name: str, error: Exception) -> UnreadableError:
    return UnreadableError(f'{name}: {from_exception(error, 1, sent=True).error}')


def read_ahead(objects: Iterable[StoredObject]) -> Iterator[StoredObject]:
    """Yield objects in their order, while the next ones are being read: several at once, which take 32 MiB at most.

    Large ones are read when it is their turn.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        ahead: deque[StoredObject] = deque()
        try:
            for stored in objects:
                ahead.append(_begun(stored, pool) if stored.size_bytes <= _MOST_BYTES else stored)
                if len(ahead) == _AT_ONCE:
                    yield ahead.popleft()
            yield from ahead
        finally:
            pool.shutdown(cancel_futures=True)


def _begun(stored: StoredObject, pool: ThreadPoolExecutor) -> StoredObject:
    chunks = pool.submit(lambda: list(stored.chunks()))
    return stored._replace(chunks=lambda: iter(chunks.result()))
