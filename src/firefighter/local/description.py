"""What DescribeDeliveryStream says of a destination: what was asked for, less its secrets, and the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firefighter.local.buffering import MIB, BufferingHints
from firefighter.local.validation import service_model

Configuration = Mapping[str, Any]

# A stream has one destination, and so this is its id.
DESTINATION_ID = 'destinationId-000000000001'
# What DescribeDeliveryStream says of an S3 destination where nothing was asked for.
_DESCRIBED_S3: Configuration = {
    'CompressionFormat': 'UNCOMPRESSED',
    'EncryptionConfiguration': {'NoEncryptionConfig': 'NoEncryption'},
    'CloudWatchLoggingOptions': {'Enabled': False},
}
_RENAMED = {
    'S3Configuration': 'S3DestinationDescription',
    'S3BackupConfiguration': 'S3BackupDescription',
    'VpcConfiguration': 'VpcConfigurationDescription',
}


def describe(name: str, asked: Configuration, hints: BufferingHints) -> Configuration:
    """Return the one member of `Destinations`.

    Args:
        name: of the kind of destination, such as `ExtendedS3`.
        asked: its configuration.
        hints: in effect.
    """
    shown = {'SizeInMBs': max(1, hints.size_bytes // MIB), 'IntervalInSeconds': int(hints.interval_seconds)}
    described: dict[str, Any] = {'DestinationId': DESTINATION_ID}
    shape = f'{name}DestinationDescription'
    described[shape] = _described(shape, {'BufferingHints': shown, **asked})
    if name == 'ExtendedS3':
        # The real service shows it under its older name, too.
        described['S3DestinationDescription'] = _described(
            'S3DestinationDescription', {'BufferingHints': shown, **asked}
        )
    return described


def _described(shape_name: str, asked: Any) -> Any:
    # Only what the model's description has, at every depth: so passwords and keys are left out.
    shape = service_model()['shapes'][shape_name]
    if shape['type'] != 'structure':
        return asked
    members = shape['members']
    given = {_RENAMED.get(key, key): value for key, value in asked.items()}
    if 'CompressionFormat' in members:
        given = {**_DESCRIBED_S3, **given}
    return {key: _described(members[key]['shape'], value) for key, value in given.items() if key in members}
