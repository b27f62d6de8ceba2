"""The doctor's own way to AWS: credentials, region, endpoint, and two requests. This module alone of it knows boto3."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from firefighter._delivery.aws_configuration import read_configuration
from firefighter._delivery.clients import ClientOptions, make_client
from firefighter._delivery.outcomes import Answer, cure_for, from_exception
from firefighter._delivery.transport import BotoTransport
from firefighter._doctor.clock import skew_seconds

__all__ = ['Boto', 'Connection', 'Credentials', 'Described', 'NoConnection', 'without_cure']


class NoConnection(Exception):  # noqa: N818 - it is no fault of the program's
    """Something is missing that a request needs.

    Args:
        error: what boto3 says.

    Attributes:
        cure: what to do.
    """

    def __init__(self, error: Exception) -> None:
        answer = from_exception(error, 1, sent=False)
        super().__init__(without_cure(answer))
        self.cure = cure_for(answer.cause) or 'see to the AWS configuration'


@dataclass(frozen=True)
class Credentials:
    """With what requests would be signed.

    Attributes:
        key_id: of the access key.
        method: how boto3 came by it, in its words: "env", "shared-credentials-file", "iam-role", ...
    """

    key_id: str
    method: str


@dataclass(frozen=True)
class Described:
    """What became of DescribeDeliveryStream.

    Attributes:
        description: the stream's; None when there is none.
        code: the error's; None without one.
        error: the same for people.
        answered: whether Firehose has answered at all, be it with an error.
        skew_seconds: how much this machine's clock is fast, as far as the answer tells.
    """

    description: Mapping[str, Any] | None = None
    code: str | None = None
    error: str = ''
    answered: bool = True
    skew_seconds: float | None = None


class Connection(Protocol):
    """What an examination asks of AWS, in this order. Each may raise NoConnection, but for the two requests."""

    def credentials(self) -> Credentials | None:
        """Return what requests would be signed with; None when there is nothing."""

    def region(self) -> str | None:
        """Return the region; None when there is none."""

    def endpoint_url(self) -> str:
        """Return where requests would go."""

    def endpoint_source(self) -> str | None:
        """Return what says so: an option, an environment variable, the configuration; None when it is boto3's default."""

    def describe(self, stream: str) -> Described:
        """Make one DescribeDeliveryStream request."""

    def put(self, stream: str, event: bytes) -> Answer:
        """Make one PutRecordBatch request, by the handler's own way."""


class Boto:
    """AWS, by boto3.

    Args:
        options: as those of the handler's client.
        clock: tells the time in seconds since 1970.
    """

    def __init__(self, options: ClientOptions, clock: Callable[[], float] = time.time) -> None:
        self._options = options
        self._clock = clock
        self._session: Any = None
        self._made: Any = None

    def credentials(self) -> Credentials | None:
        """Return what requests would be signed with; None when there is nothing."""
        import boto3.session  # noqa: PLC0415 - slow, and not for `--help`

        try:
            self._session = boto3.session.Session(profile_name=self._options.profile_name)
            found = self._session.get_credentials()
            if found is None:
                return None
            return Credentials(found.get_frozen_credentials().access_key, found.method)
        except (
            Exception
        ) as error:  # no such profile, a role that cannot be assumed, a login that has expired, ...
            raise self._no_connection(error) from error

    def region(self) -> str | None:
        """Return the region; None when there is none."""
        region: str | None = self._options.region_name or self._session.region_name
        return region

    def endpoint_url(self) -> str:
        """Return where requests would go."""
        url: str = self._client().meta.endpoint_url
        return url

    def endpoint_source(self) -> str | None:
        """Return what says so: an option, an environment variable, the configuration; None when it is boto3's default."""
        if self._options.endpoint_url:
            return '--endpoint-url'
        return read_configuration(self._options.profile_name).endpoint_source

    def describe(self, stream: str) -> Described:
        """Make one DescribeDeliveryStream request."""
        client, sent_at = self._client(), self._clock()
        try:
            answer = client.describe_delivery_stream(DeliveryStreamName=stream)
        except Exception as error:  # whatever it is, it is what there is to report
            response = getattr(error, 'response', None)
            return Described(
                code=from_exception(error, 1, sent=True).cause,
                error=_text_of(error),
                answered=response is not None,
                skew_seconds=self._skew(response or {}, sent_at),
            )
        description = answer.get('DeliveryStreamDescription')
        if not description:  # botocore takes the page of a proxy that wants a login for an answer
            return Described(error='what answers there is not Firehose', answered=False)
        return Described(description, skew_seconds=self._skew(answer, sent_at))

    def put(self, stream: str, event: bytes) -> Answer:
        """Make one PutRecordBatch request, by the handler's own way."""
        return BotoTransport(self._client).put(stream, [event])

    def close(self) -> None:
        """Close the connections."""
        if self._made is not None:
            self._made.close()

    def _client(self) -> Any:
        if self._made is None:
            try:
                self._made = make_client(self._options)
            except Exception as error:  # a region that is none, a URL that is none
                raise self._no_connection(error) from error
        return self._made

    def _no_connection(self, error: Exception) -> NoConnection:
        """Return the error, whose cure names what was typed or set here, not the handler's option."""
        missing = NoConnection(error)
        if 'boto3_profile_name=' in missing.cure:
            given = (
                '--profile (in the handler boto3_profile_name=)'
                if self._options.profile_name
                else 'AWS_PROFILE'
            )
            missing.cure = missing.cure.replace('boto3_profile_name=', given)
        elif 'endpoint_url=' in missing.cure:
            missing.cure = missing.cure.replace('endpoint_url=', self.endpoint_source() or 'the endpoint')
        return missing

    def _skew(self, answer: Mapping[str, Any], sent_at: float) -> float | None:
        headers = answer.get('ResponseMetadata', {}).get('HTTPHeaders', {})
        return skew_seconds(headers.get('date', ''), sent_at, self._clock())


def _text_of(error: Exception) -> str:
    answer = from_exception(error, 1, sent=False)
    return without_cure(answer)


def without_cure(answer: Answer) -> str:
    """Return what went wrong; the cure has a place of its own."""
    return (answer.error or '').removesuffix(f' ({cure_for(answer.cause)})')
