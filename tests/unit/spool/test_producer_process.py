"""Is it told whether the process that made a producer's directory still uses it?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firefighter._spool.disk.private_directory import open_shared
from firefighter._spool.disk.producer_process import MappedFiles, describe_process

if sys.platform != 'linux':
    pytest.skip('only Linux tells', allow_module_level=True)

# Maps a segment and says which; with any line it runs another program, which has the same number and start.
OTHER = """
import os, sys
from pathlib import Path
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.spool_directory import SpoolDirectory
from firefighter._spool.spool import Spool
spool, disk = Spool(1 << 20), SpoolDirectory(Path(sys.argv[1]), Destination('bar'), 1 << 20, 1 << 30)
disk.open(spool)
spool.append(b'one\\n')
print(disk.path, flush=True)
sys.stdin.readline()
os.execv(sys.executable, [sys.executable, '-c', 'import sys; print("another", flush=True); sys.stdin.readline()'])
"""


@pytest.fixture
def other(spool_dir) -> Iterator[subprocess.Popen]:
    """A process that uses a directory; `about` is how it is described there."""
    with subprocess.Popen(
        [sys.executable, '-c', OTHER, str(spool_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        path = Path(process.stdout.readline().rstrip('\n'))
        with open_shared(path, make=False) as directory:
            process.directory = directory
            process.about = directory.read('producer.json', 1000)
            yield process
        process.kill()


def changed(about, **values):
    return json.dumps({**json.loads(about), **values}).encode()


def test_a_process_uses_it_until_it_is_killed(other):
    """One that nobody has asked for its status yet, a zombie, does not."""
    assert MappedFiles().used_by_its_process(other.about, other.directory)
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert not MappedFiles().used_by_its_process(other.about, other.directory)


def test_a_process_that_runs_another_program_does_not_use_it(other):
    """`exec` keeps its number and its start."""
    other.stdin.write('\n')
    other.stdin.flush()
    assert other.stdout.readline() == 'another\n'
    assert not MappedFiles().used_by_its_process(other.about, other.directory)


def test_a_process_that_has_the_number_now_does_not_use_it(other):
    """As after a restart of a container, where numbers are small and the same each time."""
    assert not MappedFiles().used_by_its_process(changed(other.about, pid=os.getpid()), other.directory)


def test_clocks_and_names_of_hosts_decide_nothing(other):
    """Both may be set while it runs."""
    about = changed(other.about, started='1970-01-01T00:00:00+00:00', host='elsewhere')
    assert MappedFiles().used_by_its_process(about, other.directory)


@pytest.mark.parametrize(
    'about',
    [b'', b'{}', b'[]', b'\xff', b'{"pid": "x"}', b'{"pid": 1e400}', b'{"pid": "../../etc"}', b'{"pid": -1}'],
)
def test_what_does_not_say_is_not_taken_for_a_living_process(about, other):
    """It may be damaged, or somebody else's."""
    assert not MappedFiles().used_by_its_process(about, other.directory)


def test_it_is_described_for_people():
    """`firefighter spool ls` shows it."""
    assert json.loads(describe_process()).keys() == {'pid', 'started', 'host', 'program'}
