"""For the tests of programs that log to Firehose: the embedded endpoint as pytest fixtures.

Say `pytest_plugins = ['firefighter.testing']` in the top-level conftest.py, or in a test module; nothing is loaded
unasked. Then:

    def test_the_order_is_logged(local_firehose):
        handler = FirehoseHandler('bar', region_name='us-east-1', endpoint_url=local_firehose.url)
        ...
        assert b'order received' in local_firehose.delivered()

The fixtures need `pip install 'firefighter[local]'`. The stream's name is `bar`; for another endpoint override the fixture
`local_firehose_arguments`, in a conftest.py, a module or by parametrizing a test:

    @pytest.mark.parametrize('local_firehose_arguments', [{'streams': ['orders'], 'buffer_seconds': 0.1}])
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from firefighter.local import LocalFirehose

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

    with LocalFirehose(tmp_path / 'firehose', **local_firehose_arguments) as endpoint:
        yield endpoint


@pytest.fixture
def firehose_client(local_firehose: LocalFirehose) -> Iterator[Any]:
    """Make a boto3 client of that endpoint, without retries, so that a test sees every answer."""
    from botocore.config import Config  # noqa: PLC0415 - importing this module must stay cheap

    config = Config(retries={'total_max_attempts': 1})
    client = _session().client('firehose', endpoint_url=local_firehose.url, config=config)
    yield client
    client.close()


@functools.cache
def _session() -> Any:
    # One for all tests: its first client costs 50 ms, each further one 3.
    import boto3  # noqa: PLC0415 - importing this module must stay cheap

    return boto3.session.Session(
        region_name='us-east-1', aws_access_key_id=ANY_KEY, aws_secret_access_key=ANY_KEY
    )
