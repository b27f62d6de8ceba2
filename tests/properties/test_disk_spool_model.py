"""The spool on disk against lists: processes that die between any two steps, reboots, power losses, and their heirs.

A process is a spool and its place on disk. To die is to let go of the locks and of nothing else. To die in the middle of an
operation, the segment files are copied when the interpreter has executed so many instructions of it, and put back
when it is over: that is what a kill at that instruction leaves.
"""

from __future__ import annotations

import random
import re
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from depth import depth
from firefighter._spool.disk import destination_folder, file_store
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import MOST_AT_ONCE
from firefighter._spool.disk.segment_file import HEADER_BYTES
from firefighter._spool.disk.spool_directory import LOOK_INTERVAL_SECONDS, SpoolDirectory
from firefighter._spool.spool import MIN_SPOOL_BYTES, Spool
from spool_files import give_away, let_die

# Many lives of a spool in one test: on a busy machine they add up to more than the suite's minute.
pytestmark = [pytest.mark.timeout(240), pytest.mark.once]

if sys.platform == 'win32':
    pytest.skip('there is no spool on disk on Windows', allow_module_level=True)

BAR = Destination('bar')
MAX_BYTES = 3 * MIN_SPOOL_BYTES
# Far more than any test here has on disk: this bound has tests of its own.
ENOUGH_BYTES = 1 << 30
SIZES = st.one_of(st.integers(10, 300), st.integers(3_000, 20_000))
PAGE = 4096
INSTRUCTIONS = st.integers(1, 400)
SPOOL_CODE = str(Path(file_store.__file__).parent)


@dataclass
class Written:
    """What the model knows of one segment file.

    Attributes:
        lines: what its holder has, in order.
        settled: those of them that are delivered or dropped.
        unsure: those that were being settled when their holder died.
        in_flight: a line whose append had not returned when its process died.
        exact: whether it was made in this boot, and nothing has happened to it.
    """

    lines: list[bytes] = field(default_factory=list)
    settled: set[bytes] = field(default_factory=set)
    unsure: set[bytes] = field(default_factory=set)
    in_flight: bytes | None = None
    exact: bool = True

    def must_be_there(self) -> bool:
        """Return whether it has an event that nobody has settled."""
        return any(line not in self.settled | self.unsure for line in self.lines)

    def check(self, found: list[bytes], touched: bool) -> None:
        """Compare with what an heir has found in the file."""
        if self.in_flight is not None and self.in_flight not in found:
            lines = self.lines
        else:
            lines = [*self.lines, *([self.in_flight] if self.in_flight else [])]
        places = [
            lines.index(line) for line in found
        ]  # fails for what was never written, torn lines among it
        assert places == sorted(set(places)), 'out of order, or twice'
        if touched:
            return
        missing = set(lines) - set(found)
        assert missing <= self.settled | self.unsure, f'lost: {len(missing)} lines'
        if self.exact:
            assert found == lines[len(lines) - len(found) :], 'settled events behind the head are gaps'
            assert not found or found[0] not in self.settled, 'the head was behind it'


class Process:
    """A producer with its spool, as one process has it."""

    def __init__(self, spool_dir: Path, boot: bytes, overflow: str) -> None:
        self.spool = Spool(MAX_BYTES, overflow, block_timeout_seconds=0)
        self.disk = SpoolDirectory(spool_dir, BAR, MAX_BYTES, ENOUGH_BYTES)
        self.disk._adoption._boot_id = boot
        self.disk.open(self.spool)
        self.disk.store._boot_id = boot
        self.now = 0.0
        self.taken: list = []
        self.adopted = 0

    @property
    def producer(self) -> str:
        return self.disk.store.directory.id.hex()

    def look(self) -> None:
        self.now += LOOK_INTERVAL_SECONDS
        trouble = self.disk.tidy(self.spool, self.now)
        assert trouble is None, trouble

    def die(self) -> None:
        let_die(self.disk.store.directory)
        for held in self.disk._adoption.directories:
            held.release()


def key_of(process: Process, segment) -> tuple[str, str]:
    return segment.origin.directory.id.hex(), segment.name


def lines_of(segment) -> list[bytes]:
    """Return the lines that delivery will find in a segment."""
    data = bytearray(segment.mapping[segment.head : segment.tail])
    for start, end in segment._holes:
        data[start - segment.head : end - segment.head] = bytes(end - start)
    return [line for part in bytes(data).split(b'\0') for line in part.splitlines(keepends=True)]


@contextmanager
def at_instruction(number: int, do):
    """Call `do` once, when so many instructions of the spool's code have been executed."""
    executed = 0

    def local(frame, event, argument):
        nonlocal executed
        if event == 'opcode':
            executed += 1
            if executed == number:
                sys.settrace(None)
                do()
                return None
        return local if executed < number else None

    def trace(frame, event, argument):
        if not frame.f_code.co_filename.startswith(SPOOL_CODE) or executed >= number:
            return None
        frame.f_trace_opcodes = True
        return local

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


class DiskMachine(RuleBasedStateMachine):
    """Processes on one directory, and what should be in it."""

    @initialize(overflow=st.sampled_from(['drop_oldest', 'drop_newest']))
    def begin(self, overflow):
        # The same names each time, so that a failure can be repeated.
        ids = count(1)
        self.patches = pytest.MonkeyPatch()
        fixed = SimpleNamespace(
            token_bytes=lambda size: next(ids).to_bytes(size, 'big'),
            token_hex=lambda size: f'{next(ids):0{2 * size}x}',
        )
        self.patches.setattr(destination_folder, 'secrets', fixed)
        self.patches.setattr(file_store, 'secrets', fixed)
        self.root = Path(tempfile.mkdtemp(prefix='firefighter-model-'))
        self.spool_dir = self.root / 'spool'
        self.overflow = overflow
        self.boot = bytes([1]) * 16
        self.number = 0
        self.files: dict[tuple[str, str], Written] = {}
        self.touched: set[tuple[str, str]] = set()
        self.processes = [self.start()]

    def start(self):
        return Process(self.spool_dir, self.boot, self.overflow)

    def teardown(self):
        if not hasattr(self, 'processes'):
            return
        try:
            self.inherit_everything()
        finally:
            for process in self.processes:
                process.die()
            self.patches.undo()
            shutil.rmtree(self.root)

    def pick(self, data):
        return data.draw(st.sampled_from(range(len(self.processes))))

    # What processes do.

    @rule(data=st.data(), size=SIZES)
    def append(self, data, size):
        self.append_to(self.processes[self.pick(data)], self.line(size))

    @rule(data=st.data(), events=st.integers(2, 8))
    def fill_segments(self, data, events):
        process = self.processes[self.pick(data)]
        for _ in range(events):
            self.append_to(process, self.line(9_000))

    def line(self, size):
        self.number += 1
        return (b'%d ' % self.number).ljust(size - 1, b'x') + b'\n'

    def append_to(self, process, line):
        before = process.spool.account()
        process.spool.append(line)
        after = process.spool.account()
        lost = after.dropped.get('overflow', 0) - before.dropped.get('overflow', 0)
        live = {segment.name for segment in process.spool._segments}
        gone = [
            key for key, written in self.files.items() if key[0] == process.producer and key[1] not in live
        ]
        dropped = 0
        for key in gone:
            written = self.files.pop(key)
            dropped += len(set(written.lines) - written.settled)
        if lost == dropped:
            newest = process.spool._segments[-1]
            self.files.setdefault((process.producer, newest.name), Written()).lines.append(line)
        else:
            assert (lost, dropped) == (1, 0)  # the new one gave way

    @rule(data=st.data(), events=st.integers(1, 30), size_bytes=st.integers(1_000, 200_000))
    def take(self, data, events, size_bytes):
        process = self.processes[self.pick(data)]
        taken = process.spool.take(events, size_bytes)
        for event in taken:
            assert event.data in self.files[key_of(process, event.segment)].lines
        process.taken += taken
        assert len({event.data for event in process.taken}) == len(process.taken), 'taken twice'

    def choose(self, data, process):
        if data.draw(st.booleans()):
            chosen = range(data.draw(st.integers(1, len(process.taken))))
        else:
            chosen = data.draw(st.lists(st.sampled_from(range(len(process.taken))), unique=True, min_size=1))
        events = [process.taken[index] for index in sorted(chosen)]
        process.taken = [event for index, event in enumerate(process.taken) if index not in set(chosen)]
        return events

    @rule(data=st.data())
    def settle(self, data):
        process = self.processes[self.pick(data)]
        if not process.taken:
            return
        events = self.choose(data, process)
        for event in events:
            self.files[key_of(process, event.segment)].settled.add(event.data)
        if data.draw(st.booleans()):
            process.spool.acknowledge(events[:])
        else:
            process.spool.drop(events[:], 'refused')
        self.forget_settled_files(process)

    def forget_settled_files(self, process):
        """What is settled to the end may be gone: the model needs it no more once the file is not there."""
        for key in [key for key, written in self.files.items() if not written.must_be_there()]:
            if not self.path(key).exists():
                del self.files[key]

    @rule(data=st.data())
    def tidy(self, data):
        process = self.processes[self.pick(data)]
        process.spool.tidy()
        self.forget_settled_files(process)

    @rule(data=st.data())
    def drop_an_orphan(self, data):
        process = self.processes[self.pick(data)]
        before = {key_of(process, segment): segment for segment in process.spool._adopted}
        dropped = process.spool.account().dropped.get('overflow', 0)
        process.spool.drop_oldest_adopted()
        after = {key_of(process, segment) for segment in process.spool._adopted}
        lost = 0
        for key in before.keys() - after:
            written = self.files.pop(key)
            lost += len(set(written.lines) - written.settled)
        assert process.spool.account().dropped.get('overflow', 0) - dropped == lost

    @rule(data=st.data(), seed=st.integers(0, 2**32))
    def release_what_was_adopted(self, data, seed):
        """Whoever adopts it next gets what is not settled, and nothing else."""
        process = self.processes[self.pick(data)]
        dice = random.Random(seed)
        share = dice.choice([0, 0, 0.1, 1])
        in_flight = [event for event in process.taken if dice.random() < share]
        busy = {key_of(process, event.segment)[0] for event in in_flight} - {process.producer}
        before = {key_of(process, segment): segment for segment in process.spool._adopted}
        adopted = process.spool.account().adopted
        done = process.disk.release_adopted(process.spool, [event.segment for event in in_flight])
        left = {key_of(process, segment) for segment in process.spool._adopted}
        assert (
            {producer for producer, _ in left}
            == busy
            == {held.id.hex() for held in process.disk._adoption.directories}
        )
        assert done == (not busy)
        unsettled = 0
        for key in before.keys() - left:
            written = self.files[key]
            lines = [line for line in written.lines if line not in written.settled]
            unsettled += len(lines)
            if before[key]._erases and written.exact:
                self.files[key] = Written(lines=lines, in_flight=written.in_flight, exact=False)
        assert adopted - process.spool.account().adopted == unsettled
        process.adopted -= unsettled
        released = {before[key] for key in before.keys() - left}
        process.taken = [event for event in process.taken if event.segment not in released]
        self.forget_settled_files(process)

    @precondition(lambda self: len(self.processes) < 3)
    @rule()
    def another_process_starts(self):
        self.processes.append(self.start())

    @rule(data=st.data())
    def look_for_orphans(self, data):
        self.look(self.processes[self.pick(data)])

    def look(self, process):
        """Let a process adopt, and compare what it finds with what the dead have written.

        Returns:
            How many of the dead it has taken over, with those that have left no file.
        """
        before = set(process.spool._adopted)
        # Of files that give nothing the adopter keeps no segment: so their torn bytes are counted here beforehand.
        dead = {path: path.read_bytes() for path in self.dead_files()}
        producers = self.dead_producers()
        quarantined = process.disk.quarantine.size_bytes
        process.look()
        torn = process.disk.quarantine.size_bytes - quarantined
        # One look takes so many of the dead at most; the others wait for the next, as they are.
        left = {path.parent.name for path in self.dead_files()}
        taken = {path.parent.name for path in dead} - left
        # Some of them may have left no file.
        looked_at = len(producers - self.dead_producers())
        assert looked_at >= MOST_AT_ONCE or not left, 'left for later without need'
        assert len(taken) <= MOST_AT_ONCE
        expected_torn = 0
        found = {}
        for segment in process.spool._adopted:
            if segment not in before:
                found[key_of(process, segment)] = segment
        for path, data in dead.items():
            key = path.parent.name, path.name
            if key[0] in left:
                assert path.read_bytes() == data
                continue
            written = self.files.get(key, Written())
            segment = found.pop(key, None)
            lines = lines_of(segment) if segment else []
            touched = key in self.touched
            written.check(lines, touched)
            if not written.exact or touched:
                expected_torn += self.neither_zero_nor_nothing(data, lines) - sum(map(len, lines))
            process.adopted += len(lines)
            self.touched.discard(key)
            if segment and segment._erases:
                self.files[key] = Written(lines=lines, exact=False)
            elif segment:
                # What is settled is still in the file: after a reboot it comes back.
                known = written.lines + [line for line in lines if line not in written.lines]
                # So is a line that was copied and not committed.
                in_flight = None if written.in_flight in lines else written.in_flight
                self.files[key] = Written(lines=known, settled=set(known) - set(lines), in_flight=in_flight)
            else:
                self.files.pop(key, None)
        assert not found, 'adopted from the living'
        assert torn == expected_torn
        assert process.spool.account().adopted == process.adopted
        return max(len(taken), looked_at)

    def neither_zero_nor_nothing(self, data, lines):
        """Count the bytes that are lines or torn: a newline right behind a zero is what is left of settled ones."""
        beginning = HEADER_BYTES if lines else self.beginning(data)
        left_over = rb'\0\n' if beginning else rb'\0\n(?=\0|\Z)'
        data = data[beginning:]
        return len(data.replace(b'\0', b'')) - len(re.findall(left_over, data))

    @staticmethod
    def beginning(data):
        """Where the lines begin; a file with a broken header, and without one that is whole, is torn as a whole."""
        from firefighter._spool.disk import segment_file

        try:
            segment_file.parse_header(data)
        except segment_file.NotASegment:
            return 0
        return HEADER_BYTES

    def living(self):
        alive = {process.producer for process in self.processes}
        return alive | {
            held.id.hex() for process in self.processes for held in process.disk._adoption.directories
        }

    def dead_files(self):
        alive = self.living()
        return sorted(path for path in self.spool_dir.glob('*/*/*/*.spool') if path.parent.name not in alive)

    def dead_producers(self):
        return {path.parent.name for path in self.spool_dir.glob('*/*/*/alive')} - self.living()

    def path(self, key):
        (folder,) = self.spool_dir.glob('*/bar-*')
        return folder / key[0] / key[1]

    # How they end.

    def bury(self, process):
        process.die()
        self.processes.remove(process)

    def replace_the_dead(self):
        if not self.processes:
            self.processes.append(self.start())

    @rule(data=st.data())
    def crash(self, data):
        self.bury(self.processes[self.pick(data)])
        self.replace_the_dead()

    @rule(data=st.data(), size=SIZES, instructions=INSTRUCTIONS)
    def crash_while_it_appends(self, data, size, instructions):
        process = self.processes[self.pick(data)]
        line = self.line(size)
        keys = {key for key in self.files if key[0] == process.producer}
        if self.die_in_the_middle(process, instructions, lambda: self.append_to(process, line)):
            self.undo_append(process, line, keys)
        self.replace_the_dead()

    def undo_append(self, process, line, keys):
        for written in self.files.values():
            if line in written.lines:
                written.lines.remove(line)
                written.in_flight = line
        # What drop_oldest was taking may be there, or not.
        assert keys >= self.files.keys() & keys
        self.forgotten_may_be_there()

    def forgotten_may_be_there(self):
        for path in self.dead_files():
            key = path.parent.name, path.name
            if key not in self.files:
                data = path.read_bytes()
                lines = list(data[HEADER_BYTES:].split(b'\0')[0].splitlines(keepends=True))
                self.files[key] = Written(lines=lines, unsure=set(lines))
                self.touched.add(key)

    @rule(data=st.data(), instructions=INSTRUCTIONS)
    def crash_while_it_settles(self, data, instructions):
        process = self.processes[self.pick(data)]
        if not process.taken:
            return
        events = self.choose(data, process)
        for event in events:
            self.files[key_of(process, event.segment)].unsure.add(event.data)
        self.die_in_the_middle(process, instructions, lambda: process.spool.acknowledge(events[:]))
        self.replace_the_dead()

    @rule(data=st.data(), instructions=st.integers(1, 4000))
    def crash_while_it_adopts(self, data, instructions):
        process = self.processes[self.pick(data)]
        self.die_in_the_middle(process, instructions, process.look)
        self.replace_the_dead()

    def die_in_the_middle(self, process, instructions, operation):
        """Run an operation, and let its process die as of an instruction in it; return whether it got so far."""
        snapshot = self.root / 'snapshot'
        held = {process.producer} | {held.id.hex() for held in process.disk._adoption.directories}
        held |= {path.parent.name for path in self.dead_files()}
        (folder,) = self.spool_dir.glob('*/bar-*')

        def take_snapshot():
            snapshot.mkdir()
            for name in held:
                if (folder / name).is_dir():
                    shutil.copytree(folder / name, snapshot / name)

        with at_instruction(instructions, take_snapshot):
            operation()
        self.bury(process)
        if not snapshot.exists():
            return False
        for name in held:
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
        for kept in snapshot.iterdir():
            shutil.move(kept, folder / kept.name)
            give_away(folder / kept.name)  # as when it was buried: it is of a process that does not run
        snapshot.rmdir()
        return True

    @rule()
    def reboot(self):
        self.end_of_the_machine()
        self.replace_the_dead()

    @rule(seed=st.integers(0, 2**32), hits=st.integers(1, 4))
    def power_loss(self, seed, hits):
        """The disk has of some pages what was written last, of others what was there before, or nothing."""
        self.end_of_the_machine()
        dice = random.Random(seed)
        for path in self.dead_files():
            if dice.random() < 0.5:
                continue
            data = bytearray(path.read_bytes())
            for _ in range(hits):
                self.damage(data, dice)
            path.write_bytes(data)
            self.touched.add((path.parent.name, path.name))
        self.replace_the_dead()

    @staticmethod
    def damage(data, dice):
        page = dice.randrange(max(1, len(data) // PAGE)) * PAGE
        kind = dice.choice(['zeroed', 'prefix', 'cut', 'sector', 'empty'])
        if kind == 'zeroed':
            end = min(len(data), page + PAGE)
            data[page:end] = bytes(end - page)
        elif kind == 'prefix':
            start = min(len(data), page + dice.randrange(PAGE))
            data[start:] = bytes(len(data) - start)
        elif kind == 'cut':
            del data[page + dice.randrange(PAGE) :]
        elif kind == 'sector':
            start, end = min(len(data), page + 512), min(len(data), page + 1024)
            data[start:end] = bytes(end - start)
        elif dice.random() < 0.2:
            data.clear()

    def end_of_the_machine(self):
        for process in list(self.processes):
            self.bury(process)
        self.boot = bytes([self.boot[0] + 1]) * 16
        for written in self.files.values():
            written.exact = False

    # What always holds.

    @invariant()
    def the_account_adds_up(self):
        for process in self.processes:
            account = process.spool.account()
            events, _ = process.spool.waiting()
            assert account.pending == events + len(process.taken)
            assert (
                account.accepted + account.adopted
                == account.delivered + sum(account.dropped.values()) + account.pending
            )

    @invariant()
    def the_bound_holds(self):
        for process in self.processes:
            assert process.spool.allocated_bytes <= MAX_BYTES

    def inherit_everything(self):
        """In the end an heir finds all that is left of everybody."""
        for process in list(self.processes):
            self.bury(process)
        heir = self.start()
        self.processes.append(heir)
        while self.look(heir) >= MOST_AT_ONCE:
            pass
        left = [key for key, written in self.files.items() if written.must_be_there()]
        held = {key_of(heir, segment) for segment in heir.spool._adopted}
        assert set(left) <= held, 'an orphan that nobody finds'
        events = heir.spool.take(10**9, 10**9)
        assert len({event.data for event in events}) == len(events) == heir.adopted
        heir.spool.acknowledge(events[:])
        assert heir.spool.account().pending == 0
        heir.disk.close(heir.spool)
        self.processes.remove(heir)
        assert not self.dead_files()
        (folder,) = self.spool_dir.glob('*/bar-*')
        assert not [path for path in folder.iterdir() if path.is_dir()], 'directories stay behind'


# Without the phase that explains a failure: it traces too, and only one can.
DiskMachine.TestCase.settings = settings(
    max_examples=depth(10, 60),
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
TestDiskSpoolAgainstItsModel = DiskMachine.TestCase
