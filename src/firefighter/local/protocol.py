"""Firehose's JSON 1.1 protocol without HTTP: a request, a reply, and the errors as AWS words them.

An error's body is `{"__type": code, "message": text}`; its code stands in the header `x-amzn-ErrorType` too. A
refused record inside a PutRecordBatch is no error of the call: it has `ErrorCode` and `ErrorMessage` in its own entry.
"""

from __future__ import annotations

import enum
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

CONTENT_TYPE = 'application/x-amz-json-1.1'
TARGET_PREFIX = 'Firehose_20150804.'

# The length of the ids that the real service gives to records.
RECORD_ID_LENGTH = 224

# Where every stream is, and nobody's.
ACCOUNT_ID = '123456789012'
REGION = 'us-east-1'

BAD_REQUEST = 400

# How deep JSON may be nested: what AWS's operations have ends at 8 levels. Python cannot walk 1,000, and orjson cannot write 255.
MAX_DEPTH = 200

# Signature version 4, as botocore writes it into the header `Authorization`.
_CREDENTIAL = re.compile(r'Credential=([^/,\s]+)')


class Moment(NamedTuple):
    """One instant on two clocks: intervals are measured on the one that never jumps."""

    monotonic_seconds: float
    unix_seconds: float


class RecordError(NamedTuple):
    """Why one record of a put was refused."""

    code: str
    message: str


# What the real service answers, mostly inside a reply of 200, when a stream's quota is used up.
SLOW_DOWN = RecordError('ServiceUnavailableException', 'Slow down.')

# Which records of a put are refused, by their index. Called once the put itself is known to be valid.
Admission = Callable[[Sequence[bytes]], Mapping[int, RecordError]]


def admit_all(records: Sequence[bytes]) -> Mapping[int, RecordError]:  # noqa: ARG001 - an Admission
    """Refuse no record."""
    return {}


@dataclass(frozen=True)
class Request:
    """One call of the API, parsed but not yet validated.

    Attributes:
        operation: the name after the dot of `X-Amz-Target`.
        payload: the body.
        moment: when it arrived.
        admission: decides about the single records of a put.
        access_key: the id of the key that signed it, if the signature says one.
    """

    operation: str
    payload: dict[str, Any]
    moment: Moment
    admission: Admission = admit_all
    access_key: str | None = None

    @property
    def is_put(self) -> bool:
        """Whether the call brings records."""
        return self.operation in {'PutRecord', 'PutRecordBatch'}

    @property
    def stream_name(self) -> str | None:
        """The stream that the call is about, if it says one."""
        name = self.payload.get('DeliveryStreamName')
        return name if isinstance(name, str) else None


def new_request_id() -> str:
    """Return an id for an answer, in the form of AWS's."""
    digits = secrets.token_hex(16)
    return '-'.join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


class Ending(enum.Enum):
    """How an exchange ends on the wire."""

    ANSWER = 'the answer is sent'
    CUT_OFF = 'half of the answer is sent, then the connection is closed'
    RESET = 'the connection is reset instead'
    SILENCE = 'nothing is sent, and the connection stays open'
    REFUSE = 'all connections are reset, and new ones are refused for a while'


@dataclass(frozen=True)
class Reply:
    """One answer of the API.

    Attributes:
        body: the bytes of the answer.
        status: the HTTP status.
        error_code: what AWS calls the error, if it is one.
        request_id: identifies the answer; AWS's have the form of a UUID.
        delay_seconds: how long it waits before it goes onto the wire.
        dribble_seconds: how long it takes, in small pieces; 0 for at once.
        ending: whether it goes onto the wire at all.
        refuse_seconds: with `Ending.REFUSE`, for how long.
    """

    body: bytes
    status: int = 200
    error_code: str | None = None
    request_id: str = field(default_factory=new_request_id)
    delay_seconds: float = 0
    dribble_seconds: float = 0
    ending: Ending = Ending.ANSWER
    refuse_seconds: float = 0


class ServiceError(Exception):
    """A call is refused as a whole.

    Args:
        code: what AWS calls the error.
        message: AWS's words.
        status: the HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = BAD_REQUEST) -> None:
        super().__init__(f'{code}: {message}')
        self.code = code
        self.message = message
        self.status = status

    def reply(self) -> Reply:
        """Return the answer that tells the caller."""
        # It may quote a header, and those may have bytes that are not UTF-8.
        message = self.message.encode('utf-8', 'backslashreplace').decode()
        body = orjson.dumps({'__type': self.code, 'message': message})
        return Reply(body, status=self.status, error_code=self.code)


def success(result: object) -> Reply:
    """Return the answer that carries an operation's result."""
    return Reply(orjson.dumps(result))


def parse_request(target: str, authorization: str, body: bytes, moment: Moment) -> Request:
    """Make a request from what HTTP brought.

    Args:
        target: the header `X-Amz-Target`.
        authorization: the header `Authorization`. Any signature will do, but as with AWS there must be one.
        body: the JSON text.
        moment: when it arrived.

    Raises:
        ServiceError: the request is not one of Firehose's protocol.
    """
    if not target.startswith(TARGET_PREFIX):
        raise unknown_operation()
    if not authorization:
        raise ServiceError('MissingAuthenticationTokenException', 'Missing Authentication Token')
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ServiceError('SerializationException', 'Could not parse request body into json') from None
    if not isinstance(payload, dict):
        raise ServiceError('SerializationException', 'Start of structure or map found where not expected.')
    credential = _CREDENTIAL.search(authorization)
    access_key = credential[1] if credential else None
    request = Request(target.removeprefix(TARGET_PREFIX), payload, moment, access_key=access_key)
    # Of a put nothing is walked but its records, and looking at each of those would cost a tenth of its time.
    if not request.is_put:
        check_depth(payload)
    return request


def check_depth(body: object) -> None:
    """Refuse a body that nothing here could walk.

    Raises:
        ServiceError: it is nested too deep.
    """
    if is_too_deep(body):
        raise ServiceError('SerializationException', f'The body is nested deeper than {MAX_DEPTH} levels')


def is_too_deep(value: object) -> bool:
    """Return whether a value that JSON gave is nested deeper than `MAX_DEPTH`; found out without walking as deep as it is."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        containers = [inner for inner in level if isinstance(inner, (dict, list))]
        if not containers:
            return False
        level = [
            member
            for inner in containers
            for member in (inner.values() if isinstance(inner, dict) else inner)
        ]
    return True


def unknown_operation() -> ServiceError:
    """Return the error for an operation that is not Firehose's, or that this endpoint does not have."""
    return ServiceError('UnknownOperationException', 'The operation is not one of this endpoint')


def invalid_argument(message: str) -> ServiceError:
    """Return the error for an argument that is well formed and still not acceptable."""
    return ServiceError('InvalidArgumentException', message)


def validation_error(problems: Sequence[str]) -> ServiceError:
    """Return the error for arguments that break the service model's constraints."""
    noun = 'error' if len(problems) == 1 else 'errors'
    return ServiceError(
        'ValidationException', f'{len(problems)} validation {noun} detected: ' + '; '.join(problems)
    )


def problem(value: object, path: str, constraint: str) -> str:
    """Return one broken constraint in the words of AWS's validators.

    Args:
        value: the offending value. Lists and bytes are shown in brief.
        path: where it stands, such as `records.1.member.data`; lists count from 1.
        constraint: what was expected of it, such as `Member must not be null`.
    """
    shown = 'null' if value is None else f"'{value}'"
    return f'Value {shown} at {path!r} failed to satisfy constraint: {constraint}'
