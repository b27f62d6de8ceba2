"""The seam to Firehose. This module alone knows boto3 and botocore, and turns what they answer or raise into outcomes."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

import firefighter
from firefighter._delivery.shortcut import shorten
from firefighter._lifecycle import not_forking

if TYPE_CHECKING:
    import boto3.session

__all__ = [
    'Answer',
    'BotoTransport',
    'ClientOptions',
    'FirehoseClient',
    'Outcome',
    'Transport',
    'make_client',
]


RENEWAL_SECONDS = 5.0
"""Between two looks for new credentials: to find that there are none takes a second where AWS's machines have them."""


class Outcome(enum.Enum):
    """What became of one Firehose record."""

    ACCEPTED = 'accepted'
    RETRY = 'retry'
    """Not accepted, and the same again may be accepted later."""
    REFUSED = 'refused'
    """Invalid: the same again would be refused again."""
    MISCONFIGURED = 'misconfigured'
    """Nothing can be accepted until someone has mended credentials, permissions or the stream."""


@dataclass(frozen=True)
class Answer:
    """What came of one request.

    Attributes:
        outcomes: one for each record, in the request's order.
        cause: the error code or exception class that stands for the failures; None when all were accepted.
        error: the same for people, with its message and, where there is one, the cure.
        uncertain: whether records that count as not accepted may have been stored: the answer never arrived.
    """

    outcomes: Sequence[Outcome]
    cause: str | None = None
    error: str | None = None
    uncertain: bool = False

    @classmethod
    def all_alike(
        cls, outcome: Outcome, records: int, cause: str, error: str, *, uncertain: bool = False
    ) -> Answer:
        """Return the answer in which every record has the same outcome."""
        return cls([outcome] * records, cause, error, uncertain)


class Transport(Protocol):
    """Sends one request; never raises for anything that the other side, the network or the configuration does."""

    def put(self, stream: str, records: Sequence[bytes]) -> Answer:
        """Send records, within the limits of one request, and return what became of each."""


class FirehoseClient(Protocol):
    """The one method of a boto3 Firehose client that is used."""

    def put_record_batch(
        self,
        *,
        DeliveryStreamName: str,  # noqa: N803  # AWS's name
        Records: Sequence[Mapping[str, bytes]],  # noqa: N803  # AWS's name
    ) -> Mapping[str, Any]:
        """Put the records into the stream."""


@dataclass(frozen=True)
class ClientOptions:
    """From what to make a client.

    Attributes:
        session: a session of the user's; without it a new one is made, from `profile_name` if that is given.
        profile_name: a profile of the AWS configuration files; its assumed role refreshes by itself.
        region_name: overrides the session's region.
        endpoint_url: overrides the service's address, as for the local endpoint.
        connect_timeout_seconds: for one try to connect.
        read_timeout_seconds: for each wait for bytes of the answer.
    """

    session: boto3.session.Session | None = None
    profile_name: str | None = None
    region_name: str | None = None
    endpoint_url: str | None = None
    # AWS's own agents wait 5 s and up to a minute; a put answers within 0.2 s, and what waits here only queues.
    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 20.0

    def for_attempts_of(self, seconds: float) -> ClientOptions:
        """Return the same for attempts of at most so long: half of it to connect, half for the answer."""
        return replace(self, connect_timeout_seconds=seconds / 2, read_timeout_seconds=seconds / 2)


def make_client(options: ClientOptions) -> FirehoseClient:
    """Make a Firehose client whose only retry layer is ours.

    Sessions are not thread-safe: a session of the user's is to be used in the user's thread.

    Raises:
        botocore.exceptions.BotoCoreError: there is no region, no such profile, ...
        ValueError: the endpoint is not a URL.
    """
    # The first connection would import this, without regard to forks. A child that is forked meanwhile finds half of it,
    # and then no host's name can be looked up there: "unknown encoding: idna".
    import encodings.idna  # noqa: F401, PLC0415

    import boto3.session  # noqa: PLC0415  # 0.2 s: never before it is needed, nor in the application's thread
    from botocore.config import Config  # noqa: PLC0415

    session = options.session or boto3.session.Session(profile_name=options.profile_name)
    config = Config(
        # botocore's default went from 5 attempts to 3, and its pauses from seconds to 0.1 s, with version 1.44.
        retries={'total_max_attempts': 1, 'mode': 'standard'},
        connect_timeout=options.connect_timeout_seconds,
        read_timeout=options.read_timeout_seconds,
        # What we send is right by construction; checking 500 records costs a quarter of the request's CPU time.
        parameter_validation=False,
        tcp_keepalive=True,
        user_agent_extra=f'firefighter/{firefighter.__version__}',
    )
    client: FirehoseClient = session.client(
        'firehose', region_name=options.region_name, endpoint_url=options.endpoint_url, config=config
    )
    shorten(client)
    return client


class BotoTransport:
    """Sends through a boto3 client, which is made at the first request.

    Args:
        client: makes the client. It is called again as long as it fails.
        clock: gives the time in seconds; must not jump.
    """

    def __init__(self, client: Callable[[], FirehoseClient], clock: Callable[[], float] = monotonic) -> None:
        self._make_client = client
        self._client: FirehoseClient | None = None
        self._clock = clock
        self._renewed_at = -inf

    def renew_client(self) -> None:
        """Make a client anew at the next request: with other timeouts, for example."""
        self._client = None

    def put(self, stream: str, records: Sequence[bytes]) -> Answer:
        """Send records and return what became of each."""
        client = self._client
        try:
            if client is None:
                with not_forking():
                    client = self._client = self._make_client()
            response = client.put_record_batch(
                DeliveryStreamName=stream, Records=[{'Data': record} for record in records]
            )
            return _from_response(response, len(records))
        except Exception as error:  # whatever botocore or a client of the user's does has an outcome
            answer = _from_exception(error, len(records), connected=client is not None)
            if answer.cause in _STALE_CREDENTIALS:
                self._forget_credentials()
            return answer

    def _forget_credentials(self) -> None:
        """Have them read anew, now and then: a client keeps for ever those that it found, or that it found none."""
        now = self._clock()
        if now >= self._renewed_at + RENEWAL_SECONDS:
            self._renewed_at = now
            self.renew_client()


# Codes of the service (FailedPutCount entries, ClientError) and classes of botocore.
_REFUSED = frozenset(
    {'InvalidArgumentException', 'ValidationException', 'SerializationException', 'ParamValidationError'}
)
_CURES = {
    'NoCredentialsError': 'give the process AWS credentials (role, profile or environment)',
    'PartialCredentialsError': 'set the access key and the secret key both',
    'CredentialRetrievalError': 'see why the credentials cannot be had',
    'NoRegionError': 'set AWS_DEFAULT_REGION or region_name=',
    'InvalidRegionError': 'correct the region',
    'ProfileNotFound': 'add the profile to the AWS configuration, or correct boto3_profile_name=',
    'ConfigParseError': 'correct the AWS configuration file',
    'UnauthorizedSSOTokenError': 'log in with `aws sso login`',
    'SSOTokenLoadError': 'log in with `aws sso login`',
    'SSLError': "see that the endpoint's certificate is trusted here",
    'ResourceNotFoundException': 'create the stream, or correct its name, region or account',
    'AccessDeniedException': 'allow firehose:PutRecordBatch on the stream',
    'AccessDenied': 'allow what the message names',
    'UnrecognizedClientException': 'correct the access key',
    'InvalidClientTokenId': 'correct the access key',
    'InvalidSignatureException': 'correct the secret key, or the clock',
    'SignatureDoesNotMatch': 'correct the secret key',
    'IncompleteSignature': 'correct the credentials',
    'MissingAuthenticationToken': 'give the process AWS credentials',
    'MissingAuthenticationTokenException': 'give the process AWS credentials',
    'ExpiredToken': 'renew the credentials',
    'ExpiredTokenException': 'renew the credentials',
    'RequestExpired': "set the machine's clock",
    'OptInRequired': 'enable the region or the service for the account',
    'NotAuthorized': 'allow firehose:PutRecordBatch on the stream',
    'InvalidKMSResourceException': "see to the stream's KMS key",
    'InvalidSourceException': "turn off the stream's CloudWatch Logs decompression, or write to another stream",
    'ValueError': 'correct endpoint_url=',
}
# After these the same client fails again, even where someone has renewed the credentials.
_STALE_CREDENTIALS = frozenset(
    {
        'NoCredentialsError',
        'PartialCredentialsError',
        'UnrecognizedClientException',
        'InvalidClientTokenId',
        'InvalidSignatureException',
        'SignatureDoesNotMatch',
        'ExpiredToken',
        'ExpiredTokenException',
    }
)
# What is no misconfiguration for sure, and often is one.
_HINTS = {
    'EndpointConnectionError': 'is the network up, and are region and endpoint_url right?',
    'ConnectTimeoutError': 'is the network up, and may this host reach the endpoint?',
    'ProxyConnectionError': 'is the proxy right?',
}
# Said before anything was stored, or before anything was sent.
_CERTAIN = frozenset(
    {'EndpointConnectionError', 'ConnectTimeoutError', 'ProxyConnectionError', 'ServiceUnavailableException'}
)
_SERVER_ERROR = 500


def _from_response(response: Mapping[str, Any], records: int) -> Answer:
    entries = response.get('RequestResponses', ())
    if len(entries) != records:
        return Answer.all_alike(
            Outcome.RETRY,
            records,
            'IncompleteAnswer',
            f'the answer has {len(entries)} entries for {records} records',
            uncertain=True,
        )
    # An entry with both a RecordId and an ErrorCode has failed; FailedPutCount is not needed to know.
    failures = [entry.get('ErrorCode') for entry in entries]
    if not any(failures):
        return Answer([Outcome.ACCEPTED] * records)
    outcomes = [Outcome.RETRY if failure else Outcome.ACCEPTED for failure in failures]
    failed = next(entry for entry in entries if entry.get('ErrorCode'))
    code = failed['ErrorCode']
    return Answer(
        outcomes,
        code,
        f'{code}: {failed.get("ErrorMessage")} ({outcomes.count(Outcome.RETRY)} of {records} records)',
        uncertain=code not in _CERTAIN,
    )


def _from_exception(error: Exception, records: int, *, connected: bool) -> Answer:
    response = getattr(error, 'response', None)  # botocore's ClientError
    if isinstance(response, Mapping) and 'Error' in response:
        cause = str(response['Error'].get('Code', 'Unknown'))
        text = f'{cause}: {response["Error"].get("Message", "")}'
        status = response.get('ResponseMetadata', {}).get('HTTPStatusCode', 0)
        uncertain = status >= _SERVER_ERROR and cause not in _CERTAIN
    else:
        cause = type(error).__name__
        text = f'{cause}: {error}'
        uncertain = connected and cause not in _CERTAIN and cause not in _CURES
    if cause in _REFUSED:
        return Answer.all_alike(Outcome.REFUSED, records, cause, text)
    if cause in _CURES:
        return Answer.all_alike(Outcome.MISCONFIGURED, records, cause, f'{text} ({_CURES[cause]})')
    hint = f' ({_HINTS[cause]})' if cause in _HINTS else ''
    return Answer.all_alike(Outcome.RETRY, records, cause, text + hint, uncertain=uncertain)
