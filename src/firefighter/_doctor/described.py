"""What a stream's description means: the checks that need no further request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from firefighter._advice.reasons import Reason
from firefighter._advice.stream import DIRECT_PUT, Stream
from firefighter._doctor.report import Check, State
from firefighter._doctor.wording import describe_destination

__all__ = ['check_destination', 'check_source', 'check_stream']

_ACTIVE = 'ACTIVE'
_CURES = {
    'CREATING': 'Wait until it is ACTIVE, a minute or so: events wait meanwhile',
    'CREATING_FAILED': 'Mend what the stream says, delete it, and create it again',
    'DELETING': 'It is going to be gone: create it again, or write to another stream',
    'DELETING_FAILED': 'Mend what the stream says, and delete it again, or write to another stream',
}


def check_stream(description: Mapping[str, Any]) -> Check:
    """Say whether the stream is there, and able to work."""
    status = str(description.get('DeliveryStreamStatus'))
    if status != _ACTIVE:
        cure = _CURES.get(status, 'See in the AWS console what is wrong with it')
        return Check('stream', State.WRONG, status + _failure(description), cure)
    encryption = description.get('DeliveryStreamEncryptionConfiguration') or {}
    encrypting = str(encryption.get('Status', ''))
    if encrypting.endswith('_FAILED'):
        found = f'{status}, but its encryption is {encrypting}{_failure(encryption)}'
        return Check('stream', State.WRONG, found, "See to the stream's KMS key, and to the grant for it")
    return Check('stream', State.OK, status + ', encrypted' * (encrypting == 'ENABLED'))


def check_source(stream: Stream) -> Check:
    """Say whether a program may put records into the stream."""
    if stream.takes_puts:
        return Check('source', State.OK, 'Direct PUT')
    if stream.source != DIRECT_PUT:
        return Check(
            'source',
            State.WRONG,
            f'{stream.source}: a program can put nothing into it',
            'Create a stream whose source is Direct PUT; the source of one that exists cannot be changed',
        )
    return Check(
        'source',
        State.WRONG,
        'Direct PUT, but with decompression of CloudWatch Logs: it takes nothing from programs',
        'Turn off decompression, or write to another stream',
    )


def check_destination(stream: Stream, hazards: Iterable[Reason]) -> Check:
    """Say where the stream leads, and what goes wrong there whatever the options."""
    words = describe_destination(stream)
    wrong = [*hazards]
    if not wrong:
        return Check('destination', State.OK, words)
    found = '; '.join([words, *(reason.why for reason in wrong)])
    return Check('destination', State.WRONG, found, '. '.join(reason.cure for reason in wrong))


def _failure(told: Mapping[str, Any]) -> str:
    failure = told.get('FailureDescription')
    return f': {failure.get("Type")}: {failure.get("Details")}' if failure else ''
