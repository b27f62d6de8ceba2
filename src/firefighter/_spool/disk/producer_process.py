"""Who made a producer's directory, as it is written there: for people, and to tell whether that process still uses it.

The locks say who lives. But they are lost where something removes their files (a cleaner of old ones), or closes all descriptors of the
process (a daemonizing library). The process finds that out by itself, unless it has nothing to do just then. Until then it goes on writing
into its segments, which it has mapped: that cannot be lost, and ends with the process, and with its program where it runs another one (exec).
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from contextlib import suppress
from pathlib import Path

from firefighter._event.timestamp import second_of
from firefighter._spool.disk.private_directory import PrivateDirectory

__all__ = ['MappedFiles', 'describe_process']


def describe_process() -> bytes:
    """Return who this process is, as JSON."""
    about = {
        'pid': os.getpid(),
        'started': second_of(time.time())[1][:-1] + '+00:00',
        'host': platform.node(),
        # A program that embeds Python may have none, and at its very end no program has.
        'program': str(next(iter(getattr(sys, 'argv', None) or ()), '')),
    }
    return json.dumps(about).encode() + b'\n'


class MappedFiles:
    """The files that processes have mapped; each process is asked once."""

    def __init__(self) -> None:
        self._of: dict[int, frozenset[tuple[bytes, bytes]]] = {}

    def used_by_its_process(self, about: bytes, directory: PrivateDirectory) -> bool:
        """Return whether the process that made a directory has one of its files mapped. Where that cannot be told, it has not.

        Args:
            about: what `describe_process` has returned there.
            directory: with that process's segments.
        """
        # `about` may hold anything, and the process may end meanwhile, or be none that we may look at.
        with suppress(Exception):
            pid = int(json.loads(about)['pid'])
            if pid not in self._of:
                self._of[pid] = _mapped_by(pid)
            mapped = self._of[pid]
            found = [os.stat(name, dir_fd=directory.fd, follow_symlinks=False) for name in directory.names()]
            return any((_device(status.st_dev), b'%d' % status.st_ino) in mapped for status in found)
        return False


def _mapped_by(pid: int) -> frozenset[tuple[bytes, bytes]]:
    """Return the device and the inode of each file that a process has mapped, in the notation of Linux. Elsewhere there is no such list."""
    try:
        maps = Path(f'/proc/{pid}/maps').read_bytes()
    except OSError:
        return frozenset()
    # Address, permissions, offset, device, inode, path (proc_pid_maps(5)).
    rows = [line.split(None, 5) for line in maps.splitlines()]
    return frozenset((row[3], row[4]) for row in rows if row[4] != b'0')


def _device(number: int) -> bytes:
    if sys.platform == 'win32':
        return b''
    return b'%02x:%02x' % (os.major(number), os.minor(number))
