"""Interrupts `Spool.append` at any moment, by exceptions from a signal handler or thrown in from another thread.

    python tests/faults/interruptions.py [--by signal|thread] [--on memory|disk] [--overflow POLICY] [--event-ids] [-n COUNT]

The main thread appends numbered lines and notes each number after its call has returned. A signal handler (a timer at
20 kHz) appends lines of its own, notes them likewise, and raises; or another thread throws exceptions
(`PyThreadState_SetAsyncExc`). At most one exception is under way at a time, so that one `except` catches each
wherever it comes. In the end every noted line is there exactly once, no other twice, and the account adds up. With
event ids the numbers are in the order of the lines, no two are alike, and markers explain exactly what was dropped.

Needs nothing but the standard library, so that it runs on any Python that is on the machine.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import re
import signal
import sys
import tempfile
import threading
import traceback
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

sys.path.insert(0, str(Path(__file__).parents[2] / 'src'))

from firefighter._delivery.spool_source import SpoolSource
from firefighter._process.waiting import Wakeup
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.spool_directory import SpoolDirectory
from firefighter._spool.spool import MIN_SPOOL_BYTES, Spool

TIMER_SECONDS = 1 / 20_000
# Lines of many lengths, so that segments end everywhere.
PADDING = [b'x' * (7 * length % 200) for length in range(61)]
DEADLINE_SECONDS = 50
PLAIN = (b'', b'\n')


class Interrupted(BaseException):
    """Comes from nowhere."""


EVENT = re.compile(rb'\{"line":"(\w+ \d+ x*)","producer":"(\w+)","sequence":(\d+)\}\n')


class Application:
    """What logs and is interrupted, in the main thread.

    Attributes:
        noted: the lines whose call has returned, by who logged them, in order.
        raised: exceptions set off; `caught`: those that have arrived; `inside`: those that came out of the spool.
    """

    def __init__(self, spool, interruptions, frame):
        self.spool = spool
        self.frame = frame
        self.interruptions = interruptions
        self.noted = {b'main': [], b'tick': []}
        self.raised = self.inside = 0
        self.caught = -1  # not yet ready to catch
        self.numbers = {b'main': 0, b'tick': 0}
        self.ticking = False

    def log(self, who):
        self.numbers[who] += 1
        number = self.numbers[who]
        before, after = self.frame
        self.spool.append(b'%s%s %d %s%s' % (before, who, number, PADDING[number % len(PADDING)], after))
        self.noted[who].append(number)

    def tick(self, *_):
        """Handle the signal: log, then raise unless an exception is under way already."""
        if self.ticking:  # on a slow machine the next one comes too soon
            return
        self.ticking = True
        try:
            self.log(b'tick')
        finally:
            self.ticking = False
        if self.raised == self.caught < self.interruptions:
            self.raised += 1
            raise Interrupted

    def throw(self, target):
        """Throw exceptions into the target thread, each when the one before it has been caught."""
        while self.caught < self.interruptions:
            if self.raised == self.caught < self.interruptions:
                self.raised += 1
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(target), ctypes.py_object(Interrupted)
                )

    def run(self):
        """Log until so many exceptions have come; what comes after the deadline is what is under way."""
        deadline = monotonic() + DEADLINE_SECONDS
        while True:
            try:
                self._run_until(deadline)
            except Interrupted as error:
                places = {frame.name for frame in traceback.extract_tb(error.__traceback__)}
                self.inside += not places.isdisjoint(SPOOL_FUNCTIONS)
                error.__traceback__ = None
            else:
                return

    # A function of its own: since Python 3.12 the jump of a loop is not always inside the `try` around it.
    def _run_until(self, deadline):
        # Only from here on may the next one come.
        self.caught = self.raised
        while self.caught < self.interruptions:
            self.log(b'main')
            if monotonic() > deadline:
                self.interruptions = self.raised


SPOOL_FUNCTIONS = {
    name for part in Spool.__mro__[:-1] for name, value in vars(part).items() if callable(value)
}


def deliver(spool, wakeup, done, delivered):
    """Take and acknowledge, as the sender does, until the end."""
    source = SpoolSource(spool, wakeup)
    while True:
        ended = done.is_set()
        source.tidy()
        events = []
        source.take(500, 4 << 20, events)
        delivered.extend(event.data for event in events)
        source.acknowledge(events[:])
        if ended and not events:
            return
        if not events and not ended:
            source.wait(0.1, more_bytes_than=4096, events=sys.maxsize)


def interrupt(by, application):
    """Run the application under interruptions."""
    if by == 'signal':
        signal.signal(signal.SIGALRM, application.tick)
        signal.setitimer(signal.ITIMER_REAL, TIMER_SECONDS, TIMER_SECONDS)
        try:
            application.run()
        finally:
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
            signal.setitimer(signal.ITIMER_REAL, 0)
        return
    sys.setswitchinterval(1e-6)
    thrower = threading.Thread(target=application.throw, args=(threading.get_ident(),))
    thrower.start()
    application.run()
    thrower.join(DEADLINE_SECONDS)
    sys.setswitchinterval(0.005)


def check_ids(spool, delivered):
    """Check numbers and markers against each other and the account; return the lines without them."""
    account = spool.account()
    lines, numbers, told = [], [], set()
    for line in delivered:
        event = EVENT.fullmatch(line)
        if event:
            lines.append(event[1] + b'\n')
            numbers.append(int(event[3]))
        else:
            marker = json.loads(line)
            numbers.append(marker['sequence'])
            for dropped in marker['firefighter_dropped']:
                told.update(range(dropped['first'], dropped['last'] + 1))
    assert numbers == sorted(set(numbers)), 'numbers are not in the order of the lines'
    missing = set(range(numbers[-1] + 1)) - set(numbers)
    assert missing <= told, f'{len(missing - told)} are missing and not told of'
    assert len(missing) == sum(account.dropped.values()), (len(missing), account)
    return lines


def check(spool, application, delivered, *, may_drop):
    """Compare what was noted with what was delivered and with the account; return the figures."""
    account = spool.account()
    assert account.delivered == len(delivered), (account, len(delivered))
    if application.frame != PLAIN:
        delivered = check_ids(spool, delivered)
    dropped = sum(account.dropped.values())
    begun = sum(application.numbers.values())
    noted = sum(map(len, application.noted.values()))
    assert not spool._aside, 'set aside and forgotten'
    assert spool._lock.acquire(blocking=False), 'the lock is held'
    assert not spool._lock._is_owned() or spool._lock.release() is None
    assert not spool._lock._is_owned(), 'the lock was left held'
    found = {b'main': [], b'tick': []}
    for line in delivered:
        who, number, padding = line.removesuffix(b'\n').split(b' ')
        assert padding == PADDING[int(number) % len(PADDING)], f'torn: {line!r}'
        found[who].append(int(number))
    for who, numbers in found.items():
        assert len(set(numbers)) == len(numbers), (
            f'{len(numbers) - len(set(numbers))} of {who!r} are there twice'
        )
        lost = set(application.noted[who]) - set(numbers)
        assert may_drop or not lost, f'{len(lost)} of {who!r} are lost, such as {sorted(lost)[:3]}'
        assert numbers == sorted(numbers), f'{who!r} is out of order'
    assert account.accepted == account.delivered + dropped + account.pending, account
    assert account.pending == 0, account
    assert noted <= account.accepted - account.markers <= begun, (noted, account, begun)
    assert may_drop or not dropped, account
    return {
        'interruptions': application.caught,
        'inside': application.inside,
        'events': account.accepted,
        'dropped': dropped,
        'markers': account.markers,
    }


def make_spool(arguments, wakeup):
    """Return the smallest spool, with segments of 16 KiB, which rolls over after some 100 lines; and what is around a line."""
    bounds = (MIN_SPOOL_BYTES, arguments.overflow, DEADLINE_SECONDS, wakeup.set)
    if not arguments.event_ids:
        return Spool(*bounds), PLAIN
    from firefighter._event.ids import PLACE
    from firefighter._spool.numbered_spool import NumberedSpool

    return NumberedSpool(bytes(16), *bounds), (b'{"line":"', b'"' + PLACE)


def main():
    """Interrupt, check, and print the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--by', choices=['signal', 'thread'], default='signal')
    parser.add_argument('--on', choices=['memory', 'disk'], default='memory')
    parser.add_argument('--overflow', choices=['drop_oldest', 'drop_newest', 'block'], default='block')
    parser.add_argument('--event-ids', action='store_true')
    parser.add_argument('-n', type=int, default=10_000, help='interruptions')
    arguments = parser.parse_args()
    with ExitStack() as stack:
        wakeup = Wakeup()
        spool, frame = make_spool(arguments, wakeup)
        folder = disk = None
        if arguments.on == 'disk':
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir='/dev/shm')))
            disk = SpoolDirectory(folder, Destination('bar'), MIN_SPOOL_BYTES, 1 << 30)
            disk.open(spool)
        application = Application(spool, arguments.n, frame)
        delivered: list[bytes] = []
        done = threading.Event()
        delivery = threading.Thread(target=deliver, args=(spool, wakeup, done, delivered))
        delivery.start()
        try:
            interrupt(arguments.by, application)
        finally:
            done.set()
            wakeup.set()
            delivery.join(DEADLINE_SECONDS)
        figures = check(spool, application, delivered, may_drop=arguments.overflow != 'block')
        if disk is not None:
            disk.close(spool)
            left = [path.name for path in folder.rglob('*') if path.is_file()]
            assert not set(left) - {'destination.json'}, f'{len(left)} left behind, such as {left[:3]}'
        sys.stdout.write(json.dumps({'python': sys.version.split()[0], **vars(arguments), **figures}) + '\n')


if __name__ == '__main__':
    main()
