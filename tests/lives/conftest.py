"""The lives of programs: each a process of its own that reports figures, one line of JSON at a time, on its stdout."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from time import monotonic, sleep
from typing import Any

import pytest

from firefighter.local import LocalFirehose
from programs import ENOUGH_SECONDS, delivered, without_waiting

# How much longer than promised something may wait. What went wrong took ten times as long, and more. That a machine is busy with
# other things counts as no wait: see `stopwatch`.
PATIENCE = 3

POLL_SECONDS = 0.02

# What every life begins with. `tell` reports figures; `end_of_main` has the time from there to the end of the exit reported.
PREAMBLE = """
import atexit, json, os, sys, time

_main_ended = []

def _busy():
    # Of each thread of this process, the seconds in which it ran, or was ready to and got no processor.
    found = {}
    for task in os.listdir('/proc/self/task') if os.path.exists('/proc/self/schedstat') else ():
        try:
            with open(f'/proc/self/task/{task}/schedstat') as file:
                ran, ready, _ = map(int, file.read().split())
        except OSError:  # it has just ended
            continue
        found[task] = (ran + ready) / 1e9
    return found

def stopwatch():
    # What says how many seconds have been waited since: those in which this process had something to do are none.
    began_at, before = time.monotonic(), _busy()

    def waited():
        seconds = time.monotonic() - began_at
        return seconds - sum(busy - before.get(task, 0.0) for task, busy in _busy().items())

    return waited

def tell(**figures):
    sys.stdout.write(json.dumps(figures) + '\\n')
    sys.stdout.flush()

def end_of_main():
    _main_ended.append(stopwatch())

@atexit.register  # before logging is imported, so after all other exit functions
def _tell_exit():
    if _main_ended:
        tell(exit_seconds=_main_ended[0]())

import gc, logging, logging.config, signal, threading, warnings
from firefighter.logging import FirehoseHandler, FirehoseWarning

logger = logging.getLogger('foo')
logger.setLevel(logging.INFO)

def make(kind=FirehoseHandler, **more):
    return kind('bar', **{**OPTIONS, **more})

def config(**more):
    firehose = {'class': 'firefighter.logging.FirehoseHandler', 'delivery_stream_name': 'bar', **OPTIONS, **more}
    return {
        'version': 1,
        'disable_existing_loggers': False,
        'handlers': {'firehose': firehose},
        'root': {'level': 'INFO', 'handlers': ['firehose']},
    }

def account(*handlers):
    # What all of them say together, and whether each adds up.
    total = {'adds_up': True}
    for handler in handlers:
        stats = handler.stats()
        dropped = sum(stats.dropped.values())
        total['adds_up'] &= stats.accepted + stats.adopted == stats.delivered + dropped + stats.pending
        figures = dict(
            accepted=stats.accepted, adopted=stats.adopted, delivered=stats.delivered, dropped=dropped,
            pending=stats.pending, requests=stats.requests, uncertain=stats.uncertain, suppressed=stats.suppressed,
        )
        for name, figure in figures.items():
            total[name] = total.get(name, 0) + figure
    return total

def seconds_of(function, *arguments):
    waited = stopwatch()
    function(*arguments)
    return waited()

def until(condition, seconds=25):
    # Whether it came to hold in time.
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True

def delivery_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith('firefighter-')]

def wait_to_be_told():
    assert sys.stdin.readline(), 'nobody is there any more'

"""


class Life:
    """A running program.

    Args:
        process: it.

    Attributes:
        figures: what it has reported so far.
        said: its stderr, once it has ended.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.figures: dict[str, Any] = {}
        self._reports: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._lines: list[str] = []
        self._said_more = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read_reports), threading.Thread(target=self._read_stderr)
        ]  # fmt: skip
        for reader in self._readers:
            reader.start()

    @property
    def said(self) -> str:
        """Its stderr so far, without the line that it is still delivering."""
        with self._said_more:
            return without_waiting(''.join(self._lines))

    @property
    def told_undelivered(self) -> list[int]:
        """The numbers of undelivered events that it has said on stderr, in order."""
        return [
            int(number.replace(',', '')) for number in re.findall(r'([\d,]+) events? undelivered', self.said)
        ]

    def hear(self, name: str) -> Any:
        """Return a figure of this name, waiting until it is reported."""
        deadline = monotonic() + ENOUGH_SECONDS
        while name not in self.figures:
            try:
                report = self._reports.get(timeout=max(0.0, deadline - monotonic()))
            except queue.Empty:
                pytest.fail(f'the program never told {name!r}; it said: {self.said}')
            if report is None:
                self._reports.put(None)
                pytest.fail(f'the program ended and never told {name!r}; it said: {self.said}')
            self.figures |= report
        return self.figures[name]

    def go_on(self) -> None:
        """Have it return from `wait_to_be_told`."""
        self.process.stdin.write('\n')
        self.process.stdin.flush()

    def wait_until_it_says(self, text: str) -> None:
        """Wait until this is on its stderr."""
        with self._said_more:
            assert self._said_more.wait_for(
                lambda: any(text in line for line in self._lines), ENOUGH_SECONDS
            ), f'it said: {self._lines}'

    def end(self, *, killed: bool = False, statuses: AbstractSet[int] = frozenset({0})) -> dict[str, Any]:
        """Wait for its end, and return all the figures that it has reported."""
        try:
            status = self.process.wait(ENOUGH_SECONDS)
        except subprocess.TimeoutExpired:
            pytest.fail(f'the program does not end; it told {self.figures}, and said: {self.said}')
        for reader in self._readers:
            reader.join(ENOUGH_SECONDS)
        while (report := self._reports.get()) is not None:
            self.figures |= report
        self._reports.put(None)
        assert status in ({-signal.SIGKILL} if killed else statuses), (status, self.said)
        return self.figures

    def _read_reports(self) -> None:
        for line in self.process.stdout:
            self._reports.put(json.loads(line))
        self._reports.put(None)

    def _read_stderr(self) -> None:
        for line in self.process.stderr:
            with self._said_more:
                self._lines.append(line)
                self._said_more.notify_all()


Begin = Callable[..., Life]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Start a program: its code (in parts, each indented as it likes), the URL of its endpoint, its environment, where it is, and the options of `make`."""
    with ExitStack() as stack:

        def begin_life(
            code: str | tuple[str, ...],
            url: str,
            environment: dict[str, str] | None = None,
            cwd: os.PathLike[str] | None = None,
            interpreter: tuple[str, ...] = (),
            **options: object,
        ) -> Life:
            parts = (code,) if isinstance(code, str) else code
            process = stack.enter_context(
                subprocess.Popen(
                    [
                        sys.executable,
                        *interpreter,
                        '-c',
                        f'OPTIONS = {options!r}\n' + PREAMBLE + '\n'.join(map(textwrap.dedent, parts)),
                    ],
                    env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': url, **(environment or {})},
                    cwd=cwd,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            life = Life(process)
            stack.callback(_stop, life)
            return life

        yield begin_life


def _stop(life: Life) -> None:
    life.process.kill()
    life.process.wait()
    for reader in life._readers:
        reader.join(ENOUGH_SECONDS)


@pytest.fixture
def live(begin: Begin) -> Callable[..., Life]:
    """Have a program live to its end; return it."""

    def live_out(code: str | tuple[str, ...], url: str, **others: Any) -> Life:
        life = begin(code, url, **others)
        life.end()
        return life

    return live_out


@pytest.fixture
def seconds() -> Callable[[float], float]:
    """Return how long something may wait here that is promised to take so many seconds."""
    return lambda promised: PATIENCE * promised


@pytest.fixture
def endpoint(tmp_path) -> Iterator[LocalFirehose]:
    """An endpoint with the stream `bar`."""
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900, seed=1) as started:
        yield started


@pytest.fixture
def arrived(endpoint: LocalFirehose) -> Callable[[], Counter[Any]]:
    """Return how often each message has arrived at the endpoint."""
    return lambda: Counter(event.get('message') for event in delivered(endpoint))


@pytest.fixture
def arrives(arrived: Callable[[], Counter[Any]]) -> Callable[..., bool]:
    """Return whether all of these messages have come to the endpoint within so many seconds."""

    def arrive(messages: set[Any], within_seconds: float = 25) -> bool:
        deadline = monotonic() + within_seconds
        while not messages <= arrived().keys():
            if monotonic() > deadline:
                return False
            sleep(POLL_SECONDS)
        return True

    return arrive


class Silent:
    """An endpoint that accepts connections and never says anything.

    Args:
        backlog: how many connections the system accepts for it.
    """

    def __init__(self, backlog: int = 128) -> None:
        self._listener = socket.create_server(('127.0.0.1', 0), backlog=backlog)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self.url = f'http://127.0.0.1:{self.port}'

    def reset(self) -> None:
        """Reset the connections that there are."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            connection.close()

    @contextmanager
    def resetting(self) -> Iterator[None]:
        """Reset each connection that comes, while the block lasts."""
        done = threading.Event()

        def reset_on() -> None:
            while not done.wait(POLL_SECONDS):
                self.reset()

        thread = threading.Thread(target=reset_on)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def close(self) -> None:
        """Be gone."""
        self._listener.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    """An endpoint that accepts connections and never answers."""
    endpoint = Silent()
    yield endpoint
    endpoint.close()


@pytest.fixture
def deaf() -> Iterator[Silent]:
    """An endpoint with which no connection comes about: what asks for one is not answered."""
    endpoint = Silent(backlog=0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(('127.0.0.1', endpoint.port))
        fillers.append(filler)
    yield endpoint
    for filler in fillers:
        filler.close()
    endpoint.close()


@pytest.fixture
def spool_dir(tmp_path) -> str:
    """A directory for the spools of a test."""
    return str(tmp_path / 'spool')


@pytest.fixture
def leave_orphan(begin: Begin, spool_dir: str) -> Callable[..., set[str]]:
    """Have a program log so many events, send none of them, and be killed; return their messages."""

    def leave(url: str, count: int = 50, name: str = 'of the dead', **others: Any) -> set[str]:
        life = begin(
            f"""
            handler = make()
            handler.MAX_BATCH_SIZE = handler.MAX_BATCH_COUNT = 2 ** 40  # no batch is due
            logger.addHandler(handler)
            for number in range({count}):
                logger.info('{name} %d', number)
            tell(backing=handler.stats().backing, **account(handler))
            os.kill(os.getpid(), signal.SIGKILL)
            """,
            url,
            spool_dir=spool_dir,
            **others,
        )
        figures = life.end(killed=True)
        assert (figures['backing'], figures['pending']) == ('disk', count)
        return {f'{name} {number}' for number in range(count)}

    return leave
