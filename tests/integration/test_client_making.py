"""When is the boto3 client made, where, how often, and of what?"""

from __future__ import annotations

import threading

import boto3
import boto3.session
import pytest
from botocore.loaders import JSONFileLoader

from firefighter._delivery.clients import ClientOptions, make_client
from firefighter.local import LocalFirehose


@pytest.fixture
def sessions(monkeypatch):
    """What sessions were made since, each with the thread that made it and the clients that it made."""
    made = []

    class NotedSession(boto3.session.Session):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.made_in = threading.current_thread()
            self.clients = []
            made.append(self)

        def client(self, *args, **kwargs):
            client = super().client(*args, **kwargs)
            self.clients.append((threading.current_thread(), client))
            return client

    monkeypatch.setattr(boto3.session, 'Session', NotedSession)
    monkeypatch.setattr(boto3, 'DEFAULT_SESSION', None)
    return made


def test_each_handler_makes_one_client_in_a_thread_of_delivery_from_a_session_of_its_own(
    sessions, tmp_path, make_handler, make_logger
):
    """Late, once, though several requests are under way: making one is slow, and sessions are not thread-safe."""
    with LocalFirehose(tmp_path, streams=['bar', 'baz']) as endpoint:
        handlers = [
            make_handler(stream, endpoint_url=endpoint.url, max_in_flight=4) for stream in ('bar', 'baz')
        ]
        for handler in handlers:
            logger = make_logger(handler)
            for number in range(3000):
                logger.info(number)
        assert all(handler.flush() for handler in handlers)
    assert len(sessions) == 2
    for session in sessions:
        ((made_in, _),) = session.clients
        assert made_in is session.made_in
        assert made_in.name.startswith('firefighter-ba')
    assert boto3.DEFAULT_SESSION is None


def test_what_botocore_reads_of_the_service_is_read_once_for_all_handlers(monkeypatch):
    """8 MiB, and a twentieth of a second, that twenty handlers would need twenty times."""
    make_client(ClientOptions())
    read = []
    monkeypatch.setattr(JSONFileLoader, 'load_file', lambda self, path: read.append(path))
    assert make_client(ClientOptions()).put_record_batch
    assert read == []


def test_a_profile_that_has_botocore_look_elsewhere_has_its_own(monkeypatch, tmp_path):
    """`data_path` in the configuration file: a description of the service of one's own."""
    (tmp_path / 'config').write_text(
        f'[profile own]\ndata_path = {tmp_path}\naws_access_key_id = a\naws_secret_access_key = b\n',
        encoding='utf-8',
    )
    monkeypatch.setenv('AWS_CONFIG_FILE', str(tmp_path / 'config'))
    make_client(ClientOptions())
    read = []
    load = JSONFileLoader.load_file
    monkeypatch.setattr(
        JSONFileLoader, 'load_file', lambda self, path, *rest: read.append(path) or load(self, path, *rest)
    )
    make_client(ClientOptions(profile_name='own'))
    assert any(path.startswith(str(tmp_path)) for path in read)


def test_a_handler_that_was_closed_keeps_no_connection_and_makes_another_when_it_is_used_again(
    tmp_path, make_handler, make_logger
):
    """The client is the same; the sockets are gone, without a warning of Python's."""
    with LocalFirehose(tmp_path, streams=['bar']) as endpoint:
        handler = make_handler('bar', endpoint_url=endpoint.url)
        logger = make_logger(handler)
        for number in range(3):
            logger.info(number)
            handler.close()
            pools = handler._pipeline.transport._client._endpoint.http_session._manager.pools
            assert not list(pools.keys())
        assert endpoint.delivered().count(b'\n') == 3
        assert handler.stats().retried == 0
