"""The place that is an S3 bucket. This module alone knows boto3's S3."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from firefighter._audit.decoding import CHUNK_BYTES
from firefighter._audit.places import StoredObject, UnreadableError
from firefighter._delivery.diagnostics import one_line
from firefighter._delivery.outcomes import from_exception

__all__ = ['Bucket', 'read_ahead']

# Small objects cost a round trip each. boto3's client keeps ten connections.
_AT_ONCE = 8
_MOST_BYTES = 4 * 1024 * 1024

_WRITE_THE_REGION = "write the bucket's own region: --region"
# What S3 says, in its own codes (the API's "Error responses") and those that mean something else to Firehose.
_CURES = {
    'AccessDenied': 'allow s3:ListBucket on the bucket and s3:GetObject on its objects',
    'AllAccessDisabled': 'ask the owner of the bucket',
    'InvalidAccessKeyId': 'correct the access key',
    'InvalidToken': 'renew the credentials',
    'RequestTimeTooSkewed': "set the machine's clock",
    'NoSuchBucket': 'correct the name of the bucket, or --endpoint-url',
    'InvalidBucketName': 'correct the name of the bucket',
    'PermanentRedirect': _WRITE_THE_REGION,
    'AuthorizationHeaderMalformed': _WRITE_THE_REGION,
    'IllegalLocationConstraintException': _WRITE_THE_REGION,
    'InvalidObjectState': 'restore it from the archive first',
    'KMS.DisabledException': "enable the key of the bucket's encryption",
}
# The arguments of a handler that other cures name.
_OPTIONS = {
    'boto3_profile_name=': '--profile',
    'region_name=': '--region',
    'endpoint_url=': '--endpoint-url',
    'endpoint_url': '--endpoint-url',
}

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
                    _check_goes_on(name, answer, done)
                    with closing(answer['Body']) as body:
                        for chunk in body.iter_chunks(CHUNK_BYTES):
                            done += len(chunk)
                            yield chunk
                except UnreadableError:
                    raise
                except Exception as error:
                    if tries == _TRIES or not isinstance(error, self._connection_error):
                        raise _unreadable(name, error) from error
                    if done > before:
                        tries = 0
                else:
                    return

        # Nothing cannot be asked for by a range.
        return StoredObject(name, size_bytes, chunks if size_bytes else lambda: iter(()))


def _check_goes_on(name: str, answer: Mapping[str, Any], done: int) -> None:
    # Not every store that speaks S3's protocol has ranges: this one has begun anew.
    if done and 'ContentRange' not in answer:
        raise UnreadableError(f'{name}: the connection broke, and the server cannot go on in the middle')


def _unreadable(name: str, error: Exception) -> UnreadableError:
    answer = from_exception(error, 1, sent=True)
    text = answer.error or ''
    if answer.cause in _CURES:
        message = getattr(error, 'response', {}).get('Error', {}).get('Message', '')
        text = f'{one_line(f"{answer.cause}: {message}")} ({_CURES[answer.cause]})'
    for argument, option in _OPTIONS.items():
        text = text.replace(argument, option)
    return UnreadableError(f'{name}: {text}')


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
