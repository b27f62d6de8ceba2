"""What becomes of events where boto3 cannot even begin: files, profiles, tokens, log-ins and regions that are not there or wrong?

Each with boto3's own client in an environment that is so (boto3#4119, botocore#2351). And is each class of exception that botocore and boto3 have
known here?
"""

from __future__ import annotations

import inspect
import sys

import boto3.exceptions
import botocore.exceptions
import pytest

from doubles import DEADLINE_SECONDS
from firefighter._delivery import outcomes
from firefighter._delivery.outcomes import Outcome, from_exception

CONFIG = """
[profile expired]
sso_session = mine
sso_account_id = 123456789012
sso_role_name = writer
region = eu-west-1

[profile old-sso]
sso_start_url = http://127.0.0.1:9/start
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = writer
region = eu-west-1

[sso-session mine]
sso_region = eu-west-1
sso_start_url = http://127.0.0.1:9/start
sso_registration_scopes = sso:account:access

[profile loop]
role_arn = arn:aws:iam::123456789012:role/a
source_profile = other

[profile other]
role_arn = arn:aws:iam::123456789012:role/b
source_profile = loop

[profile nowhere]
role_arn = arn:aws:iam::123456789012:role/a
credential_source = Elsewhere

[profile half]
aws_access_key_id = AKIDEXAMPLE

[profile program]
credential_process = {python} -c "raise SystemExit(3)"

[profile junk]
credential_process = {python} -c "print('hello')"

[profile list]
credential_process = {python} -c "print([])"

[profile gone]
credential_process = {python} {folder}/gone.py

[profile missing-program]
credential_process = {folder}/not-there
"""


GONE = """
import json
names = ('AccessKeyId', 'SecretAccessKey', 'SessionToken')
print(json.dumps({'Version': 1, 'Expiration': '2020-01-01T00:00:00Z', **dict.fromkeys(names, 'x')}))
"""


@pytest.fixture
def files(monkeypatch, tmp_path):
    """A configuration file, and no keys in the environment."""
    config = tmp_path / 'config'
    config.write_text(CONFIG.format(python=sys.executable, folder=tmp_path))
    (tmp_path / 'gone.py').write_text(GONE)
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('AWS_CONFIG_FILE', str(config))
    for name in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'):
        monkeypatch.delenv(name)
    return tmp_path


KEYS = {'AWS_ACCESS_KEY_ID': 'AKIDEXAMPLE', 'AWS_SECRET_ACCESS_KEY': 'secret'}
NOBODY = {'AWS_ENDPOINT_URL_FIREHOSE': 'http://127.0.0.1:9'}
ROLE = {'AWS_ROLE_ARN': 'arn:aws:iam::123456789012:role/a'}


@pytest.mark.parametrize(
    ('variables', 'cause', 'cure'),
    [
        ({}, 'NoCredentialsError', 'AWS credentials'),
        ({**ROLE, 'AWS_WEB_IDENTITY_TOKEN_FILE': '/not/there'}, 'FileNotFoundError', 'is there'),
        ({**ROLE, 'AWS_WEB_IDENTITY_TOKEN_FILE': '/'}, 'IsADirectoryError', 'is there'),
        ({'AWS_PROFILE': 'expired'}, 'SSOTokenLoadError', 'aws sso login'),
        ({'AWS_PROFILE': 'old-sso'}, 'SSOTokenLoadError', 'aws sso login'),
        ({'AWS_PROFILE': 'loop'}, 'InfiniteLoopConfigError', 'configuration'),
        ({'AWS_PROFILE': 'nowhere'}, 'InvalidConfigError', 'configuration'),
        ({'AWS_PROFILE': 'half'}, 'PartialCredentialsError', 'both'),
        ({'AWS_PROFILE': 'program'}, 'CredentialRetrievalError', 'see why'),
        ({**ROLE, 'AWS_WEB_IDENTITY_TOKEN_FILE': '/dev/null'}, 'ParamValidationError', 'see to what gives'),
        ({'AWS_PROFILE': 'junk'}, 'JSONDecodeError', 'see to what gives'),
        ({'AWS_PROFILE': 'list'}, 'AttributeError', 'see to what gives'),
        ({'AWS_PROFILE': 'gone'}, 'RuntimeError', 'see to what gives'),
        ({'AWS_CONTAINER_CREDENTIALS_FULL_URI': 'http://example.com/'}, 'ValueError', 'see to what gives'),
        ({**KEYS, 'AWS_ACCESS_KEY_ID': 'AKIDEXAMPLE\n', **NOBODY}, 'Invalid header', 'line break'),
        ({**KEYS, 'AWS_SESSION_TOKEN': 'token\n', **NOBODY}, 'Invalid header', 'line break'),
        ({**KEYS, 'HTTP_PROXY': 'http://m\u00e9:x@127.0.0.1:9', **NOBODY}, "can't encode", 'not ASCII'),
        ({**KEYS, 'AWS_DEFAULT_REGION': 'eu-west-1\n'}, 'ValueError', 'or the region'),
        ({**KEYS, 'AWS_DEFAULT_REGION': 'eu-west-1\n', **NOBODY}, 'Invalid header', 'line break'),
        ({**KEYS, 'HTTP_PROXY': 'http://[', **NOBODY}, 'Invalid IPv6 URL', 'proxies'),
        ({'AWS_PROFILE': 'missing-program'}, 'FileNotFoundError', 'is there'),
        ({'AWS_PROFILE': 'no-such'}, 'ProfileNotFound', 'add the profile'),
        ({**KEYS, 'AWS_DEFAULT_REGION': 'no region'}, 'InvalidRegionError', 'region'),
    ],
    ids=str,
)
def test_nothing_is_in_doubt_the_cure_is_told_and_one_try_is_enough(
    variables, cause, cure, files, monkeypatch, make_handler, make_logger, capsys
):
    """No request was sent, so no event may have arrived; and a flush does not try again what somebody has to mend."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    handler = make_handler('bar', boto3_profile_name=variables.get('AWS_PROFILE'), shutdown_timeout_seconds=0)
    make_logger(handler).info('kept')
    assert not handler.flush(DEADLINE_SECONDS)
    stats = handler.stats()
    assert (stats.pending, stats.uncertain) == (1, 0)
    # It may have tried once before the flush.
    assert stats.requests <= 2
    assert stats.last_error is not None
    assert cause in stats.last_error
    assert cure in stats.last_error
    assert cure in capsys.readouterr().err


def test_what_another_service_refuses_or_throttles_drops_nothing_and_slows_nothing_down():
    """STS and SSO are asked for credentials, and answer with codes that Firehose has as well."""

    def answered(code: str) -> Exception:
        return botocore.exceptions.ClientError({'Error': {'Code': code, 'Message': 'x'}}, 'AssumeRole')

    for code in ('ValidationException', 'SerializationException', 'Throttling', 'InternalFailure', '413'):
        answer = from_exception(answered(code), 1, sent=False)
        assert (answer.outcomes, answer.uncertain) == ([Outcome.RETRY], False), code


# What comes of other services, of the use of other methods than a client's, or of arguments that we do not give.
NEVER_COMES = {
    'AliasConflictParameterError', 'AwsChunkedWrapperError', 'BotoCoreError', 'Boto3Error', 'CapacityNotAvailableError',
    'ChecksumError', 'ClientError', 'ConnectionError', 'DynamoDBNeedsConditionError', 'DynamoDBNeedsKeyConditionError',
    'DynamoDBOperationNotSupportedError', 'DynanmoDBOperationNotSupportedError', 'EventStreamError',
    'FlexibleChecksumError', 'ImminentRemovalWarning', 'InvalidCrtTransferConfigError', 'InvalidDNSNameError',
    'InvalidExpressionError', 'InvalidS3AddressingStyleError', 'MD5UnavailableError', 'MissingParametersError',
    'MissingServiceIdError', 'NoVersionFound', 'OperationNotPageableError', 'PaginationError', 'PythonDeprecationWarning',
    'RangeError', 'ResourceLoadException', 'ResourceNotExistsError', 'RetriesExceededError', 'S3TransferFailedError',
    'S3UploadFailedError', 'StubAssertionError', 'StubResponseError', 'UnStubbedResponseError',
    'UndefinedModelAttributeError', 'UnknownAPIVersionError', 'UnknownClientMethodError',
    'UnknownEndpointResolutionBuiltInName', 'UnknownKeyError', 'UnknownParameterError', 'UnseekableStreamError',
    'UnsupportedOutpostResourceError', 'UnsupportedS3AccesspointConfigurationError', 'UnsupportedS3ArnError',
    'UnsupportedS3ConfigurationError', 'UnsupportedS3ControlArnError', 'UnsupportedS3ControlConfigurationError',
    'UnsupportedTLSVersionWarning', 'ValidationError', 'WaiterConfigError', 'WaiterError',
}  # fmt: skip
# Of the network, when the request may have been sent: tried again, and in doubt.
IN_DOUBT = {
    'ConnectionClosedError', 'HTTPClientError', 'IncompleteReadError', 'ReadTimeoutError', 'ResponseStreamingError',
}  # fmt: skip


def test_each_class_of_exception_of_botocore_and_boto3_is_known():
    """A new version may bring one: then it has a place here, or among what is misconfigured, with its cure."""
    classes = {
        name
        for module in (botocore.exceptions, boto3.exceptions)
        for name, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Exception) and member.__module__ == module.__name__
    }
    told = {*outcomes._CURES, *outcomes._HINTS, *outcomes._REFUSED}
    assert not classes - told - NEVER_COMES - IN_DOUBT
    assert not (NEVER_COMES | IN_DOUBT) & told
