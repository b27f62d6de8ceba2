"""What a bad day looks like: each fault is a small object around the service, and has a name.

A fault is asked in the service's stead. It may pass the request on as it is, or changed; answer itself; and say how
the answer goes onto the wire. So a fault needs no switch in the service, and several can lie around each other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

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
        # Not `format`: the message is a parameter, and may have other braces.
        message = self.message.replace('{stream}', str(request.stream_name)).replace('{account}', ACCOUNT_ID)
        return ServiceError(self.code, message, self.status).reply()


@dataclass(frozen=True)
class ExpiredKey(Fault):
    """Refuse an access key as expired; a client that has fetched a new one gets through."""

    key: str = ''
    code: str = 'ExpiredTokenException'
    message: str = 'The security token included in the request is expired'
    _expired: list[str | None] = field(default_factory=list, init=False, repr=False, compare=False)

    def answer(self, request: Request, proceed: Proceed, dice: random.Random) -> Reply:  # noqa: ARG002, D102
        if not self._expired:
            self._expired.append(self.key or request.access_key)
        if request.access_key in self._expired:
            return ServiceError(self.code, self.message).reply()
        return proceed(request)


@dataclass(frozen=True)
class InvalidRecord(Fault):
    """Refuse a call as a whole for the sake of one record in it."""

    containing: str = 'poison'
    code: str = 'ValidationException'
    message: str = '1 validation error detected.'

    def answer(self, request: Request, proceed: Proceed, dice: random.Random) -> Reply:  # noqa: ARG002, D102
        def admission(records: Sequence[bytes]) -> Mapping[int, RecordError]:
            if any(self.containing.encode() in record for record in records):
                raise ServiceError(self.code, self.message)
            return request.admission(records)

        return proceed(replace(request, admission=admission))


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
