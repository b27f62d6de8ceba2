"""Is a password or a credential left out of what others say, and is the rest left as it is?"""

from __future__ import annotations

import pytest

from firefighter._delivery.diagnostics import one_line, without_user

SLIPS = [
    'http://user:secret@proxy:9',
    'http://user:12/secret@proxy:9',
    'http://user:a secret"@proxy:9',
    'http://user:secret@b@proxy:9',
    'http://user:a?#secret@proxy:9',
    'http://secret@proxy:9/p',
    'http:/user:secret@proxy:9',
    'http:\\\\user:secret@proxy:9',
    '//user:secret@proxy:9',
]


@pytest.mark.parametrize('url', [*SLIPS, 'user:secret@proxy:9', 'http:user:secret@proxy:9'])
def test_of_a_url_with_a_slip_rather_too_much_is_left_out(url):
    """Nobody may have escaped the password. botocore quotes even what is no URL; a proxy's page may be cut in the middle of one."""
    assert 'secret' not in without_user(url)
    assert without_user(url).rstrip('p/').endswith('proxy:9')
    for text in (
        f'Invalid endpoint: {url}',
        f'Failed to connect to proxy URL: "{url}"',
        f'Failed to parse: {url!r}',
    ):
        assert 'secret' not in one_line(text)
    assert url not in SLIPS or 'secret' not in one_line(f'it is {url}, and {url}')
    assert 'secret' not in one_line(f'http://{"x" * 2900}@y http://secret{"x" * 200}@y')


@pytest.mark.parametrize(
    'text',
    [
        "Invalid header value b'secret\\n'",
        f"Invalid header value b'secret{'x' * 5_000}'",
        "Port could not be cast to integer value as 'secret'",
        "Failed to parse: 'user:secret' is not a valid host or port",
        "netloc 'user:secret\u2100@proxy' contains invalid characters under NFKC normalization",
        "'secret' does not appear to be an IPv4 or IPv6 address",
        "Invalid type for parameter accessToken, value: secret, type: <class 'int'>",
        "'x' not a valid key=value pair in Authorization header: 'AWS4-HMAC-SHA256 Credential=AKIA, Signature=secret'",
        "The Canonical String for this request should have been\n'POST\n/\n\nx-amz-security-token:secret\n'",
        'non 200 response 500 from container metadata: {"AccessKeyId": "AKIA", "SecretAccessKey": "secret"}',
        "Error when retrieving credentials from custom-process: + curl -H 'X-Vault-Token: secret' http://x",
        'AWS_SESSION_TOKEN=secret',
    ],
)
def test_the_credential_that_a_message_quotes_is_left_out(text):
    """What http.client, urllib3, urllib.parse, botocore and AWS write of a header, a key or a piece of a URL."""
    line = one_line(f'HTTPClientError: it was: {text}')
    assert line.startswith('HTTPClientError: it was: ')
    assert 'secret' not in line
    assert '...' in line


@pytest.mark.parametrize(
    'text',
    [
        'ExpiredToken: The security token included in the request is expired',
        'InvalidIdentityToken: No OpenIDConnect provider found in your account',
        'Partial credentials found in config-file, missing: aws_secret_access_key',
        "Missing required key in response: 'SecretAccessKey'",
        'Error loading SSO Token: Token for s does not exist',
    ],
)
def test_a_message_that_names_a_credential_stays_whole(text):
    """It says what is wrong."""
    assert one_line(text) == text
