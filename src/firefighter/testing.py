"""For the tests of programs that log to Firehose, as pytest fixtures: what was logged, or the embedded endpoint.

Say `pytest_plugins = ['firefighter.testing']` in the top-level conftest.py, or in a test module; nothing is loaded
unasked. Then:

    def test_the_order_is_logged(firehose_events):
        place_order()
        assert firehose_events[-1]['message'] == 'order received'

`firehose_events` captures the events of every handler, and needs no endpoint. To test the delivery too:

    def test_the_order_is_delivered(local_firehose):
        handler = FirehoseHandler('bar', region_name='us-east-1', endpoint_url=local_firehose.url)
        ...
        assert b'order received' in local_firehose.delivered()

A handler that delivers to the endpoint is taken off its loggers and closed at the end of the test, if the test has not done so.

The other fixtures need `pip install 'firefighter[local]'`. The stream's name is `bar`; for another endpoint override the fixture
`local_firehose_arguments`, in a conftest.py, a module or by parametrizing a test:

    @pytest.mark.parametrize('local_firehose_arguments', [{'streams': ['orders'], 'buffer_seconds': 0.1}])
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import logging
import pathlib
import weakref
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from firefighter._process.exit_and_forks import registered_handlers

if TYPE_CHECKING:
    from firefighter._delivery.clients import ClientFactory
    from firefighter._handler.pipeline import Pipeline
    from firefighter.local import LocalFirehose
    from firefighter.logging import FirehoseHandler

__all__ = ['firehose_client', 'firehose_events', 'local_firehose', 'local_firehose_arguments']

DEFAULT_STREAM = 'bar'
# The endpoint looks at no key, but boto3 wants one.
ANY_KEY = 'local'


@pytest.fixture
def firehose_events(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Capture what handlers log during the test, as it would be sent: a list of dicts, in the order of the calls.

    It captures every handler there is, and every handler that the test makes, also by dictConfig. Nothing is sent, no thread is started,
    no `spool_dir` is used, and `stats()` counts nothing. What another formatter than `JSONFormatter` puts out is there as text, unless it is JSON. Handlers
    that were made in the test are taken off their loggers and closed at its end.
    """
    from firefighter._delivery.outcomes import Answer, Outcome  # noqa: PLC0415 - importing this module must stay cheap
    from firefighter._event.escaping import restore  # noqa: PLC0415 - as above
    from firefighter._event.ids import PLACE, id_format  # noqa: PLC0415 - as above
    from firefighter._handler.constants import OPEN, TARGET_BATCH_BYTES  # noqa: PLC0415 - as above
    from firefighter.logging import FirehoseHandler  # noqa: PLC0415 - as above

    events: list[Any] = []
    make = FirehoseHandler._make_pipeline  # noqa: SLF001 - our own

    def make_capturing(handler: FirehoseHandler, client: ClientFactory) -> Pipeline:
        options = dataclasses.replace(
            handler._options,  # noqa: SLF001 - our own
            spool_dir=None,  # a flush would deliver what a dead process has left there
            aggregate=False,
            compression=None,
            max_aggregated_events=None,
            target_batch_bytes=TARGET_BATCH_BYTES,
        )
        monkeypatch.setattr(handler, '_options', options)
        pipeline = make(handler, client)

        def put(_: str, records: Sequence[bytes]) -> Answer:
            # Only of what `batch_sender` gets from a queue of the program's.
            events.extend(map(_read, records))
            return Answer([Outcome.ACCEPTED] * len(records))

        monkeypatch.setattr(pipeline.transport, 'put', put)
        numbers = itertools.count()

        def capture(line: bytes | None) -> None:
            # With `event_ids` the spool would put the id there.
            if line is not None and line.endswith(PLACE):
                producer_id = pipeline._producer_id or b''  # noqa: SLF001 - our own
                line = line.removesuffix(PLACE) + id_format(producer_id) % next(numbers)
            if line is not None:
                events.append(_read(restore(line)))

        # For `emit` it is open, so nothing is started, and each event goes here.
        pipeline.open_mark = [OPEN]
        pipeline.append = capture
        monkeypatch.setattr(pipeline.source, 'append_quietly', capture)
        monkeypatch.setattr(pipeline.spool, 'set_aside', capture)
        return pipeline

    older = {handler: handler._pipeline for handler in _firehose_handlers()}  # noqa: SLF001 - our own
    monkeypatch.setattr(FirehoseHandler, '_make_pipeline', make_capturing)
    for handler in older:
        monkeypatch.setattr(handler, '_pipeline', make_capturing(handler, handler._client))  # noqa: SLF001 - our own
    yield events
    _take_off_and_close(handler for handler in _firehose_handlers() if handler not in older)


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
    left = [
        handler for handler in _firehose_handlers() if _delivers_to(handler, endpoint, known=handler in older)
    ]
    if left:
        endpoint.clear_faults()
        _take_off_and_close(left)


def _read(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line.decode('utf-8', 'backslashreplace').removesuffix('\n')


def _firehose_handlers() -> list[FirehoseHandler]:
    from firefighter.logging import FirehoseHandler  # noqa: PLC0415 - importing this module must stay cheap

    return [handler for handler in registered_handlers() if isinstance(handler, FirehoseHandler)]


def _take_off_and_close(handlers: Iterable[FirehoseHandler]) -> None:
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    for handler in handlers:
        for logger in loggers:
            if isinstance(logger, logging.Logger):
                for each in logger.handlers[:]:
                    if handler in {each, getattr(each, 'target', None)}:  # one that keeps events for it, too
                        logger.removeHandler(each)
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
