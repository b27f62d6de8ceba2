"""Is a spool's destination what boto3 will send to? Compared with boto3's own clients, made in the same environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import pytest

from firefighter._delivery.clients import ClientFactory, ClientOptions
from firefighter._spool.disk.destination import Destination

CONFIG = """
[default]
region = sa-east-1

[profile plain]
region = us-east-1

[profile "with space"]
region = us-east-2

[profile local]
region = us-west-1
endpoint_url = http://127.0.0.1:1

[profile own-service]
region = us-west-2
endpoint_url = http://127.0.0.1:2
services = mine

[services mine]
s3 =
  endpoint_url = http://127.0.0.1:3
firehose =
  endpoint_url = http://127.0.0.1:4

[profile ignoring]
region = eu-central-1
endpoint_url = http://127.0.0.1:5
ignore_configured_endpoint_urls = true

[profile fips]
region = us-east-1
use_fips_endpoint = true

[profile elsewhere]
region = eu-north-1

[unheard-of]
region = af-south-1

[profile o'k]
region = af-south-1
"""
CREDENTIALS = """
[plain]
aws_access_key_id = AKIAPLAIN
aws_secret_access_key = x

[elsewhere]
region = ap-south-1
"""


@pytest.fixture
def environment(monkeypatch, tmp_path) -> pytest.MonkeyPatch:
    """A home with both files, and nothing in the environment."""
    for name in list(os.environ):
        if name.startswith('AWS_'):
            monkeypatch.delenv(name)
    monkeypatch.setenv('AWS_EC2_METADATA_DISABLED', 'true')
    monkeypatch.setenv('HOME', str(tmp_path))
    write(tmp_path / '.aws')
    return monkeypatch


def write(folder: Path, config: str = CONFIG, credentials: str = CREDENTIALS) -> None:
    folder.mkdir(parents=True)
    (folder / 'config').write_text(config)
    (folder / 'credentials').write_text(credentials)


def destination(**options: Any) -> Destination:
    return ClientFactory(None, ClientOptions(**options)).destination('bar')


@pytest.mark.parametrize(
    ('options', 'variables'),
    [
        ({}, {}),
        ({}, {'AWS_DEFAULT_REGION': 'eu-west-2'}),
        # botocore does not read it.
        ({}, {'AWS_REGION': 'eu-west-2'}),
        ({}, {'AWS_PROFILE': 'plain'}),
        ({}, {'AWS_PROFILE': 'plain', 'AWS_DEFAULT_PROFILE': 'local'}),
        ({}, {'AWS_PROFILE': 'default'}),
        ({}, {'AWS_PROFILE': 'elsewhere'}),
        ({}, {'AWS_PROFILE': 'plain', 'AWS_DEFAULT_REGION': 'eu-west-2'}),
        ({}, {'AWS_PROFILE': 'own-service'}),
        ({}, {'AWS_PROFILE': 'own-service', 'AWS_ENDPOINT_URL': 'http://127.0.0.1:6'}),
        ({}, {'AWS_ENDPOINT_URL': 'http://127.0.0.1:6', 'AWS_ENDPOINT_URL_FIREHOSE': 'http://127.0.0.1:7'}),
        ({}, {'AWS_PROFILE': 'local', 'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS': 'true'}),
        ({}, {'AWS_PROFILE': 'ignoring'}),
        ({}, {'AWS_PROFILE': 'fips'}),
        ({}, {'AWS_PROFILE': 'plain', 'AWS_USE_FIPS_ENDPOINT': 'true'}),
        ({}, {'AWS_PROFILE': 'plain', 'AWS_USE_DUALSTACK_ENDPOINT': 'True'}),
        ({'profile_name': 'with space'}, {'AWS_PROFILE': 'plain'}),
        ({'profile_name': 'local', 'region_name': 'eu-west-3'}, {}),
        ({'endpoint_url': 'http://127.0.0.1:8'}, {'AWS_PROFILE': 'own-service'}),
    ],
    ids=str,
)
def test_it_is_what_boto3_resolves(options, variables, environment):
    """From the arguments, the environment and the files, in botocore's own order."""
    for name, value in variables.items():
        environment.setenv(name, value)
    session = boto3.session.Session(profile_name=options.get('profile_name'))
    client: Any = session.client(
        'firehose', region_name=options.get('region_name'), endpoint_url=options.get('endpoint_url')
    )
    found = destination(**options)
    assert found.region == client.meta.region_name
    standard = f'https://firehose.{found.region}.amazonaws.com'
    if found.endpoint_variant == 'fips':
        standard = standard.replace('firehose', 'firehose-fips')
    elif found.endpoint_variant == 'dualstack':
        standard = standard.replace('amazonaws.com', 'api.aws')
    assert (found.endpoint_url or standard) == client.meta.endpoint_url


def test_what_looks_like_a_password_parts_two_endpoints_and_is_not_in_them(environment):
    """It may be a password with a slash, or a path with an `@`: then it is another host. What is written is no URL, so nothing is sent to it."""
    urls = [f'https://{host}/secret@eu' for host in ('one', 'other', 'user:12')]
    found = [destination(endpoint_url=url).endpoint_url for url in urls]
    assert len(set(found)) == len(urls)
    for endpoint in found:
        assert endpoint.startswith('...@https://eu (')
        assert 'secret' not in endpoint
        with pytest.raises(ValueError, match='Invalid endpoint'):
            boto3.client('firehose', region_name='eu-west-1', endpoint_url=endpoint)
    clear = destination(endpoint_url='https://user:secret@x@eu/path')
    assert clear == destination(endpoint_url='https://eu/path')


PAIRS = [
    # botocore's name for it has the second place.
    ({'AWS_DEFAULT_PROFILE': 'plain'}, {'AWS_DEFAULT_PROFILE': 'local'}),
    ({'AWS_PROFILE': 'plain'}, {'AWS_PROFILE': 'plain', 'AWS_CONFIG_FILE': 'other'}),
    ({'AWS_PROFILE': 'plain'}, {'AWS_PROFILE': 'plain', 'AWS_SHARED_CREDENTIALS_FILE': 'other'}),
    ({'AWS_PROFILE': 'plain'}, {'AWS_PROFILE': 'plain', 'AWS_ACCESS_KEY_ID': 'AKIAOTHER'}),
    ({'AWS_ROLE_ARN': 'arn:aws:iam::1:role/a'}, {'AWS_ROLE_ARN': 'arn:aws:iam::2:role/a'}),
    ({}, {'AWS_USE_FIPS_ENDPOINT': 'true'}),
    ({}, {'BOTO_CONFIG': 'other'}),
    # The usual files of another home, which is not that of the user who runs.
    ({'HOME': 'one'}, {'HOME': 'other'}),
]


@pytest.mark.parametrize(('one', 'other'), PAIRS, ids=str)
def test_what_leads_elsewhere_is_another_destination(one, other, environment, tmp_path):
    """Where the profile is, its files, the keys, the role."""
    for name in ('one', 'other'):
        write(tmp_path / name / '.aws')
    environment.chdir(tmp_path)
    with environment.context() as changed:
        for name, value in one.items():
            changed.setenv(name, value)
        first = destination()
        assert first == destination()
    for name, value in other.items():
        environment.setenv(name, value)
    assert destination() != first


def test_what_leads_nowhere_else_parts_nothing(environment, tmp_path):
    """A variable that boto3 does not read, the usual place of a file, keys that make roles and profiles void."""
    first = destination()
    environment.setenv('AWS_REGION', 'mx-central-1')
    environment.setenv('AWS_DEFAULT_PROFILE', 'default')
    assert destination() == first
    environment.setenv('AWS_ACCESS_KEY_ID', 'AKIAONE')
    first = destination()
    environment.setenv('AWS_ROLE_ARN', 'arn:aws:iam::1:role/a')
    assert destination() == first
    # A profile that is named in the code comes before the keys.
    with_profile = destination(profile_name='plain')
    assert with_profile.account_or_key is None
    assert with_profile.role_arn is not None


KEY = '\naws_access_key_id = {}\naws_secret_access_key = x\n'
PROCESS = (
    """credential_process = echo '{"Version": 1, "AccessKeyId": "ASIAPROCESS", "SecretAccessKey": "x"}'\n"""
)


@pytest.mark.parametrize(
    ('config', 'credentials', 'variables'),
    [
        ('', KEY.format('AKIAONE'), {}),
        (KEY.format('AKIATWO'), '', {}),
        (KEY.format('AKIATWO'), KEY.format('AKIAONE'), {}),
        (PROCESS, KEY.format('AKIAONE'), {}),
        (PROCESS + KEY.format('AKIATWO'), '', {}),
        ('', KEY.format('AKIAONE'), {'AWS_ACCESS_KEY_ID': 'AKIAENV', 'AWS_SECRET_ACCESS_KEY': 'x'}),
        ('', KEY.format('ASIATHREE') + 'aws_session_token = x\n', {}),
    ],
)
def test_the_key_is_the_one_that_boto3_finds(config, credentials, variables, environment, tmp_path):
    """Two accounts' keys may follow each other in one file. Temporary ones, which change by themselves, are not told apart."""
    for name, text in (('config', config), ('credentials', credentials)):
        (tmp_path / '.aws' / name).write_text(f'[default]\n{text}')
    for name, value in variables.items():
        environment.setenv(name, value)
    found = boto3.session.Session().get_credentials().access_key
    assert destination().account_or_key == (found if found.startswith('AKIA') else None)


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no pipes with names')
def test_a_file_that_is_a_pipe_is_left_to_boto3(environment, tmp_path):
    """It can be read once, and blocks until somebody writes."""
    os.mkfifo(tmp_path / 'pipe')
    environment.setenv('AWS_SHARED_CREDENTIALS_FILE', str(tmp_path / 'pipe'))
    assert str(tmp_path / 'pipe') in destination().files


@pytest.mark.parametrize(
    'text',
    ['[', 'region = eu-west-1', '[profile plain]\nregion', '[profile "plain]\nregion = x', '\x00', b'\xff'],
)
def test_a_file_that_cannot_be_read_configures_nothing(text, environment, tmp_path):
    """boto3 says what is wrong with it."""
    (tmp_path / '.aws' / 'config').write_bytes(text if isinstance(text, bytes) else text.encode())
    environment.setenv('AWS_PROFILE', 'plain')
    found = destination()
    assert (found.profile, found.region, found.endpoint_url) == ('plain', None, None)


def test_sessions_are_told_apart_by_profile_region_and_key(environment, tmp_path):
    """Also in a forked child, which has no client yet."""
    environment.setenv('AWS_PROFILE', 'fips')
    with (tmp_path / '.aws' / 'credentials').open('a') as file:
        for name in ('default', 'local', 'fips'):
            file.write(f'[{name}]\naws_access_key_id = ASIAONE\naws_secret_access_key = x\n')
    sessions = [
        boto3.session.Session(profile_name='default'),
        boto3.session.Session(profile_name='plain'),
        boto3.session.Session(profile_name='local'),
        boto3.session.Session(region_name='eu-west-1'),
        boto3.session.Session(region_name='eu-west-2'),
        boto3.session.Session('AKIAONE', 'secret', region_name='eu-west-1'),
        boto3.session.Session('AKIATWO', 'secret', region_name='eu-west-1'),
    ]
    factories = [ClientFactory(None, ClientOptions(session=session)) for session in sessions]
    found = [factory.destination('bar') for factory in factories]
    assert len(set(found)) == len(sessions)
    assert [factory.after_fork().destination('bar') for factory in factories] == found
    # In the parent's child, too.
    assert [factory.after_fork().after_fork().destination('bar') for factory in factories] == found


def test_clients_are_told_apart_by_region_endpoint_and_key(environment):
    """Those that the program has made by itself."""

    def client(region: str = 'eu-west-1', key: str = 'AKIAONE', endpoint_url: str | None = None) -> Any:
        return boto3.client(
            'firehose',
            region_name=region,
            endpoint_url=endpoint_url,
            aws_access_key_id=key,
            aws_secret_access_key='secret',
            config=botocore.config.Config(retries={'total_max_attempts': 1, 'mode': 'standard'}),
        )

    clients = [
        client(),
        client(region='eu-west-2'),
        client(key='AKIATWO'),
        client(endpoint_url='http://127.0.0.1:1'),
    ]
    same = client()
    # It says where keys of the environment lead, not where this client does.
    environment.setenv('AWS_ENDPOINT_URL', 'http://127.0.0.1:9')
    found = [ClientFactory(each, ClientOptions()).destination('bar') for each in clients]
    assert [each.endpoint_url for each in found] == [each.meta.endpoint_url for each in clients]
    assert len(set(found)) == len(clients)
    assert found[0] == ClientFactory(same, ClientOptions()).destination('bar')


def test_it_is_told_when_the_first_event_comes(environment, make_handler, make_logger, tmp_path):
    """As the client is made after that: a program may load its environment between the handler's making and its first event."""
    environment.setenv('AWS_DEFAULT_REGION', 'eu-west-1')
    handler = make_handler(
        'bar', spool_dir=tmp_path / 'spool', endpoint_url='http://127.0.0.1:9', shutdown_timeout_seconds=0
    )
    environment.setenv('AWS_DEFAULT_REGION', 'eu-west-2')
    make_logger(handler).info('one')
    folder = handler._pipeline.place.path.parent
    assert Destination.from_json((folder / 'destination.json').read_bytes()).region == 'eu-west-2'


def test_dead_processes_are_looked_for_where_the_client_will_send(environment, make_handler, tmp_path):
    """Also where no event has come."""
    environment.setenv('AWS_DEFAULT_REGION', 'eu-west-1')
    handler = make_handler(
        'bar', spool_dir=tmp_path / 'spool', endpoint_url='http://127.0.0.1:9', shutdown_timeout_seconds=0
    )
    environment.setenv('AWS_DEFAULT_REGION', 'eu-west-2')
    assert handler.flush()
    assert handler._pipeline.place._directory.destination.region == 'eu-west-2'
