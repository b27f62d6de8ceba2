"""The examination: one check after the other, as far as there is something to ask."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress

from firefighter._advice.advice import CAUTIOUS, Advice, advise
from firefighter._advice.stream import read
from firefighter._delivery.diagnostics import without_user
from firefighter._delivery.outcomes import Outcome, cure_for
from firefighter._doctor.clock import check_clock
from firefighter._doctor.connection import Connection, Credentials, Described, NoConnection, without_cure
from firefighter._doctor.described import check_destination, check_source, check_stream
from firefighter._doctor.report import CHECKS, Check, Report, State
from firefighter._event.formatter import JSONFormatter

__all__ = ['examine']

# Who signs with these is nobody that AWS knows, or no more.
_NOBODY = frozenset(
    {
        'UnrecognizedClientException',
        'InvalidClientTokenId',
        'InvalidSignatureException',
        'SignatureDoesNotMatch',
        'IncompleteSignature',
        'MissingAuthenticationToken',
        'MissingAuthenticationTokenException',
        'ExpiredToken',
        'ExpiredTokenException',
        'RequestExpired',
    }
)
_DENIED = frozenset({'AccessDeniedException', 'AccessDenied', 'NotAuthorized'})


class _Stop(Exception):  # noqa: N818 - the end of what can be asked
    pass


def examine(stream: str, connection: Connection, *, region_given: bool, send: bool) -> Report:
    """Look at everything that delivery to a stream depends on.

    Args:
        stream: its name.
        connection: the way to AWS.
        region_given: whether the region was named outright, not found in the environment or a profile.
        send: whether to put a test record into the stream.
    """
    examination = _Examination(stream, region_given=region_given)
    with suppress(_Stop):
        examination.look(connection, send=send)
    return examination.report()


class _Examination:
    def __init__(self, stream: str, *, region_given: bool) -> None:
        self._stream = stream
        self._region_given = region_given
        self._checks: dict[str, Check] = {}
        self._advice: Advice | None = None
        self._described = Described()

    def report(self) -> Report:
        untried = {name: Check(name, State.NOT_TRIED, '') for name in CHECKS}
        checks = {**untried, **self._checks}
        return Report(self._stream, tuple(checks.values()), self._advice, self._described.description)

    def look(self, connection: Connection, *, send: bool) -> None:
        try:
            credentials = connection.credentials()
        except NoConnection as error:
            raise self._stop('credentials', str(error), error.cure) from error
        self._look_at_credentials(credentials)
        self._look_at_region(connection.region())
        try:
            url = without_user(connection.endpoint_url())
        except NoConnection as error:
            raise self._stop('endpoint', str(error), error.cure) from error
        source = connection.endpoint_source()
        endpoint = f'{url}, from {source}' if source else f'{url}, the default of the region'
        self._described = connection.describe(self._stream)
        self._look_at_answer(endpoint, self._described)
        self._look_at_description(self._described)
        if send:
            self._send(connection)
        else:
            self._note(Check('put', State.NOT_TRIED, '--send puts a test record into the stream'))

    def _look_at_credentials(self, found: Credentials | None) -> None:
        if found is None:
            cure = 'Give the process AWS credentials: a role, a profile (--profile), or the environment'
            raise self._stop('credentials', 'none', cure)
        source = 'the environment' if found.method == 'env' else found.method
        # As the AWS command line shows it.
        self._note(Check('credentials', State.OK, f'****{found.key_id[-4:]}, from {source}'))

    def _look_at_region(self, region: str | None) -> None:
        if region is None:
            cure = 'Set AWS_DEFAULT_REGION, or give --region here and region_name= to the handler'
            if os.environ.get('AWS_REGION'):
                cure += ' (AWS_REGION is set, which boto3 does not read)'
            raise self._stop('region', 'none', cure)
        source = (
            '--region'
            if self._region_given
            else 'AWS_DEFAULT_REGION'
            if os.environ.get('AWS_DEFAULT_REGION')
            else 'the AWS configuration'
        )
        self._note(Check('region', State.OK, f'{region}, from {source}'))

    def _look_at_answer(self, endpoint: str, described: Described) -> None:
        """Say what it tells that there is an answer, and who has sent it."""
        if not described.answered:
            cure = cure_for(described.code) or 'see what lies between, and whether the address is right'
            raise self._stop('endpoint', f'{endpoint}: {described.error}', cure)
        self._note(Check('endpoint', State.OK, endpoint))
        self._note(check_clock(described.skew_seconds))
        if described.code in _NOBODY:
            found = f'{self._checks["credentials"].found}: {described.error}'
            raise self._stop('credentials', found, cure_for(described.code))

    def _look_at_description(self, described: Described) -> None:
        if described.description is None:
            self._look_at_refusal(described)
            return
        self._note(Check('permission', State.OK, 'firehose:DescribeDeliveryStream'))
        self._note(check_stream(described.description))
        stream = read(described.description)
        self._note(check_source(stream))
        self._advice = advise(stream) if stream.takes_puts else None
        self._note(check_destination(stream, self._advice.hazards if self._advice else ()))

    def _look_at_refusal(self, described: Described) -> None:
        if described.code == 'ResourceNotFoundException':
            self._note(Check('permission', State.OK, 'firehose:DescribeDeliveryStream'))
            cure = 'Create the stream, or correct its name, the region or the account'
            raise self._stop('stream', described.error, cure)
        self._advice = CAUTIOUS
        cure = (
            'Delivery needs firehose:PutRecordBatch alone. To be advised, allow firehose:DescribeDeliveryStream on '
            'the stream'
            if described.code in _DENIED
            else cure_for(described.code) or 'try again in a while'
        )
        self._note(
            Check('permission', State.UNKNOWN, f'the stream cannot be described: {described.error}', cure)
        )

    def _send(self, connection: Connection) -> None:
        mark = secrets.token_hex(4)
        answer = connection.put(self._stream, _test_event(mark))
        if answer.outcomes == [Outcome.ACCEPTED]:
            found = f'a test record was accepted; look for "{mark}" at the destination'
            self._note(Check('put', State.OK, found))
        else:
            found = f'a test record was not accepted: {without_cure(answer)}'
            self._note(Check('put', State.WRONG, found, cure_for(answer.cause)))

    def _note(self, check: Check) -> None:
        self._checks[check.name] = check

    def _stop(self, name: str, found: str, cure: str = '') -> _Stop:
        self._note(Check(name, State.WRONG, found, cure))
        return _Stop()


def _test_event(mark: str) -> bytes:
    """Return an event as the handler makes it."""
    message: Mapping[str, str] = {'message': 'a test record of firefighter doctor', 'mark': mark}
    record = logging.LogRecord('firefighter.doctor', logging.INFO, __file__, 0, message, None, None)
    return JSONFormatter().encode(record)
