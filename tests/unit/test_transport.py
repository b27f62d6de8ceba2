"""What an answer or an exception of botocore becomes."""

from __future__ import annotations

from datetime import datetime, timezone

import botocore.session
import pytest
import urllib3
from botocore import exceptions
from botocore.credentials import RefreshableCredentials

from doubles import ManualClock
from firefighter._delivery.clients import ClientFactory, ClientOptions, make_client
from firefighter._delivery.outcomes import Outcome, cure_for
from firefighter._delivery.transport import RENEWAL_SECONDS, BotoTransport

RECORDS = [b'one\n', b'two\n', b'three\n']
ACCEPTED, RETRY, THROTTLED, REFUSED, MISCONFIGURED = Outcome


class Client:
    """Answers with what it was made with, or raises it."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
        self.closed = 0

    def put_record_batch(self, **request):
        self.requests.append(request)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def close(self):
        self.closed += 1


def put(answer):
    return BotoTransport(lambda: Client(answer)).put('bar', RECORDS)


def entries(*codes):
    return {
        'FailedPutCount': sum(map(bool, codes)),
        'RequestResponses': [
            {'ErrorCode': code, 'ErrorMessage': 'Slow down.'} if code else {'RecordId': 'r' * 224}
            for code in codes
        ],
    }


def client_error(code, status=400):
    return exceptions.ClientError(
        {'Error': {'Code': code, 'Message': 'no'}, 'ResponseMetadata': {'HTTPStatusCode': status}},
        'PutRecordBatch',
    )


def test_the_request_is_what_boto3_wants():
    """The stream's name, and each record's data, as they are."""
    client = Client(entries(None, None, None))
    assert BotoTransport(lambda: client).put('bar', RECORDS).outcomes == [ACCEPTED] * 3
    assert client.requests == [
        {'DeliveryStreamName': 'bar', 'Records': [{'Data': record} for record in RECORDS]}
    ]


def test_exactly_the_entries_with_an_error_code_have_failed():
    """Throttling arrives as an answer of 200 (boto/boto3#2804)."""
    answer = put(entries(None, 'ServiceUnavailableException', None))
    assert answer.outcomes == [ACCEPTED, THROTTLED, ACCEPTED]
    assert answer.cause == 'ServiceUnavailableException'
    assert 'Slow down. (1 of 3 records)' in answer.error
    assert not answer.uncertain


def test_an_entry_with_a_record_id_and_an_error_code_has_failed():
    """Seen in fluent-bit's tests."""
    response = entries(None, None, None)
    response['RequestResponses'][1] |= {'ErrorCode': 'InternalFailure', 'ErrorMessage': ''}
    answer = put(response)
    assert answer.outcomes == [ACCEPTED, RETRY, ACCEPTED]
    assert answer.uncertain, 'AWS: the write might have completed or it might have failed'


@pytest.mark.parametrize('response', [entries(None), entries(*[None] * 4), {}])
def test_an_answer_of_the_wrong_length_says_nothing_of_any_record(response):
    """Which entry belongs to which record is then anybody's guess."""
    answer = put(response)
    assert answer.outcomes == [RETRY] * 3
    assert answer.uncertain


@pytest.mark.parametrize('response', [None, 'busy', {'RequestResponses': 3}])
def test_an_answer_that_is_none_has_an_outcome_too(response):
    """A client that the user handed in may return anything."""
    assert put(response).outcomes == [RETRY] * 3


@pytest.mark.parametrize(
    ('error', 'outcome', 'uncertain'),
    [
        (client_error('ServiceUnavailableException', 500), THROTTLED, False),
        (client_error('InternalFailure', 500), RETRY, True),
        (client_error('502', 502), RETRY, True),
        (client_error('ThrottlingException'), THROTTLED, False),
        (client_error('RequestLimitExceeded'), THROTTLED, False),
        (client_error('InvalidArgumentException'), REFUSED, False),
        (client_error('ValidationException'), REFUSED, False),
        (client_error('AccessDeniedException'), MISCONFIGURED, False),
        (client_error('ExpiredTokenException'), MISCONFIGURED, False),
        (exceptions.NoCredentialsError(), MISCONFIGURED, False),
        (exceptions.NoRegionError(), MISCONFIGURED, False),
        (exceptions.ProfileNotFound(profile='x'), MISCONFIGURED, False),
        (exceptions.SSLError(endpoint_url='x', error='y'), MISCONFIGURED, True),
        (exceptions.EndpointConnectionError(endpoint_url='x'), RETRY, False),
        (exceptions.ConnectTimeoutError(endpoint_url='x'), RETRY, False),
        (exceptions.ReadTimeoutError(endpoint_url='x'), RETRY, True),
        (exceptions.ConnectionClosedError(endpoint_url='x'), RETRY, True),
        (ZeroDivisionError('a bug of a client'), RETRY, True),
    ],
    ids=lambda value: str(value) if isinstance(value, Exception) else '',
)
def test_an_exception_is_an_outcome_for_every_record(error, outcome, uncertain):
    """By the table of exceptions in AWS's documentation; none leaves `put`."""
    answer = put(error)
    assert answer.outcomes == [outcome] * 3
    assert answer.uncertain is uncertain
    assert answer.cause in answer.error


@pytest.mark.parametrize(
    ('error', 'said'),
    [
        (
            exceptions.SSLError(
                endpoint_url='https://x', error='[SSL: WRONG_VERSION_NUMBER] wrong version number'
            ),
            'the endpoint speaks no TLS: write http://',
        ),
        (
            exceptions.SSLError(endpoint_url='https://x', error='CERTIFICATE_VERIFY_FAILED'),
            'certificate is trusted here',
        ),
        (client_error('404', 404), 'is endpoint_url right'),
    ],
)
def test_an_endpoint_that_is_another_is_said(error, said):
    """Each has another cure, and the doctor has the same."""
    answer = put(error)
    assert said in answer.error
    assert f'({cure_for(answer.cause)})' in answer.error


class _Expired(RefreshableCredentials):
    """Have to be renewed before each request, which fails."""

    def __init__(self, error):
        def renew():
            raise error

        long_ago = datetime(2020, 1, 1, tzinfo=timezone.utc)
        super().__init__('AKIDEXAMPLE', 'secret', 'token', long_ago, renew, 'test')


@pytest.mark.parametrize('owns_client', [True, False])
@pytest.mark.parametrize(
    ('error', 'outcome'),
    [
        (RuntimeError('still expired'), MISCONFIGURED),
        (ValueError('no JSON'), MISCONFIGURED),
        (KeyError('AccessKeyId'), MISCONFIGURED),
        (exceptions.ParamValidationError(report='too short'), MISCONFIGURED),
        (client_error('ValidationException'), MISCONFIGURED),
        (client_error('MalformedPolicyDocument'), MISCONFIGURED),
        (client_error('RequestEntityTooLarge', 413), MISCONFIGURED),
        (client_error('InternalFailure', 500), RETRY),
        (client_error('Throttling'), RETRY),
        (client_error('IDPCommunicationError'), RETRY),
        (exceptions.EndpointConnectionError(endpoint_url='x'), RETRY),
        (exceptions.ReadTimeoutError(endpoint_url='x'), RETRY),
        (exceptions.ConnectionClosedError(endpoint_url='x'), RETRY),
        (exceptions.MetadataRetrievalError(error_msg='x'), RETRY),
        (urllib3.exceptions.ProtocolError('of a client of the program'), RETRY),
        (OSError(24, 'Too many open files'), RETRY),
        (MemoryError(), RETRY),
    ],
    ids=lambda value: repr(value) if isinstance(value, Exception) else '',
)
def test_what_comes_of_the_search_for_credentials_is_told_by_where_it_comes_from(error, outcome, owns_client):
    """Whatever its class: somebody has to mend it, unless it passes. Nothing was sent, so nothing is uncertain or refused, and no size matters."""
    session = botocore.session.Session()
    session._credentials = _Expired(error)
    client = session.create_client('firehose', region_name='eu-west-1', endpoint_url='http://127.0.0.1:9')
    answer = BotoTransport(lambda: client, owns_client=owns_client).put('bar', RECORDS)
    assert answer.outcomes == [outcome] * 3
    assert (answer.uncertain, answer.size_matters) == (False, False)
    if outcome is MISCONFIGURED:
        assert '(see to what gives the credentials' in answer.error


@pytest.mark.parametrize('message', ['Request limit exceeded', 'Request exceeds the rate', 'body is missing'])
def test_what_speaks_of_no_size_is_not_too_large(message):
    """Else events would be dropped for a limit of the rate."""
    error = exceptions.ClientError(
        {'Error': {'Code': '429', 'Message': message}, 'ResponseMetadata': {'HTTPStatusCode': 429}}, 'x'
    )
    assert put(error).outcomes == [RETRY] * 3


def test_an_answer_whose_socket_was_closed_may_have_been_accepted():
    """Of the ValueErrors that botocore wraps, that one alone comes after the request."""

    class Closed:
        def put_record_batch(self, **_):
            try:
                raise ValueError('I/O operation on closed socket.')
            except ValueError as error:
                raise exceptions.HTTPClientError(error=error)  # noqa: B904  # as botocore does

    answer = BotoTransport(Closed).put('bar', RECORDS)
    assert (answer.outcomes, answer.uncertain) == ([RETRY] * 3, True)


def test_what_is_misconfigured_is_said_with_its_cure():
    """One line on stderr is all that a person sees of it."""
    assert 'allow firehose:PutRecordBatch' in put(client_error('AccessDeniedException')).error
    assert 'AWS_DEFAULT_REGION' in put(exceptions.NoRegionError()).error


def test_a_client_that_cannot_be_made_is_tried_again():
    """Credentials and regions may come later; nothing was sent, so nothing is uncertain."""
    made = iter([exceptions.NoRegionError(), OSError('disk'), Client(entries(None, None, None))])

    def make():
        result = next(made)
        if isinstance(result, Exception):
            raise result
        return result

    transport = BotoTransport(make)
    assert transport.put('bar', RECORDS).outcomes == [MISCONFIGURED] * 3
    answer = transport.put('bar', RECORDS)
    assert (answer.outcomes, answer.uncertain) == ([RETRY] * 3, False)
    assert transport.put('bar', RECORDS).outcomes == [ACCEPTED] * 3


@pytest.mark.parametrize(
    'error',
    [
        exceptions.NoCredentialsError(),
        client_error('ExpiredTokenException'),
        client_error('UnrecognizedClientException'),
    ],
)
def test_credentials_are_looked_for_anew_when_they_are_missing_or_refused_but_not_at_every_try(error):
    """A client keeps what it found. Looking costs a second where there are none, so not more often than every 5 s."""
    clock = ManualClock()
    made = []

    def make():
        made.append(Client(error))
        return made[-1]

    transport = BotoTransport(make, clock)
    for _ in range(3):
        assert transport.put('bar', RECORDS).outcomes == [MISCONFIGURED] * 3
    assert len(made) == 2
    clock.advance(RENEWAL_SECONDS)
    transport.put('bar', RECORDS)
    transport.put('bar', RECORDS)
    assert len(made) == 3


def test_what_has_nothing_to_do_with_credentials_keeps_its_client():
    """Making one takes 50 ms, and a connection."""
    made = []

    def make():
        made.append(Client(client_error('AccessDeniedException')))
        return made[-1]

    transport = BotoTransport(make)
    for _ in range(3):
        transport.put('bar', RECORDS)
    assert len(made) == 1


def test_an_interrupt_is_not_swallowed():
    """Ctrl-C belongs to the program."""
    with pytest.raises(KeyboardInterrupt):
        put(KeyboardInterrupt())


def test_the_client_that_we_make_leaves_retries_to_us():
    """Botocore 1.43 retried 5 times, 1.44 tries 3 times: neither is asked."""
    client = make_client(ClientOptions(region_name='eu-north-1', endpoint_url='http://127.0.0.1:1'))
    config = client.meta.config
    assert config.retries['total_max_attempts'] == 1
    assert client.meta.region_name == 'eu-north-1'
    assert client.meta.endpoint_url == 'http://127.0.0.1:1'
    assert (config.connect_timeout, config.read_timeout) == (5, 20)
    assert ClientFactory(client, ClientOptions()).complaints == []


def test_a_client_with_retries_of_its_own_is_complained_of():
    """Two layers of retries multiply."""
    import boto3

    client = boto3.session.Session(region_name='eu-north-1').client('firehose')
    (complaint,) = ClientFactory(client, ClientOptions()).complaints
    assert "'total_max_attempts': 1" in complaint


def test_a_synchronous_attempt_has_its_time_and_no_more():
    """Half of it to connect, half for the answer."""
    options = ClientOptions(region_name='eu-north-1').for_attempts_of(3)
    assert (options.connect_timeout_seconds, options.read_timeout_seconds) == (1.5, 1.5)


def test_a_session_makes_its_client_at_once_and_its_failure_is_a_complaint():
    """Sessions are not thread-safe; what they lack is the environment's affair."""

    class Session:
        clients = 0

        def client(self, *_, **__):
            self.clients += 1
            if self.clients == 1:
                raise exceptions.NoRegionError
            return 'a client'

    session = Session()
    source = ClientFactory(None, ClientOptions(session=session))
    assert 'NoRegionError' in source.complaints[0]
    assert source() == 'a client'


def test_a_forked_child_uses_no_connection_of_its_parent():
    """Two processes on one connection take each other's answers: 27 of 60 trials, measured."""
    given = Client(entries())
    child = ClientFactory(given, ClientOptions()).after_fork()
    assert given.closed == 0, 'not in the fork itself: a lock of urllib3 may be held there'
    assert child() is given
    assert given.closed == 1

    class Session:
        def client(self, *_, **__):
            return object()

    source = ClientFactory(None, ClientOptions(session=Session()))
    assert source() is source()
    assert source.after_fork()() is not source()
