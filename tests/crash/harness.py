"""Kills processes that log, and looks for what they have said they logged.

A round: producers log numbered events and report each number, through a pipe, when the logging call has returned. When so many
reports have come as the dice have said, all producers are killed (SIGKILL). Then a new process of the same
destination opens the directory, and delivers. Every reported event must be at the endpoint.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from firefighter._audit.accounts import Accounts
from firefighter._spool.disk.segment_file import HEADER_BYTES, read_progress
from firefighter.local import LocalFirehoseProcess

if TYPE_CHECKING:
    from typing_extensions import Self

STREAM = 'bar'
WINDOW_BYTES = 8 * 1024 * 1024
# Until an heir has delivered everything it makes about so many.
HEIR_TICKS = 2_000
NURSERY = Path(__file__).with_name('nursery.py')
SMALL = (0, 40, 200)
# So that what adopters deliver is some times the window of what a death may repeat.
BIG = (60_000,)
VERY_DIFFERENT = (0, 9, 100, 700, 5_000, 60_000, 0, 300_000, 30)


@dataclass(frozen=True)
class Variant:
    """What is particular about a kind of round."""

    name: str
    producers: int = 1
    threads: int = 1
    fault: Mapping[str, object] = field(default_factory=dict)
    """What is wrong with the endpoint until the last heir comes."""
    heirs_killed: int = 0
    """So many adopters are killed, one after the other, while they deliver."""
    sizes: tuple[int, ...] = SMALL
    most_reports: int = 20_000
    handler: dict[str, object] = field(default_factory=dict)


# Segments of 64 KiB, and never a fifth: whoever logs waits for the room.
ROLLING = {'max_spool_bytes': 256 * 1024, 'overflow': 'block', 'block_timeout_seconds': 30}

DOWN = {'name': 'unavailable'}
# Stored at once: so whoever dies has something in flight that has arrived.
LATE = {'name': 'slow', 'seconds': 20}
# So what is settled lies between what is not.
PATCHY = {'name': 'partial', 'share': 0.5}

VARIANTS = (
    Variant('one producer'),
    Variant('endpoint down', fault=DOWN),
    Variant('answers late', fault=LATE),
    Variant('half of the entries fail', fault=PATCHY),
    Variant('two producers', producers=2),
    Variant('eight threads', threads=8),
    Variant('adopter killed', heirs_killed=1),
    Variant('two adopters killed, endpoint down', fault=DOWN, heirs_killed=2),
    Variant('two adopters killed, answers late', fault=LATE, heirs_killed=2),
    Variant('adopter killed, big events', heirs_killed=1, sizes=BIG, most_reports=600),
    Variant('rolling over', sizes=(4_000, 9_000, 500), most_reports=4_000, handler=ROLLING),
    Variant('very different sizes', sizes=VERY_DIFFERENT, most_reports=500),
)


@dataclass
class Result:
    """What came of a round."""

    variant: str
    reported: int
    lost: int
    twice: int
    in_flight: int
    """Events that the endpoint had, and of which the dead did not know it; for each death."""
    in_flight_bytes: int
    """The most bytes of them that a process has left."""
    unexplained: int
    """Events that arrived more often than that explains."""
    gaps: int
    """Numbers that are missing among those that arrived, in a round with event ids."""
    recovery_seconds: float


@dataclass
class Death:
    """What processes that died at the same time have left.

    Attributes:
        processes: how many.
        pending: the events that the next one will send, as the files say, and their bytes.
        known: those of them that had arrived before.
    """

    processes: int
    pending: Mapping[tuple[str, int], int]
    known: set[tuple[str, int]]

    @property
    def in_flight_bytes(self) -> int:
        """Bytes that the endpoint had and the dead did not know of, for each of them."""
        return sum(self.pending[event] for event in self.known) // self.processes


class Process:
    """A forked process, and what it reports."""

    def __init__(self, nursery: Nursery, settings: dict[str, object]) -> None:
        self._nursery = nursery
        self._reports, theirs = os.pipe()
        try:
            self.pid = nursery.ask(settings, theirs)
        finally:
            os.close(theirs)
        self.output = b''
        self.alive = True

    def read(self) -> bool:
        """Read some; return whether there was any."""
        data = os.read(self._reports, 1 << 16)
        self.output += data
        return bool(data)

    def last_number(self) -> int:
        """Return the last of the numbers that it has written, one a line; an heir that is done has written more."""
        lines = self.output.splitlines(keepends=True)
        return next(
            (int(line) for line in reversed(lines) if line.endswith(b'\n') and line[:-1].isdigit()), 0
        )

    def kill(self) -> None:
        """Kill it, and wait until the system has let go of all that it held."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
            self.reap()

    def kill_without_waiting(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def reap(self) -> None:
        self.alive = False
        self._nursery.ask({'reap': self.pid})

    def read_to_the_end(self) -> None:
        while self.read():
            pass
        os.close(self._reports)


class Nursery:
    """What forks the processes."""

    def __init__(self, complaints: Path) -> None:
        self._complaints = complaints

    def __enter__(self) -> Self:
        self._control, theirs = socket.socketpair()
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(('AWS_', 'FIREFIGHTER_'))
        }
        environment |= {
            'AWS_ACCESS_KEY_ID': 'AKIDEXAMPLE',
            'AWS_SECRET_ACCESS_KEY': 'example',
            'AWS_DEFAULT_REGION': 'eu-west-1',
            'AWS_CONFIG_FILE': os.devnull,
            'AWS_SHARED_CREDENTIALS_FILE': os.devnull,
            'AWS_EC2_METADATA_DISABLED': 'true',
        }
        with theirs, self._complaints.open('wb') as complaints:
            self._process = subprocess.Popen(
                [sys.executable, str(NURSERY), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=environment,
                stderr=complaints,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._control.close()
        self._process.wait()

    def ask(self, request: dict[str, object], *descriptors: int) -> int:
        socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)
        answer = self._control.recv(64)
        if not answer:
            raise RuntimeError(f'the nursery has died: {self._complaints.read_text()}')
        return int(answer)


class Stage:
    """An endpoint, a nursery, and the dice: what rounds are played on.

    Args:
        folder: a new one for everything.
        seed: of the dice.
    """

    def __init__(self, folder: Path, seed: int | str) -> None:
        self._folder = folder
        self._dice = random.Random(seed)
        self._rounds = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.set_up(stack)
            self._stack = stack.pop_all()
        return self

    def set_up(self, stack: ExitStack) -> None:
        """Start the endpoint, and what makes processes."""
        self._endpoint = stack.enter_context(
            LocalFirehoseProcess(self._folder / 'delivered', streams=[STREAM], buffer_seconds=900)
        )
        self._nursery = stack.enter_context(Nursery(self._folder / 'complaints'))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)


class Harness(Stage):
    """Lets producers log, and kills them."""

    def round(self, variant: Variant) -> Result:
        """Let producers log, kill them, let an heir deliver, and compare."""
        self._rounds += 1
        spool_dir = self._folder / f'spool-{self._rounds}'
        spool_dir.mkdir()
        handler = {
            'delivery_stream_name': STREAM,
            'endpoint_url': self._endpoint.url,
            'spool_dir': str(spool_dir),
            # In every other round, so that both ways of appending are met by every kind of death.
            'event_ids': self._rounds % 2 == 0,
            **variant.handler,
        }
        audit = Accounts()
        if variant.fault:
            self._endpoint.inject(**variant.fault)
        with ExitStack() as stack:
            reported = self._produce(variant, handler, stack)
            died_at = time.monotonic()
            arrived = Counter(self._arrived(audit))
            deaths = [death(variant.producers, spool_dir, arrived)]
            for _ in range(variant.heirs_killed):
                self._let_an_heir_die(handler, stack, len(deaths[-1].pending))
                arrived += Counter(self._arrived(audit))
                deaths.append(death(1, spool_dir, arrived))
            self._endpoint.clear_faults()
            report, recovered_at = self._let_an_heir_deliver(handler, stack)
        if not report['complete'] or report['pending'] or report['backing'] != 'disk':
            raise AssertionError(f'{variant.name}: the heir says {report}')
        left = [path for path in spool_dir.glob('*/*/*') if path.is_dir()]
        if left:
            raise AssertionError(f'{variant.name}: directories stay behind: {left}')
        arrived += Counter(self._arrived(audit))
        # An event may come once more for each death that left it pending, and for no other.
        chances = Counter(event for each in deaths for event in each.pending)
        return Result(
            variant=variant.name,
            reported=len(reported),
            lost=len(reported - arrived.keys()),
            twice=sum(times - 1 for times in arrived.values()),
            in_flight=sum(len(each.known) for each in deaths),
            in_flight_bytes=max(each.in_flight_bytes for each in deaths),
            unexplained=sum(times > 1 + chances[event] for event, times in arrived.items()),
            gaps=audit.totals().unexplained,
            recovery_seconds=recovered_at - died_at,
        )

    def _produce(
        self, variant: Variant, handler: dict[str, object], stack: ExitStack
    ) -> set[tuple[str, int]]:
        """Return what the producers have reported until they were killed."""
        settings = {
            'start': 'producer',
            'handler': handler,
            'threads': variant.threads,
            'sizes': variant.sizes,
        }
        started = []
        for index in range(variant.producers):
            process = Process(self._nursery, {**settings, 'name': f'{self._rounds}.{index}'})
            stack.callback(process.kill)
            started.append(process)
        wanted = self._moment(variant.most_reports)
        for process in started:
            while process.output.count(b'\n') < wanted and process.read():
                pass
        for process in started:
            process.kill_without_waiting()
        reported = set()
        for index, process in enumerate(started):
            process.read_to_the_end()
            process.reap()
            # What comes behind the last newline is the report of no whole number.
            for line in process.output[: process.output.rfind(b'\n') + 1].splitlines():
                thread, number = map(int, line.split())
                reported.add((f'{self._rounds}.{index}.{thread}', number))
        return reported

    def _moment(self, latest: int) -> int:
        """Return a number up to `latest`: in half of the cases small ones are as likely as large ones."""
        return int(self._dice.choice([latest ** self._dice.random(), self._dice.uniform(1, latest)]))

    def _let_an_heir_die(self, handler: dict[str, object], stack: ExitStack, pending: int) -> None:
        """Kill it at one of its ticks, or when it has delivered so much of what is pending, whichever is first."""
        heir = self._heir(handler, stack, ticks=True)
        ticks, delivered = self._moment(HEIR_TICKS), self._moment(max(pending, 1))
        while heir.output.count(b'\n') < ticks and heir.last_number() < delivered and heir.read():
            pass
        heir.kill()
        heir.read_to_the_end()

    def _let_an_heir_deliver(
        self, handler: dict[str, object], stack: ExitStack
    ) -> tuple[dict[str, object], float]:
        heir = self._heir(handler, stack, ticks=False)
        while b'\n' not in heir.output and heir.read():
            pass
        recovered_at = time.monotonic()
        heir.read_to_the_end()
        heir.reap()
        return json.loads(heir.output), recovered_at

    def _heir(self, handler: dict[str, object], stack: ExitStack, *, ticks: bool) -> Process:
        process = Process(self._nursery, {'start': 'heir', 'handler': handler, 'ticks': ticks})
        stack.callback(process.kill)
        return process

    def _arrived(self, audit: Accounts) -> Iterable[tuple[str, int]]:
        """Return the events at the endpoint, audited, and empty it."""
        self._endpoint.flush()
        for path in sorted((self._folder / 'delivered').rglob('*')):
            if path.is_file():
                lines = path.read_bytes().splitlines()
                for line in lines:
                    audit.take(line)
                yield from numbers(lines)
                path.unlink()


def death(processes: int, spool_dir: Path, arrived: Mapping[tuple[str, int], int]) -> Death:
    """Return what is there after so many processes have died."""
    lines = list(lines_pending(spool_dir))
    pending = dict(zip(numbers(lines), map(len, lines), strict=True))
    return Death(processes, pending, {event for event in pending if event in arrived})


def numbers(lines: Iterable[bytes]) -> Iterable[tuple[str, int]]:
    """Return who has logged each line, and its number."""
    for line in lines:
        event = json.loads(line)
        yield event['by'], event['n']


def lines_pending(spool_dir: Path) -> Iterable[bytes]:
    """Return the lines that dead producers have not got rid of, as their files say."""
    for path in sorted(spool_dir.rglob('*.spool')):
        data = path.read_bytes()
        _, tail, head = read_progress(data[:HEADER_BYTES])
        yield from data[head:tail].splitlines()
