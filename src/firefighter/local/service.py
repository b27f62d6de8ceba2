"""The operations of the API, on streams that deliver into a folder. It knows no HTTP and no faults."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from firefighter.local import validation
from firefighter.local.accounts import Account
from firefighter.local.administration import ADMINISTRATION, add_tags, start_encryption
from firefighter.local.buffering import BufferingHints
from firefighter.local.configuration import settings, updated_settings
from firefighter.local.description import DESTINATION_ID
from firefighter.local.destinations import Destination
from firefighter.local.folder import Folder
from firefighter.local.limits import parse_put_record, parse_put_record_batch
from firefighter.local.protocol import (
    ACCOUNT_ID,
    RECORD_ID_LENGTH,
    Moment,
    RecordError,
    Reply,
    Request,
    ServiceError,
    invalid_argument,
    success,
    unknown_operation,
)
from firefighter.local.streams import Stream, Unwritten

# The number of streams that ListDeliveryStreams names unless told, and that an account may have by default.
DEFAULT_LIST_LIMIT = 10
# As many changes as nobody makes. The version is a part of an object's name.
LONGEST_VERSION = '9999'


class Service:
    """Firehose, for one folder.

    Args:
        folder: where the buckets are.
        hints: when streams without hints of their own deliver.
        create_on_put: whether a put makes the stream that it names, if there is none.
    """

    def __init__(self, folder: Folder, hints: BufferingHints, *, create_on_put: bool = False) -> None:
        self._folder = folder
        self._hints = hints
        self._create_on_put = create_on_put
        self._streams: dict[str, Stream] = {}
        # Ids differ between services and within one; only their form matters to a client.
        self._record_id_start = secrets.token_urlsafe(RECORD_ID_LENGTH)[: RECORD_ID_LENGTH - 16]
        self._record_numbers = itertools.count()

    def answer(self, request: Request) -> Reply:
        """Do what a request asks, and return what to say."""
        try:
            if request.operation not in self.OPERATIONS:
                raise unknown_operation()
            return success(self.OPERATIONS[request.operation](self, request))
        except ServiceError as error:
            return error.reply()

    def create_stream(self, parameters: Mapping[str, Any], moment: Moment) -> Stream:
        """Create a stream.

        Args:
            parameters: those of CreateDeliveryStream; without a destination it is S3, in the bucket `logs`.
            moment: now.

        Raises:
            ServiceError: AWS would not, or the endpoint does not have what was asked for.
        """
        validation.check('CreateDeliveryStream', parameters)
        name = parameters['DeliveryStreamName']
        if name in self._streams:
            message = f'Firehose {name} under accountId {ACCOUNT_ID} already exists'
            raise ServiceError('ResourceInUseException', message)
        stream = Stream(
            name,
            parameters.get('DeliveryStreamType') or 'DirectPut',
            settings=settings(parameters, self._hints),
            created=moment,
        )
        self._check_keys(stream.name, stream.settings.destination)
        add_tags(stream, parameters.get('Tags') or ())
        if parameters.get('DeliveryStreamEncryptionConfigurationInput'):
            start_encryption(stream, parameters['DeliveryStreamEncryptionConfigurationInput'])
        self._streams[name] = stream
        return stream

    def accounts(self) -> dict[str, Account]:
        """Return a copy of each stream's account."""
        return {name: replace(stream.account) for name, stream in self._streams.items()}

    def flush(self, moment: Moment) -> dict[str, Unwritten]:
        """Write everything that waits, and return what could not be written, by stream."""
        for stream in self._streams.values():
            stream.flush(moment, self._folder)
        unwritten = {name: stream.unwritten() for name, stream in self._streams.items()}
        return {name: kept for name, kept in unwritten.items() if kept is not None}

    def flush_due(self, moment: Moment) -> None:
        """Write what has waited for its interval."""
        for stream in self._streams.values():
            due_at = stream.due_at()
            if due_at is not None and due_at <= moment.monotonic_seconds:
                stream.flush(moment, self._folder)

    def close(self, moment: Moment) -> dict[str, Unwritten]:
        """Write everything that waits, leave the folder, and return what could not be written, by stream."""
        unwritten = self.flush(moment)
        self._folder.close()
        return unwritten

    def next_due_at(self) -> float | None:
        """Return when `flush_due` has something to do, on the monotonic clock; None if nothing waits."""
        return min(
            (due for stream in self._streams.values() if (due := stream.due_at()) is not None), default=None
        )

    def _put_record(self, request: Request) -> object:
        name, records = parse_put_record(request.payload)
        refusals = self._accept(name, records, request)
        if refusals:
            code, message = refusals[0]
            raise ServiceError(code, message, status=500)
        return {'RecordId': self._record_id(), 'Encrypted': self._stream(name).is_encrypted}

    def _put_record_batch(self, request: Request) -> object:
        name, records = parse_put_record_batch(request.payload)
        refusals = self._accept(name, records, request)
        responses = [
            {'ErrorCode': refusals[index].code, 'ErrorMessage': refusals[index].message}
            if index in refusals
            else {'RecordId': self._record_id()}
            for index in range(len(records))
        ]
        encrypted = self._stream(name).is_encrypted
        return {'FailedPutCount': len(refusals), 'Encrypted': encrypted, 'RequestResponses': responses}

    def _accept(self, name: str, records: list[bytes], request: Request) -> Mapping[int, RecordError]:
        if self._create_on_put and name not in self._streams:
            self.create_stream({'DeliveryStreamName': name}, request.moment)
        stream = self._stream(name)
        if stream.kind != 'DirectPut':
            raise invalid_argument(f'This operation is not permitted on {stream.kind} delivery stream type.')
        if not stream.settings.takes_puts:
            message = 'Only requests from CloudWatch Logs are supported when CloudWatch Logs decompression is enabled.'
            raise ServiceError('InvalidSourceException', message)
        refusals = request.admission(records)
        if refusals:
            records = [record for index, record in enumerate(records) if index not in refusals]
        stream.account.note_put(map(len, records), len(refusals))
        stream.accept(records, request.moment, self._folder)
        return refusals

    def _create(self, request: Request) -> object:
        return {'DeliveryStreamARN': self.create_stream(request.payload, request.moment).arn}

    def _describe(self, request: Request) -> object:
        validation.check('DescribeDeliveryStream', request.payload)
        return {'DeliveryStreamDescription': self._stream(request.payload['DeliveryStreamName']).describe()}

    def _list(self, request: Request) -> object:
        validation.check('ListDeliveryStreams', request.payload)
        after = request.payload.get('ExclusiveStartDeliveryStreamName') or ''
        kind = request.payload.get('DeliveryStreamType')
        names = sorted(
            name for name, stream in self._streams.items() if name > after and kind in {None, stream.kind}
        )
        limit = request.payload.get('Limit') or DEFAULT_LIST_LIMIT
        return {'DeliveryStreamNames': names[:limit], 'HasMoreDeliveryStreams': len(names) > limit}

    def _delete(self, request: Request) -> object:
        validation.check('DeleteDeliveryStream', request.payload)
        stream = self._stream(request.payload['DeliveryStreamName'])
        stream.flush(request.moment, self._folder)
        unwritten = stream.unwritten()
        if unwritten is not None:
            message = f'Firehose {stream.name} has records that cannot be written ({unwritten.records}): {unwritten.error}'
            raise ServiceError('ResourceInUseException', message)
        del self._streams[stream.name]
        return {}

    def _update_destination(self, request: Request) -> object:
        payload = request.payload
        validation.check('UpdateDestination', payload)
        stream = self._stream(payload['DeliveryStreamName'])
        version, destination = payload['CurrentDeliveryStreamVersionId'], payload['DestinationId']
        if version != stream.version:
            message = (
                f'Cannot update firehose: {stream.name} since the current version id: {stream.version} and specified '
                f'version id: {version} do not match'
            )
            raise ServiceError('ConcurrentModificationException', message)
        if destination != DESTINATION_ID:
            raise invalid_argument(f'Destination Id {destination} not found')
        changed = updated_settings(stream.settings, payload, self._hints)
        self._check_keys(stream.name, changed.destination)
        stream.change_destination(changed, request.moment, self._folder)
        return {}

    def _administer(self, request: Request) -> object:
        validation.check(request.operation, request.payload)
        stream = self._stream(request.payload['DeliveryStreamName'])
        return ADMINISTRATION[request.operation](stream, request.payload)

    def _check_keys(self, name: str, destination: Destination) -> None:
        """Refuse a destination whose objects could never be written, or would be outside the folder."""
        for bucket, key in destination.longest_keys(name, LONGEST_VERSION):
            try:
                self._folder.place(bucket, key)
            except (OSError, UnicodeError) as error:
                raise invalid_argument(
                    f'The local endpoint cannot have objects of such names: {error}'
                ) from error

    def _stream(self, name: str) -> Stream:
        try:
            return self._streams[name]
        except KeyError:
            message = f'Firehose {name} under account {ACCOUNT_ID} not found.'
            raise ServiceError('ResourceNotFoundException', message) from None

    def _record_id(self) -> str:
        return f'{self._record_id_start}{next(self._record_numbers):016x}'

    OPERATIONS: Mapping[str, Callable[[Service, Request], object]] = {
        'PutRecord': _put_record,
        'PutRecordBatch': _put_record_batch,
        'CreateDeliveryStream': _create,
        'DescribeDeliveryStream': _describe,
        'ListDeliveryStreams': _list,
        'DeleteDeliveryStream': _delete,
        'UpdateDestination': _update_destination,
        **dict.fromkeys(ADMINISTRATION, _administer),
    }
