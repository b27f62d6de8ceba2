"""What to paste: the handler with its arguments, and the command that changes the stream."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

__all__ = ['handler_call', 'update_command']


def handler_call(stream: str, client: Mapping[str, str | None], options: Mapping[str, object]) -> str:
    """Return the Python that makes the handler.

    Args:
        stream: the stream's name.
        client: the arguments for its client; those that are None are left out.
        options: the other arguments.
    """
    given = {name: value for name, value in client.items() if value is not None}
    arguments = {'delivery_stream_name': stream, **given, **options}
    return f'FirehoseHandler({", ".join(f"{name}={value!r}" for name, value in arguments.items())})'


def update_command(
    description: Mapping[str, Any], file_extension: str, client: Mapping[str, str | None]
) -> str:
    """Return the command of AWS's that sets the FileExtension of a stream to S3.

    Args:
        description: the stream's.
        file_extension: what to set.
        client: options of the command by their names; those that are None are left out.
    """
    words = [
        'aws',
        'firehose',
        'update-destination',
        '--delivery-stream-name',
        str(description.get('DeliveryStreamName')),
        '--current-delivery-stream-version-id',
        str(description.get('VersionId')),
        '--destination-id',
        str(description['Destinations'][0].get('DestinationId')),
        '--extended-s3-destination-update',
        f'FileExtension={file_extension}',
    ]
    for name, value in client.items():
        if value is not None:
            words += [f'--{name}', value]
    return shlex.join(words)
