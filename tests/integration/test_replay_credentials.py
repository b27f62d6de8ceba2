"""Does `firefighter spool replay` sign with what the handler would sign with, in the same environment?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from firehose_server import Connection, FirehoseServer, running
from programs import ENOUGH_SECONDS

CONFIG = '[profile alpha]\nregion = eu-west-1\n'
CREDENTIALS = '[alpha]\naws_access_key_id = AKIAALPHA\naws_secret_access_key = x\n'
LIFE = """
import logging, os, signal
from firefighter.logging import FirehoseHandler
handler = FirehoseHandler('bar', spool_dir=os.environ['SPOOL'], **OPTIONS)
logging.getLogger('foo').addHandler(handler)
logging.getLogger('foo').warning('one')
os.kill(os.getpid(), signal.SIGKILL)
"""


class Noting(Connection):
    """Notes by which key a request was signed."""

    keys: tuple[str, ...] = ()

    def serve(self) -> None:
        Noting.keys += (self.headers['Authorization'].partition('Credential=')[2].partition('/')[0],)
        super().serve()


@pytest.fixture
def service(monkeypatch) -> Iterator[FirehoseServer]:
    monkeypatch.setattr(Noting, 'keys', ())
    with running(Noting) as service:
        yield service


@pytest.mark.parametrize(
    ('variables', 'options', 'key'),
    [
        # Keys in the environment come before its profile, but not before one that the program names.
        ({'AWS_PROFILE': 'alpha', 'AWS_ACCESS_KEY_ID': 'ASIAENV'}, {}, 'ASIAENV'),
        ({'AWS_PROFILE': 'alpha', 'AWS_ACCESS_KEY_ID': 'AKIAENV'}, {}, 'AKIAENV'),
        ({'AWS_PROFILE': 'alpha'}, {}, 'AKIAALPHA'),
        ({}, {'boto3_profile_name': 'alpha'}, 'AKIAALPHA'),
        # It cannot know that the program has named it: so it asks, and nobody answers.
        ({'AWS_PROFILE': 'alpha', 'AWS_ACCESS_KEY_ID': 'ASIAENV'}, {'boto3_profile_name': 'alpha'}, None),
    ],
    ids=str,
)
def test_it_asks_or_signs_as_the_handler_has(variables, options, key, service, tmp_path):
    """Never by other credentials unasked."""
    (tmp_path / 'config').write_text(CONFIG)
    (tmp_path / 'credentials').write_text(CREDENTIALS)
    environment = {name: value for name, value in os.environ.items() if not name.startswith('AWS_')}
    environment |= {
        'AWS_CONFIG_FILE': str(tmp_path / 'config'),
        'AWS_SHARED_CREDENTIALS_FILE': str(tmp_path / 'credentials'),
        'AWS_DEFAULT_REGION': 'eu-west-1',
        'AWS_SECRET_ACCESS_KEY': 'secret' if 'AWS_ACCESS_KEY_ID' in variables else '',
        'AWS_ENDPOINT_URL': service.url,
        'SPOOL': str(tmp_path / 'spool'),
        **variables,
    }
    # Killed while it sends or before: either way the event is there.
    life = subprocess.run(
        [sys.executable, '-c', LIFE.replace('OPTIONS', repr(options))],
        env=environment,
        timeout=ENOUGH_SECONDS,
        check=False,
    )
    assert life.returncode == -signal.SIGKILL
    Noting.keys = ()
    replay = subprocess.run(
        [sys.executable, '-m', 'firefighter', 'spool', 'replay', environment['SPOOL']],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ENOUGH_SECONDS,
        check=False,
    )
    assert set(Noting.keys) == ({key} if key else set()), replay
    assert replay.returncode == (0 if key else 1), replay
    assert ('another destination' in replay.stdout) is (key is None)
