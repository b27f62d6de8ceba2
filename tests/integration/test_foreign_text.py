"""What others write, into an answer or a URL, is neither repeated at length nor are its secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from firefighter._delivery.diagnostics import MAX_CHARACTERS, one_line
from firefighter.local import LocalFirehose
from programs import ENOUGH_SECONDS

PAGE = '<html>\x1b[31mPlease log in,\nuser:\x07 http://me:secret@proxy/ ' + 'x' * 3_000_000


def run(code: str, url: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program whose `logger` has a `handler` to that endpoint."""
    preamble = """
    import json, logging, random, sys
    from firefighter.logging import FirehoseHandler
    logger = logging.getLogger('foo')
    logger.setLevel(logging.DEBUG)
    """
    return subprocess.run(
        [sys.executable, '-c', textwrap.dedent(preamble) + textwrap.dedent(code)],
        env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': url, **environment},
        capture_output=True,
        text=True,
        timeout=ENOUGH_SECONDS,
        check=False,
    )


@pytest.fixture
def nobody(tmp_path):
    """Return the address of an endpoint that has ended."""
    with LocalFirehose(tmp_path / 'nobody') as endpoint:
        return endpoint.url.removeprefix('http://')


ASK = """
handler = FirehoseHandler('bar', shutdown_timeout_seconds=1)
logger.addHandler(handler)
logger.info('Ahoy')
while handler.stats().last_error is None:
    handler.flush(0.1)
print(json.dumps(handler.stats().last_error))
"""


@pytest.mark.parametrize('fault', ['not-json', 'unavailable'])
def test_a_long_answer_makes_one_short_line(fault, tmp_path):
    """A proxy's page of 3 MB, with newlines and escape sequences, on stderr and in `last_error`."""
    with LocalFirehose(tmp_path / 'out', streams=['bar']) as endpoint:
        endpoint.inject(fault, **{'body' if fault == 'not-json' else 'message': PAGE})
        ended = run(ASK, endpoint.url)
    for text in (json.loads(ended.stdout), *ended.stderr.splitlines()):
        assert text.isprintable(), text
        assert len(text) < 500
        assert 'secret' not in text
    assert len(ended.stderr.splitlines()) <= 3  # the cause, and what was not delivered


@pytest.mark.parametrize('user', ['me:secret', 'me:a secret', 'me:12/secret'])
@pytest.mark.parametrize('where', ['environment', 'argument'])
def test_the_password_of_an_endpoint_is_written_nowhere(where, user, nobody, tmp_path):
    """Neither on stderr, nor in `last_error`, nor into a file of the spool; also where it should have been escaped."""
    url = f'http://{user}@{nobody}'
    code = ASK.replace("'bar'", f"'bar', spool_dir={str(tmp_path / 'spool')!r}, endpoint_url={url!r}")
    if where == 'environment':
        code = code.replace(f', endpoint_url={url!r}', '')
    ended = run(code, url)
    assert nobody in ended.stderr
    files = [path for path in (tmp_path / 'spool').rglob('*') if path.is_file()]
    assert any(path.suffix == '.spool' for path in files)
    assert [path.name for path in files if b'secret' in path.read_bytes()] == []
    assert 'secret' not in ended.stdout + ended.stderr


def test_a_wrong_endpoint_is_named_without_its_password():
    """In the exception of the constructor."""
    ended = run("FirehoseHandler('bar', endpoint_url='me:secret@proxy:80')", '')
    assert "not 'proxy:80'" in ended.stderr.splitlines()[-1]
    assert 'secret' not in ended.stderr.splitlines()[-1]


def test_the_programs_random_numbers_stay_the_same(nobody):
    """A program that has seeded `random` gets the same numbers, though requests failed meanwhile."""
    code = f"""
    random.seed(7)
    {textwrap.indent(ASK, '    ').strip()}
    print(random.random())
    """
    ended = run(code, f'http://{nobody}')
    assert 'EndpointConnectionError' in ended.stdout
    assert ended.stdout.splitlines()[-1] == '0.32383276483316237'


def test_texts_are_cut_and_made_printable():
    """What does something to a terminal is left out, and what is short stays as it is."""
    assert one_line('as it is') == 'as it is'
    assert one_line('one\n two\x1b[2Jthree\x9b4m\x00') == 'one two three 4m'
    assert len(one_line('é' * 1_000)) == MAX_CHARACTERS
    assert one_line('see https://a:b@c/d') == 'see https://...@c/d'
    role = 'arn:aws:sts::1:assumed-role/r/me@example.com may not; see https://example.com'
    assert one_line(role) == role


@pytest.mark.parametrize('variable', ['AWS_ACCESS_KEY_ID', 'AWS_SESSION_TOKEN'])
def test_a_credential_that_cannot_be_sent_is_written_nowhere(variable, nobody):
    """With a newline, as `echo` puts it into a secret."""
    ended = run(ASK, f'http://{nobody}', **{variable: 'IQoJsecret\n'})
    assert 'Invalid header value' in json.loads(ended.stdout)
    assert 'secret' not in ended.stdout + ended.stderr
