"""What can be changed of a stream beside its destination: its tags, and its encryption at rest.

AWS encrypts some seconds later (`ENABLING`, `DISABLING`); here it is so at once, and changes nothing but what is said of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from firefighter.local.protocol import ServiceError, invalid_argument
from firefighter.local.streams import Stream

# Source: TagDeliveryStream and ListTagsForDeliveryStream in the API's reference.
MAX_TAGS = 50
CUSTOMER_KEY = 'CUSTOMER_MANAGED_CMK'
AWS_KEY = 'AWS_OWNED_CMK'

Payload = Mapping[str, Any]


def add_tags(stream: Stream, tags: Sequence[Payload]) -> None:
    """Add tags to a stream, or give those that it has other values.

    Raises:
        ServiceError: two have the same key, or it would have too many.
    """
    given = {tag['Key']: tag.get('Value') or '' for tag in tags}
    if len(given) < len(tags):
        raise invalid_argument('Tag keys must be unique')
    if len(stream.tags.keys() | given.keys()) > MAX_TAGS:
        raise ServiceError('LimitExceededException', f'A Firehose stream can have up to {MAX_TAGS} tags')
    stream.tags.update(given)


def start_encryption(stream: Stream, asked: Payload | None) -> None:
    """Encrypt a stream, as far as anybody is told.

    Args:
        stream: the stream.
        asked: the key; None for AWS's own.

    Raises:
        ServiceError: the stream or the key is not one for that.
    """
    asked = asked or {'KeyType': AWS_KEY}
    if stream.kind != 'DirectPut':
        raise invalid_argument(f'Encryption is not supported on {stream.kind} delivery stream type.')
    key = asked.get('KeyARN')
    if asked['KeyType'] == CUSTOMER_KEY and not key:
        raise invalid_argument(f'KeyARN cannot be null when KeyType is {CUSTOMER_KEY}')
    if asked['KeyType'] == AWS_KEY and key:
        raise invalid_argument(f'KeyARN must be null when KeyType is {AWS_KEY}')
    stream.encryption = {'KeyType': asked['KeyType'], 'Status': 'ENABLED', **({'KeyARN': key} if key else {})}


def _tag(stream: Stream, payload: Payload) -> object:
    add_tags(stream, payload['Tags'])
    return {}


def _untag(stream: Stream, payload: Payload) -> object:
    for key in payload['TagKeys']:
        stream.tags.pop(key, None)
    return {}


def _list_tags(stream: Stream, payload: Payload) -> object:
    after = payload.get('ExclusiveStartTagKey') or ''
    keys = sorted(key for key in stream.tags if key > after)
    limit = payload.get('Limit') or MAX_TAGS
    tags = [{'Key': key, 'Value': stream.tags[key]} for key in keys[:limit]]
    return {'Tags': tags, 'HasMoreTags': len(keys) > limit}


def _start_encryption(stream: Stream, payload: Payload) -> object:
    start_encryption(stream, payload.get('DeliveryStreamEncryptionConfigurationInput'))
    return {}


def _stop_encryption(stream: Stream, _: Payload) -> object:
    stream.encryption = {**stream.encryption, 'Status': 'DISABLED'}
    return {}


# Operation -> what it does to the stream that it names. The arguments are valid by the service model.
ADMINISTRATION: Mapping[str, Callable[[Stream, Payload], object]] = {
    'TagDeliveryStream': _tag,
    'UntagDeliveryStream': _untag,
    'ListTagsForDeliveryStream': _list_tags,
    'StartDeliveryStreamEncryption': _start_encryption,
    'StopDeliveryStreamEncryption': _stop_encryption,
}
