"""Lives generated programs in real processes, holds the endpoint meanwhile, and judges: was every promise kept?

What is judged, of each program:

1. Conservation. A handler's account adds up, and counts each logging call that has returned. Each such event is at the
   endpoint, or in the account as dropped, or said on stderr as lost with the memory of its process, or was in the memory of a
   process that died without a chance to say anything.
2. No copy that is not admitted: by `uncertain`, by an answer that the endpoint has not given, or by the end of a process that
   left the event on disk. Where every account was told, `uncertain` alone has to admit what the ends of processes do not.
3. Nothing is left, when all is closed and forgotten and the endpoint well: no thread, descriptor, directory or pending event.
4. Each wait is within its deadline, the exit too.
5. Nothing on stderr but what the library says of itself; no exception from any call; no process that dies by itself.
"""

from __future__ import annotations

import json
import os
import queue
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any

from model.endpoint import Endpoint, events_in
from model.program import ALLOWANCE_SECONDS, ENDED_AT_ONCE, PRODUCER

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ['Court', 'Verdict']

NURSERY = Path(__file__).with_name('nursery.py')
# Longer than all that a life may wait for, one after the other.
LIFE_SECONDS = 150.0
# What a process takes to write where its threads are.
STACKS_SECONDS = 2.0
SAID_LOST = re.compile(r'closed with ([\d,]+) events? undelivered, lost')
SAID_KEPT = re.compile(r'undelivered, kept in (\S+)')
HEIR_OPTIONS = {'disk': True, 'send_interval': 0.02, 'shutdown_timeout_seconds': 1}
HEIR = {
    'threads': [[['open', 0, HEIR_OPTIONS], ['log', 0, 1, 0], ['inherit', 0, HEIR_OPTIONS]]],
    'wind_down': 'well first',
}
# Documented in docs/spool-format.md: where a segment's words of committed and head are, and where its lines begin.
COMMITTED_AT, HEAD_AT, HEADER_BYTES = 64, 128, 4096


@dataclass
class Verdict:
    """What came of a program.

    Attributes:
        program: the program.
        broken: each promise that was not kept, in words.
        counts: what happened, and how often.
        worst: for each kind of wait, the most seconds beyond what was allowed without the allowance.
    """

    program: Mapping[str, Any]
    broken: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    worst: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return '\n'.join(
            [f'{self.program["name"]}:', *(f'    {text}' for text in dict.fromkeys(self.broken))]
        )


@dataclass
class _Life:
    """What is known of a life after its end."""

    name: str
    logged: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    exit_allowed_seconds: float | None = None
    exit_began_at: float = 0.0
    announced: bool = False
    children: list[int] = field(default_factory=list)
    accounts: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    code: int | None = None

    def hear(self, line: str) -> None:
        kind, _, rest = line.partition(' ')
        if kind == 'R':
            self.logged.append(rest)
        elif kind == 'V':
            self.broken.append(rest.replace(' | ', '\n        '))
        elif kind == 'C':
            self.children.append(int(rest))
        elif kind == 'D':
            self.announced = True
        elif kind == 'X':
            self.exit_began_at = monotonic()
            self.exit_allowed_seconds = float(rest)

    def leaves_something(self, pid: int) -> bool:
        """Return whether a process may have ended with events on disk."""
        account = self.accounts.get(pid)
        return (
            account is None
            or not account['orderly']
            or any(each['pending'] for each in account['handlers'] if each['disk'])
        )

    def every_account_is_told(self) -> bool:
        """Return whether all its processes have told what their handlers have done until the end."""
        return len(self.accounts) == 1 + len(self.children) and all(
            account['orderly'] and not any(each['gone'] and each['pending'] for each in account['handlers'])
            for account in self.accounts.values()
        )


class Nursery:
    """Forks the programs; may be asked from several threads."""

    def __enter__(self) -> Self:
        self._control, theirs = socket.socketpair()
        self._lock = threading.Lock()
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(('AWS_', 'FIREFIGHTER_', 'PYTHONWARNINGS'))
        }
        environment = {
            **kept,
            'AWS_ACCESS_KEY_ID': 'AKIDEXAMPLE',
            'AWS_SECRET_ACCESS_KEY': 'example',
            'AWS_DEFAULT_REGION': 'eu-west-1',
            'AWS_CONFIG_FILE': os.devnull,
            'AWS_SHARED_CREDENTIALS_FILE': os.devnull,
            'AWS_EC2_METADATA_DISABLED': 'true',
        }
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(NURSERY), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=environment,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._control.close()
        self._process.wait()

    def ask(self, request: Mapping[str, object], *descriptors: int) -> int:
        with self._lock:
            socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)
            answer = self._control.recv(64)
        if not answer:
            raise RuntimeError('the nursery has died')
        return int(answer)


class Court:
    """Judges programs, several at once, since they wait more than they compute.

    Args:
        at_once: how many.
    """

    def __init__(self, at_once: int = 6) -> None:
        self._at_once = at_once
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._nursery = self._stack.enter_context(Nursery())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def judge(
        self, programs: Iterable[Mapping[str, Any]], tell: Callable[[Verdict], object] = lambda _: None
    ) -> list[Verdict]:
        """Have programs lived, and return what came of each, in their order.

        Args:
            programs: any number.
            tell: called with each verdict when it is there.
        """
        waiting: queue.SimpleQueue[tuple[int, Mapping[str, Any]]] = queue.SimpleQueue()
        for item in enumerate(programs):
            waiting.put(item)
        verdicts: dict[int, Verdict] = {}

        def work() -> None:
            while True:
                try:
                    number, program = waiting.get_nowait()
                except queue.Empty:
                    return
                verdicts[number] = self._judge_one(program)
                tell(verdicts[number])

        threads = [threading.Thread(target=work, name=f'judge {number}') for number in range(self._at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [verdicts[number] for number in sorted(verdicts)]

    def _judge_one(self, program: Mapping[str, Any]) -> Verdict:
        try:
            with tempfile.TemporaryDirectory(prefix='model-') as folder, Endpoint() as endpoint:
                return _Trial(self._nursery, endpoint, Path(folder), program).judge()
        except Exception:  # a mistake of the judge's: to be seen, with the program
            return Verdict(program, [f'the judge fails: {traceback.format_exc()}'])


class _Trial:
    def __init__(
        self, nursery: Nursery, endpoint: Endpoint, folder: Path, program: Mapping[str, Any]
    ) -> None:
        self._nursery = nursery
        self._endpoint = endpoint
        self._folder = folder
        self._spool_dir = folder / 'spool'
        self._spool_dir.mkdir()
        self._verdict = Verdict(program)
        self._lives: list[_Life] = []
        # How often each event was left on disk by the end of a process: whoever comes next sends it again.
        self._left: Counter[str] = Counter()

    def judge(self) -> Verdict:
        began_at = monotonic()
        for number, script in enumerate(self._verdict.program['lives']):
            self._live(f'life{number}', script)
        self._endpoint.switch(['up'])
        self._live('heir', HEIR)
        self._look_at_directory()
        self._look_at_events()
        self._verdict.counts.update({f'endpoint {mode}': n for mode, n in self._endpoint.requests.items()})
        self._verdict.worst['program'] = monotonic() - began_at
        return self._verdict

    def _broken(self, text: str) -> None:
        self._verdict.broken.append(text)

    # A life

    def _live(self, name: str, script: Mapping[str, Any]) -> None:
        folder = self._folder / name
        folder.mkdir()
        path = folder / 'script'
        surroundings = {
            'name': name,
            'folder': str(folder),
            'spool_dir': str(self._spool_dir),
            'url': self._endpoint.url,
            'control_port': self._endpoint.control_port,
        }
        path.write_text(json.dumps({**script, **surroundings}))
        life = _Life(name)
        self._lives.append(life)
        with ExitStack() as stack:
            report, their_report = os.pipe()
            alive, their_alive = os.pipe()
            stack.callback(os.close, report)
            stack.callback(os.close, alive)
            said = (folder / 'stderr-main').open('wb')
            with said:
                pid = self._nursery.ask({'script': str(path)}, their_report, their_alive, said.fileno())
            os.close(their_report)
            os.close(their_alive)
            (folder / 'stderr-main').rename(folder / f'stderr-{pid}')
            self._watch(life, folder, pid, report, alive, script.get('kill_after'))
        self._end_of_life(life, folder, script)

    def _watch(
        self, life: _Life, folder: Path, pid: int, report: int, alive: int, kill_after: int | None
    ) -> None:
        """Hear what it says until all of it has ended."""
        deadline = monotonic() + LIFE_SECONDS
        rest = b''
        open_ends = {report, alive}
        killed = False
        while open_ends:
            ready, _, _ = select.select(list(open_ends), [], [], max(0.0, deadline - monotonic()))
            if not ready:
                self._broken(f'{life.name} hangs: {stacks(folder, pid)}')
                killed = True
                kill_group(pid)
                deadline = monotonic() + LIFE_SECONDS
                continue
            if ready == [alive]:  # and everything that it has said is heard
                open_ends.discard(alive)
                self._note_end(life, pid, monotonic(), killed)
            if report in ready:
                data = os.read(report, 1 << 16)
                if not data:
                    open_ends.discard(report)
                *lines, rest = (rest + data).split(b'\n')
                for line in lines:
                    life.hear(line.decode())
                if (
                    kill_after is not None
                    and len(life.logged) >= kill_after
                    and not killed
                    and alive in open_ends
                ):
                    killed = True
                    kill_group(pid)

    def _note_end(self, life: _Life, pid: int, now: float, killed: bool) -> None:
        life.code = self._nursery.ask({'reap': pid})
        allowed = {0}
        if life.announced or killed:
            allowed |= {-signal.SIGKILL, ENDED_AT_ONCE}
        if life.code not in allowed:
            self._broken(f'{life.name} has ended with {life.code}')
        if life.exit_allowed_seconds is not None:
            over = now - life.exit_began_at - life.exit_allowed_seconds
            self._note_worst('exit', over)
            if over > ALLOWANCE_SECONDS:
                self._broken(f'the exit of {life.name} took {over:.1f} s more than its deadline')

    def _end_of_life(self, life: _Life, folder: Path, script: Mapping[str, Any]) -> None:
        self._verdict.broken += [f'{life.name}: {text}' for text in life.broken]
        life.accounts = read_accounts(folder)
        for account in life.accounts.values():
            self._verdict.counts.update(account['counts'])
            for kind, seconds in account['worst'].items():
                self._note_worst(kind, seconds)
        lost = self._look_at_stderr(life, folder)
        self._look_at_missing_in_memory(life, lost)
        self._left.update(pending_in(self._spool_dir))
        # Where processes lived beside each other, one may have gone on with what the other had left, before we could look.
        ends = sum(life.leaves_something(child) for child in life.children)
        if life.children and life.code != 0:
            ends += 1
        for event in self._all_logged():
            self._left[event] += ends
        self._verdict.counts['lives'] += 1
        self._verdict.counts['sudden ends'] += life.code != 0

    def _look_at_stderr(self, life: _Life, folder: Path) -> Counter[int]:
        """Return how many events each process has said to be lost with it."""
        lost: Counter[int] = Counter()
        for path in folder.glob('stderr-*'):
            pid = int(path.name.partition('-')[2])
            text = path.read_text(errors='replace')
            foreign = [line for line in text.splitlines() if not line.startswith('firefighter:')]
            if foreign and not any('hangs' in each for each in self._verdict.broken):
                self._broken(f'{life.name}: on stderr:\n        ' + '\n        '.join(foreign[:40]))
            lost[pid] = sum(int(number.replace(',', '')) for number in SAID_LOST.findall(text))
            self._verdict.counts['said lost'] += lost[pid]
        return lost

    def _look_at_missing_in_memory(self, life: _Life, lost: Counter[int]) -> None:
        """Hold what is missing of each process's memory against what it has said; of one that died suddenly, nothing."""
        arrived = self._endpoint.arrived
        for pid, account in life.accounts.items():
            if not account['orderly']:
                continue
            in_memory = [each for each in account['handlers'] if not each['disk']]
            missing = [
                event for event in life.logged if owner_of(event) == (pid, 'm') and event not in arrived
            ]
            dropped = sum(sum(each['dropped'].values()) for each in in_memory)
            if len(missing) > dropped + lost[pid]:
                self._broken(
                    f'{life.name}: {len(missing)} events of handlers in memory of process {pid} are missing, where '
                    f'{dropped} were dropped and {lost[pid]} said to be lost: {examples(missing)}'
                )

    # All of it

    def _all_logged(self) -> Iterator[str]:
        for life in self._lives:
            yield from life.logged

    def _look_at_directory(self) -> None:
        left = sorted(str(path) for path in self._spool_dir.rglob('*') if PRODUCER.fullmatch(path.name))
        if left:
            self._broken(f'behind the heir there is still {left}')
        for path in self._spool_dir.rglob('quarantine'):
            self._broken(f'quarantined: {path.read_bytes()[:300]!r}')

    def _look_at_events(self) -> None:
        arrived = self._endpoint.arrived
        logged = list(self._all_logged())
        handlers = [
            each for life in self._lives for account in life.accounts.values() for each in account['handlers']
        ]
        missing = [event for event in logged if owner_of(event)[1] == 'd' and event not in arrived]
        dropped = sum(sum(each['dropped'].values()) for each in handlers if each['disk'])
        if len(missing) > dropped:
            self._broken(
                f'{len(missing)} events of handlers on disk are missing, where {dropped} were dropped: {examples(missing)}'
            )
        orderly = {
            pid for life in self._lives for pid, account in life.accounts.items() if account['orderly']
        }
        # Others may have been killed between the call and the report.
        foreign = [event for event in arrived.keys() - set(logged) if owner_of(event)[0] in orderly]
        if foreign:
            self._broken(f'{len(foreign)} events arrived that nobody has logged: {examples(foreign)}')
        self._look_at_copies(arrived, handlers)
        reasons = sum((Counter(each['dropped']) for each in handlers), Counter())
        self._verdict.counts.update({f'dropped: {reason}': count for reason, count in reasons.items()})
        self._verdict.counts.update(
            logged=len(logged),
            arrived=len(arrived),
            copies=arrived.total() - len(arrived),
            missing=sum(event not in arrived for event in logged),
            adopted=sum(each['adopted'] for each in handlers),
            uncertain=sum(each['uncertain'] for each in handlers),
        )

    def _look_at_copies(self, arrived: Counter[str], handlers: Iterable[Mapping[str, Any]]) -> None:
        uncertain = sum(each['uncertain'] for each in handlers)
        # Of each event: the copies that no end of a process explains; and those of them that no lost answer does.
        unexplained = {
            event: times - 1 - self._left[event]
            for event, times in arrived.items()
            if times - 1 > self._left[event]
        }
        without_cause = {
            event: times - self._endpoint.untold[event]
            for event, times in unexplained.items()
            if times > self._endpoint.untold[event]
        }
        if sum(without_cause.values()) > uncertain:
            self._broken(
                f'{sum(without_cause.values())} copies have no cause (no answer was lost), and uncertain is {uncertain}: '
                f'{examples(without_cause)}'
            )
        every_account_is_told = all(life.every_account_is_told() for life in self._lives)
        self._verdict.counts['programs with every account'] += every_account_is_told
        if every_account_is_told and sum(unexplained.values()) > uncertain:
            self._broken(
                f'{sum(unexplained.values())} copies are not admitted, uncertain is {uncertain}: {examples(unexplained)}'
            )

    def _note_worst(self, kind: str, seconds: float) -> None:
        self._verdict.worst[kind] = max(self._verdict.worst.get(kind, 0.0), seconds)


def read_accounts(folder: Path) -> dict[int, dict[str, Any]]:
    accounts = [json.loads(path.read_text()) for path in folder.glob('account-*') if path.suffix != '.new']
    return {account['pid']: account for account in accounts}


def owner_of(event: str) -> tuple[int, str]:
    """Return the process that has logged an event, and d or m for the place where its handler keeps it."""
    _, pid, handler, _ = event.split('.')
    return int(pid), handler[-1]


def examples(events: Iterable[str]) -> str:
    found = sorted(events)
    return ', '.join(found[:4]) + (f', ... ({len(found)} in all)' if len(found) > 4 else '')


def pending_in(spool_dir: Path) -> Counter[str]:
    """Return the events that dead processes have not got rid of, as their files say."""
    found: Counter[str] = Counter()
    for path in spool_dir.rglob('*.spool'):
        data = path.read_bytes()
        (committed,), (head,) = (struct.unpack_from('=Q', data, at) for at in (COMMITTED_AT, HEAD_AT))
        lines = data[max(head, HEADER_BYTES) : committed % 2**32].split(b'\n')
        # Zeros stand for what is settled behind others that are not.
        events = events_in([line for line in lines if line and b'\0' not in line])
        found.update(event['message'] for event in events if 'firefighter_dropped' not in event)
    return found


def stacks(folder: Path, pid: int) -> str:
    """Have a process write where its threads are, and return that."""
    path = folder / f'stderr-{pid}'
    try:
        os.kill(pid, signal.SIGUSR2)
    except ProcessLookupError:
        return 'a child of it'
    deadline = monotonic() + STACKS_SECONDS
    while 'Thread 0x' not in path.read_text(errors='replace') and monotonic() < deadline:
        select.select([], [], [], 0.05)
    return path.read_text(errors='replace')


def kill_group(pid: int) -> None:
    """Kill a process and all that it has forked."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
