"""Which boot of the machine this is: the page cache, and with it an exact tail, lives as long as that."""

from __future__ import annotations

import pathlib
import sys
import uuid

__all__ = ['boot_id']

_LINUX = pathlib.Path('/proc/sys/kernel/random/boot_id')


def boot_id() -> bytes | None:
    """Return 16 bytes that are another value after each boot, or None where that cannot be known.

    With None nothing that a dead process left is trusted, so some of it may be delivered twice. The same in all
    containers of a machine, since they share its kernel. It is read anew each time: call it once.
    """
    try:
        return uuid.UUID(_boot_name().strip()).bytes
    except Exception:
        # No /proc in this container, no ctypes in this build, not a UUID: all the same, the boot is not known.
        return None


def _boot_name() -> str:
    if sys.platform == 'linux':
        return _LINUX.read_text('utf-8')
    if sys.platform == 'darwin':
        return _macos_boot_session()
    raise OSError(f'{sys.platform} does not name its boots')


def _macos_boot_session() -> str:
    # Not the boot time, `kern.boottime`: that moves whenever the clock is set. No subprocess either: starting one
    # from an application that has threads and signal handlers of its own is a risk for a log line.
    import ctypes  # noqa: PLC0415 - macOS alone needs it, and some builds of Python lack it

    library = ctypes.CDLL(None)
    value = ctypes.create_string_buffer(64)
    size = ctypes.c_size_t(len(value))
    if library.sysctlbyname(b'kern.bootsessionuuid', value, ctypes.byref(size), None, 0):
        raise OSError('this macOS has no kern.bootsessionuuid')
    return value.value.decode('ascii')
