"""Who made a producer's directory, as it is written there: for people, and to tell whether that process still runs.

The locks say who lives. But they are lost where something removes their files (a cleaner of old ones), or closes all descriptors of the
process (a daemonizing library). The process finds that out by itself, unless it has nothing to do just then.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

__all__ = ['describe_process', 'still_runs']

# How much later than its directory a process may seem to have started: the one is written in whole seconds, the other counted from the
# boot, whose time the system works out anew.
_SLACK_SECONDS = 2.0

# In Linux's include/linux/sched.h: the process is ending, and its files are closed or about to be.
_PF_EXITING = 0x4


def describe_process() -> bytes:
    """Return who this process is, as JSON."""
    about = {
        'pid': os.getpid(),
        'started': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'host': platform.node(),
        # A program that embeds Python may have none.
        'program': str(next(iter(getattr(sys, 'argv', ())), '')),
    }
    return json.dumps(about).encode() + b'\n'


def still_runs(about: bytes) -> bool:
    """Return whether it is another process that runs on this machine. Where that cannot be told, it does not.

    Args:
        about: what `describe_process` has returned there.
    """
    with suppress(Exception):  # the file may hold anything
        described = json.loads(about)
        pid = int(described['pid'])
        if pid == os.getpid() or described['host'] != platform.node():
            return False
        made_at = datetime.fromisoformat(described['started']).timestamp()
        return _started_at(pid) <= made_at + _SLACK_SECONDS
    return False


def _started_at(pid: int) -> float:
    """Return when a process has started, in seconds since the epoch.

    Raises:
        OSError: it does not run; or this is not Linux.
        ValueError: the system's answer is not as on Linux.
    """
    if sys.platform == 'win32':
        raise ProcessLookupError(pid)
    # After the program's name, which may hold anything: state, ppid, pgrp, session, tty, tpgid, flags, ..., the 22nd being the start.
    fields = Path(f'/proc/{pid}/stat').read_bytes().rpartition(b')')[2].split()
    if fields[0] in {b'Z', b'X'} or int(fields[6]) & _PF_EXITING:
        raise ProcessLookupError(pid)
    boot = next(line for line in Path('/proc/stat').read_bytes().splitlines() if line.startswith(b'btime '))
    ticks_per_second: int = os.sysconf('SC_CLK_TCK')
    return int(boot.split()[1]) + int(fields[19]) / ticks_per_second
