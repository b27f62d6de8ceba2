"""Logs records with values that run Python code when they are looked at, for a test that must survive what this may end.

    python odd_records.py

Each line that it reads says a record in JSON: `message` and `extra` as Python expressions in the names below, `event_ids`, `protect_fields`,
and what goes on `around`. Each line that it writes is a list of what was wrong.
"""

from __future__ import annotations

import asyncio
import enum
import json
import logging
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import orjson

from doubles import DEADLINE_SECONDS, AcceptingClient
from firefighter.formatting import JSONFormatter
from firefighter.logging import FirehoseHandler

# Of the values that an event may hold, each may take up to so many bytes where these tests make them.
MOST_BYTES = 100_000 * 60
TURNS = 100
PASSING = (SystemExit, asyncio.CancelledError, KeyboardInterrupt)


class Interrupted(Exception):  # noqa: N818 - it is none
    """What the signal handler raises."""


class Color(enum.Enum):
    RED = 1
    BLUE = (2, 'blue')
    DARK = b'\xff\n'


class Level(str, enum.Enum):
    HIGH = 'high\n'


class Bits(enum.Flag):
    FIRST = 1


class Raising(enum.Enum):
    ONE = 1

    @property
    def value(self) -> object:
        raise RuntimeError('not today')


class Clearing(enum.Enum):
    ONE = 1

    @property
    def value(self) -> object:
        shared.clear()
        return 1


class Failing:
    """Its text raises."""

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    def __str__(self) -> str:
        raise self._error

    __repr__ = __str__


def doubled(times: int, value: object = 'x') -> object:
    """Return a list that takes little memory, and is written as very many values."""
    for _ in range(times):
        value = [value, value]
    return value


def deep(levels: int, value: object = 1) -> object:
    """Return lists in lists, or objects in objects."""
    for _ in range(levels):
        value = {'sequence': value} if levels % 2 else [value]
    return value


def fragment(content: bytes) -> orjson.Fragment:
    return orjson.Fragment(content)


unmade = uuid.UUID.__new__(uuid.UUID)
shared: list[object] = []


def judge(asked: dict[str, Any]) -> list[str]:
    """Log the record; return what is wrong with what came of it."""
    shared[:] = [Clearing.ONE, *([object()] * 50)]
    extra = {name: eval(value) for name, value in asked['extra'].items()}
    message = eval(asked['message'])
    if asked['around'] == 'nothing':
        return logged_once(message, extra, asked)
    formatter = JSONFormatter(protect_fields=asked['protect_fields'])
    record = logging.getLogger('x').makeRecord('x', 20, '', 7, message, (), None, None, extra)

    def encode() -> list[str]:
        try:
            return broken(formatter.encode(record))
        except PASSING:
            return []

    with AROUND[asked['around']]() as repeated:
        return [*repeated(encode)]


def logged_once(message: object, extra: dict[str, object], asked: dict[str, Any]) -> list[str]:
    """Log it by a handler: one event arrives, or the exception that passes is counted."""
    client = AcceptingClient()
    handler = FirehoseHandler(
        'bar',
        boto3_client=client,
        event_ids=asked['event_ids'],
        protect_fields=asked['protect_fields'],
        shutdown_timeout_seconds=DEADLINE_SECONDS,
    )
    logger = logging.Logger('x')
    logger.addHandler(handler)
    passed = None
    try:
        logger.warning(message, extra=extra)
    except PASSING as error:
        passed = error
    handler.close()
    stats = handler.stats()
    wrong = [text for line in client.events for text in broken(line)]
    # With ids a marker says that one was dropped.
    if (stats.accepted - stats.markers, stats.pending, stats.delivered - stats.markers) != (
        1,
        0,
        int(not passed),
    ):
        wrong.append(f'{passed!r}, and {stats}')
    if len(client.events) != stats.delivered:
        wrong.append(f'{len(client.events)} events arrived')
    return wrong


def broken(line: bytes) -> list[str]:
    """Return what is wrong with a line."""
    if line.find(b'\n') != len(line) - 1 or b'\0' in line:
        return [f'not one line: {line[:200]!r}']
    if len(line) > MOST_BYTES:
        return [f'{len(line)} bytes']
    return [] if isinstance(orjson.loads(line), dict) else [f'no object: {line[:200]!r}']


Repeated = Callable[[Callable[[], list[str]]], Iterator[str]]


@contextmanager
def recursion() -> Iterator[Repeated]:
    """Encode at each level of a recursion that uses up the stack. A short one: where it ends within the encoder matters, not how deep."""
    limit = sys.getrecursionlimit()

    def repeated(encode: Callable[[], list[str]]) -> Iterator[str]:
        for more in range(200, 204):
            found: list[str] = []
            sys.setrecursionlimit(more)
            with suppress(RecursionError):
                recurse(encode, found)
            sys.setrecursionlimit(limit)
            yield from found

    yield repeated


def recurse(encode: Callable[[], list[str]], found: list[str]) -> None:
    found += encode()
    recurse(encode, found)


@contextmanager
def thread() -> Iterator[Repeated]:
    """Have another thread change the list that the record may hold."""
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            shared.extend([Color.RED, Color.BLUE, {'a': Color.RED}] * 20)
            shared.clear()

    changing = threading.Thread(target=change)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    changing.start()
    try:
        yield lambda encode: (text for _ in range(TURNS) for text in encode())
    finally:
        done.set()
        changing.join()
        sys.setswitchinterval(interval)


@contextmanager
def signals() -> Iterator[Repeated]:
    """Have a signal handler raise within the encoder, or wherever it comes."""
    within = False

    def interrupt(*_: object) -> None:
        nonlocal within
        if within:
            within = False
            raise Interrupted

    def repeated(encode: Callable[[], list[str]]) -> Iterator[str]:
        nonlocal within
        for _ in range(TURNS):
            try:
                within = True
                found = encode()
                within = False
                yield from found
            except Interrupted:
                pass

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1e-4, 2e-4)
    try:
        yield repeated
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


AROUND = {'recursion': recursion, 'thread': thread, 'signals': signals}


def main() -> None:
    """Answer until nobody asks any more."""
    for line in sys.stdin:
        try:
            wrong = judge(json.loads(line))
        except BaseException as error:
            wrong = [f'raised {error!r}']
        sys.stdout.write(json.dumps(wrong) + '\n')
        sys.stdout.flush()


if __name__ == '__main__':
    main()
