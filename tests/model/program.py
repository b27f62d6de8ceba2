"""The program under test: a process that does what a script says, with three threads at once, and tells what it saw.

It tells through a pipe, one short line at a time, so that what it had told is known however it ends:

    R event             a logging call has returned
    V text              a promise was broken, seen from inside
    C pid               a child has begun
    D                   it is about to end itself without running any more Python
    X seconds           its last line is done; its exit may take so long

and through files: `account-<pid>`, JSON, written anew until the end, and `stderr-<pid>`. The name of an event is
`<life>.<pid>.<number of the handler><d or m>.<number>`; d is a handler with a directory, m one in memory.

Only what is documented of the library is used. A handler's events go through a `logging.Logger` of the handler's own, so that
each call is known to be for that handler, whatever other threads replace meanwhile.
"""

from __future__ import annotations

import faulthandler
import gc
import itertools
import json
import logging
import logging.config
import multiprocessing
import os
import re
import signal
import sys
import threading
import traceback
import warnings
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import util
from pathlib import Path
from time import monotonic, sleep
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: there are no forks either, and no one runs this
    fcntl = None

from firefighter.logging import FirehoseHandler
from firefighter.stats import Stats
from model.endpoint import switch

__all__ = ['ALLOWANCE_SECONDS', 'SABOTEURS', 'ChildEnds', 'Program']

ALLOWANCE_SECONDS = 8.0
"""How much longer than its deadline a wait may take: for a machine that is busy with other things. The promise is 0.5 s; what
waits for somebody who is silent takes ten seconds and more."""

CONVERGENCE_SECONDS = 60.0
"""Until all is let go of when the endpoint is well again: a request without an answer is given up after 20 s, and a pause after
failures is 30 s at most."""
ORPHANS_SECONDS = 5.0
POLL_SECONDS = 0.05
CHILD_SECONDS = 40.0
SETTLING_SECONDS = 3.0
CHILD_FAILED, ENDED_AT_ONCE = 70, 71

DESCRIPTORS = Path('/proc/self/fd')
PRODUCER = re.compile('[0-9a-f]{32}')
COUNTED = ('accepted', 'adopted', 'markers', 'delivered', 'pending', 'uncertain', 'retried', 'backing')


class ChildEnds(BaseException):
    """Takes a forked child out of whatever it was forked in, to an orderly end of its process."""


@dataclass
class Record:
    """What is known of a handler; keeps it from nothing."""

    number: int
    disk: bool
    options: Mapping[str, Any]
    handler: weakref.ref[FirehoseHandler]
    logged: list[str] = field(default_factory=list)
    noted: Stats | None = None
    closed: bool = False

    @property
    def synchronous(self) -> bool:
        return not self.options.get('use_queues', True)

    @property
    def shutdown_seconds(self) -> float:
        return self.options.get('shutdown_timeout_seconds', 10)

    @property
    def call_seconds(self) -> float:
        """What one logging call may wait."""
        blocking = self.options.get('overflow') == 'block'
        return (self.options.get('block_timeout_seconds', 1) if blocking else 0) + (
            self.options.get('sync_timeout_seconds', 5) if self.synchronous else 0
        )

    def note(self, handler: FirehoseHandler | None = None) -> Stats | None:
        """Read the account; return it, or the last one of a handler that is gone.

        Whoever has the handler gives it: in a finalizer it may be garbage itself, and no weak reference leads to it any more.
        """
        handler = handler or self.handler()
        if handler is not None:
            stats = handler.stats()
            if (
                self.noted is None
                or stats.accepted + stats.adopted >= self.noted.accepted + self.noted.adopted
            ):
                self.noted = stats
            return stats
        return self.noted


@dataclass
class Open:
    """A handler as the program holds it."""

    record: Record
    logger: logging.Logger

    @property
    def handler(self) -> FirehoseHandler:
        return self.logger.handlers[0]


class Debris:
    """A finished thing in a reference cycle, that logs when the collector finds it, in whichever thread that runs."""

    def __init__(self, log: Callable[[], object]) -> None:
        self._log = log
        self._self = self

    def __del__(self) -> None:
        self._log()


class Program:
    """One process's life.

    Args:
        script: what to do, and where; see `generation`.
        report: the descriptor of the pipe.
        alive: a descriptor that ends with this process, and is not its children's.
    """

    def __init__(self, script: Mapping[str, Any], report: int, alive: int) -> None:
        self._script = script
        self._report = report
        self._alive = alive
        self._folder = Path(script['folder'])
        self._spool_dir = Path(script['spool_dir'])
        self._pid = os.getpid()
        self._child = False
        self._slots: dict[int, Open] = {}
        self._records: list[Record] = []
        self._handlers = itertools.count()
        self._events = itertools.count()
        self._to_log_in_signal: deque[tuple[int, int]] = deque()
        self._children: list[Any] = []
        self._mode = ['up']
        self._switching = threading.Lock()
        self._began_to_exit: float | None = None
        self._exit_seconds = 0.0
        self.counts: Counter[str] = Counter()
        self.worst: dict[str, float] = {}

    # The whole of it

    def run(self) -> None:
        """Do everything but end."""
        warnings.simplefilter(
            'ignore', DeprecationWarning
        )  # that a process with threads forks: it is the point
        faulthandler.register(signal.SIGUSR2, all_threads=True)
        signal.signal(signal.SIGUSR1, self._on_signal)
        os.register_at_fork(after_in_child=self._begin_as_child)
        if 'collect_every' in self._script:
            gc.set_threshold(self._script['collect_every'], 5, 5)
        if 'switch_interval' in self._script:
            sys.setswitchinterval(self._script['switch_interval'])
        gc.collect()
        self._threads_before = set(threading.enumerate())
        self._descriptors_before = descriptors()
        self.act(self._script.get('before', ()))
        others = [
            threading.Thread(target=self.act, args=(actions,), name=f'actor {number}')
            for number, actions in enumerate(self._script['threads'][1:], 1)
        ]
        for thread in others:
            thread.start()
        self.act(self._script['threads'][0])
        for thread in others:
            thread.join()
        self.act(self._script.get('after', ()))
        self._settle()
        if self._script['wind_down']:
            self._wind_down()
        self._exit_begins()

    def act(self, actions: Sequence[Sequence[Any]]) -> None:
        """Do actions, one after the other."""
        for verb, *arguments in actions:
            self.counts[verb] += 1
            try:
                getattr(self, verb.replace(' ', '_'))(*arguments)
            except Exception:
                self._broken(f'{verb} {arguments} raised', traceback.format_exc())
            self._look_at_accounts()

    # What a program does

    def open(self, slot: int, options: Mapping[str, Any]) -> None:
        """Make a handler; whoever was in its place is forgotten."""
        with self._within('open', 0):
            handler = self._kind()('bar', **self._complete(options))
        self._put(slot, handler, options)

    def replace(self, configuration: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
        """Configure logging anew, as after an edit of the file: every handler that there is gets closed."""
        name = f'app{next(self._handlers)}'
        handlers = {
            f'slot{slot}': {'()': self._kind(), 'delivery_stream_name': 'bar', **self._complete(options)}
            for slot, options in configuration
        }
        for record in list(self._records):
            record.closed = True  # before it is: whoever uses it meanwhile says the contrary
        with self._within('replace', 0):
            logging.config.dictConfig(
                {
                    'version': 1,
                    'disable_existing_loggers': False,
                    'handlers': handlers,
                    'loggers': {name: {'handlers': list(handlers), 'level': 'DEBUG', 'propagate': False}},
                }
            )
        logger = logging.getLogger(name)
        made, logger.handlers[:] = logger.handlers[:], ()
        for (slot, options), handler in zip(configuration, made, strict=True):
            self._put(slot, handler, options)

    def log(self, slot: int, count: int, size: int) -> None:
        if held := self._slots.get(slot):
            for _ in range(count):
                self._log(held, size)
            held.record.note()

    def log_from_del(self, slot: int, count: int) -> None:
        if held := self._slots.get(slot):
            for _ in range(count):
                Debris(lambda: self._log_late(held))

    def log_from_signal(self, slot: int, count: int) -> None:
        self._to_log_in_signal.append((slot, count))
        os.kill(os.getpid(), signal.SIGUSR1)

    def flush(self, slot: int, seconds: float) -> None:
        if held := self._slots.get(slot):
            held.record.closed = False  # it may adopt
            with self._within('flush', seconds):
                held.handler.flush(seconds)

    def close(self, slot: int) -> None:
        if held := self._slots.get(slot):
            with self._within('close', held.record.shutdown_seconds):
                held.handler.close()
            held.record.closed = True
            held.record.note()

    def forget(self, slot: int, collect: bool) -> None:
        """Drop every reference, without closing."""
        if held := self._slots.pop(slot, None):
            held.record.note()
            del held
        if collect:
            gc.collect()

    def fork(self, actions: Sequence[Sequence[Any]], how_it_ends: str) -> None:
        """Have a child do something, and go on."""
        if how_it_ends == 'exit' and threading.current_thread() is not threading.main_thread():
            # A thread cannot end a process in an orderly way; multiprocessing can.
            process = multiprocessing.get_context('fork').Process(
                target=self._be_child_of_multiprocessing, args=(actions,)
            )
            with self._within('fork', 0):
                process.start()
            self._children.append(process)
            return
        began_at = monotonic()
        pid = os.fork()
        if pid:
            self._note_wait('fork', monotonic() - began_at, 0)
            self._children.append(pid)
            return
        try:
            self._be_child(actions)
            if how_it_ends == 'kill':
                os.kill(os.getpid(), signal.SIGKILL)
            if how_it_ends == '_exit':
                os._exit(ENDED_AT_ONCE)
        except BaseException:
            self._broken('a child', traceback.format_exc())
            os._exit(CHILD_FAILED)
        raise ChildEnds

    def endpoint(self, *mode: Any) -> None:
        with self._switching:  # so that the last word is the endpoint's state
            switch(self._script['control_port'], mode)
            self._mode = list(mode)

    def pause(self, seconds: float) -> None:
        sleep(seconds)

    def collect(self) -> None:
        gc.collect()

    def inherit(self, slot: int, options: Mapping[str, Any]) -> None:
        """Deliver what the dead have left, by one new handler after the other: a new one looks at once, and takes some."""
        deadline = monotonic() + CONVERGENCE_SECONDS
        while (left := self._of_others()) and monotonic() < deadline:
            self.close(slot)
            self.open(slot, options)
            with self._within('flush', 1.0):
                self._slots[slot].handler.flush(1.0)
            self._deliver_all(self._slots[slot])
        if left:
            began = f'after {CONVERGENCE_SECONDS:.0f} s, of what the dead have left there is still'
            self._broken(began, *left, str(self._slots[slot].handler.stats()))

    def kill(self) -> None:
        """End everything at once, children too."""
        self._say('D')
        os.killpg(0, signal.SIGKILL)

    def _exit(self) -> None:
        self.account()
        self._say('D')
        os._exit(ENDED_AT_ONCE)

    # Its parts

    def _kind(self) -> type[FirehoseHandler]:
        return SABOTEURS[self._script.get('sabotage', 'none')]

    def _complete(self, options: Mapping[str, Any]) -> dict[str, Any]:
        complete = {'endpoint_url': self._script['url'], **options}
        if complete.pop('disk', False):
            complete['spool_dir'] = str(self._spool_dir)
        return complete

    def _put(self, slot: int, handler: FirehoseHandler, options: Mapping[str, Any]) -> None:
        record = Record(next(self._handlers), bool(options.get('disk')), options, weakref.ref(handler))
        logger = logging.Logger('foo', logging.DEBUG)
        logger.addHandler(handler)
        self._records.append(record)
        self._slots[slot] = Open(record, logger)

    def _log(self, held: Open, size: int) -> None:
        self._begin_as_child()  # in a forked child, the collector may come before our hook
        record = held.record
        kind = 'd' if record.disk else 'm'
        event = f'{self._script["name"]}.{self._pid}.{record.number}{kind}.{next(self._events)}'
        late = self._began_to_exit is not None
        record.closed = False
        try:
            # Late ones cost no wait: the exit has one budget, and it is used up.
            with self._within('log', 0 if late else record.call_seconds):
                held.logger.info({'message': event, 'pad': 'x' * size})
        except Exception:
            self._broken('a logging call raised', traceback.format_exc())
            return
        finally:
            record.closed = False
        record.logged.append(event)
        self._say(f'R {event}')

    def _on_signal(self, *_: object) -> None:
        while self._to_log_in_signal:
            slot, count = self._to_log_in_signal.popleft()
            if held := self._slots.get(slot):
                for _ in range(count):
                    self._log_late(held)

    def _log_late(self, held: Open) -> None:
        self._log(held, 0)
        held.record.note(held.handler)

    def _be_child(self, actions: Sequence[Sequence[Any]]) -> None:
        """In a forked child: do all but end."""
        self.act(actions)
        self._settle()
        self._exit_begins()

    def _begin_as_child(self) -> None:
        """Begin a life of its own, once, before anything is logged here."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._child = True
        with suppress(OSError):
            os.close(self._alive)
        said = os.open(self._folder / f'stderr-{self._pid}', os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(said, 2)
        os.close(said)
        self._say(f'C {self._pid}')
        self._children = []
        # As multiprocessing does in its own children: those of the parent are not this one's to wait for.
        multiprocessing.process._children.clear()
        self._to_log_in_signal.clear()
        self.counts.clear()
        self.worst.clear()
        for record in self._records:
            record.logged = []
            record.noted = None

    def _be_child_of_multiprocessing(self, actions: Sequence[Sequence[Any]]) -> None:
        # Behind the library's own, which delivers.
        util.Finalize(None, self.end, exitpriority=-10)
        self._be_child(actions)

    def _exit_begins(self) -> None:
        # Of those that are gone, too: what they have accepted may still be under way.
        self._exit_seconds = max((each.shutdown_seconds for each in self._records), default=0.0)
        self._began_to_exit = monotonic()
        self.account()
        if not self._child:
            self._say(f'X {self._exit_seconds:.3f}')

    def end(self) -> None:
        """Do what the last exit function does: log too late, and tell the final account."""
        if self._began_to_exit is None:
            return  # ended by an exception, which was told
        self._note_wait('exit', monotonic() - self._began_to_exit, self._exit_seconds)
        with self._within('late events', 0):
            for slot in list(self._slots):
                self.log(slot, self._script.get('late', 0), 0)
        self._look_at_accounts()
        self.account(orderly=True)

    # What it sees

    def _settle(self) -> None:
        """Wait for everything that still goes on; then each handler must have counted each call."""
        self._wait_for_children()
        while self._to_log_in_signal:
            self._on_signal()
        gc.collect()
        for text in what_stays(self._miscounted, SETTLING_SECONDS):
            self._broken(text)

    def _miscounted(self) -> list[str]:
        accounts = [(record, stats) for record in self._records if (stats := record.note())]
        return [
            f'handler {record.number} {dict(record.options)}: {len(record.logged)} logging calls have '
            f'returned, and it has accepted {stats.accepted - stats.markers}; suppressed: {stats.suppressed}'
            for record, stats in accounts
            if stats.accepted - stats.markers != len(record.logged)
        ]

    def _wait_for_children(self) -> None:
        deadline = monotonic() + CHILD_SECONDS
        for child in self._children:
            if isinstance(child, int):
                pid, status = child, wait_for(child, deadline - monotonic())
            else:
                child.join(max(0.0, deadline - monotonic()))
                pid, status = child.pid, child.exitcode
            if status is None:
                self._broken(f'a child has not ended after {CHILD_SECONDS:.0f} s', self._stacks_of(pid))
            elif status not in {0, ENDED_AT_ONCE, -signal.SIGKILL}:
                self._broken(f'a child has ended with {status}')
        self._children.clear()

    def _stacks_of(self, pid: int) -> str:
        os.kill(pid, signal.SIGUSR2)
        sleep(0.5)
        os.kill(pid, signal.SIGKILL)
        return (self._folder / f'stderr-{pid}').read_text(errors='replace')

    def _look_at_accounts(self) -> None:
        for record in list(self._records):
            stats = record.note()
            if stats is not None and not adds_up(stats):
                self._broken(f'handler {record.number}: the account does not add up: {stats}')

    @contextmanager
    def _within(self, kind: str, seconds: float) -> Iterator[None]:
        began_at = monotonic()
        try:
            yield
        finally:
            self._note_wait(kind, monotonic() - began_at, seconds)

    def _note_wait(self, kind: str, took: float, allowed: float) -> None:
        over = took - allowed
        if over > self.worst.get(kind, 0.0):
            self.worst[kind] = over
        if over > ALLOWANCE_SECONDS:
            self._broken(
                f'{kind} took {took:.1f} s where {allowed:.1f} were given; the endpoint was {self._mode}'
            )

    # Its end

    def _wind_down(self) -> None:
        """Close everything and let go of it, with an endpoint that is well; then nothing may be left."""
        if self._script['wind_down'] == 'well first':
            self.endpoint('up')
        for slot in list(self._slots):
            self.close(slot)
        # Where the endpoint is silent, a request with events of the dead may be on its way, and hold them a while.
        nothing_is_under_way = self._mode[0] == 'down' and all(each.closed for each in self._records)
        if nothing_is_under_way and (held := what_stays(self._orphans_held, ORPHANS_SECONDS)):
            self._broken('all handlers are closed, and what dead processes have left is still held', *held)
        self.endpoint('up')
        for slot, held in list(self._slots.items()):
            self._deliver_all(held)
            self.close(slot)
            del held
        self._slots.clear()
        patience_seconds = self._script.get('patience_seconds', CONVERGENCE_SECONDS)
        began_at = monotonic()
        left = what_stays(self._left, patience_seconds)
        self.worst['letting go'] = monotonic() - began_at
        if left:
            began = f'{patience_seconds:.0f} s after all was closed and let go of, and the endpoint well, there is still'
            self._broken(began, *left[:12], *[f'and {len(left) - 12} more'][: len(left) > 12])

    def _deliver_all(self, held: Open) -> None:
        deadline = monotonic() + CONVERGENCE_SECONDS
        while held.handler.stats().pending and monotonic() < deadline:
            with self._within('flush', 1.0):
                held.handler.flush(1.0)
        if held.handler.stats().pending:
            self._broken(f'not delivered by an endpoint that is well: {held.handler.stats()}')

    def _orphans_held(self) -> list[str]:
        """Return the directories of other processes, all of them dead, whose locks are taken."""
        return [
            self._short(path)
            for path in self._spool_dir.glob('*/*/*')
            if owner(path) not in {None, self._pid}
            and any(locked(path / name) for name in ('alive', 'reader'))
        ]

    def _of_others(self) -> list[str]:
        return [
            f'{self._short(path)}, {names_in(path)}, of process {owner(path)}'
            for path in self._spool_dir.glob('*/*/*')
            if owner(path) not in {None, self._pid}
        ]

    def _left(self) -> list[str]:
        gc.collect()
        threads = set(threading.enumerate()) - self._threads_before
        more = descriptors().items() - self._descriptors_before.items()
        mine = [path for path in self._spool_dir.glob('*/*/*') if owner(path) == self._pid]
        pending = [
            f'handler {each.number} {dict(each.options)} with {stats.pending} events pending, last error {stats.last_error}'
            for each in self._records
            if (handler := each.handler()) and (stats := handler.stats()).pending
        ]
        grown = len(descriptors()) > len(self._descriptors_before)
        return [
            *(f'the thread {thread.name}' for thread in threads),
            *pending,
            *(f'the directory {self._short(path)}, {names_in(path)}' for path in mine),
            *(f'the descriptor of {self._short(target)}' for _, target in sorted(more) if grown),
        ]

    def _short(self, path: object) -> str:
        """Return a path without what is the same for all, and only the beginning of an id."""
        return PRODUCER.sub(lambda name: name[0][:6], str(path).removeprefix(str(self._spool_dir)))

    def account(self, *, orderly: bool = False) -> None:
        """Tell what the handlers say, in place of what was told before; `orderly` when it is the last time."""
        handlers = []
        for record in self._records:
            stats = record.note()
            if stats is None:
                continue
            handlers.append(
                {
                    'number': record.number,
                    'disk': record.disk,
                    'options': dict(record.options),
                    'logged': len(record.logged),
                    'gone': record.handler() is None,
                    'dropped': {reason.value: count for reason, count in stats.dropped.items()},
                    **{name: getattr(stats, name) for name in COUNTED},
                }
            )
        data = {
            'pid': self._pid,
            'child': self._child,
            'orderly': orderly,
            'handlers': handlers,
            'counts': self.counts,
            'worst': self.worst,
        }
        path = self._folder / f'account-{self._pid}'
        path.with_suffix('.new').write_text(json.dumps(data))
        path.with_suffix('.new').rename(path)

    def _broken(self, *text: str) -> None:
        written = ' | '.join(line for part in text for line in part.splitlines())
        self._say(f'V {written}'[:3000])

    def _say(self, line: str) -> None:
        os.write(self._report, line.encode('utf-8', 'replace') + b'\n')


def what_stays(find: Callable[[], list[str]], seconds: float) -> list[str]:
    """Look again and again until nothing is found, or the time is over; return what was found last."""
    deadline = monotonic() + seconds
    while (found := find()) and monotonic() < deadline:
        sleep(POLL_SECONDS)
    return found


def wait_for(pid: int, seconds: float) -> int | None:
    """Return the exit code of a child, None when it has not ended in time."""
    deadline = monotonic() + seconds
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if monotonic() > deadline:
            return None
        sleep(POLL_SECONDS)


def adds_up(stats: Stats) -> bool:
    return stats.accepted + stats.adopted == stats.delivered + sum(stats.dropped.values()) + stats.pending


def descriptors() -> dict[int, str]:
    """Return what is open, where the system tells."""
    found = {}
    if DESCRIPTORS.is_dir():
        for name in os.listdir(DESCRIPTORS):  # noqa: PTH208  # a Path for each costs more
            with suppress(OSError):  # the one of the listing itself
                found[int(name)] = str((DESCRIPTORS / name).readlink())
    return found


def owner(producer: Path) -> int | None:
    """Return the process whose directory it is; None for what is none, or is just being removed."""
    if PRODUCER.fullmatch(producer.name):
        with suppress(OSError, ValueError):
            return json.loads((producer / 'producer.json').read_text())['pid']
    return None


def names_in(folder: Path) -> list[str]:
    """Return what is in a folder, which somebody may just be removing."""
    with suppress(OSError):
        return sorted(os.listdir(folder))  # noqa: PTH208  # names are wanted
    return []


def locked(path: Path) -> bool:
    """Return whether somebody holds a lock."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


class _Loses(FirehoseHandler):
    """Has lost every seventh event before it is counted."""

    _seen = 0

    def emit(self, record: logging.LogRecord, *arguments: Any) -> None:
        self._seen += 1
        if self._seen % 7:
            super().emit(record, *arguments)


class _Repeats(FirehoseHandler):
    """Sends every seventh event twice."""

    _seen = 0

    def emit(self, record: logging.LogRecord, *arguments: Any) -> None:
        self._seen += 1
        super().emit(record, *arguments)
        if not self._seen % 7:
            super().emit(record, *arguments)


class _Keeps(FirehoseHandler):
    """Leaves a descriptor and a thread behind."""

    def close(self) -> None:
        os.dup(2)
        threading.Thread(target=threading.Event().wait, daemon=True, name='left behind').start()
        super().close()


class _Waits(FirehoseHandler):
    """Waits beyond its deadline."""

    def flush(self, timeout_seconds: float | None = None) -> bool:
        sleep(ALLOWANCE_SECONDS + 1)
        return super().flush(timeout_seconds)


class _Complains(FirehoseHandler):
    """Says what no user can read."""

    def close(self) -> None:
        super().close()
        sys.stderr.write('Traceback (most recent call last):\n')


class _Raises(FirehoseHandler):
    """Has an exception leave a logging call."""

    def handle(self, record: logging.LogRecord) -> bool:
        super().handle(record)
        raise ZeroDivisionError


SABOTEURS: Mapping[str, type[FirehoseHandler]] = {
    'none': FirehoseHandler,
    'loses': _Loses,
    'repeats': _Repeats,
    'keeps': _Keeps,
    'waits': _Waits,
    'complains': _Complains,
    'raises': _Raises,
}
