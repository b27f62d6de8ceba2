"""Tripwires and surroundings for the whole suite: a clean environment, no thread left, logging as it was."""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from depth import DEPTH, depth, unlike_cases
from doubles import DEADLINE_SECONDS, BlockingClient
from firefighter._delivery.outcomes import Answer, Outcome
from firefighter.logging import FirehoseHandler

MakeHandler = Callable[..., FirehoseHandler]

# How long an example takes, or is thought out, says how busy the machine is. By itself Hypothesis fails what takes 200 ms.
# Where the environment says CI, Hypothesis begins each test with the same number, and with that 6.170 warns on Python 3.14.
settings.register_profile(
    'any machine',
    settings.get_profile('default'),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=depth(20, 100),
)
settings.load_profile('any machine')


# Where most tests start processes, and how many cases of each run at little depth.
OF_WHOLE_PROGRAMS = {'integration', 'lives', 'faults', 'disk', 'crash'}
MOST_CASES = 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """At little depth, leave out what multiplies: of each test of whole programs two cases stay, as unlike as can be."""
    if DEPTH != 'few':
        return
    of_programs = [item for item in items if item.path.parent.name in OF_WHOLE_PROGRAMS]
    left_out = set(of_programs) - unlike_cases(of_programs, MOST_CASES)
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Spare the collector what stays anyhow: pytest's own objects, which each `gc.collect()` of a test would go through (0.1 s)."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own AWS configuration or of ours reaches a test."""
    for name in os.environ:
        if name.startswith(('AWS_', 'FIREFIGHTER_', 'BOTO_')) or name.lower().endswith('_proxy'):
            monkeypatch.delenv(name)
    monkeypatch.setenv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
    monkeypatch.setenv('AWS_SECRET_ACCESS_KEY', 'example-secret')
    monkeypatch.setenv('AWS_DEFAULT_REGION', 'eu-west-1')
    monkeypatch.setenv('AWS_EC2_METADATA_DISABLED', 'true')
    monkeypatch.setenv('AWS_CONFIG_FILE', os.devnull)
    monkeypatch.setenv('AWS_SHARED_CREDENTIALS_FILE', os.devnull)


@pytest.fixture(autouse=True)
def no_thread_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A thread that a test started ends with the test."""
    before = set(threading.enumerate())
    yield
    if request.node.get_closest_marker('leaves_threads'):
        return
    deadline = monotonic() + DEADLINE_SECONDS
    while left := set(threading.enumerate()) - before:
        for thread in left:
            # It is just being started; or Python knows no more of it than that it is there: then it leaves the list itself.
            with suppress(RuntimeError, AssertionError):
                thread.join(max(0.0, deadline - monotonic()))
        if monotonic() > deadline:
            faulthandler.dump_traceback()
            pytest.fail(f'the test left the threads {[thread.name for thread in left]} behind')


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """What a test does to logging's own state ends with the test."""
    root = logging.getLogger()
    level, handlers, errors = root.level, root.handlers[:], logging.raiseExceptions
    # dictConfig disables those of libraries.
    others = [each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    before = [(each.disabled, each.level, each.propagate) for each in others]
    yield
    if before != [(each.disabled, each.level, each.propagate) for each in others]:
        for each, (each.disabled, each.level, each.propagate) in zip(others, before, strict=True):
            each._cache.clear()
    root.setLevel(level)
    root.handlers[:] = handlers
    logging.raiseExceptions = errors
    logging.captureWarnings(False)


def accept_everything(handler: FirehoseHandler) -> None:
    """What a closed handler could not deliver it goes on trying; this ends it."""
    handler._pipeline.transport.put = lambda _, records: Answer([Outcome.ACCEPTED] * len(records))


@pytest.fixture
def make_handler(no_thread_left: None) -> Iterator[MakeHandler]:
    """Make handlers that are closed when the test ends, however it ends: from then on everything is accepted.

    A test that closes one whose client never accepts gives `shutdown_timeout_seconds=0`.
    """
    made: list[FirehoseHandler] = []
    releases: list[Callable[[], None]] = []

    def make(*args: Any, kind: type[FirehoseHandler] = FirehoseHandler, **kwargs: Any) -> FirehoseHandler:
        kwargs.setdefault('shutdown_timeout_seconds', DEADLINE_SECONDS)
        client = kwargs.get('boto3_client')
        if isinstance(client, BlockingClient):
            releases.append(client.release)
        handler = kind(*args, **kwargs)
        made.append(handler)
        return handler

    yield make
    for release in releases:
        release()
    for handler in made:
        accept_everything(handler)
        handler.close()


@pytest.fixture
def make_logger() -> Callable[..., logging.Logger]:
    """Make a logger that is in no hierarchy, with one handler."""

    def make(handler: logging.Handler, name: str = 'foo', level: int = logging.DEBUG) -> logging.Logger:
        logger = logging.Logger(name, level)
        logger.addHandler(handler)
        return logger

    return make
