"""The names of the faults, the fault that each stands for, and what the client sees.

The help of the command, the table in docs/local-endpoint.md and the tests are made from this.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firefighter.local.faults import (
    BrokenConnection,
    CallError,
    Dribble,
    ExpiredKey,
    Fault,
    InvalidRecord,
    NotJSON,
    Outage,
    Partial,
    Quota,
    Slow,
    WrongCount,
)
from firefighter.local.protocol import Ending


@dataclass(frozen=True)
class Named:
    """One row of the catalogue.

    Attributes:
        fault: with its defaults.
        effect: what the client sees, in a sentence.
    """

    fault: Fault
    effect: str

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The names of what can be set, with the defaults."""
        fields = [field for field in dataclasses.fields(self.fault) if field.init]
        return {
            field.name: getattr(self.fault, field.name)
            for field in fields
            if not isinstance(getattr(self.fault, field.name), Ending)
        }


def _refusal(code: str, message: str, status: int, effect: str) -> Named:
    return Named(CallError(code, message, status), effect)


# The sources of codes, statuses and words are the service model and AWS's page "Common errors"
# (https://docs.aws.amazon.com/firehose/latest/APIReference/CommonErrors.html).
CATALOGUE: Mapping[str, Named] = {
    'quota': Named(
        Quota(), 'records above a rate are refused with "Slow down."; a PutRecord gets status 500'
    ),
    'partial': Named(
        Partial(),
        'a random share of the records, or those listed in `which` (`0+2+7`), are refused in an answer with status '
        '200; a PutRecord gets status 500',
    ),
    'unavailable': _refusal(
        'ServiceUnavailableException',
        'Slow down.',
        500,
        'status 500; Firehose throttles whole calls this way',
    ),
    'unavailable-503': _refusal(
        'ServiceUnavailable', 'Service Unavailable', 503, 'status 503, as from a load balancer'
    ),
    'internal-failure': Named(CallError(status=500), 'status 500, InternalFailure'),
    'throttling': _refusal(
        'ThrottlingException', 'Rate exceeded', 400, 'status 400; AWS throttles other APIs this way'
    ),
    'limit-exceeded': _refusal(
        'LimitExceededException',
        'You have already reached the limit.',
        400,
        'status 400, a limit of the control plane',
    ),
    'kms': _refusal(
        'InvalidKMSResourceException',
        'The KMS key is disabled.',
        400,
        "status 400, the stream's key cannot be used",
    ),
    'invalid-source': _refusal(
        'InvalidSourceException',
        'Only requests from CloudWatch Logs are supported when CloudWatch Logs decompression is enabled.',
        400,
        'status 400, the stream accepts no puts from SDKs',
    ),
    'invalid-argument': _refusal(
        'InvalidArgumentException',
        'Invalid argument.',
        400,
        'status 400, an argument is well formed but not accepted',
    ),
    'validation': _refusal(
        'ValidationException',
        '1 validation error detected.',
        400,
        'status 400, the arguments break the service model',
    ),
    'invalid-record': Named(
        InvalidRecord(),
        'status 400 for every request with a record that contains the text `containing`; others pass',
    ),
    'stream-not-yet': _refusal(
        'ResourceNotFoundException',
        'Firehose {stream} under account {account} not found.',
        400,
        'status 400; with `times=3` the stream exists from the fourth call on',
    ),
    'expired-token': _refusal(
        'ExpiredTokenException',
        'The security token included in the request is expired',
        400,
        'status 400, the session token is too old',
    ),
    'expired-key': Named(
        ExpiredKey(),
        'status 400, the session token is too old, until the request is signed with an access key other than `key` (default: '
        'the first key that comes)',
    ),
    'unrecognized-client': _refusal(
        'UnrecognizedClientException',
        'The security token included in the request is invalid.',
        400,
        'status 400, the key or the token is unknown',
    ),
    'invalid-signature': _refusal(
        'InvalidSignatureException',
        'Signature expired: the clock of this machine is wrong',
        400,
        'status 400, the signature is wrong, usually because the clock is',
    ),
    'access-denied': _refusal(
        'AccessDeniedException',
        'User: arn:aws:iam::{account}:user/local is not authorized to perform this operation on resource: {stream}',
        400,
        'status 400, the policy does not allow it',
    ),
    'slow': Named(Slow(), 'the records are stored, the answer comes `seconds` late'),
    'dribble': Named(Dribble(), 'the records are stored, the answer comes in small pieces over `seconds`'),
    'no-answer': Named(
        BrokenConnection(Ending.SILENCE),
        'the records are stored (not with `stored=false`), the answer never comes',
    ),
    'reset-before': Named(
        BrokenConnection(Ending.RESET, stored=False), 'the connection is reset, nothing is stored'
    ),
    'reset-after': Named(
        BrokenConnection(Ending.RESET), 'the records are stored, the connection is reset without an answer'
    ),
    'cut-off': Named(
        BrokenConnection(Ending.CUT_OFF),
        'the records are stored, the connection ends in the middle of the answer',
    ),
    'refused': Named(
        Outage(),
        'all connections are reset, nothing is stored, and new connections are refused for `seconds`',
    ),
    'not-json': Named(NotJSON(), 'the records are stored, the answer has status 200 and is an HTML page'),
    'too-few': Named(WrongCount(-1), 'the records are stored, the answer has too few entries'),
    'too-many': Named(WrongCount(1), 'the records are stored, the answer has too many entries'),
}
