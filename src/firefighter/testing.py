"""For the tests of programs that log to Firehose: the embedded endpoint as pytest fixtures.

Say `pytest_plugins = ['firefighter.testing']` in the top-level conftest.py, or in a test module; nothing is loaded
unasked. Then:

    def test_the_order_is_logged(local_firehose):
        handler = FirehoseHandler('bar', region_name='us-east-1', endpoint_url=local_firehose.url)
        ...
        assert b'order received' in local_firehose.delivered()

A handler that delivers to the endpoint is taken off its loggers and closed at the end of the test, if the test has not done so.

The fixtures need `pip install 'firefighter[local]'`. The stream's name is `bar`; for another endpoint override the fixture
`local_firehose_arguments`, in a conftest.py, a module or by parametrizing a test:

    @pytest.mark.parametrize('local_firehose_arguments', [{'streams': ['orders'], 'buffer_seconds': 0.1}])
"""

from __future__ import annotations

import functools
import logging
import pathlib
import weakref
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from firefighter._process.exit_and_forks import registered_handlers

if TYPE_CHECKING:
    from firefighter.local import LocalFirehose
    from firefighter.logging import FirehoseHandler

__all__ = ['firehose_client', 'local_firehose', 'local_firehose_arguments']

DEFAULT_STREAM = 'bar'
# The endpoint looks at no key, but boto3 wants one.
ANY_KEY = 'local'


@pytest.fixture
def local_firehose_arguments() -> dict[str, Any]:
    """Return the arguments of `firefighter.local.LocalFirehose` beside its folder; to be overridden."""
    return {'streams': [DEFAULT_STREAM]}


@pytest.fixture
def local_firehose(
    tmp_path: pathlib.Path, local_firehose_arguments: dict[str, Any]
) -> Iterator[LocalFirehose]:
    """Run an endpoint for this test, delivering into a folder of its own."""
    from firefighter.local import LocalFirehose  # noqa: PLC0415 - importing this module must stay cheap

    # Not to keep them from being collected.
    older = weakref.WeakSet(registered_handlers())
    with LocalFirehose(tmp_path / 'firehose', **local_firehose_arguments) as endpoint:
        yield endpoint
        _close_handlers(endpoint, older)


@pytest.fixture
def firehose_client(local_firehose: LocalFirehose) -> Iterator[Any]:
    """Make a boto3 client of that endpoint, without retries, so that a test sees every answer."""
    from botocore.config import Config  # noqa: PLC0415 - importing this module must stay cheap

    config = Config(retries={'total_max_attempts': 1})
    client = _session().client('firehose', endpoint_url=local_firehose.url, config=config)
    yield client
    # Its connections are gone afterwards.
    _close_handlers(local_firehose, registered_handlers())
    client.close()


def _close_handlers(endpoint: LocalFirehose, older: Collection[object]) -> None:
    """Take the handlers that deliver to an endpoint off their loggers, and close them, while it is still there.

    Otherwise the end of pytest would wait for each of them until its `shutdown_timeout_seconds` are over.

    Args:
        endpoint: which is about to stop.
        older: the handlers that there were before it, of which only those count that are known to deliver to it.
    """
    from firefighter.logging import FirehoseHandler  # noqa: PLC0415 - importing this module must stay cheap

    left = [
        handler
        for handler in registered_handlers()
        if isinstance(handler, FirehoseHandler) and _delivers_to(handler, endpoint, known=handler in older)
    ]
    if not left:
        return
    endpoint.clear_faults()
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    for handler in left:
        for logger in loggers:
            if isinstance(logger, logging.Logger):
                logger.removeHandler(handler)
        handler.close()


def _delivers_to(handler: FirehoseHandler, endpoint: LocalFirehose, *, known: bool) -> bool:
    client = handler._pipeline._client  # noqa: SLF001 - our own
    url = client.destination('').endpoint_url
    if url is None:
        # It makes its client itself, and nothing says for where: a test's AWS_ENDPOINT_URL_FIREHOSE is unset again by now.
        return client.owns_client and not known
    return urlsplit(url).port == urlsplit(endpoint.url).port


@functools.cache
def _session() -> Any:
    # One for all tests: its first client costs 50 ms, each further one 3.
    import boto3  # noqa: PLC0415 - importing this module must stay cheap

    return boto3.session.Session(
        region_name='us-east-1', aws_access_key_id=ANY_KEY, aws_secret_access_key=ANY_KEY
    )
