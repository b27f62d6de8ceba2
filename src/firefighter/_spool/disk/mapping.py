"""Mapping a file without keeping a descriptor of it.

Until Python 3.13 an `mmap` object keeps a duplicate of the descriptor, and closes it at its end by its number. A program that
turns into a daemon closes all descriptors; then the number may be a socket of the program's own when the mapping
goes, and would be closed under it. So there the file is mapped over anonymous memory, of which Python keeps no
descriptor.
"""

from __future__ import annotations

import mmap
import os
import sys
from types import ModuleType

__all__ = ['map_shared', 'prepare_to_map']

# Of Linux, macOS and the BSDs alike; Python does not name it.
_MAP_FIXED = 0x10


def prepare_to_map() -> None:
    """Import now what `map_shared` needs, where forks can be held off.

    It is called in any thread: a child that another one forks while it imports would wait for that import for ever.
    """
    if sys.version_info < (3, 13):
        _ctypes()


def map_shared(descriptor: int, size_bytes: int) -> mmap.mmap:
    """Map the first bytes of a file, to read and to write; the descriptor can be closed.

    Raises:
        OSError: it cannot be mapped.
    """
    if sys.platform == 'win32':
        raise OSError('a spool on disk needs Linux or macOS')
    if sys.version_info >= (3, 13):
        return mmap.mmap(descriptor, size_bytes, trackfd=False)
    ctypes = _ctypes()
    if ctypes is None:
        return mmap.mmap(descriptor, size_bytes)
    memory = mmap.mmap(-1, size_bytes, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
    _map_over(ctypes, memory, descriptor)
    return memory


def _ctypes() -> ModuleType | None:
    try:
        import ctypes  # noqa: PLC0415 - only Pythons before 3.13 need it, and some builds lack it
    except ImportError:
        return None
    # `off_t` of 32-bit systems differs between C libraries.
    return ctypes if ctypes.sizeof(ctypes.c_void_p) == ctypes.sizeof(ctypes.c_int64) else None


def _map_over(ctypes: ModuleType, memory: mmap.mmap, descriptor: int) -> None:
    if sys.platform == 'win32':
        return
    function = ctypes.CDLL(None, use_errno=True).mmap
    function.restype = ctypes.c_void_p
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_int64)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    if function(address, len(memory), protection, mmap.MAP_SHARED | _MAP_FIXED, descriptor, 0) != address:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
