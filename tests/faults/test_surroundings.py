"""What if the trouble is not Firehose's: names that do not resolve, certificates that are wrong, keys that expire?

Everything is real, the handler's own client included, except for the name server.
"""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import subprocess
import sys
import textwrap
from collections import Counter

import pytest
import trustme

from arrivals import adds_up, deliver_everything, flush_until_it_fails, messages_in
from firefighter.local import LocalFirehose

EVENTS = Counter({str(number): 1 for number in range(3)})


class NameServer:
    """Knows one name only when it is told to.

    Args:
        name: the name, of this machine.
        resolve: what looks up all others.
    """

    def __init__(self, name, resolve):
        self._name = name
        self._resolve = resolve
        self.knows = False

    def __call__(self, host, *arguments, **options):
        if host != self._name:
            return self._resolve(host, *arguments, **options)
        if not self.knows:
            raise socket.gaierror(socket.EAI_AGAIN, 'Temporary failure in name resolution')
        return self._resolve('127.0.0.1', *arguments, **options)


@pytest.fixture
def log(make_logger):
    """Log the events."""

    def log_numbers(handler) -> None:
        logger = make_logger(handler)
        for number in EVENTS:
            logger.info(number)

    return log_numbers


@pytest.mark.skipif(sys.platform != 'linux', reason='a matter of glibc')
@pytest.mark.parametrize('options', [{}, {'use_queues': False}])
def test_a_program_without_a_descriptor_left_ends_by_itself(options):
    """Up to Python 3.13 the end of a daemon thread at exit needs a library, which glibc loads then, or aborts."""
    program = f"""
        import logging, os, resource
        from firefighter.logging import FirehoseHandler

        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        handler = FirehoseHandler(
            'bar', endpoint_url='http://127.0.0.1:9', shutdown_timeout_seconds=1, **{options!r}
        )
        logger = logging.getLogger()
        logger.addHandler(handler)
        logger.warning('before')
        handler.flush(1)
        taken = []
        try:
            while True:
                taken.append(os.open('/dev/null', os.O_RDONLY))
        except OSError:
            logger.warning('behind')
        """
    ended = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(program)], stderr=subprocess.PIPE, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert 'closed with 2 events undelivered' in ended.stderr


def arrived(endpoint):
    endpoint.flush()
    return messages_in(endpoint.folder)


def assert_kept(stats, error):
    """All is pending, nothing counts as delivered or lost, and the account says what is wrong."""
    assert (stats.delivered, stats.dropped, stats.pending) == (0, {}, len(EVENTS))
    assert stats.uncertain == 0
    assert adds_up(stats)
    assert error in stats.last_error


# Names.


@pytest.fixture
def name_server(monkeypatch):
    server = NameServer('firehose.example', socket.getaddrinfo)
    monkeypatch.setattr(socket, 'getaddrinfo', server)
    return server


def test_events_wait_until_the_endpoints_name_resolves(name_server, tmp_path, make_handler, log):
    """DNS that fails: nothing was sent, so nothing is uncertain, and nothing is lost."""
    with LocalFirehose(tmp_path, streams=['bar'], allow_hosts=['firehose.example']) as endpoint:
        handler = make_handler(
            'bar', endpoint_url=endpoint.url.replace('127.0.0.1', 'firehose.example'), send_interval=0
        )
        log(handler)
        assert_kept(flush_until_it_fails(handler), 'EndpointConnectionError')
        name_server.knows = True
        deliver_everything(handler)
        assert arrived(endpoint) == EVENTS


def test_a_name_that_no_server_knows_is_said_with_where_to_look(make_handler, log, capfd):
    """The real look-up of a name that is reserved for not existing (RFC 6761)."""
    handler = make_handler('bar', endpoint_url='http://firehose.invalid', shutdown_timeout_seconds=0)
    log(handler)
    assert_kept(flush_until_it_fails(handler), 'EndpointConnectionError')
    handler.close()
    assert 'is the network up, and are region and endpoint_url right?' in capfd.readouterr().err


# Certificates.


@pytest.fixture(scope='module')
def authority():
    """Make what the handler's machine trusts."""
    return trustme.CA()


@pytest.fixture
def trust(authority, tmp_path, monkeypatch):
    bundle = tmp_path / 'trusted.pem'
    authority.cert_pem.write_to_path(bundle)
    monkeypatch.setenv('AWS_CA_BUNDLE', str(bundle))


def served_with(certificate):
    """Return a server's context that shows a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def wrong_name(authority):
    return authority.issue_cert('elsewhere.example')


def unknown_authority(_):
    return trustme.CA().issue_cert('127.0.0.1')


def expired(authority):
    yesterday = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=1)
    return authority.issue_cert('127.0.0.1', not_before=yesterday, not_after=yesterday)


@pytest.mark.parametrize(
    ('wrong', 'cause'),
    [
        (wrong_name, "hostname '127.0.0.1' doesn't match 'elsewhere.example'"),
        (unknown_authority, 'unable to get local issuer certificate'),
        (expired, 'certificate has expired'),
    ],
)
@pytest.mark.usefixtures('long_pauses')
def test_nothing_goes_to_an_endpoint_whose_certificate_is_wrong(
    wrong, cause, authority, trust, tmp_path, make_handler, log, capfd
):
    """It is said with its cause, the events wait, and go once the certificate is right."""
    context = served_with(wrong(authority))
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], tls=context) as endpoint:
        handler = make_handler('bar', endpoint_url=endpoint.url)
        log(handler)
        assert not handler.flush()
        assert_kept(handler.stats(), "see that the endpoint's certificate is trusted here")
        authority.issue_cert('127.0.0.1').configure_cert(context)
        stats = deliver_everything(handler)
        assert arrived(endpoint) == EVENTS
        assert (stats.requests, stats.retried) == (2, len(EVENTS))
    assert cause in capfd.readouterr().err


def test_an_endpoint_with_a_trusted_certificate_gets_everything_at_once(
    authority, trust, tmp_path, make_handler, log
):
    """HTTPS is what AWS speaks; all else here is plain."""
    context = served_with(authority.issue_cert('127.0.0.1'))
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], tls=context) as endpoint:
        assert endpoint.url.startswith('https://')
        handler = make_handler('bar', endpoint_url=endpoint.url)
        log(handler)
        stats = deliver_everything(handler)
        assert arrived(endpoint) == EVENTS
        assert (stats.requests, stats.uncertain) == (1, 0)


# Credentials.

KEYS = """
import datetime, json, sys
valid = datetime.timedelta(minutes=float(sys.argv[2]))
print(json.dumps({
    'Version': 1, 'AccessKeyId': open(sys.argv[1]).read(), 'SecretAccessKey': 'secret', 'SessionToken': 'token',
    'Expiration': (datetime.datetime.now(datetime.timezone.utc) + valid).isoformat(),
}))
"""


@pytest.fixture
def endpoint(tmp_path):
    with LocalFirehose(tmp_path / 'firehose', streams=['bar']) as started:
        yield started


@pytest.fixture
def key_file(tmp_path):
    """The key that whoever hands out credentials gives now."""
    path = tmp_path / 'key'
    path.write_text('AKIDOLD')
    return path


@pytest.fixture
def profile(tmp_path, key_file, monkeypatch):
    """Make a profile that has its credentials from a process, valid for so many minutes."""

    def make(valid_minutes):
        program = tmp_path / 'keys.py'
        program.write_text(KEYS)
        configuration = tmp_path / 'configuration'
        configuration.write_text(
            '[profile shop]\nregion = eu-west-1\n'
            f'credential_process = "{sys.executable}" "{program}" "{key_file}" {valid_minutes}\n'
        )
        monkeypatch.setenv('AWS_CONFIG_FILE', str(configuration))
        return 'shop'

    return make


@pytest.mark.parametrize('valid_minutes', [5, 600], ids=['soon', 'in ten hours'])
@pytest.mark.usefixtures('long_pauses')
def test_events_wait_for_credentials_that_are_renewed(
    valid_minutes, endpoint, profile, key_file, make_handler, log
):
    """Whether botocore thinks that it is time to ask for new ones, or has been told that the old ones are good for long."""
    endpoint.inject('expired-key', key='AKIDOLD')
    handler = make_handler('bar', endpoint_url=endpoint.url, boto3_profile_name=profile(valid_minutes))
    log(handler)
    assert not handler.flush()
    assert_kept(handler.stats(), 'ExpiredTokenException')
    key_file.write_text('AKIDNEW')
    stats = deliver_everything(handler)
    assert arrived(endpoint) == EVENTS
    assert (stats.requests, stats.retried, stats.uncertain) == (2, len(EVENTS), 0)


def test_credentials_that_expire_in_the_middle_cost_nothing(endpoint, profile, key_file, make_handler, log):
    """A handler that has delivered with the old ones goes on with the new ones."""
    handler = make_handler('bar', endpoint_url=endpoint.url, boto3_profile_name=profile(600))
    log(handler)
    assert handler.flush()
    endpoint.inject('expired-key', key='AKIDOLD')
    log(handler)
    assert not handler.flush()
    key_file.write_text('AKIDNEW')
    deliver_everything(handler)
    assert arrived(endpoint) == EVENTS + EVENTS


def test_events_wait_for_credentials_that_come_later(endpoint, tmp_path, monkeypatch, make_handler, log):
    """A file that is written, or mounted, after the program has started."""
    credentials = tmp_path / 'credentials'
    monkeypatch.setenv('AWS_SHARED_CREDENTIALS_FILE', str(credentials))
    for name in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'):
        monkeypatch.delenv(name)
    handler = make_handler('bar', endpoint_url=endpoint.url)
    log(handler)
    assert not handler.flush()
    assert_kept(handler.stats(), 'give the process AWS credentials')
    credentials.write_text('[default]\naws_access_key_id = AKIDNEW\naws_secret_access_key = secret\n')
    deliver_everything(handler)
    assert arrived(endpoint) == EVENTS


def test_a_file_of_credentials_that_is_written_anew_is_read_anew(
    endpoint, tmp_path, monkeypatch, make_handler, log
):
    """Nothing tells botocore of it: only that the old ones are refused."""
    credentials = tmp_path / 'credentials'
    form = '[default]\naws_access_key_id = {}\naws_secret_access_key = secret\naws_session_token = token\n'
    credentials.write_text(form.format('AKIDOLD'))
    monkeypatch.setenv('AWS_SHARED_CREDENTIALS_FILE', str(credentials))
    for name in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'):
        monkeypatch.delenv(name)
    endpoint.inject('expired-key')
    handler = make_handler('bar', endpoint_url=endpoint.url)
    log(handler)
    assert not handler.flush()
    assert_kept(handler.stats(), 'renew the credentials')
    replacement = tmp_path / 'credentials.new'
    replacement.write_text(form.format('AKIDNEW'))
    replacement.replace(credentials)
    deliver_everything(handler)
    assert arrived(endpoint) == EVENTS
