"""What becomes of a program, and of what it logs, when its disk does one thing or another?

The table in docs/delivery-guarantees.md, "What a disk can do": each of its cells is one of these.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crash.harness import DOWN
from depth import AT_FULL_DEPTH
from disk.cuts import EXT4, XFS
from disk.filesystems import FLUSH_EVERYTHING, FLUSH_NOTHING, Kind, SmallFileSystem
from firefighter.local import LocalFirehoseProcess

NODELALLOC, JOURNAL = Kind('ext4', 'nodelalloc'), Kind('ext4', 'data=journal')
TMPFS = Kind('tmpfs')

# More than the first segment takes, of 256 KiB, before the fault and behind it.
EVENTS, SIZE = 400, 900


@pytest.fixture
def endpoint(tmp_path) -> Iterator[LocalFirehoseProcess]:
    """Firehose, which is unavailable at first, so that everything waits on the disk."""
    with LocalFirehoseProcess(tmp_path / 'delivered', streams=['bar'], buffer_seconds=900) as endpoint:
        endpoint.inject(**DOWN)
        yield endpoint


def arrived(endpoint: LocalFirehoseProcess, tmp_path: Path) -> Counter[int]:
    """Return how often each event is there."""
    endpoint.flush()
    paths = [path for path in (tmp_path / 'delivered').rglob('*') if path.is_file()]
    return Counter(json.loads(line)['n'] for path in paths for line in path.read_bytes().splitlines())


def segments(disk: SmallFileSystem) -> list[Path]:
    return sorted((disk.path / 'spool').rglob('*.spool'))


def cut(disk: SmallFileSystem) -> None:
    disk.cut(FLUSH_NOTHING)


def cut_behind_everything(disk: SmallFileSystem) -> None:
    disk.cut(FLUSH_EVERYTHING)


def copy_and_fill(disk: SmallFileSystem) -> None:
    """A backup of the live spool that shares its blocks, and no room for others."""
    subprocess.run(['cp', '-a', '--reflink=always', disk.path / 'spool', disk.path / 'copy'], check=True)
    disk.fill()
    disk.sync()


def forbid(disk: SmallFileSystem) -> None:
    disk.forbid_changes(*segments(disk))
    disk.sync()


def fill(disk: SmallFileSystem) -> None:
    disk.fill()
    disk.sync()


def make_read_only(disk: SmallFileSystem) -> None:
    disk.make_read_only()
    disk.sync()


Fault = Callable[[SmallFileSystem], None]
FAULTS: list[tuple[Kind, Fault]] = [
    *((kind, fault) for kind in (EXT4, XFS, NODELALLOC, JOURNAL) for fault in (cut, cut_behind_everything)),
    (XFS, copy_and_fill),
    *((kind, forbid) for kind in (XFS, NODELALLOC, JOURNAL)),
    *((kind, fill) for kind in (EXT4, XFS, TMPFS)),
    *((kind, make_read_only) for kind in (EXT4, NODELALLOC)),
]
# Each kind and each fault.
FEW = [
    (EXT4, cut),
    (JOURNAL, cut_behind_everything),
    (XFS, copy_and_fill),
    (NODELALLOC, forbid),
    (TMPFS, fill),
    (EXT4, make_read_only),
]
CASES = [pytest.param(*case, marks=() if case in FEW else AT_FULL_DEPTH) for case in FAULTS]


@pytest.mark.parametrize(
    ('kind', 'fault'), CASES, ids=lambda part: part.__name__ if callable(part) else str(part)
)
def test_the_program_lives_and_every_event_arrives_once(
    kind, fault, make_file_system, start_program, endpoint, tmp_path
):
    """P11: those that are in the file, and those that come then, of which the file may take none."""
    disk = make_file_system(kind, tools=('chattr',))
    program = start_program(spool_dir=str(disk.path / 'spool'), endpoint_url=endpoint.url)
    program.do(f'log {EVENTS} {SIZE}')
    assert program.do('stats')['backing'] == 'disk'
    disk.sync()
    fault(disk)
    program.do(f'log {EVENTS} {SIZE}')
    endpoint.clear_faults()
    assert program.do('flush'), program.complaints
    stats = program.do('stats')
    assert program.end() == 0, program.complaints
    if fault is forbid:
        disk.allow_changes(*segments(disk))
    assert (stats['accepted'], stats['dropped']) == (2 * EVENTS, {})
    assert arrived(endpoint, tmp_path) == Counter(range(2 * EVENTS))


@pytest.mark.parametrize('kind', [EXT4, XFS, TMPFS], ids=str)
def test_whoever_adopts_files_with_holes_from_a_full_disk_lives_and_delivers_them(
    kind, make_file_system, start_program, endpoint, tmp_path
):
    """A header of zeros may have no room on the disk, after a power loss or a copy; what is settled is to be noted there."""
    disk = make_file_system(kind, tools=('fallocate',))
    keywords = {'spool_dir': str(disk.path / 'spool'), 'endpoint_url': endpoint.url}
    dead = start_program(**keywords)
    dead.do(f'log {EVENTS} {SIZE}')
    dead.kill()
    disk.punch_holes(*segments(disk))
    disk.sync()
    disk.fill()
    disk.sync()
    endpoint.clear_faults()
    heir = start_program(**keywords)
    assert heir.do('flush'), heir.complaints
    assert heir.end() == 0, heir.complaints
    assert arrived(endpoint, tmp_path) == Counter(range(EVENTS))
    assert not segments(disk)


def test_what_a_dead_program_has_left_on_a_read_only_disk_is_reported_with_the_reason(
    make_file_system, start_program, endpoint, tmp_path
):
    """Nobody can take its locks there. By a handler once; and by `replay`. What a living program has is left out."""
    disk = make_file_system(EXT4)
    keywords = {'spool_dir': str(disk.path / 'spool'), 'endpoint_url': endpoint.url}
    dead, living = start_program(**keywords), start_program(**keywords)
    dead.do(f'log {EVENTS} {SIZE}')
    (path,) = {segment.parent for segment in segments(disk)}
    living.do('log 1 10')
    disk.make_read_only()
    dead.kill()
    endpoint.clear_faults()
    heir = start_program(**keywords)
    for _ in range(3):
        heir.do('log 1 10')
        heir.do('flush')
    assert heir.end() == 0
    reason = f'what a dead process has left cannot be taken over: {path}/alive: Read-only file system'
    assert heir.complaints.count('/alive: ') == 1, heir.complaints
    assert reason in heir.complaints
    replay = [sys.executable, '-m', 'firefighter', 'spool', 'replay', str(disk.path / 'spool'), '--yes']
    done = subprocess.run(replay, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f'{path}: {EVENTS} events left: {reason}' in done.stderr


@pytest.mark.parametrize('kind', [EXT4, XFS, TMPFS], ids=str)
def test_of_a_full_disk_the_file_in_use_takes_what_fits_into_it(
    kind, make_file_system, start_program, endpoint, tmp_path
):
    """So these outlive the program, and only what comes then does not."""
    disk = make_file_system(kind)
    keywords = {'spool_dir': str(disk.path / 'spool'), 'endpoint_url': endpoint.url}
    program = start_program(**keywords)
    program.do(f'log {EVENTS} {SIZE}')
    fill(disk)
    program.do(f'log {10 * EVENTS} {SIZE}')
    stats = program.do('stats')
    assert (stats['accepted'], stats['dropped'], stats['backing']) == (11 * EVENTS, {}, 'memory')
    program.kill()
    endpoint.clear_faults()
    heir = start_program(**keywords)
    assert heir.do('flush'), heir.complaints
    assert heir.end() == 0, heir.complaints
    kept = arrived(endpoint, tmp_path)
    assert EVENTS < len(kept) < 11 * EVENTS
    assert kept == Counter(range(len(kept)))


def test_of_ext4_a_file_that_must_not_change_kills_the_program_and_keeps_what_was_in_it(
    make_file_system, start_program, endpoint, tmp_path
):
    """The one that is left, and told of in the docs: a store is no system call there, and root has to do it on purpose."""
    disk = make_file_system(EXT4, tools=('chattr',))
    keywords = {'spool_dir': str(disk.path / 'spool'), 'endpoint_url': endpoint.url}
    program = start_program(**keywords)
    program.do(f'log {EVENTS} {SIZE}')
    forbid(disk)
    with pytest.raises(AssertionError, match=f'ended with {-signal.SIGBUS}'):
        program.do(f'log {EVENTS} {SIZE}')
    disk.allow_changes(*segments(disk))
    endpoint.clear_faults()
    heir = start_program(**keywords)
    assert heir.do('flush'), heir.complaints
    assert heir.end() == 0, heir.complaints
    assert arrived(endpoint, tmp_path) == Counter(range(EVENTS))
