"""Reads an answer, or an exception of botocore, as one outcome for each record of the request.

The rules follow the table of exceptions in AWS's documentation of PutRecordBatch, and the classes that botocore raises itself. These
are compared by their names, so that nothing of botocore has to be imported.
"""

from __future__ import annotations

import enum
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from traceback import walk_tb
from typing import Any

from firefighter._delivery.diagnostics import one_line

__all__ = [
    'BROKEN_CONNECTION',
    'STALE_CREDENTIALS',
    'Answer',
    'Outcome',
    'cure_for',
    'from_exception',
    'from_response',
]


class Outcome(enum.Enum):
    """The outcome for one Firehose record."""

    ACCEPTED = 'accepted'
    RETRY = 'retry'
    """Not accepted, and the same again may be accepted later."""
    THROTTLED = 'throttled'
    """Not accepted because of the stream's quota: the same again will be accepted when less is sent."""
    REFUSED = 'refused'
    """Invalid: the same again would be refused again."""
    MISCONFIGURED = 'misconfigured'
    """Nothing can be accepted until somebody mends the credentials, the permissions or the stream."""


@dataclass(frozen=True)
class Answer:
    """The answer to one request.

    Attributes:
        outcomes: one for each record, in the request's order.
        cause: the error code or exception class of the first failure, or the kind of it that is known here; None when all were accepted.
        error: the same for people, with its message and, where one is known, the cure.
        uncertain: whether records that count as not accepted may have been stored, since the answer never arrived.
        size_matters: whether a smaller request might have got through: it was too large for a proxy, or the line broke under it.
        sent_twice: whether the request was made once before this one, on a connection that broke: all records may have been stored then.
    """

    outcomes: Sequence[Outcome]
    cause: str | None = None
    error: str | None = None
    uncertain: bool = False
    size_matters: bool = False
    sent_twice: bool = False

    @classmethod
    def all_alike(
        cls, outcome: Outcome, records: int, cause: str, error: str, *, uncertain: bool = False
    ) -> Answer:
        """Return the answer in which every record has the same outcome."""
        return cls([outcome] * records, cause, error, uncertain)


# Codes of the service (FailedPutCount entries, ClientError) and classes of botocore.
_REFUSED = frozenset(
    {'InvalidArgumentException', 'ValidationException', 'SerializationException', 'ParamValidationError'}
)
# Causes that have no class or code of their own: what came of the search for credentials, a request that http.client or urllib3 do not
# even begin, whose ValueError botocore wraps, and an endpoint without TLS, for which there is an SSLError as for a wrong certificate.
_CREDENTIALS = 'Credentials'
_INVALID_HEADER = 'InvalidHeader'
_INVALID_URL = 'InvalidURL'
_NO_TLS = 'NoTLS'
_LOG_IN_TO_SSO = 'log in with `aws sso login`'
_LOG_IN = 'log in with `aws login`'
_CORRECT_THE_CONFIGURATION = 'correct the AWS configuration, in its file or in the environment'
_CORRECT_THE_REGION = 'correct the region, or set endpoint_url='
_INSTALL_AGAIN = 'install boto3 and botocore again, or another version'
_SEE_TO_THE_FILE = 'see that the file is there and may be read'
_CURES = {
    # Credentials.
    'NoCredentialsError': 'give the process AWS credentials (role, profile or environment)',
    'PartialCredentialsError': 'set the access key and the secret key both',
    'CredentialRetrievalError': 'see why the credentials cannot be had',
    'UnknownCredentialError': 'correct the source of credentials in the AWS configuration file',
    'RefreshWithMFAUnsupportedError': 'use credentials that are renewed without an MFA code',
    'MissingAuthenticationToken': 'give the process AWS credentials',
    'MissingAuthenticationTokenException': 'give the process AWS credentials',
    'UnrecognizedClientException': 'correct the access key',
    'InvalidClientTokenId': 'correct the access key',
    'InvalidSignatureException': 'correct the secret key, or the clock',
    'SignatureDoesNotMatch': 'correct the secret key',
    'IncompleteSignature': 'correct the credentials',
    'ExpiredToken': 'renew the credentials',
    'ExpiredTokenException': 'renew the credentials',
    'InvalidIdentityToken': 'renew the token in AWS_WEB_IDENTITY_TOKEN_FILE',
    'RequestExpired': "set the machine's clock",
    'SSOError': _LOG_IN_TO_SSO,
    'SSOTokenLoadError': _LOG_IN_TO_SSO,
    'UnauthorizedSSOTokenError': _LOG_IN_TO_SSO,
    'TokenRetrievalError': _LOG_IN_TO_SSO,
    'NoAuthTokenError': _LOG_IN_TO_SSO,
    'UnknownTokenProviderError': _LOG_IN_TO_SSO,
    'LoginError': _LOG_IN,
    'LoginTokenLoadError': _LOG_IN,
    'LoginRefreshRequired': _LOG_IN,
    'LoginAuthorizationCodeError': _LOG_IN,
    'LoginInsufficientPermissions': 'allow what the message names, then log in with `aws login`',
    _INVALID_HEADER: (
        'remove the line break, or what is not ASCII, from the access key, the session token, the region or the proxy'
    ),
    _CREDENTIALS: 'see to what gives the credentials: the environment, a profile, a file, a process or a container',
    # The configuration.
    'ProfileNotFound': 'add the profile to the AWS configuration, or correct boto3_profile_name=',
    'ConfigNotFound': 'correct AWS_CONFIG_FILE',
    'ConfigParseError': _CORRECT_THE_CONFIGURATION,
    'InvalidConfigError': _CORRECT_THE_CONFIGURATION,
    'InfiniteLoopConfigError': _CORRECT_THE_CONFIGURATION,
    'InvalidChecksumConfigError': _CORRECT_THE_CONFIGURATION,
    'InvalidDefaultsMode': _CORRECT_THE_CONFIGURATION,
    'InvalidEndpointDiscoveryConfigurationError': _CORRECT_THE_CONFIGURATION,
    'InvalidIMDSEndpointError': _CORRECT_THE_CONFIGURATION,
    'InvalidIMDSEndpointModeError': _CORRECT_THE_CONFIGURATION,
    'InvalidMaxRetryAttemptsError': _CORRECT_THE_CONFIGURATION,
    'InvalidRetryConfigurationError': _CORRECT_THE_CONFIGURATION,
    'InvalidRetryModeError': _CORRECT_THE_CONFIGURATION,
    'InvalidS3UsEast1RegionalEndpointConfigError': _CORRECT_THE_CONFIGURATION,
    'InvalidSTSRegionalEndpointsConfigError': _CORRECT_THE_CONFIGURATION,
    'InvalidProxiesConfigError': 'correct the proxies',
    # The endpoint.
    'NoRegionError': 'set AWS_DEFAULT_REGION or region_name=',
    'InvalidRegionError': 'correct the region',
    'UnknownRegionError': 'correct the region',
    'UnknownEndpointError': _CORRECT_THE_REGION,
    'UnknownFIPSEndpointError': _CORRECT_THE_REGION,
    'EndpointVariantError': _CORRECT_THE_REGION,
    'EndpointProviderError': _CORRECT_THE_REGION,
    'EndpointResolutionError': _CORRECT_THE_REGION,
    'BaseEndpointResolverError': _CORRECT_THE_REGION,
    'InvalidEndpointConfigurationError': _CORRECT_THE_REGION,
    'InvalidHostLabelError': _CORRECT_THE_REGION,
    'ServiceNotInRegionError': _CORRECT_THE_REGION,
    'SSLError': (
        "see that the endpoint's certificate is trusted here, and that AWS_CA_BUNDLE or ca_bundle, if set, names a file of certificates"
    ),
    'ValueError': 'correct endpoint_url=, or the region',
    _NO_TLS: 'the endpoint speaks no TLS: write http:// in endpoint_url=, if that is meant',
    _INVALID_URL: 'correct endpoint_url= or the proxies',
    # The installation.
    'MissingDependencyException': 'install what the message names',
    'DataNotFoundError': _INSTALL_AGAIN,
    'UnknownServiceError': _INSTALL_AGAIN,
    'ApiVersionNotFoundError': _INSTALL_AGAIN,
    'UnknownServiceStyle': _INSTALL_AGAIN,
    'UnknownSignatureVersionError': _INSTALL_AGAIN,
    'UnsupportedSignatureVersionError': _INSTALL_AGAIN,
    'UnsupportedServiceProtocolsError': _INSTALL_AGAIN,
    # The stream, and what is allowed.
    'ResourceNotFoundException': 'create the stream, or correct its name, region or account',
    'AccessDeniedException': 'allow firehose:PutRecordBatch on the stream',
    'AccessDenied': 'allow what the message names',
    'NotAuthorized': 'allow firehose:PutRecordBatch on the stream',
    'OptInRequired': 'enable the region or the service for the account',
    'InvalidKMSResourceException': "see to the stream's KMS key",
    'InvalidSourceException': "turn off the stream's CloudWatch Logs decompression, or write to another stream",
}
# The same before a request was sent: of a file that credentials are read from, or a program that gives them.
_CURES_BEFORE_SENDING = {
    'FileNotFoundError': _SEE_TO_THE_FILE,
    'PermissionError': _SEE_TO_THE_FILE,
    'IsADirectoryError': _SEE_TO_THE_FILE,
    'NotADirectoryError': _SEE_TO_THE_FILE,
}
# What asks for credentials. It has always ended before a request of ours is sent.
_CREDENTIALS_MODULE = 'botocore.credentials'
# Of what comes of it, this passes by itself: the network, a lack of descriptors or memory, an end of the interpreter, an answer that is none.
# Classes, with those that are derived from them, also of urllib3 and httpx, with which a program may renew its credentials; and a code of STS.
_PASSES = frozenset(
    {
        'OSError',
        'ConnectionError',
        'HTTPClientError',
        'HTTPError',
        'MetadataRetrievalError',
        'ResponseParserError',
        'ImportError',
        'MemoryError',
        'RecursionError',
        'IDPCommunicationError',
        '408',
        '429',
    }
)
STALE_CREDENTIALS = frozenset(
    {
        _INVALID_HEADER,
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
"""After one of these the same client fails again, even where somebody has renewed the credentials. It has to be made anew."""
BROKEN_CONNECTION = frozenset({'ConnectionClosedError', 'SSLError'})
"""What botocore raises where a connection breaks before an answer has begun."""
# A proxy's answer to a request that is too large for it: its status, its code, or its text where it has no code.
_TOO_LARGE = 'RequestTooLarge'
_TOO_LARGE_STATUS = 413
_TOO_LARGE_CODES = frozenset(
    {
        'RequestEntityTooLarge',
        'RequestEntityTooLargeException',
        'PayloadTooLargeException',
        'EntityTooLarge',
    }
)
_SAYS_TOO_LARGE = re.compile(
    r'(entity|body|payload|content|request)( size| length)? (is )?too (large|big|long)'
    r'|(entity|body|payload|(content|request) (size|length)) (is )?exceed',
    re.IGNORECASE,
)
# botocore gives the status for a code where there is none. That of a client's error.
_NO_CODE = re.compile(r'4\d\d')
# What ends a request that takes too long for the other end, or for us.
_LINE_BROKE = frozenset({'ReadTimeoutError', 'ConnectionClosedError', '408', '504'})
# In OpenSSL's words, in any version of them.
_SPEAKS_NO_TLS = 'WRONG_VERSION_NUMBER'
# Not surely a misconfiguration, but often one.
_HINTS = {
    'EndpointConnectionError': 'is the network up, and are region and endpoint_url right?',
    'ConnectTimeoutError': 'is the network up, and may this host reach the endpoint?',
    'ProxyConnectionError': 'is the proxy right?',
    _TOO_LARGE: 'something on the way to Firehose limits the size of requests; nginx: client_max_body_size',
    '404': 'is endpoint_url right? It has the host alone, without a path',
    'MetadataRetrievalError': 'can this process reach the metadata service?',
}
# Of single records in an answer of 200, or of the whole call. botocore counts the same codes as throttling.
_THROTTLED = frozenset(
    {
        'ServiceUnavailableException',
        'Throttling',
        'ThrottlingException',
        'ThrottledException',
        'RequestThrottled',
        'RequestThrottledException',
        'RequestLimitExceeded',
        'TooManyRequestsException',
        'BandwidthLimitExceeded',
        'LimitExceededException',
        'SlowDown',
    }
)
# These come before anything is stored, or before anything is sent.
_CERTAIN = _THROTTLED | {
    _TOO_LARGE,
    'EndpointConnectionError',
    'ConnectTimeoutError',
    'ProxyConnectionError',
}
_SERVER_ERROR = 500


def cure_for(cause: str | None) -> str:
    """Return what to do about a cause, or where to look first; an empty text for an unknown one."""
    name = cause or ''
    return _CURES.get(name) or _CURES_BEFORE_SENDING.get(name) or _HINTS.get(name) or ''


def from_response(response: Mapping[str, Any], records: int) -> Answer:
    """Read the answer to a request of so many records. Raises any Exception where it is not one."""
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
    failed = next(entry for entry in entries if entry.get('ErrorCode'))
    code = failed['ErrorCode']
    error = one_line(f'{code}: {failed.get("ErrorMessage")}')
    return Answer(
        [_of_entry(failure) for failure in failures],
        code,
        f'{error} ({sum(map(bool, failures))} of {records} records)',
        uncertain=not _CERTAIN.issuperset(filter(None, failures)),
    )


def _comes_at_any_time(cause: str, text: str) -> bool:
    """Return whether an error may come while the answer is read, too: one of TLS but not of the certificate, or a ValueError."""
    about_certificate = 'certificate' in text or 'hostname' in text
    return cause == 'ValueError' or (cause == 'SSLError' and not about_certificate)


def _of_entry(code: str | None) -> Outcome:
    if not code:
        return Outcome.ACCEPTED
    return Outcome.THROTTLED if code in _THROTTLED else Outcome.RETRY


def _comes_from_credentials(error: BaseException) -> bool:
    """Return whether an error was raised where botocore asks for credentials: told by its traceback, whatever its class."""
    return any(
        frame.f_globals.get('__name__') == _CREDENTIALS_MODULE for frame, _ in walk_tb(error.__traceback__)
    )


def _passes(error: Exception, cause: str, status: int) -> bool:
    """Return whether an error that comes of the search for credentials passes without anybody's doing."""
    names = {cause, *(each.__name__ for each in type(error).__mro__)}
    return status >= _SERVER_ERROR or not names.isdisjoint(_PASSES | _THROTTLED)


def _is_too_large(cause: str, message: str, status: int) -> bool:
    return (
        status == _TOO_LARGE_STATUS
        or cause in _TOO_LARGE_CODES
        or bool(_NO_CODE.fullmatch(cause) and _SAYS_TOO_LARGE.search(message))
    )


def _name(error: Exception) -> str:
    """Return the cause of an exception that is no answer: its class, or what botocore has wrapped."""
    name, wrapped = type(error).__name__, error.__context__
    # The socket or the file of an answer that is being read may be closed: only that ValueError comes later.
    if name != 'HTTPClientError' or not isinstance(wrapped, ValueError) or 'closed' in str(wrapped):
        return name
    header = isinstance(wrapped, UnicodeEncodeError) or 'Invalid header' in str(wrapped)
    return _INVALID_HEADER if header else _INVALID_URL


def from_exception(error: Exception, records: int, *, sent: bool) -> Answer:
    """Read an exception of botocore, or of a client of the user's.

    Args:
        error: the exception.
        records: how many were in the request.
        sent: whether the request may have been sent. If not, it is about the client, its credentials or its endpoint.
    """
    for_credentials = _comes_from_credentials(error)
    sent = sent and not for_credentials
    response = getattr(error, 'response', None)  # botocore's ClientError
    status = 0
    if isinstance(response, Mapping) and 'Error' in response:
        cause = str(response['Error'].get('Code', 'Unknown'))
        message = str(response['Error'].get('Message', ''))
        status = response.get('ResponseMetadata', {}).get('HTTPStatusCode', 0)
        if sent and _is_too_large(cause, message, status):
            cause = _TOO_LARGE
        text = one_line(f'{cause}: {message}')
        uncertain = status >= _SERVER_ERROR and cause not in _CERTAIN
    else:
        cause = _name(error)
        text = f'{type(error).__name__}: {error}'
        certain = cause in _CERTAIN or (cause in _CURES and not _comes_at_any_time(cause, text))
        uncertain = not certain
        text = one_line(text)
    uncertain = uncertain and sent
    if cause in _REFUSED and sent:
        return Answer.all_alike(Outcome.REFUSED, records, cause, text)
    cure = _CURES.get(cause) or (None if sent else _CURES_BEFORE_SENDING.get(cause))
    if for_credentials and (not cure or cause == 'ValueError') and not _passes(error, cause, status):
        cause, cure = _CREDENTIALS, _CURES[_CREDENTIALS]
    if isinstance(error, ImportError) and sys.meta_path is None:
        # Nothing can be imported any more, so trying again would only hold the exit up. A destructor has logged.
        cure = 'the interpreter ends; log before that, for example in an exit function of atexit'
    if _SPEAKS_NO_TLS in text:
        cause, cure = _NO_TLS, _CURES[_NO_TLS]
    if cure:
        return Answer.all_alike(
            Outcome.MISCONFIGURED, records, cause, f'{text} ({cure})', uncertain=uncertain
        )
    hint = f' ({_HINTS[cause]})' if cause in _HINTS else ''
    # What another service has throttled (of whom a role is asked for) says nothing of the stream.
    outcome = Outcome.RETRY
    if sent and cause in _THROTTLED:
        outcome = Outcome.THROTTLED
    elif sent and cause == _TOO_LARGE:
        outcome = Outcome.REFUSED
    return Answer(
        [outcome] * records,
        cause,
        text + hint,
        uncertain=uncertain,
        size_matters=sent and (cause in _LINE_BROKE or cause == _TOO_LARGE),
    )
