"""Segments in private memory with a copy in a file, where a store into a mapped file could kill the program.

Such a store raises SIGBUS where the file system cannot take the page any more (`filesystem.py` says which do that). There,
events are written to private memory, from which they are delivered, and from there the kernel copies them into the mapped
file: `process_vm_readv` of this very process. Where a store would raise SIGBUS, the call returns an error, and the event is
still in memory.

Why not `os.pwrite`: it needs a descriptor, which a program that closes all of them would lose, or have reused for a file of
its own; and it lets go of the interpreter's lock, which comes back beside a busy thread only after 5 ms. This needs none, and
keeps the lock, as a store does.

A sandbox may refuse the call, which is asked before (`trouble_with_copies`). By default Docker has allowed it since 23.0
(moby/moby#42083), containerd since 1.7 (containerd/containerd#7755), and Kubernetes restricts no call unless it is told to.

One call copies the line, and then the word that commits it. So whatever ends the process, and whenever, the file is what a
mapped one would be.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import sys
from collections.abc import Callable

from firefighter._spool.layout import COMMITTED, HEADER_BYTES, HEADER_WORDS, TAIL_MASK

__all__ = ['CopiedWords', 'copied_words', 'trouble_with_copies']

_WORD_BYTES = 8
_COMMITTED_OFFSET = COMMITTED * _WORD_BYTES
# In one call without the interpreter's lock; and with the lock it takes some 0.1 ms.
_PIECE_BYTES = 1 << 20

# Two of `struct iovec`: address, size, address, size.
_Stretches = ctypes.c_size_t * 4
_Copy = Callable[[int, int, int, int, int, int], int]


def _copy_of(library: type[ctypes.CDLL]) -> _Copy | None:
    if sys.platform != 'linux':
        return None
    function = getattr(library(None, use_errno=True), 'process_vm_readv', None)
    if function is not None:
        # Process; where to copy to, how many stretches; from where, how many; flags.
        number = ctypes.c_ulong
        function.argtypes = (ctypes.c_int, ctypes.c_void_p, number, ctypes.c_void_p, number, number)
        function.restype = ctypes.c_ssize_t
    return function


_copy = _copy_of(ctypes.PyDLL)
_copy_without_lock = _copy_of(ctypes.CDLL)


class CopiedWords(ctypes.c_uint64 * HEADER_WORDS):  # type: ignore[misc]  # its length is known at run time only
    """The words of a segment's header page, in memory, as append uses them. Made by `copied_words`.

    A subclass of the array, so that reading a word is as cheap as from a `memoryview`.

    Attributes:
        failed: whether the file could not be written. It then ends with the last event that it has taken whole, and the
            segment goes on in memory alone.
    """

    failed: bool
    _kept: mmap.mmap
    _memory: int
    _file: int
    _written: int
    _to: ctypes.Array[ctypes.c_size_t]
    _source: ctypes.Array[ctypes.c_size_t]
    _copy: _Copy | None
    _arguments: tuple[int, int, int, int, int, int]

    def __setitem__(self, index: int, value: int) -> None:
        """Store a word; with the one that commits, copy into the file what it commits, and the word.

        In memory first: a copy that an exception interrupts is made with the next commit.
        """
        super().__setitem__(index, value)
        if index != COMMITTED or self.failed:
            return
        tail = value & TAIL_MASK
        start = self._written
        size = tail - start
        to, source = self._to, self._source
        to[0] = self._file + start
        source[0] = self._memory + start
        to[1] = source[1] = size
        if self._copy is not None and self._copy(*self._arguments) == size + _WORD_BYTES:
            self._written = tail
        else:
            self.failed = True

    def begin(self) -> None:
        """Copy the header page of a segment without events, the magic last."""
        self._written = HEADER_BYTES
        self.copy(_WORD_BYTES, HEADER_BYTES)
        self.copy(0, _WORD_BYTES)

    def resume(self, tail: int) -> None:
        """Copy the header page of a dead producer's segment, of which the file has everything up to a tail."""
        self._written = tail
        self.copy(_WORD_BYTES, HEADER_BYTES)

    def copy(self, start: int, end: int) -> None:
        """Copy `[start, end)` into the file, unless it could not be written before."""
        if start < end and not self.failed:
            self.failed = not self._copied(_copy, start, end)

    def touch(self, start: int, end: int) -> None:
        """Copy `[start, end)` without the interpreter's lock: so that all pages of the file are there.

        Raises:
            OSError: the file cannot be written.
        """
        for piece in range(start, end, _PIECE_BYTES):
            if not self._copied(_copy_without_lock, piece, min(piece + _PIECE_BYTES, end)):
                raise OSError(ctypes.get_errno(), 'its pages cannot be written')

    def _copied(self, copy: _Copy | None, start: int, end: int) -> bool:
        return _copied(copy, self._file + start, self._memory + start, end - start)

    def _set_up(self, memory: mmap.mmap, file: mmap.mmap) -> None:
        self.failed = False
        self._kept = file
        self._memory, self._file = _address(memory), _address(file)
        self._written = HEADER_BYTES
        # Filled in by each commit, under the lock of append.
        self._to = _Stretches(0, 0, self._file + _COMMITTED_OFFSET, _WORD_BYTES)
        self._source = _Stretches(0, 0, self._memory + _COMMITTED_OFFSET, _WORD_BYTES)
        self._copy = _copy
        # The process once and for all: a child that is forked within append, and goes on with it, copies what its parent has.
        self._arguments = os.getpid(), ctypes.addressof(self._to), 2, ctypes.addressof(self._source), 2, 0


def copied_words(memory: mmap.mmap, file: mmap.mmap) -> CopiedWords:
    """Return the words of a segment in private memory whose commits are copied into a file.

    Args:
        memory: the segment.
        file: the file, mapped; of the same size. Nobody else in this process writes into it.
    """
    words: CopiedWords = CopiedWords.from_buffer(memory)
    words._set_up(memory, file)  # noqa: SLF001 - an array in a buffer is not made by its constructor
    return words


def trouble_with_copies() -> str | None:
    """Return why the kernel does not copy within this process, None when it does: a sandbox may forbid it."""
    source, to = ctypes.c_char(b'x'), ctypes.c_char()
    if _copied(_copy, ctypes.addressof(to), ctypes.addressof(source), 1):
        return None
    return f'process_vm_readv: {os.strerror(ctypes.get_errno() or errno.ENOSYS)}'


def _copied(copy: _Copy | None, to: int, source: int, size_bytes: int) -> bool:
    """Copy; return whether all of it is there."""
    if copy is None:
        return False
    stretches = _Stretches(to, size_bytes, source, size_bytes)
    first = ctypes.addressof(stretches)
    return copy(os.getpid(), first, 1, first + ctypes.sizeof(stretches) // 2, 1, 0) == size_bytes


def _address(mapping: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(mapping))
