"""What a bad day looks like: each fault is a small object around the service, and has a name.

A fault is asked in the service's stead. It may pass the request on as it is, or changed; answer itself; and say how
the answer goes onto the wire. So a fault needs no switch in the service, and several can lie around each other.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from firefighter.local.protocol import (
    ACCOUNT_ID,
    SLOW_DOWN,
    Ending,
    RecordError,
    Reply,
    Request,
    ServiceError,
)
from firefighter.local.quota import Buckets

Proceed = Callable[[Request], Reply]


@dataclass(frozen=True)
class Fault:
    """Passes everything on."""

    def answer(self, request: Request, proceed: Proceed, dice: random.Random) -> Reply:  # noqa: ARG002
        """Answer in the service's stead.

        Args:
            request: what was asked.
            proceed: asks the service, or the next fault.
            dice: the one source of chance, so that a seed repeats a run.
        """
        return proceed(request)


@dataclass(frozen=True)
class Quota(Fault):
    """Refuse records beyond a rate, as a stream does that is used beyond its quota."""

    bytes_per_second: float = 1024 * 1024
    records_per_second: float = 100_000
    requests_per_second: float = 1000
    _buckets: dict[str | None, Buckets] = field(default_factory=dict, init=False, repr=False, compare=False)

    def answer(self, request: Request, proceed: Proceed, dice: random.Random) -> Reply:  # noqa: ARG002, D102
        rates = self.bytes_per_second, self.records_per_second, self.requests_per_second
        buckets = self._buckets.setdefault(request.stream_name, Buckets(*rates))

        def admission(records: Sequence[bytes]) -> Mapping[int, RecordError]:
            admitted = buckets.admit([len(record) for record in records], request.moment.monotonic_seconds)
            refused = {index: SLOW_DOWN for index, ok in enumerate(admitted) if not ok}
            return {**refused, **request.admission(records)}

        return proceed(replace(request, admission=admission))


@dataclass(frozen=True)
class Partial(Fault):
    """Refuse some of a batch's records inside an answer of 200."""

    share: float = 0.5
    which: str = ''
    code: str = SLOW_DOWN.code
    message: str = SLOW_DOWN.message

    def answer(self, request: Request, proceed: Proceed, dice: random.Random) -> Reply:  # noqa: D102
        error = RecordError(self.code, self.message)

        def admission(records: Sequence[bytes]) -> Mapping[int, RecordError]:
            if self.which:
                chosen = [int(index) for index in self.which.split('+')]
            else:
                chosen = dice.sample(range(len(records)), round(self.share * len(records)))
            refused = {index: error for index in chosen if index < len(records)}
            return {**refused, **request.admission(records)}

        return proceed(replace(request, admission=admission))


@dataclass(frozen=True)
class CallError(Fault):
    """Refuse the call as a whole; nothing of it is stored."""

    code: str = 'InternalFailure'
    message: str = 'The request processing has failed because of an unknown error, exception or failure.'
    status: int = 400

    def answer(self, request: Request, proceed: Proceed, dice: random.Random) -> Reply:  # noqa: ARG002, D102
        message = self.message.format(stream=request.stream_name, account=ACCOUNT_ID)
        return ServiceError(self.code, message, self.status).reply()


@dataclass(frozen=True)
class Slow(Fault):
    """Store the records, and answer late."""

    seconds: float = 1

    def answer(self, request: Request, proceed: Proceed, dice: random.Random) -> Reply:  # noqa: ARG002, D102
        reply = proceed(request)
        return replace(reply, delay_seconds=reply.delay_seconds + self.seconds)


@dataclass(frozen=True)
class Dribble(Fault):
    """Store the records, and send the answer in small pieces."""

    seconds: float = 1

    def answer(self, request: Request, proceed: Proceed, dice: random.Random) -> Reply:  # noqa: ARG002, D102
        return replace(proceed(request), dribble_seconds=self.seconds)


@dataclass(frozen=True)
class BrokenConnection(Fault):
    """End the connection some other way than with an answer."""

    ending: Ending = Ending.RESET
    stored: bool = True

    def answer(self, request: Request, proceed: Proceed, dice: random.Random) -> Reply:  # noqa: ARG002, D102
        reply = proceed(request) if self.stored else Reply(b'')
        return replace(reply, ending=self.ending)


@dataclass(frozen=True)
class Outage(Fault):
    """Reset all connections, and refuse new ones for some time."""

    seconds: float = 1

    def answer(self, request: Request, proceed: Proceed, dice: random.Random) -> Reply:  # noqa: ARG002, D102
        return Reply(b'', ending=Ending.REFUSE, refuse_seconds=self.seconds)


@dataclass(frozen=True)
class NotJSON(Fault):
    """Store the records, and answer 200 with a page of HTML, as a proxy in between might."""

    body: str = '<html><body>Please log in</body></html>'

    def answer(self, request: Request, proceed: Proceed, dice: random.Random) -> Reply:  # noqa: ARG002, D102
        return replace(proceed(request), body=self.body.encode())


@dataclass(frozen=True)
class WrongCount(Fault):
    """Store the records, and answer with fewer or more entries than there were records."""

    entries: int = -1

    def answer(self, request: Request, proceed: Proceed, dice: random.Random) -> Reply:  # noqa: ARG002, D102
        reply = proceed(request)
        answer = orjson.loads(reply.body)
        responses = answer.get('RequestResponses')
        if responses is None:
            return reply
        answer['RequestResponses'] = (
            responses[: self.entries] if self.entries < 0 else responses + responses[-1:] * self.entries
        )
        return replace(reply, body=orjson.dumps(answer))


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
