"""Makes `append` fail at each of its bytecodes, at each of its allocations, and at each depth of the stack.

    python tests/faults/each_bytecode.py [--by bytecode|error|allocation|depth] [--case NAME]... [--every N] [-n MOST]

One case after the other: a spool is made, and one operation is done on it, again and again. Each time an exception comes one
bytecode later (a BaseException, as of a signal handler; or an Exception), or the next allocation finds no memory, or the stack has room
for one call more. After each of them the lock is free, also for another thread; the account adds up; the event is there once
or not at all; and the next one is appended. An Exception does not come out of `append`: the event is counted as dropped. With event
ids no number is used twice, and markers explain those that are missing.

Needs nothing but the standard library, so that it runs on any Python that is on the machine.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / 'src'))

from bytecodes import AtBytecode
from firefighter._event.ids import PLACE
from firefighter._spool.disk import spool_directory as disk_module
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.spool_directory import SpoolDirectory
from firefighter._spool.numbered_spool import NumberedSpool
from firefighter._spool.spool import MIN_SPOOL_BYTES, Spool

PACKAGE = str(Path(__file__).parents[2] / 'src' / 'firefighter')
ID = re.compile(rb'"producer":"0{32}","sequence":(\d+)\}\n')
# The bytecodes of `append` before and behind its `try`, and more than enough.
AROUND_TRY = 40
# What no failing allocation has touched so many times in a row is over.
UNTOUCHED = 40


class Interrupted(BaseException):
    """Comes from nowhere, as if a signal handler had raised it."""


class Failure(Exception):  # noqa: N818
    """The same, of the kind that must not come out."""


class Interrupting(bytes):
    """An event that cannot be looked at without another event being logged: as by a signal handler inside `append`."""

    within = None

    def __len__(self):
        self._interrupt()
        return super().__len__()

    def __getitem__(self, index):
        self._interrupt()
        return super().__getitem__(index)

    def _interrupt(self):
        within, self.within = self.within, None
        if within is not None:
            within()


class World:
    """A spool, and what was logged.

    Attributes:
        logged: events whose call has returned.
        begun: events whose call has begun.
    """

    def __init__(self, stack, folder, *, ids, overflow='drop_oldest', where=''):
        bounds = (MIN_SPOOL_BYTES, overflow, 0.0)
        self.ids = ids
        self.spool = NumberedSpool(bytes(16), *bounds) if ids else Spool(*bounds)
        self.logged = self.begun = 0
        if where:
            disk_module.store_may_fail = lambda path: where == ', copied'
            opened = SpoolDirectory(Path(folder), Destination('bar'), MIN_SPOOL_BYTES, 1 << 30)
            opened.open(self.spool)
            stack.callback(opened.store.directory.release)

    def line(self, name, size=0):
        text = b'%s%s' % (name.encode(), b'x' * size)
        return b'{"line":"%s"%s' % (text, PLACE if self.ids else b'}\n')

    def log(self, name, size=0):
        self.call(partial(self.spool.append, self.line(name, size)))

    def call(self, operation):
        self.begun += 1
        operation()
        self.logged += 1

    def set_aside(self, name):
        """As if an exception had ended the frame that was interrupted."""
        with self.spool._lock:
            self.log(name)

    def fill(self, segments):
        """Leave so many segments with no room for an event of 5,000 bytes."""
        for _ in range(2 * segments):
            self.log(f'fill {self.begun} ', 5_000)


def straight(world):
    world.log('first')
    world.spool.arm(more_bytes_than=10, events=1)
    world.spool.disarm()
    world.spool._alarm_tail = 0  # it comes with the next event
    return partial(world.spool.append, world.line('event'))


def after_others(world):
    world.set_aside('one')
    world.set_aside('two')
    return partial(world.spool.append, world.line('event'))


def interrupted(world):
    world.log('first')
    line = Interrupting(world.line('event'))
    line.within = lambda: world.log('within')
    return partial(world.spool.append, line)


def rolling_over(world):
    world.fill(1)
    return partial(world.spool.append, world.line('event', 5_000))


def rolling_over_interrupted(world):
    world.fill(1)
    line = Interrupting(world.line('event', 5_000))
    line.within = lambda: world.log('within')
    return partial(world.spool.append, line)


def full(world):
    while not world.spool.account().dropped:
        world.fill(1)
    # What is dropped now is another event.
    return partial(world.spool.append, world.line('event', 5_000))


def with_news(world):
    world.log('first')
    world.begun += 1
    world.spool.reject('oversize', 9)
    world.logged += 1
    return partial(world.spool.append, world.line('event'))


def foreign(world):
    world.log('first')
    return partial(world.spool.append, b'{"line":"event"}\n')


def rejecting(world):
    world.log('first')
    return partial(world.spool.reject, 'oversize', 9)


def accounting(world):
    """Any other method that takes the lock."""
    world.log('first')
    return no_event(world, world.spool.account)


def no_event(world, operation):
    def call():
        world.begun -= 1
        world.logged -= 1
        operation()

    return call


def telling(world):
    with_news(world)
    return no_event(world, world.spool.append_marker)


CASES = {
    f'{name}{", ids" if ids else ""}{where}': (prepare, {'ids': ids, 'where': where, **options})
    for name, prepare, options in [
        ('straight', straight, {}),
        ('after others', after_others, {}),
        ('interrupted', interrupted, {}),
        ('rolling over', rolling_over, {}),
        ('rolling over, interrupted', rolling_over_interrupted, {}),
        ('dropping the oldest', full, {}),
        ('dropping the newest', full, {'overflow': 'drop_newest'}),
        ('blocked', full, {'overflow': 'block'}),
        ('rejecting', rejecting, {}),
        ('foreign', foreign, {}),
        ('with news', with_news, {}),
        ('telling', telling, {}),
        ('accounting', accounting, {}),
    ]
    for ids in (False, True)
    for where in ('', ', on disk', ', copied')
    if ids or name not in {'foreign', 'with news', 'telling'}
    if not where or name in {'straight', 'rolling over', 'dropping the oldest'}
}


class AtAllocation:
    """Has the allocation of that number fail."""

    def __init__(self, number):
        self.number = number

    def __call__(self, operation):
        import _testcapi

        set_nomemory, remove_mem_hooks = _testcapi.set_nomemory, _testcapi.remove_mem_hooks
        number, following = self.number, self.number + 1
        set_nomemory(number, following)
        try:
            operation()
        finally:
            remove_mem_hooks()


class AtDepth:
    """Does it where the stack has room for so many calls."""

    def __init__(self, number):
        self.number = number

    def __call__(self, operation):
        depth, frame = 0, sys._getframe()
        while frame is not None:
            depth, frame = depth + 1, frame.f_back
        self.dive(sys.getrecursionlimit() - depth - self.number - 1, operation)

    def dive(self, calls, operation):
        if calls > 0:
            self.dive(calls - 1, operation)
        else:
            operation()


FAULTS = {
    'bytecode': partial(AtBytecode, lambda file: file.startswith(PACKAGE), Interrupted),
    'error': partial(AtBytecode, lambda file: file.startswith(PACKAGE), Failure),
    'allocation': AtAllocation,
    'depth': AtDepth,
}


def strike(world, operation, fault):
    """Do it with the fault; return the exception that came out."""
    world.begun += 1
    try:
        fault(operation)
    except (Interrupted, Failure, MemoryError, RecursionError) as error:
        return error
    world.logged += 1
    return None


def came_through(error):
    """Return the names of the functions of the package that an exception came through, the outermost first."""
    names, traceback = [], error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename.startswith(PACKAGE):
            names.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    return names


def check(world, elsewhere):
    """Check all that is promised after a fault."""
    spool = world.spool
    assert not spool._lock._is_owned(), 'the lock is left taken'
    assert elsewhere(try_lock, spool._lock), 'the lock is taken for another thread'
    adds_up(spool.account())
    elsewhere(world.log, 'next')
    world.log('and next')
    adds_up(spool.account())
    delivered = []
    for _ in range(100):
        spool.tidy()
        spool.append_marker()
        events = spool.take(10_000, 1 << 30)
        if not events:
            break
        delivered += [event.data for event in events]
        spool.acknowledge(events)
    assert not spool._aside, 'it was left waiting'
    account = spool.account()
    adds_up(account)
    assert account.pending == 0, account
    assert account.delivered == len(delivered), (account, len(delivered))
    assert world.logged <= account.accepted - account.markers <= world.begun, (
        world.logged,
        account,
        world.begun,
    )
    twice = [line[:40] for line, times in Counter(delivered).items() if times > 1]
    assert not twice, f'twice: {twice}'
    for name in (b'"next"', b'"and next"'):
        assert account.dropped or any(name in line for line in delivered), f'{name} is not there'
    if world.ids:
        check_ids(account, delivered)


def adds_up(account):
    assert account.accepted == account.delivered + sum(account.dropped.values()) + account.pending, account
    assert account.pending >= 0, account


def check_ids(account, delivered):
    """No number twice, in the order of the lines, and each that is missing explained."""
    numbers, told = [], set()
    for line in delivered:
        found = ID.search(line)
        if found:
            numbers.append(int(found[1]))
            for dropped in json.loads(line).get('firefighter_dropped', []):
                told.update(range(dropped['first'], dropped['last'] + 1))
        else:
            assert line == b'{"line":"event"}\n', line
    assert numbers == sorted(set(numbers)), 'numbers are twice, or out of order'
    missing = set(range(numbers[-1] + 1)) - set(numbers)
    assert missing <= told, f'{sorted(missing - told)} are missing and not told of'
    assert not told & set(numbers), f'{sorted(told & set(numbers))} are there, and told of as dropped'
    assert len(missing) == sum(account.dropped.values()) - account.dropped.get('failed', 0), (
        missing,
        account,
    )


def try_lock(lock):
    taken = lock.acquire(blocking=False)
    if taken:
        lock.release()
    return taken


def run(name, by, every, most):
    """Strike one case at each place; return how many times something came of it."""
    prepare, options = CASES[name]
    struck = untouched = came_out = 0
    with ThreadPoolExecutor(1) as pool, tempfile.TemporaryDirectory(dir=shared_memory()) as folder:

        def elsewhere(*call):
            return pool.submit(*call).result(20)

        for number in range(0, most, every):
            with ExitStack() as stack:
                world = World(stack, folder, **options)
                operation = prepare(world)
                before = world.spool.tally.failed
                fault = FAULTS[by](number)
                error = strike(world, operation, fault)
                failed = world.spool.tally.failed - before
                try:
                    if isinstance(error, Exception) and prepare not in {telling, accounting}:
                        # Not if it came to the first or the last bytecodes of `append` itself, around its `try`: there
                        # nothing is called and nothing fails. The call of `append` itself may, for lack of stack.
                        names = set(came_through(error))
                        assert len(names) <= 1, f'it came out of {names}'
                        came_out += bool(names)
                        assert came_out <= (AROUND_TRY if by == 'error' else 0), 'it came out'
                    check(world, elsewhere)
                except AssertionError as wrong:
                    raise AssertionError(f'{name}, by {by} {number}: {wrong}') from error
            if isinstance(fault, AtBytecode):
                if not fault.struck:
                    break
                struck += 1
            else:
                touched = error is not None or failed
                struck += bool(touched)
                untouched = 0 if touched else untouched + 1
                if untouched >= UNTOUCHED:
                    break
    return struck


def shared_memory():
    return '/dev/shm' if Path('/dev/shm').is_dir() else None


def main():
    """Strike, check, and print as JSON how many times each case was struck."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--by', choices=['bytecode', 'error', 'allocation', 'depth'], default='bytecode')
    parser.add_argument('--case', action='append', choices=CASES, help='all, unless given')
    parser.add_argument('--every', type=int, default=1, help='only each so-manieth place')
    parser.add_argument('-n', type=int, default=100_000, help='so many places at most')
    arguments = parser.parse_args()
    figures = {
        name: run(name, arguments.by, arguments.every, arguments.n) for name in arguments.case or CASES
    }
    sys.stdout.write(
        json.dumps({'python': sys.version.split()[0], 'by': arguments.by, 'struck': figures}) + '\n'
    )


if __name__ == '__main__':
    main()
