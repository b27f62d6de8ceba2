"""What does an exception leave behind that comes at any bytecode of a transition: opening, flushing, closing, letting go?

Each bytecode of our own modules that a transition runs is one place. The first life counts them, the others have an
exception come at one of them each, in the thread of the program or in the one that delivers.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import firefighter
from bytecodes import AtBytecode
from depth import EVERY_PLACE, depth
from doubles import DEADLINE_SECONDS, AcceptingClient
from firefighter._handler import deliverer
from firefighter._handler.lifecycle import State
from firefighter.logging import FirehoseHandler

# `DEPTH=every` takes each bytecode, which lasts minutes; else it is each so manieth, a different set for each case, and the same ones
# each time.
EVERY = 1 if EVERY_PLACE else depth(67, 29)
OURS = Path(firefighter.__file__).parent
TRACED = {
    str((OURS / name).resolve(strict=True))
    for name in (
        '_handler/lifecycle.py',
        '_handler/base_handler.py',
        '_handler/deliverer.py',
        '_handler/disk_place.py',
        '_process/exit_and_forks.py',
        '_process/lock.py',
        'logging.py',
    )
}

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning'),
    pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning'),
]


class Interrupted(BaseException):
    """Comes from nowhere, as KeyboardInterrupt does."""


class World:
    """A handler, and what has been logged for sure."""

    def __init__(self, at: int | None, **options: object) -> None:
        self.client = AcceptingClient()
        self.interruption = AtBytecode(TRACED.__contains__, Interrupted, at)
        # Not by the fixture, which keeps all of them to the end: with thousands of handlers each call takes long that asks for locks.
        self.handler = FirehoseHandler(
            'bar',
            boto3_client=self.client,
            send_interval=0,
            shutdown_timeout_seconds=DEADLINE_SECONDS,
            **options,
        )
        self.logged: list[str] = []
        self.traces_deliverer = False

    def make_thread(self, target: Callable[..., object], args: tuple[object, ...] = ()) -> threading.Thread:
        if self.traces_deliverer:
            self.traces_deliverer = False
            return threading.Thread(target=self.interrupt, args=(target, *args))
        return threading.Thread(target=target, args=args)

    def interrupt(self, function: Callable[..., object], *arguments: object) -> None:
        try:
            self.interruption(function, *arguments)
        except Interrupted:
            pass
        except RuntimeError as error:
            # Giving back a lock that was not taken yet: what CPython itself lets come never comes between.
            if not isinstance(error.__context__, Interrupted):
                raise

    def log(self, message: str) -> None:
        self.handler.emit(
            logging.makeLogRecord({'msg': message, 'thread': threading.get_ident()}), self.make_thread
        )
        self.logged.append(message)

    def check(self) -> None:
        """The next event is delivered, the account adds up, and closing lets go of everything."""
        self.log('next')
        handler = self.handler
        assert any(handler.flush(DEADLINE_SECONDS) for _ in range(3)), handler.stats()
        stats = handler.stats()
        assert stats.accepted == stats.delivered + sum(stats.dropped.values()) + stats.pending
        assert stats.pending == 0
        arrived = b''.join(self.client.events).decode()
        assert all(f'"message":"{message}"' in arrived for message in self.logged), (self.logged, arrived)
        handler.close()
        assert handler._pipeline.lifecycle.state is State.CLOSED
        assert handler._pipeline.place.path is None


def opening(world: World) -> Iterator[tuple[Callable[..., object], ...]]:
    yield world.log, 'first'


def flushing(world: World) -> Iterator[tuple[Callable[..., object], ...]]:
    world.log('before')
    yield (world.handler.flush,)


def closing(world: World) -> Iterator[tuple[Callable[..., object], ...]]:
    world.log('before')
    yield (world.handler.close,)


def opening_again(world: World) -> Iterator[tuple[Callable[..., object], ...]]:
    world.log('before')
    world.handler.close()
    yield world.log, 'again'


TRANSITIONS = [opening, flushing, closing, opening_again]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch) -> None:
    """A thread that is killed is replaced at once, and nobody is waited for that does not come."""
    monkeypatch.setattr(deliverer, '_PATIENCE_SECONDS', 0.05)
    monkeypatch.setattr(deliverer, '_PAUSE_BETWEEN_THREADS_SECONDS', 0.0)


@pytest.mark.parametrize('place', ['memory', 'disk'])
@pytest.mark.parametrize('use_queues', [True, False])
@pytest.mark.parametrize('transition', TRANSITIONS)
def test_an_exception_at_any_bytecode_of_a_transition_leaves_nothing_half_done(
    transition, use_queues, place, no_thread_left, tmp_path, capsys
):
    """In the program's thread: the account adds up, nothing hangs, the next event is delivered."""
    options = {'use_queues': use_queues, **({'spool_dir': tmp_path} if place == 'disk' else {})}

    def live(at: int | None) -> int:
        world = World(at, **options)
        for function, *arguments in transition(world):
            world.interrupt(function, *arguments)
        world.check()
        return world.interruption.executed

    places = live(None)
    assert places > 50
    for at in range(zlib.crc32(f'{transition.__name__} {place}'.encode()) % EVERY, places, EVERY):
        live(at)


@pytest.mark.parametrize('place', ['memory', 'disk'])
def test_an_exception_at_any_bytecode_of_the_delivery_thread_leaves_nothing_half_done(
    place, no_thread_left, tmp_path, capsys
):
    """Taking the role, delivering, letting go, leaving: another thread goes on where it was."""
    options = {'spool_dir': tmp_path} if place == 'disk' else {}

    def live(at: int | None) -> int:
        world = World(at, **options)
        world.traces_deliverer = True
        world.log('first')
        world.handler.flush(1)
        world.handler.close()
        world.check()
        return world.interruption.executed

    places = live(None)
    assert places > 50
    for at in range(0, places, EVERY):
        live(at)
