"""For the tests of programs that log to Firehose, as pytest fixtures: what was logged, or the embedded endpoint.

Say `pytest_plugins = ['firefighter.testing']` in the top-level conftest.py, or in a test module; nothing is loaded
unasked. Then:

    def test_the_order_is_logged(firehose_events):
        place_order()
        assert firehose_events[-1]['message'] == 'order received'

`firehose_events` captures the events of every handler, and needs no endpoint. To test the delivery too:

    def test_the_order_is_delivered(local_firehose):
        logger.addHandler(FirehoseHandler('bar'))
        logger.warning('order received')
        assert logger.handlers[0].flush()
        assert b'order received' in local_firehose.delivered()

While that test runs, the environment names the endpoint (`AWS_ENDPOINT_URL_FIREHOSE`). So handlers deliver to it that have no endpoint and
no client of their own, also those that were there before the test. At the end, those that the test has made are taken off their loggers and
closed, if the test has not done so.

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
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from firefighter._process.exit_and_forks import registered_handlers
from firefighter._process.waiting import monotonic

if TYPE_CHECKING:
    from firefighter._delivery.clients import ClientFactory
    from firefighter._handler.pipeline import Pipeline
    from firefighter.local import LocalFirehose
    from firefighter.logging import FirehoseHandler

__all__ = ['firehose_client', 'firehose_events', 'local_firehose', 'local_firehose_arguments']

DEFAULT_STREAM = 'bar'
# The endpoint looks at neither, but boto3 wants them.
ANY_REGION, ANY_KEY = 'us-east-1', 'local'
_WHERE_THERE_IS_NONE = {
    'AWS_DEFAULT_REGION': ANY_REGION,
    'AWS_ACCESS_KEY_ID': ANY_KEY,
    'AWS_SECRET_ACCESS_KEY': ANY_KEY,
}


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
    tmp_path: pathlib.Path, local_firehose_arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalFirehose]:
    """Run an endpoint for this test, delivering into a folder of its own, and have the environment name it."""
    from firefighter.local import LocalFirehose  # noqa: PLC0415 - importing this module must stay cheap

    with LocalFirehose(tmp_path / 'firehose', **local_firehose_arguments) as endpoint:
        # By the test's own monkeypatch: it is undone after this fixture, so at its end the environment is still that of the test.
        pipelines = _note_pipelines(monkeypatch)
        older = _lead_to(endpoint, monkeypatch)
        yield endpoint
        # While the endpoint is there. Otherwise the end of pytest would wait for each until its `shutdown_timeout_seconds` are over.
        endpoint.clear_faults()
        pipelines = [pipeline for pipeline in pipelines if _delivers_to(pipeline._client, endpoint)]  # noqa: SLF001 - our own
        # Where the test has stopped it, what is left is reported, and nobody waits for it.
        if endpoint._thread is None:  # noqa: SLF001 - our own
            for pipeline in pipelines:
                pipeline.lifecycle.close(monotonic())
                _let_go_of_what_is_left(pipeline)
        left = [
            handler
            for handler in _firehose_handlers()
            if handler not in older and _delivers_to(handler._client, endpoint)  # noqa: SLF001 - our own
        ]
        _take_off_and_close(left)
        closed = [handler._pipeline for handler in left]  # noqa: SLF001 - our own
        for pipeline in pipelines:
            if pipeline not in closed:  # of a handler from before, or of one that the test has dropped
                pipeline.lifecycle.finish()
            _let_go_of_what_is_left(pipeline)


@pytest.fixture
def firehose_client(local_firehose: LocalFirehose) -> Iterator[Any]:
    """Make a boto3 client of that endpoint, without retries, so that a test sees every answer."""
    from botocore.config import Config  # noqa: PLC0415 - importing this module must stay cheap

    config = Config(retries={'total_max_attempts': 1})
    client = _session().client('firehose', endpoint_url=local_firehose.url, config=config)
    yield client
    # Its connections are gone afterwards.
    local_firehose.clear_faults()
    _take_off_and_close(handler for handler in _firehose_handlers() if handler._client._given is client)  # noqa: SLF001 - our own
    client.close()


def _lead_to(endpoint: LocalFirehose, monkeypatch: pytest.MonkeyPatch) -> list[FirehoseHandler]:
    """Have the environment name an endpoint, in this process and in those that it starts; return the handlers whom that leads there."""
    handlers = _firehose_handlers()
    with ExitStack() as no_client_is_made:
        for handler in handlers:
            no_client_is_made.enter_context(handler._pipeline.transport._lock)  # noqa: SLF001 - our own
        monkeypatch.setenv('AWS_ENDPOINT_URL_FIREHOSE', endpoint.url)
        monkeypatch.setenv('AWS_IGNORE_CONFIGURED_ENDPOINT_URLS', 'false')
        for name in ('NO_PROXY', 'no_proxy'):  # the lower case comes first where it is set
            others = os.environ.get(name) or os.environ.get('NO_PROXY')
            monkeypatch.setenv(name, ','.join(filter(None, [others, urlsplit(endpoint.url).hostname])))
        for name, value in _WHERE_THERE_IS_NONE.items():
            if not os.environ.get(name):
                monkeypatch.setenv(name, value)
        led = [handler for handler in handlers if _delivers_to(handler._client, endpoint)]  # noqa: SLF001 - our own
        for handler in led:
            _begin_anew(handler, monkeypatch)
    return led


def _begin_anew(handler: FirehoseHandler, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a handler from before the test a pipeline for it. What it has pending from before waits, or it would go to the endpoint."""
    transport = handler._pipeline.transport  # noqa: SLF001 - our own

    def make_no_client() -> Any:
        raise RuntimeError('events from before the fixture local_firehose wait until it has ended')

    monkeypatch.setattr(transport, '_make_client', make_no_client)
    transport.renew_client()
    monkeypatch.setattr(handler, '_pipeline', handler._make_pipeline(handler._client))  # noqa: SLF001 - our own


def _note_pipelines(monkeypatch: pytest.MonkeyPatch) -> list[Pipeline]:
    """Return a list of the pipelines that will be made from now on. They may outlive their handlers."""
    from firefighter.logging import FirehoseHandler  # noqa: PLC0415 - importing this module must stay cheap

    pipelines: list[Pipeline] = []
    make = FirehoseHandler._make_pipeline  # noqa: SLF001 - our own

    def make_noted(handler: FirehoseHandler, client: ClientFactory) -> Pipeline:
        pipeline = make(handler, client)
        pipelines.append(pipeline)
        return pipeline

    monkeypatch.setattr(FirehoseHandler, '_make_pipeline', make_noted)
    return pipelines


def _let_go_of_what_is_left(pipeline: Pipeline) -> None:
    """Settle what could not be delivered though it was tried, such as events for a stream that is not there. Closing has reported it."""
    from firefighter._delivery.outcomes import Answer, Outcome  # noqa: PLC0415 - importing this module must stay cheap

    if not pipeline.lifecycle.is_closed:
        pipeline.transport.put = lambda stream, records: Answer([Outcome.ACCEPTED] * len(records))  # type: ignore[method-assign]  # noqa: ARG005
        pipeline.lifecycle.start_flush()


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


def _delivers_to(client: ClientFactory, endpoint: LocalFirehose) -> bool:
    # One that there is already says it. Another is made at the first request, by what the environment says then.
    seen = client._seen  # noqa: SLF001 - our own
    url = seen.endpoint_url if seen else client.destination('').endpoint_url
    return url is not None and urlsplit(url).port == urlsplit(endpoint.url).port


@functools.cache
def _session() -> Any:
    # One for all tests: its first client costs 50 ms, each further one 3.
    import boto3  # noqa: PLC0415 - importing this module must stay cheap

    return boto3.session.Session(
        region_name=ANY_REGION, aws_access_key_id=ANY_KEY, aws_secret_access_key=ANY_KEY
    )
