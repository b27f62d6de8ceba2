"""Events that are copied into a file, where a store into it could kill the program: the same file, and never SIGBUS.

A file that is cut short under its mapping faults as one of a file system that has shut down does: for that nobody need be root.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform != 'linux':
    pytest.skip('only Linux copies within a process', allow_module_level=True)

from firefighter._spool import copied_segment as copied_module
from firefighter._spool.copied_segment import copied_words, trouble_with_copies
from firefighter._spool.disk import spool_directory as disk_module
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.errors import SpoolUnusable
from firefighter._spool.disk.segment_file import parse_header, read_progress
from firefighter._spool.disk.spool_directory import SpoolDirectory
from firefighter._spool.layout import COMMITTED, HEADER_BYTES, ONE_EVENT
from firefighter._spool.segment import private_memory
from firefighter._spool.spool import MIN_SPOOL_BYTES, Spool
from spool_files import let_die, line

BAR = Destination('bar')
SIZE = 16 * 1024
ENOUGH_BYTES = 1 << 30
LINES = [line(f'{number:03}') for number in range(10)]


@pytest.fixture(autouse=True)
def file_system_that_may_fail(monkeypatch):
    """Whatever the tests run on."""
    monkeypatch.setattr('firefighter._spool.disk.spool_directory.store_may_fail', lambda path: True)
    monkeypatch.setattr('firefighter._spool.disk.adoption.store_may_fail', lambda path: True)


@pytest.fixture
def segment(tmp_path):
    """Memory, its words, and the file that they are copied into."""
    path = tmp_path / 'segment'
    path.write_bytes(bytes(SIZE))
    with path.open('r+b') as file:
        mapping = mmap.mmap(file.fileno(), SIZE)
    memory = private_memory(SIZE)
    return memory, copied_words(memory, mapping), path


@pytest.fixture
def open_disk(descriptors_as_they_were, spool_dir):
    """Spools on disk, and what was opened for them."""
    made = []

    def open_(max_bytes=4 * MIN_SPOOL_BYTES):
        spool, disk = Spool(max_bytes), SpoolDirectory(spool_dir, BAR, max_bytes, ENOUGH_BYTES)
        made.append(disk)
        disk.open(spool)
        return spool, disk

    yield open_
    for disk in made:
        for directory in [disk.store and disk.store.directory, *disk._adoption.directories]:
            if directory:
                directory.release()


def append(memory, words, *lines):
    """What append does, as far as a segment is concerned."""
    for text in lines:
        committed = words[COMMITTED]
        tail = committed % ONE_EVENT
        memory[tail : tail + len(text)] = text
        words[COMMITTED] = committed + len(text) + ONE_EVENT


def in_file(path):
    data = path.read_bytes()
    events, tail, _ = read_progress(data)
    lines = data[HEADER_BYTES:tail].splitlines(keepends=True)
    assert len(lines) == events
    assert not any(data[tail:]), 'bytes behind the tail'
    return lines


def only_file(spool_dir):
    (path,) = spool_dir.glob('*/*/*/*.spool')
    return path


def deliver(spool):
    events = spool.take(10**6, 10**9)
    data = [event.data for event in events]
    spool.acknowledge(events)
    return data


def die(disk):
    """The system lets go of the locks."""
    let_die(disk.store.directory)
    disk.abandon()


def test_a_commit_is_in_the_file_when_the_store_returns(segment):
    """P2: whatever ends the process then."""
    memory, words, path = segment
    words[COMMITTED] = HEADER_BYTES
    for count, text in enumerate(LINES, 1):
        append(memory, words, text)
        assert in_file(path) == LINES[:count]


def test_what_an_exception_has_interrupted_is_copied_by_the_next_commit(segment, monkeypatch):
    """A signal handler may raise behind the store into memory, which decides."""
    memory, words, path = segment
    words[COMMITTED] = HEADER_BYTES

    def interrupt(*arguments):
        raise KeyboardInterrupt

    genuine = words._copy
    words._copy = interrupt
    with pytest.raises(KeyboardInterrupt):
        append(memory, words, LINES[0])
    words._copy = genuine
    assert words[COMMITTED] >> 32 == 1
    assert in_file(path) == []
    append(memory, words, LINES[1])
    assert in_file(path) == LINES[:2]


STORE = """
import mmap, os, sys
from pathlib import Path
path = Path(sys.argv[1])
path.write_bytes(bytes(16384))
with path.open('r+b') as file:
    mapping = mmap.mmap(file.fileno(), 16384)
os.truncate(path, 0)
mapping[5000] = 1
"""


def test_a_store_into_a_mapping_whose_page_is_gone_kills_the_process(tmp_path):
    """So the tests below show what they are to show."""
    status = subprocess.run([sys.executable, '-c', STORE, tmp_path / 'file'], check=False)
    assert status.returncode == -7


def test_where_the_file_cannot_be_written_memory_goes_on(segment):
    """And the file keeps what it has taken."""
    memory, words, path = segment
    words[COMMITTED] = HEADER_BYTES
    append(memory, words, *LINES[:3])
    # The pages of the events; the header's stays.
    os.truncate(path, HEADER_BYTES)
    append(memory, words, *LINES[3:])
    assert words.failed
    assert words[COMMITTED] >> 32 == len(LINES)
    assert memory[HEADER_BYTES:].rstrip(b'\0') == b''.join(LINES)
    assert read_progress(path.read_bytes()).events == 3


def test_the_file_is_as_a_mapped_one(open_disk, spool_dir):
    """For whoever reads it: a header, the events, and how far they are settled."""
    spool, disk = open_disk()
    for text in LINES:
        spool.append(text)
    path = only_file(spool_dir)
    header = parse_header(path.read_bytes())
    assert (header.stream, header.first_sequence, header.size_bytes) == ('bar', 0, path.stat().st_size)
    assert in_file(path) == LINES
    events = spool.take(4, 10**9)
    spool.acknowledge(events)
    assert read_progress(path.read_bytes()).head == HEADER_BYTES + len(b''.join(LINES[:4]))
    die(disk)
    heir, its_disk = open_disk()
    assert its_disk.tidy(heir, 0.0) is None
    assert deliver(heir) == LINES[4:]
    assert list(spool_dir.glob('*/*/*/*.spool')) == []


def test_a_program_whose_file_is_lost_loses_no_event_and_goes_on_in_another_file(open_disk, spool_dir):
    """P11: what memory would have delivered is delivered, and what comes then is safe from the end of the process again."""
    spool, disk = open_disk()
    spool.append(LINES[0])
    lost = only_file(spool_dir)
    os.truncate(lost, 0)
    for text in LINES[1:5]:
        spool.append(text)
    spool.tidy()
    assert 'kept in memory until' in disk.tidy(spool, 0.0, adopts=False)
    spool.tidy()
    assert disk.tidy(spool, 0.0, adopts=False) is None, 'said twice'
    for text in LINES[5:]:
        spool.append(text)
    (path,) = set(spool_dir.glob('*/*/*/*.spool')) - {lost}
    assert in_file(path) == LINES[5:]
    assert deliver(spool) == LINES
    account = spool.account()
    assert (account.accepted, account.delivered, account.pending) == (10, 10, 0)


def test_while_no_other_file_can_be_made_it_goes_on_in_the_memory_of_the_lost_one(
    open_disk, spool_dir, monkeypatch
):
    """Nothing is given up for the sake of a file."""
    spool, disk = open_disk()
    spool.append(LINES[0])
    os.truncate(only_file(spool_dir), 0)
    monkeypatch.setattr(disk.store._bound, 'grant', lambda size: False)
    for text in LINES[1:]:
        spool.append(text)
        spool.tidy()
    assert deliver(spool) == LINES


def test_what_the_dead_have_left_is_delivered_though_its_file_is_lost_meanwhile(open_disk, spool_dir):
    """It was read when it was adopted; nothing is read or noted through the mapping after that."""
    spool, disk = open_disk()
    for text in LINES:
        spool.append(text)
    die(disk)
    heir, its_disk = open_disk()
    its_disk.tidy(heir, 0.0)
    os.truncate(only_file(spool_dir), 0)
    assert deliver(heir) == LINES
    assert heir.account().delivered == len(LINES)


def test_where_the_words_were_not_believed_the_file_has_the_right_ones(open_disk, spool_dir, monkeypatch):
    """As of a mapped one: for people who look, while it is being delivered."""
    spool, disk = open_disk()
    for text in LINES:
        spool.append(text)
    path = only_file(spool_dir)
    with path.open('r+b') as file:
        file.seek(COMMITTED * 8)
        file.write(HEADER_BYTES.to_bytes(8, sys.byteorder))
    die(disk)
    monkeypatch.setattr('firefighter._spool.disk.adoption.boot_id', lambda: b'another boot    ')
    heir, its_disk = open_disk()
    its_disk.tidy(heir, 0.0)
    assert in_file(path) == LINES


def test_of_the_dead_no_more_is_taken_into_memory_than_a_bound(open_disk, spool_dir, monkeypatch):
    """The rest comes when that is settled."""
    monkeypatch.setattr('firefighter._spool.disk.adoption._MOST_COPIED_BYTES', 1)
    for text in LINES[:3]:
        spool, disk = open_disk()
        spool.append(text)
        die(disk)
    heir, its_disk = open_disk()
    delivered = []
    for _ in range(3):
        its_disk.tidy(heir, 0.0)
        delivered.append(deliver(heir))
    assert sorted(delivered) == [[text] for text in LINES[:3]]


def test_what_is_given_back_is_erased_in_the_file(open_disk, spool_dir):
    """What is settled behind what is not: the next adopter must not deliver it again."""
    spool, disk = open_disk()
    for text in LINES:
        spool.append(text)
    die(disk)
    heir, its_disk = open_disk()
    its_disk.tidy(heir, 0.0)
    events = heir.take(10**6, 10**9)
    heir.acknowledge(events[3:])
    assert its_disk.release_adopted(heir, ())
    last, third = open_disk()
    third.tidy(last, 0.0)
    assert deliver(last) == LINES[:3]


# Have the call refused from now on, as a sandbox does: seccomp, by a filter of four instructions (linux/filter.h).
REFUSED = """
import ctypes, struct, sys
from firefighter._spool.copied_segment import trouble_with_copies
print(trouble_with_copies())
load, jump_if_equal, answer = 0x20, 0x15, 0x06
refuse, allow = 0x00050000 | 1, 0x7fff0000
instructions = b''.join(
    struct.pack('HBBI', *instruction)
    for instruction in [(load, 0, 0, 0), (jump_if_equal, 0, 1, int(sys.argv[1])), (answer, 0, 0, refuse), (answer, 0, 0, allow)]
)
text = ctypes.create_string_buffer(instructions)
program = struct.pack('HxxxxxxP', 4, ctypes.addressof(text))
prctl = ctypes.CDLL(None).prctl
assert prctl(38, 1, 0, 0, 0) == 0
assert prctl(22, 2, program, 0, 0) == 0
print(trouble_with_copies())
"""
PROCESS_VM_READV = {'x86_64': 310, 'aarch64': 270}.get(os.uname().machine)


@pytest.mark.skipif(PROCESS_VM_READV is None, reason='the number of the call is not known here')
def test_that_a_sandbox_refuses_the_call_is_found_out_before_it_is_needed():
    """As containers did by default for years."""
    command = [sys.executable, '-c', REFUSED, str(PROCESS_VM_READV)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said.splitlines() == ['None', 'process_vm_readv: Operation not permitted']


def test_where_the_kernel_does_not_copy_the_directory_is_not_used_and_the_reason_is_said(
    spool_dir, monkeypatch
):
    """A sandbox may forbid the call; an old or small system may lack it; some builds of Python have no ctypes."""
    assert trouble_with_copies() is None
    monkeypatch.setattr(copied_module, '_copy', None)
    with pytest.raises(SpoolUnusable, match='process_vm_readv'):
        SpoolDirectory(spool_dir, BAR, MIN_SPOOL_BYTES, ENOUGH_BYTES).open(Spool(MIN_SPOOL_BYTES))
    monkeypatch.setattr(disk_module, 'trouble_with_copies', lambda: 'this Python has no ctypes')
    with pytest.raises(SpoolUnusable, match=r'no ctypes.*choose'):
        SpoolDirectory(spool_dir, BAR, MIN_SPOOL_BYTES, ENOUGH_BYTES).open(Spool(MIN_SPOOL_BYTES))
    assert list(Path(spool_dir).glob('*/*/*')) == []
