"""Is it told whether the process still runs that has made a producer's directory?"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest

from firefighter._spool.disk.producer_process import describe_process, still_runs

if sys.platform != 'linux':
    pytest.skip('only Linux tells', allow_module_level=True)


@pytest.fixture
def other():
    """A process, and how it would describe itself."""
    code = (
        'import sys\n'
        'from firefighter._spool.disk.producer_process import describe_process\n'
        'sys.stdout.buffer.write(describe_process())\nsys.stdout.flush()\n'
        'sys.stdin.read()\n'
    )
    with subprocess.Popen(
        [sys.executable, '-c', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.about = process.stdout.readline()
        yield process
        process.kill()


def changed(about, **values):
    return json.dumps({**json.loads(about), **values}).encode()


def test_a_process_runs_until_it_is_killed(other):
    """One that nobody has asked for its status yet, a zombie, does not run."""
    assert still_runs(other.about)
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert not still_runs(other.about)


def test_this_process_is_no_other(other):
    """What it has made itself it knows."""
    assert not still_runs(describe_process())


def test_of_another_machine_or_container_nothing_is_known(other):
    """Its numbers are its own."""
    assert not still_runs(changed(other.about, host=f'not-{platform.node()}'))


def test_a_process_that_has_the_number_now_is_another_when_it_is_younger(other):
    """As after a restart of a container, where numbers are small and the same each time."""
    then = datetime.now(timezone.utc) - timedelta(hours=1)
    assert not still_runs(changed(other.about, started=then.isoformat(timespec='seconds')))


@pytest.mark.parametrize(
    'about', [b'', b'{}', b'[]', b'\xff', b'{"pid": "x", "host": 1, "started": 2}', b'{"pid": 1e400}']
)
def test_what_does_not_say_is_not_taken_for_a_living_process(about):
    """It may be damaged, or somebody else's."""
    assert not still_runs(about)
