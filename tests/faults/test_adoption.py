"""Orphans, with real processes: those that die, those that live on, and those that race for what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from doubles import AcceptingClient
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import create_producer, lock_dead_producers
from firefighter.logging import FirehoseHandler
from spool_files import let_die

if sys.platform == 'win32':
    pytest.skip('there is no spool on disk on Windows', allow_module_level=True)

DEADLINE_SECONDS = 30
BAR = Destination('bar')

PREAMBLE = f"""
import os, sys
TESTS = {str(Path(__file__).parents[1])!r}
from pathlib import Path
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import create_producer
from firefighter._spool.disk.destination_folder import lock_dead_producers
sys.path.append(TESTS)
from spool_files import let_die

BAR = Destination('bar')
spool_dir = Path(sys.argv[1])

def begin():
    print('ready', flush=True)
    sys.stdin.readline()

def put_event(producer):
    os.close(producer.open_file('0.spool', os.O_WRONLY | os.O_CREAT))
"""

# Adopts one at a time until nothing is left, and keeps all of them until the end.
ADOPTER = """
begin()
kept = []
while adopted := lock_dead_producers(spool_dir, BAR, limit=1):
    kept += adopted
assert all(producer.is_held() for producer in kept)
print(*[producer.id.hex() for producer in kept], flush=True)
sys.stdin.readline()
"""

# Makes producers and lets them go while others look for orphans, which do away with what they find.
MAKER = """
begin()
made = []
for number in range(60):
    producer = create_producer(spool_dir, BAR)
    assert producer.is_held()
    put_event(producer)
    assert producer.is_held()
    made.append(producer.id.hex())
    let_die(producer)
print(*made, flush=True)
sys.stdin.readline()
"""

CLEANER = """
begin()
found = []
while not Path(f'{spool_dir}-all-made').exists():
    for producer in lock_dead_producers(spool_dir, BAR):
        producer.unlink('0.spool')
        assert producer.remove()
        found.append(producer.id.hex())
print(*found, flush=True)
sys.stdin.readline()
"""

# A producer that forks; then both wait to be killed.
FORKING = r"""
producer = create_producer(spool_dir, BAR)
put_event(producer)
child = os.fork()
if child == 0 and sys.argv[2] == 'abandon':
    producer.abandon()
    assert not producer.is_held()
os.write(1, b'child\n' if child == 0 else b'parent\n')  # at once: both write to the same pipe
sys.stdin.read()
"""

Process = subprocess.Popen[str]


@pytest.fixture
def spool_dir(tmp_path: Path) -> Path:
    return tmp_path / 'spool'


@pytest.fixture
def start(spool_dir: Path) -> Iterator:
    """Start scripts as processes, which are gone when the test ends."""
    with ExitStack() as stack:

        def start(script: str, *arguments: str) -> Process:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, '-c', PREAMBLE + script, str(spool_dir), *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield start


def go(processes: list[Process]) -> None:
    """Let them begin, all at once."""
    for process in processes:
        assert process.stdout.readline() == 'ready\n'
    for process in processes:
        process.stdin.write('\n')
        process.stdin.flush()


def leave_orphans(spool_dir: Path, count: int) -> list[str]:
    left = []
    for _ in range(count):
        producer = create_producer(spool_dir, BAR)
        os.close(producer.open_file('0.spool', os.O_WRONLY | os.O_CREAT))
        let_die(producer)
        left.append(producer.id.hex())
    return left


@pytest.mark.parametrize('processes', [2, 4])
def test_of_processes_that_race_for_orphans_each_orphan_goes_to_exactly_one(spool_dir, start, processes):
    """None twice, which would send its events twice; none to nobody."""
    left = leave_orphans(spool_dir, 150)
    adopters = [start(ADOPTER) for _ in range(processes)]
    go(adopters)
    adopted = [producer for adopter in adopters for producer in adopter.stdout.readline().split()]
    # One that finds none ends: a lock that another one has just tried and lost may have hidden the last.
    while remaining := lock_dead_producers(spool_dir, BAR):
        adopted += [producer.id.hex() for producer in remaining]
        for producer in remaining:
            producer.unlink('0.spool')
            producer.remove()
    assert sorted(adopted) == sorted(left)


def test_makers_and_those_who_clean_up_after_the_dead_do_not_get_into_each_others_way(spool_dir, start):
    """No producer fails to start, none is taken while it lives, and each that is let go of is found by exactly one."""
    makers = [start(MAKER) for _ in range(2)]
    cleaners = [start(CLEANER) for _ in range(2)]
    go(makers + cleaners)
    made = [producer for maker in makers for producer in maker.stdout.readline().split()]
    spool_dir.with_name('spool-all-made').touch()
    found = [producer for cleaner in cleaners for producer in cleaner.stdout.readline().split()]
    while remaining := lock_dead_producers(spool_dir, BAR):
        for producer in remaining:
            found.append(producer.id.hex())
            producer.unlink('0.spool')
            assert producer.remove()
    assert len(made) == 120
    assert sorted(found) == sorted(made)
    folder = spool_dir / str(os.geteuid()) / BAR.folder_name
    assert [path.name for path in folder.iterdir()] == ['destination.json'], 'nothing is left behind'


def test_what_a_killed_process_has_left_is_adopted(spool_dir, start):
    """SIGKILL runs nothing of ours; the system frees the locks."""
    process = start('producer = create_producer(spool_dir, BAR)\nput_event(producer)\nbegin()')
    assert process.stdout.readline() == 'ready\n'
    assert lock_dead_producers(spool_dir, BAR) == [], 'it lives'
    process.kill()
    process.wait(DEADLINE_SECONDS)
    (adopted,) = lock_dead_producers(spool_dir, BAR)
    assert adopted.is_held()
    adopted.release()


@pytest.mark.parametrize(('child', 'adoptable'), [('abandon', 1), ('keep', 0)])
def test_a_dead_parents_orphan_is_adoptable_beside_its_living_child_only_if_that_has_abandoned_it(
    spool_dir, start, child, adoptable
):
    """A child shares the parent's open files, and with them its locks, until it closes them."""
    parent = start(FORKING, child)
    assert {parent.stdout.readline(), parent.stdout.readline()} == {'child\n', 'parent\n'}
    assert lock_dead_producers(spool_dir, BAR) == [], 'what the child does leaves the parent its locks'
    parent.send_signal(signal.SIGKILL)
    parent.wait(DEADLINE_SECONDS)
    adopted = lock_dead_producers(spool_dir, BAR)
    assert len(adopted) == adoptable
    for producer in adopted:
        producer.release()
    parent.stdin.close()
    assert parent.stdout.read() == '', 'the child has ended, too'


# Says its directory, then does what it is asked to, with events that nobody delivers.
IDLE = """
import logging
from doubles import DownClient
from firefighter.logging import FirehoseHandler
handler = FirehoseHandler('bar', boto3_client=DownClient(), spool_dir=spool_dir)
logger = logging.getLogger('idle')
logger.addHandler(handler)

def log(first, last):
    for number in range(first, last):
        logger.warning('event %d', number)

log(0, 3)
print(handler._pipeline.place.path, flush=True)
for line in sys.stdin:
    exec(line)
    print('done', flush=True)
"""
REMOVED = "[(Path(handler._pipeline.place.path) / name).unlink() for name in ('alive', 'reader')]"
CLOSED = 'os.closerange(3, 1000)'


@pytest.mark.parametrize('deed', [REMOVED, CLOSED], ids=['removed', 'closed'])
def test_a_living_process_that_has_lost_its_locks_is_not_taken_for_a_dead_one(spool_dir, start, deed):
    """A cleaner of old files has removed them, or a library has closed all descriptors. Nothing is lost, and nothing comes twice."""
    idle = start(IDLE)
    assert idle.stdout.readline()

    def do(line):
        idle.stdin.write(f'{line}\n')
        idle.stdin.flush()
        assert idle.stdout.readline() == 'done\n'

    def inherit():
        client = AcceptingClient()
        handler = FirehoseHandler('bar', boto3_client=client, spool_dir=spool_dir)
        assert handler.flush()
        handler.close()
        return sorted(int(json.loads(event)['message'].split()[1]) for event in client.events)

    do(deed)
    assert inherit() == []
    do('log(3, 33)')
    idle.kill()
    idle.wait()
    assert inherit() == [*range(33)]


TWO_HANDLERS = """
import logging
from doubles import AcceptingClient
from firefighter.logging import FirehoseHandler
client = AcceptingClient()
first, second = (FirehoseHandler('bar', boto3_client=client, spool_dir=spool_dir, send_interval=60) for _ in range(2))
logger, other = logging.Logger('first'), logging.Logger('second')
logger.addHandler(first)
other.addHandler(second)
logger.warning('event 0')
assert first.flush()  # its thread has looked at its locks, and has nothing to do now
for number in range(1, 20):
    logger.warning('event %d', number)
{deed}
other.warning('other')
assert second.flush()
assert second.stats().adopted == 0
assert first.flush()
assert len(client.events) == len(set(client.events)) == 21
print('both', flush=True)
"""


@pytest.mark.parametrize(
    'deed',
    ["for file in [*spool_dir.rglob('alive'), *spool_dir.rglob('reader')]: file.unlink()", CLOSED],
    ids=['removed', 'closed'],
)
def test_a_handler_does_not_take_what_another_one_of_its_process_has_lost_the_locks_of(
    spool_dir, start, deed
):
    """Its events would come twice, and what it logs then would be lost."""
    assert start(TWO_HANDLERS.format(deed=deed)).stdout.readline() == 'both\n'
