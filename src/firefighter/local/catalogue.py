"""The names of the faults: what is behind each, and what it does to the client.

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
        Quota(), 'records beyond a rate are refused with "Slow down."; a PutRecord with status 500'
    ),
    'partial': Named(
        Partial(),
        'a random share of the records, or those that `which` names (`0+2+7`), are refused in an answer of 200; '
        'a PutRecord with status 500',
    ),
    'unavailable': _refusal(
        'ServiceUnavailableException',
        'Slow down.',
        500,
        'status 500, which is how Firehose throttles whole calls',
    ),
    'unavailable-503': _refusal(
        'ServiceUnavailable', 'Service Unavailable', 503, 'status 503, as from a load balancer'
    ),
    'internal-failure': Named(CallError(status=500), 'status 500, InternalFailure'),
    'throttling': _refusal(
        'ThrottlingException', 'Rate exceeded', 400, 'status 400, which is how AWS throttles other APIs'
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
        'status 400, the stream takes no puts from SDKs',
    ),
    'invalid-argument': _refusal(
        'InvalidArgumentException',
        'Invalid argument.',
        400,
        'status 400, an argument that is well formed and still not acceptable',
    ),
    'validation': _refusal(
        'ValidationException',
        '1 validation error detected.',
        400,
        'status 400, arguments that break the service model',
    ),
    'invalid-record': Named(
        InvalidRecord(), 'status 400 for every request with a record that contains a text; others pass'
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
        'the same until the request is signed with another access key than `key`, or than the first that comes',
    ),
    'unrecognized-client': _refusal(
        'UnrecognizedClientException',
        'The security token included in the request is invalid.',
        400,
        'status 400, the key or the token is not known',
    ),
    'invalid-signature': _refusal(
        'InvalidSignatureException',
        'Signature expired: the clock of this machine is wrong',
        400,
        'status 400, the signature is wrong, mostly for a wrong clock',
    ),
    'access-denied': _refusal(
        'AccessDeniedException',
        'User: arn:aws:iam::{account}:user/local is not authorized to perform this operation on resource: {stream}',
        400,
        'status 400, the policy does not allow it',
    ),
    'slow': Named(Slow(), 'the records are stored, the answer comes late'),
    'dribble': Named(Dribble(), 'the records are stored, the answer comes in small pieces over some time'),
    'no-answer': Named(
        BrokenConnection(Ending.SILENCE),
        'the records are stored (`stored=false`: not), the answer never comes',
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
        'all connections are reset, nothing is stored, and new connections are refused for some time',
    ),
    'not-json': Named(NotJSON(), 'the records are stored, the answer of 200 is a page of HTML'),
    'too-few': Named(WrongCount(-1), 'the records are stored, the answer has entries too few'),
    'too-many': Named(WrongCount(1), 'the records are stored, the answer has entries too many'),
}
